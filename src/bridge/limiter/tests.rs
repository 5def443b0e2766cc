//! The limiter over instants of the tests' own: what holds of it in any order of events, and
//! how it settles against upstreams of several kinds.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn ms(ms: u64) -> At {
    Duration::from_millis(ms)
}

fn per_second(limit: u32) -> Limits {
    Limits { rate: Some(Rate { limit, per: SECOND }), concurrency: None, queue: None }
}

fn ok() -> Heard {
    Heard::default()
}

fn left(remaining: u64, reset: u64, limit: u64) -> Heard {
    let announced =
        vec![Announced { name: "a".to_owned(), limit: Some(limit), remaining, reset: ms(reset) }];
    Heard { announced, ..ok() }
}

fn refused(asked: Option<u64>) -> Heard {
    Heard { refused: true, asked: asked.map(ms), announced: Vec::new() }
}

const FAR: At = Duration::from_hours(10);

#[test]
fn what_has_no_limit_starts_at_once() {
    let mut limiter = Limiter::new(Limits::default());
    for n in 0..10_000 {
        assert_eq!(limiter.enter(ms(n / 100), "a", FAR, 1), Entry::Now);
    }
}

#[test]
fn a_turn_that_comes_after_the_deadline_is_not_waited_for() {
    let mut limiter = Limiter::new(Limits {
        rate: Some(Rate { limit: 2, per: Duration::from_mins(1) }),
        concurrency: None,
        queue: None,
    });
    assert_eq!(limiter.enter(ms(0), "a", ms(500), 1), Entry::Now);
    assert_eq!(limiter.enter(ms(0), "a", ms(500), 1), Entry::Now);
    let Entry::Refused(Refusal::TooLate { after }) = limiter.enter(ms(100), "a", ms(500), 1) else {
        panic!("it is not refused")
    };
    assert!(after > Duration::from_secs(59) && after < Duration::from_secs(62), "{after:?}");
    assert!(matches!(limiter.enter(ms(100), "a", FAR, 1), Entry::Waits(_)));
}

#[test]
fn a_queue_that_is_full_says_when_to_come_back() {
    let mut limiter = Limiter::new(Limits { rate: None, concurrency: Some(1), queue: None });
    assert_eq!(limiter.enter(ms(0), "a", FAR, 1), Entry::Now);
    for _ in 0..QUEUE / 2 {
        assert!(matches!(limiter.enter(ms(0), "a", FAR, 1), Entry::Waits(_)));
    }
    let entry = limiter.enter(ms(0), "a", FAR, 1);
    assert!(matches!(entry, Entry::Refused(Refusal::Full { after }) if after >= SECOND));
    assert!(matches!(limiter.enter(ms(0), "b", FAR, 1), Entry::Waits(_)), "b has room of its own");
}

#[test]
fn a_start_that_takes_several_waits_until_all_of_it_fits() {
    let mut limiter = Limiter::new(per_second(5));
    assert_eq!(limiter.enter(ms(0), "a", FAR, 3), Entry::Now);
    let Entry::Waits(heavy) = limiter.enter(ms(10), "a", FAR, 4) else { panic!("it fits not") };
    // What would fit waits too: else a heavy one would never have its turn.
    let Entry::Waits(light) = limiter.enter(ms(20), "b", FAR, 1) else { panic!("it goes before") };
    assert_eq!(limiter.turn(ms(1_000)), None);
    let turns: Vec<_> = std::iter::from_fn(|| limiter.turn(ms(1_100))).collect();
    assert_eq!(turns, [heavy, light]);
}

#[test]
fn a_queue_is_as_long_as_is_said() {
    let mut limiter = Limiter::new(Limits { rate: None, concurrency: Some(1), queue: Some(3) });
    let mut enter = |who| limiter.enter(ms(0), who, FAR, 1);
    assert_eq!(enter("a"), Entry::Now);
    assert!(matches!(enter("a"), Entry::Waits(_)));
    assert!(matches!(enter("a"), Entry::Waits(_)));
    assert!(matches!(enter("a"), Entry::Refused(Refusal::Full { .. })), "half of it, rounded up");
    assert!(matches!(enter("b"), Entry::Waits(_)));
    assert!(matches!(enter("c"), Entry::Refused(Refusal::Full { .. })));
}

