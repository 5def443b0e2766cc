//! A journal's file: two halves that are written in turn, and the lock that says who lives.
//!
//! A half is written again from its start once all that was in it is in the database, so the
//! file never grows past both. What an earlier run left behind the newer one is told apart by
//! the records' numbers.
//!
//! Whoever writes the file holds its lock for as long as it lives, and the system lets go of it
//! however a process ends. So a file whose lock can be had belongs to nobody any more.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::record::{self, Foreign, Record};
use crate::store::Durability;
use crate::store::place::{FileIdentity, identity_of};

/// The bytes of one half.
pub(super) const HALF: u64 = 2 * 1024 * 1024;

/// A record above this is not worth the room: it would often not fit in what is left of a half.
const LARGEST: usize = 256 * 1024;

/// What stands between the database's name and the journal's own.
const INFIX: &str = "-ahead-";

/// A file that this process writes.
#[derive(Debug)]
pub(super) struct JournalFile {
    path: PathBuf,
    identity: FileIdentity,
    file: Arc<File>,
    /// Which half is being written, and how far.
    half: usize,
    at: u64,
    /// Where the file would go on writing, if that is known.
    cursor: Option<u64>,
    /// The number of the newest record of each half.
    newest: [u64; 2],
}

/// Why a record was not written.
#[derive(Debug)]
pub(super) enum Full {
    /// There is no room until more is in the database, or never for one as large.
    NoRoom,
    /// The system refused.
    Failed(io::Error),
}

impl JournalFile {
    /// Begins a journal beside a database. With [`Durability::Full`] its room is taken from the
    /// disk at once, so that what is written later has no more to wait for than itself.
    pub(super) fn create(database: &Path, durability: Durability) -> io::Result<Self> {
        let (folder, name) = beside(database)?;
        loop {
            let path = folder.join(format!("{name}{INFIX}{}", ulid::Ulid::new()));
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(&path)?;
            file.lock()?;
            // Until it was locked it looked like one that nobody owns, and may be gone.
            let identity = identity_of(&file.metadata()?);
            if !is_at(&path, identity) {
                continue;
            }
            let journal = Self {
                path,
                identity,
                file: Arc::new(file),
                half: 0,
                at: 0,
                cursor: None,
                newest: [0; 2],
            };
            let ready = match durability {
                Durability::Process => Ok(()),
                Durability::Full => journal.take_room(&folder),
            };
            match ready {
                Ok(()) => return Ok(journal),
                Err(error) => {
                    let _ = journal.remove();
                    return Err(error);
                }
            }
        }
    }

    /// A journal in a file that takes everything and cannot be synced.
    #[cfg(test)]
    pub(super) fn unsyncable() -> io::Result<Self> {
        let path = PathBuf::from("/dev/null");
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let identity = identity_of(&file.metadata()?);
        let (file, newest) = (Arc::new(file), [0; 2]);
        Ok(Self { path, identity, file, half: 0, at: 0, cursor: None, newest })
    }

    fn take_room(&self, folder: &Path) -> io::Result<()> {
        let zeros = vec![0; 64 * 1024];
        let mut left = 2 * HALF;
        while left > 0 {
            (&*self.file).write_all(&zeros)?;
            left -= zeros.len() as u64;
        }
        self.file.sync_all()?;
        // That the file is there at all is on record in its folder.
        File::open(folder)?.sync_all()
    }

    /// Its name, without its folder.
    pub(super) fn name(&self) -> String {
        name_of(&self.path)
    }

