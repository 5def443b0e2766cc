//! `[approvals]`: how people decide on held calls.

use schemars::JsonSchema;
use serde::Deserialize;
use tollbridge_operation::Identity;

use super::located::{Keyed, Located};
use super::values::IdentitySchema;

/// `[approvals]`: how people decide on held calls.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    /// Operators, each with the identities that act for them: on calls of these they do not decide
    /// where a hold wants four eyes.
    #[serde(default)]
    #[schemars(with = "Keyed<String, Vec<IdentitySchema>>")]
    pub operators: Keyed<String, Vec<Located<Identity>>>,
}
