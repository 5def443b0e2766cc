use proptest::prelude::*;
use serde_json::{Value, json};
use tollbridge_operation::Schema;

use super::portable;
use crate::tools::lint::{Listed, lint};

fn made(full: &Value) -> Value {
    Value::Object(portable(&Schema::new(full.clone())))
}

fn property(schema: &Value) -> Value {
    made(&json!({"type": "object", "properties": {"a": schema}}))["properties"]["a"].clone()
}

#[test]
fn a_plain_object_stays_as_it_is() {
    let full = json!({
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "Which one.", "pattern": "^[a-z]+$"},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        },
        "required": ["id"],
        "additionalProperties": false,
    });
    assert_eq!(made(&full), full);
}

#[test]
fn what_clients_refuse_is_said_otherwise() {
    for (full, expected) in [
        (json!(true), json!({})),
        (json!({"type": ["string"]}), json!({"type": "string"})),
        (
            json!({"type": ["string", "null"], "maxLength": 3, "description": "d"}),
            json!({"description": "d", "anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]}),
        ),
        (
            json!({"type": ["object", "null"], "properties": {"x": true}, "enum": [null]}),
            json!({"enum": [null], "anyOf": [{"type": "object", "properties": {"x": {}}}, {"type": "null"}]}),
        ),
        (json!({"oneOf": [{"type": "string"}, false]}), json!({"anyOf": [{"type": "string"}]})),
        (json!({"items": false, "not": {"type": "null"}, "if": {}, "x-a": 1}), json!({})),
        (
            json!({"allOf": [{"type": "string"}], "description": "d"}),
            json!({"description": "d", "type": "string"}),
        ),
        (
            json!({"allOf": [{"properties": {"x": {}}}, {"properties": {"y": {}}}]}),
            json!({"properties": {"x": {}, "y": {}}}),
        ),
        (json!({"$ref": "https://example.com/x", "description": "d"}), json!({"description": "d"})),
        (json!({"properties": {"never": false}}), json!({"properties": {}})),
        (json!({"type": "object", "additionalProperties": {}}), json!({"type": "object"})),
        (json!({"type": "array", "items": {"x-a": 1}}), json!({"type": "array", "items": {}})),
    ] {
        assert_eq!(property(&full), expected, "{full}");
    }
}

#[test]
fn a_reference_is_replaced_by_what_it_means() {
    let full = json!({
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A", "description": "The first."}},
        "$defs": {"A": {"type": "string", "description": "Any."}},
    });
    assert_eq!(
        made(&full),
        json!({"type": "object", "properties": {"a": {"description": "The first.", "type": "string"}}})
    );
}

#[test]
fn a_recursive_schema_keeps_its_definition() {
    let full = json!({
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/Tree", "description": "A tree."}},
        "$defs": {"Tree": {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}}},
    });
    assert_eq!(
        made(&full),
        json!({
            "type": "object",
            "properties": {"tree": {"description": "A tree.", "allOf": [{"$ref": "#/$defs/Tree"}]}},
            "$defs": {"Tree": {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}}},
        })
    );
}

#[test]
fn a_union_at_the_root_becomes_one_object() {
    let full = json!({
        "type": "object",
        "oneOf": [
            {"properties": {"a": {"type": "string"}, "c": {"type": "string"}}, "required": ["a", "c"], "additionalProperties": false},
            {"properties": {"b": {"type": "string"}, "c": {"type": "integer"}}, "required": ["b", "c"], "additionalProperties": false},
        ],
    });
    assert_eq!(
        made(&full),
        json!({
            "type": "object",
            "properties": {
                "a": {"type": "string"},
                "c": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                "b": {"type": "string"},
            },
            "required": ["c"],
            "additionalProperties": false,
        })
    );
}

