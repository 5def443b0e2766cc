//! Tests of the whole room against an upstream that misbehaves.

mod bounds;
mod digest;
mod flow;
pub(super) mod hostile;
mod oauth;
mod paging;
mod polling;
mod proxy;
mod recovery;
mod redirects;
mod requests;
mod reuse;
mod schemes;
mod secrets;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tollbridge_operation::{
    Answer, ApiName, Arguments, Attachment, Binding, Body, Call, CallId, Effect, EffectSource,
    Enclosure, EncodeError, Fault, Identity, Operation, OperationId, OperationKey, Payload,
    Request, Response, Schema, SecurityRequirement, ToolName,
};
use url::Url;

use super::engine::run;
use super::*;
use crate::secret::{Redactor, Secret};

/// A binding that sends what it is told and reads JSON, text and bytes.
#[derive(Debug, Clone)]
pub(super) struct Probe(Request);

impl Binding for Probe {
    fn encode(&self, _arguments: &Arguments) -> Result<Request, EncodeError> {
        Ok(self.0.clone())
    }

    fn decode(&self, response: &Response) -> Answer {
        let payload = match response.media_type().as_deref() {
            _ if response.body.is_empty() => Payload::Empty,
            Some("application/json") => match serde_json::from_slice(&response.body) {
                Ok(value) => Payload::Value(value),
                Err(_) => return Answer::Unreadable { reason: "it is no JSON".to_owned() },
            },
            Some("image/png") => {
                Payload::Bytes { media_type: "image/png".to_owned(), data: response.body.clone() }
            }
            Some("multipart/mixed") => Payload::Parts {
                value: Value::Null,
                attached: vec![Attachment {
                    media_type: "image/png".to_owned(),
                    data: response.body.clone(),
                }],
            },
            _ => Payload::Value(Value::String(String::from_utf8_lossy(&response.body).into())),
        };
        let fault = response.headers.get("x-fault").map(|code| Fault {
            code: code.to_str().unwrap_or_default().to_owned(),
            subcodes: Vec::new(),
            reason: "a reason".to_owned(),
            detail: None,
        });
        if response.status.is_success() && fault.is_none() {
            Answer::Success { payload, drift: Vec::new(), headers: Map::new() }
        } else {
            Answer::Failure { payload, fault }
        }
    }
}

/// A request of that method to `/x`.
pub(super) fn request(method: Method) -> Request {
    let body = (method == Method::POST || method == Method::PUT).then(|| Body {
        content_type: HeaderValue::from_static("application/json"),
        bytes: Bytes::from_static(b"{\"a\":1}"),
    });
    Request {
        method,
        path: "/x".to_owned(),
        query: None,
        headers: Vec::new(),
        cookies: Vec::new(),
        body,
    }
}

/// A call of an operation that is what its method makes it.
pub(super) fn call(request: Request) -> Call {
    let (effect, idempotent) = match request.method {
        Method::GET | Method::HEAD => (Effect::Read, true),
        Method::PUT => (Effect::Write, true),
        Method::DELETE => (Effect::Destructive, true),
        _ => (Effect::Write, false),
    };
    let operation = Operation {
        id: OperationId {
            api: ApiName::new("shop").expect("a name"),
            key: OperationKey::new("op").expect("a key"),
        },
        endpoint: None,
        summary: None,
        description: None,
        tags: Vec::new(),
        deprecated: false,
        effect,
        effect_source: EffectSource::Inferred,
        idempotent,
        input: Schema::empty_object(),
        output: None,
        security: Vec::new(),
        servers: Vec::new(),
        errors: Vec::new(),
        twin_of: None,
        binding: Arc::new(Probe(request)),
    };
    Call {
        id: CallId::new("c1"),
        identity: Identity::new("tester").expect("a name"),
        tool: ToolName::new("op").expect("a name"),
        operation: Arc::new(operation),
        arguments: Arguments::default(),
        key: None,
        trace: None,
    }
}

pub(super) fn secured(mut call: Call, security: Vec<SecurityRequirement>) -> Call {
    let mut operation = (*call.operation).clone();
    operation.security = security;
    call.operation = Arc::new(operation);
    call
}

