//! Where a description comes from, and which documents it may be made of.
//!
//! A description is input from strangers: it may refer to what lies in its own folder, or below
//! the folder of the URL that it was fetched from, and to what the configuration names. Nothing
//! is fetched here: what comes from a URL was kept beside the description by an import.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tollbridge_openapi::{Documents, Overlay, ReadOptions, Surroundings, read_within};
use tollbridge_operation::{ApiName, Description, Wanted, digest_bytes};
use url::{Position, Url};

use super::{CatalogError, Part};

/// The largest document that is read, in bytes.
pub const MAX_DOCUMENT: u64 = 64 << 20;

/// Where a description comes from, and what it is read with.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Its file, or where an import will keep it.
    pub file: PathBuf,
    /// The URL that it was fetched from.
    pub url: Option<Url>,
    /// What it may refer to besides its own folder.
    pub references: Vec<Allowed>,
    /// Changes to it, in their order.
    pub overlays: Vec<PathBuf>,
    /// Values for the variables of its servers.
    pub variables: BTreeMap<String, String>,
    /// Whether its calls may send files by their paths.
    pub takes_paths: bool,
    /// The operations that are read first, or alone. WSDL is always read whole.
    pub wanted: Option<Wanted>,
}

/// Has the bytes of a document, by its URL and the file that it is, or is kept in.
pub type Get<'a> = dyn Fn(&Url, &Path) -> Result<Vec<u8>, String> + 'a;

/// Documents to which a description may refer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// A file, or all files of a folder.
    Path(PathBuf),
    /// A document, or all documents below a URL.
    Url(Url),
}

/// A description with what it was made of.
#[derive(Debug)]
pub struct Reading {
    /// What was read.
    pub description: Description,
    /// The digest of all its documents and overlays.
    pub digest: String,
    /// Its other documents, and its overlays in their order.
    pub parts: Vec<Part>,
    /// The files that were read, or looked for.
    pub files: Vec<PathBuf>,
}

impl Origin {
    /// Reads the description from its file.
    pub fn read(&self, api: &ApiName) -> Result<Reading, CatalogError> {
        self.read_copy(api, &self.file)
    }

    /// Reads the description from a copy of its file.
    pub fn read_copy(&self, api: &ApiName, copy: &Path) -> Result<Reading, CatalogError> {
        let file = |error| CatalogError::File { path: copy.to_owned(), error };
        let bytes = bounded(copy).map_err(file)?;
        self.read_bytes(api, &bytes, &|_, file| bounded(file).map_err(|error| error.to_string()))
    }

    /// Reads the description from its bytes. `get` is asked only for documents that may be read.
    pub fn read_bytes(
        &self,
        api: &ApiName,
        bytes: &[u8],
        get: &Get<'_>,
    ) -> Result<Reading, CatalogError> {
        let mut overlays = Vec::new();
        for path in &self.overlays {
            let unreadable = |error| CatalogError::File { path: path.clone(), error };
            overlays.push((path.clone(), bounded(path).map_err(unreadable)?));
        }
        self.read_with(api, bytes, get, &overlays)
    }

    /// Where the description is, as a URL.
    pub(super) fn source(&self) -> Option<Url> {
        self.url.clone().or_else(|| file_url(&self.file))
    }

    /// Reads the description with these overlays: each with the file that it is in.
    pub(super) fn read_with(
        &self,
        api: &ApiName,
        bytes: &[u8],
        get: &Get<'_>,
        overlays: &[(PathBuf, Vec<u8>)],
    ) -> Result<Reading, CatalogError> {
        let source = self.source();
        let shelf = Shelf {
            origin: self,
            source: source.as_ref(),
            get,
            read: RefCell::default(),
            files: RefCell::new(vec![self.file.clone()]),
        };
        let wrong = |message| CatalogError::Description { path: self.file.clone(), message };
        if tollbridge_wsdl::is_xml(bytes) {
            if !overlays.is_empty() {
                return Err(wrong("overlays are for OpenAPI, and this is XML".to_owned()));
            }
            let options =
                tollbridge_wsdl::ReadOptions { api, source: source.as_ref(), documents: &shelf };
            let description =
                tollbridge_wsdl::read(bytes, &options).map_err(|error| wrong(error.to_string()))?;
            return Ok(shelf.finish(description, bytes, &[]));
        }
        shelf.files.borrow_mut().extend(overlays.iter().map(|(path, _)| path.clone()));
        let names: Vec<String> =
            overlays.iter().map(|(path, _)| path.display().to_string()).collect();
        let named = names.iter().zip(overlays);
        let changes: Vec<Overlay<'_>> =
            named.map(|(name, (_, bytes))| Overlay { name, bytes }).collect();
        let options = ReadOptions { api, source: source.as_ref() };
        let surroundings = Surroundings {
            documents: &shelf,
            overlays: &changes,
            variables: &self.variables,
            takes_paths: self.takes_paths,
            wanted: self.wanted.as_ref(),
        };
        let description = read_within(bytes, &options, &surroundings)
            .map_err(|error| wrong(error.to_string()))?;
        Ok(shelf.finish(description, bytes, overlays))
    }

