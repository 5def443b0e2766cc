//! Asking the authorization server what a token is (RFC 7662).
//!
//! Its answer is kept for a moment, by the token's digest, so that not each call asks: that long a
//! token may be taken that was revoked meanwhile. How many are asked about at once is bounded,
//! because anybody can bring tokens that nobody has seen.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::claims::ClaimRules;
use super::{Fetch, Known, NotKnown};
use crate::secret::Secret;

/// How many answers are kept.
const MAX_KEPT: usize = 4096;

/// How many questions are under way at once.
const MAX_ASKED: usize = 16;

/// How long a caller waits for its turn to be asked about.
const PATIENCE: Duration = Duration::from_secs(5);

/// What asks, and what was answered lately.
pub struct Introspection {
    ask: Fetch<Secret>,
    rules: ClaimRules,
    keep: Duration,
    turns: Semaphore,
    kept: Mutex<HashMap<[u8; 32], (Instant, Answer)>>,
}

/// What the server says; `None` for a token that is not active.
type Answer = Option<Map<String, Value>>;

impl Introspection {
    /// Asks by `ask`, which gets the body of the server's answer, and keeps what it says that long.
    pub fn new(ask: Fetch<Secret>, rules: ClaimRules, keep: Duration) -> Self {
        Self { ask, rules, keep, turns: Semaphore::new(MAX_ASKED), kept: Mutex::default() }
    }

    pub(super) async fn verify(
        &self,
        token: &str,
        now: i64,
        certificate: Option<&str>,
    ) -> Result<Known, NotKnown> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let answer = match self.kept(&digest) {
            Some(answer) => answer,
            None => self.asked(digest, token).await?,
        };
        let Some(claims) = answer else {
            return Err(NotKnown::Invalid("the token is unknown, expired or revoked"));
        };
        self.rules.judge(&claims, now, certificate)
    }

    fn kept(&self, digest: &[u8; 32]) -> Option<Answer> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, answer) = kept.get(digest)?;
        (Instant::now() < *until).then(|| answer.clone())
    }

    async fn asked(&self, digest: [u8; 32], token: &str) -> Result<Answer, NotKnown> {
        let turn = timeout(PATIENCE, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(NotKnown::Unavailable) };
        // Somebody may have asked meanwhile.
        if let Some(answer) = self.kept(&digest) {
            return Ok(answer);
        }
        let unavailable = |why: &str| {
            tracing::warn!(%why, "the authorization server was asked about a token in vain");
            NotKnown::Unavailable
        };
        let body = (self.ask)(Secret::new(token)).await.map_err(|why| unavailable(&why))?;
        let claims: Map<String, Value> = serde_json::from_slice(&body)
            .map_err(|_| unavailable("its answer is not what RFC 7662 says"))?;
        let answer = match claims.get("active") {
            Some(Value::Bool(true)) => Some(claims),
            Some(Value::Bool(false)) => None,
            _ => return Err(unavailable("its answer does not say whether the token is active")),
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            let now = Instant::now();
            kept.retain(|_, (until, _)| now < *until);
        }
        if kept.len() < MAX_KEPT {
            kept.insert(digest, (Instant::now() + self.keep, answer.clone()));
        }
        Ok(answer)
    }
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection").field("rules", &self.rules).finish_non_exhaustive()
    }
}
