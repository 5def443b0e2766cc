//! The last good answers of tools whose fallback they are. In memory, bounded, each for the
//! caller who got it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;
use tollbridge_operation::Payload;

/// How many bytes are kept, about.
const MOST: usize = 32 << 20;

/// Longer answers are not kept.
const LONGEST: usize = 1 << 20;

/// What an answer is to: whose call of which tool, what that came to, and with which arguments.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CacheKey {
    pub(super) identity: String,
    pub(super) tool: String,
    pub(super) operation: String,
    pub(super) base: String,
    pub(super) digest: String,
}

/// An answer as it was.
#[derive(Debug, Clone)]
pub(super) struct CachedAnswer {
    pub(super) payload: Payload,
    pub(super) headers: Map<String, Value>,
}

#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    answers: HashMap<CacheKey, Held>,
    bytes: usize,
}

#[derive(Debug)]
struct Held {
    at: Instant,
    bytes: usize,
    answer: CachedAnswer,
}

impl Cache {
    /// Keeps an answer instead of the one before.
    pub(super) fn keep(&self, key: CacheKey, answer: CachedAnswer) {
        let bytes = size(&answer);
        if bytes > LONGEST {
            return;
        }
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.remove(&key);
        while inner.bytes + bytes > MOST {
            let oldest = inner.answers.iter().min_by_key(|(_, held)| held.at);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
            inner.remove(&oldest);
        }
        inner.bytes += bytes;
        inner.answers.insert(key, Held { at: Instant::now(), bytes, answer });
    }

    /// The answer, where there is one that is not older, and its age.
    pub(super) fn find(
        &self,
        key: &CacheKey,
        max_age: Duration,
    ) -> Option<(CachedAnswer, Duration)> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = inner.answers.get(key)?;
        let age = held.at.elapsed();
        (age <= max_age).then(|| (held.answer.clone(), age))
    }
}

impl Inner {
    fn remove(&mut self, key: &CacheKey) {
        if let Some(held) = self.answers.remove(key) {
            self.bytes -= held.bytes;
        }
    }
}

/// About how many bytes an answer takes.
fn size(answer: &CachedAnswer) -> usize {
    let payload = match &answer.payload {
        Payload::Empty => 0,
        Payload::Value(value) => written(value),
        Payload::Bytes { data, .. } => data.len(),
        Payload::Parts { value, attached } => {
            written(value) + attached.iter().map(|one| one.data.len()).sum::<usize>()
        }
    };
    payload + 512
}

/// About how long a value is as JSON.
fn written(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(number) => number.as_str().len(),
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| written(item) + 1).sum::<usize>() + 2,
        Value::Object(members) => {
            members.iter().map(|(name, value)| name.len() + 4 + written(value)).sum::<usize>() + 2
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(identity: &str) -> CacheKey {
        let [tool, operation, base, digest] = ["t", "o", "b", "d"].map(str::to_owned);
        CacheKey { identity: identity.to_owned(), tool, operation, base, digest }
    }

    fn answer(bytes: usize) -> CachedAnswer {
        let payload = Payload::Bytes { media_type: "a/b".to_owned(), data: vec![0; bytes].into() };
        CachedAnswer { payload, headers: Map::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_found_by_who_got_it_until_it_is_too_old() {
        let cache = Cache::default();
        let payload = Payload::Value(json!({"a": 1}));
        cache.keep(key("a"), CachedAnswer { payload: payload.clone(), headers: Map::new() });
        tokio::time::advance(Duration::from_secs(10)).await;
        let (found, age) = cache.find(&key("a"), Duration::from_secs(10)).expect("an answer");
        assert_eq!((found.payload, age.as_secs()), (payload, 10));
        assert!(cache.find(&key("a"), Duration::from_secs(9)).is_none());
        assert!(cache.find(&key("b"), Duration::from_mins(1)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_answers_make_room_and_the_longest_are_not_kept() {
        let cache = Cache::default();
        for n in 0..100 {
            tokio::time::advance(Duration::from_millis(1)).await;
            cache.keep(key(&n.to_string()), answer(LONGEST - 1_000));
        }
        let inner = cache.0.lock().expect("a lock");
        assert!(inner.bytes <= MOST && inner.answers.len() > 20, "{}", inner.bytes);
        assert!(inner.answers.contains_key(&key("99")) && !inner.answers.contains_key(&key("0")));
        drop(inner);
        cache.keep(key("long"), answer(LONGEST));
        assert!(cache.find(&key("long"), Duration::from_mins(1)).is_none());
    }
}
