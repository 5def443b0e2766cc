//! Bytes into operations: which reader a description is for, and where the documents are that
//! it is made of.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use tollbridge_operation::{ApiName, Description};
use tollbridge_wsdl::Source;
use url::Url;

/// The largest document that is read, in bytes.
pub(super) const MAX_DOCUMENT: u64 = 64 << 20;

/// Reads a description: WSDL where it is XML, else OpenAPI. `source` is where it came from;
/// what it imports is read only from the folder of a file, and from below it.
pub fn read(bytes: &[u8], api: &ApiName, source: Option<&Url>) -> Result<Description, String> {
    if tollbridge_wsdl::is_xml(bytes) {
        let folder = Folder::of(source);
        let options = tollbridge_wsdl::ReadOptions { api, source, documents: &folder };
        return tollbridge_wsdl::read(bytes, &options).map_err(|error| error.to_string());
    }
    let options = tollbridge_openapi::ReadOptions { api, source };
    tollbridge_openapi::read(bytes, &options).map_err(|error| error.to_string())
}

/// The folder that a description is in: no document from elsewhere is read.
struct Folder(Option<PathBuf>);

impl Folder {
    fn of(source: Option<&Url>) -> Self {
        let file = source.filter(|url| url.scheme() == "file");
        let file = file.and_then(|url| url.to_file_path().ok());
        let folder = file.as_deref().and_then(Path::parent);
        Self(folder.and_then(|folder| folder.canonicalize().ok()))
    }
}

impl Source for Folder {
    fn read(&self, url: &Url) -> Result<Bytes, String> {
        let file = url.to_file_path().ok().filter(|_| url.scheme() == "file");
        let (Some(folder), Some(file)) = (&self.0, file) else {
            return Err("only files beside the description are read".to_owned());
        };
        // Asked of the file itself, so that no link leads out of the folder.
        let whole = file.canonicalize().map_err(|error| error.to_string())?;
        if !whole.starts_with(folder) {
            return Err("it lies outside of the description's folder".to_owned());
        }
        let size = std::fs::metadata(&whole).map_err(|error| error.to_string())?.len();
        if size > MAX_DOCUMENT {
            return Err(format!("{size} bytes are more than the {MAX_DOCUMENT} that are read"));
        }
        std::fs::read(&whole).map(Bytes::from).map_err(|error| error.to_string())
    }
}
