//! JSON text into a value: numbers keep their digits, and a member that is named twice is
//! reported. Real documents have such members; the last one counts, as in most parsers.
//!
//! Examples that nothing of ours reads may be left out: they are half of many large documents,
//! and a value takes several times the room of its text.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use crate::ReadError;
use crate::document::{Pointer, Warnings};
use crate::pointer::Path;

/// The depth at which `serde_json` stops.
const MAX_DEPTH: usize = 128;
/// How many repeated members are told of.
const MAX_REPORTED: usize = 100;
/// How `serde_json` hands over a number with all of its digits.
const NUMBER: &str = "$serde_json::private::Number";

/// What becomes of the examples of media types and responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Examples {
    /// They are a part of the value.
    Kept,
    /// They are looked through for mistakes and are null in the value. Those of schemas and
    /// parameters are kept: they help a model.
    LeftOut,
}

/// Parses one JSON text.
pub(crate) fn parse(
    text: &str,
    examples: Examples,
    warnings: &mut Warnings,
) -> Result<Value, ReadError> {
    let (twice, open) = (RefCell::default(), RefCell::default());
    let mut parser = serde_json::Deserializer::from_str(text);
    let seed = Node { at: Path::Root, examples, twice: &twice, open: &open };
    let value = seed.deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
    match value {
        Ok(value) => {
            for pointer in twice.into_inner() {
                warnings.add(&pointer, "the member is named twice; the last one counts");
            }
            Ok(value)
        }
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let message = error.to_string();
            if message.starts_with("recursion limit exceeded") {
                return Err(ReadError::TooDeep { line, column, limit: MAX_DEPTH });
            }
            // serde_json writes the place behind the message; ours stands before it.
            let place = format!(" at line {line} column {column}");
            let message = message.strip_suffix(&place).unwrap_or(&message).to_owned();
            Err(ReadError::Syntax { line, column, message })
        }
    }
}

/// Whether a place holds examples that are never read: `example` and `examples` of a media
/// type, the `examples` of a response (Swagger 2.0), and those of the components, which only
/// the former refer to. A place within data, such as a default, is none: it is read as it is.
fn is_unread(at: &Path<'_>) -> bool {
    let Path::Member(owner, word) = at else { return false };
    let (Path::Member(list, name), true) = (owner, matches!(*word, "example" | "examples")) else {
        return false;
    };
    let is_status = |name: &str| name.len() == 3 && name.bytes().all(|b| b.is_ascii_digit());
    let found = match list {
        Path::Root => *name == "components" && *word == "examples",
        Path::Member(_, "content") => name.contains('/'),
        Path::Member(_, "responses") => is_status(name) && *word == "examples",
        Path::Member(..) | Path::Item(..) => false,
    };
    found && !is_within_data(list)
}

fn is_within_data(at: &Path<'_>) -> bool {
    match at {
        Path::Root => false,
        Path::Item(parent, _) => is_within_data(parent),
        Path::Member(parent, name) => {
            let is_data = match *name {
                "example" | "examples" | "enum" | "const" | "value" => true,
                // The answer to whatever has no other.
                "default" => !matches!(parent, Path::Member(_, "responses")),
                _ => false,
            };
            is_data || is_within_data(parent)
        }
    }
}

#[derive(Clone, Copy)]
struct Node<'a> {
    at: Path<'a>,
    examples: Examples,
    twice: &'a RefCell<Vec<Pointer>>,
    /// The members of the objects that are not at their end: an object that is made when it is
    /// known how many it has takes half the room of one that grows.
    open: &'a RefCell<Vec<(String, Value)>>,
}

impl Node<'_> {
    fn named_twice(&self, name: &str) {
        let mut twice = self.twice.borrow_mut();
        if twice.len() < MAX_REPORTED {
            twice.push(Path::Member(&self.at, name).pointer());
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) =
            items.next_element_seed(Node { at: Path::Item(&self.at, list.len()), ..self })?
        {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let begin = self.open.borrow().len();
        while let Some(name) = members.next_key_seed(Name)? {
            if name == NUMBER && self.open.borrow().len() == begin {
                return number(&mut members).map(Value::Number);
            }
            let node = Node { at: Path::Member(&self.at, &name), ..self };
            let value = if self.examples == Examples::LeftOut && is_unread(&node.at) {
                members.next_value_seed(Skim(node))?;
                Value::Null
            } else {
                members.next_value_seed(node)?
            };
            self.open.borrow_mut().push((name.into_owned(), value));
        }
        let mut open = self.open.borrow_mut();
        let mut object = Map::with_capacity(open.len() - begin);
        for (name, value) in open.drain(begin..) {
            match object.entry(name) {
                Entry::Vacant(free) => {
                    free.insert(value);
                }
                Entry::Occupied(mut taken) => {
                    self.named_twice(taken.key());
                    taken.insert(value);
                }
            }
        }
        Ok(Value::Object(object))
    }
}

fn number<'de, A: MapAccess<'de>>(members: &mut A) -> Result<Number, A::Error> {
    let digits: Cow<'_, str> = members.next_value()?;
    digits.parse().map_err(|_| A::Error::custom("expected a number"))
}

/// A value that is read for what is wrong with it, and not kept.
struct Skim<'a>(Node<'a>);

