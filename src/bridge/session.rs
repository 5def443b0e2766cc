//! A session that a declared operation opens: its answer's cookies, or a member of its answer,
//! prove who we are until the API says otherwise.
//!
//! Whoever needs a session while one is being opened waits for that one. It is opened at the base
//! URL that is asked, carried to that origin alone, kept in memory, and opened anew once where it
//! is refused. What proves it is made known to the redactor before it is used. The arguments of
//! the operation are the configuration's: no agent has a say in them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tollbridge_operation::{Answer, Arguments, Operation, Payload, Response};

use super::exchange::{self, Content, Ended};
use super::oauth::{NoToken, TokenKeeper, TokenName};
use super::prepare::{self, Target};
use super::upstream::Upstream;
use crate::secret::{Redactor, Secret};

/// For how long a failure stands, so that an API that is down is not asked by every call.
const STANDING: Duration = Duration::from_secs(2);

/// How often the API's word that a session is no good is believed.
const REFUSALS: Duration = Duration::from_secs(10);

/// How many cookies of an answer are kept, and how long one is at most.
const MOST_COOKIES: usize = 16;
const LONGEST_COOKIE: usize = 4096;

/// A cookie that is shorter is no secret: nobody could be proved by it.
const SHORTEST_SECRET: usize = 8;

/// How a session is opened, and what proves it.
#[derive(Debug, Clone)]
pub struct SessionLogin {
    /// The operation that opens it.
    pub operation: Arc<Operation>,
    /// What it is called with, secrets among it.
    pub arguments: Arguments,
    /// What of its answer proves the session; `None`: its cookies.
    pub token: Option<SessionToken>,
    /// After which time it is opened anew, whatever the API says.
    pub lifetime: Option<Duration>,
}

/// A member of an answer that proves a session.
#[derive(Debug, Clone)]
pub struct SessionToken {
    /// Where in the answer it is: a JSON pointer.
    pub pointer: String,
    /// In which header it goes.
    pub header: HeaderName,
    /// What stands before it there.
    pub prefix: String,
}

/// The sessions of an API, one for each base URL.
pub struct Session {
    login: SessionLogin,
    redactor: Redactor,
    open: Mutex<HashMap<usize, Open>>,
    /// Held by whoever opens one.
    opening: tokio::sync::Mutex<Option<(Instant, NoToken)>>,
    numbers: Mutex<u64>,
    refused: Mutex<Option<Instant>>,
    keeper: OnceLock<Arc<dyn TokenKeeper>>,
}

/// A session that is open.
#[derive(Clone)]
pub(super) struct Open {
    /// Which one it is.
    pub(super) number: u64,
    carries: Carried,
    ends_at: Option<Instant>,
}

#[derive(Clone)]
enum Carried {
    Header(HeaderName, HeaderValue),
    /// Joined as `Cookie` has them.
    Cookies(HeaderValue),
}

impl Session {
    /// None is open yet. What proves one, `redactor` learns: it must be a
    /// [growing](Redactor::growing) one.
    pub fn new(login: SessionLogin, redactor: Redactor) -> Self {
        Self {
            login,
            redactor,
            open: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            numbers: Mutex::default(),
            refused: Mutex::default(),
            keeper: OnceLock::new(),
        }
    }

    /// Has each session that is opened put on record. The first keeper stays.
    pub fn keep_in(&self, keeper: Arc<dyn TokenKeeper>) {
        let _ = self.keeper.set(keeper);
    }

    /// A session at that base URL, opened where there is none. Waits until `limit` at most.
    pub(super) async fn enter(
        &self,
        upstream: &Upstream,
        at: usize,
        limit: Instant,
        cancel: &CancellationToken,
    ) -> Result<Open, NoToken> {
        if let Some(open) = self.kept(at) {
            return Ok(open);
        }
        let late = |_| NoToken::Unavailable("there was no answer in time".to_owned());
        let mut failed = timeout_at(limit, self.opening.lock()).await.map_err(late)?;
        // Whoever held it before may have what is wanted.
        if let Some(open) = self.kept(at) {
            return Ok(open);
        }
        if let Some((when, failed)) = &*failed
            && when.elapsed() < STANDING
        {
            return Err(failed.clone());
        }
        let opened = self.open(upstream, at, limit, cancel).await;
        *failed = opened.as_ref().err().map(|failed| (Instant::now(), failed.clone()));
        if let (Ok(_), Some(keeper)) = (&opened, self.keeper.get()) {
            let ends = self.login.lifetime.and_then(|time| SystemTime::now().checked_add(time));
            keeper.note(&self.name(), ends).await;
        }
        opened
    }

