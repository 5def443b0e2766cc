//! The subset of JSON Schema that Gemini's function declarations have (OpenAPI 3.0's Schema
//! Object, in parts): clients that pass a schema on as it is fail with anything else.
//!
//! There are no references, no `const`, no `additionalProperties`, no `oneOf` and `allOf`,
//! no alternatives within a list; null is `nullable`; values that are listed are strings. What
//! cannot be said is left out, so that nothing is forbidden that the full schema takes.

use serde_json::{Map, Value, json};

use super::schema::resolve;
use super::text;

/// How deep a schema is written, references replaced.
const DEEPEST: usize = 12;

/// How many subschemas are written.
const NODES: usize = 1_500;

/// Keywords that are left as they are.
const PLAIN: [&str; 12] = [
    "type",
    "title",
    "description",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
];

/// Formats that are none to refuse.
const FORMATS: [&str; 6] = ["int32", "int64", "float", "double", "date-time", "enum"];

/// The schema in Gemini's subset, from the portable one.
pub(super) fn gemini(portable: &Value) -> Value {
    let mut writer = Writer { root: portable, path: Vec::new(), nodes: 0 };
    Value::Object(writer.schema(portable, 0, false))
}

struct Writer<'a> {
    root: &'a Value,
    /// The references that are being written.
    path: Vec<&'a str>,
    nodes: usize,
}

impl<'a> Writer<'a> {
    fn schema(&mut self, schema: &'a Value, depth: usize, in_list: bool) -> Map<String, Value> {
        self.nodes += 1;
        let mut out = Map::new();
        let Value::Object(object) = schema else { return out };
        if depth > DEEPEST || self.nodes > NODES {
            // Not written out: its kind is told, where it is one.
            for keyword in ["type", "description"] {
                out.extend(object.get(keyword).map(|said| (keyword.to_owned(), said.clone())));
            }
            return out;
        }
        let mut notes: Vec<String> = Vec::new();
        let is_tuple = object.contains_key("prefixItems");
        for (keyword, value) in object {
            match (keyword.as_str(), value) {
                ("properties", Value::Object(properties)) => {
                    let written: Map<String, Value> = properties
                        .iter()
                        .map(|(name, schema)| {
                            (name.clone(), Value::Object(self.schema(schema, depth + 1, in_list)))
                        })
                        .collect();
                    out.insert(keyword.clone(), Value::Object(written));
                }
                // The items of a tuple differ.
                ("items", items) if !is_tuple => {
                    let items = self.schema(items, depth + 1, true);
                    out.insert(keyword.clone(), Value::Object(items));
                }
                ("exclusiveMinimum", limit) => {
                    out.entry("minimum").or_insert_with(|| limit.clone());
                    notes.push(format!("greater than {limit}"));
                }
                ("exclusiveMaximum", limit) => {
                    out.entry("maximum").or_insert_with(|| limit.clone());
                    notes.push(format!("less than {limit}"));
                }
                ("multipleOf", of) => notes.push(format!("a multiple of {of}")),
                ("default", value) if !value.is_object() && !value.is_array() => {
                    notes.push(format!("by default {}", text::cut(&value.to_string(), 60)));
                }
                ("deprecated", Value::Bool(true)) => notes.push("deprecated".to_owned()),
                ("format", Value::String(format)) if FORMATS.contains(&format.as_str()) => {
                    out.insert(keyword.clone(), value.clone());
                }
                ("format", Value::String(format)) => notes.push(text::cut(format, 30)),
                ("required", Value::Array(_)) => {
                    out.insert(keyword.clone(), value.clone());
                }
                ("minimum" | "maximum", limit) => {
                    out.insert(keyword.clone(), limit.clone());
                }
                (keyword, value) if PLAIN.contains(&keyword) => {
                    out.insert(keyword.to_owned(), value.clone());
                }
                _ => {}
            }
        }
        if let Some(values) = object.get("enum").and_then(Value::as_array) {
            listed(&mut out, values, &mut notes);
        } else if let Some(value) = object.get("const") {
            listed(&mut out, std::slice::from_ref(value), &mut notes);
        }
        self.alternatives(object, &mut out, depth, in_list);
        for member in object.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            let member = self.schema(member, depth + 1, in_list);
            beside(&mut out, member);
        }
        if let Some(Value::String(reference)) = object.get("$ref") {
            let member = self.reference(reference, depth, in_list);
            beside(&mut out, member);
        }
        finish(&mut out, &notes);
        out
    }

    fn reference(&mut self, reference: &'a str, depth: usize, in_list: bool) -> Map<String, Value> {
        let Some(target) = resolve(self.root, reference) else { return Map::new() };
        if self.path.contains(&reference) {
            let mut out = Map::new();
            for keyword in ["type", "description"] {
                out.extend(target.get(keyword).map(|said| (keyword.to_owned(), said.clone())));
            }
            return out;
        }
        self.path.push(reference);
        let out = self.schema(target, depth + 1, in_list);
        self.path.pop();
        out
    }

    fn alternatives(
        &mut self,
        object: &'a Map<String, Value>,
        out: &mut Map<String, Value>,
        depth: usize,
        in_list: bool,
    ) {
        let Some(Value::Array(branches)) = object.get("anyOf") else { return };
        let is_null = |branch: &&Value| branch.get("type") == Some(&json!("null"));
        let nullable = branches.iter().any(|branch| is_null(&branch));
        let mut written: Vec<Map<String, Value>> = branches
            .iter()
            .filter(|branch| !is_null(branch))
            .map(|branch| self.schema(branch, depth + 1, in_list))
            .collect();
        let inner = written.iter().any(|branch| branch.get("nullable") == Some(&json!(true)));
        if nullable || inner {
            out.insert("nullable".to_owned(), Value::Bool(true));
        }
        if written.len() == 1 {
            beside(out, written.swap_remove(0));
        } else if written.iter().all(Map::is_empty) {
        } else if in_list {
            // What all alternatives are is told.
            let kind = written.first().and_then(|first| first.get("type")).cloned();
            let same = kind.filter(|kind| written.iter().all(|b| b.get("type") == Some(kind)));
            if let Some(kind) = same
                && !out.contains_key("type")
            {
                out.insert("type".to_owned(), kind);
            }
        } else if written.iter().all(|branch| !branch.is_empty()) {
            let branches = written.into_iter().map(Value::Object).collect();
            out.insert("anyOf".to_owned(), Value::Array(branches));
        }
    }
}

