//! What windows and budgets hold, as far as this process knows while it alone counts.
//!
//! A window is judged in the database, and where it stands is then known here as well. From there
//! on what calls take is added and nothing ever leaves, so what is known is never less than what
//! the window holds. While that leaves room, a call needs no transaction to be counted; where it
//! does not, the writer judges it by the window as it is, and what is known begins anew.
//!
//! That holds as long as nobody else counts ([`Counting`](super::counting::Counting)), and as
//! the clock does not go back: what had left a budget's window is in it again then.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::batch::{Batch, micros};

/// So many keys are known at most, of windows and of budgets each; with one more all begin anew.
const KNOWN: usize = 4096;

/// What is known of windows and budgets.
#[derive(Debug, Default)]
pub(super) struct Standings {
    windows: HashMap<Arc<str>, Standing>,
    budgets: HashMap<Arc<str>, Standing>,
}

/// A window or a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// How long its window is, in microseconds.
    pub(super) per: i64,
    /// What it holds at most.
    pub(super) held: i128,
    /// When that was so, in microseconds since the Unix epoch: not before what was last taken.
    pub(super) at: i64,
}

/// Windows and budgets as a transaction left them.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) windows: Vec<(Arc<str>, Standing)>,
    pub(super) budgets: Vec<(Arc<str>, Standing)>,
}

/// Of which key something is taken, in how long a window, how much, and how much there may be.
type Take<'b> = (&'b str, Duration, i128, i128);

/// Whether there is as much left for what a batch takes, and for what it took of the same before.
fn fits<'c>(
    known: &HashMap<Arc<str>, Standing>,
    takes: &(impl Iterator<Item = Take<'c>> + Clone),
    now: i64,
) -> bool {
    takes.clone().enumerate().all(|(index, (key, per, amount, limit))| {
        let Some(standing) = known.get(key) else { return false };
        let before = takes.clone().take(index).filter(|before| before.0 == key);
        let held = before
            .map(|before| before.2)
            .chain([amount])
            .try_fold(standing.held, i128::checked_add);
        now >= standing.at
            && standing.per == micros(per)
            && amount >= 0
            && held.is_some_and(|held| held <= limit)
    })
}

fn windows(batch: &Batch) -> impl Iterator<Item = Take<'_>> + Clone {
    batch.claims.iter().map(|claim| (&*claim.key, claim.per, 1, i128::from(claim.limit)))
}

fn budgets(batch: &Batch) -> impl Iterator<Item = Take<'_>> + Clone {
    batch.budgets.iter().map(|claim| (&*claim.key, claim.per, claim.amount.0, claim.limit.0))
}

impl Standings {
    /// Whether all that a batch takes certainly fits, at a time in microseconds since the Unix
    /// epoch.
    pub(super) fn leave_room(&self, batch: &Batch, now: i64) -> bool {
        fits(&self.windows, &windows(batch), now) && fits(&self.budgets, &budgets(batch), now)
    }

    /// Counts what a batch took at that time.
    pub(super) fn count(&mut self, batch: &Batch, now: i64) {
        let add = |known: &mut HashMap<Arc<str>, Standing>, key: &str, amount: i128| {
            if let Some(standing) = known.get_mut(key) {
                standing.held = standing.held.saturating_add(amount);
                standing.at = now;
            }
        };
        windows(batch).for_each(|(key, _, amount, _)| add(&mut self.windows, key, amount));
        budgets(batch).for_each(|(key, _, amount, _)| add(&mut self.budgets, key, amount));
    }

    /// Nothing is known any more of what these batches take: they are judged elsewhere.
    pub(super) fn forget<'b>(&mut self, batches: impl IntoIterator<Item = &'b Batch>) {
        for batch in batches {
            for (key, ..) in windows(batch) {
                self.windows.remove(key);
            }
            for (key, ..) in budgets(batch) {
                self.budgets.remove(key);
            }
        }
    }

    /// This is known now.
    pub(super) fn learn(&mut self, left: Left) {
        for (known, left) in [(&mut self.windows, left.windows), (&mut self.budgets, left.budgets)]
        {
            if known.len() + left.len() > KNOWN {
                known.clear();
            }
            known.extend(left.into_iter().take(KNOWN));
        }
    }

    /// Nothing is known any more.
    pub(super) fn clear(&mut self) {
        self.windows.clear();
        self.budgets.clear();
    }
}
