//! Who syncs the journal's file, and when.
//!
//! A receipt that waits for the disk is told once the file was synced behind its record. Many wait
//! for the same sync where many calls are made: then a thread that does nothing else syncs, again
//! and again until none waits. To wake that thread and to be woken by it costs as much as a quick
//! disk takes. So where calls have come one by one for a while and the disk was quick for each,
//! whoever commits syncs where it stands.
//! And where a sync was for many, others run before the next one begins, which is then for more of them:
//! what it costs the processor is the same for one receipt and for many.
//!
//! That holds up a worker of the runtime for as long as the disk takes, also where it stalls, and
//! the task with it: not even its own deadline ends it sooner. The runtime goes on, as long as not
//! every other worker is held up by something else: it is only done where there is another one, and
//! that one is woken once the disk takes longer than some milliseconds ([`watch`](super::watch)).

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Journal, file};

/// After so many syncs in a row for one receipt each the next one is done in place.
const ALONE: u32 = 8;

/// More in a row count as so many. What is slow halves them: once is nothing, as quick disks are
/// slow now and then; twice in a row is the disk.
const MOST: u32 = 2 * ALONE;

/// A sync that takes longer counts against waiting in place the next time.
const QUICK: Duration = Duration::from_millis(1);

/// After a sync for so many receipts others run before the next one.
const CROWD: usize = 4;

/// Receipts that wait for the disk.
#[derive(Debug, Default)]
pub(super) struct Syncing {
    /// Whether somebody syncs.
    running: bool,
    waiting: Vec<(u64, oneshot::Sender<io::Result<()>>)>,
    /// How many syncs in a row were for one receipt each, less those that were slow.
    alone: u32,
    /// For how many receipts the last one was.
    last: usize,
}

/// What becomes of a record that is to be synced.
#[derive(Debug)]
pub(super) enum Due {
    /// Whoever syncs already will see to it.
    Later(oneshot::Receiver<io::Result<()>>),
    /// Nobody syncs: somebody is to begin.
    Begin(oneshot::Receiver<io::Result<()>>),
    /// Whoever asks is to sync.
    Here,
}

impl Syncing {
    /// What becomes of the record of that number, the newest. `may_wait` is whether the worker
    /// that asks can be held up.
    pub(super) fn due(&mut self, number: u64, may_wait: bool) -> Due {
        if self.running {
            return Due::Later(self.wait(number));
        }
        self.running = true;
        if may_wait && self.alone >= ALONE { Due::Here } else { Due::Begin(self.wait(number)) }
    }

    /// As after many syncs for one receipt each.
    #[cfg(test)]
    pub(super) fn seem_alone(&mut self) {
        self.alone = ALONE;
    }

    /// A receipt for a record that is still to come.
    #[cfg(test)]
    pub(super) fn waits(&mut self, number: u64, receipt: oneshot::Sender<io::Result<()>>) {
        self.waiting.push((number, receipt));
    }

    #[cfg(test)]
    pub(super) fn is_running(&self) -> bool {
        self.running
    }

    fn wait(&mut self, number: u64) -> oneshot::Receiver<io::Result<()>> {
        let (synced, down) = oneshot::channel();
        self.waiting.push((number, synced));
        down
    }

    /// A sync ended that took so long, and with it what becomes of the records up to that number.
    /// `here` is how many know of it without being told; the others are handed over.
    fn ended(
        &mut self,
        upto: u64,
        took: Duration,
        here: usize,
    ) -> Vec<oneshot::Sender<io::Result<()>>> {
        let all = std::mem::take(&mut self.waiting);
        let (done, later): (Vec<_>, _) = all.into_iter().partition(|(at, _)| *at <= upto);
        self.waiting = later;
        self.last = done.len() + here;
        let alone = self.last == 1 && self.waiting.is_empty();
        self.alone = match (alone, took < QUICK) {
            (true, true) => MOST.min(self.alone + 1),
            (true, false) => self.alone / 2,
            (false, _) => 0,
        };
        done.into_iter().map(|(_, receipt)| receipt).collect()
    }
}

impl Journal {
    /// Syncs where it is called, and leaves what came meanwhile to others. How long it took.
    pub(super) fn sync_here(self: &Arc<Self>) -> io::Result<Duration> {
        let begun = Instant::now();
        let synced = match &self.watch {
            Some(watch) => watch.in_place(|| self.sync_once(1)),
            None => self.sync_once(1),
        };
        let are_more = {
            let mut state = self.state();
            state.syncing.running = !state.syncing.waiting.is_empty();
            state.syncing.running
        };
        if are_more {
            self.begin_syncing();
        }
        synced.map(|()| begun.elapsed())
    }

