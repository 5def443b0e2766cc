//! Limits that answers announce: how much is left, and until when.
//!
//! What is left is counted down here with each start, since an answer tells how it was when it
//! was written. After the reset a quota is taken to be full again, as far as its size is known;
//! else one request goes alone, and its answer tells.

use std::time::Duration;

use super::At;
use super::kept::KeptQuota;
use crate::bridge::retry_after::LONGEST;

/// One limit as one answer announces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Announced {
    /// What tells it from other limits of the same API.
    pub(crate) name: String,
    /// How much there is in all, where that is said.
    pub(crate) limit: Option<u64>,
    /// How much is left.
    pub(crate) remaining: u64,
    /// In which time it is full again.
    pub(crate) reset: Duration,
}

/// How many limits of one API are followed.
const MOST: usize = 8;

/// Two resets that are no further apart are the same: they are told in whole seconds.
const SAME: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Quota {
    name: String,
    limit: Option<u64>,
    left: u64,
    /// When it is full again; `None` when that has passed, and no answer has told the next.
    reset: Option<At>,
}

#[derive(Debug, Default)]
pub(super) struct Quotas(Vec<Quota>);

impl Quotas {
    /// When a start that takes `cost` may be, after others that take `ahead`; `None` where an answer must
    /// come first.
    pub(super) fn free_at(&self, now: At, ahead: usize, cost: u32) -> Option<At> {
        self.0
            .iter()
            .try_fold(now, |latest, quota| Some(latest.max(quota.free_at(now, ahead, cost)?)))
    }

    pub(super) fn start(&mut self, now: At, cost: u32) {
        for quota in &mut self.0 {
            quota.turn(now);
            quota.left = quota.left.saturating_sub(u64::from(cost.max(1)));
        }
    }

    /// Nothing is on its way that could tell: whatever waits for an answer waits for nothing.
    pub(super) fn idle(&mut self, now: At) {
        self.0.iter_mut().for_each(|quota| quota.turn(now));
        self.0.retain(|quota| quota.reset.is_some() || quota.left > 0);
    }

    /// Takes what an answer announces. So many others are on their way, which it may not have
    /// counted.
    pub(super) fn hear(&mut self, now: At, announced: &[Announced], in_flight: u32) {
        for told in announced {
            let reset = now + told.reset;
            let fresh = told.remaining.saturating_sub(u64::from(in_flight));
            let Some(quota) = self.0.iter_mut().find(|quota| quota.name == told.name) else {
                if self.0.len() < MOST {
                    let (name, limit) = (told.name.clone(), told.limit);
                    self.0.push(Quota { name, limit, left: fresh, reset: Some(reset) });
                }
                continue;
            };
            quota.limit = told.limit.or(quota.limit);
            match quota.reset {
                // Answers overtake each other: what is least is what holds.
                Some(known) if now < known && reset <= known + SAME => {
                    quota.left = quota.left.min(told.remaining);
                    quota.reset = Some(known.max(reset));
                }
                Some(_) => {
                    quota.left = fresh;
                    quota.reset = Some(reset);
                }
                // Those since the reset were counted down from what was supposed to be there.
                None => {
                    quota.left = quota.left.min(told.remaining);
                    quota.reset = Some(reset);
                }
            }
        }
    }

    /// What outlives the process: those that are not full again.
    pub(super) fn kept(&self, now: At) -> Vec<KeptQuota> {
        let kept = self.0.iter().filter_map(|quota| {
            let reset = quota.reset?.checked_sub(now).filter(|left| !left.is_zero())?;
            Some(KeptQuota {
                name: quota.name.clone(),
                limit: quota.limit,
                left: quota.left,
                reset,
            })
        });
        kept.collect()
    }

    /// Takes up what was announced before, but for what has been announced since.
    pub(super) fn recall(&mut self, now: At, kept: &[KeptQuota]) {
        for KeptQuota { name, limit, left, reset } in kept {
            if self.0.len() < MOST && self.0.iter().all(|quota| quota.name != *name) {
                let reset = Some(now + (*reset).min(LONGEST));
                self.0.push(Quota { name: name.clone(), limit: *limit, left: *left, reset });
            }
        }
    }

    /// The least that is left, and when it is full again.
    pub(super) fn tightest(&self, now: At) -> Option<(u64, Option<At>)> {
        self.0
            .iter()
            .filter(|quota| quota.reset.is_some_and(|reset| now < reset))
            .map(|quota| (quota.left, quota.reset))
            .min()
    }
}

impl Quota {
    fn turn(&mut self, now: At) {
        if self.reset.is_some_and(|reset| reset <= now) {
            self.reset = None;
            self.left = self.limit.unwrap_or(1).max(1);
        }
    }

    fn free_at(&self, now: At, ahead: usize, cost: u32) -> Option<At> {
        let ahead = ahead as u64;
        // One that takes more than there is in all takes all.
        let cost = u64::from(cost).min(self.limit.unwrap_or(1)).max(1);
        match self.reset {
            Some(reset) if now < reset => Some(if ahead + cost <= self.left { now } else { reset }),
            Some(_) => (ahead < self.limit.unwrap_or(1).max(1)).then_some(now),
            None => (ahead < self.left).then_some(now),
        }
    }
}