/// An upstream with small bounds. Requests that hang want a shorter time-out.
pub(super) fn config(base: &str) -> UpstreamConfig {
    UpstreamConfig {
        api: ApiName::new("shop").expect("a name"),
        base_url: Url::parse(base).expect("a URL"),
        hosts: Vec::new(),
        credentials: Credentials::None,
        headers: Vec::new(),
        enclosure: Enclosure::default(),
        timeout: Duration::from_secs(5),
        attempt_timeout: Duration::from_secs(2),
        redirects: Redirects::Refuse,
        max_response: 100_000,
        traced: false,
        tls: Tls::default(),
        resolver: None,
        proxy: None,
        uploads: None,
        recovery: Recovery::default(),
    }
}

pub(super) fn upstream(config: UpstreamConfig) -> Upstream {
    let redactor = Redactor::new([&Secret::new(SECRET)]);
    let mut upstream = Upstream::new(config, Arc::new(redactor)).expect("an upstream");
    upstream.jitter = |max| max / 20;
    upstream
}

pub(super) const SECRET: &str = "s3cr3t-k3y/with+odd=characters";

/// Keeps what is recorded, and refuses when told.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) started: Vec<AttemptStart>,
    pub(super) finished: Vec<AttemptEnd>,
    pub(super) waits: Vec<(u32, Duration)>,
    pub(super) taken: Vec<Handle>,
    pub(super) refuse: Option<AttemptRefused>,
    pub(super) slow: Duration,
}

impl AttemptLog for Log {
    async fn started(&mut self, start: AttemptStart) -> Result<(), AttemptRefused> {
        tokio::time::sleep(self.slow).await;
        self.started.push(start);
        self.refuse.clone().map_or(Ok(()), Err)
    }

    async fn still_may(&mut self) -> Result<(), AttemptRefused> {
        self.refuse.clone().map_or(Ok(()), Err)
    }

    async fn finished(&mut self, end: AttemptEnd) {
        self.finished.push(end);
    }

    async fn taken(&mut self, handle: &Handle) {
        self.taken.push(handle.clone());
    }

    fn waiting(&mut self, n: u32, wait: Duration, _why: &str) {
        self.waits.push((n, wait));
    }
}

impl Log {
    /// Status and error of each request's end.
    pub(super) fn ends(&self) -> Vec<(Option<u16>, bool)> {
        self.finished.iter().map(|end| (end.status, end.error.is_some())).collect()
    }
}

/// Calls with a deadline that is far away.
pub(super) async fn go(upstream: &Upstream, call: &Call) -> (Report, Log) {
    go_within(upstream, call, Duration::from_secs(5)).await
}

pub(super) async fn go_within(upstream: &Upstream, call: &Call, time: Duration) -> (Report, Log) {
    let mut log = Log::default();
    let prepared = prepare(upstream, call).expect("a request");
    let cancel = CancellationToken::new();
    let within = Within {
        deadline: Instant::now() + time,
        cancel: &cancel,
        gate: None,
        groups: &[],
        manner: Manner::default(),
        held: None,
    };
    let report = run(call, &prepared, upstream, within, &mut log).await;
    (report, log)
}

pub(super) fn failed(report: &Report) -> &Failed {
    match &report.outcome {
        Outcome::Failed(failed) => failed,
        Outcome::Done { payload, .. } => panic!("it was done: {payload:?}"),
    }
}

pub(super) fn value(report: &Report) -> &Value {
    match &report.outcome {
        Outcome::Done { payload: Payload::Value(value), .. } => value,
        other => panic!("no value: {other:?}"),
    }
}

pub(super) fn header(name: &'static str, value: &str) -> (HeaderName, HeaderValue) {
    (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
}

#[test]
fn a_call_can_be_carried_out_by_any_thread() {
    fn is_send(_: impl Send) {}
    let upstream = upstream(config("http://127.0.0.1:1"));
    let call = call(request(Method::GET));
    let prepared = prepare(&upstream, &call).expect("a request");
    let (cancel, mut log) = (CancellationToken::new(), Log::default());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let _entered = runtime.enter();
    let within = Within {
        deadline: Instant::now(),
        cancel: &cancel,
        gate: None,
        groups: &[],
        manner: Manner::default(),
        held: None,
    };
    is_send(run(&call, &prepared, &upstream, within, &mut log));
}
