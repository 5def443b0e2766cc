//! An issuer's keys over time: fetched when they are first needed, and again from time to time.
//!
//! An issuer that rotates its keys is noticed by a token of a key that is not there: then the set
//! is fetched anew, a few times in a while and no more however many such tokens come, because
//! anybody can make one. While the issuer is down the keys that are there go on, until they are so old that a
//! key which was withdrawn may be among them: then nobody is known.
//!
//! Tokens that one of the keys made are remembered, since a signature takes 25 to 75 µs to verify, and
//! more with longer keys: what they claim, by their digests, for as long as the set is the same and
//! fresh. Only what was taken is remembered, so what else the issuer signs fills no memory; and only
//! the signature is settled by it: claims are judged each time.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use super::jws::Token;
use super::keys::KeySet;
use super::{Fetch, NotKnown};

/// After which time the set is fetched anew.
const FRESH: Duration = Duration::from_mins(10);

/// For how long it counts when it cannot be.
const GOOD: Duration = Duration::from_hours(24);

/// How many fetches there are in [`WHILE`] at most, whatever asks for them. More than one, so that a
/// key that is new right after a fetch is found.
const FETCHES: usize = 3;

/// See [`FETCHES`].
const WHILE: Duration = Duration::from_secs(15);

/// How many tokens are remembered.
const MAX_REMEMBERED: usize = 1024;

/// SHA-256 of a token.
pub(super) type TokenDigest = [u8; 32];

/// What a token claims that one of the keys made.
pub(super) struct Verified {
    pub(super) claims: Map<String, Value>,
    /// Those keys.
    set: Arc<KeySet>,
}

/// The keys of one issuer.
pub struct Keyring {
    fetch: Fetch<()>,
    /// Held by who fetches.
    fetching: AsyncMutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    set: Option<(Instant, Arc<KeySet>)>,
    /// When it was tried to get it lately, oldest first.
    tried: VecDeque<Instant>,
    /// Whether that came to nothing.
    failed: bool,
    /// What tokens claim that the set's keys made, each with when it is not taken any more, in
    /// seconds since the Unix epoch.
    remembered: HashMap<TokenDigest, (i64, Arc<Map<String, Value>>)>,
}

impl Keyring {
    /// Of an issuer whose keys `fetch` gets as a JWK Set. Nothing is fetched yet.
    pub fn new(fetch: Fetch<()>) -> Self {
        Self { fetch, fetching: AsyncMutex::default(), state: Mutex::default() }
    }

    /// What a token claims that is remembered.
    pub(super) fn remembered(&self, token: &TokenDigest) -> Option<Arc<Map<String, Value>>> {
        let state = self.state();
        let (when, _) = state.set.as_ref()?;
        let (_, claims) = state.remembered.get(token)?;
        (when.elapsed() < FRESH).then(|| Arc::clone(claims))
    }

    /// Remembers a token that was verified and is taken between now and then.
    pub(super) fn remember(&self, token: TokenDigest, verified: Verified, now: i64, until: i64) {
        let mut state = self.state();
        // The set may have been replaced since.
        if !state.set.as_ref().is_some_and(|(_, set)| Arc::ptr_eq(set, &verified.set)) {
            return;
        }
        if state.remembered.len() >= MAX_REMEMBERED {
            state.remembered.retain(|_, (until, _)| now < *until);
        }
        if state.remembered.len() < MAX_REMEMBERED {
            state.remembered.insert(token, (until, Arc::new(verified.claims)));
        }
    }

    /// The claims of a token that one of the keys made.
    pub(super) async fn verify(&self, token: &Token<'_>) -> Result<Verified, NotKnown> {
        let mut set = self.current();
        let fitting = |set: &Arc<KeySet>| set.may_have(token);
        // A set that is fresh enough and has the key needs no look at the issuer.
        if !set.as_ref().is_some_and(|(fresh, set)| *fresh && fitting(set)) {
            let known = set.as_ref().is_some_and(|(_, set)| fitting(set));
            self.renew(known).await;
            set = self.current();
        }
        let Some((_, set)) = set else { return Err(NotKnown::Unavailable) };
        let claims = set.candidates(token).find_map(|key| token.verified_by(key));
        if let Some(claims) = claims {
            return Ok(Verified { claims, set });
        }
        // The key may be one that the issuer has and could not tell of.
        if !fitting(&set) && self.state().failed {
            return Err(NotKnown::Unavailable);
        }
        Err(NotKnown::Invalid("the token's signature is not the issuer's"))
    }

    /// The keys that count now, and whether they are fresh.
    fn current(&self) -> Option<(bool, Arc<KeySet>)> {
        let state = self.state();
        let (when, set) = state.set.as_ref()?;
        let age = when.elapsed();
        (age < GOOD).then(|| (age < FRESH, Arc::clone(set)))
    }

    /// Fetches the set, unless that was tried a moment ago. Who `can_wait` has a key that will do
    /// and leaves it to whoever is fetching already.
    async fn renew(&self, can_wait: bool) {
        let _fetching = if can_wait {
            match self.fetching.try_lock() {
                Ok(fetching) => fetching,
                Err(_) => return,
            }
        } else {
            self.fetching.lock().await
        };
        {
            let mut state = self.state();
            state.tried.retain(|when| when.elapsed() < WHILE);
            if state.tried.len() >= FETCHES {
                return;
            }
            state.tried.push_back(Instant::now());
        }
        let fetched = match (self.fetch)(()).await {
            Ok(bytes) => KeySet::parse(&bytes).map_err(str::to_owned),
            Err(why) => Err(why),
        };
        if let Err(why) = &fetched {
            tracing::warn!(%why, "the issuer's keys could not be fetched");
        }
        let mut state = self.state();
        state.failed = fetched.is_err();
        if let Ok(set) = fetched {
            state.set = Some((Instant::now(), Arc::new(set)));
            // A key may have been withdrawn.
            state.remembered.clear();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}
