//! What an answer says can be called next: the table of runtime expressions (OpenAPI 3.1.1
//! §4.8.20.4, 3.2.0 §4.20.3.1), how links name operations, and what they leave out.

use http::StatusCode;
use serde_json::{Map, Value, json};
use tollbridge_operation::{Description, Exchanged, Link, Operation};

use crate::support::{arguments, description};

/// A 3.2 document: `GET /orders/{id}` with these links, to an operation with parameters of all
/// places.
fn with_links(links: &Value) -> Description {
    let parameter = |place: &str, name: &str| json!({"name": name, "in": place, "schema": {}});
    let path = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"}});
    description(
        &json!({
            "openapi": "3.2.0",
            "info": {"title": "t", "version": "1"},
            "paths": {
                "/orders/{id}": {
                    "post": {
                        "operationId": "first",
                        "parameters": [path, parameter("query", "page"), parameter("header", "X-Trace")],
                        "requestBody": {"content": {"application/json": {"schema": {}}}},
                        "responses": {
                            "200": {"description": "", "links": links},
                            "2XX": {"description": "", "links": {"other": {"operationId": "next"}}},
                            "404": {"description": "", "links": {"never": {"operationId": "next"}}}
                        }
                    },
                },
                "/next/{id}": {
                    "put": {
                        "operationId": "next",
                        "parameters": [
                            path, parameter("query", "id"), parameter("query", "q"),
                            parameter("header", "X-H"), parameter("cookie", "c")
                        ],
                        "requestBody": {"content": {"application/json": {"schema": {}}}},
                        "responses": {"204": {"description": ""}}
                    }
                }
            }
        })
        .to_string(),
    )
}

fn operation<'d>(description: &'d Description, key: &str) -> &'d Operation {
    let found = description.operations.iter().find(|one| one.id.key.as_str() == key);
    found.expect("an operation")
}

fn links_at(description: &Description, status: u16) -> Vec<Link> {
    let given = arguments(&json!({
        "id": "7/8", "page": 2, "X-Trace": "t", "body": {"user": {"uuid": "u-1"}, "n": 1.50}
    }));
    let headers: Map<String, Value> = Map::from_iter([
        ("location".to_owned(), json!("/orders/9")),
        ("x-n".to_owned(), json!("4")),
    ]);
    let body =
        json!({"id": 9_007_199_254_740_993_i64, "none": null, "a/b": ["x"], "o": {"k": true}});
    operation(description, "first").binding.links(&Exchanged {
        url: Some("https://api.example/orders/7%2F8?page=2"),
        arguments: &given,
        status: StatusCode::from_u16(status).unwrap(),
        headers: &headers,
        body: Some(&body),
    })
}

/// The arguments of the operation that the only link leads to.
fn followed(description: &Description) -> Value {
    let links = links_at(description, 200);
    let [link] = links.as_slice() else { return Value::Null };
    operation(description, link.operation.as_str()).binding.linked(link).to_value()
}

fn passes(value: &Value) -> Value {
    let document =
        with_links(&json!({"l": {"operationId": "next", "parameters": {"q": value, "c": "k"}}}));
    followed(&document)["q"].clone()
}

#[test]
fn an_expression_has_the_value_that_the_table_says() {
    for (expression, expected) in [
        ("$url", json!("https://api.example/orders/7%2F8?page=2")),
        ("$method", json!("POST")),
        ("$statusCode", json!(200)),
        ("$request.path.id", json!("7/8")),
        ("$request.query.page", json!(2)),
        ("$request.header.x-trace", json!("t")),
        ("$request.body", json!({"user": {"uuid": "u-1"}, "n": 1.50})),
        ("$request.body#/user/uuid", json!("u-1")),
        ("$response.body#/id", json!(9_007_199_254_740_993_i64)),
        ("$response.body#/a~1b/0", json!("x")),
        ("$response.body#/o", json!({"k": true})),
        ("$response.header.X-N", json!("4")),
        ("$response.header.Location", json!("/orders/9")),
        ("{$request.path.id}", json!("7/8")),
        (
            "order {$response.body#/id} of {$request.query.page}",
            json!("order 9007199254740993 of 2"),
        ),
    ] {
        assert_eq!(passes(&json!(expression)), expected, "{expression}");
    }
}

#[test]
fn a_constant_is_passed_as_it_is() {
    for constant in [json!("$5.00"), json!("{id}"), json!(7), json!(false), json!({"a": ["$url"]})]
    {
        assert_eq!(passes(&constant), constant);
    }
}

