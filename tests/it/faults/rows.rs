//! Trying many rows at the same time: most of a row's time is waiting, and the tests' own
//! threads are as few as the processors.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::matrix::MATRIX;
use super::stage;

/// How many rows are tried at once.
const AT_ONCE: usize = 12;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().enable_all().build().expect("a runtime"));

/// A row on its way: the error says what is not as it has it.
type Tried = JoinHandle<Result<(), String>>;

/// The rows that this run asks for, each on its way.
static ROWS: LazyLock<Mutex<HashMap<&'static str, Tried>>> = LazyLock::new(|| {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let rows = MATRIX.iter().flat_map(|(_, rows)| *rows).filter(|(name, _)| is_asked_for(name));
    let tried = rows.map(|(name, row)| {
        let places = Arc::clone(&places);
        let trying = async move {
            let _place = places.acquire().await.expect("it is never closed");
            stage::tried(name, row).await
        };
        (*name, RUNTIME.spawn(trying))
    });
    Mutex::new(tried.collect())
});

/// Whether the row of that name holds.
pub(super) fn holds(name: &str) {
    let trying = ROWS.lock().expect("nobody panics with it").remove(name);
    let tried = trying.expect("a row that is asked for");
    match RUNTIME.block_on(tried) {
        Ok(held) => held.unwrap_or_else(|wrong| panic!("{wrong}")),
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

/// Whether the filters of the command line let this row's test through, as the test harness reads
/// them.
fn is_asked_for(name: &str) -> bool {
    let test = format!("{}::{name}", module_path!().replace("::rows", "::matrix"));
    let test = test.split_once("::").map_or(test.as_str(), |(_, test)| test);
    let mut filters = std::env::args().skip(1).filter(|word| !word.starts_with('-')).peekable();
    filters.peek().is_none() || filters.any(|filter| test.contains(&filter))
}
