//! Bearer tokens that are asked for when they are needed (RFC 6749), kept while they are good,
//! and renewed before they end.
//!
//! Whoever asks while a token is being fetched waits for that one: an authorization server sees
//! one request, however many calls are under way. A fetch runs to its end though the call that
//! began it is gone, since a refresh token may be good for one use only. What is issued is made
//! known to the redactor before anything else is done with it.
//!
//! Not here: how a request of the API carries the token, and what a refusal of it means for a
//! call.

mod grant;

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::{HeaderValue, StatusCode};
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout, timeout_at};

pub(super) use self::grant::NoToken;
pub use self::grant::{ClientAuth, Grant, OAuth};
use self::grant::{INVALID_GRANT, Issued};
use super::client;
use super::resolve::Guard;
use super::tls::Tls;
use crate::secret::{Redactor, Secret};

/// How long one request for a token may take.
const FETCH: Duration = Duration::from_secs(10);

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// How long before its end a token is renewed: this, or a tenth of its life if that is shorter.
const SKEW: Duration = Duration::from_mins(1);

/// For how long a failure stands, so that a server that is down is not asked by every call.
const STANDING: Duration = Duration::from_secs(2);

/// How often the API's word that a token is no good is believed.
const REFUSALS: Duration = Duration::from_secs(10);

/// Where tokens come from.
pub struct TokenSource {
    oauth: OAuth,
    client: reqwest::Client,
    redactor: Redactor,
    needed: RwLock<BTreeSet<String>>,
    current: RwLock<Option<Token>>,
    /// Held by whoever asks the server.
    asking: Arc<tokio::sync::Mutex<Asking>>,
    /// When a token was last dropped because the API refused it.
    refused: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Asking {
    /// Which token was issued last.
    number: u64,
    refresh: Option<Secret>,
    failed: Option<(Instant, NoToken)>,
}

/// A token that may be sent.
#[derive(Clone)]
pub(super) struct Token {
    /// Which one it is.
    pub(super) number: u64,
    /// As a value of `Authorization`.
    pub(super) header: HeaderValue,
    renew_at: Option<Instant>,
    ends_at: Option<Instant>,
}

impl TokenSource {
    /// A source that has asked for nothing yet. What it gets, `redactor` learns: it must be a
    /// [growing](Redactor::growing) one. The server's name is asked for at `resolver`, or as the
    /// system does. The error says what is wrong with `tls`.
    pub fn new(
        oauth: OAuth,
        tls: &Tls,
        resolver: Option<SocketAddr>,
        redactor: Redactor,
    ) -> Result<Self, String> {
        Ok(Self {
            client: client::build(FETCH, tls.config()?, Guard::new(resolver)?)?,
            oauth,
            redactor,
            needed: RwLock::default(),
            current: RwLock::default(),
            asking: Arc::default(),
            refused: Mutex::default(),
        })
    }

    /// Adds scopes to those that are asked for where the configuration names none.
    pub fn need(&self, scopes: &[String]) {
        let mut needed = self.needed.write().unwrap_or_else(PoisonError::into_inner);
        needed.extend(scopes.iter().cloned());
    }

    /// A token that is good now, fetched where there is none. Waits until `limit` at most.
    pub(super) async fn token(self: &Arc<Self>, limit: Instant) -> Result<Token, NoToken> {
        if let Some(token) = self.kept() {
            // It is still good: the call does not wait for the next one.
            if token.renew_at.is_some_and(|due| due <= Instant::now())
                && let Ok(asking) = Arc::clone(&self.asking).try_lock_owned()
            {
                tokio::spawn(Arc::clone(self).fetch(asking));
            }
            return Ok(token);
        }
        let late = || NoToken::Unavailable("there was no answer in time".to_owned());
        let asking = timeout_at(limit, Arc::clone(&self.asking).lock_owned());
        let asking = asking.await.map_err(|_| late())?;
        // Whoever held it before may have what is wanted.
        if let Some(token) = self.kept() {
            return Ok(token);
        }
        if let Some((when, failed)) = &asking.failed
            && when.elapsed() < STANDING
        {
            return Err(failed.clone());
        }
        let fetched = timeout_at(limit, tokio::spawn(Arc::clone(self).fetch(asking)));
        fetched.await.map_err(|_| late())?.map_err(|_| late())?
    }

