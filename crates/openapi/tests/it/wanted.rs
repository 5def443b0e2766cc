//! Operations that are read alone, or before the others.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use tollbridge_openapi::{ReadOptions, Surroundings, read_within};
use tollbridge_operation::{ApiName, Description, SecurityScheme, Wanted};

fn reading(document: &Value, named: &[&str], only: bool) -> Description {
    let api = ApiName::new("api").unwrap();
    let options = ReadOptions { api: &api, source: None };
    let named: BTreeSet<String> = named.iter().map(|&name| name.to_owned()).collect();
    let wanted = Wanted { named, only };
    let surroundings = Surroundings { wanted: Some(&wanted), ..Surroundings::default() };
    read_within(document.to_string().as_bytes(), &options, &surroundings).unwrap()
}

/// Operations with schemas that are too large for all of them together, and whose definitions
/// would have one name.
fn document() -> Value {
    let members: Map<String, Value> =
        (0..400).map(|n| (format!("m{n}"), json!({"type": "string", "maxLength": n}))).collect();
    let large = |more: &Value| json!({"type": "object", "properties": members, "anyOf": [more]});
    let schemas: Map<String, Value> = (0..40)
        .map(|n| {
            let next = json!({"$ref": format!("#/components/schemas/T{}", (n + 1) % 40)});
            (format!("T{n}"), large(&next))
        })
        .chain([("a_b".to_owned(), json!({})), ("a/b".to_owned(), json!({"type": "string"}))])
        .collect();
    let operation = |n: usize| {
        let schema = json!({"type": "array", "items": {"anyOf": [
            {"$ref": format!("#/components/schemas/T{}", n % 40)},
            {"$ref": format!("#/components/schemas/{}", ["a~1b", "a_b"][n % 2])},
        ]}});
        let content = json!({"application/json": {"schema": schema}});
        json!({
            "operationId": if n == 7 { Value::Null } else { json!(format!("op{n}")) },
            "requestBody": {"content": content},
            "responses": {"200": {"description": "", "content": content}},
        })
    };
    let paths: Map<String, Value> =
        (0..600).map(|n| (format!("/p{n}"), json!({"post": operation(n)}))).collect();
    json!({"openapi": "3.1.0", "paths": paths, "components": {"schemas": schemas}})
}

#[test]
fn what_is_wanted_is_the_same_whether_the_others_are_read_or_not() {
    let document = document();
    let named = ["op3", "POST /p7", "op8", "op4"];
    let alone = reading(&document, &named, true);
    let whole = reading(&document, &named, false);
    assert_eq!(whole.operations.len(), 600);
    let keys: Vec<&str> = alone.operations.iter().map(|one| one.id.key.as_str()).collect();
    assert_eq!(keys, ["op3", "op4", "POST /p7", "op8"]);
    for one in &alone.operations {
        let same = whole.operations.iter().find(|other| other.id == one.id).unwrap();
        assert_eq!((&one.input, &one.output), (&same.input, &same.output), "{}", one.id.key);
        let (binding, other) = (format!("{:?}", one.binding), format!("{:?}", same.binding));
        assert_eq!(binding, other);
    }
    // The test would prove little where the bounds did not bind.
    assert!(whole.warnings.iter().any(|one| one.message.contains("too large")));
}

#[test]
fn nothing_is_said_of_what_is_left_out() {
    let document = json!({"openapi": "3.1.0", "paths": {
        "/a": {"get": {"operationId": "a", "responses": {}}},
        "/b/{x": {"get": {"operationId": "b", "responses": {}}},
        "/c/{x": {"get": {"operationId": "c", "responses": {}}},
    }});
    let alone = reading(&document, &["a", "b"], true);
    let skipped: Vec<&str> = alone.skipped.iter().map(|one| one.key.as_str()).collect();
    assert_eq!((alone.operations.len(), skipped), (1, vec!["b"]));
    assert_eq!(reading(&document, &["a", "b"], false).skipped.len(), 2);
}

#[test]
fn what_all_operations_ask_for_is_known_whatever_is_read() {
    let key = json!({"type": "apiKey", "in": "header", "name": "X-Key"});
    let basic = json!({"type": "http", "scheme": "basic"});
    let operation = |id: &str, asks: Value| json!({"get": {"operationId": id, "responses": {}, "security": asks}});
    let mut document = json!({"openapi": "3.1.0", "security": [{"unused": []}], "paths": {
        "/a": operation("a", json!([{"key": []}])),
        "/b": operation("b", json!([{}, {"basic": [], "key": []}])),
    }, "components": {"securitySchemes": {
        "key": key, "basic": basic, "unused": {"type": "mutualTLS"},
    }}});
    let asked = |document: &Value, only| {
        let description = reading(document, &["a"], only);
        let schemes = description.asked.iter().map(|one| match one {
            SecurityScheme::ApiKey { name, .. } => name.clone(),
            SecurityScheme::Http { scheme } => scheme.clone(),
            other => format!("{other:?}"),
        });
        schemes.collect::<Vec<_>>()
    };
    for only in [true, false] {
        assert_eq!(asked(&document, only), ["X-Key", "basic"]);
    }
    // One that says nothing asks for what the document does.
    document["paths"]["/c"] = json!({"get": {"operationId": "c", "responses": {}}});
    for only in [true, false] {
        assert_eq!(asked(&document, only), ["X-Key", "basic", "MutualTls"]);
    }
}
