//! One store for what must survive a restart: events, windows, holds, switches, keys and
//! sealed tokens.
//!
//! Everything that belongs to one step of a call goes down in one [`Batch`], or not at
//! all. A single writer takes what has queued up into one transaction (group commit), so
//! that durability costs one fsync for many calls. Batches that are events alone, which most
//! are, are acknowledged by a `journal` in front of it. Reads go past the writer.
//!
//! Several processes may use one file: a server, and commands beside it. Whatever a batch
//! is refused for is read inside its transaction, so it holds across processes.
//!
//! Events are chained by their hashes as they go into the database (`chain`).
//!
//! The store keeps rows; it must not know what an event, a policy or a price means. The
//! exceptions are which kinds of event open a call, because calls are listed by them, and which
//! allow others to be removed.

mod apply;
mod batch;
mod budget;
mod bundle;
mod calls;
mod chain;
mod copies;
mod counting;
mod forgo;
mod give_back;
mod insert;
mod journal;
mod keys;
mod learned;
mod live;
mod place;
mod plain;
mod read;
mod shared;
mod standing;
mod tasks;
mod token;
mod upkeep;
mod verify;
mod window;
mod writer;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use sqlx::SqlitePool;
use tokio::sync::{mpsc, oneshot};

pub use batch::{
    Amount, Batch, BudgetClaim, Change, CheckpointRow, CommitError, EventRow, GiveBack, Guard,
    HoldRow, HoldState, KeyRow, LearnedRow, PLACES, PendingRow, Receipt, RepeatRow, StopScope,
    StoreError, TaskRow, TaskState, TokenRow, WindowClaim,
};
pub use calls::{CallFilter, CallRow, Ended};
pub use chain::{Digest, genesis, payload_digest};
pub use copies::is_erased;
use counting::Counting;
use journal::{Asked, Journal, Taken};
use keys::Keys;
use live::Live;
pub use live::Processes;
use place::{FileIdentity, Place};
pub use read::{OpenCall, StopRow, StoredEvent};
pub use shared::{Shared, digest as shared_digest};
pub use upkeep::{DatabaseInfo, PayloadRow, Whose};
pub use verify::{ChainRow, ChainStart, TrailReader};
use writer::{Request, Writer};

/// How many batches may wait for the writer. More than that wait to wait.
const QUEUE: usize = 1024;

/// What a batch survives once its receipt is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The machine losing power: each commit is synced to the disk.
    #[default]
    Full,
    /// This process being killed, and no more.
    Process,
}

/// A clock: microseconds since the Unix epoch.
pub type Clock = fn() -> i64;

/// The system's clock, as the store reads it.
pub fn system_clock() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// After so many plain groups a process writes often enough for a journal of its own.
const JOURNAL_AFTER: u32 = 8;

/// So often a process tries to be the only one that counts.
const ALONE_AFTER: Duration = Duration::from_secs(1);

/// How patient a store is, what it survives, and what time it goes by.
#[derive(Debug, Clone, Copy)]
struct Settings {
    /// For how long another process may keep the file locked.
    busy: Duration,
    /// When a batch that is not down is given up.
    deadline: Duration,
    durability: Durability,
    /// How many plain groups there must be before a journal is begun.
    journal_after: u32,
    /// Where others count, or did, it is tried so often to count alone.
    alone_after: Duration,
    /// After so long without anything new a process that counts alone lets others count.
    idle: Duration,
    clock: Clock,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            busy: Duration::from_secs(5),
            deadline: Duration::from_secs(10),
            durability: Durability::default(),
            journal_after: JOURNAL_AFTER,
            alone_after: ALONE_AFTER,
            idle: journal::LEASE,
            clock: system_clock,
        }
    }
}

/// The store. Clones are one store.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: Place,
    settings: Settings,
    /// `None` where the store was opened for reading.
    writer: Option<mpsc::Sender<Request>>,
    /// `None` while there is none, or no use for one.
    journal: Arc<ArcSwapOption<Journal>>,
    /// `None` where the store was opened for reading, or is in memory.
    live: Option<Live>,
    readers: RwLock<(FileIdentity, SqlitePool)>,
    read_only: bool,
    keys: Keys,
}

