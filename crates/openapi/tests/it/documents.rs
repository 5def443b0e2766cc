//! One small document a version, whole; and servers and security.

use serde_json::{Value, json};

use crate::support::{description, description_from, shown};

#[test]
fn an_openapi_3_1_document() {
    insta::assert_snapshot!(shown(&description(include_str!("documents/orders-3.1.yaml"))));
}

#[test]
fn an_openapi_3_0_document() {
    insta::assert_snapshot!(shown(&description(include_str!("documents/pets-3.0.yaml"))));
}

#[test]
fn a_swagger_2_0_document() {
    insta::assert_snapshot!(shown(&description(include_str!("documents/zones-2.0.json"))));
}

#[test]
fn an_openapi_3_2_document_has_more_methods() {
    let document = json!({"openapi": "3.2.0", "info": {}, "paths": {"/": {
        "query": {"operationId": "q"},
        "additionalOperations": {"COPY": {"operationId": "c"}},
    }}});
    let description = description(&document.to_string());
    let methods: Vec<String> = description
        .operations
        .iter()
        .map(|operation| operation.endpoint.clone().unwrap().method)
        .collect();
    assert_eq!(methods, ["QUERY", "COPY"]);
    assert_eq!(description.warnings, []);
}

fn servers(document: &Value, source: Option<&str>) -> Vec<String> {
    let document = document.to_string();
    let description = match source {
        Some(source) => description_from(&document, source),
        None => description(&document),
    };
    description.operations[0].servers.clone()
}

#[test]
fn servers_are_the_nearest_and_resolved() {
    let source = Some("https://docs.example.com/specs/api.yaml");
    let with = |root: Value, item: Value, operation: Value| {
        json!({"openapi": "3.0.0", "servers": root,
               "paths": {"/": {"servers": item, "get": {"servers": operation}}}})
    };
    let none = || json!([]);
    for (document, source, expected) in [
        (with(none(), none(), none()), None, vec![]),
        (with(none(), none(), none()), source, vec!["https://docs.example.com"]),
        (with(json!([{"url": "/v1/"}]), none(), none()), None, vec!["/v1"]),
        (
            with(json!([{"url": "../v1"}]), none(), none()),
            source,
            vec!["https://docs.example.com/v1"],
        ),
        (
            with(
                json!([{"url": "https://a.example/"}, {"url": "https://b.example/x"}]),
                none(),
                none(),
            ),
            source,
            vec!["https://a.example", "https://b.example/x"],
        ),
        (
            with(
                json!([{"url": "https://a.example"}]),
                json!([{"url": "https://p.example"}]),
                none(),
            ),
            None,
            vec!["https://p.example"],
        ),
        (
            with(
                json!([{"url": "https://a.example"}]),
                json!([{"url": "https://p.example"}]),
                json!([{"url": "https://o.example"}]),
            ),
            None,
            vec!["https://o.example"],
        ),
        (
            with(
                json!([{"url": "https://{region}.example:{port}/v{n}", "variables": {
                    "region": {"default": "eu"}, "port": {"default": 8443}, "n": {"enum": ["1"]}}}]),
                none(),
                none(),
            ),
            None,
            vec!["https://eu.example:8443/v1"],
        ),
        (
            with(
                json!([{"url": "https://{x}.example"}, {"url": "ftp://a"}, {"url": "https://u:p@c.example/?q#f"}]),
                none(),
                none(),
            ),
            None,
            vec!["https://c.example"],
        ),
        (with(json!([{"url": "/v1"}]), none(), none()), Some("file:///tmp/a.yaml"), vec!["/v1"]),
    ] {
        assert_eq!(servers(&document, source), expected, "{document}");
    }
}

#[test]
fn swagger_servers_are_put_together() {
    for (document, source, expected) in [
        (json!({"basePath": "/api/v1"}), None, vec!["/api/v1"]),
        (
            json!({"basePath": "/api/v1"}),
            Some("http://127.0.0.1:8081/api/docs"),
            vec!["http://127.0.0.1:8081/api/v1"],
        ),
        (json!({"host": "h.example", "basePath": "v1"}), None, vec!["https://h.example/v1"]),
        (json!({"host": "h.example"}), Some("http://h.example/x"), vec!["http://h.example"]),
        (
            json!({"host": "h.example", "schemes": ["http", "https", "ws"]}),
            None,
            vec!["http://h.example", "https://h.example"],
        ),
    ] {
        let mut document = document;
        document["swagger"] = json!("2.0");
        document["paths"] = json!({"/": {"get": {}}});
        assert_eq!(servers(&document, source), expected, "{document}");
    }
}

#[test]
fn security_is_the_operations_or_the_documents() {
    let document = json!({
        "openapi": "3.0.0",
        "security": [{"key": []}, {}],
        "components": {"securitySchemes": {
            "key": {"type": "apiKey", "in": "cookie", "name": "sid"},
            "token": {"type": "http", "scheme": "Bearer"},
            "oauth": {"$ref": "#/components/x"},
            "odd": {"type": "signature"},
        }, "x": {"type": "oauth2"}},
        "paths": {"/": {
            "get": {},
            "put": {"security": []},
            "post": {"security": [{"token": [], "oauth": ["read", "write"]}, {"odd": []}]},
        }}
    });
    let description = description(&document.to_string());
    let security: Vec<Value> =
        description.operations.iter().map(|o| serde_json::to_value(&o.security).unwrap()).collect();
    insta::assert_snapshot!(serde_json::to_string_pretty(&security).unwrap());
}

#[test]
fn an_operation_stands_under_the_parents_of_its_tags() {
    let document = json!({"openapi": "3.2.0", "tags": [
        {"name": "cats", "parent": "pets", "kind": "nav"}, {"name": "pets", "parent": "shop"},
        {"name": "shop", "parent": "cats"}, {"name": "lost", "parent": "nowhere"},
    ], "paths": {"/": {"get": {"tags": ["cats"]}, "put": {"tags": ["lost", "other"]}}}});
    let description = description(&document.to_string());
    let tags: Vec<&[String]> =
        description.operations.iter().map(|operation| &operation.tags[..]).collect();
    assert_eq!(tags, [["cats", "pets", "shop"], ["lost", "other", "nowhere"]]);
    let warning = &description.warnings[0];
    assert_eq!(warning.pointer, "/tags/0/kind");
    assert!(
        warning.message.contains("a tag of any kind selects operations"),
        "{}",
        warning.message
    );
}
