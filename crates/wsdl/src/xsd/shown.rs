//! A simple type as a JSON Schema: what an agent may say, and what it is told.
//!
//! The schema may say less than the type demands: what JSON Schema has no words for is said in
//! English, and held when a value is written. It says no more, but that white space which the
//! type would drop is not asked for where a pattern stands.

use serde_json::{Map, Value, json};

use super::builtin::{Atomic, Space};
use super::facets::{Facets, zone_in_words};
use super::lexical;
use super::simple::{Direction, Simple, Variety, expected};
use tollbridge_xml::Scope;

impl Simple {
    /// The type as a JSON Schema.
    pub(crate) fn schema(&self, direction: Direction) -> Value {
        let mut schema = self.values_schema(direction);
        if let Value::Object(schema) = &mut schema {
            for test in &self.facets.assertions {
                note(schema, &format!("Must hold (XPath): {test}"));
            }
        }
        schema
    }

    fn values_schema(&self, direction: Direction) -> Value {
        match &self.variety {
            Variety::Any => json!({"type": "string"}),
            Variety::Atomic(atomic) => self.atomic_schema(*atomic, direction),
            Variety::List(item) => {
                let mut schema = json!({"type": "array", "items": item.schema(direction)});
                if let Some(least) = self.facets.min_length {
                    schema["minItems"] = least.into();
                }
                if let Some(most) = self.facets.max_length {
                    schema["maxItems"] = most.into();
                }
                if !self.facets.enumeration.is_empty() {
                    schema["enum"] = self.values().into();
                }
                schema
            }
            Variety::Union(_) if !self.facets.enumeration.is_empty() => {
                json!({"enum": self.values()})
            }
            Variety::Union(members) => {
                let mut schemas: Vec<Value> = Vec::new();
                for member in members {
                    let schema = member.schema(direction);
                    if !schemas.contains(&schema) {
                        schemas.push(schema);
                    }
                }
                match schemas.len() {
                    0 => json!({"type": "string"}),
                    1 => schemas.swap_remove(0),
                    _ => json!({"anyOf": schemas}),
                }
            }
        }
    }

    fn atomic_schema(&self, atomic: Atomic, direction: Direction) -> Value {
        let mut schema = Map::new();
        let facets = &self.facets;
        if !facets.enumeration.is_empty() && atomic != Atomic::QName {
            let mut values = self.values();
            if values.iter().all(Value::is_string) {
                if atomic.is_number() && direction == Direction::Input {
                    // An argument may spell such a number in either way.
                    let numbers: Vec<Value> = values
                        .iter()
                        .filter_map(|text| lexical::double(text.as_str()?).map(Value::Number))
                        .collect();
                    values.extend(numbers);
                } else {
                    schema.insert("type".into(), "string".into());
                }
            }
            schema.insert("enum".into(), values.into());
            return Value::Object(schema);
        }
        match atomic {
            Atomic::Boolean => return json!({"type": "boolean"}),
            Atomic::Decimal | Atomic::Integer(..) if !atomic.is_small() => {
                return self.long_number(atomic, direction);
            }
            Atomic::Integer(least, most) => {
                schema.insert("type".into(), "integer".into());
                self.bounds(&mut schema, least, most);
            }
            Atomic::Double => {
                let mut number = Map::from_iter([("type".to_owned(), Value::from("number"))]);
                self.bounds(&mut number, None, None);
                let specials: Vec<&str> = ["INF", "-INF", "NaN"]
                    .into_iter()
                    .filter(|special| facets.broken(Some(atomic), special).is_none())
                    .collect();
                if specials.is_empty() {
                    return Value::Object(number);
                }
                return json!({"anyOf": [number, {"type": "string", "enum": specials}]});
            }
            _ => {
                schema.insert("type".into(), "string".into());
            }
        }
        if schema.get("type").is_some_and(|t| t == "string") {
            self.text_facets(&mut schema, atomic);
        }
        Value::Object(schema)
    }

    fn text_facets(&self, schema: &mut Map<String, Value>, atomic: Atomic) {
        let facets = &self.facets;
        let mut words = expected(atomic).to_owned();
        // Characters are counted as the schema's reader counts them where white space stays; of
        // bytes and of collapsed text the length is another.
        if !matches!(self.space(), Space::Collapse) {
            if let Some(least) = facets.min_length.filter(|&least| least > 0) {
                schema.insert("minLength".into(), least.into());
            }
            if let Some(most) = facets.max_length {
                schema.insert("maxLength".into(), most.into());
            }
        } else if facets.min_length.is_some() || facets.max_length.is_some() {
            words = format!("{words}, {}", facets.length_in_words());
        }
        if let Atomic::Temporal(_) = atomic {
            words = self.bounds_in_words(words, ["not before", "after"], ["not after", "before"]);
            if let Some(wanted) = facets.zone {
                words = format!("{words}, {}", zone_in_words(wanted));
            }
        }
        if words != "text" {
            schema.insert("description".into(), format!("Expected: {words}.").into());
        }
        if matches!(atomic, Atomic::Base64 | Atomic::Attached) {
            schema.insert("contentEncoding".into(), "base64".into());
        }
        self.patterns(schema);
    }

