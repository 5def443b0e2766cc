//! A call as a request: built and addressed, and nothing sent.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::Value;
use tollbridge_operation::{ApiName, Call, CallId, Effect, EncodeError, Request};
use url::Url;

use super::address;
use super::credential::{self, Additions, Unauthenticated};
use super::digest::Digest;
use super::key;
use super::message::Message;
use super::pass::Pass;
use super::sign::Signer;
use super::traced::TRACEPARENT;
use super::uploads;
use super::upstream::{Upstream, is_of_the_connection};
use crate::secret::{REDACTED, Redactor};

/// Why no request can be made of a call. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// An argument cannot be sent.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The operation asks for credentials that are not configured.
    #[error(
        "`{api}` has no credential for {}: add it under [api.{api}.credentials] in tools.toml",
        names(schemes)
    )]
    NoCredential {
        /// The API.
        api: ApiName,
        /// The schemes of the alternative that lacks the fewest.
        schemes: Vec<String>,
    },
    /// A credential cannot be put into a request.
    #[error("the credentials of `{api}` cannot be used: {reason}")]
    Credential {
        /// The API.
        api: ApiName,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// The caller has no credential of its own, and there is none for all.
    #[error(
        "`{api}` has no credential for `{identity}`: add it under [api.{api}.by_identity] in \
         tools.toml"
    )]
    Nobody {
        /// The API.
        api: ApiName,
        /// Who calls.
        identity: String,
    },
    /// The request would go elsewhere than it should.
    #[error("the request cannot be addressed: {reason}")]
    Address {
        /// What is wrong with its URL.
        reason: &'static str,
    },
    /// The message needs a nonce, and there is none.
    #[error("the system gives no random bytes, and the message needs some")]
    Randomness,
    /// The request has a header that cannot be sent.
    #[error("the request's {0} cannot be sent")]
    Header(&'static str),
}

fn names(schemes: &[String]) -> String {
    let quoted: Vec<String> = schemes.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(" and ")
}

/// A request that could be sent. Making one needs no proof that it may be: a dry run does.
pub struct Prepared {
    /// The call that it carries out.
    pub(super) call: CallId,
    pub(super) target: Target,
    pub(super) redactor: Arc<Redactor>,
    /// The body as it may be seen, where it holds secrets.
    pub(super) shown: Option<Bytes>,
    /// The key by which the API tells repetitions of this call.
    pub(super) key: Option<String>,
}

/// A request, and where it goes. A redirect makes another one of it.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) method: Method,
    pub(super) url: Url,
    /// All headers; those that carry secrets are marked as sensitive.
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    /// What the body is made of, where each attempt needs another one.
    pub(super) message: Option<Arc<Message>>,
    /// Whether the body proves who we are.
    pub(super) confidential: bool,
    /// What proves who we are once the server has asked.
    pub(super) digest: Option<Arc<Digest>>,
    /// Where what each attempt carries comes from: a token, or a session.
    pub(super) pass: Option<Pass>,
    /// What signs each attempt.
    pub(super) signer: Option<Arc<Signer>>,
    /// Whether each attempt says in which trace it is made.
    pub(super) traced: bool,
    /// The URL as it may be seen.
    pub(super) shown: String,
    /// Under which of the upstream's base URLs it is.
    pub(super) at: usize,
    /// What of the URL is the operation's; `None` where it is at one address only.
    pub(super) part: Option<Arc<Part>>,
}

/// What of a URL comes after a base URL.
pub(super) struct Part {
    path: String,
    /// The query of the binding's, without what a credential's name belongs to.
    query: Option<String>,
    /// The query that proves who we are.
    credentials: Vec<(String, String)>,
}

/// A request as it may be seen: every secret in it is redacted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// The headers in the order in which they go out, but for those that the exchange adds.
    pub headers: Vec<(String, String)>,
    /// The body: JSON as it is, text as a string, and of other bytes how many there are.
    pub body: Option<Value>,
}

