use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::*;

pub(super) fn url(folder: &tempfile::TempDir) -> String {
    format!("sqlite:{}", file(folder).display())
}

pub(super) fn file(folder: &tempfile::TempDir) -> std::path::PathBuf {
    folder.path().join("store.db")
}

pub(super) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Settings of a store that begins a journal at once.
pub(super) fn often() -> Settings {
    // Long enough for a machine that is busy with other tests, and less than others wait.
    let (alone_after, idle) = (Duration::ZERO, Duration::from_secs(1));
    let durability = Durability::Process;
    Settings { durability, journal_after: 0, alone_after, idle, ..Settings::default() }
}

pub(super) async fn open(folder: &tempfile::TempDir) -> Store {
    Store::open_with(&url(folder), often()).await.expect("a store")
}

pub(super) async fn raw(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path);
    options.connect().await.expect("a connection past the store")
}

pub(super) fn event(call: &str, kind: &'static str) -> EventRow {
    EventRow {
        call: Some(call.into()),
        at: 1,
        kind: kind.into(),
        identity: None,
        tool: None,
        api: None,
        operation: None,
        decision: None,
        outcome: None,
        body: "{}".into(),
        payload: None,
        shared: None,
    }
}

pub(super) fn events(rows: impl IntoIterator<Item = EventRow>) -> Batch {
    Batch { events: rows.into_iter().collect::<Vec<_>>().into(), ..Batch::default() }
}

pub(super) fn change(change: Change) -> Batch {
    Batch { changes: vec![change], ..Batch::default() }
}

pub(super) fn claim(key: &str, limit: u32, per: Duration) -> Batch {
    Batch {
        claims: [WindowClaim { key: key.into(), limit, per }].into(),
        events: vec![event("c", "decided")].into(),
        ..Batch::default()
    }
}

pub(super) fn guarded() -> Batch {
    let guard = Guard { api: "a".into(), tool: "t".into(), identity: "i".into() };
    Batch { guard: Some(guard), events: vec![event("c", "decided")].into(), ..Batch::default() }
}

fn hold(id: &str, expires: i64) -> HoldRow {
    HoldRow {
        id: id.into(),
        call: "c".into(),
        identity: "i".into(),
        tool: "t".into(),
        digest: "d".into(),
        arguments: "{}".into(),
        rule: "r".into(),
        placed: 1,
        expires,
        ..HoldRow::default()
    }
}

fn decide(id: &str, state: HoldState) -> Batch {
    let (id, by) = (id.into(), "operator:o".into());
    change(Change::DecideHold { id, state, by, user: None, reason: None, edits: None })
}

fn spend(id: &str) -> Batch {
    Batch {
        spend: Some(id.into()),
        events: vec![event("c2", "decided")].into(),
        ..Batch::default()
    }
}

pub(super) async fn count_events(store: &Store) -> i64 {
    store.last_seq().await.expect("a count")
}

