//! Who is next: identities take turns, and within one the first to come goes first.
//!
//! An agent with a thousand calls waits behind each call of its own, and another one behind
//! one of them.

use std::collections::VecDeque;

/// Whoever waits, by a number that is given once.
pub(super) type Waiter = u64;

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// One lane an identity, none of them empty; the first lane has the turn.
    lanes: VecDeque<Lane>,
    len: usize,
}

#[derive(Debug)]
struct Lane {
    who: String,
    /// Each with what its start takes.
    waiters: VecDeque<(Waiter, u32)>,
}

/// Those who would go before somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ahead {
    pub(super) count: usize,
    /// What their starts take together.
    pub(super) cost: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many of that identity wait.
    pub(super) fn len_of(&self, who: &str) -> usize {
        self.lane(who).map_or(0, |lane| lane.waiters.len())
    }

    fn lane(&self, who: &str) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.who == who)
    }

    /// What the start of whoever is next takes.
    pub(super) fn next_cost(&self) -> Option<u32> {
        Some(self.lanes.front()?.waiters.front()?.1)
    }

    pub(super) fn push(&mut self, who: &str, waiter: Waiter, cost: u32) {
        self.len += 1;
        let waiter = (waiter, cost);
        match self.lanes.iter_mut().find(|lane| lane.who == who) {
            Some(lane) => lane.waiters.push_back(waiter),
            None => {
                let waiters = VecDeque::from([waiter]);
                self.lanes.push_back(Lane { who: who.to_owned(), waiters });
            }
        }
    }

    /// Takes whoever is next, and passes the turn on.
    pub(super) fn pop(&mut self) -> Option<Waiter> {
        let mut lane = self.lanes.pop_front()?;
        let waiter = lane.waiters.pop_front();
        if !lane.waiters.is_empty() {
            self.lanes.push_back(lane);
        }
        self.len -= usize::from(waiter.is_some());
        waiter.map(|(waiter, _)| waiter)
    }

    /// Whether it waited, and does no more.
    pub(super) fn remove(&mut self, waiter: Waiter) -> bool {
        for at in 0..self.lanes.len() {
            let waiters = &mut self.lanes[at].waiters;
            if let Some(place) = waiters.iter().position(|(one, _)| *one == waiter) {
                waiters.remove(place);
                if waiters.is_empty() {
                    self.lanes.remove(at);
                }
                self.len -= 1;
                return true;
            }
        }
        false
    }

    /// Who would go before one more of that identity.
    pub(super) fn ahead(&self, who: &str) -> Ahead {
        let own = self.len_of(who);
        let mut before = true;
        let others = self.lanes.iter().map(|lane| {
            let turns = if lane.who == who {
                before = false;
                own
            } else {
                // A lane that comes earlier in the round has had one turn more by then.
                lane.waiters.len().min(own + usize::from(before))
            };
            let costs = lane.waiters.iter().take(turns).map(|(_, cost)| *cost as usize);
            Ahead { count: turns, cost: costs.sum() }
        });
        others.fold(Ahead::default(), |sum, one| Ahead {
            count: sum.count + one.count,
            cost: sum.cost + one.cost,
        })
    }
}
