//! Every operation of every API, read from their descriptions.
//!
//! A description is input from strangers: what cannot be read of it is reported and costs
//! nothing else. Lookups go by the names that `tools.toml` may use for an operation. This
//! room does not know which operations are tools, nor who may call them.

mod accepted;
mod origin;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tollbridge_operation::{
    ApiName, Description, Endpoint, Operation, SecurityScheme, Skipped, Wanted, Warning,
};

pub use accepted::{Part, parts_beside, parts_of};
pub use origin::{Allowed, Get, MAX_DOCUMENT, Origin, Reading};

/// The APIs that are known, by name.
#[derive(Debug, Default)]
pub struct Catalog {
    apis: BTreeMap<ApiName, Api>,
    files: Vec<PathBuf>,
}

/// One API, as its description has it.
#[derive(Debug)]
pub struct Api {
    /// Its title.
    pub title: String,
    /// What it is written in: `OpenAPI 3.1.0`, `WSDL 1.1`.
    pub format: String,
    /// The digest of the description's documents and overlays.
    pub digest: String,
    /// What can be called, in the description's order.
    pub operations: Vec<Arc<Operation>>,
    /// The security schemes that the description's operations ask for, all of them.
    pub asked: Vec<SecurityScheme>,
    /// The operations by their keys, and the first of each by method and path.
    by_key: HashMap<String, usize>,
    by_place: HashMap<String, usize>,
    /// What cannot, and why.
    pub skipped: Vec<Skipped>,
    /// Where the description is wrong and was understood nevertheless.
    pub warnings: Vec<Warning>,
}

/// A description that cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The file cannot be read.
    #[error("cannot read {path}: {error}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is no description that we can read.
    #[error("{path}: {message}")]
    Description {
        /// Which file.
        path: PathBuf,
        /// What is wrong, where, and what was expected.
        message: String,
    },
}

/// An operation that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotFound {
    /// The description has it, but it cannot be called.
    Skipped {
        /// Where in the description.
        pointer: String,
        /// Why.
        reason: String,
    },
    /// The description does not have it.
    Unknown {
        /// The operation whose name is nearest, if one is near.
        nearest: Option<String>,
    },
}

impl Catalog {
    /// Reads an API's description from its files and adds it: as much of it as the origin wants,
    /// and all of it where something is wanted that is not there, since it may be misspelled.
    pub fn add(&mut self, name: &ApiName, origin: &Origin) -> Result<&Api, CatalogError> {
        let mut reading = origin.read(name)?;
        if let Some(wanted) = &origin.wanted
            && wanted.only
            && !has_all(&reading.description, wanted)
        {
            let wanted = Some(Wanted { only: false, ..wanted.clone() });
            reading = Origin { wanted, ..origin.clone() }.read(name)?;
        }
        let Reading { description, digest, files, .. } = reading;
        self.files.extend(files);
        Ok(self.insert(name.clone(), description, digest))
    }

    /// The files that descriptions were read from, and those that were looked for.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Adds an API whose description was read, or built, elsewhere.
    pub fn insert(&mut self, name: ApiName, description: Description, digest: String) -> &Api {
        let api = Api::new(description, digest);
        self.apis.entry(name).insert_entry(api).into_mut()
    }

    /// The API of that name.
    pub fn api(&self, name: &ApiName) -> Option<&Api> {
        self.apis.get(name)
    }

    /// All APIs by name.
    pub fn apis(&self) -> impl Iterator<Item = (&ApiName, &Api)> {
        self.apis.iter()
    }
}

/// Whether a description has all that is wanted, be it that it cannot be called.
fn has_all(description: &Description, wanted: &Wanted) -> bool {
    let operations = description.operations.iter();
    let operations = operations.map(|one| (one.id.key.as_str(), one.endpoint.as_ref()));
    let skipped = description.skipped.iter();
    let skipped = skipped.map(|one| (one.key.as_str(), one.endpoint.as_ref()));
    let mut found = HashSet::new();
    for (key, endpoint) in operations.chain(skipped) {
        found.insert(key.to_owned());
        found.extend(endpoint.map(|Endpoint { method, path }| format!("{method} {path}")));
    }
    wanted.named.iter().all(|named| found.contains(named))
}

