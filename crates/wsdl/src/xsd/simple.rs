//! A simple type: its values as text on the wire, as JSON, and as a JSON Schema.
//!
//! Writing is strict, and says what was expected. Reading keeps what breaks the type as text,
//! and says so. Numbers go through text alone: what JSON's readers would lose digits of is a
//! string in answers, and a string or a number in arguments.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::builtin::{Atomic, Space, Temporal};
use super::facets::{Facets, same_value};
use super::lexical;
use tollbridge_xml::Scope;

/// More items of a list are not read as one.
const MAX_ITEMS: usize = 100_000;

/// A simple type, with all that its bases demand.
#[derive(Debug, Clone)]
pub(crate) struct Simple {
    pub(crate) variety: Variety,
    pub(crate) facets: Facets,
}

/// §2.4.1.
#[derive(Debug, Clone)]
pub(crate) enum Variety {
    /// `xs:anySimpleType`: any text.
    Any,
    Atomic(Atomic),
    List(Arc<Simple>),
    Union(Vec<Arc<Simple>>),
}

/// Which way a schema is for: arguments may spell a number in two ways, answers in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Input,
    Output,
}

/// Whoever declares prefixes for qualified names in text.
pub(crate) trait Prefixes {
    /// A prefix that is bound to the namespace where the text will stand.
    fn prefix(&mut self, namespace: &str) -> String;
}

impl Simple {
    /// A type without facets.
    pub(crate) fn plain(variety: Variety) -> Self {
        Self { variety, facets: Facets::default() }
    }

    fn space(&self) -> Space {
        self.facets.space.unwrap_or(match &self.variety {
            Variety::Atomic(atomic) => atomic.space(),
            Variety::List(_) => Space::Collapse,
            // A union's member has its own (§4.3.6).
            Variety::Any | Variety::Union(_) => Space::Preserve,
        })
    }

    /// The lexical form of a JSON value, or what was expected instead.
    pub(crate) fn write(
        &self,
        value: &Value,
        prefixes: &mut dyn Prefixes,
    ) -> Result<String, String> {
        match &self.variety {
            Variety::Any => self.checked(None, scalar(value).ok_or("text")?),
            Variety::Atomic(atomic) => self.write_atomic(*atomic, value, prefixes),
            Variety::List(item) => {
                let items = value.as_array().ok_or("a list")?;
                let words = items.iter().map(|value| item.write(value, prefixes));
                let words = words.collect::<Result<Vec<_>, _>>()?;
                if words
                    .iter()
                    .any(|word| word.is_empty() || word.contains(tollbridge_xml::chars::is_space))
                {
                    return Err("a list of values without white space".to_owned());
                }
                let count = words.len();
                let facets = &self.facets;
                if facets.min_length.is_some_and(|least| count < least)
                    || facets.max_length.is_some_and(|most| count > most)
                {
                    return Err(format!("a list with {}", facets.length_in_words()));
                }
                Ok(words.join(" "))
            }
            Variety::Union(members) => {
                let mut expected = Vec::new();
                for member in members {
                    match member.write(value, prefixes) {
                        Ok(text) => return self.checked(None, text),
                        Err(other) => expected.push(other),
                    }
                }
                expected.dedup();
                Err(expected.join(", or "))
            }
        }
    }

    fn write_atomic(
        &self,
        atomic: Atomic,
        value: &Value,
        prefixes: &mut dyn Prefixes,
    ) -> Result<String, String> {
        let expected = || expected(atomic).to_owned();
        let text = match (atomic, value) {
            (Atomic::Boolean, Value::Bool(value)) => value.to_string(),
            (Atomic::Boolean, _) => return Err(expected()),
            (_, Value::Bool(_)) if atomic.is_number() => return Err(expected()),
            _ => scalar(value).ok_or_else(expected)?,
        };
        if atomic == Atomic::QName {
            return write_name(&text, prefixes);
        }
        if self.space() == Space::Preserve {
            return if lexical::is(atomic, &text) {
                self.checked(Some(atomic), text)
            } else {
                Err(expected())
            };
        }
        let text = self.space().apply(&text).into_owned();
        if !lexical::is(atomic, &text) {
            return Err(expected());
        }
        if let Atomic::Integer(least, most) = atomic {
            within(&text, least, most)?;
        }
        self.checked(Some(atomic), text)
    }

