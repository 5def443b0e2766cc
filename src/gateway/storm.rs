//! What is stopped though nobody stops it: an identity whose calls fail and fail, for a while or until
//! an operator says so; a tool whose answers are not what was described, until one does.

use tollbridge_operation::{Identity, ToolName};

use super::operate;
use super::reply::{ErrorCode, Reply};
use super::request::Refused;
use crate::safety::{Conduct, DriftRule, StormRule};
use crate::store::{StopScope, Store};

/// Who turns the kill switch on where no person does.
const OURSELVES: &str = "tollbridge: too many failures";

/// Notes how a call ended, and stops its identity where that was one failure too many.
pub(super) async fn watch(
    store: &Store,
    conduct: &Conduct,
    rule: StormRule,
    identity: &Identity,
    answer: &Result<Reply, Refused>,
) {
    let failed = match answer {
        Ok(reply) => reply.result.as_ref().is_err_and(|failure| counts(failure.code)),
        Err(Refused::UnknownTool { .. }) => true,
        Err(Refused::Unrecorded) => false,
    };
    if !failed || !conduct.failed(identity, rule) {
        return;
    }
    tracing::warn!(%identity, failures = rule.limit, "an identity is stopped: its calls fail");
    if rule.pause.is_none() {
        let scope = StopScope::Identity(identity.to_string());
        if let Err(error) = operate::stop(store, scope, OURSELVES).await {
            tracing::error!(%identity, %error, "an identity could not be stopped");
        }
    }
}

/// Notes an answer that leaves its description, and stops its tool where that was one too many.
pub(super) async fn drifted(
    store: &Store,
    conduct: &Conduct,
    rule: DriftRule,
    tool: &ToolName,
    answer: &Result<Reply, Refused>,
) {
    let leaves = |reply: &Reply| reply.result.as_ref().is_ok_and(|done| !done.drift.is_empty());
    if !answer.as_ref().is_ok_and(leaves) || !conduct.drifted(tool, rule) {
        return;
    }
    tracing::warn!(%tool, answers = rule.limit, "a tool is stopped: its answers leave its description");
    let scope = StopScope::Tool(tool.to_string());
    let by = "tollbridge: answers that are not as described";
    if let Err(error) = operate::stop(store, scope, by).await {
        tracing::error!(%tool, %error, "a tool could not be stopped");
    }
}

/// Whether a call that ended so went wrong: what only asks to wait, to pay or to be approved did
/// not, and what is refused because of this very rule does not make it last longer.
fn counts(code: ErrorCode) -> bool {
    match code {
        ErrorCode::InvalidArguments
        | ErrorCode::Denied
        | ErrorCode::Quarantined
        | ErrorCode::UpstreamError
        | ErrorCode::UpstreamUnavailable
        | ErrorCode::UpstreamTimeout
        | ErrorCode::OutcomeUnknown
        | ErrorCode::CircuitOpen
        | ErrorCode::ResponseTooLarge => true,
        ErrorCode::Stopped
        | ErrorCode::Cancelled
        | ErrorCode::Overloaded
        | ErrorCode::Held
        | ErrorCode::BudgetExceeded
        | ErrorCode::RateLimited
        | ErrorCode::PaymentRequired
        | ErrorCode::SettlementUnavailable
        | ErrorCode::AuditUnavailable
        | ErrorCode::Internal => false,
    }
}
