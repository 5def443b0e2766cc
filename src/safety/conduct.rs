//! How callers and tools behave: the same call again and again, nothing but failures, answers that
//! are not what was described.
//!
//! None of them breaks a rule of its own, and all are how things go wrong without notice. What
//! is remembered is this process's, bounded, and gone when it ends: limits that must hold over
//! restarts are windows and budgets.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tollbridge_operation::{Call, Identity, ToolName};

/// How often the same call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopRule {
    /// How many times.
    pub limit: u32,
    /// In how long a sliding window.
    pub per: Duration,
}

/// How many calls of an identity may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StormRule {
    /// How many.
    pub limit: u32,
    /// In how long a sliding window.
    pub per: Duration,
    /// For how long nothing more is taken of it; `None`: until an operator says so.
    pub pause: Option<Duration>,
}

/// How many answers of a tool may leave their description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriftRule {
    /// How many.
    pub limit: u32,
    /// In how long a sliding window.
    pub per: Duration,
}

/// How many different calls, and how many identities, are remembered.
const REMEMBERED: usize = 10_000;

/// What identities did lately.
#[derive(Debug, Default)]
pub struct Conduct {
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: HashMap<u64, Times>,
    failures: HashMap<Identity, Times>,
    paused: HashMap<Identity, Instant>,
    drifts: HashMap<ToolName, Times>,
}

/// When something happened, oldest first, and until when the newest counts.
#[derive(Debug)]
struct Times {
    at: VecDeque<Instant>,
    until: Instant,
}

impl Times {
    fn none(now: Instant) -> Self {
        Self { at: VecDeque::new(), until: now }
    }

    /// Adds one where there is room for it. Else how long until there is.
    fn add(&mut self, limit: u32, per: Duration, now: Instant) -> Result<(), Duration> {
        while self.at.front().is_some_and(|at| now.duration_since(*at) >= per) {
            self.at.pop_front();
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if self.at.len() >= limit {
            let leaves = self.at.front().map_or(now, |at| *at + per);
            return Err(leaves.duration_since(now));
        }
        self.at.push_back(now);
        self.until = now + per;
        Ok(())
    }
}

impl Conduct {
    /// Counts a call. Where it was made as often as it may, how long until it can be made again.
    pub fn made(&self, call: &Call, rule: LoopRule) -> Result<(), Duration> {
        let key = self.same_as(call);
        let now = Instant::now();
        let mut state = self.lock();
        make_room(&mut state.calls, &key, now);
        state.calls.entry(key).or_insert_with(|| Times::none(now)).add(rule.limit, rule.per, now)
    }

    /// What the same call has in common with this one: who calls what, and how its arguments are written.
    fn same_as(&self, call: &Call) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        (call.identity.as_str(), call.tool.as_str()).hash(&mut hasher);
        // A hasher takes everything, and arguments are JSON.
        let _ = serde_json::to_writer(Hashed(&mut hasher), &call.arguments);
        hasher.finish()
    }

    /// Counts a failure. Whether it is one too many.
    pub fn failed(&self, identity: &Identity, rule: StormRule) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        make_room(&mut state.failures, identity, now);
        let times = state.failures.entry(identity.clone()).or_insert_with(|| Times::none(now));
        // The window that is full with this one.
        let full = times.add(rule.limit.saturating_sub(1), rule.per, now).is_err();
        if full {
            state.failures.remove(identity);
            if let Some(pause) = rule.pause {
                state.paused.retain(|_, until| *until > now);
                state.paused.insert(identity.clone(), now + pause);
            }
        }
        full
    }

    /// Counts an answer that leaves its tool's description. Whether it is one too many.
    pub fn drifted(&self, tool: &ToolName, rule: DriftRule) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        make_room(&mut state.drifts, tool, now);
        let times = state.drifts.entry(tool.clone()).or_insert_with(|| Times::none(now));
        let full = times.add(rule.limit.saturating_sub(1), rule.per, now).is_err();
        if full {
            state.drifts.remove(tool);
        }
        full
    }

    /// How much longer nothing is taken of an identity.
    pub fn paused(&self, identity: &Identity) -> Option<Duration> {
        let state = self.lock();
        let left = state.paused.get(identity)?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hashes what is written, however much at a time.
struct Hashed<'h, H>(&'h mut H);

impl<H: Hasher> io::Write for Hashed<'_, H> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Forgets what no longer counts where there is too much; then anything, since what is bounded
/// must not be a way to exhaust memory.
fn make_room<K: Eq + std::hash::Hash + Clone>(
    known: &mut HashMap<K, Times>,
    key: &K,
    now: Instant,
) {
    if known.len() < REMEMBERED || known.contains_key(key) {
        return;
    }
    known.retain(|_, times| times.until > now);
    if known.len() >= REMEMBERED
        && let Some(any) = known.keys().next().cloned()
    {
        known.remove(&any);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_storm_pauses_its_identity_alone_and_ends() {
        let rule = StormRule {
            limit: 3,
            per: Duration::from_secs(10),
            pause: Some(Duration::from_mins(1)),
        };
        let conduct = Conduct::default();
        let identity = |name| Identity::new(name).expect("an identity");
        let (bot, ann) = (identity("bot"), identity("ann"));
        assert!(!conduct.failed(&bot, rule));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(!conduct.failed(&bot, rule), "the first is forgotten");
        assert!(!conduct.failed(&bot, rule));
        assert_eq!(conduct.paused(&bot), None);
        assert!(conduct.failed(&bot, rule));
        assert_eq!(conduct.paused(&bot), Some(Duration::from_mins(1)));
        assert_eq!(conduct.paused(&ann), None);
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(conduct.paused(&bot), None);
        assert!(!conduct.failed(&bot, rule), "it begins anew");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded() {
        let now = Instant::now();
        let mut known = HashMap::new();
        for n in 0..REMEMBERED + 10 {
            make_room(&mut known, &n, now);
            known.insert(n, Times { at: VecDeque::new(), until: now + Duration::from_secs(1) });
        }
        assert_eq!(known.len(), REMEMBERED);
        make_room(&mut known, &usize::MAX, now + Duration::from_secs(2));
        assert!(known.is_empty());
    }
}
