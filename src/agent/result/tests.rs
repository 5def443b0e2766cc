#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use rmcp::model::{RequestId, ServerJsonRpcMessage};
use serde_json::Map;

use tollbridge_operation::{Attachment, ToolName};

use super::*;
use crate::agent::double::{failure, meta, success};
use crate::gateway::{HoldNotice, UpstreamAnswer, Violation};

fn json_of(payload: Payload) -> Value {
    to_json(success(payload), None, "acme")
}

fn failed(failure: Failure) -> Value {
    to_json(Reply { meta: meta(), result: Err(failure) }, None, "acme")
}

/// A snapshot that outlives a release.
fn pretty(mut result: Value) -> String {
    result["_meta"]["io.modelcontextprotocol/serverInfo"]["version"] = "[version]".into();
    format!("{result:#}")
}

fn bytes(media_type: &str) -> Payload {
    Payload::Bytes { media_type: media_type.into(), data: Bytes::from_static(b"\x00\xff") }
}

#[test]
fn a_value_stands_twice_and_the_call_beside_it() {
    let result = json_of(Payload::Value(json!({ "id": 7, "name": "x" })));
    insta::assert_snapshot!(pretty(result));
}

#[test]
fn a_value_that_is_no_object_is_wrapped() {
    for (value, structured) in [
        (json!([1]), json!({ "result": [1] })),
        (json!("text"), json!({ "result": "text" })),
        (json!(null), json!({ "result": null })),
        (json!(false), json!({ "result": false })),
    ] {
        let result = json_of(Payload::Value(value));
        assert_eq!(result["structuredContent"], structured);
        assert_eq!(result["content"][0]["text"], structured.to_string());
    }
}

#[test]
fn an_empty_answer_is_an_empty_object() {
    let result = json_of(Payload::Empty);
    assert_eq!(result["structuredContent"], json!({}));
    assert_eq!(result["content"], json!([{ "type": "text", "text": "{}" }]));
}

#[test]
fn bytes_are_content_of_their_kind() {
    assert_eq!(
        json_of(bytes("image/png"))["content"],
        json!([{ "type": "image", "data": "AP8=", "mimeType": "image/png" }])
    );
    assert_eq!(
        json_of(bytes("audio/wav"))["content"],
        json!([{ "type": "audio", "data": "AP8=", "mimeType": "audio/wav" }])
    );
    assert_eq!(
        json_of(bytes("application/pdf"))["content"],
        json!([{ "type": "resource", "resource": {
            "uri": "tollbridge://calls/01CALL", "mimeType": "application/pdf", "blob": "AP8=",
        }}])
    );
    assert!(json_of(bytes("application/pdf")).get("structuredContent").is_none());
}

#[test]
fn what_is_attached_to_parts_follows_them_as_content_of_its_kind() {
    let attached = ["image/png", "application/pdf"].map(|media_type| Attachment {
        media_type: media_type.into(),
        data: Bytes::from_static(b"\x00\xff"),
    });
    let value = json!([{ "text": "two follow" }]);
    let result = json_of(Payload::Parts { value, attached: attached.into() });
    assert_eq!(result["structuredContent"], json!({ "result": [{ "text": "two follow" }] }));
    assert_eq!(result["content"][0]["text"], result["structuredContent"].to_string());
    assert_eq!(
        result["content"].as_array().unwrap()[1..],
        [
            json!({ "type": "image", "data": "AP8=", "mimeType": "image/png" }),
            json!({ "type": "resource", "resource": {
                "uri": "tollbridge://calls/01CALL/2", "mimeType": "application/pdf", "blob": "AP8=",
            }}),
        ]
    );
}

#[test]
fn bytes_from_a_tool_with_an_output_schema_have_structured_content() {
    let tool =
        ToolView { output_schema: Some(crate::tools::Published::default()), ..ToolView::default() };
    let result = to_json(success(bytes("image/png")), Some(&tool), "acme");
    assert_eq!(result["structuredContent"], json!({ "media_type": "image/png", "bytes": 2 }));
    assert_eq!(result["content"][0]["type"], "image");
}

