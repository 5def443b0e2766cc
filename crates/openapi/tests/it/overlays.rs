//! Descriptions that are changed before they are read.

use serde_json::{Value, json};
use tollbridge_openapi::{Overlay, ReadError, ReadOptions, Surroundings, read_within};
use tollbridge_operation::{ApiName, Description};

fn document() -> Value {
    json!({
        "openapi": "3.1.0", "info": {"title": "before", "version": "1"},
        "paths": {
            "/a": {"get": {"operationId": "a", "tags": ["x", "old", "y", "old"], "deprecated": true},
                   "post": {"operationId": "b"}},
            "/c": {"get": {"operationId": "c", "parameters": [{"name": "q", "in": "query", "schema": {"type": "string"}}]}},
        },
    })
}

fn apply(overlay: &Value) -> Result<Description, ReadError> {
    let api = ApiName::new("api").unwrap();
    let options = ReadOptions { api: &api, source: None };
    let bytes = overlay.to_string().into_bytes();
    let overlays = [Overlay { name: "mend.yaml", bytes: &bytes }];
    let surroundings = Surroundings { overlays: &overlays, ..Surroundings::default() };
    read_within(document().to_string().as_bytes(), &options, &surroundings)
}

fn overlay(version: &str, actions: &Value) -> Value {
    json!({"overlay": version, "info": {"title": "t", "version": "1"}, "actions": actions})
}

fn ids(description: &Description) -> Vec<&str> {
    description.operations.iter().map(|o| o.id.key.as_str()).collect()
}

#[test]
fn an_update_merges_appends_and_replaces() {
    let description = apply(&overlay("1.1.0", &json!([
        {"target": "$.info", "update": {"title": "after"}},
        {"target": "$.paths.*.get", "update": {"summary": "read", "tags": ["new"]}},
        {"target": "$.paths['/a'].get.operationId", "update": "first"},
        {"target": "$.paths['/c'].get.parameters", "update": {"name": "limit", "in": "query", "schema": {"type": "integer"}}},
        {"target": "$.paths['/c'].get.parameters[?@.name == 'q']", "update": {"required": true}},
    ])))
    .unwrap();
    assert_eq!(description.title, "after");
    assert_eq!(ids(&description), ["first", "b", "c"]);
    assert_eq!(description.operations[0].summary.as_deref(), Some("read"));
    assert_eq!(description.operations[0].tags, ["x", "old", "y", "old", "new"]);
    let input = description.operations[2].input.to_value();
    assert_eq!(input["properties"], json!({"q": {"type": "string"}, "limit": {"type": "integer"}}));
    assert_eq!(input["required"], json!(["q"]));
    assert_eq!(description.warnings, []);
}

#[test]
fn a_removal_takes_members_and_items_whatever_their_order() {
    let description = apply(&overlay(
        "1.0.0",
        &json!([
            {"target": "$.paths['/a'].post", "remove": true},
            {"target": "$.paths['/a'].get.tags[?@ == 'old']", "remove": true},
            {"target": "$.paths['/c'].get.parameters[0, 0]", "remove": true, "update": {"x": 1}},
        ]),
    ))
    .unwrap();
    assert_eq!(ids(&description), ["a", "c"]);
    assert_eq!(description.operations[0].tags, ["x", "y"]);
    assert_eq!(description.operations[1].input.properties(), None);
}

#[test]
fn a_copy_moves_a_path() {
    let description = apply(&overlay(
        "1.1.0",
        &json!([
            {"target": "$.paths", "update": {"/new": {}}},
            {"target": "$.paths['/new']", "copy": "$.paths['/c']"},
            {"target": "$.paths['/c']", "remove": true},
        ]),
    ))
    .unwrap();
    let paths: Vec<String> =
        description.operations.iter().map(|o| o.endpoint.clone().unwrap().path).collect();
    assert_eq!(paths, ["/a", "/a", "/new"]);
}

#[test]
fn an_action_that_matches_nothing_is_told_and_changes_nothing() {
    let description = apply(&overlay(
        "1.0.0",
        &json!([
            {"target": "$.paths['/gone'].get", "update": {"summary": "x"}},
            {"target": "$.info"},
            {"target": "$.info", "update": {}, "when": "now"},
        ]),
    ))
    .unwrap();
    let told: Vec<String> =
        description.warnings.iter().map(|w| format!("{}: {}", w.pointer, w.message)).collect();
    assert_eq!(
        told,
        [
            "mend.yaml#/actions/0/target: it matches nothing; the action changes nothing",
            "mend.yaml#/actions/1: expected `update`, `remove` or `copy`; the action changes nothing",
            "mend.yaml#/actions/2/when: no member of an action; left out",
        ]
    );
}

