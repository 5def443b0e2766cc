//! An issuer's keys over time: fetched when they are first needed, and again from time to time.
//!
//! An issuer that rotates its keys is noticed by a token of a key that is not there: then the set
//! is fetched anew, a few times in a while and no more however many such tokens come, because
//! anybody can make one. While the issuer is down the keys that are there go on, until they are so old that a
//! key which was withdrawn may be among them: then nobody is known.

use std::collections::VecDeque;
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
}

impl Keyring {
    /// Of an issuer whose keys `fetch` gets as a JWK Set. Nothing is fetched yet.
    pub fn new(fetch: Fetch<()>) -> Self {
        Self { fetch, fetching: AsyncMutex::default(), state: Mutex::default() }
    }

    /// The claims of a token that one of the keys made.
    pub(super) async fn verify(&self, token: &Token<'_>) -> Result<Map<String, Value>, NotKnown> {
        let mut set = self.current();
        let fitting = |set: &Arc<KeySet>| set.may_have(token);
        // A set that is fresh enough and has the key needs no look at the issuer.
        if !set.as_ref().is_some_and(|(fresh, set)| *fresh && fitting(set)) {
            let known = set.as_ref().is_some_and(|(_, set)| fitting(set));
            self.renew(known).await;
            set = self.current();
        }
        let Some((_, set)) = set else { return Err(NotKnown::Unavailable) };
        if let Some(claims) = set.candidates(token).find_map(|key| token.verified_by(key)) {
            return Ok(claims);
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
