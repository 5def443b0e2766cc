//! An API's address, credentials and bounds, checked once.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};
use tollbridge_operation::{ApiName, Enclosure, Identity, Operation, SecurityScheme};
use url::Url;

use arc_swap::ArcSwap;

use super::address::{self, Hosts};
use super::attempt::Server;
use super::client;
use super::credential::{self, Credentials, Given, Provenance};
use super::gate::Gate;
use super::limiter::headers::LimitsRead;
use super::proxy::Proxy;
use super::recovery::{ErrorRule, Recovery};
use super::resolve::Guard;
use super::tls::{self, Tls};
use super::traffic::Traffic;
use super::uploads::Uploads;
use crate::secret::{Redactor, Secret};

/// What an upstream is made from.
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    /// The API, for messages.
    pub api: ApiName,
    /// Under which URL its operations are. Its host may be private.
    pub base_url: Url,
    /// Other hosts that may be contacted: `host` or `host:port`.
    pub hosts: Vec<String>,
    /// What its operations are authenticated with.
    pub credentials: Credentials,
    /// Headers that go with every request and that no argument can change.
    pub headers: Vec<(HeaderName, HeaderText)>,
    /// What is enclosed in every message, but for credentials.
    pub enclosure: Enclosure,
    /// The whole call: requests and waits. Whoever calls [`execute`](super::execute) makes
    /// its deadline of it, or of what the tool says.
    pub timeout: Duration,
    /// One request.
    pub attempt_timeout: Duration,
    /// What becomes of a redirect.
    pub redirects: Redirects,
    /// How many bytes an answer's body may have, decompressed.
    pub max_response: u64,
    /// Whether its requests say in which trace they are made.
    pub traced: bool,
    /// Whom its connections trust, and who they say we are.
    pub tls: Tls,
    /// The name server that is asked for addresses, instead of the system.
    pub resolver: Option<SocketAddr>,
    /// The proxy that its requests go through.
    pub proxy: Option<Proxy>,
    /// Where files are that arguments may name.
    pub uploads: Option<Uploads>,
    /// What is done where it fails.
    pub recovery: Recovery,
}

/// The value of a fixed header.
#[derive(Debug, Clone)]
pub enum HeaderText {
    /// One that may be seen.
    Plain(String),
    /// A secret.
    Secret(Secret),
}

/// What becomes of a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redirects {
    /// It is a failure.
    #[default]
    Refuse,
    /// It is followed to hosts that the configuration names.
    Follow,
}

/// What is wrong with an [`UpstreamConfig`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// The base URL cannot be one.
    #[error("the base URL of `{api}` {reason}")]
    BaseUrl {
        /// The API.
        api: ApiName,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A host is none.
    #[error("`{host}` in the hosts of `{api}` is no `host` or `host:port`")]
    Host {
        /// The API.
        api: ApiName,
        /// What was given.
        host: String,
    },
    /// A fixed header cannot be sent, or is HTTP's own.
    #[error("the header `{name}` of `{api}` {reason}")]
    Header {
        /// The API.
        api: ApiName,
        /// Its name.
        name: HeaderName,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A credential cannot be sent.
    #[error("the credentials of `{api}` cannot be used: {reason}")]
    Credential {
        /// The API.
        api: ApiName,
        /// What is wrong with it.
        reason: String,
    },
    /// No HTTP client could be made.
    #[error("no HTTP client for `{api}`: {reason}")]
    Client {
        /// The API.
        api: ApiName,
        /// Why.
        reason: String,
    },
}

/// An API that can be called. It holds the connections to it.
pub struct Upstream {
    pub(super) api: ApiName,
    /// Where its operations are: the first one, and what stands in for it, in order.
    pub(super) bases: Vec<Base>,
    /// Whether whatever is done at one of them is known at all.
    pub(super) one_state: bool,
    /// The header by which the API tells repetitions.
    pub(super) idempotency_key: Option<HeaderName>,
    pub(super) error_when: Option<ErrorRule>,
    pub(super) limits_read: LimitsRead,
    /// An answer that takes longer is slow.
    pub(super) slow: Option<Duration>,
    traffic: ArcSwap<Traffic>,
    pub(super) hosts: Hosts,
    pub(super) credentials: Credentials,
    /// Whether each caller has a credential of its own.
    pub(super) by_identity: bool,
    /// A digest of the certificate that connections present.
    pub(super) certificate: Option<[u8; 32]>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) enclosure: Arc<Enclosure>,
    timeout: Duration,
    pub(super) attempt_timeout: Duration,
    pub(super) redirects: Redirects,
    pub(super) max_response: u64,
    pub(super) traced: bool,
    pub(super) uploads: Option<Uploads>,
    pub(super) client: reqwest::Client,
    /// Who judges where names lead that a proxy resolves.
    pub(super) proxied: Option<Guard>,
    pub(super) redactor: Arc<Redactor>,
    /// Draws evenly from nothing to what it is given.
    pub(super) jitter: fn(Duration) -> Duration,
    /// What `Retry-After` dates are compared with, and messages are dated by.
    pub(super) clock: fn() -> SystemTime,
    /// What nonces are made of; `None` where the system gives nothing.
    pub(super) random: fn() -> Option<[u8; 32]>,
}

