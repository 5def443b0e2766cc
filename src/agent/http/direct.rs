//! The short way of a call: a `tools/call` that is exactly what the revision 2026-07-28 asks for
//! goes to the handler without the MCP library's machinery around it.
//!
//! For each request the library starts a session of one message: four tasks, their channels, and
//! a parse that tries every kind of message in turn. That is for requests that may stream,
//! negotiate or fail; most are calls that want one answer, and are taken apart here once.
//!
//! This way is narrow on purpose. [`read`] takes a message only where its headers and members
//! leave nothing open: no session, no progress, no member that this file does not know, headers
//! that say what the body says (SEP-2243). Everything else, whatever is wrong with it, goes the
//! library's way and gets the library's answer. So no error of the protocol is made here, and a
//! test holds that both ways give the same bytes.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode, Version};
use rmcp::ErrorData;
use rmcp::model::{
    ClientCapabilities, Implementation, JsonObject, ProtocolVersion, RequestId,
    ServerJsonRpcMessage,
};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::mcp::SESSION;
use crate::agent::handler::{Asked, Beside, Handler, agent, revision, version_of};
use crate::agent::result::Made;
use crate::agent::{Backend, asking, trace};
use crate::gateway::{self, Caller, ToItsEnd};

const METHOD: &str = "tools/call";
const VERSION_HEADER: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD_HEADER: HeaderName = HeaderName::from_static("mcp-method");
const NAME_HEADER: HeaderName = HeaderName::from_static("mcp-name");

/// A call that nothing is open about.
#[derive(Debug)]
pub(super) struct Call {
    id: RequestId,
    name: String,
    arguments: JsonObject,
    beside: Beside,
    client: Implementation,
    /// Whether its client knows tasks.
    tasks: bool,
    /// Whether its client can ask its person.
    forms: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    jsonrpc: String,
    id: RequestId,
    method: String,
    params: Params,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    name: String,
    #[serde(default)]
    arguments: JsonObject,
    #[serde(rename = "_meta")]
    meta: Meta,
}

/// The members of `_meta` that mean something here or elsewhere. What else is in it does not.
#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    version: String,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: ClientCapabilities,
    #[serde(rename = "io.modelcontextprotocol/clientInfo")]
    client: Implementation,
    #[serde(rename = "progressToken", default, deserialize_with = "there")]
    progress: bool,
    #[serde(rename = "tollbridge/approval")]
    approval: Option<Value>,
    #[serde(rename = "tollbridge/idempotency-key")]
    idempotency_key: Option<Value>,
    #[serde(rename = "x402/payment")]
    payment: Option<Value>,
    traceparent: Option<Value>,
    tracestate: Option<Value>,
}

/// A member that is there, whatever it is.
fn there<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(from).map(|_| true)
}

impl Call {
    /// Whether it may become a task or a question, which the library's way makes of it.
    pub(super) fn may_last<B: Backend>(&self, backend: &B, caller: &Caller) -> bool {
        self.tasks && backend.runs_long(caller, &self.name).is_some()
            || self.forms && backend.asks_client(caller, &self.name)
    }
}

/// The call that a message is, where it may go this way. The wire layer has let it pass.
pub(super) fn read(headers: &HeaderMap, message: &[u8]) -> Option<Box<Call>> {
    let version = ProtocolVersion::V_2026_07_28;
    let fits = sole(headers, &VERSION_HEADER)? == version.as_str()
        && sole(headers, &METHOD_HEADER)? == METHOD
        && accepts_both(sole(headers, &header::ACCEPT)?)
        && sole(headers, &header::CONTENT_TYPE).is_some()
        && !headers.contains_key(SESSION);
    if !fits {
        return None;
    }
    let Message { jsonrpc, id, method, params } = serde_json::from_slice(message).ok()?;
    let Params { name, arguments, meta } = params;
    let plain = jsonrpc == "2.0"
        && method == METHOD
        && sole(headers, &NAME_HEADER)? == name
        // That is how a name is written that a header cannot carry.
        && !name.starts_with("=?")
        && meta.version == version.as_str()
        && !meta.progress;
    let tasks = meta.capabilities.supports_tasks();
    let forms = asking::knows_forms(&meta.capabilities);
    let Meta { client, approval, idempotency_key, payment, traceparent, tracestate, .. } = meta;
    let trace = trace::of(traceparent.as_ref(), tracestate.as_ref(), Some(headers));
    let beside = Beside { approval, idempotency_key, payment, trace };
    plain.then(|| Box::new(Call { id, name, arguments, beside, client, tasks, forms }))
}

/// The header's value, where it has one value and that is text.
fn sole<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Whether an `Accept` names both forms of an answer, as MCP asks, and has no parameters to
/// think about.
fn accepts_both(accept: &str) -> bool {
    let names = |wanted: &str| accept.split(',').any(|range| range.trim() == wanted);
    !accept.contains([';', '"']) && names("application/json") && names("text/event-stream")
}

