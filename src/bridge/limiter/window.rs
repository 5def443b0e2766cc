//! A declared rate, kept exactly: in no stretch of its length are there more starts than it says.
//!
//! A bucket that refills would let twice the limit through in one stretch: full at its
//! beginning, and refilled by its end. So the starts themselves are kept.

use std::collections::VecDeque;
use std::time::Duration;

use super::At;

/// How many starts in which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least one.
    pub limit: u32,
    /// In which time.
    pub per: Duration,
}

#[derive(Debug)]
pub(super) struct Window {
    rate: Rate,
    /// The last starts, as many as are allowed; one that takes several is there several times.
    starts: VecDeque<At>,
}

impl Window {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, starts: VecDeque::new() }
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// A little longer than the rate says: requests that leave evenly do not arrive evenly.
    fn span(&self) -> Duration {
        let slack = self.rate.per / 20;
        self.rate.per + slack.clamp(Duration::from_millis(10), Duration::from_secs(1))
    }

    /// When a start that takes `cost` may be, after others that take `ahead`. One that takes more
    /// than there is takes all.
    pub(super) fn free_at(&self, now: At, ahead: usize, cost: u32) -> At {
        let limit = self.rate.limit as usize;
        // Those that are counted still, oldest first.
        let gone = self.starts.partition_point(|start| *start + self.span() <= now);
        let counted = self.starts.len() - gone;
        let taken = ahead + counted + (cost as usize).clamp(1, limit);
        let Some(waiting) = taken.checked_sub(limit + 1) else { return now };
        let rounds = u32::try_from(waiting / limit).unwrap_or(u32::MAX);
        let since = self.starts.get(gone + waiting % limit).copied().unwrap_or(now);
        since.max(now.saturating_sub(self.span())) + self.span().saturating_mul(rounds + 1)
    }

    pub(super) fn start(&mut self, now: At, cost: u32) {
        for _ in 0..cost.clamp(1, self.rate.limit) {
            if self.starts.len() >= self.rate.limit as usize {
                self.starts.pop_front();
            }
            self.starts.push_back(now);
        }
    }
}
