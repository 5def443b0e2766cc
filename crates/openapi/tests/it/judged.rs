//! Tables in the manner of the JSON Schema Test Suite: a schema of a document, what it takes
//! and what it refuses once it is lifted. A validator is the judge.

use serde_json::{Value, json};
use tollbridge_operation::Operation;

use crate::support::{description, document, only};

/// The operation `POST /` of a document of that version, whose body is `schema`.
pub(crate) fn with_body(version: &str, schema: &Value, schemas: &Value) -> String {
    let operation = json!({
        "requestBody": {"required": true, "content": {"application/json": {"schema": schema}}},
        "responses": {"200": {"description": "d", "content": {"application/json": {"schema": schema}}}},
    });
    let mut document: Value =
        serde_json::from_str(&document(version, "post", "/", &operation)).unwrap();
    document["components"] = json!({"schemas": schemas});
    document.to_string()
}

/// Judges arguments by the input schema.
pub(crate) fn judge(operation: &Operation) -> jsonschema::Validator {
    jsonschema::options()
        .offline()
        .build(&operation.input.to_value())
        .unwrap_or_else(|error| panic!("{error}: {:#}", operation.input.to_value()))
}

/// Asserts what the body's schema takes and refuses.
pub(crate) fn table(
    version: &str,
    schema: &Value,
    schemas: &Value,
    taken: &[Value],
    refused: &[Value],
) {
    let operation = only(&with_body(version, schema, schemas));
    let judge = judge(&operation);
    for body in taken {
        assert!(
            judge.is_valid(&json!({"body": body})),
            "{schema} should take {body}: {:#}",
            operation.input.to_value()
        );
    }
    for body in refused {
        assert!(
            !judge.is_valid(&json!({"body": body})),
            "{schema} should refuse {body}: {:#}",
            operation.input.to_value()
        );
    }
}

fn none() -> Value {
    json!({})
}

