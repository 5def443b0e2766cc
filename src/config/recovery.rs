//! What the file says of an API that limits and fails: tables that `[api.NAME]` and `[[tool]]`
//! have for it.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;
use tollbridge_operation::ApiName;

use super::decimal::Decimal;
use super::located::{Keyed, Located};
use super::values::{ApiNameSchema, ArgumentPath, ArgumentSchema, Literal, Period, Rate};

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

/// `[limit_group.NAME]`: limits that several APIs or tools have in common.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitGroup {
    /// How many requests they send in a time, together.
    pub rate_limit: Option<Located<Rate>>,
    /// How many requests of theirs are under way at once.
    pub max_concurrency: Option<Located<NonZeroU32>>,
    /// How many calls wait for their turn at most, of one identity half of them. By default 1024.
    pub max_queue: Option<Located<NonZeroU32>>,
}

/// When a host is not asked any more, and for how long.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Breaker {
    /// So many failures in a row. By default 8.
    pub failures: Option<Located<NonZeroU32>>,
    /// Which share of 20 or more requests fails: above 0, at most 1. By default 0.5.
    pub rate: Option<Located<Decimal>>,
    /// Of which time requests are counted. By default 30s.
    pub window: Option<Located<Period>>,
    /// How long the host is not asked at first. By default 5s.
    pub open: Option<Located<Period>>,
    /// From when on an answer is slow; four fifths of slow ones and failures count as failing. By
    /// default from four fifths of `attempt_timeout` on.
    pub slow: Option<Located<Period>>,
}

impl Breaker {
    /// The share in thousandths; `None` where it is none.
    pub fn of_thousand(&self) -> Option<u32> {
        let Some(rate) = &self.rate else { return Some(500) };
        let share: f64 = rate.to_string().parse().ok()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 1 and 1000"
        )]
        (0.001..=1.0).contains(&share).then(|| (share * 1_000.0).round() as u32)
    }
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
