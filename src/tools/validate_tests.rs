use serde_json::json;

use super::*;

fn found(schema: &Value, arguments: &str) -> Vec<(String, String, Option<String>)> {
    let (validator, warnings) =
        ArgumentValidator::new(Schema::new(schema.clone())).expect("a schema");
    assert!(warnings.is_empty());
    let arguments: Map<String, Value> = serde_json::from_str(arguments).expect("JSON");
    let violations = validator.violations(&arguments);
    violations.into_iter().map(|v| (v.pointer, v.expected, v.suggestion)).collect()
}

fn one(schema: &Value, arguments: &str) -> (String, String, String) {
    let mut found = found(schema, arguments);
    assert_eq!(found.len(), 1, "{found:?}");
    let (pointer, expected, suggestion) = found.remove(0);
    (pointer, expected, suggestion.unwrap_or_default())
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "warehouse": {"enum": ["berlin", "paris"]},
            "count": {"type": "integer", "minimum": 1, "maximum": 9},
            "names": {"type": "array", "items": {"type": "string"}},
            "item": {"$ref": "#/$defs/Item"},
            "pay": {"oneOf": [
                {"type": "object", "properties": {"card": {"type": "string"}}, "required": ["card"]},
                {"type": "object", "properties": {"iban": {"type": "string"}}, "required": ["iban"]},
            ]},
            "note": {"anyOf": [{"type": "string", "maxLength": 2}, {"type": "null"}]},
            "none": {"type": "object", "properties": {}, "additionalProperties": false},
        },
        "required": ["warehouse"],
        "additionalProperties": false,
        "$defs": {"Item": {
            "type": "object",
            "properties": {"sku": {"type": "string", "format": "uuid"}, "a/b": {}},
            "required": ["sku"],
            "additionalProperties": false,
        }},
    })
}

