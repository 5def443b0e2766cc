//! What is acknowledged before it is in the database.
//!
//! A transaction costs several times what it costs to append the same bytes to a file, and most
//! batches are events and nothing else. Those are appended to a file beside the database, which
//! survives a killed process as the database's own log does; with [`Durability::Full`] their
//! receipt waits until they are on the disk, many at once. The writer takes them over into the
//! database some milliseconds later, in large transactions that also say how far they went.
//!
//! What must hold:
//!
//! - What was acknowledged is in the database sooner or later, once and in order. The file of a
//!   process that was killed is taken over by the next one that opens the store ([`orphan`]).
//! - Reads of this process wait for what it acknowledged; so does another process's opening.
//! - Whatever is more than events and what they take of windows and budgets (holds, switches, keys)
//!   goes to the writer, and the writer takes the journal over first. So what a caller knows to be
//!   written stays before what it writes next.
//! - What is taken of a window or a budget is taken here only while this process alone counts, and
//!   while what is known of it leaves room without doubt ([`standing`](super::standing)); the writer judges all else.
//! - What events name of [texts](super::shared) that they share is in the database before they are here;
//!   and before them in the half of the file where they are, as the database that takes them over may be
//!   an older copy.
//! - The journal takes nothing that the database would refuse. It is open only while the writer
//!   succeeds and the database is the file that it wrote to; and for calls that the kill switch
//!   can stop, only for [`LEASE`] after the writer saw that nothing is stopped. Whoever stops
//!   something waits for so long before it says that it did.
//!
//! Where the journal does not take a batch, for any reason, the writer does, or says why not.

#[cfg(test)]
mod counted;
#[cfg(target_os = "linux")]
mod direct;
mod disk;
mod file;
pub(super) mod orphan;
mod record;
mod sync;
#[cfg(test)]
pub(super) mod tests;
mod uses;
mod watch;

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use self::file::{Full, JournalFile};
use self::record::Events;
use self::sync::{Due, Syncing};
pub(super) use self::uses::Uses;
use self::watch::Watch;
use super::place::{FileIdentity, Place};
use super::shared::{self, Known, Shared};
use super::standing::{Left, Standings};
use super::{Batch, Clock, Durability, StopScope};

/// For how long nothing may be stopped without asking again.
pub(super) const LEASE: Duration = Duration::from_millis(100);

/// For how long the database counts as the file that it was, without looking again. Whoever moves
/// it away is as likely to do so behind a look as in between two.
const LOOK: Duration = Duration::from_millis(5);

/// How often a thread that takes a batch takes what others queued, before it leaves that to the writer.
const ROUNDS: usize = 16;

/// The journal of one store.
#[derive(Debug)]
pub(super) struct Journal {
    name: String,
    durability: Durability,
    /// Who watches workers of the runtime that the disk holds up, where it may.
    watch: Option<Arc<Watch>>,
    state: Mutex<State>,
    /// Whether who has the state takes batches, and will take what is queued.
    is_taking: AtomicBool,
    /// Batches that came while another was being taken.
    queue: Mutex<Vec<Queued>>,
    /// The texts that events may name.
    known: Arc<Known>,
    /// Told when there is something to take over.
    appended: Notify,
}

#[derive(Debug)]
struct State {
    file: JournalFile,
    /// Where records are put together.
    buffer: Vec<u8>,
    /// The number of the newest record, and of the newest that the database has.
    newest: u64,
    applied: u64,
    /// The texts that stand in the half of the file that is written.
    texts: HashSet<Shared>,
    /// The events that it does not have yet, and what was taken with them.
    waiting: Events,
    uses: Uses,
    /// What is known of windows and budgets; nothing unless this process counts alone.
    standings: Standings,
    /// The database, while the writer can write to it.
    open: Option<FileIdentity>,
    /// When it was last seen to be there.
    seen: Option<Instant>,
    /// Until when nothing is stopped, as far as anybody knows.
    free_until: Option<Instant>,
    /// Whether it takes nothing any more: it is about to be removed, or the file could not be synced
    /// once. What it has behind that place may not be read after a loss of power, though it is
    /// synced.
    is_over: bool,
    syncing: Syncing,
}

