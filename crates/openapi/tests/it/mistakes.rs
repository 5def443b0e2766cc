//! What is wrong with a document costs what needs it, and nothing else.

use serde_json::{Value, json};
use tollbridge_openapi::ReadError;

use crate::support::{description, try_read};

/// A document whose first operation is as given, and whose second is sound.
fn beside_a_sound_one(broken: &Value) -> tollbridge_operation::Description {
    let document = json!({
        "openapi": "3.1.0", "info": {},
        "components": {"schemas": {
            "Loop": {"$ref": "#/components/schemas/Pool"},
            "Pool": {"$ref": "#/components/schemas/Loop"},
            "Groundless": {"anyOf": [{"$ref": "#/components/schemas/Groundless"}, {"type": "null"}]},
        }},
        "paths": {"/broken/{id}": {"post": broken}, "/sound": {"get": {"operationId": "sound"}}}
    });
    description(&document.to_string())
}

fn body(schema: &Value) -> Value {
    json!({"requestBody": {"content": {"application/json": {"schema": schema}}}})
}

/// A parameter that could only be sent empty.
fn nested(required: bool) -> Value {
    let item = json!({"type": ["object", "array"]});
    json!({"name": "q", "in": "query", "required": required, "schema": {"type": "array", "items": item}})
}

#[test]
fn a_list_of_what_has_members_is_left_out_of_what_a_style_writes() {
    let nested = |more: Value| {
        let mut parameter = nested(false);
        parameter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parameter
    };
    for (parameter, is_offered) in [
        (nested(json!({})), false),
        (nested(json!({"style": "pipeDelimited"})), false),
        (nested(json!({"style": "deepObject"})), true),
        (
            nested(json!({"schema": {"type": "array", "items": {"type": ["string", "object"]}}})),
            true,
        ),
    ] {
        let description = beside_a_sound_one(&json!({"parameters": [parameter]}));
        let operation = &description.operations[0];
        let offered = operation.input.to_value()["properties"].get("q").is_some();
        assert_eq!(offered, is_offered, "{parameter}");
        let told =
            description.warnings.iter().any(|said| said.message.contains("cannot be written"));
        assert_eq!(told, !is_offered, "{parameter}");
    }
}

#[test]
fn one_bad_operation_is_set_aside_with_its_place() {
    let at = "/paths/~1broken~1{id}/post";
    for (broken, pointer, word) in [
        (json!("text"), String::new(), "an object"),
        (json!({"parameters": {}}), "/parameters".into(), "a list"),
        (json!({"parameters": [{"in": "query"}]}), "/parameters/0".into(), "`name`"),
        (json!({"parameters": [{"name": "a"}]}), "/parameters/0".into(), "`in`"),
        (json!({"parameters": [{"$ref": "#/nowhere"}]}), "/parameters/0/$ref".into(), "nothing"),
        (
            json!({"parameters": [{"$ref": "http://x/y.yaml"}]}),
            "/parameters/0/$ref".into(),
            "another document",
        ),
        (
            json!({"parameters": [{"name": "a b", "in": "header", "required": true, "schema": {}}]}),
            "/parameters/0/name".into(),
            "name of a header",
        ),
        (
            json!({"parameters": [{"name": "q", "in": "body", "required": true}]}),
            "/parameters/0".into(),
            "cannot be sent",
        ),
        (json!({"parameters": [nested(true)]}), "/parameters/0".into(), "cannot be written"),
        (
            body(&json!({"properties": {"a": {"$ref": "a.json"}}})),
            "/requestBody/content/application~1json/schema/properties/a/$ref".into(),
            "another document",
        ),
        (
            json!({"requestBody": {"content": {"multipart/mixed": {}}}}),
            "/requestBody/content/multipart~1mixed".into(),
            "nothing says what the parts",
        ),
        (json!({"requestBody": {}}), "/requestBody/content".into(), "media type"),
    ] {
        let description = beside_a_sound_one(&broken);
        assert_eq!(description.operations.len(), 1, "{broken}");
        assert_eq!(description.operations[0].id.to_string(), "api/sound");
        let skipped = &description.skipped[0];
        assert_eq!(skipped.key, "POST /broken/{id}");
        assert_eq!(skipped.pointer, format!("{at}{pointer}"), "{broken}");
        assert!(skipped.reason.contains(word), "{}", skipped.reason);
    }
}

#[test]
fn schemas_that_lead_into_themselves_are_found() {
    for name in ["Loop", "Groundless"] {
        let reference = format!("#/components/schemas/{name}");
        let description = beside_a_sound_one(&body(&json!({"$ref": reference})));
        assert_eq!(description.skipped.len(), 1, "{name}");
        assert!(description.skipped[0].reason.contains("itself"), "{name}");
    }
}

