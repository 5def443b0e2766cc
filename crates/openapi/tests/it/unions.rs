//! Unions with discriminators: each variant is known by the values of one member.

use serde_json::{Value, json};

use crate::judged::{table, with_body};
use crate::support::{description, only};

fn animals(kind: &Value) -> Value {
    json!({
        "Cat": {"type": "object", "required": ["kind"], "properties": {"kind": kind, "lives": {"type": "integer"}}},
        "Dog": {"type": "object", "required": ["kind"], "properties": {"kind": kind, "good": {"type": "boolean"}}},
    })
}

fn branches() -> Value {
    json!([{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}])
}

#[test]
fn the_name_of_a_schema_is_the_value_of_its_variant() {
    for keyword in ["oneOf", "anyOf"] {
        let union = json!({keyword: branches(), "discriminator": {"propertyName": "kind"}});
        table(
            "3.0.3",
            &union,
            &animals(&json!({"type": "string"})),
            &[
                json!({"kind": "Cat"}),
                json!({"kind": "Dog", "good": true}),
                json!({"kind": "Cat", "good": 1}),
            ],
            &[
                json!({"kind": "Dog", "good": 1}),
                json!({"kind": "Cow"}),
                json!({"good": true}),
                json!({}),
            ],
        );
    }
}

#[test]
fn a_mapping_says_the_values_by_name_or_by_reference() {
    for cat in ["Cat", "#/components/schemas/Cat"] {
        let union = json!({"oneOf": branches(), "discriminator": {
            "propertyName": "kind", "mapping": {"cat": cat, "tom": cat, "dog": "Dog"}}});
        table(
            "3.0.3",
            &union,
            &animals(&json!({"type": "string"})),
            &[json!({"kind": "cat"}), json!({"kind": "tom", "lives": 9}), json!({"kind": "dog"})],
            &[json!({"kind": "Cat"}), json!({"kind": "dog", "good": 1})],
        );
    }
}

#[test]
fn what_a_variant_says_of_itself_counts_for_more() {
    let mut schemas = animals(&json!({"type": "string"}));
    schemas["Cat"]["properties"]["kind"] = json!({"type": "string", "enum": ["feline"]});
    let union = json!({"oneOf": branches(), "discriminator": {"propertyName": "kind"}});
    table(
        "3.0.3",
        &union,
        &schemas,
        &[json!({"kind": "feline"}), json!({"kind": "Dog"})],
        &[json!({"kind": "Cat"})],
    );
    let found = description(&with_body("3.0.3", &union, &schemas)).warnings;
    assert!(found.iter().any(|w| w.pointer == "/components/schemas/Cat"), "{found:?}");
    // One list of values in both, of which each variant has its own.
    let listed = animals(&json!({"type": "string", "enum": ["cat", "dog"]}));
    table(
        "3.0.3",
        &union,
        &listed,
        &[json!({"kind": "cat"}), json!({"kind": "dog"})],
        &[json!({"kind": "dog", "good": 1})],
    );
}

#[test]
fn a_default_mapping_takes_all_other_values_and_none() {
    let union = json!({"oneOf": branches(), "discriminator": {
        "propertyName": "kind", "mapping": {"cat": "Cat"}, "defaultMapping": "Dog"}});
    let mut schemas = animals(&json!({"type": "string"}));
    schemas["Dog"]["required"] = json!([]);
    table(
        "3.2.0",
        &union,
        &schemas,
        &[
            json!({"kind": "cat", "lives": 9}),
            json!({"kind": "wolf"}),
            json!({}),
            json!({"kind": "cat", "good": 1}),
        ],
        &[json!({"kind": "cat", "lives": "nine"}), json!({"kind": "wolf", "good": 1})],
    );
}

#[test]
fn alternatives_that_cannot_be_told_apart_are_tried_and_reported() {
    let union = json!({"anyOf": branches(), "discriminator": {
        "propertyName": "kind", "mapping": {"cat": "Cat"}}});
    let schemas = animals(&json!({"type": "string", "enum": ["pet"]}));
    table("3.0.3", &union, &schemas, &[json!({"kind": "pet", "lives": 1})], &[]);
    let found = description(&with_body("3.0.3", &union, &schemas)).warnings;
    assert!(found.iter().any(|w| w.pointer.ends_with("/discriminator")), "{found:?}");
}

fn family() -> Value {
    json!({
        "Pet": {"type": "object", "discriminator": {"propertyName": "kind"}, "required": ["kind"],
            "properties": {"kind": {"type": "string"}, "friend": {"$ref": "#/components/schemas/Pet"}}},
        "Cat": {"allOf": [{"$ref": "#/components/schemas/Pet"}, {"type": "object", "properties": {"lives": {"type": "integer"}}, "required": ["lives"]}]},
        "Persian": {"allOf": [{"$ref": "#/components/schemas/Cat"}, {"properties": {"fur": {"type": "string"}}}]},
        "Dog": {"allOf": [{"$ref": "#/components/schemas/Pet"}, {"type": "object", "properties": {"good": {"type": "boolean"}}}]},
    })
}

