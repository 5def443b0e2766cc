//! In which trace a request is made: the headers that say so to the API (W3C Trace Context §3).

use http::{HeaderMap, HeaderName, HeaderValue};
use tollbridge_operation::{Call, CallId, Trace, trace};

use super::prepare::Target;

/// Where a request's own span is named.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// What a request says of its trace.
#[derive(Debug, Clone)]
pub(super) struct Traced {
    parent: HeaderValue,
    state: Option<HeaderValue>,
}

impl Traced {
    /// What the call's request `n` says; `None` where it says nothing.
    pub(super) fn of(target: &Target, call: &Call, n: u32) -> Option<Self> {
        if !target.traced {
            return None;
        }
        let sent = call.trace.as_deref();
        Some(Self {
            parent: HeaderValue::try_from(trace::passed_on(sent, &call.id, n)).ok()?,
            state: sent.and_then(Trace::tracestate).and_then(|s| HeaderValue::from_str(s).ok()),
        })
    }

    pub(super) fn put(self, headers: &mut HeaderMap) {
        headers.insert(TRACEPARENT, self.parent);
        match self.state {
            Some(state) => headers.insert(TRACESTATE, state),
            // Somebody's word on another trace.
            None => headers.remove(TRACESTATE),
        };
    }
}

impl Target {
    /// The id of the span of the call's request `n`, where that is sent.
    pub(super) fn span(&self, call: &CallId, n: u32) -> Option<String> {
        self.traced.then(|| trace::span(call, n))
    }
}
