//! The seam to whoever keeps tokens across restarts, and puts renewals on record.

use std::fmt;
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use tollbridge_operation::ApiName;

use crate::secret::Secret;

/// What tokens are for: one name for each API, scheme, identity and way to get them.
#[derive(Debug, Clone)]
pub struct TokenName {
    /// The API.
    pub api: ApiName,
    /// The security scheme, where it has a credential for each.
    pub scheme: Option<String>,
    /// Whom they stand for, where each identity has its own.
    pub identity: Option<String>,
    /// How they are got.
    pub grant: &'static str,
    /// What else tells them from others, secrets among it.
    pub binding: Secret,
}

/// A token as it is kept.
#[derive(Debug, Clone)]
pub struct KeptToken {
    /// The token.
    pub token: Secret,
    /// What the next one is got with.
    pub refresh: Option<Secret>,
    /// What it allows, where that was said.
    pub scopes: Option<String>,
    /// When it was got.
    pub issued: SystemTime,
    /// When it ends, where that was said.
    pub ends: Option<SystemTime>,
}

/// Where tokens are kept.
pub trait TokenKeeper: fmt::Debug + Send + Sync {
    /// What is kept. The error says in words why it cannot be read.
    fn load<'a>(&'a self, name: &'a TokenName) -> BoxFuture<'a, Result<Option<KeptToken>, String>>;

    /// Keeps a token in the place of an older one, puts that on record without the token, and
    /// ends the lease. The error says in words why it could not.
    fn save<'a>(
        &'a self,
        name: &'a TokenName,
        kept: &'a KeptToken,
    ) -> BoxFuture<'a, Result<(), String>>;

    /// Forgets what is kept, and ends the lease.
    fn forget<'a>(&'a self, name: &'a TokenName) -> BoxFuture<'a, ()>;

    /// Takes the token up for so long, to renew it: false where another process has. Where
    /// nothing can be kept, nobody else can have.
    fn lease<'a>(&'a self, name: &'a TokenName, time: Duration) -> BoxFuture<'a, bool>;

    /// Puts on record that something was got that is not kept: it ends with the process.
    fn note<'a>(&'a self, name: &'a TokenName, ends: Option<SystemTime>) -> BoxFuture<'a, ()>;

    /// Ends the lease.
    fn release<'a>(&'a self, name: &'a TokenName) -> BoxFuture<'a, ()>;
}
