//! A schema as it is listed, kept small.
//!
//! Thousands of tools are listed and few are looked at: text takes a tenth of the room of a
//! value, and definitions that many tools have are kept once.

use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};
use tollbridge_operation::digest_bytes;

/// As deep as text is read back; what is deeper is kept as a value.
const DEEPEST_TEXT: usize = 100;

/// A schema that clients are shown: an object.
#[derive(Debug, Clone)]
pub struct Published {
    /// All but the shared definitions.
    head: Arc<Piece>,
    definitions: Arc<[Part]>,
}

/// A member of `$defs` that other schemas may have, too.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Its name.
    pub(super) name: Arc<str>,
    /// What stands under it.
    pub(super) piece: Arc<Piece>,
}

/// A schema, or a part of one, as it is written.
#[derive(Debug)]
pub(super) struct Piece {
    written: Written,
    digest: OnceLock<String>,
}

#[derive(Debug)]
enum Written {
    Text(Box<str>),
    Deep(Value),
}

impl Piece {
    pub(super) fn new(schema: Value) -> Self {
        let written = if is_within(&schema, DEEPEST_TEXT) {
            Written::Text(schema.to_string().into())
        } else {
            Written::Deep(schema)
        };
        Self { written, digest: OnceLock::new() }
    }

    fn to_value(&self) -> Value {
        match &self.written {
            Written::Text(text) => serde_json::from_str(text).expect("it was written as JSON"),
            Written::Deep(schema) => schema.clone(),
        }
    }

    /// About how long its text is.
    fn size(&self) -> usize {
        match &self.written {
            Written::Text(text) => text.len(),
            Written::Deep(_) => 1_000,
        }
    }

    fn write(&self, out: &mut String) {
        match &self.written {
            Written::Text(text) => out.push_str(text),
            Written::Deep(schema) => out.push_str(&schema.to_string()),
        }
    }

    fn digest(&self) -> &str {
        self.digest.get_or_init(|| match &self.written {
            Written::Text(text) => digest_bytes(text.as_bytes()),
            Written::Deep(schema) => digest_bytes(schema.to_string().as_bytes()),
        })
    }
}

impl Published {
    /// A schema that shares nothing.
    pub fn new(schema: Map<String, Value>) -> Self {
        Self::with_definitions(schema, Arc::default())
    }

    /// A schema that is written already: an object, not nested deeply.
    pub(super) fn of_text(text: String) -> Self {
        let piece = Piece { written: Written::Text(text.into()), digest: OnceLock::new() };
        Self { head: Arc::new(piece), definitions: Arc::default() }
    }

    /// A schema with definitions that others have too; they become its `$defs`.
    pub(super) fn with_definitions(schema: Map<String, Value>, definitions: Arc<[Part]>) -> Self {
        Self { head: Arc::new(Piece::new(Value::Object(schema))), definitions }
    }

    /// About how long its text is.
    pub fn size(&self) -> usize {
        let definitions = self.definitions.iter();
        let definitions = definitions.map(|one| one.name.len() + one.piece.size() + 4);
        self.head.size() + definitions.sum::<usize>() + 12
    }

    /// Equal for schemas that are written alike. What schemas share is looked at once.
    pub fn digest(&self) -> String {
        if self.definitions.is_empty() {
            return self.head.digest().to_owned();
        }
        let mut all = self.head.digest().to_owned();
        for one in self.definitions.iter() {
            all.push_str(&Value::from(&*one.name).to_string());
            all.push_str(one.piece.digest());
        }
        digest_bytes(all.as_bytes())
    }

    /// The schema as a value, made anew.
    pub fn to_map(&self) -> Map<String, Value> {
        let Value::Object(mut schema) = self.head.to_value() else { return Map::new() };
        if !self.definitions.is_empty() {
            let definitions = self.definitions.iter();
            let definitions: Map<String, Value> =
                definitions.map(|one| (one.name.to_string(), one.piece.to_value())).collect();
            schema.insert("$defs".to_owned(), Value::Object(definitions));
        }
        schema
    }

    /// Adds the schema's JSON text.
    pub fn write(&self, out: &mut String) {
        self.head.write(out);
        if self.definitions.is_empty() {
            return;
        }
        out.truncate(out.len() - 1);
        if !out.ends_with('{') {
            out.push(',');
        }
        out.push_str("\"$defs\":{");
        for (index, one) in self.definitions.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push_str(&Value::from(&*one.name).to_string());
            out.push(':');
            one.piece.write(out);
        }
        out.push_str("}}");
    }
}

fn is_within(value: &Value, depth: usize) -> bool {
    match value {
        Value::Object(members) => {
            depth > 0 && members.values().all(|one| is_within(one, depth - 1))
        }
        Value::Array(items) => depth > 0 && items.iter().all(|one| is_within(one, depth - 1)),
        _ => true,
    }
}

/// The schema without members.
impl Default for Published {
    fn default() -> Self {
        Self::new(Map::new())
    }
}

/// Equal is what is the same JSON.
impl PartialEq for Published {
    fn eq(&self, other: &Self) -> bool {
        self.to_map() == other.to_map()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { unreachable!("it is an object") };
        map
    }

    #[test]
    fn text_and_value_say_the_same_whatever_is_shared() {
        let deep = (0..300).fold(json!({}), |inner, _| json!({"items": inner}));
        let one = |depth| {
            let schema = (0..depth).fold(json!({"type": "string"}), |s, _| json!({"items": s}));
            Part { name: "A\"".into(), piece: Arc::new(Piece::new(schema)) }
        };
        for head in [json!({}), json!({"type": "object", "properties": {"a": {}}}), deep] {
            for definitions in [vec![], vec![one(0)], vec![one(300)]] {
                let mut whole = map(head.clone());
                for part in &definitions {
                    whole.insert("$defs".to_owned(), json!({"A\"": part.piece.to_value()}));
                }
                let published = Published::with_definitions(map(head.clone()), definitions.into());
                assert_eq!(published.to_map(), whole);
                let mut text = String::from("before ");
                published.write(&mut text);
                assert_eq!(text, format!("before {}", Value::Object(whole.clone())));
                assert_eq!(published, Published::new(whole));
            }
        }
    }

    #[test]
    fn a_digest_is_that_of_all_that_is_written() {
        let head = || map(json!({"type": "object"}));
        let part = |name: &str, schema: Value| Part {
            name: name.into(),
            piece: Arc::new(Piece::new(schema)),
        };
        let made = |parts: Vec<Part>| Published::with_definitions(head(), parts.into()).digest();
        let all = [
            made(vec![]),
            made(vec![part("A", json!({}))]),
            made(vec![part("B", json!({}))]),
            made(vec![part("A", json!({"type": "string"}))]),
            made(vec![part("A", json!({})), part("B", json!({}))]),
            Published::default().digest(),
        ];
        for (index, one) in all.iter().enumerate() {
            assert_eq!(all.iter().position(|other| other == one), Some(index));
        }
        assert_eq!(made(vec![part("A", json!({}))]), all[1]);
    }
}
