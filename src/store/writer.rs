//! The one task of a process that writes: group commit, deadlines and recovery. It also takes
//! over into the database what the journal acknowledged meanwhile, before anything else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Transaction};
use tokio::sync::{mpsc, oneshot};

use super::apply::{Group, Refusal, forget_expired, note_applied};
use super::chain::{self, Head};
use super::counting::Counting;
use super::insert::insert_events;
use super::journal::{Ahead, Journal, LEASE, Taken, counts, is_plain, is_taken, orphan};
use super::place::{FileIdentity, Place};
use super::plain::{self, Plain};
use super::shared::{self, Known, Shared};
use super::standing::Left;
use super::{Batch, CommitError, Settings, StopScope, StoreError};

/// How many batches share a transaction at most.
const GROUP: usize = 256;

/// Every so many groups, rows of windows that nobody asks about any more are dropped.
const FORGET_EVERY: u32 = 1024;

/// How long what the journal took is left to become more: the more it is, the fewer statements and
/// pages are written for it; and the longer everything else has one core less. Less than half of
/// [`LEASE`], which each of these transactions renews.
const GATHER: Duration = Duration::from_millis(20);

const _: () = assert!(GATHER.as_millis() * 2 < LEASE.as_millis());

/// When it is tried again where it could not be taken over.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a group that counts waits for a process that counts alone.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(5);

/// After so many plain groups a journal that could not be begun is tried again.
const JOURNAL_AGAIN: u32 = 1024;

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum Request {
    /// Write this.
    Commit(Batch, oneshot::Sender<Result<Taken, CommitError>>),
    /// Take over what the journal has.
    TakeOver(oneshot::Sender<Result<(), StoreError>>),
    /// Write what came before this, and end.
    Close(oneshot::Sender<()>),
}

pub(super) struct Writer {
    place: Place,
    settings: Settings,
    requests: mpsc::Receiver<Request>,
    /// `None` after an error: the next group opens the file again.
    connection: Option<SqliteConnection>,
    /// The chain's end as this process left it. Another one may have gone on since.
    head: Option<Head>,
    /// The texts of events that the database has.
    known: Arc<Known>,
    /// Those that it had when the connection was lost: what the journal has may name them, and it may be
    /// another one now.
    doubted: Vec<Shared>,
    file: FileIdentity,
    groups: u32,
    /// Whether anything was stopped when last looked: then groups are not tried as plain ones.
    stopped: bool,
    journal: Arc<ArcSwapOption<Journal>>,
    /// What was handed over by the journal and is not known to be in the database.
    ahead: Ahead,
    /// Whether a transaction with it may have ended well though it seemed not to.
    in_doubt: bool,
    /// How many more plain groups there must be before a journal is worth its file.
    until_journal: u32,
    counts: Counts,
}

/// How this process counts.
struct Counts {
    /// `None` for a database in memory, where nobody else can.
    lock: Option<Counting>,
    /// Whether a process that counts alone was waited for in vain: then nobody waits for it any more.
    is_hopeless: bool,
    /// When it is tried next to count alone.
    next_try: Option<Instant>,
    /// Whether a group that counted has just gone down.
    has_counted: bool,
    /// Whether there was nothing to do for a while.
    is_idle: bool,
}

type Waiting = (Batch, oneshot::Sender<Result<Taken, CommitError>>);

/// What the writer is woken by.
enum Woken {
    Requests,
    Appended,
    Due,
    Idle,
    Ended,
}

impl Writer {
    pub(super) fn new(
        place: Place,
        settings: Settings,
        requests: mpsc::Receiver<Request>,
        connection: SqliteConnection,
        journal: Arc<ArcSwapOption<Journal>>,
        counting: Option<Counting>,
    ) -> Result<Self, StoreError> {
        let file = place.file()?;
        Ok(Self {
            place,
            settings,
            requests,
            connection: Some(connection),
            head: None,
            known: Arc::default(),
            doubted: Vec::new(),
            file,
            groups: 0,
            stopped: false,
            journal,
            ahead: Ahead::default(),
            in_doubt: false,
            until_journal: settings.journal_after,
            counts: Counts {
                lock: counting,
                is_hopeless: false,
                next_try: None,
                has_counted: false,
                is_idle: false,
            },
        })
    }