#[test]
fn an_identity_with_a_thousand_calls_does_not_starve_another() {
    let mut limiter = Limiter::new(Limits { rate: None, concurrency: Some(1), queue: None });
    assert_eq!(limiter.enter(ms(0), "many", FAR, 1), Entry::Now);
    for _ in 0..500 {
        limiter.enter(ms(0), "many", FAR, 1);
    }
    let Entry::Waits(few) = limiter.enter(ms(0), "few", FAR, 1) else { panic!("it does not wait") };
    let turns: Vec<Waiter> = (0..2)
        .filter_map(|n| {
            limiter.ended(ms(n), ms(n), 1, Some(&ok()));
            limiter.turn(ms(n))
        })
        .collect();
    assert!(turns.contains(&few), "{turns:?}");
}

#[test]
fn what_is_announced_is_counted_down_and_waited_for() {
    let mut limiter = Limiter::new(Limits::default());
    assert_eq!(limiter.enter(ms(0), "a", FAR, 1), Entry::Now);
    limiter.ended(ms(10), ms(0), 1, Some(&left(2, 5_000, 3)));
    assert_eq!(limiter.enter(ms(20), "a", FAR, 1), Entry::Now);
    assert_eq!(limiter.enter(ms(20), "a", FAR, 1), Entry::Now);
    let Entry::Waits(waiter) = limiter.enter(ms(20), "a", FAR, 1) else { panic!("it may not go") };
    assert_eq!(limiter.wake_at(ms(20)), Some(ms(5_010)));
    assert_eq!(limiter.turn(ms(5_000)), None);
    assert_eq!(limiter.turn(ms(5_010)), Some(waiter));
    // Three fit after the reset, and until an answer tells there are no more.
    assert_eq!(limiter.enter(ms(5_011), "a", FAR, 1), Entry::Now);
    assert_eq!(limiter.enter(ms(5_011), "a", FAR, 1), Entry::Now);
    assert!(matches!(limiter.enter(ms(5_011), "a", FAR, 1), Entry::Waits(_)));
    assert_eq!(limiter.wake_at(ms(5_011)), None);
    limiter.ended(ms(5_020), ms(5_011), 1, Some(&left(2, 4_990, 3)));
    assert_eq!(limiter.wake_at(ms(5_020)), Some(ms(10_010)));
}

#[test]
fn a_limit_that_no_answer_tells_any_more_is_forgotten() {
    let mut limiter = Limiter::new(Limits::default());
    assert_eq!(limiter.enter(ms(0), "a", FAR, 1), Entry::Now);
    limiter.ended(ms(10), ms(0), 1, Some(&left(0, 1_000, 1)));
    assert!(matches!(limiter.enter(ms(20), "a", FAR, 1), Entry::Waits(_)));
    assert!(limiter.turn(ms(1_010)).is_some());
    assert!(matches!(limiter.enter(ms(1_011), "a", FAR, 1), Entry::Waits(_)));
    limiter.ended(ms(1_020), ms(1_010), 1, None);
    assert!(limiter.turn(ms(1_020)).is_some());
}

#[test]
fn a_429_holds_all_callers_as_long_as_it_asks() {
    let mut limiter = Limiter::new(Limits::default());
    assert_eq!(limiter.enter(ms(0), "a", FAR, 1), Entry::Now);
    limiter.ended(ms(10), ms(0), 1, Some(&refused(Some(7_000))));
    assert!(matches!(limiter.enter(ms(20), "b", FAR, 1), Entry::Waits(_)));
    assert_eq!(limiter.wake_at(ms(20)), Some(ms(7_010)));
    assert!(limiter.turn(ms(7_010)).is_some());
    // One goes alone until it is known that the pause is over.
    assert!(matches!(limiter.enter(ms(7_011), "c", FAR, 1), Entry::Waits(_)));
    assert_eq!(limiter.turn(ms(7_011)), None);
    limiter.ended(ms(7_030), ms(7_010), 1, Some(&ok()));
    assert!(limiter.turn(ms(7_030)).is_some());
}

