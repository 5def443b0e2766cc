//! `[redact]`: what is kept out of the trail, and out of answers where that is asked for.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::located::Located;
use super::values::{AnswerFieldSchema, ArgumentPath, ArgumentSchema};
use crate::secret::SecretRef;

/// `[redact]`: what is kept out of the trail, and out of answers where that is asked for.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redact {
    /// What is taken out by its form. By default `secrets`.
    pub detect: Option<Vec<Located<Detect>>>,
    /// Arguments of all tools that are taken out: by name, or by JSON pointer with `*` for every
    /// element.
    #[serde(default)]
    #[schemars(with = "Vec<ArgumentSchema>")]
    pub fields: Vec<Located<ArgumentPath>>,
    /// What is taken out of answers of all tools, before anybody is shown them: by name, or by JSON
    /// pointer with `*` for every element.
    #[serde(default)]
    #[schemars(with = "Vec<AnswerFieldSchema>")]
    pub answer_fields: Vec<Located<ArgumentPath>>,
    /// What stands where something was taken out. By default `mask`.
    pub how: Option<Located<How>>,
    /// With what hashes are keyed.
    pub key: Option<Located<SecretRef>>,
    /// Whether what is taken out by its form is taken out of answers, too.
    #[serde(default)]
    pub answers: bool,
}

/// `redact` of an API or of a tool: what holds there beside, or instead of, `[redact]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct OwnRedact {
    /// What is taken out by its form, instead of what is named above it. `[]`: nothing.
    pub detect: Option<Vec<Located<Detect>>>,
    /// Arguments that are kept out of the trail, beside those that are named above it.
    #[serde(default)]
    #[schemars(with = "Vec<ArgumentSchema>")]
    pub fields: Vec<Located<ArgumentPath>>,
    /// What is taken out of answers, beside what is named above it: by name, or by JSON pointer with
    /// `*` for every element.
    #[serde(default)]
    #[schemars(with = "Vec<AnswerFieldSchema>")]
    pub answer_fields: Vec<Located<ArgumentPath>>,
    /// What stands where something was taken out, instead of what is said above it.
    pub how: Option<Located<How>>,
    /// Whether what is taken out by its form is taken out of answers, too, instead of what is said
    /// above it.
    pub answers: Option<bool>,
}

/// `redact = ["note"]`, arguments alone, or a table.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
#[expect(dead_code, reason = "read by schemars only")]
pub(super) enum OwnForm {
    /// Arguments that are kept out of the trail.
    Fields(Vec<ArgumentSchema>),
    /// All that can be said.
    Table(Box<OwnRedact>),
}

/// Reads `redact` of an API or of a tool in either form.
pub(super) fn own<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OwnRedact, D::Error> {
    struct Form;
    impl<'de> Visitor<'de> for Form {
        type Value = OwnRedact;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of arguments, or a table")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<OwnRedact, A::Error> {
            let fields = Deserialize::deserialize(SeqAccessDeserializer::new(list))?;
            Ok(OwnRedact { fields, ..OwnRedact::default() })
        }
        fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<OwnRedact, A::Error> {
            OwnRedact::deserialize(MapAccessDeserializer::new(table))
        }
    }
    deserializer.deserialize_any(Form)
}

/// What is taken out by its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Detect {
    /// Keys and tokens of well-known services, JSON Web Tokens, private keys.
    Secrets,
    /// Card numbers.
    Cards,
    /// Bank accounts (IBAN).
    Ibans,
    /// E-mail addresses.
    Emails,
}

/// What stands where something was taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum How {
    /// `[redacted]`.
    #[default]
    Mask,
    /// A keyed hash, so that equal values can be matched without being seen.
    Hash,
}
