//! Properties: whatever an argument is, it arrives as itself and as nothing else. The wire is
//! read back by the `url` crate, which is no relation of the encoder.

use proptest::prelude::*;
use serde_json::json;
use tollbridge_operation::Operation;
use url::Url;

use crate::support::{operation, try_encode, with_parameter};

fn url(request: &tollbridge_operation::Request) -> Url {
    let query = request.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    Url::parse(&format!("https://host.example/base{}{query}", request.path)).unwrap()
}

fn path_operation(style: &str) -> Operation {
    with_parameter(
        "/things/{id}/parts",
        &json!({"name": "id", "in": "path", "required": true, "style": style, "schema": {}}),
    )
}

/// An operation with parameters in every place that a query and cookies have, and a credential.
fn everywhere() -> Operation {
    let query = |name: &str| json!({"name": name, "in": "query", "schema": {}});
    let deep = json!({"name": "deep", "in": "query", "style": "deepObject", "schema": {}});
    let object = |name: &str, place: &str| json!({"name": name, "in": place, "explode": true, "schema": {"type": "object"}});
    let parameters = json!([
        {"name": "id", "in": "path", "required": true, "schema": {}},
        query("fixed"), query("plain"), query("list"), object("object", "query"), deep,
        {"name": "sid", "in": "cookie", "schema": {}}, {"name": "cookie", "in": "cookie", "schema": {}},
        object("cookies", "cookie"),
    ]);
    let document = json!({
        "openapi": "3.1.0", "info": {},
        "components": {"securitySchemes": {"k": {"type": "apiKey", "in": "query", "name": "key"}}},
        "paths": {"/y/x/{id}": {"get": {"parameters": parameters}}}
    });
    crate::support::only(&document.to_string())
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

/// Any text, and much of what attackers send.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[./%\\\\2eEfF?#&=+;:@ \r\n\t,|\\[\\]]{0,12}", "[a-z ]{0,8}",]
}

