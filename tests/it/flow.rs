//! What an API's limits and failures come to for agents: other addresses, what stands in for an
//! operation, calls that are named by a key, and how to find out what became of one.

use serde_json::json;
use tollbridge::gateway::{CallRequest, CallWatch, ErrorCode, Reply};

use super::support::{
    Act, Answer, Bridge, Draft, Upstream, caller, code, events, failure, request, value,
};

const FIVE: &str = r#"{"body": {"amount": 5}}"#;

fn named(tool: &str, arguments: &str, key: &str) -> CallRequest {
    CallRequest { idempotency_key: Some(key.to_owned()), ..request(tool, arguments) }
}

async fn ask(bridge: &Bridge, identity: &str, asked: CallRequest) -> Reply {
    bridge.ask(identity, asked).await.expect("a reply")
}

#[tokio::test]
async fn a_call_fails_over_to_the_next_url_and_the_trail_says_why() {
    let first = Upstream::new([Answer::json(503, "{}")]).await;
    let second = Upstream::new([Answer::json(200, "[1]")]).await;
    let bridge = Draft::to(&first.url())
        .api(&format!("fallback_urls = [\"{}\"]", second.url()))
        .tool("listItems", "")
        .open()
        .await;
    let reply = bridge.call("list_items", "{}").await;
    assert_eq!(value(&reply), &json!([1]));
    assert_eq!(reply.meta.served_by, Some(format!("{}/items", second.url())));
    let started = events(&bridge, &reply, "attempt_started").await;
    assert_eq!(
        started[1]["why"],
        format!("answered 503 Service Unavailable; failing over to {}", second.url())
    );
}

