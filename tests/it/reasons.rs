//! Why a call is made, in the agent's words: on record, before whoever approves it, and nowhere else.

use serde_json::{Value, json};
use tollbridge::gateway;

use super::support::{Act, Answer, Bridge, Draft, Upstream, code, failure};

const WHY: &str = "the customer sent the parcel back";

/// A refund with a reason.
fn refund(reason: &str) -> String {
    json!({"body": {"amount": 5}, "reason": reason}).to_string()
}

async fn refunding(upstream: &Upstream, keys: &str) -> Bridge {
    let keys = format!("name = \"refund\"\nreason = \"required\"\n{keys}");
    Draft::to(&upstream.url()).tool("createRefund", &keys).open().await
}

#[tokio::test]
async fn a_reason_is_on_record_and_not_in_the_request() {
    let upstream = Upstream::willing().await;
    let bridge = refunding(&upstream, "").await;
    let reply = bridge.call("refund", &refund(WHY)).await;
    assert_eq!(code(&reply), "succeeded");
    let sent = &upstream.seen()[0];
    assert!(!format!("{sent:?}").contains("parcel"), "{sent:?}");
    assert_eq!(serde_json::from_str::<Value>(&sent.body).unwrap(), json!({"amount": 5}));
    let record = bridge.record(&reply).await;
    assert_eq!(record.reason.as_deref(), Some(WHY));
    assert_eq!(record.arguments, Some(json!({"body": {"amount": 5}})));
    assert_eq!(record.events[0].body["reason"], WHY);
}

#[tokio::test]
async fn a_call_without_the_reason_that_it_needs_is_refused_before_anything_is_decided() {
    let upstream = Upstream::willing().await;
    let bridge = refunding(&upstream, "").await;
    for arguments in
        [r#"{"body": {"amount": 5}}"#, &refund(" "), r#"{"body": {"amount": 5}, "reason": 7}"#]
    {
        let reply = bridge.call("refund", arguments).await;
        assert_eq!(code(&reply), "invalid_arguments", "{arguments}");
        assert_eq!(failure(&reply).violations[0].pointer, "/reason");
    }
    // What else is wrong is told with it.
    let reply = bridge.call("refund", "{}").await;
    let pointers: Vec<&str> =
        failure(&reply).violations.iter().map(|one| one.pointer.as_str()).collect();
    assert_eq!(pointers, ["/reason", "/body"]);
    assert_eq!(upstream.count(), 0);
    // What was said is on record though it was refused.
    assert_eq!(bridge.trail().await[2].reason.as_deref(), Some("7"));
}

#[tokio::test]
async fn a_reason_may_be_left_out_where_it_is_optional_and_is_no_argument_elsewhere() {
    let upstream = Upstream::willing().await;
    let bridge = Draft::to(&upstream.url())
        .tool("getItem", "name = \"item\"\nreason = \"optional\"")
        .tool("getItem", "name = \"plain\"")
        .open()
        .await;
    assert_eq!(code(&bridge.call("item", r#"{"id": "7"}"#).await), "succeeded");
    assert_eq!(code(&bridge.call("item", r#"{"id": "7", "reason": "asked"}"#).await), "succeeded");
    let reply = bridge.call("plain", r#"{"id": "7", "reason": "asked"}"#).await;
    assert_eq!(code(&reply), "invalid_arguments");
}

#[tokio::test]
async fn who_approves_sees_the_reason_and_the_approval_is_not_bound_to_its_words() {
    let upstream = Upstream::willing().await;
    let bridge = refunding(&upstream, "hold = true").await;
    let reply = bridge.call("refund", &refund(WHY)).await;
    let hold = failure(&reply).hold.as_ref().expect("a hold").id.clone();
    let row = bridge.gateway.store().hold(&hold).await.unwrap().unwrap();
    assert_eq!(gateway::hold_json(&row)["stated"], WHY);
    assert!(!row.given.contains("parcel") && !row.arguments.contains("parcel"), "{row:?}");
    bridge.approve(&hold).await;
    let reply = bridge.call("refund", &refund("it was approved")).await;
    assert_eq!(code(&reply), "succeeded");
    assert_eq!(bridge.record(&reply).await.reason.as_deref(), Some("it was approved"));
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn a_reason_is_kept_out_of_the_trail_as_an_argument_is() {
    let upstream = Upstream::willing().await;
    let bridge = refunding(&upstream, "hold = true\nredact = [\"reason\"]").await;
    let reply = bridge.call("refund", &refund(WHY)).await;
    assert_eq!(bridge.record(&reply).await.reason.as_deref(), Some("[redacted]"));
    let hold = &failure(&reply).hold.as_ref().expect("a hold").id;
    let row = bridge.gateway.store().hold(hold).await.unwrap().unwrap();
    assert_eq!(row.stated.as_deref(), Some("[redacted]"));
}

#[tokio::test]
async fn the_same_write_named_by_its_key_is_done_once_whatever_reason_is_given() {
    let upstream = Upstream::new([Act::Answer(Answer::json(200, r#"{"done": true}"#))]).await;
    let bridge = refunding(&upstream, "").await;
    for reason in ["first", "second"] {
        let mut request = super::support::request("refund", &refund(reason));
        request.idempotency_key = Some("k1".to_owned());
        let reply = bridge.ask("bot", request).await.expect("a reply");
        assert_eq!(code(&reply), "succeeded", "{reason}");
    }
    assert_eq!(upstream.count(), 1);
}
