//! An example of an operation's arguments, made from their schema.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use tollbridge_operation::Schema;

use crate::notation::definitions;

/// How deep an example is made, and the longest text that is taken from a description.
const DEEPEST: usize = 8;
const LONGEST: usize = 200;

/// The least arguments that probably fit: what is required, with the values that the description
/// gives as defaults, examples or alternatives where it gives any. A pattern is not followed.
pub fn example(schema: &Schema) -> Value {
    let definitions = definitions(schema).collect();
    Maker { definitions, root: schema.root() }.make(schema.root(), 0)
}

struct Maker<'a> {
    definitions: HashMap<&'a str, &'a Value>,
    root: &'a Value,
}

impl Maker<'_> {
    fn make(&self, schema: &Value, depth: usize) -> Value {
        if depth > DEEPEST {
            return Value::Null;
        }
        if let Some(given) = given(schema) {
            return given;
        }
        let mut made = match schema.get("$ref").and_then(Value::as_str) {
            Some("#") => self.make(self.root, depth + 1),
            Some(target) => {
                let name = target.strip_prefix("#/$defs/").unwrap_or_default();
                let name = name.replace("~1", "/").replace("~0", "~");
                let target = self.definitions.get(name.as_str());
                target.map_or(Value::Null, |target| self.make(target, depth + 1))
            }
            None => Value::Null,
        };
        for part in parts(schema) {
            made = merged(made, self.make(part, depth + 1));
        }
        merged(made, self.typed(schema, depth))
    }

    fn typed(&self, schema: &Value, depth: usize) -> Value {
        let kind = match schema.get("type") {
            Some(Value::String(one)) => one.as_str(),
            Some(Value::Array(all)) => {
                let mut all = all.iter().filter_map(Value::as_str);
                all.find(|one| *one != "null").unwrap_or("null")
            }
            _ if schema.get("properties").is_some() => "object",
            _ => return Value::Null,
        };
        match kind {
            "object" => self.object(schema, depth),
            "array" => {
                let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0).min(3);
                let items = schema.get("items").unwrap_or(&Value::Null);
                (0..least.max(1)).map(|_| self.make(items, depth + 1)).collect()
            }
            "string" => text(schema).into(),
            "integer" | "number" => number(schema),
            "boolean" => json!(true),
            _ => Value::Null,
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let properties = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array);
        let mut out = Map::new();
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            let property = properties.and_then(|all| all.get(name));
            let value = property.map_or(Value::Null, |one| self.make(one, depth + 1));
            out.insert(name.to_owned(), value);
        }
        // An example of nothing shows nothing.
        if depth == 0
            && out.is_empty()
            && let Some((name, property)) = properties.and_then(|all| all.iter().next())
        {
            out.insert(name.clone(), self.make(property, depth + 1));
        }
        Value::Object(out)
    }
}

/// A value that the description itself gives, where it is short.
fn given(schema: &Value) -> Option<Value> {
    let listed = |keyword: &str| schema.get(keyword)?.as_array()?.first();
    let all = [
        schema.get("const"),
        schema.get("default").filter(|value| !value.is_null()),
        listed("examples"),
        schema.get("example"),
        listed("enum"),
    ];
    all.into_iter().flatten().find(|value| value.to_string().len() <= LONGEST).cloned()
}

/// The schemas that the value must fit beside: all of `allOf`, and the first of each choice.
fn parts(schema: &Value) -> impl Iterator<Item = &Value> {
    let list = |keyword| schema.get(keyword).and_then(Value::as_array).into_iter().flatten();
    list("allOf").chain(list("anyOf").take(1)).chain(list("oneOf").take(1))
}

fn merged(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            one.extend(other);
            Value::Object(one)
        }
        (Value::Null, other) => other,
        (one, _) => one,
    }
}

fn text(schema: &Value) -> String {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    let text = match format {
        "date" => "2026-01-31",
        "date-time" => "2026-01-31T12:00:00Z",
        "time" => "12:00:00Z",
        "duration" => "P1D",
        "uuid" => "6f1c1c7e-9f3a-4d0e-8a55-0d2f6a4f9b10",
        "email" => "someone@example.com",
        "hostname" => "example.com",
        "uri" | "url" => "https://example.com/",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        _ => "text",
    };
    let bound = |keyword: &str| {
        schema.get(keyword).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok())
    };
    let mut text = text.to_owned();
    if let Some(least) = bound("minLength") {
        while text.len() < least.min(LONGEST) {
            text.push('x');
        }
    }
    if let Some(most) = bound("maxLength") {
        text.truncate(most);
    }
    text
}

fn number(schema: &Value) -> Value {
    let least = schema.get("minimum").or_else(|| schema.get("exclusiveMinimum"));
    let most = schema.get("maximum").or_else(|| schema.get("exclusiveMaximum"));
    let above = schema.get("minimum").is_none() && schema.get("exclusiveMinimum").is_some();
    match (least.and_then(Value::as_i64), most.and_then(Value::as_i64)) {
        (Some(least), _) if least >= 1 || above => json!(least.saturating_add(i64::from(above))),
        (_, Some(most)) if most < 1 => json!(most.saturating_sub(1)),
        _ => schema.get("multipleOf").cloned().unwrap_or_else(|| json!(1)),
    }
}
