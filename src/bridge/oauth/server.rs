//! An authorization server: where its endpoints are, and one bounded exchange with it.
//!
//! Its metadata (RFC 8414, `OpenID` Connect Discovery 1.0) is input from a stranger: it must be of
//! the issuer that was asked, and its endpoints must be at the issuer's host or at one that the
//! configuration names, over https.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use url::Url;

use super::answer::NoToken;
use crate::bridge::address::{self, Hosts};
use crate::bridge::attempt::{Exchange, Server, TokenExchange, TokenLog};
use crate::bridge::breakage::Breakage;
use crate::bridge::client;
use crate::bridge::proxy::Proxy;
use crate::bridge::resolve::Guard;
use crate::bridge::tls::Tls;

/// How long one exchange may take.
pub(super) const EXCHANGE: Duration = Duration::from_secs(10);

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// For how long metadata is taken for true.
const FRESH: Duration = Duration::from_hours(1);

/// Where an authorization server is, as far as the configuration says.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    /// Whose metadata says the rest.
    pub issuer: Option<Url>,
    /// Where tokens are given.
    pub token: Option<Url>,
    /// Where a person consents in a browser.
    pub authorization: Option<Url>,
    /// Where a code for another device is given.
    pub device: Option<Url>,
}

/// Where an authorization server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its name for itself, where metadata told.
    pub(super) issuer: Option<String>,
    pub(super) token: Url,
    pub(super) authorization: Option<Url>,
    pub(super) device: Option<Url>,
    /// Where tokens are given back (RFC 7009).
    pub(super) revocation: Option<Url>,
    /// Whether it says in its redirects who it is (RFC 9207).
    pub(super) names_itself: bool,
    /// Whether tokens that can be renewed are asked for by a scope.
    pub(super) offline_access: bool,
}

impl Found {
    /// A server of which the token endpoint alone is known.
    pub(super) fn at(token: Url) -> Self {
        Self {
            issuer: None,
            token,
            authorization: None,
            device: None,
            revocation: None,
            names_itself: false,
            offline_access: false,
        }
    }

    /// For whom assertions are.
    pub(super) fn audience(&self) -> &str {
        self.issuer.as_deref().unwrap_or_else(|| self.token.as_str())
    }
}

/// The way to an authorization server.
pub(super) struct AuthServer {
    endpoints: Endpoints,
    hosts: Hosts,
    client: reqwest::Client,
    found: Mutex<Option<(Instant, Arc<Found>)>>,
}

impl AuthServer {
    /// Of one that was not asked yet. `hosts` may be contacted beside those of the endpoints. The
    /// error says what is wrong.
    pub(super) fn new(
        endpoints: Endpoints,
        hosts: &[String],
        tls: &Tls,
        resolver: Option<SocketAddr>,
        proxy: Option<&Proxy>,
    ) -> Result<Self, String> {
        let Endpoints { issuer, token, authorization, device } = &endpoints;
        let named = [issuer, token, authorization, device].into_iter().flatten();
        let hosts = Hosts::new(named, hosts).map_err(|host| format!("`{host}` is no host"))?;
        let client = client::build(EXCHANGE, tls.config()?, Guard::new(resolver)?, proxy)?;
        Ok(Self { endpoints, hosts, client, found: Mutex::default() })
    }

    /// The host that is asked first, for messages.
    pub(super) fn host(&self) -> &str {
        let url = self.endpoints.token.as_ref().or(self.endpoints.issuer.as_ref());
        url.and_then(Url::host_str).unwrap_or_default()
    }

    /// Where its endpoints are. `told` is told of what was asked for that.
    pub(super) async fn found(&self, told: Option<&TokenLog>) -> Result<Arc<Found>, NoToken> {
        let mut found = self.found.lock().await;
        if let Some((when, known)) = &*found
            && when.elapsed() < FRESH
        {
            return Ok(Arc::clone(known));
        }
        let fresh = Arc::new(self.find(told).await?);
        *found = Some((Instant::now(), Arc::clone(&fresh)));
        Ok(fresh)
    }

    async fn find(&self, told: Option<&TokenLog>) -> Result<Found, NoToken> {
        let Endpoints { issuer, token, authorization, device } = &self.endpoints;
        let (mut found, metadata) = match (issuer, token) {
            (None, Some(token)) => (Found::at(token.clone()), None),
            (None, None) => {
                return Err(NoToken::Unusable("neither issuer nor token_url is set".to_owned()));
            }
            (Some(issuer), token) => {
                let metadata = self.metadata(issuer, told).await?;
                let url = match token {
                    Some(token) => token.clone(),
                    None => self.endpoint(metadata.token_endpoint.as_deref(), "token_endpoint")?,
                };
                (Found::at(url), Some(metadata))
            }
        };
        if let Some(metadata) = metadata {
            let optional = |text: &Option<String>, name: &str| {
                text.as_deref().map(|text| self.endpoint(Some(text), name)).transpose()
            };
            found.authorization =
                optional(&metadata.authorization_endpoint, "authorization_endpoint")?;
            found.device =
                optional(&metadata.device_authorization_endpoint, "device_authorization_endpoint")?;
            found.revocation = optional(&metadata.revocation_endpoint, "revocation_endpoint")?;
            found.names_itself = metadata.authorization_response_iss_parameter_supported;
            let scopes = metadata.scopes_supported.unwrap_or_default();
            found.offline_access = scopes.iter().any(|scope| scope == "offline_access");
            found.issuer = Some(metadata.issuer);
        }
        // What the file says comes before what the metadata does.
        found.authorization = authorization.clone().or(found.authorization);
        found.device = device.clone().or(found.device);
        Ok(found)
    }