    fn checked(&self, atomic: Option<Atomic>, text: String) -> Result<String, String> {
        match self.facets.broken(atomic, &text) {
            Some(expected) => Err(expected),
            None => Ok(text),
        }
    }

    /// The JSON value of a text, or what was expected instead. `scope` resolves prefixes.
    pub(crate) fn read(&self, text: &str, scope: &Scope) -> Result<Value, String> {
        let text = self.space().apply(text);
        match &self.variety {
            Variety::Any => Ok(Value::String(text.into_owned())),
            Variety::Atomic(atomic) => {
                let value = read_atomic(*atomic, &text, scope)
                    .ok_or_else(|| expected(*atomic).to_owned())?;
                match self.facets.broken(Some(*atomic), &text) {
                    Some(expected) => Err(expected),
                    None => Ok(value),
                }
            }
            Variety::List(item) => {
                let words = text.split(' ').filter(|word| !word.is_empty());
                if words.clone().count() > MAX_ITEMS {
                    return Err(format!("a list of at most {MAX_ITEMS} values"));
                }
                words.map(|word| item.read(word, scope)).collect()
            }
            Variety::Union(members) => {
                let mut expected = Vec::new();
                for member in members {
                    match member.read(&text, scope) {
                        Ok(value) => return Ok(value),
                        Err(other) => expected.push(other),
                    }
                }
                Err(expected.join(", or "))
            }
        }
    }

    /// The bytes that a lexical form stands for, where the type is one of bytes.
    pub(crate) fn octets(&self, text: &str) -> Option<Vec<u8>> {
        match self.variety {
            Variety::Atomic(Atomic::Base64) => lexical::base64(text),
            Variety::Atomic(Atomic::Hex) => lexical::hex(text),
            _ => None,
        }
    }

    /// Whether two texts are one value of the type, such as `1` and `01`.
    pub(crate) fn is_same(&self, text: &str, other: &str) -> bool {
        let (text, other) = (self.space().apply(text), self.space().apply(other));
        let atomic = match self.variety {
            Variety::Atomic(atomic) => Some(atomic),
            _ => None,
        };
        same_value(atomic, &other, &text)
    }