impl<'de> DeserializeSeed<'de> for Skim<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skim<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut index = 0;
        while items
            .next_element_seed(Skim(Node { at: Path::Item(&self.0.at, index), ..self.0 }))?
            .is_some()
        {
            index += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names = Names::default();
        while let Some(name) = members.next_key_seed(Name)? {
            if name == NUMBER && names.is_empty() {
                return number(&mut members).map(drop);
            }
            members
                .next_value_seed(Skim(Node { at: Path::Member(&self.0.at, &name), ..self.0 }))?;
            if let Some(name) = names.add(name) {
                self.0.named_twice(&name);
            }
        }
        Ok(())
    }
}

/// The names of one object: most have few.
#[derive(Default)]
struct Names<'de> {
    few: Vec<Cow<'de, str>>,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> Names<'de> {
    const FEW: usize = 16;

    fn is_empty(&self) -> bool {
        self.few.is_empty()
    }

    /// Adds a name, or gives it back where it is known.
    fn add(&mut self, name: Cow<'de, str>) -> Option<Cow<'de, str>> {
        if self.few.contains(&name) || self.many.contains(&name) {
            return Some(name);
        }
        if self.few.len() < Self::FEW {
            self.few.push(name);
        } else {
            self.many.insert(name);
        }
        None
    }
}

/// A member's name, borrowed from the text where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, warnings: &mut Warnings) -> Result<Value, ReadError> {
        super::parse(text, Examples::Kept, warnings)
    }

    #[test]
    fn numbers_keep_their_digits() {
        let text = r#"{"a":[500.0000000000000000001,1e400,-0,12345678901234567890123]}"#;
        let value = parse(text, &mut Warnings::default()).expect("JSON");
        assert_eq!(value["a"][0].to_string(), "500.0000000000000000001");
        assert_eq!(value["a"][3].to_string(), "12345678901234567890123");
    }

    #[test]
    fn a_member_that_is_named_twice_is_reported_with_its_place() {
        let mut warnings = Warnings::default();
        let value = parse(r#"{"a":[{"x/y":1,"x/y":2}]}"#, &mut warnings).expect("JSON");
        assert_eq!(value, serde_json::json!({"a":[{"x/y":2}]}));
        let warnings = warnings.into_vec();
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].pointer, "/a/0/x~1y");
    }

    #[test]
    fn examples_are_left_out_where_they_are_never_read() {
        let content = |example: &str| format!(r#"{{"content":{{"a/b":{{{example}}}}}}}"#);
        let one = |text: &str| {
            super::parse(text, Examples::LeftOut, &mut Warnings::default()).expect("JSON")
        };
        for (text, left) in [
            (content(r#""example":{"a":[1]},"schema":{"example":1}"#), 1),
            (content(r#""examples":{"x":{"value":1}}"#), 1),
            (r#"{"components":{"examples":{"x":{"value":1}}}}"#.to_owned(), 1),
            (r#"{"responses":{"200":{"examples":{"a/b":1}}}}"#.to_owned(), 1),
            (format!(r#"{{"responses":{{"default":{}}}}}"#, content(r#""example":1"#)), 1),
            (r#"{"properties":{"content":{"items":{"example":1}}}}"#.to_owned(), 0),
            (r#"{"properties":{"responses":{"items":{"examples":[1]}}}}"#.to_owned(), 0),
            (format!(r#"{{"schema":{{"default":{}}}}}"#, content(r#""example":1"#)), 0),
            (r#"{"parameters":[{"example":1}]}"#.to_owned(), 0),
        ] {
            let kept = parse(&text, &mut Warnings::default()).expect("JSON");
            let found = one(&text).to_string().matches("null").count();
            assert_eq!((found, kept.to_string().matches("null").count()), (left, 0), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_within_an_example_is_found_all_the_same() {
        for (inner, twice) in [
            (r#"{"a":{"\u0062":1,"b":2}}"#, "/content/a~1b/example/a/b"),
            (r#"[{"a":1,"a":2}]"#, "/content/a~1b/example/0/a"),
        ] {
            let text = format!(r#"{{"content":{{"a/b":{{"example":{inner}}}}}}}"#);
            for examples in [Examples::Kept, Examples::LeftOut] {
                let mut warnings = Warnings::default();
                super::parse(&text, examples, &mut warnings).expect("JSON");
                let found: Vec<String> =
                    warnings.into_vec().into_iter().map(|warning| warning.pointer).collect();
                assert_eq!(found, [twice], "{examples:?}");
            }
        }
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        for inner in [r#"{"a":}"#, r#"{"$serde_json::private::Number":"x"}"#, &deep] {
            let text = format!(r#"{{"content":{{"a/b":{{"example":{inner}}}}}}}"#);
            let errors = [Examples::Kept, Examples::LeftOut].map(|examples| {
                super::parse(&text, examples, &mut Warnings::default()).expect_err("wrong")
            });
            assert_eq!(errors[0], errors[1]);
        }
    }

    #[test]
    fn an_error_has_its_line_and_column() {
        let error = parse("{\n  \"a\": }", &mut Warnings::default()).expect_err("broken");
        assert_eq!(error.to_string(), "line 2, column 8: expected value");
    }

    #[test]
    fn depth_is_bounded() {
        let text = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
        let error = parse(&text, &mut Warnings::default()).expect_err("deep");
        assert!(matches!(error, ReadError::TooDeep { .. }), "{error}");
    }

    #[test]
    fn a_forged_number_is_no_panic() {
        assert!(
            parse(r#"{"$serde_json::private::Number":"x"}"#, &mut Warnings::default()).is_err()
        );
    }
}
