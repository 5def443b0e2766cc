//! Which processes use a store for writing: each holds the lock of a file beside the database.
//!
//! The system lets go of a lock however a process ends. So a file whose lock can be had is of a
//! process that was killed, and whoever has that lock alone closes what it left.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Store, StoreError};

/// What stands between the database's name and the process's.
const INFIX: &str = "-live-";

/// A file that is not older may be of a process that has not locked it yet.
const BEGINNING: Duration = Duration::from_secs(10);

/// The file of this process.
#[derive(Debug)]
pub(super) struct Live {
    path: PathBuf,
    name: String,
    /// Holds the lock.
    _file: File,
}

impl Live {
    /// Says that this process lives, beside a database.
    pub(super) fn begin(database: &Path) -> io::Result<Self> {
        let (folder, database) = beside(database)?;
        loop {
            let name = ulid::Ulid::new().to_string();
            let path = folder.join(format!("{database}{INFIX}{name}"));
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(&path)?;
            file.lock()?;
            // Until it was locked it looked like one that nobody owns, and may be gone.
            if path.exists() {
                return Ok(Self { path, name, _file: file });
            }
        }
    }

    /// The process's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Says that it ends, and left nothing open.
    pub(super) fn end(&self) {
        // One that stays is taken for that of a process that was killed, and looked into in vain.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The processes that were there at one moment.
#[derive(Debug)]
pub struct Processes {
    /// Up to which event the trail went before that.
    pub upto: i64,
    alive: BTreeSet<String>,
    /// Those that were killed, each with its file, whose lock is ours.
    dead: Vec<(PathBuf, File)>,
}

impl Processes {
    /// Whether a process goes on with its calls, or another one closes them.
    pub fn is_alive(&self, process: &str) -> bool {
        self.alive.contains(process)
    }

    /// Forgets those that were killed: what they left is closed.
    pub fn closed(self) {
        for (path, file) in self.dead {
            let _ = std::fs::remove_file(path);
            drop(file);
        }
    }
}

impl Store {
    /// This process's name; `None` where it writes no file.
    pub fn process(&self) -> Option<&str> {
        self.0.live.as_ref().map(Live::name)
    }

    /// The processes that write to this store now.
    pub async fn processes(&self) -> Result<Processes, StoreError> {
        // Before the files are looked for: whatever is in the trail by now is of a process that
        // has its file, or had it and ended in peace.
        let upto = self.last_seq().await?;
        let mut processes = Processes { upto, alive: BTreeSet::new(), dead: Vec::new() };
        if let Some(database) = self.0.place.path() {
            let looked = look(database, &mut processes);
            looked.map_err(|error| {
                self.0.place.error(format!("its folder cannot be read: {error}"))
            })?;
        }
        Ok(processes)
    }
}

fn look(database: &Path, processes: &mut Processes) -> io::Result<()> {
    for (process, path) in files(database)? {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            // Whoever had the lock before may have removed it meanwhile.
            Ok(()) if !path.exists() => {}
            Ok(()) => processes.dead.push((path, file)),
            Err(TryLockError::WouldBlock) => {
                processes.alive.insert(process);
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(())
}

/// Whether other processes than this one use the database for writing. `ended` keeps those that were
/// killed and that nobody has closed: they are looked at once, for whoever does holds their lock. One
/// that has just made its file may not have locked it yet, and is not taken for killed.
pub(super) fn has_others(
    database: &Path,
    own: &str,
    ended: &mut BTreeSet<String>,
) -> io::Result<bool> {
    for (process, path) in files(database)? {
        if process == own || ended.contains(&process) {
            continue;
        }
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let age = file.metadata()?.modified()?.elapsed();
        if age.is_ok_and(|age| age > BEGINNING) && file.try_lock_shared().is_ok() {
            ended.insert(process);
        } else {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The processes' names and files, whoever of them lives.
fn files(database: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let (folder, name) = beside(database)?;
    let start = format!("{name}{INFIX}");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let file_name = entry.file_name();
        if let Some(process) = file_name.to_str().and_then(|name| name.strip_prefix(&start)) {
            files.push((process.to_owned(), entry.path()));
        }
    }
    Ok(files)
}

/// The folder that the database is in, links followed as `SQLite` does, and its name there.
fn beside(database: &Path) -> io::Result<(PathBuf, String)> {
    let real = database.canonicalize()?;
    let folder = real.parent().unwrap_or(Path::new("/")).to_owned();
    let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok((folder, name))
}
