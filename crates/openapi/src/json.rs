//! JSON text into a value: numbers keep their digits, and a member that is named twice is
//! reported. Real documents have such members; the last one counts, as in most parsers.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
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

/// Parses one JSON text.
pub(crate) fn parse(text: &str, warnings: &mut Warnings) -> Result<Value, ReadError> {
    let twice = RefCell::new(Vec::new());
    let mut parser = serde_json::Deserializer::from_str(text);
    let seed = Node { at: Path::Root, twice: &twice };
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

struct Node<'a> {
    at: Path<'a>,
    twice: &'a RefCell<Vec<Pointer>>,
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
        while let Some(item) = items
            .next_element_seed(Node { at: Path::Item(&self.at, list.len()), twice: self.twice })?
        {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if name == NUMBER && object.is_empty() {
                let digits: String = members.next_value()?;
                return digits
                    .parse()
                    .map(Value::Number)
                    .map_err(|_| A::Error::custom("expected a number"));
            }
            let at = Path::Member(&self.at, &name);
            let value = members.next_value_seed(Node { at, twice: self.twice })?;
            if object.contains_key(&name) && self.twice.borrow().len() < MAX_REPORTED {
                self.twice.borrow_mut().push(at.pointer());
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
