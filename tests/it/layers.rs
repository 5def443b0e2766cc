//! The order of a call through the layers, and what an identity sees.

use super::support::{Bridge, Draft, Upstream, code, failure, value};

#[tokio::test]
async fn a_call_reaches_the_upstream_and_is_on_record() {
    let upstream = Upstream::willing().await;
    let bridge = Bridge::offering(&upstream, &["getItem"]).await;
    let reply = bridge.call("get_item", r#"{"id": "7"}"#).await;
    assert_eq!(value(&reply), &serde_json::json!({}));
    assert_eq!(upstream.seen()[0].line, "GET /items/7");
    let record = bridge.record(&reply).await;
    assert_eq!(record.outcome.as_deref(), Some("succeeded"));
    assert_eq!(record.served_by, Some(format!("{}/items/7", upstream.url())));
    assert_eq!(record.attempts.len(), 1);
}

#[tokio::test]
async fn a_limit_is_exact_to_the_last_digit_and_numbers_keep_theirs() {
    let upstream = Upstream::willing().await;
    let bridge = Draft::to(&upstream.url())
        .tool("createRefund", "[tool.args.\"/body/amount\"]\nmax = 500")
        .open()
        .await;
    let above = r#"{"body": {"amount": 500.0000000000000000001}}"#;
    let reply = bridge.call("create_refund", above).await;
    assert_eq!(code(&reply), "denied");
    assert!(failure(&reply).message.contains("/body/amount"), "{reply:?}");
    assert_eq!(upstream.count(), 0);
    for amount in ["500", "5e2", "500.000", "0.10000000000000000000000001"] {
        let reply =
            bridge.call("create_refund", &format!(r#"{{"body": {{"amount": {amount}}}}}"#)).await;
        assert_eq!(code(&reply), "succeeded", "{amount}");
        let sent = upstream.seen().pop().expect("a request").body;
        assert_eq!(sent, format!(r#"{{"amount":{amount}}}"#));
    }
    let record = &bridge.trail().await[0];
    let decision = record.decision.as_ref().expect("a decision");
    assert_eq!(decision.rules, ["create_refund.args./body/amount.max=500"]);
}
