//! The keywords of JSON Schema 2020-12 by what they hold, and what their values must be.

use std::collections::HashSet;

use serde_json::{Map, Number, Value};

use crate::flag::flag;

/// What a keyword of JSON Schema holds.
pub(super) enum Keyword {
    Schema,
    /// A schema that applies to the same value.
    SchemaInPlace,
    /// The same, and what it asks for is asked of the value as it is sent.
    Branch,
    SchemaMap,
    BranchMap,
    BranchList,
    SchemaList,
    Text,
    Name,
    Count,
    Number,
    Flag,
    Any,
    List,
    /// Handled apart, or meaningless outside its document.
    Dropped,
}

pub(super) fn keyword(name: &str) -> Keyword {
    match name {
        "additionalProperties"
        | "unevaluatedProperties"
        | "unevaluatedItems"
        | "contains"
        | "propertyNames"
        | "contentSchema" => Keyword::Schema,
        // What they say is turned round: it is left as it is written.
        "not" | "if" => Keyword::SchemaInPlace,
        "then" | "else" => Keyword::Branch,
        "patternProperties" => Keyword::SchemaMap,
        "dependentSchemas" => Keyword::BranchMap,
        "allOf" | "anyOf" | "oneOf" => Keyword::BranchList,
        "prefixItems" => Keyword::SchemaList,
        "title" | "description" => Keyword::Text,
        "format" | "pattern" | "contentEncoding" | "contentMediaType" => Keyword::Name,
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties"
        | "minContains" | "maxContains" => Keyword::Count,
        "multipleOf" => Keyword::Number,
        "uniqueItems" | "deprecated" => Keyword::Flag,
        "const" | "default" => Keyword::Any,
        "enum" => Keyword::List,
        _ => Keyword::Dropped,
    }
}

/// How many nodes a value has; long text counts for more than one.
pub(super) fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(size).sum::<usize>(),
        Value::String(text) => 1 + text.len() / 128,
        _ => 1,
    }
}

/// Names that come with a name, without those that do not go this way; `None` where it is
/// something else.
pub(super) fn dependent_names(value: &Value, hidden: &HashSet<String>) -> Option<Value> {
    let mut kept = Map::new();
    for (name, needed) in value.as_object()? {
        let mut seen = HashSet::new();
        let mut left = Vec::new();
        for needed in needed.as_array()? {
            let word = needed.as_str()?;
            if !seen.insert(word) {
                return None;
            }
            if !hidden.contains(word) {
                left.push(needed.clone());
            }
        }
        kept.insert(name.clone(), Value::Array(left));
    }
    Some(Value::Object(kept))
}

/// The type or types, as far as JSON Schema knows them. Swagger's `file` is text here: what
/// is bytes is found before a schema is asked for.
pub(super) fn types(value: &Value) -> Option<Value> {
    let known = |name: &str| match name {
        "string" | "number" | "integer" | "boolean" | "array" | "object" | "null" => {
            Some(name.to_owned())
        }
        "file" => Some("string".to_owned()),
        _ => None,
    };
    match value {
        Value::String(name) => known(name).map(Value::String),
        Value::Array(names) => {
            let mut kept: Vec<Value> = Vec::new();
            for name in names {
                let name = Value::String(known(name.as_str()?)?);
                if !kept.contains(&name) {
                    kept.push(name);
                }
            }
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        _ => None,
    }
}

/// A count is a whole number that is not negative; `2.0` is one.
pub(super) fn count(value: &Value) -> Option<Number> {
    let number = value.as_number()?;
    if let Some(count) = number.as_u64() {
        return Some(count.into());
    }
    let digits = number.to_string();
    let (whole, fraction) = digits.split_once('.')?;
    fraction.bytes().all(|b| b == b'0').then(|| whole.parse::<u64>().ok()).flatten().map(Into::into)
}

pub(super) fn positive(value: &Value) -> bool {
    value.as_number().is_some_and(|number| {
        let digits = number.to_string();
        let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
        !digits.starts_with('-') && mantissa.bytes().any(|b| matches!(b, b'1'..=b'9'))
    })
}

/// Whether a default has one of the types that its schema names.
pub(super) fn fits_type(value: &Value, schema: &Map<String, Value>) -> bool {
    let is = |name: &str| match (name, value) {
        ("null", Value::Null)
        | ("boolean", Value::Bool(_))
        | ("number" | "integer", Value::Number(_))
        | ("string" | "file", Value::String(_))
        | ("array", Value::Array(_))
        | ("object", Value::Object(_)) => true,
        // What is no type is not read at all.
        (name, _) => !matches!(
            name,
            "null" | "boolean" | "number" | "integer" | "string" | "file" | "array" | "object"
        ),
    };
    let nullable = ["nullable", "x-nullable"];
    if value.is_null() && nullable.iter().any(|name| flag(schema.get(*name)) == Some(true)) {
        return true;
    }
    match schema.get("type") {
        Some(Value::String(name)) => is(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}
