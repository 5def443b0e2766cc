//! An API's traffic, as all its calls make it together: its limiter, the budget of its
//! repetitions, how its hosts are, and what is kept or under way of its answers.
//!
//! It outlives a reload of the configuration: what was learned of an API is not forgotten
//! because a tool's title changed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::breaker::{Breaker, Health, Pass};
use super::budget::Budget;
use super::cache::{self, HttpCache};
use super::coalesce::Flights;
use super::gate::{Gate, Standing};
use super::limiter::{At, Limits};

/// What all calls of one API have in common.
#[derive(Debug)]
pub struct Traffic {
    pub(super) gate: Gate,
    /// Answers to its reads.
    pub(super) cache: HttpCache,
    /// Its reads that are under way.
    pub(super) flights: Flights,
    begun: Instant,
    shared: Mutex<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    budget: Budget,
    /// By the origins of base URLs: there are few.
    hosts: Vec<(String, Breaker)>,
}

/// A request that a host may be sent. Where it is dropped, it told nothing.
#[derive(Debug)]
pub(super) struct Asked<'t> {
    traffic: &'t Traffic,
    host: usize,
    pass: Pass,
    health: Health,
}

impl Traffic {
    /// The traffic of an API with these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            gate: Gate::new(limits),
            cache: HttpCache::new(cache::USUAL),
            flights: Flights::default(),
            begun: Instant::now(),
            shared: Mutex::default(),
        }
    }

    /// The same, keeping so many bytes of answers where its tools keep any.
    #[must_use]
    pub fn with_cache(self, bytes: usize) -> Self {
        self.cache.resize(bytes);
        self
    }

    /// A write at that URL has ended, however: what was read before may be no more true.
    pub(super) fn changed(&self, url: &Url) {
        self.cache.forget(url);
        self.flights.close();
    }

    /// Goes by the limits of another one, which takes this one's place in a configuration.
    pub(super) fn go_by(&self, newer: &Self) {
        self.gate.go_by(&newer.gate);
        self.cache.resize(newer.cache.most());
    }

    /// Counts a call.
    pub(super) fn call(&self) {
        let now = self.now();
        self.lock().budget.call(now);
    }

    /// Counts a repetition; where there is no room for it, says when there will be.
    pub(super) fn repeat(&self) -> Result<(), Duration> {
        let now = self.now();
        self.lock().budget.repeat(now)
    }

    /// Asks whether a request may go to a host; else when to ask again.
    pub(super) fn ask(&self, origin: &str) -> Result<Asked<'_>, Duration> {
        let now = self.now();
        let mut shared = self.lock();
        let host = shared.host(origin);
        let pass = shared.hosts[host].1.enter(now)?;
        Ok(Asked { traffic: self, host, pass, health: Health::Unknown })
    }

    /// For how long a host is not asked; `None` where it is.
    pub(super) fn open_for(&self, origin: &str) -> Option<Duration> {
        let now = self.now();
        let mut shared = self.lock();
        let host = shared.host(origin);
        shared.hosts[host].1.open_for(now)
    }

    /// How its limiter stands.
    pub fn standing(&self) -> Standing {
        self.gate.standing()
    }

    /// Its hosts, each with the state of its circuit: `closed`, `open` or `half_open`.
    pub fn hosts(&self) -> Vec<(String, &'static str)> {
        let shared = self.lock();
        shared.hosts.iter().map(|(origin, breaker)| (origin.clone(), breaker.word())).collect()
    }

    fn now(&self) -> At {
        Instant::now().saturating_duration_since(self.begun)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn host(&mut self, origin: &str) -> usize {
        if let Some(at) = self.hosts.iter().position(|(known, _)| known == origin) {
            return at;
        }
        self.hosts.push((origin.to_owned(), Breaker::default()));
        self.hosts.len() - 1
    }
}

impl Asked<'_> {
    /// The request has ended so.
    pub(super) fn told(mut self, health: Health) {
        self.health = health;
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let now = self.traffic.now();
        let mut shared = self.traffic.lock();
        if let Some((_, breaker)) = shared.hosts.get_mut(self.host) {
            breaker.ended(now, self.pass, self.health);
        }
    }
}
