//! Whether a host is asked at all: a state machine over instants that it is given.
//!
//! Closed, it counts the requests of the last half minute, or as long as is said. It opens where
//! several fail one after the other, where a share of many does, or where nearly all of many are slow. Open, it lets
//! nothing through; after a while it lets one probe through at a time, and closes when two in a
//! row succeed. Each time that a probe fails, the while doubles.
//!
//! What counts as failing is that the host gives no answer, or one that says that it cannot
//! serve anybody. An answer that blames the request says nothing of the host.

use std::time::Duration;

use super::limiter::At;

/// When a host is not asked any more, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRules {
    /// So many failures in a row open it.
    pub failures: u32,
    /// So many failures of a thousand requests open it, where there are many.
    pub of_thousand: u32,
    /// How far back is looked.
    pub window: Duration,
    /// How long it stays open at first.
    pub open: Duration,
}

impl Default for BreakerRules {
    fn default() -> Self {
        let (window, open) = (Duration::from_secs(30), Duration::from_secs(5));
        Self { failures: 8, of_thousand: 500, window, open }
    }
}

/// How far back is looked, in slots.
const SLOTS: usize = 6;

/// Of fewer requests no share is taken.
const MANY: u32 = 20;

/// How long it stays open at most, unless it does so at first.
const LONGEST: Duration = Duration::from_mins(1);

/// So many probes in a row close it.
const PROBES: u32 = 2;

/// How a request went, as far as its host is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// The host answered.
    Good,
    /// It answered, but took nearly all the time that it had.
    Slow,
    /// It did not, or cannot serve.
    Bad,
    /// Nobody waited for it to tell.
    Unknown,
}

/// Which request it is to the breaker. It is given back with how the request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// One of many.
    Plain,
    /// The only one that may go.
    Probe,
}

#[derive(Debug, Default)]
pub(super) struct Breaker {
    rules: BreakerRules,
    state: State,
    in_a_row: u32,
    slots: [Slot; SLOTS],
    /// How long it was open last.
    pause: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Closed,
    Open {
        until: At,
    },
    /// Probes are let through, one at a time.
    Trying {
        /// When the one that is out started.
        since: Option<At>,
        succeeded: u32,
    },
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    number: u64,
    all: u32,
    bad: u32,
    slow: u32,
}

/// A probe that tells nothing for so long is given up.
const PROBE_LOST: Duration = Duration::from_mins(2);

/// While a probe is out nobody knows how long it takes.
const WHILE_TRYING: Duration = Duration::from_secs(1);

impl Breaker {
    /// One that goes by these rules, closed.
    pub(super) fn new(rules: BreakerRules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Goes by other rules from now on.
    pub(super) fn declare(&mut self, rules: BreakerRules) {
        if rules.window != self.rules.window {
            self.slots = [Slot::default(); SLOTS];
        }
        self.rules = rules;
    }

    /// Whether a request may go to the host; else when to ask again.
    pub(super) fn enter(&mut self, now: At) -> Result<Pass, Duration> {
        if let Some(wait) = self.open_for(now) {
            return Err(wait);
        }
        let succeeded = match self.state {
            State::Closed => return Ok(Pass::Plain),
            State::Open { .. } => 0,
            State::Trying { succeeded, .. } => succeeded,
        };
        self.state = State::Trying { since: Some(now), succeeded };
        Ok(Pass::Probe)
    }

    /// For how long [`enter`](Self::enter) lets none through; `None` where it would.
    pub(super) fn open_for(&self, now: At) -> Option<Duration> {
        match self.state {
            State::Open { until } if now < until => Some(until.saturating_sub(now)),
            State::Trying { since: Some(since), .. } if now < since + PROBE_LOST => {
                Some(WHILE_TRYING)
            }
            State::Closed | State::Open { .. } | State::Trying { .. } => None,
        }
    }

    /// The state's name, for those who watch.
    pub(super) fn word(&self) -> &'static str {
        match self.state {
            State::Closed => "closed",
            State::Open { .. } => "open",
            State::Trying { .. } => "half_open",
        }
    }

