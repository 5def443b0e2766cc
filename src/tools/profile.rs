//! Which schema of a tool's arguments is published. Calls are judged by the full one, always.

use serde_json::{Map, Value};
use tollbridge_operation::Schema;

use super::gemini::gemini;
use super::portable::{LONGEST_DESCRIPTION, portable};
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

/// The schema to publish for the full one.
pub(super) fn publish(full: Schema, profile: Profile) -> Map<String, Value> {
    let published = match profile {
        Profile::Portable => portable(&full).into_value(),
        Profile::Gemini => gemini(&portable(&full).into_value()),
        Profile::Full => {
            let mut full = full.into_value();
            clean(&mut full, false);
            full
        }
    };
    match published {
        Value::Object(mut published) => {
            published.entry("type").or_insert_with(|| Value::String("object".to_owned()));
            published
        }
        _ => Map::new(),
    }
}

/// Makes the texts of a schema fit to be shown. Below `names` every member is a schema.
fn clean(schema: &mut Value, names: bool) {
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
                        clean(value, !names && maps.contains(&keyword));
                    }
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|member| clean(member, false)),
        _ => {}
    }
}
