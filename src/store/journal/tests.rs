#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::disk::{Disk, Told};
use super::*;
use crate::store::counting::Counting;
use crate::store::tests::{
    MINUTE, change, claim, count_events, event, events, file, folder, guarded, often, open, raw,
    url,
};
use crate::store::{
    Amount, BudgetClaim, Change, CommitError, EventRow, Settings, StopScope, Store, WindowClaim,
    system_clock,
};

/// A store whose journal takes what is plain. Its trail has two events already.
async fn warm(folder: &tempfile::TempDir, settings: Settings) -> Store {
    let store = Store::open_with(&url(folder), settings).await.unwrap();
    for call in ["w1", "w2"] {
        let batch = Batch { events: vec![event(call, "received")].into(), ..guarded() };
        let _ = store.commit(batch).await.unwrap();
    }
    store
}

async fn say(store: &Store, call: &str) {
    let _ = store.commit(events([event(call, "received")])).await.unwrap();
}

fn journals(folder: &Path) -> Vec<PathBuf> {
    file::list(&folder.join("store.db")).unwrap()
}

/// The database, locked by somebody else: nothing can be taken over.
async fn locked(connection: &mut SqliteConnection) -> sqlx::Transaction<'_, sqlx::Sqlite> {
    connection.begin_with("BEGIN IMMEDIATE").await.unwrap()
}

/// What would be left if every process that uses the store were killed now.
fn killed(folder: &tempfile::TempDir) -> tempfile::TempDir {
    let left = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), left.path().join(entry.file_name())).unwrap();
    }
    left
}

async fn names(store: &Store) -> Vec<String> {
    store.events_after(0).await.unwrap().into_iter().filter_map(|event| event.call).collect()
}

/// The calls on record for who opens the store next, for reading and then for writing.
async fn found(folder: &tempfile::TempDir) -> Vec<String> {
    let reading = Store::open_read_only(&url(folder)).await.unwrap();
    let found = names(&reading).await;
    assert_eq!(journals(folder.path()), Vec::<PathBuf>::new(), "it was taken over for good");
    reading.close().await;
    let writing = open(folder).await;
    assert_eq!(names(&writing).await, found, "it was taken over once");
    found
}

