//! When a request to an API may start: a state machine over instants that it is given.
//!
//! What holds together: the declared rate and concurrency, the limits that answers announce,
//! and those that only refusals tell. Whoever cannot start waits for a turn, identities one
//! after the other, and is refused at once where the turn would come too late or too many wait
//! already. It knows no clock, task or HTTP: `traffic` is its shell.

mod announced;
pub(super) mod headers;
mod kept;
mod learned;
mod queue;
mod window;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use announced::Announced;
use announced::Quotas;
pub use kept::LimitsLearned;
use learned::Learned;
use queue::{Ahead, Queue, Waiter};
pub use window::Rate;
use window::Window;

/// A moment: how long after the limiter's own beginning.
pub(super) type At = Duration;

/// How many may wait for one API, where the configuration does not say.
const QUEUE: u32 = 1_024;

/// What is declared of an API or a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// How many requests in which time.
    pub rate: Option<Rate>,
    /// How many at once.
    pub concurrency: Option<u32>,
    /// How many may wait; of one identity half of them.
    pub queue: Option<u32>,
}

/// Why somebody may not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its turn would come after its deadline.
    TooLate {
        /// After which time it would come.
        after: Duration,
    },
    /// Too many wait already.
    Full {
        /// After which time there will be room.
        after: Duration,
    },
}

/// What becomes of somebody who wants to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// It has started.
    Now,
    /// It waits.
    Waits(Waiter),
    /// It does neither.
    Refused(Refusal),
}

/// What an answer tells of limits.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    /// Whether it is a 429.
    pub(super) refused: bool,
    /// How long it asks to wait.
    pub(super) asked: Option<Duration>,
    /// The limits that it announces.
    pub(super) announced: Vec<Announced>,
}

/// The limiter of one API or tool.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    window: Option<Window>,
    concurrency: Option<u32>,
    most_waiting: usize,
    quotas: Quotas,
    learned: Learned,
    in_flight: u32,
    queue: Queue,
    waiters: Waiter,
}

impl Limiter {
    pub(super) fn new(limits: Limits) -> Self {
        let mut limiter = Self::default();
        limiter.declare(limits);
        limiter
    }

    /// Goes by other declared limits from now on.
    pub(super) fn declare(&mut self, limits: Limits) {
        if self.window.as_ref().map(Window::rate) != limits.rate {
            self.window = limits.rate.map(Window::new);
        }
        self.concurrency = limits.concurrency;
        self.most_waiting = limits.queue.unwrap_or(QUEUE) as usize;
    }

    /// Somebody wants to start, which takes `cost` of what there is, and can wait until `deadline`.
    pub(super) fn enter(&mut self, now: At, who: &str, deadline: At, cost: u32) -> Entry {
        let none = Ahead::default();
        if self.queue.is_empty() && self.free_at(now, none, cost).is_some_and(|free| free <= now) {
            self.start(now, cost);
            return Entry::Now;
        }
        let ahead = self.queue.ahead(who);
        let free = self.free_at(now, ahead, cost);
        let after = free.map_or(Duration::from_secs(1), |free| free.saturating_sub(now));
        let (most, of_one) = (self.most_waiting, self.most_waiting.div_ceil(2));
        if self.queue.len() >= most || self.queue.len_of(who) >= of_one {
            return Entry::Refused(Refusal::Full { after: after.max(Duration::from_secs(1)) });
        }
        if free.is_some_and(|free| free >= deadline) {
            return Entry::Refused(Refusal::TooLate { after });
        }
        self.waiters += 1;
        self.queue.push(who, self.waiters, cost);
        Entry::Waits(self.waiters)
    }

    /// Whose turn it is, if anybody's: it has started.
    pub(super) fn turn(&mut self, now: At) -> Option<Waiter> {
        let cost = self.queue.next_cost()?;
        if self.free_at(now, Ahead::default(), cost).is_none_or(|free| free > now) {
            return None;
        }
        self.start(now, cost);
        self.queue.pop()
    }

    /// When to ask for a turn again; `None` where one in flight must end first, or none waits.
    pub(super) fn wake_at(&self, now: At) -> Option<At> {
        self.free_at(now, Ahead::default(), self.queue.next_cost()?)
    }

    /// Whoever waits does so no more; `false` where it had its turn.
    pub(super) fn leave(&mut self, waiter: Waiter) -> bool {
        self.queue.remove(waiter)
    }

    /// One that started and took `cost` has ended; `None` where nothing came that tells of limits.
    pub(super) fn ended(&mut self, now: At, started: At, cost: u32, heard: Option<&Heard>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(heard) = heard {
            // Where the limit is announced, its reset says when.
            let told = heard.announced.iter().any(|limit| limit.remaining == 0);
            if !heard.refused {
                self.learned.passed(now, started, cost);
            } else if !told || heard.asked.is_some() {
                self.learned.refused(now, started, heard.asked);
            }
            self.quotas.hear(now, &heard.announced, self.in_flight);
        }
        if self.in_flight == 0 {
            self.quotas.idle(now);
        }
    }

    /// How many have started and not ended.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// The rate that refusals taught, in starts a second.
    pub(super) fn learned(&self) -> Option<f64> {
        self.learned.rate()
    }

    /// The least that answers say is left, and in which time it is full again.
    pub(super) fn left(&self, now: At) -> Option<(u64, Option<At>)> {
        self.quotas.tightest(now)
    }

    /// What it learned, for a time after this process; `None` where that is nothing.
    pub(super) fn kept(&self, now: At) -> Option<LimitsLearned> {
        let (rate, pause) = self.learned.kept(now);
        let kept = LimitsLearned { rate, pause, quotas: self.quotas.kept(now) };
        (!kept.is_empty()).then_some(kept)
    }

    /// Takes up what was learned before it began. What it has learned itself since goes before that.
    pub(super) fn recall(&mut self, now: At, kept: &LimitsLearned) {
        self.learned.recall(now, kept.rate.as_ref(), kept.pause);
        self.quotas.recall(now, &kept.quotas);
    }

    fn start(&mut self, now: At, cost: u32) {
        self.in_flight += 1;
        if let Some(window) = &mut self.window {
            window.start(now, cost);
        }
        self.quotas.start(now, cost);
        self.learned.start(now, cost);
    }

    /// When a start that takes `cost` may be, after others; `None` where one in flight must end
    /// first.
    fn free_at(&self, now: At, ahead: Ahead, cost: u32) -> Option<At> {
        let Ahead { count, cost: ahead } = ahead;
        let room = |most: u32| (self.in_flight as usize).saturating_add(count) < most as usize;
        if count == 0 && self.concurrency.is_some_and(|most| !room(most)) {
            return None;
        }
        let mut free = self.learned.free_at(now, ahead);
        if self.learned.is_probing() && free <= now && self.in_flight > 0 {
            return None;
        }
        if let Some(window) = &self.window {
            free = free.max(window.free_at(now, ahead, cost));
        }
        Some(free.max(self.quotas.free_at(now, ahead, cost)?))
    }
}
