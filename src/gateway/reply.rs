//! What the gateway answers: a success or a failure that an agent can act on.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tollbridge_operation::{CallId, Drift, Payload, ToolName};

use super::asking::Question;
use crate::audit::Place;
use crate::safety::edit::Edit;
use crate::tools;
use crate::tools::answer::Cut;
use crate::tools::pages::PagesRead;

/// The end of a call.
#[derive(Debug)]
pub struct Reply {
    /// What is said of the call on success and failure alike.
    pub meta: CallMeta,
    /// The answer.
    pub result: Result<Success, Failure>,
}

impl Reply {
    /// How the call ended, in the word that the trail and the metrics use.
    pub fn outcome(&self) -> &'static str {
        self.result.as_ref().map_or_else(|failure| failure.code.as_str(), |_| "succeeded")
    }
}

/// The upstream did it.
#[derive(Debug)]
pub struct Success {
    /// What it answered.
    pub payload: Payload,
    /// Where the answer leaves its description.
    pub drift: Vec<Drift>,
    /// Headers of the answer that say something of their own.
    pub headers: Map<String, Value>,
    /// What the tool's shape left out of it.
    pub cuts: Vec<Cut>,
    /// The pages that it was put together of.
    pub pages: Option<PagesRead>,
    /// Where the answer comes from, in words, where it is not what the tool's operation answers.
    pub note: Option<String>,
    /// What its description says can be called next.
    pub next: Vec<NextCall>,
}

impl Success {
    /// An answer of which there is nothing more to say.
    pub(super) fn of(payload: Payload) -> Self {
        Self {
            payload,
            drift: Vec::new(),
            headers: Map::new(),
            cuts: Vec::new(),
            pages: None,
            note: None,
            next: Vec::new(),
        }
    }
}

/// A call that can follow an answer: an element of `_meta["tollbridge/links"]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NextCall {
    /// The link's name in the description.
    pub name: String,
    /// What the description says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The tool that can be called.
    pub tool: ToolName,
    /// What it can be called with; what is missing is the agent's to know.
    pub arguments: Map<String, Value>,
}

/// `_meta["tollbridge/call"]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallMeta {
    /// The call's name in the audit trail.
    pub id: CallId,
    /// How many requests went out.
    pub attempts: u32,
    /// The HTTP status of the last answer.
    pub status: Option<u16>,
    /// Milliseconds spent on the upstream, waits between attempts among them.
    pub upstream_ms: u64,
    /// The URL that answered, redacted.
    pub served_by: Option<String>,
    /// What a person changed in its arguments before they approved it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited: Option<Box<EditNotice>>,
    /// Where the answer speaks to a model: `_meta["tollbridge/suspicious-content"]`.
    #[serde(skip)]
    pub suspicious: Vec<Place>,
}

impl CallMeta {
    /// What is said of a call for which nothing went out.
    pub(super) fn unsent(id: CallId) -> Self {
        Self {
            id,
            attempts: 0,
            status: None,
            upstream_ms: 0,
            served_by: None,
            edited: None,
            suspicious: Vec::new(),
        }
    }
}

/// What a person changed in a call's arguments: `edited` of `_meta["tollbridge/call"]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EditNotice {
    /// The approval's handle.
    pub hold: String,
    /// Who approved it so.
    pub by: String,
    /// Why, in their words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The changes; those without a value left something out.
    pub changes: Vec<Edit>,
}

/// A failure that the model can act on: `structuredContent.error`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure.
    pub code: ErrorCode,
    /// What failed, bounded and redacted.
    pub message: String,
    /// Whether making the same call again may help and cannot do its effect twice.
    pub retryable: bool,
    /// When to try again, in seconds.
    pub retry_after_s: Option<u64>,
    /// What else the agent could do.
    pub next_step: String,
    /// What the upstream said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamAnswer>,
    /// The arguments that were refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
    /// The hold that a person must decide on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldNotice>,
    /// The call that the API took and is not done with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingNotice>,
    /// x402's PaymentRequired, which takes the error's place in `structuredContent`.
    #[serde(skip)]
    pub payment_required: Option<Value>,
}

/// What the upstream said when it failed: bounded and redacted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpstreamAnswer {
    /// The HTTP status.
    pub status: Option<u16>,
    /// The body.
    pub body: Value,
    /// The SOAP fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Value>,
}

/// An argument that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// A JSON pointer into the arguments.
    pub pointer: String,
    /// What was expected.
    pub expected: String,
    /// What to write instead, where that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl From<tools::Violation> for Violation {
    fn from(found: tools::Violation) -> Self {
        let tools::Violation { pointer, expected, suggestion } = found;
        Self { pointer, expected, suggestion }
    }
}

