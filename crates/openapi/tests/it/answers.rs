//! Responses to answers.

use serde_json::{Map, Value, json};
use tollbridge_operation::{Answer, Operation, Payload};

use crate::support::{answer, only, operation};

fn json_operation() -> Operation {
    operation("get", "/", &json!({"responses": {"200": {"content": {"application/json": {}}}}}))
}

fn success(value: Value) -> Answer {
    Answer::Success { payload: Payload::Value(value), drift: Vec::new(), headers: Map::new() }
}

fn failure(value: Value) -> Answer {
    Answer::Failure { payload: Payload::Value(value), fault: None }
}

#[test]
fn json_is_read_with_its_digits() {
    let Answer::Success { payload: Payload::Value(value), .. } =
        answer(&json_operation(), 200, Some("application/json"), b"{\"n\":0.10000000000000000001}")
    else {
        panic!("a value");
    };
    assert_eq!(value["n"].to_string(), "0.10000000000000000001");
}

#[test]
fn a_body_is_read_by_its_media_type() {
    let operation = json_operation();
    for (content_type, body, expected) in [
        ("application/json; charset=utf-8", &b"\xef\xbb\xbf[1]"[..], json!([1])),
        ("application/problem+json", b"{\"a\":1}", json!({"a": 1})),
        ("text/plain", b"hello", json!("hello")),
        ("text/plain; charset=ISO-8859-1", b"\xfc", json!("ü")),
        ("text/plain; charset=\"windows-1252\"", b"\x80", json!("€")),
        ("application/json; charset=latin1", b"[\"\xfc\"]", json!(["ü"])),
        ("text/plain", b"\xff", json!("\u{fffd}")),
        ("application/xml", b"<a/>", json!("<a/>")),
        ("application/x-ndjson", b"{\"a\":1}\n\n{\"a\":2}\n", json!([{"a": 1}, {"a": 2}])),
        (
            "text/event-stream",
            b": hi\nevent: x\ndata: {\"a\":\ndata: 1}\n\ndata:text\r\n\r\ndata: cut",
            json!([{"a": 1}, "text", "cut"]),
        ),
    ] {
        assert_eq!(
            answer(&operation, 200, Some(content_type), body),
            success(expected),
            "{content_type}"
        );
    }
}

#[test]
fn nothing_is_empty() {
    for (status, content_type, body) in [
        (204, None, &b""[..]),
        (200, Some("application/json"), b""),
        (200, Some("application/json"), b" \n"),
    ] {
        assert_eq!(
            answer(&json_operation(), status, content_type, body),
            Answer::Success { payload: Payload::Empty, drift: Vec::new(), headers: Map::new() }
        );
    }
}

#[test]
fn bytes_stay_bytes() {
    let answer = answer(&json_operation(), 200, Some("Image/PNG; x=y"), b"\x89PNG");
    let Answer::Success { payload: Payload::Bytes { media_type, data }, .. } = answer else {
        panic!("bytes");
    };
    assert_eq!((media_type.as_str(), data.as_ref()), ("image/png", &b"\x89PNG"[..]));
}

#[test]
fn json_that_is_none_is_unreadable_on_success_and_text_on_failure() {
    let operation = json_operation();
    let body = b"Not Found, secret=1";
    let Answer::Unreadable { reason } = answer(&operation, 200, Some("application/json"), body)
    else {
        panic!("unreadable");
    };
    assert!(!reason.contains("secret"), "{reason}");
    assert_eq!(
        answer(&operation, 404, Some("application/json"), body),
        failure(json!("Not Found, secret=1"))
    );
    assert_eq!(answer(&operation, 500, Some("text/plain"), b"\xffx"), failure(json!("\u{fffd}x")));
}

#[test]
fn json_is_found_where_its_type_is_missing_or_less() {
    let declared = json_operation();
    assert_eq!(answer(&declared, 200, None, b" {\"a\":1}"), success(json!({"a": 1})));
    assert_eq!(answer(&declared, 200, Some("text/html"), b"[1]"), success(json!([1])));
    assert_eq!(answer(&declared, 200, None, b"{text"), success(json!("{text")));
    let undeclared =
        operation("get", "/", &json!({"responses": {"200": {"content": {"text/plain": {}}}}}));
    assert_eq!(answer(&undeclared, 200, Some("text/plain"), b"[1]"), success(json!("[1]")));
}

#[test]
fn only_2xx_is_a_success() {
    for status in [100, 301, 304, 400, 500] {
        assert!(
            matches!(answer(&json_operation(), status, None, b"x"), Answer::Failure { .. }),
            "{status}"
        );
    }
}

#[test]
fn hostile_bodies_are_no_panic() {
    let deep = "[".repeat(100_000);
    let answer = answer(&json_operation(), 200, Some("application/json"), deep.as_bytes());
    assert!(matches!(answer, Answer::Unreadable { .. }));
}

#[test]
fn errors_are_what_is_declared_and_no_success() {
    let shared = json!({"description": "There is none."});
    let document = json!({
        "openapi": "3.1.0", "info": {"title": "t", "version": "1"},
        "paths": {"/": {"get": {"operationId": "get", "responses": {
            "200": {"description": "ok"}, "304": {"description": "as it was"},
            "404": {"$ref": "#/components/responses/None"}, "4XX": {"description": "no"},
            "503": {"$ref": "#/components/responses/Missing"},
            "default": {"description": "A problem"}, "x-note": {"description": "n"},
        }}}},
        "components": {"responses": {"None": shared}},
    });
    let read = |operation: &Operation| -> Vec<String> {
        let errors = operation.errors.iter();
        errors.map(|error| format!("{} {}", error.code, error.said)).collect()
    };
    let expected = ["404 There is none.", "4XX no", "503 ", "default A problem"];
    assert_eq!(read(&only(&document.to_string())), expected);
    // Where nothing else is declared, the default is the success.
    let lonely = operation("get", "/", &json!({"responses": {"default": {"description": "d"}}}));
    assert_eq!(read(&lonely), Vec::<String>::new());
}
