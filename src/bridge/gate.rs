//! The limiter's shell: its clock, and those who wait.
//!
//! Whoever may start at once takes a lock twice and waits for nobody. Of those who wait, one
//! has the alarm clock and gives turns to all, so that a turn wakes only whom it is for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::limiter::{At, Entry, Heard, Limiter, Limits, LimitsLearned, Refusal};

/// The limiter of an API or a tool, with those who wait for it.
#[derive(Debug)]
pub struct Gate {
    begun: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    limiter: Limiter,
    limits: Limits,
    seats: HashMap<u64, Arc<Seat>>,
    /// Who has the alarm clock, and for when it is set.
    keeper: Option<u64>,
    alarm: Option<At>,
}

/// Somebody who waits.
#[derive(Debug, Default)]
struct Seat {
    called: Notify,
    /// When its turn came.
    started: OnceLock<At>,
}

/// What becomes of somebody who wants to start.
pub(super) enum Entered<'g> {
    /// It has started.
    Now(Place<'g>),
    /// It may wait for its turn.
    Waits(Waiting<'g>),
    /// Neither.
    Refused(Refusal),
}

/// A request that has started. It counts as under way until it is given up.
#[derive(Debug)]
pub(super) struct Place<'g> {
    gate: &'g Gate,
    started: At,
    cost: u32,
    told: bool,
}

/// A place in the queue.
#[derive(Debug)]
pub(super) struct Waiting<'g> {
    gate: &'g Gate,
    cost: u32,
    number: u64,
    seat: Arc<Seat>,
    /// Whether its place was taken up, or there is none to give back.
    over: bool,
}

/// Why a turn did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoTurn {
    /// The deadline came first; after which time there might be one.
    TooLate(Duration),
    /// Whoever asked gave up.
    Cancelled,
}

impl Gate {
    /// A gate that keeps these limits.
    pub fn new(limits: Limits) -> Self {
        let inner = Inner {
            limiter: Limiter::new(limits),
            limits,
            seats: HashMap::new(),
            keeper: None,
            alarm: None,
        };
        Self { begun: Instant::now(), inner: Mutex::new(inner) }
    }

    /// Goes by the limits of another one, which takes this one's place in a configuration.
    pub fn go_by(&self, newer: &Self) {
        let limits = newer.lock().limits;
        let mut inner = self.lock();
        inner.limits = limits;
        inner.limiter.declare(limits);
        inner.give_turns(self.now());
    }

    /// Wants to start one of `who`, which takes `cost` of what there is and can wait until
    /// `deadline`.
    pub(super) fn enter(&self, who: &str, deadline: Instant, cost: u32) -> Entered<'_> {
        let now = self.now();
        let mut inner = self.lock();
        match inner.limiter.enter(now, who, self.at(deadline), cost) {
            Entry::Now => Entered::Now(Place { gate: self, started: now, cost, told: false }),
            Entry::Refused(refusal) => Entered::Refused(refusal),
            Entry::Waits(number) => {
                let seat = Arc::new(Seat::default());
                inner.seats.insert(number, Arc::clone(&seat));
                Entered::Waits(Waiting { gate: self, cost, number, seat, over: false })
            }
        }
    }

    /// How many requests are under way, how many wait, and the rate that refusals taught.
    pub fn standing(&self) -> Standing {
        let inner = self.lock();
        let left = inner.limiter.left(self.now());
        Standing {
            in_flight: inner.limiter.in_flight(),
            waiting: inner.limiter.waiting(),
            learned: inner.limiter.learned(),
            left: left.map(|(left, _)| left),
        }
    }

    /// What answers taught of its limits, to be kept for a time after this process; `None` where
    /// that is nothing.
    pub fn learned(&self) -> Option<LimitsLearned> {
        self.lock().limiter.kept(self.now())
    }

    /// Takes up what was learned of its limits before, as far as it has not learned anew.
    pub fn recall(&self, learned: &LimitsLearned) {
        let now = self.now();
        let mut inner = self.lock();
        inner.limiter.recall(now, learned);
        inner.give_turns(now);
    }

    fn ended(&self, started: At, cost: u32, heard: Option<&Heard>) {
        let now = self.now();
        let mut inner = self.lock();
        inner.limiter.ended(now, started, cost, heard);
        inner.give_turns(now);
    }

    fn now(&self) -> At {
        self.at(Instant::now())
    }

    fn at(&self, instant: Instant) -> At {
        instant.saturating_duration_since(self.begun)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // What a panic left half done are numbers, and the next answers set them right.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a gate stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// Requests that are under way.
    pub in_flight: u32,
    /// Calls that wait for their turn.
    pub waiting: usize,
    /// The rate that refusals taught, in requests a second.
    pub learned: Option<f64>,
    /// What is left of the tightest limit that answers announce.
    pub left: Option<u64>,
}

