//! Tests of what is counted ahead of the database, and of who may.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::tests::{found, journals, killed, locked, say, taken, warm};
use super::*;
use crate::store::counting::Counting;
use crate::store::tests::{MINUTE, change, event, events, file, folder, often, open, raw};
use crate::store::{
    Amount, BudgetClaim, Change, CommitError, GiveBack, Settings, Store, WindowClaim, system_clock,
};

/// One more of a budget's window, and of a window of calls.
fn takes(call: &str, amount: i128, limit: i128, calls: u32) -> Batch {
    let budget = BudgetClaim {
        key: "b".into(),
        call: call.into(),
        amount: Amount(amount),
        limit: Amount(limit),
        per: MINUTE,
    };
    Batch {
        budgets: vec![budget],
        claims: [WindowClaim { key: "w".into(), limit: calls, per: MINUTE }].into(),
        events: vec![event(call, "decided")].into(),
        ..Batch::default()
    }
}

/// A store that counts alone, so that the next one of [`takes`] is counted ahead.
async fn counts_ahead(folder: &tempfile::TempDir) -> Store {
    let store = warm(folder, often()).await;
    // The first one is for the lock, the second for where they stand.
    for call in ["t1", "t2"] {
        let _ = store.commit(takes(call, 1, 100, 100)).await.unwrap();
    }
    store
}

/// What is known of the budget, while the process counts alone.
fn knows(store: &Store) -> bool {
    let journal = store.0.journal.load_full().expect("a journal");
    journal.state().standings.leave_room(&takes("?", 0, 100, u32::MAX), system_clock())
}

async fn stands(store: &Store) -> (i128, u64) {
    let spent = store.budget_spent("b", MINUTE).await.unwrap();
    (spent.0, store.window_count("w", 0).await.unwrap())
}

#[tokio::test]
async fn what_is_counted_ahead_is_in_the_database_sooner_or_later_and_once() {
    let folder = folder();
    let store = counts_ahead(&folder).await;
    assert!(knows(&store));
    let mut other = raw(&file(&folder)).await;
    let lock = locked(&mut other).await;
    for call in ["a", "b"] {
        let _ = store.commit(takes(call, 10, 100, 100)).await.unwrap();
    }
    let before = killed(&folder);
    lock.rollback().await.unwrap();
    assert_eq!(stands(&store).await, (22, 4));
    let after = killed(&folder);
    let _ = store.commit(takes("c", 10, 100, 100)).await.unwrap();
    store.commit(change(Change::Sweep)).await.map(drop).unwrap();
    assert_eq!(stands(&store).await, (32, 5), "who writes comes behind it");
    let back = GiveBack { call: "a".into(), keys: vec!["b".into()], since: 0 };
    let batch = Batch { give_back: Some(Box::new(back)), ..events([event("a", "ended")]) };
    let _ = store.commit(batch).await.unwrap();
    assert_eq!(stands(&store).await, (22, 5), "what is given back is found");
    store.close().await;
    for (left, expected) in [(before, (22, 4)), (after, (22, 4)), (folder, (22, 5))] {
        let store = open(&left).await;
        assert_eq!(stands(&store).await, expected);
        assert_eq!(journals(left.path()).len(), 0, "it was taken over for good");
    }
}

#[tokio::test]
async fn no_limit_is_passed_by_what_is_counted_ahead_and_none_is_reached_too_soon() {
    let folder = folder();
    let store = counts_ahead(&folder).await;
    // Both limits leave eight: the budget is reached first, then the window.
    for (amount, limit, calls) in [(1, 10, 100), (0, 10, 10)] {
        let mut passed = 0;
        loop {
            match store.commit(takes(&format!("{limit}-{passed}"), amount, limit, calls)).await {
                Ok(_) => passed += 1,
                Err(CommitError::BudgetSpent { claim: 0, left: Amount(0), .. }) if amount > 0 => {
                    break;
                }
                Err(CommitError::WindowFull { claim: 0, .. }) if amount == 0 => break,
                Err(error) => panic!("{error}"),
            }
        }
        let so_far = if amount > 0 { 8 } else { 0 };
        assert_eq!(passed, so_far);
    }
    let _ = store.commit(takes("more", 1, 11, 11)).await.unwrap();
    assert_eq!(stands(&store).await, (11, 11));
}

