//! What is on record before it happens, and what happens where nothing can be recorded.

use tollbridge::audit;
use tollbridge::gateway::{self, Refused};
use tollbridge::store::{StopScope, Store};

use super::support::{Act, Answer, Bridge, Draft, Upstream, code, failure, request};

#[tokio::test]
async fn the_intent_is_readable_by_others_when_the_upstream_sees_the_request() {
    let upstream = Upstream::new([Act::Gate(Answer::json(200, "{}"))]).await;
    let bridge = Draft::to(&upstream.url()).top("").tool("getItem", "").open().await;
    let look = async {
        upstream.until_seen(1).await;
        let store = Store::open_read_only(&bridge.folder.store_url()).await.unwrap();
        let calls = audit::calls(&store, &audit::Filter::default()).await.unwrap();
        let call = audit::call(&store, &calls[0].id).await.unwrap().unwrap();
        upstream.release(1);
        call
    };
    let (reply, seen) = tokio::join!(bridge.call("get_item", r#"{"id": "7"}"#), look);
    assert_eq!(code(&reply), "succeeded");
    let kinds: Vec<&str> =
        seen.events.iter().map(|event| event.body["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["received", "decided", "attempt_started"]);
    assert_eq!(seen.attempts[0].url, format!("{}/items/7", upstream.url()));
    assert_eq!((seen.outcome, seen.attempts[0].duration_ms), (None, None));
}

#[tokio::test]
async fn each_further_attempt_is_on_record_before_it_starts() {
    let acts = [Act::Answer(Answer::json(503, "{}")), Act::Gate(Answer::json(200, "{}"))];
    let upstream = Upstream::new(acts).await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    let look = async {
        upstream.until_seen(2).await;
        let store = Store::open_read_only(&bridge.folder.store_url()).await.unwrap();
        let calls = audit::calls(&store, &audit::Filter::default()).await.unwrap();
        upstream.release(1);
        calls
    };
    let (reply, seen) = tokio::join!(bridge.call("list_items", "{}"), look);
    assert_eq!(code(&reply), "succeeded");
    let attempts: Vec<_> = seen[0].attempts.iter().map(|a| (a.n, a.status)).collect();
    assert_eq!(attempts, [(1, Some(503)), (2, None)]);
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let upstream = Upstream::willing().await;
    let bridge = Draft::to(&upstream.url())
        .tool("listItems", "")
        .tool("createRefund", "[tool.args.\"/body/amount\"]\nmax = 500")
        .open()
        .await;
    bridge.break_trail().await;
    for (tool, arguments) in [
        ("list_items", "{}"),
        ("create_refund", r#"{"body": {"amount": 5}}"#),
        // Whatever it would have been: an answer would be one that nobody can look up.
        ("create_refund", r#"{"body": {"amount": 501}}"#),
        ("create_refund", "{}"),
    ] {
        let reply = bridge.call(tool, arguments).await;
        assert_eq!(code(&reply), "audit_unavailable", "{tool} {arguments}");
        assert!(failure(&reply).retryable);
        assert!(!failure(&reply).message.contains("500"), "{reply:?}");
    }
    let unknown = bridge.ask("bot", request("nothing", "{}")).await;
    assert!(matches!(unknown, Err(Refused::Unrecorded)), "{unknown:?}");
    assert_eq!(upstream.count(), 0);
    bridge.mend_trail().await;
    assert_eq!(code(&bridge.call("list_items", "{}").await), "succeeded");
    assert_eq!(bridge.trail().await.len(), 1);
}

#[tokio::test]
async fn a_store_whose_file_is_gone_is_not_begun_anew() {
    let upstream = Upstream::willing().await;
    let draft = Draft::to(&upstream.url())
        .top("[audit]\ndurability = \"process\"\nreads_when_down = \"allow\"")
        .tool("listItems", "");
    let bridge = draft.open().await;
    let (there, away) = (bridge.folder.file("tollbridge.db"), bridge.folder.file("away.db"));
    std::fs::rename(&there, &away).unwrap();
    // The kill switch cannot be read, so that reads do not go on either.
    assert_eq!(code(&bridge.call("list_items", "{}").await), "audit_unavailable");
    assert!(!there.exists());
    assert_eq!(upstream.count(), 0);
    std::fs::rename(&away, &there).unwrap();
    assert_eq!(code(&bridge.call("list_items", "{}").await), "succeeded");
}

#[tokio::test]
async fn reads_go_on_unrecorded_only_where_that_is_allowed_and_nothing_else_is_at_stake() {
    let upstream = Upstream::willing().await;
    let facilitator = Upstream::willing().await;
    let bridge = Draft::to(&upstream.url())
        .settled_at(&facilitator.url())
        .audit("reads_when_down = \"allow\"")
        .tool("listItems", "name = \"plain\"")
        .tool("listItems", "name = \"counted\"\ncalls = { limit = 9, per = \"1h\" }")
        .tool("listItems", "name = \"held\"\nhold = { identities = [\"ann\"] }")
        .tool("listItems", "name = \"priced\"\nprice = \"0.01 USDC\"")
        .tool("listItems", "name = \"write\"\neffect = \"write\"")
        .open()
        .await;
    bridge.break_trail().await;
    assert_eq!(code(&bridge.call("plain", "{}").await), "succeeded");
    assert_eq!(upstream.count(), 1);
    for tool in ["counted", "held", "priced", "write"] {
        assert_eq!(code(&bridge.call(tool, "{}").await), "audit_unavailable", "{tool}");
    }
    assert_eq!(code(&bridge.call("plain", r#"{"limit": 0}"#).await), "audit_unavailable");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn an_unrecorded_read_does_not_pass_the_kill_switch() {
    let upstream = Upstream::willing().await;
    let bridge = Draft::to(&upstream.url())
        .top("[audit]\ndurability = \"process\"\nreads_when_down = \"allow\"")
        .tool("listItems", "")
        .open()
        .await;
    let scope = StopScope::Identity("bot".to_owned());
    gateway::stop(&bridge.other_store().await, scope, "operator:ann").await.unwrap();
    bridge.break_trail().await;
    assert_ne!(code(&bridge.call("list_items", "{}").await), "succeeded");
    assert_eq!(upstream.count(), 0);
    assert_eq!(code(&bridge.call_as("ann", "list_items", "{}").await), "succeeded");
}

#[tokio::test]
async fn an_attempt_that_cannot_be_recorded_does_not_start() {
    let busy = Answer::json(503, "{}").header("retry-after", "1");
    let upstream = Upstream::new([busy]).await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    let broken = async {
        upstream.until_seen(1).await;
        bridge.break_trail().await;
    };
    let (reply, ()) = tokio::join!(bridge.call("list_items", "{}"), broken);
    assert_eq!(code(&reply), "audit_unavailable");
    assert_eq!(upstream.count(), 1);
    assert_eq!(bridge.outcomes().await, ["running"], "the intent is there, without an end");
}

#[tokio::test]
async fn an_answer_is_not_withheld_because_its_end_cannot_be_recorded() {
    let upstream = Upstream::new([Act::Gate(Answer::json(201, "{}"))]).await;
    let bridge = Bridge::offering(&upstream, &["createRefund"]).await;
    let broken = async {
        upstream.until_seen(1).await;
        bridge.break_trail().await;
        upstream.release(1);
    };
    let call = bridge.call("create_refund", r#"{"body": {"amount": 5}}"#);
    let (reply, ()) = tokio::join!(call, broken);
    assert_eq!(code(&reply), "succeeded");
    assert_eq!(bridge.outcomes().await, ["running"]);
}

#[tokio::test]
async fn what_is_decided_by_something_unreadable_is_refused() {
    let upstream = Upstream::willing().await;
    let bridge = Draft::to(&upstream.url())
        .audit("reads_when_down = \"allow\"")
        .tool("listItems", "name = \"plain\"")
        .tool("listItems", "name = \"counted\"\ncalls = { limit = 9, per = \"1h\" }")
        .tool("listItems", "name = \"held\"\nhold = true")
        .open()
        .await;
    for (tool, then, lose, find) in [
        (
            "plain",
            "succeeded",
            "ALTER TABLE stops RENAME TO lost",
            "ALTER TABLE lost RENAME TO stops",
        ),
        (
            "counted",
            "succeeded",
            "ALTER TABLE window_uses RENAME TO lost",
            "ALTER TABLE lost RENAME TO window_uses",
        ),
        ("held", "held", "ALTER TABLE holds RENAME TO lost", "ALTER TABLE lost RENAME TO holds"),
    ] {
        let before = upstream.count();
        bridge.sql(lose).await;
        assert_eq!(code(&bridge.call(tool, "{}").await), "audit_unavailable", "{tool}");
        assert_eq!(upstream.count(), before, "{tool}");
        bridge.sql(find).await;
        assert_eq!(code(&bridge.call(tool, "{}").await), then, "{tool}");
    }
}

#[tokio::test]
async fn the_views_say_what_was_refused_what_failed_and_what_was_sent() {
    let upstream = Upstream::new([Answer::json(503, "{}"), Answer::json(200, "[]")]).await;
    let bridge = Draft::to(&upstream.url())
        .tool("listItems", "")
        .tool("createRefund", "[tool.args.\"/body/amount\"]\nmax = 500")
        .tool("getItem", "hold = true")
        .open()
        .await;
    bridge.call("list_items", "{}").await;
    bridge.call("create_refund", r#"{"body": {"amount": 501}}"#).await;
    bridge.call("get_item", r#"{"id": "7"}"#).await;
    let rows = async |query: &'static str| bridge.folder.rows(query).await;
    let refused = "SELECT concat_ws(' ', identity, tool, decision, rules) FROM refusals";
    let expected = [
        r#"bot create_refund deny ["create_refund.args./body/amount.max=500"]"#,
        r#"bot get_item hold ["get_item.hold"]"#,
    ];
    assert_eq!(rows(refused).await, expected);
    let failed = "SELECT concat_ws(' ', tool, outcome, length(message) > 0) FROM failures";
    assert_eq!(rows(failed).await, ["create_refund denied 1", "get_item held 1"]);
    let sent = "SELECT concat_ws(' ', tool, n, method, substr(url, -6), status, why) FROM attempts \
                ORDER BY n";
    let expected = [
        "list_items 1 GET /items 503",
        "list_items 2 GET /items 200 answered 503 Service Unavailable",
    ];
    assert_eq!(rows(sent).await, expected);
    let asked = "SELECT concat_ws(' ', tool, state, expires > time) FROM approvals";
    assert_eq!(rows(asked).await, ["get_item pending 1"]);
}
