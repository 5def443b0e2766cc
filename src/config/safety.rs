//! `[safety]`: what holds for all tools.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;

use super::located::Located;
use super::values::Period;

/// `[safety]`: limits on how identities behave, whatever they call.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Safety {
    /// How often an identity may make the same call with the same arguments.
    pub loops: Option<Located<Loops>>,
    /// How many calls of an identity may fail before nothing more is taken of it for a while.
    pub errors: Option<Located<Errors>>,
    /// How many answers of a tool may leave its description before the tool is stopped.
    pub drift: Option<Located<Drift>>,
}

/// How many answers may leave their description.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Drift {
    /// How many.
    pub limit: NonZeroU32,
    /// In which time.
    pub per: Located<Period>,
}

/// How often the same call may be made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Loops {
    /// How many times.
    pub limit: NonZeroU32,
    /// In which time.
    pub per: Located<Period>,
}

/// How many calls may fail.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Errors {
    /// How many.
    pub limit: NonZeroU32,
    /// In which time.
    pub per: Located<Period>,
    /// For how long nothing more is taken of the identity. Without it, the kill switch is turned on
    /// for it, until an operator turns it off.
    pub pause: Option<Located<Period>>,
}
