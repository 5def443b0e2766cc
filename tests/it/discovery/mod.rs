//! Discovery, from the three tools to the upstream and the trail.

mod hidden;
mod hostile;
mod tokens;

use serde_json::{Value, json};
use tollbridge::audit::CallRecord;
use tollbridge::gateway::{self, Refused, Reply};
use tollbridge::store::{StopScope, Store};

use crate::support::{
    Answer, Bridge, Draft, Folder, Upstream, caller, code, failure, request, value,
};

const META: [&str; 3] = ["search_operations", "describe_operations", "invoke_operation"];

/// `ops` may find the shop's operations, whatever else there is.
fn draft(upstream: &Upstream) -> Draft {
    Draft::to(&upstream.url())
        .top(
            "[server]\ndiscovery = true\n[groups]\nops = [\"ann\", \"bob\"]\n\
             [audit]\ndurability = \"process\"\n",
        )
        .api("discover = [\"group:ops\"]")
}

/// A bridge in a folder that has its descriptions, with this configuration.
async fn opened(folder: Folder, text: &str) -> Bridge {
    let file = folder.write("tools.toml", text);
    let loaded = gateway::load(&file, gateway::Secrets::Resolve).expect("it loads");
    let durability = gateway::durability(&loaded.config);
    let store = Store::open(&folder.store_url(), durability).await.expect("a store");
    Bridge::of(folder, loaded.toolbox, store)
}

fn names(bridge: &Bridge, identity: &str) -> Vec<String> {
    let offer = bridge.gateway.offer(&caller(identity));
    offer.tools.iter().map(|tool| tool.name.to_string()).collect()
}

async fn search(bridge: &Bridge, identity: &str, query: &str) -> String {
    let arguments = json!({ "query": query }).to_string();
    let reply = bridge.call_as(identity, "search_operations", &arguments).await;
    value(&reply)["results"].as_str().expect("text").to_owned()
}

async fn describe(bridge: &Bridge, identity: &str, id: &str) -> String {
    let arguments = json!({ "ids": [id] }).to_string();
    let reply = bridge.call_as(identity, "describe_operations", &arguments).await;
    value(&reply)["operations"].as_str().expect("text").to_owned()
}

async fn invoke(bridge: &Bridge, identity: &str, id: &str, arguments: Value) -> Reply {
    let arguments = json!({ "id": id, "arguments": arguments }).to_string();
    bridge.call_as(identity, "invoke_operation", &arguments).await
}

fn rules(record: &CallRecord) -> Vec<String> {
    record.decision.as_ref().map(|decision| decision.rules.clone()).unwrap_or_default()
}

