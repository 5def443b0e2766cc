//! Answers to reads that HTTP lets one keep (RFC 9111), for as long as the API says that they are
//! good, or until it says that they still are.
//!
//! What a cache may do is decided by `http-cache-semantics`; here is for whom, and how much.
//!
//! - To the API the bridge is one client. Among its callers an answer belongs to the identity that
//!   got it, as in a private cache; where the configuration says so, what a shared cache may keep
//!   is for all. Every credential counts as `Authorization` does there (§3.5), whatever carries it.
//! - An answer is to one request with all of its headers, so `Vary` is always obeyed, and to one
//!   credential.
//! - Nothing is guessed: an answer that does not say how long it is good is asked for again, with
//!   its validator.
//! - A write makes all forget what is at its path (§4.4), also one whose outcome nobody knows.
//!
//! It is in memory, bounded in bytes, and outlives a reload. It knows no call and no trail.

mod shelf;
#[cfg(test)]
mod tests;
mod wanted;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{
    AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, SET_COOKIE, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_cache_semantics::{AfterResponse, BeforeRequest, CacheOptions, CachePolicy};
use tokio::time::Instant;

use super::exchange::{Answered, Content};
use super::manner::Sharing;
use shelf::{Kept, Shelf};
use url::Url;
use wanted::path_of;
pub(super) use wanted::{Wanted, add, fingerprint};

/// How many bytes of answers are kept of an API where the configuration says nothing.
pub(super) const USUAL: usize = 16 << 20;

/// An `Age` beyond it is nonsense, and the arithmetic of ages would overflow.
const OLDEST: u64 = 10 * 366 * 24 * 3600;

/// The answers that are kept of one API.
#[derive(Debug)]
pub(super) struct HttpCache {
    /// What time it was when it began; from there on the clock cannot jump.
    epoch: SystemTime,
    begun: Instant,
    /// How many answers there are, to be looked at without the lock.
    count: AtomicUsize,
    shelf: Mutex<Shelf>,
}

/// What there is for a request.
#[derive(Debug)]
pub(super) enum Found {
    /// An answer that is good, and its age.
    Fresh(Answered, Duration),
    /// One that the API must confirm.
    Stale(Stale),
}

/// An answer that the API must confirm.
#[derive(Debug)]
pub(super) struct Stale {
    key: shelf::Key,
    kept: Arc<Kept>,
    /// What the request is to carry for it.
    conditions: HeaderMap,
}

impl Stale {
    /// Makes a request one that asks whether the answer is still good.
    pub(super) fn ask(&self, headers: &mut HeaderMap) {
        headers.extend(self.conditions.clone());
    }
}

impl HttpCache {
    /// A cache of so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self {
            epoch: SystemTime::now(),
            begun: Instant::now(),
            count: AtomicUsize::new(0),
            shelf: Mutex::new(Shelf::new(most)),
        }
    }

    /// Has so many bytes from now on.
    pub(super) fn resize(&self, most: usize) {
        self.with(|shelf| shelf.resize(most));
    }

    /// How many bytes it has.
    pub(super) fn most(&self) -> usize {
        self.lock().most()
    }

    /// The answer to a request, if one is kept.
    pub(super) fn find(&self, wanted: &Wanted) -> Option<Found> {
        let now = self.now();
        let mut stale = None;
        for key in wanted.keys() {
            let kept = self.lock().get(key);
            let Some(kept) = kept.filter(|kept| kept.credential.is(wanted.credential())) else {
                continue;
            };
            match kept.policy.before_request(wanted.request(), now) {
                BeforeRequest::Fresh(_) => {
                    return Some(Found::Fresh(kept.answer(), kept.policy.age(now)));
                }
                BeforeRequest::Stale { request, matches: true } if kept.has_validator() => {
                    let conditions = [IF_NONE_MATCH, IF_MODIFIED_SINCE].into_iter();
                    let conditions = conditions.filter_map(|name| {
                        request.headers.get(&name).cloned().map(|value| (name, value))
                    });
                    stale = Some(Stale { key: *key, kept, conditions: conditions.collect() });
                }
                BeforeRequest::Stale { .. } => {}
            }
        }
        stale.map(Found::Stale)
    }

    /// Takes a 304 as the word that a kept answer is still good: that answer, and its age. `None`
    /// where it is about another one.
    pub(super) fn confirmed(
        &self,
        wanted: &Wanted,
        stale: &Stale,
        told: &Answered,
    ) -> Option<(Answered, Duration)> {
        let now = self.now();
        let kept = &stale.kept;
        let response = response(told.status, told.headers.clone());
        // A 304 that names no validator can only be about the one that was asked about.
        let is_silent =
            !told.headers.contains_key(ETAG) && !told.headers.contains_key(LAST_MODIFIED);
        let same = is_silent
            || matches!(
                kept.policy.after_response(wanted.request(), &response, now),
                AfterResponse::NotModified(..)
            );
        if !same || !is_plausible(&told.headers) {
            self.with(|shelf| shelf.remove(&stale.key));
            return None;
        }
        let headers = updated(&kept.headers, &told.headers);
        let answered = Answered { headers, ..kept.answer() };
        let age = self.put(wanted, &answered, now).unwrap_or_default();
        Some((answered, age))
    }

    /// Whether there is nothing to do with an answer with these headers: it forbids being kept
    /// (RFC 9111 §5.2.2.5), and no other is to make room for it.
    pub(super) fn passes_over(&self, headers: &HeaderMap) -> bool {
        let forbids = |value: &HeaderValue| {
            let word = |one: &[u8]| one.trim_ascii().eq_ignore_ascii_case(b"no-store");
            value.as_bytes().split(|byte| *byte == b',').any(word)
        };
        self.count.load(Ordering::Relaxed) == 0
            && headers.get_all(CACHE_CONTROL).iter().any(forbids)
    }

    /// Keeps an answer, where that is allowed and of use, instead of the one before.
    pub(super) fn keep(&self, wanted: &Wanted, answered: &Answered) {
        let now = self.now();
        self.put(wanted, answered, now);
    }

    /// Its age, where it was kept.
    fn put(&self, wanted: &Wanted, answered: &Answered, now: SystemTime) -> Option<Duration> {
        let kept = allowed(wanted, answered, now);
        let age = kept.as_ref().map(|(_, kept)| kept.policy.age(now));
        self.with(|shelf| {
            if shelf.was_forgotten_since(wanted.path(), wanted.since()) {
                return None;
            }
            wanted.keys().for_each(|key| shelf.remove(key));
            let (sharing, kept) = kept?;
            shelf.put(wanted.key(sharing), wanted.path(), kept);
            age
        })
    }

    /// Forgets what is at the path of a write.
    pub(super) fn forget(&self, url: &Url) {
        if self.count.load(Ordering::Relaxed) > 0 {
            let path = path_of(url);
            self.with(|shelf| shelf.forget(path, Instant::now()));
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Shelf) -> T) -> T {
        let mut shelf = self.lock();
        let done = act(&mut shelf);
        self.count.store(shelf.len(), Ordering::Relaxed);
        done
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> SystemTime {
        self.epoch + self.begun.elapsed()
    }
}

