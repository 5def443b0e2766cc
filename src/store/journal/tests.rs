#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::disk::{Disk, Told};
use super::*;
use crate::store::tests::{
    MINUTE, change, claim, count_events, event, events, file, folder, guarded, often, open, raw,
    url,
};
use crate::store::{Change, CommitError, EventRow, Settings, StopScope, Store, system_clock};

const LONG: Duration = Duration::from_secs(20);

/// A store whose journal takes what is plain. Its trail has two events already.
pub(super) async fn warm(folder: &tempfile::TempDir, settings: Settings) -> Store {
    let store = Store::open_with(&url(folder), settings).await.unwrap();
    for call in ["w1", "w2"] {
        let batch = Batch { events: vec![event(call, "received")].into(), ..guarded() };
        let _ = store.commit(batch).await.unwrap();
    }
    store
}

pub(super) async fn say(store: &Store, call: &str) {
    let _ = store.commit(events([event(call, "received")])).await.unwrap();
}

pub(in crate::store) fn journals(folder: &Path) -> Vec<PathBuf> {
    file::list(&folder.join("store.db")).unwrap()
}

/// The database, locked by somebody else: nothing can be taken over.
pub(super) async fn locked(
    connection: &mut SqliteConnection,
) -> sqlx::Transaction<'_, sqlx::Sqlite> {
    connection.begin_with("BEGIN IMMEDIATE").await.unwrap()
}

