//! What a request for a call asks for, beside its tool and its arguments too.

use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderMap;
use http::request::Parts;
use rmcp::RoleServer;
use rmcp::model::{Extensions, JsonObject, ProtocolVersion, RequestMetaObject};
use rmcp::service::RequestContext;
use serde_json::Value;
use tollbridge_operation::{CallId, Trace};

use super::VERSIONS;
use crate::agent::trace;
use crate::gateway::{Answered, CallRequest, Message, Origin};

/// A call as its request asks for it.
pub(in crate::agent) struct Asked {
    pub(in crate::agent) tool: String,
    pub(in crate::agent) arguments: JsonObject,
    pub(in crate::agent) beside: Beside,
    pub(in crate::agent) answered: Option<Answered>,
    /// The name that the call gets, where whoever asks must know it before.
    pub(in crate::agent) id: Option<CallId>,
    /// The revision that it is asked in, where it is one of ours.
    pub(in crate::agent) revision: Option<&'static str>,
    /// The message that asks, where requests are traced.
    pub(in crate::agent) message: Option<Box<Message>>,
}

/// What we look at in a request's `_meta`, and in its headers where it has some. What is null is not
/// there.
#[derive(Debug, Default)]
pub(in crate::agent) struct Beside {
    pub(in crate::agent) approval: Option<Value>,
    pub(in crate::agent) idempotency_key: Option<Value>,
    pub(in crate::agent) payment: Option<Value>,
    pub(in crate::agent) trace: Option<Trace>,
}

impl Beside {
    pub(in crate::agent) fn of(meta: &RequestMetaObject, headers: Option<&HeaderMap>) -> Self {
        let get = |name| meta.get(name).filter(|value| !value.is_null()).cloned();
        Self {
            approval: get("tollbridge/approval"),
            idempotency_key: get("tollbridge/idempotency-key"),
            payment: get("x402/payment"),
            trace: trace::of(meta.get("traceparent"), meta.get("tracestate"), headers),
        }
    }
}

/// Where a request over HTTP names its session.
const SESSION: &str = "mcp-session-id";

/// The longest key by which a client names a call.
const MAX_KEY: usize = 256;

/// Takes from a request what the gateway wants to know. The error says what is malformed.
pub(super) fn call_request(asked: Asked) -> Result<CallRequest, (&'static str, Origin)> {
    let answered = asked.answered;
    let Beside { approval, idempotency_key, payment, trace } = asked.beside;
    let origin = Origin { trace: trace.map(Arc::new), message: asked.message };
    let approval = match approval {
        None => None,
        Some(Value::String(id)) => Some(id),
        Some(_) => return Err(("`_meta[\"tollbridge/approval\"]` is no string", origin)),
    };
    let idempotency_key = match idempotency_key {
        None => None,
        Some(Value::String(key)) if (1..=MAX_KEY).contains(&key.len()) => Some(key),
        Some(_) => {
            let why = "`_meta[\"tollbridge/idempotency-key\"]` is no string of 1 to 256 bytes";
            return Err((why, origin));
        }
    };
    Ok(CallRequest {
        tool: asked.tool,
        arguments: asked.arguments,
        approval,
        idempotency_key,
        payment,
        answered,
        revision: asked.revision,
        trace: origin.trace,
        message: origin.message,
    })
}

/// What a request's message says of itself.
pub(in crate::agent) fn message_of(context: &RequestContext<RoleServer>) -> Message {
    let parts = context.extensions.get::<Parts>();
    Message {
        protocol: context.protocol_version().map(|version| version.to_string()),
        request: Some(context.id.to_string()),
        ..parts.map(message_over_http).unwrap_or_default()
    }
}

/// What HTTP says of a message. A session that it names was one of the caller's.
pub(in crate::agent) fn message_over_http(parts: &Parts) -> Message {
    let session = parts.headers.get(SESSION).and_then(|id| id.to_str().ok());
    Message {
        session: session.map(str::to_owned),
        client: parts.extensions.get::<SocketAddr>().copied(),
        http: version_of(parts.version),
        ..Message::default()
    }
}

/// A version of HTTP as OpenTelemetry's conventions write it (`network.protocol.version`).
pub(in crate::agent) fn version_of(version: http::Version) -> Option<&'static str> {
    match version {
        http::Version::HTTP_10 => Some("1.0"),
        http::Version::HTTP_11 => Some("1.1"),
        http::Version::HTTP_2 => Some("2"),
        http::Version::HTTP_3 => Some("3"),
        _ => None,
    }
}

/// The revision, where it is one of ours: what else a client writes there is not told of in metrics.
pub(in crate::agent) fn revision(version: Option<&ProtocolVersion>) -> Option<&'static str> {
    VERSIONS.iter().find(|known| Some(*known) == version).map(ProtocolVersion::as_str)
}

/// The headers that a request came with, over HTTP.
pub(in crate::agent) fn headers_of(extensions: &Extensions) -> Option<&HeaderMap> {
    extensions.get::<Parts>().map(|parts| &parts.headers)
}