#[tokio::test]
async fn a_write_with_a_key_is_repeated_and_the_key_is_on_record() {
    let upstream = Upstream::new([Act::Reset, Answer::json(201, r#"{"id": 1}"#).into()]).await;
    let bridge = Draft::to(&upstream.url())
        .api("idempotency_key = \"Idempotency-Key\"")
        .tool("createRefund", "")
        .open()
        .await;
    let reply = bridge.call("create_refund", FIVE).await;
    assert_eq!(code(&reply), "succeeded");
    let keys: Vec<_> = upstream
        .seen()
        .iter()
        .map(|seen| seen.header("idempotency-key").expect("a key").to_owned())
        .collect();
    assert_eq!((keys.len(), &keys[0]), (2, &keys[1]));
    let started = events(&bridge, &reply, "attempt_started").await;
    assert!(started.iter().all(|event| event["idempotency_key"] == keys[0]), "{started:?}");
}

#[tokio::test]
async fn a_named_write_is_done_once_and_gives_its_first_outcome_again() {
    let upstream = Upstream::new([Answer::json(201, r#"{"id": 9.10}"#)]).await;
    let bridge = Bridge::offering(&upstream, &["createRefund", "getItem"]).await;
    let first = ask(&bridge, "bot", named("create_refund", FIVE, "k")).await;
    let again = ask(&bridge, "bot", named("create_refund", FIVE, "k")).await;
    assert_eq!(value(&first).to_string(), value(&again).to_string());
    assert_eq!((again.meta.attempts, upstream.count()), (0, 1));
    assert_eq!(again.meta.served_by, Some(format!("the outcome of {}", first.meta.id)));
    assert_eq!(bridge.record(&again).await.outcome.as_deref(), Some("succeeded"));
    // It is kept in the store, and not in the process.
    let beside = bridge.beside().await;
    let caller = super::support::caller("bot");
    let third = beside.call(caller, named("create_refund", FIVE, "k"), CallWatch::default()).await;
    assert_eq!((code(&third.expect("a reply")), upstream.count()), ("succeeded", 1));
    // With other arguments it is another call, which needs another name.
    let other = named("create_refund", r#"{"body": {"amount": 6}}"#, "k");
    assert_eq!(code(&ask(&bridge, "bot", other).await), "invalid_arguments");
    // Another identity's key is another key, and reads have none.
    ask(&bridge, "another", named("create_refund", FIVE, "k")).await;
    assert_eq!(upstream.count(), 2);
    for _ in 0..2 {
        ask(&bridge, "bot", named("get_item", r#"{"id": "1"}"#, "k")).await;
    }
    assert_eq!(upstream.count(), 4);
}

#[tokio::test]
async fn a_named_write_that_did_nothing_may_be_made_again_and_one_that_failed_for_good_not() {
    let upstream = Upstream::new([
        Answer::json(429, "{}").header("retry-after", "100"),
        Answer::json(422, r#"{"why": "no"}"#),
    ])
    .await;
    let bridge = Bridge::offering(&upstream, &["createRefund"]).await;
    let limited = ask(&bridge, "bot", named("create_refund", FIVE, "k")).await;
    assert_eq!(code(&limited), "rate_limited");
    // Its key is free; what waits now is the API's limit.
    let limited = ask(&bridge, "bot", named("create_refund", FIVE, "k")).await;
    assert_eq!((code(&limited), limited.meta.attempts), ("rate_limited", 0));

    let upstream = Upstream::new([Answer::json(422, r#"{"why": "no"}"#)]).await;
    let bridge = Bridge::offering(&upstream, &["createRefund"]).await;
    for _ in 0..2 {
        let refused = ask(&bridge, "bot", named("create_refund", FIVE, "k")).await;
        assert_eq!(failure(&refused).code, ErrorCode::UpstreamError);
        let said = failure(&refused).upstream.as_ref().expect("an answer");
        assert_eq!((said.status, &said.body), (Some(422), &json!({"why": "no"})));
    }
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn of_two_calls_of_one_name_at_the_same_time_one_is_made() {
    let upstream = Upstream::new([Act::Gate(Answer::json(201, r#"{"id": 1}"#))]).await;
    let bridge = Bridge::offering(&upstream, &["createRefund"]).await;
    let (first, second) =
        tokio::join!(ask(&bridge, "bot", named("create_refund", FIVE, "k")), async {
            upstream.until_seen(1).await;
            let second = ask(&bridge, "bot", named("create_refund", FIVE, "k")).await;
            upstream.release(1);
            second
        });
    assert_eq!(
        (code(&first), code(&second), upstream.count()),
        ("succeeded", "outcome_unknown", 1)
    );
    assert!(failure(&second).retryable && failure(&second).retry_after_s.is_some());
    assert!(failure(&second).message.contains(first.meta.id.as_str()), "{second:?}");
}

#[tokio::test]
async fn an_unknown_outcome_names_the_tool_that_tells_with_its_arguments() {
    let upstream = Upstream::new([Act::Reset]).await;
    let lookup = "lookup = { operation = \"getItem\", map = { id = \"/body/amount\" } }";
    let bridge = Draft::to(&upstream.url())
        .tool("createRefund", lookup)
        .tool("getItem", "deny = [\"blind\"]")
        .open()
        .await;
    let reply = bridge.call("create_refund", FIVE).await;
    assert_eq!(code(&reply), "outcome_unknown");
    assert_eq!(
        failure(&reply).next_step,
        "The call may have had its effect. Find out by calling `get_item` with the arguments \
         {\"id\":5} before you do it again."
    );
    let reply = bridge.call_as("blind", "create_refund", FIVE).await;
    assert!(!failure(&reply).next_step.contains("get_item"), "{reply:?}");
}

#[tokio::test]
async fn another_operation_stands_in_with_its_arguments_and_its_answer_mapped() {
    let upstream = Upstream::new([
        Answer::json(404, "{}"),
        Answer::json(503, "{}"),
        Answer::json(503, "{}"),
        Answer::json(503, "{}"),
        Answer::json(503, "{}"),
        Answer::json(200, r#"[{"id": "7", "n": 1.50}]"#),
    ])
    .await;
    let fallback = "fallback = [{ operation = \"listItems\", map = { limit = \"id\" }, result = \"[0].{id: id}\" }]";
    let bridge = Draft::to(&upstream.url()).tool("getItem", fallback).open().await;
    // What is not there is not there elsewhere either.
    assert_eq!(code(&bridge.call("get_item", r#"{"id": "7"}"#).await), "upstream_error");
    let reply = bridge.call("get_item", r#"{"id": "7"}"#).await;
    assert_eq!(value(&reply), &json!({"id": "7"}));
    assert_eq!(
        reply.meta.served_by,
        Some(format!("listItems at {}/items?limit=7", upstream.url()))
    );
    assert_eq!((reply.meta.attempts, upstream.count()), (5, 6));
    let note = reply.result.as_ref().expect("an answer").note.as_deref().expect("a note");
    assert!(note.ends_with("`shop/listItems` answered instead."), "{note}");
    let fell = events(&bridge, &reply, "fell_back").await;
    assert_eq!(fell[0]["to"], "shop/listItems");
    let started = events(&bridge, &reply, "attempt_started").await;
    assert!(
        started[4]["why"].as_str().expect("why").ends_with("falling back to shop/listItems"),
        "{started:?}"
    );
}

#[tokio::test]
async fn the_last_good_answer_stands_in_for_who_got_it_and_then_the_declared_one() {
    let upstream =
        Upstream::new([Answer::json(200, r#"{"id": "7"}"#), Answer::json(503, "{}")]).await;
    let fallback = "fallback = [{ cached = \"5m\" }, { answer = { unknown = true } }]";
    let bridge = Draft::to(&upstream.url()).tool("getItem", fallback).open().await;
    let good = bridge.call("get_item", r#"{"id": "7"}"#).await;
    assert_eq!(good.result.as_ref().expect("an answer").note, None);
    let cached = bridge.call("get_item", r#"{"id": "7"}"#).await;
    assert_eq!(value(&cached), value(&good));
    assert_eq!(cached.meta.served_by.as_deref(), Some("cache, 0 s old"));
    let note = cached.result.as_ref().expect("an answer").note.as_deref().expect("a note");
    assert!(note.ends_with("this is its last good answer, 0 s old."), "{note}");
    assert_eq!(bridge.record(&cached).await.served_by.as_deref(), Some("cache, 0 s old"));
    let declared = bridge.call_as("another", "get_item", r#"{"id": "7"}"#).await;
    assert_eq!(value(&declared), &json!({"unknown": true}));
    assert_eq!(declared.meta.served_by.as_deref(), Some("the declared answer"));
}

#[tokio::test]
async fn the_last_good_answer_of_one_address_does_not_stand_in_for_another_one() {
    let cached = "fallback = [{ cached = \"5m\" }]";
    let before = Upstream::new([Answer::json(200, r#"{"id": "1"}"#)]).await;
    let after = Upstream::new([Answer::json(500, "{}")]).await;
    let bridge = Draft::to(&before.url()).tool("getItem", cached).open().await;
    assert_eq!(code(&bridge.call("get_item", r#"{"id": "1"}"#).await), "succeeded");
    bridge.reload(Draft::to(&after.url()).tool("getItem", cached)).await;
    let reply = bridge.call("get_item", r#"{"id": "1"}"#).await;
    assert_eq!(code(&reply), "upstream_error", "{reply:?}");
}

#[tokio::test]
async fn nothing_stands_in_for_a_write_that_may_have_been_done() {
    let fallback = "fallback = [{ answer = { queued = true } }]";
    for (act, expected) in [
        (Act::Reset, "outcome_unknown"),
        (Act::Answer(Answer::json(503, "{}")), "upstream_unavailable"),
    ] {
        let upstream = Upstream::new([act]).await;
        let bridge = Draft::to(&upstream.url()).tool("createRefund", fallback).open().await;
        assert_eq!(code(&bridge.call("create_refund", FIVE).await), expected);
    }
    let bridge = Draft::to(&Upstream::nowhere().await)
        .api("timeout = \"900ms\"")
        .tool("createRefund", fallback)
        .open()
        .await;
    let reply = bridge.call("create_refund", FIVE).await;
    assert_eq!(value(&reply), &json!({"queued": true}));
}

#[tokio::test]
async fn a_write_that_stands_in_and_may_have_been_done_is_what_the_agent_is_told_of() {
    let fallback = "fallback = [\n\
        { operation = \"createRefund\", api = \"other\", map = { body = \"body\" } },\n\
        { answer = { queued = true } }]";
    for (act, expected) in [
        (Act::Reset, "outcome_unknown"),
        (Act::Answer(Answer::json(503, "{}")), "upstream_unavailable"),
    ] {
        let other = Upstream::new([act]).await;
        let bridge = Draft::to(&Upstream::nowhere().await)
            .top(&format!("[api.other]\nspec = \"shop.json\"\nbase_url = \"{}\"\n", other.url()))
            .api("timeout = \"1500ms\"")
            .tool("createRefund", fallback)
            .open()
            .await;
        for _ in 0..2 {
            let reply = ask(&bridge, "bot", named("create_refund", FIVE, "k")).await;
            assert_eq!((code(&reply), other.count()), (expected, 1), "{reply:?}");
            // Made again it would begin with the first operation, which knows of nothing.
            assert!(!failure(&reply).retryable, "{reply:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_stands_in_for_a_named_write_leaves_it_to_be_done() {
    let upstream = Upstream::new([
        Answer::json(429, "{}").header("retry-after", "1"),
        Answer::json(201, r#"{"id": 1}"#),
    ])
    .await;
    let bridge = Draft::to(&upstream.url())
        .api("timeout = \"900ms\"")
        .tool("createRefund", "fallback = [{ answer = { queued = true } }]")
        .open()
        .await;
    let first = ask(&bridge, "bot", named("create_refund", FIVE, "k")).await;
    assert_eq!(value(&first), &json!({"queued": true}));
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let again = ask(&bridge, "bot", named("create_refund", FIVE, "k")).await;
    assert_eq!((value(&again), upstream.count()), (&json!({"id": 1}), 2));
}

#[tokio::test]
async fn who_answered_tells_nothing_of_what_the_agent_may_not_see() {
    let upstream = Upstream::new([
        Answer::json(200, "[]"),
        Answer::json(404, "{}"),
        Answer::json(503, "{}"),
        Answer::json(503, "{}"),
        Answer::json(503, "{}"),
        Answer::json(503, "{}"),
        Answer::json(200, "[]"),
    ])
    .await;
    let bridge = Draft::to(&upstream.url())
        .tool("listItems", "args.limit = { fixed = 77 }")
        .tool(
            "getItem",
            "args.id = { fixed = \"77\" }\n\
             fallback = [{ operation = \"listItems\", map = { limit = \"id\" } }]",
        )
        .open()
        .await;
    for (tool, expected) in [("list_items", ""), ("get_item", ""), ("get_item", "listItems at ")] {
        let reply = bridge.call(tool, "{}").await;
        assert_eq!(reply.meta.served_by, Some(format!("{expected}{}", upstream.url())), "{tool}");
        let started = events(&bridge, &reply, "attempt_started").await;
        assert!(started[0]["url"].to_string().contains("77"), "the trail has it whole");
    }
}

#[tokio::test]
async fn limits_and_circuits_outlive_a_reload() {
    let upstream = Upstream::new([Answer::json(503, "{}")]).await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    for _ in 0..2 {
        bridge.call("list_items", "{}").await;
    }
    bridge.reload(Draft::to(&upstream.url()).tool("listItems", "title = \"All\"")).await;
    let reply = bridge.call("list_items", "{}").await;
    assert_eq!((code(&reply), upstream.count()), ("circuit_open", 8));
}

#[tokio::test]
async fn what_was_learned_of_limits_outlives_the_process() {
    let used_up = Answer::json(429, "{}").header("retry-after", "200");
    let upstream = Upstream::new([used_up]).await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    bridge.gateway.remember().await;
    assert_eq!(code(&bridge.call("list_items", "{}").await), "rate_limited");
    let beside = bridge.beside().await;
    let Bridge { gateway, folder } = bridge;
    gateway.close().await;

    // Whoever reads with SQL sees it.
    let known = folder
        .rows("SELECT concat_ws(' ', api, coalesce(identity, 'null'), origin) FROM limits")
        .await;
    assert_eq!(known, [format!("shop null {}", upstream.url())]);
    // The process that comes next does not ask.
    beside.remember().await;
    let again = Bridge { gateway: beside, folder };
    let reply = again.call("list_items", "{}").await;
    assert_eq!((code(&reply), upstream.count()), ("rate_limited", 1));
    assert!(failure(&reply).retry_after_s.is_some_and(|after| after > 190), "{reply:?}");
    // What is known of one address says nothing of another.
    again.sql("UPDATE learned_limits SET origin = 'http://127.0.0.1:1'").await;
    let moved = again.beside().await;
    moved.remember().await;
    let (caller, request) = (caller("bot"), request("list_items", "{}"));
    let _ = moved.call(caller, request, CallWatch::default()).await.expect("a reply");
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn what_was_learned_of_limits_is_known_of_an_api_that_a_reload_adds() {
    let used_up = Answer::json(429, "{}").header("retry-after", "200");
    let upstream = Upstream::new([used_up]).await;
    let elsewhere = Upstream::willing().await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    bridge.gateway.remember().await;
    assert_eq!(code(&bridge.call("list_items", "{}").await), "rate_limited");
    let beside = bridge.beside().await;
    let Bridge { gateway, folder } = bridge;
    gateway.close().await;

    let again = Bridge { gateway: beside, folder };
    again.reload(Draft::to(&elsewhere.url()).tool("listItems", "")).await;
    assert_eq!(code(&again.call("list_items", "{}").await), "succeeded");
    again.reload(Draft::to(&upstream.url()).tool("listItems", "")).await;
    let reply = again.call("list_items", "{}").await;
    assert_eq!((code(&reply), upstream.count()), ("rate_limited", 1));
}

#[tokio::test]
async fn the_limits_of_a_tool_are_its_own() {
    let upstream = Upstream::willing().await;
    let bridge = Draft::to(&upstream.url())
        .tool("listItems", "rate_limit = \"1/h\"")
        .tool("getItem", "")
        .open()
        .await;
    assert_eq!(code(&bridge.call("list_items", "{}").await), "succeeded");
    let limited = bridge.call("list_items", "{}").await;
    assert_eq!(code(&limited), "rate_limited");
    assert!(failure(&limited).retry_after_s.is_some_and(|after| after > 3_000), "{limited:?}");
    assert_eq!(code(&bridge.call("get_item", r#"{"id": "1"}"#).await), "succeeded");
    assert_eq!(upstream.count(), 2);
}
