//! Who counts: a lock on a file beside the database, `NAME-counting`.
//!
//! Calls in windows and what they take of budgets are counted in the database, in transactions:
//! whoever counts so holds the lock together with others who do. A process that is the only one may
//! hold it alone. It then counts ahead of the database, and nobody else counts at all. It lets go of
//! the lock, with all that it counted in the database, once it sees another process or has nothing
//! to count.
//!
//! The system lets go of a lock however a process ends. What one counted ahead stands in its journal
//! then: whoever gets the lock has that taken over before it counts.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::live;
use super::place::{FileIdentity, identity_of};

/// What stands behind the database's name.
const SUFFIX: &str = "-counting";

/// Which part of the lock this process has.
#[derive(Debug)]
enum Held {
    Nothing,
    Shared(Locked),
    Alone(Locked),
}

/// A file that is locked for as long as it is there.
#[derive(Debug)]
struct Locked {
    _file: File,
    identity: FileIdentity,
}

/// This process's part in counting.
#[derive(Debug)]
pub(super) struct Counting {
    /// As it was named: where that is a link, it may lead elsewhere by now.
    database: PathBuf,
    /// The name of this process among those that [live](super::live).
    process: String,
    /// Those of them that were killed.
    ended: BTreeSet<String>,
    held: Held,
    /// Whether what others counted before is in the database.
    settled: bool,
}

impl Counting {
    /// `process` is its own name among those that live beside the database.
    pub(super) fn new(database: &Path, process: &str) -> Self {
        let (database, process) = (database.to_owned(), process.to_owned());
        let (ended, held) = (BTreeSet::new(), Held::Nothing);
        Self { database, process, ended, held, settled: false }
    }

    /// Whether this process may count in transactions.
    pub(super) fn may_count(&self) -> bool {
        self.settled
            && match &self.held {
                Held::Nothing => false,
                Held::Shared(locked) => self.is_at(locked),
                // Where the file is gone, what was counted ahead must be in the database before
                // another one is locked.
                Held::Alone(_) => true,
            }
    }

    /// Whether this process counts alone.
    pub(super) fn is_alone(&self) -> bool {
        self.settled && matches!(self.held, Held::Alone(_))
    }

    /// Takes the lock together with others: `false` where another process has it alone. Nothing is
    /// to be counted before all is [settled](Self::settled).
    pub(super) fn share(&mut self) -> io::Result<bool> {
        self.release();
        self.held = self.lock(File::try_lock_shared)?.map_or(Held::Nothing, Held::Shared);
        Ok(!matches!(self.held, Held::Nothing))
    }

    /// The same alone: `false` where others have it, and then this process does not.
    pub(super) fn alone(&mut self) -> io::Result<bool> {
        self.release();
        self.held = self.lock(File::try_lock)?.map_or(Held::Nothing, Held::Alone);
        Ok(!matches!(self.held, Held::Nothing))
    }

    /// What others counted before is in the database.
    pub(super) fn settled(&mut self) {
        self.settled = true;
    }

    /// Whether this process may go on alone: nobody else is there, and the lock still is.
    pub(super) fn may_be_alone(&mut self) -> bool {
        let is_there = match &self.held {
            Held::Nothing => true,
            Held::Shared(locked) | Held::Alone(locked) => self.is_at(locked),
        };
        let others = live::has_others(&self.database, &self.process, &mut self.ended);
        is_there && !others.unwrap_or(true)
    }

    /// Counts no more.
    pub(super) fn release(&mut self) {
        (self.held, self.settled) = (Held::Nothing, false);
    }

    /// The file beside the database that is there now, links followed as `SQLite` does.
    fn path(&self) -> io::Result<PathBuf> {
        let mut path = self.database.canonicalize()?.into_os_string();
        path.push(SUFFIX);
        Ok(path.into())
    }

    fn is_at(&self, locked: &Locked) -> bool {
        let there = self.path().and_then(std::fs::metadata);
        there.is_ok_and(|metadata| identity_of(&metadata) == locked.identity)
    }

    /// `None` where others have it, or it is not there any more.
    fn lock(
        &self,
        lock: impl FnOnce(&File) -> Result<(), TryLockError>,
    ) -> io::Result<Option<Locked>> {
        let mut options = OpenOptions::new();
        // NFS asks for reading where a lock is shared.
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(self.path()?)?;
        match lock(&file) {
            Ok(()) => {
                let identity = identity_of(&file.metadata()?);
                let locked = Locked { _file: file, identity };
                Ok(self.is_at(&locked).then_some(locked))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
