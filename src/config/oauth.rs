//! What tokens are got with, and where: `kind = "oauth2"` of a credential.

use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;

use super::checks::is_loopback;
use super::located::{Keyed, Located};
use super::values::{BaseUrl, HeaderText};
use crate::secret::SecretRef;

/// What tokens are got with, and where.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(inline, deny_unknown_fields)]
pub struct OAuth2 {
    /// The authorization server, whose metadata says where its endpoints are (RFC 8414, `OpenID`
    /// Connect Discovery).
    pub issuer: Option<Located<BaseUrl>>,
    /// The token endpoint; needed without `issuer`.
    pub token_url: Option<Located<BaseUrl>>,
    /// The authorization endpoint, for `tollbridge login`, where `issuer` does not tell it.
    pub authorization_url: Option<Located<BaseUrl>>,
    /// The device authorization endpoint, for `tollbridge login --device`, likewise.
    pub device_url: Option<Located<BaseUrl>>,
    /// In exchange for what tokens are given.
    #[schemars(with = "Option<OAuthGrant>")]
    pub grant: OAuthGrant,
    /// Whose a login is. By default of all who call.
    pub by: Option<Located<OAuthBy>>,
    /// Who we are to the authorization server, in the open or as a reference.
    pub client_id: Located<HeaderText>,
    /// What proves it; a public client has none.
    pub client_secret: Option<Located<SecretRef>>,
    /// How it is proved. By default by the secret or the key that is there.
    pub client_auth: Option<Located<OAuthClientAuth>>,
    /// For `client_auth = "private_key_jwt"`: the private key, in PEM.
    pub client_key: Option<Located<SecretRef>>,
    /// The name by which the server knows that key.
    pub client_key_id: Option<Located<String>>,
    /// For grants on behalf of the caller: the private key that signs who calls, in PEM.
    pub assertion_key: Option<Located<SecretRef>>,
    /// The name by which the server knows that key.
    pub assertion_key_id: Option<Located<String>>,
    /// Who says so. By default the client.
    pub assertion_issuer: Option<Located<String>>,
    /// For whom assertions are. By default the issuer, else the token endpoint.
    pub assertion_audience: Option<Located<String>>,
    /// Who identities are to the server. By default those that they are here.
    pub subjects: Option<Keyed<String, Located<String>>>,
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
    /// How the client proves who it is.
    pub fn client_auth(&self) -> OAuthClientAuth {
        match &self.client_auth {
            Some(said) => **said,
            None if self.client_secret.is_some() => OAuthClientAuth::Basic,
            None if self.client_key.is_some() => OAuthClientAuth::PrivateKeyJwt,
            None => OAuthClientAuth::None,
        }
    }

    /// What of it does not hold together. It stands at `whole`; with a certificate, a client
    /// may prove who it is by that alone (RFC 8705 §2).
    pub(super) fn wrong(&self, whole: &Range<usize>, has_certificate: bool) -> Vec<Wrong> {
        let mut all = Vec::new();
        self.wrong_endpoints(whole, &mut all);
        self.wrong_members(whole, &mut all);
        self.wrong_proof(whole, has_certificate, &mut all);
        all
    }

    fn wrong_endpoints(&self, whole: &Range<usize>, all: &mut Vec<Wrong>) {
        let urls = [&self.issuer, &self.token_url, &self.authorization_url, &self.device_url];
        for url in urls.into_iter().flatten() {
            if url.as_url().scheme() == "http" && !is_loopback(url.as_url()) {
                let message = "a secret would go to the authorization server without encryption";
                all.push(Wrong::new(url.span(), message, "use https"));
            }
        }
        if self.issuer.is_some() {
            return;
        }
        if self.token_url.is_none() {
            let message = "nothing says where tokens are got";
            all.push(Wrong::new(whole.clone(), message, "needs `issuer` or `token_url`"));
        }
        let needed = match self.grant {
            OAuthGrant::AuthorizationCode => ("authorization_url", &self.authorization_url),
            OAuthGrant::DeviceCode => ("device_url", &self.device_url),
            _ => return,
        };
        if needed.1.is_none() {
            let message = "nothing says where a person logs in";
            let label = format!("needs `issuer` or `{}`", needed.0);
            all.push(Wrong::new(whole.clone(), message, label));
        }
    }

