//! An identity whose calls fail and fail: nothing more is taken of it, for a while or until an
//! operator says so.

use tollbridge_operation::Identity;

use super::operate;
use super::reply::{ErrorCode, Reply};
use super::request::Refused;
use crate::safety::{Conduct, StormRule};
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