/// For whom an answer may be kept, if at all.
fn allowed(wanted: &Wanted, answered: &Answered, now: SystemTime) -> Option<(Sharing, Kept)> {
    let Content::Whole(body) = &answered.body else { return None };
    let whole =
        matches!(answered.status, StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION)
            && !answered.headers.contains_key(CONTENT_RANGE);
    if !whole || !is_plausible(&answered.headers) {
        return None;
    }
    let response = response(answered.status, answered.headers.clone());
    let policy = |shared| {
        let options = CacheOptions { shared, cache_heuristic: 0.0, ..CacheOptions::default() };
        let policy = CachePolicy::new_options(wanted.request(), &response, now, options);
        let is_of_use = !policy.is_stale(now) || has_validator(&answered.headers);
        (policy.is_storable() && is_of_use).then_some(policy)
    };
    // A cookie is somebody's, whatever else the answer says.
    let for_all = wanted.sharing() == Sharing::Shared && !answered.headers.contains_key(SET_COOKIE);
    let (sharing, policy) = for_all
        .then(|| policy(true).map(|policy| (Sharing::Shared, policy)))
        .flatten()
        .or_else(|| policy(false).map(|policy| (Sharing::Private, policy)))?;
    let (status, headers) = (answered.status, answered.headers.clone());
    let credential = wanted.credential().clone();
    Some((sharing, Kept { policy, status, headers, body: body.clone(), credential }))
}

fn has_validator(headers: &HeaderMap) -> bool {
    headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED)
}

/// Whether the answer's age is one that can be reckoned with.
fn is_plausible(headers: &HeaderMap) -> bool {
    headers.get_all(AGE).iter().all(|value| {
        let age = value.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok());
        age.is_some_and(|age| age <= OLDEST)
    })
}

/// The headers of a kept answer with what a 304 says anew (RFC 9111 §3.2): not what describes the
/// body, which is the old one.
fn updated(kept: &HeaderMap, told: &HeaderMap) -> HeaderMap {
    const OF_THE_BODY: [http::HeaderName; 5] =
        [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, TRANSFER_ENCODING];
    let mut headers = kept.clone();
    // An age that is not told anew is none.
    headers.remove(AGE);
    for name in told.keys().filter(|name| !OF_THE_BODY.contains(name)) {
        headers.remove(name);
        for value in told.get_all(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

fn response(status: StatusCode, headers: HeaderMap) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

impl Kept {
    fn answer(&self) -> Answered {
        Answered {
            status: self.status,
            headers: self.headers.clone(),
            body: Content::Whole(Bytes::clone(&self.body)),
            bytes: 0,
        }
    }

    fn has_validator(&self) -> bool {
        has_validator(&self.headers)
    }
}
