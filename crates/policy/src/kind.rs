//! What a JSON Schema is in Cedar.
//!
//! | JSON Schema | Cedar |
//! |---|---|
//! | `integer` | `Long`, 64 bits |
//! | `number` | `decimal`, four places |
//! | a number or its digits in a string | as the number |
//! | `string` | `String` |
//! | `boolean` | `Bool` |
//! | `array` | `Set` of what its items are |
//! | `object` | a record of its properties |
//! | one of these or `null` | as without `null` |
//! | anything else | left out |
//!
//! What is left out cannot be named by a policy. A value that its type cannot hold exactly is the
//! business of `carry`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Deeper objects are left out.
const MAX_DEPTH: usize = 8;

/// A tool's arguments have no more places than that; what is above it is left out.
const MAX_PLACES: usize = 4_000;

/// How many references are followed to one place.
const MAX_REFERENCES: usize = 32;

/// The type of a value in Cedar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `Bool`.
    Bool,
    /// `Long`.
    Long,
    /// `decimal`.
    Decimal,
    /// `String`.
    Text,
    /// `Set`.
    Set(Box<Kind>),
    /// A record.
    Record(BTreeMap<String, Field>),
}

/// A member of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What it is.
    pub kind: Kind,
    /// Whether it is always there.
    pub required: bool,
}

/// A place of a schema that has no type in Cedar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its names, from the top.
    pub path: Vec<String>,
    /// Why, in words.
    pub reason: &'static str,
}

impl Kind {
    /// A record without members.
    pub fn empty() -> Self {
        Self::Record(BTreeMap::new())
    }

    /// What an input schema is, and which of its places are left out. An input schema is that of
    /// an object: what else it may say, it is a record.
    pub fn of_input(schema: &Value) -> (Self, Vec<LeftOut>) {
        let mut reading =
            Reading { root: schema, places: 0, left_out: Vec::new(), path: Vec::new() };
        let kind = match reading.kind(schema, 0) {
            Ok(kind @ Self::Record(_)) => kind,
            // A tool that takes nothing.
            Err(FREE) => Self::empty(),
            other => {
                let reason = other.err().unwrap_or("they are no object");
                reading.left_out.push(LeftOut { path: Vec::new(), reason });
                Self::empty()
            }
        };
        (kind, reading.left_out)
    }

    /// What stands at a path of members.
    pub fn at(&self, path: &[String]) -> Option<&Self> {
        path.iter().try_fold(self, |kind, name| match kind {
            Self::Record(members) => members.get(name).map(|field| &field.kind),
            _ => None,
        })
    }

    /// Its name in Cedar, for people.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bool => "Bool",
            Self::Long => "Long",
            Self::Decimal => "decimal",
            Self::Text => "String",
            Self::Set(_) => "Set",
            Self::Record(_) => "record",
        }
    }
}

/// A schema on its way to a kind.
struct Reading<'a> {
    root: &'a Value,
    places: usize,
    left_out: Vec<LeftOut>,
    path: Vec<String>,
}

const ANYTHING: &str = "it may be anything";
const FREE: &str = "its names are free";
const SEVERAL: &str = "it may be of several types";

