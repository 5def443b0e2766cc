//! Where a request may go, and that its URL arrives as it was built.
//!
//! A URL is put together as text: origin and path of the base URL, then the path and query
//! that a binding encoded. It is never resolved against the base (RFC 3986 §5.2.4 would let
//! `..` climb out of it), and it is compared with what the URL library made of it: where the
//! two differ, what would go out is not what was checked, and nothing goes out.

use std::collections::BTreeSet;

use url::{Position, Url};

/// Hosts and ports that may be contacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hosts(BTreeSet<(String, u16)>);

impl Hosts {
    /// Those of base URLs, and those that are named beside them. A name without a port stands
    /// for the ports of http and https. The error is the name that is none.
    pub(super) fn new<'u>(
        bases: impl IntoIterator<Item = &'u Url>,
        named: &[String],
    ) -> Result<Self, String> {
        let mut hosts = BTreeSet::new();
        hosts.extend(bases.into_iter().filter_map(host_and_port));
        for name in named {
            let (host, port) = parse(name).ok_or_else(|| name.clone())?;
            match port {
                Some(port) => hosts.extend([(host, port)]),
                None => hosts.extend([(host.clone(), 80), (host, 443)]),
            }
        }
        Ok(Self(hosts))
    }

    pub(super) fn allow(&self, url: &Url) -> bool {
        host_and_port(url).is_some_and(|place| self.0.contains(&place))
    }
}

fn host_and_port(url: &Url) -> Option<(String, u16)> {
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
}

/// Reads `host` or `host:port`, the host as URLs write it.
fn parse(name: &str) -> Option<(String, Option<u16>)> {
    if name.contains(['/', '?', '#', '@', '\\']) || name.contains(char::is_whitespace) {
        return None;
    }
    let url = Url::parse(&format!("http://{name}/")).ok()?;
    let host = url.host_str()?.to_owned();
    // A URL forgets a port that is its scheme's own.
    let named_80 = name.rsplit_once(':').is_some_and(|(_, port)| port.parse() == Ok(80_u16));
    Some((host, url.port().or(named_80.then_some(80))))
}

/// `origin`, `host:port` and the like for messages: without path, query and credentials.
pub(super) fn origin(url: &Url) -> &str {
    &url[..Position::BeforePath]
}

/// Puts path and query under the base URL. The error says what is wrong, in words.
pub(super) fn join(base: &Url, path: &str, query: &[&str]) -> Result<Url, &'static str> {
    let target = target(base, path, query)?;
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target.as_str(), None),
    };
    // The base's host was read when it was configured, and is not read again.
    let mut url = base.clone();
    url.set_path(path);
    url.set_query(query);
    if url[Position::BeforePath..] != target || origin(&url) != origin(base) {
        return Err("its URL would not arrive as it was built");
    }
    if url.as_str().parse::<http::Uri>().is_err() {
        return Err("its URL cannot be sent");
    }
    Ok(url)
}

/// Path and query as they go into the request line.
fn target(base: &Url, path: &str, query: &[&str]) -> Result<String, &'static str> {
    if !path.is_empty() && !path.starts_with('/') {
        return Err("its path does not begin with `/`");
    }
    let under = base.path();
    // An operation without a path is the base URL itself, its `/` at the end included.
    let under = if path.is_empty() { under } else { under.strip_suffix('/').unwrap_or(under) };
    let whole = format!("{under}{path}");
    if !whole.bytes().all(may_be_in_path) {
        return Err("its path has characters that must be percent-encoded");
    }
    if whole.split('/').any(is_dot_segment) {
        return Err("its path has a `.` or `..` segment");
    }
    let mut target = whole;
    let mut separator = '?';
    for part in base.query().into_iter().chain(query.iter().copied()) {
        if part.is_empty() {
            continue;
        }
        if part.contains('#') || !part.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("its query has characters that must be percent-encoded");
        }
        target.push(separator);
        // The one character that RFC 3986 §3.4 allows in a query and URL libraries encode.
        target.push_str(&part.replace('\'', "%27"));
        separator = '&';
    }
    Ok(target)
}