#[test]
fn schemas_that_grow_without_end_are_bounded() {
    // Each definition uses the next one twice: replaced, that would be 2^60 schemas.
    let mut definitions = serde_json::Map::new();
    for n in 0..60 {
        let next = json!({"$ref": format!("#/$defs/D{}", n + 1)});
        definitions.insert(format!("D{n}"), json!({"properties": {"a": next, "b": next}}));
    }
    definitions.insert("D60".to_owned(), json!({"type": "string"}));
    let full = json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/D0"}}, "$defs": definitions});
    assert!(made(&full).to_string().len() < 10_000);

    let mut deep = json!({"type": "string"});
    for _ in 0..300 {
        deep = json!({"properties": {"a": deep}});
    }
    let full = json!({"type": "object", "properties": {"x": deep}});
    assert_eq!(made(&full), json!({"type": "object", "properties": {"x": {}}}));
}

#[test]
fn long_descriptions_are_cut_after_a_sentence() {
    let said = property(&json!({"description": "One sentence. ".repeat(200)}));
    let said = said["description"].as_str().expect("text");
    assert!(said.chars().count() <= 1_024 && said.ends_with("sentence.…"), "{said}");
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(true)),
        Just(json!(false)),
        Just(json!({})),
        Just(json!({"type": "string", "maxLength": 1})),
        Just(json!({"type": ["integer", "null"], "minimum": 1})),
        Just(json!({"type": ["string", "object", "array"], "minItems": 1, "required": ["a"]})),
        Just(json!({"enum": ["a", 1, null]})),
        Just(json!({"const": 1})),
        Just(json!({"$ref": "#/$defs/A"})),
        Just(json!({"$ref": "#/$defs/B", "description": "d", "minProperties": 1})),
        Just(json!({"$ref": "#"})),
    ]
}

pub(in crate::tools) fn schema() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 24, 3, |inner| {
        let list = proptest::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            (inner.clone(), inner.clone(), any::<bool>()).prop_map(|(a, b, closed)| json!({
                "type": "object", "properties": {"a": a, "b": b}, "additionalProperties": closed,
            })),
            (inner.clone(), inner.clone()).prop_map(|(a, rest)| json!({
                "properties": {"a": a}, "patternProperties": {"^b": rest}, "additionalProperties": false,
                "required": ["a"],
            })),
            (inner.clone(), inner.clone()).prop_map(|(a, rest)| json!({"properties": {"b": a}, "additionalProperties": rest})),
            inner.clone().prop_map(|items| json!({"type": "array", "items": items})),
            (list.clone(), inner.clone()).prop_map(|(first, rest)| json!({"prefixItems": first, "items": rest})),
            (list.clone(), inner.clone()).prop_map(|(all, a)| json!({"allOf": all, "properties": {"a": a}})),
            (list.clone(), inner.clone()).prop_map(|(any, a)| json!({"anyOf": any, "additionalProperties": a})),
            (list.clone(), list.clone()).prop_map(|(one, any)| json!({"oneOf": one, "anyOf": any})),
            list.prop_map(|one| json!({"oneOf": one, "type": ["object", "string", "null"], "unevaluatedProperties": false})),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| json!({"if": a, "then": b, "else": c})),
            inner.prop_map(|not| json!({"not": not, "items": false})),
        ]
    })
}

pub(in crate::tools) fn instance() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!(1)),
        Just(json!(0)),
        Just(json!("a")),
        Just(json!("ab")),
        Just(json!({})),
        Just(json!([])),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            proptest::collection::btree_map("[abc]", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_the_full_schema_accepts_the_portable_one_accepts(
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
        let portable = made(&full);

        let findings = lint(&Listed {
            name: "a", description: "b", input: portable.as_object().expect("an object"), output: None,
            profile: crate::tools::Profile::Portable,
        });
        prop_assert!(findings.is_empty(), "{portable:#}\n{findings:#?}");

        let judge = |schema: &Value| jsonschema::options().offline().build(schema);
        // A reference that only leads to itself is no schema.
        let Ok(judge_full) = judge(&full) else { return Ok(()) };
        let judge_portable = judge(&portable).expect("a schema");
        for value in values {
            let value = Value::Object(value.into_iter().collect());
            if judge_full.is_valid(&value) {
                prop_assert!(judge_portable.is_valid(&value), "{value}\n{full:#}\n{portable:#}");
            }
        }
    }
}