/// What a call has in common with others of its API.
pub(super) struct InCommon {
    pub(super) traffic: Arc<Traffic>,
    /// The limits of the credential, where it is the caller's own.
    pub(super) own: Option<Arc<Gate>>,
}

/// A base URL.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub(super) url: Url,
    /// Scheme, host and port: what fails together.
    pub(super) origin: String,
    /// Host and port, as they are measured.
    pub(super) server: Arc<Server>,
}

impl Base {
    fn new(url: Url) -> Self {
        Self { origin: address::origin(&url).to_owned(), server: Server::of(&url), url }
    }
}

impl Upstream {
    /// Checks the configuration and makes a client for it. Connects to nothing.
    pub fn new(config: UpstreamConfig, redactor: Arc<Redactor>) -> Result<Self, UpstreamError> {
        let UpstreamConfig { api, base_url, .. } = config;
        let recovery = config.recovery;
        let mut bases = vec![Base::new(base_url)];
        bases.extend(recovery.fallback_urls.into_iter().map(Base::new));
        if let Some(reason) = bases.iter().find_map(|base| check_base(&base.url).err()) {
            return Err(UpstreamError::BaseUrl { api, reason });
        }
        let hosts = match Hosts::new(bases.iter().map(|base| &base.url), &config.hosts) {
            Ok(hosts) => hosts,
            Err(host) => return Err(UpstreamError::Host { api, host }),
        };
        let mut headers = Vec::with_capacity(config.headers.len());
        for (name, text) in config.headers {
            match fixed_header(&name, &text) {
                Ok(value) => headers.push((name, value)),
                Err(reason) => return Err(UpstreamError::Header { api, name, reason }),
            }
        }
        if let Err(reason) = check_credentials(&config.credentials) {
            return Err(UpstreamError::Credential { api, reason: reason.to_owned() });
        }
        // Reading the machine's certificates takes a while, and a redirect could lead to https.
        let certificate = config.tls.identity.as_ref();
        let certificate = certificate.map(|own| Sha256::digest(own.certificate.as_bytes()).into());
        let is_https = bases.iter().any(|base| base.url.scheme() == "https");
        let tls =
            if is_https || !config.hosts.is_empty() { config.tls.config() } else { tls::none() };
        let proxy = config.proxy.as_ref();
        let client = Guard::new(config.resolver).and_then(|guard| {
            let proxied = proxy.map(|_| guard.clone());
            let client =
                tls.and_then(|tls| client::build(config.attempt_timeout, tls, guard, proxy));
            client.map(|client| (client, proxied))
        });
        let (client, proxied) = match client {
            Ok(made) => made,
            Err(reason) => return Err(UpstreamError::Client { api, reason }),
        };
        Ok(Self {
            api,
            bases,
            one_state: recovery.one_state,
            idempotency_key: recovery.idempotency_key,
            error_when: recovery.error_when,
            limits_read: recovery.limits_read,
            slow: recovery.slow,
            traffic: ArcSwap::new(recovery.traffic),
            hosts,
            by_identity: config.credentials.are_by_identity(),
            credentials: config.credentials,
            certificate,
            headers,
            enclosure: Arc::new(config.enclosure),
            timeout: config.timeout,
            attempt_timeout: config.attempt_timeout,
            redirects: config.redirects,
            max_response: config.max_response,
            traced: config.traced,
            uploads: config.uploads,
            client,
            proxied,
            redactor,
            jitter,
            clock: SystemTime::now,
            random,
        })
    }

    /// The API.
    pub fn api(&self) -> &ApiName {
        &self.api
    }

    /// How long a whole call may take, where its tool says nothing else.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The longest answer that is read, in bytes.
    pub fn max_response(&self) -> u64 {
        self.max_response
    }