/// RFC 3986 §3.3: unreserved, sub-delims, `:`, `@`, `/`, and `%` of an escape.
fn may_be_in_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte)
}

/// URL libraries and servers take `%2e` for `.` here (RFC 3986 §6.2.2.2).
fn is_dot_segment(segment: &str) -> bool {
    let mut rest = segment;
    let mut dots = 0;
    while let Some(after) = rest
        .strip_prefix('.')
        .or_else(|| rest.strip_prefix("%2e"))
        .or_else(|| rest.strip_prefix("%2E"))
    {
        rest = after;
        dots += 1;
    }
    rest.is_empty() && (1..=2).contains(&dots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn the_base_keeps_its_path_and_query() {
        for (base, path, query, whole) in [
            ("http://h/api/v1", "/zones", "", "http://h/api/v1/zones"),
            ("http://h/api/v1/", "/zones", "", "http://h/api/v1/zones"),
            ("http://h", "/zones", "a=b", "http://h/zones?a=b"),
            ("http://h", "", "", "http://h/"),
            ("http://h/soap", "", "", "http://h/soap"),
            ("http://h/soap/", "", "", "http://h/soap/"),
            ("http://h/soap?tenant=1", "", "x=2", "http://h/soap?tenant=1&x=2"),
            ("http://h:8081/a", "/b%2Fc", "q=%20", "http://h:8081/a/b%2Fc?q=%20"),
            ("http://h", "/a//b/", "", "http://h/a//b/"),
            ("http://h", "/x;v=1,2:@!$&'()*+=~", "", "http://h/x;v=1,2:@!$&'()*+=~"),
            ("http://h", "/x", "a=it's&b=[1]|{}", "http://h/x?a=it%27s&b=[1]|{}"),
        ] {
            let joined = join(&url(base), path, &[query]);
            assert_eq!(joined.map(|url| url.to_string()).as_deref(), Ok(whole), "{base} {path}");
        }
    }

    #[test]
    fn no_path_leaves_the_base() {
        let base = url("http://h/api");
        for path in [
            "/..",
            "/.",
            "/../x",
            "/a/%2e%2E/b",
            "/a/.%2e",
            "/%2e",
            "zones",
            "@evil/",
            "/a?b",
            "/a#b",
            "/a b",
            "/a\\b",
            "/a\tb",
            "/ä",
            "/a\r\nb",
            "/a\"b",
        ] {
            assert!(join(&base, path, &[]).is_err(), "{path:?}");
        }
        assert!(join(&base, "/...", &[]).is_ok());
        assert!(join(&base, "/a", &["b#c"]).is_err());
        assert!(join(&base, "/a", &["b c"]).is_err());
    }

    #[test]
    fn only_named_hosts_and_ports_are_allowed() {
        let named =
            ["files.example.com".to_owned(), "[::1]:9000".to_owned(), "A.test:80".to_owned()];
        let hosts = Hosts::new([&url("https://api.example.com/v1")], &named).expect("hosts");
        for yes in [
            "https://api.example.com/other",
            "https://API.example.com:443/",
            "http://files.example.com/",
            "https://files.example.com/",
            "http://[::1]:9000/",
            "http://a.test/",
        ] {
            assert!(hosts.allow(&url(yes)), "{yes}");
        }
        for no in [
            "http://api.example.com/",
            "https://api.example.com:8443/",
            "https://files.example.com:444/",
            "https://a.test/",
            "http://[::1]/",
            "http://169.254.169.254/",
            "https://api.example.com.evil.test/",
            "https://api.example.com./",
        ] {
            assert!(!hosts.allow(&url(no)), "{no}");
        }
    }

    #[test]
    fn a_name_that_is_no_host_is_an_error() {
        for bad in ["", "a/b", "user@h", "http://h", "h:99999", "a b", "h?x"] {
            let hosts = Hosts::new([&url("http://h")], &[bad.to_owned()]);
            assert_eq!(hosts, Err(bad.to_owned()));
        }
    }
}
