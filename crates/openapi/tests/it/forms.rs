//! Forms in which descriptions come: YAML's traps, depths and sizes, and documents that are none.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollbridge_openapi::ReadError;

use crate::support::{description, try_read};

#[test]
fn yaml_that_looks_like_something_else_stays_what_was_written() {
    // What YAML 1.1 read as booleans, octals, sexagesimals and dates (1.2.2 §10.3 does not).
    let description = description(
        "openapi: 3.1\n\
         info: {title: on, version: 3.10}\n\
         x-base: &base {in: query, schema: {type: string, enum: [no, yes, on, off, y, n]}}\n\
         paths:\n  /a:\n    get:\n      operationId: 0123\n      tags: [2026-11-24, 12:30:45, ~x, 1e3x]\n\
         \x20     parameters:\n      - {<<: *base, name: answer}\n      - {name: when, in: query, schema: {type: string, default: 2026-11-24}}\n\
         \x20     - {name: big, in: query, schema: {type: integer, maximum: 123456789012345678901234567890}}\n\
         \x20     responses: {200: {description: ok}, default: {description: no}}\n",
    );
    assert_eq!((description.title.as_str(), description.version.as_str()), ("on", "3.10"));
    assert_eq!(description.format, "OpenAPI 3.1");
    let operation = &description.operations[0];
    assert_eq!(operation.tags, ["2026-11-24", "12:30:45", "~x", "1e3x"]);
    let properties = operation.input.properties().unwrap();
    assert_eq!(properties["answer"]["enum"], json!(["no", "yes", "on", "off", "y", "n"]));
    assert_eq!(properties["when"]["default"], json!("2026-11-24"));
    assert_eq!(properties["big"]["maximum"].to_string(), "123456789012345678901234567890");
}

#[test]
fn yaml_with_braces_is_yaml() {
    let description =
        description("{openapi: 3.0.0, info: {}, paths: {/a: {get: {operationId: a}}}}");
    assert_eq!(description.operations.len(), 1);
    // What is neither is told of as the JSON that it looks like.
    assert_eq!(
        try_read("{\"openapi\": \"3.0.0\",\n \"paths\": {]}").unwrap_err().to_string(),
        "line 2, column 12: key must be a string"
    );
}

#[test]
fn broken_yaml_has_line_and_column() {
    for (text, start) in [
        ("openapi: 3.0.0\npaths:\n\t/a: {}\n", "line 3, column "),
        ("openapi: 3.0.0\na: 1\na: 2\n", "line 3, column 1: the key `a` stands twice"),
        ("openapi: 3.0.0\nb: *nobody\n", "line 2, column "),
        ("openapi: 3.0.0\nb: \"open\n", "line "),
        ("openapi: 3.0.0\n---\nopenapi: 3.0.0\n", "line 2, column 1: expected one document"),
        ("openapi: 3.0.0\na: &a\n  b: *a\n", "line 3, column "),
    ] {
        let error = try_read(text).unwrap_err().to_string();
        assert!(error.starts_with(start), "{text}: {error}");
    }
}

