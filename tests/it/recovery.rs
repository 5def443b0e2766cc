//! Upstreams that fail: what is repeated, what is not, and what the trail says of it.

use std::time::{Duration, Instant};

use tollbridge::audit::CallRecord;

use super::support::{Act, Answer, Bridge, Draft, Upstream, code, failure, value};

const FIVE: &str = r#"{"body": {"amount": 5}}"#;

fn statuses(record: &CallRecord) -> Vec<Option<u16>> {
    record.attempts.iter().map(|attempt| attempt.status).collect()
}

#[tokio::test]
async fn a_read_is_repeated_after_a_503_and_the_trail_has_both_attempts() {
    let upstream = Upstream::new([Answer::json(503, "{}"), Answer::json(200, "[1]")]).await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    let reply = bridge.call("list_items", r#"{"limit": 3}"#).await;
    assert_eq!(value(&reply), &serde_json::json!([1]));
    assert_eq!((reply.meta.attempts, reply.meta.status), (2, Some(200)));
    let url = format!("{}/items?limit=3", upstream.url());
    assert_eq!(reply.meta.served_by.as_ref(), Some(&url));
    let record = bridge.record(&reply).await;
    assert_eq!(statuses(&record), [Some(503), Some(200)]);
    assert_eq!(record.served_by.as_ref(), Some(&url));
    assert!(record.attempts.iter().all(|a| a.url == url && a.method == "GET"));
    assert_eq!(record.attempts[1].bytes, Some(3));
    let why = record
        .events
        .iter()
        .filter(|event| event.body["kind"] == "attempt_started")
        .filter_map(|event| event.body.get("why")?.as_str())
        .collect::<Vec<_>>();
    assert_eq!(why, ["answered 503 Service Unavailable"]);
}

#[tokio::test]
async fn a_write_waits_as_a_429_asks_and_is_repeated() {
    let busy = Answer::json(429, "{}").header("retry-after", "1");
    let upstream = Upstream::new([busy, Answer::json(201, r#"{"ok": true}"#)]).await;
    let bridge = Bridge::offering(&upstream, &["createRefund"]).await;
    let reply = bridge.call("create_refund", FIVE).await;
    assert_eq!(code(&reply), "succeeded");
    let seen = upstream.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen[1].at - seen[0].at >= Duration::from_millis(990));
    assert_eq!(seen[0].body, seen[1].body);
    let record = bridge.record(&reply).await;
    assert_eq!(statuses(&record), [Some(429), Some(201)]);
    assert!(record.attempts[1].wait_ms >= 1_000, "{record:?}");
}

#[tokio::test]
async fn a_write_that_was_answered_503_is_not_repeated() {
    let upstream = Upstream::new([Answer::json(503, r#"{"why": "tired"}"#)]).await;
    let bridge = Bridge::offering(&upstream, &["createRefund"]).await;
    let reply = bridge.call("create_refund", FIVE).await;
    assert_eq!(code(&reply), "upstream_unavailable");
    assert!(!failure(&reply).retryable);
    let said = failure(&reply).upstream.as_ref().unwrap();
    assert_eq!((said.status, &said.body["why"]), (Some(503), &"tired".into()));
    assert_eq!(upstream.count(), 1);
    assert_eq!(statuses(&bridge.record(&reply).await), [Some(503)]);
}

#[tokio::test]
async fn what_is_set_may_be_done_twice_and_is_repeated() {
    let upstream = Upstream::new([Act::Reset, Act::Answer(Answer::json(200, "{}"))]).await;
    let bridge = Bridge::offering(&upstream, &["setStock"]).await;
    let reply = bridge.call("set_stock", r#"{"id": "7", "body": {"stock": 3}}"#).await;
    assert_eq!(code(&reply), "succeeded");
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn a_write_whose_connection_broke_after_the_request_has_an_unknown_outcome() {
    let upstream = Upstream::new([Act::Reset]).await;
    let bridge = Bridge::offering(&upstream, &["createRefund"]).await;
    let reply = bridge.call("create_refund", FIVE).await;
    assert_eq!(code(&reply), "outcome_unknown");
    assert!(!failure(&reply).retryable);
    assert_eq!(upstream.count(), 1);
    let record = bridge.record(&reply).await;
    assert_eq!(record.outcome.as_deref(), Some("outcome_unknown"));
    assert!(record.attempts[0].error.is_some());
    assert_eq!(record.served_by, None);
}

#[tokio::test]
async fn an_upstream_that_nobody_serves_is_unavailable_and_writes_are_retryable() {
    let url = Upstream::nowhere().await;
    let bridge = Draft::to(&url).tool("createRefund", "timeout = \"1s\"").open().await;
    let reply = bridge.call("create_refund", FIVE).await;
    assert_eq!(code(&reply), "upstream_unavailable");
    assert!(failure(&reply).retryable, "nothing was sent");
    let record = bridge.record(&reply).await;
    assert!(record.attempts.len() > 1, "what was not sent is tried again");
    assert!(record.attempts.iter().all(|attempt| attempt.error.is_some()));
}

#[tokio::test]
async fn nothing_is_waited_for_past_the_tools_own_timeout() {
    let later = Answer::json(503, "{}").header("retry-after", "60");
    for (act, read, write) in [
        (Act::Hang, "upstream_timeout", "outcome_unknown"),
        (Act::Answer(later), "upstream_unavailable", "upstream_unavailable"),
    ] {
        let upstream = Upstream::new([act]).await;
        let bridge = Draft::to(&upstream.url())
            .tool("listItems", "timeout = \"300ms\"")
            .tool("createRefund", "timeout = \"300ms\"")
            .open()
            .await;
        let begun = Instant::now();
        let replies =
            tokio::join!(bridge.call("list_items", "{}"), bridge.call("create_refund", FIVE));
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        assert_eq!((code(&replies.0), code(&replies.1)), (read, write));
    }
}

#[tokio::test]
async fn a_limit_of_the_upstreams_that_cannot_be_waited_for_is_handed_on() {
    let busy = Answer::json(429, "{}").header("retry-after", "60");
    let upstream = Upstream::new([busy]).await;
    let bridge = Bridge::offering(&upstream, &["createRefund"]).await;
    let reply = bridge.call("create_refund", FIVE).await;
    assert_eq!(code(&reply), "rate_limited");
    assert_eq!((failure(&reply).retryable, failure(&reply).retry_after_s), (true, Some(60)));
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn an_answer_above_the_limit_is_not_returned() {
    let long = format!("[\"{}\"]", "x".repeat(5_000));
    let upstream = Upstream::new([Answer::json(200, long)]).await;
    let bridge = Draft::to(&upstream.url())
        .api("max_response = \"1KiB\"")
        .tool("listItems", "")
        .tool("createRefund", "")
        .open()
        .await;
    for (tool, arguments) in [("list_items", "{}"), ("create_refund", FIVE)] {
        let reply = bridge.call(tool, arguments).await;
        assert_eq!(code(&reply), "response_too_large", "{tool}");
        assert!(!format!("{reply:?}").contains("xxxx"));
    }
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn what_the_api_says_when_it_refuses_is_told_and_never_repeated() {
    for status in [400, 401, 404, 409, 422, 501] {
        let upstream = Upstream::new([Answer::json(status, r#"{"field": "limit"}"#)]).await;
        let bridge = Bridge::offering(&upstream, &["listItems"]).await;
        let reply = bridge.call("list_items", "{}").await;
        assert_eq!(code(&reply), "upstream_error", "{status}");
        let said = failure(&reply).upstream.as_ref().unwrap();
        assert_eq!((said.status, &said.body["field"]), (Some(status), &"limit".into()));
        assert!(!failure(&reply).next_step.is_empty());
        assert_eq!(upstream.count(), 1, "{status}");
    }
}
