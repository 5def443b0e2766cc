//! What is kept of a description that was accepted: a copy of its document, and beside it, in one
//! file, all that belonged to it then.
//!
//! One file, so that what was accepted is either there whole or not, and nothing of an earlier
//! acceptance stays behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tollbridge_operation::{ApiName, digest_bytes};

use super::origin::bounded_to;
use super::{CatalogError, MAX_DOCUMENT, Origin, Reading};

/// All documents together have at most [`MAX_DOCUMENT`] bytes, and their form as text some more.
const MAX_PARTS: u64 = 3 * MAX_DOCUMENT;

/// A document or an overlay that belongs to a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// A document's name as seen from the description; none for an overlay.
    pub name: Option<String>,
    /// Where it was read from.
    pub file: PathBuf,
    /// The digest of what was read.
    pub digest: String,
}

/// What belonged to a description, as it is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Parts {
    #[serde(default)]
    documents: BTreeMap<String, Content>,
    #[serde(default)]
    overlays: Vec<Content>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Content {
    Text(String),
    Base64(String),
}

impl Content {
    fn of(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes)
            .map_or_else(|error| Self::Base64(STANDARD.encode(error.as_bytes())), Self::Text)
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::Base64(text) => STANDARD.decode(text).map_err(|error| error.to_string()),
        }
    }
}

/// Where the parts of an accepted description are kept, beside the copy of its document.
pub fn parts_beside(copy: &Path) -> PathBuf {
    let mut path = copy.to_owned().into_os_string();
    path.push(".parts.json");
    path.into()
}

/// The content of that file; `None` where the description is one document. `read` has the bytes of
/// a part's file. What changed since the description was read is an error.
pub fn parts_of(
    parts: &[Part],
    read: impl Fn(&Path) -> std::io::Result<Vec<u8>>,
) -> Result<Option<Vec<u8>>, CatalogError> {
    if parts.is_empty() {
        return Ok(None);
    }
    let mut kept = Parts::default();
    for part in parts {
        let path = &part.file;
        let bytes = read(path).map_err(|error| CatalogError::File { path: path.clone(), error })?;
        if digest_bytes(&bytes) != part.digest {
            let message = "it changed while it was read".to_owned();
            return Err(CatalogError::Description { path: path.clone(), message });
        }
        let content = Content::of(bytes);
        match &part.name {
            Some(name) => {
                kept.documents.insert(name.clone(), content);
            }
            None => kept.overlays.push(content),
        }
    }
    let mut text = serde_json::to_vec_pretty(&kept).expect("names and texts");
    text.push(b'\n');
    Ok(Some(text))
}

impl Origin {
    /// Reads a description as it was when it was accepted: its copy, with the parts that were kept
    /// beside it and no others.
    pub fn read_accepted(&self, api: &ApiName, copy: &Path) -> Result<Reading, CatalogError> {
        let file = parts_beside(copy);
        let wrong = |message| CatalogError::Description { path: file.clone(), message };
        let parts = match bounded_to(&file, MAX_PARTS) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Parts::default(),
            Err(error) => return Err(CatalogError::File { path: file, error }),
        };
        let mut overlays = Vec::new();
        for content in &parts.overlays {
            overlays.push((file.clone(), content.bytes().map_err(wrong)?));
        }
        let bytes = bounded_to(copy, MAX_DOCUMENT)
            .map_err(|error| CatalogError::File { path: copy.to_owned(), error })?;
        let source = self.source();
        let get = |url: &url::Url, _: &Path| {
            let name = super::origin::name_of(source.as_ref(), url);
            let content = parts.documents.get(&name);
            content.ok_or_else(|| "it was not accepted".to_owned())?.bytes()
        };
        self.read_with(api, &bytes, &get, &overlays)
    }
}
