//! How a call ends without an answer that does it.

use super::course::Course;
use crate::bridge::attempt::{AttemptLog, AttemptRefused};
use crate::bridge::judge::{MESSAGE, cut};
use crate::bridge::report::{Failed, FailureKind, Outcome};
use crate::bridge::retry::Nature;

impl<L: AttemptLog> Course<'_, L> {
    /// The gateway lets no further request out.
    /// `before` is what an earlier one came to.
    pub(super) fn refused(&self, refused: AttemptRefused, before: Option<Failed>) -> Failed {
        let (kind, reason) = match refused {
            AttemptRefused::Stopped(reason) => (FailureKind::Stopped, reason),
            AttemptRefused::AuditUnavailable(reason) => (FailureKind::AuditUnavailable, reason),
        };
        let Some(before) = before else {
            return Failed { untouched: true, ..self.judge.failed(kind, &reason) };
        };
        let failed = self.judge.failed(kind, &format!("{reason}; before that, {}", before.message));
        let retryable = kind == FailureKind::AuditUnavailable && before.retryable;
        Failed { retryable, upstream: before.upstream, ..failed }
    }

    pub(super) fn cancelled(&self, sent: bool) -> Failed {
        let api = self.judge.api();
        let effect = self.judge.nature != Nature::Read && (sent || self.open);
        let message = if effect {
            format!("cancelled; {api} may have carried it out, and nobody can tell")
        } else {
            format!("cancelled; {api} changed nothing")
        };
        let failed = self.judge.failed(FailureKind::Cancelled, &message);
        Failed { retryable: !effect || self.judge.nature.may_be_done_twice(), ..failed }
    }

    pub(super) fn out_of_time(&self) -> Failed {
        let message =
            format!("the time for this call was over before {} was asked", self.judge.api());
        let failed = self.judge.failed(FailureKind::UpstreamTimeout, &message);
        Failed { retryable: true, ..failed }
    }

    /// The last word: what an earlier request may have done is not forgotten.
    pub(super) fn give_up(&self, mut failed: Failed) -> Outcome {
        failed.untouched &= !self.open;
        let mut message = failed.message;
        if self.n > 1 {
            message = format!("{message} (after {} requests)", self.n);
        }
        let told = [FailureKind::OutcomeUnknown, FailureKind::Cancelled].contains(&failed.kind);
        if self.open && !told {
            message = format!(
                "{message}; an earlier request got no answer and may have been \
                               carried out"
            );
            let silent = [FailureKind::UpstreamTimeout, FailureKind::UpstreamUnavailable];
            if silent.contains(&failed.kind) {
                failed.kind = FailureKind::OutcomeUnknown;
                failed.retryable = self.judge.nature.may_be_done_twice();
            }
        }
        failed.message = cut(&message, MESSAGE);
        Outcome::Failed(failed)
    }
}
