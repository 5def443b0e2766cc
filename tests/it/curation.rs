//! What curation makes of answers, from the upstream to what an agent reads.

use serde_json::{Value, json};
use tollbridge::agent;
use tollbridge::gateway::{Reply, Secrets};

use crate::stage::{Act, Folder, House, json_answer, tool};

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
    let counted = "tollbridge_drifted_answers_total{api=\"shop\"} 1\n";
    assert!(house.gateway.metrics().encode().contains(counted), "it is counted for the API");
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

const LIST: &str = r#"
openapi: 3.1.0
info: { title: Shop, version: "1" }
paths:
  /items:
    get:
      operationId: listItems
      parameters:
        - { name: page, in: query, schema: { type: integer } }
        - { name: q, in: query, schema: { type: string } }
      responses: { "200": { description: them, content: { application/json: { schema: { type: array } } } } }
"#;

async fn listing(more: &str) -> House {
    House::of(LIST, "", &tool("listItems", &format!("name = \"list\"\n{more}"))).await
}

fn page(rows: &Value, next: Option<&str>) -> Act {
    let link = next.map(|next| format!("Link: <{next}>; rel=\"next\"\r\n")).unwrap_or_default();
    let headers = format!("Content-Type: application/json\r\n{link}");
    Act::Answer(200, headers, rows.to_string())
}

fn asked(house: &House) -> Vec<String> {
    let line = |request: &String| request.split(' ').nth(1).unwrap_or_default().to_owned();
    house.upstream.seen().iter().map(line).collect()
}

#[tokio::test]
async fn pages_are_read_in_one_call_and_each_is_an_attempt_on_record() {
    let house = listing("pages = { kind = \"page\", argument = \"page\" }").await;
    house.upstream.will([
        page(&json!([1, 2]), None),
        Act::Answer(503, String::new(), String::new()),
        page(&json!([3]), None),
        page(&json!([]), None),
    ]);
    let reply = house.call_as("alice", "list", json!({"q": "a"})).await.expect("a known tool");
    assert_eq!(reply.meta.attempts, 4);
    let result = result(&house, "list", reply);
    assert_eq!(result["structuredContent"], json!({"result": [1, 2, 3]}));
    assert_eq!(
        result["_meta"]["tollbridge/pages"],
        json!({"pages": 3, "rows": 3, "more": false, "ended": "last_page"})
    );
    assert_eq!(
        asked(&house),
        ["/items?q=a", "/items?page=2&q=a", "/items?page=2&q=a", "/items?page=3&q=a"]
    );
    let call = house.last().await;
    assert_eq!(call.attempts.len(), 4, "each page and each repetition");
    assert!(call.attempts.iter().all(|attempt| attempt.status.is_some()));
}

#[tokio::test]
async fn a_link_is_followed_to_the_upstream_and_nowhere_else() {
    let house = listing("pages = { kind = \"link\" }").await;
    let away = "https://elsewhere.example.com/items?page=3";
    house
        .upstream
        .will([page(&json!([1]), Some("/items?page=2&x=%2F")), page(&json!([2]), Some(away))]);
    let reply = house.call_as("alice", "list", json!({})).await.expect("a known tool");
    let result = result(&house, "list", reply);
    assert_eq!(result["structuredContent"], json!({"result": [1, 2]}));
    assert_eq!(asked(&house), ["/items", "/items?page=2&x=%2F"]);
    let pages = &result["_meta"]["tollbridge/pages"];
    assert_eq!((&pages["ended"], &pages["more"]), (&json!("failed"), &json!(true)));
    assert_eq!(pages["next"], json!({"page": 3}));
    assert!(
        result["content"][1]["text"]
            .as_str()
            .unwrap()
            .starts_with("This is not all: 2 rows of 2 pages")
    );
    assert!(house.upstream.seen().iter().all(|request| request.contains("x-key: s3cr3t")));
}

