//! Credentials that sign each request, or are got from the API itself: `kind = "sigv4"`,
//! `"signature"` and `"session"` of a credential.

use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;

use super::located::Located;
use super::values::{HeaderText, Literal, Period, Pointer, PointerSchema};
use crate::secret::SecretRef;

/// A signature as Amazon's services want it.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(inline, deny_unknown_fields)]
pub struct SigV4Auth {
    /// The name of the key, in the open or as a reference.
    pub access_key_id: Located<HeaderText>,
    /// The key.
    pub secret_access_key: Located<SecretRef>,
    /// What goes with a key that is lent for a while.
    pub session_token: Option<Located<SecretRef>>,
    /// Where the service is: `eu-west-1`.
    pub region: Located<String>,
    /// Its name in signatures: `execute-api`, `s3`.
    pub service: Located<String>,
}

/// An HTTP message signature (RFC 9421).
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(inline, deny_unknown_fields)]
pub struct SignatureAuth {
    /// A secret that both sides know; or `key`.
    pub secret: Option<Located<SecretRef>>,
    /// How the secret is written.
    pub encoding: Option<Located<Encoding>>,
    /// A private key in PEM; or `secret`.
    pub key: Option<Located<SecretRef>>,
    /// By what name the API knows the key.
    pub key_id: Located<String>,
    /// What is signed: headers in lower case, and `@method`, `@authority`, `@path`, `@query`,
    /// `@scheme`, `@target-uri`, `@request-target`. By default the method, the place and the body.
    pub components: Option<Vec<Located<String>>>,
    /// The name of the signature. By default `sig1`.
    pub label: Option<Located<String>>,
    /// For how long a signature says that it is good. By default it does not say.
    pub expires: Option<Located<Period>>,
    /// What the signature is for, where the API wants to be told so.
    pub tag: Option<Located<String>>,
}

/// How a shared secret is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Encoding {
    /// Its text is the secret.
    #[default]
    Text,
    /// Its text is the secret in base64.
    Base64,
}

/// A session that an operation of the API opens.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(inline, deny_unknown_fields)]
pub struct SessionAuth {
    /// The operation. It need not be a tool.
    pub login: Located<String>,
    /// What it is called with. Texts in it may be references to secrets.
    pub arguments: Option<Located<Literal>>,
    /// Which member of its answer proves the session. By default its cookies do.
    #[schemars(with = "Option<PointerSchema>")]
    pub at: Option<Located<Pointer>>,
    /// In which header that member goes. By default in `Authorization`.
    pub header: Option<Located<String>>,
    /// What stands before it there. By default `Bearer ` in `Authorization`, nothing in others.
    pub prefix: Option<Located<String>>,
    /// After which time a session is opened anew. By default where the API refuses it.
    pub lifetime: Option<Located<Period>>,
}

impl Eq for SessionAuth {}

impl SignatureAuth {
    /// Whether it has one thing to sign with; else what is wrong.
    pub(super) fn wrong(&self) -> Option<&'static str> {
        match (&self.secret, &self.key, &self.encoding) {
            (Some(_), Some(_), _) => Some("it has both `secret` and `key`"),
            (None, None, _) => Some("it needs `secret`, or a private `key`"),
            (None, Some(_), Some(_)) => Some("`encoding` is a secret's"),
            _ => None,
        }
    }
}

impl SessionAuth {
    /// What has no effect, and where it stands.
    pub(super) fn without_effect(&self) -> Option<(&'static str, Range<usize>)> {
        if self.at.is_some() {
            return None;
        }
        let header = self.header.as_ref().map(|header| ("header", header.span()));
        header.or_else(|| self.prefix.as_ref().map(|prefix| ("prefix", prefix.span())))
    }
}
