//! One token, or one for each identity: kept while it is good, renewed before it ends, by one
//! request for however many calls.
//!
//! Whoever asks while a token is being fetched waits for that one. A fetch runs to its end though
//! the call that began it is gone, since a refresh token may be good for one use only. What is
//! issued is made known to the redactor before anything else is done with it, and kept before it
//! is used. Another process with the same tokens renews them in turn, not at once.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep, timeout_at};

use super::Shared;
use super::answer::{self, INVALID_GRANT, Issued, NoToken};
use super::grant::{Asked, Grant};
use super::keep::{KeptToken, TokenName};
use super::server::EXCHANGE;
use crate::bridge::attempt::TokenLog;
use crate::secret::Secret;

/// How long before its end a token is renewed: this, or a tenth of its life if that is shorter.
const SKEW: Duration = Duration::from_mins(1);

/// For how long a failure stands, so that a server that is down is not asked by every call.
const STANDING: Duration = Duration::from_secs(2);

/// How often the API's word that a token is no good is believed.
const REFUSALS: Duration = Duration::from_secs(10);

/// How long a process may have a token to itself: a fetch may be two exchanges, and metadata.
const LEASE: Duration = EXCHANGE.saturating_mul(4);

/// How often it is looked, while calls go on, whether a person has logged in anew, or out: that is
/// another process's doing.
const LOGINS: Duration = Duration::from_secs(2);

/// How often it is looked whether another process has renewed a token.
const LOOK: Duration = Duration::from_millis(50);

/// A token, and how the next one is got.
pub(in crate::bridge) struct Slot {
    shared: Arc<Shared>,
    /// Who calls, where it matters.
    identity: Option<String>,
    pub(super) current: RwLock<Option<Token>>,
    /// Held by whoever asks the server.
    asking: Arc<tokio::sync::Mutex<Asking>>,
    /// When a token was last dropped because the API refused it.
    refused: Mutex<Option<Instant>>,
    /// When it was last looked whether the login is still the one that it was.
    looked: Mutex<Option<Instant>>,
}

#[derive(Default)]
pub(super) struct Asking {
    /// Which token was got last.
    number: u64,
    /// It, and when it was issued.
    last: Option<(Secret, SystemTime)>,
    refresh: Option<Secret>,
    failed: Option<(Instant, NoToken)>,
    /// Told of what is asked of the server, where that is for a call.
    told: Option<TokenLog>,
}

/// A token that may be sent.
#[derive(Clone)]
pub(in crate::bridge) struct Token {
    /// Which one of its slot's it is.
    pub(in crate::bridge) number: u64,
    pub(super) secret: Secret,
    /// As a value of `Authorization`.
    pub(super) header: HeaderValue,
    pub(super) renew_at: Option<Instant>,
    pub(super) ends_at: Option<Instant>,
}

impl Slot {
    pub(super) fn new(shared: Arc<Shared>, identity: Option<String>) -> Self {
        Self {
            shared,
            identity,
            current: RwLock::default(),
            asking: Arc::default(),
            refused: Mutex::default(),
            looked: Mutex::default(),
        }
    }

    /// A token that is good now, fetched where there is none. Waits until `limit` at most. `told` is told
    /// of what is asked of the server for it.
    pub(in crate::bridge) async fn token(
        self: &Arc<Self>,
        limit: Instant,
        told: Option<TokenLog>,
    ) -> Result<Token, NoToken> {
        let token = self.found(limit, told).await?;
        // Of many tokens the redactor forgets those that were not used for the longest time.
        if self.shared.redactor.learn(&token.secret) { Ok(token) } else { Err(not_hidden()) }
    }

