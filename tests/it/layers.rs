//! The order of a call through the layers, and what an identity sees.

use serde_json::json;
use tollbridge::gateway::{CallWatch, Caller, Refused};

use super::support::{Answer, Bridge, Draft, Upstream, caller, code, failure, request, value};

#[tokio::test]
async fn a_call_reaches_the_upstream_and_is_on_record() {
    let upstream = Upstream::willing().await;
    let bridge = Bridge::offering(&upstream, &["getItem"]).await;
    let reply = bridge.call("get_item", r#"{"id": "7"}"#).await;
    assert_eq!(value(&reply), &serde_json::json!({}));
    assert_eq!(upstream.seen()[0].line, "GET /items/7");
    let record = bridge.record(&reply).await;
    assert_eq!(record.outcome.as_deref(), Some("succeeded"));
    assert_eq!(record.served_by, Some(format!("{}/items/7", upstream.url())));
    assert_eq!(record.attempts.len(), 1);
}

#[tokio::test]
async fn a_limit_is_exact_to_the_last_digit_and_numbers_keep_theirs() {
    let upstream = Upstream::willing().await;
    let bridge = Draft::to(&upstream.url())
        .tool("createRefund", "[tool.args.\"/body/amount\"]\nmax = 500")
        .open()
        .await;
    let above = r#"{"body": {"amount": 500.0000000000000000001}}"#;
    let reply = bridge.call("create_refund", above).await;
    assert_eq!(code(&reply), "denied");
    assert!(failure(&reply).message.contains("/body/amount"), "{reply:?}");
    assert_eq!(upstream.count(), 0);
    // The JSON reader writes a positive exponent with its sign.
    for (amount, wire) in [
        ("500", "500"),
        ("5e2", "5e+2"),
        ("500.000", "500.000"),
        ("0.10000000000000000000000001", "0.10000000000000000000000001"),
    ] {
        let reply =
            bridge.call("create_refund", &format!(r#"{{"body": {{"amount": {amount}}}}}"#)).await;
        assert_eq!(code(&reply), "succeeded", "{amount}");
        let sent = upstream.seen().pop().expect("a request").body;
        assert_eq!(sent, format!(r#"{{"amount":{wire}}}"#));
    }
    let record = &bridge.trail().await[0];
    let decision = record.decision.as_ref().expect("a decision");
    assert_eq!(decision.rules, ["create_refund.args./body/amount.max=500"]);
}

#[tokio::test]
async fn each_layer_is_asked_only_once_the_one_before_it_agreed() {
    let upstream = Upstream::willing().await;
    let facilitator = Upstream::willing().await;
    let rules = "name = \"refund\"\nhold = true\nprice = \"0.01 USDC\"\n\
                 calls = { limit = 1, per = \"1h\" }\n\
                 [tool.args.\"/body/amount\"]\nmax = 500";
    let bridge = Draft::to(&upstream.url())
        .settled_at(&facilitator.url())
        .tool("createRefund", rules)
        .open()
        .await;

    let invalid = bridge.call("refund", r#"{"body": {"amount": "501"}, "x": 1}"#).await;
    assert_eq!(code(&invalid), "invalid_arguments");
    assert!(!failure(&invalid).violations.is_empty());
    assert!(bridge.record(&invalid).await.decision.is_none(), "no policy was asked");

    let above = bridge.call("refund", r#"{"body": {"amount": 501}}"#).await;
    assert_eq!(code(&above), "denied");
    assert!(bridge.gateway.store().holds(None).await.unwrap().is_empty(), "nothing was held");

    let held = bridge.call("refund", r#"{"body": {"amount": 5}}"#).await;
    assert_eq!(code(&held), "held");
    let id = failure(&held).hold.as_ref().unwrap().id.clone();
    let row = bridge.gateway.store().hold(&id).await.unwrap().unwrap();
    assert_eq!(row.price.as_deref(), Some("0.01 USDC"), "the price is shown to who approves");
    assert_eq!(facilitator.count(), 0, "no payment was asked for");

    bridge.approve(&id).await;
    for _ in 0..2 {
        // What is not paid for uses up neither the approval nor the window.
        let unpaid = bridge.call("refund", r#"{"body": {"amount": 5}}"#).await;
        assert_eq!(code(&unpaid), "payment_required");
    }
    assert_eq!(upstream.count(), 0);
    let decisions: Vec<_> = bridge
        .trail()
        .await
        .into_iter()
        .map(|call| (call.decision.map(|d| d.effect.as_str()), call.outcome.unwrap()))
        .collect();
    assert_eq!(
        decisions,
        [
            (None, "invalid_arguments".to_owned()),
            (Some("deny"), "denied".to_owned()),
            (Some("hold"), "held".to_owned()),
            (Some("allow"), "payment_required".to_owned()),
            (Some("allow"), "payment_required".to_owned()),
        ]
    );
}

#[tokio::test]
async fn every_violation_names_its_place_and_the_tools_own_argument() {
    let upstream = Upstream::willing().await;
    let bridge =
        Draft::to(&upstream.url()).tool("getItem", "[tool.args.id]\nrename = \"sku\"").open().await;
    for (arguments, pointer) in
        [(r#"{"sku": ".."}"#, "/sku"), (r#"{"sku": ""}"#, "/sku"), (r#"{"id": "1"}"#, "/id")]
    {
        let reply = bridge.call("get_item", arguments).await;
        assert_eq!(code(&reply), "invalid_arguments", "{arguments}");
        let violations = &failure(&reply).violations;
        assert!(violations.iter().any(|v| v.pointer == pointer), "{arguments}: {violations:?}");
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn a_tool_that_may_not_be_seen_is_like_one_that_does_not_exist() {
    let upstream = Upstream::willing().await;
    let bridge = Draft::to(&upstream.url()).tool("getItem", "deny = [\"*\"]").open().await;
    let hidden = bridge.ask("bot", request("get_item", r#"{"id": "7"}"#)).await;
    let unknown = bridge.ask("bot", request("got_item", r#"{"id": "7"}"#)).await;
    let told = |answer: Result<_, Refused>| match answer {
        Err(Refused::UnknownTool { tool, .. }) => tool,
        other => panic!("it is known: {other:?}"),
    };
    assert_eq!((told(hidden), told(unknown)), ("get_item".to_owned(), "got_item".to_owned()));
    let trail = bridge.trail().await;
    assert_eq!(trail.len(), 2);
    for call in trail {
        assert_eq!(call.outcome.as_deref(), Some("unknown_tool"));
        assert_eq!((call.decision, call.api, call.operation, call.spec), (None, None, None, None));
        assert_eq!(call.arguments, Some(json!({"id": "7"})));
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn what_is_offered_is_what_can_be_called_for_every_identity() {
    let upstream = Upstream::willing().await;
    let top = "[audit]\ndurability = \"process\"\n\
               [groups]\nops = [\"ann\", \"bob\"]\nnight = [\"bob\"]\nextra = []";
    let bridge = Draft::to(&upstream.url())
        .top(top)
        .tool("listItems", "name = \"open\"")
        .tool("listItems", "name = \"ops\"\nallow = [\"group:ops\"]")
        .tool("listItems", "name = \"day\"\nallow = [\"*\"]\ndeny = [\"group:night\"]")
        .tool("listItems", "name = \"ann\"\nallow = [\"ann\"]\ndeny = [\"group:extra\"]")
        .tool("listItems", "name = \"none\"\nallow = []")
        .open()
        .await;
    let with = |name: &str, group: &str| Caller { groups: vec![group.to_owned()], ..caller(name) };
    for (who, expected) in [
        (caller("ann"), vec!["open", "ops", "day", "ann"]),
        (caller("bob"), vec!["open", "ops"]),
        (caller("eve"), vec!["open", "day"]),
        (with("eve", "ops"), vec!["open", "ops", "day"]),
        (with("ann", "extra"), vec!["open", "ops", "day"]),
        (caller("ops"), vec!["open", "day"]),
    ] {
        let offer = bridge.gateway.offer(&who);
        let offered: Vec<&str> = offer.tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(offered, expected, "{who:?}");
        for tool in ["open", "ops", "day", "ann", "none"] {
            let call = bridge.gateway.call(who.clone(), request(tool, "{}"), CallWatch::default());
            let known = !matches!(call.await, Err(Refused::UnknownTool { .. }));
            assert_eq!(known, offered.contains(&tool), "{tool} for {who:?}");
        }
    }
}

#[tokio::test]
async fn one_operation_is_two_tools_with_limits_of_their_own() {
    let upstream = Upstream::willing().await;
    let limit = |name: &str, who: &str, max: u32| {
        format!("name = \"{name}\"\nallow = [\"{who}\"]\n[tool.args.\"/body/amount\"]\nmax = {max}")
    };
    let bridge = Draft::to(&upstream.url())
        .tool("createRefund", &limit("refund", "bot", 100))
        .tool("createRefund", &limit("refund_more", "boss", 1000))
        .open()
        .await;
    let amount = r#"{"body": {"amount": 101}}"#;
    assert_eq!(code(&bridge.call_as("bot", "refund", amount).await), "denied");
    assert_eq!(code(&bridge.call_as("boss", "refund_more", amount).await), "succeeded");
    assert!(bridge.ask("bot", request("refund_more", amount)).await.is_err());
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn an_answer_that_breaks_its_schema_is_delivered_and_marked() {
    let upstream = Upstream::new([Answer::json(200, r#"{"id": 7, "stock": "many"}"#)]).await;
    let bridge = Bridge::offering(&upstream, &["getItem"]).await;
    let reply = bridge.call("get_item", r#"{"id": "7"}"#).await;
    assert_eq!(value(&reply), &json!({"id": 7, "stock": "many"}));
    let drift = &reply.result.as_ref().unwrap().drift;
    let places: Vec<&str> = drift.iter().map(|drift| drift.pointer.as_str()).collect();
    assert_eq!(places, ["/id", "/stock"]);
    assert_eq!(bridge.outcomes().await, ["succeeded"]);
}

#[tokio::test]
async fn a_dry_run_decides_as_the_call_does_and_does_nothing() {
    let upstream = Upstream::willing().await;
    let bridge = Draft::to(&upstream.url())
        .tool("createRefund", "name = \"refund\"\n[tool.args.\"/body/amount\"]\nmax = 500")
        .tool("createRefund", "name = \"held\"\nhold = true")
        .open()
        .await;
    for (tool, amount, effect, outcome) in [
        ("refund", "500", "allow", "succeeded"),
        ("refund", "500.1", "deny", "denied"),
        ("held", "1", "hold", "held"),
    ] {
        let request = request(tool, &format!(r#"{{"body": {{"amount": {amount}}}}}"#));
        let before = (upstream.count(), bridge.trail().await.len());
        let dry = bridge.gateway.dry_run(&caller("bot"), &request).await.unwrap();
        assert_eq!(dry.decision.effect, effect);
        assert_eq!((upstream.count(), bridge.trail().await.len()), before);
        let reply = bridge.ask("bot", request).await.unwrap();
        assert_eq!(code(&reply), outcome);
        let decided = bridge.record(&reply).await.decision.unwrap();
        assert_eq!((decided.effect.as_str(), decided.rules), (effect, dry.decision.rules));
    }
    assert!(upstream.seen()[0].line.starts_with("POST /refunds"));
}

#[tokio::test]
async fn a_broken_limit_is_told_under_the_name_that_the_agent_knows() {
    let upstream = Upstream::willing().await;
    let bridge = Draft::to(&upstream.url())
        .tool("listItems", "[tool.args.limit]\nrename = \"most\"\nmax = 10")
        .open()
        .await;
    let reply = bridge.call("list_items", r#"{"most": 11}"#).await;
    assert_eq!(code(&reply), "denied");
    assert!(failure(&reply).message.starts_with("/most must be"), "{reply:?}");
    assert_eq!(code(&bridge.call("list_items", r#"{"most": 10}"#).await), "succeeded");
    assert_eq!(upstream.seen()[0].line, "GET /items?limit=10");
}
