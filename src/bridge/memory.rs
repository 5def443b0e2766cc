//! How many bytes of requests' and answers' bodies are held by all calls together.
//!
//! Each call counts its own, and gives them back when it ends. It is asked before a body grows, so
//! that many large answers at once are refused instead of held.

use std::sync::atomic::{AtomicU64, Ordering};

/// What all calls hold.
#[derive(Debug, Default)]
pub struct Memory(AtomicU64);

/// What one call holds. It is given back where this is dropped.
#[derive(Debug)]
pub struct Held<'m> {
    memory: &'m Memory,
    most: u64,
    own: AtomicU64,
}

impl Memory {
    /// How many bytes are held.
    pub fn used(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Nothing yet, of a call that may go on while all together hold no more than `most` bytes.
    pub fn hold(&self, most: u64) -> Held<'_> {
        Held { memory: self, most, own: AtomicU64::new(0) }
    }
}

impl Held<'_> {
    /// Whether there is room for so many more; then they are held.
    pub fn more(&self, bytes: u64) -> bool {
        let before = self.memory.0.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.most {
            self.memory.0.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.own.fetch_add(bytes, Ordering::Relaxed);
        true
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(*self.own.get_mut(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_more_is_held_than_may_be_and_all_of_it_is_given_back(
            acts in prop::collection::vec((0_usize..4, 0_u64..400, any::<bool>()), 0..100),
        ) {
            let memory = Memory::default();
            let mut calls: [Option<Held<'_>>; 4] = [const { None }; 4];
            let mut sums = [0; 4];
            for (at, bytes, ends) in acts {
                if ends {
                    calls[at] = None;
                    sums[at] = 0;
                } else {
                    let held = calls[at].get_or_insert_with(|| memory.hold(1_000));
                    let fits = sums.iter().sum::<u64>() + bytes <= 1_000;
                    prop_assert_eq!(held.more(bytes), fits);
                    sums[at] += if fits { bytes } else { 0 };
                }
                prop_assert_eq!(memory.used(), sums.iter().sum::<u64>());
            }
            drop(calls);
            prop_assert_eq!(memory.used(), 0);
        }
    }
}