#[test]
fn what_cannot_be_applied_is_an_error_with_its_place() {
    for (overlay, error) in [
        (json!({"a": 1}), "mend.yaml: expected an overlay"),
        (overlay("2.0.0", &json!([])), "mend.yaml#/overlay: expected the version"),
        (overlay("1.0.0", &json!({})), "mend.yaml#/actions: expected a list"),
        (
            overlay("1.0.0", &json!([{"update": {}}])),
            "mend.yaml#/actions/0/target: expected a JSONPath",
        ),
        (
            overlay("1.0.0", &json!([{"target": "paths."}])),
            "mend.yaml#/actions/0/target: no JSONPath",
        ),
        (
            overlay("1.0.0", &json!([{"target": "$", "remove": true}])),
            "mend.yaml#/actions/0/target: the whole",
        ),
        (
            overlay("1.0.0", &json!([{"target": "$", "copy": "$"}])),
            "mend.yaml#/actions/0/copy: `copy` came",
        ),
        (
            overlay("1.1.0", &json!([{"target": "$", "copy": "$.paths.*"}])),
            "mend.yaml#/actions/0/copy: expected one node to copy, found 2",
        ),
        (
            overlay("1.1.0", &json!([{"target": "$", "update": {"info": {"title": {}}}}])),
            "mend.yaml#/actions/0/update: the values at `/info/title` do not go together",
        ),
        (
            overlay("1.1.0", &json!([{"target": "$['info', 'openapi']", "update": {}}])),
            "mend.yaml#/actions/0/target: the nodes that it matches are of several kinds",
        ),
        (json!([{"op": "remove", "path": "/nowhere"}]), "mend.yaml#/0: "),
        (json!([{"op": "test", "path": "/info/title", "value": "x"}]), "mend.yaml#/0: "),
        (json!([{"op": "fly"}]), "mend.yaml#/0: no operation of a JSON Patch"),
    ] {
        let found = apply(&overlay).unwrap_err().to_string();
        assert!(found.starts_with(error), "{found}");
    }
}

#[test]
fn an_old_overlay_appends_a_list_as_one_entry() {
    for (version, tags) in [("1.0.0", vec!["t"]), ("1.1.0", vec!["t", "u"])] {
        let description = apply(&overlay(
            version,
            &json!([
                {"target": "$.paths['/a'].get.tags[*]", "remove": true},
                {"target": "$.paths['/a'].get.tags", "update": "t"},
                {"target": "$.paths['/a'].get.tags", "update": ["u"]},
            ]),
        ))
        .unwrap();
        assert_eq!(description.operations[0].tags, tags, "{version}");
    }
}

#[test]
fn a_json_patch_is_applied_in_its_order() {
    let description = apply(&json!([
        {"op": "test", "path": "/info/title", "value": "before"},
        {"op": "move", "from": "/paths/~1c", "path": "/paths/~1moved"},
        {"op": "add", "path": "/paths/~1moved/get/tags", "value": ["t"]},
        {"op": "replace", "path": "/info/title", "value": "after"},
        {"op": "remove", "path": "/paths/~1a/post"},
    ]))
    .unwrap();
    assert_eq!(description.title, "after");
    assert_eq!(ids(&description), ["a", "c"]);
    assert_eq!(description.operations[1].tags, ["t"]);
}

#[test]
fn copies_of_copies_are_bounded() {
    let doubling = vec![json!({"target": "$.info", "copy": "$"}); 60];
    let widening: Vec<Value> = (0..60)
        .flat_map(|n| {
            let name = format!("x-{n}");
            [
                json!({"target": "$", "update": {name.as_str(): {}}}),
                json!({"target": format!("$['{name}']"), "update": {"a": 1}}),
                json!({"target": format!("$['{name}']"), "copy": "$.paths"}),
                json!({"target": "$.paths", "update": {format!("x-{n}"): {}}}),
                json!({"target": format!("$.paths['{name}']"), "copy": "$.paths"}),
            ]
        })
        .collect();
    let patch: Vec<Value> =
        (0..60).map(|n| json!({"op": "copy", "from": "", "path": format!("/info/x{n}")})).collect();
    let changes =
        [overlay("1.1.0", &json!(doubling)), overlay("1.1.0", &json!(widening)), json!(patch)];
    for overlay in changes {
        let error = apply(&overlay).unwrap_err().to_string();
        assert!(error.starts_with("mend.yaml#"), "{error}");
        assert!(
            error.contains("deeper") || error.contains("nodes") || error.contains("go together"),
            "{error}"
        );
    }
}
