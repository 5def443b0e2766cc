//! Calls that nobody waits for any more, and toolboxes that are swapped under them.

use std::time::Duration;

use tollbridge::audit::{self, Filter};
use tollbridge::gateway::{CallWatch, Refused};

use super::support::{Act, Answer, Bridge, Draft, Upstream, caller, code, failure, request};

#[tokio::test]
async fn cancelling_closes_the_upstreams_connection_and_is_on_record() {
    let upstream = Upstream::new([Act::Hang]).await;
    let bridge = Bridge::offering(&upstream, &["createRefund"]).await;
    let watch = CallWatch::default();
    let cancel = watch.cancel.clone();
    let request = request("create_refund", r#"{"body": {"amount": 5}}"#);
    let cancelled = async {
        upstream.until_seen(1).await;
        cancel.cancel();
        upstream.until_closed(1).await;
    };
    let (reply, ()) = tokio::join!(bridge.gateway.call(caller("bot"), request, watch), cancelled);
    let reply = reply.unwrap();
    assert_eq!(code(&reply), "cancelled");
    let message = &failure(&reply).message;
    assert!(message.contains("may have carried it out"), "{message}");
    let record = bridge.record(&reply).await;
    assert_eq!(record.outcome.as_deref(), Some("cancelled"));
    assert!(record.attempts[0].duration_ms.is_some(), "its attempt has an end");
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled_and_its_end_recorded() {
    let upstream = Upstream::new([Act::Hang]).await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    let gateway = bridge.gateway.clone();
    let call = tokio::spawn(async move {
        gateway.call(caller("bot"), request("list_items", "{}"), CallWatch::default()).await
    });
    upstream.until_seen(1).await;
    call.abort();
    upstream.until_closed(1).await;
    for _ in 0..200 {
        if bridge.outcomes().await == ["cancelled"] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("its end was not recorded: {:?}", bridge.outcomes().await);
}

#[tokio::test]
async fn a_wait_between_attempts_ends_with_the_call() {
    let busy = Answer::json(503, "{}").header("retry-after", "20");
    let upstream = Upstream::new([busy]).await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    let watch = CallWatch::default();
    let cancel = watch.cancel.clone();
    let call = bridge.gateway.call(caller("bot"), request("list_items", "{}"), watch);
    let cancelled = async {
        upstream.until_seen(1).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        cancel.cancel();
    };
    let both = async { tokio::join!(call, cancelled) };
    let (reply, ()) = tokio::time::timeout(Duration::from_secs(5), both).await.unwrap();
    assert_eq!(code(&reply.unwrap()), "cancelled");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn a_call_that_was_cancelled_before_it_went_out_takes_nothing_up() {
    let upstream = Upstream::willing().await;
    let rules = "name = \"list\"\ncalls = { limit = 1, per = \"1h\" }";
    let bridge = Draft::to(&upstream.url()).tool("listItems", rules).open().await;
    let watch = CallWatch::default();
    watch.cancel.cancel();
    let reply = bridge.gateway.call(caller("bot"), request("list", "{}"), watch).await.unwrap();
    assert_eq!(code(&reply), "cancelled");
    assert_eq!(upstream.count(), 0);
    assert_eq!(code(&bridge.call("list", "{}").await), "succeeded");
}

#[tokio::test]
async fn a_call_in_flight_ends_on_the_toolbox_that_it_began_with() {
    let acts = [Act::Gate(Answer::json(503, "{}")), Act::Answer(Answer::json(200, "[]"))];
    let upstream = Upstream::new(acts).await;
    let elsewhere = Upstream::willing().await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    let mut changes = bridge.gateway.changes();
    let swapped = async {
        upstream.until_seen(1).await;
        bridge.reload(Draft::to(&elsewhere.url()).tool("getItem", "")).await;
        upstream.release(1);
    };
    let (reply, ()) = tokio::join!(bridge.call("list_items", "{}"), swapped);
    assert_eq!(code(&reply), "succeeded");
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    assert_eq!((upstream.count(), elsewhere.count()), (2, 0));
    let gone = bridge.ask("bot", request("list_items", "{}")).await;
    assert!(matches!(gone, Err(Refused::UnknownTool { .. })));
    assert_eq!(code(&bridge.call("get_item", r#"{"id": "7"}"#).await), "succeeded");
    let digests: Vec<_> = bridge.trail().await.into_iter().map(|call| call.config).collect();
    assert_ne!(digests[0], digests[2], "each call names the configuration that it ran on");
}

#[tokio::test]
async fn closing_waits_for_the_calls_in_flight_and_their_record() {
    let upstream = Upstream::new([Act::Gate(Answer::json(200, "[]"))]).await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    let gateway = bridge.gateway.clone();
    let closed = async {
        upstream.until_seen(1).await;
        let closing = tokio::spawn(gateway.close());
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!closing.is_finished());
        upstream.release(1);
        closing.await.unwrap();
    };
    let (reply, ()) = tokio::join!(bridge.call("list_items", "{}"), closed);
    assert_eq!(code(&reply), "succeeded");
    let store = bridge.other_store().await;
    let calls = audit::calls(&store, &Filter::default()).await.unwrap();
    assert_eq!(calls[0].outcome.as_deref(), Some("succeeded"));
    assert_eq!(code(&bridge.call("list_items", "{}").await), "audit_unavailable");
    assert_eq!(upstream.count(), 1);
}
