//! References that leave a document, and the ways in which one can name its target.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Value, json};
use tollbridge_openapi::{Documents, ReadOptions, Surroundings, read_within};
use tollbridge_operation::{ApiName, Description};
use url::Url;

use crate::support::only;

const ROOT: &str = "https://specs.example.com/shop/openapi.yaml";

/// Documents by their URL, and what was asked for.
#[derive(Default)]
struct Shelf {
    documents: BTreeMap<String, String>,
    asked: RefCell<Vec<String>>,
}

impl Documents for Shelf {
    fn get(&self, url: &Url) -> Result<Vec<u8>, String> {
        self.asked.borrow_mut().push(url.to_string());
        let found = self.documents.get(url.as_str());
        found.map(|text| text.clone().into_bytes()).ok_or_else(|| format!("{url} is not allowed"))
    }
}

fn shelf(documents: &[(&str, Value)]) -> Shelf {
    let root = Url::parse(ROOT).unwrap();
    let named =
        |(name, value): &(&str, Value)| (root.join(name).unwrap().to_string(), value.to_string());
    Shelf { documents: documents.iter().map(named).collect(), asked: RefCell::default() }
}

fn read(root: &Value, shelf: &Shelf) -> Description {
    read_from(root, Some(ROOT), shelf)
}

fn read_from(root: &Value, source: Option<&str>, shelf: &Shelf) -> Description {
    let api = ApiName::new("api").unwrap();
    let source = source.map(|source| Url::parse(source).unwrap());
    let options = ReadOptions { api: &api, source: source.as_ref() };
    let surroundings = Surroundings { documents: shelf, ..Surroundings::default() };
    read_within(root.to_string().as_bytes(), &options, &surroundings).unwrap()
}

fn with_paths(paths: &Value) -> Value {
    json!({"openapi": "3.1.0", "info": {}, "paths": paths})
}

/// An operation whose body is of the schema.
fn post(schema: &Value) -> Value {
    json!({"operationId": "it", "requestBody": {"content": {"application/json": {"schema": schema}}}})
}

/// What becomes of a body's schema, with what it names.
fn body_of(schema: &Value, more: &Value, shelf: &Shelf) -> Value {
    let mut root = with_paths(&json!({"/": {"post": post(schema)}}));
    root.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let description = read(&root, shelf);
    assert_eq!(description.skipped, []);
    let input = description.operations[0].input.to_value();
    json!({"body": input["properties"]["body"], "$defs": input.get("$defs")})
}

#[test]
fn every_piece_may_stand_in_another_document() {
    let shelf = shelf(&[
        (
            "paths/orders.yaml",
            json!({
                "parameters": [{"$ref": "../common.yaml#/parameters/tenant"}],
                "post": {
                    "operationId": "create",
                    "requestBody": {"$ref": "../common.yaml#/bodies/order"},
                    "responses": {"201": {"$ref": "../common.yaml#/responses/order"}},
                },
            }),
        ),
        (
            "common.yaml",
            json!({
                "parameters": {"tenant": {"name": "tenant", "in": "header", "required": true,
                    "schema": {"$ref": "schemas/Tenant.json"}}},
                "bodies": {"order": {"content": {"application/json": {"schema": {"$ref": "./schemas/order.json#/Order"}}}}},
                "responses": {"order": {"description": "", "content": {"application/json": {
                    "schema": {"$ref": "schemas/order.json#/Order"}}}}},
            }),
        ),
        ("schemas/Tenant.json", json!({"type": "string", "pattern": "^t"})),
        (
            "schemas/order.json",
            json!({
                "Order": {"type": "object", "properties": {
                    "lines": {"type": "array", "items": {"$ref": "#/Line"}},
                    "parent": {"$ref": "order.json#/Order"},
                    "customer": {"$ref": "../openapi.yaml#/components/schemas/Customer"}}},
                "Line": {"type": "object", "properties": {"sku": {"type": "string"}}},
            }),
        ),
    ]);
    let mut root = with_paths(&json!({"/orders": {"$ref": "paths/orders.yaml"}}));
    root["components"] = json!({"schemas": {"Customer": {"type": "integer"}}});
    let description = read(&root, &shelf);
    assert_eq!(description.skipped, []);
    assert_eq!(description.warnings, []);
    let operation = &description.operations[0];
    assert_eq!(operation.id.to_string(), "api/create");
    insta::assert_snapshot!(
        serde_json::to_string_pretty(&json!({
        "input": operation.input, "output": operation.output}))
        .unwrap()
    );
    // Each document is asked for once.
    let asked = shelf.asked.borrow();
    assert_eq!(asked.len(), 4, "{asked:?}");
}

