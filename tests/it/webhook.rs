//! Others are told of a held call.

use serde_json::Value;

use super::support::{Draft, Upstream, code};

#[tokio::test]
async fn what_is_not_taken_is_sent_again_and_no_call_waits_for_it() {
    use super::support::Answer;
    let upstream = Upstream::willing().await;
    let hook =
        Upstream::new([Answer::json(503, "{}"), Answer::json(204, ""), Answer::json(400, "{}")])
            .await;
    let folder = super::support::Folder::new();
    folder.write("hook", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let approvals = format!(
        "\n[approvals]\nurl = \"https://bridge.example.com\"\n\
         webhook = {{ url = \"{}/x\", secret = \"file:hook\" }}",
        hook.url()
    );
    let bridge = Draft::to(&upstream.url())
        .audit(&approvals)
        .tool("createRefund", "name = \"refund\"\nhold = true")
        .open_in(folder)
        .await;
    let begun = std::time::Instant::now();
    let reply = bridge.call("refund", r#"{"body": {"amount": 5}}"#).await;
    assert_eq!(code(&reply), "held");
    assert!(begun.elapsed().as_millis() < 900, "a second try comes after a second");
    bridge.call("refund", r#"{"body": {"amount": 5}}"#).await;
    hook.until_seen(2).await;
    let seen = hook.seen();
    assert_eq!(seen[0].body, seen[1].body);
    let body: Value = serde_json::from_str(&seen[1].body).unwrap();
    assert_eq!(body["type"], "approval.held");
    let hold = body["data"]["id"].as_str().unwrap();
    assert_eq!(body["data"]["link"], format!("https://bridge.example.com/approvals/{hold}"));
    assert_eq!(seen[1].header("webhook-id"), Some(hold));
    assert!(seen[1].header("webhook-signature").unwrap().starts_with("v1,"));
    assert!(seen[1].header("webhook-timestamp").unwrap().parse::<u64>().is_ok());
    bridge.call("refund", r#"{"body": {"amount": 6}}"#).await;
    hook.until_seen(3).await;
    bridge.gateway.close().await;
    assert_eq!(hook.count(), 3, "one for each hold, and none after a refusal");
}
