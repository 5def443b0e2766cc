//! The style tables whole: every style, with and without `explode`, for every kind of value
//! (OpenAPI 3.0.4 §4.7.12.4, 3.1.1 §4.8.12.7, 3.2.0 §4.12.6; Swagger 2.0, `collectionFormat`),
//! and the specifications' other examples of what goes over the wire.

use serde_json::{Value, json};
use tollbridge_operation::{Operation, Payload};

use crate::support::{answer, body, document, encode, only, try_encode};

/// The values of the tables, and what stands beside them: null and what has nothing in it
/// are undefined (RFC 6570 §2.3), the empty string is not.
fn values() -> [Value; 6] {
    [
        json!(null),
        json!(""),
        json!("blue"),
        json!([]),
        json!(["blue", "black", "brown"]),
        json!({"R": 100, "G": 200, "B": 150}),
    ]
}

const VERSIONS: [&str; 3] = ["3.0.4", "3.1.1", "3.2.0"];

fn parameter(version: &str, place: &str, style: &str, explode: bool, required: bool) -> Operation {
    let path = if place == "path" { "/p/{color}" } else { "/p" };
    let parameter = json!({"name": "color", "in": place, "required": required, "style": style,
                           "explode": explode, "schema": {}});
    only(&document(version, "get", path, &json!({"parameters": [parameter]})))
}

/// What is sent for each of the [`values`]; none where it is refused.
fn sent(
    operation: &Operation,
    read: impl Fn(&tollbridge_operation::Request) -> String,
) -> Vec<Option<String>> {
    let send = |value| try_encode(operation, &json!({"color": value})).ok().map(|r| read(&r));
    values().into_iter().map(send).collect()
}

fn expected(row: [&str; 6]) -> Vec<Option<String>> {
    row.iter().map(|text| (*text != "-").then(|| (*text).to_owned())).collect()
}

#[test]
fn path_styles_follow_the_table() {
    for (style, explode, row) in [
        // A segment that would be empty, or dots, is refused.
        (
            "matrix",
            false,
            ["-", "-", ";color=blue", "-", ";color=blue,black,brown", ";color=R,100,G,200,B,150"],
        ),
        (
            "matrix",
            true,
            [
                "-",
                "-",
                ";color=blue",
                "-",
                ";color=blue;color=black;color=brown",
                ";R=100;G=200;B=150",
            ],
        ),
        ("label", false, ["-", "-", ".blue", "-", ".blue,black,brown", ".R,100,G,200,B,150"]),
        ("label", true, ["-", "-", ".blue", "-", ".blue.black.brown", ".R=100.G=200.B=150"]),
        ("simple", false, ["-", "-", "blue", "-", "blue,black,brown", "R,100,G,200,B,150"]),
        ("simple", true, ["-", "-", "blue", "-", "blue,black,brown", "R=100,G=200,B=150"]),
    ] {
        for version in VERSIONS {
            let operation = parameter(version, "path", style, explode, true);
            let sent = sent(&operation, |request| request.path["/p/".len()..].to_owned());
            assert_eq!(sent, expected(row), "{version} {style} {explode}");
        }
    }
}