#[test]
fn drift_is_marked_and_withholds_nothing() {
    let drift = Drift { pointer: "/id".into(), message: "expected a string".into() };
    let payload = Payload::Value(json!({ "id": 7 }));
    let reply = Reply {
        meta: meta(),
        result: Ok(Success {
            payload,
            drift: vec![drift; 30],
            headers: Map::new(),
            cuts: Vec::new(),
            pages: None,
            note: None,
            next: Vec::new(),
        }),
    };
    let result = to_json(reply, None, "acme");
    assert_eq!(result["structuredContent"], json!({ "id": 7 }));
    let marked = result["_meta"]["tollbridge/drift"].as_array().unwrap();
    assert_eq!(marked.len(), MAX_DRIFT);
    assert_eq!(marked[0], json!({ "pointer": "/id", "message": "expected a string" }));
}

#[test]
fn a_failure_says_what_to_do() {
    let mut failure = failure(ErrorCode::Held);
    let expires = "2026-01-01T00:00:00Z".into();
    failure.hold = Some(HoldNotice { id: "h1".into(), expires, question: None });
    failure.violations =
        vec![Violation { pointer: "/qty".into(), expected: "at most 5".into(), suggestion: None }];
    let upstream = UpstreamAnswer { status: Some(422), body: json!("no"), fault: None };
    failure.upstream = Some(upstream);
    let result = failed(failure);
    insta::assert_snapshot!(pretty(result));
}