#[test]
fn a_hundred_levels_are_read_and_a_thousand_refused() {
    let nested = |depth: usize| {
        let mut schema = json!({"type": "string"});
        for _ in 0..depth {
            schema = json!({"type": "object", "properties": {"a": schema}});
        }
        json!({"openapi": "3.1.0", "paths": {"/": {"post": {"requestBody": {"content": {
            "application/json": {"schema": schema}}}}}}})
        .to_string()
    };
    // Each takes two levels of the text.
    assert_eq!(description(&nested(50)).operations.len(), 1);
    assert!(matches!(try_read(&nested(500)).unwrap_err(), ReadError::TooDeep { .. }));
    // References nest without bound and are no text.
    let schemas: serde_json::Map<String, Value> = (0..2000)
        .map(|n| {
            let next = json!({"$ref": format!("#/components/schemas/s{}", n + 1)});
            (format!("s{n}"), json!({"properties": {"a": next}}))
        })
        .chain([("s2000".to_owned(), json!({}))])
        .collect();
    let deep = json!({"openapi": "3.1.0", "components": {"schemas": schemas}, "paths": {"/": {"post": {
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/s0"}}}}}}}});
    assert_eq!(description(&deep.to_string()).operations.len(), 1);
}

#[test]
fn an_alias_bomb_is_refused_at_once() {
    let mut text = String::from("openapi: 3.0.0\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for n in 1..40 {
        let line = vec![format!("*a{}", n - 1); 10].join(",");
        text.extend([format!("a{n}: &a{n} [{line}]\n")]);
    }
    let began = Instant::now();
    assert!(matches!(try_read(&text).unwrap_err(), ReadError::TooManyNodes { .. }));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_file_of_fifty_megabytes_is_read_or_refused_in_bounded_time() {
    let filler = "x".repeat(1 << 20);
    let mut text =
        String::from("{\"openapi\": \"3.0.0\", \"paths\": {\"/\": {\"get\": {}}}, \"x\": [");
    for n in 0..50 {
        if n > 0 {
            text.push(',');
        }
        text.extend(["\"", &filler, "\""]);
    }
    text.push_str("]}");
    assert!(text.len() > 50 << 20);
    let began = Instant::now();
    assert_eq!(try_read(&text).unwrap().operations.len(), 1);
    // A debug build on a busy machine; what is not linear takes minutes.
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
}

#[test]
fn other_kinds_of_document_are_told_apart() {
    for (text, word) in [
        ("arazzo: 1.0.1\nworkflows: []", "Arazzo"),
        ("overlay: 1.0.0\nactions: []", "overlays"),
        ("asyncapi: 3.0.0", "AsyncAPI"),
        ("swaggerVersion: '1.2'", "Swagger 1"),
    ] {
        let error = try_read(text).unwrap_err();
        assert!(
            matches!(&error, ReadError::NotOpenApi { message } if message.contains(word)),
            "{error}"
        );
    }
}

#[test]
fn requests_of_the_api_are_left_out_with_a_reason() {
    let document = json!({"openapi": "3.1.0", "paths": {
        "/a": {"post": {"callbacks": {"done": {"{$request.body#/url}": {"post": {}}}}}},
        "/b": {"$ref": "#/components/pathItems/b"}},
        "webhooks": {"made": {"post": {"operationId": "made"}}},
        "components": {"pathItems": {"b": {"get": {"operationId": "b"}}}}});
    let description = description(&document.to_string());
    let keys: Vec<&str> = description.operations.iter().map(|o| o.id.key.as_str()).collect();
    assert_eq!(keys, ["POST /a", "b"]);
    let places: Vec<&str> = description.warnings.iter().map(|w| w.pointer.as_str()).collect();
    assert_eq!(places, ["/webhooks", "/paths/~1a/post/callbacks"]);
}

#[test]
fn names_are_unique_and_stable_whatever_the_ids_are() {
    let long = "x".repeat(200);
    let document = json!({"openapi": "3.1.0", "paths": {
        "/a/{x}": {"get": {}, "post": {"operationId": "pets / get one"}},
        "/a/{y}": {"get": {}, "post": {"operationId": "pets / get one"}},
        "/b": {"get": {"operationId": long}, "put": {"operationId": 7}},
        "/c": {"get": {"operationId": "q", "parameters": [
            {"name": "a b", "in": "query", "schema": {}}, {"name": "a/b", "in": "query", "schema": {}},
            {"name": "a_b", "in": "query", "schema": {}}, {"name": "a_b", "in": "header", "schema": {}}]}},
    }});
    let read = description(&document.to_string());
    let keys: Vec<&str> = read.operations.iter().map(|o| o.id.key.as_str()).collect();
    assert_eq!(
        keys,
        ["GET /a/{x}", "pets / get one", "GET /a/{y}", "POST /a/{y}", &long, "7", "q"]
    );
    let names: Vec<&String> = read.operations[6].input.properties().unwrap().keys().collect();
    assert_eq!(names, ["a_b_2", "a_b_3", "a_b", "a_b_header"]);
    let again = description(&document.to_string());
    let names_again: Vec<&String> =
        again.operations[6].input.properties().unwrap().keys().collect();
    assert_eq!(names, names_again);
}