#[test]
fn one_refusal_of_few_calls_teaches_no_rate() {
    let mut limiter = Limiter::new(Limits::default());
    // One call a minute, and one of them refused.
    for minute in 0..30 {
        let now = ms(minute * 60_000);
        assert_eq!(limiter.enter(now, "a", FAR, 1), Entry::Now, "{minute}");
        let heard = if minute == 20 { refused(None) } else { ok() };
        limiter.ended(now + ms(50), now, 1, Some(&heard));
    }
    assert_eq!(limiter.learned(), None);
}

#[test]
fn a_rate_that_was_learned_is_forgotten_after_an_hour_without_a_refusal() {
    let mut limiter = Limiter::new(Limits::default());
    for n in 0..20 {
        let now = ms(n * 1_000);
        assert_eq!(limiter.enter(now, "a", FAR, 1), Entry::Now);
        let heard = if n == 18 { refused(None) } else { ok() };
        limiter.ended(now + ms(50), now, 1, Some(&heard));
    }
    let rate = limiter.learned().expect("a rate");
    assert!((0.8..1.0).contains(&rate), "{rate}");
    assert_eq!(limiter.enter(ms(19_100), "a", FAR, 1), Entry::Now);
    assert!(matches!(limiter.enter(ms(19_200), "a", FAR, 1), Entry::Waits(_)));
    assert!(limiter.turn(ms(21_000)).is_some());
    let later = Duration::from_mins(61);
    assert_eq!(limiter.enter(later, "a", FAR, 1), Entry::Now);
    assert_eq!(limiter.enter(later, "a", FAR, 1), Entry::Now);
}

#[test]
fn whoever_gives_up_leaves_its_place() {
    let mut limiter = Limiter::new(Limits { rate: None, concurrency: Some(1), queue: None });
    limiter.enter(ms(0), "a", FAR, 1);
    let Entry::Waits(first) = limiter.enter(ms(0), "a", FAR, 1) else { panic!() };
    let Entry::Waits(second) = limiter.enter(ms(0), "a", FAR, 1) else { panic!() };
    assert!(limiter.leave(first));
    limiter.ended(ms(1), ms(0), 1, Some(&ok()));
    assert_eq!(limiter.turn(ms(1)), Some(second));
    assert!(!limiter.leave(second), "it had its turn");
}

