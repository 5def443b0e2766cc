//! From files to a toolbox, and noticing when the files change.
//!
//! The files are looked at a few times a second. The system could tell of changes instead, but
//! only of all in a folder, since a file may be replaced as a whole; and the folder is usually
//! the store's too, whose every write would wake us.

use std::collections::HashMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::compile::{self, Compiled, Secrets, compile_exposed};
use super::toolbox::Toolbox;
use crate::config::{self, Config, Diagnostics};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How long the files must be quiet: an editor writes in several steps.
const SETTLE: Duration = Duration::from_millis(150);

/// How coarse a file system's times are at worst (FAT).
const COARSE: Duration = Duration::from_secs(2);

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
    sources: Vec<PathBuf>,
    /// When the first of them was about to be read.
    began: SystemTime,
}

/// Reads, checks and compiles a configuration.
pub fn load(path: &Path, secrets: Secrets) -> Result<Loaded, Diagnostics> {
    let began = SystemTime::now();
    let (config, mut warnings) = config::load(path)?;
    let Compiled { toolbox, warnings: more, sources, .. } = compile_exposed(&config, secrets)?;
    warnings.extend(more);
    Ok(Loaded { config, toolbox, warnings, sources, began })
}

/// Changes of a configuration's files.
#[derive(Debug)]
pub struct Changes {
    seen: Seen,
}

/// The files as they were when last looked at; `None` for one that was not there, or of which it is
/// not known how it was when it was read.
type Seen = HashMap<PathBuf, Option<Look>>;

/// What tells a file from what it was: when and how it was written, and which one it is. A link
/// stands for what it leads to, so a mounted `ConfigMap`, which swaps a link, is noticed too.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    written: Option<SystemTime>,
    bytes: u64,
    identity: (u64, u64, i64, i64),
}

/// Watches the files that a configuration was made of. What changed since they were read is a change.
pub fn watch(loaded: &Loaded) -> Changes {
    let mut changes = Changes { seen: Seen::new() };
    changes.follow(loaded);
    changes
}

impl Changes {
    /// Follows a configuration's files from now on. No change is missed: neither of those that were
    /// followed already, nor, while it was being read, of those that are new.
    pub fn follow(&mut self, loaded: &Loaded) {
        self.follow_since(&loaded.sources, loaded.began);
    }

    /// Follows the descriptions of a configuration that does not load beside those that are followed
    /// already: to mend one of them may be all that it wants.
    pub fn follow_too(&mut self, path: &Path) {
        let Ok((config, _)) = config::load(path) else { return };
        let origins = config.apis.iter().map(|(_, api)| compile::origin(&config, api));
        let files = origins.flat_map(|origin| origin.overlays.into_iter().chain([origin.file]));
        let new: Vec<_> = files.filter(|file| !self.seen.contains_key(file)).collect();
        self.seen.extend(look(new));
    }

    fn follow_since(&mut self, files: &[PathBuf], began: SystemTime) {
        let mut before = std::mem::take(&mut self.seen);
        // A file that was written since may have been read before: that it changed is found at the
        // next look. One that was written a little earlier is read once more for nothing.
        let was = |now: Look| (!now.may_be_since(began)).then_some(now);
        self.seen = look(files.iter().cloned())
            .into_iter()
            .map(|(file, now)| {
                let then = before.remove(&file).unwrap_or_else(|| now.and_then(was));
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

    /// Whether it may have come to be what it is since that time.
    fn may_be_since(&self, time: SystemTime) -> bool {
        let since = time.checked_sub(COARSE).unwrap_or(UNIX_EPOCH);
        let (.., seconds, nanos) = self.identity;
        let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        let nanos = Duration::from_nanos(u64::try_from(nanos).unwrap_or_default());
        // A file that takes another one's place keeps the time at which it was written.
        let placed = UNIX_EPOCH + seconds + nanos;
        self.written.is_none_or(|written| written.max(placed) >= since)
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

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    /// Whether a change is told, of a file that was written now.
    async fn is_told(began: SystemTime, followed: bool) -> bool {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("tools.toml");
        std::fs::write(&file, "a").expect("written");
        let mut changes = Changes { seen: Seen::new() };
        if followed {
            changes.seen = look([file.clone()]);
        }
        changes.follow_since(&[file], began);
        timeout(Duration::from_mins(1), changes.next()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_written_while_it_was_read_is_a_change() {
        let minute = Duration::from_mins(1);
        assert!(is_told(SystemTime::now() - minute, false).await);
        assert!(is_told(SystemTime::now(), false).await);
        assert!(!is_told(SystemTime::now() + minute, false).await);
        // It is known how it was.
        assert!(!is_told(SystemTime::now() - minute, true).await);
    }
}
