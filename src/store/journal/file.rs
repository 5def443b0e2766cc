//! A journal's file: two halves that are written in turn, and the lock that says who lives.
//!
//! A half is written again from its start once all that was in it is in the database, so the
//! file never grows past both. What an earlier run left behind the newer one is told apart by
//! the records' numbers.
//!
//! With [`Durability::Process`] a record is in the file once it was appended. With
//! [`Durability::Full`] nobody may count on it before it was synced anyway: until then records are
//! gathered, and who syncs writes them ([`disk`](super::disk)).
//!
//! Whoever writes the file holds its lock for as long as it lives, and the system lets go of it
//! however a process ends. So a file whose lock can be had belongs to nobody any more.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{Cursor, Disk, Gathered};
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
    /// It holds the lock.
    _file: Arc<File>,
    writing: Writing,
    /// Which half is being written, and how far.
    half: usize,
    at: u64,
    /// The number of the newest record of each half.
    newest: [u64; 2],
}

/// How records get into it.
#[derive(Debug)]
enum Writing {
    /// Each as it comes.
    AtOnce(Cursor),
    /// All that were gathered, by who syncs.
    Together { records: Gathered, disk: Arc<Mutex<Disk>> },
}

/// Why a record was not written.
#[derive(Debug)]
pub(super) enum Full {
    /// There is no room until more is in the database or on the disk, or never for one as large.
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
            let file = Arc::new(options.open(&path)?);
            file.lock()?;
            // Until it was locked it looked like one that nobody owns, and may be gone.
            let identity = identity_of(&file.metadata()?);
            if !is_at(&path, identity) {
                continue;
            }
            let writing = match durability {
                Durability::Process => Writing::AtOnce(Cursor::new(Arc::clone(&file))),
                Durability::Full => {
                    if let Err(error) = take_room(&file, &folder) {
                        let _ = std::fs::remove_file(&path);
                        return Err(error);
                    }
                    Writing::together(disk(&path, identity, Arc::clone(&file)))
                }
            };
            return Ok(Self::new(path, identity, file, writing));
        }
    }

    fn new(path: PathBuf, identity: FileIdentity, file: Arc<File>, writing: Writing) -> Self {
        Self { path, identity, _file: file, writing, half: 0, at: 0, newest: [0; 2] }
    }

    /// A journal in a file that takes everything and cannot be synced.
    #[cfg(test)]
    pub(super) fn unsyncable() -> io::Result<Self> {
        let path = PathBuf::from("/dev/null");
        let file = Arc::new(OpenOptions::new().read(true).write(true).open(&path)?);
        let identity = identity_of(&file.metadata()?);
        let writing = Writing::together(Disk::synced(Arc::clone(&file)));
        Ok(Self::new(path, identity, file, writing))
    }

    /// The same file, on a disk that does as a test says.
    #[cfg(test)]
    pub(super) fn on(&mut self, disk: Disk) {
        self.writing = Writing::together(disk);
    }

    /// Its name, without its folder.
    pub(super) fn name(&self) -> String {
        name_of(&self.path)
    }

    /// Hands over to the disk what was gathered for it; `None` where nothing is. One at a time may
    /// ask, and is to write before the next one does.
    pub(super) fn gathered(&mut self) -> Option<Arc<Mutex<Disk>>> {
        let Writing::Together { records, disk } = &mut self.writing else { return None };
        lock(disk).take(records);
        Some(Arc::clone(disk))
    }

    /// Whether the file is still where it was made.
    pub(super) fn is_there(&self) -> bool {
        is_at(&self.path, self.identity)
    }

    /// Whether a record of that many bytes goes behind the last one, and not to the start of the other
    /// half.
    pub(super) fn goes_on(&self, record: usize) -> bool {
        self.at + record as u64 <= HALF
    }

    /// Writes a record behind the last one, or has it gathered to be written there. `applied` is the
    /// number up to which the records are in the database. After an error the record counts as not
    /// written.
    pub(super) fn append(&mut self, record: &[u8], number: u64, applied: u64) -> Result<(), Full> {
        if record.len() > LARGEST || self.writing.is_full() {
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
        match &mut self.writing {
            Writing::AtOnce(cursor) => cursor.write(place, record).map_err(Full::Failed)?,
            Writing::Together { records, .. } => records.add(place, record),
        }
        self.at += length;
        self.newest[self.half] = number;
        Ok(())
    }

    /// Ends the journal. All that is in it must be in the database.
    pub(super) fn remove(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

impl Writing {
    fn together(disk: Disk) -> Self {
        Self::Together { records: Gathered::default(), disk: Arc::new(Mutex::new(disk)) }
    }

    /// Whether as much is gathered as is to be written at once.
    fn is_full(&self) -> bool {
        matches!(self, Self::Together { records, .. } if records.length() as u64 > HALF / 2)
    }
}

/// Takes a journal's room from the disk.
fn take_room(mut file: &File, folder: &Path) -> io::Result<()> {
    let zeros = vec![0; 64 * 1024];
    let mut left = 2 * HALF;
    while left > 0 {
        file.write_all(&zeros)?;
        left -= zeros.len() as u64;
    }
    file.sync_all()?;
    // That the file is there at all is on record in its folder.
    File::open(folder)?.sync_all()
}

/// How that file, which was just made, is best written and synced.
fn disk(path: &Path, identity: FileIdentity, file: Arc<File>) -> Disk {
    #[cfg(target_os = "linux")]
    match super::direct::Direct::open(path, identity) {
        Ok(direct) => return Disk::direct(direct),
        Err(error) => tracing::debug!(%error, "the journal is written through the system's cache"),
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (path, identity);
    Disk::synced(file)
}

/// The disk, for the one who writes.
pub(super) fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// Its process lives, and has written so much.
    Alive(Written),
    /// It has just been removed.
    Gone,
}

/// How far a journal goes: 0 where there is none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    /// The number of the newest record.
    pub(super) newest: u64,
    /// That of the newest with anything that was taken of windows or budgets.
    pub(super) counted: u64,
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
            let records = read(&file)?;
            let number = |record: Option<&Record>| record.map_or(0, |record| record.number);
            let counted = records.iter().rfind(|record| !record.uses.is_empty());
            Ok(Found::Alive(Written { newest: number(records.last()), counted: number(counted) }))
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
            shared: None,
        };
        let mut buffer = Vec::new();
        assert!(record::write(&mut buffer, number, &Uses::default(), &[], &[event]).is_some());
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
        assert!(matches!(look(&listed[0]).unwrap(), Found::Alive(Written { newest: 2, .. })));
        drop(journal);
        assert_eq!(numbers(&listed[0], 1), [2]);
        std::fs::remove_file(&listed[0]).unwrap();
        assert!(matches!(look(&listed[0]).unwrap(), Found::Gone));
    }

    fn sync(journal: &mut JournalFile) {
        lock(&journal.gathered().unwrap()).write().unwrap();
    }

    #[test]
    fn its_halves_are_written_in_turn_and_read_in_order() {
        for durability in [Durability::Process, Durability::Full] {
            halves_in_turn(durability);
        }
    }

    fn halves_in_turn(durability: Durability) {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder);
        let mut journal = JournalFile::create(&database, durability).unwrap();
        let path = list(&database).unwrap().remove(0);
        let size = 100_000;
        let mut number = 0;
        let mut applied = 0;
        // Three times around, each half given free when the other one is full.
        for _ in 0..130 {
            if number % 3 == 0 && durability == Durability::Full {
                sync(&mut journal);
            }
            number += 1;
            let record = record(number, size);
            if matches!(journal.append(&record, number, applied), Err(Full::NoRoom)) {
                assert!(number - applied > 20, "what is applied is written over");
                applied = number - 10;
                journal.append(&record, number, applied).unwrap();
            }
        }
        if durability == Durability::Full {
            sync(&mut journal);
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
        assert!(
            matches!(look(&path).unwrap(), Found::Alive(Written { newest: 0, .. })),
            "nobody counts on it yet"
        );
        sync(&mut journal);
        assert!(matches!(look(&path).unwrap(), Found::Alive(Written { newest: 1, .. })));
        drop(journal);
        assert_eq!(numbers(&path, 0), [1]);
    }

    /// A disk that loses its power keeps of what it was writing some sectors, in no order.
    #[test]
    fn what_was_synced_stays_whatever_becomes_of_the_next_write() {
        const SECTOR: usize = 512;
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder);
        let mut journal = JournalFile::create(&database, Durability::Full).unwrap();
        let path = list(&database).unwrap().remove(0);
        let image = || std::fs::read(&path).unwrap()[..16 * 4096].to_vec();
        let count = |bytes: &[u8]| record::run(bytes).unwrap().len();
        let mut before = image();
        for number in 1..=12 {
            journal.append(&record(number, 1700), number, 0).unwrap();
            if number % 3 != 0 {
                continue;
            }
            sync(&mut journal);
            let after = image();
            let synced = count(&before);
            assert_eq!(count(&after) as u64, number);
            for at in (0..after.len()).step_by(SECTOR) {
                let cut = [&after[..at], &before[at..]].concat();
                let behind = [&before[..at], &after[at..]].concat();
                for torn in [cut, behind] {
                    assert!(count(&torn) >= synced, "{synced} of {number}, at {at}");
                }
            }
            // What is cut off within the last blocks takes the records in it, and no other.
            let ends: Vec<usize> = (1..=number)
                .scan(0, |end, number| {
                    *end += record(number, 1700).len();
                    Some(*end)
                })
                .collect();
            let end = *ends.last().unwrap();
            for at in end.saturating_sub(2 * 4096)..=end {
                let whole = ends.iter().filter(|end| **end <= at).count();
                assert_eq!(count(&after[..at]), whole, "{at} of {end} bytes");
            }
            before = after;
        }
    }
}
