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

/// The body's schema of a 3.1 document in that dialect, with the places of its warnings.
fn in_dialect(dialect: &str, schema: &Value) -> (Value, Vec<String>) {
    let operation = json!({"requestBody": {"content": {"application/json": {"schema": schema}}}});
    let mut document: Value =
        serde_json::from_str(&document("3.1.1", "post", "/", &operation)).unwrap();
    document["jsonSchemaDialect"] = json!(dialect);
    document["components"] = json!({"schemas": {"T": {"type": "string"}}});
    let description = description(&document.to_string());
    let warnings = description.warnings.iter().map(|warning| warning.message.clone()).collect();
    let input = description.operations[0].input.to_value();
    (input["properties"]["body"].clone(), warnings)
}

#[test]
fn an_older_dialect_is_read_with_its_own_meaning() {
    const DRAFT_4: &str = "http://json-schema.org/draft-04/schema#";
    const DRAFT_6: &str = "http://json-schema.org/draft-06/schema#";
    const DRAFT_7: &str = "http://json-schema.org/draft-07/schema#";
    const DRAFT_2019: &str = "https://json-schema.org/draft/2019-09/schema";
    const OWN: &str = "https://spec.openapis.org/oas/3.1/dialect/base";
    let beside = json!({"$ref": "#/components/schemas/T", "maxLength": 5});
    let dependencies = json!({"dependencies": {"a": ["b"], "c": {"required": ["d"]}}});
    for (dialect, schema, expected, warnings) in [
        (DRAFT_7, &beside, json!({"$ref": "#/$defs/T"}), 0),
        (DRAFT_2019, &beside, json!({"$ref": "#/$defs/T", "maxLength": 5}), 0),
        (OWN, &beside, json!({"$ref": "#/$defs/T", "maxLength": 5}), 0),
        (
            DRAFT_4,
            &dependencies,
            json!({"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"c": {"required": ["d"]}}}),
            0,
        ),
        (OWN, &dependencies, json!({}), 0),
        (
            DRAFT_4,
            &json!({"minimum": 1, "exclusiveMinimum": true}),
            json!({"exclusiveMinimum": 1}),
            0,
        ),
        (
            DRAFT_7,
            &json!({"items": [{}], "additionalItems": false}),
            json!({"prefixItems": [{}], "items": false}),
            0,
        ),
        (DRAFT_4, &json!({"type": "string", "const": "a"}), json!({"type": "string"}), 1),
        (DRAFT_6, &json!({"if": {}, "then": {"minLength": 1}}), json!({}), 2),
        (DRAFT_2019, &json!({"prefixItems": [{"type": "string"}]}), json!({}), 1),
        // A schema may say for itself what it is.
        (
            OWN,
            &json!({"$schema": DRAFT_7, "properties": {"a": &beside}}),
            json!({"properties": {"a": {"$ref": "#/$defs/T"}}}),
            0,
        ),
        ("https://example.com/own", &json!({"const": 1}), json!({"const": 1}), 1),
    ] {
        let (read, said) = in_dialect(dialect, schema);
        assert_eq!(read, expected, "{dialect} {schema}");
        assert_eq!(said.len(), warnings, "{dialect} {schema}: {said:?}");
    }
}

#[test]
fn a_recursive_reference_of_2019_09_means_the_outermost_schema() {
    let schemas = json!({
        "Tree": {"$id": "tree", "$recursiveAnchor": true, "type": "object",
                 "properties": {"children": {"type": "array", "items": {"$recursiveRef": "#"}}}},
        "Named": {"$id": "named", "$recursiveAnchor": true, "required": ["name"], "allOf": [{"$ref": "tree"}]},
    });
    let operation = json!({"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Named"}}}}});
    let mut document: Value =
        serde_json::from_str(&document("3.1.1", "post", "/", &operation)).unwrap();
    document["jsonSchemaDialect"] = json!("https://json-schema.org/draft/2019-09/schema");
    document["components"] = json!({"schemas": schemas});
    let input = only(&document.to_string()).input.into_value();
    let definitions = input["$defs"].as_object().unwrap();
    let items: Vec<&Value> =
        definitions.values().filter_map(|one| one.pointer("/properties/children/items")).collect();
    assert_eq!(items, [&input["properties"]["body"]], "{input}");
}

#[test]
fn flags_and_values_may_be_written_as_another_type() {
    for (written, read) in [
        (
            json!({"type": "string", "enum": [1, true, 2.5]}),
            json!({"type": "string", "enum": ["1", "true", "2.5"]}),
        ),
        (
            json!({"type": "integer", "enum": ["1", 2, "x"]}),
            json!({"type": "integer", "enum": [1, 2, "x"]}),
        ),
        (json!({"type": "boolean", "const": "true"}), json!({"type": "boolean", "const": true})),
        (
            json!({"type": ["string", "null"], "enum": [1, null]}),
            json!({"type": ["string", "null"], "enum": ["1", null]}),
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "enum": ["a"]}),
            json!({"type": "array", "items": {"type": "string", "enum": ["a"]}}),
        ),
        (json!({"type": "string", "nullable": "yes"}), json!({"type": ["string", "null"]})),
        (
            json!({"type": "array", "uniqueItems": "true"}),
            json!({"type": "array", "uniqueItems": true}),
        ),
        (json!({"additionalProperties": "no"}), json!({"additionalProperties": false})),
    ] {
        let operation =
            json!({"requestBody": {"content": {"application/json": {"schema": written}}}});
        let description = description(&document("3.0.3", "post", "/", &operation));
        let input = description.operations[0].input.to_value();
        assert_eq!(input["properties"]["body"], read, "{written}");
        assert!(!description.warnings.is_empty(), "{written}");
    }
}
