//! Parts that are made of parts (OpenAPI 3.2.0 §4.15: `encoding`, `prefixEncoding` and
//! `itemEncoding` of an Encoding Object; RFC 2046 §5.1).

use serde_json::{Value, json};
use tollbridge_operation::Operation;

use crate::support::{body, description, document, only};

/// A 3.2 operation with a body of this media type.
fn body_of(media_type: &str, entry: &Value) -> Operation {
    let body =
        json!({"requestBody": {"required": true, "content": {media_type: entry}}, "responses": {}});
    only(&document("3.2.0", "post", "/x", &body))
}

fn without_carriage(operation: &Operation, value: &Value) -> String {
    body(operation, &json!({"body": value})).1.replace("\r\n", "\n")
}

#[test]
fn a_part_may_be_made_of_parts_by_position() {
    let operation = body_of(
        "multipart/mixed",
        &json!({
            "schema": {"type": "array", "prefixItems": [
                {"type": "object", "properties": {"id": {"type": "string"}}},
                {"type": "array", "prefixItems": [{"type": "string"}], "items": {}}
            ]},
            "prefixEncoding": [
                {},
                {
                    "contentType": "multipart/related",
                    "headers": {"X-Kind": {"schema": {"const": "inner"}}},
                    "prefixEncoding": [{"contentType": "text/markdown"}],
                    "itemEncoding": {"contentType": "image/png"}
                }
            ]
        }),
    );
    let value = json!([{"id": "a"}, ["# Title", {"data": "AAE="}, {"text": "png"}]]);
    let expected = "--tollbridge-00000001
Content-Type: application/json

{\"id\":\"a\"}
--tollbridge-00000001
Content-Type: multipart/related; boundary=tollbridge-00000000
x-kind: inner

--tollbridge-00000000
Content-Type: text/markdown

# Title
--tollbridge-00000000
Content-Type: image/png

\u{0}\u{1}
--tollbridge-00000000
Content-Type: image/png

png
--tollbridge-00000000--

--tollbridge-00000001--
";
    assert_eq!(without_carriage(&operation, &value), expected);
    let inner = &operation.input.to_value()["properties"]["body"]["prefixItems"][1];
    assert_eq!(inner["type"], "array");
    assert_eq!(inner["items"]["properties"]["data"]["contentEncoding"], "base64");
}

#[test]
fn a_part_of_a_form_may_be_made_of_named_parts_each_element_of_a_list_for_itself() {
    let letter = json!({
        "type": "object", "required": ["about"],
        "properties": {"about": {"type": "string"}, "scan": {"type": "string", "format": "binary"}}
    });
    let encoding = json!({"contentType": "multipart/mixed", "encoding": {"about": {"contentType": "text/plain"}}});
    let one = body_of(
        "multipart/form-data",
        &json!({
            "schema": {"type": "object", "properties": {"letter": letter}},
            "encoding": {"letter": encoding}
        }),
    );
    let many = body_of(
        "multipart/form-data",
        &json!({
            "schema": {"type": "object", "properties": {"letter": {"type": "array", "items": letter}}},
            "encoding": {"letter": encoding}
        }),
    );
    let (first, second) = (json!({"about": "a"}), json!({"about": "b", "scan": {"text": "s"}}));
    let written = without_carriage(&many, &json!({"letter": [first, second]}));
    let outer = "--tollbridge-00000001\nContent-Disposition: form-data; name=\"letter\"\n\
                 Content-Type: multipart/mixed; boundary=tollbridge-00000000\n\n";
    assert_eq!(written.matches(outer).count(), 2);
    let scan = "Content-Disposition: form-data; name=\"scan\"; filename=\"scan\"\n\
                Content-Type: text/plain; charset=utf-8\n\ns\n--tollbridge-00000000--\n";
    assert!(written.contains(scan), "{written}");
    assert_eq!(without_carriage(&one, &json!({"letter": second})).matches(outer).count(), 1);
}

#[test]
fn a_list_whose_elements_cannot_be_made_of_parts_is_one_part() {
    let operation = body_of(
        "multipart/form-data",
        &json!({
            "schema": {"type": "object", "properties": {"files": {"type": "array", "items": {}}}},
            "encoding": {"files": {"contentType": "multipart/mixed", "itemEncoding": {"contentType": "image/png"}}}
        }),
    );
    let written = without_carriage(
        &operation,
        &json!({"files": [{"data": "AA==", "filename": "1.png"}, {"data": "AQ=="}]}),
    );
    assert_eq!(written.matches("name=\"files\"").count(), 1);
    let first =
        "Content-Disposition: attachment; filename=\"1.png\"\nContent-Type: image/png\n\n\u{0}\n";
    assert!(written.contains(first), "{written}");
    assert_eq!(written.matches("--tollbridge-00000000").count(), 3);
}

#[test]
fn parts_within_parts_end_somewhere() {
    let mut schema = json!({"type": "string"});
    let mut encoding = json!({"contentType": "text/plain"});
    for _ in 0..20 {
        schema = json!({"type": "array", "items": schema});
        encoding = json!({"contentType": "multipart/mixed", "itemEncoding": encoding});
    }
    let entry = json!({"schema": schema, "itemEncoding": encoding["itemEncoding"]});
    let body = json!({"requestBody": {"content": {"multipart/mixed": entry}}, "responses": {}});
    let description = description(&document("3.2.0", "post", "/x", &body));
    assert_eq!(description.operations.len(), 0);
    assert_eq!(description.skipped[0].reason, "parts within parts deeper than 8 levels");
}

#[test]
fn xml_of_which_nothing_is_said_is_text_that_the_agent_writes() {
    let entry = json!({
        "schema": {"type": "object", "required": ["one"], "properties": {
            "one": {"type": "object"},
            "many": {"type": "array", "items": {}},
            "said": {"type": "object", "xml": {"name": "s"}, "properties": {"a": {"type": "integer"}}},
        }},
        "encoding": {
            "one": {"contentType": "application/xml"},
            "many": {"contentType": "text/xml"},
            "said": {"contentType": "application/xml"},
        }
    });
    let value = json!({"one": "<o/>", "many": ["<a/>", "<b/>"], "said": {"a": 1}});
    for media_type in ["multipart/form-data", "application/x-www-form-urlencoded"] {
        let operation = body_of(media_type, &entry);
        let members = &operation.input.to_value()["properties"]["body"]["properties"];
        assert_eq!(members["one"]["type"], "string", "{media_type}");
        assert_eq!(members["many"]["items"]["type"], "string", "{media_type}");
        assert_eq!(members["said"]["type"], "object", "{media_type}");
        let written = without_carriage(&operation, &value);
        let expected: &[&str] = match media_type {
            "multipart/form-data" => &[
                "name=\"one\"\nContent-Type: application/xml\n\n<o/>\n",
                "name=\"many\"\nContent-Type: text/xml\n\n<b/>\n",
                "name=\"said\"\nContent-Type: application/xml\n\n<s><a>1</a></s>\n",
            ],
            _ => &["one=%3Co%2F%3E&many=%3Ca%2F%3E&many=%3Cb%2F%3E&said=%3Cs%3E%3Ca%3E1"],
        };
        for part in expected {
            assert!(written.contains(part), "{written}");
        }
    }
}

#[test]
fn parts_have_styles_since_3_1_and_those_of_forms_alone() {
    let entry = json!({
        "schema": {"type": "object", "properties": {"list": {"type": "array", "items": {"type": "integer"}}}},
        "encoding": {"list": {"style": "form", "explode": false, "contentType": "text/plain"}}
    });
    let written = |version: &str, media_type: &str| {
        let body = json!({"requestBody": {"content": {media_type: entry}}, "responses": {}});
        let operation = only(&document(version, "post", "/x", &body));
        without_carriage(&operation, &json!({"list": [1, 2]}))
    };
    for (version, media_type, styled) in [
        ("3.0.3", "application/x-www-form-urlencoded", true),
        ("3.0.3", "multipart/form-data", false),
        ("3.1.0", "multipart/form-data", true),
        ("3.1.0", "multipart/mixed", false),
    ] {
        let body = written(version, media_type);
        let is_styled = body.contains("1,2") || body.contains("1%2C2");
        assert_eq!(is_styled, styled, "{version} {media_type}: {body}");
        assert_eq!(body.contains("Content-Type: text/plain"), !styled, "{body}");
    }
}