    /// The type as a JSON Schema.
    pub(crate) fn schema(&self, direction: Direction) -> Value {
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
                schema
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
        if !facets.enumeration.is_empty() {
            let values = facets.enumeration.iter();
            let values: Vec<Value> = values
                .map(|text| {
                    let text = self.space().apply(text);
                    read_atomic(atomic, &text, &Scope::default())
                        .unwrap_or_else(|| Value::String(text.into_owned()))
                })
                .collect();
            if atomic != Atomic::QName {
                if values.iter().all(Value::is_string) {
                    schema.insert("type".into(), "string".into());
                }
                schema.insert("enum".into(), values.into());
                return Value::Object(schema);
            }
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
        if words != "text" {
            schema.insert("description".into(), format!("Expected: {words}.").into());
        }
        if atomic == Atomic::Base64 {
            schema.insert("contentEncoding".into(), "base64".into());
        }
        let last = facets.patterns.last().map(Vec::as_slice);
        if let (Some([pattern]), true) = (last, self.space() == Space::Preserve)
            && let Some(ecma) = &pattern.ecma
        {
            schema.insert("pattern".into(), ecma.clone().into());
        } else if let Some([pattern]) = last {
            let note = format!("Matches the XML Schema pattern {}.", pattern.source);
            match schema.get_mut("description") {
                Some(Value::String(said)) => {
                    said.push(' ');
                    said.push_str(&note);
                }
                _ => {
                    schema.insert("description".into(), note.into());
                }
            }
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
        let mut words = expected(atomic).to_owned();
        for (word, bound) in [("at least", &self.facets.least), ("at most", &self.facets.most)] {
            if let Some(bound) = bound {
                let word = match (word, bound.inclusive) {
                    (word, true) => word,
                    ("at least", false) => "more than",
                    _ => "less than",
                };
                words = format!("{words}, {word} {}", bound.text);
            }
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

fn write_name(text: &str, prefixes: &mut dyn Prefixes) -> Result<String, String> {
    let expected = || expected(Atomic::QName).to_owned();
    let text = text.trim_matches(tollbridge_xml::chars::is_space);
    let (namespace, local) = match text.strip_prefix('{') {
        Some(rest) => rest.split_once('}').ok_or_else(expected)?,
        None => ("", text),
    };
    if !tollbridge_xml::chars::is_nc_name(local)
        || !namespace.chars().all(tollbridge_xml::chars::is_xml)
    {
        return Err(expected());
    }
    if namespace.is_empty() {
        return Ok(local.to_owned());
    }
    Ok(format!("{}:{local}", prefixes.prefix(namespace)))
}

/// The text of a value that has one. With `arbitrary_precision` a number's are the digits as
/// they were written.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn within(text: &str, least: Option<&str>, most: Option<&str>) -> Result<(), String> {
    use tollbridge_operation::Decimal;
    let value = Decimal::parse(text);
    let beyond = |limit: Option<&str>, over: bool| {
        let limit = limit.and_then(Decimal::parse);
        matches!((&value, &limit), (Some(value), Some(limit)) if if over { value > limit } else { value < limit })
    };
    if let Some(least) = least.filter(|_| beyond(least, false)) {
        return Err(format!("a whole number that is at least {least}"));
    }
    if let Some(most) = most.filter(|_| beyond(most, true)) {
        return Err(format!("a whole number that is at most {most}"));
    }
    Ok(())
}

fn read_atomic(atomic: Atomic, text: &str, scope: &Scope) -> Option<Value> {
    if !lexical::is(atomic, text) {
        return None;
    }
    Some(match atomic {
        Atomic::Boolean => Value::Bool(matches!(text, "true" | "1")),
        Atomic::Integer(..) if atomic.is_small() => Value::Number(lexical::integer(text)?),
        Atomic::Double if lexical::is_special(text) => text.trim_start_matches('+').into(),
        Atomic::Double => Value::Number(lexical::double(text)?),
        Atomic::QName => {
            let (prefix, local) = text.split_once(':').unwrap_or(("", text));
            match scope.namespace(prefix) {
                Some(namespace) => format!("{{{namespace}}}{local}").into(),
                None if prefix.is_empty() => local.into(),
                None => text.into(),
            }
        }
        _ => text.into(),
    })
}

/// What an atomic type expects, for an error and for an agent.
fn expected(atomic: Atomic) -> &'static str {
    match atomic {
        Atomic::String | Atomic::Normalized | Atomic::Token => "text",
        Atomic::Language => "a language tag, such as en or de-CH",
        Atomic::Name(_) => "an XML name",
        Atomic::Uri => "a URI",
        Atomic::Boolean => "true or false",
        Atomic::Decimal => "a number without an exponent, as a number or its digits in a string",
        Atomic::Integer(..) if atomic.is_small() => "a whole number",
        Atomic::Integer(..) => "a whole number, as a number or its digits in a string",
        Atomic::Double => "a number, or \"INF\", \"-INF\" or \"NaN\"",
        Atomic::Temporal(kind) => match kind {
            Temporal::DateTime => "a date and time, such as 2026-11-25T10:00:00Z",
            Temporal::DateTimeStamp => {
                "a date and time with its zone, such as 2026-11-25T10:00:00Z"
            }
            Temporal::Date => "a date, such as 2026-11-25",
            Temporal::Time => "a time, such as 10:00:00",
            Temporal::Year => "a year, such as 2026",
            Temporal::YearMonth => "a year and month, such as 2026-11",
            Temporal::Month => "a month, such as --11",
            Temporal::MonthDay => "a month and day, such as --11-25",
            Temporal::Day => "a day of the month, such as ---25",
            Temporal::Duration => "a duration, such as P1DT2H",
            Temporal::DayTimeDuration => "a duration in days and times, such as P1DT2H",
            Temporal::YearMonthDuration => "a duration in years and months, such as P1Y2M",
        },
        Atomic::Base64 => "bytes in base64",
        Atomic::Hex => "bytes in hexadecimal digits, two a byte",
        Atomic::QName => "a qualified name, {namespace}local",
    }
}
