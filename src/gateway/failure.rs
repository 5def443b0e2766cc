//! Failures that an agent can act on: the words for each code, in one place.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;
use tollbridge_operation::ToolName;

use super::asking::Question;
use super::reply::{ErrorCode, Failure, HoldNotice, UpstreamAnswer, Violation};
use crate::audit::Time;
use crate::bridge::{Failed, FailureKind};
use crate::safety::Refusal;
use crate::secret::Redactor;
use crate::store::HoldRow;

/// The longest message that an agent is sent, in characters: clients cut error texts.
const MAX_MESSAGE: usize = 1_000;

impl Failure {
    /// A failure of this code. What an agent can do next follows from the code.
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self {
            code,
            message: shorten(message),
            retryable: false,
            retry_after_s: None,
            next_step: next_step(code).to_owned(),
            upstream: None,
            violations: Vec::new(),
            hold: None,
            pending: None,
            payment_required: None,
        }
    }

    /// The same call may help after this time.
    pub(super) fn retry_after(mut self, after: Duration) -> Self {
        self.retryable = true;
        self.retry_after_s = Some(whole_seconds(after));
        self
    }

    /// Without our secrets, for what is made of an agent's own words. What an upstream said
    /// was redacted where it came in.
    pub(super) fn redacted(mut self, redactor: &Redactor) -> Self {
        let clean = |text: &mut String| {
            if let Cow::Owned(clean) = redactor.text(text) {
                *text = clean;
            }
        };
        clean(&mut self.message);
        clean(&mut self.next_step);
        for violation in &mut self.violations {
            clean(&mut violation.pointer);
            clean(&mut violation.expected);
            violation.suggestion.iter_mut().for_each(clean);
        }
        self
    }

    pub(super) fn invalid(violations: Vec<Violation>) -> Self {
        let message = match violations.as_slice() {
            [] => "the arguments do not fit the tool".to_owned(),
            [one] => format!("{}: expected {}", place(&one.pointer), one.expected),
            [first, rest @ ..] => format!(
                "{}: expected {} (and {} more, see violations)",
                place(&first.pointer),
                first.expected,
                rest.len()
            ),
        };
        Self { violations, ..Self::new(ErrorCode::InvalidArguments, message) }
    }

    pub(super) fn quarantined(tool: &ToolName) -> Self {
        let message = format!(
            "the API changed what is behind `{tool}` after it was accepted; it is not called until \
             a person looks at that and accepts it"
        );
        Self::new(ErrorCode::Quarantined, message)
    }

    pub(super) fn held(hold: &HoldRow, question: Option<Question>) -> Self {
        let id = &hold.id;
        let next_step = if hold.asks_operator {
            format!(
                "Ask a person to approve it (tollbridge approve {id}), then make the same call again; until then go on with something else."
            )
        } else {
            "The person at the client must decide. Make the same call again to have them asked."
                .to_owned()
        };
        Self {
            retryable: true,
            next_step,
            hold: Some(HoldNotice {
                id: id.clone(),
                expires: Time(hold.expires).to_string(),
                question: question.map(Box::new),
            }),
            ..Self::new(
                ErrorCode::Held,
                format!("a person must approve this call; it is held as {id}"),
            )
        }
    }

    /// A call that a decision refused.
    pub(super) fn denied(by: Refusal, message: String) -> Self {
        let failure = Self::new(ErrorCode::Denied, message);
        let next_step = match by {
            Refusal::Policy => return failure,
            Refusal::Limits => {
                "Do not repeat this call. Change the arguments so that they keep within what the message says and the limits in the tool's schema, or ask a person."
            }
            Refusal::Person => {
                "Do not repeat this call: it was not approved. Go by the reason, if one was given, do something else, or ask a person."
            }
            Refusal::Used => {
                "Another call went through by this approval: find out first what it did. Only to do the same once more, make the call without naming an approval."
            }
            Refusal::Approval => {
                "Nothing was done. Make the same call again without naming an approval to have a person asked anew."
            }
        };
        Self { retryable: by == Refusal::Approval, next_step: next_step.to_owned(), ..failure }
    }

    /// An answer to a question that cannot be taken: the call may be made again without it.
    pub(super) fn no_answer(message: &str) -> Self {
        Self {
            retryable: true,
            next_step: "Nothing was done. Make the same call again without requestState and inputResponses to have a person asked anew.".to_owned(),
            ..Self::new(ErrorCode::Denied, message)
        }
    }

    /// A call that only the person at the client may approve, who cannot be asked.
    pub(super) fn nobody_asked(message: &str) -> Self {
        Self {
            retryable: false,
            next_step: "Nothing was done. Have the person at the client asked: make the same call with a client that can (MCP elicitation). Or tell whoever runs the bridge: with `operator` in the `ask` of its hold, an operator can approve it.".to_owned(),
            ..Self::new(ErrorCode::Denied, message)
        }
    }

    pub(super) fn payment_required(price: &str, required: Value) -> Self {
        Self {
            retryable: true,
            payment_required: Some(required),
            ..Self::new(ErrorCode::PaymentRequired, format!("this call costs {price}"))
        }
    }

    pub(super) fn of_upstream(failed: Failed) -> Self {
        let code = match failed.kind {
            FailureKind::UpstreamError => ErrorCode::UpstreamError,
            FailureKind::UpstreamUnavailable => ErrorCode::UpstreamUnavailable,
            FailureKind::UpstreamTimeout => ErrorCode::UpstreamTimeout,
            FailureKind::OutcomeUnknown => ErrorCode::OutcomeUnknown,
            FailureKind::RateLimited => ErrorCode::RateLimited,
            FailureKind::Overloaded => ErrorCode::Overloaded,
            FailureKind::CircuitOpen => ErrorCode::CircuitOpen,
            FailureKind::ResponseTooLarge => ErrorCode::ResponseTooLarge,
            FailureKind::Cancelled => ErrorCode::Cancelled,
            FailureKind::Stopped => ErrorCode::Stopped,
            FailureKind::AuditUnavailable => ErrorCode::AuditUnavailable,
            FailureKind::Internal => ErrorCode::Internal,
        };
        let mut failure = Self::new(code, failed.message);
        failure.retryable = failed.retryable;
        failure.retry_after_s = failed.retry_after.map(whole_seconds);
        failure.upstream = failed.upstream.map(|answer| UpstreamAnswer {
            status: Some(answer.status),
            body: answer.body,
            fault: answer.fault,
        });
        if code == ErrorCode::UpstreamError {
            let step = upstream_step(failure.upstream.as_ref());
            failure.next_step =
                if failure.retryable { format!("Try again later. {step}") } else { step };
        }
        failure
    }
}

