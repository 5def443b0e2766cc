//! From files to a toolbox, and noticing when the files change.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::compile::{Compiled, Secrets, compile};
use super::toolbox::Toolbox;
use crate::config::{self, Config, Diagnostics};

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
    let Compiled { toolbox, warnings: more, sources, .. } = compile(&config, secrets)?;
    warnings.extend(more);
    Ok(Loaded { config, toolbox, warnings, sources })
}

/// Changes of a configuration's files.
#[derive(Debug)]
pub struct Changes {
    files: Arc<Mutex<HashSet<PathBuf>>>,
    watcher: Option<RecommendedWatcher>,
    watched: HashSet<PathBuf>,
    ticks: mpsc::Receiver<()>,
}

/// Watches the folders of these files. A file may be replaced as a whole, which is why its
/// folder is watched and not the file.
pub fn watch_files(files: &[PathBuf]) -> Result<Changes, notify::Error> {
    let known: Arc<Mutex<HashSet<PathBuf>>> = Arc::default();
    let (sender, ticks) = mpsc::channel(1);
    let seen = Arc::clone(&known);
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        if matches!(event.kind, notify::EventKind::Access(_)) {
            return;
        }
        let files = seen.lock().unwrap_or_else(PoisonError::into_inner);
        // A mounted ConfigMap changes by swapping the link `..data` beside its files.
        let ours =
            |path: &PathBuf| files.contains(path) || path.file_name() == Some(OsStr::new("..data"));
        if event.paths.iter().any(ours) {
            // Full means that a change is already waiting to be looked at.
            let _ = sender.try_send(());
        }
    })?;
    let mut changes =
        Changes { files: known, watcher: Some(watcher), watched: HashSet::new(), ticks };
    changes.follow(files)?;
    Ok(changes)
}

impl Changes {
    /// No changes, ever: for where watching is not possible.
    pub fn none() -> Self {
        let (_, ticks) = mpsc::channel(1);
        Self { files: Arc::default(), watcher: None, watched: HashSet::new(), ticks }
    }

    /// Follows these files from now on.
    pub fn follow(&mut self, files: &[PathBuf]) -> Result<(), notify::Error> {
        let files: HashSet<PathBuf> =
            files.iter().filter_map(|file| std::path::absolute(file).ok()).collect();
        if let Some(watcher) = &mut self.watcher {
            for folder in files.iter().filter_map(|file| file.parent()) {
                if self.watched.insert(folder.to_owned()) {
                    watcher.watch(folder, RecursiveMode::NonRecursive)?;
                }
            }
        }
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files;
        Ok(())
    }

    /// Waits for a change, and until the files are quiet again.
    pub async fn next(&mut self) {
        if self.ticks.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        while let Ok(Some(())) = tokio::time::timeout(SETTLE, self.ticks.recv()).await {}
    }
}