/// Carries the call out that came over this connection, in this version of HTTP. It runs on where
/// this future is dropped, because the client has gone: then it is cancelled, and ends by itself.
pub(super) async fn answer<B: Backend>(
    handler: &Handler<B>,
    caller: Caller,
    call: Box<Call>,
    (peer, version): (SocketAddr, Version),
) -> Response<Body> {
    let cancel = CancellationToken::new();
    let _cancel_on_drop = cancel.clone().drop_guard();
    let Call { id, name, arguments, beside, client, .. } = *call;
    let handler = handler.clone();
    let message = handler.backend().traces().then(|| {
        Box::new(gateway::Message {
            protocol: Some(ProtocolVersion::V_2026_07_28.to_string()),
            request: Some(id.to_string()),
            session: None,
            client: Some(peer),
            http: version_of(version),
        })
    });
    let carried_out = ToItsEnd::new(async move {
        let caller = Caller { agent: Some(agent(&client)), ..caller };
        let revision = revision(Some(&ProtocolVersion::V_2026_07_28));
        let (answered, id) = (None, None);
        let asked = Asked { tool: name, arguments, beside, answered, id, revision, message };
        handler.carry_out(caller, asked, cancel, None).await
    });
    match carried_out.await {
        Ok(result) => response(result, id),
        Err(error) => {
            tracing::error!(%error, "a call ended in a defect");
            response(Err(ErrorData::internal_error("a defect of the bridge", None)), id)
        }
    }
}

fn response(result: Result<Made, ErrorData>, id: RequestId) -> Response<Body> {
    let message = match result {
        Ok(made) => made.message(&id),
        Err(error) => serde_json::to_vec(&ServerJsonRpcMessage::error(error, Some(id))),
    };
    let mut response = Response::new(Body::empty());
    match message {
        Ok(body) => *response.body_mut() = Body::from(body),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written");
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        }
    }
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::agent::double::modern;

    fn headers() -> HeaderMap {
        HeaderMap::from_iter([
            (VERSION_HEADER, HeaderValue::from_static("2026-07-28")),
            (METHOD_HEADER, HeaderValue::from_static(METHOD)),
            (NAME_HEADER, HeaderValue::from_static("echo")),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream")),
        ])
    }

    fn message() -> Value {
        modern(1, METHOD, json!({ "name": "echo", "arguments": { "n": 1.50 } }))
    }

    fn is_taken(headers: &HeaderMap, message: &Value) -> bool {
        read(headers, message.to_string().as_bytes()).is_some()
    }

    #[test]
    fn a_plain_call_is_taken_with_its_numbers_as_they_were_written() {
        let call = read(&headers(), message().to_string().as_bytes()).unwrap();
        assert_eq!((call.name.as_str(), call.client.name.as_str()), ("echo", "t"));
        assert_eq!(Value::Object(call.arguments).to_string(), r#"{"n":1.5}"#);
        let exact = message().to_string().replace("1.5", "1.500000000000000000001");
        let call = read(&headers(), exact.as_bytes()).unwrap();
        assert_eq!(Value::Object(call.arguments).to_string(), r#"{"n":1.500000000000000000001}"#);
    }

    #[test]
    fn headers_that_leave_something_open_go_the_other_way() {
        for (name, value) in [
            (VERSION_HEADER, "2025-11-25"),
            (METHOD_HEADER, "tools/list"),
            (NAME_HEADER, "slow"),
            (header::ACCEPT, "application/json"),
            (header::ACCEPT, "application/json, text/event-stream;q=0"),
            (SESSION, "s"),
        ] {
            let mut changed = headers();
            changed.insert(&name, HeaderValue::from_static(value));
            assert!(!is_taken(&changed, &message()), "{name}: {value}");
        }
        for name in [VERSION_HEADER, METHOD_HEADER, NAME_HEADER, header::ACCEPT] {
            let mut twice = headers();
            let value = twice[&name].clone();
            twice.append(&name, value);
            assert!(!is_taken(&twice, &message()), "{name} twice");
            twice.remove(&name);
            assert!(!is_taken(&twice, &message()), "no {name}");
        }
        assert!(is_taken(&headers(), &message()));
    }

    #[test]
    fn members_that_leave_something_open_go_the_other_way() {
        let meta = "/params/_meta/io.modelcontextprotocol~1";
        for (pointer, value) in [
            ("/method", json!("tools/list")),
            ("/params", json!({})),
            ("/params/name", json!("slow")),
            ("/params/name", json!(1)),
            ("/params/arguments", json!([])),
            ("/params/arguments", json!(null)),
            (&format!("{meta}protocolVersion"), json!("2025-11-25")),
            (&format!("{meta}clientCapabilities"), json!(1)),
            (&format!("{meta}clientInfo"), json!({})),
        ] {
            let mut changed = message();
            *changed.pointer_mut(pointer).unwrap() = value;
            assert!(!is_taken(&headers(), &changed), "{pointer}");
        }
        for token in [json!(1), json!(null)] {
            let mut progress = message();
            progress["params"]["_meta"]["progressToken"] = token;
            assert!(!is_taken(&headers(), &progress));
        }
        let mut more = message();
        more["params"]["requestState"] = json!("s");
        assert!(!is_taken(&headers(), &more));
    }
}