impl Reading<'_> {
    /// An error is why there is none.
    fn kind(&mut self, schema: &Value, depth: usize) -> Result<Kind, &'static str> {
        self.places += 1;
        if depth > MAX_DEPTH {
            return Err("it is nested too deep");
        }
        if self.places > MAX_PLACES {
            return Err("the tool has too many arguments");
        }
        let schema = self.resolved(schema)?;
        let Value::Object(schema) = schema else { return Err(ANYTHING) };
        if let Some(Value::Array(parts)) = schema.get("allOf") {
            return self.all(schema, parts, depth);
        }
        for word in ["anyOf", "oneOf"] {
            if let Some(Value::Array(branches)) = schema.get(word) {
                return if schema.contains_key("properties") {
                    Err(SEVERAL)
                } else {
                    self.any(branches, depth)
                };
            }
        }
        match types(schema).as_slice() {
            ["object"] => self.record(schema, depth),
            ["array"] => match schema.get("items") {
                Some(items) => Ok(Kind::Set(Box::new(self.kind(items, depth + 1)?))),
                None => Err("its items may be anything"),
            },
            ["string"] => Ok(Kind::Text),
            ["integer"] | ["integer", "string"] => Ok(Kind::Long),
            ["number"] | ["integer", "number"] | ["number", "string"] => Ok(Kind::Decimal),
            ["boolean"] => Ok(Kind::Bool),
            [] => Err(ANYTHING),
            _ => Err(SEVERAL),
        }
    }

    fn resolved<'s>(&self, schema: &'s Value) -> Result<&'s Value, &'static str>
    where
        Self: 's,
    {
        let mut schema: &Value = schema;
        for _ in 0..MAX_REFERENCES {
            let reference = schema.get("$ref").and_then(Value::as_str);
            let Some(reference) = reference else { return Ok(schema) };
            let pointer = reference.strip_prefix('#').ok_or("its schema is elsewhere")?;
            // A local reference is a fragment: percent-encoded (RFC 6901 §6).
            schema = lookup(self.root, pointer).ok_or("its schema is not there")?;
        }
        Err("its schema refers to itself")
    }

    fn record(&mut self, schema: &Map<String, Value>, depth: usize) -> Result<Kind, &'static str> {
        let Some(Value::Object(properties)) = schema.get("properties") else {
            return Err(FREE);
        };
        let required: Vec<&str> = match schema.get("required") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let mut members = BTreeMap::new();
        for (name, property) in properties {
            self.path.push(name.clone());
            match self.kind(property, depth + 1) {
                Ok(kind) => {
                    let required = required.contains(&name.as_str());
                    members.insert(name.clone(), Field { kind, required });
                }
                Err(reason) => self.left_out.push(LeftOut { path: self.path.clone(), reason }),
            }
            self.path.pop();
        }
        Ok(Kind::Record(members))
    }

    /// All parts hold: objects are put together, and of other types there can be one.
    fn all(
        &mut self,
        schema: &Map<String, Value>,
        parts: &[Value],
        depth: usize,
    ) -> Result<Kind, &'static str> {
        let mut own = schema.clone();
        own.shift_remove("allOf");
        let own = Value::Object(own);
        let mut whole: Option<Kind> = None;
        for part in parts.iter().chain([&own]) {
            let kind = match self.kind(part, depth + 1) {
                Ok(kind) => kind,
                // A part that says nothing of the type, such as a description.
                Err(reason) if reason == ANYTHING => continue,
                Err(reason) => return Err(reason),
            };
            whole = Some(match (whole, kind) {
                (None, kind) => kind,
                (Some(Kind::Record(mut all)), Kind::Record(more)) => {
                    for (name, field) in more {
                        match all.get_mut(&name) {
                            Some(known) if known.kind == field.kind => {
                                known.required |= field.required;
                            }
                            Some(_) => return Err(SEVERAL),
                            None => drop(all.insert(name, field)),
                        }
                    }
                    Kind::Record(all)
                }
                (Some(known), kind) if known == kind => known,
                _ => return Err(SEVERAL),
            });
        }
        whole.ok_or(ANYTHING)
    }

    /// One of the branches holds: they must come to one type, `null` aside.
    fn any(&mut self, branches: &[Value], depth: usize) -> Result<Kind, &'static str> {
        let mut whole: Option<Kind> = None;
        for branch in branches {
            if types_of(branch) == ["null"] {
                continue;
            }
            let kind = self.kind(branch, depth + 1)?;
            whole = Some(match (whole, kind) {
                (None, kind) => kind,
                (Some(known), kind) if known == kind => known,
                (Some(Kind::Long), Kind::Text) | (Some(Kind::Text), Kind::Long) => Kind::Long,
                (Some(Kind::Decimal), Kind::Text | Kind::Long)
                | (Some(Kind::Text | Kind::Long), Kind::Decimal) => Kind::Decimal,
                _ => return Err(SEVERAL),
            });
        }
        whole.ok_or(ANYTHING)
    }
}

fn types_of(schema: &Value) -> Vec<&'static str> {
    schema.as_object().map(types).unwrap_or_default()
}

/// The types that a schema allows, without `null` where there are others, in alphabetical order:
/// those that it names, or those of the values that it lists.
fn types(schema: &Map<String, Value>) -> Vec<&'static str> {
    let mut found: Vec<&'static str> = match (schema.get("type"), schema.get("enum")) {
        (Some(Value::String(name)), _) => known(name).into_iter().collect(),
        (Some(Value::Array(names)), _) => {
            names.iter().filter_map(Value::as_str).filter_map(known).collect()
        }
        (_, Some(Value::Array(values))) => values.iter().map(type_of).collect(),
        _ => match schema.get("const") {
            Some(value) => vec![type_of(value)],
            None if schema.contains_key("properties") => vec!["object"],
            None => Vec::new(),
        },
    };
    found.sort_unstable();
    found.dedup();
    if found.len() > 1 {
        found.retain(|name| *name != "null");
    }
    found
}

