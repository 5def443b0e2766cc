//! How many repetitions an API may be sent: a fifth of its calls, and ten in ten seconds where
//! there are few.
//!
//! Each call may be repeated three times. When an API fails for everybody, that would be four
//! times the load that it fails under; with a budget it is a fifth more.

use std::time::Duration;

use super::limiter::At;

/// How far back is looked.
const SLOTS: usize = 10;

/// One of them.
const SLOT: Duration = Duration::from_secs(1);

/// So many are always allowed.
const FEW: u32 = 10;

/// One repetition for so many calls.
const SHARE: u32 = 5;

/// Calls and repetitions of the last ten seconds.
#[derive(Debug, Default)]
pub(super) struct Budget {
    slots: [Slot; SLOTS],
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// Which second it is of.
    second: u64,
    calls: u32,
    repetitions: u32,
}

impl Budget {
    /// Counts a call.
    pub(super) fn call(&mut self, now: At) {
        let slot = self.slot(now);
        slot.calls = slot.calls.saturating_add(1);
    }

    /// Counts a repetition; where there is no room for it, says when there will be.
    pub(super) fn repeat(&mut self, now: At) -> Result<(), Duration> {
        let second = now.as_secs();
        let counted = self.slots.iter().filter(|slot| slot.is_counted(second));
        let (calls, repetitions) = counted.fold((0_u32, 0_u32), |(calls, repetitions), slot| {
            (calls.saturating_add(slot.calls), repetitions.saturating_add(slot.repetitions))
        });
        if repetitions >= FEW.max(calls / SHARE) {
            let oldest = self.slots.iter().filter(|slot| slot.is_counted(second));
            let oldest = oldest.filter(|slot| slot.repetitions > 0).map(|slot| slot.second).min();
            let free = SLOT * u32::try_from(SLOTS).unwrap_or(u32::MAX)
                + Duration::from_secs(oldest.unwrap_or(second));
            return Err(free.saturating_sub(now).max(SLOT));
        }
        self.slot(now).repetitions += 1;
        Ok(())
    }

    fn slot(&mut self, now: At) -> &mut Slot {
        let second = now.as_secs();
        let slots = SLOTS as u64;
        let slot = &mut self.slots[usize::try_from(second % slots).unwrap_or_default()];
        if slot.second != second {
            *slot = Slot { second, ..Slot::default() };
        }
        slot
    }
}

impl Slot {
    fn is_counted(&self, second: u64) -> bool {
        self.second + SLOTS as u64 > second && self.second <= second
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(ms: u64) -> At {
        Duration::from_millis(ms)
    }

    #[test]
    fn ten_in_ten_seconds_are_allowed_where_calls_are_few() {
        let mut budget = Budget::default();
        for n in 0..10 {
            budget.call(at(n * 100));
            assert_eq!(budget.repeat(at(n * 100)), Ok(()), "{n}");
        }
        assert_eq!(budget.repeat(at(1_500)), Err(at(8_500)));
        assert_eq!(budget.repeat(at(9_999)), Err(at(1_000)));
        assert_eq!(budget.repeat(at(10_000)), Ok(()));
    }

    #[test]
    fn a_fifth_of_many_calls_may_be_repeated() {
        let mut budget = Budget::default();
        (0..500).for_each(|_| budget.call(at(5)));
        let allowed = (0..500).filter(|_| budget.repeat(at(6)).is_ok()).count();
        assert_eq!(allowed, 100);
    }

    proptest! {
        #[test]
        fn repetitions_never_exceed_their_share(
            steps in prop::collection::vec((0_u64..400, any::<bool>()), 1..400),
        ) {
            let mut budget = Budget::default();
            let mut now = 0;
            let (mut calls, mut repeated): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
            for (passed, is_call) in steps {
                now += passed;
                if is_call {
                    budget.call(at(now));
                    calls.push(now);
                } else if budget.repeat(at(now)).is_ok() {
                    repeated.push(now);
                }
                let since = (now / 1_000).saturating_sub(9) * 1_000;
                let recent = |all: &[u64]| all.iter().filter(|at| **at >= since).count();
                let most = (recent(&calls) / 5).max(10);
                // What was allowed while there were more calls may be counted longer than they.
                prop_assert!(recent(&repeated) <= most.max(calls.len() / 5).max(10));
            }
        }
    }
}