    /// Has a thread sync until no receipt waits.
    pub(super) fn begin_syncing(self: &Arc<Self>) {
        let journal = Arc::clone(self);
        tokio::task::spawn_blocking(move || journal.sync());
    }

    fn sync(&self) {
        loop {
            let mut state = self.state();
            if state.syncing.waiting.is_empty() {
                state.syncing.running = false;
                return;
            }
            let is_crowd = state.syncing.last >= CROWD;
            drop(state);
            if is_crowd {
                thread::yield_now();
            }
            // Those that wait are told.
            let _ = self.sync_once(0);
        }
    }

    /// Has on the disk what is in the journal by now, and tells those whose records are among it, or
    /// that they may not be. `here` is how many know of it without being told.
    fn sync_once(&self, here: usize) -> io::Result<()> {
        let (gathered, newest) = {
            let mut state = self.state();
            (state.file.gathered(), state.newest)
        };
        let begun = Instant::now();
        let synced = gathered.map_or(Ok(()), |disk| file::lock(&disk).write());
        let took = begun.elapsed();
        let mut state = self.state();
        let mut upto = newest;
        if synced.is_err() {
            // What the system still holds of it nobody knows, and the next sync may not fail. What
            // came behind it is lost with it. The writer begins another one.
            state.is_over = true;
            state.close();
            upto = u64::MAX;
        }
        let done = state.syncing.ended(upto, took, here);
        drop(state);
        for receipt in done {
            let _ = receipt.send(match &synced {
                Ok(()) => Ok(()),
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            });
        }
        synced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Syncs for one receipt each.
    fn alone(syncing: &mut Syncing, times: u32, took: Duration) {
        for number in 0..u64::from(times) {
            let here = match syncing.due(number, true) {
                Due::Here => 1,
                Due::Begin(_) => 0,
                Due::Later(_) => panic!("nobody syncs"),
            };
            let _told = syncing.ended(number, took, here);
            syncing.running = false;
        }
    }

    #[test]
    fn who_commits_syncs_where_calls_come_one_by_one_and_the_disk_is_quick() {
        let quick = Duration::from_micros(100);
        let mut syncing = Syncing::default();
        alone(&mut syncing, ALONE - 1, quick);
        assert!(matches!(syncing.due(100, true), Due::Begin(_)), "too soon");
        syncing.running = false;
        let _told = syncing.ended(100, quick, 0);
        assert!(matches!(syncing.due(101, false), Due::Begin(_)), "nobody else is there");
        syncing.running = false;
        let _told = syncing.ended(101, quick, 0);
        assert!(matches!(syncing.due(102, true), Due::Here));
        assert!(matches!(syncing.due(103, true), Due::Later(_)), "somebody syncs");
        assert!(syncing.ended(102, quick, 1).is_empty(), "what came behind it is not on the disk");
        assert_eq!(syncing.ended(103, quick, 0).len(), 1);
        syncing.running = false;
        assert!(matches!(syncing.due(104, true), Due::Begin(_)), "it was not alone");
        syncing.running = false;
        assert_eq!(syncing.ended(104, quick, 0).len(), 1);
        alone(&mut syncing, ALONE - 1, quick);
        assert!(matches!(syncing.due(105, true), Due::Here), "they are alone again");
    }

    #[test]
    fn a_sync_counts_those_whose_records_it_took_and_nobody_else() {
        let mut syncing = Syncing::default();
        let waits: Vec<_> = (1..=6).map(|number| syncing.due(number, false)).collect();
        assert_eq!(syncing.ended(5, QUICK, 0).len(), 5);
        assert_eq!((syncing.last, syncing.waiting.len()), (5, 1));
        assert_eq!(syncing.ended(6, QUICK, 1).len(), 1);
        assert_eq!(syncing.last, 2, "one knows of it without being told");
        drop(waits);
    }

    #[test]
    fn a_disk_that_is_slow_now_and_then_is_waited_for_in_place_and_a_slow_one_is_not() {
        let quick = Duration::from_micros(100);
        let mut syncing = Syncing::default();
        alone(&mut syncing, 100, quick);
        for _ in 0..3 {
            alone(&mut syncing, 1, QUICK);
            assert!(syncing.alone >= ALONE, "once is nothing");
            alone(&mut syncing, MOST - ALONE, quick);
        }
        alone(&mut syncing, 2, QUICK);
        assert!(syncing.alone < ALONE, "twice in a row is the disk");
        alone(&mut syncing, ALONE, quick);
        assert!(syncing.alone >= ALONE, "it is quick again");
    }
}
