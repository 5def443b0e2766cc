//! A request that is answered without the gateway, from its arrival to its answer: how long that took,
//! and what its span tells.
//!
//! Calls are measured where they end, in the gateway; here is every other request, and a call that is
//! none because it is malformed, or because it never came to the handler: the MCP library answers some
//! requests by itself, for what their revision asks of every message. So a request that goes to the
//! library carries a [`Passing`], which the handler takes from it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rmcp::RoleServer;
use rmcp::model::{Extensions, ProtocolVersion, RequestId, RequestMetaObject};
use rmcp::service::RequestContext;

use super::handler::{headers_of, message_of, revision};
use super::wire::Id;
use super::{Backend, trace};
use crate::gateway::{Message, OperationEnd, Origin, OtherRequest, Transport};

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
        let (prompt, resource, end) = (None, None, OperationEnd::Good);
        let request = OtherRequest { transport, method, prompt, resource, revision, end, origin };
        Self { begun: Instant::now(), request }
    }

    /// It works with that revision of the protocol, whatever was asked for.
    pub(super) fn agreed(&mut self, version: &ProtocolVersion) {
        self.request.revision = revision(Some(version));
        if let Some(message) = &mut self.request.origin.message {
            message.protocol = Some(version.to_string());
        }
    }

    /// It was answered just now.
    pub(super) fn answered<B: Backend>(mut self, backend: &B, end: OperationEnd) {
        self.request.end = end;
        backend.answered(self.request, self.begun.elapsed());
    }
}

/// A request that goes through the MCP library to the handler, and may not come to it.
#[derive(Debug, Clone)]
pub(super) struct Passing(Arc<Mutex<Option<Arrived>>>);

impl Passing {
    pub(super) fn new(arrived: Arrived) -> Self {
        Self(Arc::new(Mutex::new(Some(arrived))))
    }

    /// The request, unless the handler has it, or somebody took it before.
    pub(super) fn take(&self) -> Option<Arrived> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The one that a request carries.
    pub(super) fn of(extensions: &Extensions) -> Option<&Self> {
        let over_http = || extensions.get::<http::request::Parts>()?.extensions.get();
        extensions.get().or_else(over_http)
    }

    /// The handler has the request: it sees to its being measured.
    pub(super) fn reached(extensions: &Extensions) {
        Self::of(extensions).map(Self::take);
    }
}

/// Where a request came from.
pub(super) fn origin_of(context: &RequestContext<RoleServer>) -> Origin {
    let (meta, headers) = (&context.meta, headers_of(&context.extensions));
    let trace = trace::of(meta.get("traceparent"), meta.get("tracestate"), headers);
    Origin { trace: trace.map(Into::into), message: Some(Box::new(message_of(context))) }
}

/// Where a message came from that is no request, as far as its id can be read.
pub(super) fn origin_of_refused(id: Option<&Id>) -> Origin {
    let request = id.map(ToString::to_string);
    let message = Message { request, ..Message::default() };
    Origin { trace: None, message: Some(Box::new(message)) }
}

/// Where a request came from that is on its way, and whose session, if it has one, is not looked up.
pub(super) fn origin_on_the_way(id: &RequestId, meta: &RequestMetaObject) -> Origin {
    let trace = trace::of(meta.get("traceparent"), meta.get("tracestate"), None);
    let protocol = meta.protocol_version().map(|version| version.to_string());
    let message = Message { protocol, request: Some(id.to_string()), ..Message::default() };
    Origin { trace: trace.map(Into::into), message: Some(Box::new(message)) }
}
