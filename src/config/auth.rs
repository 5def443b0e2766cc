//! How calls prove who they are to an upstream: `auth` and `credentials` of `[api.NAME]`.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use tollbridge_operation::ApiKeyPlace;

use super::checks::is_loopback;
use super::located::Located;
use super::values::{BaseUrl, HeaderText, Period};
use crate::secret::SecretRef;

/// A credential for an upstream.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(tag = "kind", rename_all = "snake_case", deny_unknown_fields, inline)]
pub enum Auth {
    /// A value in a header, the query or a cookie.
    ApiKey {
        /// Where it goes; under `credentials` by default where the description says.
        #[schemars(rename = "in", with = "Option<ApiKeyPlaceSchema>")]
        place: Option<ApiKeyPlace>,
        /// Under which name; under `credentials` by default the description's.
        name: Option<Located<String>>,
        /// The key.
        value: Located<SecretRef>,
    },
    /// HTTP Basic (RFC 7617).
    Basic {
        /// The user, in the open or as a reference.
        username: Located<HeaderText>,
        /// The password.
        password: Located<SecretRef>,
    },
    /// A bearer token (RFC 6750).
    Bearer {
        /// The token.
        token: Located<SecretRef>,
    },
    /// HTTP Digest (RFC 7616).
    Digest {
        /// The user, in the open or as a reference.
        username: Located<HeaderText>,
        /// The password.
        password: Located<SecretRef>,
    },
    /// A `UsernameToken` in the header of each SOAP message (WS-Security).
    Wsse {
        /// The user, in the open or as a reference.
        username: Located<HeaderText>,
        /// The password.
        password: Located<SecretRef>,
        /// Whether the password is sent as a digest; by default as the description says, else
        /// as text.
        digest: Option<bool>,
        /// For how long a message says that it is valid; by default as the description says,
        /// else it does not say.
        timestamp: Option<Located<Period>>,
        /// Whether a service that knows no WS-Security must refuse the message. By default true.
        must_understand: Option<bool>,
    },
    /// A bearer token that is got, and renewed, from an authorization server (RFC 6749).
    Oauth2(Box<OAuth2>),
}

/// What tokens are got with, and where.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(inline, deny_unknown_fields)]
pub struct OAuth2 {
    /// The token endpoint.
    pub token_url: Located<BaseUrl>,
    /// In exchange for what tokens are given.
    #[schemars(with = "Option<OAuthGrant>")]
    pub grant: OAuthGrant,
    /// Who we are to the authorization server, in the open or as a reference.
    pub client_id: Located<HeaderText>,
    /// What proves it; a public client has none.
    pub client_secret: Option<Located<SecretRef>>,
    /// How that proof is sent.
    #[schemars(with = "Option<OAuthClientAuth>")]
    pub client_auth: OAuthClientAuth,
    /// For `grant = "refresh_token"`: the token that was got before.
    pub refresh_token: Option<Located<SecretRef>>,
    /// For `grant = "password"`: the user, in the open or as a reference.
    pub username: Option<Located<HeaderText>>,
    /// For `grant = "password"`: the user's password.
    pub password: Option<Located<SecretRef>>,
    /// What tokens are to allow. By default what the API's tools need, by its description.
    pub scopes: Option<Vec<Located<String>>>,
    /// For whom tokens are, where the server wants to be told so.
    pub audience: Option<Located<String>>,
    /// For which resource tokens are (RFC 8707).
    pub resource: Option<Located<String>>,
}

/// What does not hold together.
pub(super) struct Wrong {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) label: String,
}