#[test]
fn what_is_wrong_with_an_answer_costs_its_schema_only() {
    let description = beside_a_sound_one(&json!({"responses": {
        "200": {"content": {"application/json": {"schema": {"$ref": "other.yaml"}}}}}}));
    assert_eq!(description.operations.len(), 2);
    assert_eq!(description.operations[0].output, None);
    assert!(description.warnings.iter().any(|warning| warning.message.contains("no schema")));
}

#[test]
fn a_path_that_makes_none_is_set_aside() {
    let long = format!("/{}", "x".repeat(3000));
    for path in ["/a/../b", "/{a", "/a}/", "/%2e%2e/x", "/a\r\nb", &long] {
        let document = json!({"openapi": "3.0.0", "paths": {path: {"get": {}}, "/s": {"get": {}}}});
        let description = description(&document.to_string());
        assert_eq!((description.operations.len(), description.skipped.len()), (1, 1), "{path}");
    }
}

#[test]
fn ids_are_unique_and_stable() {
    let document = json!({"openapi": "3.0.0", "paths": {
        "/a": {"get": {"operationId": "dup"}, "post": {"operationId": "dup"}},
        "/b": {"get": {}, "put": {"operationId": " "}},
        "/c": {"get": "broken", "delete": {"operationId": "dup"}},
    }});
    let description = description(&document.to_string());
    let keys: Vec<&str> =
        description.operations.iter().map(|operation| operation.id.key.as_str()).collect();
    assert_eq!(keys, ["dup", "POST /a", "GET /b", "PUT /b", "DELETE /c"]);
    assert_eq!(description.skipped[0].key, "GET /c");
    assert_eq!(description.warnings.iter().filter(|w| w.message.contains("dup")).count(), 2);
}

#[test]
fn path_variables_and_parameters_need_not_match() {
    let document = json!({"openapi": "3.0.0", "paths": {"/{a}/{b}": {
        "parameters": [{"name": "a", "in": "path", "required": true, "schema": {"type": "integer"}}],
        "get": {"parameters": [{"name": "zzz", "in": "path", "required": true, "schema": {}}]},
    }}});
    let description = description(&document.to_string());
    let input = description.operations[0].input.to_value();
    assert_eq!(input["properties"], json!({"a": {"type": "integer"}, "b": {"type": "string"}}));
    assert_eq!(input["required"], json!(["a", "b"]));
    assert_eq!(description.warnings.len(), 2, "{:?}", description.warnings);
}

#[test]
fn an_operations_parameter_overrides_its_paths() {
    let document = json!({"openapi": "3.0.0", "paths": {"/": {
        "parameters": [{"name": "a", "in": "query", "schema": {"type": "integer"}}],
        "get": {"parameters": [{"name": "a", "in": "query", "required": true, "schema": {"type": "string"}}]},
    }}});
    let description = description(&document.to_string());
    let input = description.operations[0].input.to_value();
    assert_eq!(input["properties"], json!({"a": {"type": "string"}}));
    assert_eq!(input["required"], json!(["a"]));
}

#[test]
fn an_undescribed_security_scheme_is_still_required() {
    let document =
        json!({"openapi": "3.0.0", "paths": {"/": {"get": {"security": [{"gone": ["s"]}]}}}});
    let description = description(&document.to_string());
    let used = &description.operations[0].security[0].all_of[0];
    assert_eq!((used.name.as_str(), used.scopes.as_slice()), ("gone", &["s".to_owned()][..]));
    assert!(description.warnings[0].message.contains("gone"));
}

#[test]
fn what_is_no_document_says_what_was_expected() {
    for (text, start) in [
        ("{", "line 1, column 1: "),
        ("openapi: [", "line "),
        ("openapi: 3.1.0\nopenapi: 3.1.0", "line 2, column 1: the key `openapi` stands twice"),
        ("{}", "no OpenAPI document: expected a member `openapi`"),
        ("swagger: '1.2'", "no OpenAPI document: `swagger: 1.2`; expected 2.0"),
        ("<html>", "no OpenAPI document: "),
    ] {
        let error = try_read(text).unwrap_err().to_string();
        assert!(error.starts_with(start), "{text}: {error}");
    }
    let large = format!("# {}", "x".repeat(64 * 1024 * 1024));
    assert!(matches!(try_read(&large), Err(ReadError::TooLarge { .. })));
}