pub(super) const MINUTE: Duration = Duration::from_mins(1);
const FAR: i64 = i64::MAX;

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let folder = folder();
    let store = open(&folder).await;
    let rows: Vec<_> = (0..150).map(|i| event(&format!("c{i}"), "received")).collect();
    let _ = store.commit(events(rows)).await.expect("written");
    store.close().await;
    let store = Store::open_read_only(&url(&folder)).await.expect("a store");
    let names: Vec<_> =
        store.events_after(0).await.expect("events").into_iter().filter_map(|e| e.call).collect();
    assert_eq!(names, (0..150).map(|i| format!("c{i}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_store_in_memory_can_be_read_and_written() {
    let store = Store::open("sqlite::memory:", Durability::Full).await.expect("a store");
    let _ = store.commit(claim("k", 1, MINUTE)).await.expect("written");
    assert_eq!(store.window_count("k", 0).await.expect("a count"), 1);
    let other = Store::open("sqlite::memory:", Durability::Full).await.expect("a store");
    assert_eq!(other.window_count("k", 0).await.expect("a count"), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let _store = open(&folder).await;
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        let metadata = std::fs::metadata(folder.path().join(name)).expect(name);
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn hundred_concurrent_claims_on_a_limit_of_ten_admit_ten() {
    let folder = folder();
    let store = open(&folder).await;
    assert_eq!(admitted(std::slice::from_ref(&store)).await, 10);
    assert_eq!(count_events(&store).await, 10);
}

#[tokio::test]
async fn two_handles_on_one_file_share_a_window() {
    let folder = folder();
    let stores = [open(&folder).await, open(&folder).await];
    assert_eq!(admitted(&stores).await, 10);
    assert_eq!(stores[0].window_count("k", 0).await.expect("a count"), 10);
}

async fn admitted(stores: &[Store]) -> usize {
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..100 {
        let store = stores[i % stores.len()].clone();
        tasks.spawn(async move { store.commit(claim("k", 10, MINUTE)).await });
    }
    let results = tasks.join_all().await;
    for refused in results.iter().filter_map(|result| result.as_ref().err()) {
        assert!(matches!(refused, CommitError::WindowFull { claim: 0, .. }), "{refused}");
    }
    results.iter().filter(|result| result.is_ok()).count()
}

#[tokio::test]
async fn a_window_slides() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    let clock = || NOW.load(Ordering::SeqCst);
    let store = Store::open_with_clock("sqlite::memory:", Durability::Process, clock).await;
    let store = store.expect("a store");
    let per = Duration::from_micros(100);
    for (now, wait) in [
        (0, None),
        (10, None),
        (20, Some(80)),
        (99, Some(1)),
        (100, None),
        (105, Some(5)),
        (110, None),
    ] {
        NOW.store(now, Ordering::SeqCst);
        let waited = match store.commit(claim("k", 2, per)).await {
            Ok(_) => None,
            Err(CommitError::WindowFull { retry_after, .. }) => Some(retry_after.as_micros()),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(waited, wait, "at {now}");
    }
    // The limit was lowered: both must leave, the later one at 210.
    NOW.store(120, Ordering::SeqCst);
    let refused = store.commit(claim("k", 1, per)).await.expect_err("full");
    let CommitError::WindowFull { retry_after, .. } = refused else { panic!("{refused}") };
    assert_eq!(retry_after.as_micros(), 90);
    // The clock was set back: what was counted stays counted.
    NOW.store(50, Ordering::SeqCst);
    assert!(store.commit(claim("k", 2, per)).await.is_err());
}

#[tokio::test]
async fn a_limit_of_zero_admits_nothing() {
    let folder = folder();
    let refused = open(&folder).await.commit(claim("k", 0, MINUTE)).await.expect_err("full");
    assert!(
        matches!(refused, CommitError::WindowFull { retry_after, .. } if retry_after == MINUTE)
    );
}

#[tokio::test]
async fn a_refused_batch_writes_nothing() {
    let folder = folder();
    let store = open(&folder).await;
    let mut batch = claim("free", 10, MINUTE);
    batch.claims = [batch.claims, claim("none", 0, MINUTE).claims].concat().into();
    batch.changes = vec![Change::PlaceHold(Box::new(hold("h", FAR)))];
    let refused = store.commit(batch).await.expect_err("refused");
    assert!(matches!(refused, CommitError::WindowFull { claim: 1, .. }));

    let mut batch = claim("free", 10, MINUTE);
    batch.changes = vec![Change::PlaceHold(Box::new(hold("h", FAR)))];
    batch.spend = Some("absent".into());
    let refused = store.commit(batch).await.expect_err("refused");
    assert!(matches!(refused, CommitError::HoldSpent));

    let mut batch = claim("free", 10, MINUTE);
    let other = HoldRow { digest: "other".into(), ..hold("h", FAR) };
    batch.changes =
        vec![Change::PlaceHold(Box::new(hold("h", FAR))), Change::PlaceHold(Box::new(other))];
    let refused = store.commit(batch).await.expect_err("refused");
    assert!(matches!(refused, CommitError::Unavailable(_)));

    assert_eq!(store.window_count("free", 0).await.expect("a count"), 0);
    assert_eq!(store.holds(None).await.expect("holds"), []);
    assert_eq!(count_events(&store).await, 0);
}

#[tokio::test]
async fn a_call_has_one_hold_until_that_is_spent_or_expired() {
    let folder = folder();
    let store = open(&folder).await;
    let place = |id: &str, expires| change(Change::PlaceHold(Box::new(hold(id, expires))));
    assert!(store.commit(place("expired", 1)).await.is_ok());
    assert!(store.commit(place("first", FAR)).await.is_ok());
    for state in [HoldState::Pending, HoldState::Approved] {
        if state == HoldState::Approved {
            assert!(store.commit(decide("first", state)).await.is_ok());
        }
        let refused = store.commit(place("second", FAR)).await.expect_err("refused");
        assert!(matches!(refused, CommitError::HoldSpent), "{refused:?}");
    }
    assert!(store.commit(spend("first")).await.is_ok());
    assert!(store.commit(place("second", FAR)).await.is_ok());
}

#[tokio::test]
async fn claims_of_one_batch_count_for_each_other() {
    let folder = folder();
    let store = open(&folder).await;
    let mut batch = claim("k", 1, MINUTE);
    batch.claims = [&*batch.claims; 2].concat().into();
    let refused = store.commit(batch).await.expect_err("refused");
    assert!(matches!(refused, CommitError::WindowFull { claim: 1, .. }));
    assert!(store.commit(claim("k", 1, MINUTE)).await.is_ok());
}

#[tokio::test]
async fn the_kill_switch_stops_what_it_names_and_nothing_else() {
    let folder = folder();
    let store = open(&folder).await;
    let scopes = [
        (StopScope::All, true),
        (StopScope::Api("a".into()), true),
        (StopScope::Tool("t".into()), true),
        (StopScope::Identity("i".into()), true),
        (StopScope::Api("t".into()), false),
        (StopScope::Tool("i".into()), false),
        (StopScope::Identity("a".into()), false),
    ];
    for (scope, stops) in scopes {
        let stop = Change::Stop { scope: scope.clone(), by: "operator:o".into() };
        let _ = store.commit(change(stop.clone())).await.expect("stopped");
        let _ = store.commit(change(stop)).await.expect("stopping again changes nothing");
        assert_eq!(store.stops().await.expect("stops")[0].scope, scope);
        let refused = store.commit(guarded()).await.err();
        assert_eq!(refused.is_some(), stops, "{scope:?}");
        if let Some(refused) = refused {
            assert!(matches!(refused, CommitError::Stopped(by) if by == scope));
        }
        let _ = store.commit(change(Change::Resume { scope })).await.expect("resumed");
        assert!(store.commit(guarded()).await.is_ok());
    }
}

#[tokio::test]
async fn a_switch_thrown_by_another_process_holds_from_the_next_batch() {
    let folder = folder();
    let (server, command) = (open(&folder).await, open(&folder).await);
    assert!(server.commit(guarded()).await.is_ok());
    let stop = Change::Stop { scope: StopScope::All, by: "operator:o".into() };
    let _ = command.commit(change(stop)).await.expect("stopped");
    assert!(matches!(server.commit(guarded()).await, Err(CommitError::Stopped(_))));
}

#[tokio::test]
async fn an_approved_hold_is_spent_once() {
    let folder = folder();
    let stores = [open(&folder).await, open(&folder).await];
    let place = Change::PlaceHold(Box::new(hold("h", FAR)));
    let _ = stores[0].commit(change(place)).await.expect("placed");
    assert!(matches!(stores[0].commit(spend("h")).await, Err(CommitError::HoldSpent)));
    let _ = stores[1].commit(decide("h", HoldState::Approved)).await.expect("approved");
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..20 {
        let store = stores[i % 2].clone();
        tasks.spawn(async move { store.commit(spend("h")).await.is_ok() });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|spent| *spent).count(), 1);
    assert_eq!(count_events(&stores[0]).await, 1);
    let spent = stores[0].hold("h").await.expect("read").expect("a hold");
    assert_eq!((spent.state, spent.decided_by.as_deref()), (HoldState::Spent, Some("operator:o")));
}

#[tokio::test]
async fn a_hold_is_decided_once_and_in_time() {
    let store = Store::open_with_clock("sqlite::memory:", Durability::Process, || 100).await;
    let store = store.expect("a store");
    for row in [hold("late", 100), hold("h", 101)] {
        let _ = store.commit(change(Change::PlaceHold(Box::new(row)))).await.expect("placed");
    }
    for (id, state, fits) in [
        ("late", HoldState::Approved, false),
        ("absent", HoldState::Approved, false),
        ("h", HoldState::Spent, false),
        ("h", HoldState::Rejected, true),
        ("h", HoldState::Approved, false),
    ] {
        assert_eq!(store.commit(decide(id, state)).await.is_ok(), fits, "{id} {state:?}");
    }
    assert!(store.commit(spend("h")).await.is_err());
    let rejected = store.holds(Some(HoldState::Rejected)).await.expect("holds");
    assert_eq!(rejected[0].decided, Some(100));
}

#[tokio::test]
async fn a_repeat_finds_the_newest_hold_that_can_still_matter() {
    let folder = folder();
    let store = open(&folder).await;
    let rows = [
        HoldRow { placed: 1, ..hold("old", 50) },
        HoldRow { placed: 2, ..hold("new", 50) },
        HoldRow { placed: 3, ..hold("expired", 10) },
        HoldRow { placed: 4, state: HoldState::Spent, ..hold("spent", 50) },
        HoldRow { placed: 5, identity: "other".into(), ..hold("other", 50) },
    ];
    for row in rows {
        let _ = store.commit(change(Change::PlaceHold(Box::new(row)))).await.expect("placed");
    }
    let found = store.find_hold("i", "t", "d", 10).await.expect("read").expect("a hold");
    assert_eq!(found.id, "new");
    assert_eq!(store.find_hold("i", "t", "d", 50).await.expect("read"), None);
}

#[tokio::test]
async fn keys_are_kept_and_revoked() {
    let folder = folder();
    let store = open(&folder).await;
    let key = KeyRow {
        id: "k".into(),
        hash: "h".into(),
        identity: "i".into(),
        created: 1,
        expires: Some(2),
        revoked: None,
        approver: true,
    };
    let _ = store.commit(change(Change::AddKey(key.clone()))).await.expect("added");
    assert_eq!(store.keys().await.expect("keys"), std::slice::from_ref(&key));
    assert_eq!(store.key_by_hash("h").await.expect("read"), Some(key));
    let _ = store.commit(change(Change::RevokeKey { id: "k".into() })).await.expect("revoked");
    assert!(store.key_by_hash("h").await.expect("read").is_some_and(|key| key.revoked.is_some()));
    assert_eq!(store.key_by_hash("x").await.expect("read"), None);
}

#[tokio::test]
async fn events_are_neither_changed_nor_deleted() {
    let folder = folder();
    let store = open(&folder).await;
    let _ = store.commit(events([event("c", "received")])).await.expect("written");
    let mut connection = raw(&file(&folder)).await;
    for statement in ["UPDATE events SET body = ''", "DELETE FROM events"] {
        let refused = sqlx::query(statement).execute(&mut connection).await.expect_err(statement);
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
}

#[tokio::test]
async fn a_person_can_query_the_calls() {
    let folder = folder();
    let store = open(&folder).await;
    let opening = EventRow {
        at: 1_500_000,
        tool: Some("t".into()),
        body: r#"{"arguments":{"a":1}}"#.into(),
        ..event("c", "received")
    };
    let held = EventRow { body: r#"{"hold":"h"}"#.into(), ..event("c", "held") };
    let decided = EventRow { decision: Some("hold".into()), ..event("c", "decided") };
    let replied = EventRow { at: 1_503_000, outcome: Some("held".into()), ..event("c", "replied") };
    let mut batch = events([opening, decided, held, replied]);
    batch.changes.push(Change::PlaceHold(Box::new(hold("h", 5))));
    let _ = store.commit(batch).await.expect("written");
    let mut connection = raw(&file(&folder)).await;
    let call: (String, String, String, String, i64, String) =
        sqlx::query_as("SELECT time, tool, decision, outcome, duration_ms, arguments FROM calls")
            .fetch_one(&mut connection)
            .await
            .expect("a call");
    let expected = ("1970-01-01T00:00:01.500Z", "t", "hold", "denied", 3, r#"{"a":1}"#);
    assert_eq!((&*call.0, &*call.1, &*call.2, &*call.3, call.4, &*call.5), expected);
}

#[tokio::test]
async fn what_is_asked_in_sql_is_found_by_an_index() {
    let folder = folder();
    open(&folder).await.close().await;
    let mut connection = raw(&file(&folder)).await;
    for (query, index) in [
        ("SELECT * FROM calls WHERE at > 1", "events_by_time"),
        ("SELECT * FROM calls WHERE decision = 'deny' ORDER BY at DESC LIMIT 9", "events_by_time"),
        ("SELECT * FROM calls WHERE tool = 't' AND at > 1", "events_of_tool"),
        ("SELECT * FROM calls WHERE identity = 'i' ORDER BY at DESC", "events_of_identity"),
        (
            "SELECT * FROM calls WHERE identity = 'i' AND tool = 't' ORDER BY at DESC",
            "events_of_identity_and_tool",
        ),
        ("SELECT * FROM calls WHERE id = 'c'", "events_of_call"),
        ("SELECT * FROM refusals WHERE decision = 'deny'", "events_not_allowed"),
        ("SELECT * FROM failures WHERE outcome = 'outcome_unknown'", "events_not_succeeded"),
        ("SELECT * FROM attempts WHERE at > 1", "events_by_time"),
    ] {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
        let plan = sqlx::query(explain).fetch_all(&mut connection).await.expect(query);
        let steps: Vec<String> =
            plan.iter().map(|row| sqlx::Row::get::<String, _>(row, "detail")).collect();
        // The first step walks, the others look up for each row.
        assert!(
            steps[0].contains(&format!("USING INDEX {index} ")) || steps[0].ends_with(index),
            "{query}: {steps:#?}"
        );
        assert!(!steps.iter().any(|step| step.contains("ORDER BY")), "{query}: {steps:#?}");
    }
}

#[tokio::test]
async fn calls_are_the_newest_that_the_filter_lets_through() {
    let folder = folder();
    let store = open(&folder).await;
    for i in 0..6_i64 {
        let opening = EventRow {
            at: i,
            tool: Some(if i % 2 == 0 { "even" } else { "odd" }.into()),
            identity: Some("i".into()),
            ..event(&format!("c{i}"), "received")
        };
        let decided =
            EventRow { decision: Some("allow".into()), ..event(&format!("c{i}"), "decided") };
        let _ = store.commit(events([opening, decided])).await.expect("written");
    }
    let ids = async |filter: CallFilter| -> Vec<String> {
        store.calls(&filter).await.expect("calls").into_iter().map(|call| call.id).collect()
    };
    assert_eq!(ids(CallFilter::default()).await.len(), 6);
    let even = CallFilter { tool: Some("even".into()), limit: Some(2), ..CallFilter::default() };
    assert_eq!(ids(even).await, ["c2", "c4"]);
    let none = CallFilter { decision: Some("deny".into()), ..CallFilter::default() };
    assert_eq!(ids(none).await.len(), 0);
    let since = CallFilter {
        since: Some(4),
        identity: Some("i".into()),
        decision: Some("allow".into()),
        ..CallFilter::default()
    };
    assert_eq!(ids(since).await, ["c4", "c5"]);
    assert_eq!(ids(CallFilter { id: Some("c3".into()), ..CallFilter::default() }).await, ["c3"]);
    let until = CallFilter { until: Some(3), since: Some(1), ..CallFilter::default() };
    assert_eq!(ids(until).await, ["c1", "c2"]);
    let calls = store.calls(&CallFilter::default()).await.expect("calls");
    assert!(calls.iter().all(|call| call.events.len() == 2));
}

#[tokio::test]
async fn as_many_calls_are_read_as_are_asked_for() {
    let folder = folder();
    let store = open(&folder).await;
    let calls = (0..10_050).map(|i| event(&format!("c{i}"), "received"));
    let _ = store.commit(events(calls.collect::<Vec<_>>())).await.expect("written");
    let count = async |limit| {
        let filter = CallFilter { limit, ..CallFilter::default() };
        store.calls(&filter).await.expect("calls").len()
    };
    assert_eq!(count(Some(1_000_000)).await, 10_050);
    assert_eq!(count(None).await, 10_000);
}

#[tokio::test]
async fn a_place_that_cannot_be_a_store_is_refused_with_the_mend() {
    let folder = folder();
    std::fs::write(folder.path().join("text"), "not a database, and long enough to look at")
        .expect("a file");
    let at = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    for (url, mend) in [
        (at("absent/store.db"), "create it"),
        (at(""), "name a file"),
        (at("text"), "no SQLite database"),
        ("postgres://user:hunter2@host/db".into(), "keeps its store in SQLite"),
        ("sqlite:".into(), "expected a path"),
    ] {
        let error = Store::open(&url, Durability::Full).await.expect_err(&url).to_string();
        assert!(error.contains(mend), "{url}: {error}");
        assert!(!error.contains("hunter2"));
    }
}

#[tokio::test]
async fn reading_a_store_makes_none() {
    let folder = folder();
    let error = Store::open_read_only(&url(&folder)).await.expect_err("nothing there");
    assert!(error.message.contains("nothing yet"), "{error}");
    assert!(!file(&folder).exists());
}

#[tokio::test]
async fn a_store_that_is_open_for_reading_refuses_to_write() {
    let folder = folder();
    let writing = open(&folder).await;
    let reading = Store::open_read_only(&url(&folder)).await.expect("a store");
    assert!(matches!(reading.commit(guarded()).await, Err(CommitError::Unavailable(_))));
    assert!(writing.commit(guarded()).await.is_ok());
    assert_eq!(count_events(&reading).await, 1);
}

#[tokio::test]
async fn many_processes_may_set_up_the_same_new_store() {
    let folder = folder();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let url = url(&folder);
        tasks.spawn(async move {
            let store = Store::open(&url, Durability::Full).await?;
            store
                .commit(guarded())
                .await
                .map(|_| ())
                .map_err(|error| StoreError { path: url, message: error.to_string() })
        });
    }
    for opened in tasks.join_all().await {
        opened.expect("a store");
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let folder = folder();
    open(&folder).await.close().await;
    let mut connection = raw(&file(&folder)).await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', TRUE, x'00', 0)",
    )
    .execute(&mut connection)
    .await
    .expect("a newer schema");
    for refused in [
        Store::open(&url(&folder), Durability::Full).await.expect_err("newer"),
        Store::open_read_only(&url(&folder)).await.expect_err("newer"),
    ] {
        assert!(refused.message.contains("newer version"), "{refused}");
    }
}

#[tokio::test]
async fn a_store_that_vanished_is_unavailable_until_it_is_back() {
    let folder = folder();
    let store = open(&folder).await;
    assert!(store.commit(guarded()).await.is_ok());
    let away = folder.path().join("away");
    std::fs::create_dir(&away).expect("a folder");
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        std::fs::rename(folder.path().join(name), away.join(name)).expect(name);
    }
    let refused = store.commit(guarded()).await.expect_err("gone");
    assert!(
        matches!(&refused, CommitError::Unavailable(error) if error.message.contains("put it back"))
    );
    assert!(store.stops().await.is_err());
    assert!(!file(&folder).exists(), "a new one would have forgotten the kill switch");
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        std::fs::rename(away.join(name), folder.path().join(name)).expect(name);
    }
    assert!(store.commit(guarded()).await.is_ok());
    assert_eq!(count_events(&store).await, 2);
}

#[tokio::test]
async fn a_locked_store_is_unavailable_and_then_works_again() {
    let folder = folder();
    let settings = Settings { busy: Duration::from_millis(50), ..often() };
    let store = Store::open_with(&url(&folder), settings).await;
    let store = store.expect("a store");
    let mut other = raw(&file(&folder)).await;
    let lock = other.begin_with("BEGIN IMMEDIATE").await.expect("the lock");
    let refused = store.commit(guarded()).await.expect_err("locked");
    assert!(
        matches!(&refused, CommitError::Unavailable(error) if error.message.contains("locked"))
    );
    lock.rollback().await.expect("unlocked");
    assert!(store.commit(guarded()).await.is_ok());
}

#[tokio::test]
async fn a_write_that_takes_too_long_is_given_up() {
    let folder = folder();
    let settings = Settings { deadline: Duration::from_millis(50), ..often() };
    let store = Store::open_with(&url(&folder), settings).await;
    let store = store.expect("a store");
    let mut other = raw(&file(&folder)).await;
    let lock = other.begin_with("BEGIN IMMEDIATE").await.expect("the lock");
    let refused = store.commit(guarded()).await.expect_err("too late");
    assert!(matches!(refused, CommitError::Unavailable(_)), "{refused}");
    lock.rollback().await.expect("unlocked");
    let mut tries = 0;
    while store.commit(guarded()).await.is_err() {
        tries += 1;
        assert!(tries < 20, "it never recovers");
    }
}

#[tokio::test]
async fn a_full_disk_fails_the_batch_and_not_the_store() {
    let folder = folder();
    let store = open(&folder).await;
    // A page limit is what SQLite sees of a full disk, but it is each connection's own. So a
    // trigger fails the write in its place, from within the group's last statement.
    let mut other = raw(&file(&folder)).await;
    let fail = "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(FAIL, 'full'); END";
    sqlx::query(fail).execute(&mut other).await.expect("a trigger");
    let mut batch = claim("k", 10, MINUTE);
    batch.changes.push(Change::PlaceHold(Box::new(hold("h", FAR))));
    assert!(matches!(store.commit(batch).await, Err(CommitError::Unavailable(_))));
    assert_eq!(store.holds(None).await.expect("holds"), []);
    sqlx::query("DROP TRIGGER full").execute(&mut other).await.expect("no trigger");
    assert!(store.commit(claim("k", 1, MINUTE)).await.is_ok());
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let folder = folder();
    let store = open(&folder).await;
    let clone = store.clone();
    store.close().await;
    let refused = clone.commit(guarded()).await.expect_err("closed");
    assert!(
        matches!(&refused, CommitError::Unavailable(error) if error.message.contains("closed"))
    );
}

#[tokio::test]
async fn a_batch_that_nobody_waits_for_is_withdrawn() {
    let folder = folder();
    let store = open(&folder).await;
    let mut other = raw(&file(&folder)).await;
    let lock = other.begin_with("BEGIN IMMEDIATE").await.expect("the lock");
    let first = tokio::spawn({
        let store = store.clone();
        async move { store.commit(guarded()).await.is_ok() }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    // The writer waits with the first one; the second is queued, then given up.
    let second = tokio::time::timeout(Duration::from_millis(20), store.commit(guarded())).await;
    assert!(second.is_err());
    lock.rollback().await.expect("unlocked");
    assert!(first.await.expect("no panic"));
    assert!(store.commit(guarded()).await.is_ok());
    assert_eq!(count_events(&store).await, 2);
}

#[tokio::test]
async fn where_an_erased_call_is_asked_after_is_not_written_back_by_one_that_goes_on_with_it() {
    let folder = folder();
    let store = open(&folder).await;
    let kept = |call: &str, handle: &str| PendingRow {
        identity: "i".into(),
        tool: "t".into(),
        digest: "d".into(),
        call: call.into(),
        handle: handle.into(),
        expires: FAR,
    };
    let keep = async |row: PendingRow| {
        drop(store.commit(change(Change::KeepPending(row))).await.expect("kept"));
        store.pending("i", "t", "d", 1).await.expect("read").expect("a row").handle
    };
    assert_eq!(keep(kept("one", "/jobs/of-ann")).await, "/jobs/of-ann");
    assert_eq!(keep(kept("one", "/jobs/2")).await, "/jobs/2", "the API may name another place");
    drop(store.commit(change(Change::EraseKept(vec!["one".into()]))).await.expect("erased"));
    assert_eq!(keep(kept("one", "/jobs/of-ann")).await, r#"{"erased":"pending"}"#);
    assert_eq!(keep(kept("two", "/jobs/3")).await, "/jobs/3", "another call is another one");
}

#[tokio::test]
async fn views_and_triggers_that_are_not_as_they_were_made_are_found() {
    let folder = folder();
    let store = open(&folder).await;
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    let mut other = raw(&file(&folder)).await;
    for statement in [
        "CREATE VIEW mine AS SELECT 1",
        "CREATE INDEX mine_too ON events (kind)",
        "DROP VIEW refusals",
        "DROP TRIGGER events_stay",
        "DROP VIEW failures",
        "CREATE VIEW failures AS SELECT * FROM events",
        "CREATE TRIGGER theirs AFTER INSERT ON events BEGIN SELECT 1; END",
    ] {
        sqlx::query(statement).execute(&mut other).await.unwrap();
    }
    assert_eq!(
        store.check().await.unwrap(),
        [
            "the trigger `events_stay` is not there",
            "the view `failures` is not as it was made",
            "the view `refusals` is not there",
            "the trigger `theirs` is none of ours",
        ]
    );
}
