//! Schemas lifted out of documents.

use serde_json::{Value, json};

use crate::support::{description, document, only};

/// The body's schema of a document of that version, with its `$defs`.
fn input(version: &str, schema: &Value, schemas: &Value) -> Value {
    let operation = json!({"requestBody": {"content": {"application/json": {"schema": schema}}}});
    let mut document: Value =
        serde_json::from_str(&document(version, "post", "/", &operation)).unwrap();
    document["components"] = json!({"schemas": schemas});
    only(&document.to_string()).input.into_value()
}

fn body(version: &str, schema: &Value) -> Value {
    input(version, schema, &json!({}))["properties"]["body"].clone()
}

#[test]
fn old_spellings_become_2020_12() {
    for (old, new) in [
        (json!({"type": "string", "nullable": true}), json!({"type": ["string", "null"]})),
        (
            json!({"type": "string", "enum": ["a"], "nullable": true}),
            json!({"type": ["string", "null"], "enum": ["a", null]}),
        ),
        (
            json!({"allOf": [{"type": "string"}], "description": "d", "nullable": true}),
            json!({"description": "d", "anyOf": [{"allOf": [{"type": "string"}]}, {"type": "null"}]}),
        ),
        (
            json!({"minimum": 1, "exclusiveMinimum": true, "maximum": 5, "exclusiveMaximum": false}),
            json!({"exclusiveMinimum": 1, "maximum": 5}),
        ),
        (json!({"example": "x"}), json!({"examples": ["x"]})),
        (
            json!({"type": "object", "discriminator": {"propertyName": "k"}, "xml": {}, "externalDocs": {}, "x-a": 1}),
            json!({"type": "object"}),
        ),
        (
            json!({"type": "string", "format": "date", "default": "d", "enum": ["d"]}),
            json!({"type": "string", "format": "date", "default": "d", "enum": ["d"]}),
        ),
        (json!({"maxLength": 10.0, "minItems": -1, "pattern": 5}), json!({"maxLength": 10})),
        (json!({"type": "any"}), json!({})),
        (
            json!({"dependentRequired": {"a": ["b", "b"]}, "required": ["a", 1, "a"]}),
            json!({"required": ["a"]}),
        ),
        (json!({"items": [{"type": "string"}]}), json!({"prefixItems": [{"type": "string"}]})),
    ] {
        assert_eq!(body("3.0.3", &old), new, "{old}");
    }
}

#[test]
fn a_3_1_schema_stays_as_it_is() {
    let schema = json!({
        "type": ["object", "null"],
        "properties": {"a": {"const": 1, "description": "d"}, "b": true},
        "patternProperties": {"^x": {"type": "string"}},
        "if": {"required": ["a"]}, "then": {"minProperties": 2},
        "unevaluatedProperties": false,
        "dependentRequired": {"a": ["b"]},
        "examples": [{"a": 1}]
    });
    assert_eq!(body("3.1.0", &schema), schema);
}

#[test]
fn a_recursive_schema_is_a_definition() {
    let schemas = json!({
        "Tree Node": {"type": "object", "properties": {
            "children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree%20Node"}},
            "other": {"$ref": "#/components/schemas/Alias"},
        }},
        "Alias": {"$ref": "#/components/schemas/Leaf"},
        "Leaf": {"type": "string"},
        "Unused": {"type": "string"},
    });
    let input = input("3.0.0", &json!({"$ref": "#/components/schemas/Tree Node"}), &schemas);
    assert_eq!(input["properties"]["body"], json!({"$ref": "#/$defs/Tree_Node"}));
    assert_eq!(
        input["$defs"],
        json!({
            "Tree_Node": {"type": "object", "properties": {
                "children": {"type": "array", "items": {"$ref": "#/$defs/Tree_Node"}},
                "other": {"$ref": "#/$defs/Leaf"},
            }},
            "Leaf": {"type": "string"},
        })
    );
}

#[test]
fn definitions_have_names_of_their_own() {
    let schemas = json!({"a b": {"type": "string"}, "a_b": {"type": "integer"}});
    let schema = json!({"properties": {
        "x": {"$ref": "#/components/schemas/a b"}, "y": {"$ref": "#/components/schemas/a_b"},
        "z": {"$ref": "#/paths/~1/post/requestBody/content/application~1json/schema/properties/w"},
        "w": {"type": "boolean"},
    }});
    let input = input("3.0.0", &schema, &schemas);
    let names: Vec<&String> = input["$defs"].as_object().unwrap().keys().collect();
    assert_eq!(names.len(), 3);
    assert_eq!(names[..2], ["a_b", "a_b_2"]);
}