/// What an agent could do where nothing more is known than the code.
fn next_step(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidArguments => {
            "Correct the arguments that violations names and call again."
        }
        ErrorCode::Denied => {
            "Do not repeat this call: a rule refuses it. Change what the message names, if it names something, do something else, or ask a person whether it should be allowed."
        }
        ErrorCode::Stopped => {
            "These calls are stopped until an operator resumes them. Do something else, or ask a person."
        }
        ErrorCode::Quarantined => {
            "Do something else, or ask a person to look at the change (tollbridge diff) and to accept it (tollbridge diff --accept)."
        }
        ErrorCode::Cancelled => "The call was cancelled by the client.",
        ErrorCode::Held => "Ask a person to approve the call, then make it again.",
        ErrorCode::BudgetExceeded => "Wait for retry_after_s, or ask a person to raise the budget.",
        ErrorCode::Overloaded | ErrorCode::RateLimited => {
            "Wait for retry_after_s, then make the same call again."
        }
        ErrorCode::PaymentRequired => {
            "Pay as structuredContent asks and call again with the payment in _meta[\"x402/payment\"], or use a free tool."
        }
        ErrorCode::SettlementUnavailable => {
            "Nothing was charged and nothing was done. Use a free tool, or try again later."
        }
        ErrorCode::UpstreamError => {
            "The API says no more than the message. Check the arguments, or tell a person."
        }
        ErrorCode::UpstreamUnavailable => "The API is down. Try again later, or tell a person.",
        ErrorCode::UpstreamTimeout => {
            "The API did not answer in time. Ask for less, or try again later."
        }
        ErrorCode::OutcomeUnknown => {
            "The call may have had its effect. Find out with a read before you do it again."
        }
        ErrorCode::CircuitOpen => "Wait for retry_after_s: the API was failing.",
        ErrorCode::ResponseTooLarge => "Ask for less: filter, or take smaller pages.",
        ErrorCode::AuditUnavailable => {
            "Nothing was done, because it could not be recorded. Tell a person that the audit trail cannot be written."
        }
        ErrorCode::Internal => "This is a defect of the bridge. Tell a person.",
    }
}

