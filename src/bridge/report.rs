//! What became of a call.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use tollbridge_operation::{Drift, Payload};

use super::poll::Pending;

/// What became of a call, and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What became of it.
    pub outcome: Outcome,
    /// How many requests went out, or were about to.
    pub attempts: u32,
    /// The status of the last answer.
    pub status: Option<u16>,
    /// The time spent on the upstream, waits between requests among it.
    pub upstream_time: Duration,
    /// The URL that gave the last answer, redacted.
    pub served_by: Option<String>,
    /// Where the answer was kept from an earlier request: how old it is, and whether the API has
    /// just confirmed it.
    pub kept: Option<KeptFor>,
    /// How many bytes of answers' bodies were read, decompressed, over all requests.
    pub bytes: u64,
}

/// An answer that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptFor {
    /// How old it is.
    pub age: Duration,
    /// Whether the API was asked whether it is still good.
    pub confirmed: bool,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The upstream did it.
    Done {
        /// What it answered, redacted.
        payload: Payload,
        /// Where the answer leaves its description.
        drift: Vec<Drift>,
        /// Headers that say something of their own, a message's own blocks among them, redacted.
        headers: Map<String, Value>,
    },
    /// It did not, or nobody can tell.
    Failed(Failed),
}

/// A failure. Every string in it is bounded and redacted.
#[derive(Debug, Clone, PartialEq)]
pub struct Failed {
    /// What kind of failure.
    pub kind: FailureKind,
    /// What failed, and what to do where that is not the agent's to decide.
    pub message: String,
    /// Whether making the same call again may help and cannot do its effect twice.
    pub retryable: bool,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// Whether certainly nothing was done.
    pub untouched: bool,
    /// What the upstream said.
    pub upstream: Option<UpstreamReply>,
    /// Where it is asked after, where the upstream took the call and is not done with it.
    pub pending: Option<Box<Pending>>,
}

/// What the upstream said when it failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UpstreamReply {
    /// The HTTP status.
    pub status: u16,
    /// The body: as a value where it is short enough, else the start of its text.
    pub body: Value,
    /// The SOAP fault: `code`, `subcodes`, `reason`, `detail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Value>,
}

/// What kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// An answer came and is no success, cannot be read, or is a refused redirect.
    UpstreamError,
    /// No connection, or 502, 503, 504 to the end.
    UpstreamUnavailable,
    /// No answer in time, and no effect.
    UpstreamTimeout,
    /// It may have had its effect, and no answer was read.
    OutcomeUnknown,
    /// The upstream's limit, which cannot be waited for.
    RateLimited,
    /// Too many wait for the upstream already.
    Overloaded,
    /// Not sent, because the upstream was failing.
    CircuitOpen,
    /// The answer is larger than was allowed.
    ResponseTooLarge,
    /// The client gave up.
    Cancelled,
    /// The kill switch was put on between two requests.
    Stopped,
    /// A further request could not be recorded.
    AuditUnavailable,
    /// A defect of ours.
    Internal,
}