#[tokio::test]
async fn what_a_window_lets_go_can_be_taken_again() {
    static NOW: AtomicI64 = AtomicI64::new(1_000_000_000_000_000);
    let folder = folder();
    let settings = Settings { clock: || NOW.load(Ordering::SeqCst), ..often() };
    let store = warm(&folder, settings).await;
    let take = async |call: &str| store.commit(takes(call, 1, 4, 4)).await;
    for call in ["1", "2", "3", "4"] {
        let _ = take(call).await.unwrap();
        NOW.fetch_add(1_000_000, Ordering::SeqCst);
    }
    assert!(take("5").await.is_err());
    // The first of them leaves.
    NOW.fetch_add(56_000_001, Ordering::SeqCst);
    let _ = take("6").await.unwrap();
    assert!(take("7").await.is_err());
    // By a clock that was set back it is there again in the budget, and is not forgotten.
    NOW.fetch_sub(10_000_000, Ordering::SeqCst);
    let _ = store.commit(takes("8", 0, 5, 9)).await.unwrap();
    assert!(matches!(
        store.commit(takes("9", 1, 5, 9)).await,
        Err(CommitError::BudgetSpent { left: Amount(0), .. })
    ));
}

#[tokio::test]
async fn another_process_counts_behind_all_that_was_counted_ahead() {
    let folder = folder();
    let first = counts_ahead(&folder).await;
    let _ = first.commit(takes("a", 10, 100, 100)).await.unwrap();
    let second = open(&folder).await;
    assert!(second.commit(takes("b", 89, 100, 100)).await.is_err());
    let _ = second.commit(takes("c", 88, 100, 100)).await.unwrap();
    assert!(!knows(&first), "it does not count alone any more");
    assert!(first.commit(takes("d", 1, 100, 100)).await.is_err());
    assert_eq!(stands(&first).await, (100, 4));
    second.close().await;
    // The one that is left counts alone again.
    for call in ["e", "f", "g"] {
        let _ = first.commit(takes(call, 0, 100, 100)).await.unwrap();
    }
    assert!(knows(&first));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_while_a_group_is_judged_does_not_bring_the_next_one_about() {
    let folder = folder();
    let store = counts_ahead(&folder).await;
    // What is known is forgotten, with sixteen callers on their way who do not stop before it is known
    // again.
    let forgotten = Arc::new(AtomicBool::new(false));
    let callers = (0..16).map(|caller| {
        let (store, forgotten) = (store.clone(), Arc::clone(&forgotten));
        tokio::spawn(async move {
            for call in 0..300 {
                if forgotten.load(Ordering::SeqCst) && knows(&store) {
                    return true;
                }
                if (caller, call) == (0, 10) {
                    store.0.journal.load_full().unwrap().stop_counting();
                    forgotten.store(true, Ordering::SeqCst);
                }
                // So that all of them are on their way then.
                tokio::task::yield_now().await;
                let call = format!("{caller}-{call}");
                let _ = store.commit(takes(&call, 0, 100, u32::MAX)).await.unwrap();
            }
            false
        })
    });
    let mut known = 0;
    for caller in callers.collect::<Vec<_>>() {
        known += usize::from(caller.await.unwrap());
    }
    assert!(known > 0, "it was never known again");
}

#[tokio::test]
async fn who_has_nothing_to_count_lets_others() {
    let folder = folder();
    let store = counts_ahead(&folder).await;
    let mut lock = Counting::new(&file(&folder), "another");
    assert!(!lock.share().unwrap(), "it counts alone");
    let until = Instant::now() + Duration::from_secs(20);
    while !lock.share().unwrap() {
        assert!(Instant::now() < until, "it lets go");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!knows(&store));
    // And counts together with them.
    let _ = store.commit(takes("a", 1, 100, 100)).await.unwrap();
    assert!(!knows(&store));
}

#[tokio::test]
async fn a_process_that_was_killed_keeps_nobody_from_counting_alone() {
    let folder = folder();
    let killed = std::fs::File::create(folder.path().join("store.db-live-01KKILLED")).unwrap();
    let long_ago = std::time::SystemTime::now() - MINUTE;
    killed.set_modified(long_ago).unwrap();
    drop(killed);
    let store = counts_ahead(&folder).await;
    assert!(knows(&store));
    let living = std::fs::File::create(folder.path().join("store.db-live-01KLIVING")).unwrap();
    living.lock().unwrap();
    // It is seen with the next take-over, and what was known is forgotten.
    let until = Instant::now() + Duration::from_secs(20);
    while knows(&store) {
        assert!(Instant::now() < until, "it is not seen");
        say(&store, "a").await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// It makes its file, and then locks it.
#[tokio::test]
async fn a_process_that_is_just_beginning_is_not_taken_for_killed() {
    let folder = folder();
    let store = open(&folder).await;
    let other = std::fs::File::create(folder.path().join("store.db-live-01KOTHER")).unwrap();
    let mut lock = Counting::new(&file(&folder), store.process().unwrap());
    assert!(!lock.may_be_alone());
    other.lock().unwrap();
    assert!(!lock.may_be_alone(), "it was remembered as killed");
}

#[tokio::test]
async fn who_is_killed_while_it_counts_alone_leaves_all_of_it_to_the_next() {
    let folder = folder();
    let store = counts_ahead(&folder).await;
    // Another process, which has not counted yet, and does so when the first one was killed: here
    // it lets go of its lock and of its journal, and has not written what is in it.
    let other = open(&folder).await;
    let journal = store.0.journal.load_full().unwrap();
    let mut raw = raw(&file(&folder)).await;
    let lock = locked(&mut raw).await;
    let record = |number| {
        let mut buffer = Vec::new();
        record::write(
            &mut buffer,
            number,
            &Uses::of(&takes("k", 50, 100, 100), system_clock()),
            &[],
            &[event("k", "decided")],
        )
        .unwrap();
        buffer
    };
    let mut orphan = JournalFile::create(&file(&folder), Durability::Process).unwrap();
    orphan.append(&record(1), 1, 0).unwrap();
    drop(orphan);
    lock.rollback().await.unwrap();
    drop(journal);
    store.close().await;
    assert!(other.commit(takes("a", 49, 100, 100)).await.is_err());
    let _ = other.commit(takes("b", 48, 100, 100)).await.unwrap();
    assert_eq!(stands(&other).await, (100, 4));
}

#[tokio::test]
async fn a_process_that_counts_alone_and_does_not_let_go_stops_others_and_not_their_records() {
    let folder = folder();
    let store = warm(&folder, often()).await;
    let mut lock = Counting::new(&file(&folder), "another");
    assert!(lock.alone().unwrap());
    let error = store.commit(takes("a", 1, 100, 100)).await.unwrap_err();
    assert!(error.to_string().contains("another process counts"), "{error}");
    say(&store, "b").await;
    assert!(store.commit(takes("c", 1, 100, 100)).await.is_err());
    lock.release();
    let _ = store.commit(takes("d", 1, 100, 100)).await.unwrap();
    assert_eq!(stands(&store).await, (1, 1));
}

#[derive(Debug, Clone)]
enum Step {
    /// One of two processes asks for so much, so many times. It begins where it has ended.
    Ask(usize, i128, usize),
    /// What the call made so many ago took is given back, by who made it.
    GiveBack(usize),
    /// So much time goes by; less than none where somebody sets the clock.
    Wait(i64),
    /// One of them ends.
    End(usize),
    /// Both are killed.
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_usize..2, 0_i128..30, 1_usize..6).prop_map(|(who, much, times)| Step::Ask(who, much, times)),
        2 => (0_usize..6).prop_map(Step::GiveBack),
        2 => (0_i64..40).prop_map(Step::Wait),
        1 => (-20_i64..0).prop_map(Step::Wait),
        3 => (0_usize..2).prop_map(Step::End),
        1 => Just(Step::Kill),
    ]
}

/// Two processes on a store, and all that was taken of a budget, each with its time.
struct Both {
    folder: tempfile::TempDir,
    settings: Settings,
    stores: [Option<Store>; 2],
    taken: Vec<(i64, i128)>,
    /// The same without what may be forgotten.
    kept: Vec<(i64, i128)>,
    /// Who took it.
    by: Vec<usize>,
    /// How much was taken while who took it knew where the budget stands.
    ahead: usize,
}

impl Both {
    const LIMIT: i128 = 100;

    /// What the budget holds, at least and at most: what is over and was forgotten comes back by no
    /// clock, but for what stands in a row with what is not.
    fn spent(&self) -> (i128, i128) {
        let now = (self.settings.clock)();
        let sum = |all: &[(i64, i128)]| {
            all.iter().filter(|(at, _)| at + 60_000_000 > now).map(|(_, amount)| amount).sum()
        };
        (sum(&self.kept), sum(&self.taken))
    }

    async fn store(&mut self, who: usize) -> Store {
        if self.stores[who].is_none() {
            self.stores[who] = Some(warm(&self.folder, self.settings).await);
            // What is over is forgotten when a process begins.
            let now = (self.settings.clock)();
            self.kept
                .iter_mut()
                .filter(|(at, _)| at + 60_000_000 <= now)
                .for_each(|row| *row = (0, 0));
        }
        self.stores[who].clone().unwrap()
    }

    async fn ask(&mut self, who: usize, amount: i128) {
        let store = self.store(who).await;
        let ((least, most), knows) = (self.spent(), knows(&store));
        let call = format!("call {}", self.taken.len());
        match store.commit(takes(&call, amount, Self::LIMIT, u32::MAX)).await {
            Ok(_) => {
                assert!(least + amount <= Self::LIMIT, "{amount} passed beside {least}");
                let last = self.taken.iter().map(|(at, _)| *at).max().unwrap_or_default();
                self.taken.push(((self.settings.clock)().max(last), amount));
                self.kept.push(((self.settings.clock)().max(last), amount));
                self.by.push(who);
                self.ahead += usize::from(knows);
            }
            Err(CommitError::BudgetSpent { left, .. }) => {
                assert!(most + amount > Self::LIMIT, "{amount} was refused beside {most}");
                let (fewest, all) = ((Self::LIMIT - most).max(0), (Self::LIMIT - least).max(0));
                assert!((fewest..=all).contains(&left.0), "{} are left", left.0);
            }
            Err(error) => panic!("{error}"),
        }
    }

    async fn end(&mut self) {
        for store in &mut self.stores {
            if let Some(store) = store.take() {
                store.close().await;
            }
        }
    }

    async fn follow(&mut self, step: Step, now: &AtomicI64) {
        match step {
            Step::Wait(seconds) => {
                now.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
            }
            Step::Kill => {
                let left = killed(&self.folder);
                self.end().await;
                self.folder = left;
            }
            Step::End(who) => {
                if let Some(store) = self.stores[who].take() {
                    store.close().await;
                }
            }
            Step::GiveBack(ago) => {
                let Some(index) = self.taken.len().checked_sub(ago + 1) else { return };
                let back = GiveBack {
                    call: format!("call {index}").into(),
                    keys: vec!["b".into()],
                    since: 0,
                };
                let batch =
                    Batch { give_back: Some(Box::new(back)), ..events([event("g", "ended")]) };
                let _ = self.store(self.by[index]).await.commit(batch).await.unwrap();
                (self.taken[index].1, self.kept[index].1) = (0, 0);
            }
            Step::Ask(who, amount, times) => {
                for _ in 0..times {
                    self.ask(who, amount).await;
                }
            }
        }
    }
}

#[test]
fn whoever_counts_and_however_they_end_a_budget_is_the_sum_of_what_was_taken() {
    static NOW: AtomicI64 = AtomicI64::new(1_000_000_000_000_000);
    static AHEAD: AtomicUsize = AtomicUsize::new(0);
    let config =
        ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    let steps = proptest::collection::vec(step(), 1..30);
    let followed = TestRunner::new(config).run(&steps, |steps| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let clock = || NOW.load(Ordering::SeqCst);
            let settings = Settings { clock, idle: Duration::from_millis(20), ..often() };
            let (stores, taken, kept, by) = ([None, None], Vec::new(), Vec::new(), Vec::new());
            let mut both = Both { folder: folder(), settings, stores, taken, kept, by, ahead: 0 };
            for step in steps {
                both.follow(step, &NOW).await;
            }
            AHEAD.fetch_add(both.ahead, Ordering::SeqCst);
            both.end().await;
        });
        Ok(())
    });
    followed.unwrap();
    assert!(AHEAD.load(Ordering::SeqCst) > 20, "some of it is counted ahead");
}