#[tokio::test]
async fn a_journal_that_could_not_be_synced_takes_nothing_any_more() {
    let folder = folder();
    let _store = open(&folder).await;
    let journal = Journal::create(&file(&folder), Durability::Full).unwrap();
    assert!(journal.is_sound());
    journal.state().file = JournalFile::unsyncable().unwrap();
    let database = crate::store::place::identity_of(&std::fs::metadata(file(&folder)).unwrap());
    let journal = Arc::new(journal);
    let opened = || journal.open(database, Some((Instant::now(), &[])));
    let batch = || events([event("a", "received")]);
    opened();
    let place = Place::new(&url(&folder), Durability::Full, Duration::from_secs(1)).unwrap();
    let Ok(Taken::Syncing(synced)) = journal.take(batch(), &place, system_clock) else {
        panic!("it is open")
    };
    assert!(synced.await.unwrap().is_err());
    opened();
    assert!(journal.take(batch(), &place, system_clock).is_err());
    assert!(!journal.is_sound());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_syncs_in_place_knows_what_became_of_it_and_leaves_the_rest_to_others() {
    let folder = folder();
    let _store = open(&folder).await;
    let journal = Arc::new(Journal::create(&file(&folder), Durability::Full).unwrap());
    let place = Place::new(&url(&folder), Durability::Full, Duration::from_secs(1)).unwrap();
    let database = crate::store::place::identity_of(&std::fs::metadata(file(&folder)).unwrap());
    let opened = || journal.open(database, Some((Instant::now(), &[])));
    let take = |call: &str| journal.take(events([event(call, "received")]), &place, system_clock);
    opened();
    // As after many that came alone.
    journal.state().syncing.seem_alone();
    let (synced, waiting) = oneshot::channel();
    journal.state().syncing.waits(2, synced);
    assert!(matches!(take("a"), Ok(Taken::Synced(Ok(_)))));
    let Ok(Taken::Syncing(synced)) = take("b") else {
        panic!("a thread syncs what came meanwhile")
    };
    assert!(synced.await.unwrap().is_ok());
    assert!(waiting.await.unwrap().is_ok());
    while journal.state().syncing.is_running() {
        tokio::task::yield_now().await;
    }
    let left = file::list(&file(&folder)).unwrap();
    assert!(
        left.iter().any(|path| std::fs::read(path).unwrap().windows(8).any(|w| w == b"received"))
    );
    opened();
    journal.state().syncing.seem_alone();
    journal.state().file = JournalFile::unsyncable().unwrap();
    let (synced, behind) = oneshot::channel();
    journal.state().syncing.waits(4, synced);
    assert!(matches!(take("c"), Ok(Taken::Synced(Err(_)))));
    assert!(behind.await.unwrap().is_err(), "what came behind it is not on the disk either");
    opened();
    assert!(take("d").is_err(), "it takes nothing any more");
    assert!(!journal.is_sound());
}

/// A journal that takes everything, and its disk, which does as the test says.
async fn on_a_told_disk(
    folder: &tempfile::TempDir,
) -> (Arc<Journal>, Place, mpsc::Receiver<usize>, mpsc::Sender<io::Result<()>>) {
    let _store = open(folder).await;
    let journal = Arc::new(Journal::create(&file(folder), Durability::Full).unwrap());
    let (asked, asks) = mpsc::channel();
    let (say, written) = mpsc::channel();
    journal.state().file.on(Disk::told(Told { asked, written }));
    let place = Place::new(&url(folder), Durability::Full, Duration::from_secs(1)).unwrap();
    let database = crate::store::place::identity_of(&std::fs::metadata(file(folder)).unwrap());
    journal.open(database, Some((Instant::now(), &[])));
    (journal, place, asks, say)
}

fn waits(taken: Result<Taken, Batch>) -> oneshot::Receiver<io::Result<()>> {
    match taken {
        Ok(Taken::Syncing(synced)) => synced,
        other => panic!("it is to wait for the disk: {other:?}"),
    }
}

#[tokio::test]
async fn what_comes_while_the_disk_is_busy_is_written_at_once_afterwards() {
    let folder = folder();
    let (journal, place, asks, say) = on_a_told_disk(&folder).await;
    let take =
        |call: &str| waits(journal.take(events([event(call, "received")]), &place, system_clock));
    let first = take("a");
    let one = asks.recv().unwrap();
    let mut others = ["b", "c", "d"].map(take);
    say.send(Ok(())).unwrap();
    assert!(first.await.unwrap().is_ok());
    assert_eq!(asks.recv().unwrap(), 3 * one, "three in one write");
    assert!(
        others.iter_mut().all(|other| other.try_recv().is_err()),
        "the disk does not have them"
    );
    say.send(Ok(())).unwrap();
    for other in others {
        assert!(other.await.unwrap().is_ok());
    }
    assert!(asks.try_recv().is_err(), "there is nothing more to write");
}

#[tokio::test]
async fn a_write_that_fails_fails_all_that_wait_and_the_database_still_gets_them() {
    let folder = folder();
    let (journal, place, asks, say) = on_a_told_disk(&folder).await;
    let take =
        |call: &str| waits(journal.take(events([event(call, "received")]), &place, system_clock));
    let first = take("a");
    let _ = asks.recv().unwrap();
    let behind = take("b");
    say.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
    for told in [first, behind] {
        assert_eq!(told.await.unwrap().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
    assert!(!journal.is_sound());
    assert!(journal.take(events([event("c", "received")]), &place, system_clock).is_err());
    assert!(asks.try_recv().is_err(), "nothing is written behind it");
    let mut ahead = Ahead::default();
    journal.hand_over(&mut ahead);
    assert_eq!((ahead.newest, ahead.events.rows().count()), (2, 2));
}

#[tokio::test]
async fn what_is_gathered_for_a_disk_that_stalls_is_bounded() {
    let folder = folder();
    let (journal, place, asks, say) = on_a_told_disk(&folder).await;
    let large = || EventRow { body: "b".repeat(200_000), ..event("a", "received") };
    let mut wait = vec![waits(journal.take(events([large()]), &place, system_clock))];
    let _ = asks.recv().unwrap();
    while let Ok(Taken::Syncing(synced)) = journal.take(events([large()]), &place, system_clock) {
        wait.push(synced);
        assert!(wait.len() < 10, "it takes more and more");
    }
    say.send(Ok(())).unwrap();
    let _ = asks.recv().unwrap();
    say.send(Ok(())).unwrap();
    for synced in wait {
        assert!(synced.await.unwrap().is_ok());
    }
    let _later = waits(journal.take(events([large()]), &place, system_clock));
    drop(say);
}

#[tokio::test]
async fn with_full_durability_what_was_acknowledged_is_in_the_file() {
    let folder = folder();
    let store = warm(&folder, Settings { durability: Durability::Full, ..often() }).await;
    let mut other = raw(&file(&folder)).await;
    let lock = locked(&mut other).await;
    let mut expected = vec!["w1".to_owned(), "w2".to_owned()];
    for n in 0..20 {
        say(&store, &n.to_string()).await;
        expected.push(n.to_string());
        if n % 5 == 0 {
            assert_eq!(found(&killed(&folder)).await, expected);
        }
    }
    lock.rollback().await.unwrap();
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_at_every_step() {
    let folder = folder();
    let store = warm(&folder, often()).await;
    assert_eq!(found(&killed(&folder)).await, ["w1", "w2"], "with an empty journal");
    let mut other = raw(&file(&folder)).await;
    let lock = locked(&mut other).await;
    say(&store, "a").await;
    say(&store, "b").await;
    let before = killed(&folder);
    lock.rollback().await.unwrap();
    assert_eq!(count_events(&store).await, 4);
    let after = killed(&folder);
    say(&store, "c").await;
    say(&store, "d").await;
    let again = killed(&folder);
    assert_eq!(found(&before).await, ["w1", "w2", "a", "b"], "before it was taken over");
    assert_eq!(found(&after).await, ["w1", "w2", "a", "b"], "after it was taken over");
    assert_eq!(found(&again).await, ["w1", "w2", "a", "b", "c", "d"], "with some taken over");
    store.close().await;
    assert_eq!(found(&folder).await, ["w1", "w2", "a", "b", "c", "d"], "after it was closed");
}

#[tokio::test]
async fn a_tail_that_was_torn_is_cut_off_and_nothing_else() {
    let folder = folder();
    let store = warm(&folder, often()).await;
    let mut other = raw(&file(&folder)).await;
    let lock = locked(&mut other).await;
    say(&store, "a").await;
    let whole = std::fs::metadata(&journals(folder.path())[0]).unwrap().len();
    say(&store, "b").await;
    let torn = std::fs::metadata(&journals(folder.path())[0]).unwrap().len();
    for length in (whole..torn).step_by(5) {
        let left = killed(&folder);
        let journal = &journals(left.path())[0];
        std::fs::File::options().write(true).open(journal).unwrap().set_len(length).unwrap();
        assert_eq!(found(&left).await, ["w1", "w2", "a"], "{length} of {torn} bytes");
    }
    lock.rollback().await.unwrap();
}

/// Overwrites a place in the first record of a journal, which stays one that was written to its end.
fn rewritten(journal: &Path, at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = std::fs::read(journal).unwrap();
    bytes[at..at + with.len()].copy_from_slice(with);
    let length = u32::from_le_bytes(bytes[..4].try_into().unwrap());
    let end = 16 + usize::try_from(length).unwrap();
    let sum = crc32fast::hash(&bytes[8..end]);
    bytes[4..8].copy_from_slice(&sum.to_le_bytes());
    std::fs::write(journal, &bytes).unwrap();
    bytes
}

#[tokio::test]
async fn a_journal_in_the_form_of_another_version_is_named_and_left_as_it_is() {
    let folder = folder();
    let store = warm(&folder, often()).await;
    let mut other = raw(&file(&folder)).await;
    let lock = locked(&mut other).await;
    say(&store, "a").await;
    // Its form is a later one; or an event has other texts than it has here.
    for (at, with) in [(15, &[1][..]), (24, &[0xff, 0xff, 0xff, 0x00])] {
        let left = killed(&folder);
        let journal = journals(left.path()).remove(0);
        let bytes = rewritten(&journal, at, with);
        for opened in
            [Store::open_with(&url(&left), often()).await, Store::open_read_only(&url(&left)).await]
        {
            let told = opened.expect_err("it says so").to_string();
            assert!(told.contains(&*journal.to_string_lossy()), "{told}");
            assert!(told.contains("another version") && told.contains("move the file"), "{told}");
        }
        assert_eq!(std::fs::read(&journal).unwrap(), bytes, "it is left as it is");
        std::fs::rename(&journal, left.path().join("moved")).unwrap();
        assert_eq!(found(&left).await, ["w1", "w2"]);
    }
    lock.rollback().await.unwrap();
}

#[tokio::test]
async fn who_has_taken_half_of_it_over_when_it_is_killed_takes_it_over_once() {
    let folder = folder();
    let store = warm(&folder, often()).await;
    let mut other = raw(&file(&folder)).await;
    let lock = locked(&mut other).await;
    say(&store, "a").await;
    let left = killed(&folder);
    lock.rollback().await.unwrap();
    // Its events are in the database, and its file is still there.
    let journal = journals(left.path()).remove(0);
    let bytes = std::fs::read(&journal).unwrap();
    let mut connection = raw(&left.path().join("store.db")).await;
    let mut transaction = locked(&mut connection).await;
    let records = record::run(&bytes).unwrap();
    let rows = records.iter().flat_map(|record| record.events.rows());
    let mut head = crate::store::chain::head(&mut transaction).await.unwrap();
    crate::store::insert::insert_events(&mut transaction, &mut head, rows).await.unwrap();
    let name = file::name_of(&journal);
    crate::store::apply::note_applied(&mut transaction, &name, 1).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(found(&left).await, ["w1", "w2", "a"]);
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM journals")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(rows, 0, "a journal that is gone is forgotten");
}

#[tokio::test]
async fn who_reads_sees_what_was_acknowledged() {
    let folder = folder();
    let store = warm(&folder, often()).await;
    for n in 0..20 {
        say(&store, &n.to_string()).await;
        assert_eq!(count_events(&store).await, 3 + n, "in the same process, at once");
    }
    say(&store, "last").await;
    let reading = Store::open_read_only(&url(&folder)).await.unwrap();
    assert_eq!(names(&reading).await.last().unwrap(), "last", "in another one that opens it");
    say(&store, "later").await;
    for _ in 0..500 {
        if names(&reading).await.last().unwrap() == "later" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("in another one that has it open it is never seen");
}

#[tokio::test]
async fn the_order_of_what_one_caller_writes_is_kept() {
    let folder = folder();
    let store = warm(&folder, often()).await;
    for n in 0..30 {
        let batch = match n % 3 {
            0 => {
                Batch { events: vec![event(&n.to_string(), "e")].into(), ..claim("k", 100, MINUTE) }
            }
            _ => events([event(&n.to_string(), "e")]),
        };
        let _ = store.commit(batch).await.unwrap();
    }
    let expected: Vec<_> = (0..30).map(|n| n.to_string()).collect();
    assert_eq!(names(&store).await[2..], expected);
}

#[tokio::test]
async fn processes_with_one_store_have_a_journal_each() {
    let folder = folder();
    let (one, two) = (warm(&folder, often()).await, warm(&folder, often()).await);
    assert_eq!(journals(folder.path()).len(), 2);
    say(&one, "a").await;
    say(&two, "b").await;
    one.close().await;
    assert_eq!(journals(folder.path()).len(), 1);
    say(&two, "c").await;
    assert_eq!(count_events(&two).await, 7);
    two.close().await;
    assert_eq!(journals(folder.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn who_seldom_writes_has_no_journal() {
    let folder = folder();
    let store = Store::open(&url(&folder), Durability::Process).await.unwrap();
    say(&store, "a").await;
    say(&store, "b").await;
    assert_eq!(journals(folder.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_is_stopped_by_another_process_is_stopped_once_that_says_so() {
    let folder = folder();
    let (server, command) = (warm(&folder, often()).await, open(&folder).await);
    for _ in 0..3 {
        assert!(server.commit(guarded()).await.is_ok());
        let stop = Change::Stop { scope: StopScope::All, by: "operator:o".into() };
        let _ = command.commit(change(stop)).await.unwrap();
        assert!(matches!(server.commit(guarded()).await, Err(CommitError::Stopped(_))));
        // What has begun may end.
        say(&server, "end").await;
        let resume = Change::Resume { scope: StopScope::All };
        let _ = command.commit(change(resume)).await.unwrap();
        assert!(server.commit(guarded()).await.is_ok());
    }
}

#[tokio::test]
async fn while_the_store_cannot_be_written_calls_are_refused_and_nothing_is_lost() {
    let folder = folder();
    let settings = Settings { busy: Duration::from_millis(50), ..often() };
    let store = warm(&folder, settings).await;
    let mut other = raw(&file(&folder)).await;
    let lock = locked(&mut other).await;
    let mut taken = 0;
    let refused = loop {
        match store.commit(guarded()).await {
            Ok(_) => taken += 1,
            Err(refused) => break refused,
        }
        assert!(taken < 1_000_000, "the kill switch cannot be read, and nobody asks for it");
    };
    assert!(
        matches!(&refused, CommitError::Unavailable(error) if error.message.contains("locked"))
    );
    assert!(store.commit(events([event("end", "replied")])).await.is_err());
    assert!(store.last_seq().await.is_err(), "a read that would miss something says so");
    lock.rollback().await.unwrap();
    assert!(store.commit(guarded()).await.is_ok());
    assert_eq!(count_events(&store).await, 2 + taken + 1);
}

#[tokio::test]
async fn what_took_too_long_to_take_over_is_taken_over_once() {
    let folder = folder();
    let settings = Settings { deadline: Duration::from_millis(200), ..often() };
    let store = warm(&folder, settings).await;
    for round in 1..=3 {
        let mut other = raw(&file(&folder)).await;
        let lock = locked(&mut other).await;
        say(&store, "a").await;
        // It was begun, and given up.
        tokio::time::sleep(Duration::from_millis(300)).await;
        lock.rollback().await.unwrap();
        let mut tries = 0;
        while store.last_seq().await.is_err() {
            tries += 1;
            assert!(tries < 50, "it never recovers");
        }
        assert_eq!(count_events(&store).await, 2 + round);
    }
}

#[tokio::test]
async fn a_store_that_vanished_refuses_and_takes_over_when_it_is_back() {
    let folder = folder();
    let store = warm(&folder, often()).await;
    let mut other = raw(&file(&folder)).await;
    let lock = locked(&mut other).await;
    say(&store, "a").await;
    let away = folder.path().join("away");
    std::fs::rename(file(&folder), &away).unwrap();
    tokio::time::sleep(LOOK * 2).await;
    assert!(store.commit(events([event("b", "received")])).await.is_err());
    lock.rollback().await.unwrap();
    std::fs::rename(&away, file(&folder)).unwrap();
    say(&store, "c").await;
    assert_eq!(names(&store).await, ["w1", "w2", "a", "c"]);
}

#[tokio::test]
async fn a_journal_that_was_removed_is_given_up() {
    let folder = folder();
    let store = warm(&folder, often()).await;
    std::fs::remove_file(&journals(folder.path())[0]).unwrap();
    say(&store, "a").await;
    assert_eq!(count_events(&store).await, 3);
    assert!(store.0.journal.load().is_none(), "what is in it would not survive a kill");
    say(&store, "b").await;
    assert_eq!(found(&killed(&folder)).await, ["w1", "w2", "a", "b"]);
}

#[tokio::test]
async fn with_full_durability_receipts_wait_for_the_disk_together() {
    let folder = folder();
    let store = warm(&folder, Settings { durability: Durability::Full, ..often() }).await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..50 {
        let store = store.clone();
        tasks.spawn(async move { say(&store, &format!("c{n}")).await });
    }
    tasks.join_all().await;
    let left = killed(&folder);
    assert_eq!(count_events(&store).await, 52);
    assert_eq!(found(&left).await.len(), 52);
}

#[tokio::test]
async fn more_than_the_journal_holds_is_taken_all_the_same() {
    let folder = folder();
    let store = warm(&folder, often()).await;
    let large = |n: u32| EventRow {
        body: format!("{{\"n\":\"{}\"}}", "x".repeat(100_000)),
        ..event(&n.to_string(), "received")
    };
    for n in 0..100 {
        let _ = store.commit(events([large(n)])).await.unwrap();
    }
    let huge = EventRow { body: "x".repeat(3_000_000), ..event("huge", "received") };
    let _ = store.commit(events([huge])).await.unwrap();
    let left = killed(&folder);
    let expected: Vec<_> = (0..100).map(|n| n.to_string()).chain(["huge".to_owned()]).collect();
    assert_eq!(found(&left).await[2..], expected);
    assert_eq!(names(&store).await[2..], expected);
}

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
        claims: vec![WindowClaim { key: "w".into(), limit: calls, per: MINUTE }],
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
    journal.state().standings.leave_room(&takes("?", 0, 100, 100), system_clock())
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
    let batch = Batch { give_back: Some("a".into()), ..events([event("a", "ended")]) };
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
    // What is known is forgotten, with sixteen callers on their way who never stop.
    let callers = (0..16).map(|caller| {
        let store = store.clone();
        tokio::spawn(async move {
            for call in 0..50 {
                if (caller, call) == (0, 10) {
                    store.0.journal.load_full().unwrap().stop_counting();
                }
                let call = format!("{caller}-{call}");
                let _ = store.commit(takes(&call, 0, 100, u32::MAX)).await.unwrap();
            }
            knows(&store)
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
    /// What the call made so many ago took is given back.
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
    /// Who took it: nobody else gives it back while that one is there.
    takers: Vec<usize>,
    /// How much was taken while who took it knew where the budget stands.
    ahead: usize,
}

impl Both {
    const LIMIT: i128 = 100;

    fn spent(&self) -> i128 {
        let now = (self.settings.clock)();
        self.taken.iter().filter(|(at, _)| at + 60_000_000 > now).map(|(_, amount)| amount).sum()
    }

    async fn store(&mut self, who: usize) -> Store {
        if self.stores[who].is_none() {
            self.stores[who] = Some(warm(&self.folder, self.settings).await);
            // What is over is forgotten when a process begins, and comes back by no clock.
            let now = (self.settings.clock)();
            self.taken
                .iter_mut()
                .filter(|(at, _)| at + 60_000_000 <= now)
                .for_each(|row| row.1 = 0);
        }
        self.stores[who].clone().unwrap()
    }

    async fn ask(&mut self, who: usize, amount: i128) {
        let store = self.store(who).await;
        let (spent, knows) = (self.spent(), knows(&store));
        let call = format!("call {}", self.taken.len());
        match store.commit(takes(&call, amount, Self::LIMIT, u32::MAX)).await {
            Ok(_) => {
                assert!(spent + amount <= Self::LIMIT, "{amount} passed beside {spent}");
                let last = self.taken.iter().map(|(at, _)| *at).max().unwrap_or_default();
                self.taken.push(((self.settings.clock)().max(last), amount));
                self.takers.push(who);
                self.ahead += usize::from(knows);
            }
            Err(CommitError::BudgetSpent { left, .. }) => {
                assert!(spent + amount > Self::LIMIT, "{amount} was refused beside {spent}");
                assert_eq!(left.0, (Self::LIMIT - spent).max(0));
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
                let call = Some(format!("call {index}"));
                let batch = Batch { give_back: call, ..events([event("g", "ended")]) };
                let _ = self.store(self.takers[index]).await.commit(batch).await.unwrap();
                self.taken[index].1 = 0;
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
            let settings = Settings { clock: || NOW.load(Ordering::SeqCst), ..often() };
            let mut both = Both {
                folder: folder(),
                settings,
                stores: [None, None],
                taken: Vec::new(),
                takers: Vec::new(),
                ahead: 0,
            };
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
    record::write(&mut buffer, 1, &uses, &[event("k", "decided")]).unwrap();
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
    let take = |call| journal.take(events([event(call, "received")]), &place, system_clock);
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
    assert!(journal.take(takes("a", 1, 100, 100), &store.0.place, system_clock).is_err());
}