impl Store {
    /// Opens a store for writing, and makes it where there is none. The URL is
    /// `sqlite:PATH` or `sqlite::memory:`.
    pub async fn open(url: &str, durability: Durability) -> Result<Self, StoreError> {
        Self::open_with(url, Settings { durability, ..Settings::default() }).await
    }

    /// Opens a store that goes by another clock.
    pub async fn open_with_clock(
        url: &str,
        durability: Durability,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        Self::open_with(url, Settings { durability, clock, ..Settings::default() }).await
    }

    async fn open_with(url: &str, settings: Settings) -> Result<Self, StoreError> {
        let place = Place::new(url, settings.durability, settings.busy)?;
        place.create()?;
        let live = place.path().map(Live::begin).transpose();
        let live = live.map_err(|error| {
            place.error(format!("its folder cannot be written: {error}; check who owns it"))
        })?;
        let mut connection = place.set_up().await?;
        journal::orphan::take_over(&place, &mut connection).await?;
        let readers = place.readers(false);
        place.check_readable(&readers).await?;
        let readers = RwLock::new((place.file()?, readers));
        let (sender, requests) = mpsc::channel(QUEUE);
        let journal = Arc::default();
        let counting = match (place.path(), &live) {
            (Some(database), Some(live)) => Some(Counting::new(database, live.name())),
            _ => None,
        };
        let (of_writer, ahead) = (place.clone(), Arc::clone(&journal));
        let writer = Writer::new(of_writer, settings, requests, connection, ahead, counting)?;
        // It ends when the last sender is gone, or with `close`.
        tokio::spawn(writer.run());
        Ok(Self(Arc::new(Inner {
            place,
            settings,
            writer: Some(sender),
            journal,
            live,
            readers,
            read_only: false,
            keys: Keys::default(),
        })))
    }

    /// Opens a store that is there, for reading only. What other processes have acknowledged
    /// by now can be read in it.
    pub async fn open_read_only(url: &str) -> Result<Self, StoreError> {
        let settings = Settings::default();
        let place = Place::new(url, Durability::Full, settings.busy)?;
        if !place.exists() {
            return Err(place.error("there is nothing yet: the first call makes it".into()));
        }
        let readers = place.readers(true);
        place.check_readable(&readers).await?;
        journal::orphan::settle(&place, &readers).await?;
        let readers = RwLock::new((place.file()?, readers));
        Ok(Self(Arc::new(Inner {
            place,
            settings,
            writer: None,
            journal: Arc::default(),
            live: None,
            readers,
            read_only: true,
            keys: Keys::default(),
        })))
    }

    /// Writes a batch whole, or refuses it and writes nothing of it. The receipt comes once
    /// it is as durable as the store is.
    ///
    /// Where the answer is [`CommitError::Unavailable`] because the deadline passed, the
    /// batch may still turn out to have been written; what it announced must not happen.
    /// Dropping this future before the writer took the batch up withdraws it.
    pub async fn commit(&self, batch: Batch) -> Result<Receipt, CommitError> {
        let any = |which: fn(&Change) -> bool| batch.changes.iter().any(which);
        let stops = any(|change| matches!(change, Change::Stop { .. }));
        let revokes = any(|change| matches!(change, Change::RevokeKey { .. }));
        let asked = match self.take(batch) {
            Asked::Answered(answer) => answer,
            Asked::Queued(answer) => {
                let answer = tokio::time::timeout(self.0.settings.deadline, answer).await;
                let answer =
                    answer.map_err(|_| self.0.place.error("its disk is too slow".into()))?;
                answer.map_err(|_| self.0.place.error("the process is ending".into()))?
            }
        };
        let taken = match asked {
            Ok(taken) => taken,
            // Boxed, as everything is that is seldom awaited: a call's future is moved with
            // whatever is in it.
            Err(batch) => Box::pin(self.ask(|answer| Request::Commit(*batch, answer))).await??,
        };
        let receipt = match taken {
            Taken::Down => Receipt { _private: () },
            Taken::Synced(synced) => {
                self.synced(synced.map(|took| took <= self.0.settings.deadline))?
            }
            Taken::Syncing(synced) => self.synced(self.in_time(synced).await)?,
        };
        if revokes {
            self.0.keys.revoked();
        }
        if (stops || revokes) && self.0.place.path().is_some() {
            // Other processes go by what they last saw for no longer than this.
            tokio::time::sleep(if revokes { keys::KEEP } else { journal::LEASE }).await;
        }
        Ok(receipt)
    }

