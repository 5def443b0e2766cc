//! `[server.auth]`: how callers over HTTP prove who they are.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use url::Url;

use super::checks::is_loopback;
use super::located::Located;
use super::values::{BaseUrl, HeaderText, Malformed, Period};
use crate::secret::SecretRef;

/// `[server.auth]`: how callers over HTTP prove who they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerAuth {
    /// Callers bring a key made by `tollbridge key new`.
    #[serde(default)]
    pub keys: bool,
    /// Callers bring an access token that an authorization server signed.
    pub jwt: Option<Located<Jwt>>,
    /// Callers bring an access token that the authorization server is asked about.
    pub introspection: Option<Located<Introspection>>,
    /// The URL of this server's `/mcp` as clients know it. By default `audience`.
    pub resource: Option<Located<BaseUrl>>,
    /// What every token must allow, whatever is called.
    #[serde(default)]
    pub scopes: Vec<Located<Scope>>,
}

/// `jwt` of `[server.auth]`: access tokens that are signed (RFC 7519, RFC 9068).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Jwt {
    /// The authorization server, exactly as its tokens name it.
    pub issuer: Located<Issuer>,
    /// For whom tokens must be: the URL of this server's `/mcp`, or what the authorization server
    /// knows it by.
    pub audience: Located<String>,
    /// Where its public keys are: an https URL, or `file:PATH`. By default where the issuer's
    /// metadata says.
    pub jwks: Option<Located<KeySetAt>>,
    /// The signature algorithms that count. By default RS256, PS256, ES256 and `EdDSA`.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<Located<JwtAlgorithm>>,
    /// Whether tokens must say that they are access tokens (`typ` = `at+jwt`, RFC 9068).
    #[serde(default)]
    pub typed: bool,
    /// The claim that is the identity: its name, or a JSON pointer to it.
    #[serde(default = "default_identity")]
    pub identity: Located<String>,
    /// The claim that lists groups: its name, or a JSON pointer to it.
    pub groups: Option<Located<String>>,
    /// Other claims that policies and the trail see, by name or JSON pointer.
    #[serde(default)]
    pub claims: Vec<Located<String>>,
}

/// `introspection` of `[server.auth]`: access tokens that are asked about (RFC 7662).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Introspection {
    /// The authorization server's introspection endpoint.
    pub url: Located<BaseUrl>,
    /// Who we are to it, in the open or as a reference.
    pub client_id: Located<HeaderText>,
    /// What proves it.
    pub client_secret: Located<SecretRef>,
    /// The authorization server: clients are told to log in there, and a token that names another
    /// is refused.
    pub issuer: Located<Issuer>,
    /// For whom tokens must be: the URL of this server's `/mcp`, or what the authorization server
    /// knows it by.
    pub audience: Located<String>,
    /// For how long an answer is taken for true: that long a revoked token may still be taken. By
    /// default 10s.
    pub cache: Option<Located<Period>>,
    /// The member that is the identity: its name, or a JSON pointer to it.
    #[serde(default = "default_identity")]
    pub identity: Located<String>,
    /// The member that lists groups: its name, or a JSON pointer to it.
    pub groups: Option<Located<String>>,
    /// Other members that policies and the trail see, by name or JSON pointer.
    #[serde(default)]
    pub claims: Vec<Located<String>>,
}

fn default_identity() -> Located<String> {
    Located::nowhere("sub".to_owned())
}

fn default_algorithms() -> Vec<Located<JwtAlgorithm>> {
    use JwtAlgorithm::{ES256, EdDSA, PS256, RS256};
    [RS256, PS256, ES256, EdDSA].into_iter().map(Located::nowhere).collect()
}

/// A signature algorithm of JOSE. None has a shared secret: who can verify could sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
#[expect(missing_docs, reason = "their names are the standard's")]
pub enum JwtAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl JwtAlgorithm {
    /// Its name in JOSE (RFC 7518 §3.1, RFC 8037 §3.1).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }
}

/// An authorization server's name for itself (RFC 8414 §2): a URL, kept as it is written, because
/// tokens must have it letter by letter, a `/` at the end included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer(String, BaseUrl);

impl Issuer {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a URL.
    pub fn as_url(&self) -> &Url {
        self.1.as_url()
    }
}

impl FromStr for Issuer {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        Ok(Self(text.to_owned(), text.parse()?))
    }
}

/// Where an issuer's public keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySetAt {
    /// At a URL.
    Url(Url),
    /// In a file, relative to the configuration's folder.
    File(String),
}

impl FromStr for KeySetAt {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let expected = || {
            Malformed(
                "expected an https URL such as \"https://id.example.com/jwks\", or \"file:PATH\""
                    .to_owned(),
            )
        };
        match text.strip_prefix("file:") {
            Some("") => return Err(expected()),
            Some(path) => return Ok(Self::File(path.to_owned())),
            None => {}
        }
        let url = Url::parse(text).map_err(|_| expected())?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        if plain { Ok(Self::Url(url)) } else { Err(expected()) }
    }
}

