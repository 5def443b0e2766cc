//! A schema as it is listed, kept small.
//!
//! Thousands of tools are listed and few are looked at: text takes a tenth of the room of a
//! value, and definitions that many tools have are kept once.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Map, Value};
use tollbridge_operation::Definitions;

/// As deep as text is read back; what is deeper is kept as a value.
const DEEPEST_TEXT: usize = 100;

/// A schema that clients are shown: an object.
#[derive(Debug, Clone)]
pub struct Published {
    head: Head,
    definitions: Definitions,
}

/// All but the shared definitions.
#[derive(Debug, Clone)]
enum Head {
    Text(Arc<str>),
    Deep(Arc<Map<String, Value>>),
}

impl Published {
    /// A schema that shares nothing.
    pub fn new(schema: Map<String, Value>) -> Self {
        Self::with_definitions(schema, Arc::default())
    }

    /// A schema with definitions that others have too; they become its `$defs`.
    pub(super) fn with_definitions(schema: Map<String, Value>, definitions: Definitions) -> Self {
        let head = if schema.values().all(|value| is_within(value, DEEPEST_TEXT)) {
            Head::Text(text_of(&schema).into())
        } else {
            Head::Deep(Arc::new(schema))
        };
        Self { head, definitions }
    }

    /// About how long its text is.
    pub fn size(&self) -> usize {
        let head = match &self.head {
            Head::Text(text) => text.len(),
            Head::Deep(_) => 0,
        };
        // A definition has about so much.
        head + self.definitions.len() * 1_000
    }

    /// The schema as a value, made anew.
    pub fn to_map(&self) -> Map<String, Value> {
        let mut schema = match &self.head {
            Head::Text(text) => serde_json::from_str(text).expect("it was written as JSON"),
            Head::Deep(schema) => (**schema).clone(),
        };
        if !self.definitions.is_empty() {
            let definitions = self.definitions.iter();
            let definitions: Map<String, Value> =
                definitions.map(|one| (one.name.to_string(), (*one.schema).clone())).collect();
            schema.insert("$defs".to_owned(), Value::Object(definitions));
        }
        schema
    }

    /// Adds the schema's JSON text.
    pub fn write(&self, out: &mut String) {
        match &self.head {
            Head::Text(text) => out.push_str(text),
            Head::Deep(schema) => out.push_str(&text_of(schema)),
        }
        if self.definitions.is_empty() {
            return;
        }
        out.truncate(out.len() - 1);
        if !out.ends_with('{') {
            out.push(',');
        }
        out.push_str("\"$defs\":{");
        for (index, one) in self.definitions.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let name = Value::from(&*one.name);
            write!(out, "{comma}{name}:{}", one.schema).expect("a String takes it");
        }
        out.push_str("}}");
    }
}

fn text_of(schema: &Map<String, Value>) -> String {
    serde_json::to_string(schema).expect("a map of JSON values is JSON")
}

fn is_within(value: &Value, depth: usize) -> bool {
    match value {
        Value::Object(members) => {
            depth > 0 && members.values().all(|one| is_within(one, depth - 1))
        }
        Value::Array(items) => depth > 0 && items.iter().all(|one| is_within(one, depth - 1)),
        _ => true,
    }
}

/// The schema without members.
impl Default for Published {
    fn default() -> Self {
        Self::new(Map::new())
    }
}

/// Equal is what is the same JSON.
impl PartialEq for Published {
    fn eq(&self, other: &Self) -> bool {
        self.to_map() == other.to_map()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tollbridge_operation::Definition;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { unreachable!("it is an object") };
        map
    }

    #[test]
    fn text_and_value_say_the_same_whatever_is_shared() {
        let deep = (0..300).fold(json!({}), |inner, _| json!({"items": inner}));
        let one = Definition { name: "A\"".into(), schema: json!({"type": "string"}).into() };
        for head in [json!({}), json!({"type": "object", "properties": {"a": {}}}), deep] {
            for definitions in [Definitions::default(), [one.clone(), one.clone()].into()] {
                let mut whole = map(head.clone());
                if !definitions.is_empty() {
                    whole.insert("$defs".to_owned(), json!({"A\"": {"type": "string"}}));
                }
                let single = definitions.iter().take(1).cloned().collect();
                let published = Published::with_definitions(map(head.clone()), single);
                assert_eq!(published.to_map(), whole);
                let mut text = String::from("before ");
                published.write(&mut text);
                assert_eq!(text, format!("before {}", Value::Object(whole.clone())));
                assert_eq!(published, Published::new(whole));
            }
        }
    }
}
