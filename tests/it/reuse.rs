//! Answers that are kept and reads that are one, as agents and the trail see them.

use serde_json::json;

use super::support::{Act, Answer, Bridge, Draft, Upstream, code, value};

fn good(body: &str) -> Answer {
    Answer::json(200, body).header("cache-control", "max-age=60")
}

async fn keeping(upstream: &Upstream, keys: &str) -> Bridge {
    Draft::to(&upstream.url())
        .api("cache = \"private\"")
        .tool("getItem", keys)
        .tool("setStock", "")
        .open()
        .await
}

const SEVEN: &str = r#"{"id": "7"}"#;

#[tokio::test]
async fn a_kept_answer_says_so_in_the_result_in_words_and_in_the_trail() {
    let upstream = Upstream::new([good(r#"{"n": 1.50}"#)]).await;
    let bridge = keeping(&upstream, "").await;
    let first = bridge.call("get_item", SEVEN).await;
    let second = bridge.call("get_item", SEVEN).await;
    assert_eq!(value(&second).to_string(), value(&first).to_string());
    assert_eq!((second.meta.attempts, second.meta.status), (0, Some(200)));
    assert_eq!(second.meta.served_by.as_deref(), Some("cache, 0 s old"));
    let note = second.result.as_ref().expect("a success").note.as_deref().expect("words");
    assert!(note.contains("kept from an earlier call"), "{note}");
    let record = bridge.record(&second).await;
    assert_eq!(record.served_by.as_deref(), Some("cache, 0 s old"));
    assert_eq!(record.outcome.as_deref(), Some("succeeded"));
    assert_eq!(record.attempts[0].error.as_deref(), Some("not sent: its answer is kept, 0 s old"));
    assert_eq!(upstream.count(), 1);
    let metrics = bridge.gateway.metrics_text();
    assert!(metrics.contains(r#"tollbridge_kept_answers_total{api="shop"} 1"#), "{metrics}");
}

#[tokio::test]
async fn nothing_is_kept_where_nobody_asks_for_it_or_a_tool_says_no() {
    let upstream = Upstream::new([good("{}")]).await;
    let bridge = Bridge::offering(&upstream, &["getItem"]).await;
    for _ in 0..2 {
        bridge.call("get_item", SEVEN).await;
    }
    let bridge = keeping(&upstream, "cache = \"off\"").await;
    for _ in 0..2 {
        bridge.call("get_item", SEVEN).await;
    }
    assert_eq!(upstream.count(), 4);
}

#[tokio::test]
async fn the_kill_switch_and_windows_hold_for_kept_answers_too() {
    let upstream = Upstream::new([good("{}")]).await;
    let bridge = keeping(&upstream, "calls = { limit = 2, per = \"1h\" }").await;
    for expected in ["succeeded", "succeeded", "rate_limited"] {
        assert_eq!(code(&bridge.call("get_item", SEVEN).await), expected);
    }
    let other = "another";
    assert_eq!(code(&bridge.call_as(other, "get_item", SEVEN).await), "succeeded");
    let tool = tollbridge::store::StopScope::Tool("get_item".to_owned());
    tollbridge::gateway::stop(bridge.gateway.store(), tool, "operator:ada").await.expect("a stop");
    assert_eq!(code(&bridge.call_as(other, "get_item", SEVEN).await), "stopped");
    assert_eq!(upstream.count(), 2, "each identity's own");
}

#[tokio::test]
async fn a_write_is_seen_by_the_next_read_and_a_reload_forgets_nothing() {
    let upstream =
        Upstream::new([good(r#"{"n": 1}"#), Answer::json(200, "{}"), good(r#"{"n": 2}"#)]).await;
    let draft = || {
        Draft::to(&upstream.url())
            .api("cache = \"private\"")
            .tool("getItem", "")
            .tool("setStock", "")
    };
    let bridge = draft().open().await;
    bridge.call("get_item", SEVEN).await;
    bridge.reload(draft().top("[groups]\nnobody = [\"x\"]\n")).await;
    assert_eq!(bridge.call("get_item", SEVEN).await.meta.attempts, 0);
    bridge.call("set_stock", r#"{"id": "7", "body": {"stock": 3}}"#).await;
    let read = bridge.call("get_item", SEVEN).await;
    assert_eq!((read.meta.attempts, value(&read)), (1, &json!({"n": 2})));
}

#[tokio::test]
async fn of_many_identical_calls_one_goes_out_and_each_is_on_record() {
    let upstream = Upstream::new([Act::Gate(Answer::json(200, r#"{"n": 1}"#))]).await;
    let bridge = Draft::to(&upstream.url()).tool("getItem", "coalesce = \"shared\"").open().await;
    let (first, second, ()) = tokio::join!(
        bridge.call_as("a", "get_item", SEVEN),
        async {
            upstream.until_seen(1).await;
            bridge.call_as("b", "get_item", SEVEN).await
        },
        async {
            upstream.until_seen(1).await;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            upstream.release(1);
        }
    );
    assert_eq!((value(&first), value(&second)), (&json!({"n": 1}), &json!({"n": 1})));
    assert_eq!((first.meta.attempts, second.meta.attempts, upstream.count()), (1, 0, 1));
    let said = bridge.record(&second).await.attempts[0].error.clone().expect("why");
    assert!(said.contains(first.meta.id.as_str()), "{said}");
}