#[test]
fn members_go_only_in_their_direction() {
    let schema = json!({
        "type": "object",
        "required": ["id", "name", "password"],
        "properties": {
            "id": {"type": "string", "readOnly": true},
            "name": {"type": "string"},
            "password": {"type": "string", "writeOnly": true},
            "made": {"$ref": "#/components/schemas/Made"},
        }
    });
    let body =
        json!({"content": {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}}});
    let document = json!({
        "openapi": "3.0.0", "info": {},
        "components": {"schemas": {"User": schema, "Made": {"type": "string", "readOnly": true}}},
        "paths": {"/": {"post": {"requestBody": body, "responses": {"201": body}}}}
    });
    let operation = only(&document.to_string());
    assert_eq!(
        operation.input.to_value()["$defs"]["User"],
        json!({"type": "object", "required": ["name", "password"], "properties": {
            "name": {"type": "string"}, "password": {"type": "string"}}})
    );
    let output = operation.output.unwrap().into_value();
    assert_eq!(output["$defs"]["User"]["required"], json!(["id", "name"]));
    assert_eq!(output["$ref"], "#/$defs/User");
}

#[test]
fn required_in_one_branch_knows_what_another_hides() {
    let schema = json!({"allOf": [
        {"properties": {"id": {"readOnly": true}, "n": {}}},
        {"required": ["id", "n"]},
    ]});
    assert_eq!(
        body("3.0.0", &schema),
        json!({"allOf": [{"properties": {"n": {}}}, {"required": ["n"]}]})
    );
}

#[test]
fn a_boolean_required_is_a_warning() {
    let operation = json!({"requestBody": {"content": {"application/json": {"schema": {
        "type": "object", "properties": {"a": {"type": "string", "required": true}}}}}}});
    let description = description(&document("3.0.0", "post", "/", &operation));
    assert_eq!(description.operations.len(), 1);
    assert_eq!(
        description.warnings[0].pointer,
        "/paths/~1/post/requestBody/content/application~1json/schema/properties/a/required"
    );
}

#[test]
fn the_output_is_that_of_the_successes() {
    for (responses, expected) in [
        (json!({"204": {"description": "d"}}), json!(null)),
        (json!({"200": {"content": {"application/pdf": {}}}}), json!(null)),
        (json!({"200": {"content": {"text/plain": {}}}}), json!({"type": "string"})),
        (
            json!({"default": {"content": {"application/json": {"schema": {"type": "array"}}}}}),
            json!({"type": "array"}),
        ),
        (
            json!({"200": {"content": {"application/json": {"schema": {"type": "array"}}}},
                   "202": {"content": {"application/json": {"schema": {"type": "object"}}}},
                   "400": {"content": {"application/json": {"schema": {"type": "string"}}}}}),
            json!({"anyOf": [{"type": "array"}, {"type": "object"}]}),
        ),
        (
            json!({"200": {"content": {"application/x-ndjson": {"schema": {"type": "object"}}}}}),
            json!({"type": "array", "items": {"type": "object"}}),
        ),
    ] {
        let operation = only(&document("3.0.0", "get", "/", &json!({"responses": responses})));
        let output = operation.output.map_or(Value::Null, tollbridge_operation::Schema::into_value);
        assert_eq!(output, expected, "{responses}");
    }
}

#[test]
fn definitions_inside_of_a_schema_are_found() {
    let schemas = json!({"Order": {
        "$defs": {"Line": {"type": "object", "properties": {"unit": {"$ref": "#/$defs/Unit"}}},
                  "Unit": {"enum": ["kg"]}},
        "type": "array", "items": {"$ref": "#/$defs/Line"}
    }});
    let input = input("3.1.0", &json!({"$ref": "#/components/schemas/Order"}), &schemas);
    assert_eq!(
        input["$defs"],
        json!({
            "Order": {"type": "array", "items": {"$ref": "#/$defs/Order__defs_Line"}},
            "Order__defs_Line": {"type": "object", "properties": {"unit": {"$ref": "#/$defs/Order__defs_Unit"}}},
            "Order__defs_Unit": {"enum": ["kg"]},
        })
    );
}
