//! Who syncs the journal's file, and when.
//!
//! A receipt that waits for the disk is told once the file was synced behind its record. Many wait
//! for the same sync where many calls are made: then a thread that does nothing else syncs, again
//! and again until none waits. To wake that thread and to be woken by it costs as much as a quick
//! disk takes. So where calls have come one by one for a while and the disk was quick for each,
//! whoever commits syncs where it stands.
//!
//! That holds up a worker of the runtime, never the runtime: it is only done where another worker
//! is there to see to everything else meanwhile, and that one is woken first.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use super::Journal;

/// After so many syncs in a row for one receipt each the next one is done in place.
const ALONE: u32 = 8;

/// A sync that takes longer is not waited for in place the next time.
const QUICK: Duration = Duration::from_millis(1);

/// Receipts that wait for the disk.
#[derive(Debug, Default)]
pub(super) struct Syncing {
    /// Whether somebody syncs.
    running: bool,
    waiting: Vec<(u64, oneshot::Sender<io::Result<()>>)>,
    /// How many syncs in a row were for one receipt each, and quick.
    alone: u32,
}

/// Whether the runtime has workers beside the one that this is asked on.
pub(super) fn has_others() -> bool {
    Handle::try_current().is_ok_and(|runtime| {
        runtime.runtime_flavor() == RuntimeFlavor::MultiThread
            && runtime.metrics().num_workers() > 1
    })
}

/// Wakes another worker, and then works on this one for as long as it takes.
///
/// Of two tasks that begin on a worker the first one is left to others, and one of those that sleep
/// is woken for it. The one that is awake when this worker is held up sees to sockets, clocks and
/// tasks until there is nothing left to do, and then sleeps where sockets and clocks wake it.
fn in_place<T>(work: impl FnOnce() -> T) -> T {
    for _ in 0..2 {
        drop(tokio::spawn(std::future::ready(())));
    }
    work()
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

    fn wait(&mut self, number: u64) -> oneshot::Receiver<io::Result<()>> {
        let (synced, down) = oneshot::channel();
        self.waiting.push((number, synced));
        down
    }

    /// A sync ended that began behind the record of that number, and took so long. `here` is how
    /// many know of it without being told; the others are handed over.
    fn ended(
        &mut self,
        newest: u64,
        took: Duration,
        here: usize,
    ) -> Vec<oneshot::Sender<io::Result<()>>> {
        let all = std::mem::take(&mut self.waiting);
        let (done, later): (Vec<_>, _) = all.into_iter().partition(|(at, _)| *at <= newest);
        self.waiting = later;
        let alone = done.len() + here == 1 && self.waiting.is_empty();
        self.alone = if alone && took < QUICK { self.alone.saturating_add(1) } else { 0 };
        done.into_iter().map(|(_, receipt)| receipt).collect()
    }
}

impl Journal {
    /// Syncs where it is called, and leaves what came meanwhile to others. How long it took.
    pub(super) fn sync_here(self: &Arc<Self>) -> io::Result<Duration> {
        let begun = Instant::now();
        let synced = in_place(|| self.sync_once(1));
        let mut state = self.state();
        state.syncing.running = !state.syncing.waiting.is_empty();
        if state.syncing.running {
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
            drop(state);
            // Those that wait are told.
            let _ = self.sync_once(0);
        }
    }

    /// Syncs the file, and tells those whose records are on the disk by then, or that they may not
    /// be. `here` is how many know of it without being told.
    fn sync_once(&self, here: usize) -> io::Result<()> {
        let (file, newest) = {
            let state = self.state();
            (state.file.handle(), state.newest)
        };
        let begun = Instant::now();
        let synced = file.sync_data();
        let took = begun.elapsed();
        let mut state = self.state();
        if synced.is_err() {
            // What the system still holds of it nobody knows. The writer begins another one.
            state.is_broken = true;
            state.close();
        }
        let done = state.syncing.ended(newest, took, here);
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
    use std::io::Read;
    use std::net::TcpStream;

    use tokio::io::AsyncWriteExt;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

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
        alone(&mut syncing, ALONE, quick);
        alone(&mut syncing, 1, QUICK);
        assert!(matches!(syncing.due(105, true), Due::Begin(_)), "it took long");
    }

    #[tokio::test]
    async fn the_only_worker_is_never_held_up() {
        assert!(!has_others());
    }

    /// What holds up a worker is here the wait for an answer that another worker must give.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_worker_that_is_held_up_leaves_clocks_and_sockets_to_another_one() {
        assert!(has_others());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
                socket.write_all(b"!").await.unwrap();
            }
        });
        for _ in 0..50 {
            let ask = move || {
                let mut socket = TcpStream::connect(address)?;
                socket.set_read_timeout(Some(LONG))?;
                socket.read_exact(&mut [0])
            };
            // As a commit comes: on a worker that a clock or a socket has just woken.
            let commit = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(2)).await;
                in_place(ask)
            });
            commit.await.unwrap().expect("the runtime goes on");
        }
        serving.abort();
    }
}
