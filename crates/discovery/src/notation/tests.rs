//! What is written is read back to the same constraints, whatever the schema and its texts.

use proptest::prelude::*;
use serde_json::{Value, json};
use tollbridge_operation::Schema;

use super::{Style, Writer, constraints, parse, write};

fn written(schema: Value) -> String {
    write(&Schema::new(schema))
}

#[track_caller]
fn survives(schema: &Value) {
    let text = written(schema.clone());
    let back = parse(&text).unwrap_or_else(|error| panic!("{error} in {text}\nof {schema}"));
    assert_eq!(constraints(&back), constraints(schema), "{text}");
}

#[test]
fn each_kind_of_schema_has_its_notation() {
    for (schema, text) in [
        (json!({}), "any"),
        (json!(false), "never"),
        (json!({"type": "string"}), "string"),
        (json!({"type": ["string", "null"], "maxLength": 5}), "string(..5)?"),
        (
            json!({"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^a+$"}),
            "string(1..64, /^a+$/)",
        ),
        (json!({"type": "string", "pattern": "a/b"}), "string(re \"a/b\")"),
        (json!({"type": "string", "format": "date-time"}), "string(date-time)"),
        (json!({"type": "integer", "minimum": 1, "maximum": 100}), "integer(1..100)"),
        (
            json!({"type": "number", "minimum": -1.5, "exclusiveMaximum": 2, "multipleOf": 0.01}),
            "number(-1.5.., <2, step 0.01)",
        ),
        (json!({"type": "string", "enum": ["a", "b"]}), "\"a\"|\"b\""),
        (json!({"enum": ["a", 1, null]}), "\"a\"|1|null"),
        (json!({"const": true}), "true"),
        (
            json!({"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": true}),
            "string[1.. unique]",
        ),
        (json!({"type": "array", "items": {"enum": ["a", "b"]}}), "(\"a\"|\"b\")[]"),
        (
            json!({"type": "object", "properties": {"a": {"type": "string", "default": "x"}, "b c": {}}, "required": ["b c"]}),
            "{a?: string = \"x\", \"b c\": any}",
        ),
        (json!({"type": "object", "additionalProperties": false}), "exact {}"),
        (json!({"type": "object", "additionalProperties": {"type": "integer"}}), "{...integer}"),
        (
            json!({"type": "object", "patternProperties": {"^x": {"type": "integer"}}}),
            "{[/^x/]: integer}",
        ),
        (json!({"type": "object", "minProperties": 1}), "object(1..)"),
        (json!({"properties": {"a": {}}}), "~{a?: any}"),
        (json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), "string | null"),
        (json!({"anyOf": [{"type": "null"}, {"type": "null"}]}), "(null) | null"),
        (json!({"allOf": [{"$ref": "#/$defs/A"}, {"type": "object"}]}), "A & object"),
        (json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}), "oneOf(string, integer)"),
        (json!({"prefixItems": [{"type": "string"}, {}]}), "prefixItems(string, any)"),
        (
            json!({"type": "array", "prefixItems": [{"type": "string"}], "items": false}),
            "never[] + prefixItems(string)",
        ),
        (
            json!({"type": "object", "not": {"required": ["a"]}}),
            "object + not(~{} !{\"required\":[\"a\"]})",
        ),
        (json!({"type": ["string", "integer"]}), "string/integer"),
        (json!({"$ref": "#"}), "self"),
        (json!({"$ref": "#/$defs/string"}), "$\"string\""),
        (
            json!({"type": "string", "contentEncoding": "base64"}),
            "string !{\"contentEncoding\":\"base64\"}",
        ),
    ] {
        assert_eq!(written(schema.clone()), text);
        survives(&schema);
    }
}

#[test]
fn declared_types_follow_one_a_line() {
    let schema = json!({
        "$ref": "#/$defs/Node",
        "$defs": {
            "Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "x": {"$ref": "#/$defs/a b"}}},
            "a b": {"type": "integer"},
        },
    });
    let text = "Node\ntype Node = {next?: Node, x?: $\"a b\"}\ntype $\"a b\" = integer";
    assert_eq!(written(schema.clone()), text);
    survives(&schema);
}

#[test]
fn defaults_are_read_back() {
    let schema = json!({"type": "object", "properties": {"a": {"default": [1, {"b": "}"}]}}});
    let back = parse(&written(schema)).expect("the notation");
    assert_eq!(back["properties"]["a"]["default"], json!([1, {"b": "}"}]));
}

#[test]
fn what_is_not_the_notation_is_refused_with_its_place() {
    for (text, at, expected) in [
        ("", 0, "a JSON value"),
        ("{a}", 2, "`:`"),
        ("{a: string b: string}", 11, "`,` or `}`"),
        ("string(", 7, "a range, a pattern or a format"),
        ("A?", 2, "a type before `?`"),
        ("string string", 7, "`type`, or the end"),
        ("{a: string} + {b: string}", 25, "`type` once"),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!((error.at, error.expected.as_str()), (at, expected), "{text}");
    }
    assert!(parse(&"(".repeat(100_000)).is_err());
}

