//! A trail of ten million events, and how long the usual questions take:
//! `cargo bench --bench trail [EVENTS [FILE]]`.
//!
//! The trail is written as a server writes it, through the store, with its hashes, and is read as
//! `tollbridge trace` and whoever has SQL read it. Four hundred days of calls: sixty tools and two
//! hundred identities, a few of which have most of the calls; of a hundred calls three are denied
//! and one fails. Beside them stand a tool, an identity, an unknown outcome and a trace that are rare:
//! what is rare takes the longest to find where there is no index for it.
//!
//! A trail that is there already is read and not written again. Ten million events take some
//! ten gigabytes, by default in the build's folder.

#![allow(clippy::unwrap_used, missing_docs)]

mod asking;
mod writing;

use std::path::PathBuf;
use std::process::ExitCode;

use tollbridge::store::{Durability, Store};

/// The binary's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVENTS: i64 = 10_000_000;

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let events = words.next().map_or(EVENTS, |word| word.parse().unwrap());
    let file = words.next().map_or_else(
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("trail-{events}.db")),
        PathBuf::from,
    );
    let url = format!("sqlite:{}", file.display());
    let store = Store::open(&url, Durability::Process).await.unwrap();
    writing::fill(&store, events).await;
    let info = store.info().await.unwrap();
    println!("{} events, {} MiB", info.events, info.bytes >> 20);
    store.close().await;
    asking::ask(&url, &file).await
}