    /// The URL under which its operations are.
    pub fn base(&self) -> &str {
        self.bases[0].url.as_str()
    }

    /// Scheme, host and port of that.
    pub fn origin(&self) -> &str {
        &self.bases[0].origin
    }

    /// What its calls and those of other upstreams of the same API have in common.
    pub fn traffic(&self) -> Arc<Traffic> {
        self.traffic.load_full()
    }

    /// What a call of that identity has in common with others.
    pub(super) fn in_common(&self, identity: &Identity) -> InCommon {
        let traffic = self.traffic();
        let own = if self.by_identity { traffic.of_credential(identity) } else { None };
        InCommon { traffic, own }
    }

    /// Takes the place of an older upstream of the same API: what was learned of the API, and
    /// who waits for it, is kept.
    pub fn succeed(&self, older: &Self) {
        let kept = older.traffic.load_full();
        let own = self.traffic.load_full();
        if !Arc::ptr_eq(&kept, &own) {
            kept.go_by(&own);
            self.traffic.store(kept);
        }
    }

    /// Where the credential for all of the API comes from, by the schemes that its operations
    /// ask for.
    pub fn provenance<'s>(
        &self,
        mut asked: impl Iterator<Item = &'s SecurityScheme>,
    ) -> Provenance {
        match self.credentials.for_most() {
            Some(credential) if asked.any(|scheme| credential::stands_for(credential, scheme)) => {
                Provenance::Declared
            }
            _ => Provenance::Added,
        }
    }

    /// The security schemes for which the operation lacks a credential: none where it can be
    /// called, else those of the alternative that lacks the fewest. A credential for all of the
    /// API stands for the schemes that it can be; one that was added is in the place of them all,
    /// but for a certificate, which no request can carry.
    pub fn missing_credentials(
        &self,
        operation: &Operation,
        provenance: Provenance,
    ) -> Vec<String> {
        let has_certificate = self.certificate.is_some();
        match &self.credentials {
            Credentials::ByScheme(by_name) => {
                credential::missing(Given { by_name, has_certificate }, operation)
            }
            Credentials::None => {
                credential::missing(Given { by_name: &BTreeMap::new(), has_certificate }, operation)
            }
            one => match one.for_most() {
                Some(credential) if provenance == Provenance::Declared => {
                    credential::missing_beside(credential, has_certificate, operation)
                }
                _ if has_certificate => Vec::new(),
                _ => credential::certificates(operation),
            },
        }
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("api", &self.api).finish_non_exhaustive()
    }
}

fn check_base(url: &Url) -> Result<(), &'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("is not http or https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has credentials in it: they belong in `auth`");
    }
    if url.fragment().is_some() {
        return Err("has a fragment, which is never sent");
    }
    address::join(url, "", &[]).map(drop)
}

fn fixed_header(name: &HeaderName, text: &HeaderText) -> Result<HeaderValue, &'static str> {
    if is_of_the_connection(name) {
        return Err("is set by the exchange itself");
    }
    let (text, secret) = match text {
        HeaderText::Plain(text) => (text.as_str(), false),
        HeaderText::Secret(secret) => (secret.expose(), true),
    };
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| "has characters that a header cannot carry (RFC 9110 §5.5)")?;
    value.set_sensitive(secret);
    Ok(value)
}

/// Headers that say how a message is framed or routed (RFC 9110 §7.6.1). Whoever sets them
/// could smuggle a second request.
pub(super) fn is_of_the_connection(name: &HeaderName) -> bool {
    [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, TE, TRAILER, UPGRADE, EXPECT]
        .contains(name)
        || ["keep-alive", "proxy-connection", "proxy-authorization"].contains(&name.as_str())
}

fn check_credentials(credentials: &Credentials) -> Result<(), &'static str> {
    match credentials {
        Credentials::None => Ok(()),
        Credentials::ForAll(credential) => credential::check(credential, true),
        Credentials::ByIdentity { own, others } => {
            let mut all = own.values().chain(others);
            all.try_for_each(|credential| credential::check(credential, true))
        }
        Credentials::ByScheme(by_name) => {
            by_name.values().try_for_each(|credential| credential::check(credential, false))
        }
    }
}

fn random() -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}

/// Evenly from nothing to `max`. Without randomness, all of it: a wait may be too long.
fn jitter(max: Duration) -> Duration {
    let mut bytes = [0; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => max.mul_f64(f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX)),
        Err(_) => max,
    }
}