    /// Patterns: all steps of derivation must match, and of one step any (part 2 §4.3.4.3).
    /// What ECMA-262 cannot say is said in words.
    fn patterns(&self, schema: &mut Map<String, Value>) {
        let mut said = Vec::new();
        let mut words = Vec::new();
        for step in &self.facets.patterns {
            let each: Vec<&str> = step.iter().filter_map(|one| one.ecma.as_deref()).collect();
            if each.len() == step.len() {
                said.push(each.join("|"));
            } else {
                let sources: Vec<&str> = step.iter().map(|one| one.source.as_str()).collect();
                words.push(sources.join(" or "));
            }
        }
        match said.len() {
            0 => {}
            1 => {
                schema.insert("pattern".into(), said.swap_remove(0).into());
            }
            _ => {
                let all: Vec<Value> = said.into_iter().map(|one| json!({"pattern": one})).collect();
                schema.insert("allOf".into(), all.into());
            }
        }
        if !words.is_empty() {
            note(schema, &format!("Matches the XML Schema pattern {}.", words.join(" and ")));
        }
    }

    /// Decimals and whole numbers that JSON's readers lose digits of.
    fn long_number(&self, atomic: Atomic, direction: Direction) -> Value {
        let whole = matches!(atomic, Atomic::Integer(..));
        let pattern = if whole {
            r"^\s*[+-]?[0-9]+\s*$"
        } else {
            r"^\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*$"
        };
        let mut text = Map::from_iter([("type".to_owned(), Value::from("string"))]);
        let words = expected(atomic).to_owned();
        let mut words =
            self.bounds_in_words(words, ["at least", "more than"], ["at most", "less than"]);
        if let Some(most) = self.facets.total_digits {
            words = format!("{words}, of at most {most} digits");
        }
        if let Some(most) = self.facets.fraction_digits.filter(|_| !whole) {
            words = format!("{words}, at most {most} of them behind the point");
        }
        text.insert("description".into(), format!("Expected: {words}.").into());
        text.insert("pattern".into(), pattern.into());
        if direction == Direction::Output {
            return Value::Object(text);
        }
        let kind = if whole { "integer" } else { "number" };
        let mut number = Map::from_iter([("type".to_owned(), Value::from(kind))]);
        let (least, most) = match atomic {
            Atomic::Integer(least, most) => (least, most),
            _ => (None, None),
        };
        self.bounds(&mut number, least, most);
        json!({"anyOf": [text, number]})
    }

    fn bounds_in_words(&self, mut words: String, least: [&str; 2], most: [&str; 2]) -> String {
        for ([inclusive, exclusive], bound) in
            [(least, &self.facets.least), (most, &self.facets.most)]
        {
            if let Some(bound) = bound {
                let word = if bound.inclusive { inclusive } else { exclusive };
                words = format!("{words}, {word} {}", bound.text);
            }
        }
        words
    }

    /// The values of an enumeration, as JSON.
    fn values(&self) -> Vec<Value> {
        let plain = Self {
            variety: self.variety.clone(),
            facets: Facets { space: self.facets.space, ..Facets::default() },
        };
        let each = self.facets.enumeration.iter().map(|text| {
            plain.read(text, &Scope::default()).unwrap_or_else(|_| Value::String(text.clone()))
        });
        each.collect()
    }

    fn bounds(&self, schema: &mut Map<String, Value>, least: Option<&str>, most: Option<&str>) {
        let facets = &self.facets;
        let number = |text: &str| lexical::double(text.trim()).map(Value::Number);
        let sides = [
            ("minimum", "exclusiveMinimum", &facets.least, least),
            ("maximum", "exclusiveMaximum", &facets.most, most),
        ];
        for (inclusive, exclusive, bound, builtin) in sides {
            let (key, text) = match (bound, builtin) {
                (Some(bound), _) if bound.inclusive => (inclusive, bound.text.as_str()),
                (Some(bound), _) => (exclusive, bound.text.as_str()),
                (None, Some(text)) => (inclusive, text),
                (None, None) => continue,
            };
            if let Some(value) = number(text) {
                schema.insert(key.into(), value);
            }
        }
    }
}

/// Adds a sentence to a description.
fn note(schema: &mut Map<String, Value>, sentence: &str) {
    match schema.get_mut("description") {
        Some(Value::String(said)) => {
            said.push(' ');
            said.push_str(sentence);
        }
        _ => {
            schema.insert("description".into(), sentence.into());
        }
    }
}
