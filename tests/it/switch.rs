//! The kill switch, turned by another process.

use std::time::Duration;

use tollbridge::gateway;
use tollbridge::store::{StopScope, Store};

use super::support::{Act, Answer, Bridge, Draft, Upstream, code, failure, request};

async fn stop(store: &Store, scope: &StopScope) {
    gateway::stop(store, scope.clone(), "operator:ann").await.expect("it stops");
}

async fn resume(store: &Store, scope: &StopScope) {
    gateway::resume(store, scope.clone(), "operator:ann").await.expect("it resumes");
}

#[tokio::test]
async fn a_stop_takes_effect_on_the_next_call_and_a_resume_too() {
    let upstream = Upstream::willing().await;
    let bridge = Bridge::offering(&upstream, &["listItems", "getItem"]).await;
    let store = bridge.other_store().await;
    for (scope, rule, item, ann) in [
        (StopScope::All, "stop:all", "stopped", "stopped"),
        (StopScope::Api("shop".into()), "stop:api:shop", "stopped", "stopped"),
        (StopScope::Tool("list_items".into()), "stop:tool:list_items", "succeeded", "stopped"),
        (StopScope::Identity("bot".into()), "stop:identity:bot", "stopped", "succeeded"),
        (StopScope::Api("other".into()), "", "succeeded", "succeeded"),
    ] {
        stop(&store, &scope).await;
        let before = upstream.count();
        let reply = bridge.call("list_items", "{}").await;
        let expected = if rule.is_empty() { "succeeded" } else { "stopped" };
        assert_eq!(code(&reply), expected, "{scope:?}");
        if expected == "stopped" {
            assert_eq!(upstream.count(), before, "{scope:?}");
            assert_eq!(bridge.record(&reply).await.decision.unwrap().rules, [rule]);
            assert!(!failure(&reply).retryable);
        }
        assert_eq!(code(&bridge.call("get_item", r#"{"id": "1"}"#).await), item, "{scope:?}");
        assert_eq!(code(&bridge.call_as("ann", "list_items", "{}").await), ann, "{scope:?}");
        resume(&store, &scope).await;
        assert_eq!(code(&bridge.call("list_items", "{}").await), "succeeded", "{scope:?}");
    }
}

#[tokio::test]
async fn no_further_attempt_starts_once_it_is_stopped() {
    let busy = Answer::json(503, "{}").header("retry-after", "1");
    let upstream = Upstream::new([busy]).await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    let turned = async {
        upstream.until_seen(1).await;
        stop(&bridge.other_store().await, &StopScope::All).await;
    };
    let (reply, ()) = tokio::join!(bridge.call("list_items", "{}"), turned);
    assert_eq!(code(&reply), "stopped");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(upstream.count(), 1);
    let record = bridge.record(&reply).await;
    assert_eq!(record.attempts.len(), 1, "what did not start is not on record");
    assert_eq!(record.attempts[0].status, Some(503));
    assert_eq!(record.outcome.as_deref(), Some("stopped"));
}

#[tokio::test]
async fn a_request_that_is_out_when_it_is_stopped_may_end() {
    let upstream = Upstream::new([Act::Gate(Answer::json(200, "[1]"))]).await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    let turned = async {
        upstream.until_seen(1).await;
        stop(&bridge.other_store().await, &StopScope::All).await;
        upstream.release(1);
    };
    let (reply, ()) = tokio::join!(bridge.call("list_items", "{}"), turned);
    assert_eq!(code(&reply), "succeeded");
}

#[tokio::test]
async fn a_request_that_waits_for_its_turn_when_it_is_stopped_does_not_go_out() {
    let upstream = Upstream::new([Act::Gate(Answer::json(200, "[1]"))]).await;
    let bridge = Draft::to(&upstream.url())
        .api("max_concurrency = 1")
        .tool("listItems", "")
        .tool("createRefund", "")
        .open()
        .await;
    let waiting = async {
        upstream.until_seen(1).await;
        bridge.call("create_refund", r#"{"body": {"amount": 5}}"#).await
    };
    let turned = async {
        upstream.until_seen(1).await;
        while bridge.gateway.metrics_text().contains("_calls_waiting{api=\"shop\"} 0") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop(&bridge.other_store().await, &StopScope::All).await;
        upstream.release(1);
    };
    let (first, second, ()) = tokio::join!(bridge.call("list_items", "{}"), waiting, turned);
    assert_eq!((code(&first), code(&second)), ("succeeded", "stopped"));
    assert_eq!(upstream.count(), 1);
    assert!(!failure(&second).retryable);
    let record = bridge.record(&second).await;
    assert_eq!(record.outcome.as_deref(), Some("stopped"));
    let error = record.attempts[0].error.as_deref().expect("why");
    assert!(error.starts_with("not sent: "), "{error}");
}

#[tokio::test]
async fn a_first_outcome_is_not_given_again_while_it_is_stopped() {
    let upstream = Upstream::new([Answer::json(201, r#"{"id": 1}"#)]).await;
    let bridge = Bridge::offering(&upstream, &["createRefund"]).await;
    let store = bridge.other_store().await;
    let named = || tollbridge::gateway::CallRequest {
        idempotency_key: Some("k".to_owned()),
        ..request("create_refund", r#"{"body": {"amount": 5}}"#)
    };
    let ask = async || bridge.ask("bot", named()).await.expect("a reply");
    assert_eq!(code(&ask().await), "succeeded");
    let bot = StopScope::Identity("bot".into());
    stop(&store, &bot).await;
    let stopped = ask().await;
    assert_eq!(code(&stopped), "stopped");
    let decision = bridge.record(&stopped).await.decision.expect("a decision");
    assert_eq!(decision.rules, ["stop:identity:bot"]);
    resume(&store, &bot).await;
    assert_eq!((code(&ask().await), upstream.count()), ("succeeded", 1));
}

#[tokio::test]
async fn what_is_stopped_asks_neither_for_an_approval_nor_for_a_payment() {
    let (upstream, facilitator) = (Upstream::willing().await, Upstream::willing().await);
    let bridge = Draft::to(&upstream.url())
        .settled_at(&facilitator.url())
        .tool("listItems", "name = \"held\"\nhold = true")
        .tool("listItems", "name = \"priced\"\nprice = \"0.01 USDC\"")
        .open()
        .await;
    let store = bridge.other_store().await;
    stop(&store, &StopScope::All).await;
    for tool in ["held", "priced"] {
        let reply = bridge.call(tool, "{}").await;
        assert_eq!(code(&reply), "stopped", "{tool}");
        assert_eq!(bridge.record(&reply).await.decision.unwrap().rules, ["stop:all"]);
    }
    assert!(store.holds(None).await.unwrap().is_empty());
    assert_eq!((upstream.count(), facilitator.count()), (0, 0));
    resume(&store, &StopScope::All).await;
    assert_eq!(code(&bridge.call("held", "{}").await), "held");
    assert_eq!(code(&bridge.call("priced", "{}").await), "payment_required");
}

#[tokio::test]
async fn a_stop_between_approval_and_repeat_keeps_the_approval() {
    let upstream = Upstream::willing().await;
    let bridge =
        Draft::to(&upstream.url()).tool("listItems", "name = \"held\"\nhold = true").open().await;
    let held = bridge.call("held", "{}").await;
    bridge.approve(&failure(&held).hold.as_ref().unwrap().id).await;
    let store = bridge.other_store().await;
    stop(&store, &StopScope::Tool("held".into())).await;
    assert_eq!(code(&bridge.call("held", "{}").await), "stopped");
    resume(&store, &StopScope::Tool("held".into())).await;
    assert_eq!(code(&bridge.call("held", "{}").await), "succeeded");
    assert_eq!(upstream.count(), 1);
}