#[test]
fn query_styles_follow_the_table() {
    // What is not applicable is written as the nearest that is: a delimited plain value alone,
    // exploded as a form, and `deepObject` of a list with indexes.
    const EXPLODED: [&str; 6] = [
        "color=",
        "color=",
        "color=blue",
        "color=",
        "color=blue&color=black&color=brown",
        "R=100&G=200&B=150",
    ];
    const DEEP: [&str; 6] = [
        "-",
        "color=",
        "color=blue",
        "-",
        "color%5B0%5D=blue&color%5B1%5D=black&color%5B2%5D=brown",
        "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150",
    ];
    for (style, explode, row) in [
        (
            "form",
            false,
            [
                "color=",
                "color=",
                "color=blue",
                "color=",
                "color=blue,black,brown",
                "color=R,100,G,200,B,150",
            ],
        ),
        ("form", true, EXPLODED),
        (
            "spaceDelimited",
            false,
            [
                "color=",
                "color=",
                "color=blue",
                "color=",
                "color=blue%20black%20brown",
                "color=R%20100%20G%20200%20B%20150",
            ],
        ),
        ("spaceDelimited", true, EXPLODED),
        (
            "pipeDelimited",
            false,
            [
                "color=",
                "color=",
                "color=blue",
                "color=",
                "color=blue%7Cblack%7Cbrown",
                "color=R%7C100%7CG%7C200%7CB%7C150",
            ],
        ),
        ("pipeDelimited", true, EXPLODED),
        ("deepObject", false, DEEP),
        ("deepObject", true, DEEP),
    ] {
        for version in VERSIONS {
            let query =
                |request: &tollbridge_operation::Request| request.query.clone().unwrap_or_default();
            let required = parameter(version, "query", style, explode, true);
            assert_eq!(sent(&required, query), expected(row), "{version} {style} {explode}");
            // Where none is required, what is undefined is left out.
            let optional = sent(&parameter(version, "query", style, explode, false), query);
            let mut row = row;
            (row[0], row[3]) = ("", "");
            assert_eq!(optional, expected(row), "{version} {style} {explode}, optional");
        }
    }
}

#[test]
fn header_and_cookie_styles_follow_the_table() {
    for (explode, object) in [(false, "R,100,G,200,B,150"), (true, "R=100,G=200,B=150")] {
        for version in VERSIONS {
            let read = |request: &tollbridge_operation::Request| {
                let header = request.headers.iter().find(|(name, _)| name == "color");
                header.map_or("(none)".to_owned(), |(_, value)| value.to_str().unwrap().to_owned())
            };
            let operation = parameter(version, "header", "simple", explode, true);
            let row = ["", "", "blue", "", "blue,black,brown", object];
            assert_eq!(sent(&operation, read), expected(row), "{version} {explode}");
            let operation = parameter(version, "header", "simple", explode, false);
            let row = ["(none)", "", "blue", "(none)", "blue,black,brown", object];
            assert_eq!(sent(&operation, read), expected(row), "{version} {explode}, optional");
        }
    }
    for (style, explode, list, object) in [
        ("form", false, "color=blue,black,brown", "color=R,100,G,200,B,150"),
        // 3.2.0 appendix D: the `&` of the table is never right in a cookie.
        ("form", true, "color=blue; color=black; color=brown", "R=100; G=200; B=150"),
        ("cookie", false, "color=blue,black,brown", "color=R,100,G,200,B,150"),
        ("cookie", true, "color=blue; color=black; color=brown", "R=100; G=200; B=150"),
    ] {
        let operation = parameter("3.2.0", "cookie", style, explode, true);
        let row = ["color=", "color=", "color=blue", "color=", list, object];
        let sent = sent(&operation, |request| request.cookies.join("; "));
        assert_eq!(sent, expected(row), "{style} {explode}");
    }
}

#[test]
fn swagger_collection_formats_follow_the_table() {
    let array = |place: &str, format: &str| {
        let path = if place == "path" { "/p/{a}" } else { "/p" };
        let parameter = json!({"name": "a", "in": place, "type": "array", "required": true,
            "items": {"type": "string"}, "collectionFormat": format});
        let document = json!({"swagger": "2.0", "info": {}, "paths": {path: {"post": {
            "parameters": [parameter], "responses": {}}}}});
        only(&document.to_string())
    };
    let value = json!({"a": ["foo", "bar"]});
    for (format, query, path, header, form) in [
        ("csv", "a=foo,bar", "foo,bar", "foo,bar", "a=foo,bar"),
        ("ssv", "a=foo%20bar", "foo%20bar", "foo bar", "a=foo%20bar"),
        ("tsv", "a=foo%09bar", "foo%09bar", "-", "a=foo%09bar"),
        ("pipes", "a=foo%7Cbar", "foo%7Cbar", "foo|bar", "a=foo%7Cbar"),
        ("multi", "a=foo&a=bar", "foo,bar", "foo,bar", "a=foo&a=bar"),
    ] {
        assert_eq!(encode(&array("query", format), &value).query.as_deref(), Some(query));
        assert_eq!(encode(&array("path", format), &value).path, format!("/p/{path}"));
        let sent = try_encode(&array("header", format), &value).ok();
        let sent = sent.map_or("-".to_owned(), |r| r.headers[1].1.to_str().unwrap().to_owned());
        assert_eq!(sent, header, "{format}");
        assert_eq!(body(&array("formData", format), &json!({"body": value})).1, form);
    }
}

