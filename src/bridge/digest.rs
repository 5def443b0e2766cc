//! Digest authentication (RFC 7616), whose proof depends on what the server asks and on the
//! request that carries it.
//!
//! The first request goes without one, is refused with a challenge, and goes again. The challenge
//! is kept, so that later calls need no second request until the server wants a new one.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};
use http_auth::{DigestClient, ParamValue, PasswordParams, parse_challenges};
use url::Position;

use super::prepare::Target;
use crate::secret::Secret;

/// How many challenges one request is answered for: the first, and one that replaces a stale one.
const CHALLENGES: u32 = 2;

/// The longest challenge that is read.
const LONGEST: usize = 4096;

/// A user with a password, and what the server asked last.
pub struct Digest {
    username: String,
    password: Secret,
    asked: Mutex<Option<DigestClient>>,
}

impl Digest {
    /// Of a user who was asked nothing yet.
    pub fn new(username: String, password: Secret) -> Self {
        Self { username, password, asked: Mutex::default() }
    }

    /// The request with its proof, where the server's challenge is known.
    pub(super) fn sign(&self, target: &Target) -> Option<Target> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let client = asked.as_mut()?;
        let proof = client.respond(&PasswordParams {
            username: &self.username,
            password: self.password.expose(),
            uri: &target.url[Position::BeforePath..Position::AfterQuery],
            method: target.method.as_str(),
            body: Some(target.body.as_deref().unwrap_or_default()),
        });
        // A session key belongs to one client nonce, and each proof has a new one (§3.4.2).
        if client.session() {
            *asked = None;
        }
        let mut value = HeaderValue::from_str(&proof.ok()?).ok()?;
        value.set_sensitive(true);
        let mut signed = target.clone();
        signed.headers.insert(AUTHORIZATION, value);
        Some(signed)
    }

    /// Whether a refused request may go again with a new proof. `answered` is how many challenges
    /// of this request were answered before.
    pub(super) fn challenged(&self, headers: &HeaderMap, answered: u32) -> bool {
        let challenge = challenge(headers).filter(|challenge| {
            // What was refused although it answered this very server's last nonce is the
            // password (§3.3, `stale`).
            answered == 0 || (answered < CHALLENGES && challenge.stale())
        });
        let may = challenge.is_some();
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = challenge;
        may
    }
}

/// The algorithms (§3.3) as the library spells them; servers write them in any case.
const ALGORITHMS: [&str; 6] =
    ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"];

/// The first challenge that can be answered: the server's own preference (§3.7).
fn challenge(headers: &HeaderMap) -> Option<DigestClient> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok().filter(|text| text.len() <= LONGEST))
        .filter_map(|text| parse_challenges(text).ok())
        .flatten()
        .filter(|challenge| challenge.scheme.eq_ignore_ascii_case("digest"))
        .find_map(|mut challenge| {
            for (name, value) in &mut challenge.params {
                let same = |known: &&&str| known.eq_ignore_ascii_case(value.as_escaped());
                if name.eq_ignore_ascii_case("algorithm")
                    && let Some(known) = ALGORITHMS.iter().find(same)
                {
                    *value = ParamValue::new(0, known);
                }
            }
            DigestClient::try_from(&challenge).ok()
        })
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digest").field("username", &self.username).finish_non_exhaustive()
    }
}
