//! Exit codes: part of the contract with scripts.

use std::process::ExitCode;

use crate::gateway::{ErrorCode, Failure};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: failed.
    Failed,
    /// 2: usage or configuration is wrong.
    Usage,
    /// 3: denied by policy.
    Denied,
    /// 4: the upstream failed after recovery was tried.
    Upstream,
    /// 5: held for approval.
    Held,
    /// 6: a budget or settlement refused it.
    Settlement,
    /// 7: the audit trail does not verify.
    Broken,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Denied => 3,
            Exit::Upstream => 4,
            Exit::Held => 5,
            Exit::Settlement => 6,
            Exit::Broken => 7,
        })
    }
}

impl Exit {
    /// The exit code of a call that failed. `attempts` tells our own rate limit from the
    /// upstream's.
    pub(super) fn of_failure(failure: &Failure, attempts: u32) -> Self {
        match failure.code {
            ErrorCode::InvalidArguments => Self::Usage,
            ErrorCode::Denied | ErrorCode::Stopped | ErrorCode::Quarantined => Self::Denied,
            ErrorCode::Held => Self::Held,
            ErrorCode::RateLimited if attempts > 0 => Self::Upstream,
            ErrorCode::BudgetExceeded
            | ErrorCode::RateLimited
            | ErrorCode::PaymentRequired
            | ErrorCode::SettlementUnavailable => Self::Settlement,
            ErrorCode::Overloaded
            | ErrorCode::UpstreamError
            | ErrorCode::UpstreamUnavailable
            | ErrorCode::UpstreamTimeout
            | ErrorCode::OutcomeUnknown
            | ErrorCode::CircuitOpen
            | ErrorCode::ResponseTooLarge => Self::Upstream,
            ErrorCode::Cancelled | ErrorCode::AuditUnavailable | ErrorCode::Internal => {
                Self::Failed
            }
        }
    }
}
