//! A redirect's next request, or why there is none (RFC 9110 §15.4).
//!
//! The target is input from a stranger: its host must be one that the configuration names,
//! and nothing that proves who we are goes to another origin.

use std::sync::Arc;

use http::header::{AUTHORIZATION, COOKIE, LOCATION};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use url::Url;

use super::address;
use super::prepare::Target;
use super::upstream::{Redirects, Upstream};

/// How many hops one request may take.
pub(super) const HOPS: u32 = 5;

/// Whether an answer sends the request elsewhere.
pub(super) fn is_redirect(status: StatusCode, headers: &HeaderMap) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) && headers.contains_key(LOCATION)
}

/// The request that a redirect asks for. The error says why it is not made and what would
/// have to change; it is to be redacted.
pub(super) fn follow(
    upstream: &Upstream,
    target: &Target,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Target, String> {
    let api = &upstream.api;
    let url = location(target, headers).ok_or("it redirects to an address that cannot be read")?;
    let to = address::origin(&url).to_owned();
    let same_origin = url.origin() == target.url.origin();
    if upstream.redirects == Redirects::Refuse {
        let host = if upstream.hosts.allow(&url) {
            String::new()
        } else {
            format!(" and its host to `hosts`, after making sure that {to} is trusted")
        };
        return Err(format!(
            "it redirects to {to}, and redirects are refused; set base_url of [api.{api}] to \
             where it now is, or add redirects = \"follow\"{host}"
        ));
    }
    if !upstream.hosts.allow(&url) {
        return Err(format!(
            "it redirects to {to}, which is none of the hosts of [api.{api}]; if that host is \
             trusted, add it to `hosts`"
        ));
    }
    if target.url.scheme() == "https" && url.scheme() != "https" {
        return Err(format!("it redirects from https to {to}, which is not encrypted"));
    }
    let safe = matches!(target.method, Method::GET | Method::HEAD);
    // 301, 302 and 303 may turn another method into GET: that would be another operation.
    if !safe && !matches!(status.as_u16(), 307 | 308) {
        return Err(format!(
            "it answers a {} with a redirect ({}) to {to}, which cannot be followed without \
             becoming another request; it may have been carried out",
            target.method,
            status.as_u16()
        ));
    }
    if !same_origin && target.confidential {
        return Err(format!(
            "it redirects to {to}, and the message carries credentials that are not for it"
        ));
    }
    let mut next = target.clone();
    if !same_origin {
        for_another_origin(&mut next);
    }
    next.shown = upstream.redactor.text(url.as_str()).into_owned();
    next.url = url;
    Ok(next)
}

/// Takes out of a request what proves who we are, because it goes to another origin.
pub(super) fn for_another_origin(next: &mut Target) {
    next.headers = without_credentials(&next.headers);
    next.digest = None;
    next.pass = None;
    next.signer = None;
    next.part = next.part.as_deref().map(|part| Arc::new(part.without_credentials()));
}

fn location(target: &Target, headers: &HeaderMap) -> Option<Url> {
    let location = headers.get(LOCATION)?.to_str().ok()?;
    let mut url = target.url.join(location).ok()?;
    url.set_fragment(None);
    let plain = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none();
    plain.then_some(url)
}

fn without_credentials(headers: &HeaderMap) -> HeaderMap {
    let proves = |name: &HeaderName, sensitive| sensitive || [AUTHORIZATION, COOKIE].contains(name);
    headers
        .iter()
        .filter(|(name, value)| !proves(name, value.is_sensitive()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