/// A batch that waits to be taken.
#[derive(Debug)]
struct Queued {
    batch: Batch,
    answer: oneshot::Sender<Result<Taken, Box<Batch>>>,
}

/// What a journal says that was asked to take a batch: that it did, or the batch again, which the writer
/// must then take.
#[derive(Debug)]
pub(super) enum Asked {
    /// This.
    Answered(Result<Taken, Box<Batch>>),
    /// It will say it here.
    Queued(oneshot::Receiver<Result<Taken, Box<Batch>>>),
}

/// What became of a batch that was taken.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is down.
    Down,
    /// It is down, after so long a wait for the disk; or the disk refused.
    Synced(io::Result<Duration>),
    /// It is down once this says so.
    Syncing(oneshot::Receiver<io::Result<()>>),
}

/// Events that the database does not have yet, what was taken with them, and the number up to which
/// they go.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    pub(super) events: Events,
    pub(super) uses: Uses,
    pub(super) newest: u64,
}

impl Ahead {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.uses.is_empty()
    }

    /// It is in the database. The room is kept for others.
    pub(super) fn clear(&mut self) {
        self.events.clear();
        self.uses.clear();
    }
}

/// Whether a batch takes anything of windows or budgets.
pub(super) fn counts(batch: &Batch) -> bool {
    !batch.claims.is_empty() || !batch.budgets.is_empty()
}

/// Whether a batch is events and nothing else, behind the kill switch at most.
pub(super) fn is_plain(batch: &Batch) -> bool {
    is_taken(batch) && !counts(batch)
}

/// Whether a journal takes such a batch: events, and what they take of windows and budgets.
pub(super) fn is_taken(batch: &Batch) -> bool {
    let Batch { guard: _, claims: _, budgets: _, give_back, spend, changes, events } = batch;
    give_back.is_none() && spend.is_none() && changes.is_empty() && !events.is_empty()
}

impl Journal {
    /// Begins a journal beside a database. It is closed until the writer opens it.
    pub(super) fn create(
        database: &Path,
        durability: Durability,
        known: Arc<Known>,
    ) -> io::Result<Self> {
        let file = JournalFile::create(database, durability)?;
        Ok(Self {
            name: file.name(),
            durability,
            watch: Watch::here(),
            state: Mutex::new(State {
                file,
                buffer: Vec::new(),
                newest: 0,
                applied: 0,
                texts: HashSet::new(),
                waiting: Events::default(),
                uses: Uses::default(),
                standings: Standings::default(),
                open: None,
                seen: None,
                free_until: None,
                is_over: false,
                syncing: Syncing::default(),
            }),
            is_taking: AtomicBool::new(false),
            queue: Mutex::default(),
            known,
            appended: Notify::new(),
        })
    }

    /// Its name in the database.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Takes a batch [that can be taken](is_taken), if it may: if the database is there, among other
    /// things; else the writer must. `clock` is asked for the time at which it takes of windows and
    /// budgets, in microseconds since the Unix epoch.
    ///
    /// Where another batch is being taken, this one is left to whoever takes that: a thread that waited
    /// would hold up all that it could carry on meanwhile.
    pub(super) fn take(self: &Arc<Self>, batch: Batch, database: &Place, clock: Clock) -> Asked {
        if !is_taken(&batch) {
            return Asked::Answered(Err(Box::new(batch)));
        }
        if let Some(mut state) = self.begin_taking() {
            let due = self.take_in(&mut state, batch, database, clock, self.watch.is_some());
            // Who waits for the disk where it is takes nothing for others before that.
            let rounds = if matches!(due, Ok(Some(Due::Here))) { 1 } else { ROUNDS };
            self.end_taking(state, database, clock, rounds);
            return Asked::Answered(due.map(|due| self.taken(due)));
        }
        let (answer, answered) = oneshot::channel();
        self.queue().push(Queued { batch, answer });
        // Whoever was taking another may have looked before it was there.
        if let Some(state) = self.begin_taking() {
            self.end_taking(state, database, clock, ROUNDS);
        }
        Asked::Queued(answered)
    }

