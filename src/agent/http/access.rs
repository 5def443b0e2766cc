//! Who may talk to this server at all, and who is calling.
//!
//! `Host` and `Origin` are checked against DNS rebinding and foreign pages (MCP, Streamable
//! HTTP, "Security Warning"). Browsers of an allowed origin get the CORS answers that they
//! need (Fetch standard); nobody else gets any.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::uri::Authority;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tollbridge_operation::Identity;
use url::{Host, Origin, Url};

use super::challenge::Challenges;
use super::{HttpOptions, Presented, Verifier};
use crate::agent::AgentError;
use crate::gateway::{Caller, Transport};
use crate::identity::{Certificate, Known, MAX_TOKEN, NotKnown};

/// Headers by which a proxy says for whom it speaks.
const FORWARDED: [HeaderName; 2] = [header::FORWARDED, HeaderName::from_static("x-forwarded-for")];

/// A request that goes no further.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// Its peer, `Host`, `Origin` or proxy may not talk to us.
    Forbidden(&'static str),
    /// It brought nothing that says who calls.
    Anonymous,
    /// What it brought proves nothing.
    Invalid(&'static str),
    /// Its token lacks some of these scopes.
    Lacking(Vec<String>),
    /// It cannot be said now who calls.
    Unverified,
}

/// The rules of `[server]` about callers.
pub(super) struct Access {
    origins: Vec<Origin>,
    hosts: Vec<String>,
    auth: Option<Verifier>,
    local: Identity,
    pub(super) challenges: Challenges,
    /// Where pages are that judge origins themselves.
    beside: Option<&'static str>,
}

impl Access {
    pub(super) fn new(options: HttpOptions) -> Result<Self, AgentError> {
        let HttpOptions { origins, auth, resource, local_identity, allowed_hosts, .. } = options;
        let origin = |text: String| match origin(&text) {
            Some(origin) => Ok(origin),
            None => Err(AgentError::Origin(text)),
        };
        Ok(Self {
            origins: origins.into_iter().map(origin).collect::<Result<_, _>>()?,
            hosts: allowed_hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect(),
            auth,
            local: local_identity,
            challenges: Challenges::new(resource),
            beside: None,
        })
    }

    /// Leaves the origin of what is sent to this path, and below it, to whoever serves it.
    pub(super) fn with_beside(self, path: Option<&'static str>) -> Self {
        Self { beside: path, ..self }
    }

    fn is_beside(&self, request: &Request) -> bool {
        let below = self.beside.and_then(|path| request.uri().path().strip_prefix(path));
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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
        if self.is_beside(request) {
            return Ok(None);
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

    /// Who is calling, and may with what they brought.
    pub(super) async fn caller(
        &self,
        headers: &HeaderMap,
        certificate: Option<Arc<Certificate>>,
    ) -> Result<Admitted, Denied> {
        let admitted = self.known(headers, certificate).await?;
        self.enough(&admitted.caller)?;
        Ok(admitted)
    }

    /// Whether a caller's token allows what every token must.
    pub(super) fn enough(&self, caller: &Caller) -> Result<(), Denied> {
        let scopes = self.challenges.scopes();
        if caller.facts.lacking(scopes).is_empty() {
            Ok(())
        } else {
            Err(Denied::Lacking(scopes.to_vec()))
        }
    }

    /// Who is calling, whatever their token allows.
    pub(super) async fn known(
        &self,
        headers: &HeaderMap,
        certificate: Option<Arc<Certificate>>,
    ) -> Result<Admitted, Denied> {
        let Some(verify) = &self.auth else {
            return Ok(Admitted {
                caller: Caller::new(self.local.clone(), Transport::Http),
                lasting: None,
            });
        };
        let presented = Presented { bearer: bearer(headers)?, certificate };
        let has_bearer = presented.bearer.is_some();
        if !has_bearer && presented.certificate.is_none() {
            return Err(Denied::Anonymous);
        }
        let known = verify(presented.clone()).await.map_err(|error| match error {
            NotKnown::Nothing => Denied::Anonymous,
            NotKnown::Invalid(why) if has_bearer => Denied::Invalid(why),
            // No other header would help.
            NotKnown::Invalid(why) => Denied::Forbidden(why),
            NotKnown::Unavailable => Denied::Unverified,
        })?;
        let Known { identity, groups, facts, .. } = known;
        let caller = Caller { groups, facts, ..Caller::new(identity, Transport::Http) };
        Ok(Admitted { caller, lasting: Some((Arc::clone(verify), presented)) })
    }
}

/// A caller who is known.
pub(super) struct Admitted {
    pub(super) caller: Caller,
    /// By what it is known, and who says so: for streams that go on. `None` where nothing is asked.
    pub(super) lasting: Option<(Verifier, Presented)>,
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDED.iter().any(|name| headers.contains_key(name))
}

/// RFC 6750 §2.1: the only place where a key or a token is looked for, never the query (§2.3).
fn bearer(headers: &HeaderMap) -> Result<Option<Arc<str>>, Denied> {
    const MALFORMED: Denied = Denied::Invalid("the Authorization header is malformed");
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (sent.next(), sent.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().map_err(|_| MALFORMED)?,
        _ => return Err(MALFORMED),
    };
    let Some((scheme, key)) = value.split_once(' ') else { return Err(MALFORMED) };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let key = key.trim_matches(' ');
    if key.is_empty() || key.len() > MAX_TOKEN || key.contains(' ') {
        return Err(MALFORMED);
    }
    Ok(Some(key.into()))
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
