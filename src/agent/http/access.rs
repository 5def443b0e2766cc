//! Who may talk to this server at all, and who is calling.
//!
//! `Host` and `Origin` are checked against DNS rebinding and foreign pages (MCP, Streamable
//! HTTP, "Security Warning"). Browsers of an allowed origin get the CORS answers that they
//! need (Fetch standard); nobody else gets any.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::uri::Authority;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tollbridge_operation::Identity;
use url::{Host, Origin, Url};

use super::{HttpOptions, KeyVerifier};
use crate::agent::AgentError;
use crate::gateway::{Caller, Facts, Transport};

/// Headers by which a proxy says for whom it speaks.
const FORWARDED: [HeaderName; 2] = [header::FORWARDED, HeaderName::from_static("x-forwarded-for")];

/// The longest key that is looked up.
const MAX_KEY: usize = 8 * 1024;

/// A request that goes no further.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// Its peer, `Host`, `Origin` or proxy may not talk to us.
    Forbidden(&'static str),
    /// It brought no key.
    Anonymous,
    /// It brought a key that is none.
    BadKey,
    /// Keys cannot be verified now.
    Unverified,
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let challenge = |value| [(header::WWW_AUTHENTICATE, HeaderValue::from_static(value))];
        match self {
            Self::Forbidden(why) => (StatusCode::FORBIDDEN, why).into_response(),
            // RFC 6750 §3.1: no error code where no authentication was tried.
            Self::Anonymous => {
                let what = "This server wants a key: Authorization: Bearer KEY";
                (StatusCode::UNAUTHORIZED, challenge("Bearer"), what).into_response()
            }
            Self::BadKey => {
                let what = "The key is unknown, expired or revoked.";
                let challenge = challenge("Bearer error=\"invalid_token\"");
                (StatusCode::UNAUTHORIZED, challenge, what).into_response()
            }
            Self::Unverified => {
                let later = [(header::RETRY_AFTER, HeaderValue::from_static("5"))];
                let what = "Keys cannot be verified now.";
                (StatusCode::SERVICE_UNAVAILABLE, later, what).into_response()
            }
        }
    }
}

/// The rules of `[server]` about callers.
pub(super) struct Access {
    origins: Vec<Origin>,
    hosts: Vec<String>,
    auth: Option<KeyVerifier>,
    local: Identity,
}

impl Access {
    pub(super) fn new(options: HttpOptions) -> Result<Self, AgentError> {
        let HttpOptions { origins, auth, local_identity, allowed_hosts } = options;
        let origin = |text: String| match origin(&text) {
            Some(origin) => Ok(origin),
            None => Err(AgentError::Origin(text)),
        };
        Ok(Self {
            origins: origins.into_iter().map(origin).collect::<Result<_, _>>()?,
            hosts: allowed_hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect(),
            auth,
            local: local_identity,
        })
    }

    /// Whether the request may be looked at. Gives the origin of the page that sent it.
    pub(super) fn admit(
        &self,
        peer: SocketAddr,
        request: &Request,
    ) -> Result<Option<HeaderValue>, Denied> {
        let headers = request.headers();
        if self.auth.is_none() {
            if !peer.ip().to_canonical().is_loopback() {
                return Err(Denied::Forbidden("Without [server.auth] only this machine may call."));
            }
            if is_forwarded(headers) {
                return Err(Denied::Forbidden(
                    "A proxy passes requests on to a server that does not ask who calls: set \
                     [server.auth].",
                ));
            }
        }
        if (self.auth.is_none() || !self.hosts.is_empty()) && !self.knows_host(request) {
            return Err(Denied::Forbidden("The Host header names another server."));
        }
        let mut origins = headers.get_all(header::ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => Ok(None),
            (Some(sent), None) if self.knows_origin(sent) => Ok(Some(sent.clone())),
            _ => Err(Denied::Forbidden("The Origin header names a page that may not call.")),
        }
    }

    /// Whether the request was sent from this machine, by nobody else's order: a proxy here
    /// that names whom it speaks for does not make that one local.
    pub(super) fn is_local(peer: SocketAddr, headers: &HeaderMap) -> bool {
        peer.ip().to_canonical().is_loopback() && !is_forwarded(headers)
    }

    fn knows_host(&self, request: &Request) -> bool {
        let mut sent = request.headers().get_all(header::HOST).iter();
        let authority = match (sent.next(), sent.next()) {
            (Some(host), None) => {
                host.to_str().ok().and_then(|host| host.parse::<Authority>().ok())
            }
            (None, _) => request.uri().authority().cloned(),
            _ => None,
        };
        let Some(authority) = authority else { return false };
        if authority.as_str().contains('@') {
            return false;
        }
        let host = authority.host().to_ascii_lowercase();
        is_loopback_name(&host) || self.hosts.contains(&host)
    }

    fn knows_origin(&self, sent: &HeaderValue) -> bool {
        let Some(sent) = sent.to_str().ok().and_then(origin) else { return false };
        let local = matches!(&sent, Origin::Tuple(_, host, _) if is_loopback(host));
        local || self.origins.contains(&sent)
    }

    /// Who is calling.
    pub(super) async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Denied> {
        let identity = match &self.auth {
            None => self.local.clone(),
            Some(verify) => {
                let key = bearer(headers)?;
                match verify(key).await {
                    Ok(Some(identity)) => identity,
                    Ok(None) => return Err(Denied::BadKey),
                    Err(error) => {
                        tracing::error!(%error, "a caller was refused");
                        return Err(Denied::Unverified);
                    }
                }
            }
        };
        let facts = if self.auth.is_some() { Facts::of_key() } else { Facts::local() };
        Ok(Caller { facts, ..Caller::new(identity, Transport::Http) })
    }
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDED.iter().any(|name| headers.contains_key(name))
}

/// RFC 6750 §2.1: the only place where a key is looked for, never the query (§2.3).
fn bearer(headers: &HeaderMap) -> Result<String, Denied> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (sent.next(), sent.next()) {
        (None, _) => return Err(Denied::Anonymous),
        (Some(value), None) => value.to_str().map_err(|_| Denied::BadKey)?,
        _ => return Err(Denied::BadKey),
    };
    let Some((scheme, key)) = value.split_once(' ') else { return Err(Denied::BadKey) };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Denied::Anonymous);
    }
    let key = key.trim_matches(' ');
    if key.is_empty() || key.len() > MAX_KEY || key.contains(' ') {
        return Err(Denied::BadKey);
    }
    Ok(key.to_owned())
}

/// RFC 6454 §6.2: scheme, host and port, and nothing else.
fn origin(text: &str) -> Option<Origin> {
    let url = Url::parse(text).ok()?;
    let bare = matches!(url.path(), "" | "/")
        && !text.ends_with('/')
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let origin = url.origin();
    (bare && origin.is_tuple()).then_some(origin)
}

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Domain(name) => is_loopback_name(name),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => IpAddr::from(*address).to_canonical().is_loopback(),
    }
}

/// A name that a resolver never asks the network for (RFC 6761 §6.3), or a loopback address.
fn is_loopback_name(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost"
        || bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The answer to a browser that asks whether it may send a request, where this is one.
pub(super) fn preflight(request: &Request) -> Option<Response> {
    let headers = request.headers();
    if request.method() != Method::OPTIONS
        || !headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    {
        return None;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    let answer = response.headers_mut();
    answer.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, DELETE"),
    );
    if let Some(wanted) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    Some(response)
}

/// Lets a page of that origin read the response.
pub(super) fn allow_origin(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Mcp-Session-Id, WWW-Authenticate"),
    );
}