    /// The same, and whoever asks never waits for the disk.
    pub(super) fn take_aside(
        self: &Arc<Self>,
        batch: Batch,
        database: &Place,
        clock: Clock,
    ) -> Result<Taken, Box<Batch>> {
        if !is_taken(&batch) {
            return Err(Box::new(batch));
        }
        let mut state = self.state();
        self.is_taking.store(true, Ordering::SeqCst);
        let due = self.take_in(&mut state, batch, database, clock, false);
        self.end_taking(state, database, clock, ROUNDS);
        due.map(|due| self.taken(due))
    }

    /// The right to take batches; `None` where another thread has it, which takes what is queued before
    /// it is done.
    fn begin_taking(&self) -> Option<MutexGuard<'_, State>> {
        let state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(state)) => state.into_inner(),
            Err(TryLockError::WouldBlock) if self.is_taking.load(Ordering::SeqCst) => return None,
            // Nobody but those who take does anything there that takes long.
            Err(TryLockError::WouldBlock) => self.state(),
        };
        self.is_taking.store(true, Ordering::SeqCst);
        Some(state)
    }

    /// Takes what was queued meanwhile, and gives the right back.
    fn end_taking<'s>(
        self: &'s Arc<Self>,
        mut state: MutexGuard<'s, State>,
        database: &Place,
        clock: Clock,
        rounds: usize,
    ) {
        for _ in 0..rounds {
            let mut taken = Vec::new();
            for Queued { batch, answer } in std::mem::take(&mut *self.queue()) {
                // Nobody waits for it any more, so it must not have an effect.
                if !answer.is_closed() {
                    taken.push((answer, self.take_in(&mut state, batch, database, clock, false)));
                }
            }
            self.is_taking.store(false, Ordering::SeqCst);
            drop(state);
            for (answer, due) in taken {
                let _ = answer.send(due.map(|due| self.taken(due)));
            }
            // What was queued since then relies on this thread.
            if self.queue().is_empty() {
                return;
            }
            match self.begin_taking() {
                Some(again) => state = again,
                None => return,
            }
        }
        // It has a call of its own to carry on.
        self.is_taking.store(false, Ordering::SeqCst);
        drop(state);
        for Queued { batch, answer } in std::mem::take(&mut *self.queue()) {
            let _ = answer.send(Err(Box::new(batch)));
        }
    }

    /// Takes a batch; when the disk has it is told by what is returned. `may_wait` is whether whoever asks
    /// may wait for the disk where it is.
    fn take_in(
        self: &Arc<Self>,
        state: &mut State,
        batch: Batch,
        database: &Place,
        clock: Clock,
        may_wait: bool,
    ) -> Result<Option<Due>, Box<Batch>> {
        let now = Instant::now();
        let free = batch.guard.is_none() || state.free_until.is_some_and(|until| now < until);
        // In this order: what is known is forgotten before another database is gone by.
        if !free || !state.sees(database, now) || !self.known.has_all(&batch.events) {
            return Err(Box::new(batch));
        }
        let at = if counts(&batch) { clock() } else { 0 };
        if !state.standings.leave_room(&batch, at) {
            return Err(Box::new(batch));
        }
        let first = state.waiting.is_empty();
        if !state.append(&batch, at) {
            return Err(Box::new(batch));
        }
        if first {
            self.appended.notify_one();
        }
        let newest = state.newest;
        let due = match self.durability {
            Durability::Process => None,
            Durability::Full => Some(state.syncing.due(newest, may_wait)),
        };
        if matches!(due, Some(Due::Begin(_))) {
            self.begin_syncing();
        }
        Ok(due)
    }

    fn taken(self: &Arc<Self>, due: Option<Due>) -> Taken {
        match due {
            None => Taken::Down,
            Some(Due::Later(down) | Due::Begin(down)) => Taken::Syncing(down),
            Some(Due::Here) => Taken::Synced(self.sync_here()),
        }
    }

    /// Waits until there is something to take over.
    pub(super) async fn appended(&self) {
        self.appended.notified().await;
    }

    /// Hands over what the database does not have yet, behind what was handed over before.
    pub(super) fn hand_over(&self, ahead: &mut Ahead) {
        let mut state = self.state();
        ahead.newest = state.newest;
        if ahead.is_empty() {
            // The room that each of them has is used again.
            std::mem::swap(&mut ahead.events, &mut state.waiting);
            std::mem::swap(&mut ahead.uses, &mut state.uses);
        } else {
            ahead.uses.append(std::mem::take(&mut state.uses));
            ahead.events.append(&state.waiting);
            state.waiting.clear();
        }
    }

    /// What these batches take is judged by the writer from now on, until it says where that left
    /// windows and budgets.
    pub(super) fn leave_to_writer<'b>(&self, batches: impl IntoIterator<Item = &'b Batch>) {
        self.state().standings.forget(batches);
    }

    /// This is where windows and budgets stand. Only for who counts alone.
    pub(super) fn learn(&self, left: Left) {
        let mut state = self.state();
        if state.open.is_some() {
            state.standings.learn(left);
        }
    }

    /// Takes nothing more of windows and budgets.
    pub(super) fn stop_counting(&self) {
        self.state().standings.clear();
    }

    /// The records up to this number are in the database.
    pub(super) fn applied(&self, number: u64) {
        self.state().applied = number;
    }

    /// Whether the database lacks anything, as far as is known.
    pub(super) fn is_behind(&self) -> bool {
        let state = self.state();
        state.newest > state.applied
    }

    /// Batches may be taken as long as this is the database; guarded ones where, when it was
    /// last `asked`, nothing was stopped.
    pub(super) fn open(&self, database: FileIdentity, asked: Option<(Instant, &[StopScope])>) {
        let mut state = self.state();
        if state.is_over {
            return;
        }
        if state.open != Some(database) {
            (state.open, state.seen) = (Some(database), None);
            // What is known is of the one that was there before.
            state.standings.clear();
        }
        match asked {
            Some((asked, [])) => state.free_until = Some(asked + LEASE),
            Some(_) => state.free_until = None,
            None => {}
        }
    }

    /// Takes no batch from now on, until it is opened.
    pub(super) fn close(&self) {
        self.state().close();
    }

    /// Takes no batch any more, whatever happens.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.is_over = true;
        state.close();
    }

    /// Whether its file can be written and is still there: what is written to one that was removed
    /// survives nobody.
    pub(super) fn is_sound(&self) -> bool {
        let state = self.state();
        !state.is_over && state.file.is_there()
    }

    /// Removes a journal that has [ended](Self::end), and all of which is in the database.
    pub(super) fn remove(&self) -> io::Result<()> {
        self.state().file.remove()
    }

    fn queue(&self) -> MutexGuard<'_, Vec<Queued>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Writes a record, if there is room and the system lets us, and keeps what is in it until it is
    /// handed over. `at` is when what it takes is taken.
    fn append(&mut self, batch: &Batch, at: i64) -> bool {
        let uses = Uses::of(batch, at);
        let number = self.newest + 1;
        let events = &batch.events;
        let new = |here: &HashSet<Shared>| -> Vec<Shared> {
            shared::named(events).filter(|text| !here.contains(text)).cloned().collect()
        };
        let mut texts = new(&self.texts);
        let written = record::write(&mut self.buffer, number, &uses, &texts, events);
        let Some(mut begin) = written else { return false };
        if !self.file.goes_on(self.buffer.len()) {
            // What stands in this half is written over before what will stand in the other.
            self.texts.clear();
            texts = new(&self.texts);
            let written = record::write(&mut self.buffer, number, &uses, &texts, events);
            let Some(again) = written else { return false };
            begin = again;
        }
        match self.file.append(&self.buffer, number, self.applied) {
            Ok(()) => {
                self.newest = number;
                self.texts.extend(texts);
                self.waiting.add(&self.buffer, begin);
                self.standings.count(batch, at);
                self.uses.append(uses);
                true
            }
            Err(Full::NoRoom) => false,
            Err(Full::Failed(error)) => {
                tracing::warn!(%error, "the journal beside the store cannot be written");
                self.close();
                false
            }
        }
    }

    /// Whether the database is the file that the writer wrote to.
    fn sees(&mut self, database: &Place, now: Instant) -> bool {
        let Some(open) = self.open else { return false };
        if self.seen.is_some_and(|seen| now.saturating_duration_since(seen) < LOOK) {
            return true;
        }
        let there = database.file().is_ok_and(|file| file == open);
        self.seen = there.then_some(now);
        there
    }

    fn close(&mut self) {
        (self.open, self.seen) = (None, None);
        self.free_until = None;
        self.standings.clear();
    }
}
