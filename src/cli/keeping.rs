//! What keeps the trail: the key that signs it, and where anchors go.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt as _;
use url::Url;

use crate::audit::{Anchor, AnchorSink, CHECKPOINT_EVERY, Keep, Keeper, Keeping, Signer};
use crate::bridge;
use crate::config::{self, Config};
use crate::secret::{Secret, key_file};
use crate::store::Store;

/// Begins to keep the trail as the configuration says; `None` for a store in memory. The error
/// says in words what is wrong.
pub(super) fn keeper(config: &Config, store: &Store) -> Result<Option<Keeper>, String> {
    let Some(file) = store.file() else { return Ok(None) };
    let key = config.audit.signing_key.as_ref().map(|reference| reference.resolve(&config.dir));
    let key = key.transpose().map_err(|error| format!("[audit] signing_key: {error}"))?;
    let signer = signer(key, file)?;
    let anchors = config.audit.anchor.as_ref().map(|to| sink(to, &config.dir)).transpose()?;
    let keep = config.audit.keep.as_ref().map_or_else(Keep::default, |keep| Keep {
        payloads: keep.payloads.map(|period| period.0),
        calls: keep.calls.map(|period| period.0),
        bytes: keep.size.map(|size| size.0),
    });
    let keeping = Keeping { signer, every: CHECKPOINT_EVERY, keep, anchors };
    Ok(Some(Keeper::start(store.clone(), keeping)))
}

/// The key for operators' commands: that of the configuration, as far as it can be read, or the
/// file beside the store.
pub(super) fn operators_signer(config: &Path, store: &Path) -> Result<Signer, String> {
    let key = config::signing_key(config)
        .map(|(reference, dir)| reference.resolve(&dir))
        .transpose()
        .map_err(|error| format!("[audit] signing_key: {error}"))?;
    signer(key, store)
}

fn signer(key: Option<Secret>, store: &Path) -> Result<Signer, String> {
    match key {
        Some(key) => Signer::of_seed(&key).map_err(|error| format!("[audit] signing_key: {error}")),
        None => {
            let path = key_file::beside(store, "signing-key");
            Signer::of_seed(&key_file::read_or_make(&path)?)
        }
    }
}

/// Where anchors go: they are appended to a file, or posted to a URL.
pub(super) fn sink(to: &str, dir: &Path) -> Result<AnchorSink, String> {
    if !to.contains("://") {
        let path = dir.join(to);
        return Ok(Arc::new(move |anchor| {
            let path = path.clone();
            async move {
                let appended = tokio::task::spawn_blocking(move || append(&path, &anchor)).await;
                appended.unwrap_or_else(|_| Err("the process is ending".to_owned()))
            }
            .boxed()
        }));
    }
    let url = Url::parse(to).map_err(|_| "[audit] anchor is no URL".to_owned())?;
    let client = bridge::http_client()?;
    Ok(Arc::new(move |anchor| {
        let line = line(&anchor);
        let post = client.post(url.clone()).header("Content-Type", "application/json").body(line);
        async move {
            // Its text would name the whole URL.
            let answer = post.send().await.map_err(|error| error.without_url().to_string())?;
            match answer.status() {
                status if status.is_success() => Ok(()),
                status => Err(format!("the anchor was answered with status {}", status.as_u16())),
            }
        }
        .boxed()
    }))
}

/// Appends an anchor to a file that holds one a line.
fn append(path: &PathBuf, anchor: &Anchor) -> Result<(), String> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(line(anchor).as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

fn line(anchor: &Anchor) -> String {
    format!("{}\n", serde_json::json!(anchor))
}
