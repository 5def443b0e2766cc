//! Reading JSON Schema 2020-12 as a value: references, types, and schemas in words.
//!
//! Schemas come from strangers, so everything here is bounded: a walk that meets too much
//! answers with what is always true of a schema it did not finish.

use std::cell::Cell;
use std::collections::HashMap;

use serde_json::{Map, Value};
use tollbridge_operation::Schema;

use super::text;

/// How many subschemas one question looks at.
const FUEL: u32 = 20_000;

/// How deep one question looks.
const DEPTH: u32 = 24;

/// Follows a local reference (`#`, `#/$defs/Name`). `None` for any other, or a dangling one.
pub(super) fn resolve<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    let pointer = reference.strip_prefix('#')?;
    if pointer.is_empty() {
        return Some(root);
    }
    // The fragment of a URI is percent-encoded (RFC 6901 §6).
    let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8().ok()?;
    root.pointer(&pointer)
}

/// A schema as it stands, with the definitions that are kept apart from it.
pub(super) struct Whole<'a> {
    pub(super) root: &'a Value,
    apart: HashMap<&'a str, &'a Value>,
}

impl<'a> Whole<'a> {
    pub(super) fn of(schema: &'a Schema) -> Self {
        let apart = schema.definitions().iter().map(|one| (&*one.name, &*one.schema)).collect();
        Self { root: schema.root(), apart }
    }

    pub(super) fn alone(root: &'a Value) -> Self {
        Self { root, apart: HashMap::new() }
    }

    /// Follows a local reference, as [`resolve`] does.
    pub(super) fn resolve(&self, reference: &str) -> Option<&'a Value> {
        let kept = reference.strip_prefix("#/$defs/").filter(|_| !self.apart.is_empty());
        let Some(inside) = kept else { return resolve(self.root, reference) };
        let inside = percent_encoding::percent_decode_str(inside).decode_utf8().ok()?;
        let (name, rest) = inside.split_at(inside.find('/').unwrap_or(inside.len()));
        let name = name.replace("~1", "/").replace("~0", "~");
        self.apart.get(name.as_str())?.pointer(rest)
    }
}

/// A set of JSON Schema's types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    const NAMES: [&'static str; 7] =
        ["string", "number", "integer", "boolean", "object", "array", "null"];
    /// Whatever JSON can say.
    pub(super) const ANY: Self = Self(0b111_1111);
    pub(super) const NONE: Self = Self(0);
    pub(super) const STRING: Self = Self(1);
    /// Numbers, whole ones among them.
    pub(super) const NUMBER: Self = Self(0b110);
    pub(super) const OBJECT: Self = Self(1 << 4);
    pub(super) const ARRAY: Self = Self(1 << 5);

    fn named(name: &str) -> Self {
        match name {
            "number" => Self::NUMBER,
            _ => Self::NAMES.iter().position(|n| *n == name).map_or(Self::NONE, |i| Self(1 << i)),
        }
    }

    /// The type of a value.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::named("null"),
            Value::Bool(_) => Self::named("boolean"),
            Value::Number(_) => Self::NUMBER,
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        }
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The types in words: `string or null`.
    pub(super) fn words(self) -> String {
        match self {
            Self::ANY => return "any value".to_owned(),
            Self::STRING => return "string".to_owned(),
            Self::OBJECT => return "object".to_owned(),
            Self::ARRAY => return "list".to_owned(),
            Self::NUMBER => return "number".to_owned(),
            _ => {}
        }
        let names: Vec<&str> = Self::NAMES
            .iter()
            .enumerate()
            .filter(|(i, name)| {
                // A number may be whole: the one word says both.
                self.0 & (1 << i) != 0 && !(**name == "integer" && self.0 & 0b10 != 0)
            })
            .map(|(_, name)| if *name == "array" { "list" } else { *name })
            .collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(" or ") }
    }
}

