//! What is known of a caller besides its name and its groups.
//!
//! Rules may ask for it, and the trail keeps it. Who established it says how far it can be
//! believed: an [`Agent`] is the client's own word, the rest of the [`Facts`] was proved.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The program that calls, as it names itself (MCP, `clientInfo`). Nothing proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.version)
    }
}

/// What was established about a caller, beside its identity and the groups that it claims.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// How it proved who it is.
    pub proof: Proof,
    /// The OAuth client that its token was issued to.
    pub client_id: Option<String>,
    /// What its token allows (RFC 6749 §3.3). `None` where it has no token: then scopes are
    /// asked of nobody.
    pub scopes: Option<BTreeSet<String>>,
    /// Those claims of its token that the configuration keeps.
    pub claims: BTreeMap<String, Claim>,
}

impl Facts {
    /// Of a caller who proved nothing: it is on this machine.
    pub fn local() -> Arc<Self> {
        static LOCAL: LazyLock<Arc<Facts>> = LazyLock::new(Arc::default);
        Arc::clone(&LOCAL)
    }

    /// Of a caller who brought a key of ours.
    pub fn of_key() -> Arc<Self> {
        static KEY: LazyLock<Arc<Facts>> =
            LazyLock::new(|| Arc::new(Facts { proof: Proof::Key, ..Facts::default() }));
        Arc::clone(&KEY)
    }

    /// Of a caller who is known by a certificate.
    pub fn of_certificate() -> Arc<Self> {
        static CERTIFICATE: LazyLock<Arc<Facts>> =
            LazyLock::new(|| Arc::new(Facts { proof: Proof::Certificate, ..Facts::default() }));
        Arc::clone(&CERTIFICATE)
    }

    /// The scopes of `wanted` that its token lacks. Without a token none is lacking.
    pub fn lacking<'w>(&self, wanted: &'w [String]) -> Vec<&'w str> {
        let Some(scopes) = &self.scopes else { return Vec::new() };
        wanted.iter().filter(|scope| !scopes.contains(*scope)).map(String::as_str).collect()
    }
}

/// How a caller proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// It is on this machine, and nothing asks it for more.
    #[default]
    Local,
    /// By a key of ours.
    Key,
    /// By a token of an authorization server's.
    Token,
    /// By a certificate.
    Certificate,
}

impl Proof {
    /// The word that the trail uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Key => "key",
            Self::Token => "token",
            Self::Certificate => "certificate",
        }
    }
}

/// The value of a claim, as far as rules can compare it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Claim {
    /// A string.
    Text(String),
    /// An integer.
    Number(i64),
    /// True or false.
    Flag(bool),
    /// A list of strings.
    Texts(BTreeSet<String>),
}

impl From<&Claim> for Value {
    fn from(claim: &Claim) -> Self {
        match claim {
            Claim::Text(text) => text.as_str().into(),
            Claim::Number(number) => (*number).into(),
            Claim::Flag(flag) => (*flag).into(),
            Claim::Texts(texts) => texts.iter().map(String::as_str).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_asked_of_tokens_alone() {
        let wanted = ["orders:read".to_owned(), "orders:write".to_owned()];
        let with = |scopes: Option<&[&str]>| Facts {
            scopes: scopes.map(|scopes| scopes.iter().map(ToString::to_string).collect()),
            ..Facts::default()
        };
        assert_eq!(with(None).lacking(&wanted), [""; 0]);
        assert_eq!(with(Some(&[])).lacking(&wanted), ["orders:read", "orders:write"]);
        assert_eq!(with(Some(&["orders:read"])).lacking(&wanted), ["orders:write"]);
        assert_eq!(with(Some(&["orders:write", "orders:read"])).lacking(&wanted), [""; 0]);
    }
}
