//! Where things are: APIs, hosts, web pages, documents, the store.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use url::Url;

use super::{Malformed, expected};

/// The base URL of an API: absolute, http or https, without credentials, query or fragment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// The URL.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// The URL as text, without a `/` at the end.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }
}

impl FromStr for BaseUrl {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let url = Url::parse(text)
            .map_err(|_| expected("an absolute URL such as \"https://api.example.com/v1\""))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(expected("an http or https URL"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(expected("a URL without credentials: they belong in `auth`"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(expected("a base URL without query and fragment"));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

text_value!(
    BaseUrl,
    "BaseUrl",
    "tollbridge-url",
    "An absolute http or https URL without credentials."
);

/// The URL of a proxy: `http`, `https`, `socks5` or `socks5h`, without credentials and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyUrl(Url);

impl ProxyUrl {
    /// The URL.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for ProxyUrl {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let url = Url::parse(text)
            .map_err(|_| expected("a proxy's URL such as \"http://proxy.example.com:3128\""))?;
        let is_socks = matches!(url.scheme(), "socks5" | "socks5h");
        if !is_socks && !matches!(url.scheme(), "http" | "https") {
            return Err(expected("an http, https, socks5 or socks5h URL"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(expected("a URL with a host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(expected("a URL without credentials: they belong in `proxy_auth`"));
        }
        if url.query().is_some() || url.fragment().is_some() || url.path().len() > 1 {
            return Err(expected("a proxy's URL without path, query and fragment"));
        }
        if is_socks && url.port().is_none() {
            return Err(expected("a port, such as \"socks5://proxy.example.com:1080\""));
        }
        Ok(Self(url))
    }
}

text_value!(
    ProxyUrl,
    "ProxyUrl",
    "tollbridge-proxy",
    "An http, https, socks5 or socks5h URL without credentials."
);

/// What a description may refer to: a file or a folder, or a URL with what is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceTo {
    /// A file or a folder, relative to the configuration's.
    Path(String),
    /// A URL with what is below it.
    Url(Url),
}

impl FromStr for ReferenceTo {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text.contains("://") {
            return Ok(Self::Url(text.parse::<BaseUrl>()?.0));
        }
        if text.trim().is_empty() {
            return Err(expected("a folder such as \"../common\", or a URL"));
        }
        Ok(Self::Path(text.to_owned()))
    }
}

text_value!(
    ReferenceTo,
    "ReferenceTo",
    "tollbridge-reference",
    "A file or a folder, or an absolute http or https URL with what is below it."
);

/// A host that may be contacted: `files.example.com`, or with a port
/// `files.example.com:8443`, `[2001:db8::1]:8443`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName {
    /// The host in lower case, as a URL has it: IPv6 addresses in brackets.
    pub host: String,
    /// The only port that may be used; any where there is none.
    pub port: Option<u16>,
}

impl FromStr for HostName {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let host =
            || expected("a host such as \"files.example.com\" or \"files.example.com:8443\"");
        if text.contains(['/', '@', '?', '#', '\\', '*']) || text.chars().any(char::is_whitespace) {
            return Err(host());
        }
        let after_host = text.rfind(']').map_or(text, |end| &text[end..]);
        let (name, port) = match after_host.rsplit_once(':') {
            Some((_, port)) => {
                let number = port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(host)?;
                (&text[..text.len() - port.len() - 1], Some(number))
            }
            None => (text, None),
        };
        // The URL parser's host rules, so that `hosts` and a URL spell a host in one way.
        let url = Url::parse(&format!("http://{name}/")).map_err(|_| host())?;
        match url.host_str() {
            Some(name) if url.port().is_none() && !name.is_empty() => {
                Ok(Self { host: name.to_owned(), port })
            }
            _ => Err(host()),
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

text_value!(HostName, "Host", "tollbridge-host", "A host, or host:port.");

/// Who is asked for the addresses of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolverAt {
    /// The system.
    System,
    /// The name server at this address.
    Server(SocketAddr),
}

impl ResolverAt {
    /// The name server, where it is not the system that is asked.
    pub fn server(self) -> Option<SocketAddr> {
        match self {
            Self::System => None,
            Self::Server(address) => Some(address),
        }
    }
}

impl FromStr for ResolverAt {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text.parse() {
            _ if text == "system" => Ok(Self::System),
            Ok(address) => Ok(Self::Server(address)),
            Err(_) => Err(expected("\"system\", or a name server such as \"127.0.0.1:53\"")),
        }
    }
}

text_value!(
    ResolverAt,
    "Resolver",
    "tollbridge-resolver",
    "`system`, or the address and port of a name server."
);

/// A web origin: `https://app.example.com` (RFC 6454 §6.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin(String);

impl Origin {
    /// The origin as a browser writes it in `Origin`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let origin = || expected("an origin such as \"https://app.example.com\", without a path");
        let url = Url::parse(text).map_err(|_| origin())?;
        let serialized = url.origin().ascii_serialization();
        if !matches!(url.scheme(), "http" | "https") || text.trim_end_matches('/') != serialized {
            return Err(origin());
        }
        Ok(Self(serialized))
    }
}

text_value!(Origin, "Origin", "tollbridge-origin", "A web origin: https://app.example.com.");

/// Where the audit trail and everything else that lasts is kept: `sqlite:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorePath(pub String);

impl FromStr for StorePath {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() && !path.starts_with(':') && !path.contains('\0') => {
                Ok(Self(path.to_owned()))
            }
            _ => Err(expected("a store such as \"sqlite:tollbridge.db\"")),
        }
    }
}

impl Default for StorePath {
    fn default() -> Self {
        Self("tollbridge.db".to_owned())
    }
}

impl StorePath {
    /// The store's URL, its path made absolute against the folder of the configuration.
    pub fn url(&self, dir: &Path) -> String {
        let path = dir.join(&self.0);
        let path = std::path::absolute(&path).unwrap_or(path);
        format!("sqlite:{}", path.display())
    }
}

text_value!(StorePath, "Store", "tollbridge-store", "sqlite:PATH, relative to this file.");