    /// The file of a document, if the description may refer to it.
    fn decide(&self, source: Option<&Url>, url: &Url) -> Result<PathBuf, String> {
        match url.scheme() {
            "file" => self.file_of(url),
            "http" | "https" => {
                let shown = &url[..Position::AfterPath];
                let own = self.url.as_ref().is_some_and(|own| is_below(url, &folder(own)));
                let named = self.references.iter().any(
                    |allowed| matches!(allowed, Allowed::Url(prefix) if is_below(url, prefix)),
                );
                if own || named {
                    Ok(self.kept(url))
                } else {
                    Err(format!("{shown} is not allowed: name it in `references` of the API"))
                }
            }
            _ if source.is_none() => Err("the description's own place is not known".to_owned()),
            scheme => Err(format!("documents of `{scheme}:` are not read")),
        }
    }

    fn file_of(&self, url: &Url) -> Result<PathBuf, String> {
        let path = url.to_file_path().map_err(|()| "the path names no file here".to_owned())?;
        let shown = path.display();
        if self.url.is_some() {
            return Err(format!("{shown} is a file, and the description came from a URL"));
        }
        let known = path.extension().and_then(|end| end.to_str()).is_some_and(|end| {
            ["json", "yaml", "yml", "jsonschema", "wsdl", "xsd", "xml"]
                .contains(&end.to_ascii_lowercase().as_str())
        });
        if !known {
            return Err(format!("{shown} is neither .json nor .yaml, .wsdl nor .xsd"));
        }
        // What is below what is asked of the folder itself, so that no link leads out of it.
        let own = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let own = own.unwrap_or(Path::new(".")).to_owned();
        let named = self.references.iter().filter_map(|allowed| match allowed {
            Allowed::Path(path) => Some(path.clone()),
            Allowed::Url(_) => None,
        });
        let is_allowed = |path: &Path| {
            let mut folders = std::iter::once(own.clone()).chain(named.clone());
            folders.any(|folder| folder.canonicalize().is_ok_and(|it| path.starts_with(it)))
        };
        let Ok(whole) = path.canonicalize() else {
            // It is not there; where it would be decides what is said of it.
            let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
            let allowed = parent.is_some_and(|parent| is_allowed(&parent));
            return if allowed { Ok(path) } else { Err(outside(&path)) };
        };
        if is_allowed(&whole) { Ok(whole) } else { Err(outside(&path)) }
    }

    /// Where the document of a URL is kept: `NAME.documents/HOST/PATH` beside the description.
    fn kept(&self, url: &Url) -> PathBuf {
        let mut folder = self.file.clone().into_os_string();
        folder.push(".documents");
        let host = match url.port() {
            Some(port) => format!("{}_{port}", url.host_str().unwrap_or_default()),
            None => url.host_str().unwrap_or_default().to_owned(),
        };
        let mut path = PathBuf::from(folder).join(plain(&host));
        let segments: Vec<&str> = url.path_segments().into_iter().flatten().collect();
        for segment in &segments {
            path.push(plain(segment));
        }
        // What the plain name does not say is said by a digest.
        let is_plain = segments.iter().all(|segment| *segment == plain(segment));
        if !is_plain || url.query().is_some() {
            let digest = digest_bytes(url.as_str().as_bytes());
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(format!("~{}", &digest[7..19]));
            path.set_file_name(name);
        }
        path
    }
}

fn outside(path: &Path) -> String {
    format!(
        "{} lies outside of the description's folder: name its folder in `references` of the API",
        path.display()
    )
}

/// A segment as a file's name on any system.
fn plain(segment: &str) -> String {
    let name: String = segment
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' })
        .take(100)
        .collect();
    if name.trim_matches('.').is_empty() { "_".to_owned() } else { name }
}

fn file_url(path: &Path) -> Option<Url> {
    let whole = path.canonicalize().or_else(|_| std::path::absolute(path)).ok()?;
    Url::from_file_path(whole).ok()
}

/// The URL of the folder that a document is in.
fn folder(url: &Url) -> Url {
    url.join(".").unwrap_or_else(|_| url.clone())
}

/// Whether a URL is the prefix itself, or lies below it.
fn is_below(url: &Url, prefix: &Url) -> bool {
    let (path, below) = (url.path(), prefix.path());
    let inside = path
        .strip_prefix(below)
        .is_some_and(|rest| rest.is_empty() || below.ends_with('/') || rest.starts_with('/'));
    // A server may take an encoded separator for one.
    let is_plain =
        !["%2f", "%5c", "%2e"].iter().any(|code| path.to_ascii_lowercase().contains(code));
    url.origin() == prefix.origin() && inside && is_plain
}

