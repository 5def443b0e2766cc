//! Other arguments, other people, and calls that stay open.

use std::time::Duration;

use serde_json::{Value, json};
use tollbridge::gateway::{self, Approver};
use tollbridge::safety::edit::Edit;

use super::super::support::{Draft, Folder, Upstream, code, failure, request};
use super::{FIVE, asking, held_by, hold_of, until};
use tollbridge::gateway::Asking;

fn set(at: &str, value: Value) -> Edit {
    Edit { at: at.to_owned(), value: Some(value) }
}

#[tokio::test]
async fn a_call_that_was_changed_is_made_with_the_changes_once_and_says_so() {
    let upstream = Upstream::willing().await;
    let bridge = held_by(&upstream, "true").await;
    let first = bridge.call("refund", FIVE).await;
    let hold = hold_of(&first);
    let (store, toolbox) = (bridge.gateway.store(), bridge.gateway.toolbox());
    let edits = [set("/body/amount", json!(4)), set("/body/note", json!("less"))];
    let reason = Some("too much".to_owned());
    gateway::edit(store, &toolbox, &hold, &edits, "operator:ann", reason).await.unwrap();

    let reply = bridge.call("refund", FIVE).await;
    assert_eq!(code(&reply), "succeeded");
    let sent: Value = serde_json::from_str(&upstream.seen()[0].body).unwrap();
    assert_eq!(sent, json!({"amount": 4, "note": "less"}));
    let told = reply.meta.edited.as_ref().expect("it is said");
    assert_eq!((told.by.as_str(), told.reason.as_deref()), ("operator:ann", Some("too much")));
    assert_eq!(told.changes, edits);
    let record = bridge.record(&reply).await;
    let edited = record.events.iter().find(|event| event.body["kind"] == "edited").unwrap();
    assert_eq!(edited.body["arguments"], json!({"body": {"amount": 4, "note": "less"}}));
    assert_eq!(record.arguments, Some(json!({"body": {"amount": 5}})), "what the agent asked for");
    assert_eq!(record.decision.unwrap().rules, ["refund.allow", &format!("refund.hold={hold}")]);
    let before = bridge.record(&first).await;
    assert!(before.events.iter().any(|event| event.body["kind"] == "edited"));

    assert_ne!(hold_of(&bridge.call("refund", FIVE).await), hold);
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn changes_that_would_not_go_through_are_refused_with_the_reason() {
    let upstream = Upstream::willing().await;
    let keys = "name = \"refund\"\nhold = true\n[tool.args.\"/body/amount\"]\nmax = 10";
    let bridge = Draft::to(&upstream.url()).tool("createRefund", keys).open().await;
    let hold = hold_of(&bridge.call("refund", FIVE).await);
    let (store, toolbox) = (bridge.gateway.store(), bridge.gateway.toolbox());
    for (edits, word) in [
        (vec![set("/body/amount", json!(11))], "at most 10"),
        (vec![set("/body/amount", json!("four"))], "/body/amount"),
        (vec![set("/colour", json!("red"))], "/colour"),
        (vec![Edit { at: "/body".into(), value: None }], "/body"),
        (vec![set("/body/items/0", json!(1))], "no place"),
        (vec![set("/body/note", json!("[redacted]"))], "not shown"),
        (vec![], "nothing is changed"),
    ] {
        let told = gateway::edit(store, &toolbox, &hold, &edits, "operator:ann", None).await;
        let told = told.unwrap_err().to_string();
        assert!(told.contains(word), "{edits:?}: {told}");
    }
    assert_eq!(store.hold(&hold).await.unwrap().unwrap().state.as_str(), "pending");
}

#[tokio::test]
async fn changes_are_judged_again_by_the_rules_of_the_repeat() {
    let upstream = Upstream::willing().await;
    let keys = |max: u32| {
        format!("name = \"refund\"\nhold = true\n[tool.args.\"/body/amount\"]\nmax = {max}")
    };
    let draft = |max| Draft::to(&upstream.url()).tool("createRefund", &keys(max));
    let bridge = draft(10).open().await;
    let hold = hold_of(&bridge.call("refund", FIVE).await);
    let (store, toolbox) = (bridge.gateway.store(), bridge.gateway.toolbox());
    let edits = [set("/body/amount", json!(9))];
    gateway::edit(store, &toolbox, &hold, &edits, "operator:ann", None).await.unwrap();
    bridge.reload(draft(8)).await;
    let reply = bridge.call("refund", FIVE).await;
    assert_eq!(code(&reply), "denied");
    assert!(failure(&reply).message.contains("at most 8"), "{reply:?}");
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn where_four_eyes_must_decide_nobody_approves_their_own_call() {
    let upstream = Upstream::willing().await;
    let draft = Draft::to(&upstream.url())
        .audit("\n[approvals.operators]\nann = [\"bot\", \"ann-laptop\"]")
        .tool("createRefund", "name = \"refund\"\nhold = { four_eyes = true }");
    let bridge = draft.open().await;
    let hold = hold_of(&bridge.call("refund", FIVE).await);
    let store = bridge.gateway.store();
    for own in [
        Approver::from("operator:bot"),
        Approver::from("bot"),
        Approver::from("operator:ann"),
        Approver::acting("cleo", "operator:ann"),
        Approver::acting("ann", "operator:root"),
    ] {
        let told = gateway::approve(store, &hold, own, None).await.unwrap_err().to_string();
        assert!(told.contains("four eyes"), "{told}");
        let toolbox = bridge.gateway.toolbox();
        let edits = [set("/body/amount", json!(4))];
        assert!(gateway::edit(store, &toolbox, &hold, &edits, own, None).await.is_err());
    }
    gateway::approve(store, &hold, "operator:cleo", None).await.unwrap();
    assert_eq!(code(&bridge.call("refund", FIVE).await), "succeeded");
    let mine = hold_of(&bridge.call("refund", FIVE).await);
    gateway::reject(store, &mine, "operator:ann", None).await.unwrap();
    assert_eq!(code(&bridge.call("refund", FIVE).await), "denied", "a no may be one's own");
}

#[tokio::test]
async fn a_call_that_waits_goes_on_when_it_is_approved_and_its_time_begins_then() {
    let upstream = Upstream::willing().await;
    let keys = "name = \"refund\"\ntimeout = \"900ms\"\nhold = { wait = \"30s\" }";
    let bridge = Draft::to(&upstream.url()).tool("createRefund", keys).open().await;
    let store = bridge.other_store().await;
    let deciding = async {
        until(|| async { !gateway::held(&store).await.unwrap().is_empty() }).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let held = gateway::held(&store).await.unwrap();
        gateway::approve(&store, &held[0].id, "operator:ann", None).await.unwrap();
    };
    let (reply, ()) = tokio::join!(bridge.call("refund", FIVE), deciding);
    assert_eq!(code(&reply), "succeeded", "{reply:?}");
    let record = bridge.record(&reply).await;
    let kinds: Vec<_> = record.events.iter().map(|event| event.body["kind"].clone()).collect();
    let expected = [
        "received",
        "decided",
        "held",
        "approved",
        "decided",
        "attempt_started",
        "attempt_finished",
        "replied",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(upstream.count(), 1);
    let next = asking(&bridge, "eve", request("refund", FIVE), Asking::Never);
    let cancelled = tokio::time::timeout(Duration::from_millis(600), next).await;
    assert!(cancelled.is_err(), "another call waits for itself");
}

#[tokio::test]
async fn a_call_that_waited_in_vain_is_held_and_can_still_be_approved() {
    let upstream = Upstream::willing().await;
    let bridge = held_by(&upstream, "{ wait = \"300ms\" }").await;
    let reply = bridge.call("refund", FIVE).await;
    let hold = hold_of(&reply);
    assert_eq!(bridge.record(&reply).await.outcome.as_deref(), Some("held"));
    bridge.approve(&hold).await;
    assert_eq!(code(&bridge.call("refund", FIVE).await), "succeeded");
}

#[tokio::test]
async fn a_call_that_waits_is_told_no_with_the_reason() {
    let upstream = Upstream::willing().await;
    let bridge = held_by(&upstream, "{ wait = \"30s\" }").await;
    let store = bridge.other_store().await;
    let deciding = async {
        until(|| async { !gateway::held(&store).await.unwrap().is_empty() }).await;
        let held = gateway::held(&store).await.unwrap();
        let reason = Some("not today".to_owned());
        gateway::reject(&store, &held[0].id, "operator:ann", reason).await.unwrap();
    };
    let (reply, ()) = tokio::join!(bridge.call("refund", FIVE), deciding);
    assert_eq!(code(&reply), "denied");
    assert!(failure(&reply).message.contains("not today"), "{reply:?}");
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn an_approval_counts_where_who_gave_it_may_give_it_by_the_rules_of_the_repeat() {
    let upstream = Upstream::willing().await;
    let draft = |hold: &str| {
        Draft::to(&upstream.url())
            .audit("\n[approvals.operators]\nann = [\"bot\"]")
            .tool("createRefund", &format!("name = \"refund\"\nhold = {hold}"))
    };
    let bridge = draft("{ ask = [\"client\", \"operator\"] }").open().await;
    let six = r#"{"body": {"amount": 6}}"#;
    for (arguments, by) in [(FIVE, "operator:ann"), (six, "operator:cleo")] {
        let hold = hold_of(&bridge.call("refund", arguments).await);
        gateway::approve(bridge.gateway.store(), &hold, by, None).await.unwrap();
    }
    bridge.reload(draft("{ four_eyes = true }")).await;
    let own = bridge.call("refund", FIVE).await;
    assert_eq!((code(&own), upstream.count()), ("denied", 0));
    assert!(failure(&own).message.contains("rules as they are now"), "{own:?}");
    assert_eq!(code(&bridge.call("refund", six).await), "succeeded");
    // Nor does the operators' yes count where the client alone is asked now.
    let seven = r#"{"body": {"amount": 7}}"#;
    let hold = hold_of(&bridge.call("refund", seven).await);
    gateway::approve(bridge.gateway.store(), &hold, "operator:cleo", None).await.unwrap();
    bridge.reload(draft("{ ask = [\"client\"] }")).await;
    assert_eq!(code(&bridge.call("refund", seven).await), "denied");
    bridge.reload(draft("true")).await;
    assert_eq!(code(&bridge.call("refund", seven).await), "succeeded");
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn changed_arguments_that_fall_under_a_stricter_hold_need_whom_that_one_asks() {
    let upstream = Upstream::willing().await;
    let folder = Folder::new();
    folder.write(
        "shop.cedar",
        "@id(\"large\") @hold @four_eyes forbid(principal, action == Action::\"refund\", resource)\n\
         when { context.arguments.body.amount.greaterThan(decimal(\"90.0\")) };",
    );
    let bridge = Draft::to(&upstream.url())
        .audit("\n[approvals.operators]\nann = [\"bot\"]\n[safety]\npolicies = [\"shop.cedar\"]")
        .tool("createRefund", "name = \"refund\"\nhold = true")
        .open_in(folder)
        .await;
    let (store, toolbox) = (bridge.gateway.store(), bridge.gateway.toolbox());
    let six = r#"{"body": {"amount": 6}}"#;
    let large = [set("/body/amount", json!(500))];
    for (arguments, by) in [(FIVE, "operator:ann"), (six, "operator:cleo")] {
        let hold = hold_of(&bridge.call("refund", arguments).await);
        gateway::edit(store, &toolbox, &hold, &large, by, None).await.unwrap();
    }
    assert_eq!(code(&bridge.call("refund", FIVE).await), "denied");
    assert_eq!(upstream.count(), 0);
    assert_eq!(code(&bridge.call("refund", six).await), "succeeded");
    assert_eq!(upstream.seen()[0].body, r#"{"amount":500}"#);
}
