use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use tollbridge_operation::CallId;

use super::*;
use crate::secret::{Redactor, Secret};
use crate::store::{
    Batch, Change, Durability, EventRow, HoldRow, HoldState, Shared, StopScope, Store, StoredEvent,
};

const NONE: &str = "01J00000000000000000000000";
const ONE: &str = "01J00000000000000000000001";
const TWO: &str = "01J00000000000000000000002";

fn went_by() -> WentBy {
    WentBy::new(Digests {
        tools: "sha256:t".into(),
        config: "sha256:c".into(),
        policy: None,
        spec: Some("sha256:s".into()),
    })
}

fn received(arguments: Value) -> Event {
    Event::Received {
        reason: None,
        tracestate: None,
        identity: "alice".into(),
        tool: "get_order".into(),
        api: Some("orders".into()),
        operation: Some("getOrder".into()),
        arguments,
        transport: "stdio".into(),
        client: Some("test 1".into()),
        traceparent: None,
        went_by: went_by(),
        process: None,
        by: None,
    }
}

fn decided(effect: Verdict) -> Event {
    Event::Decided {
        effect,
        rules: vec!["tool.get_order".into()],
        reason: None,
        considered: Considerations::default(),
    }
}

fn started(n: u32) -> Event {
    Event::AttemptStarted {
        span: None,
        n,
        url: "http://127.0.0.1/orders/1".into(),
        method: "GET".into(),
        wait_ms: 100 * u64::from(n - 1),
        why: (n > 1).then(|| "503".into()),
        idempotency_key: None,
    }
}

fn finished(n: u32, status: u16) -> Event {
    let error = (status != 200).then(|| "unavailable".into());
    Event::AttemptFinished {
        headers: BTreeMap::new(),
        n,
        status: Some(status),
        error,
        queued_ms: 0,
        duration_ms: 5,
        bytes: 17,
    }
}

fn replied(outcome: &str) -> Event {
    Event::Replied {
        outcome: outcome.into(),
        message: None,
        attempts: 2,
        status: Some(200),
        served_by: Some("http://127.0.0.1".into()),
        upstream_ms: 110,
        bytes: 17,
        cost: None,
        duration_ms: 115,
    }
}

fn all_events() -> Vec<Event> {
    let scope = || StopScope::Api("orders".into());
    let by = || "operator:o".to_owned();
    vec![
        received(
            json!({"amount": serde_json::from_str::<Value>("500.0000000000000000001").expect("a number")}),
        ),
        Event::Malformed { transport: "http".into(), identity: None, reason: "no JSON".into() },
        decided(Verdict::Hold),
        Event::Held { hold: "h".into(), expires: Time(5) },
        Event::Approved {
            hold: "h".into(),
            by: by(),
            reason: None,
            decided: Some(Time(4)),
            user: None,
        },
        Event::Edited {
            hold: "h".into(),
            by: by(),
            arguments: json!({"amount": 4}),
            user: Some("operator:root".into()),
        },
        Event::Rejected { hold: "h".into(), by: by(), reason: Some("no".into()), user: None },
        Event::Quoted { price: "0.01 USDC".into(), terms: json!([1, {"a": 2.5}]) },
        Event::Reserved { windows: vec!["calls".into()], budgets: Vec::new() },
        started(2),
        finished(2, 503),
        Event::SuspiciousContent {
            places: vec![Place { pointer: "/note".into(), message: "words".into() }],
        },
        Event::Released { reservations: vec!["calls".into()], reason: "nothing sent".into() },
        replied("succeeded"),
        Event::SwitchStopped { scope: StopScope::All, by: by() },
        Event::SwitchResumed { scope: scope(), by: by() },
        Event::KeyCreated { id: "k".into(), identity: "alice".into(), by: by() },
        Event::KeyRevoked { id: "k".into(), by: by() },
        Event::PayloadsErased { events: vec![(1, 4)], why: "age".into(), by: by() },
        Event::RecordsPruned { upto: 4, hash: "00".into(), why: "age".into(), by: by() },
        Event::ConfigLoaded { config: "sha256:c".into(), tools: 7 },
    ]
}