/// A scope (RFC 6749 §3.3): what a token allows, in a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(String);

impl Scope {
    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Scope {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let word = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte);
        if (1..=128).contains(&text.len()) && text.bytes().all(word) {
            return Ok(Self(text.to_owned()));
        }
        Err(Malformed(
            "expected a scope such as \"orders:write\": one word without quotes".to_owned(),
        ))
    }
}

macro_rules! text {
    ($type:ty, $name:literal, $format:literal, $description:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "format": $format, "description": $description})
            }
        }
    };
}

text!(Issuer, "Issuer", "tollbridge-url", "The URL by which an authorization server names itself.");
text!(KeySetAt, "KeySetAt", "tollbridge-jwks", "An https URL, or file:PATH.");
text!(Scope, "Scope", "tollbridge-scope", "What a token allows, in a word.");

/// What does not hold together.
pub(super) struct Wrong {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) label: &'static str,
}

impl ServerAuth {
    /// Whether anything is asked of callers.
    pub fn asks(&self) -> bool {
        self.keys || self.jwt.is_some() || self.introspection.is_some()
    }

    /// The claim or member that lists groups.
    pub fn groups(&self) -> Option<&Located<String>> {
        let of_jwt = self.jwt.as_ref().and_then(|jwt| jwt.groups.as_ref());
        of_jwt.or_else(|| self.introspection.as_ref()?.groups.as_ref())
    }

    /// The authorization server, and for whom its tokens must be.
    pub fn issuer_and_audience(&self) -> Option<(&Located<Issuer>, &Located<String>)> {
        let of_jwt = self.jwt.as_ref().map(|jwt| (&jwt.issuer, &jwt.audience));
        of_jwt.or_else(|| self.introspection.as_ref().map(|asked| (&asked.issuer, &asked.audience)))
    }

    /// The URL of this server's `/mcp` as clients know it, where tokens are taken.
    pub fn resource(&self) -> Option<String> {
        if let Some(resource) = &self.resource {
            return Some(resource.as_str().to_owned());
        }
        let (_, audience) = self.issuer_and_audience()?;
        audience.parse::<BaseUrl>().ok().map(|_| (**audience).clone())
    }

    /// What of it does not hold together.
    pub(super) fn wrong(&self) -> Vec<Wrong> {
        let mut all = Vec::new();
        let mut wrong = |span: Range<usize>, message: &str, label| {
            all.push(Wrong { span, message: message.to_owned(), label });
        };
        if let (Some(_), Some(introspection)) = (&self.jwt, &self.introspection) {
            let message = "tokens are verified either by their signature or by asking";
            wrong(introspection.span(), message, "keep `jwt` or `introspection`");
        }
        let issuers =
            self.issuer_and_audience().map(|(issuer, _)| (issuer.span(), issuer.as_url()));
        let asked = self.introspection.as_ref().map(|asked| (asked.url.span(), asked.url.as_url()));
        let jwks = self.jwt.as_ref().and_then(|jwt| jwt.jwks.as_ref());
        let jwks = jwks.and_then(|jwks| match &**jwks {
            KeySetAt::Url(url) => Some((jwks.span(), url)),
            KeySetAt::File(_) => None,
        });
        for (span, url) in issuers.into_iter().chain(asked).chain(jwks) {
            if url.scheme() == "http" && !is_loopback(url) {
                let message = "whoever is on the way could say who callers are";
                wrong(span, message, "use https");
            }
        }
        if let Some((_, audience)) = self.issuer_and_audience() {
            if audience.is_empty() {
                wrong(audience.span(), "`audience` is empty", "expected whom tokens are for");
            } else if self.resource().is_none() {
                let message = "`audience` is no URL, so nothing says where this server is";
                wrong(audience.span(), message, "set `resource` to the URL of its /mcp");
            }
        } else if let Some(resource) = &self.resource {
            wrong(resource.span(), "`resource` is for tokens, and none are taken", "remove it");
        } else if let Some(scope) = self.scopes.first() {
            wrong(scope.span(), "`scopes` are asked of tokens, and none are taken", "remove it");
        }
        if let Some(jwt) = &self.jwt
            && jwt.algorithms.is_empty()
        {
            wrong(jwt.span(), "`algorithms` is empty: no token could be taken", "name one");
        }
        if let Some(cache) = self.introspection.as_ref().and_then(|asked| asked.cache.as_ref())
            && cache.0.as_secs() > 300
        {
            let message = "a revoked token would be taken for long";
            wrong(cache.span(), message, "expected at most 5m");
        }
        all
    }
}