/// Bounds one question about a schema.
pub(super) struct Walk<'a> {
    pub(super) root: &'a Value,
    whole: Whole<'a>,
    fuel: Cell<u32>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self { root, whole: Whole::alone(root), fuel: Cell::new(FUEL) }
    }

    /// A walk through a schema whose definitions stay where they are.
    pub(super) fn through(schema: &'a Schema) -> Self {
        let whole = Whole::of(schema);
        Self { root: whole.root, whole, fuel: Cell::new(FUEL) }
    }

    /// Whether the walk may go on.
    pub(super) fn spend(&self, depth: u32) -> bool {
        let left = self.fuel.get();
        self.fuel.set(left.saturating_sub(1));
        left > 0 && depth < DEPTH
    }

    /// The types that a valid value may have: never fewer than are possible.
    pub(super) fn types(&self, schema: &Value, depth: u32) -> Types {
        let object = match schema {
            Value::Bool(false) => return Types::NONE,
            Value::Object(object) if self.spend(depth) => object,
            _ => return Types::ANY,
        };
        let mut types = match keyword(object, "type") {
            Some(Value::String(name)) => Types::named(name),
            Some(Value::Array(names)) => names
                .iter()
                .filter_map(Value::as_str)
                .fold(Types::NONE, |types, name| types.or(Types::named(name))),
            _ => Types::ANY,
        };
        if let Some(Value::Array(values)) = keyword(object, "enum") {
            types = types.and(values.iter().fold(Types::NONE, |t, v| t.or(Types::of(v))));
        }
        if let Some(value) = keyword(object, "const") {
            types = types.and(Types::of(value));
        }
        if let Some(target) = self.target(object) {
            types = types.and(self.types(target, depth + 1));
        }
        for member in members(object, "allOf") {
            types = types.and(self.types(member, depth + 1));
        }
        for name in ["anyOf", "oneOf"] {
            if keyword(object, name).is_some_and(Value::is_array) {
                let any = members(object, name)
                    .fold(Types::NONE, |t, member| t.or(self.types(member, depth + 1)));
                types = types.and(any);
            }
        }
        types
    }

    /// What `$ref` points to.
    pub(super) fn target(&self, object: &Map<String, Value>) -> Option<&'a Value> {
        self.whole.resolve(keyword(object, "$ref")?.as_str()?)
    }

    /// The schema in a few words: `string (date-time)`, `one of "a", "b"`, `list of object`.
    pub(super) fn words(&self, schema: &Value, depth: u32) -> String {
        let Value::Object(object) = schema else { return "any value".to_owned() };
        if !self.spend(depth) {
            return "any value".to_owned();
        }
        if let Some(Value::Array(values)) = keyword(object, "enum") {
            return choices(values);
        }
        if let Some(value) = keyword(object, "const") {
            return text::cut(&value.to_string(), 60);
        }
        if keyword(object, "type").is_none() {
            if let Some(target) = self.target(object) {
                return self.words(target, depth + 1);
            }
            if let Some(Value::Array(list)) = keyword(object, "allOf")
                && let [only] = list.as_slice()
            {
                return self.words(only, depth + 1);
            }
            for name in ["anyOf", "oneOf"] {
                if let Some(Value::Array(branches)) = keyword(object, name) {
                    let mut words: Vec<String> = Vec::new();
                    for branch in branches.iter().take(5) {
                        let branch = self.words(branch, depth + 1);
                        if !words.contains(&branch) {
                            words.push(branch);
                        }
                    }
                    return text::cut(&words.join(" or "), 160);
                }
            }
        }
        let types = self.types(schema, depth);
        let words = types.words();
        if types == Types::ARRAY {
            return match keyword(object, "items") {
                Some(items @ Value::Object(_)) => {
                    text::cut(&format!("list of {}", self.words(items, depth + 1)), 160)
                }
                _ => words,
            };
        }
        match keyword(object, "format").and_then(Value::as_str) {
            Some(format) if types.overlaps(Types::STRING.or(Types::NUMBER)) => {
                format!("{words} ({})", text::cut(&text::clean_line(format), 30))
            }
            _ => words,
        }
    }
}