#[tokio::test]
async fn what_was_read_is_kept_where_the_next_page_fails() {
    let house = listing("pages = { kind = \"page\", argument = \"page\" }").await;
    house.upstream.will([page(&json!([1]), None), json_answer(400, &json!({"why": "no"}))]);
    let reply = house.call_as("alice", "list", json!({})).await.expect("a known tool");
    let result = result(&house, "list", reply);
    assert_eq!(
        (&result["structuredContent"], &result["isError"]),
        (&json!({"result": [1]}), &json!(false))
    );
    assert_eq!(result["_meta"]["tollbridge/pages"]["next"], json!({"page": 2}));
    // The first page's failure is the call's.
    house.upstream.will([json_answer(400, &json!({"why": "no"}))]);
    assert_eq!(house.fails("list", json!({})).await.code.as_str(), "upstream_error");
}

#[tokio::test]
async fn a_limit_on_the_page_holds_for_what_the_bridge_asks_for_too() {
    let house =
        listing("pages = { kind = \"page\", argument = \"page\" }\nargs.page = { max = 2 }").await;
    house.upstream.will([page(&json!([1]), None), page(&json!([2]), None)]);
    let reply = house.call_as("alice", "list", json!({})).await.expect("a known tool");
    let result = result(&house, "list", reply);
    assert_eq!(result["_meta"]["tollbridge/pages"]["ended"], "limit");
    assert_eq!(house.upstream.seen().len(), 2);
}

#[test]
fn pages_are_for_reads_and_for_arguments_that_are_there() {
    let folder = Folder::new("http://127.0.0.1:1", "", "");
    for (operation, pages, said) in [
        ("deleteItem", "kind = \"link\"", "does more than read"),
        ("getItem", "kind = \"page\", argument = \"nr\"", "no argument `nr`"),
        ("getItem", "kind = \"cursor\", argument = \"id\"", "`next` is missing"),
        ("getItem", "kind = \"link\", next = \"/a\"", "`next` means nothing"),
        ("getItem", "kind = \"url\", next = \"a\"", "JSON pointer"),
        ("getItem", "kind = \"link\", max_pages = 101", "more than a call may read"),
    ] {
        folder.configure(
            "http://127.0.0.1:1",
            "",
            &tool(operation, &format!("pages = {{ {pages} }}")),
        );
        let wrong = tollbridge::gateway::load(&folder.path("tools.toml"), Secrets::Verify)
            .expect_err(pages);
        let text = wrong.render(tollbridge::config::Style::Plain);
        assert!(text.contains(said), "{pages}: {text}");
    }
}

const DEEP: &str = r##"
openapi: 3.1.0
info: { title: Shop, version: "1" }
components:
  schemas:
    Line:
      type: object
      required: [sku, price]
      properties:
        sku: { type: string }
        price: { type: number }
        note: { type: string }
        currency: { type: string, enum: [EUR, USD] }
      additionalProperties: false
    Base:
      type: object
      required: [tenant]
      properties: { tenant: { type: string }, urgent: { type: boolean } }
    Order:
      allOf:
        - { $ref: "#/components/schemas/Base" }
        - type: object
          required: [lines]
          properties:
            lines: { type: array, items: { $ref: "#/components/schemas/Line" } }
            returned: { type: array, items: { $ref: "#/components/schemas/Line" } }
            labels: { type: object, additionalProperties: { type: string } }
paths:
  /orders:
    post:
      operationId: order
      parameters: [{ name: dry-run, in: query, schema: { type: boolean } }]
      requestBody:
        required: true
        content: { application/json: { schema: { $ref: "#/components/schemas/Order" } } }
      responses: { "200": { description: done } }
"##;