impl OAuth2 {
    /// What of it does not hold together. It stands at `whole`; with a certificate, a client
    /// may prove who it is by that alone (RFC 8705 §2).
    pub(super) fn wrong(&self, whole: Range<usize>, has_certificate: bool) -> Vec<Wrong> {
        use OAuthGrant::{ClientCredentials, Password, RefreshToken};
        let mut all = Vec::new();
        let mut add = |span: Range<usize>, message: &str, label: &str| {
            all.push(Wrong { span, message: message.to_owned(), label: label.to_owned() });
        };
        let url = self.token_url.as_url();
        if url.scheme() == "http" && !is_loopback(url) {
            let message = "a secret would go to the token endpoint without encryption";
            add(self.token_url.span(), message, "use https");
        }
        let members = [
            ("refresh_token", RefreshToken, self.refresh_token.as_ref().map(Located::span)),
            ("username", Password, self.username.as_ref().map(Located::span)),
            ("password", Password, self.password.as_ref().map(Located::span)),
        ];
        for (key, grant, span) in members {
            match span {
                None if self.grant == grant => {
                    let message =
                        format!("`{key}` is missing: this grant exchanges it for a token");
                    add(whole.clone(), &message, &format!("needs `{key}`"));
                }
                Some(span) if self.grant != grant => {
                    let message = format!("`{key}` has no effect with this `grant`");
                    add(span, &message, "remove it, or set `grant`");
                }
                _ => {}
            }
        }
        if self.grant == ClientCredentials && self.client_secret.is_none() && !has_certificate {
            let message = "`client_secret` is missing: nothing would prove who the client is";
            add(whole, message, "needs `client_secret`");
        }
        all
    }
}

/// In exchange for what tokens are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum OAuthGrant {
    /// Being that client.
    #[default]
    ClientCredentials,
    /// A refresh token that somebody got before.
    RefreshToken,
    /// A user's name and password, where a server knows nothing better.
    Password,
}

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum OAuthClientAuth {
    /// In the `Authorization` header.
    #[default]
    Basic,
    /// Among the parameters.
    Post,
}

/// The JSON Schema of [`ApiKeyPlace`].
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase", inline)]
#[expect(dead_code, reason = "read by schemars only")]
enum ApiKeyPlaceSchema {
    Header,
    Query,
    Cookie,
}

/// Read by hand: serde's tagged enums lose the places of their members.
impl<'de> Deserialize<'de> for Auth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Kind {
            ApiKey,
            Basic,
            Bearer,
            Wsse,
            Digest,
            Oauth2,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Members {
            kind: Kind,
            #[serde(rename = "in")]
            place: Option<ApiKeyPlace>,
            name: Option<Located<String>>,
            value: Option<Located<SecretRef>>,
            username: Option<Located<HeaderText>>,
            password: Option<Located<SecretRef>>,
            token: Option<Located<SecretRef>>,
            digest: Option<bool>,
            timestamp: Option<Located<Period>>,
            must_understand: Option<bool>,
            token_url: Option<Located<BaseUrl>>,
            grant: Option<OAuthGrant>,
            client_id: Option<Located<HeaderText>>,
            client_secret: Option<Located<SecretRef>>,
            client_auth: Option<OAuthClientAuth>,
            refresh_token: Option<Located<SecretRef>>,
            scopes: Option<Vec<Located<String>>>,
            audience: Option<Located<String>>,
            resource: Option<Located<String>>,
        }
        let members = Members::deserialize(deserializer)?;
        let missing = de::Error::missing_field;
        Ok(match members.kind {
            Kind::ApiKey => Self::ApiKey {
                place: members.place,
                name: members.name,
                value: members.value.ok_or_else(|| missing("value"))?,
            },
            Kind::Basic => Self::Basic {
                username: members.username.ok_or_else(|| missing("username"))?,
                password: members.password.ok_or_else(|| missing("password"))?,
            },
            Kind::Digest => Self::Digest {
                username: members.username.ok_or_else(|| missing("username"))?,
                password: members.password.ok_or_else(|| missing("password"))?,
            },
            Kind::Bearer => Self::Bearer { token: members.token.ok_or_else(|| missing("token"))? },
            Kind::Wsse => Self::Wsse {
                username: members.username.ok_or_else(|| missing("username"))?,
                password: members.password.ok_or_else(|| missing("password"))?,
                digest: members.digest,
                timestamp: members.timestamp,
                must_understand: members.must_understand,
            },
            Kind::Oauth2 => Self::Oauth2(Box::new(OAuth2 {
                token_url: members.token_url.ok_or_else(|| missing("token_url"))?,
                grant: members.grant.unwrap_or_default(),
                client_id: members.client_id.ok_or_else(|| missing("client_id"))?,
                client_secret: members.client_secret,
                client_auth: members.client_auth.unwrap_or_default(),
                refresh_token: members.refresh_token,
                username: members.username,
                password: members.password,
                scopes: members.scopes,
                audience: members.audience,
                resource: members.resource,
            })),
        })
    }
}