/// The event that a row was made of.
fn back(row: &EventRow) -> Option<Event> {
    Event::read(&StoredEvent {
        seq: 1,
        call: row.call.as_deref().map(str::to_owned),
        at: row.at,
        kind: row.kind.clone().into_owned(),
        body: row.body.clone(),
        payload: row.payload.clone(),
        erased: false,
        shared: row.shared.as_ref().map(|shared| shared.text().to_owned()),
    })
}

fn row(call: &str, at: i64, event: &Event) -> EventRow {
    event.row(Some(&CallId::new(call)), at, &Redactor::default())
}

async fn store(now: fn() -> i64) -> Store {
    Store::open_with_clock("sqlite::memory:", Durability::Process, now).await.expect("a store")
}

async fn write(store: &Store, call: &str, events: &[Event]) {
    let rows: Vec<_> = (1_i64..).zip(events).map(|(at, event)| row(call, at, event)).collect();
    let _ = store.commit(Batch { events: rows.into(), ..Batch::default() }).await.expect("written");
}

/// As it is printed: a snapshot's own JSON shows numbers of arbitrary precision as maps.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).expect("JSON")
}

#[test]
fn every_event_is_read_back_as_it_was_written() {
    for event in all_events() {
        let row = event.row(None, 1, &Redactor::default());
        assert_eq!(back(&row), Some(event), "{}", row.body);
    }
}

#[test]
fn a_row_is_the_same_where_secrets_are_words_and_numbers_of_ours() {
    let words = ["200", "17", "succeeded", "attempt_finished", "replied", "null", "duration_ms"];
    let redactor = Redactor::new(&words.map(Secret::new));
    for event in all_events() {
        let row = event.row(None, 5, &redactor);
        assert_eq!(row, event.clean_row(None, 5, &redactor), "{}", row.body);
    }
}

#[test]
fn the_kind_of_a_row_is_the_kind_in_its_body() {
    for event in all_events() {
        let row = event.row(None, 1, &Redactor::default());
        let body: Value = serde_json::from_str(&row.body).expect("JSON");
        assert_eq!(body["kind"], *row.kind);
    }
}

#[test]
fn rows_have_their_columns_where_a_call_opens_falls_and_ends() {
    let columns = |event: &Event| {
        let row = row("c", 1, event);
        (row.identity, row.tool, row.api, row.operation, row.decision, row.outcome)
    };
    let text = |text: &str| Some(Arc::from(text));
    let opening = (text("alice"), text("get_order"), text("orders"), text("getOrder"), None, None);
    assert_eq!(columns(&received(json!({}))), opening);
    assert_eq!(
        columns(&decided(Verdict::Deny)),
        (None, None, None, None, Some("deny".into()), None)
    );
    let ending = (None, None, None, None, None, Some("succeeded".to_owned()));
    assert_eq!(columns(&replied("succeeded")), ending);
    let created = Event::KeyCreated { id: "k".into(), identity: "a".into(), by: "b".into() };
    assert_eq!(columns(&created), (None, None, None, None, None, None));
    let malformed =
        Event::Malformed { transport: "http".into(), identity: text("a"), reason: String::new() };
    assert_eq!(
        columns(&malformed),
        (text("a"), None, None, None, None, Some("malformed".to_owned()))
    );
}

