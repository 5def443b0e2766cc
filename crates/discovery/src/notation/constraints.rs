//! What of a schema binds a value: the measure by which the notation loses nothing.

use serde_json::{Map, Value, json};

/// The keywords that say something and bind nothing (JSON Schema Validation §9, and those that
/// OpenAPI adds), `default` among them, which is written where an argument has one.
const ANNOTATIONS: &[&str] = &[
    "title",
    "description",
    "default",
    "examples",
    "example",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$comment",
    "$schema",
    "externalDocs",
    "xml",
    "discriminator",
];

/// Whether a keyword binds nothing.
pub(super) fn is_annotation(keyword: &str) -> bool {
    ANNOTATIONS.contains(&keyword) || keyword.starts_with("x-")
}

/// A schema's constraints in one form: two schemas with the same are equivalent. Annotations are
/// left out, and so is what binds nothing; `const` is an enumeration, a boolean schema an object,
/// and an enumeration has no type beside it.
pub fn constraints(schema: &Value) -> Value {
    let keywords = match schema {
        Value::Bool(true) => return json!({}),
        Value::Object(keywords) => keywords,
        _ => return json!({"not": {}}),
    };
    let mut out = Map::new();
    for (keyword, value) in keywords {
        if is_annotation(keyword) {
            continue;
        }
        let value = match (keyword.as_str(), value) {
            ("properties" | "patternProperties" | "$defs", Value::Object(schemas)) => {
                let each = schemas.iter().map(|(name, one)| (name.clone(), constraints(one)));
                Value::Object(each.collect())
            }
            ("allOf" | "anyOf" | "oneOf" | "prefixItems", Value::Array(schemas)) => {
                schemas.iter().map(constraints).collect()
            }
            ("items" | "additionalProperties" | "not", schema)
                if schema.is_object() || schema.is_boolean() =>
            {
                constraints(schema)
            }
            ("required", Value::Array(names)) => sorted(names),
            ("type", Value::Array(types)) => sorted(types),
            ("type", Value::String(one)) => json!([one]),
            _ => value.clone(),
        };
        let binds_nothing = match keyword.as_str() {
            "properties" | "patternProperties" | "$defs" | "items" | "additionalProperties" => {
                value == json!({})
            }
            "required" => value == json!([]),
            "uniqueItems" => value == json!(false),
            _ => false,
        };
        if !binds_nothing {
            out.insert(keyword.clone(), value);
        }
    }
    values(&mut out);
    Value::Object(out)
}

/// Brings an enumeration into one form, the type that goes with it into it.
fn values(out: &mut Map<String, Value>) {
    if out.get("type") == Some(&json!(["null"])) && !out.contains_key("enum") {
        out.shift_remove("type");
        out.insert("enum".to_owned(), json!([null]));
    }
    if !out.contains_key("enum")
        && let Some(one) = out.shift_remove("const")
    {
        out.insert("enum".to_owned(), json!([one]));
    }
    let (Some(Value::Array(list)), types) = (out.get("enum"), out.get("type")) else { return };
    let fitting: Vec<Value> =
        list.iter().filter(|one| types.is_none_or(|types| fits(one, types))).cloned().collect();
    if fitting.is_empty() {
        return;
    }
    let mut seen: Vec<Value> = Vec::new();
    for one in fitting {
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    out.insert("enum".to_owned(), Value::Array(seen));
    out.shift_remove("type");
}

fn sorted(list: &[Value]) -> Value {
    let mut list = list.to_vec();
    list.sort_by_key(Value::to_string);
    list.dedup();
    Value::Array(list)
}

/// Whether a value is of one of some types.
pub(super) fn fits(value: &Value, types: &Value) -> bool {
    let is = |kind: &str| match (kind, value) {
        ("null", Value::Null)
        | ("boolean", Value::Bool(_))
        | ("string", Value::String(_))
        | ("array", Value::Array(_))
        | ("object", Value::Object(_))
        | ("number", Value::Number(_)) => true,
        ("integer", Value::Number(number)) => {
            number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|n| n.fract() == 0.0)
        }
        _ => false,
    };
    match types {
        Value::String(one) => is(one),
        Value::Array(list) => list.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}
