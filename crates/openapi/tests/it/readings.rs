//! Mistakes that are understood: each with its reading, and the place that is told of.

use serde_json::{Value, json};

use crate::support::{description, document};

/// One operation of a document, and what is to be known of it.
struct Mistake {
    version: &'static str,
    operation: Value,
    /// The place of the warning within the operation, and words of it.
    told: Option<(&'static str, &'static str)>,
    /// A place in the arguments' schema, and what is there.
    read: (&'static str, Value),
}

fn mistake(
    operation: Value,
    told: Option<(&'static str, &'static str)>,
    read: (&'static str, Value),
) -> Mistake {
    Mistake { version: "3.0.3", operation, told, read }
}

fn parameter(parameter: &Value) -> Value {
    json!({"parameters": [parameter], "responses": {}})
}

fn body(schema: &Value) -> Value {
    json!({"requestBody": {"content": {"application/json": {"schema": schema}}}, "responses": {}})
}

const SCHEMA: &str = "/requestBody/content/application~1json/schema";

#[test]
fn what_can_be_understood_is_understood_and_told() {
    let id = json!({"id": {"type": "string"}});
    let mistakes = [
        // Nothing is lost where nothing is said of the answers.
        mistake(json!({}), None, ("/properties", id.clone())),
        mistake(json!({"responses": null}), None, ("/properties", id.clone())),
        mistake(json!({"description": "d"}), None, ("/required", json!(["id"]))),
        mistake(
            json!({"responses": {"200": {"$ref": "#/components/responses/gone"}}}),
            Some(("/responses/200/$ref", "points to nothing")),
            ("/properties", id.clone()),
        ),
        // Parameters.
        mistake(
            parameter(&json!({"name": "id", "in": "path", "schema": {"type": "integer"}})),
            Some(("/parameters/0", "always required")),
            ("/required", json!(["id"])),
        ),
        mistake(
            parameter(&json!({"name": "other", "in": "path", "required": true, "schema": {}})),
            Some(("/parameters/0", "the path has no `{other}`")),
            ("/properties", id.clone()),
        ),
        mistake(
            parameter(&json!({"name": "q", "in": "query"})),
            Some(("/parameters/0", "no schema")),
            ("/properties/q", json!({})),
        ),
        mistake(
            parameter(&json!({"name": "q", "in": "query", "required": "true", "schema": {}})),
            Some(("/parameters/0/required", "read as true")),
            ("/required", json!(["q", "id"])),
        ),
        mistake(
            parameter(&json!({"name": "q", "in": "query", "style": "matrix", "schema": {}})),
            Some(("/parameters/0/style", "the default one")),
            ("/properties/q", json!({})),
        ),
        mistake(
            parameter(&json!({"name": "q", "in": "body", "schema": {}})),
            Some(("/parameters/0", "left out")),
            ("/properties", id.clone()),
        ),
        mistake(
            parameter(&json!({"name": "Host", "in": "header", "schema": {}})),
            Some(("/parameters/0", "the client's own")),
            ("/properties", id.clone()),
        ),
        mistake(
            json!({"parameters": null, "requestBody": {"content": {}}}),
            Some(("/requestBody/content", "no media type")),
            ("/properties", id.clone()),
        ),
        // Schemas.
        mistake(
            body(&json!({"properties": {"a": {"type": "string", "required": true}}})),
            Some(("{schema}/properties/a/required", "lists the names")),
            ("/properties/body/properties/a", json!({"type": "string"})),
        ),
        mistake(
            body(&json!({"type": "integer", "default": "five"})),
            Some(("{schema}/default", "another type")),
            ("/properties/body", json!({"type": "integer"})),
        ),
        mistake(
            body(&json!({"type": "string", "example": {"not": "text"}})),
            None,
            ("/properties/body", json!({"type": "string", "examples": [{"not": "text"}]})),
        ),
        mistake(
            body(&json!({"type": "string", "format": "of-our-own"})),
            None,
            ("/properties/body", json!({"type": "string", "format": "of-our-own"})),
        ),
        mistake(
            body(&json!({"type": "text"})),
            Some(("{schema}/type", "no type")),
            ("/properties/body", json!({})),
        ),
        mistake(
            body(&json!({"type": "array", "items": {"type": "string"}, "enum": ["a"]})),
            Some(("{schema}/enum", "its items")),
            ("/properties/body/items/enum", json!(["a"])),
        ),
        mistake(
            body(&json!({"type": "string", "enum": [1, 2]})),
            Some(("{schema}/enum/0", "read as \"1\"")),
            ("/properties/body/enum", json!(["1", "2"])),
        ),
        mistake(
            body(&json!({"type": "string", "minLength": -1, "maxLength": "9"})),
            Some(("{schema}/minLength", "left out")),
            ("/properties/body", json!({"type": "string"})),
        ),
        mistake(
            body(&json!("a string")),
            Some(("{schema}", "expected a schema")),
            ("/properties/body", json!({})),
        ),
        mistake(
            body(&json!({"allOf": [
                {"properties": {"a": {}}, "additionalProperties": false}, {"properties": {"b": {}}}]})),
            Some(("{schema}/allOf/0/additionalProperties", "all parts together")),
            ("/properties/body/unevaluatedProperties", json!(false)),
        ),
        mistake(
            body(&json!({"oneOf": [{"type": "object"}], "discriminator": {}})),
            Some(("{schema}/discriminator", "expected `propertyName`")),
            ("/properties/body/oneOf", json!([{"type": "object"}])),
        ),
        // Credentials and servers.
        mistake(
            json!({"security": {"key": []}}),
            Some(("/security", "expected a list")),
            ("/properties", id.clone()),
        ),
        mistake(
            json!({"servers": [{"url": "ftp://files.example"}]}),
            Some(("/servers/0", "no http")),
            ("/properties", id),
        ),
    ];
    for Mistake { version, operation, told, read } in mistakes {
        let description = description(&document(version, "post", "/things/{id}", &operation));
        assert_eq!(description.skipped, [], "{operation}");
        let input = description.operations[0].input.to_value();
        assert_eq!(input.pointer(read.0), Some(&read.1), "{operation}: {input}");
        let Some((place, words)) = told else { continue };
        let place = place.replace("{schema}", SCHEMA);
        let place = format!("/paths/~1things~1{{id}}/post{place}");
        let found = description
            .warnings
            .iter()
            .any(|warning| warning.pointer == place && warning.message.contains(words));
        assert!(found, "{place} {words}: {:?}", description.warnings);
    }
}