/// Builds a call's request: the binding encodes the arguments, the upstream adds its address,
/// fixed headers and credentials, over which no argument has a say.
pub fn prepare(upstream: &Upstream, call: &Call) -> Result<Prepared, PrepareError> {
    let api = || upstream.api.clone();
    let arguments = uploads::with_contents(upstream, call)?;
    let (all, has_certificate) = (&upstream.credentials, upstream.certificate.is_some());
    let credentials = credential::additions(all, has_certificate, &call.operation, &call.identity);
    let security = credentials.as_ref().ok().and_then(|credentials| credentials.security.clone());
    let message = Message::of(upstream, &call.operation, &arguments, security);
    let request = match &message {
        None => call.operation.binding.encode(&arguments)?,
        Some(message) => message.request(upstream, 0).map_err(|_| PrepareError::Randomness)??,
    };
    let credentials = credentials.map_err(|problem| match problem {
        Unauthenticated::Missing(schemes) => PrepareError::NoCredential { api: api(), schemes },
        Unauthenticated::Unusable(reason) => PrepareError::Credential { api: api(), reason },
        Unauthenticated::Nobody => {
            PrepareError::Nobody { api: api(), identity: call.identity.to_string() }
        }
    })?;
    let digest = credentials.digest.clone();
    let pass = Pass::of(&credentials, &call.identity);
    let signer = credentials.signer.clone();
    let part = Part::of(&request, &credentials);
    let (url, shown) = part.address(upstream, 0)?;
    let mut headers = headers(upstream, &request, credentials)?;
    let key = match &upstream.idempotency_key {
        Some(name) if call.operation.effect != Effect::Read => {
            Some(key::put(name, call, &mut headers))
        }
        _ => None,
    };
    let confidential = message.as_ref().is_some_and(Message::is_confidential);
    let seen = message.as_ref().filter(|_| confidential).map(|message| {
        let body = message.shown(upstream).and_then(|request| request.body);
        body.map_or(Bytes::from_static(REDACTED.as_bytes()), |body| body.bytes)
    });
    // What the description has, or the configuration, is meant.
    let traced = upstream.traced && !headers.contains_key(TRACEPARENT);
    let target = Target {
        method: request.method,
        url,
        traced,
        headers,
        body: request.body.map(|body| body.bytes),
        message: message.filter(Message::is_momentary).map(Arc::new),
        confidential,
        digest,
        pass,
        signer,
        shown,
        at: 0,
        part: Some(Arc::new(part)),
    };
    let redactor = Arc::clone(&upstream.redactor);
    Ok(Prepared { call: call.id.clone(), target, redactor, shown: seen, key })
}

impl Target {
    /// Whether anything in it, or that will be put into it, proves who we are. Of what comes from
    /// an upstream's own URL nobody can tell.
    pub(super) fn is_authenticated(&self) -> bool {
        self.pass.is_some()
            || self.signer.is_some()
            || self.digest.is_some()
            || self.confidential
            || self.part.as_ref().is_none_or(|part| !part.credentials.is_empty())
            || self.headers.contains_key(AUTHORIZATION)
            || self.headers.contains_key(COOKIE)
            || self.headers.values().any(HeaderValue::is_sensitive)
    }

    /// The same request under another of the upstream's base URLs.
    pub(super) fn moved(&self, upstream: &Upstream, at: usize) -> Option<Self> {
        let (url, shown) = self.part.as_ref()?.address(upstream, at).ok()?;
        Some(Self { url, shown, at, ..self.clone() })
    }

    /// The same request for a URL that is below that base URL, and so at any of them.
    pub(super) fn below(&self, upstream: &Upstream, at: usize, url: Url) -> Self {
        let base = &upstream.bases[at].url;
        let path = url.path().strip_prefix(base.path().trim_end_matches('/'));
        // A query of the base URL's own would be there twice.
        let Some(path) = path.filter(|_| base.query().is_none()) else {
            return Self { at, ..self.nowhere_else(upstream, url) };
        };
        let credentials = self.part.as_ref().map_or_else(Vec::new, |part| part.credentials.clone());
        let query = url.query().map(|query| free(query.split('&'), &credentials).join("&"));
        let query = query.filter(|query| !query.is_empty());
        let part = Part { path: path.to_owned(), query, credentials };
        match part.address(upstream, at) {
            Ok((url, shown)) => Self { url, shown, at, part: Some(Arc::new(part)), ..self.clone() },
            Err(_) => Self { at, ..self.nowhere_else(upstream, url) },
        }
    }

