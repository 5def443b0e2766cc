//! The published output schema: it describes an answer and binds nothing.
//!
//! Clients check answers against `outputSchema` and throw away what breaks it, errors
//! included. So what is published names members and says in words what they are; but for
//! `type: object` at the root, which every answer of a tool is, no keyword stands in it that
//! any answer could break. The full schema judges answers elsewhere, as drift.

use std::collections::HashSet;

use serde_json::{Map, Value};
use tollbridge_operation::Schema;

use super::published::Published;
use super::schema::{Types, Walk, keyword, members};
use super::text;

/// How many members are named in all.
const MEMBERS: usize = 150;

/// How deep members are named.
const DEPTH: u32 = 4;

/// How much of a member's description is kept, in characters.
const SAID: usize = 200;

/// The schema to publish for a tool that answers what `full` says.
pub(super) fn publish(full: &Schema) -> Published {
    Published::of_text(describing_output(full))
}

/// The same as JSON text. An answer that is no object is described as the member `result`, under
/// which it is delivered.
///
/// It is written at once: large APIs have hundreds of thousands of members. What is
/// written passes the lint, whatever the full schema is.
pub(super) fn describing_output(full: &Schema) -> String {
    let root = &**full.root();
    let walk = Walk::through(full);
    let mut writer = Writer { walk: &walk, left: MEMBERS, out: String::new() };
    writer.out.push_str(r#"{"type":"object""#);
    let types = walk.types(root, 0);
    if let Some(said) = description(root) {
        writer.out.push_str(r#","description":"#);
        text::quoted(&said, &mut writer.out);
    }
    let members = if types.overlaps(Types::OBJECT) { writer.found(root) } else { Vec::new() };
    let begin = writer.out.len();
    writer.out.push_str(r#","properties":{"#);
    let mut names: HashSet<&str> = HashSet::new();
    let first = writer.out.len();
    writer.members(&members, 0, &mut |name| {
        names.insert(name);
    });
    if types != Types::ANY && types != Types::OBJECT && types != Types::NONE {
        let before = writer.out.len();
        writer.name("result", before == first);
        writer.member(root, 0);
        if names.contains("result") {
            writer.out.truncate(before);
        }
    }
    if writer.out.len() == first {
        writer.out.truncate(begin);
    } else {
        writer.out.push('}');
    }
    writer.out.push('}');
    writer.out
}

struct Writer<'w, 'v> {
    walk: &'w Walk<'v>,
    left: usize,
    out: String,
}

impl<'v> Writer<'_, 'v> {
    fn name(&mut self, name: &str, is_first: bool) {
        if !is_first {
            self.out.push(',');
        }
        text::quoted(name, &mut self.out);
        self.out.push(':');
    }

    fn member(&mut self, schema: &'v Value, depth: u32) {
        self.left = self.left.saturating_sub(1);
        let mut said = self.walk.words(schema, 0);
        if let Some(more) = description(schema) {
            said.push_str(": ");
            said.push_str(&text::cut(&more, SAID));
        }
        self.out.push_str(r#"{"description":"#);
        text::quoted(&said, &mut self.out);
        if depth < DEPTH
            && !self.properties(schema, depth + 1, r#","properties":{"#, "}")
            && let Some(items) = self.items(schema)
        {
            self.properties(items, depth + 1, r#","items":{"properties":{"#, "}}");
        }
        self.out.push('}');
    }

    /// Writes the members between two texts; whether there are any.
    fn properties(&mut self, schema: &'v Value, depth: u32, before: &str, behind: &str) -> bool {
        let found = self.found(schema);
        let begin = self.out.len();
        self.out.push_str(before);
        let first = self.out.len();
        self.members(&found, depth, &mut |_| {});
        if self.out.len() == first {
            self.out.truncate(begin);
            return false;
        }
        self.out.push_str(behind);
        true
    }

    fn members(
        &mut self,
        found: &[(&'v String, &'v Value)],
        depth: u32,
        told: &mut impl FnMut(&'v str),
    ) {
        let first = self.out.len();
        for (name, schema) in found {
            if self.left == 0 {
                break;
            }
            if **schema != Value::Bool(false) {
                self.name(name, self.out.len() == first);
                self.member(schema, depth);
                told(name);
            }
        }
    }

    /// The members that a schema names, each once.
    fn found(&self, schema: &'v Value) -> Vec<(&'v String, &'v Value)> {
        let mut found: Vec<(&String, &'v Value)> = Vec::new();
        let mut known: HashSet<&str> = HashSet::new();
        self.collect(schema, 0, &mut |object| {
            let Some(Value::Object(properties)) = keyword(object, "properties") else { return };
            if found.is_empty() {
                found.extend(properties);
                return;
            }
            if known.is_empty() {
                known.extend(found.iter().map(|(name, _)| name.as_str()));
            }
            found.extend(properties.iter().filter(|(name, _)| known.insert(name)));
        });
        found
    }

    fn items(&self, schema: &'v Value) -> Option<&'v Value> {
        let mut items = None;
        self.collect(schema, 0, &mut |object| items = items.or(keyword(object, "items")));
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
        for name in ["allOf", "anyOf", "oneOf"] {
            for member in members(object, name) {
                self.collect(member, depth + 1, visit);
            }
        }
    }
}

fn description(schema: &Value) -> Option<String> {
    let object = schema.as_object()?;
    let said = keyword(object, "description").or_else(|| keyword(object, "title"))?.as_str()?;
    let said = text::cut(&text::clean_line(&text::said(said)), 400);
    (!said.is_empty()).then_some(said)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::tools::lint;
    use crate::tools::portable::tests::schema;

    fn made(full: Value) -> Value {
        serde_json::from_str(&describing_output(&Schema::new(full))).expect("JSON")
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
    fn a_member_that_is_called_result_is_not_hidden_by_the_answer_itself() {
        let full = json!({"anyOf": [
            {"type": "string"},
            {"type": "object", "properties": {"result": {"type": "integer"}, "\"": {}}},
        ]});
        assert_eq!(
            made(full),
            json!({"type": "object", "properties": {
                "result": {"description": "integer"},
                "\"": {"description": "any value"},
            }})
        );
        assert_eq!(
            made(json!({"type": ["string", "object"], "properties": {"a": {}, "b": false}})),
            json!({"type": "object", "properties": {
                "a": {"description": "any value"},
                "result": {
                    "description": "string or object",
                    "properties": {"a": {"description": "any value"}},
                },
            }})
        );
    }

    #[test]
    fn recursion_and_size_are_bounded() {
        let members: Map<String, Value> =
            (0..50).map(|n| (format!("m{n}"), json!({"$ref": "#"}))).collect();
        let made = made(json!({"type": "object", "properties": members}));
        assert!(made.to_string().len() < 20_000);
    }

    proptest! {
        #[test]
        fn what_is_written_is_json_that_clients_take(full in schema()) {
            let Value::Object(written) = made(full) else { panic!("it is an object") };
            prop_assert_eq!(lint::output(&written), vec![]);
        }
    }

    #[test]
    fn the_longest_words_are_shorter_than_clients_take() {
        let values: Vec<String> = (0..50).map(|n| format!("{n}{}", "é".repeat(100))).collect();
        let full = json!({"description": "é".repeat(2_000), "properties": {
            "a": {"enum": values, "description": "é".repeat(2_000)},
        }});
        let Value::Object(written) = made(full) else { panic!("it is an object") };
        assert_eq!(lint::output(&written), []);
    }

    #[test]
    fn an_error_object_passes_every_published_schema() {
        let full = json!({"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]});
        let published = made(full);
        let judge = jsonschema::options().offline().build(&published).expect("a schema");
        assert!(judge.is_valid(&json!({"error": {"code": "denied"}})));
    }
}