#[test]
fn no_text_of_any_event_keeps_a_secret() {
    let secret = "hunter2/ö";
    let redactor = Redactor::new([&Secret::new(secret)]);
    let encoded = "hunter2%2F%C3%B6";
    let texts = [
        Event::Received {
            reason: None,
            tracestate: None,
            identity: secret.into(),
            tool: secret.into(),
            api: Some(secret.into()),
            operation: Some(secret.into()),
            arguments: json!({ secret: [encoded, {"x": secret}] }),
            transport: secret.into(),
            client: Some(secret.into()),
            traceparent: Some(encoded.into()),
            went_by: went_by(),
            process: None,
            by: Some(Box::new(json!({ secret: [secret] }))),
        },
        Event::Malformed {
            transport: secret.into(),
            identity: Some(secret.into()),
            reason: secret.into(),
        },
        Event::Decided {
            effect: Verdict::Deny,
            rules: vec![secret.into()],
            reason: Some(secret.into()),
            considered: Considerations {
                form: Some(Shared::new(Form::default().text())),
                told: Told {
                    became: "f".into(),
                    failed: BTreeMap::from([(0, encoded.into())]),
                    read: vec![
                        Stood::Value(Arc::new(json!({ secret: [encoded] }))),
                        Stood::Cut(format!("{secret}…")),
                    ],
                },
            },
        },
        Event::AttemptStarted {
            span: None,
            n: 1,
            url: format!("http://h/?k={encoded}"),
            method: secret.into(),
            wait_ms: 0,
            why: Some(secret.into()),
            idempotency_key: Some(secret.into()),
        },
        Event::AttemptFinished {
            headers: BTreeMap::new(),
            n: 1,
            queued_ms: 0,
            status: None,
            error: Some(secret.into()),
            duration_ms: 0,
            bytes: 0,
        },
        Event::Quoted { price: secret.into(), terms: json!({"a": secret}) },
        Event::SwitchStopped { scope: StopScope::Tool(secret.into()), by: secret.into() },
    ];
    for event in texts {
        let row = event.row(None, 1, &redactor);
        assert!(!redactor.bytes_contain(format!("{row:?}").as_bytes()), "{row:?}");
        assert!(back(&row).is_some(), "{}", row.body);
    }
}

#[test]
fn a_secret_that_is_one_of_our_words_leaves_rows_readable() {
    let redactor =
        Redactor::new([&Secret::new("deny"), &Secret::new("7"), &Secret::new("decided")]);
    let body = |event: &Event| back(&event.row(None, 1, &redactor));
    assert_eq!(body(&decided(Verdict::Deny)), Some(decided(Verdict::Deny)));
    let loaded = Event::ConfigLoaded { config: "c".into(), tools: 7 };
    assert_eq!(body(&loaded), Some(loaded));
}

#[test]
fn events_whose_text_was_removed_are_read_for_the_rest_of_what_they_say() {
    let rest = |event: &Event| {
        let row = EventRow { shared: None, ..row("c", 1, event) };
        back(&row)
    };
    let Some(Event::Received { identity, went_by, .. }) = rest(&received(json!({}))) else {
        panic!("it came in")
    };
    assert_eq!((&*identity, went_by.digests()), ("alice", &Digests::default()));
    let decided = Event::Decided {
        effect: Verdict::Deny,
        rules: vec!["r".into()],
        reason: None,
        considered: Considerations {
            form: Some(Shared::new(Form::default().text())),
            told: Told { became: "s".into(), ..Told::default() },
        },
    };
    let Some(Event::Decided { rules, .. }) = rest(&decided) else { panic!("it was decided") };
    assert_eq!(rules, ["r"]);
}

#[test]
fn inbound_keys_in_arguments_are_masked() {
    let key = format!("tb_0123456789_{}", "x".repeat(43));
    let row = row("c", 1, &received(json!({ "note": key })));
    assert!(row.payload.as_ref().unwrap().contains("tb_0123456789_[redacted]"), "{row:?}");
}

#[test]
fn what_is_too_large_is_kept_by_its_digest_or_cut() {
    let row = row("c", 1, &received(json!({ "text": "x".repeat(1024 * 1024) })));
    let payload = row.payload.expect("arguments");
    assert!(payload.len() < 2000);
    let body: Value = serde_json::from_str(&payload).expect("JSON");
    assert_eq!(body["arguments"]["tollbridge/cut"]["bytes"], json!(1024 * 1024 + 11));

    let mut small = received(json!({ "text": "x".repeat(1024 * 1024 - 11) }));
    assert_eq!(back(&self::row("c", 1, &small)), Some(small.clone()));
    if let Event::Received { client, .. } = &mut small {
        *client = Some("ö".repeat(20_000));
    }
    let row = self::row("c", 1, &small);
    let body: Value = serde_json::from_str(&row.body).expect("JSON");
    assert_eq!(body["client"].as_str().map(str::len), Some(16 * 1024 + '…'.len_utf8()));
}