    /// The metadata of an issuer: where RFC 8414 §3.1 puts it, else where `OpenID` Connect does.
    async fn metadata(&self, issuer: &Url, told: Option<&TokenLog>) -> Result<Metadata, NoToken> {
        let path = issuer.path().trim_end_matches('/');
        let origin = address::origin(issuer);
        let urls = [
            format!("{origin}/.well-known/oauth-authorization-server{path}"),
            format!("{origin}{path}/.well-known/openid-configuration"),
        ];
        let mut last = NoToken::Unusable("the issuer has no metadata".to_owned());
        for url in urls {
            let url = Url::parse(&url).map_err(|_| last.clone())?;
            let (status, body) = self.get(url, told).await?;
            if !status.is_success() {
                let words = format!("the issuer answered {} for its metadata", status.as_u16());
                last = if status.is_server_error() {
                    NoToken::Unavailable(words)
                } else {
                    NoToken::Unusable(words)
                };
                continue;
            }
            let Ok(metadata) = serde_json::from_slice::<Metadata>(&body) else {
                last = NoToken::Unusable("the issuer's metadata cannot be read".to_owned());
                continue;
            };
            // RFC 8414 §3.3: else whoever is asked could send tokens of another server's.
            if metadata.issuer.trim_end_matches('/') != issuer.as_str().trim_end_matches('/') {
                let words = "the metadata is of another issuer than the one that was asked";
                return Err(NoToken::Unusable(words.to_owned()));
            }
            return Ok(metadata);
        }
        Err(last)
    }

    /// An endpoint that metadata names, where it may be asked.
    fn endpoint(&self, text: Option<&str>, name: &str) -> Result<Url, NoToken> {
        let refused = |why: &str| NoToken::Unusable(format!("the issuer's {name} {why}"));
        let url = text.ok_or_else(|| refused("is missing"))?;
        let url = Url::parse(url).map_err(|_| refused("is no URL"))?;
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return Err(refused("is not reached over https"));
        }
        if !self.hosts.allow(&url) {
            let host = url.host_str().unwrap_or_default();
            return Err(refused(&format!(
                "is at {host}; if that host is trusted, add it to `hosts` of the API"
            )));
        }
        Ok(url)
    }

    /// Posts a form, and reads the answer.
    pub(super) async fn post(
        &self,
        url: Url,
        headers: HeaderMap,
        body: String,
        told: Option<&TokenLog>,
    ) -> Result<(StatusCode, Vec<u8>), NoToken> {
        let request = self.client.post(url.clone()).headers(headers).body(body);
        exchange("POST", url, request, told).await
    }

    async fn get(
        &self,
        url: Url,
        told: Option<&TokenLog>,
    ) -> Result<(StatusCode, Vec<u8>), NoToken> {
        let json = HeaderValue::from_static("application/json");
        let request = self.client.get(url.clone()).header(ACCEPT, json);
        exchange("GET", url, request, told).await
    }
}

/// What an exchange came to: an answer, or why there is none, for people and in a word.
type Answer = Result<(StatusCode, Vec<u8>), (NoToken, &'static str)>;

async fn exchange(
    method: &'static str,
    url: Url,
    request: reqwest::RequestBuilder,
    told: Option<&TokenLog>,
) -> Result<(StatusCode, Vec<u8>), NoToken> {
    // Its short answers are read as they come.
    let request = request.header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let silent = |_| {
        let words = format!("the authorization server was silent for {} s", EXCHANGE.as_secs());
        Err((NoToken::Unavailable(words), "timeout"))
    };
    let began = Instant::now();
    let answer = timeout(EXCHANGE, answered(request)).await.unwrap_or_else(silent);
    if let Some(told) = told {
        told(of_exchange(method, url, &answer, began.elapsed()));
    }
    answer.map_err(|(why, _)| why)
}

/// An exchange as it is told of. What stands behind a path may be a secret, and a user is one.
fn of_exchange(
    method: &'static str,
    mut url: Url,
    answer: &Answer,
    duration: Duration,
) -> TokenExchange {
    url.set_query(None);
    url.set_fragment(None);
    // It refuses what has no host, which was never asked.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    let error = answer.as_ref().err().map(|(_, word)| *word);
    let exchange = Exchange { server: Server::of(&url), method, error };
    let status = answer.as_ref().ok().map(|(status, _)| status.as_u16());
    TokenExchange { url: url.into(), status, exchange, duration }
}

async fn answered(request: reqwest::RequestBuilder) -> Answer {
    let unreachable = |error: reqwest::Error| {
        let words = "the authorization server cannot be reached".to_owned();
        (NoToken::Unavailable(words), Breakage::of(&error, true, EXCHANGE).word())
    };
    let mut answer = request.send().await.map_err(unreachable)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        if bytes.len() + chunk.len() > MAX_ANSWER {
            let why = "the authorization server's answer is too long";
            return Err((NoToken::Unusable(why.to_owned()), "response_too_large"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((answer.status(), bytes))
}

/// What of the metadata is used (RFC 8414 §2, RFC 7009, RFC 8628 §4, RFC 9207 §3).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    token_endpoint: Option<String>,
    authorization_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    scopes_supported: Option<Vec<String>>,
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_is_told_of_without_what_may_be_a_secret_in_its_url() {
        let url = Url::parse("https://us%65r:pass@id.example:8443/t/token?key=s3cr3t#part");
        let broken = Err((NoToken::Unavailable("s3cr3t".to_owned()), "timeout"));
        let told = of_exchange("POST", url.expect("a URL"), &broken, EXCHANGE);
        assert_eq!(told.url, "https://id.example:8443/t/token");
        let Exchange { server, method, error } = told.exchange;
        assert_eq!((&*server.address, server.port, method), ("id.example", 8443, "POST"));
        assert_eq!((told.status, error), (None, Some("timeout")));
    }
}
