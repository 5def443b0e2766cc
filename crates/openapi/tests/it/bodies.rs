//! Request bodies on the wire.

use serde_json::{Value, json};

use crate::support::{body, description, document, encode, only, operation, try_encode};

fn with_content(content: &Value) -> tollbridge_operation::Operation {
    operation("post", "/", &json!({"requestBody": {"required": true, "content": content}}))
}

#[test]
fn json_keeps_the_digits() {
    let operation = with_content(&json!({"application/json": {"schema": {"type": "object"}}}));
    let value: Value =
        serde_json::from_str(r#"{"body": {"b": 1.10, "a": 12345678901234567890}}"#).unwrap();
    let (content_type, text) = body(&operation, &value);
    assert_eq!(content_type, "application/json");
    assert_eq!(text, r#"{"b":1.10,"a":12345678901234567890}"#);
}

#[test]
fn json_is_sent_under_the_type_that_the_description_names() {
    let operation = with_content(&json!({"application/merge-patch+json": {"schema": {}}}));
    assert_eq!(body(&operation, &json!({"body": null})).0, "application/merge-patch+json");
    assert_eq!(body(&operation, &json!({"body": null})).1, "null");
}

#[test]
fn the_content_type_argument_selects_another_media_type() {
    let operation = with_content(&json!({
        "text/plain": {"schema": {"type": "string"}},
        "application/x-www-form-urlencoded": {"schema": {"type": "object"}},
        "application/json": {"schema": {"type": "object"}},
    }));
    let choice = &operation.input.to_value()["properties"]["content_type"];
    assert_eq!(
        choice["enum"],
        json!(["application/json", "application/x-www-form-urlencoded", "text/plain"])
    );
    let (content_type, text) = body(&operation, &json!({"body": {"a": "b c"}}));
    assert_eq!((content_type.as_str(), text.as_str()), ("application/json", r#"{"a":"b c"}"#));
    let form = json!({"body": {"a": "b c"}, "content_type": "application/x-www-form-urlencoded"});
    assert_eq!(body(&operation, &form).1, "a=b+c");
    let text = json!({"body": "ü", "content_type": "text/plain"});
    assert_eq!(body(&operation, &text), ("text/plain; charset=utf-8".to_owned(), "ü".to_owned()));
    // A value of one is not sent as another.
    for wrong in [
        json!({"body": "x"}),
        json!({"body": {}, "content_type": "text/plain"}),
        json!({"body": "x", "content_type": "application/x-www-form-urlencoded"}),
    ] {
        assert_eq!(try_encode(&operation, &wrong).unwrap_err().pointer, "/body", "{wrong}");
    }
    let unknown = json!({"body": {}, "content_type": "image/png"});
    assert_eq!(try_encode(&operation, &unknown).unwrap_err().pointer, "/content_type");
}

#[test]
fn a_form_follows_its_encoding() {
    let operation = with_content(&json!({"application/x-www-form-urlencoded": {
        "schema": {"type": "object", "properties": {
            "plain": {"type": "string"},
            "list": {"type": "array", "items": {"type": "integer"}},
            "csv": {"type": "array", "items": {"type": "string"}},
            "object": {"type": "object"},
            "deep": {"type": "object"},
        }},
        "encoding": {
            "csv": {"style": "form", "explode": false},
            "deep": {"style": "deepObject", "explode": true},
        }
    }}));
    let value = json!({"body": {
        "plain": "a&b=c", "list": [1, 2], "csv": ["x", "y"], "object": {"k": 1},
        "deep": {"k": {"l": 1}}, "none": null
    }});
    assert_eq!(
        body(&operation, &value).1,
        "plain=a%26b%3Dc&list=1&list=2&csv=x,y&object=%7B%22k%22%3A1%7D&deep%5Bk%5D%5Bl%5D=1"
    );
}

#[test]
fn an_exploded_object_in_a_form_cannot_take_anothers_name() {
    let operation = with_content(&json!({"application/x-www-form-urlencoded": {
        "schema": {"type": "object", "properties": {"o": {"type": "object"}, "p": {"type": "object"},
                                                       "amount": {}}},
        "encoding": {"o": {"style": "form", "explode": true},
                     "p": {"style": "form", "explode": true}}
    }}));
    for (value, refused) in [
        (json!({"o": {"amount": 9}}), "/body/o/amount"),
        (json!({"o": {"Amount": 9}}), "/body/o/Amount"),
        (json!({"o": {"x": 1}, "X": 2}), "/body/o/x"),
        (json!({"o": {"x": 1}, "p": {"x": 2}}), "/body/p/x"),
        (json!({"o": {"x": 1}, "p": {"X": 2}}), "/body/p/X"),
        (json!({"o": {"x": 1, "X": 2}}), "/body/o/X"),
    ] {
        let error = try_encode(&operation, &json!({"body": value})).unwrap_err();
        assert_eq!(error.pointer, refused);
    }
    let (_, text) = body(&operation, &json!({"body": {"o": {"o": 1, "x": 2}, "p": {"y": 3}}}));
    assert_eq!(text, "o=1&x=2&y=3");
}

#[test]
fn octets_are_base64_for_the_agent() {
    let operation =
        with_content(&json!({"application/octet-stream": {"schema": {"format": "binary"}}}));
    let request = encode(&operation, &json!({"body": {"data": "AP8Q"}})).body.unwrap();
    assert_eq!(request.bytes.as_ref(), [0x00, 0xff, 0x10]);
    assert_eq!(request.content_type, "application/octet-stream");
    let error = try_encode(&operation, &json!({"body": {"data": "***"}})).unwrap_err();
    assert_eq!(error.pointer, "/body/data");
    assert!(try_encode(&operation, &json!({"body": {}})).is_err());
}

#[test]
fn xml_is_a_string() {
    let operation = with_content(&json!({"application/xml": {"schema": {"type": "object"}}}));
    assert_eq!(operation.input.to_value()["properties"]["body"]["type"], "string");
    let (content_type, text) = body(&operation, &json!({"body": "<a/>"}));
    assert_eq!((content_type.as_str(), text.as_str()), ("application/xml", "<a/>"));
}

#[test]
fn multipart_sends_files_fields_and_json() {
    let operation = with_content(&json!({"multipart/form-data": {
        "schema": {"type": "object", "required": ["file"], "properties": {
            "file": {"type": "string", "format": "binary", "description": "The photo"},
            "more": {"type": "array", "items": {"type": "string", "format": "binary"}},
            "note": {"type": "string"},
            "meta": {"type": "object"},
            "tags": {"type": "array", "items": {"type": "string"}},
        }},
        "encoding": {"file": {"contentType": "image/png, image/jpeg"}}
    }}));
    let (content_type, text) = body(
        &operation,
        &json!({"body": {
            "file": {"filename": "a\"\r\nb.png", "data": "aGk="},
            "more": [{"text": "one"}, {"text": "two", "content_type": "text/csv", "filename": "t.csv"}],
            "note": "plain",
            "meta": {"k": 1},
            "tags": ["x", "y"],
        }}),
    );
    assert_eq!(content_type, "multipart/form-data; boundary=tollbridge-00000000");
    insta::assert_snapshot!(text.replace("\r\n", "\n"));
    let input = operation.input.to_value();
    assert_eq!(input["properties"]["body"]["required"], json!(["file"]));
    let bad = json!({"body": {"file": {"data": "aGk=", "content_type": "a/b\r\nX: y"}}});
    let error = try_encode(&operation, &bad).unwrap_err();
    assert_eq!(error.pointer, "/body/file/content_type");
}

#[test]
fn a_files_media_type_is_one_by_its_schema_too() {
    let operation = with_content(&json!({"multipart/form-data": {"schema": {
        "type": "object", "properties": {"file": {"type": "string", "format": "binary"}},
    }}}));
    let judge = jsonschema::validator_for(&operation.input.to_value()).unwrap();
    for (media_type, is_one) in [
        ("image/png", true),
        ("application/vnd.api+json", true),
        ("text/plain; charset=\"utf-8\"", true),
        ("png", false),
        ("", false),
        ("a/b\r\nX: y", false),
    ] {
        let value = json!({"body": {"file": {"text": "x", "content_type": media_type}}});
        assert_eq!(judge.is_valid(&value), is_one, "{media_type:?}");
        assert_eq!(try_encode(&operation, &value).is_ok(), is_one, "{media_type:?}");
    }
}

#[test]
fn a_boundary_stands_in_no_part() {
    let operation = with_content(&json!({"multipart/form-data": {"schema": {"type": "object"}}}));
    let (content_type, _) = body(&operation, &json!({"body": {"a": "--tollbridge-00000000--"}}));
    assert_eq!(content_type, "multipart/form-data; boundary=tollbridge-00000001");
}

#[test]
fn an_optional_body_may_be_left_out() {
    let operation =
        operation("post", "/", &json!({"requestBody": {"content": {"application/json": {}}}}));
    assert_eq!(encode(&operation, &json!({})).body, None);
}

#[test]
fn a_media_type_that_cannot_be_written_is_not_offered() {
    let operation = with_content(&json!({"multipart/mixed": {}, "application/json": {}}));
    assert!(operation.input.properties().unwrap().get("content_type").is_none());
}

#[test]
fn swagger_forms_are_bodies() {
    let document = json!({"swagger": "2.0", "info": {}, "consumes": ["application/json"], "paths": {"/": {"post": {
        "parameters": [
            {"name": "a", "in": "formData", "type": "string", "required": true},
            {"name": "b", "in": "formData", "type": "array", "items": {"type": "string"}},
        ]
    }}}});
    let operation = crate::support::only(&document.to_string());
    let value = json!({"body": {"a": "x y", "b": ["1", "2"]}});
    assert_eq!(
        body(&operation, &value),
        ("application/x-www-form-urlencoded".to_owned(), "a=x+y&b=1,2".to_owned())
    );
}

#[test]
fn swagger_files_are_multipart() {
    let document = json!({"swagger": "2.0", "info": {}, "paths": {"/": {"post": {
        "parameters": [{"name": "f", "in": "formData", "type": "file", "required": true}]
    }}}});
    let operation = crate::support::only(&document.to_string());
    let (_, text) = body(&operation, &json!({"body": {"f": {"text": "hi", "filename": "h.txt"}}}));
    assert!(text.contains("name=\"f\"; filename=\"h.txt\"\r\n"), "{text}");
}

/// The operation `POST /` with a body of that media type.
fn of_type(media_type: &str, entry: &Value) -> String {
    document("3.1.0", "post", "/", &json!({"requestBody": {"content": {media_type: entry}}}))
}

#[test]
fn a_form_that_is_text_is_written_by_the_agent() {
    let form = "application/x-www-form-urlencoded";
    let operation = only(&of_type(form, &json!({"schema": {"type": "string"}})));
    assert_eq!(
        body(&operation, &json!({"body": "a=1&b=%20"})),
        (form.to_owned(), "a=1&b=%20".to_owned())
    );
}

#[test]
fn what_a_part_cannot_hold_is_not_sent() {
    let multipart = "multipart/form-data";
    for (media_type, entry, place) in [
        (multipart, json!({"schema": {"type": "array", "items": {}}}), "/schema"),
        (
            multipart,
            json!({"schema": {"type": "object", "properties": {"a": {"type": "object"}}},
                   "encoding": {"a": {"contentType": "multipart/mixed"}}}),
            "/encoding/a",
        ),
    ] {
        let skipped = &description(&of_type(media_type, &entry)).skipped[0];
        let at = "/paths/~1/post/requestBody/content/multipart~1form-data";
        assert_eq!(skipped.pointer, format!("{at}{place}"));
    }
    let entry = |types: &str| {
        json!({"schema": {"type": "object", "properties": {"a": {"type": "object"}, "b": {}}},
               "encoding": {"a": {"contentType": types}, "b": {"contentType": "text/csv"}}})
    };
    // Of several types the one that can hold it.
    let operation = only(&of_type(multipart, &entry("text/plain, application/vnd.x+json")));
    let (_, sent) = body(&operation, &json!({"body": {"a": {"k": 1}, "b": "x,y"}}));
    assert!(sent.contains("Content-Type: application/vnd.x+json\r\n\r\n{\"k\":1}\r\n"), "{sent}");
    assert!(sent.contains("Content-Type: text/csv\r\n\r\nx,y\r\n"), "{sent}");
    // JSON under another name would be read as something else.
    let error = try_encode(&operation, &json!({"body": {"b": {"k": 1}}})).unwrap_err();
    assert_eq!(
        (error.pointer.as_str(), error.expected.as_str()),
        ("/body/b", "text, as text/csv is")
    );
}
