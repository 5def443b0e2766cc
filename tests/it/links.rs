//! What an answer says can be called next, from the description to what an agent reads.

use serde_json::{Value, json};
use tollbridge::agent;

use crate::stage::{Act, House, json_answer, tool};

const LINKED: &str = r##"
openapi: 3.1.0
info: { title: Shop, version: "1" }
paths:
  /orders:
    post:
      operationId: placeOrder
      parameters: [{ name: tenant, in: query, schema: { type: string } }]
      requestBody: { content: { application/json: { schema: { type: object } } } }
      responses:
        "201":
          description: It is placed.
          content: { application/json: { schema: { type: object } } }
          links:
            get:
              operationId: getOrder
              parameters: { id: $response.body#/id, depth: $response.header.X-Depth }
              description: The order as it stands.
            cancel: { operationRef: "#/paths/~1orders~1{id}/delete", parameters: { id: "$response.body#/id" } }
            of_tenant: { operationId: listOrders, parameters: { tenant: $request.query.tenant } }
            of_url: { operationId: listOrders, parameters: { tenant: $url } }
    get:
      operationId: listOrders
      parameters: [{ name: tenant, in: query, schema: { type: string } }]
      responses: { "200": { description: them } }
  /orders/{id}:
    parameters:
      - { name: id, in: path, required: true, schema: { type: string } }
      - { name: depth, in: query, schema: { type: integer } }
      - { name: X-Secret, in: header, schema: { type: string } }
    get: { operationId: getOrder, responses: { "200": { description: it } } }
    delete: { operationId: cancelOrder, responses: { "204": { description: gone } } }
"##;

fn placed() -> Act {
    let headers = "Content-Type: application/json\r\nX-Depth: 2\r\nLocation: /orders/o-1\r\n";
    Act::Answer(201, headers.to_owned(), json!({"id": "o-1", "iban": "DE00"}).to_string())
}

/// What `alice` reads of an order that she places.
async fn places(tools: &str, arguments: Value) -> Value {
    let house = House::of(LINKED, "", tools).await;
    house.upstream.will([placed()]);
    let reply = house.call_as("alice", "place", arguments).await.expect("a known tool");
    agent::result::to_json(reply, None, "shop")
}

fn names(result: &Value) -> Vec<&str> {
    let links = result["_meta"]["tollbridge/links"].as_array();
    links.into_iter().flatten().filter_map(|link| link["tool"].as_str()).collect()
}

#[tokio::test]
async fn an_answer_tells_the_tools_that_its_links_lead_to_with_their_arguments() {
    let tools = [
        tool("placeOrder", "name = \"place\""),
        tool("getOrder", "name = \"look\"\nargs.id = { rename = \"order\" }"),
        tool("cancelOrder", "name = \"cancel\""),
    ];
    let result = places(&tools.concat(), json!({"body": {}})).await;
    assert_eq!(
        result["_meta"]["tollbridge/links"],
        json!([
            {
                "name": "get", "description": "The order as it stands.", "tool": "look",
                "arguments": {"order": "o-1", "depth": 2}
            },
            {"name": "cancel", "tool": "cancel", "arguments": {"id": "o-1"}}
        ]),
        "no tool makes `listOrders`"
    );
    assert_eq!(
        result["content"][1]["text"],
        "What can be called next: look with {\"order\":\"o-1\",\"depth\":2}; cancel with {\"id\":\"o-1\"}."
    );
    assert_eq!(result["_meta"]["tollbridge/headers"]["location"], "/orders/o-1");
}

#[tokio::test]
async fn tools_that_the_caller_may_not_see_are_not_told() {
    let tools = [
        tool("placeOrder", "name = \"place\""),
        tool("getOrder", "name = \"look\"\nallow = [\"bob\"]"),
        tool("getOrder", "name = \"look_too\"\nallow = [\"alice\"]"),
        tool("cancelOrder", "name = \"cancel\"\ndeny = [\"alice\"]"),
    ];
    let result = places(&tools.concat(), json!({"body": {}})).await;
    assert_eq!(names(&result), ["look_too"]);
    assert!(!result["content"].to_string().contains("cancel"));
}

#[tokio::test]
async fn a_link_tells_nothing_that_is_hidden_from_the_agent() {
    let tools = [
        tool("placeOrder", "name = \"place\"\nargs.tenant = { fixed = \"t-77\" }"),
        tool("listOrders", "name = \"list\""),
        tool("getOrder", "name = \"look\"\nargs.depth = { hide = true }"),
    ];
    let result = places(&tools.concat(), json!({"body": {}})).await;
    let told = (&result["content"], &result["_meta"]["tollbridge/links"]);
    assert!(!format!("{told:?}").contains("t-77"), "{told:?}");
    assert_eq!(names(&result), ["look"]);
    assert_eq!(result["_meta"]["tollbridge/links"][0]["arguments"], json!({"id": "o-1"}));
    // What is not selected of the answer is no argument either.
    let tools = [
        tool("placeOrder", "name = \"place\"\nshape = { select = \"iban\" }"),
        tool("cancelOrder", "name = \"cancel\""),
    ];
    let result = places(&tools.concat(), json!({"body": {}})).await;
    assert_eq!(names(&result), [""; 0]);
    assert_eq!(result["content"].as_array().map(Vec::len), Some(1), "{result}");
}

#[tokio::test]
async fn a_failure_and_an_answer_without_values_tell_nothing() {
    let tools = [tool("placeOrder", "name = \"place\""), tool("cancelOrder", "name = \"cancel\"")];
    let house = House::of(LINKED, "", &tools.concat()).await;
    house.upstream.will([
        json_answer(422, &json!({"id": "o-1"})),
        json_answer(201, &json!({"id": null})),
        json_answer(201, &json!({"id": "x".repeat(2_000)})),
    ]);
    for _ in 0..3 {
        let call = house.call_as("alice", "place", json!({"body": {}}));
        let result = agent::result::to_json(call.await.expect("a known tool"), None, "shop");
        assert_eq!(names(&result), [""; 0]);
    }
}
