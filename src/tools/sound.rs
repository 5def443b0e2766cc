//! Whether a schema compiles, told without compiling it.
//!
//! Compiling costs a hundred times what reading does, in time and in memory, and of a large
//! API few tools are ever called. So a validator is made at a tool's first call, where it is
//! certain beforehand that it can be made: nothing may be found out then that belongs to the
//! start. What is asked for here is less than what compiles. In doubt the answer is no, and
//! the schema is compiled at once.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value};

use super::judge::Judge;

/// How deep a schema may be that is not compiled at once.
const DEEPEST: usize = 128;

/// Looks at schemas; remembers which patterns compile.
#[derive(Debug, Default)]
pub(super) struct Patterns(HashMap<String, bool>);

impl Patterns {
    fn compiles(&mut self, pattern: &str) -> bool {
        if let Some(known) = self.0.get(pattern) {
            return *known;
        }
        let compiles = Judge::pattern(pattern).is_ok();
        self.0.insert(pattern.to_owned(), compiles);
        compiles
    }
}

/// The names under `$defs` that the schema refers to, if it is certain that it compiles
/// wherever these are: `None` where it is not.
pub(super) fn needs(schema: &Value, patterns: &mut Patterns) -> Option<BTreeSet<String>> {
    let mut look = Look { patterns, names: BTreeSet::new() };
    look.schema(schema, DEEPEST).then_some(look.names)
}

/// Whether it is certain that a schema compiles that has its definitions with it.
pub(super) fn is_sound(root: &Value, patterns: &mut Patterns) -> bool {
    let Value::Object(object) = root else { return root.is_boolean() };
    let none = Map::new();
    let definitions = match object.get("$defs") {
        None => &none,
        Some(Value::Object(definitions)) => definitions,
        Some(_) => return false,
    };
    let mut look = Look { patterns, names: BTreeSet::new() };
    let own = object.iter().filter(|(keyword, _)| *keyword != "$defs");
    let sound = own.into_iter().all(|(keyword, value)| look.keyword(keyword, value, DEEPEST))
        && definitions.values().all(|schema| look.schema(schema, DEEPEST));
    sound && look.names.iter().all(|name| definitions.contains_key(name))
}

struct Look<'p> {
    patterns: &'p mut Patterns,
    names: BTreeSet<String>,
}

impl Look<'_> {
    fn schema(&mut self, schema: &Value, left: usize) -> bool {
        match schema {
            Value::Bool(_) => true,
            Value::Object(object) if left > 0 => {
                object.iter().all(|(keyword, value)| self.keyword(keyword, value, left))
            }
            _ => false,
        }
    }

    /// JSON Schema 2020-12 core and validation: what the keyword's value must be.
    fn keyword(&mut self, keyword: &str, value: &Value, left: usize) -> bool {
        match keyword {
            "$ref" => self.reference(value),
            "title" | "description" | "$comment" | "format" | "contentEncoding"
            | "contentMediaType" => value.is_string(),
            "type" => is_type(value),
            "enum" | "examples" => value.is_array(),
            "const" | "default" => true,
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties"
            | "maxProperties" | "minContains" | "maxContains" => value.as_u64().is_some(),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => is_plain(value),
            "multipleOf" => is_plain(value) && value.as_f64().is_some_and(|number| number > 0.0),
            "uniqueItems" | "deprecated" | "readOnly" | "writeOnly" => value.is_boolean(),
            "required" => is_names(value),
            "dependentRequired" => {
                value.as_object().is_some_and(|names| names.values().all(is_names))
            }
            "pattern" => value.as_str().is_some_and(|pattern| self.patterns.compiles(pattern)),
            "patternProperties" => value.as_object().is_some_and(|schemas| {
                schemas.iter().all(|(pattern, schema)| {
                    self.patterns.compiles(pattern) && self.schema(schema, left - 1)
                })
            }),
            "properties" | "dependentSchemas" => value
                .as_object()
                .is_some_and(|schemas| schemas.values().all(|one| self.schema(one, left - 1))),
            "additionalProperties"
            | "items"
            | "contains"
            | "propertyNames"
            | "not"
            | "if"
            | "then"
            | "else" => self.schema(value, left - 1),
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => value.as_array().is_some_and(|list| {
                !list.is_empty() && list.iter().all(|one| self.schema(one, left - 1))
            }),
            // `unevaluated…` among them: with a circle it has no end.
            _ => false,
        }
    }

    /// A reference to a definition whose name needs no escapes.
    fn reference(&mut self, value: &Value) -> bool {
        let name = value.as_str().and_then(|reference| reference.strip_prefix("#/$defs/"));
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        match name.filter(|name| !name.is_empty() && name.bytes().all(plain)) {
            Some(name) => {
                if !self.names.contains(name) {
                    self.names.insert(name.to_owned());
                }
                true
            }
            None => false,
        }
    }
}

