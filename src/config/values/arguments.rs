//! Arguments and answers: which part of them, and what it may be.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::super::decimal::Decimal;
use super::{Malformed, expected};

/// Which argument a rule is about: a name at the top level, or a JSON pointer (RFC 6901)
/// whose segment `*` means every member or element.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ArgumentPath(Vec<String>);

impl ArgumentPath {
    /// The steps from the arguments to the value, decoded.
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// The name, where the path is one step.
    pub fn name(&self) -> Option<&str> {
        match self.0.as_slice() {
            [name] => Some(name),
            _ => None,
        }
    }
}

impl FromStr for ArgumentPath {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let Some(pointer) = text.strip_prefix('/') else {
            return match text {
                "" => Err(expected("the name of an argument, or a JSON pointer")),
                name => Ok(Self(vec![name.to_owned()])),
            };
        };
        pointer.split('/').map(decode_segment).collect::<Option<_>>().map(Self).ok_or_else(|| {
            expected("a JSON pointer (RFC 6901), where `~` is written `~0` and `/` in a name `~1`")
        })
    }
}

fn decode_segment(segment: &str) -> Option<String> {
    let mut decoded = String::with_capacity(segment.len());
    let mut rest = segment.chars();
    while let Some(c) = rest.next() {
        decoded.push(match c {
            '~' => match rest.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            c => c,
        });
    }
    Some(decoded)
}

impl fmt::Display for ArgumentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|segment| write!(f, "/{}", segment.replace('~', "~0").replace('/', "~1")))
    }
}

impl<'de> Deserialize<'de> for ArgumentPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A JSON pointer into an answer (RFC 6901): empty for the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(pub String);

impl FromStr for Pointer {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let fits = text.is_empty()
            || text.starts_with('/') && text.split('/').all(|step| decode_segment(step).is_some());
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(expected("a JSON pointer (RFC 6901), such as \"/meta/next\""))
        }
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A value of the file as JSON, its numbers with the digits that the file has.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal(pub Value);

/// The document check rewrites each such value to its JSON text before it is read here:
/// serde's data model has no number that keeps its digits.
impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text).map(Self).map_err(de::Error::custom)
    }
}

impl JsonSchema for Literal {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Literal".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"format": "tollbridge-literal"})
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Decimal {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["number", "string"],
            "format": "tollbridge-number",
            "description": "A number, or its digits as a string: 500.00 and \"500.00\" are the same limit."
        })
    }
}

/// A regular expression as JSON Schema has it: ECMA-262, without flags, unanchored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(pub String);

impl FromStr for Pattern {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        // Compiled by the engine that will judge calls, so that nothing passes here and
        // fails there.
        jsonschema::draft202012::new(&serde_json::json!({"type": "string", "pattern": text}))
            .map(|_| Self(text.to_owned()))
            .map_err(|_| expected("a regular expression (ECMA-262, without slashes and flags)"))
    }
}

text_value!(
    Pattern,
    "Pattern",
    "tollbridge-pattern",
    "A regular expression: ECMA-262, unanchored."
);
