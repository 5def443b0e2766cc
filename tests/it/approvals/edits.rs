//! Other arguments, other people, and calls that stay open.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tollbridge::gateway::{
    self, Approver, Asking, CallRequest, CallWatch, Caller, Claim, Facts, OperateError, Proof,
};
use tollbridge::safety::edit::Edit;

use super::super::support::{Draft, Folder, Upstream, caller, code, failure, request};
use super::{FIVE, asking, held_by, hold_of, until};

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
    let told = record.events.iter().filter(|event| event.body["kind"] == "approved");
    assert_eq!(told.count(), 1, "nobody approved it twice");
    assert_eq!(record.decision.unwrap().rules, ["refund.allow", &format!("refund.hold={hold}")]);
    let before = bridge.record(&first).await;
    assert!(before.events.iter().any(|event| event.body["kind"] == "edited"));

    assert_ne!(hold_of(&bridge.call("refund", FIVE).await), hold);
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn what_is_kept_out_of_arguments_is_not_shown_of_their_changes_and_goes_with_the_call() {
    let upstream = Upstream::willing().await;
    let keys = "name = \"refund\"\nhold = true\nredact = [\"/body/note\"]";
    let bridge = Draft::to(&upstream.url()).tool("createRefund", keys).open().await;
    let hold = hold_of(&bridge.call("refund", FIVE).await);
    let (store, toolbox) = (bridge.gateway.store(), bridge.gateway.toolbox());
    let edits = [set("/body/amount", json!(4)), set("/body/note", json!("for Ann Smith"))];
    gateway::edit(store, &toolbox, &hold, &edits, "operator:ann", None).await.unwrap();

    let row = store.hold(&hold).await.unwrap().unwrap();
    let shown =
        json!([{"at": "/body/amount", "value": 4}, {"at": "/body/note", "value": "[redacted]"}]);
    assert_eq!(gateway::hold_json(&row)["edits"], shown);
    assert_eq!(gateway::edits_shown(&row), Some(shown.clone()));
    assert!(row.edits.unwrap().contains("Ann Smith"), "the repeat needs it");

    let reply = bridge.call("refund", FIVE).await;
    assert_eq!(code(&reply), "succeeded");
    let sent: Value = serde_json::from_str(&upstream.seen()[0].body).unwrap();
    assert_eq!(sent, json!({"amount": 4, "note": "for Ann Smith"}));
    let row = store.hold(&hold).await.unwrap().unwrap();
    assert_eq!(row.edits, Some(shown.to_string()), "nobody needs it any more");
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
        (vec![set("/body/amount", json!(5))], "nothing is changed"),
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
    // What no repeat can use does not stand in the way of another decision.
    assert!(failure(&reply).next_step.contains("asked anew"), "{reply:?}");
    let anew = hold_of(&bridge.call("refund", FIVE).await);
    assert_ne!(anew, hold);
    bridge.approve(&anew).await;
    assert_eq!(code(&bridge.call("refund", FIVE).await), "succeeded");
    assert_eq!(upstream.seen()[0].body, r#"{"amount":5}"#);
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
async fn a_call_that_waited_does_not_go_on_by_rules_that_were_changed_meanwhile() {
    let upstream = Upstream::willing().await;
    let draft = |more: &str| {
        let keys = format!("name = \"refund\"\nhold = {{ wait = \"30s\" }}\n{more}");
        Draft::to(&upstream.url()).tool("createRefund", &keys)
    };
    let bridge = draft("").open().await;
    let store = bridge.other_store().await;
    let deciding = async {
        until(|| async { !gateway::held(&store).await.unwrap().is_empty() }).await;
        bridge.reload(draft("[tool.args.\"/body/amount\"]\nmax = 4")).await;
        let held = gateway::held(&store).await.unwrap();
        gateway::approve(&store, &held[0].id, "operator:ann", None).await.unwrap();
    };
    let (reply, ()) = tokio::join!(bridge.call("refund", FIVE), deciding);
    hold_of(&reply);
    assert_eq!(code(&bridge.call("refund", FIVE).await), "denied");
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn nobody_decides_in_the_name_of_a_person_at_a_client() {
    let upstream = Upstream::willing().await;
    let bridge = held_by(&upstream, "true").await;
    let hold = hold_of(&bridge.call("refund", FIVE).await);
    let by = Approver::acting("client:bot", "operator:ann");
    let told = gateway::approve(bridge.gateway.store(), &hold, by, None).await.unwrap_err();
    assert!(told.to_string().contains("`client:bot` cannot decide"), "{told}");
    assert_eq!(hold_of(&bridge.call("refund", FIVE).await), hold, "it still waits");
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
    let (six, eight) = (r#"{"body": {"amount": 6}}"#, r#"{"body": {"amount": 8}}"#);
    let mut holds = Vec::new();
    for (arguments, by) in [
        (FIVE, Approver::from("operator:ann")),
        (six, Approver::from("operator:cleo")),
        (eight, Approver::acting("cleo", "operator:ann")),
    ] {
        let hold = hold_of(&bridge.call("refund", arguments).await);
        gateway::approve(bridge.gateway.store(), &hold, by, None).await.unwrap();
        holds.push(hold);
    }
    bridge.reload(draft("{ four_eyes = true }")).await;
    let named = |id: &str| CallRequest { approval: Some(id.to_owned()), ..request("refund", FIVE) };
    let own = bridge.ask("bot", named(&holds[0])).await.unwrap();
    assert_eq!((code(&own), upstream.count()), ("denied", 0));
    assert!(failure(&own).message.contains("rules as they are now"), "{own:?}");
    // It stands in the way of no other one, and is over once that is asked for.
    let anew = hold_of(&bridge.call("refund", FIVE).await);
    assert_ne!(anew, holds[0]);
    assert_eq!(hold_of(&bridge.call("refund", FIVE).await), anew);
    let over = bridge.ask("bot", named(&holds[0])).await.unwrap();
    assert!(failure(&over).message.contains("has run out"), "{over:?}");
    assert_ne!(hold_of(&bridge.call("refund", eight).await), holds[2], "who ran it is ann");
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

const LARGE: &str = "@id(\"large\") @hold @four_eyes
    forbid(principal, action == Action::\"refund\", resource)
    when { context.arguments.body.amount.greaterThan(decimal(\"90.0\")) };";

fn under(upstream: &Upstream, policies: bool) -> Draft {
    let policies = if policies { "[safety]\npolicies = [\"shop.cedar\"]" } else { "" };
    Draft::to(&upstream.url())
        .audit(&format!("\n[approvals.operators]\nann = [\"bot\"]\n{policies}"))
        .tool("createRefund", "name = \"refund\"\nhold = true")
}

fn with_policies(text: &str) -> Folder {
    let folder = Folder::new();
    folder.write("shop.cedar", text);
    folder
}

#[tokio::test]
async fn changed_arguments_that_fall_under_a_stricter_hold_need_whom_that_one_asks() {
    let upstream = Upstream::willing().await;
    let bridge = under(&upstream, true).open_in(with_policies(LARGE)).await;
    let (store, toolbox) = (bridge.gateway.store(), bridge.gateway.toolbox());
    let large = [set("/body/amount", json!(500))];
    let hold = hold_of(&bridge.call("refund", FIVE).await);
    let own = gateway::edit(store, &toolbox, &hold, &large, "operator:ann", None).await;
    let told = own.unwrap_err().to_string();
    assert!(told.contains("by `refund.hold`, `large`"), "{told}");
    assert!(told.contains("`operator:ann` may not approve"), "{told}");
    gateway::edit(store, &toolbox, &hold, &large, "operator:cleo", None).await.unwrap();
    assert_eq!(code(&bridge.call("refund", FIVE).await), "succeeded");
    assert_eq!(upstream.seen()[0].body, r#"{"amount":500}"#);
}

#[tokio::test]
async fn changed_arguments_that_come_to_fall_under_a_stricter_hold_are_held_anew() {
    let upstream = Upstream::willing().await;
    let bridge = under(&upstream, false).open_in(with_policies(LARGE)).await;
    let (store, toolbox) = (bridge.gateway.store(), bridge.gateway.toolbox());
    let hold = hold_of(&bridge.call("refund", FIVE).await);
    let large = [set("/body/amount", json!(500))];
    gateway::edit(store, &toolbox, &hold, &large, "operator:ann", None).await.unwrap();
    bridge.reload(under(&upstream, true)).await;
    let refused = bridge.call("refund", FIVE).await;
    assert_eq!(code(&refused), "denied");
    assert!(failure(&refused).message.contains("rules as they are now"), "{refused:?}");
    assert_ne!(hold_of(&bridge.call("refund", FIVE).await), hold);
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn changes_that_the_rules_deny_are_refused_to_who_makes_them_with_the_rules_name() {
    let upstream = Upstream::willing().await;
    let policy = "@id(\"small\") @reason(\"too much for acme\")
        forbid(principal, action == Action::\"refund\", resource)
        when { context.arguments.body.amount.greaterThan(decimal(\"90.0\"))
            && principal.hasTag(\"tenant\") && principal.getTag(\"tenant\").contains(\"acme\") };
        @id(\"web\") forbid(principal, action == Action::\"refund\", resource)
        when { context.arguments.body.amount.greaterThan(decimal(\"9000.0\"))
            && context.channel == \"http\" };";
    let bridge = under(&upstream, true).open_in(with_policies(policy)).await;
    let (store, toolbox) = (bridge.gateway.store(), bridge.gateway.toolbox());
    let of = |tenant: &str| {
        let claims = [("tenant".to_owned(), Claim::Text(tenant.to_owned()))].into();
        let facts = Facts { proof: Proof::Token, claims, ..Facts::default() };
        Caller { facts: Arc::new(facts), ..caller("bot") }
    };
    let held = async |tenant: &str, arguments: &str| {
        let call = request("refund", arguments);
        let reply = bridge.gateway.call(of(tenant), call, CallWatch::default()).await;
        hold_of(&reply.unwrap())
    };
    let edit = async |hold: &str, amount: u32| {
        let edits = [set("/body/amount", json!(amount))];
        gateway::edit(store, &toolbox, hold, &edits, "operator:cleo", None).await
    };
    let acme = held("acme", FIVE).await;
    let told = edit(&acme, 500).await.unwrap_err();
    assert!(matches!(&told, OperateError::EditDenied { rules, .. } if rules == &["small"]));
    assert!(told.to_string().ends_with("would be denied by `small`: too much for acme"), "{told}");
    assert_eq!(store.hold(&acme).await.unwrap().unwrap().state.as_str(), "pending");
    edit(&acme, 50).await.unwrap();
    let other = held("umbrella", r#"{"body": {"amount": 6}}"#).await;
    let told = edit(&other, 9_500).await.unwrap_err().to_string();
    assert!(told.contains("`web`"), "how it came in counts too: {told}");
    edit(&other, 500).await.unwrap();
}

#[tokio::test]
async fn who_decided_in_another_name_is_on_record_beside_it() {
    let upstream = Upstream::willing().await;
    let bridge = held_by(&upstream, "true").await;
    let (store, toolbox) = (bridge.gateway.store(), bridge.gateway.toolbox());
    let cleo = Approver::acting("cleo", "operator:ann");
    let edits = [set("/body/amount", json!(4))];
    let six = bridge.call("refund", r#"{"body": {"amount": 6}}"#).await;
    gateway::reject(store, &hold_of(&six), cleo, None).await.unwrap();
    let first = bridge.call("refund", FIVE).await;
    gateway::edit(store, &toolbox, &hold_of(&first), &edits, cleo, None).await.unwrap();
    let repeat = bridge.call("refund", FIVE).await;
    let mine = bridge.call("refund", r#"{"body": {"amount": 7}}"#).await;
    let ann = Approver::acting("operator:ann", "operator:ann");
    gateway::approve(store, &hold_of(&mine), ann, None).await.unwrap();
    for (reply, kinds, user) in [
        (&six, &["rejected"][..], json!("operator:ann")),
        (&first, &["edited", "approved"], json!("operator:ann")),
        (&repeat, &["edited", "approved"], json!("operator:ann")),
        (&mine, &["approved"], Value::Null),
    ] {
        let record = bridge.record(reply).await;
        for kind in kinds {
            let event = record.events.iter().find(|event| event.body["kind"] == **kind);
            let found = event.expect(kind).body.get("user").cloned().unwrap_or_default();
            assert_eq!(found, user, "{kind}");
        }
    }
}
