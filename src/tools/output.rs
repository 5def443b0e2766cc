//! The published output schema: it describes an answer and binds nothing.
//!
//! Clients check answers against `outputSchema` and throw away what breaks it, errors
//! included. So what is published names members and says in words what they are; but for
//! `type: object` at the root, which every answer of a tool is, no keyword stands in it that
//! any answer could break. The full schema judges answers elsewhere, as drift.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use tollbridge_operation::Schema;

use super::schema::{Types, Walk, members};
use super::text;

/// How many members are named in all.
const MEMBERS: usize = 150;

/// How deep members are named.
const DEPTH: u32 = 4;

/// How much of a member's description is kept, in characters.
const SAID: usize = 200;

/// The schema to publish for a tool that answers what `full` says. An answer that is no
/// object is described as the member `result`, under which it is delivered.
pub fn describing_output(full: &Schema) -> Map<String, Value> {
    let root = &**full.root();
    let walk = Walk::through(full);
    let mut writer = Writer { walk: &walk, left: MEMBERS };
    let mut out = Map::new();
    out.insert("type".to_owned(), json!("object"));
    let types = walk.types(root, 0);
    if let Some(said) = description(root) {
        out.insert("description".to_owned(), Value::String(said));
    }
    let mut properties = Map::new();
    if types.overlaps(Types::OBJECT) {
        properties = writer.properties(root, 0).unwrap_or_default();
    }
    if types != Types::ANY && types != Types::OBJECT && types != Types::NONE {
        let result = Value::Object(writer.member(root, 0));
        properties.entry("result").or_insert(result);
    }
    if !properties.is_empty() {
        out.insert("properties".to_owned(), Value::Object(properties));
    }
    out
}

struct Writer<'w, 'v> {
    walk: &'w Walk<'v>,
    left: usize,
}

impl<'v> Writer<'_, 'v> {
    fn member(&mut self, schema: &'v Value, depth: u32) -> Map<String, Value> {
        self.left = self.left.saturating_sub(1);
        let words = self.walk.words(schema, 0);
        let said = match description(schema) {
            Some(said) => format!("{words}: {}", text::cut(&said, SAID)),
            None => words,
        };
        let mut out = Map::new();
        out.insert("description".to_owned(), Value::String(said));
        if depth >= DEPTH {
            return out;
        }
        if let Some(properties) = self.properties(schema, depth + 1) {
            out.insert("properties".to_owned(), Value::Object(properties));
        } else if let Some(items) = self.items(schema)
            && let Some(properties) = self.properties(items, depth + 1)
        {
            out.insert("items".to_owned(), json!({"properties": properties}));
        }
        out
    }

    fn properties(&mut self, schema: &'v Value, depth: u32) -> Option<Map<String, Value>> {
        let mut found: Vec<(&String, &'v Value)> = Vec::new();
        let mut known: HashSet<&str> = HashSet::new();
        self.collect(schema, 0, &mut |object| {
            if let Some(Value::Object(properties)) = object.get("properties") {
                found.extend(properties.iter().filter(|(name, _)| known.insert(name)));
            }
        });
        let mut out = Map::new();
        for (name, schema) in found {
            if self.left == 0 {
                break;
            }
            if *schema != Value::Bool(false) {
                out.insert(name.clone(), Value::Object(self.member(schema, depth)));
            }
        }
        (!out.is_empty()).then_some(out)
    }

    fn items(&self, schema: &'v Value) -> Option<&'v Value> {
        let mut items = None;
        self.collect(schema, 0, &mut |object| items = items.or(object.get("items")));
        items
    }

    /// Visits the schema and all that hold, or may hold, for the same value.
    fn collect(
        &self,
        schema: &'v Value,
        depth: u32,
        visit: &mut impl FnMut(&'v Map<String, Value>),
    ) {
        let Value::Object(object) = schema else { return };
        if !self.walk.spend(depth + 16) {
            return;
        }
        visit(object);
        if let Some(target) = self.walk.target(object) {
            self.collect(target, depth + 1, visit);
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            for member in members(object, keyword) {
                self.collect(member, depth + 1, visit);
            }
        }
    }
}

fn description(schema: &Value) -> Option<String> {
    let said = schema.get("description").or_else(|| schema.get("title"))?.as_str()?;
    let said = text::cut(&text::clean_line(&text::said(said)), 400);
    (!said.is_empty()).then_some(said)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn made(full: Value) -> Value {
        Value::Object(describing_output(&Schema::new(full)))
    }

    #[test]
    fn members_are_named_and_nothing_is_bound() {
        let full = json!({
            "type": "object",
            "required": ["id"],
            "additionalProperties": false,
            "properties": {
                "id": {"type": "integer", "minimum": 1, "description": "Its\nnumber."},
                "state": {"enum": ["open", "done"]},
                "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
                "never": false,
            },
            "$defs": {"Line": {"type": "object", "properties": {"sku": {"type": ["string", "null"]}}}},
        });
        assert_eq!(
            made(full),
            json!({
                "type": "object",
                "properties": {
                    "id": {"description": "integer: Its number."},
                    "state": {"description": "one of \"open\", \"done\""},
                    "lines": {
                        "description": "list of object",
                        "items": {"properties": {"sku": {"description": "string or null"}}},
                    },
                },
            })
        );
    }

    #[test]
    fn what_is_no_object_stands_under_result() {
        assert_eq!(
            made(json!({"type": "array", "items": {"type": "string"}, "description": "Names."})),
            json!({"type": "object", "description": "Names.", "properties": {"result": {"description": "list of string: Names."}}})
        );
        assert_eq!(made(json!({})), json!({"type": "object"}));
        assert_eq!(made(json!(true)), json!({"type": "object"}));
    }

    #[test]
    fn recursion_and_size_are_bounded() {
        let members: Map<String, Value> =
            (0..50).map(|n| (format!("m{n}"), json!({"$ref": "#"}))).collect();
        let made = made(json!({"type": "object", "properties": members}));
        assert!(made.to_string().len() < 20_000);
    }

    #[test]
    fn an_error_object_passes_every_published_schema() {
        let full = json!({"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]});
        let published = made(full);
        let judge = jsonschema::options().offline().build(&published).expect("a schema");
        assert!(judge.is_valid(&json!({"error": {"code": "denied"}})));
    }
}
