//! Tokens of an authorization server's: what they say, once it is sure that it says so.
//!
//! | file | its one idea |
//! |---|---|
//! | `jws` | a signed token, taken apart and verified |
//! | `keys` | the public keys of an issuer |
//! | `keyring` | those keys over time: fetched, kept, replaced; and what they verified |
//! | `claims` | what must hold of claims, and who they say it is |
//! | `introspection` | asking the server itself |
//!
//! A token is input from a stranger until its signature, or the server, says otherwise. Nothing
//! here prints one, and none is kept. Whatever must be fetched comes in through a function, so
//! this room knows no HTTP.

mod claims;
mod introspection;
mod jws;
mod keyring;
mod keys;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use sha2::{Digest as _, Sha256};
use tollbridge_operation::Identity;

use self::keyring::TokenDigest;
use super::Facts;

pub use claims::ClaimRules;
pub use introspection::Introspection;
pub use jws::Algorithm;
pub use keyring::Keyring;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN: usize = 16 * 1024;

/// Fetches something: the bytes, or in words why there are none.
pub type Fetch<T> = Arc<dyn Fn(T) -> BoxFuture<'static, Result<Vec<u8>, String>> + Send + Sync>;

/// Who somebody is, as was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The name that rules know.
    pub identity: Identity,
    /// The groups that it claims.
    pub groups: Vec<String>,
    /// What else is known.
    pub facts: Arc<Facts>,
    /// When that ends, in seconds since the Unix epoch; `None` where it does not say.
    pub expires: Option<i64>,
}

/// Why nobody is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotKnown {
    /// What was brought proves nothing. The words may be shown to whoever brought it.
    #[error("{0}")]
    Invalid(&'static str),
    /// Nothing was brought that could.
    #[error("nothing was brought that says who calls")]
    Nothing,
    /// It cannot be said now.
    #[error("callers cannot be verified now")]
    Unavailable,
}

/// What verifies tokens.
#[derive(Debug)]
pub enum Tokens {
    /// Tokens are JWTs that the issuer signed (RFC 7519, RFC 9068).
    Jwt {
        /// The issuer's keys.
        keys: Keyring,
        /// What must hold of a token.
        rules: ClaimRules,
        /// The algorithms that count.
        algorithms: Vec<Algorithm>,
        /// Whether a token must say in its header that it is an access token.
        typed: bool,
    },
    /// The authorization server is asked (RFC 7662).
    Introspection(Introspection),
}

impl Tokens {
    /// Whom a token stands for at this moment. `certificate` is the SHA-256 of the certificate
    /// that the connection proved, in the form of RFC 8705 §3.1.
    pub async fn verify(&self, token: &str, certificate: Option<&str>) -> Result<Known, NotKnown> {
        if token.len() > MAX_TOKEN {
            return Err(NotKnown::Invalid("the token is too long"));
        }
        let now = now();
        match self {
            Self::Jwt { keys, rules, algorithms, typed } => {
                let digest: TokenDigest = Sha256::digest(token).into();
                if let Some(claims) = keys.remembered(&digest) {
                    return rules.judge(&claims, now, certificate);
                }
                let token = jws::Token::parse(token)?;
                token.check_header(algorithms, *typed)?;
                let verified = keys.verify(&token).await?;
                let known = rules.judge(&verified.claims, now, certificate)?;
                if let Some(until) = known.expires {
                    keys.remember(digest, verified, now, until);
                }
                Ok(known)
            }
            Self::Introspection(introspection) => {
                introspection.verify(token, now, certificate).await
            }
        }
    }
}

/// Seconds since the Unix epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
