//! Arguments: their names, and that they stay data.

use serde_json::{Value, json};

use crate::support::{encode, operation, try_encode, with_parameter};

fn keys(schema: &tollbridge_operation::Schema) -> Vec<String> {
    schema.properties().unwrap().keys().cloned().collect()
}

#[test]
fn names_that_collide_carry_their_place_and_are_mapped_back() {
    let operation = operation(
        "post",
        "/things/{id}",
        &json!({
            "parameters": [
                {"name": "id", "in": "query", "schema": {"type": "string"}},
                {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}},
                {"name": "id", "in": "cookie", "schema": {"type": "string"}},
                {"name": "body", "in": "query", "schema": {"type": "string"}},
                {"name": "content_type", "in": "query", "schema": {"type": "string"}},
                {"name": "filter[a b]", "in": "query", "schema": {"type": "string"}},
                {"name": "headers", "in": "query", "schema": {"type": "string"}},
            ],
            "requestBody": {"required": true, "content": {
                "application/json": {"schema": {"type": "object"}},
                "text/plain": {},
            }},
        }),
    );
    assert_eq!(
        keys(&operation.input),
        [
            "id_query",
            "id",
            "id_cookie",
            "body_query",
            "content_type_query",
            "filter_a_b",
            "headers",
            "body",
            "content_type"
        ]
    );
    let input = operation.input.to_value();
    assert_eq!(input["required"], json!(["id", "body"]));
    assert_eq!(input["additionalProperties"], json!(false));
    let request = encode(
        &operation,
        &json!({"id": "p", "id_query": "q", "id_cookie": "c", "body_query": "b",
                "content_type_query": "t", "filter_a_b": "f", "body": {}}),
    );
    assert_eq!(request.path, "/things/p");
    assert_eq!(request.query.unwrap(), "id=q&body=b&content_type=t&filter%5Ba%20b%5D=f");
    assert_eq!(request.cookies, ["id=c"]);
}

