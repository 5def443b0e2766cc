//! Which schema of a tool's arguments is published. Calls are judged by the full one, always.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tollbridge_operation::Schema;

use super::gemini::gemini;
use super::known::Known;
use super::lint::{self, LintFinding};
use super::portable::{LONGEST_DESCRIPTION, portable, write};
use super::published::Published;
use super::text;

/// What the clients that are served make of JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// The part of JSON Schema that all clients read.
    #[default]
    Portable,
    /// All of JSON Schema 2020-12, as calls are judged by it.
    Full,
    /// The subset that Gemini's function declarations have.
    Gemini,
}

/// The schema to publish for the full one, with examples of calls, and what clients are known
/// to refuse in it.
pub(super) fn publish(
    full: &Schema,
    examples: &[Map<String, Value>],
    profile: Profile,
    known: &mut Known,
) -> (Published, Vec<LintFinding>) {
    let (mut head, definitions, clean) = match profile {
        Profile::Portable => {
            let written = write(full, known);
            (written.head, written.definitions, written.clean)
        }
        Profile::Gemini => (object(gemini(&Value::Object(portable(full)))), Arc::default(), true),
        Profile::Full => {
            let mut full = full.to_value();
            clean_texts(&mut full, false);
            (object(full), Arc::default(), true)
        }
    };
    // Gemini's subset has none.
    if !examples.is_empty() && profile != Profile::Gemini {
        head.insert("examples".to_owned(), json!(examples));
    }
    let mut findings = if clean { lint::input(&head, profile) } else { Vec::new() };
    let published = Published::with_definitions(head, definitions);
    if !clean {
        findings = lint::input(&published.to_map(), profile);
    }
    (published, findings)
}

fn object(schema: Value) -> Map<String, Value> {
    let Value::Object(mut schema) = schema else { return Map::new() };
    schema.entry("type").or_insert_with(|| Value::String("object".to_owned()));
    schema
}

/// Makes the texts of a schema fit to be shown. Below `names` every member is a schema.
fn clean_texts(schema: &mut Value, names: bool) {
    match schema {
        Value::Object(object) => {
            for (keyword, value) in object.iter_mut() {
                match (keyword.as_str(), value) {
                    ("title" | "description", Value::String(said)) if !names => {
                        *said = text::cut(&text::said(said), LONGEST_DESCRIPTION);
                    }
                    ("enum" | "const" | "default" | "examples", _) if !names => {}
                    (keyword, value) => {
                        let maps = ["properties", "patternProperties", "$defs", "dependentSchemas"];
                        clean_texts(value, !names && maps.contains(&keyword));
                    }
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|member| clean_texts(member, false)),
        _ => {}
    }
}