#[tokio::test]
async fn an_agent_finds_an_operation_understands_it_and_calls_it() {
    let upstream = Upstream::new([Answer::json(200, r#"{"id": "7", "stock": 3}"#)]).await;
    let bridge = draft(&upstream).open().await;
    assert_eq!(names(&bridge, "ann"), META);
    let apis = bridge.call_as("ann", "search_operations", "{}").await;
    assert_eq!(value(&apis), &json!({"results": "shop (5 operations): Shop"}));
    let found = search(&bridge, "ann", "get one item").await;
    let first = found.lines().nth(1).expect("a result");
    assert_eq!(first, "shop/getItem(id: string) read: One item");
    let told = describe(&bridge, "ann", "shop/getItem").await;
    assert!(told.contains("arguments exact {id: string}"), "{told}");
    let reply = invoke(&bridge, "ann", "shop/getItem", json!({"id": "7"})).await;
    assert_eq!(value(&reply), &json!({"id": "7", "stock": 3}));
    assert_eq!(upstream.seen()[0].line, "GET /items/7");
    let record = bridge.record(&reply).await;
    assert_eq!(record.tool.as_deref(), Some("shop/getItem"), "under its own id");
    assert_eq!(record.operation.as_deref(), Some("getItem"));
    assert_eq!(rules(&record), ["shop.discover"]);
    let counted = bridge.gateway.metrics().encode();
    assert!(counted.contains(r#"tool="shop/getItem""#), "{counted}");
    assert!(!counted.contains(r#"tool="invoke_operation""#), "{counted}");
    // What was asked and shown is on record.
    let trail = bridge.trail().await;
    let asked = trail.iter().find(|call| call.tool.as_deref() == Some("search_operations"));
    assert!(asked.is_some_and(|call| call.outcome.as_deref() == Some("succeeded")));
    let asked = bridge.record_of(trail[1].id.as_str()).await;
    let asked = serde_json::to_value(&asked).expect("JSON").to_string();
    assert!(asked.contains("get one item") && asked.contains("shop/getItem"), "{asked}");
}

#[tokio::test]
async fn what_one_may_not_find_is_nowhere() {
    let upstream = Upstream::willing().await;
    let bridge = draft(&upstream).tool("listItems", "allow = [\"eve\"]").open().await;
    // Who may find nothing has nothing to find with.
    assert_eq!(names(&bridge, "eve"), ["list_items"]);
    for tool in META.iter().copied().chain(["shop/getItem"]) {
        let refused = bridge.ask("eve", request(tool, r#"{"id": "shop/getItem"}"#)).await;
        assert!(matches!(refused, Err(Refused::UnknownTool { .. })), "{tool}");
    }
    // A tool that one may not call is not found either, as if its operation did not exist.
    let found = search(&bridge, "ann", "list the items").await;
    assert!(!found.contains("listItems"), "{found}");
    assert!(found.starts_with("3 of 3 found"), "{found}");
    let words = |reply: Reply| {
        let failure = failure(&reply).clone();
        (failure.code, failure.message, failure.violations, failure.next_step)
    };
    let hidden = words(invoke(&bridge, "ann", "shop/listItems", json!({})).await);
    let absent = words(invoke(&bridge, "ann", "shop/listThings", json!({})).await);
    let renamed = |text: &str| text.replace("listThings", "listItems");
    assert_eq!(hidden.1, renamed(&absent.1));
    assert_eq!(hidden.3, absent.3);
    assert_eq!(hidden.0, absent.0);
    let hidden = describe(&bridge, "ann", "shop/listItems").await;
    let absent = describe(&bridge, "ann", "shop/listThings").await;
    assert_eq!(hidden, renamed(&absent));
    // Nor is a tool invoked by its name, nor one of discovery's own.
    for id in ["list_items", "search_operations", "tollbridge/search_operations", ""] {
        assert_eq!(code(&invoke(&bridge, "ann", id, json!({})).await), "invalid_arguments", "{id}");
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn a_write_that_no_rule_speaks_of_waits_for_a_person() {
    let upstream = Upstream::willing().await;
    let bridge = draft(&upstream).open().await;
    let found = search(&bridge, "ann", "pay money back").await;
    assert!(
        found.contains("shop/createRefund(body: {…}) write [held]: Pays money back"),
        "{found}"
    );
    let pay = json!({"body": {"amount": 3}});
    let reply = invoke(&bridge, "ann", "shop/createRefund", pay.clone()).await;
    assert_eq!(code(&reply), "held");
    assert_eq!(upstream.count(), 0);
    let hold = failure(&reply).hold.clone().expect("a hold").id;
    bridge.approve(&hold).await;
    let reply = invoke(&bridge, "ann", "shop/createRefund", pay.clone()).await;
    assert_eq!(code(&reply), "succeeded");
    let again = invoke(&bridge, "ann", "shop/createRefund", pay).await;
    assert_eq!(code(&again), "held", "an approval is for one call");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn an_operation_that_is_a_tool_is_invoked_as_that_tool() {
    let upstream = Upstream::willing().await;
    let rules = "name = \"refund\"\ncalls = { limit = 1, per = \"1h\" }\n\
                 [tool.args.\"/body/amount\"]\nmax = 500";
    let bridge = draft(&upstream).tool("createRefund", rules).open().await;
    let found = search(&bridge, "ann", "pay money back").await;
    assert!(found.contains("write [tool refund]: Pays money back"), "{found}");
    let told = describe(&bridge, "ann", "shop/createRefund").await;
    assert!(told.contains("500"), "its limit is told: {told}");
    let id = "shop/createRefund";
    let above = invoke(&bridge, "ann", id, json!({"body": {"amount": 501}})).await;
    assert_eq!(code(&above), "denied");
    let first = invoke(&bridge, "ann", id, json!({"body": {"amount": 1}})).await;
    assert_eq!(code(&first), "succeeded");
    assert_eq!(bridge.record(&first).await.tool.as_deref(), Some("refund"));
    // One window for both ways.
    let second = bridge.call_as("ann", "refund", r#"{"body": {"amount": 2}}"#).await;
    assert_eq!(code(&second), "rate_limited");
}

#[tokio::test]
async fn the_kill_switch_stops_what_is_found_and_the_finding() {
    let upstream = Upstream::willing().await;
    let bridge = draft(&upstream).open().await;
    let store = bridge.other_store().await;
    let stop = |scope| gateway::stop(&store, scope, "operator:ann");
    stop(StopScope::Tool("shop/getItem".to_owned())).await.expect("stopped");
    let reply = invoke(&bridge, "ann", "shop/getItem", json!({"id": "7"})).await;
    assert_eq!(code(&reply), "stopped");
    stop(StopScope::Identity("ann".to_owned())).await.expect("stopped");
    let reply = bridge.call_as("ann", "search_operations", r#"{"query": "item"}"#).await;
    assert_eq!(code(&reply), "stopped");
    assert_eq!(code(&bridge.call_as("bob", "search_operations", "{}").await), "succeeded");
}

#[tokio::test]
async fn nothing_is_shown_that_cannot_be_recorded() {
    let upstream = Upstream::willing().await;
    let bridge = draft(&upstream).open().await;
    bridge.break_trail().await;
    for (tool, arguments) in [
        ("search_operations", "{}"),
        ("search_operations", r#"{"query": "item"}"#),
        ("search_operations", r#"{"limit": 0}"#),
        ("describe_operations", r#"{"ids": ["shop/getItem"]}"#),
        ("invoke_operation", r#"{"id": "shop/getItem", "arguments": {"id": "7"}}"#),
    ] {
        let reply = bridge.call_as("ann", tool, arguments).await;
        assert_eq!(code(&reply), "audit_unavailable", "{tool} {arguments}");
    }
    assert_eq!(upstream.count(), 0);
    // Reads may go on, and to search is one; not for whom everything is stopped.
    let bridge = draft(&upstream).audit("reads_when_down = \"allow\"").open().await;
    let scope = StopScope::Identity("bob".to_owned());
    gateway::stop(&bridge.other_store().await, scope, "operator:ann").await.expect("stopped");
    bridge.break_trail().await;
    assert!(search(&bridge, "ann", "item").await.contains("shop/getItem"));
    let stopped = bridge.call_as("bob", "search_operations", "{}").await;
    assert_ne!(code(&stopped), "succeeded");
}

#[tokio::test]
async fn a_reload_swaps_what_may_be_found() {
    let upstream = Upstream::willing().await;
    let bridge = draft(&upstream).open().await;
    assert!(search(&bridge, "ann", "item").await.contains("shop/getItem"));
    bridge.reload(draft(&upstream).api("discover = [\"bob\"]")).await;
    assert_eq!(names(&bridge, "ann"), Vec::<String>::new());
    assert_eq!(names(&bridge, "bob"), META);
    let refused = bridge.ask("ann", request("search_operations", "{}")).await;
    assert!(matches!(refused, Err(Refused::UnknownTool { .. })));
}

#[tokio::test]
async fn policies_say_who_finds_what_and_lift_the_hold_of_what_they_speak_of() {
    let upstream = Upstream::willing().await;
    let policies = r#"
        @id("no-refunds") forbid(principal == Identity::"bob", action == Action::"discover",
            resource == Operation::"shop/createRefund");
        @id("stock") permit(principal == Identity::"ann", action in Action::"call",
            resource == Tool::"shop/setStock");
        @id("never") forbid(principal, action in Action::"call", resource in Api::"shop")
            when { resource.effect == "destructive" };"#;
    let folder = Folder::new();
    folder.write("shop.cedar", policies);
    let top = "[server]\ndiscovery = true\n[safety]\npolicies = [\"shop.cedar\"]\n\
               [audit]\ndurability = \"process\"\n";
    let bridge = draft(&upstream).top(top).api("discover = [\"*\"]").open_in(folder).await;
    let all = |identity| search(&bridge, identity, "api:shop");
    assert_eq!(
        all("bob").await,
        "3 of 3 found\n\
         shop/listItems(limit?) read: The items of the shop\n\
         shop/getItem(id: string) read: One item\n\
         shop/setStock(id: string, body: {…}) write [held]: Sets the stock of an item"
    );
    assert_eq!(
        all("ann").await,
        "4 of 4 found\n\
         shop/listItems(limit?) read: The items of the shop\n\
         shop/getItem(id: string) read: One item\n\
         shop/setStock(id: string, body: {…}) write: Sets the stock of an item\n\
         shop/createRefund(body: {…}) write [held]: Pays money back"
    );
    let stock = || json!({"id": "7", "body": {"stock": 1}});
    assert_eq!(code(&invoke(&bridge, "ann", "shop/setStock", stock()).await), "succeeded");
    assert_eq!(code(&invoke(&bridge, "bob", "shop/setStock", stock()).await), "held");
}

#[tokio::test]
async fn what_changed_since_it_was_accepted_is_marked_and_not_called() {
    let upstream = Upstream::willing().await;
    let digest = format!("sha256:{}", "0".repeat(64));
    let keys = format!("discover = [\"group:ops\"]\ndigest = \"{digest}\"");
    let bridge = draft(&upstream).api(&keys).open().await;
    let found = search(&bridge, "ann", "get one item").await;
    assert!(found.contains("shop/getItem(id: string) read [quarantined]: One item"), "{found}");
    let reply = invoke(&bridge, "ann", "shop/getItem", json!({"id": "7"})).await;
    assert_eq!(code(&reply), "quarantined");
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn what_cannot_be_called_is_not_found_and_the_others_are() {
    let upstream = Upstream::willing().await;
    // It adds up an argument that one of the writes has.
    let top = "[server]\ndiscovery = true\n[[budget]]\napi = \"shop\"\neffect = \"write\"\n\
               sum = \"/body/amount\"\nlimit = 10\nper = \"1h\"\n[audit]\ndurability = \"process\"\n";
    let folder = Folder::new();
    let text = draft(&upstream).top(top).api("discover = [\"*\"]").text();
    folder.write("shop.json", include_str!("../support/shop.json"));
    let file = folder.write("tools.toml", &text);
    let loaded = gateway::load(&file, gateway::Secrets::Verify).expect("it loads");
    let told = loaded.warnings.render(tollbridge::config::Style::Plain);
    let expected =
        "2 operations of `shop` cannot be found; `setStock`: the budget cannot be reckoned";
    assert!(told.contains(expected), "{told}");
    let ann = caller("ann");
    let view = loaded.toolbox.view(&ann).expect("there is something to find");
    assert!(!told.contains("about no tool"), "{told}");
    assert_eq!(view.len(), 3);
    assert_eq!(view.called_by("shop/setStock"), None);
    assert_eq!(view.called_by("shop/createRefund"), Some("shop/createRefund"));
}
