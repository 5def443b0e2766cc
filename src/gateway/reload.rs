//! From files to a toolbox, and noticing when the files change.
//!
//! The files are looked at a few times a second. The system could tell of changes instead, but
//! only of all in a folder, since a file may be replaced as a whole; and the folder is usually
//! the store's too, whose every write would wake us.

use std::collections::HashMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::compile::{Compiled, Secrets, compile_exposed};
use super::toolbox::Toolbox;
use crate::config::{self, Config, Diagnostics};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How long the files must be quiet: an editor writes in several steps.
const SETTLE: Duration = Duration::from_millis(150);

/// A configuration with its toolbox.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What it compiles to.
    pub toolbox: Toolbox,
    /// What is not wrong but should be looked at.
    pub warnings: Diagnostics,
    /// The files that it was made of.
    pub sources: Vec<PathBuf>,
}

/// Reads, checks and compiles a configuration.
pub fn load(path: &Path, secrets: Secrets) -> Result<Loaded, Diagnostics> {
    let (config, mut warnings) = config::load(path)?;
    let Compiled { toolbox, warnings: more, sources, .. } = compile_exposed(&config, secrets)?;
    warnings.extend(more);
    Ok(Loaded { config, toolbox, warnings, sources })
}

/// Changes of a configuration's files.
#[derive(Debug)]
pub struct Changes {
    seen: Seen,
}

/// The files as they were when last looked at.
type Seen = HashMap<PathBuf, Option<Look>>;

/// What tells a file from what it was: when and how it was written, and which one it is. A link
/// stands for what it leads to, so a mounted `ConfigMap`, which swaps a link, is noticed too.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    written: Option<SystemTime>,
    bytes: u64,
    identity: (u64, u64, i64, i64),
}

/// Watches these files from now on.
pub fn watch_files(files: &[PathBuf]) -> Changes {
    Changes { seen: look(files.iter().cloned()) }
}

impl Changes {
    /// Follows these files from now on. Of those that were followed already no change is missed.
    pub fn follow(&mut self, files: &[PathBuf]) {
        let mut before = std::mem::take(&mut self.seen);
        let fresh = look(files.iter().cloned());
        self.seen = fresh
            .into_iter()
            .map(|(file, now)| {
                let then = before.remove(&file).unwrap_or(now);
                (file, then)
            })
            .collect();
    }

    /// Waits for a change, and until the files are quiet again.
    pub async fn next(&mut self) {
        let mut pause = LOOK;
        loop {
            tokio::time::sleep(pause).await;
            let changed = self.look_again().await;
            match (changed, pause) {
                (true, _) => pause = SETTLE,
                (false, SETTLE) => return,
                (false, _) => {}
            }
        }
    }

    /// Whether anything is not as it was. A disk that hangs holds up nobody else.
    async fn look_again(&mut self) -> bool {
        let files: Vec<PathBuf> = self.seen.keys().cloned().collect();
        let Ok(now) = tokio::task::spawn_blocking(|| look(files)).await else { return false };
        std::mem::replace(&mut self.seen, now) != self.seen
    }
}

fn look(files: impl IntoIterator<Item = PathBuf>) -> Seen {
    let one = |file: PathBuf| {
        let now = std::fs::metadata(&file).ok().map(|metadata| Look::of(&metadata));
        (file, now)
    };
    files.into_iter().map(one).collect()
}

impl Look {
    fn of(metadata: &Metadata) -> Self {
        Self {
            written: metadata.modified().ok(),
            bytes: metadata.len(),
            identity: identity_of(metadata),
        }
    }
}

#[cfg(unix)]
fn identity_of(metadata: &Metadata) -> (u64, u64, i64, i64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn identity_of(_: &Metadata) -> (u64, u64, i64, i64) {
    (0, 0, 0, 0)
}
