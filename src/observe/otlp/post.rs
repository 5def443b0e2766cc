//! One request to the collector, and what became of it.
//!
//! It knows neither what is sent nor when it is sent again.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;
use url::Url;

use super::protobuf::{self, Field};
use super::{Collector, Compression, Protocol};

/// How long one request may take: what the exporters of OpenTelemetry give it.
const TRY: Duration = Duration::from_secs(10);

/// No answer is read further.
const ANSWER: usize = 64 * 1024;

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Metrics,
    Traces,
}

impl Signal {
    /// Where it is taken, below the collector's URL (OTLP/HTTP, "Endpoints").
    fn path(self) -> &'static str {
        match self {
            Self::Metrics => "v1/metrics",
            Self::Traces => "v1/traces",
        }
    }

    /// What a partial success counts.
    fn rejected(self) -> &'static str {
        match self {
            Self::Metrics => "rejectedDataPoints",
            Self::Traces => "rejectedSpans",
        }
    }

    /// The fields of its message.
    fn fields(self) -> &'static [Field] {
        match self {
            Self::Metrics => protobuf::METRICS,
            Self::Traces => protobuf::TRACES,
        }
    }

    /// A word for logs and metrics.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Traces => "traces",
        }
    }
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Taken,
    /// So much of it was not taken, and why.
    Partial(u64, String),
    /// The collector may take the next one: why not this one, and how long it wants to be left alone.
    Later(String, Option<Duration>),
    /// It would not take another one either.
    Refused(String),
}

impl Sent {
    /// The word that the metrics use.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Partial(..) => "partial",
            Self::Later(..) => "later",
            Self::Refused(_) => "refused",
        }
    }
}

/// Who sends requests of one signal.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) client: reqwest::Client,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) protocol: Protocol,
    pub(super) compression: Compression,
    pub(super) signal: Signal,
}

impl Post {
    /// To that collector.
    pub(super) fn new(client: reqwest::Client, collector: &Collector, signal: Signal) -> Self {
        let Collector { endpoint, headers, protocol, compression, .. } = collector;
        let mut url = endpoint.clone();
        let below = endpoint.path().trim_end_matches('/');
        url.set_path(&format!("{below}/{}", signal.path()));
        let (headers, protocol, compression) = (headers.clone(), *protocol, *compression);
        Self { client, url, headers, protocol, compression, signal }
    }

    /// Which answers allow another request is OTLP's "Failures" and "Retryable Response Codes".
    pub(super) async fn send(&self, message: &Value) -> Sent {
        let (kind, body) = match self.protocol {
            Protocol::Json => ("application/json", message.to_string().into_bytes()),
            Protocol::Protobuf => {
                ("application/x-protobuf", protobuf::encode(message, self.signal.fields()))
            }
        };
        let request = self
            .client
            .post(self.url.clone())
            .timeout(TRY)
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static(kind))
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let request = match self.compression {
            Compression::None => request.body(body),
            Compression::Gzip => {
                let gzip = HeaderValue::from_static("gzip");
                request.header(CONTENT_ENCODING, gzip).body(gzipped(&body))
            }
        };
        let answer = match request.send().await {
            Ok(answer) => answer,
            // Its text would name the whole URL.
            Err(error) => return Sent::Later(error.without_url().to_string(), None),
        };
        let status = answer.status();
        let why = format!("HTTP status {}", status.as_u16());
        match status {
            _ if status.is_success() => self.taken(answer).await,
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                Sent::Later(why, asked.and_then(asked_for))
            }
            _ => Sent::Refused(why),
        }
    }

    /// A success says what of the request was not taken (OTLP, "Partial Success"), in the form of the
    /// request.
    async fn taken(&self, mut answer: reqwest::Response) -> Sent {
        let mut body = Vec::new();
        while let Ok(Some(piece)) = answer.chunk().await {
            if body.len() + piece.len() > ANSWER {
                return Sent::Taken;
            }
            body.extend_from_slice(&piece);
        }
        let (rejected, words) = match self.protocol {
            Protocol::Json => of_json(&body, self.signal),
            Protocol::Protobuf => protobuf::partial(&body),
        };
        if rejected == 0 {
            return Sent::Taken;
        }
        Sent::Partial(rejected, words.chars().take(200).collect())
    }
}

/// Quickly rather than small: it is done beside the calls.
fn gzipped(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("a vector takes everything")
}

/// How long a `Retry-After` asks for (RFC 9110 §10.2.3).
fn asked_for(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text.trim()).ok()?;
    Some(until.duration_since(SystemTime::now()).unwrap_or_default())
}

/// What an answer says was not taken: how much, and why.
fn of_json(answer: &[u8], signal: Signal) -> (u64, String) {
    let said: Value = serde_json::from_slice(answer).unwrap_or_default();
    let part = &said["partialSuccess"];
    let rejected = match &part[signal.rejected()] {
        Value::String(text) => text.parse().unwrap_or(0),
        number => number.as_u64().unwrap_or(0),
    };
    (rejected, part["errorMessage"].as_str().unwrap_or_default().to_owned())
}
