//! Where descriptions come from: files, folders, URLs, standard input.
//!
//! A URL is fetched with the headers of the command line, which go to its own host only.

use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::{Host, Url};

use super::ImportError;
use crate::bridge;
use crate::secret::SecretRef;

/// The longest description that is read, in bytes.
const MAX_BYTES: usize = 64 << 20;

/// How long fetching one may take, redirects included.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How many redirects within a host are followed.
const MAX_REDIRECTS: usize = 5;

/// A place that has a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SpecSource {
    /// A file that was named.
    File(PathBuf),
    /// A file of a folder that was named.
    FileOfFolder(PathBuf),
    /// A URL.
    Url(Url),
    /// Standard input.
    Stdin,
}

/// A description, read and not yet understood.
#[derive(Debug)]
pub(super) struct Spec {
    /// What it is called in messages: never with a query, which may hold a secret.
    pub(super) label: String,
    /// What its API could be called.
    pub(super) suggestion: String,
    /// The file, where it is one; others are kept in `specs/`.
    pub(super) file: Option<PathBuf>,
    /// Where it was fetched from: relative servers resolve against it.
    pub(super) url: Option<Url>,
    /// Whether it may name private hosts: it comes from this machine, or from one of them.
    pub(super) trusted_with_private_hosts: bool,
    /// The description.
    pub(super) bytes: Vec<u8>,
}

impl SpecSource {
    /// What one argument of the command line names.
    pub(super) fn find(argument: &str) -> Result<Vec<Self>, ImportError> {
        if argument == "-" {
            return Ok(vec![Self::Stdin]);
        }
        if argument.starts_with("http://") || argument.starts_with("https://") {
            let url = Url::parse(argument)
                .map_err(|error| ImportError::Usage(format!("the URL is malformed: {error}")))?;
            if !url.username().is_empty() || url.password().is_some() {
                return Err(ImportError::Usage(
                    "a URL with credentials is refused: use --header 'Authorization: env:NAME'"
                        .to_owned(),
                ));
            }
            return Ok(vec![Self::Url(url)]);
        }
        let path = Path::new(argument);
        if !path.is_dir() {
            return Ok(vec![Self::File(path.to_owned())]);
        }
        let mut files = Vec::new();
        walk(path, 0, &mut files)
            .map_err(|error| ImportError::Failed(format!("{argument}: {error}")))?;
        files.sort();
        Ok(files.into_iter().map(Self::FileOfFolder).collect())
    }

    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::FileOfFolder(path) => Some(path),
            Self::Url(_) | Self::Stdin => None,
        }
    }

    pub(super) fn is_of_folder(&self) -> bool {
        matches!(self, Self::FileOfFolder(_))
    }

    /// Reads the description.
    pub(super) async fn read(&self, fetching: &Fetching) -> Result<Spec, ImportError> {
        match self {
            Self::File(path) | Self::FileOfFolder(path) => {
                let label = path.display().to_string();
                let failed = |error| ImportError::Failed(format!("{label}: {error}"));
                let file = std::fs::File::open(path).map_err(failed)?;
                let bytes = bounded(file, &label)?;
                Ok(Spec {
                    suggestion: suggestion(path.file_stem().and_then(|stem| stem.to_str())),
                    label,
                    file: Some(path.clone()),
                    url: None,
                    trusted_with_private_hosts: true,
                    bytes,
                })
            }
            Self::Stdin => Ok(Spec {
                label: "standard input".to_owned(),
                suggestion: suggestion(None),
                file: None,
                url: None,
                trusted_with_private_hosts: true,
                bytes: bounded(std::io::stdin().lock(), "standard input")?,
            }),
            Self::Url(url) => {
                let (url, bytes) = fetching.fetch(url).await?;
                Ok(Spec {
                    label: shown(&url),
                    suggestion: suggestion_of_url(&url),
                    file: None,
                    trusted_with_private_hosts: url.host().is_some_and(|host| is_private(&host)),
                    url: Some(url),
                    bytes,
                })
            }
        }
    }
}

/// How deep folders are searched, and how many files are taken from them.
const MAX_FOLDERS: usize = 16;
const MAX_FILES: usize = 5000;

/// Finds the files of a folder that may be descriptions. Hidden folders, links to folders and
/// what an import has kept for a description are passed by.
fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if kind.is_dir() {
            let passed = name.starts_with('.') || name.ends_with(".documents");
            if !passed && depth < MAX_FOLDERS {
                walk(&path, depth + 1, files)?;
            }
            continue;
        }
        let end = path.extension().and_then(|end| end.to_str());
        let known = end.is_some_and(|end| matches!(end, "json" | "yaml" | "yml" | "wsdl"));
        if known && path.is_file() && files.len() < MAX_FILES {
            files.push(path);
        }
    }
    Ok(())
}

fn bounded(source: impl std::io::Read, label: &str) -> Result<Vec<u8>, ImportError> {
    let mut bytes = Vec::new();
    source
        .take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| ImportError::Failed(format!("{label}: {error}")))?;
    if bytes.len() > MAX_BYTES { Err(too_long(label)) } else { Ok(bytes) }
}

