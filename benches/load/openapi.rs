//! A large OpenAPI document, in the proportions of those that are published: half of it
//! examples, schemas in clusters that refer to each other and to themselves.

use serde_json::{Value, json};

use crate::words::words;

/// How many schemas refer to each other.
const CLUSTER: usize = 12;

/// A document with so many operations, of so many bytes.
pub(crate) fn document(operations: usize, bytes: usize) -> Value {
    let mut paths = serde_json::Map::new();
    let mut schemas = serde_json::Map::new();
    for n in 0..operations / 2 {
        schemas.insert(format!("Thing{n}"), schema(n, operations / 2));
    }
    for n in 0..operations {
        let (method, path) = match n % 4 {
            0 => ("get", format!("/things{}/{{id}}", n / 4)),
            1 => ("put", format!("/things{}/{{id}}", n / 4)),
            2 => ("get", format!("/things{}", n / 4)),
            _ => ("post", format!("/things{}", n / 4)),
        };
        let item = paths.entry(path.clone()).or_insert_with(|| json!({}));
        item[method] = operation(n, &path);
    }
    let mut document = json!({
        "openapi": "3.0.3",
        "info": {"title": "Large", "version": "1"},
        "servers": [{"url": "http://127.0.0.1:9"}],
        "paths": paths,
        "components": {"schemas": schemas},
    });
    // The rest is examples, as it is in those that are published.
    let left = bytes.saturating_sub(document.to_string().len()) / operations;
    for item in document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut()) {
        for operation in item.as_object_mut().into_iter().flat_map(|item| item.values_mut()) {
            let rows = left / 135;
            let example: Vec<Value> = (0..rows)
                .map(|n| json!({"id": n, "name": words(n, 8), "total": 12.50, "note": words(n + 7, 8)}))
                .collect();
            operation["responses"]["200"]["content"]["application/json"]["example"] =
                json!(example);
        }
    }
    document
}

/// A schema that refers to two others of its cluster.
fn schema(n: usize, schemas: usize) -> Value {
    let start = n / CLUSTER * CLUSTER;
    let other = |step: usize| {
        let other = (start + (n + step) % CLUSTER).min(schemas - 1);
        json!({"$ref": format!("#/components/schemas/Thing{other}")})
    };
    let mut properties = serde_json::Map::new();
    for m in 0..12 {
        let schema = match m % 4 {
            0 => json!({"type": "string", "description": words(n * 31 + m, 10)}),
            1 => json!({"type": "integer", "minimum": 0, "nullable": true}),
            2 => json!({"type": "string", "enum": ["open", "paid", "shipped"], "default": "open"}),
            _ => json!({"type": "array", "items": {"type": "string", "format": "date-time"}}),
        };
        properties.insert(format!("member_{m}"), schema);
    }
    properties.insert("parent".to_owned(), other(1));
    properties.insert("children".to_owned(), json!({"type": "array", "items": other(5)}));
    json!({"type": "object", "required": ["member_0"], "properties": properties})
}

fn operation(n: usize, path: &str) -> Value {
    let mut parameters = Vec::new();
    if path.contains("{id}") {
        parameters.push(
            json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}),
        );
    }
    for m in 0..5 {
        parameters.push(json!({
            "name": format!("filter_{m}"), "in": "query", "description": words(n + m, 14),
            "schema": {"type": "string", "maxLength": 100},
        }));
    }
    let thing = json!({"$ref": format!("#/components/schemas/Thing{}", n / 2)});
    let mut operation = json!({
        "operationId": format!("operation_{n}"),
        "summary": words(n, 6),
        "description": words(n + 3, 60),
        "tags": [format!("tag_{}", n % 40)],
        "parameters": parameters,
        "responses": {
            "200": {"description": "done", "content": {"application/json": {"schema": thing.clone()}}},
            "404": {"description": "not there"},
        },
    });
    if n % 2 == 1 {
        operation["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": thing}}});
    }
    operation
}
