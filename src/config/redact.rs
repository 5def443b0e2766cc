//! `[redact]`: what is kept out of the trail, and out of answers where that is asked for.

use schemars::JsonSchema;
use serde::Deserialize;

use super::located::Located;
use super::values::{ArgumentPath, ArgumentSchema};
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
    /// What stands where something was taken out.
    #[serde(default)]
    pub how: How,
    /// With what hashes are keyed.
    pub key: Option<Located<SecretRef>>,
    /// Whether what is taken out by its form is taken out of answers, too.
    #[serde(default)]
    pub answers: bool,
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

impl Redact {
    /// Whether this is taken out.
    pub fn detects(&self, what: Detect) -> bool {
        match &self.detect {
            None => what == Detect::Secrets,
            Some(listed) => listed.iter().any(|one| **one == what),
        }
    }
}