/// A keyword's value. Most schemas have few keywords, which are compared faster than one is hashed.
pub(super) fn keyword<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    const FEW: usize = 12;
    if object.len() > FEW {
        return object.get(name);
    }
    object.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// The subschemas in a keyword that holds a list of them.
pub(super) fn members<'v>(
    object: &'v Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'v Value> {
    keyword(object, name).and_then(Value::as_array).into_iter().flatten()
}

/// The values of an `enum` in words, bounded.
pub(super) fn choices(values: &[Value]) -> String {
    let shown: Vec<String> =
        values.iter().take(20).map(|value| text::cut(&value.to_string(), 40)).collect();
    let more = values.len() - shown.len();
    let words = match shown.as_slice() {
        [only] => return only.clone(),
        _ if more > 0 => format!("one of {} and {more} more", shown.join(", ")),
        _ => format!("one of {}", shown.join(", ")),
    };
    text::cut(&words, 400)
}

/// A token of a JSON pointer, escaped (RFC 6901 §3).
pub(super) fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

/// The candidate that is spelled most like `name`, where one is close.
pub(super) fn closest<'n>(
    name: &str,
    candidates: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let lower = name.chars().take(80).collect::<String>().to_lowercase();
    candidates
        .into_iter()
        .take(1_000)
        .filter(|candidate| candidate.len() <= 200)
        .map(|candidate| (strsim::jaro_winkler(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_reads_as_words() {
        let root = json!({"$defs": {"A": {"type": "string", "enum": ["x", "y"]}}});
        for (schema, words) in [
            (json!({"type": "string"}), "string"),
            (json!({"type": "string", "format": "date-time"}), "string (date-time)"),
            (json!({"type": ["string", "null"]}), "string or null"),
            (json!({"type": ["number", "integer"]}), "number"),
            (json!({"type": "array", "items": {"type": "integer"}}), "list of integer"),
            (json!({"$ref": "#/$defs/A"}), "one of \"x\", \"y\""),
            (json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), "string or null"),
            (json!({"const": 5}), "5"),
            (json!({}), "any value"),
            (json!(true), "any value"),
        ] {
            assert_eq!(Walk::new(&root).words(&schema, 0), words, "{schema}");
        }
    }

    #[test]
    fn definitions_that_are_kept_apart_are_found_as_if_they_were_not() {
        use tollbridge_operation::Definition;

        let one = json!({"properties": {"x/y": {"type": "integer"}}});
        let root = Map::from_iter([("$ref".to_owned(), json!("#/$defs/A~1B"))]);
        let apart = Definition { name: "A/B".into(), schema: one.into() };
        let schema = Schema::with_definitions(root, [apart].into());
        let value = schema.to_value();
        for reference in [
            "#",
            "#/$defs/A~1B",
            "#/%24defs/A~1B",
            "#/$defs/A~1B/properties/x~1y",
            "#/$defs/A",
            "a",
        ] {
            let found = Whole::of(&schema).resolve(reference).cloned();
            let expected = match reference {
                "#" => Some((**schema.root()).clone()),
                "#/%24defs/A~1B" => None,
                reference => resolve(&value, reference).cloned(),
            };
            assert_eq!(found, expected, "{reference}");
        }
        assert_eq!(Walk::through(&schema).words(&json!({"$ref": "#/$defs/A~1B"}), 0), "any value");
    }

    #[test]
    fn a_reference_to_itself_ends() {
        let root = json!({"$defs": {"A": {"$ref": "#/$defs/A"}, "B": {"anyOf": [{"$ref": "#/$defs/B"}, {"$ref": "#/$defs/B"}]}}});
        for name in ["A", "B"] {
            let schema = json!({"$ref": format!("#/$defs/{name}")});
            let walk = Walk::new(&root);
            assert_eq!(walk.words(&schema, 0), "any value");
            assert_eq!(Walk::new(&root).types(&schema, 0), Types::ANY);
        }
    }

    #[test]
    fn a_slip_is_recognised() {
        assert_eq!(closest("warehose", ["article", "warehouse"]), Some("warehouse"));
        assert_eq!(closest("zzz", ["article", "warehouse"]), None);
    }
}
