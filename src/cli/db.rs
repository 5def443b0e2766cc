//! `tollbridge db`: the store as a file.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::context::{self, Access};
use super::{Exit, print, print_json};
use crate::audit::Time;
use crate::store::{Store, StoreError};

/// Arguments of `db`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Clone, clap::Args)]
struct Options {
    /// The store, where the configuration cannot be read: `sqlite:FILE`.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Copy the store as it is now, while others use it, to a file that is not there yet.
    Backup {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        options: Options,
    },
    /// Say how large the store is, and what is in it.
    Info(Options),
    /// Look whether the file is sound. `trace verify` tells whether it is what was written.
    Check(Options),
}

pub(super) async fn run(args: Args, config: &Path) -> Exit {
    let options = match &args.act {
        Act::Backup { options, .. } | Act::Info(options) | Act::Check(options) => options.clone(),
    };
    let named = options.store.as_deref();
    let store = match context::operators_store(config, named, Access::Read).await {
        Ok(store) => store,
        Err(exit) => return exit,
    };
    let done = match &args.act {
        Act::Backup { file, .. } => backup(&store, file, options.json).await,
        Act::Info(_) => info(&store, options.json).await,
        Act::Check(_) => check(&store, options.json).await,
    };
    store.close().await;
    done.unwrap_or_else(|error| context::failed(&error))
}

async fn backup(store: &Store, file: &Path, as_json: bool) -> Result<Exit, StoreError> {
    store.backup(file).await?;
    if as_json {
        print_json(&json!({"file": file.display().to_string()}));
    } else {
        eprintln!("copied to {}; the keys beside the store are not in it", file.display());
    }
    Ok(Exit::Done)
}

async fn info(store: &Store, as_json: bool) -> Result<Exit, StoreError> {
    let info = store.info().await?;
    let mut trail = store.trail().await?;
    let (start, signed) = (trail.start().await?, trail.last_checkpoint().await?);
    trail.close().await?;
    let trail = start.map(|start| start.trail);
    let file = store.file().map(|file| file.display().to_string());
    if as_json {
        print_json(&json!({
            "file": file,
            "bytes": info.bytes,
            "free_bytes": info.free,
            "schema": info.schema,
            "events": info.events,
            "oldest": info.oldest.map(Time),
            "newest": info.newest.map(Time),
            "trail": trail,
            "signed_to": signed.as_ref().map(|row| row.seq),
            "signed": signed.as_ref().map(|row| Time(row.at)),
            "key": signed.as_ref().map(|row| row.key.clone()),
        }));
        return Ok(Exit::Done);
    }
    let time = |at: Option<i64>| at.map_or_else(|| "-".to_owned(), |at| Time(at).to_string());
    print(&format!(
        "file     {}\nbytes    {} ({} of them free)\nschema   {}\nevents   {}\n\
         oldest   {}\nnewest   {}\ntrail    {}\nsigned   {}\n",
        file.as_deref().unwrap_or("in memory"),
        info.bytes,
        info.free,
        info.schema,
        info.events,
        time(info.oldest),
        time(info.newest),
        trail.as_deref().unwrap_or("-"),
        signed.map_or_else(
            || "nothing yet".to_owned(),
            |row| format!("up to event {}, at {}, by {}", row.seq, Time(row.at), row.key)
        ),
    ));
    Ok(Exit::Done)
}

async fn check(store: &Store, as_json: bool) -> Result<Exit, StoreError> {
    let found = store.check().await?;
    if as_json {
        print_json(&json!({"ok": found.is_empty(), "found": found}));
    } else if found.is_empty() {
        eprintln!("the file is sound");
    }
    if found.is_empty() {
        return Ok(Exit::Done);
    }
    for line in &found {
        eprintln!("error: {}", super::clean(line, 400));
    }
    eprintln!("help: restore it from a backup, or move it away to begin a new one");
    Ok(Exit::Failed)
}
