//! What goes on while a worker of the runtime is held up by the disk.
//!
//! A worker that waits where it is polls no sockets and no clocks meanwhile, and of the workers that
//! sleep none may be woken by those: whoever polled them last is the one that was woken, and now
//! waits. For as long as a quick disk takes nobody notices. To wake another worker each time, so that
//! it polls them, costs as much as the disk does. So a thread looks every few milliseconds whether a
//! worker is still held up by what it was held up by before, and only then wakes another one. The
//! thread is there while workers wait again and again, and ends when none did for a while.
//!
//! This file knows workers and time, and neither files nor records.

use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};

/// How often the thread looks. A worker that is held up for twice as long is seen for certain. To
/// look costs some 20 µs of processor time, as the thread is woken for it.
const LOOK: Duration = Duration::from_millis(5);

/// After so many looks at nothing the thread ends: a second.
const NOTHING: u32 = 200;

/// Who watches the workers of one runtime that wait where they are, one at a time.
#[derive(Debug)]
pub(super) struct Watch {
    runtime: Handle,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// How often a worker began to wait.
    begun: u64,
    /// Whether one waits.
    waits: bool,
    /// Whether the thread is there.
    watched: bool,
}

impl Watch {
    /// Watches the runtime that this is called in: `None` where there is none, or where it has no
    /// worker beside the one that would wait.
    pub(super) fn here() -> Option<Arc<Self>> {
        let runtime = Handle::try_current().ok()?;
        let has_others = runtime.runtime_flavor() == RuntimeFlavor::MultiThread
            && runtime.metrics().num_workers() > 1;
        has_others.then(|| Arc::new(Self { runtime, seen: Mutex::default() }))
    }

    /// Works on this worker for as long as it takes.
    pub(super) fn in_place<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        let watched = {
            let mut seen = self.seen();
            (seen.begun, seen.waits) = (seen.begun + 1, true);
            std::mem::replace(&mut seen.watched, true)
        };
        if !watched && self.begin().is_err() {
            self.seen().watched = false;
            // Another worker is woken where two tasks begin: one of them is left to it.
            self.wake();
        }
        // The task that this worker would run next is left to nobody but itself, until there is
        // one that came later.
        self.wake();
        let done = work();
        self.seen().waits = false;
        done
    }

    fn begin(self: &Arc<Self>) -> std::io::Result<()> {
        let watch = Arc::downgrade(self);
        let thread = std::thread::Builder::new().name("journal-watch".into());
        thread.spawn(move || look_again_and_again(&watch)).map(drop)
    }

    /// Begins a task that does nothing. On no worker of the runtime it is for whichever of them
    /// sleeps, and that one sees to sockets and clocks once it has nothing left to do.
    fn wake(&self) {
        drop(self.runtime.spawn(ready(())));
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks until nothing was seen for a while, or nobody is there to be watched.
fn look_again_and_again(watch: &Weak<Watch>) {
    let (mut last, mut woken, mut nothing) = (0, false, 0);
    loop {
        std::thread::sleep(LOOK);
        let Some(watch) = watch.upgrade() else { return };
        let mut seen = watch.seen();
        if seen.begun != last {
            (last, woken, nothing) = (seen.begun, false, 0);
        } else if seen.waits {
            drop(seen);
            if !std::mem::replace(&mut woken, true) {
                watch.wake();
            }
        } else {
            nothing += 1;
            if nothing == NOTHING {
                seen.watched = false;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Read;
    use std::net::TcpStream;
    use std::time::Instant;

    use tokio::io::AsyncWriteExt;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    /// As a commit comes: on a worker that a clock or a socket has just woken.
    async fn as_a_commit<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        let commit = tokio::spawn(async {
            tokio::time::sleep(Duration::from_millis(2)).await;
            work()
        });
        commit.await.unwrap()
    }

    #[tokio::test]
    async fn the_only_worker_is_never_held_up() {
        assert!(Watch::here().is_none());
    }

    /// What holds up a worker is here the wait for an answer that another worker must give.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_worker_that_is_held_up_leaves_clocks_and_sockets_to_another_one() {
        let watch = Watch::here().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
                socket.write_all(b"!").await.unwrap();
            }
        });
        let mut took = Vec::new();
        for _ in 0..50 {
            let watch = Arc::clone(&watch);
            let ask = move || {
                let begun = Instant::now();
                let mut socket = TcpStream::connect(address)?;
                socket.set_read_timeout(Some(LONG))?;
                socket.read_exact(&mut [0])?;
                std::io::Result::Ok(begun.elapsed())
            };
            let answered = as_a_commit(move || watch.in_place(ask)).await;
            took.push(answered.expect("the runtime goes on"));
        }
        took.sort_unstable();
        assert!(took[25] < LOOK * 20, "it goes on after some milliseconds, not after {took:?}");
        serving.abort();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_a_worker_would_run_next_is_run_by_another_one() {
        let watch = Watch::here().unwrap();
        for _ in 0..50 {
            let watch = Arc::clone(&watch);
            let run = as_a_commit(move || {
                let (next, told) = std::sync::mpsc::channel();
                drop(tokio::spawn(async move { next.send(()) }));
                watch.in_place(|| told.recv_timeout(LONG))
            });
            assert!(run.await.is_ok());
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_thread_is_there_while_workers_wait_and_comes_back() {
        let watch = Watch::here().unwrap();
        for _ in 0..2 {
            watch.in_place(|| assert!(watch.seen().watched));
            let until = Instant::now() + LONG;
            while watch.seen().watched {
                assert!(Instant::now() < until, "it never ends");
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}
