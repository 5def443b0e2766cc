//! `tollbridge trace verify` and `trace anchor`.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Exit, Options};
use crate::audit::{self, Against, Anchor, Signer, Verified};
use crate::cli::{context, keeping, print, print_json};
use crate::secret::key_file;
use crate::store::{Store, StoreError};

/// No file of anchors is larger.
const MAX_ANCHORS: u64 = 64 << 20;

/// Arguments of `trace verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// What `trace anchor` wrote, or the server to its `anchor`: the trail must still hold it.
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
    /// The public key that must have signed: `ed25519:…`. By default that of the anchor, or of
    /// the key file beside the store.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Arguments of `trace anchor`.
#[derive(Debug, clap::Args)]
pub(super) struct Anchoring {
    /// The file that the anchor is appended to, or the https URL that it is posted to; `-` is
    /// standard output.
    #[arg(long, value_name = "FILE|URL")]
    out: String,
    #[command(flatten)]
    pub(super) options: Options,
}

pub(super) async fn verify(
    store: &Store,
    args: &Verify,
    config: &Path,
) -> Result<Exit, StoreError> {
    let anchors = match args.anchor.as_deref().map(anchors) {
        Some(Ok(anchors)) => anchors,
        Some(Err(error)) => {
            eprintln!("error: {error}");
            return Ok(Exit::Usage);
        }
        None => Vec::new(),
    };
    let own = if args.key.is_none() && anchors.is_empty() { own_key(store, config) } else { None };
    let key = args.key.as_deref().or(own.as_deref());
    match audit::verify(store, Against { anchors: &anchors, key }).await? {
        Ok(verified) => {
            if args.options.json {
                print_json(&json!({"ok": true, "trail": verified}));
            } else {
                print(&report(&verified));
            }
            Ok(Exit::Done)
        }
        Err(broken) => {
            if args.options.json {
                print_json(&json!({"ok": false, "broken": broken, "message": broken.to_string()}));
            } else {
                eprintln!("error: the trail does not verify: {broken}");
            }
            Ok(Exit::Broken)
        }
    }
}

/// The public half of the key that signs here, where there is one. A copy of the store may be
/// verified where it is not.
fn own_key(store: &Store, config: &Path) -> Option<String> {
    let path = key_file::beside(store.file()?, "signing-key");
    let seed = match crate::config::signing_key(config) {
        Some((reference, dir)) => reference.resolve(&dir).ok(),
        None => key_file::read(&path).ok().flatten(),
    };
    Signer::of_seed(&seed?).ok().map(|signer| signer.key().to_owned())
}

fn anchors(path: &Path) -> Result<Vec<Anchor>, String> {
    let failed = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_ANCHORS).read_to_string(&mut text).map_err(failed)?;
    audit::read_anchors(&text).map_err(|error| format!("{}: {error}", path.display()))
}

pub(super) async fn anchor(
    store: &Store,
    args: &Anchoring,
    config: &Path,
) -> Result<Exit, StoreError> {
    let Some(file) = store.file() else {
        eprintln!("error: a store in memory has nothing to anchor");
        return Ok(Exit::Usage);
    };
    if !crate::config::is_anchor_target(&args.out) {
        eprintln!(
            "error: `--out {}` is neither a file nor an https URL, such as \
             https://anchors.example.com/acme",
            args.out
        );
        return Ok(Exit::Usage);
    }
    let sink = match keeping::sink(&args.out, Path::new("")) {
        Ok(sink) => sink,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(Exit::Usage);
        }
    };
    let signed = match keeping::operators_signer(config, file) {
        Ok(signer) => audit::checkpoint(store, &signer).await.map_err(|error| error.to_string()),
        Err(error) => Err(error),
    };
    let anchor = match signed {
        Ok(Some(signed)) => signed.anchor,
        Ok(None) => {
            eprintln!("error: there is no event in the trail yet");
            return Ok(Exit::Failed);
        }
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(Exit::Failed);
        }
    };
    if args.out == "-" {
        print(&format!("{}\n", json!(anchor)));
        return Ok(Exit::Done);
    }
    if let Err(error) = audit::take_elsewhere(&sink, anchor.clone()).await {
        eprintln!("error: {error}");
        return Ok(Exit::Failed);
    }
    if args.options.json {
        print_json(&json!(anchor));
    } else {
        eprintln!("event {} of the trail is anchored in {}", anchor.seq, args.out);
        context::next("keep it where nobody who can change the store can change it");
    }
    Ok(Exit::Done)
}

fn report(verified: &Verified) -> String {
    let mut text = format!(
        "the trail {} verifies: {} events up to {}\n",
        verified.trail, verified.events, verified.last
    );
    let mut row = |line: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {line}");
    };
    if let (Some(seq), Some(time), Some(key)) = (verified.signed_to, verified.signed, &verified.key)
    {
        row(format!("signed     up to event {seq}, at {time}, by {key}"));
        if seq < verified.last {
            row(format!("           {} events after that are not signed yet", verified.last - seq));
        }
    }
    row(format!("checked    {} checkpoints, {} anchors", verified.checkpoints, verified.anchors));
    if verified.anchors_too_old > 0 {
        row(format!(
            "           {} anchors are of events that retention removed",
            verified.anchors_too_old
        ));
    }
    if verified.before_chain > 0 {
        row(format!("before it  {} events, covered by one digest", verified.before_chain));
    }
    if let Some(upto) = verified.pruned_to {
        row(format!("removed    events up to {upto}, by retention"));
    }
    if verified.erased > 0 {
        row(format!("erased     the payloads of {} events", verified.erased));
    }
    text
}