#[test]
fn a_bare_cookie_holds_what_a_cookie_can() {
    let operation = parameter("3.2.0", "cookie", "cookie", true, false);
    let cookies = |value: Value| {
        try_encode(&operation, &json!({"color": value})).ok().map(|request| request.cookies)
    };
    assert_eq!(cookies(json!("a%20b=c")), Some(vec!["color=a%20b=c".to_owned()]));
    for bad in [
        json!("a b"),
        json!("a;b"),
        json!("a,b"),
        json!("\"a\""),
        json!("ü"),
        json!("a\r\nb"),
        json!({"a=b": 1}),
    ] {
        assert_eq!(cookies(bad.clone()), None, "{bad}");
    }
}

#[test]
fn what_no_style_can_hide_is_refused() {
    // `.` is unreserved: between exploded values of a label it cannot be told from one inside.
    let operation = parameter("3.1.0", "path", "label", true, true);
    assert!(try_encode(&operation, &json!({"color": ["1.5", "2"]})).is_err());
    assert_eq!(encode(&operation, &json!({"color": "1.5"})).path, "/p/.1.5");
    // In a header a list's items may bring their own quotes, as appendix D asks for.
    let operation = parameter("3.2.0", "header", "simple", false, true);
    assert!(try_encode(&operation, &json!({"color": ["a,b", "c"]})).is_err());
    let request = encode(&operation, &json!({"color": ["\"a,b\"", "c"]}));
    assert_eq!(request.headers[1].1, "\"a,b\",c");
    assert!(try_encode(&operation, &json!({"color": "a\r\nX-Other: b"})).is_err());
}

#[test]
fn reserved_expansion_is_rfc_6570s() {
    for (version, place, expected) in [
        ("3.1.0", "query", "/p?color=a/b?c=d%26e%23f%2Bg;h:i@j,%41%25"),
        ("3.2.0", "path", "/p/a%2Fb%3Fc=d%26e%23f%2Bg;h:i@j,%41%25"),
        // Before 3.2 it is one of queries alone.
        ("3.1.0", "path", "/p/a%2Fb%3Fc%3Dd%26e%23f%2Bg%3Bh%3Ai%40j%2C%2541%25"),
    ] {
        let path = if place == "path" { "/p/{color}" } else { "/p" };
        let parameter = json!({"name": "color", "in": place, "required": true,
                               "allowReserved": true, "schema": {}});
        let operation = only(&document(version, "get", path, &json!({"parameters": [parameter]})));
        let request = encode(&operation, &json!({"color": "a/b?c=d&e#f+g;h:i@j,%41%"}));
        let query = request.query.map_or(String::new(), |query| format!("?{query}"));
        assert_eq!(format!("{}{query}", request.path), expected, "{version} {place}");
    }
}

#[test]
fn a_parameter_may_allow_an_empty_value() {
    let parameter =
        json!({"name": "n", "in": "query", "allowEmptyValue": true, "schema": {"type": "integer"}});
    let operation = only(&document("3.0.4", "get", "/", &json!({"parameters": [parameter]})));
    assert_eq!(encode(&operation, &json!({"n": ""})).query.as_deref(), Some("n="));
    assert_eq!(
        operation.input.properties().unwrap()["n"],
        json!({"anyOf": [{"type": "integer"}, {"const": ""}]})
    );
}