    /// The API refused that session. Whether another one is worth a try.
    pub(super) fn refused(&self, at: usize, number: u64) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.get(&at).is_none_or(|open| open.number != number) {
            return true;
        }
        if refused.is_some_and(|last| last.elapsed() < REFUSALS) {
            return false;
        }
        *refused = Some(Instant::now());
        open.remove(&at);
        true
    }

    /// In which header it goes, where that is not `Cookie`.
    pub(super) fn header(&self) -> Option<HeaderName> {
        self.login.token.as_ref().map(|token| token.header.clone())
    }

    fn name(&self) -> TokenName {
        TokenName {
            api: self.login.operation.id.api.clone(),
            scheme: None,
            identity: None,
            grant: "session",
            binding: Secret::new(""),
        }
    }

    fn kept(&self, at: usize) -> Option<Open> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&at).cloned().filter(|open| open.ends_at.is_none_or(|end| Instant::now() < end))
    }

    async fn open(
        &self,
        upstream: &Upstream,
        at: usize,
        limit: Instant,
        cancel: &CancellationToken,
    ) -> Result<Open, NoToken> {
        let unusable = |why: &str| NoToken::Unusable(format!("its login {why}"));
        let target = self.request(upstream, at).ok_or_else(|| unusable("cannot be sent"))?;
        let answered =
            match exchange::send(upstream, &target, None, limit, cancel, None, &mut |_| {}).await {
                Ended::Answered(answered) => answered,
                Ended::Broken { what, .. } => {
                    return Err(NoToken::Unavailable(format!(
                        "its login failed: {}",
                        what.words()
                    )));
                }
                Ended::Cancelled { .. } => {
                    return Err(NoToken::Unavailable("its login was cancelled".to_owned()));
                }
            };
        let (status, headers) = (answered.status, answered.headers);
        // A login by a form is answered with a redirect; its cookies are what counts.
        let is_done =
            status.is_success() || (status.is_redirection() && self.login.token.is_none());
        if !is_done {
            let words = format!("its login was answered {}", status.as_u16());
            let passing = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
            return Err(if passing {
                NoToken::Unavailable(words)
            } else {
                NoToken::Unusable(format!("{words}; whoever runs tollbridge must check its `auth`"))
            });
        }
        let carries = match &self.login.token {
            None => cookies(&headers).ok_or_else(|| unusable("brought no cookie"))?,
            Some(token) => {
                let Content::Whole(body) = answered.body else {
                    return Err(unusable("was not answered whole"));
                };
                let response = Response { status, headers, body };
                let answer = self.login.operation.binding.decode(&response);
                let text = member(answer, &token.pointer);
                let text = text.ok_or_else(|| unusable("brought no token"))?;
                vec![(token.header.clone(), token.prefix.clone(), text)]
            }
        };
        self.take(at, carries).ok_or_else(|| unusable("brought nothing that can be kept secret"))
    }

    /// The request that opens a session: what every request carries, and no credential.
    fn request(&self, upstream: &Upstream, at: usize) -> Option<Target> {
        let request = self.login.operation.binding.encode(&self.login.arguments).ok()?;
        prepare::bare(upstream, request, at).ok()
    }

    /// Takes what proves a session into use: names, what stands before, and secrets.
    fn take(&self, at: usize, carries: Vec<(HeaderName, String, Secret)>) -> Option<Open> {
        let is_cookies = self.login.token.is_none();
        // A short cookie, such as a language, proves nothing, and would be found in every text.
        let is_secret = |secret: &Secret| !is_cookies || secret.expose().len() >= SHORTEST_SECRET;
        let mut secrets = carries.iter().map(|(_, _, secret)| secret).filter(|one| is_secret(one));
        if !secrets.all(|secret| self.redactor.learn(secret)) {
            return None;
        }
        let texts: Vec<String> =
            carries.iter().map(|(_, prefix, text)| format!("{prefix}{}", text.expose())).collect();
        let mut value = HeaderValue::from_str(&texts.join("; ")).ok()?;
        value.set_sensitive(true);
        let name = carries.into_iter().next()?.0;
        let carries =
            if is_cookies { Carried::Cookies(value) } else { Carried::Header(name, value) };
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        *numbers += 1;
        let open = Open {
            number: *numbers,
            carries,
            ends_at: self.login.lifetime.map(|lifetime| Instant::now() + lifetime),
        };
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(at, open.clone());
        Some(open)
    }
}

impl Open {
    /// Puts what proves it into a request's headers.
    pub(super) fn authorize(&self, headers: &mut HeaderMap) {
        match &self.carries {
            Carried::Header(name, value) => {
                headers.insert(name, value.clone());
            }
            Carried::Cookies(cookies) => {
                let own = headers.get(COOKIE).map(HeaderValue::as_bytes);
                let parts: Vec<&[u8]> = own.into_iter().chain([cookies.as_bytes()]).collect();
                if let Ok(mut joined) = HeaderValue::from_bytes(&parts.join(&b"; "[..])) {
                    joined.set_sensitive(true);
                    headers.insert(COOKIE, joined);
                }
            }
        }
    }
}

/// The cookies of an answer, each as name and value (RFC 6265 §5.2); `None` where it has none.
fn cookies(headers: &HeaderMap) -> Option<Vec<(HeaderName, String, Secret)>> {
    let mut all: Vec<(HeaderName, String, Secret)> = Vec::new();
    for text in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
        let pair = text.split(';').next().unwrap_or_default();
        let Some((name, value)) = pair.split_once('=') else { continue };
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || value.is_empty() || pair.len() > LONGEST_COOKIE {
            continue;
        }
        all.retain(|(_, known, _)| known.trim_end_matches('=') != name);
        if all.len() < MOST_COOKIES {
            all.push((COOKIE, format!("{name}="), Secret::new(value)));
        }
    }
    (!all.is_empty()).then_some(all)
}

/// A text or a number of an answer.
fn member(answer: Answer, pointer: &str) -> Option<Secret> {
    let Answer::Success { payload: Payload::Value(value), .. } = answer else { return None };
    match value.pointer(pointer)? {
        Value::String(text) if !text.is_empty() => Some(Secret::new(text.as_str())),
        Value::Number(number) => Some(Secret::new(number.to_string())),
        _ => None,
    }
}

/// The header's usual form, where the configuration says nothing else.
pub fn session_prefix(header: &HeaderName) -> &'static str {
    if *header == AUTHORIZATION { "Bearer " } else { "" }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.login.operation.id)
    }
}