    /// A request that was let through has ended.
    pub(super) fn ended(&mut self, now: At, pass: Pass, health: Health) {
        match (self.state, pass) {
            (State::Closed, _) => self.count(now, health),
            (State::Trying { succeeded, .. }, Pass::Probe) => match health {
                Health::Good | Health::Slow if succeeded + 1 >= PROBES => self.close(),
                Health::Good | Health::Slow => {
                    self.state = State::Trying { since: None, succeeded: succeeded + 1 };
                }
                Health::Bad => self.open(now),
                Health::Unknown => self.state = State::Trying { since: None, succeeded },
            },
            // It was on its way before the host was given up, and tells nothing new.
            (State::Open { .. }, _) | (State::Trying { .. }, Pass::Plain) => {}
        }
    }

    fn count(&mut self, now: At, health: Health) {
        if health == Health::Unknown {
            return;
        }
        let slot = (self.rules.window / 6).max(Duration::from_millis(1)).as_millis();
        let number = u64::try_from(now.as_millis() / slot).unwrap_or(u64::MAX);
        let at = usize::try_from(number % SLOTS as u64).unwrap_or_default();
        if self.slots[at].number != number {
            self.slots[at] = Slot { number, ..Slot::default() };
        }
        let slot = &mut self.slots[at];
        slot.all = slot.all.saturating_add(1);
        match health {
            Health::Bad => slot.bad = slot.bad.saturating_add(1),
            Health::Slow => slot.slow = slot.slow.saturating_add(1),
            Health::Good | Health::Unknown => {}
        }
        self.in_a_row = if health == Health::Bad { self.in_a_row + 1 } else { 0 };
        if self.in_a_row >= self.rules.failures
            || (health != Health::Good && self.is_failing(number))
        {
            self.open(now);
        }
    }

    /// Too many of many fail, or four of five do or are slow.
    fn is_failing(&self, number: u64) -> bool {
        let recent = self.slots.iter().filter(|slot| slot.number + SLOTS as u64 > number);
        let (all, bad, slow) = recent.fold((0_u32, 0_u32, 0_u32), |(all, bad, slow), slot| {
            (all.saturating_add(slot.all), bad + slot.bad, slow + slot.slow)
        });
        all >= MANY
            && (u64::from(bad) * 1_000 >= u64::from(all) * u64::from(self.rules.of_thousand)
                || (bad + slow) * 5 >= all * 4)
    }

    fn open(&mut self, now: At) {
        self.pause = (self.pause * 2).clamp(self.rules.open, LONGEST.max(self.rules.open));
        self.state = State::Open { until: now + self.pause };
        self.in_a_row = 0;
        self.slots = [Slot::default(); SLOTS];
    }