    pub(super) async fn run(mut self) {
        let mut queued = Vec::with_capacity(GROUP);
        let mut closing = Vec::new();
        let mut due = None;
        while closing.is_empty() {
            match self.wake(&mut queued, due).await {
                Woken::Ended => break,
                Woken::Appended => {
                    due.get_or_insert_with(|| Instant::now() + GATHER);
                    continue;
                }
                Woken::Requests | Woken::Due => {}
                Woken::Idle => self.counts.is_idle = true,
            }
            let mut group: Vec<Waiting> = Vec::with_capacity(queued.len());
            let mut asked = Vec::new();
            for request in queued.drain(..) {
                match request {
                    // Nobody waits for it any more, so it must not have an effect.
                    Request::Commit(_, answer) if answer.is_closed() => {}
                    Request::Commit(batch, answer) if closing.is_empty() => {
                        group.push((batch, answer));
                    }
                    Request::Commit(..) => {}
                    Request::TakeOver(done) => asked.push(done),
                    Request::Close(closed) => closing.push(closed),
                }
            }
            let written = self.commit(group).await;
            self.counts.is_idle = false;
            due = written.is_err().then(|| Instant::now() + AGAIN);
            for done in asked {
                let _ = done.send(written.clone());
            }
            self.begin_journal().await;
        }
        self.requests.close();
        self.end_journal().await;
        if let Some(connection) = self.connection.take() {
            // Everything acknowledged is down; a failure here costs a tidy log file only.
            let _ = tokio::time::timeout(self.settings.deadline, connection.close()).await;
        }
    }

