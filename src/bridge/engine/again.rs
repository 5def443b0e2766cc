//! Whether there is another request, when, and at which address.

use std::time::Duration;

use tokio::time::Instant;

use super::course::{Again, Course};
use super::turn::Withheld;
use crate::bridge::attempt::AttemptLog;
use crate::bridge::judge::Setback;
use crate::bridge::prepare::Target;
use crate::bridge::report::{Failed, FailureKind};
use crate::bridge::retry::{self, Failing};

impl<L: AttemptLog> Course<'_, L> {
    /// What is done about a request that did not go out: another address, or an end.
    pub(super) fn withheld(
        &mut self,
        withheld: Withheld,
        target: &Target,
    ) -> Result<(Again, Target), Box<Failed>> {
        let api = self.judge.api();
        let words = withheld.words();
        let (kind, after) = match withheld {
            Withheld::Cancelled => return Err(Box::new(self.cancelled(false))),
            Withheld::Refused(refused) => {
                let last = self.last.take();
                return Err(Box::new(self.refused(refused, last)));
            }
            Withheld::Open(after) => (FailureKind::CircuitOpen, after),
            Withheld::Late(after) => (FailureKind::RateLimited, after),
            Withheld::Full(after) => (FailureKind::Overloaded, after),
        };
        let failed = match self.last.take() {
            // What was answered says more than why nothing else was asked.
            Some(mut last) => {
                last.message = format!("{}; it was not repeated, because {words}", last.message);
                last
            }
            None => {
                let message = format!("nothing was sent to {api}: {words}");
                let failed = self.judge.failed(kind, &message);
                Failed { retryable: true, untouched: true, ..failed }
            }
        };
        let after = after.max(Duration::from_secs(1));
        let failed = Failed { retry_after: failed.retryable.then_some(after), ..failed };
        if kind != FailureKind::CircuitOpen {
            return Err(Box::new(failed));
        }
        self.round |= 1 << (target.at % 64);
        let may = self.may_leave();
        let moved = self.other(target).filter(|_| may).and_then(|at| self.moved(target, at));
        let Some(moved) = moved else { return Err(Box::new(failed)) };
        let why = format!("{words}; failing over to {}", self.origin(moved.at));
        Ok((Again { wait: Duration::ZERO, why, resent: true, otherwise: failed }, moved))
    }

    /// Whether another address may be asked, after all that was sent so far.
    fn may_leave(&self) -> bool {
        let one_state = self.judge.upstream.one_state;
        !self.open || retry::after(self.judge.nature, Failing::NoAnswer, one_state).elsewhere
    }

    /// The next base URL that was not asked since the last wait, and whose host is asked.
    fn other(&self, target: &Target) -> Option<usize> {
        let bases = &self.judge.upstream.bases;
        target.part.as_ref()?;
        (0..bases.len()).find(|at| {
            *at != target.at
                && self.round & (1 << (at % 64)) == 0
                && self.traffic.open_for(&bases[*at].origin).is_none()
        })
    }

    pub(super) fn moved(&self, target: &Target, at: usize) -> Option<Target> {
        target.moved(self.judge.upstream, at)
    }

    fn origin(&self, at: usize) -> &str {
        &self.judge.upstream.bases[at].origin
    }

    /// Whether there is a try of that number, counted from 1, when, and at which address.
    pub(super) fn repeat(
        &mut self,
        setback: Setback,
        number: u32,
        why: String,
        target: &Target,
    ) -> Result<(Again, usize), Box<Failed>> {
        let Setback { after, mut failed, asked } = setback;
        self.open |= after.open;
        // Nothing of this request was sent, perhaps; what an earlier one did stays at its address.
        let elsewhere = after.elsewhere && self.may_leave();
        if failed.retryable {
            failed.retry_after = asked;
        }
        let wait = retry::wait(number - 1, asked, self.judge.upstream.jitter);
        if failed.kind == FailureKind::RateLimited {
            failed.retry_after = Some(asked.unwrap_or(wait).max(Duration::from_secs(1)));
        }
        let bases = self.judge.upstream.bases.len();
        let most = retry::ATTEMPTS.max(u32::try_from(bases).unwrap_or(u32::MAX));
        if number > most || Instant::now() >= self.deadline {
            return Err(Box::new(failed));
        }
        self.round |= 1 << (target.at % 64);
        if elsewhere && let Some(at) = self.other(target) {
            let why = format!("{why}; failing over to {}", self.origin(at));
            self.last = Some(failed.clone());
            return Ok((Again { wait: Duration::ZERO, why, resent: true, otherwise: failed }, at));
        }
        let in_time =
            Instant::now().checked_add(wait).is_some_and(|resumed| resumed < self.deadline);
        if !after.again {
            return Err(Box::new(failed));
        }
        if !in_time {
            failed.retry_after = failed.retry_after.or(Some(wait));
            return Err(Box::new(failed));
        }
        // The first address that is asked, where it need not be the same one.
        let first = (0..bases).find(|at| self.traffic.open_for(self.origin(*at)).is_none());
        let at =
            if elsewhere && target.part.is_some() { first.unwrap_or(target.at) } else { target.at };
        if let Some(open) = self.traffic.open_for(self.origin(at)) {
            failed.message = format!("{}; {}", failed.message, Withheld::Open(open).words());
            failed.retry_after = Some(asked.unwrap_or(open).max(Duration::from_secs(1)));
            return Err(Box::new(failed));
        }
        if let Err(full) = self.traffic.repeat() {
            failed.message = format!(
                "{}; it was not repeated, because too many of the calls of {} are repetitions \
                 already",
                failed.message,
                self.judge.api()
            );
            failed.retry_after = Some(asked.unwrap_or(full).max(full));
            return Err(Box::new(failed));
        }
        self.round = 0;
        self.last = Some(failed.clone());
        Ok((Again { wait, why, resent: true, otherwise: failed }, at))
    }
}