    /// The same request for a URL that is at one address only.
    pub(super) fn nowhere_else(&self, upstream: &Upstream, url: Url) -> Self {
        let mut target = self.clone();
        target.address(upstream, url);
        Self { part: None, ..target }
    }

    /// Goes to another URL of the same origin, with the credentials that this one has in its query.
    pub(super) fn address(&mut self, upstream: &Upstream, mut url: Url) {
        let part = self.part.clone();
        let added = part.as_ref().map_or(&[][..], |part| &part.credentials);
        let own = url.query().map(|query| free(query.split('&'), added).join("&"));
        let own = own.filter(|query| !query.is_empty());
        url.set_query(own.as_deref());
        let mut shown = upstream.redactor.text(url.as_str()).into_owned();
        show_credentials(&mut shown, added);
        if !added.is_empty() {
            let pairs = added.iter().map(|(name, value)| format!("{name}={value}"));
            let whole: Vec<String> = own.into_iter().chain(pairs).collect();
            url.set_query(Some(&whole.join("&")));
        }
        (self.url, self.shown) = (url, shown);
    }
}

impl Part {
    fn of(request: &Request, credentials: &Additions) -> Self {
        // As with headers: an argument that a credential's name belongs to does not go out.
        let own = request.query.as_deref().map(|query| free(query.split('&'), &credentials.query));
        let own = own.map(|pairs| pairs.join("&")).filter(|query| !query.is_empty());
        Self { path: request.path.clone(), query: own, credentials: credentials.query.clone() }
    }

    /// The same without the query that proves who we are.
    pub(super) fn without_credentials(&self) -> Self {
        Self { path: self.path.clone(), query: self.query.clone(), credentials: Vec::new() }
    }

    /// The URL, and the URL as it may be seen. The latter is built without the credentials, so
    /// that it does not depend on their being recognised.
    fn address(&self, upstream: &Upstream, at: usize) -> Result<(Url, String), PrepareError> {
        let own = self.query.as_deref();
        let added: Vec<String> =
            self.credentials.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let whole: Vec<&str> = own.into_iter().chain(added.iter().map(String::as_str)).collect();
        let join = |query: &[&str]| {
            address::join(&upstream.bases[at].url, &self.path, query)
                .map_err(|reason| PrepareError::Address { reason })
        };
        let url = join(&whole)?;
        if !upstream.hosts.allow(&url) {
            return Err(PrepareError::Address { reason: "its host is not one that is configured" });
        }
        let bare = if added.is_empty() { None } else { Some(join(own.as_slice())?) };
        let mut shown = upstream.redactor.text(bare.as_ref().unwrap_or(&url).as_str()).into_owned();
        show_credentials(&mut shown, &self.credentials);
        Ok((url, shown))
    }
}

/// Shows that a query has credentials, and not which.
fn show_credentials(shown: &mut String, credentials: &[(String, String)]) {
    for (name, _) in credentials {
        shown.push(if shown.contains('?') { '&' } else { '?' });
        shown.push_str(name);
        shown.push('=');
        shown.push_str(REDACTED);
    }
}

/// A request of our own to the upstream, with what every request carries and no credential: it is
/// built of no call.
pub(super) fn bare(
    upstream: &Upstream,
    request: Request,
    at: usize,
) -> Result<Target, PrepareError> {
    let part = Part::of(&request, &Additions::default());
    let (url, shown) = part.address(upstream, at)?;
    let headers = headers(upstream, &request, Additions::default())?;
    Ok(Target {
        method: request.method,
        url,
        headers,
        body: request.body.map(|body| body.bytes),
        message: None,
        confidential: true,
        digest: None,
        pass: None,
        signer: None,
        traced: false,
        shown,
        at,
        part: None,
    })
}