    async fn wake(&mut self, queued: &mut Vec<Request>, due: Option<Instant>) -> Woken {
        let journal = self.journal.load_full();
        let appended = async {
            match &journal {
                Some(journal) => journal.appended().await,
                None => std::future::pending().await,
            }
        };
        let (alone, idle) = (self.is_alone(), self.settings.idle);
        let due = async {
            match due {
                Some(due) => {
                    tokio::time::sleep_until(due.into()).await;
                    Woken::Due
                }
                None if alone => {
                    tokio::time::sleep(idle).await;
                    Woken::Idle
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            count = self.requests.recv_many(queued, GROUP) => match count {
                0 => Woken::Ended,
                _ => Woken::Requests,
            },
            () = appended => Woken::Appended,
            woken = due => woken,
        }
    }

    /// Writes a group behind what the journal has, and answers those who wait for it.
    async fn commit(&mut self, group: Vec<Waiting>) -> Result<(), StoreError> {
        let mut group = self.left_to_journal(group);
        if self.counts.lock.as_ref().is_none_or(Counting::may_count) {
            return self.commit_all(group).await;
        }
        // What counts may have to wait for others. The rest does not wait for that.
        let counted: Vec<Waiting> = group.extract_if(.., |(batch, _)| counts(batch)).collect();
        let committed = self.commit_all(group).await;
        if counted.is_empty() || committed.is_err() {
            return refuse(counted, committed);
        }
        match self.wait_to_count().await {
            Ok(()) => {
                let waiting = |(_, answer): &Waiting| !answer.is_closed();
                self.commit_all(counted.into_iter().filter(waiting).collect()).await
            }
            Err(error) => {
                tracing::warn!(%error, "calls cannot be counted");
                let _ = refuse(counted, Err(error));
                Ok(())
            }
        }
    }

    async fn commit_all(&mut self, group: Vec<Waiting>) -> Result<(), StoreError> {
        let (batches, answers): (Vec<Batch>, Vec<_>) = group.into_iter().unzip();
        let deadline = self.settings.deadline;
        let written = tokio::time::timeout(deadline, self.write(batches)).await;
        let written = written.unwrap_or_else(|_| Err(self.too_late(deadline)));
        // A receiver that is gone no longer wants to know.
        match written {
            Ok(results) => {
                for (answer, result) in answers.into_iter().zip(results) {
                    let _ = answer.send(result.map(|()| Taken::Down));
                }
                if std::mem::take(&mut self.counts.has_counted)
                    && let Err(error) = self.try_alone().await
                {
                    // The group is down. The next one that counts finds out why it cannot.
                    tracing::debug!(%error, "calls are not counted ahead of the database");
                }
                Ok(())
            }
            Err(error) => {
                if let Some(journal) = &*self.journal.load() {
                    journal.close();
                }
                tracing::warn!(%error, "the store cannot be written");
                for answer in answers {
                    let _ = answer.send(Err(error.clone().into()));
                }
                Err(error)
            }
        }
    }

    /// Has the journal take what it can by now. Many came because it could not while a group was
    /// written: what that group took of windows and budgets was not known yet. If each group brought the
    /// next one about, nothing would be counted ahead any more.
    fn left_to_journal(&self, group: Vec<Waiting>) -> Vec<Waiting> {
        let journal = self.journal.load();
        let Some(journal) = &*journal else { return group };
        let take = |(batch, answer): Waiting| match journal.take_aside(
            batch,
            &self.place,
            self.settings.clock,
        ) {
            Ok(taken) => {
                let _ = answer.send(Ok(taken));
                None
            }
            Err(batch) => Some((*batch, answer)),
        };
        group.into_iter().filter_map(take).collect()
    }

    /// Writes a group. On an error, or when this future is dropped, the connection is given
    /// up, and with it whatever was not committed.
    async fn write(
        &mut self,
        batches: Vec<Batch>,
    ) -> Result<Vec<Result<(), CommitError>>, StoreError> {
        let journal = self.journal.load_full();
        let leaves = self.leaves();
        if let Some(journal) = journal.as_ref().filter(|_| leaves) {
            journal.stop_counting();
        }
        if batches.is_empty() && !journal.as_ref().is_some_and(|journal| journal.is_behind()) {
            self.left(leaves);
            return Ok(Vec::new());
        }
        let counted = batches.iter().any(counts);
        let mut connection = self.connect().await?;
        let head = self.head.take();
        if let Some(journal) = &journal {
            if self.in_doubt {
                let resolved = self.resolve(&mut connection, journal.name()).await;
                resolved.map_err(|error| self.place.describe(&error))?;
            }
            journal.leave_to_writer(&batches);
            journal.hand_over(&mut self.ahead);
        }
        self.groups = self.groups.wrapping_add(1);
        let forget = self.groups % FORGET_EVERY == 1;
        // Before anything is read: what is read is not older than this.
        let asked = Instant::now();
        let (plain, taken) = (batches.iter().all(is_plain), batches.iter().all(is_taken));
        if let Some(mut head) = head
            && plain
            && self.ahead.is_empty()
            && !forget
            && !self.stopped
            && batches.iter().all(|batch| self.known.has_all(&batch.events))
        {
            let written = plain::write(&mut connection, &mut head, &batches).await;
            if written.map_err(|error| self.place.describe(&error))? == Plain::Written {
                (self.connection, self.head) = (Some(connection), Some(head));
                self.until_journal = self.until_journal.saturating_sub(1);
                let guarded = batches.iter().any(|batch| batch.guard.is_some());
                self.succeeded(guarded.then_some((asked, &[])));
                return Ok(batches.iter().map(|_| Ok(())).collect());
            }
        }
        let begun = connection.begin_with("BEGIN IMMEDIATE").await;
        let transaction = begun.map_err(|error| self.place.describe(&error))?;
        let ahead = journal.as_ref().filter(|_| !self.ahead.is_empty()).map(|journal| Pending {
            name: journal.name(),
            ahead: &self.ahead,
            texts: &self.doubted,
        });
        let pending = ahead.is_some();
        self.in_doubt = pending;
        let now = (self.settings.clock)();
        let written =
            write_group(transaction, ahead, batches, now, forget, &self.place, &self.known).await;
        let Written { results, stops, head, left, texts } =
            written.map_err(|error| self.place.describe(&error))?;
        (self.connection, self.head) = (Some(connection), Some(head));
        self.known.add(texts);
        if pending {
            self.known.add(std::mem::take(&mut self.doubted));
        }
        self.stopped = !stops.is_empty();
        self.until_journal = self.until_journal.saturating_sub(u32::from(taken));
        if let Some(journal) = &journal {
            journal.applied(self.ahead.newest);
        }
        self.ahead.clear();
        self.in_doubt = false;
        self.succeeded(Some((asked, &stops)));
        self.counts.has_counted = counted && !leaves;
        if let Some(journal) = journal.filter(|_| self.counts.has_counted && self.is_alone()) {
            journal.learn(left);
        }
        self.left(leaves);
        Ok(results)
    }

    /// Whether this process is to let others count.
    fn leaves(&mut self) -> bool {
        let alone = self.counts.lock.as_mut().filter(|counting| counting.is_alone());
        alone.is_some_and(|counting| self.counts.is_idle || !counting.may_be_alone())
    }

    /// What it counted is in the database: others may.
    fn left(&mut self, leaves: bool) {
        if let Some(counting) = self.counts.lock.as_mut().filter(|_| leaves) {
            counting.release();
        }
    }

    fn is_alone(&self) -> bool {
        self.counts.lock.as_ref().is_some_and(Counting::is_alone)
    }

    /// Waits until this process may count.
    async fn wait_to_count(&mut self) -> Result<(), StoreError> {
        let patience = if self.counts.is_hopeless { Duration::ZERO } else { PATIENCE };
        let until = Instant::now() + patience;
        while !self.hold(Counting::share)? {
            if Instant::now() >= until {
                self.counts.is_hopeless = true;
                let message = "another process counts calls and budgets and does not answer: end it, \
                               or try again";
                return Err(self.place.error(message.into()));
            }
            tokio::time::sleep(LOOK).await;
        }
        self.counts.is_hopeless = false;
        self.settle_counts().await
    }

    /// Where others do not count any more, goes on alone. Where windows and budgets stand is known from
    /// the next group on: somebody may have counted since the last one.
    async fn try_alone(&mut self) -> Result<(), StoreError> {
        let now = Instant::now();
        let is_early = self.counts.next_try.is_some_and(|time| now < time);
        let Some(counting) = &mut self.counts.lock else { return Ok(()) };
        if is_early || counting.is_alone() || !counting.may_be_alone() {
            return Ok(());
        }
        if self.journal.load().is_none() {
            return Ok(());
        }
        self.counts.next_try = Some(now + self.settings.alone_after);
        if self.hold(Counting::alone)? { self.settle_counts().await } else { Ok(()) }
    }

    fn hold(
        &mut self,
        how: fn(&mut Counting) -> std::io::Result<bool>,
    ) -> Result<bool, StoreError> {
        let Some(counting) = &mut self.counts.lock else { return Ok(true) };
        self.place.file()?;
        how(counting).map_err(|error| {
            self.place.error(format!(
                "its file `-counting`, by whose lock calls are counted, cannot be opened: {error}; \
                 check who owns it and its folder"
            ))
        })
    }

    /// Has in the database what others counted before this process had the lock.
    async fn settle_counts(&mut self) -> Result<(), StoreError> {
        let mut connection = self.connect().await?;
        let own = self.journal.load_full();
        let own = own.as_ref().map(|journal| journal.name());
        orphan::settle_counts(&self.place, &mut connection, own).await?;
        self.connection = Some(connection);
        if let Some(counting) = &mut self.counts.lock {
            counting.settled();
        }
        Ok(())
    }

    /// Finds out whether a transaction that seemed to fail did: `COMMIT` may have been under way
    /// when it was given up. The lock is had when it has ended, one way or the other.
    async fn resolve(
        &mut self,
        connection: &mut SqliteConnection,
        journal: &str,
    ) -> Result<(), sqlx::Error> {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let applied = orphan::applied(&mut *transaction, journal).await?;
        transaction.rollback().await?;
        if applied >= self.ahead.newest {
            self.ahead.clear();
        }
        self.in_doubt = false;
        Ok(())
    }

    /// The database can be written: so may the journal.
    fn succeeded(&self, asked: Option<(Instant, &[StopScope])>) {
        if let Some(journal) = &*self.journal.load() {
            journal.open(self.file, asked);
        }
    }

    /// The connection, if it still leads to the file that is at the path. `SQLite` itself goes
    /// on writing to a file that was deleted.
    async fn connect(&mut self) -> Result<SqliteConnection, StoreError> {
        let connection = self.connection.take();
        let file = self.place.file()?;
        match connection {
            Some(connection) if self.file == file => Ok(connection),
            _ => {
                // Its number may be that of a file that was there before: it may be another one all the
                // same, and the end of another chain.
                self.doubted.extend(self.known.forget());
                (self.file, self.head) = (file, None);
                self.place.set_up().await
            }
        }
    }

    fn too_late(&self, deadline: Duration) -> StoreError {
        let seconds = deadline.as_secs_f32();
        self.place.error(format!("a write took longer than {seconds} s: its disk is too slow"))
    }

    /// Begins a journal where there is none and enough is written for one, and gives up one
    /// whose file was removed or cannot be synced.
    async fn begin_journal(&mut self) {
        let current = self.journal.load_full();
        if current.as_ref().is_some_and(|journal| !journal.is_sound()) {
            self.end_journal().await;
        }
        let Some(database) = self.place.path() else { return };
        if current.is_some() || self.until_journal > 0 {
            return;
        }
        let (database, durability) = (database.to_owned(), self.settings.durability);
        let known = Arc::clone(&self.known);
        let begun =
            tokio::task::spawn_blocking(move || Journal::create(&database, durability, known));
        match begun.await {
            Ok(Ok(journal)) => self.journal.store(Some(Arc::new(journal))),
            Ok(Err(error)) => {
                tracing::debug!(%error, "no journal beside the store: each batch is written to it");
                self.until_journal = JOURNAL_AGAIN;
            }
            // The runtime ends, and this task with it.
            Err(_) => {}
        }
    }

    /// Takes everything over, and removes the journal. One that cannot be taken over stays for
    /// whoever opens the store next.
    async fn end_journal(&mut self) {
        let Some(journal) = self.journal.load_full() else { return };
        // For good: a transaction that goes well opens one that is closed.
        journal.end();
        if self.commit(Vec::new()).await.is_err() {
            return;
        }
        self.journal.store(None);
        self.until_journal = JOURNAL_AGAIN;
        self.left(true);
        // First the file: with its row gone, what is in it would be taken over once more.
        if let Err(error) = journal.remove() {
            tracing::debug!(%error, "a journal that is done with is left to the next process");
            return;
        }
        if let Some(connection) = &mut self.connection {
            let _ = orphan::forget(connection, journal.name()).await;
        }
    }
}

impl Drop for Writer {
    /// However it ends: nothing is counted ahead any more once others may count.
    fn drop(&mut self) {
        if let Some(journal) = &*self.journal.load() {
            journal.end();
        }
    }
}

/// Tells those who wait why nothing was written, if it was for a reason.
fn refuse(group: Vec<Waiting>, written: Result<(), StoreError>) -> Result<(), StoreError> {
    if let Err(error) = &written {
        for (_, answer) in group {
            let _ = answer.send(Err(error.clone().into()));
        }
    }
    written
}

/// What goes into a transaction before anything else.
struct Pending<'a> {
    name: &'a str,
    ahead: &'a Ahead,
    /// What its events may name, if the database does not have it.
    texts: &'a [Shared],
}

/// What a transaction left.
struct Written {
    /// What became of each batch.
    results: Vec<Result<(), CommitError>>,
    /// What is stopped.
    stops: Vec<StopScope>,
    /// The chain's end.
    head: Head,
    /// Where windows and budgets stand that the batches took of.
    left: Left,
    /// The texts that the database did not have.
    texts: Vec<Shared>,
}

async fn write_group(
    transaction: Transaction<'_, sqlx::Sqlite>,
    pending: Option<Pending<'_>>,
    batches: Vec<Batch>,
    now: i64,
    forget: bool,
    place: &Place,
    known: &Known,
) -> Result<Written, sqlx::Error> {
    let mut transaction = transaction;
    let mut head = chain::head(&mut transaction).await?;
    if let Some(Pending { name, ahead, texts }) = pending {
        for text in texts {
            shared::insert(&mut transaction, text).await?;
        }
        insert_events(&mut transaction, &mut head, Box::new(ahead.events.rows())).await?;
        ahead.uses.write(&mut transaction).await?;
        note_applied(&mut transaction, name, ahead.newest).await?;
    }
    if forget {
        forget_expired(&mut transaction, now).await?;
    }
    let mut group = Group::new(&mut transaction, now);
    let mut results = Vec::with_capacity(batches.len());
    for batch in batches {
        results.push(match group.add(batch).await {
            Ok(()) => Ok(()),
            Err(Refusal::Batch(refused)) => Err(refused),
            Err(Refusal::Conflict(error)) => Err(place.describe(&error).into()),
            Err(Refusal::Store(error)) => return Err(error),
        });
    }
    let stops = group.stops().await?.to_vec();
    let left = group.left();
    let texts = group.write(&mut head, known).await?;
    transaction.commit().await?;
    Ok(Written { results, stops, head, left, texts })
}
