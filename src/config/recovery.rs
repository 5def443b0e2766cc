//! What the file says of an API that limits and fails: tables that `[api.NAME]` and `[[tool]]`
//! have for it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::located::Located;

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