#[test]
fn a_violation_says_where_what_and_what_instead() {
    for (arguments, pointer, expected, suggestion) in [
        ("{}", "/warehouse", "one of \"berlin\", \"paris\": it must be given", ""),
        (
            r#"{"warehouse":"berlin","conut":1}"#,
            "/conut",
            "no such argument: there are `warehouse`, `count`, `names`, `item`, `pay`, `note`, `none`",
            "did you mean `count`?",
        ),
        (
            r#"{"warehouse":"Berlin"}"#,
            "/warehouse",
            "one of \"berlin\", \"paris\"",
            "did you mean \"berlin\"?",
        ),
        (r#"{"warehouse":"paris","count":"1"}"#, "/count", "integer", "write it without quotes"),
        (r#"{"warehouse":"paris","count":1.5}"#, "/count", "integer", ""),
        (r#"{"warehouse":"paris","count":0}"#, "/count", "a number that is at least 1", ""),
        (r#"{"warehouse":"paris","count":9.0000000000000000000001}"#, "/count", "integer", ""),
        (r#"{"warehouse":"paris","names":["a",2]}"#, "/names/1", "string", "write it in quotes"),
        (r#"{"warehouse":"paris","names":"a"}"#, "/names", "list", "put it in a list"),
        (r#"{"warehouse":"paris","item":{}}"#, "/item/sku", "string (uuid): it must be given", ""),
        (
            r#"{"warehouse":"paris","item":{"sku":"x","c/d":1}}"#,
            "/item/c~1d",
            "no such argument: there are `sku`, `a/b`",
            "",
        ),
        (
            r#"{"warehouse":"paris","pay":{}}"#,
            "/pay",
            "object with `card`, or object with `iban`",
            "",
        ),
        (
            r#"{"warehouse":"paris","pay":{"card":"a","iban":"b"}}"#,
            "/pay",
            "a value that fits one of the alternatives, not several",
            "",
        ),
        (r#"{"warehouse":"paris","note":"abc"}"#, "/note", "text of at most 2 characters", ""),
        (r#"{"warehouse":"paris","note":1}"#, "/note", "string, or null", ""),
        (
            r#"{"warehouse":"paris","none":{"a/b":1}}"#,
            "/none/a~1b",
            "no such argument: none is taken here",
            "",
        ),
    ] {
        let found = one(&schema(), arguments);
        assert_eq!(
            found,
            (pointer.to_owned(), expected.to_owned(), suggestion.to_owned()),
            "{arguments}"
        );
    }
}

#[test]
fn a_wrong_variant_is_refused_with_words_about_that_variant() {
    let variant = |name: &str, value: &str| json!({"$ref": format!("#/$defs/{name}"), "properties": {"kind": {"const": value}}, "required": ["kind"]});
    let schema = json!({
        "type": "object",
        "properties": {"pet": {"$ref": "#/$defs/Pet"}, "all": {"$ref": "#/$defs/All"}},
        "$defs": {
            "Pet": {"oneOf": [variant("Cat", "cat"), variant("Dog", "dog"), variant("Cow", "cow")]},
            "Cat": {"type": "object", "properties": {"kind": {"type": "string"}, "lives": {"type": "integer"}}, "required": ["lives"]},
            "Dog": {"type": "object", "properties": {"kind": {"type": "string"}, "friend": {"$ref": "#/$defs/Pet"}}},
            "Cow": {"type": "object", "properties": {"milk": {"type": "number"}}},
            "Ends": {"properties": {"a": {}}},
            "All": {"allOf": [{"$ref": "#/$defs/Ends"}, {"properties": {"beta": {}}}], "unevaluatedProperties": false},
        },
    });
    for (arguments, pointer, expected, suggestion) in [
        (r#"{"pet":{"kind":"cat"}}"#, "/pet/lives", "integer: it must be given", ""),
        (
            r#"{"pet":{"kind":"cat","lives":"9"}}"#,
            "/pet/lives",
            "integer",
            "write it without quotes",
        ),
        (
            r#"{"pet":{"kind":"dog","friend":{"kind":"cow","milk":"x"}}}"#,
            "/pet/friend/milk",
            "number",
            "write it without quotes",
        ),
        (
            r#"{"pet":{"kind":"cats","lives":9}}"#,
            "/pet/kind",
            "one of \"cat\", \"dog\", \"cow\"",
            "did you mean \"cat\"?",
        ),
        (r#"{"pet":{}}"#, "/pet/kind", "one of \"cat\", \"dog\", \"cow\": it must be given", ""),
        (
            r#"{"all":{"a":1,"bet":1}}"#,
            "/all/bet",
            "no such argument: there are `a`, `beta`",
            "did you mean `beta`?",
        ),
    ] {
        let found = one(&schema, arguments);
        let expected = (pointer.to_owned(), expected.to_owned(), suggestion.to_owned());
        assert_eq!(found, expected, "{arguments}");
    }
    assert_eq!(found(&schema, r#"{"pet":{"kind":"cat","lives":9}}"#), []);
}

#[test]
fn at_most_five_places_are_reported_and_bounded() {
    let many: Map<String, Value> = (0..20).map(|n| (format!("x{n}"), json!(n))).collect();
    let found = found(&schema(), &Value::Object(many).to_string());
    assert_eq!(found.len(), 5);
    let long = format!("{{\"warehouse\":\"paris\",\"{}\":1}}", "x".repeat(100_000));
    let (pointer, expected, _) = one(&schema(), &long);
    assert!(pointer.chars().count() <= LONGEST && expected.chars().count() <= LONGEST);
}

#[test]
fn numbers_of_any_size_are_judged_at_once() {
    let schema = json!({"properties": {"a": {"type": "number", "maximum": 5, "multipleOf": 0.5}, "b": {"type": "integer"}}});
    for number in ["1e999999999", "1e99999999999999999999", "-1e-999999999"] {
        for name in ["a", "b"] {
            let started = std::time::Instant::now();
            let _ = found(&schema, &format!("{{\"{name}\":{number}}}"));
            assert!(started.elapsed().as_secs() < 5, "{name} {number}");
        }
    }
    assert_eq!(found(&schema, r#"{"a":1e999999999}"#).len(), 1);
}

#[test]
fn a_large_value_is_judged_whole_and_reported_in_part() {
    let schema = json!({"anyOf": [
        {"type": "array", "minItems": 60, "items": {"type": "string"}},
        {"type": "null"},
    ]});
    let (validator, _) = OutputValidator::new(Schema::new(schema));
    let validator = validator.expect("a schema");
    let pointers = |value: &Value| {
        let drift = validator.drift(value);
        drift.into_iter().map(|drift| drift.pointer).collect::<Vec<_>>()
    };
    let started = std::time::Instant::now();
    let wrong = Value::Array(vec![json!(0); 200_000]);
    assert_eq!(pointers(&wrong), ["/0", "/1", "/2", "/3", "/4"]);
    let mut late = Value::Array(vec![json!("x"); 200_000]);
    assert_eq!(pointers(&late), [""; 0]);
    late[199_999] = json!(0);
    assert_eq!(pointers(&late), [""]);
    assert!(started.elapsed().as_secs() < 10);
}

#[test]
fn an_odd_schema_is_used_as_far_as_it_goes() {
    let odd = Schema::new(json!({"properties": {"a": {"type": "string", "pattern": "(?<x"}}}));
    let (validator, warnings) = ArgumentValidator::new(odd).expect("a schema");
    assert_eq!(warnings.len(), 1);
    let arguments = json!({"a": 1}).as_object().cloned().expect("an object");
    assert_eq!(validator.violations(&arguments).len(), 1);
    assert!(ArgumentValidator::new(Schema::new(json!({"type": "strnig"}))).is_err());
    let (validator, warnings) =
        OutputValidator::new(Schema::new(json!({"$ref": "http://127.0.0.1:9"})));
    assert!(validator.is_none() && warnings.len() == 1);
}

#[test]
fn drift_says_what_came_and_repeats_no_value() {
    let schema = json!({"type": "array", "items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}});
    let (validator, _) = OutputValidator::new(Schema::new(schema));
    let drift = validator.expect("a schema").drift(&json!([{"id": "secret"}, {}, {"id": 1}]));
    assert_eq!(
        drift,
        [
            Drift {
                pointer: "/0/id".to_owned(),
                message: "expected integer; it is string".to_owned()
            },
            Drift {
                pointer: "/1/id".to_owned(),
                message: "expected integer: it must be given; it is nothing".to_owned()
            },
        ]
    );
}
