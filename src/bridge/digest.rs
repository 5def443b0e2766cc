//! Digest authentication (RFC 7616), whose proof depends on what the server asks and on the
//! request that carries it.
//!
//! The first request goes without one, is refused with a challenge, and goes again. The challenge
//! is kept, so that later calls need no second request until the server wants a new one. A server
//! that keeps its nonce in a cookie takes the proof with that cookie alone: such a challenge is
//! answered within its call, in a [`Session`], and forgotten with it.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};
use http_auth::{DigestClient, ParamValue, PasswordParams, parse_challenges};
use url::{Origin, Position};

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
    pub(super) fn sign(&self, target: &Target, session: &mut Option<Session>) -> Option<Target> {
        let session = session.as_mut().filter(|session| session.is_for(target));
        match session {
            Some(session) => {
                let mut target = target.clone();
                session.add_cookies(&mut target);
                Some(self.proven(&target, &mut session.asked).unwrap_or(target))
            }
            None => {
                let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
                self.proven(target, &mut asked)
            }
        }
    }

    fn proven(&self, target: &Target, asked: &mut Option<DigestClient>) -> Option<Target> {
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
    /// of this request were answered before; `session` is what its call has of the server.
    pub(super) fn challenged(
        &self,
        target: &Target,
        headers: &HeaderMap,
        answered: u32,
        session: &mut Option<Session>,
    ) -> bool {
        let challenge = challenge(headers).filter(|challenge| {
            // What was refused although it answered this very server's last nonce is the
            // password (§3.3, `stale`).
            answered == 0 || (answered < CHALLENGES && challenge.stale())
        });
        let may = challenge.is_some();
        let cookies = cookies(target, headers);
        match session {
            Some(session) if session.is_for(target) => {
                session.asked = challenge;
                session.keep(cookies);
            }
            _ if may && !cookies.is_empty() => {
                let origin = target.url.origin();
                *session = Some(Session { asked: challenge, cookies, origin });
            }
            _ => *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = challenge,
        }
        may
    }
}

/// A challenge that came with cookies: what one call has of a server that keeps its nonce there.
pub(super) struct Session {
    asked: Option<DigestClient>,
    /// Name and value, as the server wrote them.
    cookies: Vec<(String, String)>,
    origin: Origin,
}

impl Session {
    fn is_for(&self, target: &Target) -> bool {
        self.origin == target.url.origin()
    }

    /// A cookie takes the place of the one of its name (RFC 6265 §5.3).
    fn keep(&mut self, cookies: Vec<(String, String)>) {
        for (name, value) in cookies {
            self.cookies.retain(|(known, _)| *known != name);
            if self.cookies.len() < MOST_COOKIES {
                self.cookies.push((name, value));
            }
        }
    }

    /// Adds the cookies behind those that the request has; none takes the name of one of them.
    fn add_cookies(&self, target: &mut Target) {
        let own = target.headers.get(COOKIE).map(HeaderValue::as_bytes).unwrap_or_default();
        let own_names: Vec<&[u8]> = own
            .split(|&b| b == b';')
            .filter_map(|pair| pair.split(|&b| b == b'=').next())
            .map(<[u8]>::trim_ascii)
            .collect();
        let mut joined = own.to_vec();
        for (name, value) in &self.cookies {
            if own_names.contains(&name.as_bytes()) {
                continue;
            }
            if !joined.is_empty() {
                joined.extend_from_slice(b"; ");
            }
            joined.extend_from_slice(format!("{name}={value}").as_bytes());
        }
        if let Ok(mut value) = HeaderValue::from_bytes(&joined)
            && !joined.is_empty()
        {
            value.set_sensitive(true);
            target.headers.insert(COOKIE, value);
        }
    }
}

/// How many cookies of a challenge are kept, and how long one is at most.
const MOST_COOKIES: usize = 16;
const LONGEST_COOKIE: usize = 4096;

/// The cookies of an answer that the same request takes (RFC 6265 §5.2 to §5.4). Its host is the
/// same, so a domain changes nothing.
fn cookies(target: &Target, headers: &HeaderMap) -> Vec<(String, String)> {
    let texts = headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    texts
        .filter(|text| text.len() <= LONGEST_COOKIE)
        .filter_map(|text| {
            let mut parts = text.split(';');
            let (name, value) = parts.next()?.split_once('=')?;
            let (name, value) = (name.trim(), value.trim());
            let goes_along = parts.all(|attribute| {
                let (key, said) = attribute.split_once('=').unwrap_or((attribute, ""));
                let (key, said) = (key.trim().to_ascii_lowercase(), said.trim());
                match key.as_str() {
                    "secure" => target.url.scheme() == "https",
                    "max-age" => said.parse::<i64>().is_ok_and(|seconds| seconds > 0),
                    "path" => !said.starts_with('/') || is_below(target.url.path(), said),
                    _ => true,
                }
            });
            (goes_along && !name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
        })
        .take(MOST_COOKIES)
        .collect()
}

/// RFC 6265 §5.1.4.
fn is_below(path: &str, wanted: &str) -> bool {
    path.strip_prefix(wanted)
        .is_some_and(|rest| rest.is_empty() || wanted.ends_with('/') || rest.starts_with('/'))
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