    /// The API refused that token. Whether another one is worth a try.
    pub(super) fn refused(&self, number: u64) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Whoever else was refused it has dropped it, and may be fetching the next one.
        if current.as_ref().is_none_or(|token| token.number != number) {
            return true;
        }
        if refused.is_some_and(|last| last.elapsed() < REFUSALS) {
            return false;
        }
        *refused = Some(Instant::now());
        *current = None;
        true
    }

    /// The token that is there, where it is still good.
    fn kept(&self) -> Option<Token> {
        let kept = self.current.read().unwrap_or_else(PoisonError::into_inner);
        kept.clone().filter(|token| token.ends_at.is_none_or(|end| Instant::now() < end))
    }

    async fn fetch(self: Arc<Self>, mut asking: OwnedMutexGuard<Asking>) -> Result<Token, NoToken> {
        let fetched = match self.ask(asking.refresh.as_ref()).await {
            // What it was to be renewed with is no good: it is asked for as at first.
            Err(NoToken::Refused(code)) if code == INVALID_GRANT && asking.refresh.is_some() => {
                asking.refresh = None;
                self.ask(None).await
            }
            fetched => fetched,
        };
        let taken = fetched.and_then(|issued| self.take(issued, &mut asking));
        asking.failed = taken.as_ref().err().map(|failed| (Instant::now(), failed.clone()));
        if let Err(failed) = &taken {
            let host = self.oauth.token_url.host_str().unwrap_or_default();
            tracing::warn!(host, reason = failed.words(), "no token");
        }
        taken
    }

    fn take(&self, issued: Issued, asking: &mut Asking) -> Result<Token, NoToken> {
        let Issued { token, lifetime, refresh } = issued;
        let hidden = refresh.iter().chain([&token]).all(|secret| self.redactor.learn(secret));
        let header = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
        let (Ok(mut header), true) = (header, hidden) else {
            return Err(NoToken::Unusable("its token cannot be kept secret"));
        };
        header.set_sensitive(true);
        let now = Instant::now();
        asking.number += 1;
        asking.refresh = refresh.or(asking.refresh.take());
        let token = Token {
            number: asking.number,
            header,
            renew_at: lifetime
                .map(|lifetime| now + lifetime.saturating_sub(SKEW.min(lifetime / 10))),
            ends_at: lifetime.map(|lifetime| now + lifetime),
        };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token)
    }

    async fn ask(&self, refresh: Option<&Secret>) -> Result<Issued, NoToken> {
        let needed: Vec<String> =
            self.needed.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        let (headers, body) = self.oauth.request(refresh, &needed);
        let asked = timeout(FETCH, self.exchange(headers, body)).await;
        let (status, body) = asked.map_err(|_| {
            NoToken::Unavailable(format!("the token endpoint was silent for {} s", FETCH.as_secs()))
        })??;
        grant::read(status, &body)
    }

    async fn exchange(
        &self,
        headers: HeaderMap,
        body: String,
    ) -> Result<(StatusCode, Vec<u8>), NoToken> {
        let unreachable = |_| NoToken::Unavailable("the token endpoint cannot be reached".into());
        let request = self.client.post(self.oauth.token_url.clone()).headers(headers).body(body);
        let mut answer = request.send().await.map_err(unreachable)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if bytes.len() + chunk.len() > MAX_ANSWER {
                return Err(NoToken::Unusable("the token endpoint's answer is too long"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok((answer.status(), bytes))
    }
}

impl Token {
    /// Puts it into a request's headers.
    pub(super) fn authorize(&self, headers: &mut HeaderMap) {
        headers.insert(AUTHORIZATION, self.header.clone());
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("token_url", &self.oauth.token_url.as_str())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