/// Fixed headers, then the credentials', then the binding's where the name is still free.
fn headers(
    upstream: &Upstream,
    request: &Request,
    credentials: Additions,
) -> Result<HeaderMap, PrepareError> {
    let mut headers = HeaderMap::new();
    let mut cookies: Vec<(HeaderValue, bool)> = Vec::new();
    for (name, value) in &upstream.headers {
        if *name == COOKIE {
            cookies.push((value.clone(), value.is_sensitive()));
        } else {
            headers.append(name, value.clone());
        }
    }
    // A credential takes the place of a fixed header of its name.
    for (name, value) in credentials.headers {
        headers.insert(name, value);
    }
    let settled: Vec<HeaderName> = headers.keys().cloned().collect();
    for (name, value) in &request.headers {
        let reserved = is_of_the_connection(name)
            || [AUTHORIZATION, COOKIE, CONTENT_TYPE, ACCEPT_ENCODING].contains(name);
        if !reserved && !settled.contains(name) {
            headers.append(name, value.clone());
        }
    }
    if let Some(body) = &request.body {
        headers.insert(CONTENT_TYPE, body.content_type.clone());
    }
    let cookie = |text: &str| {
        HeaderValue::from_str(text).map_err(|_| PrepareError::Header("`Cookie` header"))
    };
    for (name, value) in &credentials.cookies {
        cookies.push((cookie(&format!("{name}={value}"))?, true));
    }
    for pair in free(request.cookies.iter().map(String::as_str), &credentials.cookies) {
        cookies.push((cookie(pair)?, false));
    }
    if let Some(joined) = join_cookies(&cookies)? {
        headers.insert(COOKIE, joined);
    }
    Ok(headers)
}

/// The pairs whose names, decoded, are none of the credentials'. Of two pairs of one name an
/// upstream may take the first, which would be the argument's.
fn free<'p>(pairs: impl Iterator<Item = &'p str>, taken: &[(String, String)]) -> Vec<&'p str> {
    let name = |text: &'_ str| -> Vec<u8> {
        percent_decode_str(text.split('=').next().unwrap_or_default()).collect()
    };
    pairs
        .filter(|pair| taken.iter().all(|(credential, _)| name(credential) != name(pair)))
        .collect()
}

/// One `Cookie` header (RFC 6265 §5.4), sensitive if a part of it is.
fn join_cookies(cookies: &[(HeaderValue, bool)]) -> Result<Option<HeaderValue>, PrepareError> {
    if cookies.is_empty() {
        return Ok(None);
    }
    let parts: Vec<&[u8]> = cookies.iter().map(|(value, _)| value.as_bytes()).collect();
    let mut joined = HeaderValue::from_bytes(&parts.join(b"; ".as_slice()))
        .map_err(|_| PrepareError::Header("`Cookie` header"))?;
    joined.set_sensitive(cookies.iter().any(|(_, secret)| *secret));
    Ok(Some(joined))
}

impl Prepared {
    /// The method.
    pub fn method(&self) -> &str {
        self.target.method.as_str()
    }

    /// How many bytes its body has.
    pub fn bytes(&self) -> u64 {
        self.target.body.as_ref().map_or(0, |body| body.len() as u64)
    }

    /// The URL, redacted.
    pub fn url(&self) -> &str {
        &self.target.shown
    }

    /// The id of the span of the call's request `n`, where that is sent.
    pub fn span(&self, n: u32) -> Option<String> {
        self.target.span(&self.call, n)
    }

    /// The key by which the API tells repetitions of the call.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The request as it may be seen.
    pub fn preview(&self) -> Preview {
        let shown = |value: &HeaderValue| {
            if value.is_sensitive() {
                return REDACTED.to_owned();
            }
            self.redactor.text(&String::from_utf8_lossy(value.as_bytes())).into_owned()
        };
        let headers = self.target.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), shown(value)));
        let target = &self.target;
        let by_digest = target.digest.as_ref().map(|_| AUTHORIZATION.to_string());
        let by_pass = target.pass.as_ref().map(|pass| pass.header().to_string());
        let signed = target.signer.iter().flat_map(|signer| signer.headers());
        let signed = signed.map(ToString::to_string);
        let proof = by_digest.into_iter().chain(by_pass).chain(signed);
        let proof = proof.map(|name| (name, REDACTED.to_owned()));
        Preview {
            method: self.method().to_owned(),
            url: self.url().to_owned(),
            headers: headers.chain(proof).collect(),
            body: self.shown.as_ref().or(self.target.body.as_ref()).map(|body| self.body(body)),
        }
    }

    fn body(&self, body: &Bytes) -> Value {
        let mut value = match std::str::from_utf8(body) {
            Ok(text) => {
                serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
            }
            Err(_) => Value::String(format!("{} bytes", body.len())),
        };
        self.redactor.value(&mut value);
        value
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({} {})", self.method(), self.url())
    }
}