impl Inner {
    /// Calls everyone whose turn it is, and sees to it that somebody has the alarm clock.
    fn give_turns(&mut self, now: At) {
        while let Some(number) = self.limiter.turn(now) {
            if let Some(seat) = self.seats.remove(&number) {
                let _ = seat.started.set(now);
                seat.called.notify_one();
            }
        }
        let alarm = self.limiter.wake_at(now);
        let kept = self.keeper.filter(|keeper| self.seats.contains_key(keeper));
        if kept.is_none() || alarm != self.alarm {
            self.keeper = kept.or_else(|| self.seats.keys().next().copied());
            if let Some(seat) = self.keeper.and_then(|keeper| self.seats.get(&keeper)) {
                seat.called.notify_one();
            }
        }
        self.alarm = alarm;
    }
}

impl<'g> Waiting<'g> {
    /// Waits for the turn.
    pub(super) async fn turn(
        mut self,
        deadline: Instant,
        cancel: &CancellationToken,
    ) -> Result<Place<'g>, NoTurn> {
        loop {
            let alarm = {
                let mut inner = self.gate.lock();
                inner.give_turns(self.gate.now());
                if let Some(started) = self.seat.started.get().copied() {
                    self.over = true;
                    return Ok(Place { gate: self.gate, started, cost: self.cost, told: false });
                }
                inner.alarm.filter(|_| inner.keeper == Some(self.number))
            };
            let alarm = alarm.and_then(|alarm| self.gate.begun.checked_add(alarm));
            tokio::select! {
                () = self.seat.called.notified() => {}
                () = cancel.cancelled() => return Err(NoTurn::Cancelled),
                () = sleep_until(alarm.map_or(deadline, |alarm| alarm.min(deadline))) => {
                    if Instant::now() >= deadline {
                        let after = alarm.map_or(Duration::ZERO, |alarm| {
                            alarm.saturating_duration_since(Instant::now())
                        });
                        return Err(NoTurn::TooLate(after));
                    }
                }
            }
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let now = self.gate.now();
        let mut inner = self.gate.lock();
        inner.seats.remove(&self.number);
        if !inner.limiter.leave(self.number)
            // Its turn had come, and nothing was started.
            && let Some(started) = self.seat.started.get()
        {
            inner.limiter.ended(now, *started, self.cost, None);
        }
        inner.give_turns(now);
    }
}

