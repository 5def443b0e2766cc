//! Where answers lie: bounded in bytes, the one that was not asked for the longest goes first.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_cache_semantics::CachePolicy;
use tokio::time::Instant;

use super::wanted::Credential;

/// A digest of what an answer is to.
pub(super) type Key = [u8; 32];

/// An answer longer than this share of all is not kept: it would drive out too many.
const SHARE: usize = 4;

/// What an answer takes beside its body and headers, about: the policy has them once more.
const OVERHEAD: usize = 1_024;

/// How many writes are remembered, so that no read that was under way brings back what they
/// changed.
const WRITES: usize = 64;

/// An answer, and how long it is good.
pub(super) struct Kept {
    pub(super) policy: CachePolicy,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// What it was asked for with: held, so that nothing else takes its place in a key.
    pub(super) credential: Credential,
}

/// Without what is in it, which may be anybody's.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({} bytes)", self.body.len())
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        self.body.len() + headers.sum::<usize>() * 2 + OVERHEAD
    }
}

#[derive(Debug)]
struct Place {
    kept: Arc<Kept>,
    path: Key,
    bytes: usize,
    used: u64,
}

#[derive(Debug, Default)]
pub(super) struct Shelf {
    most: usize,
    bytes: usize,
    places: HashMap<Key, Place>,
    /// Which answers are at a path.
    paths: HashMap<Key, Vec<Key>>,
    /// Which answer was asked for when, counted up.
    uses: BTreeMap<u64, Key>,
    counter: u64,
    writes: VecDeque<(Key, Instant)>,
}

impl Shelf {
    pub(super) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    pub(super) fn resize(&mut self, most: usize) {
        self.most = most;
        self.make_room(0);
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&mut self, key: &Key) -> Option<Arc<Kept>> {
        let place = self.places.get_mut(key)?;
        self.uses.remove(&place.used);
        self.counter += 1;
        place.used = self.counter;
        self.uses.insert(self.counter, *key);
        Some(Arc::clone(&place.kept))
    }

    pub(super) fn put(&mut self, key: Key, path: Key, kept: Kept) {
        self.remove(&key);
        let bytes = kept.bytes();
        if bytes > self.most / SHARE {
            return;
        }
        self.make_room(bytes);
        self.counter += 1;
        self.bytes += bytes;
        self.uses.insert(self.counter, key);
        self.paths.entry(path).or_default().push(key);
        let place = Place { kept: Arc::new(kept), path, bytes, used: self.counter };
        self.places.insert(key, place);
    }

    pub(super) fn remove(&mut self, key: &Key) {
        let Some(place) = self.places.remove(key) else { return };
        self.bytes -= place.bytes;
        self.uses.remove(&place.used);
        if let Some(keys) = self.paths.get_mut(&place.path) {
            keys.retain(|other| other != key);
            if keys.is_empty() {
                self.paths.remove(&place.path);
            }
        }
    }

    /// Forgets what is at a path, and that it was forgotten now.
    pub(super) fn forget(&mut self, path: Key, now: Instant) {
        for key in self.paths.get(&path).cloned().unwrap_or_default() {
            self.remove(&key);
        }
        if self.writes.len() == WRITES {
            self.writes.pop_front();
        }
        self.writes.push_back((path, now));
    }

    pub(super) fn was_forgotten_since(&self, path: Key, since: Instant) -> bool {
        self.writes.iter().any(|(written, when)| *written == path && *when >= since)
    }

    fn make_room(&mut self, bytes: usize) {
        while self.bytes + bytes > self.most {
            let Some(key) = self.uses.first_key_value().map(|(_, key)| *key) else { return };
            self.remove(&key);
        }
    }
}