#[tokio::test]
async fn a_call_is_put_together_from_its_events() {
    let store = store(|| 100).await;
    let events = [
        received(json!({"id": 1})),
        decided(Verdict::Allow),
        started(1),
        finished(1, 503),
        started(2),
        finished(2, 200),
        replied("succeeded"),
    ];
    write(&store, ONE, &events).await;
    let calls = calls(&store, &Filter::default()).await.expect("calls");
    insta::assert_snapshot!("a_call", json(&calls));
    let shown = call(&store, ONE).await.expect("read").expect("a call");
    insta::assert_snapshot!("a_call_with_its_events", json(&shown));
}

#[tokio::test]
async fn an_attempt_that_was_written_twice_is_one() {
    let store = store(|| 0).await;
    let again = [finished(1, 503), started(2)];
    write(&store, "01CALL", &[received(json!({})), started(1)]).await;
    write(&store, "01CALL", &again).await;
    write(&store, "01CALL", &[again, [finished(2, 503), replied("upstream_error")]].concat()).await;
    let record = call(&store, "01CALL").await.expect("a trail").expect("the call");
    let attempts: Vec<_> = record.attempts.iter().map(|one| (one.n, one.status)).collect();
    assert_eq!(attempts, [(1, Some(503)), (2, Some(503))]);
}

#[tokio::test]
async fn a_call_that_runs_has_no_outcome_and_its_attempt_no_end() {
    let store = store(|| 100).await;
    write(&store, ONE, &[received(json!({})), decided(Verdict::Allow), started(1)]).await;
    let record = call(&store, ONE).await.expect("read").expect("a call");
    assert_eq!((record.outcome, record.started), (None, Time(1)));
    assert_eq!(record.attempts[0].duration_ms, None);
}

#[tokio::test]
async fn what_was_malformed_is_a_call_without_a_decision() {
    let store = store(|| 100).await;
    let event = Event::Malformed { transport: "http".into(), identity: None, reason: "cut".into() };
    write(&store, ONE, &[event]).await;
    let record = call(&store, ONE).await.expect("read").expect("a call");
    assert_eq!(record.outcome.as_deref(), Some("malformed"));
    assert_eq!((record.decision, record.identity, record.tool), (None, None, None));
}

#[tokio::test]
async fn a_held_call_ends_as_denied_once_its_hold_came_to_nothing() {
    for (state, expires, outcome) in [
        (HoldState::Pending, 101, "held"),
        (HoldState::Pending, 100, "denied"),
        (HoldState::Approved, 101, "held"),
        (HoldState::Approved, 100, "denied"),
        (HoldState::Rejected, 101, "denied"),
        (HoldState::Spent, 100, "held"),
    ] {
        let store = store(|| 100).await;
        let hold = HoldRow {
            id: "h".into(),
            call: ONE.into(),
            identity: "alice".into(),
            tool: "get_order".into(),
            digest: "d".into(),
            arguments: "{}".into(),
            rule: "r".into(),
            placed: 1,
            expires,
            state,
            ..HoldRow::default()
        };
        let changes = vec![Change::PlaceHold(Box::new(hold))];
        let _ = store.commit(Batch { changes, ..Batch::default() }).await.expect("placed");
        let waits = Event::Held { hold: "h".into(), expires: Time(expires) };
        write(&store, ONE, &[received(json!({})), decided(Verdict::Hold), waits, replied("held")])
            .await;
        let record = call(&store, ONE).await.expect("read").expect("a call");
        assert_eq!(record.outcome.as_deref(), Some(outcome), "{state:?} until {expires}");
    }
}