proptest! {
    #[test]
    fn a_path_value_stays_in_its_segment(value in text()) {
        for (style, prefix) in [("simple", ""), ("label", "."), ("matrix", ";id=")] {
            let operation = path_operation(style);
            match try_encode(&operation, &json!({"id": value})) {
                Ok(request) => {
                    let url = url(&request);
                    let segments: Vec<&str> = url.path_segments().unwrap().collect();
                    prop_assert_eq!(segments.len(), 4);
                    prop_assert_eq!(segments[1], "things");
                    prop_assert_eq!(segments[3], "parts");
                    prop_assert_eq!(decoded(segments[2]), format!("{prefix}{value}"));
                    prop_assert_eq!(url.query(), None);
                    prop_assert_eq!(url.fragment(), None);
                    prop_assert_eq!(url.host_str(), Some("host.example"));
                }
                Err(_) => prop_assert!(matches!(value.as_str(), "" | "." | "..")),
            }
        }
    }

    #[test]
    fn a_query_value_adds_no_parameter(name in "[a-z\\[\\]$ &=]{1,6}", value in text(), allow in any::<bool>()) {
        let parameter = json!({"name": name, "in": "query", "allowReserved": allow, "schema": {}});
        let operation = with_parameter("/x", &parameter);
        let key = operation.input.properties().unwrap().keys().next().unwrap().clone();
        let request = try_encode(&operation, &json!({key: value})).unwrap();
        let url = url(&request);
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        // Reserved expansion takes escapes for what they are (RFC 6570 §3.2.3).
        let undone = percent_encoding::percent_decode_str(&value).decode_utf8_lossy();
        let expected = if allow { undone.into_owned() } else { value };
        prop_assert_eq!(pairs, vec![(name, expected)]);
        prop_assert_eq!(url.fragment(), None);
    }

    #[test]
    fn a_list_arrives_as_itself(values in proptest::collection::vec(text(), 1..5)) {
        let operation = with_parameter("/x", &json!({"name": "v", "in": "query", "schema": {}}));
        let request = try_encode(&operation, &json!({"v": values})).unwrap();
        let pairs: Vec<String> = url(&request).query_pairs().map(|(_, value)| value.into_owned()).collect();
        prop_assert_eq!(pairs, values.clone());
        // Not exploded: split at the bare comma, then decoded.
        let parameter = json!({"name": "v", "in": "query", "explode": false, "schema": {}});
        let request = try_encode(&with_parameter("/x", &parameter), &json!({"v": values})).unwrap();
        let query = request.query.unwrap();
        let items: Vec<String> = query.strip_prefix("v=").unwrap().split(',').map(decoded).collect();
        prop_assert_eq!(items, values);
    }

    #[test]
    fn no_argument_is_another_parameter(
        path in text(), plain in text(), list in proptest::collection::vec(text(), 0..3),
        object in proptest::collection::btree_map(text(), text(), 0..3),
        deep in proptest::collection::btree_map(text(), text(), 0..3), cookie in text(),
    ) {
        let operation = everywhere();
        let arguments = json!({"id": path, "fixed": "F", "plain": plain, "list": list, "object": object,
            "deep": deep, "sid": "S", "cookie": cookie, "cookies": object});
        // What cannot be sent without harm is refused.
        let Ok(request) = try_encode(&operation, &arguments) else { return Ok(()) };
        let url = url(&request);
        prop_assert_eq!(url.host_str(), Some("host.example"));
        prop_assert_eq!(url.fragment(), None);
        let segments: Vec<&str> = url.path_segments().unwrap().collect();
        prop_assert_eq!((segments.len(), segments[0], segments[2]), (4, "base", "x"));
        prop_assert_eq!(decoded(segments[3]), path);
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let named = |name: &str| -> Vec<String> {
            pairs.iter().filter(|(own, _)| own == name).map(|(_, value)| value.clone()).collect()
        };
        prop_assert_eq!(named("fixed"), ["F"]);
        prop_assert_eq!(named("plain"), [plain]);
        prop_assert_eq!(named("list"), list.clone());
        prop_assert_eq!(named("key"), Vec::<String>::new());
        let brought: Vec<&(String, String)> = pairs
            .iter()
            .filter(|(name, _)| !["fixed", "plain", "list"].contains(&name.as_str()))
            .filter(|(name, _)| !name.starts_with("deep["))
            .collect();
        let given: Vec<(String, String)> = object.clone().into_iter().collect();
        prop_assert_eq!(brought, given.iter().collect::<Vec<_>>());
        let fixed = request.cookies.iter().filter(|cookie| cookie.as_str() == "sid=S").count();
        prop_assert_eq!(fixed, 1);
        prop_assert!(request.cookies.iter().all(|cookie| !cookie.contains([';', ' ', '\r', '\n'])));
        let sids = request.cookies.iter().filter(|cookie| cookie.to_ascii_lowercase().starts_with("sid="));
        prop_assert_eq!(sids.count(), 1);
    }

    #[test]
    fn a_form_arrives_as_itself(value in text(), other in text()) {
        let operation = operation("post", "/x", &json!({"requestBody": {"content": {
            "application/x-www-form-urlencoded": {"schema": {"type": "object"}}}}}));
        let request = try_encode(&operation, &json!({"body": {"a b": value, "c&d": other}})).unwrap();
        let body = request.body.unwrap().bytes;
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
        prop_assert_eq!(pairs, vec![("a b".to_owned(), value), ("c&d".to_owned(), other)]);
    }

    #[test]
    fn a_header_holds_one_line(value in text()) {
        let operation = with_parameter("/x", &json!({"name": "X-V", "in": "header", "schema": {}}));
        if let Ok(request) = try_encode(&operation, &json!({"X-V": value})) {
            let bytes = request.headers[1].1.as_bytes();
            prop_assert_eq!(bytes, value.as_bytes());
            prop_assert!(!bytes.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
        }
    }

    #[test]
    fn a_cookie_holds_one_value(value in text()) {
        let operation = with_parameter("/x", &json!({"name": "c", "in": "cookie", "schema": {}}));
        let request = try_encode(&operation, &json!({"c": value})).unwrap();
        prop_assert_eq!(request.cookies.len(), 1);
        let cookie = request.cookies[0].strip_prefix("c=").unwrap();
        prop_assert!(!cookie.contains([';', ',', ' ', '"', '\\', '\r', '\n']));
        prop_assert_eq!(decoded(cookie), value);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = crate::support::try_read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_yaml_makes_the_reader_panic(text in "[a-z:{}\\[\\],&*!|>\\-?\"'#%@ \n<~0-9.]{0,80}") {
        let _ = crate::support::try_read(&format!("openapi: 3.1.0\npaths:\n  /a:\n    get:\n      {text}"));
    }
}