impl Api {
    /// Reads a copy of a description as if it stood where the origin says, with the documents
    /// to which it refers as they are now. Its digest tells whether they are the same.
    pub fn of_copy(name: &ApiName, origin: &Origin, copy: &Path) -> Result<Self, CatalogError> {
        let Reading { description, digest, .. } = origin.read_copy(name, copy)?;
        Ok(Self::new(description, digest))
    }

    /// Reads what was accepted of a description, and is kept at `copy`. Its digest tells whether
    /// it is that.
    pub fn of_accepted(name: &ApiName, origin: &Origin, copy: &Path) -> Result<Self, CatalogError> {
        let Reading { description, digest, .. } = origin.read_accepted(name, copy)?;
        Ok(Self::new(description, digest))
    }

    fn new(description: Description, digest: String) -> Self {
        let (mut by_key, mut by_place) = (HashMap::new(), HashMap::new());
        for (at, operation) in description.operations.iter().enumerate() {
            by_key.entry(operation.id.key.as_str().to_owned()).or_insert(at);
            if let Some(Endpoint { method, path }) = &operation.endpoint {
                by_place.entry(format!("{method} {path}")).or_insert(at);
            }
        }
        Self {
            title: description.title,
            format: description.format,
            digest,
            by_key,
            by_place,
            asked: description.asked,
            operations: description.operations.into_iter().map(Arc::new).collect(),
            skipped: description.skipped,
            warnings: description.warnings,
        }
    }

    /// The operation that `spelled` names: its key, or `METHOD /path` whatever its key is.
    pub fn operation(&self, spelled: &str) -> Result<&Arc<Operation>, NotFound> {
        if let Some(at) = self.by_key.get(spelled).or_else(|| self.by_place.get(spelled)) {
            return Ok(&self.operations[*at]);
        }
        let at = |endpoint: &Option<Endpoint>| {
            endpoint.as_ref().map(|e| format!("{} {}", e.method, e.path))
        };
        let skipped = |skipped: &&Skipped| {
            skipped.key == spelled || at(&skipped.endpoint).as_deref() == Some(spelled)
        };
        if let Some(Skipped { pointer, reason, .. }) = self.skipped.iter().find(skipped) {
            return Err(NotFound::Skipped { pointer: pointer.clone(), reason: reason.clone() });
        }
        let nearest = self
            .operations
            .iter()
            .map(|operation| operation.id.key.as_str())
            .map(|key| (strsim::jaro_winkler(&key.to_lowercase(), &spelled.to_lowercase()), key))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, key)| key.to_owned());
        Err(NotFound::Unknown { nearest })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_name_that_is_not_there_has_the_whole_description_searched() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("api.json");
        let operation = |id: &str| serde_json::json!({"get": {"operationId": id, "responses": {}}});
        let document = serde_json::json!({"openapi": "3.1.0", "paths": {
            "/things": operation("listThings"), "/orders": operation("listOrders"),
        }});
        std::fs::write(&file, document.to_string()).unwrap();
        let name = ApiName::new("api").unwrap();
        let read = |named: &[&str]| {
            let named = named.iter().map(|&one| one.to_owned()).collect();
            let wanted = Some(Wanted { named, only: true });
            let origin = Origin { file: file.clone(), wanted, ..Origin::default() };
            let mut catalog = Catalog::default();
            let api = catalog.add(&name, &origin).unwrap();
            (api.operations.len(), api.operation("listThngs").map(drop))
        };
        let nearest = |key: &str| Err(NotFound::Unknown { nearest: Some(key.to_owned()) });
        assert_eq!(read(&["listOrders", "GET /things"]), (2, nearest("listThings")));
        assert_eq!(read(&["listOrders"]).0, 1);
        assert_eq!(read(&["listOrders", "listThngs"]), (2, nearest("listThings")));
    }

    #[test]
    fn a_description_above_the_bound_is_refused_with_a_mend() {
        let folder = tempfile::tempdir().unwrap();
        let origin = Origin { file: folder.path().join("api.json"), ..Origin::default() };
        let file = std::fs::File::create(&origin.file).unwrap();
        // It has no blocks on the disk.
        file.set_len(MAX_DOCUMENT + 1).unwrap();
        let error = origin.read(&ApiName::new("api").unwrap()).unwrap_err().to_string();
        let expected =
            "longer than the 64 MiB that are read; split it, or leave out what is not used";
        assert!(error.ends_with(expected), "{error}");
    }
}
