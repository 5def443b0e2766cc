//! A description with all its documents: those that are files are read, and those that come
//! from URLs are fetched once and kept, so that nothing after an import needs the network.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tollbridge_operation::{ApiName, Description};
use url::Url;

use super::ImportError;
use super::source::{Fetching, Spec};
use crate::catalog::{CatalogError, MAX_DOCUMENT, Origin, Part, Reading};

/// How many documents are fetched for one description.
const MAX_FETCHED: usize = 1000;

/// How long that may take in all.
const TIMEOUT: Duration = Duration::from_mins(2);

/// A description, whole.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) description: Description,
    pub(super) digest: String,
    /// The files that it is made of.
    pub(super) files: Vec<PathBuf>,
    /// What belongs to it besides its document.
    pub(super) parts: Vec<Part>,
    /// The documents that were fetched for it, and where they are to be kept.
    pub(super) kept: Vec<(PathBuf, Vec<u8>)>,
}

/// A document that was fetched, or why it was not.
type Fetched = (PathBuf, Result<Vec<u8>, String>);

/// Reads a description, and fetches what it refers to as far as it may.
pub(super) async fn read(
    spec: &Spec,
    api: &ApiName,
    origin: &Origin,
    fetching: &Fetching,
) -> Result<Whole, ImportError> {
    let failed = |message: String| ImportError::Failed(format!("{}: {message}", spec.label));
    let mut fetched: BTreeMap<Url, Fetched> = BTreeMap::new();
    let began = Instant::now();
    loop {
        let wanted = RefCell::new(Vec::new());
        let get = |url: &Url, file: &Path| match (url.scheme(), fetched.get(url)) {
            ("file", _) => local(file).map_err(|error| error.to_string()),
            (_, Some((_, bytes))) => bytes.clone(),
            (_, None) => {
                wanted.borrow_mut().push((url.clone(), file.to_owned()));
                Err("it is yet to be fetched".to_owned())
            }
        };
        let reading = origin.read_bytes(api, &spec.bytes, &get).map_err(|error| match error {
            CatalogError::Description { message, .. } => failed(message),
            error @ CatalogError::File { .. } => failed(error.to_string()),
        })?;
        let wanted = wanted.into_inner();
        if wanted.is_empty() {
            let Reading { description, digest, parts, files } = reading;
            let kept = fetched.into_values().filter_map(|(file, bytes)| Some((file, bytes.ok()?)));
            return Ok(Whole { description, digest, files, parts, kept: kept.collect() });
        }
        for (url, file) in wanted {
            let bytes = if fetched.len() >= MAX_FETCHED {
                Err(format!("more than {MAX_FETCHED} documents are not fetched"))
            } else if began.elapsed() > TIMEOUT {
                Err(format!("it was not fetched within {} s", TIMEOUT.as_secs()))
            } else {
                let one = fetching.fetch_other(&url, origin.url.as_ref()).await;
                one.map_err(|error| error.to_string())
            };
            fetched.insert(url, (file, bytes));
        }
    }
}

fn local(file: &Path) -> std::io::Result<Vec<u8>> {
    let size = std::fs::metadata(file)?.len();
    if size > MAX_DOCUMENT {
        let message = format!("longer than the {} MiB that are read", MAX_DOCUMENT >> 20);
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message));
    }
    std::fs::read(file)
}