#[test]
fn a_reference_names_its_target_in_many_ways() {
    let string = json!({"type": "string"});
    for (reference, more) in [
        ("#/components/schemas/a~1b", json!({"components": {"schemas": {"a/b": string}}})),
        ("#/components/schemas/a%20b", json!({"components": {"schemas": {"a b": string}}})),
        ("#/components/schemas/%C3%A4", json!({"components": {"schemas": {"ä": string}}})),
        ("#/components/schemas/x%7E0y", json!({"components": {"schemas": {"x~y": string}}})),
        ("#/x-list/1", json!({"x-list": [{}, string]})),
        (
            "#named",
            json!({"components": {"schemas": {"A": {"$anchor": "named", "type": "string"}}}}),
        ),
        (
            "https://schemas.example.com/a",
            json!({"components": {"schemas": {"A": {"$id": "https://schemas.example.com/a", "type": "string"}}}}),
        ),
        (
            "a-by-id",
            json!({"components": {"schemas": {"A": {"$id": "a-by-id", "type": "string"}}}}),
        ),
        (
            "a-by-id#/$defs/b",
            json!({"components": {"schemas": {"A": {"$id": "a-by-id", "$defs": {"b": string}}}}}),
        ),
        (
            "a-by-id#b",
            json!({"components": {"schemas": {"A": {"$id": "a-by-id", "$defs": {"b": {"$anchor": "b", "type": "string"}}}}}}),
        ),
        ("openapi.yaml#/x", json!({"x": string})),
        ("https://specs.example.com/shop/openapi.yaml#/x", json!({"x": string})),
        ("other.yaml", json!({})),
        ("/shop/other.yaml#", json!({})),
        ("../shop/./other.yaml#/$defs/s", json!({})),
        ("//specs.example.com/shop/other.yaml#inner", json!({})),
        ("https://self.example.com/other#/$defs/s", json!({"x-load": {"$ref": "other.yaml"}})),
    ] {
        let other = json!({"$self": "https://self.example.com/other", "type": "string", "$defs": {
            "s": {"$anchor": "inner", "type": "string"}}});
        let shelf = shelf(&[("other.yaml", other)]);
        let found = body_of(&json!({"$ref": reference}), &more, &shelf);
        let definitions = found["$defs"].as_object().unwrap();
        assert_eq!(definitions.len(), 1, "{reference}");
        assert_eq!(definitions.values().next().unwrap()["type"], "string", "{reference}");
    }
}

#[test]
fn a_reference_within_an_identified_schema_is_read_against_its_id() {
    let shelf = shelf(&[]);
    let more = json!({"components": {"schemas": {
        "Order": {"$id": "https://schemas.example.com/v1/order", "properties": {
            "own": {"$ref": "#/$defs/own"},
            "beside": {"$ref": "address"},
            // No pointer into the schema, but one from the document's root, which authors mean.
            "far": {"$ref": "#/components/schemas/Far"}},
            "$defs": {"own": {"const": "own"}}},
        "Address": {"$id": "https://schemas.example.com/v1/address", "const": "address"},
        "Far": {"const": "far"},
    }}});
    let found = body_of(&json!({"$ref": "#/components/schemas/Order"}), &more, &shelf);
    let values: Vec<&Value> =
        found["$defs"].as_object().unwrap().values().filter_map(|s| s.get("const")).collect();
    assert_eq!(values, [&json!("own"), &json!("address"), &json!("far")]);
}

#[test]
fn self_names_a_document_and_its_place_still_finds_its_neighbours() {
    let shelf = shelf(&[(
        "common.yaml",
        json!({"$self": "https://id.example.com/common", "S": {"const": 1}}),
    )]);
    let mut root = with_paths(&json!({"/": {"post": post(&json!({"$ref": "common.yaml#/S"}))}}));
    root["openapi"] = json!("3.2.0");
    root["$self"] = json!("https://id.example.com/openapi");
    let description = read(&root, &shelf);
    assert_eq!(description.skipped, []);
    assert_eq!(
        *shelf.asked.borrow(),
        ["https://id.example.com/common.yaml", "https://specs.example.com/shop/common.yaml",]
    );
}