    /// Each grant takes its own members.
    fn wrong_members(&self, whole: &Range<usize>, all: &mut Vec<Wrong>) {
        use OAuthGrant::{
            AuthorizationCode, DeviceCode, JwtBearer, Password, RefreshToken, TokenExchange,
        };
        let login: &[OAuthGrant] = &[AuthorizationCode, DeviceCode];
        let on_behalf: &[OAuthGrant] = &[TokenExchange, JwtBearer];
        let text = |text: &Option<Located<String>>| text.as_ref().map(Located::span);
        let secret = |secret: &Option<Located<SecretRef>>| secret.as_ref().map(Located::span);
        let subjects = self.subjects.as_ref().and_then(|all| all.iter().next());
        let members = [
            ("refresh_token", &[RefreshToken][..], true, secret(&self.refresh_token)),
            ("username", &[Password], true, self.username.as_ref().map(Located::span)),
            ("password", &[Password], true, secret(&self.password)),
            ("by", login, false, self.by.as_ref().map(Located::span)),
            ("assertion_key", on_behalf, true, secret(&self.assertion_key)),
            ("assertion_key_id", on_behalf, false, text(&self.assertion_key_id)),
            ("assertion_issuer", on_behalf, false, text(&self.assertion_issuer)),
            ("subjects", on_behalf, false, subjects.map(|(name, _)| name.span())),
        ];
        for (key, grants, needed, span) in members {
            match span {
                None if needed && grants.contains(&self.grant) => {
                    let message =
                        format!("`{key}` is missing: this grant exchanges it for a token");
                    all.push(Wrong::new(whole.clone(), message, format!("needs `{key}`")));
                }
                Some(span) if !grants.contains(&self.grant) => {
                    let message = format!("`{key}` has no effect with this `grant`");
                    all.push(Wrong::new(span, message, "remove it, or set `grant`"));
                }
                _ => {}
            }
        }
    }

    fn wrong_proof(&self, whole: &Range<usize>, has_certificate: bool, all: &mut Vec<Wrong>) {
        use OAuthClientAuth::{Basic, None as Nothing, Post, PrivateKeyJwt, Tls};
        let auth = self.client_auth();
        let members = [
            ("client_secret", &[Basic, Post][..], self.client_secret.as_ref().map(Located::span)),
            ("client_key", &[PrivateKeyJwt], self.client_key.as_ref().map(Located::span)),
        ];
        for (key, of, span) in members {
            match span {
                None if of.contains(&auth) => {
                    let message = format!("`{key}` is missing: it proves who the client is");
                    all.push(Wrong::new(whole.clone(), message, format!("needs `{key}`")));
                }
                Some(span) if !of.contains(&auth) => {
                    let message = format!("`{key}` has no effect with this `client_auth`");
                    all.push(Wrong::new(span, message, "remove one of them"));
                }
                _ => {}
            }
        }
        if auth == Tls && !has_certificate {
            let message = "the client proves itself by a certificate, and there is none";
            all.push(Wrong::new(whole.clone(), message, "needs `tls` with `cert` and `key`"));
        }
        if self.grant == OAuthGrant::ClientCredentials && auth == Nothing && !has_certificate {
            let message = "`client_secret` is missing: nothing would prove who the client is";
            let label = "needs `client_secret` or `client_key`";
            all.push(Wrong::new(whole.clone(), message, label));
        }
        if let (Some(id), None) = (&self.client_key_id, &self.client_key) {
            let message = "`client_key_id` names no key";
            all.push(Wrong::new(id.span(), message, "needs `client_key`"));
        }
    }
}

impl Wrong {
    fn new(span: Range<usize>, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { span, message: message.into(), label: label.into() }
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
    /// A person's consent, in a browser: `tollbridge login`.
    AuthorizationCode,
    /// A person's consent, on another device: `tollbridge login`.
    DeviceCode,
    /// An assertion of ours about the caller, exchanged (RFC 8693).
    TokenExchange,
    /// An assertion of ours about the caller (RFC 7523).
    JwtBearer,
}

/// Whose a login is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum OAuthBy {
    /// One for all who call.
    #[default]
    All,
    /// Each identity's own.
    Identity,
}

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum OAuthClientAuth {
    /// A secret in the `Authorization` header.
    Basic,
    /// A secret among the parameters.
    Post,
    /// An assertion that it signs (RFC 7523).
    PrivateKeyJwt,
    /// The certificate of `tls` (RFC 8705).
    Tls,
    /// Nothing: a public client.
    None,
}