fn is_type(value: &Value) -> bool {
    let is_one = |name: &str| {
        matches!(name, "string" | "number" | "integer" | "boolean" | "object" | "array" | "null")
    };
    match value {
        Value::String(name) => is_one(name),
        Value::Array(list) => {
            is_names(value) && !list.is_empty() && list.iter().filter_map(Value::as_str).all(is_one)
        }
        _ => false,
    }
}

/// A number of ordinary size.
fn is_plain(value: &Value) -> bool {
    value.is_number() && value.as_f64().is_some_and(|number| number.abs() < 1e15)
}

/// A list of different texts.
fn is_names(value: &Value) -> bool {
    let mut seen = HashSet::new();
    value.as_array().is_some_and(|names| {
        names.iter().all(|name| name.as_str().is_some_and(|name| seen.insert(name)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Schemas that are right in most places and wrong in some.
    fn schema() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(true)),
            Just(json!({})),
            Just(json!({"type": "string", "minLength": 1, "pattern": "^a+$"})),
            Just(json!({"type": ["string", "null"], "enum": ["a", null]})),
            Just(json!({"type": "number", "minimum": 0, "multipleOf": 0.5})),
            Just(json!({"$ref": "#/$defs/A"})),
            Just(json!({"required": ["a", "b"], "default": 1, "format": "date"})),
            Just(json!({"type": "strnig"})),
            Just(json!({"type": ["string", "string"]})),
            Just(json!({"pattern": "(?<x"})),
            Just(json!({"multipleOf": 0})),
            Just(json!({"minLength": -1})),
            Just(json!({"required": "a"})),
            Just(json!({"$ref": "#/$defs/C"})),
            Just(json!({"$ref": "https://example.com/a"})),
            Just(json!({"patternProperties": {"[": true}})),
            Just(json!({"unevaluatedProperties": false})),
            Just(json!({"enum": 1, "examples": {}})),
            Just(json!(1)),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let list = prop::collection::vec(inner.clone(), 0..3);
            prop_oneof![
                list.clone().prop_map(|list| json!({"anyOf": list})),
                list.prop_map(|list| json!({"allOf": list, "type": "object"})),
                inner.clone().prop_map(|one| json!({"properties": {"a": one}})),
                inner.clone().prop_map(|one| json!({"items": one, "type": "array"})),
                inner.prop_map(|one| json!({"not": one, "additionalProperties": false})),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_sound_compiles(root in schema(), a in schema(), b in schema()) {
            let Value::Object(mut root) = root else {
                prop_assert_eq!(is_sound(&root, &mut Patterns::default()), root.is_boolean());
                return Ok(());
            };
            root.insert("$defs".to_owned(), json!({"A": a, "B": b}));
            let root = Value::Object(root);
            if is_sound(&root, &mut Patterns::default()) {
                prop_assert!(Judge::new(&root).is_ok(), "{}", root);
            }
        }
    }

    #[test]
    fn ordinary_schemas_are_sound() {
        let schema = json!({
            "type": "object",
            "required": ["id"],
            "additionalProperties": false,
            "properties": {
                "id": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 20},
                "state": {"type": ["string", "null"], "enum": ["open", null], "default": "open"},
                "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}, "minItems": 1},
            },
            "$defs": {"Line": {"oneOf": [{"$ref": "#/$defs/Line"}, {"const": 1}]}},
        });
        assert!(is_sound(&schema, &mut Patterns::default()));
        let names = needs(&schema["properties"]["lines"], &mut Patterns::default());
        assert_eq!(names, Some(BTreeSet::from(["Line".to_owned()])));
    }
}