#[test]
fn a_demand_for_payment_takes_the_errors_place() {
    let mut failure = failure(ErrorCode::PaymentRequired);
    failure.payment_required = Some(json!({ "x402Version": 2, "accepts": [] }));
    let result = failed(failure);
    assert_eq!(result["isError"], true);
    assert_eq!(result["structuredContent"], json!({ "x402Version": 2, "accepts": [] }));
    assert_eq!(result["content"][0]["text"], r#"{"x402Version":2,"accepts":[]}"#);
    assert_eq!(result["_meta"]["tollbridge/error"]["code"], "payment_required");
}

#[test]
fn a_long_value_is_cut_beside_itself() {
    let rows: Vec<_> = (0..5000).map(|n| json!({ "n": n, "text": "some text" })).collect();
    let result = json_of(Payload::Value(Value::Array(rows)));
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(text.chars().count() <= MAX_CHARACTERS);
    assert!(text.chars().count() > MAX_CHARACTERS - 100, "no more is cut than must be");
    let shown: Value = serde_json::from_str(text).unwrap();
    assert_eq!(shown, result["structuredContent"]);
    let kept = shown["result"].as_array().unwrap().len();
    let cut = &result["_meta"]["tollbridge/cut"];
    assert_eq!(
        cut["cuts"],
        json!([{ "pointer": "/result", "unit": "rows", "kept": kept, "total": 5000 }])
    );
    let note = result["content"][1]["text"].as_str().unwrap();
    assert!(note.contains(&format!("/result: {kept} of 5000 rows")), "{note}");
}

#[test]
fn a_long_error_keeps_all_but_the_longest() {
    let mut failure = failure(ErrorCode::UpstreamError);
    let body = json!("x".repeat(50_000));
    failure.upstream = Some(UpstreamAnswer { status: Some(500), body, fault: None });
    let result = failed(failure);
    let error = &result["structuredContent"]["error"];
    assert_eq!(error["code"], "upstream_error");
    assert_eq!(error["next_step"], "Do something else.");
    assert!(result["content"][0]["text"].as_str().unwrap().len() <= MAX_ERROR_CHARACTERS);
    assert_eq!(result["_meta"]["tollbridge/cut"]["cuts"][0]["pointer"], "/error/upstream/body");
}

#[test]
fn what_was_not_recorded_was_not_done() {
    let result = unrecorded_to_json("acme");
    assert_eq!(result["structuredContent"]["error"]["code"], "audit_unavailable");
    assert!(result["_meta"].get("tollbridge/call").is_none());
}

#[test]
fn what_can_be_called_next_stands_beside_the_value_and_in_words() {
    let call = |n: usize| NextCall {
        name: format!("link{n}"),
        description: None,
        tool: ToolName::new("get_order").unwrap(),
        arguments: Map::from_iter([("id".to_owned(), json!("x".repeat(400) + &n.to_string()))]),
    };
    let mut reply = success(Payload::Value(json!({ "id": 7 })));
    if let Ok(success) = &mut reply.result {
        success.next = (0..5).map(call).collect();
    }
    let result = to_json(reply, None, "acme");
    let links = result["_meta"]["tollbridge/links"].as_array().expect("a list");
    assert_eq!((links.len(), &links[4]["name"]), (5, &json!("link4")));
    let note = result["content"][1]["text"].as_str().expect("a note");
    assert!(note.starts_with("What can be called next: get_order with {\"id\":\"xxx"), "{note}");
    assert!(note.ends_with("xxx2\"}; 2 more in _meta."), "{note}");
    let none = json_of(Payload::Empty);
    assert_eq!((none["_meta"].get("tollbridge/links"), none["content"].get(1)), (None, None));
}

#[test]
fn headers_that_say_something_of_their_own_stand_beside_the_value() {
    let mut reply = success(Payload::Value(json!({ "id": 7 })));
    if let Ok(success) = &mut reply.result {
        success.headers = Map::from_iter([("location".to_owned(), json!("/orders/7"))]);
    }
    let result = to_json(reply, None, "acme");
    assert_eq!(result["_meta"]["tollbridge/headers"], json!({ "location": "/orders/7" }));
    assert_eq!(json_of(Payload::Empty)["_meta"].get("tollbridge/headers"), None);
}

/// Replies of every form that a result has.
fn forms() -> Vec<Reply> {
    let value = json!({ "id": 7, "name": "x \" \u{1} ü", "price": 39.90, "more": [{}, [], null] });
    let long = json!({ "text": "x\n".repeat(MAX_CHARACTERS) });
    let attached =
        vec![Attachment { media_type: "image/png".into(), data: Bytes::from_static(b"\x00") }];
    let payloads = [
        Payload::Empty,
        Payload::Value(value.clone()),
        Payload::Value(json!("")),
        Payload::Value(long),
        Payload::Parts { value: value.clone(), attached },
        bytes("image/png"),
        bytes("application/pdf"),
    ];
    let mut paid = failure(ErrorCode::PaymentRequired);
    paid.payment_required = Some(json!({ "x402Version": 2, "accepts": [] }));
    let failed = [failure(ErrorCode::UpstreamError), paid];
    let failed = failed.map(|failure| Reply { meta: meta(), result: Err(failure) });
    let mut full = success(Payload::Value(value));
    if let Ok(success) = &mut full.result {
        success.drift = vec![Drift { pointer: "/a".into(), message: "is no string".into() }];
        success.headers = Map::from_iter([("location".to_owned(), json!("/b"))]);
    }
    payloads.map(success).into_iter().chain(failed).chain([full]).collect()
}

#[test]
fn a_message_has_the_bytes_that_the_library_gives_it() {
    let server = server("acme");
    for described in [false, true] {
        for (one, other) in forms().into_iter().zip(forms()) {
            let made = from_reply(one, described, &server);
            let result = from_reply(other, described, &server).into_library();
            for id in [RequestId::Number(-3), RequestId::String("a\"b".into())] {
                let message = String::from_utf8(made.message(&id).unwrap()).unwrap();
                let library = ServerJsonRpcMessage::response(result.clone().into(), id);
                assert_eq!(message, serde_json::to_string(&library).unwrap());
            }
        }
    }
}
