//! Where calls go, by what the description says and the command line allows.

use std::collections::BTreeSet;

use tollbridge_operation::Description;
use url::Url;

use super::source::{Spec, is_private};
use crate::config::{BaseUrl, HostName};

/// Where calls go, by the description and the command line.
#[derive(Debug, Default)]
pub(super) struct Servers {
    /// The base URL of all operations, where there is one.
    pub(super) base_url: Option<String>,
    /// Other hosts that may be contacted.
    pub(super) hosts: Vec<String>,
    /// What the user should know.
    pub(super) notes: Vec<String>,
}

/// The URL as `tools.toml` has it. A `/` at its end is kept: a SOAP service's address is the
/// whole URL of its requests.
fn written(url: &BaseUrl) -> String {
    match url.as_url().path() {
        "/" => url.to_string(),
        _ => url.as_url().to_string(),
    }
}

impl Servers {
    /// The description is input from strangers: where it did not come from a private network
    /// or this machine, it cannot open a way there.
    pub(super) fn of(description: &Description, spec: &Spec, base_url: Option<&BaseUrl>) -> Self {
        let mut servers = Self::default();
        let mut refuse = |url: &Url| {
            let host = url.host_str().unwrap_or_default();
            let note = format!("the description names the private host {host}: not written");
            if !servers.notes.contains(&note) {
                servers.notes.push(note);
            }
        };
        let mut allowed: Vec<Url> = Vec::new();
        let mut first: BTreeSet<Option<String>> = BTreeSet::new();
        for operation in &description.operations {
            let mut preferred = None;
            for server in &operation.servers {
                let Ok(url) = Url::parse(server) else { continue };
                let Some(host) = url.host() else { continue };
                if is_private(&host) && !spec.trusted_with_private_hosts {
                    refuse(&url);
                    continue;
                }
                // A server with credentials or a query in it is no base URL.
                let Ok(parsed) = server.parse::<BaseUrl>() else { continue };
                preferred = preferred.or_else(|| Some(written(&parsed)));
                if !allowed.contains(&url) {
                    allowed.push(url);
                }
            }
            first.insert(preferred);
        }
        // One base URL stands for all operations; where they differ, each goes to its own.
        servers.base_url = match (base_url, first.pop_first()) {
            (Some(url), _) => Some(written(url)),
            (None, Some(Some(only))) if first.is_empty() => Some(only),
            (None, _) => None,
        };
        let base = servers.base_url.as_deref().and_then(|url| Url::parse(url).ok());
        for url in allowed {
            let place =
                |url: &Url| (url.host_str().map(str::to_owned), url.port_or_known_default());
            if base.as_ref().is_some_and(|base| place(base) == place(&url)) {
                continue;
            }
            let host = match (url.host_str(), url.port()) {
                (Some(host), Some(port)) => format!("{host}:{port}"),
                (Some(host), None) => host.to_owned(),
                (None, _) => continue,
            };
            if host.parse::<HostName>().is_ok() && !servers.hosts.contains(&host) {
                servers.hosts.push(host);
            }
        }
        if servers.base_url.is_none() && servers.hosts.is_empty() {
            servers.notes.push(
                "nothing says where the API is: set base_url in its table, or use --base-url"
                    .to_owned(),
            );
        }
        servers
    }
}
