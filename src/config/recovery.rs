//! What the file says of an API that limits and fails: tables that `[api.NAME]` and `[[tool]]`
//! have for it.

use schemars::JsonSchema;
use serde::Deserialize;
use tollbridge_operation::ApiName;

use super::located::{Keyed, Located};
use super::values::{ApiNameSchema, ArgumentPath, ArgumentSchema, Literal, Period};

/// Under which names an API announces its limit, where they are not those in common use.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct LimitHeaders {
    /// How much there is in all.
    pub limit: Option<Located<String>>,
    /// How much is left.
    pub remaining: Option<Located<String>>,
    /// When it is full again: seconds, a duration such as `6m0s`, or a date since 1970.
    pub reset: Option<Located<String>>,
    /// Whether what the API announces is passed over, because it is wrong.
    #[serde(default)]
    pub ignored: bool,
}

/// Whether callers have something in common, such as the answers that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Sharing {
    /// There is nothing.
    #[default]
    Off,
    /// Each identity has its own.
    Private,
    /// All identities have it in common.
    Shared,
}

/// What stands in for a tool's operation: another one, the last good answer, or a declared one.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Fallback {
    /// Another operation, as in `operation` of a tool.
    pub operation: Option<Located<String>>,
    /// Its API, where that is another one.
    #[schemars(with = "Option<ApiNameSchema>")]
    pub api: Option<Located<ApiName>>,
    /// Its arguments, each with the argument of the tool's operation whose value it has: a name
    /// or a JSON pointer.
    #[serde(default)]
    #[schemars(with = "Keyed<String, ArgumentSchema>")]
    pub map: Keyed<String, Located<ArgumentPath>>,
    /// What of its answer is the tool's: a JMESPath expression.
    pub result: Option<Located<String>>,
    /// The last good answer to the same call of the same caller, where it is not older.
    pub cached: Option<Located<Period>>,
    /// An answer.
    pub answer: Option<Located<Literal>>,
}

/// The operation that tells what became of a call whose outcome nobody knows.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Lookup {
    /// An operation of the same API that is a tool.
    pub operation: Located<String>,
    /// The arguments of that tool, each with the argument whose value it has: a name or a JSON
    /// pointer.
    #[serde(default)]
    #[schemars(with = "Keyed<String, ArgumentSchema>")]
    pub map: Keyed<String, Located<ArgumentPath>>,
}