    async fn found(
        self: &Arc<Self>,
        limit: Instant,
        told: Option<TokenLog>,
    ) -> Result<Token, NoToken> {
        self.look_at_login();
        if let Some(token) = self.kept() {
            // It is still good: the call does not wait for the next one.
            if token.renew_at.is_some_and(|due| due <= Instant::now())
                && let Ok(asking) = Arc::clone(&self.asking).try_lock_owned()
            {
                tokio::spawn(Arc::clone(self).fetch(asking));
            }
            return Ok(token);
        }
        let late = || NoToken::Unavailable("there was no answer in time".to_owned());
        let asking = timeout_at(limit, Arc::clone(&self.asking).lock_owned());
        let mut asking = asking.await.map_err(|_| late())?;
        // Whoever held it before may have what is wanted.
        if let Some(token) = self.kept() {
            return Ok(token);
        }
        if let Some((when, failed)) = &asking.failed
            && when.elapsed() < STANDING
        {
            return Err(failed.clone());
        }
        asking.told = told;
        let fetched = timeout_at(limit, tokio::spawn(Arc::clone(self).fetch(asking)));
        fetched.await.map_err(|_| late())?.map_err(|_| late())?
    }

    /// The API refused that token. Whether another one is worth a try.
    pub(in crate::bridge) fn refused(&self, number: u64) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Whoever else was refused it has dropped it, and may be fetching the next one.
        if current.as_ref().is_none_or(|token| token.number != number) {
            return true;
        }
        if refused.is_some_and(|last| last.elapsed() < REFUSALS) {
            return false;
        }
        *refused = Some(Instant::now());
        *current = None;
        true
    }

    /// Looks beside the call whether a person has logged in anew, or out.
    fn look_at_login(self: &Arc<Self>) {
        if !matches!(self.shared.oauth.grant, Grant::Login(_)) || self.shared.keeper().is_none() {
            return;
        }
        {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            if looked.is_some_and(|last| last.elapsed() < LOGINS) {
                return;
            }
            *looked = Some(Instant::now());
        }
        if let Ok(mut asking) = Arc::clone(&self.asking).try_lock_owned() {
            let slot = Arc::clone(self);
            tokio::spawn(async move {
                // What cannot be read now is as it was.
                let _ = slot.recall(&slot.name(), &mut asking).await;
            });
        }
    }

    /// The token that is there, where it is still good.
    fn kept(&self) -> Option<Token> {
        let kept = self.current.read().unwrap_or_else(PoisonError::into_inner);
        kept.clone().filter(|token| token.ends_at.is_none_or(|end| Instant::now() < end))
    }

    /// Waits until nobody asks the server.
    pub(super) async fn quiet(&self) {
        drop(self.asking.lock().await);
    }

    /// Takes what a person's login gave, and keeps it. The error says why it cannot be kept.
    pub(super) async fn log_in(&self, issued: Issued) -> Result<Option<String>, String> {
        let mut asking = self.asking.lock().await;
        let scopes = issued.scopes.clone();
        let kept = self.take(issued, &mut asking).map_err(|failed| failed.words())?;
        let Some(keeper) = self.shared.keeper() else {
            return Err("there is no store to keep it in".to_owned());
        };
        keeper.save(&self.name(), &kept).await?;
        Ok(scopes)
    }

    /// Forgets a person's login. What it was renewed with is given back to the server, where that
    /// takes it; whether it did.
    pub(super) async fn log_out(&self) -> bool {
        let mut asking = self.asking.lock().await;
        let kept = match self.shared.keeper() {
            Some(keeper) => keeper.load(&self.name()).await.ok().flatten(),
            None => None,
        };
        let revoked = match kept {
            Some(kept) => self.revoke(&kept).await,
            None => false,
        };
        *asking = Asking { number: asking.number, ..Asking::default() };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(keeper) = self.shared.keeper() {
            keeper.forget(&self.name()).await;
        }
        revoked
    }

    /// Gives back what renews tokens, which ends those that it gave (RFC 7009 §2.1), else the token.
    async fn revoke(&self, kept: &KeptToken) -> bool {
        let (token, kind) = match &kept.refresh {
            Some(refresh) => (refresh, "refresh_token"),
            None => (&kept.token, "access_token"),
        };
        let Ok(server) = self.shared.server.found(None).await else { return false };
        let Some(url) = server.revocation.clone() else { return false };
        let asked = self.shared.oauth.revocation(token, kind, &server, SystemTime::now());
        let Ok((headers, body)) = asked else { return false };
        let answer = self.shared.server.post(url, headers, body, None).await;
        answer.is_ok_and(|(status, _)| status.is_success())
    }

    pub(super) fn name(&self) -> TokenName {
        TokenName {
            api: self.shared.api.clone(),
            scheme: self.shared.scheme.clone(),
            identity: self.identity.clone(),
            grant: self.shared.oauth.grant_name(),
            binding: self.shared.oauth.binding(&self.shared.needed()),
        }
    }

    async fn fetch(self: Arc<Self>, mut asking: OwnedMutexGuard<Asking>) -> Result<Token, NoToken> {
        let got = self.get(&mut asking).await;
        asking.told = None;
        asking.failed = got.as_ref().err().map(|failed| (Instant::now(), failed.clone()));
        if let Err(failed) = &got {
            let (api, host) = (self.shared.api.as_str(), self.shared.server.host());
            tracing::warn!(api, host, reason = failed.words(), "no token");
        }
        got
    }

    async fn get(&self, asking: &mut Asking) -> Result<Token, NoToken> {
        let name = self.name();
        let Some(keeper) = self.shared.keeper() else {
            return self.renew(asking).await.map(|(token, _)| token);
        };
        if let Some(token) = self.recall(&name, asking).await? {
            return Ok(token);
        }
        // What renews it may be good for one use only, so one process renews it at a time.
        let is_leased = asking.refresh.is_some() || self.shared.oauth.is_renewed_from_the_start();
        if is_leased {
            let until = Instant::now() + LEASE;
            while !keeper.lease(&name, LEASE).await {
                if Instant::now() > until {
                    let why = "another process does not come to an end with renewing it";
                    return Err(NoToken::Unavailable(why.to_owned()));
                }
                sleep(LOOK).await;
            }
            // Whoever had it before may have renewed it.
            match self.recall(&name, asking).await {
                Ok(None) => {}
                done => {
                    keeper.release(&name).await;
                    return done.and_then(|token| token.ok_or_else(dropped));
                }
            }
        }
        match self.renew(asking).await {
            Ok((token, kept)) => {
                if let Err(error) = keeper.save(&name, &kept).await {
                    // It can be used, until this process ends.
                    tracing::error!(api = self.shared.api.as_str(), error, "a token is not kept");
                }
                Ok(token)
            }
            Err(failed) if !is_leased => Err(failed),
            Err(failed) => {
                if matches!(failed, NoToken::NotLoggedIn(_)) {
                    keeper.forget(&name).await;
                } else {
                    keeper.release(&name).await;
                }
                Err(failed)
            }
        }
    }

    /// What is kept and newer than what is known here: the token where it is good, else what
    /// renews it.
    async fn recall(
        &self,
        name: &TokenName,
        asking: &mut Asking,
    ) -> Result<Option<Token>, NoToken> {
        let Some(keeper) = self.shared.keeper() else { return Ok(None) };
        let kept = match keeper.load(name).await {
            Ok(Some(kept)) => kept,
            Ok(None) => {
                // Somebody has logged out: what is known here is no longer to be used.
                if matches!(self.shared.oauth.grant, Grant::Login(_)) && asking.last.is_some() {
                    *asking = Asking { number: asking.number, ..Asking::default() };
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = None;
                }
                return Ok(None);
            }
            Err(why) if self.shared.oauth.needs_what_is_kept() => {
                let words = format!("what is kept of its tokens cannot be read: {why}");
                return Err(NoToken::Unavailable(words));
            }
            Err(why) => {
                tracing::warn!(api = self.shared.api.as_str(), why, "kept tokens cannot be read");
                return Ok(None);
            }
        };
        let is_new = asking.last.as_ref().is_none_or(|(token, issued)| {
            *issued <= kept.issued && token.expose() != kept.token.expose()
        });
        if !is_new {
            return Ok(None);
        }
        asking.refresh = kept.refresh.clone();
        let left = kept.ends.map(|ends| ends.duration_since(SystemTime::now()).unwrap_or_default());
        let life = kept.ends.and_then(|ends| ends.duration_since(kept.issued).ok());
        if left.is_some_and(|left| left <= skew(life)) {
            asking.last = Some((kept.token, kept.issued));
            return Ok(None);
        }
        self.put(asking, &kept, left, life).map(Some)
    }

    /// Asks the server. What is returned beside the token is to be kept.
    async fn renew(&self, asking: &mut Asking) -> Result<(Token, KeptToken), NoToken> {
        let first = Asked::First(self.identity.as_deref());
        let (refresh, told) = (asking.refresh.clone(), asking.told.clone());
        let asked = match (&refresh, &self.shared.oauth.grant) {
            (Some(refresh), _) => Asked::Refresh(refresh),
            (None, Grant::Login(_)) => return Err(self.not_logged_in()),
            (None, _) => first,
        };
        let issued = match self.ask(asked, told.as_ref()).await {
            // What it was to be renewed with is no good: it is asked for as at first.
            Err(NoToken::Refused(code)) if code == INVALID_GRANT && refresh.is_some() => {
                asking.refresh = None;
                if matches!(self.shared.oauth.grant, Grant::Login(_)) {
                    return Err(self.not_logged_in());
                }
                self.ask(first, told.as_ref()).await?
            }
            issued => issued?,
        };
        let kept = self.take(issued, asking)?;
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        Ok((current.ok_or_else(dropped)?, kept))
    }

    fn not_logged_in(&self) -> NoToken {
        let api = &self.shared.api;
        let scheme = self.shared.scheme.as_ref();
        let scheme = scheme.map(|scheme| format!(" --scheme {scheme}")).unwrap_or_default();
        let whose = self.identity.as_ref();
        let whose = whose.map(|identity| format!(" --as {identity}")).unwrap_or_default();
        NoToken::NotLoggedIn(format!("tollbridge login {api}{scheme}{whose}"))
    }

    /// Takes an issued token into use.
    fn take(&self, issued: Issued, asking: &mut Asking) -> Result<KeptToken, NoToken> {
        let Issued { token, lifetime, refresh, scopes } = issued;
        let now = SystemTime::now();
        let kept = KeptToken {
            token,
            refresh: refresh.or(asking.refresh.take()),
            scopes,
            issued: now,
            ends: lifetime.and_then(|lifetime| now.checked_add(lifetime)),
        };
        self.put(asking, &kept, lifetime, lifetime)?;
        Ok(kept)
    }

    /// Makes a token the current one, with so much left of its life.
    fn put(
        &self,
        asking: &mut Asking,
        kept: &KeptToken,
        left: Option<Duration>,
        life: Option<Duration>,
    ) -> Result<Token, NoToken> {
        let mut secrets = kept.refresh.iter().chain([&kept.token]);
        let hidden = secrets.all(|secret| self.shared.redactor.learn(secret));
        let header = HeaderValue::from_str(&format!("Bearer {}", kept.token.expose()));
        let (Ok(mut header), true) = (header, hidden) else {
            return Err(not_hidden());
        };
        header.set_sensitive(true);
        let now = Instant::now();
        asking.number += 1;
        asking.refresh = kept.refresh.clone();
        asking.last = Some((kept.token.clone(), kept.issued));
        let token = Token {
            number: asking.number,
            secret: kept.token.clone(),
            header,
            renew_at: left.map(|left| now + left.saturating_sub(skew(life))),
            ends_at: left.map(|left| now + left),
        };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token)
    }

    pub(super) async fn ask(
        &self,
        asked: Asked<'_>,
        told: Option<&TokenLog>,
    ) -> Result<Issued, NoToken> {
        let server = self.shared.server.found(told).await?;
        let needed = self.shared.needed();
        let (headers, body) =
            self.shared.oauth.request(asked, &server, &needed, SystemTime::now())?;
        let url = server.token.clone();
        let (status, body) = self.shared.server.post(url, headers, body, told).await?;
        answer::read(status, &body)
    }
}

/// How long before the end of such a life a token is renewed.
fn skew(life: Option<Duration>) -> Duration {
    life.map_or(SKEW, |life| SKEW.min(life / 10))
}

fn not_hidden() -> NoToken {
    NoToken::Unusable("its token cannot be kept secret".to_owned())
}

fn dropped() -> NoToken {
    NoToken::Unavailable("the token was dropped at once".to_owned())
}

impl Token {
    /// Puts it into a request's headers.
    pub(in crate::bridge) fn authorize(&self, headers: &mut HeaderMap) {
        headers.insert(AUTHORIZATION, self.header.clone());
    }
}
