use super::*;
use crate::audit::verify::tests::{House, signer};
use crate::audit::{Against, Broken};
use crate::store::{EventRow, HoldRow, HoldState};

#[test]
fn places_that_follow_each_other_are_one_span() {
    assert_eq!(spans([1, 2, 3, 5, 8, 9]), [(1, 3), (5, 5), (8, 9)]);
    assert_eq!(spans([]), []);
}

/// Whether any of the store's files still holds a text.
fn holds(house: &House, text: &str) -> bool {
    std::fs::read_dir(house.folder.path()).expect("a folder").any(|entry| {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("a file");
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn an_erased_payload_is_gone_from_the_file_and_the_trail_verifies() {
    let house = House::new().await;
    let of = |call: &str| format!(r#""of":"{call}""#);
    assert!(holds(&house, &of("c3")));
    let store = House::store(&house.folder).await;
    let whose = Whose::Call("c3".into());
    assert_eq!(erase(&store, &signer(1), &whose, "operator:o").await.expect("erased"), 1);
    assert_eq!(erase(&store, &signer(1), &whose, "operator:o").await.expect("erased"), 0);
    store.close().await;
    assert!(!holds(&house, &of("c3")) && holds(&house, &of("c4")));
    let anchors = std::slice::from_ref(&house.anchor);
    let found = house.verify(Against { anchors, key: None }).await.expect("verified");
    assert_eq!((found.erased, found.anchors, found.last), (1, 1, 11));
    // Who has erased one has not erased another.
    house
        .sql(
            "UPDATE events SET payload = NULL, salt = NULL, payload_digest = zeroblob(32) \
             WHERE seq = 5",
        )
        .await;
    let gone = Broken::PayloadGone { seq: 5, call: Some("c4".into()) };
    assert_eq!(house.verify(Against::default()).await, Err(gone));
}

#[tokio::test]
async fn an_identity_s_payloads_are_erased_and_no_other_s() {
    let house = House::new().await;
    let store = House::store(&house.folder).await;
    let nobody = Whose::Identity("bob".into());
    assert_eq!(erase(&store, &signer(1), &nobody, "operator:o").await.expect("erased"), 0);
    let alice = Whose::Identity("alice".into());
    assert_eq!(erase(&store, &signer(1), &alice, "operator:o").await.expect("erased"), 10);
    store.close().await;
    assert_eq!(house.verify(Against::default()).await.expect("verified").erased, 10);
}

#[tokio::test]
async fn what_is_too_old_goes_and_the_rest_verifies() {
    let house = House::new().await;
    let store = House::store(&house.folder).await;
    let open = EventRow { outcome: None, ..crate::audit::verify::tests::event("open", "received") };
    let events = vec![EventRow { at: 2, ..open }].into();
    let _ = store.commit(Batch { events, ..Batch::default() }).await.expect("written");
    // All are from 1970.
    let keep = Keep { calls: Some(Duration::from_hours(24)), ..Keep::default() };
    let removed = retain(&store, &signer(1), keep).await.expect("removed");
    assert_eq!(removed, Removed { payloads: 0, upto: Some(10) });
    let left = store.events_after(0).await.expect("events");
    let kinds: Vec<&str> = left.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["received", "records_pruned"], "a call without an end stays");
    let keep = Keep { payloads: Some(Duration::from_hours(1)), ..Keep::default() };
    let removed = retain(&store, &signer(1), keep).await.expect("removed");
    assert_eq!(removed, Removed { payloads: 1, upto: None });
    store.close().await;
    let anchors = std::slice::from_ref(&house.anchor);
    let found = house.verify(Against { anchors, key: None }).await.expect("verified");
    assert_eq!((found.pruned_to, found.anchors, found.anchors_too_old), (Some(10), 0, 1));
    house.sql("DELETE FROM events WHERE seq = 11").await;
    let missing = Broken::Missing { from: 11, to: 11 };
    assert_eq!(house.verify(Against::default()).await, Err(missing));
}

/// A held call that says `told` wherever an agent or a person can say something.
fn held(id: &str, told: &str, expires: i64) -> HoldRow {
    let text = format!(r#"{{"a":"{told}"}}"#);
    HoldRow {
        id: id.to_owned(),
        call: "c3".to_owned(),
        identity: "alice".to_owned(),
        tool: "t".to_owned(),
        digest: id.to_owned(),
        arguments: text.clone(),
        given: text,
        target: format!("GET https://shop.example/{told}"),
        claimed: format!(r#"["{told}"]"#),
        known: Some(told.to_owned()),
        stated: Some(told.to_owned()),
        rule: "r".to_owned(),
        placed: 1,
        expires,
        asks_operator: true,
        ..HoldRow::default()
    }
}

async fn commit(store: &Store, change: Change) {
    let batch = Batch { changes: vec![change], ..Batch::default() };
    let _ = store.commit(batch).await.expect("written");
}

#[tokio::test]
async fn a_held_call_that_is_erased_is_gone_once_nobody_decides_on_it() {
    let house = House::new().await;
    let store = House::store(&house.folder).await;
    let later = store.now() + 3_600_000_000;
    commit(&store, Change::PlaceHold(Box::new(held("h_1", "secretly", later)))).await;
    let whose = Whose::Call("c3".into());
    assert_eq!(erase(&store, &signer(1), &whose, "operator:o").await.expect("erased"), 1);
    let hold = store.hold("h_1").await.expect("read").expect("a hold");
    assert!(hold.given.contains("secretly"), "whoever decides must see it");
    let reason = Some("secretly, no".to_owned());
    let (id, by, state) = ("h_1".into(), "operator:o".into(), HoldState::Rejected);
    commit(&store, Change::DecideHold { id, state, by, user: None, reason, edits: None }).await;
    commit(&store, Change::Sweep).await;
    store.give_back().await.expect("given back");
    let hold = store.hold("h_1").await.expect("read").expect("a hold");
    assert_eq!((hold.state, &*hold.given), (HoldState::Rejected, ""));
    store.close().await;
    assert!(!holds(&house, "secretly"));
}

#[tokio::test]
async fn what_is_kept_of_held_calls_is_as_old_as_what_is_kept_of_calls() {
    let house = House::new().await;
    let store = House::store(&house.folder).await;
    let later = store.now() + 3_600_000_000;
    for hold in [held("h_1", "long ago", 2), held("h_2", "still open", later)] {
        commit(&store, Change::PlaceHold(Box::new(hold))).await;
    }
    let keep = Keep { payloads: Some(Duration::from_hours(1)), ..Keep::default() };
    retain(&store, &signer(1), keep).await.expect("removed");
    let given = async |id| store.hold(id).await.expect("read").map(|hold| hold.given);
    assert_eq!(given("h_1").await.as_deref(), Some(""));
    assert!(given("h_2").await.is_some_and(|given| given.contains("still open")));
    let keep = Keep { calls: Some(Duration::from_hours(1)), ..Keep::default() };
    retain(&store, &signer(1), keep).await.expect("removed");
    assert_eq!(given("h_1").await, None);
    assert!(given("h_2").await.is_some());
    store.close().await;
    assert!(!holds(&house, "long ago"));
}

#[tokio::test]
async fn a_held_call_stays_for_as_long_as_its_call_does() {
    let house = House::new().await;
    let store = House::store(&house.folder).await;
    let row = |call: &str, kind, at, outcome: Option<&str>| {
        let event = crate::audit::verify::tests::event(call, kind);
        EventRow { at, outcome: outcome.map(str::to_owned), ..event }
    };
    // A call that has no end is before it, so neither of them goes.
    let events = vec![
        row("open", "received", 2, None),
        row("c11", "received", 3, None),
        row("c11", "replied", 3, Some("held")),
    ];
    let _ = store.commit(Batch { events: events.into(), ..Batch::default() }).await.expect("kept");
    let hold = HoldRow { call: "c11".to_owned(), placed: 3, ..held("h_1", "why", 4) };
    commit(&store, Change::PlaceHold(Box::new(hold))).await;
    let keep = Keep { calls: Some(Duration::from_hours(1)), ..Keep::default() };
    retain(&store, &signer(1), keep).await.expect("removed");
    let left = store.events_after(0).await.expect("events");
    assert!(left.iter().any(|event| event.call.as_deref() == Some("c11")), "{left:?}");
    assert!(store.hold("h_1").await.expect("read").is_some(), "its call is there");
    let events = vec![row("open", "replied", 5, Some("succeeded"))].into();
    let _ = store.commit(Batch { events, ..Batch::default() }).await.expect("kept");
    retain(&store, &signer(1), keep).await.expect("removed");
    let left = store.events_after(0).await.expect("events");
    assert!(left.iter().all(|event| event.call.as_deref() != Some("c11")), "{left:?}");
    assert_eq!(store.hold("h_1").await.expect("read"), None);
}

#[tokio::test]
async fn events_stay_unless_the_trail_says_that_they_go() {
    let house = House::new().await;
    let store = House::store(&house.folder).await;
    for change in [Change::Prune { through: 3 }, Change::ErasePayloads(vec![(3, [0; 32])])] {
        let changes = vec![change];
        let refused = store.commit(Batch { changes, ..Batch::default() }).await;
        assert!(refused.expect_err("refused").to_string().contains("append-only"));
    }
    store.close().await;
    assert_eq!(house.verify(Against::default()).await.expect("verified").events, 10);
}

#[tokio::test]
async fn the_oldest_calls_go_until_the_store_is_as_large_as_it_may_be() {
    let house = House::new().await;
    let store = House::store(&house.folder).await;
    let long = |n: u32| EventRow {
        payload: Some(format!(r#"{{"arguments":{{"of":"big{n}","is":"{}"}}}}"#, "x".repeat(1_000))),
        ..crate::audit::verify::tests::event(&format!("big{n}"), "received")
    };
    let events: Vec<EventRow> = (0..2_000).map(long).collect();
    let _ = store.commit(Batch { events: events.into(), ..Batch::default() }).await.expect("kept");
    let info = store.info().await.expect("read");
    let most = (info.bytes - info.free) / 2;
    let keep = Keep { bytes: Some(most), ..Keep::default() };
    let removed = retain(&store, &signer(1), keep).await.expect("removed");
    let upto = removed.upto.expect("something went");
    assert!((800..1_300).contains(&upto), "{upto}");
    let info = store.info().await.expect("read");
    assert!(info.bytes - info.free < most + most / 5, "{} of {most}", info.bytes - info.free);
    let left = store.events_after(0).await.expect("events");
    assert_eq!(left[0].seq, upto + 1);
    assert_eq!(left.last().map(|event| event.kind.as_str()), Some("records_pruned"));
    // What is left is not too much.
    let more = Keep { bytes: Some(most * 2), ..Keep::default() };
    assert_eq!(retain(&store, &signer(1), more).await.expect("kept"), Removed::default());
    store.close().await;
    let found = house.verify(Against::default()).await.expect("verified");
    assert_eq!(found.pruned_to, Some(upto));
    assert!(!holds(&house, "\"of\":\"big1\""), "what went is overwritten");
}
