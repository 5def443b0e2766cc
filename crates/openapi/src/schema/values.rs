//! Listed values that their own schema refuses.
//!
//! YAML turns `enum: [1, yes, 2.10]` of a string into numbers, and generators put quotes around
//! those of an integer. Such a schema would refuse every value, which nobody means: the values are
//! read as what the type says, where that loses nothing.

use serde_json::{Map, Number, Value, json};

use super::keywords::fits_type;
use crate::document::scalar_text;

/// The value as one of its schema's types; `None` where it is one, or cannot be.
pub(super) fn read_as_typed(value: &Value, schema: &Map<String, Value>) -> Option<Value> {
    if fits_type(value, schema) || value.is_null() {
        return None;
    }
    let has = |wanted: &str| match schema.get("type") {
        Some(Value::String(name)) => name == wanted,
        Some(Value::Array(names)) => names.iter().any(|name| name == wanted),
        _ => false,
    };
    match value {
        Value::Number(_) | Value::Bool(_) if has("string") => scalar_text(value).map(Value::String),
        Value::String(text) if has("boolean") && matches!(text.as_str(), "true" | "false") => {
            Some(Value::Bool(text == "true"))
        }
        Value::String(text) if has("integer") || has("number") => {
            text.parse::<Number>().ok().map(Value::Number)
        }
        _ => None,
    }
}

/// Puts the values of a list's items where they belong: authors write them beside `items`.
/// True where it did.
pub(super) fn move_to_items(schema: &mut Map<String, Value>) -> bool {
    let is_list = schema.get("type").is_some_and(|kind| kind == "array");
    let Some(Value::Array(values)) = schema.get("enum") else { return false };
    if !is_list || values.iter().any(Value::is_array) {
        return false;
    }
    let values = schema.shift_remove("enum").unwrap_or_default();
    let items = schema.entry("items").or_insert_with(|| json!({}));
    if let Value::Object(items) = items
        && !items.contains_key("enum")
    {
        items.insert("enum".to_owned(), values);
    }
    true
}