#[test]
fn what_cannot_be_had_costs_only_the_operations_that_need_it() {
    let shelf = shelf(&[
        (
            "good.yaml",
            json!({"S": {"type": "string"}, "far": {"$ref": "https://elsewhere.example/x.json"}}),
        ),
        ("broken.yaml", json!("[")),
    ]);
    let shelf = Shelf {
        documents: shelf
            .documents
            .into_iter()
            .map(|(url, text)| {
                if url.ends_with("broken.yaml") { (url, "a: b\n c: [".into()) } else { (url, text) }
            })
            .collect(),
        ..Shelf::default()
    };
    let root = with_paths(&json!({
        "/a": {"post": post(&json!({"$ref": "good.yaml#/S"}))},
        "/b": {"post": post(&json!({"$ref": "good.yaml#/far"}))},
        "/c": {"post": post(&json!({"$ref": "missing.yaml"}))},
        "/d": {"post": post(&json!({"$ref": "broken.yaml#/S"}))},
        "/e": {"post": post(&json!({"$ref": "good.yaml#/T"}))},
        "/f": {"$ref": "missing.yaml"},
        "/g": {"get": {"responses": {"200": {"$ref": "missing.yaml#/r"}}}},
    }));
    let description = read(&root, &shelf);
    let callable: Vec<String> =
        description.operations.iter().map(|o| o.endpoint.clone().unwrap().path).collect();
    assert_eq!(callable, ["/a", "/g"]);
    let skipped: Vec<String> =
        description.skipped.iter().map(|s| format!("{}: {}", s.pointer, s.reason)).collect();
    insta::assert_snapshot!(skipped.join("\n"));
}

#[test]
fn circles_through_documents_are_bounded() {
    let shelf = shelf(&[
        (
            "a.yaml",
            json!({"Loop": {"$ref": "b.yaml#/Loop"}, "Tree": {"properties": {"next": {"$ref": "b.yaml#/Tree"}}},
            "item": {"$ref": "b.yaml#/item"}, "parameter": {"$ref": "b.yaml#/parameter"}}),
        ),
        (
            "b.yaml",
            json!({"Loop": {"$ref": "a.yaml#/Loop"}, "Tree": {"properties": {"next": {"$ref": "a.yaml#/Tree"}}},
            "item": {"$ref": "a.yaml#/item"}, "parameter": {"$ref": "a.yaml#/parameter"}}),
        ),
    ]);
    let root = with_paths(&json!({
        "/loop": {"post": post(&json!({"$ref": "a.yaml#/Loop"}))},
        "/tree": {"post": post(&json!({"$ref": "a.yaml#/Tree"}))},
        "/item": {"$ref": "a.yaml#/item"},
        "/parameter": {"get": {"parameters": [{"$ref": "a.yaml#/parameter"}]}},
    }));
    let description = read(&root, &shelf);
    assert_eq!(description.operations.len(), 1);
    assert_eq!(description.operations[0].input.to_value()["$defs"].as_object().unwrap().len(), 2);
    assert_eq!(description.skipped.len(), 3);
    assert!(
        description.skipped.iter().all(|s| s.reason.contains("itself")),
        "{:?}",
        description.skipped
    );
}

#[test]
fn a_dynamic_reference_means_what_the_way_to_it_says() {
    // JSON Schema 2020-12 core §8.2.3.2, as in OpenAPI's "Generic (Template) Data Structures".
    let list = |id: &str, item: &str| json!({"$id": id, "$ref": "list", "$defs": {"item": {"$dynamicAnchor": "item", "$ref": format!("#/components/schemas/{item}")}}});
    let more = json!({"components": {"schemas": {
        "List": {"$id": "list", "type": "object",
            "properties": {"items": {"type": "array", "items": {"$dynamicRef": "#item"}}},
            "$defs": {"item": {"$dynamicAnchor": "item", "const": "unbound"}}},
        "Pets": list("pets", "Pet"), "Shops": list("shops", "Shop"),
        "Pet": {"const": "pet"}, "Shop": {"const": "shop"},
    }}});
    for (name, word) in [("Pets", "pet"), ("Shops", "shop"), ("List", "unbound")] {
        let schema = json!({"$ref": format!("#/components/schemas/{name}")});
        let found = body_of(&schema, &more, &shelf(&[])).to_string();
        for other in ["pet", "shop", "unbound"] {
            assert_eq!(
                found.contains(&format!("\"const\":\"{other}\"")),
                other == word,
                "{name}: {found}"
            );
        }
    }
    let both = json!({"properties": {
        "a": {"$ref": "#/components/schemas/Pets"}, "b": {"$ref": "#/components/schemas/Shops"}}});
    let found = body_of(&both, &more, &shelf(&[])).to_string();
    assert!(found.contains("\"const\":\"pet\"") && found.contains("\"const\":\"shop\""), "{found}");
    assert!(!found.contains("unbound"), "{found}");
}