#[test]
fn null_is_taken_in_every_spelling() {
    let schemas = json!({"A": {"type": "object", "required": ["a"]}});
    let reference = json!({"$ref": "#/components/schemas/A"});
    for (version, schema) in [
        ("3.0.3", json!({"type": "string", "nullable": true})),
        ("3.0.3", json!({"type": "string", "enum": ["a"], "nullable": true})),
        ("3.0.3", json!({"enum": ["a"], "nullable": true})),
        ("3.0.3", json!({"$ref": "#/components/schemas/A", "nullable": true})),
        ("3.0.3", json!({"allOf": [reference], "nullable": true})),
        ("3.0.3", json!({"oneOf": [reference, {"type": "integer"}], "nullable": true})),
        ("3.0.3", json!({"type": "object", "allOf": [reference], "nullable": true})),
        ("3.0.3", json!({"type": "string", "x-nullable": true})),
        ("3.1.0", json!({"type": ["string", "null"]})),
        ("3.1.0", json!({"oneOf": [reference, {"type": "null"}]})),
        ("3.1.0", json!({"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]})),
        ("3.1.0", json!({"type": "string", "nullable": true})),
        ("3.1.0", json!({"enum": ["a", null]})),
        ("3.1.0", json!({"const": null})),
    ] {
        table(version, &schema, &schemas, &[json!(null)], &[json!(true)]);
    }
    for schema in [json!({"type": "string"}), json!({"allOf": [reference], "type": "object"})] {
        table("3.0.3", &schema, &schemas, &[], &[json!(null)]);
    }
}

#[test]
fn each_keyword_takes_and_refuses_what_it_says() {
    for (version, schema, taken, refused) in [
        (
            "3.0.3",
            json!({"type": "integer", "minimum": 1, "exclusiveMinimum": true}),
            vec![json!(2)],
            vec![json!(1), json!(0)],
        ),
        (
            "3.0.3",
            json!({"type": "number", "maximum": 5, "exclusiveMaximum": false}),
            vec![json!(5)],
            vec![json!(6)],
        ),
        ("3.1.0", json!({"exclusiveMinimum": 1}), vec![json!(2), json!("a")], vec![json!(1)]),
        ("3.1.0", json!({"const": "a"}), vec![json!("a")], vec![json!("b"), json!(null)]),
        ("3.1.0", json!(true), vec![json!(1), json!(null)], vec![]),
        ("3.1.0", json!(false), vec![], vec![json!(1), json!(null)]),
        (
            "3.1.0",
            json!({"properties": {"a": true, "b": false}}),
            vec![json!({"a": 1})],
            vec![json!({"b": 1})],
        ),
        (
            "3.1.0",
            json!({"prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false}),
            vec![json!(["a"]), json!(["a", 1])],
            vec![json!([1]), json!(["a", 1, 2])],
        ),
        (
            "3.0.3",
            json!({"type": "array", "items": [{"type": "string"}], "additionalItems": false}),
            vec![json!(["a"])],
            vec![json!(["a", 1]), json!([1])],
        ),
        (
            "3.1.0",
            json!({"if": {"properties": {"k": {"const": 1}}, "required": ["k"]}, "then": {"required": ["a"]}, "else": {"required": ["b"]}}),
            vec![json!({"k": 1, "a": 1}), json!({"b": 1})],
            vec![json!({"k": 1}), json!({"k": 2, "a": 1})],
        ),
        (
            "3.1.0",
            json!({"allOf": [{"properties": {"a": {}}}], "properties": {"b": {}}, "unevaluatedProperties": false}),
            vec![json!({"a": 1, "b": 2})],
            vec![json!({"c": 1})],
        ),
        (
            "3.1.0",
            json!({"prefixItems": [true], "unevaluatedItems": false}),
            vec![json!([1])],
            vec![json!([1, 2])],
        ),
        (
            "3.1.0",
            json!({"dependentSchemas": {"a": {"required": ["b"]}}}),
            vec![json!({"b": 1}), json!({"a": 1, "b": 1})],
            vec![json!({"a": 1})],
        ),
        (
            "3.1.0",
            json!({"dependentRequired": {"a": ["b"]}}),
            vec![json!({"a": 1, "b": 1})],
            vec![json!({"a": 1})],
        ),
        (
            "3.1.0",
            json!({"propertyNames": {"pattern": "^x"}}),
            vec![json!({"xa": 1})],
            vec![json!({"a": 1})],
        ),
        (
            "3.1.0",
            json!({"patternProperties": {"^n": {"type": "number"}}, "additionalProperties": false}),
            vec![json!({"n1": 1})],
            vec![json!({"n1": "a"}), json!({"m": 1})],
        ),
        (
            "3.1.0",
            json!({"contains": {"type": "integer"}, "minContains": 2, "maxContains": 2}),
            vec![json!([1, 2, "a"])],
            vec![json!([1]), json!([1, 2, 3])],
        ),
        ("3.1.0", json!({"uniqueItems": true}), vec![json!([1, 2])], vec![json!([1, 1])]),
        ("3.1.0", json!({"not": {"type": "string"}}), vec![json!(1)], vec![json!("a")]),
        (
            "3.1.0",
            json!({"type": "string", "contentMediaType": "application/json", "contentEncoding": "base64"}),
            vec![json!("e30=")],
            vec![json!(1)],
        ),
        (
            "3.0.3",
            json!({"type": "integer", "format": "int32"}),
            vec![json!(1)],
            vec![json!(1.5), json!("1")],
        ),
        ("3.0.3", json!({"type": "string", "format": "made-up"}), vec![json!("a")], vec![json!(1)]),
    ] {
        table(version, &schema, &none(), &taken, &refused);
    }
}

#[test]
fn anchors_and_ids_are_followed() {
    let schemas = json!({
        "Tree": {"$id": "https://example.com/tree", "$anchor": "tree", "type": "object", "properties": {
            "leaf": {"$ref": "#leaf"}, "next": {"$dynamicRef": "#node"},
        }, "$dynamicAnchor": "node", "$defs": {"Leaf": {"$anchor": "leaf", "type": "string"}}},
    });
    for reference in
        ["https://example.com/tree", "https://example.com/tree#tree", "#/components/schemas/Tree"]
    {
        table(
            "3.1.0",
            &json!({"$ref": reference}),
            &schemas,
            &[json!({"leaf": "a", "next": {"next": {"leaf": "b"}}})],
            &[json!({"leaf": 1}), json!({"next": {"next": {"leaf": 1}}})],
        );
    }
}

#[test]
fn what_does_not_go_in_a_direction_is_not_required_there() {
    let schemas = json!({
        "Id": {"type": "string", "readOnly": true},
        "Base": {"type": "object", "properties": {"id": {"allOf": [{"$ref": "#/components/schemas/Id"}]}}},
        "Needs": {"required": ["id", "name"]},
        "Whole": {
            "allOf": [{"$ref": "#/components/schemas/Base"}, {"$ref": "#/components/schemas/Needs"}],
            "properties": {"name": {"type": "string"}, "secret": {"type": "string", "writeOnly": true}},
            "required": ["secret", "id"],
            "dependentRequired": {"name": ["id"]},
        },
    });
    let whole = json!({"$ref": "#/components/schemas/Whole"});
    table(
        "3.1.0",
        &whole,
        &schemas,
        &[json!({"name": "a", "secret": "b"})],
        &[json!({"name": "a"}), json!({"secret": "b"})],
    );
    let operation = only(&with_body("3.1.0", &whole, &schemas));
    let output = jsonschema::validator_for(&operation.output.unwrap().to_value()).unwrap();
    assert!(output.is_valid(&json!({"id": "1", "name": "a"})));
    assert!(!output.is_valid(&json!({"name": "a"})));
    assert!(!operation.input.to_value().to_string().contains("\"id\""));
}

#[test]
fn closed_parts_are_closed_together() {
    let schemas = json!({
        "A": {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false},
    });
    let reference = json!({"$ref": "#/components/schemas/A"});
    let both = json!({"allOf": [reference, {"type": "object", "properties": {"b": {"type": "integer"}},
        "required": ["b"], "additionalProperties": false}]});
    table(
        "3.0.3",
        &both,
        &schemas,
        &[json!({"a": "x", "b": 1}), json!({"b": 1})],
        &[json!({"b": 1, "c": 1}), json!({"a": 1, "b": 1}), json!({"a": "x"})],
    );
    table("3.0.3", &reference, &schemas, &[json!({"a": "x"})], &[json!({"a": "x", "b": 1})]);
    let warnings = description(&with_body("3.0.3", &both, &schemas)).warnings;
    let pointers: Vec<&str> = warnings.iter().map(|warning| warning.pointer.as_str()).collect();
    assert!(pointers.contains(&"/components/schemas/A/additionalProperties"), "{pointers:?}");
}

#[test]
fn parts_that_contradict_each_other_are_reported() {
    for (parts, pointer) in [
        (
            json!([{"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"type": "integer"}}}]),
            "allOf/1/properties/a",
        ),
        (
            json!([{"properties": {"a": {"enum": ["x"]}}}, {"properties": {"a": {"enum": ["y"]}}}]),
            "allOf/1/properties/a",
        ),
        (json!([{"type": "object"}, {"type": "array"}]), "allOf/1"),
    ] {
        let found = description(&with_body("3.0.3", &json!({"allOf": parts}), &none())).warnings;
        assert!(
            found.iter().any(|warning| warning.pointer.ends_with(&format!("schema/{pointer}"))),
            "{parts}: {found:?}"
        );
    }
    let fine = json!([{"properties": {"a": {"type": "number"}}}, {"properties": {"a": {"type": "integer"}}}]);
    assert_eq!(description(&with_body("3.0.3", &json!({"allOf": fine}), &none())).warnings, []);
}

#[test]
fn a_default_of_another_type_is_left_out() {
    let schema = json!({"type": "integer", "default": "many"});
    let found = description(&with_body("3.0.3", &schema, &none()));
    assert!(found.warnings[0].pointer.ends_with("/schema/default"), "{:?}", found.warnings);
    let body = &found.operations[0].input.to_value()["properties"]["body"];
    assert_eq!(*body, json!({"type": "integer"}));
}

#[test]
fn schemas_that_double_at_each_level_stay_small() {
    let mut schemas = serde_json::Map::new();
    for level in 0..40 {
        let next = json!({"$ref": format!("#/components/schemas/L{}", level + 1)});
        schemas.insert(
            format!("L{level}"),
            json!({"type": "object", "properties": {"a": next, "b": next}, "allOf": [next, next]}),
        );
    }
    schemas.insert("L40".to_owned(), json!({"type": "object"}));
    let schemas = Value::Object(schemas);
    let document = with_body("3.0.3", &json!({"$ref": "#/components/schemas/L0"}), &schemas);
    let operation = only(&document);
    assert!(operation.input.to_value().to_string().len() < 2 * document.len());
}