#[test]
fn headers_that_are_the_clients_are_no_arguments() {
    let operation = operation(
        "get",
        "/",
        &json!({"parameters": [
            {"name": "accept", "in": "header", "schema": {}},
            {"name": "Content-Type", "in": "header", "schema": {}},
            {"name": "AUTHORIZATION", "in": "header", "required": true, "schema": {}},
            {"name": "Host", "in": "header", "schema": {}},
            {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
        ]}),
    );
    assert_eq!(keys(&operation.input), ["X-Trace"]);
}

#[test]
fn numbers_go_out_with_their_own_digits() {
    let operation = with_parameter("/", &json!({"name": "n", "in": "query", "schema": {}}));
    let value: Value = serde_json::from_str(r#"{"n": 500.0000000000000000001}"#).unwrap();
    assert_eq!(encode(&operation, &value).query.unwrap(), "n=500.0000000000000000001");
}

#[test]
fn null_is_left_out_where_a_value_may_be() {
    let operation = with_parameter("/", &json!({"name": "n", "in": "query", "schema": {}}));
    assert_eq!(encode(&operation, &json!({"n": null})).query, None);
    let operation =
        with_parameter("/", &json!({"name": "n", "in": "query", "required": true, "schema": {}}));
    // The tables' column for what is undefined.
    assert_eq!(encode(&operation, &json!({"n": null})).query.as_deref(), Some("n="));
    assert!(try_encode(&operation, &json!({})).is_err());
}

#[test]
fn a_path_value_that_leads_elsewhere_is_refused() {
    for style in ["simple", "label", "matrix"] {
        let parameter =
            json!({"name": "id", "in": "path", "required": true, "style": style, "schema": {}});
        let operation = with_parameter("/a/{id}/b", &parameter);
        for value in [
            json!(""),
            json!("."),
            json!(".."),
            json!([]),
            json!([""]),
            json!(["."]),
            json!([".."]),
            json!({}),
            json!(null),
        ] {
            let error = try_encode(&operation, &json!({"id": value}));
            assert_eq!(
                error.map(|request| request.path).unwrap_err().pointer,
                "/id",
                "{style} {value}"
            );
        }
    }
    // What is no dot segment is data.
    let parameter = json!({"name": "id", "in": "path", "required": true, "schema": {}});
    let operation = with_parameter("/a/{id}/b", &parameter);
    for (value, segment) in [
        ("...", "..."),
        ("../x", "..%2Fx"),
        ("%2e%2e", "%252e%252e"),
        ("a?b#c", "a%3Fb%23c"),
        ("..;/", "..%3B%2F"),
        ("\\..\\", "%5C..%5C"),
        ("example.org.", "example.org."),
    ] {
        assert_eq!(encode(&operation, &json!({"id": value})).path, format!("/a/{segment}/b"));
    }
}

#[test]
fn dots_cannot_be_put_together_from_two_values() {
    let operation = operation(
        "get",
        "/a/{x}{y}",
        &json!({"parameters": [
            {"name": "x", "in": "path", "required": true, "schema": {}},
            {"name": "y", "in": "path", "required": true, "schema": {}},
        ]}),
    );
    assert!(try_encode(&operation, &json!({"x": ".", "y": "."})).is_err());
    assert_eq!(encode(&operation, &json!({"x": "a", "y": "b"})).path, "/a/ab");
}

#[test]
fn a_header_takes_no_line_break() {
    let operation = with_parameter("/", &json!({"name": "X-A", "in": "header", "schema": {}}));
    for bad in ["a\r\nX-B: c", "a\nb", "a\0b", "\u{7f}", " a", "a "] {
        let error = try_encode(&operation, &json!({"X-A": bad})).unwrap_err();
        assert_eq!(error.pointer, "/X-A", "{bad:?}");
    }
}

#[test]
fn an_exploded_object_cannot_take_anothers_name() {
    let document = json!({
        "openapi": "3.0.0",
        "components": {"securitySchemes": {"k": {"type": "apiKey", "in": "query", "name": "key"}}},
        "paths": {"/p?fixed=1": {"get": {"parameters": [
            {"name": "open", "in": "query", "schema": {"type": "object"}},
            {"name": "account", "in": "query", "schema": {"type": "string"}},
            {"name": "deep", "in": "query", "style": "deepObject", "schema": {"type": "object"}},
        ]}}}
    });
    let operation = crate::support::only(&document.to_string());
    for taken in ["account", "key", "fixed", "deep[x]", "Account", "KEY", "Fixed", "DEEP[x]"] {
        let error = try_encode(&operation, &json!({"open": {taken: "2"}})).unwrap_err();
        assert_eq!(error.pointer, format!("/open/{taken}"));
    }
    let request = encode(&operation, &json!({"open": {"other": "2"}, "account": "1"}));
    assert_eq!(request.query.unwrap(), "fixed=1&other=2&account=1");
}

#[test]
fn exploded_objects_cannot_bring_one_name_twice() {
    for place in ["query", "cookie"] {
        let object = |name| {
            json!({"name": name, "in": place, "style": "form", "explode": true,
                   "schema": {"type": "object"}})
        };
        let operation = operation("get", "/", &json!({"parameters": [object("a"), object("b")]}));
        for (value, refused) in [
            (json!({"a": {"x": 1}, "b": {"x": 2}}), "/b/x"),
            (json!({"a": {"x": 1}, "b": {"X": 2}}), "/b/X"),
            (json!({"a": {"x": 1, "X": 2}}), "/a/X"),
            (json!({"a": {"a": 1, "A": 2}}), "/a/A"),
        ] {
            assert_eq!(try_encode(&operation, &value).unwrap_err().pointer, refused, "{place}");
        }
        let request = encode(&operation, &json!({"a": {"x": 1, "a": 2}, "b": {"y": 3}}));
        let sent = request.query.unwrap_or_else(|| request.cookies.join("&"));
        assert_eq!(sent, "x=1&a=2&y=3");
    }
}

#[test]
fn an_exploded_object_cannot_bring_a_credentials_cookie() {
    let document = json!({
        "openapi": "3.0.0",
        "components": {"securitySchemes": {"k": {"type": "apiKey", "in": "cookie", "name": "sid"}}},
        "paths": {"/": {"get": {"parameters": [
            {"name": "open", "in": "cookie", "schema": {"type": "object"}},
            {"name": "ask", "in": "query", "schema": {"type": "object"}},
        ]}}}
    });
    let operation = crate::support::only(&document.to_string());
    for taken in ["sid", "SID"] {
        let error = try_encode(&operation, &json!({"open": {taken: "2"}})).unwrap_err();
        assert_eq!(error.pointer, format!("/open/{taken}"));
    }
    let request = encode(&operation, &json!({"ask": {"sid": "2"}}));
    assert_eq!(request.query.unwrap(), "sid=2");
}

#[test]
fn an_operation_without_parameters_takes_an_empty_object() {
    let operation = operation("get", "/", &json!({}));
    assert_eq!(
        operation.input.to_value(),
        json!({"type": "object", "additionalProperties": false})
    );
}

#[test]
fn the_accept_header_asks_for_json_first() {
    for (content, expected) in [
        (json!({}), "application/json, */*;q=0.1"),
        (
            json!({"text/csv": {}, "application/json": {}}),
            "application/json, text/csv;q=0.8, */*;q=0.1",
        ),
        (json!({"application/pdf": {}}), "application/pdf, */*;q=0.1"),
        (json!({"bad\r\nX: y": {}, "*/*": {}}), "application/json, */*;q=0.1"),
    ] {
        let operation = operation("get", "/", &json!({"responses": {"200": {"content": content}}}));
        let request = encode(&operation, &json!({}));
        assert_eq!(request.headers[0].1, expected, "{content}");
    }
}