/// What would be left if every process that uses the store were killed now.
pub(in crate::store) fn killed(folder: &tempfile::TempDir) -> tempfile::TempDir {
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
pub(super) async fn found(folder: &tempfile::TempDir) -> Vec<String> {
    let reading = Store::open_read_only(&url(folder)).await.unwrap();
    let found = names(&reading).await;
    assert_eq!(journals(folder.path()), Vec::<PathBuf>::new(), "it was taken over for good");
    reading.close().await;
    let writing = open(folder).await;
    assert_eq!(names(&writing).await, found, "it was taken over once");
    found
}

/// What a journal says that takes nothing else meanwhile.
pub(super) fn taken(
    journal: &Arc<Journal>,
    batch: Batch,
    place: &Place,
    clock: Clock,
) -> Result<Taken, Box<Batch>> {
    match journal.take(batch, place, clock) {
        Asked::Answered(answer) => answer,
        Asked::Queued(_) => panic!("nothing else is being taken"),
    }
}

#[tokio::test]
async fn what_comes_while_another_batch_is_taken_is_taken_with_it() {
    let folder = folder();
    let store = warm(&folder, often()).await;
    let place = store.0.place.clone();
    let journal = store.0.journal.load_full().unwrap();
    let state = journal.begin_taking().expect("nobody else does");
    let take = |call: &str| {
        let asked = journal.take(events([event(call, "received")]), &place, system_clock);
        let Asked::Queued(answered) = asked else {
            panic!("another one is being taken: {asked:?}")
        };
        answered
    };
    let (one, withdrawn, two) = (take("one"), take("withdrawn"), take("two"));
    drop(withdrawn);
    journal.end_taking(state, &place, system_clock, ROUNDS);
    for answered in [one, two] {
        let answer = tokio::time::timeout(LONG, answered).await.expect("it is told").unwrap();
        assert!(matches!(answer, Ok(Taken::Down)), "{answer:?}");
    }
    store.close().await;
    assert_eq!(found(&folder).await, ["w1", "w2", "one", "two"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_many_that_come_at_once_each_is_taken_once_and_answered() {
    let folder = folder();
    let store = open(&folder).await;
    let tasks: Vec<_> = (0..32)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..100 {
                    let batch = events([event(&format!("{task}-{n}"), "received")]);
                    let _ = store.commit(batch).await.expect("written");
                    if n % 10 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        tokio::time::timeout(LONG, task).await.expect("each is answered").unwrap();
    }
    store.close().await;
    let mut names = found(&folder).await;
    assert_eq!(names.len(), 3_200);
    // Those of a task in its order.
    let order = |name: &String| {
        let (task, n) = name.split_once('-').unwrap();
        (task.parse::<u32>().unwrap(), n.parse::<u32>().unwrap())
    };
    let seen: Vec<_> = names.iter().map(order).collect();
    for task in 0..32 {
        let of_task = seen.iter().filter(|(of, _)| *of == task).map(|(_, n)| *n);
        assert!(of_task.eq(0..100), "{task}");
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3_200);
}

#[tokio::test]
async fn a_journal_that_could_not_be_synced_takes_nothing_any_more() {
    let folder = folder();
    let _store = open(&folder).await;
    let journal = Journal::create(&file(&folder), Durability::Full, Arc::default()).unwrap();
    assert!(journal.is_sound());
    journal.state().file = JournalFile::unsyncable().unwrap();
    let database = crate::store::place::identity_of(&std::fs::metadata(file(&folder)).unwrap());
    let journal = Arc::new(journal);
    let opened = || journal.open(database, Some((Instant::now(), &[])));
    let batch = || events([event("a", "received")]);
    opened();
    let place = Place::new(&url(&folder), Durability::Full, Duration::from_secs(1)).unwrap();
    let Ok(Taken::Syncing(synced)) = taken(&journal, batch(), &place, system_clock) else {
        panic!("it is open")
    };
    assert!(synced.await.unwrap().is_err());
    opened();
    assert!(taken(&journal, batch(), &place, system_clock).is_err());
    assert!(!journal.is_sound());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_syncs_in_place_knows_what_became_of_it_and_leaves_the_rest_to_others() {
    let folder = folder();
    let _store = open(&folder).await;
    let journal =
        Arc::new(Journal::create(&file(&folder), Durability::Full, Arc::default()).unwrap());
    let place = Place::new(&url(&folder), Durability::Full, Duration::from_secs(1)).unwrap();
    let database = crate::store::place::identity_of(&std::fs::metadata(file(&folder)).unwrap());
    let opened = || journal.open(database, Some((Instant::now(), &[])));
    let take =
        |call: &str| taken(&journal, events([event(call, "received")]), &place, system_clock);
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
    let journal =
        Arc::new(Journal::create(&file(folder), Durability::Full, Arc::default()).unwrap());
    let (asked, asks) = mpsc::channel();
    let (say, written) = mpsc::channel();
    journal.state().file.on(Disk::told(Told { asked, written }));
    let place = Place::new(&url(folder), Durability::Full, Duration::from_secs(1)).unwrap();
    let database = crate::store::place::identity_of(&std::fs::metadata(file(folder)).unwrap());
    journal.open(database, Some((Instant::now(), &[])));
    (journal, place, asks, say)
}

fn waits(taken: Result<Taken, Box<Batch>>) -> oneshot::Receiver<io::Result<()>> {
    match taken {
        Ok(Taken::Syncing(synced)) => synced,
        other => panic!("it is to wait for the disk: {other:?}"),
    }
}

/// What it is told in the end.
async fn told(synced: oneshot::Receiver<io::Result<()>>) -> io::Result<()> {
    tokio::time::timeout(LONG, synced).await.expect("it is told").unwrap()
}

/// How many bytes are to be written.
fn next(asks: &mpsc::Receiver<usize>) -> usize {
    asks.recv_timeout(LONG).expect("something is to be written")
}

#[tokio::test]
async fn what_comes_while_the_disk_is_busy_is_written_at_once_afterwards() {
    let folder = folder();
    let (journal, place, asks, say) = on_a_told_disk(&folder).await;
    let take = |call: &str| {
        waits(taken(&journal, events([event(call, "received")]), &place, system_clock))
    };
    let first = take("a");
    let one = next(&asks);
    let mut others = ["b", "c", "d"].map(take);
    say.send(Ok(())).unwrap();
    assert!(told(first).await.is_ok());
    assert_eq!(next(&asks), 3 * one, "three in one write");
    assert!(
        others.iter_mut().all(|other| other.try_recv().is_err()),
        "the disk does not have them"
    );
    say.send(Ok(())).unwrap();
    for other in others {
        assert!(told(other).await.is_ok());
    }
    assert!(asks.try_recv().is_err(), "there is nothing more to write");
}

#[tokio::test]
async fn a_write_that_fails_fails_all_that_wait_and_the_database_still_gets_them() {
    let folder = folder();
    let (journal, place, asks, say) = on_a_told_disk(&folder).await;
    let take = |call: &str| {
        waits(taken(&journal, events([event(call, "received")]), &place, system_clock))
    };
    let first = take("a");
    let _ = next(&asks);
    let behind = take("b");
    say.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
    for synced in [first, behind] {
        assert_eq!(told(synced).await.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
    assert!(!journal.is_sound());
    assert!(taken(&journal, events([event("c", "received")]), &place, system_clock).is_err());
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
    let mut wait = vec![waits(taken(&journal, events([large()]), &place, system_clock))];
    let _ = next(&asks);
    while let Ok(Taken::Syncing(synced)) = taken(&journal, events([large()]), &place, system_clock)
    {
        wait.push(synced);
        assert!(wait.len() < 10, "it takes more and more");
    }
    say.send(Ok(())).unwrap();
    let _ = next(&asks);
    say.send(Ok(())).unwrap();
    for synced in wait {
        assert!(told(synced).await.is_ok());
    }
    let _later = waits(taken(&journal, events([large()]), &place, system_clock));
    drop(say);
}

/// The test's own thread is no worker of the runtime.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_stalls_under_a_worker_leaves_clocks_to_another_one() {
    let folder = folder();
    let (journal, place, asks, say) = on_a_told_disk(&folder).await;
    journal.state().syncing.seem_alone();
    let (clock, went_on) = mpsc::channel();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        clock.send(())
    });
    let held_up = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(2)).await;
        taken(&journal, events([event("a", "received")]), &place, system_clock)
    });
    let _ = next(&asks);
    assert!(went_on.recv_timeout(LONG).is_ok(), "the disk holds up clocks");
    say.send(Ok(())).unwrap();
    assert!(matches!(held_up.await.unwrap(), Ok(Taken::Synced(Ok(_)))));
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
    crate::store::insert::insert_events(&mut transaction, &mut head, Box::new(rows)).await.unwrap();
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