/// RFC 9110 §15.5: what a client error means for whoever made the call.
fn upstream_step(answer: Option<&UpstreamAnswer>) -> String {
    let said = answer.and_then(|answer| match &answer.body {
        _ if answer.fault.is_some() => Some("upstream.fault"),
        Value::Null => None,
        Value::String(text) if text.trim().is_empty() => None,
        _ => Some("upstream.body"),
    });
    let step = match answer.and_then(|answer| answer.status) {
        Some(400 | 422) => match said {
            Some(said) => {
                return format!(
                    "The API refuses the arguments: read {said}, correct them and call again."
                );
            }
            None => "The API refuses the arguments and does not say why: check them.",
        },
        Some(401 | 403) => {
            "The bridge's credentials for this API are refused. Repeating the call cannot help: tell a person."
        }
        Some(404 | 410) => {
            "What the arguments name does not exist at the API. Check the identifiers."
        }
        Some(409 | 412) => {
            "It conflicts with the present state. Read that first, then decide anew."
        }
        _ => match said {
            Some(said) => return format!("Read {said} for what the API objects to."),
            None => next_step(ErrorCode::UpstreamError),
        },
    };
    step.to_owned()
}

fn place(pointer: &str) -> &str {
    if pointer.is_empty() { "the arguments" } else { pointer }
}

/// Seconds, rounded up: an agent that waits them has waited long enough.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

fn shorten(text: String) -> String {
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bridge::UpstreamReply;

    #[test]
    fn an_agent_is_sent_to_what_the_api_did_say() {
        let step = |status: u16, body: Value, fault: Option<Value>| {
            upstream_step(Some(&UpstreamAnswer { status: Some(status), body, fault }))
        };
        let fault = || Some(json!({"code": "Server"}));
        let failed = Failed {
            kind: FailureKind::UpstreamError,
            message: String::new(),
            retryable: true,
            retry_after: None,
            untouched: false,
            pending: None,
            upstream: Some(UpstreamReply { status: 500, body: json!("no"), fault: None }),
        };
        let expected = "Try again later. Read upstream.body for what the API objects to.";
        assert_eq!(Failure::of_upstream(failed).next_step, expected);
        for (said, named) in [
            (step(500, Value::Null, fault()), Some("upstream.fault")),
            (step(422, json!("no"), fault()), Some("upstream.fault")),
            (step(422, json!({"id": "wrong"}), None), Some("upstream.body")),
            (step(500, json!("no"), None), Some("upstream.body")),
            (step(500, json!(" "), None), None),
            (step(400, Value::Null, None), None),
        ] {
            assert_eq!(said.contains("upstream."), named.is_some(), "{said}");
            assert!(named.is_none_or(|named| said.contains(named)), "{said}");
        }
    }
}
