use proptest::prelude::*;
use serde_json::{Value, json};
use tollbridge_operation::Schema;

use super::gemini;
use crate::tools::portable::portable;
use crate::tools::portable::tests::{instance, schema};

fn made(full: &Value) -> Value {
    gemini(&Value::Object(portable(&Schema::new(full.clone()))))
}

#[test]
fn what_gemini_does_not_know_is_said_otherwise() {
    for (full, expected) in [
        (json!({"const": "a"}), json!({"type": "string", "enum": ["a"]})),
        (json!({"enum": [1, 2]}), json!({"description": "one of 1, 2"})),
        (
            json!({"type": "integer", "exclusiveMinimum": 1}),
            json!({"type": "integer", "minimum": 1, "description": "greater than 1"}),
        ),
        (json!({"type": ["string", "null"]}), json!({"nullable": true, "type": "string"})),
        (
            json!({"type": "string", "format": "uuid"}),
            json!({"type": "string", "description": "uuid"}),
        ),
        (
            json!({"type": "object", "properties": {}, "additionalProperties": false}),
            json!({"type": "object", "properties": {}}),
        ),
        (
            json!({"type": "array", "uniqueItems": true, "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}),
            json!({"type": "array", "items": {}}),
        ),
        (
            json!({"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "integer"}}),
            json!({"type": "array", "items": {}}),
        ),
    ] {
        let full = json!({"type": "object", "properties": {"a": full}});
        assert_eq!(made(&full)["properties"]["a"], expected, "{full}");
    }
}

#[test]
fn recursion_ends() {
    let full = json!({
        "type": "object", "properties": {"tree": {"$ref": "#/$defs/Tree"}},
        "$defs": {"Tree": {"type": "object", "properties": {"below": {"$ref": "#/$defs/Tree"}}}},
    });
    assert_eq!(
        made(&full)["properties"]["tree"],
        json!({"type": "object", "properties": {"below": {"type": "object"}}})
    );
}

/// `nullable` in the words of JSON Schema, and nothing that Gemini does not know.
fn judged(schema: &Value) -> Value {
    let Value::Object(object) = schema else { panic!("a schema is an object: {schema}") };
    let mut out = serde_json::Map::new();
    for (keyword, value) in object {
        let value = match keyword.as_str() {
            "properties" => {
                let properties = value.as_object().expect("an object");
                Value::Object(properties.iter().map(|(n, s)| (n.clone(), judged(s))).collect())
            }
            "items" => judged(value),
            "anyOf" => Value::Array(value.as_array().expect("a list").iter().map(judged).collect()),
            "nullable" => continue,
            "enum" | "required" | "format" => value.clone(),
            keyword => {
                assert!(super::PLAIN.contains(&keyword), "{keyword}");
                value.clone()
            }
        };
        out.insert(keyword.clone(), value);
    }
    match object.get("nullable") {
        Some(_) => json!({"anyOf": [out, {"type": "null"}]}),
        None => Value::Object(out),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_the_full_schema_accepts_geminis_subset_accepts(
        root in schema(),
        a in schema(),
        b in schema(),
        values in proptest::collection::vec(proptest::collection::btree_map("[abc]", instance(), 0..3), 8),
    ) {
        let mut full = match root {
            Value::Object(root) => root,
            _ => serde_json::Map::new(),
        };
        full.insert("$defs".to_owned(), json!({"A": a, "B": b}));
        let full = Value::Object(full);
        let subset = judged(&made(&full));
        let judge = |schema: &Value| jsonschema::options().offline().build(schema);
        let Ok(judge_full) = judge(&full) else { return Ok(()) };
        let judge_subset = judge(&subset).expect("a schema");
        for value in values {
            let value = Value::Object(value.into_iter().collect());
            if judge_full.is_valid(&value) {
                prop_assert!(judge_subset.is_valid(&value), "{value}\n{full:#}\n{subset:#}");
            }
        }
    }
}
