//! A request for a token (RFC 6749 §4 to §6, RFC 7523, RFC 8628 §3.4, RFC 8693 §2). Nothing is
//! sent here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use url::form_urlencoded::{self, Serializer};

use super::answer::NoToken;
use super::server::{Endpoints, Found};
use crate::bridge::signing::SigningKey;
use crate::secret::Secret;

/// What tokens are asked for with, and where.
#[derive(Debug, Clone)]
pub struct OAuth {
    /// The authorization server.
    pub endpoints: Endpoints,
    /// Who we are to it.
    pub client_id: String,
    /// What proves it.
    pub client_auth: ClientAuth,
    /// In exchange for what.
    pub grant: Grant,
    /// What the token is to allow; `None`: what is [needed](super::TokenSource::need).
    pub scopes: Option<Vec<String>>,
    /// For whom the token is, where the server asks for it under this name.
    pub audience: Option<String>,
    /// For which resource the token is (RFC 8707 §2).
    pub resource: Option<String>,
    /// For whom assertions of ours are; `None`: the server, by its issuer, else by its token
    /// endpoint (RFC 7523 §3).
    pub assertion_audience: Option<String>,
}

/// How a client proves who it is.
#[derive(Debug, Clone)]
pub enum ClientAuth {
    /// Not with its requests: a public client, or the connection's certificate does (RFC 8705 §2).
    None,
    /// With a secret in the `Authorization` header (RFC 6749 §2.3.1).
    Basic(Secret),
    /// With a secret among the parameters.
    Post(Secret),
    /// With an assertion that it signs (RFC 7523 §2.2).
    Assertion(Arc<SigningKey>),
}

/// In exchange for what a token is given.
#[derive(Debug, Clone)]
pub enum Grant {
    /// Being that client (RFC 6749 §4.4).
    ClientCredentials,
    /// A refresh token that somebody got before (§6).
    RefreshToken(Secret),
    /// A user's password (§4.3), where a server knows nothing better.
    Password {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A person's consent, who logs in once (§4.1, RFC 8628).
    Login(Login),
    /// An assertion of ours about the caller, which the server exchanges (RFC 8693).
    Exchange(OnBehalf),
    /// An assertion of ours about the caller (RFC 7523 §2.1).
    JwtBearer(OnBehalf),
}

/// How a person logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Login {
    /// With a code on another device, rather than a browser on this machine.
    pub device: bool,
    /// For themselves alone, rather than for all who call.
    pub each: bool,
}

/// What we say of the caller.
#[derive(Debug, Clone)]
pub struct OnBehalf {
    /// With what we sign it.
    pub key: Arc<SigningKey>,
    /// Who we are in it.
    pub issuer: String,
    /// Who identities are to the server; `None`: those that they are here.
    pub subjects: Option<BTreeMap<String, String>>,
}

