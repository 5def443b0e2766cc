//! Calls that a person must decide on.

use std::sync::atomic::{AtomicI64, Ordering};

use futures::future::join_all;
use tollbridge::gateway::{self, CallRequest, Reply};
use tollbridge::store::system_clock;

use super::support::{Bridge, Draft, Upstream, code, failure, request};

const FIVE: &str = r#"{"body": {"amount": 5}}"#;

async fn held(upstream: &Upstream) -> Bridge {
    Draft::to(&upstream.url()).tool("createRefund", "name = \"refund\"\nhold = true").open().await
}

fn hold_of(reply: &Reply) -> String {
    assert_eq!(code(reply), "held");
    failure(reply).hold.as_ref().expect("a hold").id.clone()
}

fn naming(hold: &str, arguments: &str) -> CallRequest {
    CallRequest { approval: Some(hold.to_owned()), ..request("refund", arguments) }
}

#[tokio::test]
async fn a_repeat_before_the_decision_answers_the_same_hold() {
    let upstream = Upstream::willing().await;
    let bridge = held(&upstream).await;
    let hold = hold_of(&bridge.call("refund", FIVE).await);
    assert_eq!(hold_of(&bridge.call("refund", FIVE).await), hold);
    // Another spelling of the same call is the same call.
    assert_eq!(hold_of(&bridge.call("refund", r#"{ "body":{"amount":5} }"#).await), hold);
    assert_eq!(hold_of(&bridge.ask("bot", naming(&hold, FIVE)).await.unwrap()), hold);
    assert_eq!(gateway::held(bridge.gateway.store()).await.unwrap().len(), 1);
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn twenty_calls_at_once_are_one_hold() {
    let upstream = Upstream::willing().await;
    let bridge = held(&upstream).await;
    let replies = join_all((0..20).map(|_| bridge.call("refund", FIVE))).await;
    let mut holds: Vec<String> = replies.iter().map(hold_of).collect();
    holds.dedup();
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(gateway::held(bridge.gateway.store()).await.unwrap().len(), 1);
    assert_eq!(bridge.outcomes().await, ["held"; 20]);
}

#[tokio::test]
async fn an_approval_lets_exactly_one_of_twenty_repeats_through() {
    for named in [false, true] {
        let upstream = Upstream::willing().await;
        let bridge = held(&upstream).await;
        let hold = hold_of(&bridge.call("refund", FIVE).await);
        bridge.approve(&hold).await;
        let repeat =
            || CallRequest { approval: named.then(|| hold.clone()), ..request("refund", FIVE) };
        let calls = (0..20).map(|_| async { bridge.ask("bot", repeat()).await.unwrap() });
        let replies = join_all(calls).await;
        let through = replies.iter().filter(|reply| code(reply) == "succeeded").count();
        assert_eq!(through, 1);
        assert_eq!(upstream.count(), 1);
        let others = if named { "denied" } else { "held" };
        assert_eq!(replies.iter().filter(|reply| code(reply) == others).count(), 19);
        let waiting = gateway::held(bridge.gateway.store()).await.unwrap().len();
        assert_eq!(waiting, usize::from(!named), "what goes on asking is one new hold");
    }
}

#[tokio::test]
async fn what_was_approved_is_on_record_with_who_and_what() {
    let upstream = Upstream::willing().await;
    let bridge = held(&upstream).await;
    let first = bridge.call("refund", FIVE).await;
    let hold = hold_of(&first);
    bridge.approve(&hold).await;
    let second = bridge.call("refund", FIVE).await;
    let record = bridge.record(&second).await;
    assert_eq!(record.decision.unwrap().rules, ["refund.allow", &format!("refund.hold={hold}")]);
    let approved = record.events.iter().find(|event| event.body["kind"] == "approved").unwrap();
    assert_eq!(approved.body["by"], "operator:ann");
    assert_eq!(bridge.record(&first).await.outcome.as_deref(), Some("held"));
}

#[tokio::test]
async fn an_approval_is_bound_to_caller_tool_and_arguments() {
    let upstream = Upstream::willing().await;
    let bridge = Draft::to(&upstream.url())
        .tool("createRefund", "name = \"refund\"\nhold = true")
        .tool("createRefund", "name = \"payout\"\nhold = true")
        .open()
        .await;
    let hold = hold_of(&bridge.call("refund", FIVE).await);
    bridge.approve(&hold).await;
    let six = r#"{"body": {"amount": 6}}"#;
    let exponent = r#"{"body": {"amount": 5, "note": "x"}}"#;
    for (identity, tool, arguments) in [
        ("eve", "refund", FIVE),
        ("bot", "payout", FIVE),
        ("bot", "refund", six),
        ("bot", "refund", exponent),
    ] {
        assert_ne!(hold_of(&bridge.call_as(identity, tool, arguments).await), hold);
        let stolen = CallRequest { tool: tool.to_owned(), ..naming(&hold, arguments) };
        let reply = bridge.ask(identity, stolen).await.unwrap();
        assert_eq!(code(&reply), "denied", "{identity} {tool} {arguments}");
        let message = &failure(&reply).message;
        assert!(!message.contains("bot") && !message.contains("approved"), "{message}");
    }
    assert_eq!(upstream.count(), 0);
    let reply = bridge.ask("bot", naming(&hold, FIVE)).await.unwrap();
    assert_eq!(code(&reply), "succeeded");
    let again = bridge.ask("bot", naming(&hold, FIVE)).await.unwrap();
    assert_eq!(code(&again), "denied");
    // What was approved is done: nothing here says that the same should be done again.
    assert!(!failure(&again).retryable, "{again:?}");
    assert!(failure(&again).next_step.contains("went through by this approval"), "{again:?}");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn anothers_hold_is_told_apart_from_none_by_nothing() {
    let upstream = Upstream::willing().await;
    let bridge = held(&upstream).await;
    let hold = hold_of(&bridge.call("refund", FIVE).await);
    let theirs = bridge.ask("eve", naming(&hold, FIVE)).await.unwrap();
    let made_up = "h_01aaaaaaaaaaaaaaaaaaaaaaaa";
    let nobodys = bridge.ask("eve", naming(made_up, FIVE)).await.unwrap();
    assert_eq!((code(&theirs), code(&nobodys)), ("denied", "denied"));
    assert_eq!(
        failure(&theirs).message.replace(&hold, "ID"),
        failure(&nobodys).message.replace(made_up, "ID"),
    );
}

#[tokio::test]
async fn a_rejected_call_is_denied_with_the_reason() {
    let upstream = Upstream::willing().await;
    let bridge = held(&upstream).await;
    let first = bridge.call("refund", FIVE).await;
    let hold = hold_of(&first);
    let store = bridge.other_store().await;
    let reason = Some("not this month".to_owned());
    gateway::reject(&store, &hold, "operator:ann", reason).await.unwrap();
    for request in [request("refund", FIVE), naming(&hold, FIVE)] {
        let reply = bridge.ask("bot", request).await.unwrap();
        assert_eq!(code(&reply), "denied");
        assert!(failure(&reply).message.contains("not this month"), "{reply:?}");
        assert!(failure(&reply).next_step.contains("was not approved"), "{reply:?}");
    }
    assert_eq!(bridge.record(&first).await.outcome.as_deref(), Some("denied"));
    assert!(gateway::approve(&store, &hold, "operator:ann", None).await.is_err());
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn the_time_of_a_hold_runs_out_for_approving_and_for_using() {
    static LATER: AtomicI64 = AtomicI64::new(0);
    fn clock() -> i64 {
        system_clock() + LATER.load(Ordering::Relaxed) * 1_000_000
    }
    let upstream = Upstream::willing().await;
    let rule = "name = \"refund\"\nhold = { identities = [\"*\"], expires = \"10m\" }";
    let bridge = Draft::to(&upstream.url()).tool("createRefund", rule).open_at(clock).await;
    let first = bridge.call("refund", FIVE).await;
    let hold = hold_of(&first);
    gateway::approve(bridge.gateway.store(), &hold, "operator:ann", None).await.unwrap();
    LATER.store(601, Ordering::Relaxed);
    assert_eq!(code(&bridge.ask("bot", naming(&hold, FIVE)).await.unwrap()), "denied");
    assert_eq!(bridge.record(&first).await.outcome.as_deref(), Some("denied"));
    let anew = hold_of(&bridge.call("refund", FIVE).await);
    assert_ne!(anew, hold);
    LATER.store(1202, Ordering::Relaxed);
    let late = gateway::approve(bridge.gateway.store(), &anew, "operator:ann", None).await;
    assert!(late.unwrap_err().to_string().contains("expired"));
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn only_those_whose_calls_are_held_wait() {
    let upstream = Upstream::willing().await;
    let rule = "name = \"refund\"\nhold = { identities = [\"bot\"] }";
    let bridge = Draft::to(&upstream.url()).tool("createRefund", rule).open().await;
    assert_eq!(code(&bridge.call_as("ann", "refund", FIVE).await), "succeeded");
    assert_eq!(code(&bridge.call_as("bot", "refund", FIVE).await), "held");
}