#[tokio::test]
async fn two_that_begin_to_count_at_once_do_not_wait_for_each_other() {
    let folder = folder();
    let (one, other) = (warm(&folder, often()).await, warm(&folder, often()).await);
    // Each has something in its journal that the other one would wait for.
    say(&one, "a").await;
    say(&other, "b").await;
    let begun = Instant::now();
    let (first, second) =
        tokio::join!(one.commit(takes("c", 1, 2, 2)), other.commit(takes("d", 1, 2, 2)));
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(one.commit(takes("e", 1, 2, 2)).await.is_err());
}

#[tokio::test]
async fn nobody_counts_while_another_process_takes_over_what_a_killed_one_counted() {
    let folder = folder();
    let store = open(&folder).await;
    let uses = Uses::of(&takes("k", 50, 100, 100), system_clock());
    let mut buffer = Vec::new();
    record::write(&mut buffer, 1, &uses, &[], &[event("k", "decided")]).unwrap();
    let mut orphan = JournalFile::create(&file(&folder), Durability::Process).unwrap();
    orphan.append(&buffer, 1, 0).unwrap();
    drop(orphan);
    let (path, place) = (journals(folder.path()).remove(0), &store.0.place);
    let (mut settling, taken) = loop {
        let mut connection = raw(&file(&folder)).await;
        let mut settling =
            Box::pin(async move { orphan::settle_counts(place, &mut connection, None).await });
        let polled = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(settling.as_mut().poll(cx).is_pending())
        });
        assert!(polled.await);
        // It has seen that nobody owns the journal, and now another one sees it, too, and is first;
        // where it was quicker than that, once more.
        if let file::Found::Orphan(orphan) = file::look(&path).unwrap() {
            break (settling, orphan);
        }
    };
    let early = tokio::time::timeout(Duration::from_millis(200), &mut settling).await;
    assert!(early.is_err(), "what was counted is not in the database");
    drop(taken);
    settling.await.unwrap();
    assert_eq!(stands(&store).await, (50, 1));
}