/// What is exchanged for a token this time.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked<'a> {
    /// What the configuration says; for that caller, where it matters who calls.
    First(Option<&'a str>),
    /// What came with the token before.
    Refresh(&'a Secret),
    /// What the authorization endpoint gave (RFC 6749 §4.1.3, RFC 7636 §4.5).
    Code { code: &'a Secret, verifier: &'a Secret, redirect: &'a str },
    /// What the device authorization endpoint gave.
    Device(&'a Secret),
}

/// How long an assertion of ours is good: for one request, and clocks that differ.
const ASSERTION: Duration = Duration::from_mins(2);

const URN: &str = "urn:ietf:params:oauth";

impl OAuth {
    /// The headers and the body of a request. `needed` are the scopes where none are given.
    pub(super) fn request(
        &self,
        asked: Asked<'_>,
        server: &Found,
        needed: &[String],
        now: SystemTime,
    ) -> Result<(HeaderMap, String), NoToken> {
        let mut form = Serializer::new(String::new());
        let mut pair = |name: &str, value: &str| {
            form.append_pair(name, value);
        };
        match (asked, &self.grant) {
            (Asked::Refresh(token), _) | (Asked::First(_), Grant::RefreshToken(token)) => {
                pair("grant_type", "refresh_token");
                pair("refresh_token", token.expose());
            }
            (Asked::Code { code, verifier, redirect }, _) => {
                pair("grant_type", "authorization_code");
                pair("code", code.expose());
                pair("code_verifier", verifier.expose());
                pair("redirect_uri", redirect);
            }
            (Asked::Device(code), _) => {
                pair("grant_type", &format!("{URN}:grant-type:device_code"));
                pair("device_code", code.expose());
            }
            // Who calls it asks for the login first.
            (Asked::First(_), Grant::ClientCredentials | Grant::Login(_)) => {
                pair("grant_type", "client_credentials");
            }
            (Asked::First(_), Grant::Password { username, password }) => {
                pair("grant_type", "password");
                pair("username", username);
                pair("password", password.expose());
            }
            (Asked::First(identity), Grant::Exchange(about)) => {
                let assertion = self.about(about, identity, server, now)?;
                pair("grant_type", &format!("{URN}:grant-type:token-exchange"));
                pair("subject_token", assertion.expose());
                pair("subject_token_type", &format!("{URN}:token-type:jwt"));
                pair("requested_token_type", &format!("{URN}:token-type:access_token"));
            }
            (Asked::First(identity), Grant::JwtBearer(about)) => {
                let assertion = self.about(about, identity, server, now)?;
                pair("grant_type", &format!("{URN}:grant-type:jwt-bearer"));
                pair("assertion", assertion.expose());
            }
        }
        // §6: a refresh asks for no more than what was granted, which is what no scope means; a
        // code has its scopes.
        let scopes = self.scopes.as_deref().unwrap_or(needed);
        if matches!(asked, Asked::First(_)) && !scopes.is_empty() {
            form.append_pair("scope", &scopes.join(" "));
        }
        for (name, value) in [("audience", &self.audience), ("resource", &self.resource)] {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        let headers = self.prove(&mut form, server, now)?;
        Ok((headers, form.finish()))
    }

    /// The headers and the body of a request that gives a token back (RFC 7009 §2.1).
    pub(super) fn revocation(
        &self,
        token: &Secret,
        kind: &str,
        server: &Found,
        now: SystemTime,
    ) -> Result<(HeaderMap, String), NoToken> {
        let mut form = Serializer::new(String::new());
        form.append_pair("token", token.expose());
        form.append_pair("token_type_hint", kind);
        let headers = self.prove(&mut form, server, now)?;
        Ok((headers, form.finish()))
    }

    /// Adds what proves who we are, and gives the headers of such a request.
    pub(super) fn prove(
        &self,
        form: &mut Serializer<'_, String>,
        server: &Found,
        now: SystemTime,
    ) -> Result<HeaderMap, NoToken> {
        let mut headers = HeaderMap::new();
        match &self.client_auth {
            ClientAuth::Basic(secret) => {
                let encoded = |text: &str| -> String {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect()
                };
                let pair = format!("{}:{}", encoded(&self.client_id), encoded(secret.expose()));
                // Base64 has no character that a header cannot carry.
                if let Ok(mut value) =
                    HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)))
                {
                    value.set_sensitive(true);
                    headers.insert(AUTHORIZATION, value);
                }
            }
            ClientAuth::Post(secret) => {
                form.append_pair("client_id", &self.client_id);
                form.append_pair("client_secret", secret.expose());
            }
            ClientAuth::Assertion(key) => {
                let claims = json!({
                    "iss": self.client_id,
                    "sub": self.client_id,
                    "aud": self.audience_of_assertions(server),
                });
                let assertion = signed(key, claims, now)?;
                form.append_pair("client_id", &self.client_id);
                form.append_pair(
                    "client_assertion_type",
                    &format!("{URN}:client-assertion-type:jwt-bearer"),
                );
                form.append_pair("client_assertion", assertion.expose());
            }
            ClientAuth::None => {
                form.append_pair("client_id", &self.client_id);
            }
        }
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, kind);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        Ok(headers)
    }

    /// An assertion that such an identity calls.
    fn about(
        &self,
        about: &OnBehalf,
        identity: Option<&str>,
        server: &Found,
        now: SystemTime,
    ) -> Result<Secret, NoToken> {
        let identity = identity.unwrap_or_default();
        let subject = match &about.subjects {
            None => identity,
            Some(subjects) => {
                subjects.get(identity).ok_or_else(|| NoToken::NoSubject(identity.to_owned()))?
            }
        };
        let claims = json!({
            "iss": about.issuer,
            "sub": subject,
            "aud": self.audience_of_assertions(server),
        });
        signed(&about.key, claims, now)
    }

    fn audience_of_assertions<'a>(&'a self, server: &'a Found) -> &'a str {
        self.assertion_audience.as_deref().unwrap_or_else(|| server.audience())
    }

    /// Whether each identity has tokens of its own.
    pub(super) fn is_by_identity(&self) -> bool {
        match &self.grant {
            Grant::Login(login) => login.each,
            Grant::Exchange(_) | Grant::JwtBearer(_) => true,
            Grant::ClientCredentials | Grant::RefreshToken(_) | Grant::Password { .. } => false,
        }
    }

    /// Whether the configuration itself holds what may be good for one use only.
    pub(super) fn is_renewed_from_the_start(&self) -> bool {
        matches!(self.grant, Grant::RefreshToken(_))
    }

    /// Whether what was kept cannot be got anew.
    pub(super) fn needs_what_is_kept(&self) -> bool {
        matches!(self.grant, Grant::RefreshToken(_) | Grant::Login(_))
    }

    /// The grant's name in the trail.
    pub(super) fn grant_name(&self) -> &'static str {
        match &self.grant {
            Grant::ClientCredentials => "client_credentials",
            Grant::RefreshToken(_) => "refresh_token",
            Grant::Password { .. } => "password",
            Grant::Login(_) => "login",
            Grant::Exchange(_) => "token_exchange",
            Grant::JwtBearer(_) => "jwt_bearer",
        }
    }

    /// What tells these tokens from others that an API may have had before: whoever changes one
    /// of these in the configuration wants other tokens.
    pub(super) fn binding(&self, needed: &[String]) -> Secret {
        let secret = match (&self.grant, &self.client_auth) {
            // What they gave was replaced by what came with the tokens.
            (Grant::RefreshToken(secret) | Grant::Password { password: secret, .. }, _) => {
                secret.expose()
            }
            (Grant::Login(_), _) | (_, ClientAuth::None | ClientAuth::Assertion(_)) => "",
            (_, ClientAuth::Basic(secret) | ClientAuth::Post(secret)) => secret.expose(),
        };
        let scopes = match &self.grant {
            // What a person consented to outlasts a change of what is asked for.
            Grant::Login(_) => Value::Null,
            _ => json!(self.scopes.as_deref().unwrap_or(needed)),
        };
        let user = match &self.grant {
            Grant::Password { username, .. } => username.as_str(),
            _ => "",
        };
        let of_server = self.endpoints.issuer.as_ref().or(self.endpoints.token.as_ref());
        Secret::new(
            json!([
                of_server.map(url::Url::as_str),
                self.client_id,
                self.grant_name(),
                user,
                secret,
                scopes,
                self.audience,
                self.resource,
            ])
            .to_string(),
        )
    }
}

fn signed(key: &SigningKey, claims: Value, now: SystemTime) -> Result<Secret, NoToken> {
    let none = || NoToken::Unavailable("the system gives no random bytes to sign with".to_owned());
    key.assertion(claims, now, ASSERTION).map(Secret::new).ok_or_else(none)
}

#[cfg(test)]
mod tests;