/// Adds what must hold too, where nothing is said of it yet. Null is a value only where both
/// let it be.
fn beside(out: &mut Map<String, Value>, member: Map<String, Value>) {
    for (keyword, value) in member {
        match (keyword.as_str(), out.get_mut(&keyword), value) {
            ("required", Some(Value::Array(known)), Value::Array(names)) => {
                for name in names {
                    if !known.contains(&name) {
                        known.push(name);
                    }
                }
            }
            ("properties", Some(Value::Object(known)), Value::Object(more)) => {
                for (name, schema) in more {
                    known.entry(name).or_insert(schema);
                }
            }
            (_, Some(_), _) => {}
            (_, None, value) => {
                out.insert(keyword, value);
            }
        }
    }
}

/// Values that are listed: strings only, none of them empty.
fn listed(out: &mut Map<String, Value>, values: &[Value], notes: &mut Vec<String>) {
    let texts: Vec<&Value> = values.iter().filter(|value| !value.is_null()).collect();
    let nullable = texts.len() < values.len();
    if nullable {
        out.insert("nullable".to_owned(), Value::Bool(true));
    }
    if !texts.is_empty()
        && texts.iter().all(|value| value.as_str().is_some_and(|text| !text.is_empty()))
    {
        out.insert("type".to_owned(), json!("string"));
        out.insert("enum".to_owned(), json!(texts));
    } else {
        notes.push(super::schema::choices(values));
    }
}

fn finish(out: &mut Map<String, Value>, notes: &[String]) {
    if out.get("type") == Some(&json!("null")) {
        out.remove("type");
        out.insert("nullable".to_owned(), Value::Bool(true));
    }
    let properties = out.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(Value::Array(names)) = out.get_mut("required") {
        names.retain(|name| name.as_str().is_some_and(|name| properties.contains_key(name)));
        if names.is_empty() {
            out.remove("required");
        }
    }
    if out.get("type") == Some(&json!("array")) {
        out.entry("items").or_insert_with(|| json!({}));
    }
    if !notes.is_empty() {
        let notes = notes.join("; ");
        let said = match out.get("description").and_then(Value::as_str) {
            Some(said) => format!("{said} ({notes})"),
            None => notes,
        };
        let said = text::cut(&said, super::portable::LONGEST_DESCRIPTION);
        out.insert("description".to_owned(), Value::String(said));
    }
}

#[cfg(test)]
#[path = "gemini_tests.rs"]
mod tests;