#[test]
fn a_link_of_which_no_expression_has_a_value_is_none() {
    for expression in [
        "$response.body#/nowhere",
        "$response.body#/none",
        "$response.header.x-unknown",
        "$request.query.undeclared",
        "{$response.body#/o}/x",
        "{$response.body#/none}",
    ] {
        assert_eq!(passes(&json!(expression)), Value::Null, "{expression}");
    }
}

#[test]
fn an_expression_without_a_value_passes_none_and_costs_no_other() {
    let document = with_links(&json!({"l": {
        "operationId": "next",
        "parameters": {"q": "$response.body#/nowhere", "c": "$response.body#/id"}
    }}));
    assert_eq!(followed(&document), json!({"c": 9_007_199_254_740_993_i64}));
}

#[test]
fn parameters_are_named_with_or_without_their_place_and_bodies_passed() {
    let document = with_links(&json!({"l": {
        "operationId": "next",
        "parameters": {
            "path.id": "$response.body#/id", "query.id": "in the query", "header.x-h": "h",
            "c": 1, "unknown": 2
        },
        "requestBody": "$request.body#/user"
    }}));
    let expected = json!({
        "id": 9_007_199_254_740_993_i64, "id_query": "in the query", "X-H": "h", "c": 1,
        "body": {"uuid": "u-1"}
    });
    assert_eq!(followed(&document), expected);
}

#[test]
fn an_operation_is_found_by_its_id_and_by_where_it_stands() {
    for target in [
        json!({"operationId": "next"}),
        json!({"operationRef": "#/paths/~1next~1%7Bid%7D/put"}),
        json!({"operationRef": "#/paths/~1next~1{id}/put"}),
    ] {
        let links = links_at(&with_links(&json!({"l": target})), 200);
        assert_eq!(links.len(), 1, "{target}");
        assert_eq!(links[0].operation.as_str(), "next");
    }
}

#[test]
fn links_are_those_of_the_status_else_of_its_range_and_never_of_a_failure() {
    let names = |status: u16| -> Vec<String> {
        let document = with_links(&json!({"l": {"operationId": "next"}}));
        links_at(&document, status).into_iter().map(|link| link.name).collect()
    };
    assert_eq!(names(200), ["l"]);
    assert_eq!(names(201), ["other"]);
    assert_eq!(names(404), [""; 0]);
}

#[test]
fn a_link_that_cannot_be_followed_is_left_out_with_a_warning() {
    for (link, at, reason) in [
        (
            json!({"operationId": "gone"}),
            "/operationId",
            "`gone` is no operation of this description",
        ),
        (json!({"operationRef": "https://other.example/#/x"}), "/operationRef", "is no operation"),
        (json!({"operationRef": "#/components/schemas/x"}), "/operationRef", "is no operation"),
        (json!({}), "", "expected an `operationId` or an `operationRef`"),
        (
            json!({"operationId": "next", "server": {"url": "https://b.example"}}),
            "/server",
            "another server",
        ),
        (json!({"$ref": "#/components/links/gone"}), "/$ref", "points to nothing"),
        (json!(7), "", "expected an `operationId`"),
    ] {
        let document = with_links(&json!({"l": link}));
        assert_eq!(links_at(&document, 200), [], "{link}");
        let warning = document.warnings.first().expect("a warning");
        let place = "/paths/~1orders~1{id}/post/responses/200/links/l";
        assert_eq!(warning.pointer, format!("{place}{at}"));
        assert!(warning.message.contains(reason), "{}", warning.message);
        assert!(warning.message.ends_with("the link is left out"), "{}", warning.message);
    }
}

#[test]
fn what_is_no_expression_is_told_and_passes_nothing() {
    let document = with_links(&json!({"l": {
        "operationId": "next",
        "parameters": {"q": "$response.body.id", "c": "$response.body#/id"}
    }}));
    assert_eq!(followed(&document), json!({"c": 9_007_199_254_740_993_i64}));
    let message = &document.warnings[0].message;
    assert_eq!(message, "`$response.body.id` is no runtime expression; read as without a value");
}

#[test]
fn a_header_that_a_link_needs_is_kept() {
    let link = json!({"operationId": "next", "parameters": {"q": "$response.header.X-N"}});
    let document = with_links(&json!({"l": link}));
    assert_eq!(operation(&document, "first").binding.kept_headers(), ["x-n"]);
    let secret = json!({"operationId": "next", "parameters": {"q": "$response.header.Set-Cookie"}});
    let document = with_links(&json!({"l": secret}));
    assert_eq!(operation(&document, "first").binding.kept_headers(), [""; 0]);
}
