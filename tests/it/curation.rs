//! What curation makes of answers, from the upstream to what an agent reads.

use serde_json::{Value, json};
use tollbridge::agent;
use tollbridge::gateway::Reply;

use crate::stage::{House, json_answer, tool};

/// The reply as an MCP client gets it.
fn result(house: &House, name: &str, reply: Reply) -> Value {
    let toolbox = house.gateway.toolbox();
    let exposed = toolbox.exposed().iter().find(|exposed| exposed.tool.name.as_str() == name);
    let view = exposed.map(|exposed| agent::view(&exposed.tool));
    agent::result::to_json(reply, view.as_ref(), "shop")
}

#[tokio::test]
async fn an_answer_is_selected_and_limited_and_its_drift_is_that_of_the_whole() {
    let house = House::new(
        "",
        &tool(
            "getItem",
            "name = \"get\"\nshape = { select = \"lines[].{sku: sku, qty: quantity}\", rows = 2 }",
        ),
    )
    .await;
    let lines: Vec<Value> =
        (0..5).map(|n| json!({"sku": n.to_string(), "quantity": n, "cost": 1})).collect();
    house.upstream.will([json_answer(200, &json!({"lines": lines, "count": "five"}))]);
    let reply = house.call_as("alice", "get", json!({"id": "1"})).await.expect("a known tool");
    let result = result(&house, "get", reply);
    assert_eq!(
        result["structuredContent"],
        json!({"result": [{"qty": 0, "sku": "0"}, {"qty": 1, "sku": "1"}]})
    );
    assert_eq!(
        result["_meta"]["tollbridge/cut"],
        json!({"cuts": [{"pointer": "/result", "unit": "rows", "kept": 2, "total": 5}], "more": 0})
    );
    let note = result["content"][1]["text"].as_str().expect("a note");
    assert!(note.starts_with("This was cut. /result: 2 of 5 rows. To get the rest"), "{note}");
    assert_eq!(result["_meta"]["tollbridge/drift"][0]["pointer"], "/count");
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, result["structuredContent"], "valid JSON, the same in both");
}

#[tokio::test]
async fn what_is_not_selected_is_never_shown() {
    let shape = "name = \"get\"\nshape = { select = \"sum(amounts)\" }";
    let house = House::new("", &tool("getItem", shape)).await;
    house.upstream.will([json_answer(200, &json!({"amounts": ["x"], "iban": "DE00"}))]);
    let reply = house.call_as("alice", "get", json!({"id": "1"})).await.expect("a known tool");
    let result = result(&house, "get", reply);
    assert_eq!(result["structuredContent"], json!({"result": null}));
    assert!(!result.to_string().contains("DE00"));
    let drift = result["_meta"]["tollbridge/drift"][0]["message"].as_str().expect("a reason");
    assert!(drift.starts_with("nothing could be selected of the answer"), "{drift}");
}