/// What a test does to a limiter next.
#[derive(Debug, Clone)]
enum Step {
    Enter(u8, u16),
    End(bool),
    Leave(u8),
    Pass(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..4, 0_u16..5_000).prop_map(|(who, patience)| Step::Enter(who, patience)),
        3 => prop::bool::weighted(0.1).prop_map(Step::End),
        1 => any::<u8>().prop_map(Step::Leave),
        4 => (0_u16..700).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_window_ever_holds_more_starts_than_declared(
        limit in 1_u32..6,
        concurrency in proptest::option::of(1_u32..4),
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut limiter = Limiter::new(Limits {
            rate: Some(Rate { limit, per: SECOND }),
            concurrency,
            queue: None,
        });
        let mut now = ms(0);
        let mut starts: Vec<At> = Vec::new();
        let mut running: VecDeque<(At, u32)> = VecDeque::new();
        let mut waiting: Vec<Waiter> = Vec::new();
        let mut costs: BTreeMap<Waiter, u32> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Enter(who, patience) => {
                    let deadline = now + ms(u64::from(patience));
                    // From one to more than there is, which takes all.
                    let cost = u32::from(who) + 1;
                    match limiter.enter(now, &who.to_string(), deadline, cost) {
                        Entry::Now => {
                            starts.extend((0..cost.min(limit)).map(|_| now));
                            running.push_back((now, cost));
                        }
                        Entry::Waits(waiter) => {
                            waiting.push(waiter);
                            costs.insert(waiter, cost);
                        }
                        Entry::Refused(Refusal::TooLate { after }) => {
                            prop_assert!(now + after >= deadline);
                        }
                        Entry::Refused(Refusal::Full { .. }) => {}
                    }
                }
                Step::End(is_refused) => if let Some((started, cost)) = running.pop_front() {
                    let heard = if is_refused { refused(None) } else { ok() };
                    limiter.ended(now, started, cost, Some(&heard));
                }
                Step::Leave(which) => if !waiting.is_empty() {
                    let waiter = waiting.remove(usize::from(which) % waiting.len());
                    prop_assert!(limiter.leave(waiter));
                }
                Step::Pass(time) => now += ms(u64::from(time)),
            }
            while let Some(waiter) = limiter.turn(now) {
                prop_assert!(waiting.contains(&waiter));
                waiting.retain(|one| *one != waiter);
                let cost = costs[&waiter];
                starts.extend((0..cost.min(limit)).map(|_| now));
                running.push_back((now, cost));
            }
            prop_assert_eq!(limiter.waiting(), waiting.len());
            prop_assert_eq!(limiter.in_flight() as usize, running.len());
            prop_assert!(concurrency.is_none_or(|most| running.len() <= most as usize));
        }
        for window in starts.windows(limit as usize + 1) {
            prop_assert!(window[limit as usize] >= window[0] + SECOND, "{starts:?}");
        }
    }

    #[test]
    fn whatever_a_start_takes_everyone_who_waits_has_a_turn_in_time(
        costs in prop::collection::vec((0_u8..3, 1_u32..8), 1..60),
        limit in 1_u32..6,
    ) {
        let mut limiter = Limiter::new(per_second(limit));
        let mut waiting = 0;
        for (who, cost) in &costs {
            let entry = limiter.enter(ms(0), &who.to_string(), FAR, *cost);
            waiting += usize::from(matches!(entry, Entry::Waits(_)));
        }
        let mut now = ms(0);
        while let Some(wake) = limiter.wake_at(now) {
            now = wake;
            while limiter.turn(now).is_some() {
                waiting -= 1;
                limiter.ended(now, now, 1, Some(&ok()));
            }
            // Each waits for no more than a second for each that is before it, and the slack.
            prop_assert!(now <= ms(1_100 * costs.len() as u64), "{now:?}");
        }
        prop_assert_eq!(waiting, 0);
    }

    #[test]
    fn everyone_who_waits_has_a_turn_and_none_waits_for_more_than_one_of_another(
        lanes in prop::collection::vec(1_usize..30, 2..6),
        limit in 1_u32..5,
    ) {
        let mut limiter = Limiter::new(per_second(limit));
        let mut of: BTreeMap<Waiter, usize> = BTreeMap::new();
        for (who, calls) in lanes.iter().enumerate() {
            for _ in 0..*calls {
                if let Entry::Waits(waiter) = limiter.enter(ms(0), &who.to_string(), FAR, 1) {
                    of.insert(waiter, who);
                }
            }
        }
        let mut turns = Vec::new();
        let mut now = ms(0);
        while let Some(wake) = limiter.wake_at(now) {
            prop_assert!(wake > now || turns.is_empty() , "it would spin");
            now = wake;
            while let Some(waiter) = limiter.turn(now) {
                turns.push(of[&waiter]);
                limiter.ended(now, now, 1, Some(&ok()));
            }
            prop_assert!(now < FAR, "it takes for ever");
        }
        prop_assert_eq!(turns.len(), of.len());
        // Between two turns of one that still waits, nobody else has two.
        for (at, who) in turns.iter().enumerate() {
            let Some(next) = turns[at + 1..].iter().position(|one| one == who) else { continue };
            let between = &turns[at + 1..at + 1 + next];
            for other in 0..lanes.len() {
                prop_assert!(between.iter().filter(|one| **one == other).count() <= 1);
            }
        }
    }
}

/// An upstream with a limit.
trait Limit {
    /// Whether a request that arrives then is let through, and what its answer says.
    fn ask(&mut self, now: At) -> Heard;
}

/// So many in each stretch that begins on the clock.
struct Fixed {
    limit: u64,
    per: Duration,
    stretch: u128,
    used: u64,
    tells: bool,
}

