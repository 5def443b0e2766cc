//! Values that are more than text: durations, sizes, money, references, addresses.
//!
//! Each is parsed in one place, here, and says in words what it expected. The JSON Schema of
//! each carries a `format`, by which the check of the whole document finds its parser.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;
use tollbridge_operation::{ApiName, Identity, ToolName};
use url::Url;

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

/// A length of time: `"500ms"`, `"10s"`, `"15m"`, `"1h"`, `"30d"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(pub Duration);

const PERIOD: &str = "a duration such as \"500ms\", \"10s\", \"15m\", \"1h\" or \"30d\"";

impl FromStr for Period {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (number, unit) = split_unit(text).ok_or_else(|| expected(PERIOD))?;
        let milliseconds: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(expected(PERIOD)),
        };
        // A hundred years: longer is a mistake, and overflows clocks.
        number
            .checked_mul(milliseconds)
            .filter(|total| *total <= 36_525 * 86_400_000)
            .map(|total| Self(Duration::from_millis(total)))
            .ok_or_else(|| expected("a duration of at most 100 years"))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_millis();
        for (unit, milliseconds) in
            [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
        {
            if total >= milliseconds && total.is_multiple_of(milliseconds) {
                return write!(f, "{}{unit}", total / milliseconds);
            }
        }
        write!(f, "{total}ms")
    }
}

text_value!(Period, "Duration", "tollbridge-duration", "A duration: 500ms, 10s, 15m, 1h, 30d.");

/// A number of bytes: `"512KiB"`, `"8MiB"`, `"8MB"`, `"1GiB"`, `"100B"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        const SIZE: &str = "a size such as \"512KiB\", \"8MiB\" or \"8MB\"";
        let (number, unit) = split_unit(text).ok_or_else(|| expected(SIZE))?;
        let bytes: u64 = match unit {
            "B" => 1,
            "kB" | "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(expected(SIZE)),
        };
        number
            .checked_mul(bytes)
            .filter(|total| *total <= 1 << 40)
            .map(Self)
            .ok_or_else(|| expected("a size of at most 1024GiB"))
    }
}

text_value!(Size, "Size", "tollbridge-size", "A size: 512KiB, 8MiB, 8MB, 1GiB.");

/// `10s` as 10 and `s`. Whole numbers only: `1.5h` is `90m`.
fn split_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit))
}

/// An amount of an asset, exact: `"0.01 USDC"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// How much: never negative, without an exponent.
    pub amount: Decimal,
    /// Of what: a key of `[settlement] assets`.
    pub asset: String,
}

impl FromStr for Money {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let money = || expected("an amount and an asset such as \"0.01 USDC\"");
        let (amount, asset) = text.split_once(' ').ok_or_else(money)?;
        if !is_asset(asset) || amount.contains(['e', 'E', '-']) || amount.len() > 80 {
            return Err(money());
        }
        Ok(Self { amount: amount.parse().map_err(|_| money())?, asset: asset.to_owned() })
    }
}

fn is_asset(text: &str) -> bool {
    (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.asset)
    }
}

text_value!(Money, "Money", "tollbridge-money", "An amount and an asset: 0.01 USDC.");

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

/// The base URL of an API: absolute, http or https, without credentials, query or fragment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// The URL.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// The URL as text, without a `/` at the end.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }
}

impl FromStr for BaseUrl {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let url = Url::parse(text)
            .map_err(|_| expected("an absolute URL such as \"https://api.example.com/v1\""))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(expected("an http or https URL"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(expected("a URL without credentials: they belong in `auth`"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(expected("a base URL without query and fragment"));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

text_value!(
    BaseUrl,
    "BaseUrl",
    "tollbridge-url",
    "An absolute http or https URL without credentials."
);

/// What a description may refer to: a file or a folder, or a URL with what is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceTo {
    /// A file or a folder, relative to the configuration's.
    Path(String),
    /// A URL with what is below it.
    Url(Url),
}

impl FromStr for ReferenceTo {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text.contains("://") {
            return Ok(Self::Url(text.parse::<BaseUrl>()?.0));
        }
        if text.trim().is_empty() {
            return Err(expected("a folder such as \"../common\", or a URL"));
        }
        Ok(Self::Path(text.to_owned()))
    }
}

text_value!(
    ReferenceTo,
    "ReferenceTo",
    "tollbridge-reference",
    "A file or a folder, or an absolute http or https URL with what is below it."
);

/// A host that may be contacted: `files.example.com`, or with a port
/// `files.example.com:8443`, `[2001:db8::1]:8443`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName {
    /// The host in lower case, as a URL has it: IPv6 addresses in brackets.
    pub host: String,
    /// The only port that may be used; any where there is none.
    pub port: Option<u16>,
}

impl FromStr for HostName {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let host =
            || expected("a host such as \"files.example.com\" or \"files.example.com:8443\"");
        if text.contains(['/', '@', '?', '#', '\\', '*']) || text.chars().any(char::is_whitespace) {
            return Err(host());
        }
        let after_host = text.rfind(']').map_or(text, |end| &text[end..]);
        let (name, port) = match after_host.rsplit_once(':') {
            Some((_, port)) => {
                let number = port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(host)?;
                (&text[..text.len() - port.len() - 1], Some(number))
            }
            None => (text, None),
        };
        // The URL parser's host rules, so that `hosts` and a URL spell a host in one way.
        let url = Url::parse(&format!("http://{name}/")).map_err(|_| host())?;
        match url.host_str() {
            Some(name) if url.port().is_none() && !name.is_empty() => {
                Ok(Self { host: name.to_owned(), port })
            }
            _ => Err(host()),
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

text_value!(HostName, "Host", "tollbridge-host", "A host, or host:port.");

/// A web origin: `https://app.example.com` (RFC 6454 §6.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin(String);

impl Origin {
    /// The origin as a browser writes it in `Origin`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let origin = || expected("an origin such as \"https://app.example.com\", without a path");
        let url = Url::parse(text).map_err(|_| origin())?;
        let serialized = url.origin().ascii_serialization();
        if !matches!(url.scheme(), "http" | "https") || text.trim_end_matches('/') != serialized {
            return Err(origin());
        }
        Ok(Self(serialized))
    }
}

text_value!(Origin, "Origin", "tollbridge-origin", "A web origin: https://app.example.com.");

/// Where the audit trail and everything else that lasts is kept: `sqlite:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorePath(pub String);

impl FromStr for StorePath {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() && !path.starts_with(':') && !path.contains('\0') => {
                Ok(Self(path.to_owned()))
            }
            _ => Err(expected("a store such as \"sqlite:tollbridge.db\"")),
        }
    }
}

impl Default for StorePath {
    fn default() -> Self {
        Self("tollbridge.db".to_owned())
    }
}

impl StorePath {
    /// The store's URL, its path made absolute against the folder of the configuration.
    pub fn url(&self, dir: &Path) -> String {
        let path = dir.join(&self.0);
        let path = std::path::absolute(&path).unwrap_or(path);
        format!("sqlite:{}", path.display())
    }
}

text_value!(StorePath, "Store", "tollbridge-store", "sqlite:PATH, relative to this file.");

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
        "tollbridge-size" => parses::<Size>(text),
        "tollbridge-money" => parses::<Money>(text),
        "tollbridge-selector" => parses::<Selector>(text),
        "tollbridge-url" => parses::<BaseUrl>(text),
        "tollbridge-host" => parses::<HostName>(text),
        "tollbridge-reference" => parses::<ReferenceTo>(text),
        "tollbridge-origin" => parses::<Origin>(text),
        "tollbridge-store" => parses::<StorePath>(text),
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