#[test]
fn a_dynamic_reference_may_be_recursion() {
    let more = json!({"components": {"schemas": {
        "Tree": {"$id": "tree", "$dynamicAnchor": "node", "type": "object", "properties": {
            "children": {"type": "array", "items": {"$dynamicRef": "#node"}}}}}}});
    let found = body_of(&json!({"$ref": "#/components/schemas/Tree"}), &more, &shelf(&[]));
    assert_eq!(
        found["$defs"],
        json!({"Tree": {"type": "object", "properties": {
            "children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}}})
    );
}

#[test]
fn examples_and_values_of_the_api_name_nothing() {
    let shelf = shelf(&[]);
    let schema = json!({"type": "object", "properties": {
        "default": {"type": "string"},
        "meta": {"default": {"$ref": "https://evil.example/a", "$id": "https://evil.example/b"}}},
        "example": {"$ref": "https://evil.example/c"}});
    body_of(&schema, &json!({}), &shelf);
    assert!(shelf.asked.borrow().is_empty(), "{:?}", shelf.asked.borrow());
}

#[test]
fn a_document_from_nowhere_says_so() {
    let root = with_paths(&json!({"/": {"post": post(&json!({"$ref": "other.yaml"}))}}));
    let description = read_from(&root, None, &shelf(&[]));
    assert!(
        description.skipped[0].reason.contains("no place"),
        "{}",
        description.skipped[0].reason
    );
}

#[test]
fn a_relative_server_is_beside_the_document_that_it_stands_in() {
    let shelf = shelf(&[(
        "https://other.example.com/x/item.yaml",
        json!({
        "servers": [{"url": "../api"}], "get": {}}),
    )]);
    let root = with_paths(&json!({"/": {"$ref": "https://other.example.com/x/item.yaml"}}));
    let description = read(&root, &shelf);
    assert_eq!(description.operations[0].servers, ["https://other.example.com/api"]);
}

#[test]
fn what_an_example_holds_is_there_for_a_reference_that_leads_into_it() {
    let example = json!({"type": "integer"});
    let content = json!({"a/b": {"example": example, "schema": true}});
    for reference in [
        "#/paths/~1a/get/responses/200/content/a~1b/example",
        "#/paths/~1a/get/responses/200/content/a~1b/%65xample",
        "#/components/examples/N/value",
    ] {
        let document = json!({
            "openapi": "3.1.0",
            "paths": {"/a": {"get": {
                "parameters": [{"name": "n", "in": "query", "schema": {"$ref": reference}}],
                "responses": {"200": {"content": content}},
            }}},
            "components": {"examples": {"N": {"value": example}}},
        });
        let input = only(&document.to_string()).input.to_value();
        assert!(input["$defs"].to_string().contains("integer"), "{input}");
    }
}

#[test]
fn what_stands_beside_the_reference_of_a_path_item_is_a_part_of_it() {
    let parameter = |name: &str, more: &Value| {
        let mut one = json!({"name": name, "in": "query", "schema": {"type": "string"}});
        one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        one
    };
    let needed = json!({"required": true});
    let mut root = with_paths(&json!({"/a/{id}": {
        "$ref": "#/components/pathItems/A",
        "description": "of the first",
        "servers": [{"url": "https://first.example"}],
        "parameters": [parameter("key", &needed), parameter("both", &json!({}))],
        "put": {"operationId": "put", "responses": {}},
    }}));
    root["components"]["pathItems"]["A"] = json!({
        "parameters": [
            {"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}},
            parameter("both", &needed),
        ],
        "get": {"operationId": "get", "responses": {}},
        "put": {"operationId": "never", "responses": {}},
    });
    let description = read(&root, &shelf(&[]));
    for (id, required) in [("get", &["both", "id", "key"][..]), ("put", &["id", "key"])] {
        let operation = description.operations.iter().find(|one| one.id.key.as_str() == id);
        let operation = operation.unwrap();
        let input = operation.input.to_value();
        let mut names: Vec<&str> = input["required"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(names, required, "{id}");
        assert_eq!(input["properties"]["id"]["type"], "integer", "{id}");
        assert_eq!(operation.servers, ["https://first.example"], "{id}");
        assert_eq!(operation.description.as_deref(), Some("of the first"), "{id}");
    }
    assert_eq!(description.operations.len(), 2);
}
