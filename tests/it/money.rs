//! Tools with a price, and a facilitator that is down.

use std::time::{Duration, Instant};

use serde_json::json;
use tollbridge::gateway::{CallRequest, Reply};

use super::support::{Act, Answer, Bridge, Draft, Upstream, code, failure, request};

async fn priced(upstream: &Upstream, facilitator: &str) -> Bridge {
    Draft::to(&upstream.url())
        .settled_at(facilitator)
        .tool("getItem", "name = \"forecast\"\nprice = \"0.01 USDC\"")
        .tool("listItems", "name = \"free\"")
        .open()
        .await
}

/// The events of a call.
async fn kinds(bridge: &Bridge, reply: &Reply) -> Vec<String> {
    let events = bridge.record(reply).await.events;
    events.iter().filter_map(|event| event.body["kind"].as_str().map(str::to_owned)).collect()
}

const ITEM: &str = r#"{"id": "7"}"#;

#[tokio::test]
async fn a_call_without_a_payment_is_asked_for_one_as_x402_says() {
    let (upstream, facilitator) = (Upstream::willing().await, Upstream::willing().await);
    let bridge = priced(&upstream, &facilitator.url()).await;
    let reply = bridge.call("forecast", ITEM).await;
    assert_eq!(code(&reply), "payment_required");
    let required = failure(&reply).payment_required.as_ref().expect("what x402 wants");
    insta::assert_snapshot!(format!("{required:#}"));
    assert!(failure(&reply).retryable);
    let record = bridge.record(&reply).await;
    let quoted = record.events.iter().find(|event| event.body["kind"] == "quoted").unwrap();
    assert_eq!(quoted.body["price"], "0.01 USDC");
    assert_eq!(&quoted.body["terms"], required);
    assert_eq!((record.attempts.len(), record.cost), (0, None));
    assert_eq!(kinds(&bridge, &reply).await, ["received", "decided", "quoted", "replied"]);
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn a_payment_is_not_taken_and_nothing_is_done() {
    let (upstream, facilitator) = (Upstream::willing().await, Upstream::willing().await);
    let bridge = priced(&upstream, &facilitator.url()).await;
    let payment = json!({"x402Version": 2, "payload": {"signature": "0xabc"}});
    let request = CallRequest { payment: Some(payment), ..request("forecast", ITEM) };
    let reply = bridge.ask("bot", request).await.unwrap();
    assert_eq!(code(&reply), "settlement_unavailable");
    assert!(!failure(&reply).retryable);
    assert_eq!(upstream.count(), 0);
    let asked: Vec<String> = facilitator.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(asked, ["GET /supported"], "nobody is asked to settle it");
    // It was told no price, and nothing was reserved for it.
    assert_eq!(kinds(&bridge, &reply).await, ["received", "decided", "replied"]);
    assert_eq!(bridge.outcomes().await, ["settlement_unavailable"]);
}

#[tokio::test]
async fn a_facilitator_that_cannot_be_reached_stops_priced_tools_only() {
    let upstream = Upstream::willing().await;
    let bridge = priced(&upstream, &Upstream::nowhere().await).await;
    let reply = bridge.call("forecast", ITEM).await;
    assert_eq!(code(&reply), "settlement_unavailable");
    assert_eq!(failure(&reply).retry_after_s, Some(30));
    assert_eq!(code(&bridge.call("free", "{}").await), "succeeded");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn a_facilitator_that_answers_with_an_error_is_none() {
    let upstream = Upstream::willing().await;
    for status in [302, 404, 500] {
        let facilitator =
            Upstream::new([Answer::json(status, "{}").header("location", "/x")]).await;
        let bridge = priced(&upstream, &facilitator.url()).await;
        let reply = bridge.call("forecast", ITEM).await;
        assert_eq!(code(&reply), "settlement_unavailable", "{status}");
        assert_eq!(facilitator.count(), 1, "{status}");
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn a_facilitator_that_hangs_costs_two_seconds_and_free_tools_nothing() {
    let (upstream, facilitator) = (Upstream::willing().await, Upstream::new([Act::Hang]).await);
    let bridge = priced(&upstream, &facilitator.url()).await;
    let begun = Instant::now();
    let free = async {
        facilitator.until_seen(1).await;
        let reply = bridge.call("free", "{}").await;
        (code(&reply), begun.elapsed())
    };
    let (reply, (ended, after)) = tokio::join!(bridge.call("forecast", ITEM), free);
    assert_eq!((code(&reply), ended), ("settlement_unavailable", "succeeded"));
    assert!(begun.elapsed() < Duration::from_millis(3_500), "{:?}", begun.elapsed());
    assert!(after < Duration::from_millis(1_500), "{after:?}");
    // What was found stands for a while: the next call does not wait.
    let begun = Instant::now();
    assert_eq!(code(&bridge.call("forecast", ITEM).await), "settlement_unavailable");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn many_calls_at_once_wait_for_a_hanging_facilitator_together() {
    let (upstream, facilitator) = (Upstream::willing().await, Upstream::new([Act::Hang]).await);
    let bridge = priced(&upstream, &facilitator.url()).await;
    let begun = Instant::now();
    let calls = (0..20).map(|_| bridge.call("forecast", ITEM));
    let replies = futures::future::join_all(calls).await;
    assert!(replies.iter().all(|reply| code(reply) == "settlement_unavailable"));
    assert!(begun.elapsed() < Duration::from_millis(3_500), "{:?}", begun.elapsed());
}