    /// The file itself, to be synced.
    pub(super) fn handle(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Whether the file is still where it was made.
    pub(super) fn is_there(&self) -> bool {
        is_at(&self.path, self.identity)
    }

    /// Writes a record behind the last one. `applied` is the number up to which the records are
    /// in the database. After an error the record counts as not written.
    pub(super) fn append(&mut self, record: &[u8], number: u64, applied: u64) -> Result<(), Full> {
        if record.len() > LARGEST {
            return Err(Full::NoRoom);
        }
        let length = record.len() as u64;
        if self.at + length > HALF {
            let other = 1 - self.half;
            if self.newest[other] > applied {
                return Err(Full::NoRoom);
            }
            (self.half, self.at, self.newest[other]) = (other, 0, 0);
        }
        let place = self.half as u64 * HALF + self.at;
        let mut file = &*self.file;
        let written = match self.cursor.replace(place + length) {
            Some(cursor) if cursor == place => Ok(place),
            _ => file.seek(SeekFrom::Start(place)),
        };
        match written.and_then(|_| file.write_all(record)) {
            Ok(()) => {
                self.at += length;
                self.newest[self.half] = number;
                Ok(())
            }
            Err(error) => {
                self.cursor = None;
                Err(Full::Failed(error))
            }
        }
    }

    /// Ends the journal. All that is in it must be in the database.
    pub(super) fn remove(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

/// A file whose process has ended.
#[derive(Debug)]
pub(super) struct Orphan {
    path: PathBuf,
    /// It holds the lock.
    file: File,
}

/// What a journal's file beside a database is.
#[derive(Debug)]
pub(super) enum Found {
    /// Nobody writes it any more.
    Orphan(Orphan),
    /// Its process lives, and has written records up to this number.
    Alive(u64),
    /// It has just been removed.
    Gone,
}

impl Orphan {
    /// Its records after that number, in order. A tail that was torn is none.
    pub(super) fn after(&self, applied: u64) -> io::Result<Vec<Record>> {
        let mut records = read(&self.file)?;
        records.retain(|record| record.number > applied);
        Ok(records)
    }

    /// Removes the file.
    pub(super) fn remove(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

/// The journals beside a database.
pub(super) fn list(database: &Path) -> io::Result<Vec<PathBuf>> {
    let (folder, name) = beside(database)?;
    let start = format!("{name}{INFIX}");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&start) {
            found.push(entry.path());
        }
    }
    // Their names sort by the time at which they were begun.
    found.sort();
    Ok(found)
}

/// Looks at one of them.
pub(super) fn look(path: &Path) -> io::Result<Found> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Gone),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        // Who held the lock before may have removed it meanwhile.
        Ok(()) if !is_at(path, identity_of(&file.metadata()?)) => Ok(Found::Gone),
        Ok(()) => Ok(Found::Orphan(Orphan { path: path.to_owned(), file })),
        Err(TryLockError::WouldBlock) => {
            Ok(Found::Alive(read(&file)?.last().map_or(0, |last| last.number)))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A journal's name in the database.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The records of both halves, in order. [`io::ErrorKind::InvalidData`] where another version wrote
/// them.
fn read(file: &File) -> io::Result<Vec<Record>> {
    let mut bytes = Vec::new();
    let mut file = file;
    file.seek(SeekFrom::Start(0))?;
    file.take(2 * HALF).read_to_end(&mut bytes)?;
    let half = usize::try_from(HALF).unwrap_or(usize::MAX).min(bytes.len());
    let (first, second) = bytes.split_at(half);
    let foreign = |Foreign| {
        let message = "its records are in the form of another version of tollbridge";
        io::Error::new(io::ErrorKind::InvalidData, message)
    };
    let mut records = record::run(first).map_err(foreign)?;
    records.extend(record::run(second).map_err(foreign)?);
    records.sort_unstable_by_key(|record| record.number);
    Ok(records)
}

/// The folder that the database is in, links followed as `SQLite` does, and its name there.
fn beside(database: &Path) -> io::Result<(PathBuf, String)> {
    let real = database.canonicalize()?;
    let folder = real.parent().unwrap_or(Path::new("/")).to_owned();
    Ok((folder, name_of(&real)))
}

fn is_at(path: &Path, identity: FileIdentity) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| identity_of(&metadata) == identity)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::store::EventRow;
    use crate::store::journal::uses::Uses;

    fn database(folder: &tempfile::TempDir) -> PathBuf {
        let path = folder.path().join("store.db");
        std::fs::write(&path, "").unwrap();
        path
    }

    /// A record of about so many bytes.
    fn record(number: u64, bytes: usize) -> Vec<u8> {
        let event = EventRow {
            call: None,
            at: 0,
            kind: "k".into(),
            identity: None,
            tool: None,
            api: None,
            operation: None,
            decision: None,
            outcome: None,
            body: "b".repeat(bytes),
            payload: None,
        };
        let mut buffer = Vec::new();
        assert!(record::write(&mut buffer, number, &Uses::default(), &[event]).is_some());
        buffer
    }

    fn numbers(path: &Path, applied: u64) -> Vec<u64> {
        match look(path).unwrap() {
            Found::Orphan(orphan) => {
                orphan.after(applied).unwrap().iter().map(|record| record.number).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_writes_it_is_told_from_who_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder);
        let mut journal = JournalFile::create(&database, Durability::Process).unwrap();
        journal.append(&record(1, 10), 1, 0).unwrap();
        journal.append(&record(2, 10), 2, 0).unwrap();
        let listed = list(&database).unwrap();
        assert_eq!(listed.len(), 1);
        assert!(matches!(look(&listed[0]).unwrap(), Found::Alive(2)));
        drop(journal);
        assert_eq!(numbers(&listed[0], 1), [2]);
        std::fs::remove_file(&listed[0]).unwrap();
        assert!(matches!(look(&listed[0]).unwrap(), Found::Gone));
    }

    #[test]
    fn its_halves_are_written_in_turn_and_read_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder);
        let mut journal = JournalFile::create(&database, Durability::Process).unwrap();
        let path = list(&database).unwrap().remove(0);
        let size = 100_000;
        let mut number = 0;
        let mut applied = 0;
        // Three times around, each half given free when the other one is full.
        for _ in 0..130 {
            number += 1;
            let record = record(number, size);
            if matches!(journal.append(&record, number, applied), Err(Full::NoRoom)) {
                assert!(number - applied > 20, "what is applied is written over");
                applied = number - 10;
                journal.append(&record, number, applied).unwrap();
            }
        }
        drop(journal);
        assert!(std::fs::metadata(&path).unwrap().len() <= 2 * HALF);
        let expected: Vec<u64> = (applied + 1..=number).collect();
        assert_eq!(numbers(&path, applied), expected);
    }

    #[test]
    fn a_record_that_is_too_large_for_it_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = JournalFile::create(&database(&folder), Durability::Process).unwrap();
        assert!(matches!(journal.append(&record(1, LARGEST), 1, 0), Err(Full::NoRoom)));
    }

    #[test]
    fn with_full_durability_its_room_is_there_from_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder);
        let mut journal = JournalFile::create(&database, Durability::Full).unwrap();
        journal.append(&record(1, 10), 1, 0).unwrap();
        let path = list(&database).unwrap().remove(0);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 2 * HALF);
        drop(journal);
        assert_eq!(numbers(&path, 0), [1]);
    }
}