impl Limit for Fixed {
    fn ask(&mut self, now: At) -> Heard {
        let stretch = now.as_millis() / self.per.as_millis();
        if stretch != self.stretch {
            (self.stretch, self.used) = (stretch, 0);
        }
        self.used += 1;
        let ends = self.per * u32::try_from(stretch + 1).expect("a short test");
        // Whole seconds, rounded up.
        let reset = ends.saturating_sub(now).as_millis().div_ceil(1_000) * 1_000;
        let mut heard = ok();
        if self.tells {
            let reset = u64::try_from(reset).expect("a short test");
            heard = left(self.limit.saturating_sub(self.used), reset, self.limit);
        }
        heard.refused = self.used > self.limit;
        heard
    }
}

/// A bucket that refills.
struct Bucket {
    burst: f64,
    per_second: f64,
    tokens: f64,
    at: At,
}

impl Limit for Bucket {
    fn ask(&mut self, now: At) -> Heard {
        let refilled = now.saturating_sub(self.at).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + refilled).min(self.burst);
        self.at = now;
        if self.tokens < 1.0 {
            return refused(None);
        }
        self.tokens -= 1.0;
        ok()
    }
}

/// One that refuses one request in so many, whatever their rate.
struct Moody {
    of: u64,
    asked: u64,
}

impl Limit for Moody {
    fn ask(&mut self, _: At) -> Heard {
        self.asked += 1;
        if self.asked.is_multiple_of(self.of) { refused(None) } else { ok() }
    }
}

/// Fifty callers that always want to; refused and passed among the last `of` answers.
fn hammer(limit: &mut dyn Limit, answers: usize, of: usize) -> (usize, usize, At) {
    let mut limiter = Limiter::new(Limits::default());
    hammer_with(&mut limiter, limit, answers, of)
}

fn hammer_with(
    limiter: &mut Limiter,
    limit: &mut dyn Limit,
    answers: usize,
    of: usize,
) -> (usize, usize, At) {
    let latency = ms(40);
    let mut now = ms(0);
    let mut ends: VecDeque<(At, At, Heard)> = VecDeque::new();
    let mut all = Vec::new();
    let start = |now: At, limit: &mut dyn Limit, ends: &mut VecDeque<_>| {
        ends.push_back((now + latency, now, limit.ask(now + latency / 2)));
    };
    let mut from = ms(0);
    while all.len() < answers {
        while limiter.waiting() + ends.len() < 50 {
            if limiter.enter(now, "a", now + FAR, 1) == Entry::Now {
                start(now, limit, &mut ends);
            }
        }
        let wake = limiter.wake_at(now).filter(|wake| *wake > now);
        let next = [ends.front().map(|end| end.0), wake].into_iter().flatten().min();
        now = next.expect("it is stuck");
        while ends.front().is_some_and(|end| end.0 <= now) {
            let (_, started, heard) = ends.pop_front().expect("it is there");
            all.push(heard.refused);
            limiter.ended(now, started, 1, Some(&heard));
            if all.len() == answers - of {
                from = now;
            }
        }
        while limiter.turn(now).is_some() {
            start(now, limit, &mut ends);
        }
    }
    let last = &all[answers - of..];
    let refused = last.iter().filter(|refused| **refused).count();
    (refused, of - refused, now.saturating_sub(from))
}

#[test]
fn a_limit_that_is_announced_is_never_run_into() {
    for (limit, per) in [(5, 1), (10, 2), (100, 60)] {
        let per = Duration::from_secs(per);
        let mut upstream = Fixed { limit, per, stretch: 0, used: 0, tells: true };
        // The first answer tells; what was sent before it is not counted.
        let (refused, passed, time) = hammer(&mut upstream, 2_000, 1_900);
        assert_eq!(refused, 0, "{limit} in {per:?}");
        let most = f64::from(u32::try_from(limit).expect("few")) / per.as_secs_f64();
        let rate = f64::from(u32::try_from(passed).expect("few")) / time.as_secs_f64();
        assert!(rate > most * 0.45, "{rate} of {most} a second");
    }
}

