//! Who a proxy is told we are: `proxy_auth` of `[api.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::inbound::Wrong;
use super::located::Located;
use super::model::Api;
use super::values::HeaderText;
use crate::secret::SecretRef;

/// `proxy_auth` of an API: HTTP Basic (RFC 7617), or the login of SOCKS (RFC 1929).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct ProxyAuth {
    /// The user, in the open or as a reference.
    pub username: Located<HeaderText>,
    /// The password.
    pub password: Located<SecretRef>,
}

impl ProxyAuth {
    /// What is wrong with that of an API.
    pub(super) fn wrong(api: &Api) -> Vec<Wrong> {
        let Some(auth) = &api.proxy_auth else { return Vec::new() };
        let mut all = Vec::new();
        if api.proxy.is_none() {
            let message = "`proxy_auth` is for a proxy, and there is none".to_owned();
            all.push(Wrong { span: auth.span(), message, label: "needs `proxy`" });
        }
        if matches!(&*auth.username, HeaderText::Fixed(user) if user.contains(':')) {
            let message = "a user name cannot have a colon (RFC 7617 §2)".to_owned();
            all.push(Wrong { span: auth.username.span(), message, label: "remove the colon" });
        }
        all
    }
}