    fn close(&mut self) {
        *self = Self::new(self.rules);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(ms: u64) -> At {
        Duration::from_millis(ms)
    }

    /// So many requests one after the other, each let through.
    fn run(breaker: &mut Breaker, from: u64, count: u64, health: Health) {
        for n in 0..count {
            let pass = breaker.enter(at(from + n)).expect("it is let through");
            breaker.ended(at(from + n), pass, health);
        }
    }

    #[test]
    fn failures_in_a_row_open_it_and_two_probes_close_it() {
        let mut breaker = Breaker::default();
        run(&mut breaker, 0, 8, Health::Bad);
        assert_eq!(breaker.enter(at(1_007)), Err(at(4_000)));
        assert_eq!(breaker.enter(at(5_007)), Ok(Pass::Probe));
        assert_eq!(breaker.enter(at(5_010)), Err(at(1_000)), "one at a time");
        breaker.ended(at(5_020), Pass::Probe, Health::Good);
        assert_eq!(breaker.enter(at(5_021)), Ok(Pass::Probe));
        assert_eq!(breaker.word(), "half_open");
        breaker.ended(at(5_030), Pass::Probe, Health::Good);
        assert_eq!(breaker.enter(at(5_031)), Ok(Pass::Plain));
        assert_eq!(breaker.enter(at(5_031)), Ok(Pass::Plain));
    }

    #[test]
    fn it_stays_open_longer_each_time_a_probe_fails() {
        let mut breaker = Breaker::default();
        run(&mut breaker, 0, 8, Health::Bad);
        let mut now = at(7);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let Err(pause) = breaker.enter(now) else { panic!("it is open") };
            pauses.push(pause.as_secs());
            now += pause;
            assert_eq!(breaker.enter(now), Ok(Pass::Probe));
            breaker.ended(now, Pass::Probe, Health::Bad);
        }
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn half_of_many_failing_opens_it_and_of_few_does_not() {
        let mut breaker = Breaker::default();
        for n in 0..9 {
            run(&mut breaker, n * 10, 1, Health::Good);
            run(&mut breaker, n * 10 + 5, 1, Health::Bad);
        }
        assert_eq!(breaker.word(), "closed");
        run(&mut breaker, 100, 1, Health::Good);
        run(&mut breaker, 101, 1, Health::Bad);
        assert_eq!(breaker.word(), "open");
    }

    #[test]
    fn it_goes_by_the_rules_that_are_declared() {
        let (window, open) = (Duration::from_mins(1), Duration::from_secs(90));
        let rules = BreakerRules { failures: 3, of_thousand: 100, window, open };
        let mut breaker = Breaker::new(rules);
        run(&mut breaker, 0, 3, Health::Bad);
        assert_eq!(breaker.open_for(at(2)), Some(open), "longer than the longest usual one");
        let mut breaker = Breaker::new(rules);
        run(&mut breaker, 0, 1, Health::Bad);
        run(&mut breaker, 40_000, 18, Health::Good);
        assert_eq!(breaker.word(), "closed");
        run(&mut breaker, 41_000, 1, Health::Bad);
        assert_eq!(breaker.word(), "open", "a tenth of twenty within a minute");
        let mut breaker = Breaker::new(rules);
        breaker.declare(BreakerRules::default());
        run(&mut breaker, 0, 7, Health::Bad);
        assert_eq!(breaker.word(), "closed");
    }

    #[test]
    fn what_is_slow_opens_it_too() {
        let mut breaker = Breaker::default();
        run(&mut breaker, 0, 4, Health::Good);
        run(&mut breaker, 10, 16, Health::Slow);
        assert_eq!(breaker.word(), "open");
    }

    #[test]
    fn what_failed_half_a_minute_ago_is_forgotten() {
        let mut breaker = Breaker::default();
        for n in 0..9 {
            run(&mut breaker, n * 10, 1, Health::Good);
            run(&mut breaker, n * 10 + 5, 1, Health::Bad);
        }
        run(&mut breaker, 40_000, 1, Health::Good);
        run(&mut breaker, 40_001, 1, Health::Bad);
        assert_eq!(breaker.word(), "closed");
    }

    #[test]
    fn a_probe_that_nobody_waited_for_is_sent_again() {
        let mut breaker = Breaker::default();
        run(&mut breaker, 0, 8, Health::Bad);
        assert_eq!(breaker.enter(at(6_000)), Ok(Pass::Probe));
        breaker.ended(at(6_001), Pass::Probe, Health::Unknown);
        assert_eq!(breaker.enter(at(6_002)), Ok(Pass::Probe));
        assert_eq!(breaker.enter(at(6_003) + PROBE_LOST), Ok(Pass::Probe), "nor one that is lost");
    }

    proptest! {
        #[test]
        fn while_it_is_open_nothing_goes_and_then_one_at_a_time(
            steps in prop::collection::vec((0_u64..3_000, 0_u8..4, any::<bool>()), 1..300),
        ) {
            let mut breaker = Breaker::default();
            let mut now = at(0);
            let mut out: Vec<Pass> = Vec::new();
            for (passed, health, enters) in steps {
                now += at(passed);
                let before = breaker.state;
                if enters {
                    match (before, breaker.enter(now)) {
                        (State::Closed, entered) => prop_assert_eq!(entered, Ok(Pass::Plain)),
                        (State::Open { until }, Err(wait)) => {
                            prop_assert_eq!(now + wait, until);
                        }
                        (State::Open { until }, Ok(pass)) => {
                            prop_assert!(until <= now && pass == Pass::Probe);
                        }
                        (State::Trying { since, .. }, entered) => {
                            let alone = since.is_none_or(|since| since + PROBE_LOST <= now);
                            prop_assert_eq!(entered.is_ok(), alone);
                        }
                    }
                    if breaker.enter(now) == Ok(Pass::Plain) {
                        out.push(Pass::Plain);
                    } else if let State::Trying { since: Some(_), .. } = breaker.state {
                        out.push(Pass::Probe);
                    }
                } else if let Some(pass) = out.pop() {
                    let all = [Health::Good, Health::Slow, Health::Bad, Health::Unknown];
                    breaker.ended(now, pass, all[usize::from(health)]);
                }
            }
            // A host that is well again is asked again, within what the longest pause is.
            for _ in 0..4 {
                now += LONGEST + PROBE_LOST;
                if let Ok(pass) = breaker.enter(now) {
                    breaker.ended(now, pass, Health::Good);
                }
            }
            prop_assert_eq!(breaker.word(), "closed");
        }
    }
}