fn bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    bounded_to(path, MAX_DOCUMENT)
}

pub(super) fn bounded_to(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let message = format!(
            "longer than the {} MiB that are read; split it, or leave out what is not used",
            most >> 20
        );
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// The digest of a description: of its bytes, and of all parts if it has others.
fn digest(bytes: &[u8], parts: &[Part]) -> String {
    let own = digest_bytes(bytes);
    if parts.is_empty() {
        return own;
    }
    let mut all = vec![own];
    // No document's name has a fragment.
    all.extend(
        parts
            .iter()
            .map(|part| format!("{} {}", part.digest, part.name.as_deref().unwrap_or("#overlay"))),
    );
    digest_bytes(all.join("\n").as_bytes())
}

/// A document's name as seen from the description.
pub(super) fn name_of(source: Option<&Url>, url: &Url) -> String {
    let name = source.and_then(|source| source.make_relative(url));
    name.unwrap_or_else(|| url.as_str().to_owned())
}

/// The documents of one reading.
struct Shelf<'a> {
    origin: &'a Origin,
    source: Option<&'a Url>,
    get: &'a Get<'a>,
    /// Each document that was read, by its name as seen from the description.
    read: RefCell<BTreeMap<String, Part>>,
    files: RefCell<Vec<PathBuf>>,
}

impl Shelf<'_> {
    fn finish(
        self,
        description: Description,
        bytes: &[u8],
        overlays: &[(PathBuf, Vec<u8>)],
    ) -> Reading {
        let mut parts: Vec<Part> = self.read.into_inner().into_values().collect();
        parts.extend(overlays.iter().map(|(file, bytes)| Part {
            name: None,
            file: file.clone(),
            digest: digest_bytes(bytes),
        }));
        let digest = digest(bytes, &parts);
        Reading { description, digest, parts, files: self.files.into_inner() }
    }
}

impl Documents for Shelf<'_> {
    fn get(&self, url: &Url) -> Result<Vec<u8>, String> {
        let file = self.origin.decide(self.source, url)?;
        self.files.borrow_mut().push(file.clone());
        let bytes = (self.get)(url, &file).map_err(|error| match url.scheme() {
            "file" => format!("{} cannot be read: {error}", file.display()),
            _ => format!(
                "{} is not kept in {}; import the description again ({error})",
                &url[..Position::AfterPath],
                file.display()
            ),
        })?;
        let name = name_of(self.source, url);
        let part = Part { name: Some(name.clone()), file, digest: digest_bytes(&bytes) };
        self.read.borrow_mut().insert(name, part);
        Ok(bytes)
    }
}

impl tollbridge_wsdl::Source for Shelf<'_> {
    fn read(&self, url: &Url) -> Result<Bytes, String> {
        Documents::get(self, url).map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn a_url_allows_what_is_below_it_and_no_more() {
        for (prefix, text, below) in [
            ("https://a.example/x/", "https://a.example/x/y.yaml", true),
            ("https://a.example/x", "https://a.example/x/y.yaml", true),
            ("https://a.example/x", "https://a.example/x", true),
            ("https://a.example/x", "https://a.example/xy", false),
            ("https://a.example/x/", "https://a.example/x/../y", false),
            ("https://a.example/x/", "https://a.example/x/%2e%2e/y", false),
            ("https://a.example/x/", "https://a.example/x/..%2fy", false),
            ("https://a.example/x/", "http://a.example/x/y", false),
            ("https://a.example/x/", "https://a.example:8443/x/y", false),
            ("https://a.example/", "https://a.example.evil/", false),
        ] {
            assert_eq!(is_below(&url(text), &url(prefix)), below, "{prefix} {text}");
        }
    }

    #[test]
    fn kept_documents_have_files_of_their_own_below_the_description() {
        let origin = Origin { file: PathBuf::from("specs/a.json"), ..Origin::default() };
        let mut seen = std::collections::HashSet::new();
        for text in [
            "https://a.example/x/y.yaml",
            "https://a.example:8443/x/y.yaml",
            "https://a.example/x/y.yaml?v=1",
            "https://a.example/x/y.yaml?v=2",
            "https://a.example/x/y%20z.yaml",
            "https://a.example/x/y_20z.yaml",
            "https://a.example/x/y_20z.yaml/",
            "https://a.example/",
            "https://[::1]/a",
        ] {
            let file = origin.kept(&url(text));
            assert!(file.starts_with("specs/a.json.documents"), "{}", file.display());
            assert!(file.components().all(|part| part != std::path::Component::ParentDir));
            assert!(seen.insert(file), "{text}");
        }
    }
}