    /// Has the journal take a batch, where there is one and it may.
    fn take(&self, batch: Batch) -> Asked {
        let journal = self.0.journal.load();
        let Some(journal) = &*journal else { return Asked::Answered(Err(Box::new(batch))) };
        journal.take(batch, &self.0.place, self.0.settings.clock)
    }

    /// Waits for the disk: whether it was in time.
    async fn in_time(&self, synced: oneshot::Receiver<io::Result<()>>) -> io::Result<bool> {
        match tokio::time::timeout(self.0.settings.deadline, synced).await {
            Ok(Ok(synced)) => synced.map(|()| true),
            Ok(Err(_)) => Err(io::Error::other("the process is ending")),
            Err(_) => Ok(false),
        }
    }

    /// What a commit comes to that waited for the disk.
    fn synced(&self, in_time: io::Result<bool>) -> Result<Receipt, StoreError> {
        let failed = |why: String| self.0.place.error(format!("cannot be synced: {why}"));
        match in_time {
            Ok(true) => Ok(Receipt { _private: () }),
            Ok(false) => Err(failed("its disk is too slow".into())),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Asks the writer, and waits for its answer.
    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, StoreError> {
        let unavailable = |message: &str| self.0.place.error(message.into());
        let Some(writer) = &self.0.writer else {
            return Err(unavailable("it was opened for reading only"));
        };
        let (answer, answered) = oneshot::channel();
        let exchange = async {
            writer.send(request(answer)).await.ok()?;
            answered.await.ok()
        };
        // The writer keeps the same deadline for a group; this one is for the queue as well.
        match tokio::time::timeout(self.0.settings.deadline * 2, exchange).await {
            Ok(Some(done)) => Ok(done),
            Ok(None) => Err(unavailable("it was closed")),
            Err(_) => Err(unavailable("too many writes are waiting: its disk is too slow")),
        }
    }

    /// Waits until everything that this process acknowledged can be read.
    async fn settle(&self) -> Result<(), StoreError> {
        let behind = self.0.journal.load().as_ref().is_some_and(|journal| journal.is_behind());
        if behind { Box::pin(self.ask(Request::TakeOver)).await? } else { Ok(()) }
    }

    /// Writes what is queued, and closes the file. Clones can no longer be used.
    pub async fn close(self) {
        if let Some(writer) = &self.0.writer {
            let (closed, done) = oneshot::channel();
            if writer.send(Request::Close(closed)).await.is_ok() {
                // The writer answers by letting go of it.
                let _ = done.await;
            }
        }
        let readers = self.0.readers.read().unwrap_or_else(PoisonError::into_inner).1.clone();
        readers.close().await;
        if let Some(live) = &self.0.live {
            live.end();
        }
    }

    /// The database's file; `None` for one in memory.
    pub fn file(&self) -> Option<&Path> {
        self.0.place.path()
    }

    /// The time that the store goes by: microseconds since the Unix epoch.
    pub fn now(&self) -> i64 {
        (self.0.settings.clock)()
    }

    /// The connections for reading: to the file that is there now.
    fn readers(&self) -> Result<SqlitePool, StoreError> {
        let file = self.0.place.file()?;
        {
            let readers = self.0.readers.read().unwrap_or_else(PoisonError::into_inner);
            if readers.0 == file {
                return Ok(readers.1.clone());
            }
        }
        let mut readers = self.0.readers.write().unwrap_or_else(PoisonError::into_inner);
        if readers.0 != file {
            *readers = (file, self.0.place.readers(self.0.read_only));
        }
        Ok(readers.1.clone())
    }
}