#[tokio::test]
async fn arguments_are_curated_at_any_depth_and_the_wire_has_its_own_names() {
    let rules = r#"
name = "order"
calls = { limit = 9, per = "1h", by = "identity" }
examples = [{ body = { lines = [{ article = "a", price = 5 }], express = true } }]
[tool.args.dry-run]
fixed = false
[tool.args."/body/tenant"]
fixed = "acme"
[tool.args."/body/urgent"]
rename = "express"
required = true
description = "Whether it goes out today."
[tool.args."/body/lines/*/sku"]
rename = "article"
pattern = "^[a-z]+$"
max_length = 3
[tool.args."/body/lines/*/price"]
min = 1
max = 10
[tool.args."/body/lines/*/note"]
hide = true
[tool.args."/body/lines/*/currency"]
default = "EUR"
[tool.args."/body/labels/*"]
enum = ["red", "green"]
"#;
    let house = House::of(DEEP, "", &tool("order", rules)).await;
    let toolbox = house.gateway.toolbox();
    let listed = toolbox.exposed()[0].tool.input.to_map();
    let shown = Value::Object(listed).to_string();
    for (word, there) in [
        ("article", true),
        ("express", true),
        ("tenant", false),
        ("dry-run", false),
        ("goes out today", true),
    ] {
        assert_eq!(shown.contains(word), there, "{word}: {shown}");
    }
    let lines =
        json!([{"article": "ab", "price": 9.50}, {"article": "c", "price": 1, "currency": "USD"}]);
    let body = json!({"lines": lines, "express": false, "labels": {"x": "red"}});
    let reply = house.call_as("alice", "order", json!({"body": body})).await.expect("a known tool");
    assert!(reply.result.is_ok());
    // The agent is told who answered, and not what it may not see; the trail has all of it.
    let whole = house.last().await.served_by.expect("a place");
    assert!(whole.ends_with("/orders?dry-run=false"), "{whole}");
    assert_eq!(reply.meta.served_by.as_deref(), whole.strip_suffix("/orders?dry-run=false"));
    let seen = house.upstream.seen().pop().expect("a request");
    assert!(seen.starts_with("POST /orders?dry-run=false "), "{seen}");
    let sent: Value = serde_json::from_str(seen.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(
        sent,
        json!({
            "lines": [
                {"sku": "ab", "price": 9.50, "currency": "EUR"},
                {"sku": "c", "price": 1, "currency": "USD"},
            ],
            "urgent": false,
            "labels": {"x": "red"},
            "tenant": "acme",
        })
    );
    // What has no rule at another place of the same schema is as it was.
    let returned = json!({"lines": [], "express": true, "returned": [{"sku": "LONG NAME", "price": 99, "note": "n"}]});
    house.ok("order", json!({"body": returned})).await;
    let line = |line: Value| json!({"body": {"express": true, "lines": [line]}});
    for (arguments, code, place) in [
        (line(json!({"sku": "a", "price": 5})), "invalid_arguments", "/body/lines/0/sku"),
        (
            line(json!({"article": "a", "price": 5, "note": "x"})),
            "invalid_arguments",
            "/body/lines/0/note",
        ),
        (line(json!({"article": "abcd", "price": 5})), "denied", "/body/lines/0/article"),
        (line(json!({"article": "a", "price": 10.01})), "denied", "/body/lines/0/price"),
        (json!({"body": {"lines": []}}), "invalid_arguments", "/body"),
        (
            json!({"body": {"lines": [], "express": true, "tenant": "evil"}}),
            "invalid_arguments",
            "/body/tenant",
        ),
        (
            json!({"body": {"lines": [], "express": true}, "dry-run": true}),
            "invalid_arguments",
            "/dry-run",
        ),
        (
            json!({"body": {"lines": [], "express": true, "labels": {"x": "blue"}}}),
            "denied",
            "/body/labels/x",
        ),
    ] {
        let failure = house.fails("order", arguments.clone()).await;
        assert_eq!(failure.code.as_str(), code, "{arguments}: {failure:?}");
        assert!(failure.message.contains(place), "{arguments}: {failure:?}");
    }
    assert_eq!(house.upstream.seen().len(), 2);
}