fn too_long(label: &str) -> ImportError {
    let most = MAX_BYTES >> 20;
    ImportError::Failed(format!(
        "{label}: longer than the {most} MiB that are read; split it, or leave out what is not used"
    ))
}

/// A URL in messages.
fn shown(url: &Url) -> String {
    url[..url::Position::AfterPath].to_owned()
}

/// How descriptions are fetched.
#[derive(Debug)]
pub(super) struct Fetching {
    headers: Vec<(HeaderName, SecretRef)>,
}

impl Fetching {
    /// Reads `NAME: REF` arguments. What is refused is not repeated: it may be a secret.
    pub(super) fn new(headers: &[String]) -> Result<Self, ImportError> {
        let usage = |message: String| ImportError::Usage(format!("--header: {message}"));
        let parse = |argument: &String| {
            let (name, reference) = argument
                .split_once(':')
                .ok_or_else(|| usage("expected 'NAME: REF', as in 'X-API-Key: env:KEY'".into()))?;
            let name = HeaderName::try_from(name.trim())
                .map_err(|_| usage("the name is none that a header can have".into()))?;
            let reference = reference
                .trim()
                .parse()
                .map_err(|error| usage(format!("the value of {name}: {error}")))?;
            Ok((name, reference))
        };
        Ok(Self { headers: headers.iter().map(parse).collect::<Result<_, ImportError>>()? })
    }

    /// Fetches a document to which a description refers. The headers are for the host of the
    /// description alone.
    pub(super) async fn fetch_other(
        &self,
        url: &Url,
        description: Option<&Url>,
    ) -> Result<Vec<u8>, ImportError> {
        let is_same = description.is_some_and(|known| known.origin() == url.origin());
        let bare = Self { headers: Vec::new() };
        let fetching = if is_same { self } else { &bare };
        fetching.fetch(url).await.map(|(_, bytes)| bytes)
    }

    async fn fetch(&self, url: &Url) -> Result<(Url, Vec<u8>), ImportError> {
        let label = shown(url);
        tokio::time::timeout(TIMEOUT, self.follow(url.clone())).await.unwrap_or_else(|_| {
            let seconds = TIMEOUT.as_secs();
            Err(ImportError::Failed(format!("{label}: no description within {seconds} s")))
        })
    }

    /// Fetches, and follows redirects as long as they stay where they are: the headers are
    /// meant for one host, and an http answer must not choose another.
    async fn follow(&self, mut url: Url) -> Result<(Url, Vec<u8>), ImportError> {
        let client = bridge::http_client().map_err(ImportError::Failed)?;
        let headers = self.resolve()?;
        for _ in 0..=MAX_REDIRECTS {
            let label = shown(&url);
            let failed = |error: reqwest::Error| {
                ImportError::Failed(format!("{label}: {}", in_words(&error.without_url())))
            };
            let request = client.get(url.clone()).headers(headers.clone());
            let mut response = request.send().await.map_err(failed)?;
            if response.status().is_redirection()
                && let Some(location) = response.headers().get(header::LOCATION)
            {
                let next = location
                    .to_str()
                    .ok()
                    .and_then(|location| url.join(location).ok())
                    .ok_or_else(|| ImportError::Failed(format!("{label}: a broken redirect")))?;
                if next.origin() != url.origin() {
                    return Err(ImportError::Failed(format!(
                        "{label} redirects to {}: import that, if it is meant",
                        shown(&next)
                    )));
                }
                url = next;
                continue;
            }
            if !response.status().is_success() {
                let hint = match response.status().as_u16() {
                    401 | 403 => ": it may need --header 'NAME: env:VARIABLE'",
                    _ => "",
                };
                let status = response.status().as_u16();
                return Err(ImportError::Failed(format!("{label} answers {status}{hint}")));
            }
            let mut bytes = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(failed)? {
                if bytes.len() + chunk.len() > MAX_BYTES {
                    return Err(too_long(&label));
                }
                bytes.extend_from_slice(&chunk);
            }
            return Ok((url, bytes));
        }
        Err(ImportError::Failed(format!("{}: more than {MAX_REDIRECTS} redirects", shown(&url))))
    }

    fn resolve(&self) -> Result<HeaderMap, ImportError> {
        let mut headers = HeaderMap::new();
        let accept = "application/json, application/yaml;q=0.9, text/yaml;q=0.9, */*;q=0.5";
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        for (name, reference) in &self.headers {
            let secret = reference
                .resolve(Path::new("."))
                .map_err(|error| ImportError::Failed(format!("--header {name}: {error}")))?;
            let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| {
                ImportError::Failed(format!("--header {name}: the secret fits in no header"))
            })?;
            value.set_sensitive(true);
            headers.insert(name.clone(), value);
        }
        Ok(headers)
    }
}

/// An error with its causes, innermost last: "connection refused" is in none but the last.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}