impl Place<'_> {
    /// It has ended, and its answer tells this of limits.
    pub(super) fn ended(mut self, heard: &Heard) {
        self.told = true;
        self.gate.ended(self.started, self.cost, Some(heard));
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.gate.ended(self.started, self.cost, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;
    use tokio::time::sleep;

    use super::super::limiter::Rate;
    use super::*;

    fn limits(rate: Option<u32>, concurrency: Option<u32>) -> Limits {
        let rate = rate.map(|limit| Rate { limit, per: Duration::from_secs(1) });
        Limits { rate, concurrency, queue: None }
    }

    async fn start<'g>(gate: &'g Gate, who: &str, patience: Duration) -> Result<Place<'g>, NoTurn> {
        let deadline = Instant::now() + patience;
        match gate.enter(who, deadline, 1) {
            Entered::Now(place) => Ok(place),
            Entered::Waits(waiting) => waiting.turn(deadline, &CancellationToken::new()).await,
            Entered::Refused(_) => Err(NoTurn::TooLate(Duration::ZERO)),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_callers_start_at_the_rate_and_all_of_them_do() {
        let gate = Arc::new(Gate::new(limits(Some(10), Some(4))));
        let begun = Instant::now();
        let mut callers = JoinSet::new();
        for n in 0..100 {
            let gate = Arc::clone(&gate);
            callers.spawn(async move {
                let who = (n % 3).to_string();
                let place = start(&gate, &who, Duration::from_mins(1)).await.expect("a turn");
                let at = Instant::now() - begun;
                assert!(gate.standing().in_flight <= 4);
                sleep(Duration::from_millis(30)).await;
                place.ended(&Heard::default());
                at
            });
        }
        let mut starts = callers.join_all().await;
        starts.sort();
        assert_eq!(starts.len(), 100);
        for window in starts.windows(11) {
            assert!(window[10] >= window[0] + Duration::from_secs(1), "{window:?}");
        }
        assert!(starts[99] < Duration::from_secs(11), "{:?}", starts[99]);
        assert_eq!(gate.standing().in_flight, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_passes_the_turn_and_the_alarm_on() {
        let gate = Arc::new(Gate::new(limits(None, Some(1))));
        let first = start(&gate, "a", Duration::from_secs(1)).await.expect("a turn");
        let mut waiting = JoinSet::new();
        for n in 1..=3 {
            let gate = Arc::clone(&gate);
            waiting.spawn(async move {
                let result = start(&gate, "a", Duration::from_secs(n * 10)).await;
                result.map(|place| place.ended(&Heard::default()))
            });
        }
        sleep(Duration::from_secs(15)).await;
        assert_eq!(gate.standing().waiting, 2, "one was too late");
        waiting.abort_all();
        while waiting.join_next().await.is_some() {}
        assert_eq!(gate.standing().waiting, 0);
        drop(first);
        assert!(start(&gate, "b", Duration::ZERO).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_lengthens_or_shortens_the_wait_is_heard_by_those_who_wait() {
        use super::super::limiter::Announced;
        let gate = Gate::new(limits(None, None));
        let told = |remaining, seconds| Heard {
            announced: vec![Announced {
                name: "a".to_owned(),
                limit: Some(1),
                remaining,
                reset: Duration::from_secs(seconds),
            }],
            ..Heard::default()
        };
        let patience = Duration::from_mins(1);
        start(&gate, "a", patience).await.expect("a turn").ended(&told(0, 5));
        let begun = Instant::now();
        // Five seconds until it is full, and then an answer must tell.
        let second = start(&gate, "a", patience).await.expect("a turn");
        assert_eq!((Instant::now() - begun).as_secs(), 5);
        let (third, ()) = tokio::join!(start(&gate, "a", patience), async {
            sleep(Duration::from_secs(1)).await;
            second.ended(&told(0, 2));
        });
        assert!(third.is_ok());
        assert_eq!((Instant::now() - begun).as_secs(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn cancelling_ends_the_wait() {
        let gate = Gate::new(limits(None, Some(1)));
        let _first = start(&gate, "a", Duration::ZERO).await.expect("a turn");
        let deadline = Instant::now() + Duration::from_mins(1);
        let cancel = CancellationToken::new();
        let Entered::Waits(waiting) = gate.enter("a", deadline, 1) else { panic!("it may go") };
        let (ended, ()) = tokio::join!(waiting.turn(deadline, &cancel), async { cancel.cancel() });
        assert_eq!(ended.map(drop), Err(NoTurn::Cancelled));
        assert_eq!(gate.standing().waiting, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn limits_that_are_raised_let_those_who_wait_start() {
        let gate = Arc::new(Gate::new(limits(None, Some(1))));
        let _first = start(&gate, "a", Duration::ZERO).await.expect("a turn");
        let patience = Duration::from_mins(1);
        let (second, ()) = tokio::join!(start(&gate, "a", patience), async {
            sleep(Duration::from_secs(1)).await;
            gate.go_by(&Gate::new(limits(None, Some(2))));
        });
        assert!(second.is_ok());
    }
}
