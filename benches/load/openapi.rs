//! A large OpenAPI document, in the proportions of the largest that is published and known to
//! us: that of GitHub, with 13 MB and 1,223 operations. It is indented; a fifth of it without
//! the indentation is examples; four schemas on five operations, most of them small and a few
//! very large; three definitions behind an answer in the middle, bodies mostly written out
//! where they stand. One cluster of schemas in ten refers to itself in circles: in that
//! document none does, in others most do.

use serde_json::{Map, Value, json};

use crate::words::words;

/// How many schemas refer to each other.
const CLUSTER: usize = 12;

/// Every so many clusters there is one whose references close circles.
const CIRCLES: usize = 10;

/// A document with so many operations, of so many bytes.
pub(crate) fn document(operations: usize, bytes: usize) -> String {
    let schemas = operations * 4 / 5;
    let mut document = json!({
        "openapi": "3.0.3",
        "info": {"title": "Large", "version": "1"},
        "servers": [{"url": "http://127.0.0.1:9"}],
        "paths": paths(operations, schemas),
        "components": {
            "schemas": (0..schemas)
                .map(|n| (format!("Thing{n}"), schema(n, schemas)))
                .collect::<Map<_, _>>(),
            "responses": {
                "gone": {"description": "not there", "content": json_of(&thing(1))},
                "unfit": {"description": "not valid", "content": json_of(&thing(2))},
            },
            "parameters": {"page": {
                "name": "page", "in": "query", "description": words(5, 12),
                "schema": {"type": "integer", "default": 1},
            }},
        },
    });
    let left = bytes.saturating_sub(written(&document).len());
    let row = json!([example_row(0)]);
    // As deep as a row stands in an example.
    let rows = left
        / schemas
        / (written(&row).len() + example_row(0).as_object().map_or(0, Map::len) * 10);
    document["components"]["examples"] = (0..schemas)
        .map(|n| {
            (format!("thing{n}"), json!({"value": (0..rows).map(example_row).collect::<Value>()}))
        })
        .collect();
    written(&document)
}

fn written(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a value is JSON")
}

fn paths(operations: usize, schemas: usize) -> Value {
    let mut paths = Map::new();
    for n in 0..operations {
        let (method, path) = match n % 4 {
            0 => ("get", format!("/things{}/{{id}}", n / 4)),
            1 if n % 8 == 1 => ("put", format!("/things{}/{{id}}", n / 4)),
            1 => ("delete", format!("/things{}/{{id}}", n / 4)),
            2 => ("get", format!("/things{}", n / 4)),
            _ => ("post", format!("/things{}", n / 4)),
        };
        let item = paths.entry(path.clone()).or_insert_with(|| json!({}));
        item[method] = operation(n, method, path.contains("{id}"), n * 4 / 5 % schemas);
    }
    Value::Object(paths)
}

fn thing(n: usize) -> Value {
    json!({"$ref": format!("#/components/schemas/Thing{n}")})
}

fn json_of(schema: &Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

fn example_row(n: usize) -> Value {
    json!({"id": n, "name": words(n, 2), "total": 12.50, "note": words(n + 7, 12), "open": true})
}

/// A schema that refers to two others of its cluster.
fn schema(n: usize, schemas: usize) -> Value {
    let start = n / CLUSTER * CLUSTER;
    let is_circle = n / CLUSTER % CIRCLES == CIRCLES - 1;
    let other = |step: usize| {
        let place = n % CLUSTER + step;
        let is_there = (is_circle || place < CLUSTER) && start + CLUSTER <= schemas;
        is_there.then(|| thing(start + place % CLUSTER))
    };
    // One in twelve is ten times as large as the others.
    let groups = if n % CLUSTER == 7 { 12 } else { 1 };
    let mut properties = members(n * 31, 9);
    for group in 0..groups {
        properties.insert(
            format!("group_{group}"),
            json!({"type": "object", "properties": members(n * 31 + group + 1, 10)}),
        );
    }
    if let Some(other) = other(3) {
        properties.insert("parent".to_owned(), other);
    }
    if let Some(other) = other(5) {
        properties.insert("children".to_owned(), json!({"type": "array", "items": other}));
    }
    json!({
        "title": format!("Thing {n}"),
        "description": words(n, 10),
        "type": "object",
        "properties": properties,
        "required": ["member_0", "member_1", "member_4"],
    })
}

fn members(seed: usize, count: usize) -> Map<String, Value> {
    let member = |m: usize| match m % 6 {
        0 => json!({"type": "string", "description": words(seed + m, 9)}),
        1 => json!({"type": "integer", "minimum": 0, "example": 12}),
        2 => json!({"type": "string", "enum": ["open", "paid", "shipped"], "default": "open"}),
        3 => json!({"type": "string", "format": "uri", "nullable": true}),
        4 => json!({"type": "boolean"}),
        _ => json!({"type": "string", "format": "date-time", "example": "2026-01-02T03:04:05Z"}),
    };
    (0..count).map(|m| (format!("member_{m}"), member(m))).collect()
}

fn operation(n: usize, method: &str, has_id: bool, of: usize) -> Value {
    let mut parameters = Vec::new();
    if has_id {
        parameters.push(json!({
            "name": "id", "in": "path", "required": true, "description": words(n, 9),
            "schema": {"type": "string"},
        }));
    }
    for m in 0..2 {
        parameters.push(json!({
            "name": format!("filter_{m}"), "in": "query", "description": words(n + m, 14),
            "schema": {"type": "string", "maxLength": 100},
        }));
    }
    parameters.push(json!({"$ref": "#/components/parameters/page"}));
    let schema = if n % 4 == 2 { json!({"type": "array", "items": thing(of)}) } else { thing(of) };
    let mut content = json_of(&schema);
    content["application/json"]["examples"] =
        json!({"default": {"$ref": format!("#/components/examples/thing{of}")}});
    let mut operation = json!({
        "operationId": format!("operation_{n}"),
        "summary": words(n, 6),
        "description": words(n + 3, 60),
        "tags": [format!("tag_{}", n % 40)],
        "externalDocs": {"description": words(n, 4), "url": format!("http://127.0.0.1:9/{n}")},
        "parameters": parameters,
        "responses": {
            "200": {"description": "done", "content": content},
            "404": {"$ref": "#/components/responses/gone"},
            "422": {"$ref": "#/components/responses/unfit"},
        },
    });
    if method == "delete" {
        operation["responses"]["204"] = json!({"description": "done"});
        operation["responses"].as_object_mut().expect("an object").remove("200");
    }
    if matches!(method, "put" | "post") {
        let body = json!({"type": "object", "properties": members(n, 7), "required": ["member_0"]});
        let body = if n % 16 == 3 { thing(of) } else { body };
        operation["requestBody"] = json!({"required": true, "content": json_of(&body)});
    }
    operation
}