/// A call that waits for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HoldNotice {
    /// The handle.
    pub id: String,
    /// Until when it can be approved and used: RFC 3339.
    pub expires: String,
    /// What the person at the client is to be asked, where they may be.
    #[serde(skip)]
    pub question: Option<Box<Question>>,
}

/// A call that the API took and is not done with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingNotice {
    /// Where the API is asked after it, redacted.
    pub url: String,
    /// How far it was, in the API's word.
    pub state: String,
    /// Until when the same call, made again, goes on with it: RFC 3339. Null where it does not.
    pub expires: Option<String>,
}

/// The contract's error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Refused before anything was sent.
    InvalidArguments,
    /// A policy or a limit on an argument refuses this call.
    Denied,
    /// The kill switch is on.
    Stopped,
    /// The operation changed since it was accepted.
    Quarantined,
    /// The client gave up.
    Cancelled,
    /// Our own bounds on calls in flight.
    Overloaded,
    /// A person must decide.
    Held,
    /// A budget is used up.
    BudgetExceeded,
    /// A window of our own, or the upstream's limit.
    RateLimited,
    /// It has a price, and no payment came.
    PaymentRequired,
    /// Nothing can be settled now: nothing is charged and nothing is done.
    SettlementUnavailable,
    /// An answer came and is no success.
    UpstreamError,
    /// No connection, or 502, 503, 504 to the end.
    UpstreamUnavailable,
    /// No answer in time, and no effect.
    UpstreamTimeout,
    /// It may have had its effect.
    OutcomeUnknown,
    /// Not sent, because the upstream was failing.
    CircuitOpen,
    /// Above `max_response`.
    ResponseTooLarge,
    /// Not done, because it could not be recorded.
    AuditUnavailable,
    /// A defect of ours.
    Internal,
}

impl ErrorCode {
    /// All of them, in the order in which they stand above.
    pub const ALL: [Self; 19] = [
        Self::InvalidArguments,
        Self::Denied,
        Self::Stopped,
        Self::Quarantined,
        Self::Cancelled,
        Self::Overloaded,
        Self::Held,
        Self::BudgetExceeded,
        Self::RateLimited,
        Self::PaymentRequired,
        Self::SettlementUnavailable,
        Self::UpstreamError,
        Self::UpstreamUnavailable,
        Self::UpstreamTimeout,
        Self::OutcomeUnknown,
        Self::CircuitOpen,
        Self::ResponseTooLarge,
        Self::AuditUnavailable,
        Self::Internal,
    ];

    /// The code as agents, the trail and scripts see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArguments => "invalid_arguments",
            Self::Denied => "denied",
            Self::Stopped => "stopped",
            Self::Quarantined => "quarantined",
            Self::Cancelled => "cancelled",
            Self::Overloaded => "overloaded",
            Self::Held => "held",
            Self::BudgetExceeded => "budget_exceeded",
            Self::RateLimited => "rate_limited",
            Self::PaymentRequired => "payment_required",
            Self::SettlementUnavailable => "settlement_unavailable",
            Self::UpstreamError => "upstream_error",
            Self::UpstreamUnavailable => "upstream_unavailable",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::CircuitOpen => "circuit_open",
            Self::ResponseTooLarge => "response_too_large",
            Self::AuditUnavailable => "audit_unavailable",
            Self::Internal => "internal",
        }
    }
}

#[cfg(test)]
mod tests {
    /// Read from this file, so that a code that is added is looked for too.
    #[test]
    fn every_code_that_agents_are_told_is_in_the_documented_table() {
        let (source, table) = (include_str!("reply.rs"), include_str!("../../docs/tools.md"));
        let codes = source.lines().filter_map(name);
        let missing: Vec<&str> =
            codes.filter(|code| !table.contains(&format!("\n| `{code}` |"))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    /// Read from this file, too: `tollbridge trace` takes the names of these alone.
    #[test]
    fn every_code_is_among_all_of_them() {
        let all = super::ErrorCode::ALL.map(super::ErrorCode::as_str);
        let named: Vec<&str> = include_str!("reply.rs").lines().filter_map(name).collect();
        assert_eq!(named, all);
    }

    /// The name that an arm of `as_str` gives.
    fn name(line: &str) -> Option<&str> {
        line.trim().strip_prefix("Self::")?.split_once(" => \"")?.1.strip_suffix("\",")
    }
}
