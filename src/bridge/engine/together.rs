//! A request that is another call's too: whoever comes later takes the answer of the first one.

use std::time::Duration;

use sha2::Digest as _;
use tokio::time::{Instant, sleep_until};

use super::course::Course;
use super::turn::Withheld;
use crate::bridge::attempt::AttemptLog;
use crate::bridge::breakage::Breakage;
use crate::bridge::cache::{add, fingerprint};
use crate::bridge::coalesce::{Follow, Landed, Part, Same};
use crate::bridge::exchange::Ended;
use crate::bridge::manner::Sharing;
use crate::bridge::prepare::Target;
use crate::bridge::retry::Nature;

impl<L: AttemptLog> Course<'_, L> {
    /// Whether a request may be one with another call's. What is made anew for each message, or
    /// proves who we are by what the server asked, is never the same.
    pub(super) fn may_join(&self, target: &Target) -> bool {
        self.manner.coalesce != Sharing::Off
            && self.judge.nature == Nature::Read
            && target.message.is_none()
            && target.digest.is_none()
    }

    /// Sends a request, or waits for the same one of another call.
    pub(super) async fn together(&mut self, target: &Target) -> Result<Ended, Withheld> {
        let entered = Instant::now();
        let (same, traffic) = (self.same(target), self.traffic);
        loop {
            let follow = match traffic.flights.join(same) {
                Part::Later(follow) => follow,
                Part::First(lead) => {
                    let ended = self.alone(target, entered).await?;
                    let (call, token) = (self.judge.call.id.clone(), self.token);
                    lead.landed(Landed { call, ended: ended.clone(), token });
                    return Ok(ended);
                }
            };
            if let Some(ended) = self.follow(follow, target, entered).await {
                return Ok(ended);
            }
        }
    }

    /// Waits for another call's request; `None` where that call is gone.
    async fn follow(&mut self, follow: Follow, target: &Target, entered: Instant) -> Option<Ended> {
        let landed = tokio::select! {
            biased;
            landed = follow.landed() => Some(landed?),
            () = self.cancel.cancelled() => None,
            () = sleep_until(self.deadline) => None,
        };
        let waited = entered.elapsed();
        let Some(landed) = landed else {
            let (words, ended) = if self.cancel.is_cancelled() {
                ("cancelled while it waited", Ended::Cancelled { sent: false })
            } else {
                let what = Breakage::TimedOut(waited);
                ("its time was over while it waited", Ended::Broken { what, sent: true })
            };
            let words = format!("not sent: {words} for the same request of another call");
            self.record_not_sent(words, waited).await;
            return Some(ended);
        };
        self.token = landed.token;
        if let Some(status) = landed.ended.status() {
            self.report.status = Some(status.as_u16());
            self.report.served_by = Some(target.shown.clone());
        }
        let words = format!(
            "not sent: the call {} was asking for the same, and what became of that is taken",
            landed.call
        );
        self.record_not_sent(words, waited).await;
        Some(landed.ended.clone())
    }

    fn same(&self, target: &Target) -> Same {
        let mut hash = fingerprint(self.judge.upstream, target);
        if self.manner.coalesce == Sharing::Private {
            add(&mut hash, self.judge.call.identity.as_str().as_bytes());
        }
        hash.finalize().into()
    }

    /// How long is waited for the first request before there is a second one.
    pub(super) fn hedges_after(&self, target: &Target) -> Option<Duration> {
        let delay = self.manner.hedge?;
        let is_plain = target.message.is_none() && target.digest.is_none();
        (self.judge.nature == Nature::Read && is_plain).then_some(delay)
    }
}
