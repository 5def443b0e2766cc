//! A simple type: its values as text on the wire, and as JSON.
//!
//! Writing is strict, and says what was expected. Reading keeps what breaks the type as text,
//! and says so. Numbers go through text alone: what JSON's readers would lose digits of is a
//! string in answers, and a string or a number in arguments.

use std::sync::Arc;

use serde_json::Value;

use super::builtin::{Atomic, NameKind, Space, Temporal};
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

    pub(super) fn space(&self) -> Space {
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
                self.chosen(words.join(" "))
            }
            Variety::Union(members) => {
                let mut expected = Vec::new();
                for member in members {
                    match member.write(value, prefixes) {
                        Ok(text) => return self.chosen(text),
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

    /// The text of a list or a union, by the values and patterns that its facets have.
    fn chosen(&self, text: String) -> Result<String, String> {
        match self.facets.broken_choice(None, &text) {
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
                if let Atomic::Integer(least, most) = atomic {
                    within(&text, *least, *most)?;
                }
                match self.facets.broken(Some(*atomic), &text) {
                    Some(expected) => Err(expected),
                    None => Ok(value),
                }
            }
            Variety::List(item) => {
                let words = text.split(' ').filter(|word| !word.is_empty());
                let count = words.clone().count();
                if count > MAX_ITEMS {
                    return Err(format!("a list of at most {MAX_ITEMS} values"));
                }
                let facets = &self.facets;
                if facets.min_length.is_some_and(|least| count < least)
                    || facets.max_length.is_some_and(|most| count > most)
                {
                    return Err(format!("a list with {}", facets.length_in_words()));
                }
                self.chosen(text.to_string())?;
                words.map(|word| item.read(word, scope)).collect()
            }
            Variety::Union(members) => {
                let mut expected = Vec::new();
                for member in members {
                    match member.read(&text, scope) {
                        Ok(value) => return self.chosen(text.to_string()).map(|_| value),
                        Err(other) => expected.push(other),
                    }
                }
                Err(expected.join(", or "))
            }
        }
    }

    /// Whether values of the type are IDs or references to them, or lists of such.
    pub(crate) fn has_identity(&self) -> bool {
        match &self.variety {
            Variety::Atomic(atomic) => {
                matches!(atomic, Atomic::Name(NameKind::Id | NameKind::IdRef))
            }
            Variety::List(item) => item.has_identity(),
            Variety::Union(members) => members.iter().any(|member| member.has_identity()),
            Variety::Any => false,
        }
    }

    /// Whether values of the type are IDs, or have some in them.
    pub(crate) fn has_ids(&self) -> bool {
        match &self.variety {
            Variety::Atomic(atomic) => *atomic == Atomic::Name(NameKind::Id),
            Variety::List(item) => item.has_ids(),
            Variety::Union(members) => members.iter().any(|member| member.has_ids()),
            Variety::Any => false,
        }
    }

    /// The IDs, and the references to some, that a text of the type has in it.
    pub(crate) fn identities<'t>(&self, text: &'t str) -> Vec<(NameKind, &'t str)> {
        if !self.has_identity() {
            return Vec::new();
        }
        let text = text.trim_matches(tollbridge_xml::chars::is_space);
        match &self.variety {
            Variety::Atomic(Atomic::Name(kind)) => vec![(*kind, text)],
            Variety::List(item) => {
                text.split_ascii_whitespace().flat_map(|word| item.identities(word)).collect()
            }
            // The first of a union's members that takes the text gives it its type (§2.4.1.3).
            Variety::Union(members) => members
                .iter()
                .find(|member| member.read(text, &Scope::default()).is_ok())
                .map(|member| member.identities(text))
                .unwrap_or_default(),
            Variety::Atomic(_) | Variety::Any => Vec::new(),
        }
    }

    /// The bytes that a lexical form stands for, where the type is one of bytes.
    pub(crate) fn octets(&self, text: &str) -> Option<Vec<u8>> {
        match self.variety {
            Variety::Atomic(Atomic::Base64 | Atomic::Attached) => lexical::base64(text),
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

pub(super) fn read_atomic(atomic: Atomic, text: &str, scope: &Scope) -> Option<Value> {
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
pub(super) fn expected(atomic: Atomic) -> &'static str {
    match atomic {
        Atomic::String | Atomic::Normalized | Atomic::Token => "text",
        Atomic::Language => "a language tag, such as en or de-CH",
        Atomic::Name(NameKind::Id) => "an XML name that stands once in the message",
        Atomic::Name(NameKind::IdRef) => "an XML name that is an ID in the message",
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
        Atomic::Attached => "bytes in base64, which go beside the message",
        Atomic::Hex => "bytes in hexadecimal digits, two a byte",
        Atomic::QName => "a qualified name, {namespace}local",
    }
}
