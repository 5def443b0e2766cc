//! Erasing reaches what is kept of calls beside the trail, and no repeat runs anything twice for that.

use std::time::Duration;

use tollbridge::audit::{self, Keep, Signer};
use tollbridge::gateway::Reply;
use tollbridge::secret::Secret;
use tollbridge::store::Whose;

use super::support::{Answer, Bridge, Draft, Upstream, caller, code, failure, request};

const FIVE: &str = r#"{"body": {"amount": 5}}"#;
const ANN: &str = "ann@shop.example";

fn signer() -> Signer {
    Signer::of_seed(&Secret::new("BwcH".repeat(10) + "Bwc=")).expect("a key")
}

async fn erase(bridge: &Bridge, whose: Whose) {
    let erased = audit::erase(bridge.gateway.store(), &signer(), &whose, "operator:o").await;
    assert!(erased.expect("it is erased") > 0);
}

fn of(reply: &Reply) -> Whose {
    Whose::Call(reply.meta.id.to_string())
}

/// A refund that its caller names.
async fn refund(bridge: &Bridge, identity: &str, key: &str) -> Reply {
    let mut refund = request("create_refund", FIVE);
    refund.idempotency_key = Some(key.to_owned());
    bridge.ask(identity, refund).await.expect("a reply")
}

fn is_kept(bridge: &Bridge, text: &str) -> bool {
    let bytes = bridge.folder.store_bytes();
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_repeat_of_a_call_whose_outcome_was_erased_is_told_so_and_runs_nothing() {
    let answer = |status| Answer::json(status, format!(r#"{{"owner": "{ANN}"}}"#));
    let upstream = Upstream::new([answer(200), answer(409), answer(200)]).await;
    let bridge = Bridge::offering(&upstream, &["createRefund"]).await;
    let done = refund(&bridge, "bot", "k-1").await;
    let failed = refund(&bridge, "bot", "k-2").await;
    let other = refund(&bridge, "eve", "k-3").await;
    assert!(is_kept(&bridge, ANN));
    for (first, key, expected, said) in [
        (&done, "k-1", "outcome_unknown", "was carried out"),
        (&failed, "k-2", "upstream_error", "ended so"),
    ] {
        // Erasing twice is erasing once.
        erase(&bridge, of(first)).await;
        let whose = of(first);
        audit::erase(bridge.gateway.store(), &signer(), &whose, "operator:o").await.expect("again");
        let again = refund(&bridge, "bot", key).await;
        assert_eq!(code(&again), expected);
        let failure = failure(&again);
        assert!(!failure.retryable && failure.message.contains("erased"), "{failure:?}");
        assert!(failure.message.contains(said), "{failure:?}");
        assert!(failure.message.contains(first.meta.id.as_str()), "{failure:?}");
    }
    assert_eq!(code(&refund(&bridge, "eve", "k-3").await), "succeeded", "{other:?}");
    assert_eq!(upstream.count(), 3);
    erase(&bridge, Whose::Identity("eve".to_owned())).await;
    assert_eq!(code(&refund(&bridge, "eve", "k-3").await), "outcome_unknown");
    assert_eq!(upstream.count(), 3);
    erase(&bridge, Whose::Identity("bot".to_owned())).await;
    assert!(!is_kept(&bridge, ANN), "it is overwritten");
}

#[tokio::test]
async fn outcomes_go_when_the_payloads_of_their_calls_are_too_old_or_the_calls_are() {
    let age = Some(Duration::ZERO);
    for keep in [Keep { payloads: age, ..Keep::default() }, Keep { calls: age, ..Keep::default() }]
    {
        let upstream = Upstream::new([Answer::json(200, format!(r#"{{"owner": "{ANN}"}}"#))]).await;
        let bridge = Bridge::offering(&upstream, &["createRefund", "listItems"]).await;
        refund(&bridge, "bot", "k-1").await;
        // The newest event stays in any case.
        bridge.call("list_items", "{}").await;
        audit::retain(bridge.gateway.store(), &signer(), keep).await.expect("kept");
        let again = refund(&bridge, "bot", "k-1").await;
        assert_eq!(code(&again), "outcome_unknown", "{keep:?}");
        assert!(failure(&again).message.contains("was carried out"), "{again:?}");
    }
}

#[tokio::test]
async fn what_is_young_enough_is_kept() {
    let upstream = Upstream::new([Answer::json(200, format!(r#"{{"owner": "{ANN}"}}"#))]).await;
    let bridge = Bridge::offering(&upstream, &["createRefund"]).await;
    refund(&bridge, "bot", "k-1").await;
    let hour = Some(Duration::from_hours(1));
    let keep = Keep { payloads: hour, calls: hour, ..Keep::default() };
    audit::retain(bridge.gateway.store(), &signer(), keep).await.expect("kept");
    assert_eq!(code(&refund(&bridge, "bot", "k-1").await), "succeeded");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn a_call_that_an_api_took_is_not_begun_anew_where_it_is_asked_after_no_more() {
    let accepted =
        Answer::json(202, "{}").header("location", "/jobs/of-ann").header("retry-after", "60");
    let upstream = Upstream::new([accepted, Answer::json(200, "{}")]).await;
    let keys = "poll = { every = \"100ms\" }";
    let bridge = Draft::to(&upstream.url()).tool("createRefund", keys).open().await;
    let first = bridge.call("create_refund", FIVE).await;
    assert_eq!(code(&first), "upstream_timeout");
    erase(&bridge, of(&first)).await;
    assert!(!is_kept(&bridge, "jobs/of-ann"));
    let again = bridge.call("create_refund", FIVE).await;
    assert_eq!((code(&again), upstream.count()), ("outcome_unknown", 1));
    assert!(failure(&again).message.contains("erased"), "{again:?}");
}

#[tokio::test]
async fn the_result_of_a_task_goes_with_its_call() {
    let bridge = Bridge::offering(&Upstream::willing().await, &["listItems"]).await;
    let (bot, store) = (caller("bot"), bridge.gateway.store());
    let reply = bridge.call("list_items", "{}").await;
    let open = bridge.gateway.open_task(&bot, "list_items", &reply.meta.id, Duration::from_secs(9));
    let task = open.await.expect("a task").id;
    let result = format!(r#"{{"content": ["{ANN}"]}}"#);
    let completed = tollbridge::gateway::TaskState::Completed;
    bridge.gateway.end_task(&task, completed, result).await;
    let kept = async || {
        let task = bridge.gateway.task(&bot, &task).await.expect("read").expect("a task");
        task.0.result.expect("a result")
    };
    assert!(kept().await.contains(ANN));
    audit::erase(store, &signer(), &of(&reply), "operator:o").await.expect("erased");
    assert_eq!(kept().await, r#"{"erased":"completed"}"#);
    assert!(tollbridge::gateway::is_erased(&kept().await) && !is_kept(&bridge, ANN));
}