#[test]
fn no_text_and_no_name_leaves_its_place() {
    let texts = [
        "x\n} evil(a: string)",
        "x\r\u{2028}\u{2029}type A = any",
        "\u{202e}\u{200b}*/ // \" ' `",
        "\"}, \"b\": any",
        "..",
        "a // b",
        "$\"x\"",
        "",
    ];
    for text in texts {
        let schema = json!({
            "type": "object",
            "description": text,
            "properties": {
                text: {"type": "string", "description": text, "pattern": text, "format": text, "default": text},
                "e": {"enum": [text, "y"], "description": text},
                "r": {"$ref": format!("#/$defs/{text}")},
            },
            "required": [text],
            "patternProperties": {text: {"type": "integer"}},
            "$defs": {text: {"type": "integer", "description": text}},
        });
        survives(&schema);
        let writer = Writer { style: Style { said: 100 } };
        let mut said = writer.whole(&schema);
        said.push('\n');
        said.push_str(&writer.declaration(text, &schema["$defs"][text]));
        let back = parse(&said).unwrap_or_else(|error| panic!("{error} in {said}"));
        assert_eq!(constraints(&back), constraints(&schema), "{said}");
        assert!(!said.chars().any(|c| c != '\n' && super::text::is_unseen(c)), "{said:?}");
    }
}

/// Schemas with all keywords that have a notation and some that have none.
fn schemas() -> impl Strategy<Value = Value> {
    let name = || "[a-c]{1,2}|\\PC{0,4}";
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        Just(json!({})),
        Just(json!({"type": "null"})),
        Just(json!({"type": ["boolean", "null"]})),
        (0_u32..5, 5_u32..9, name(), any::<bool>()).prop_map(|(least, most, pattern, null)| {
            let kind = if null { json!(["string", "null"]) } else { json!("string") };
            json!({"type": kind, "minLength": least, "maxLength": most, "pattern": pattern})
        }),
        (-5_i32..5, any::<bool>()).prop_map(|(least, open)| {
            let keyword = if open { "exclusiveMinimum" } else { "minimum" };
            json!({"type": "integer", keyword: least, "multipleOf": 2, "format": "int32"})
        }),
        proptest::collection::vec(
            prop_oneof![
                name().prop_map(Value::from),
                any::<i64>().prop_map(Value::from),
                Just(Value::Null)
            ],
            1..4,
        )
        .prop_map(|values| json!({"enum": values})),
        name().prop_map(|one| json!({"type": "string", "const": one, "format": one})),
        name().prop_map(|one| json!({"minLength": 1, "format": one, "contentMediaType": one})),
        Just(json!({"type": ["string", "integer", "object"], "minProperties": 1, "maxLength": 3})),
        Just(json!({"$ref": "#"})),
        name().prop_map(|one| json!({"$ref": format!("#/$defs/{one}"), "description": one})),
    ];
    leaf.prop_recursive(4, 40, 4, move |inner| {
        let list = proptest::collection::vec(inner.clone(), 1..4);
        let map = proptest::collection::hash_map(name(), inner.clone(), 0..4);
        prop_oneof![
            (map.clone(), map, proptest::option::of(inner.clone()), any::<u8>()).prop_map(
                |(properties, patterns, others, bits)| {
                    let mut schema = json!({"properties": properties});
                    if bits & 1 == 0 {
                        schema["type"] = json!("object");
                    }
                    if bits & 2 == 0 {
                        schema["patternProperties"] = json!(patterns);
                    }
                    if bits & 4 == 0 {
                        let names: Vec<_> = properties.keys().cloned().collect();
                        schema["required"] = json!(names);
                    }
                    if bits & 8 == 0 {
                        schema["required"] = json!(["elsewhere"]);
                    }
                    if let Some(others) = others {
                        schema["additionalProperties"] = others;
                    }
                    if bits & 16 == 0 {
                        schema["maxProperties"] = json!(7);
                    }
                    schema
                }
            ),
            (inner.clone(), any::<u8>()).prop_map(|(items, bits)| {
                let mut schema = json!({"items": items, "uniqueItems": bits & 1 == 0});
                if bits & 2 == 0 {
                    schema["type"] = json!(["array", "null"]);
                }
                if bits & 4 == 0 {
                    schema["maxItems"] = json!(3);
                    schema["contains"] = json!({"type": "string"});
                }
                schema
            }),
            (list.clone(), list, inner, any::<u8>()).prop_map(|(one, other, not, bits)| {
                let keywords = ["anyOf", "allOf", "oneOf", "prefixItems"];
                let mut schema = json!({keywords[usize::from(bits) % 4]: one});
                if bits & 16 == 0 {
                    schema[keywords[usize::from(bits / 4) % 4]] = json!(other);
                }
                if bits & 32 == 0 {
                    schema["not"] = not;
                }
                if bits & 64 == 0 {
                    schema["type"] = json!("object");
                    schema["if"] = json!({"required": ["a"], "title": "kept as it is"});
                }
                schema
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_schema_is_read_back_to_the_same_constraints(
        root in schemas(),
        defs in proptest::collection::hash_map("[a-c]{1,2}|string|\\PC{0,4}", schemas(), 0..3),
    ) {
        let mut schema = match root {
            Value::Bool(true) => json!({}),
            Value::Bool(false) => json!({"not": {}}),
            root => root,
        };
        if !defs.is_empty() {
            schema["$defs"] = json!(defs);
        }
        let text = written(schema.clone());
        let back = parse(&text);
        prop_assert!(back.is_ok(), "{back:?} in {text}\nof {schema}");
        prop_assert_eq!(
            constraints(&back.unwrap_or_default()),
            constraints(&schema),
            "{}",
            text
        );
    }

    #[test]
    fn no_text_makes_the_reader_fail(text in "[{}()a:?|&+.,=\"!~/$\\[\\]0-9 ]{0,40}|\\PC{0,40}") {
        let _ = parse(&text);
    }
}