#[test]
fn text_has_no_control_characters() {
    let document = json!({"openapi": "3.0.0", "info": {"title": "a\u{0}\u{202e}b\nc"}, "paths": {"/": {"get": {
        "summary": "s\u{1b}[31m", "description": "d\n\u{7}e", "tags": ["t\u{0}"]}}}});
    let description = description(&document.to_string());
    assert_eq!(description.title, "a\u{fffd}\u{fffd}b c");
    let operation = &description.operations[0];
    assert_eq!(operation.summary.as_deref(), Some("s\u{fffd}[31m"));
    assert_eq!(operation.description.as_deref(), Some("d\n\u{fffd}e"));
    assert_eq!(operation.tags, ["t\u{fffd}"]);
}

#[test]
fn branches_that_share_branches_cost_no_more_than_they_are() {
    let mut schemas = json!({});
    for level in 0..30 {
        let next = json!({"$ref": format!("#/components/schemas/s{}", level + 1)});
        schemas[format!("s{level}")] = json!({"allOf": vec![next; 10]});
    }
    schemas["s30"] = json!({"type": "object"});
    let first = json!({"schema": {"$ref": "#/components/schemas/s0"}});
    for media_type in ["application/json", "multipart/form-data"] {
        let document = json!({"openapi": "3.0.0", "components": {"schemas": schemas}, "paths": {
            "/": {"post": {"requestBody": {"content": {media_type: first}}}}}});
        assert_eq!(description(&document.to_string()).operations.len(), 1, "{media_type}");
    }
}

#[test]
fn a_large_piece_that_everything_refers_to_is_not_copied_without_bound() {
    let many: Vec<Value> = (0..3000).map(|n| json!(format!("value-{n}"))).collect();
    let body = json!({"content": {"application/json": {"schema": {"enum": many}}}});
    let mut paths = json!({});
    for n in 0..2000 {
        paths[format!("/p{n}")] =
            json!({"post": {"requestBody": {"$ref": "#/components/requestBodies/b"}}});
    }
    let document =
        json!({"openapi": "3.0.0", "paths": paths, "components": {"requestBodies": {"b": body}}});
    let description = description(&document.to_string());
    assert_eq!(description.operations.len() + description.skipped.len(), 2000);
    assert!(
        (500..1500).contains(&description.operations.len()),
        "{}",
        description.operations.len()
    );
    assert!(description.skipped[0].reason.contains("unfolds"));
}

#[test]
fn definitions_that_are_too_far_away_are_left_open() {
    let mut schemas = json!({});
    for n in 0..3000 {
        let mut schema =
            json!({"properties": {"next": {"$ref": format!("#/components/schemas/s{}", n + 1)}}});
        for m in 0..10 {
            schema["properties"][format!("m{m}")] = json!({"type": "string"});
        }
        schemas[format!("s{n}")] = schema;
    }
    schemas["s3000"] = json!({});
    let content =
        json!({"content": {"application/json": {"schema": {"$ref": "#/components/schemas/s0"}}}});
    let document = json!({"openapi": "3.0.0", "components": {"schemas": schemas}, "paths": {
        "/": {"post": {"requestBody": content, "responses": {"200": content}}}}});
    let description = description(&document.to_string());
    let operation = &description.operations[0];
    for (schema, most) in
        [(operation.input.to_value(), 1000), (operation.output.as_ref().unwrap().to_value(), 200)]
    {
        let definitions = schema["$defs"].as_object().unwrap();
        assert!(
            definitions.len() > most / 2 && definitions.len() < 2 * most,
            "{}",
            definitions.len()
        );
        assert_eq!(definitions.values().filter(|schema| **schema == json!({})).count(), 1);
    }
    assert!(description.warnings.iter().any(|warning| warning.message.contains("too large")));
}

#[test]
fn a_header_that_nobody_can_send_costs_itself_where_it_may_be_left_out() {
    let broken = json!({"operationId": "kept", "parameters": [
        {"name": "X Größe", "in": "header", "schema": {"type": "string"}},
        {"name": "q", "in": "query", "schema": {"type": "string"}},
    ]});
    let description = beside_a_sound_one(&broken);
    assert_eq!(description.skipped, []);
    let names: Vec<String> =
        description.operations[0].input.properties().unwrap().keys().cloned().collect();
    assert_eq!(names, ["q", "id"]);
    let told = description.warnings.iter().filter(|said| said.message.contains("left out"));
    let places: Vec<&str> = told.map(|said| said.pointer.as_str()).collect();
    assert_eq!(places, ["/paths/~1broken~1{id}/post/parameters/0/name"]);
}
