//! Two schemas that both hold, as one: how `allOf` becomes a plain object.
//!
//! What comes out is never narrower than the two together. A keyword that cannot be said once
//! for both (two patterns, two lists of alternatives) stays apart, as a residue for `allOf`.

use serde_json::{Map, Value, json};

/// Puts what must hold too into the schema, and what cannot be put there beside it as `allOf`.
pub(super) fn conjoin(out: &mut Map<String, Value>, members: Vec<Map<String, Value>>) {
    let mut rest: Vec<Value> = Vec::new();
    for mut member in members {
        let inner = member.remove("allOf");
        // A reference stands alone: clients differ in what they make of its neighbours.
        let fits = !member.contains_key("$ref") || out.is_empty() && rest.is_empty();
        if fits && !out.contains_key("$ref") {
            member = merge(out, member);
        }
        if !member.is_empty() {
            rest.push(Value::Object(member));
        }
        if let Some(Value::Array(list)) = inner {
            rest.extend(list);
        }
    }
    if let Some(Value::Array(list)) = out.remove("allOf") {
        rest.splice(0..0, list);
    }
    if !rest.is_empty() {
        if let Some(reference) = out.remove("$ref") {
            rest.insert(0, json!({"$ref": reference}));
        }
        let mut seen: Vec<Value> = Vec::new();
        rest.retain(|part| {
            let is_new = !seen.contains(part);
            seen.push(part.clone());
            is_new
        });
        out.insert("allOf".to_owned(), Value::Array(rest));
    }
}

/// What fits both schemas.
fn both(one: Value, other: Value) -> Value {
    match (one, other) {
        (one, other) if one == other => one,
        (Value::Object(one), Value::Object(other)) => {
            let mut out = Map::new();
            conjoin(&mut out, vec![one, other]);
            Value::Object(out)
        }
        (one, _) => one,
    }
}

/// Merges `member` into `out`; what is left over cannot be.
fn merge(out: &mut Map<String, Value>, mut member: Map<String, Value>) -> Map<String, Value> {
    members(out, &mut member);
    items(out, &mut member);
    let mut residue = Map::new();
    for (keyword, theirs) in member {
        let Some(ours) = out.get_mut(&keyword) else {
            if keyword == "const" && out.contains_key("enum")
                || keyword == "enum" && out.contains_key("const")
            {
                residue.extend(values(out, &keyword, theirs));
            } else {
                out.insert(keyword, theirs);
            }
            continue;
        };
        if *ours == theirs {
            continue;
        }
        match keyword.as_str() {
            "type" => match types(ours, &theirs) {
                Some(types) => *ours = types,
                None => {
                    residue.insert(keyword, theirs);
                }
            },
            "enum" | "const" => residue.extend(values(out, &keyword, theirs)),
            "minLength" | "minItems" | "minProperties" => bound(ours, &theirs, Ord::max),
            "maxLength" | "maxItems" | "maxProperties" => bound(ours, &theirs, Ord::min),
            "uniqueItems" => *ours = Value::Bool(true),
            // What only describes is said once.
            "title" | "description" | "format" | "default" | "examples" | "deprecated" => {}
            _ => {
                residue.insert(keyword, theirs);
            }
        }
    }
    residue
}

fn bound(ours: &mut Value, theirs: &Value, choose: fn(u64, u64) -> u64) {
    if let (Some(a), Some(b)) = (ours.as_u64(), theirs.as_u64()) {
        *ours = json!(choose(a, b));
    }
}

/// The keywords about an object's members, which lean on one another.
fn members(out: &mut Map<String, Value>, member: &mut Map<String, Value>) {
    let ends = |schema: &Map<String, Value>| {
        schema.get("additionalProperties") == Some(&Value::Bool(false))
            && !schema.contains_key("patternProperties")
    };
    let properties = |schema: &mut Map<String, Value>| match schema.remove("properties") {
        Some(Value::Object(properties)) => Some(properties),
        _ => None,
    };
    let (ours_end, theirs_end) = (ends(out), ends(member));
    let at = out.keys().position(|keyword| keyword == "properties");
    let (ours, theirs) = (properties(out), properties(member));
    if ours.is_some() || theirs.is_some() {
        let (mut ours, mut theirs) = (ours.unwrap_or_default(), theirs.unwrap_or_default());
        // A member that one of the two does not let in is none.
        if ours_end {
            theirs.retain(|name, _| ours.contains_key(name));
        }
        if theirs_end {
            ours.retain(|name, _| theirs.contains_key(name));
        }
        for (name, schema) in theirs {
            match ours.get_mut(&name) {
                Some(known) => *known = both(known.take(), schema),
                None => {
                    ours.insert(name, schema);
                }
            }
        }
        let at = at.unwrap_or(out.len()).min(out.len());
        out.shift_insert(at, "properties".to_owned(), Value::Object(ours));
    }
    if let Some(Value::Object(theirs)) = member.remove("patternProperties") {
        let ours = out.entry("patternProperties").or_insert_with(|| json!({}));
        for (pattern, schema) in theirs {
            let Value::Object(ours) = &mut *ours else { break };
            match ours.get_mut(&pattern) {
                Some(known) => *known = both(known.take(), schema),
                None => {
                    ours.insert(pattern, schema);
                }
            }
        }
    }
    if let Some(Value::Array(theirs)) = member.remove("required") {
        let ours = out.entry("required").or_insert_with(|| json!([]));
        if let Value::Array(ours) = ours {
            for name in theirs {
                if !ours.contains(&name) {
                    ours.push(name);
                }
            }
        }
    }
    if let Some(theirs) = member.remove("additionalProperties") {
        let merged = match out.remove("additionalProperties") {
            Some(Value::Bool(false)) => Value::Bool(false),
            Some(ours) if theirs.is_object() => both(ours, theirs),
            _ => theirs,
        };
        out.insert("additionalProperties".to_owned(), merged);
    }
}