#[tokio::test]
async fn a_shortened_name_finds_its_call_and_no_other() {
    let store = store(|| 100).await;
    for id in [ONE, TWO] {
        write(&store, id, &[received(json!({}))]).await;
    }
    let other = "01K00000000000000000000000";
    write(&store, other, &[received(json!({}))]).await;
    let find = async |id: &str| call(&store, id).await.expect(id).map(|call| call.id);
    assert_eq!(find(ONE).await.as_deref(), Some(ONE));
    assert_eq!(find(&ONE.to_lowercase()).await.as_deref(), Some(ONE));
    assert_eq!(find("01K000").await.as_deref(), Some(other));
    let short = call(&store, "01K00").await.expect_err("five characters");
    assert!(matches!(short, AuditError::TooShort { .. }), "{short}");
    assert_eq!(find(NONE).await, None);
    assert_eq!(find("01J%00").await, None);
    let several = call(&store, "01J0000").await.expect_err("two");
    assert!(matches!(several, AuditError::Ambiguous { .. }), "{several}");
}

#[tokio::test]
async fn following_yields_each_call_once_it_ended() {
    let store = store(|| 100).await;
    let from = store.last_seq().await.expect("a place");
    write(&store, ONE, &[received(json!({})), decided(Verdict::Allow)]).await;
    write(&store, TWO, &[received(json!({})), decided(Verdict::Deny), replied("denied")]).await;
    let names = |calls: Vec<CallRecord>| calls.into_iter().map(|call| call.id).collect::<Vec<_>>();
    let (ended, next) = follow(&store, from, &Filter::default()).await.expect("calls");
    assert_eq!(names(ended), [TWO]);
    write(&store, ONE, &[replied("succeeded")]).await;
    let denied = Filter { decision: Some("deny".into()), ..Filter::default() };
    let (ended, _) = follow(&store, next, &denied).await.expect("calls");
    assert_eq!(names(ended), [""; 0]);
    let (ended, last) = follow(&store, next, &Filter::default()).await.expect("calls");
    assert_eq!(names(ended), [ONE]);
    let (ended, same) = follow(&store, last, &Filter::default()).await.expect("calls");
    assert_eq!((ended.len(), same), (0, last));
}

#[test]
fn names_of_calls_differ_and_are_ulids() {
    let (one, two) = (new_call_id(), new_call_id());
    assert_ne!(one, two);
    assert!(one.as_str().parse::<ulid::Ulid>().is_ok());
}

/// What stands for a secret in a text, in some spelling or other, and what does not.
fn pieces() -> impl Strategy<Value = String> {
    let spellings = [
        "s3cr\"et/\\1",
        "s3cr\\\"et/\\\\1",
        "s3cr%22et%2F%5C1",
        "s3cr%2522et%252F%255C1",
        "s3cr&quot;et/\\1",
        "czNjciJldC9cMQ",
        "73336372226574 2f5c31",
        "733363722265742f5c31",
        "4711.5",
        "tb_ABC123_abcdefghijklmnopqrstuvwxyz0123456789ABCDEF",
        "plain",
        "\n",
        "\\",
        "\"",
        "%5",
    ];
    proptest::collection::vec(proptest::sample::select(spellings.to_vec()), 0..4)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    /// The short way of making a row is taken only where the long one would change nothing.
    #[test]
    fn a_row_is_the_same_whether_or_not_its_event_is_cleaned_member_by_member(
        (one, two, name) in (pieces(), pieces(), pieces()),
        number in proptest::sample::select(vec!["4711.5", "14711.50", "1", "0.1e-7"]),
    ) {
        let secrets = [Secret::new("s3cr\"et/\\1"), Secret::new("4711.5")];
        let redactor = Redactor::new(&secrets);
        let number: Value = serde_json::from_str(number).unwrap();
        let arguments = json!({ "text": one, name: [number, { "in": two.clone() }] });
        let Event::Received { tool, .. } = received(json!({})) else { unreachable!() };
        let mut event = received(arguments);
        if let Event::Received { client, .. } = &mut event {
            *client = Some(format!("{tool}{two}"));
        }
        for redactor in [redactor, Redactor::default()] {
            let call = CallId::new(ONE);
            let long = event.clean_row(Some(ONE.into()), 5, &redactor);
            prop_assert_eq!(event.row(Some(&call), 5, &redactor), long);
        }
    }
}