fn known(name: &str) -> Option<&'static str> {
    ["array", "boolean", "integer", "null", "number", "object", "string"]
        .into_iter()
        .find(|known| *known == name)
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What a JSON pointer in a fragment points at.
fn lookup<'a>(root: &'a Value, pointer: &str) -> Option<&'a Value> {
    root.pointer(pointer).or_else(|| root.pointer(&unescaped(pointer)?))
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (hex, after) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(schema: &Value) -> Result<Kind, &'static str> {
        let input = json!({"type": "object", "properties": {"x": schema}, "$defs": {
            "money": {"type": "number"}, "loop": {"$ref": "#/$defs/loop"},
            "tree": {"type": "object", "properties": {"child": {"$ref": "#/$defs/tree"}}},
        }});
        let (kind, left_out) = Kind::of_input(&input);
        match kind.at(&["x".to_owned()]) {
            Some(kind) => Ok(kind.clone()),
            None => Err(left_out[0].reason),
        }
    }

    #[test]
    fn each_type_has_its_own() {
        let set = |kind| Kind::Set(Box::new(kind));
        let table = [
            (json!({"type": "integer"}), Ok(Kind::Long)),
            (json!({"type": "number"}), Ok(Kind::Decimal)),
            (json!({"type": ["integer", "number"]}), Ok(Kind::Decimal)),
            (json!({"type": ["number", "string"]}), Ok(Kind::Decimal)),
            (json!({"type": "string", "format": "date-time"}), Ok(Kind::Text)),
            (json!({"type": ["string", "null"]}), Ok(Kind::Text)),
            (json!({"enum": ["a", "b", null]}), Ok(Kind::Text)),
            (json!({"const": 3}), Ok(Kind::Long)),
            (json!({"type": "boolean"}), Ok(Kind::Bool)),
            (json!({"type": "array", "items": {"type": "integer"}}), Ok(set(Kind::Long))),
            (json!({"$ref": "#/$defs/money"}), Ok(Kind::Decimal)),
            (json!({"$ref": "#/%24defs/money"}), Ok(Kind::Decimal)),
            (json!({"anyOf": [{"type": "null"}, {"type": "boolean"}]}), Ok(Kind::Bool)),
            (json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}), Ok(Kind::Long)),
            (json!({"allOf": [{"type": "string"}, {"description": "x"}]}), Ok(Kind::Text)),
            (json!({"oneOf": [{"type": "string"}, {"type": "boolean"}]}), Err(SEVERAL)),
            (json!({"type": ["string", "boolean"]}), Err(SEVERAL)),
            (json!({}), Err(ANYTHING)),
            (json!(true), Err(ANYTHING)),
            (json!({"type": "object"}), Err("its names are free")),
            (json!({"type": "array"}), Err("its items may be anything")),
            (json!({"$ref": "#/$defs/loop"}), Err("its schema refers to itself")),
            (json!({"$ref": "#/$defs/none"}), Err("its schema is not there")),
        ];
        for (schema, expected) in table {
            assert_eq!(of(&schema), expected, "{schema}");
        }
    }

    #[test]
    fn parts_of_one_object_are_put_together() {
        let kind = of(&json!({
            "allOf": [
                {"properties": {"a": {"type": "string"}}, "required": ["a"]},
                {"properties": {"b": {"type": "integer"}}},
            ],
            "properties": {"c": {"type": "boolean"}},
        }));
        let field = |kind, required| Field { kind, required };
        let members = BTreeMap::from([
            ("a".to_owned(), field(Kind::Text, true)),
            ("b".to_owned(), field(Kind::Long, false)),
            ("c".to_owned(), field(Kind::Bool, false)),
        ]);
        assert_eq!(kind, Ok(Kind::Record(members)));
    }

    #[test]
    fn a_tree_ends_somewhere() {
        let mut kind = of(&json!({"$ref": "#/$defs/tree"})).expect("a record");
        let mut depth = 0;
        while let Some(child) = kind.at(&["child".to_owned()]) {
            kind = child.clone();
            depth += 1;
        }
        assert_eq!(depth, MAX_DEPTH - 1);
    }
}
