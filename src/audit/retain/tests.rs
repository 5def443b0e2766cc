use super::*;
use crate::audit::verify::tests::{House, signer};
use crate::audit::{Against, Broken};
use crate::store::EventRow;

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
