//! `[approvals]`: how people decide on held calls.

use schemars::JsonSchema;
use serde::Deserialize;
use tollbridge_operation::Identity;

use super::located::{Keyed, Located};
use super::values::{BaseUrl, IdentitySchema};
use crate::secret::SecretRef;

/// `[approvals]`: how people decide on held calls.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    /// Operators, each with the identities that act for them: on calls of these they do not decide
    /// where a hold wants four eyes.
    #[serde(default)]
    #[schemars(with = "Keyed<String, Vec<IdentitySchema>>")]
    pub operators: Keyed<String, Vec<Located<Identity>>>,
    /// Whether `tollbridge serve --http` serves pages at `/approvals`, for holders of an approver's
    /// key.
    #[serde(default)]
    pub web: bool,
    /// Where people reach the server: `https://bridge.example.com`. With https, the pages' cookies
    /// go over TLS only.
    pub url: Option<Located<BaseUrl>>,
    /// Who is told of each call that waits for an operator.
    pub webhook: Option<Located<Webhook>>,
}

/// Who is told of each call that waits for an operator.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where: its host may be private.
    pub url: Located<BaseUrl>,
    /// With what messages are signed (Standard Webhooks).
    pub secret: Located<SecretRef>,
}
