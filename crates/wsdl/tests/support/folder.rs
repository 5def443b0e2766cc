//! Documents from the folders of a description, and from nowhere else.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use tollbridge_operation::{ApiName, Description};
use tollbridge_wsdl::{ReadError, ReadOptions, Source, read};
use url::Url;

/// A folder whose files a description may import.
struct Folder<'p>(&'p Path);

impl Source for Folder<'_> {
    fn read(&self, url: &Url) -> Result<Bytes, String> {
        let path = url.to_file_path().map_err(|()| "it is no file".to_owned())?;
        if !path.starts_with(self.0) {
            return Err("it is outside of the folder".to_owned());
        }
        std::fs::read(&path).map(Bytes::from).map_err(|error| error.to_string())
    }
}

/// The WSDL documents below a folder.
pub(crate) fn wsdls(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut next = vec![folder.to_owned()];
    while let Some(folder) = next.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                next.push(path);
            } else if path.extension().is_some_and(|extension| extension == "wsdl") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Reads a WSDL document of that folder.
pub(crate) fn load(folder: &Path, path: &Path) -> Result<Description, ReadError> {
    let api = ApiName::new("corpus").expect("a name");
    let bytes = std::fs::read(path).expect("a file");
    let source = Url::from_file_path(path).expect("an absolute path");
    let folder = Folder(folder);
    read(&bytes, &ReadOptions { api: &api, source: Some(&source), documents: &folder })
}
