//! An API's traffic, as all its calls make it together: its limiter, the budget of its
//! repetitions, how its hosts are, and what is kept or under way of its answers.
//!
//! It outlives a reload of the configuration: what was learned of an API is not forgotten
//! because a tool's title changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tollbridge_operation::Identity;
use url::Url;

use super::breaker::{Breaker, BreakerRules, Health, Pass};
use super::budget::Budget;
use super::cache::{self, HttpCache};
use super::coalesce::Flights;
use super::gate::{Gate, Standing};
use super::limiter::{At, Limits, LimitsLearned};

/// For how many credentials it is followed what the API says of their limits.
const CREDENTIALS: usize = 1_024;

/// What all calls of one API have in common.
#[derive(Debug)]
pub struct Traffic {
    pub(super) gate: Gate,
    /// Answers to its reads.
    pub(super) cache: HttpCache,
    /// Its reads that are under way.
    pub(super) flights: Flights,
    /// What the API says of the limits of each identity, where each has a credential of its own.
    credentials: Mutex<HashMap<Identity, Arc<Gate>>>,
    begun: Instant,
    shared: Mutex<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    budget: Budget,
    rules: BreakerRules,
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
            credentials: Mutex::default(),
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

    /// The same, giving its hosts up by these rules.
    #[must_use]
    pub fn with_breaker(self, rules: BreakerRules) -> Self {
        self.judge_by(rules);
        self
    }

    fn judge_by(&self, rules: BreakerRules) {
        let mut shared = self.lock();
        shared.rules = rules;
        shared.hosts.iter_mut().for_each(|(_, breaker)| breaker.declare(rules));
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
        let rules = newer.lock().rules;
        self.judge_by(rules);
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

    /// The limits of an identity's own credential; `None` where too many are followed already,
    /// and what is said of it counts for the API.
    pub(super) fn of_credential(&self, identity: &Identity) -> Option<Arc<Gate>> {
        let mut known = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = known.get(identity) {
            return Some(Arc::clone(gate));
        }
        if known.len() >= CREDENTIALS {
            known.retain(|_, gate| Arc::strong_count(gate) > 1 || gate.learned().is_some());
        }
        (known.len() < CREDENTIALS).then(|| {
            let gate = Arc::new(Gate::new(Limits::default()));
            known.insert(identity.clone(), Arc::clone(&gate));
            gate
        })
    }

    /// How its limiter stands. Of the limits of single credentials the tightest is told.
    pub fn standing(&self) -> Standing {
        let mut standing = self.gate.standing();
        for own in self.known().iter().map(|(_, gate)| gate.standing()) {
            standing.waiting += own.waiting;
            standing.learned = least(standing.learned, own.learned, f64::min);
            standing.left = least(standing.left, own.left, u64::min);
        }
        standing
    }

    /// What answers taught of its limits, each with whose credential's it is, where it is not for
    /// all.
    pub fn learned(&self) -> Vec<(Option<Identity>, LimitsLearned)> {
        let of_all = self.gate.learned().map(|learned| (None, learned));
        let own = self
            .known()
            .into_iter()
            .filter_map(|(identity, gate)| gate.learned().map(|learned| (Some(identity), learned)));
        of_all.into_iter().chain(own).collect()
    }

    /// Takes up what was learned before.
    pub fn recall(&self, whose: Option<&Identity>, learned: &LimitsLearned) {
        match whose {
            None => self.gate.recall(learned),
            Some(identity) => {
                if let Some(gate) = self.of_credential(identity) {
                    gate.recall(learned);
                }
            }
        }
    }

    fn known(&self) -> Vec<(Identity, Arc<Gate>)> {
        let known = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(identity, gate)| (identity.clone(), Arc::clone(gate))).collect()
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

/// The lesser of what there is.
fn least<T>(one: Option<T>, other: Option<T>, lesser: impl Fn(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(lesser(one, other)),
        (one, other) => one.or(other),
    }
}

impl Shared {
    fn host(&mut self, origin: &str) -> usize {
        if let Some(at) = self.hosts.iter().position(|(known, _)| known == origin) {
            return at;
        }
        self.hosts.push((origin.to_owned(), Breaker::new(self.rules)));
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
