//! Bearer tokens that are asked for when they are needed (RFC 6749).
//!
//! | file | its one idea |
//! |---|---|
//! | `grant` | a request for a token: in exchange for what, and who asks |
//! | `answer` | what the server says to it |
//! | `server` | where the server is, by its metadata or the configuration |
//! | `slot` | one token: kept, renewed, dropped |
//! | `keep` | the seam to whoever keeps tokens over restarts |
//! | `login` | a person's consent, in a browser or on another device |
//!
//! Not here: how a request of the API carries the token, and what a refusal of it means for a
//! call.

mod answer;
mod grant;
mod keep;
mod login;
mod server;
mod slot;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use tollbridge_operation::{ApiName, Identity};

pub(super) use self::answer::NoToken;
pub use self::grant::{ClientAuth, Grant, Login, OAuth, OnBehalf};
pub use self::keep::{KeptToken, TokenKeeper, TokenName};
pub use self::login::{Browser, Device, LoginError, Standing as LoginStanding};
use self::server::AuthServer;
pub use self::server::Endpoints;
pub(super) use self::slot::{Slot, Token};
use super::tls::Tls;
use crate::secret::Redactor;

/// How many identities have a token in memory at once. Who calls beyond that is asked for again.
const IDENTITIES: usize = 4096;

/// What a source of tokens is made from.
#[derive(Debug)]
pub struct SourceConfig<'a> {
    /// The API.
    pub api: ApiName,
    /// The security scheme, where the API has a credential for each.
    pub scheme: Option<String>,
    /// What tokens are asked for with, and where.
    pub oauth: OAuth,
    /// Whom connections to the server trust, and who they say we are.
    pub tls: &'a Tls,
    /// Who is asked for the server's addresses instead of the system.
    pub resolver: Option<SocketAddr>,
    /// The proxy that requests to the server go through.
    pub proxy: Option<&'a super::Proxy>,
    /// Hosts that may be contacted beside those of the endpoints.
    pub hosts: &'a [String],
}

/// Where tokens come from: one for all, or one for each identity.
pub struct TokenSource {
    shared: Arc<Shared>,
    slots: Mutex<HashMap<Option<String>, Arc<Slot>>>,
}

/// What all tokens of a source have in common.
struct Shared {
    api: ApiName,
    scheme: Option<String>,
    oauth: OAuth,
    server: AuthServer,
    redactor: Redactor,
    needed: RwLock<BTreeSet<String>>,
    keeper: OnceLock<Arc<dyn TokenKeeper>>,
}

impl TokenSource {
    /// A source that has asked for nothing yet. What it gets, `redactor` learns: it must be a
    /// [growing](Redactor::growing) one. The error says what is wrong with the connection.
    pub fn new(config: SourceConfig<'_>, redactor: Redactor) -> Result<Self, String> {
        let SourceConfig { api, scheme, oauth, tls, resolver, proxy, hosts } = config;
        let server = AuthServer::new(oauth.endpoints.clone(), hosts, tls, resolver, proxy)?;
        let shared = Shared {
            api,
            scheme,
            oauth,
            server,
            redactor,
            needed: RwLock::default(),
            keeper: OnceLock::new(),
        };
        Ok(Self { shared: Arc::new(shared), slots: Mutex::default() })
    }

    /// The API.
    pub fn api(&self) -> &ApiName {
        &self.shared.api
    }

    /// The security scheme, where the API has a credential for each.
    pub fn scheme(&self) -> Option<&str> {
        self.shared.scheme.as_deref()
    }

    /// Adds scopes to those that are asked for where the configuration names none.
    pub fn need(&self, scopes: &[String]) {
        let mut needed = self.shared.needed.write().unwrap_or_else(PoisonError::into_inner);
        needed.extend(scopes.iter().cloned());
    }

    /// What is asked for where the configuration names no scopes: what the tools need.
    pub fn needed(&self) -> Vec<String> {
        self.shared.needed()
    }

    /// Has its tokens kept. The first keeper stays.
    pub fn keep_in(&self, keeper: Arc<dyn TokenKeeper>) {
        let _ = self.shared.keeper.set(keeper);
    }

    /// Waits until nothing is asked for any more: what is issued then is kept.
    pub async fn quiet(&self) {
        let slots: Vec<Arc<Slot>> = {
            let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.values().cloned().collect()
        };
        for slot in slots {
            slot.quiet().await;
        }
    }

    /// Whether each identity has a token of its own.
    pub(super) fn is_by_identity(&self) -> bool {
        self.shared.oauth.is_by_identity()
    }

    /// The token for calls of that identity.
    pub(super) fn slot(&self, identity: &Identity) -> Arc<Slot> {
        let by_identity = self.is_by_identity();
        self.slot_of(by_identity.then(|| identity.as_str().to_owned()))
    }

    fn slot_of(&self, whose: Option<String>) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= IDENTITIES && !slots.contains_key(&whose) {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        let new =
            |whose: &Option<String>| Arc::new(Slot::new(Arc::clone(&self.shared), whose.clone()));
        let slot = slots.entry(whose).or_insert_with_key(new);
        Arc::clone(slot)
    }
}

impl Shared {
    fn needed(&self) -> Vec<String> {
        let needed = self.needed.read().unwrap_or_else(PoisonError::into_inner);
        needed.iter().cloned().collect()
    }

    fn keeper(&self) -> Option<&Arc<dyn TokenKeeper>> {
        self.keeper.get()
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource").field("api", &self.shared.api).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