/// Whether a host is on this machine or its own network (RFC 1918, RFC 4193, RFC 6598,
/// RFC 6761, RFC 6762, RFC 3927, RFC 4291).
pub(super) fn is_private(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => is_private_address((*address).into()),
        Host::Ipv6(address) => is_private_address((*address).into()),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let ends = [".localhost", ".local", ".internal", ".home.arpa", ".lan", ".intranet"];
            !name.contains('.') || ends.iter().any(|end| name.ends_with(end))
        }
    }
}

fn is_private_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_broadcast()
                || a == 0
                || (a == 100 && (64..128).contains(&b))
                || v4.is_multicast()
        }
        IpAddr::V6(v6) => {
            v6.to_ipv4_mapped().is_some_and(|v4| is_private_address(v4.into()))
                || v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
        }
    }
}

/// Stems that say that a file is a description, and not of what.
const GENERIC: &[&str] = &[
    "openapi",
    "example",
    "swagger",
    "api",
    "apis",
    "docs",
    "doc",
    "spec",
    "schema",
    "index",
    "api_docs",
    "reference",
];

/// An API's name after a file's.
fn suggestion(stem: Option<&str>) -> String {
    named(stem).unwrap_or_else(|| "api".to_owned())
}

/// An API's name after a URL's: its last segment that says anything, else its host's name.
fn suggestion_of_url(url: &Url) -> String {
    let segments = url.path_segments().into_iter().flatten().rev();
    let from_path = segments
        .map(|segment| segment.rsplit_once('.').map_or(segment, |(stem, _)| stem))
        .find_map(|stem| named(Some(stem)));
    let from_host = || match url.host() {
        Some(Host::Domain(name)) => {
            let labels: Vec<&str> = name.split('.').filter(|label| *label != "www").collect();
            let last = labels.len().saturating_sub(usize::from(labels.len() > 1));
            labels[..last].iter().rev().find_map(|label| named(Some(label)))
        }
        _ => None,
    };
    from_path.or_else(from_host).unwrap_or_else(|| "api".to_owned())
}

/// A text as the name of an API; `None` where nothing is left of it that says anything.
fn named(text: Option<&str>) -> Option<String> {
    let mut name = String::new();
    for c in text?.chars() {
        if c.is_ascii_alphanumeric() || c == '-' {
            name.push(c.to_ascii_lowercase());
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    let name = name.trim_matches(['_', '-']);
    let name: String = name.chars().take(40).collect();
    let name = name.trim_end_matches(['_', '-']).to_owned();
    let version = |name: &str| {
        name.strip_prefix('v').is_some_and(|digits| {
            !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '_')
        })
    };
    let plain = name.replace('-', "_");
    (!name.is_empty() && !GENERIC.contains(&plain.as_str()) && !version(&plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_is_called_after_its_file_or_url() {
        for (stem, name) in [
            ("pdns", "pdns"),
            ("Orders API", "orders_api"),
            ("openapi", "api"),
            ("v2", "api"),
            ("ä", "api"),
        ] {
            assert_eq!(suggestion(Some(stem)), name, "{stem}");
        }
        for (url, name) in [
            ("https://petstore.example.com/openapi.json", "petstore"),
            ("https://api.github.com/", "github"),
            ("http://127.0.0.1:8081/api/docs", "api"),
            ("https://a.example/specs/Orders.yaml?token=x", "orders"),
            ("http://localhost:1/v1/swagger.json", "localhost"),
        ] {
            assert_eq!(suggestion_of_url(&Url::parse(url).expect("a URL")), name, "{url}");
        }
    }

    #[test]
    fn private_hosts_are_those_of_the_rfcs() {
        let private =
            |url: &str| is_private(&Url::parse(url).expect("a URL").host().expect("a host"));
        for url in [
            "http://127.0.0.1",
            "http://10.1.2.3",
            "http://172.16.0.1",
            "http://192.168.0.1",
            "http://169.254.169.254",
            "http://100.64.0.1",
            "http://0.0.0.0",
            "http://[::1]",
            "http://[fd00::1]",
            "http://[fe80::1]",
            "http://[::ffff:127.0.0.1]",
            "http://localhost",
            "http://a.localhost",
            "http://db",
            "http://a.internal",
            "http://printer.local.",
        ] {
            assert!(private(url), "{url}");
        }
        for url in [
            "http://8.8.8.8",
            "https://api.example.com",
            "http://[2001:4860:4860::8888]",
            "http://100.128.0.1",
            "http://172.32.0.1",
        ] {
            assert!(!private(url), "{url}");
        }
    }

    #[test]
    fn a_header_takes_references_only_and_repeats_none() {
        for bad in ["X-Key", "X Key: env:A", "X-Key: sk-live-1", ": env:A"] {
            let error = Fetching::new(&[bad.to_owned()]).expect_err(bad).to_string();
            assert!(!error.contains("sk-live"), "{error}");
        }
        assert!(Fetching::new(&["X-Key: env:A".to_owned(), "b:file:x".to_owned()]).is_ok());
    }
}
