//! Values that are more than text: durations, sizes, money, references, addresses.
//!
//! Each is parsed in one place, here, and says in words what it expected. The JSON Schema of
//! each carries a `format`, by which the check of the whole document finds its parser.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use tollbridge_operation::{ApiName, Identity, ToolName};

use super::decimal::Decimal;
use crate::secret::{SecretError, SecretRef};

/// A value that breaks the form of its kind. The message never holds what was given, which
/// may be a secret in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

fn expected(what: &str) -> Malformed {
    Malformed(format!("expected {what}"))
}

/// A text with a form of its own: parsing, reading from the file, and the JSON Schema.
macro_rules! text_value {
    ($type:ty, $schema:literal, $format:literal, $description:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
        text_schema!($type, $schema, $format, $description);
    };
}

macro_rules! text_schema {
    ($type:ty, $schema:literal, $format:literal, $description:literal) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                $schema.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "format": $format, "description": $description})
            }
        }
    };
}

mod amounts;
mod arguments;
mod places;
mod times;

pub use amounts::{Money, Period, Rate, Size};
pub use arguments::{ArgumentPath, Literal, Pattern, Pointer};
pub use places::{BaseUrl, HostName, Origin, ProxyUrl, ReferenceTo, ResolverAt, StorePath};
pub use times::{DayHours, WeekDays, Zone};

/// Whom `allow`, `deny` and `hold` mean: `"*"`, `"group:ops"`, or an identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Selector {
    /// `*`: every authenticated identity.
    Everyone,
    /// `group:NAME`: who is in that group, by `[groups]` or by a token's claim.
    Group(String),
    /// One identity.
    Identity(Identity),
}

impl FromStr for Selector {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text == "*" {
            return Ok(Self::Everyone);
        }
        if let Some(group) = text.strip_prefix("group:") {
            return match Identity::new(group) {
                Ok(_) => Ok(Self::Group(group.to_owned())),
                Err(_) => Err(expected("the name of a group after `group:`")),
            };
        }
        if text.contains('*') {
            return Err(expected(
                "`*` alone, `group:NAME`, or an identity in full: patterns are not supported",
            ));
        }
        Identity::new(text).map(Self::Identity).map_err(|error| expected(error.rule))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("*"),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::Identity(identity) => identity.fmt(f),
        }
    }
}

text_value!(
    Selector,
    "Selector",
    "tollbridge-selector",
    "\"*\" for every authenticated identity, \"group:NAME\", or an identity."
);

/// The value of a fixed header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderText {
    /// As it is.
    Fixed(String),
    /// A secret.
    Secret(SecretRef),
}

impl FromStr for HeaderText {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text.parse() {
            Ok(reference) => return Ok(Self::Secret(reference)),
            Err(SecretError::Literal) => {}
            Err(error) => return Err(Malformed(error.to_string())),
        }
        http::HeaderValue::from_str(text)
            .map(|_| Self::Fixed(text.to_owned()))
            .map_err(|_| expected("a header value: no line breaks or control characters"))
    }
}

text_value!(
    HeaderText,
    "HeaderValue",
    "tollbridge-header",
    "A fixed value, or a reference: env:NAME, file:PATH, cred:NAME."
);

text_value!(
    SecretRef,
    "SecretRef",
    "tollbridge-secret",
    "Where the secret is: env:NAME, file:PATH or cred:NAME; never the secret itself."
);

/// A digest: `sha256:` and 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest(pub String);

impl FromStr for Digest {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text.strip_prefix("sha256:") {
            Some(hex) if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Ok(Self(text.to_ascii_lowercase()))
            }
            _ => Err(expected("`sha256:` and 64 hex digits, as `tollbridge import` writes it")),
        }
    }
}

text_value!(Digest, "Digest", "tollbridge-digest", "sha256: and 64 hex digits.");

/// The JSON Schema of a name whose type lives in the operation model.
macro_rules! name_schema {
    ($($type:ident $format:literal $description:literal)*) => {$(
        #[doc = concat!("The JSON Schema of `", $format, "`.")]
        pub(super) struct $type;
        text_schema!($type, $format, $format, $description);
    )*};
}

name_schema! {
    ApiNameSchema "tollbridge-api-name" "The name of an API: a table [api.NAME]."
    ToolNameSchema "tollbridge-tool-name" "1 to 40 of a-z, 0-9 and _."
    IdentitySchema "tollbridge-identity" "Who calls."
    ArgumentSchema "tollbridge-argument" "The name of an argument, or a JSON pointer to it."
    AnswerFieldSchema "tollbridge-argument" "The name of a member of an answer, or a JSON pointer to it."
    PointerSchema "tollbridge-pointer" "A JSON pointer (RFC 6901)."
}

/// Whether a text has the form that a JSON Schema's `format` names; `None` where the format
/// is none of ours. A secret that is refused says nothing of what was given.
pub(super) fn check(format: &str, text: &str) -> Option<Result<(), Malformed>> {
    fn parses<T: FromStr<Err = Malformed>>(text: &str) -> Result<(), Malformed> {
        text.parse::<T>().map(drop)
    }
    Some(match format {
        "tollbridge-duration" => parses::<Period>(text),
        "tollbridge-rate" => parses::<Rate>(text),
        "tollbridge-size" => parses::<Size>(text),
        "tollbridge-days" => parses::<WeekDays>(text),
        "tollbridge-hours" => parses::<DayHours>(text),
        "tollbridge-zone" => parses::<Zone>(text),
        "tollbridge-money" => parses::<Money>(text),
        "tollbridge-selector" => parses::<Selector>(text),
        "tollbridge-url" => parses::<BaseUrl>(text),
        "tollbridge-proxy" => parses::<ProxyUrl>(text),
        "tollbridge-host" => parses::<HostName>(text),
        "tollbridge-resolver" => parses::<ResolverAt>(text),
        "tollbridge-reference" => parses::<ReferenceTo>(text),
        "tollbridge-origin" => parses::<Origin>(text),
        "tollbridge-store" => parses::<StorePath>(text),
        "tollbridge-jwks" => parses::<super::inbound::KeySetAt>(text),
        "tollbridge-scope" => parses::<super::inbound::Scope>(text),
        "tollbridge-header" => parses::<HeaderText>(text),
        "tollbridge-digest" => parses::<Digest>(text),
        "tollbridge-pattern" => parses::<Pattern>(text),
        "tollbridge-number" => {
            text.parse::<Decimal>().map(drop).map_err(|error| Malformed(error.to_string()))
        }
        "tollbridge-secret" => {
            text.parse::<SecretRef>().map(drop).map_err(|error| Malformed(error.to_string()))
        }
        "tollbridge-pointer" => parses::<Pointer>(text),
        "tollbridge-argument" => parses::<ArgumentPath>(text),
        "tollbridge-api-name" => ApiName::new(text).map(drop).map_err(|error| expected(error.rule)),
        "tollbridge-tool-name" => {
            ToolName::new(text).map(drop).map_err(|error| expected(error.rule))
        }
        "tollbridge-identity" => {
            Identity::new(text).map(drop).map_err(|error| expected(error.rule))
        }
        _ => return None,
    })
}
