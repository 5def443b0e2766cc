//! Whatever stands in whatever place of a document: nothing panics, and other paths live on.

use serde_json::{Value, json};
use tollbridge_operation::{ApiName, Arguments, Response};

use crate::document::Pointer;
use crate::{ReadOptions, read, yaml};

const DOCUMENTS: [&str; 3] = [
    include_str!("../../tests/it/documents/orders-3.1.yaml"),
    include_str!("../../tests/it/documents/pets-3.0.yaml"),
    include_str!("../../tests/it/documents/zones-2.0.json"),
];

fn places(value: &Value, at: &Pointer, places: &mut Vec<Pointer>) {
    places.push(at.clone());
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| self::places(value, &at.child(name), places));
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, value)| self::places(value, &at.item(index), places));
        }
        _ => {}
    }
}

fn odd_values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(""),
        json!("../{x}\r\n?#"),
        json!([]),
        json!([null, {"$ref": "#"}]),
        json!({}),
        json!({"$ref": "#"}),
        json!({"$ref": "#/paths"}),
        json!({"$ref": 1, "type": {}, "in": [], "name": {}, "content": 1, "schema": 2}),
    ]
}

/// The path item that a place is in.
fn item(at: &Pointer) -> Option<String> {
    let mut tokens = at.tokens();
    (tokens.next().as_deref() == Some("paths")).then(|| tokens.next()).flatten()
}

fn use_everything(document: &Value) -> Vec<(String, bool)> {
    let api = ApiName::new("api").expect("a name");
    let options = ReadOptions { api: &api, source: None };
    let Ok(description) = read(document.to_string().as_bytes(), &options) else {
        return Vec::new();
    };
    let mut paths = Vec::new();
    for operation in description.operations {
        let names: Vec<String> =
            operation.input.properties().into_iter().flat_map(|all| all.keys().cloned()).collect();
        for value in [json!(".."), json!(["x"]), json!({"a": {"b": [1]}})] {
            let arguments: Arguments =
                names.iter().map(|name| (name.clone(), value.clone())).collect();
            let _ = operation.binding.encode(&arguments);
        }
        let response = Response {
            status: http::StatusCode::OK,
            headers: http::HeaderMap::new(),
            body: "{".into(),
        };
        let _ = operation.binding.decode(&response);
        paths.extend(operation.endpoint.map(|endpoint| (endpoint.path, true)));
    }
    for skipped in description.skipped {
        assert!(!skipped.reason.is_empty());
        paths.extend(skipped.endpoint.map(|endpoint| (endpoint.path, false)));
    }
    paths
}

#[test]
fn no_value_in_any_place_panics_or_costs_another_path() {
    for text in DOCUMENTS {
        let document = yaml::parse(text).expect("YAML");
        let whole = use_everything(&document);
        let mut all = Vec::new();
        places(&document, &Pointer::root(), &mut all);
        for place in all {
            for odd in odd_values() {
                let mut broken = document.clone();
                *broken.pointer_mut(place.as_str()).expect("the place exists") = odd.clone();
                let paths = use_everything(&broken);
                if let Some(item) = item(&place) {
                    let others = |paths: &[(String, bool)]| -> Vec<(String, bool)> {
                        paths.iter().filter(|(path, _)| *path != item).cloned().collect()
                    };
                    assert_eq!(others(&paths), others(&whole), "{odd} at {place}");
                }
            }
        }
    }
}

#[test]
fn no_damage_to_the_text_panics() {
    let api = ApiName::new("api").expect("a name");
    let options = ReadOptions { api: &api, source: None };
    for text in DOCUMENTS {
        let bytes = text.as_bytes();
        for at in (0..bytes.len()).step_by(37) {
            for damage in [&b""[..], b"{", b"\"", b": ", b"\n  ", b"&a *a", b"\xff", b"- "] {
                let damaged = [&bytes[..at], damage, &bytes[(at + 3).min(bytes.len())..]].concat();
                let _ = read(&damaged, &options);
            }
            let _ = read(&bytes[..at], &options);
        }
    }
}