#[test]
fn what_was_learned_holds_from_the_first_call_of_the_next_process_on() {
    let mut first = Limiter::new(Limits::default());
    let mut bucket = Bucket { burst: 20.0, per_second: 10.0, tokens: 20.0, at: ms(0) };
    hammer_with(&mut first, &mut bucket, 4_000, 4_000);
    let kept = first.kept(bucket.at).expect("a rate");
    let text = serde_json::to_string(&kept).expect("JSON");
    let read: LimitsLearned = serde_json::from_str(&text).expect("what was written");
    assert_eq!(read, kept);
    let mut next = Limiter::new(Limits::default());
    next.recall(ms(0), &read.after(SECOND));
    assert_eq!(next.learned(), first.learned());
    let mut bucket = Bucket { burst: 20.0, per_second: 10.0, tokens: 20.0, at: ms(0) };
    let (refused, _, time) = hammer_with(&mut next, &mut bucket, 1_000, 1_000);
    assert!(refused <= 10, "{refused} of 1000 in {time:?}");
}

#[test]
fn what_was_learned_is_forgotten_in_its_time() {
    let mut limiter = Limiter::new(Limits::default());
    assert_eq!(limiter.kept(ms(0)), None);
    for n in 0..20 {
        limiter.enter(ms(n), "a", FAR, 1);
        limiter.ended(ms(n), ms(n), 1, Some(&left(1_000 - n, 60_000, 1_000)));
    }
    limiter.enter(ms(30), "a", FAR, 1);
    limiter.ended(ms(40), ms(30), 1, Some(&refused(Some(10_000))));
    limiter.enter(ms(10_040), "a", FAR, 1);
    limiter.ended(ms(10_050), ms(10_040), 1, Some(&ok()));
    let kept = limiter.kept(ms(10_050)).expect("what was learned");
    let minutes = |minutes| kept.after(Duration::from_mins(minutes));
    let recalled = |kept: &LimitsLearned| {
        let mut next = Limiter::new(Limits::default());
        next.recall(ms(0), kept);
        (next.learned().is_some(), next.left(ms(0)).is_some())
    };
    assert_eq!(recalled(&kept), (true, true));
    assert_eq!(recalled(&minutes(2)), (true, false), "the announced limit is full again");
    assert_eq!(recalled(&minutes(61)), (false, false), "limits are raised, too");
    assert!(minutes(61).is_empty() && kept.good_for() < Duration::from_mins(61));
    assert!(kept.says(&kept) && !kept.says(&minutes(2)));
    // What was changed by hand is no rate.
    let broken = serde_json::to_string(&kept)
        .expect("JSON")
        .replace("\"rate\":{\"rate\":", "\"rate\":{\"rate\":-");
    let broken: LimitsLearned = serde_json::from_str(&broken).expect("numbers");
    assert_eq!(recalled(&broken.after(ms(1))), (false, true));
}

#[test]
fn refusals_that_have_nothing_to_do_with_the_rate_do_not_bring_calls_to_a_halt() {
    let rate = |answers| {
        let (_, passed, time) = hammer(&mut Moody { of: 33, asked: 0 }, answers, 1_000);
        f64::from(u32::try_from(passed).expect("few")) / time.as_secs_f64()
    };
    let (early, late) = (rate(2_000), rate(12_000));
    assert!(late > early / 2.0, "{early}, then {late} a second");
}

#[test]
fn a_limit_that_only_refusals_tell_is_run_into_by_less_than_one_call_in_a_hundred() {
    for (limit, per) in [(10, 1), (100, 10), (100, 60), (1_000, 60)] {
        let per = Duration::from_secs(per);
        let mut upstream = Fixed { limit, per, stretch: 0, used: 0, tells: false };
        let (refused, passed, time) = hammer(&mut upstream, 8_000, 4_000);
        let most = f64::from(u32::try_from(limit).expect("few")) / per.as_secs_f64();
        let rate = f64::from(u32::try_from(passed).expect("few")) / time.as_secs_f64();
        assert!(refused <= 40, "{limit} in {per:?}: {refused} of 4000");
        assert!(rate > most * 0.7, "{limit} in {per:?}: {rate} of {most} a second");
    }
    let mut bucket = Bucket { burst: 20.0, per_second: 10.0, tokens: 20.0, at: ms(0) };
    let (refused, passed, time) = hammer(&mut bucket, 8_000, 4_000);
    let rate = f64::from(u32::try_from(passed).expect("few")) / time.as_secs_f64();
    assert!(refused <= 40, "{refused} of 4000");
    assert!(rate > 7.0, "{rate} a second");
}
