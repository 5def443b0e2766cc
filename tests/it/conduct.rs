//! An agent that goes wrong without noticing: the same call again and again, or failures alone.

use super::support::{Answer, Draft, Upstream, code, failure};

const SAFETY: &str = "[audit]\ndurability = \"process\"\n[safety]\n";

#[tokio::test]
async fn the_same_call_is_made_so_often_and_no_more() {
    let upstream = Upstream::willing().await;
    let bridge = Draft::to(&upstream.url())
        .top(&format!("{SAFETY}loops = {{ limit = 3, per = \"1m\" }}\n"))
        .tool("listItems", "name = \"list\"")
        .tool("listItems", "name = \"poll\"\nloops = { limit = 5, per = \"1m\" }")
        .tool("createRefund", "name = \"refund\"\nhold = true")
        .open()
        .await;
    for _ in 0..3 {
        assert_eq!(code(&bridge.call("list", r#"{"limit": 1}"#).await), "succeeded");
    }
    let looped = bridge.call("list", r#"{"limit": 1}"#).await;
    assert_eq!(code(&looped), "rate_limited");
    let told = failure(&looped);
    assert!(told.message.contains("3 times in 60 s"), "{}", told.message);
    assert!(told.retry_after_s.is_some_and(|wait| (1..=60).contains(&wait)));
    assert_eq!(bridge.record(&looped).await.decision.unwrap().rules, ["list.loops"]);
    // Others, and other arguments, are other calls.
    assert_eq!(code(&bridge.call("list", r#"{"limit": 2}"#).await), "succeeded");
    assert_eq!(code(&bridge.call_as("ann", "list", r#"{"limit": 1}"#).await), "succeeded");
    for _ in 0..5 {
        assert_eq!(code(&bridge.call("poll", "{}").await), "succeeded");
    }
    assert_eq!(code(&bridge.call("poll", "{}").await), "rate_limited");
    // Asking whether a person has decided is no loop.
    for _ in 0..5 {
        assert_eq!(code(&bridge.call("refund", r#"{"body": {"amount": 1}}"#).await), "held");
    }
    assert_eq!(upstream.count(), 10);
}

#[tokio::test]
async fn nothing_more_is_taken_of_an_identity_whose_calls_fail() {
    let upstream = Upstream::new([Answer::json(404, "{}")]).await;
    let bridge = Draft::to(&upstream.url())
        .top(&format!("{SAFETY}errors = {{ limit = 3, per = \"1m\", pause = \"5m\" }}\n"))
        .tool("listItems", "name = \"list\"")
        .open()
        .await;
    assert_eq!(code(&bridge.call("list", r#"{"limit": 0}"#).await), "invalid_arguments");
    assert!(bridge.ask("bot", super::support::request("lisst", "{}")).await.is_err());
    assert_eq!(code(&bridge.call("list", "{}").await), "upstream_error");
    let before = upstream.count();
    for _ in 0..3 {
        let paused = bridge.call("list", "{}").await;
        assert_eq!(code(&paused), "rate_limited");
        let wait = failure(&paused).retry_after_s.expect("a time");
        assert!((290..=300).contains(&wait), "{wait}");
        assert_eq!(bridge.record(&paused).await.decision.unwrap().rules, ["safety.errors"]);
    }
    assert_eq!(upstream.count(), before);
    assert_eq!(code(&bridge.call_as("ann", "list", "{}").await), "upstream_error");
}

#[tokio::test]
async fn where_no_pause_is_said_the_kill_switch_is_turned_on_for_it() {
    let upstream = Upstream::willing().await;
    let bridge = Draft::to(&upstream.url())
        .top(&format!("{SAFETY}errors = {{ limit = 2, per = \"1m\" }}\n"))
        .tool("listItems", "name = \"list\"")
        .open()
        .await;
    for _ in 0..2 {
        assert_eq!(code(&bridge.call("list", r#"{"limit": 0}"#).await), "invalid_arguments");
    }
    assert_eq!(code(&bridge.call("list", "{}").await), "stopped");
    assert_eq!(code(&bridge.call_as("ann", "list", "{}").await), "succeeded");
    let stops = bridge.gateway.store().stops().await.expect("the switch");
    assert_eq!(stops[0].by, "tollbridge: too many failures");
}

#[tokio::test]
async fn a_tool_whose_answers_are_not_as_described_is_stopped() {
    let upstream = Upstream::new([Answer::json(200, r#"{"stock": "many"}"#)]).await;
    let bridge = Draft::to(&upstream.url())
        .top(&format!("{SAFETY}drift = {{ limit = 2, per = \"1h\" }}\n"))
        .tool("getItem", "name = \"item\"")
        .tool("listItems", "name = \"list\"")
        .open()
        .await;
    for _ in 0..2 {
        assert_eq!(code(&bridge.call("item", r#"{"id": "a"}"#).await), "succeeded");
    }
    assert_eq!(code(&bridge.call("item", r#"{"id": "a"}"#).await), "stopped");
    assert_eq!(code(&bridge.call("list", "{}").await), "succeeded");
    let stops = bridge.gateway.store().stops().await.expect("the switch");
    assert_eq!(stops[0].by, "tollbridge: answers that are not as described");
}
