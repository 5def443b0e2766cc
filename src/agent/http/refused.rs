//! Messages that are answered before they come to the handler: how they are measured, and what their
//! spans tell. Some are no requests, others the MCP library answers by itself.
//!
//! Nobody here decides what is refused. Whoever may not be here at all (401, 403) is not measured: the
//! refusal is of HTTP, before there is a message.

use axum::body::{Body, HttpBody};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::Value;

use crate::agent::arrived::{Arrived, Passing};
use crate::agent::handler::{VERSIONS, message_over_http};
use crate::agent::wire::Id;
use crate::agent::{Backend, trace};
use crate::gateway::{Message, OperationEnd, Origin, Transport};

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// What of a message can be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'m> {
    /// Its method, or that it is none of MCP's.
    pub(super) method: &'static str,
    pub(super) id: Option<&'m Id>,
    /// All of it, where it is a request.
    pub(super) message: &'m [u8],
}

/// A message that came just now.
pub(super) fn arrived<B: Backend>(backend: &B, parts: &Parts, known: Known<'_>) -> Arrived {
    let named = parts.headers.get(VERSION).and_then(|version| version.to_str().ok());
    let spoken = VERSIONS.iter().map(rmcp::model::ProtocolVersion::as_str);
    let revision = named.and_then(|named| spoken.into_iter().find(|spoken| *spoken == named));
    let origin = backend.traces().then(|| Origin {
        trace: trace_of(parts, known.message).map(Into::into),
        message: Some(Box::new(Message {
            protocol: named.map(str::to_owned),
            request: known.id.map(ToString::to_string),
            ..message_over_http(parts)
        })),
    });
    Arrived::now(Transport::Http, known.method, revision, origin.unwrap_or_default())
}

/// The trace that a message was sent in.
fn trace_of(parts: &Parts, message: &[u8]) -> Option<tollbridge_operation::Trace> {
    #[derive(Deserialize)]
    struct Request {
        params: Params,
    }
    #[derive(Deserialize)]
    struct Params {
        #[serde(rename = "_meta")]
        meta: Meta,
    }
    #[derive(Deserialize)]
    struct Meta {
        traceparent: Option<Value>,
        tracestate: Option<Value>,
    }
    let meta = serde_json::from_slice(message).ok().map(|Request { params }| params.meta);
    let (parent, state) = meta.map(|meta| (meta.traceparent, meta.tracestate)).unwrap_or_default();
    trace::of(parent.as_ref(), state.as_ref(), Some(&parts.headers))
}

/// Measures a request that the MCP library answered by itself, if it did. An answer in a stream of a
/// session is seen there.
pub(super) async fn by_library<B: Backend>(
    backend: &B,
    passing: &Passing,
    response: Response,
) -> Response {
    if response.body().size_hint().exact().is_none() {
        return response;
    }
    let Some(arrived) = passing.take() else { return response };
    let (parts, body) = response.into_parts();
    // A body that is whole is there.
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    arrived.answered(backend, end(parts.status, &body));
    Response::from_parts(parts, Body::from(body))
}

/// How an answer ended its request: what JSON-RPC says counts before what HTTP does.
fn end(status: StatusCode, body: &[u8]) -> OperationEnd {
    #[derive(Deserialize)]
    struct Answer {
        error: Failed,
    }
    #[derive(Deserialize)]
    struct Failed {
        code: i32,
    }
    match serde_json::from_slice(body) {
        Ok(Answer { error: Failed { code } }) => OperationEnd::Rpc(code),
        Err(_) if status.is_client_error() || status.is_server_error() => {
            OperationEnd::Http(status.as_u16())
        }
        Err(_) => OperationEnd::Good,
    }
}
