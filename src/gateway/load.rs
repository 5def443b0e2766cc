//! What the bridge takes upon itself at once: how many calls, and how many bytes of their bodies.
//! What is above that is refused before anything is built for it.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::bridge::{Held, Memory};

/// What may be taken on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How many calls.
    pub calls: usize,
    /// How many bytes of requests' and answers' bodies.
    pub memory: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { calls: 1_024, memory: 512 << 20 }
    }
}

/// What is taken on.
#[derive(Debug, Default)]
pub(super) struct Load {
    calls: AtomicUsize,
    waiting: AtomicUsize,
    memory: Memory,
}

/// A call that stays open for a person, until it is dropped.
#[derive(Debug)]
pub(super) struct Waits<'l>(&'l AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call that was taken on, until it is dropped.
#[derive(Debug)]
pub(super) struct Admitted<'l> {
    load: &'l Load,
    /// What it holds.
    pub(super) held: Held<'l>,
}

impl Load {
    /// Takes a call on, or says in words why not.
    pub(super) fn admit(&self, bounds: Bounds) -> Result<Admitted<'_>, &'static str> {
        let admitted = Admitted { load: self, held: self.memory.hold(bounds.memory) };
        if self.calls.fetch_add(1, Ordering::Relaxed) >= bounds.calls {
            return Err("too many calls are in flight");
        }
        if self.memory.used() >= bounds.memory {
            return Err(NO_ROOM);
        }
        Ok(admitted)
    }

    /// Lets a call stay open for a person. Half of all may, so that the others are served.
    pub(super) fn wait(&self, bounds: Bounds) -> Option<Waits<'_>> {
        let waits = Waits(&self.waiting);
        (self.waiting.fetch_add(1, Ordering::Relaxed) < bounds.calls / 2).then_some(waits)
    }

    /// How many bytes are held.
    pub(super) fn held(&self) -> u64 {
        self.memory.used()
    }
}

/// Why a call is refused whose body finds no room.
pub(super) const NO_ROOM: &str = "the calls in flight hold as many bytes as they may";

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.load.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_bytes_are_bounded_and_both_are_given_back() {
        let load = Load::default();
        let bounds = Bounds { calls: 2, memory: 10 };
        let first = load.admit(bounds).expect("there is room");
        let second = load.admit(bounds).expect("there is room");
        assert!(load.admit(bounds).is_err_and(|why| why.contains("calls")));
        drop(first);
        assert!(second.held.more(10));
        assert!(load.admit(bounds).is_err_and(|why| why.contains("bytes")));
        assert!(load.admit(Bounds { memory: 11, ..bounds }).is_ok(), "as it is configured now");
        drop(second);
        assert!(load.admit(bounds).is_ok());
    }
}
