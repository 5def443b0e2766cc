//! Names, each constructed once and checked once.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A name that breaks the rules of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no {kind}: {rule}")]
pub struct InvalidName {
    /// What was given, cut at 80 characters.
    pub name: String,
    /// What it should have been, in words.
    pub kind: &'static str,
    /// The rule that it breaks.
    pub rule: &'static str,
}

impl InvalidName {
    fn new(name: &str, kind: &'static str, rule: &'static str) -> Self {
        Self { name: name.chars().take(80).collect(), kind, rule }
    }
}

/// The name of an API: the key of its table in `tools.toml`.
///
/// One to 64 of `a-z`, `0-9`, `_` and `-`, the first a letter or a digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ApiName(Arc<str>);

/// An operation's name within its API: an OpenAPI `operationId`, `GET /orders/{id}` where
/// there is none, or `Service.Port.Operation` for SOAP. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct OperationKey(Arc<str>);

/// The name under which an agent calls a tool.
///
/// One to 40 of `a-z`, `0-9` and `_`: clients prefix names and refuse, or silently drop,
/// what is then longer than 60 to 64 characters or outside this alphabet.
///
/// An operation that is found and called by its id, and is no tool of the configuration's own, has
/// that id in the place of a name: see [`ToolName::found`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ToolName(Arc<str>);

/// Who calls: the name that policies, limits and the audit trail know a caller by.
///
/// One to 256 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Identity(Arc<str>);

/// An operation, unique over all APIs. Displays as `api/key`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OperationId {
    /// The API that has it.
    pub api: ApiName,
    /// Its name there.
    pub key: OperationKey,
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.api, self.key)
    }
}

macro_rules! name {
    ($type:ident, $kind:literal, $rule:literal, $valid:expr) => {
        impl $type {
            /// Checks the name against the rule of its kind.
            pub fn new(name: impl Into<Arc<str>>) -> Result<Self, InvalidName> {
                let name = name.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&name) {
                    Ok(Self(name))
                } else {
                    Err(InvalidName::new(&name, $kind, $rule))
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&$type> for Arc<str> {
            fn from(name: &$type) -> Self {
                Self::clone(&name.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;
            fn try_from(name: String) -> Result<Self, InvalidName> {
                Self::new(name)
            }
        }

        impl std::str::FromStr for $type {
            type Err = InvalidName;
            fn from_str(name: &str) -> Result<Self, InvalidName> {
                Self::new(name)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    ApiName,
    "API name",
    "1 to 64 of a-z, 0-9, `_` and `-`, the first a letter or digit",
    |name| {
        name.len() <= 64
            && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
    }
);
name!(OperationKey, "operation key", "not empty", |name| !name.is_empty());
name!(ToolName, "tool name", "1 to 40 of a-z, 0-9 and `_`", |name| {
    (1..=40).contains(&name.len())
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
});
name!(Identity, "identity", "1 to 256 characters without control characters", |name| {
    !name.is_empty() && name.chars().count() <= 256 && !name.chars().any(char::is_control)
});

/// The longest id in the place of a tool's name, in bytes.
const LONGEST_ID: usize = 300;

impl ToolName {
    /// The id `api/key` of an operation that is found, in the place of a tool's name. It has a
    /// slash, which no tool's name has: the two cannot be taken for each other.
    pub fn found(id: impl Into<Arc<str>>) -> Result<Self, InvalidName> {
        const RULE: &str = "`api/key`, at most 300 bytes, without control characters";
        let id = id.into();
        let parts = id.split_once('/');
        let has_both = parts.is_some_and(|(api, key)| !key.is_empty() && ApiName::new(api).is_ok());
        if has_both && id.len() <= LONGEST_ID && !id.chars().any(char::is_control) {
            Ok(Self(id))
        } else {
            Err(InvalidName::new(&id, "operation's id", RULE))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_name_is_what_every_client_accepts() {
        for good in ["a", "get_stock", "t2", &"x".repeat(40)] {
            assert!(ToolName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "Get", "get-stock", "a.b", "a b", "ä", &"x".repeat(41)] {
            assert!(ToolName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_in_a_names_place_is_no_name() {
        for good in ["shop/getOrder", "a/b/c", "shop/GET /orders/{id}"] {
            assert!(ToolName::found(good).is_ok(), "{good}");
            assert!(ToolName::new(good).is_err(), "{good}");
        }
        for bad in ["", "shop", "/getOrder", "shop/", "Shop/x", "shop/a\nb"] {
            assert!(ToolName::found(bad).is_err(), "{bad:?}");
        }
        assert!(ToolName::found(format!("a/{}", "x".repeat(300))).is_err());
    }

    #[test]
    fn an_api_name_is_a_plain_key() {
        for good in ["orders", "a-b_c", "2fa"] {
            assert!(ApiName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "_a", "A", "a/b", "a.b", &"x".repeat(65)] {
            assert!(ApiName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_identity_has_no_control_characters() {
        assert!(Identity::new("alice@example.com").is_ok());
        assert!(Identity::new("a\nb").is_err());
        assert!(Identity::new("").is_err());
    }

    #[test]
    fn deserializing_checks_too() {
        assert!(serde_json::from_str::<ToolName>("\"Bad Name\"").is_err());
    }
}
