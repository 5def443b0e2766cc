//! Calls that an API takes and is not done with: asked after within one call, and gone on with by
//! the next.

use serde_json::json;
use tollbridge::gateway::{CallWatch, ErrorCode};

use super::support::{Act, Answer, Bridge, Draft, Upstream, code, failure, value};

const FIVE: &str = r#"{"body": {"amount": 5}}"#;

fn accepted(retry_after: &str) -> Answer {
    Answer::json(202, "{}").header("location", "/jobs/1").header("retry-after", retry_after)
}

async fn bridge(upstream: &Upstream, keys: &str) -> Bridge {
    let keys = format!("poll = {{ every = \"100ms\" }}\n{keys}");
    Draft::to(&upstream.url()).tool("createRefund", &keys).open().await
}

#[tokio::test]
async fn each_question_is_an_attempt_on_record() {
    let upstream =
        Upstream::new([accepted("0"), accepted("0"), Answer::json(200, r#"{"id": 1}"#)]).await;
    let bridge = bridge(&upstream, "").await;
    let reply = bridge.call("create_refund", FIVE).await;
    assert_eq!(value(&reply), &json!({"id": 1}));
    let record = bridge.record(&reply).await;
    let attempts: Vec<_> = record
        .attempts
        .iter()
        .map(|attempt| (attempt.method.as_str(), attempt.status, attempt.wait_ms))
        .collect();
    assert_eq!(
        attempts,
        [("POST", Some(202), 0), ("GET", Some(202), 100), ("GET", Some(200), 100)]
    );
    assert_eq!(record.outcome.as_deref(), Some("succeeded"));
}

#[tokio::test]
async fn the_same_call_made_again_goes_on_with_the_first_one() {
    let upstream = Upstream::new([accepted("60"), Answer::json(200, r#"{"id": 1}"#)]).await;
    let bridge = bridge(&upstream, "").await;
    let first = bridge.call("create_refund", FIVE).await;
    let left = failure(&first);
    assert_eq!(left.code, ErrorCode::UpstreamTimeout);
    assert_eq!((left.retryable, left.retry_after_s), (true, Some(60)));
    let pending = left.pending.as_ref().expect("what is pending");
    assert_eq!(pending.url, format!("{}/jobs/1", upstream.url()));
    assert!(pending.expires.is_some());
    assert!(left.next_step.starts_with("The API goes on with it. Make the same call again"));

    // Another caller's call, and one with other arguments, are other calls.
    for (identity, arguments) in [("eve", FIVE), ("bot", r#"{"body": {"amount": 6}}"#)] {
        let before = upstream.count();
        bridge.call_as(identity, "create_refund", arguments).await;
        assert!(upstream.seen()[before].line.starts_with("POST"), "{identity}");
    }
    // It is kept in the store, and not in the process.
    let beside = bridge.beside().await;
    let (caller, request) =
        (super::support::caller("bot"), super::support::request("create_refund", FIVE));
    let before = upstream.count();
    let again = beside.call(caller, request, CallWatch::default()).await.expect("a reply");
    assert_eq!(value(&again), &json!({"id": 1}));
    assert_eq!(upstream.seen()[before].line, "GET /jobs/1");
    assert_eq!((upstream.count(), again.meta.attempts), (before + 1, 1));
    let events = bridge.record(&again).await.events;
    let started = events.iter().find(|event| event.body["kind"] == "attempt_started");
    let why = &started.expect("an attempt").body["why"];
    assert_eq!(*why, format!("going on with {}", first.meta.id));
    // It is done: made once more, it is a call of its own.
    bridge.call("create_refund", FIVE).await;
    assert!(upstream.seen()[before + 1].line.starts_with("POST"));
}

#[tokio::test]
async fn what_the_api_took_is_gone_on_with_though_its_process_was_killed_while_it_waited() {
    let done = Answer::json(200, r#"{"id": 1}"#);
    let upstream = Upstream::new([accepted("30").into(), Act::from(done)]).await;
    let bridge = bridge(&upstream, "").await;
    let (gateway, killed) = (bridge.gateway.clone(), CallWatch::default());
    let request = || super::support::request("create_refund", FIVE);
    let first = tokio::spawn(async move {
        gateway.call(super::support::caller("bot"), request(), killed).await
    });
    // It waits for half a minute now, and this process does not live that long.
    let store = bridge.other_store().await;
    while store.last_seq().await.expect("the trail") < 4 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let beside = bridge.beside().await;
    let caller = super::support::caller("bot");
    let again = beside.call(caller, request(), CallWatch::default()).await.expect("a reply");
    assert_eq!(value(&again), &json!({"id": 1}));
    let lines: Vec<String> = upstream.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[1], "GET /jobs/1");
    first.abort();
}

#[tokio::test]
async fn going_on_needs_no_second_approval_and_no_stop_lets_it_through() {
    let upstream = Upstream::new([accepted("60"), Answer::json(200, r#"{"id": 1}"#)]).await;
    let bridge = bridge(&upstream, "hold = true").await;
    let held = bridge.call("create_refund", FIVE).await;
    bridge.approve(&failure(&held).hold.as_ref().expect("a hold").id).await;
    let left = bridge.call("create_refund", FIVE).await;
    assert_eq!(code(&left), "upstream_timeout");
    let tool = tollbridge::store::StopScope::Tool("create_refund".to_owned());
    let store = bridge.gateway.store();
    tollbridge::gateway::stop(store, tool.clone(), "operator:ann").await.expect("a stop");
    assert_eq!(code(&bridge.call("create_refund", FIVE).await), "stopped");
    tollbridge::gateway::resume(store, tool, "operator:ann").await.expect("a resume");
    let done = bridge.call("create_refund", FIVE).await;
    assert_eq!((code(&done), upstream.count()), ("succeeded", 2));
}

#[tokio::test]
async fn a_call_that_is_left_is_never_of_unknown_outcome() {
    // It took the call; then nobody listens any more.
    let upstream = Upstream::new([Act::from(accepted("0")), Act::Hang]).await;
    let bridge = bridge(&upstream, "timeout = \"500ms\"").await;
    let reply = bridge.call("create_refund", FIVE).await;
    assert_eq!(failure(&reply).code, ErrorCode::UpstreamTimeout);
    assert!(failure(&reply).pending.is_some());
    let posts = upstream.seen().iter().filter(|seen| seen.line.starts_with("POST")).count();
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn a_call_whose_handle_cannot_be_read_is_not_begun_anew() {
    let upstream = Upstream::new([accepted("60"), Answer::json(200, "{}")]).await;
    let bridge = bridge(&upstream, "").await;
    let first = bridge.call("create_refund", FIVE).await;
    assert_eq!(code(&first), "upstream_timeout");
    bridge.sql("UPDATE pendings SET handle = '{\"way\": 2}'").await;
    let again = bridge.call("create_refund", FIVE).await;
    assert_eq!((code(&again), upstream.count()), ("outcome_unknown", 1));
    assert!(failure(&again).message.contains(first.meta.id.as_str()), "{again:?}");
}

#[tokio::test]
async fn what_the_first_call_took_stays_taken_though_its_repeat_finds_nothing() {
    let upstream = Upstream::new([accepted("60"), Answer::json(404, "{}")]).await;
    let bridge = bridge(&upstream, "budget = [{ count = true, limit = 1, per = \"1h\" }]").await;
    assert_eq!(code(&bridge.call("create_refund", FIVE).await), "upstream_timeout");
    let again = bridge.call("create_refund", FIVE).await;
    assert_eq!(code(&again), "upstream_error");
    // It had reserved nothing, and nothing is said to be given back.
    let events = bridge.record(&again).await.events;
    let kinds: Vec<_> = events.iter().map(|event| event.body["kind"].as_str().unwrap()).collect();
    assert!(!kinds.iter().any(|kind| ["reserved", "released"].contains(kind)), "{kinds:?}");
    assert_eq!(code(&bridge.call("create_refund", FIVE).await), "budget_exceeded");
}