#[test]
fn a_base_stands_for_its_family() {
    let pet = json!({"$ref": "#/components/schemas/Pet"});
    let taken = [
        json!({"kind": "Cat", "lives": 9}),
        json!({"kind": "Persian", "lives": 9, "fur": "long", "friend": {"kind": "Dog", "good": true}}),
        json!({"kind": "Dog"}),
        json!({"kind": "Pet"}),
    ];
    let refused = [
        json!({"kind": "Cat"}),
        json!({"kind": "Persian", "lives": 1, "fur": 1}),
        json!({"kind": "Dog", "friend": {"kind": "Dog", "good": 1}}),
        json!({"kind": "Cow"}),
        json!({}),
    ];
    for schema in [pet.clone(), json!({"allOf": [pet], "description": "d"})] {
        table("3.0.3", &schema, &family(), &taken, &refused);
    }
    // A member of the family is that one, or one below it.
    table(
        "3.0.3",
        &json!({"$ref": "#/components/schemas/Cat"}),
        &family(),
        &[json!({"kind": "Cat", "lives": 1}), json!({"kind": "Persian", "lives": 1})],
        &[json!({"kind": "Dog", "lives": 1})],
    );
}

#[test]
fn a_mapping_without_the_base_makes_it_abstract() {
    let mut schemas = family();
    schemas["Pet"]["discriminator"]["mapping"] =
        json!({"cat": "Cat", "dog": "#/components/schemas/Dog"});
    table(
        "3.0.3",
        &json!({"$ref": "#/components/schemas/Pet"}),
        &schemas,
        &[
            json!({"kind": "cat", "lives": 1}),
            json!({"kind": "dog"}),
            json!({"kind": "Persian", "lives": 1}),
        ],
        &[json!({"kind": "Pet"}), json!({"kind": "Dog"})],
    );
}

#[test]
fn swagger_2_knows_families_by_name() {
    let mut definitions: Value = serde_json::from_str(
        &family().to_string().replace("#/components/schemas/", "#/definitions/"),
    )
    .unwrap();
    definitions["Pet"]["discriminator"] = json!("kind");
    definitions["Dog"]["x-ms-discriminator-value"] = json!("#Dog");
    let document = json!({
        "swagger": "2.0", "info": {"title": "t", "version": "1"}, "definitions": definitions,
        "paths": {"/": {"post": {"responses": {}, "parameters": [
            {"in": "body", "name": "pet", "required": true, "schema": {"$ref": "#/definitions/Pet"}}]}}},
    });
    let operation = only(&document.to_string());
    let judge = crate::judged::judge(&operation);
    let takes = |body: Value| judge.is_valid(&json!({"body": body}));
    assert!(takes(json!({"kind": "Cat", "lives": 9})) && takes(json!({"kind": "#Dog"})));
    assert!(!takes(json!({"kind": "Cat"})) && !takes(json!({"kind": "Dog"})));
}

#[test]
fn a_base_that_lists_its_children_is_no_circle() {
    let mut schemas = family();
    schemas["Pet"]["oneOf"] = branches();
    let union = json!({"type": "array", "items": {"$ref": "#/components/schemas/Pet"}});
    table(
        "3.0.3",
        &union,
        &schemas,
        &[json!([{"kind": "Cat", "lives": 1}, {"kind": "Dog", "good": true}])],
        &[json!([{"kind": "Cat"}]), json!([{"kind": "Dog", "good": 1}])],
    );
}

#[test]
fn branches_share_the_discriminator_of_their_base() {
    let union = json!({"oneOf": branches()});
    table(
        "3.0.3",
        &union,
        &family(),
        &[json!({"kind": "Dog", "lives": 1}), json!({"kind": "Cat", "lives": 1})],
        &[json!({"kind": "Cat"}), json!({"kind": "Dog", "good": 1})],
    );
}

#[test]
fn unions_stand_within_unions() {
    let mut schemas = animals(&json!({"type": "string"}));
    schemas["Animal"] = json!({"oneOf": branches(), "discriminator": {"propertyName": "kind"}});
    schemas["Car"] = json!({"type": "object", "properties": {"kind": {"type": "string"}, "owner": {"$ref": "#/components/schemas/Animal"}}});
    let union = json!({"oneOf": [{"$ref": "#/components/schemas/Animal"}, {"$ref": "#/components/schemas/Car"}, {"type": "null"}],
        "discriminator": {"propertyName": "kind", "mapping": {"car": "Car", "Cat": "Animal", "Dog": "Animal"}}});
    table(
        "3.1.0",
        &union,
        &schemas,
        &[
            json!({"kind": "car", "owner": {"kind": "Cat", "lives": 1}}),
            json!({"kind": "Dog"}),
            json!(null),
        ],
        &[
            json!({"kind": "car", "owner": {"kind": "Cat", "lives": "x"}}),
            json!({"kind": "Dog", "good": 1}),
        ],
    );
}

#[test]
fn a_member_that_is_not_sent_decides_nothing() {
    let union = json!({"anyOf": branches(), "discriminator": {"propertyName": "kind"}});
    let mut schemas = animals(&json!({"type": "string", "readOnly": true}));
    schemas["Cat"]["required"] = json!([]);
    table("3.0.3", &union, &schemas, &[json!({"lives": 1}), json!({"good": true})], &[]);
}