/// The keywords about a list's items, likewise.
fn items(out: &mut Map<String, Value>, member: &mut Map<String, Value>) {
    if let Some(Value::Array(theirs)) = member.remove("prefixItems") {
        match out.get_mut("prefixItems") {
            None => {
                out.insert("prefixItems".to_owned(), Value::Array(theirs));
            }
            Some(Value::Array(ours)) if ours.len() == theirs.len() => {
                for (known, schema) in ours.iter_mut().zip(theirs) {
                    *known = both(known.take(), schema);
                }
            }
            // Where the rest begins differs: theirs would be about other items.
            Some(_) => {
                member.remove("items");
            }
        }
    }
    if let Some(theirs) = member.remove("items") {
        let merged = match out.remove("items") {
            Some(ours) => both(ours, theirs),
            None => theirs,
        };
        out.insert("items".to_owned(), merged);
    }
}

/// The types that are in both; `None` where there are none.
fn types(ours: &Value, theirs: &Value) -> Option<Value> {
    let list = |types: &Value| match types {
        Value::Array(names) => names.clone(),
        one => vec![one.clone()],
    };
    let (ours, theirs) = (list(ours), list(theirs));
    let mut kept: Vec<Value> = Vec::new();
    for one in &ours {
        for other in &theirs {
            let name = match (one.as_str(), other.as_str()) {
                (Some("number"), Some("integer")) => other,
                (Some("integer"), Some("number")) => one,
                _ if one == other => one,
                _ => continue,
            };
            if !kept.contains(name) {
                kept.push(name.clone());
            }
        }
    }
    match kept.len() {
        0 => None,
        1 => kept.pop(),
        _ => Some(Value::Array(kept)),
    }
}

/// Narrows the values that are listed; what cannot be told is left over.
fn values(out: &mut Map<String, Value>, keyword: &str, theirs: Value) -> Option<(String, Value)> {
    let listed = |value: &Value| match value {
        Value::Array(values) if keyword == "enum" => values.clone(),
        value => vec![value.clone()],
    };
    let wanted = listed(&theirs);
    let known = match (out.get("const"), out.get("enum")) {
        (Some(value), _) => vec![value.clone()],
        (None, Some(Value::Array(values))) => values.clone(),
        _ => Vec::new(),
    };
    // Numbers may be one value in two spellings, on any level.
    let simple = |value: &Value| value.is_string() || value.is_boolean() || value.is_null();
    let kept: Vec<Value> = known.iter().filter(|value| wanted.contains(value)).cloned().collect();
    if kept.is_empty() || !wanted.iter().chain(&known).all(simple) {
        return Some((keyword.to_owned(), theirs));
    }
    out.remove("const");
    out.remove("enum");
    match kept.as_slice() {
        [only] => out.insert("const".to_owned(), only.clone()),
        _ => out.insert("enum".to_owned(), Value::Array(kept)),
    };
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_say_is_said_once() {
        for (one, other, merged) in [
            (
                json!({"type": "object", "properties": {"k": {"type": "string"}}, "required": ["k"]}),
                json!({"properties": {"k": {"const": "cat"}, "b": {}}, "required": ["k", "b"]}),
                json!({"type": "object", "properties": {"k": {"type": "string", "const": "cat"}, "b": {}}, "required": ["k", "b"]}),
            ),
            (
                json!({"properties": {"a": {}}, "additionalProperties": false}),
                json!({"properties": {"a": {"type": "string"}, "b": {}}}),
                json!({"properties": {"a": {"type": "string"}}, "additionalProperties": false}),
            ),
            (json!({"type": "number"}), json!({"type": "integer"}), json!({"type": "integer"})),
            (
                json!({"type": "string"}),
                json!({"type": "object"}),
                json!({"type": "string", "allOf": [{"type": "object"}]}),
            ),
            (json!({"enum": ["a", "b"]}), json!({"enum": ["b", "c"]}), json!({"const": "b"})),
            (
                json!({"enum": [1]}),
                json!({"enum": [1.0]}),
                json!({"enum": [1], "allOf": [{"enum": [1.0]}]}),
            ),
            (json!({"minLength": 1}), json!({"minLength": 3}), json!({"minLength": 3})),
            (
                json!({"pattern": "a", "description": "x"}),
                json!({"pattern": "b", "description": "y"}),
                json!({"pattern": "a", "description": "x", "allOf": [{"pattern": "b"}]}),
            ),
            (
                json!({"items": {"type": "string"}}),
                json!({"items": {"minLength": 1}}),
                json!({"items": {"type": "string", "minLength": 1}}),
            ),
        ] {
            assert_eq!(both(one.clone(), other.clone()), merged, "{one} {other}");
        }
    }
}
