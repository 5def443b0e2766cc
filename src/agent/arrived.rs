//! A request that is answered without the gateway, from its arrival to its answer: how long that took,
//! and what its span tells.
//!
//! Calls are measured where they end, in the gateway; here is every other request, and a call that is
//! none because it is malformed. A request that the MCP library refuses by itself, for what its
//! revision asks of every message, does not come here.

use std::time::Instant;

use rmcp::RoleServer;
use rmcp::model::{ProtocolVersion, RequestId, RequestMetaObject};
use rmcp::service::RequestContext;

use super::handler::{headers_of, message_of, revision};
use super::{Backend, trace};
use crate::gateway::{Message, Origin, OtherRequest, Transport};

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Arrived {
    begun: Instant,
    pub(super) request: OtherRequest,
}

impl Arrived {
    /// One that came just now.
    pub(super) fn now(
        transport: Transport,
        method: &'static str,
        revision: Option<&'static str>,
        origin: Origin,
    ) -> Self {
        let (prompt, resource, error) = (None, None, None);
        let request = OtherRequest { transport, method, prompt, resource, revision, error, origin };
        Self { begun: Instant::now(), request }
    }

    /// It works with that revision of the protocol, whatever was asked for.
    pub(super) fn agreed(&mut self, version: &ProtocolVersion) {
        self.request.revision = revision(Some(version));
        if let Some(message) = &mut self.request.origin.message {
            message.protocol = Some(version.to_string());
        }
    }

    /// It was answered just now: with that error, where it was one.
    pub(super) fn answered<B: Backend>(mut self, backend: &B, error: Option<i32>) {
        self.request.error = error;
        backend.answered(self.request, self.begun.elapsed());
    }
}

/// Where a request came from.
pub(super) fn origin_of(context: &RequestContext<RoleServer>) -> Origin {
    let (meta, headers) = (&context.meta, headers_of(&context.extensions));
    let trace = trace::of(meta.get("traceparent"), meta.get("tracestate"), headers);
    Origin { trace: trace.map(Into::into), message: Some(Box::new(message_of(context))) }
}

/// Where a request came from that opened no session and is part of none.
pub(super) fn origin_of_early(id: &RequestId, meta: &RequestMetaObject) -> Origin {
    let trace = trace::of(meta.get("traceparent"), meta.get("tracestate"), None);
    let message = Message { request: Some(id.to_string()), ..Message::default() };
    Origin { trace: trace.map(Into::into), message: Some(Box::new(message)) }
}