#[test]
fn the_whole_query_is_one_value() {
    // The examples of 3.2.0 §4.12.7.
    for (media_type, value, expected) in [
        (
            "application/x-www-form-urlencoded",
            json!({"foo": "a + b", "bar": true}),
            "foo=a+%2B+b&bar=true",
        ),
        (
            "application/json",
            json!({"numbers": [1, 2], "flag": null}),
            "%7B%22numbers%22%3A%5B1%2C2%5D%2C%22flag%22%3Anull%7D",
        ),
        ("application/jsonpath", json!("$.a.b[1:1]"), "%24.a.b%5B1%3A1%5D"),
        ("text/plain", json!("a=b&c"), "a%3Db%26c"),
    ] {
        let parameter =
            json!({"name": "q", "in": "querystring", "content": {media_type: {"schema": {}}}});
        let operation =
            only(&document("3.2.0", "get", "/foo", &json!({"parameters": [parameter]})));
        let request = encode(&operation, &json!({"q": value}));
        assert_eq!(request.query.as_deref(), Some(expected), "{media_type}");
    }
    // A credential's name is nobody's to bring.
    let document = json!({"openapi": "3.2.0", "info": {},
        "components": {"securitySchemes": {"k": {"type": "apiKey", "in": "query", "name": "key"}}},
        "paths": {"/": {"get": {"parameters": [{"name": "q", "in": "querystring",
            "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}}]}}}});
    let operation = only(&document.to_string());
    let error = try_encode(&operation, &json!({"q": {"KEY": "mine"}})).unwrap_err();
    assert_eq!(error.pointer, "/q/KEY");
}

fn with_content(version: &str, content: &Value) -> Operation {
    only(&document(
        version,
        "post",
        "/",
        &json!({"requestBody": {"required": true, "content": content}}),
    ))
}

#[test]
fn forms_follow_the_specifications_examples() {
    // 3.2.0 §4.15.4.1, URL encoded form with JSON values.
    let form = |schema: Value, encoding: Value| {
        let content =
            json!({"application/x-www-form-urlencoded": {"schema": schema, "encoding": encoding}});
        with_content("3.2.0", &content)
    };
    let schema = json!({"type": "object", "properties": {"id": {"type": "string"}, "address": {"type": "object"}}});
    let value = json!({"body": {"id": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "address": {
        "streetAddress": "123 Example Dr.", "city": "Somewhere", "state": "CA", "zip": "99999+1234"}}});
    assert_eq!(
        body(&form(schema.clone(), json!({})), &value).1,
        "id=f81d4fae-7dec-11d0-a765-00a0c91e6bf6&address=%7B%22streetAddress%22%3A%22123+Example+Dr.%22%2C%22city%22%3A%22Somewhere%22%2C%22state%22%3A%22CA%22%2C%22zip%22%3A%2299999%2B1234%22%7D"
    );
    // As application/json a string keeps its quotes.
    let operation = form(schema, json!({"id": {"contentType": "application/json"}}));
    assert_eq!(body(&operation, &json!({"body": {"id": "a b"}})).1, "id=%22a+b%22");
    // With a style the rules are RFC 6570's.
    let schema = json!({"type": "object", "properties": {"a": {}, "b": {}, "c": {}}});
    let operation = form(
        schema,
        json!({"a": {"style": "spaceDelimited"}, "b": {"explode": false}, "c": {"allowReserved": true}}),
    );
    let value = json!({"body": {"a": ["x", "y"], "b": ["1 2", "3,4"], "c": "a/b&c"}});
    assert_eq!(body(&operation, &value).1, "a=x%20y&b=1%202,3%2C4&c=a/b%26c");
}

#[test]
fn parts_have_their_media_types_and_headers() {
    let operation = with_content(
        "3.1.1",
        &json!({"multipart/form-data": {
            "schema": {"type": "object", "properties": {
                "id": {"type": "string"},
                "profileImage": {},
                "address": {"type": "object", "xml": {"name": "address"}, "properties": {"city": {"type": "string"}}},
                "colors": {"type": "array", "items": {"type": "string"}},
                "icon": {"type": "string", "contentEncoding": "base64"},
                "note": {"type": "string"}
            }},
            "encoding": {
                "profileImage": {"contentType": "image/png, image/jpeg", "headers": {
                    "X-Rate-Limit-Limit": {"required": true, "schema": {"type": "integer"}},
                    "X-Kind": {"schema": {"const": "photo"}}
                }},
                "address": {"contentType": "application/xml; charset=utf-8"},
                "colors": {"style": "pipeDelimited"},
                "note": {"headers": {"Content-Language": {"schema": {"type": "string"}}}}
            }
        }}),
    );
    let file = &operation.input.to_value()["properties"]["body"]["properties"]["profileImage"];
    assert_eq!(file["properties"]["content_type"]["enum"], json!(["image/png", "image/jpeg"]));
    assert_eq!(file["required"], json!(["headers"]));
    let (content_type, text) = body(
        &operation,
        &json!({"body": {
            "id": "a b",
            "profileImage": {"data": "aGk=", "filename": "me.jpg", "content_type": "image/jpeg", "headers": {"X-Rate-Limit-Limit": 5}},
            "address": {"city": "A & B"},
            "colors": ["red", "green"],
            "icon": "aGk=",
            "note": {"value": "hallo", "headers": {"Content-Language": "de"}}
        }}),
    );
    assert_eq!(content_type, "multipart/form-data; boundary=tollbridge-00000000");
    insta::assert_snapshot!(text.replace("\r\n", "\n"));
    let hostile = json!({"body": {"note": {"value": "x", "headers": {"Content-Language": "de\r\nX-Other: 1"}}}});
    let error = try_encode(&operation, &hostile).unwrap_err();
    assert_eq!(error.pointer, "/body/note/headers/Content-Language");
}

#[test]
fn parts_without_names_keep_their_order() {
    // 3.2.0 §4.15.5.5, ordered, unnamed multipart.
    let operation = with_content(
        "3.2.0",
        &json!({"multipart/mixed": {
            "schema": {"type": "array", "prefixItems": [{"type": "object"}, {}]},
            "prefixEncoding": [{}, {"contentType": "image/*"}]
        }}),
    );
    let value = json!({"body": [{"author": "me"}, {"data": "aGk=", "content_type": "image/png"}]});
    let (content_type, text) = body(&operation, &value);
    assert_eq!(content_type, "multipart/mixed; boundary=tollbridge-00000000");
    assert_eq!(
        text.replace("\r\n", "\n"),
        "--tollbridge-00000000\nContent-Type: application/json\n\n{\"author\":\"me\"}\n\
         --tollbridge-00000000\nContent-Type: image/png\n\nhi\n--tollbridge-00000000--\n"
    );
}

#[test]
fn streams_are_written_item_by_item() {
    for (media_type, expected) in [
        ("application/jsonl", "{\"a\":1}\n\"x\\n\"\n"),
        ("application/x-ndjson", "{\"a\":1}\n\"x\\n\"\n"),
        ("application/json-seq", "\u{1e}{\"a\":1}\n\u{1e}\"x\\n\"\n"),
        ("application/geo+json-seq", "\u{1e}{\"a\":1}\n\u{1e}\"x\\n\"\n"),
    ] {
        let operation = with_content("3.2.0", &json!({media_type: {"itemSchema": {}}}));
        assert_eq!(operation.input.properties().unwrap()["body"]["type"], "array");
        let sent = body(&operation, &json!({"body": [{"a": 1}, "x\n"]}));
        assert_eq!(sent, (media_type.to_owned(), expected.to_owned()));
    }
}

fn value(operation: &Operation, content_type: Option<&str>, body: &[u8]) -> Value {
    match answer(operation, 200, content_type, body) {
        tollbridge_operation::Answer::Success { payload: Payload::Value(value), .. } => value,
        other => panic!("a value, not {other:?}"),
    }
}

fn answering(version: &str, content: &Value) -> Operation {
    only(&document(version, "get", "/", &json!({"responses": {"200": {"content": content}}})))
}

#[test]
fn answers_are_read_by_their_media_type_and_charset() {
    let operation = answering("3.2.0", &json!({"text/plain": {}}));
    for (content_type, body, expected) in [
        ("text/plain; charset=Shift_JIS", &b"\x93\xfa\x96\x7b"[..], json!("日本")),
        ("text/plain; charset=\"koi8-r\"", b"\xd2", json!("р")),
        ("text/plain", b"\xff\xfeh\0i\0", json!("hi")),
        ("application/x-www-form-urlencoded", b"a=1+2&b=x&b=y%26", json!({"a": "1 2", "b": ["x", "y&"]})),
        ("application/json-seq", b"\x1e{\"a\":\n1}\n\x1e2\n", json!([{"a": 1}, 2])),
        ("application/geo+json-seq", b"\x1e{}\n", json!([{}])),
        (
            "multipart/mixed; boundary=\"b b\"",
            b"preamble\r\n--b b\r\nContent-Type: application/json\r\n\r\n{\"a\":1}\r\n--b b\r\n\r\nplain\r\n\
              --b b\r\n\r\nlast\r\n--b b--\r\nepilogue",
            json!([
                {"content_type": "application/json", "value": {"a": 1}},
                {"text": "plain"},
                {"text": "last"}
            ]),
        ),
        ("multipart/mixed; boundary=b", b"--b\n\ncut", json!([])),
    ] {
        assert_eq!(value(&operation, Some(content_type), body), expected, "{content_type}");
    }
}

#[test]
fn parts_that_are_no_values_are_attached_in_their_order() {
    let operation = answering("3.1.0", &json!({"multipart/mixed": {}}));
    let body = b"--b\r\n\r\nplain\r\n--b\r\nContent-Type: image/png; q=1\r\n\
        Content-Disposition: attachment; filename=\"x.png\"\r\n\r\n\x00\xff\r\n\
        --b\r\nContent-Type: application/pdf\r\n\r\n\r\n--b--";
    match answer(&operation, 200, Some("multipart/mixed; boundary=b"), body) {
        tollbridge_operation::Answer::Success {
            payload: Payload::Parts { value, attached },
            ..
        } => {
            let expected = json!([
                {"text": "plain"},
                {"filename": "x.png", "content_type": "image/png", "bytes": 2},
                {"content_type": "application/pdf", "bytes": 0}
            ]);
            assert_eq!(value, expected);
            let attached: Vec<_> =
                attached.iter().map(|one| (&*one.media_type, &*one.data)).collect();
            assert_eq!(attached, [("image/png", &b"\x00\xff"[..]), ("application/pdf", b"")]);
        }
        other => panic!("parts, not {other:?}"),
    }
}

#[test]
fn bytes_under_a_wrong_name_are_known_by_their_signature() {
    let operation = answering("3.1.0", &json!({"text/plain": {}}));
    for (content_type, body, expected) in [
        (None, &b"\x89PNG\r\n\x1a\n...."[..], "image/png"),
        (Some("application/octet-stream"), b"%PDF-1.7", "application/pdf"),
        (Some("text/plain"), b"\xff\xd8\xff\xe0\0", "image/jpeg"),
        (Some("application/x-own"), b"GIF89a", "application/x-own"),
        (None, b"\0\x01", "application/octet-stream"),
    ] {
        match answer(&operation, 200, content_type, body) {
            tollbridge_operation::Answer::Success {
                payload: Payload::Bytes { media_type, .. },
                ..
            } => {
                assert_eq!(media_type, expected);
            }
            other => panic!("bytes, not {other:?}"),
        }
    }
}

#[test]
fn events_are_whole_where_their_schema_is() {
    // 3.2.0 §4.14.5.3, server-sent event streams.
    let stream = b"event: addString\ndata: This data is formatted\ndata: across two lines\nretry: 5\n\n\
        event: addInt64\ndata: 1234.5678\nunknownField: this is ignored\n\n: This is a comment\nevent: addJSON\ndata: {\"foo\": 42}\n";
    let operation =
        answering("3.2.0", &json!({"text/event-stream": {"itemSchema": {"type": "object"}}}));
    assert_eq!(
        value(&operation, Some("text/event-stream"), stream),
        json!([
            {"event": "addString", "data": "This data is formatted\nacross two lines", "retry": 5},
            {"event": "addInt64", "data": "1234.5678"},
            {"event": "addJSON", "data": "{\"foo\": 42}"},
        ])
    );
}