#[tokio::test]
async fn what_is_known_of_windows_and_budgets_is_of_the_database_that_is_there() {
    let [folder, full] = std::array::from_fn(|_| folder());
    let store = counts_ahead(&folder).await;
    let other = open(&full).await;
    let _ = other.commit(takes("f", 100, 100, 100)).await.unwrap();
    other.close().await;
    assert_eq!(stands(&store).await, (2, 2));
    for name in ["store.db-wal", "store.db-shm"] {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    std::fs::rename(file(&full), file(&folder)).unwrap();
    tokio::time::sleep(LOOK * 2).await;
    say(&store, "a").await;
    assert!(store.commit(takes("b", 1, 100, 100)).await.is_err(), "it is used up there");
}

#[cfg(unix)]
#[tokio::test]
async fn where_a_link_leads_elsewhere_it_is_counted_there() {
    let [folder, one, other] = std::array::from_fn(|_| folder());
    for folder in [&one, &other] {
        open(folder).await.close().await;
    }
    std::os::unix::fs::symlink(file(&one), file(&folder)).unwrap();
    let store = counts_ahead(&folder).await;
    std::fs::remove_file(file(&folder)).unwrap();
    std::os::unix::fs::symlink(file(&other), file(&folder)).unwrap();
    let mut lock = Counting::new(&file(&other), "another");
    for call in ["a", "b", "c"] {
        tokio::time::sleep(LOOK * 2).await;
        let _ = store.commit(takes(call, 1, 100, 100)).await.unwrap();
    }
    assert!(!lock.alone().unwrap(), "another process that counts there would count alone");
}

#[tokio::test]
async fn a_journal_that_ends_takes_nothing_any_more() {
    let folder = folder();
    let store = warm(&folder, often()).await;
    let journal = store.0.journal.load_full().unwrap();
    let place = store.0.place.clone();
    let take = |call| taken(&journal, events([event(call, "received")]), &place, system_clock);
    let mut other = raw(&file(&folder)).await;
    let lock = locked(&mut other).await;
    assert!(take("a").is_ok());
    let closing = tokio::spawn(store.close());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(take("b").is_ok(), "what is taken while the rest is taken over");
    lock.rollback().await.unwrap();
    closing.await.unwrap();
    assert!(take("c").is_err(), "nobody would take it over");
    assert_eq!(found(&folder).await, ["w1", "w2", "a", "b"]);
}

#[test]
fn a_writer_that_is_no_more_leaves_a_journal_that_takes_nothing() {
    let folder = folder();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = runtime.block_on(counts_ahead(&folder));
    let journal = store.0.journal.load_full().unwrap();
    drop(runtime);
    assert!(Counting::new(&file(&folder), "another").share().unwrap());
    assert!(taken(&journal, takes("a", 1, 100, 100), &store.0.place, system_clock).is_err());
}
