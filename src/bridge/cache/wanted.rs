//! What an answer is to: a request as a cache looks at it.

use std::fmt;
use std::sync::Arc;

use http::header::{
    AUTHORIZATION, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderValue, Method, Request};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use url::Url;

use super::shelf::Key;
use crate::bridge::digest::Digest;
use crate::bridge::manner::Sharing;
use crate::bridge::pass::Pass;
use crate::bridge::prepare::Target;
use crate::bridge::sign::Signer;
use crate::bridge::upstream::Upstream;

/// What proves who we are and is not in the request yet. Which one it is tells it from others.
#[derive(Clone, Default)]
pub(super) struct Credential {
    pass: Option<Pass>,
    digest: Option<Arc<Digest>>,
    signer: Option<Arc<Signer>>,
}

impl Credential {
    /// Whether it is that one and no other.
    pub(super) fn is(&self, other: &Self) -> bool {
        let at = |one: &Self| one.pass.as_ref().map(Pass::address);
        at(self) == at(other)
            && same(self.digest.as_ref(), other.digest.as_ref())
            && same(self.signer.as_ref(), other.signer.as_ref())
    }
}

fn same<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// A request that an answer may be kept for.
pub(in crate::bridge) struct Wanted {
    /// It, without what proves who we are.
    request: Request<()>,
    sharing: Sharing,
    own: Key,
    shared: Key,
    path: Key,
    since: Instant,
    credential: Credential,
}

/// Without its keys' secrets.
impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wanted({} for {:?})", self.request.method(), self.sharing)
    }
}

impl Wanted {
    /// A read of `who`'s as a cache looks at it; `None` where its answer is not kept: it is no
    /// plain GET, or its caller asks for a part, or under conditions of its own.
    pub(in crate::bridge) fn of(
        upstream: &Upstream,
        target: &Target,
        who: &str,
        sharing: Sharing,
    ) -> Option<Self> {
        const OWN: [http::HeaderName; 6] =
            [RANGE, IF_RANGE, IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE];
        let has_body = target.body.is_some() || target.message.is_some();
        if sharing == Sharing::Off
            || !matches!(target.method, Method::GET | Method::HEAD)
            || has_body
            || OWN.iter().any(|name| target.headers.contains_key(name))
        {
            return None;
        }
        let mut request = Request::new(());
        *request.method_mut() = target.method.clone();
        *request.uri_mut() = target.url.as_str().parse().ok()?;
        let plain = target.headers.iter().filter(|(_, value)| !value.is_sensitive());
        request.headers_mut().extend(plain.map(|(name, value)| (name.clone(), value.clone())));
        if target.is_authenticated() || upstream.certificate.is_some() {
            request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("it"));
        }
        let path = path_of(&target.url);
        let credential = Credential {
            pass: target.pass.clone(),
            digest: target.digest.clone(),
            signer: target.signer.clone(),
        };
        let hash = fingerprint(upstream, target);
        let key = |who: &[&str]| -> Key {
            let mut hash = hash.clone();
            for part in who {
                add(&mut hash, part.as_bytes());
            }
            hash.finalize().into()
        };
        let (own, shared, since) = (key(&["of", who]), key(&["of all"]), Instant::now());
        Some(Self { request, sharing, own, shared, path, since, credential })
    }

    /// Whether an answer to that request is an answer to it.
    pub(in crate::bridge) fn is_of(&self, target: &Target) -> bool {
        target.method == *self.request.method() && path_of(&target.url) == self.path
    }

    pub(super) fn request(&self) -> &Request<()> {
        &self.request
    }

    pub(super) fn sharing(&self) -> Sharing {
        self.sharing
    }

    pub(super) fn key(&self, sharing: Sharing) -> Key {
        if sharing == Sharing::Shared { self.shared } else { self.own }
    }

    /// Where its answer may be: the caller's own comes first.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        let shared = (self.sharing == Sharing::Shared).then_some(&self.shared);
        std::iter::once(&self.own).chain(shared)
    }

    pub(super) fn path(&self) -> Key {
        self.path
    }

    /// When it was asked for.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    pub(super) fn credential(&self) -> &Credential {
        &self.credential
    }
}

/// A digest of all that tells a request from another one: where it goes, what is in it, and what
/// proves who we are.
pub(in crate::bridge) fn fingerprint(upstream: &Upstream, target: &Target) -> Sha256 {
    let mut hash = Sha256::new();
    add(&mut hash, target.method.as_str().as_bytes());
    add(&mut hash, target.url.as_str().as_bytes());
    for (name, value) in &target.headers {
        add(&mut hash, name.as_str().as_bytes());
        add(&mut hash, value.as_bytes());
    }
    add(&mut hash, target.body.as_deref().unwrap_or_default());
    let pass = target.pass.as_ref().map_or(0, Pass::address);
    let signer = target.signer.as_ref().map_or(0, |signer| Arc::as_ptr(signer).addr());
    let digest = target.digest.as_ref().map_or(0, |digest| Arc::as_ptr(digest).addr());
    add(&mut hash, upstream.certificate.as_ref().map_or(&[], |certificate| &certificate[..]));
    add(&mut hash, &pass.to_be_bytes());
    add(&mut hash, &signer.to_be_bytes());
    add(&mut hash, &digest.to_be_bytes());
    hash
}

/// A part, so that no two lists of parts are the same bytes.
pub(in crate::bridge) fn add(hash: &mut Sha256, part: &[u8]) {
    hash.update(part.len().to_be_bytes());
    hash.update(part);
}

/// A digest of a URL's origin and path.
pub(super) fn path_of(url: &Url) -> Key {
    let mut hash = Sha256::new();
    add(&mut hash, url[..url::Position::AfterPath].as_bytes());
    hash.finalize().into()
}
