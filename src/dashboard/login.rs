//! Who is at the pages: an approver's key, once, and then a session in a cookie.
//!
//! A session is 32 random bytes, of which the digest is kept, in memory: a restart ends them all. It
//! lasts a working day, or an hour without use, and no longer than its key, which is looked up with
//! every request. Its cookie is for us alone (`HttpOnly`, `SameSite=Strict`). Keys have 256 random
//! bits, so guessing is not what attempts are bounded for: it is the work that they make.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{App, Reached, html, pages};
use crate::gateway::KeyHolder;

/// How long a session lasts at most.
const LIFE: Duration = Duration::from_hours(10);

/// How long it lasts without use.
const IDLE: Duration = Duration::from_hours(1);

/// How many there are at once.
const MAX_SESSIONS: usize = 256;

const COOKIE: &str = "tollbridge_approvals";

/// How many wrong keys one address may show in a minute, and all of them together.
const MAX_FAILURES: u32 = 10;
const MAX_ALL_FAILURES: u32 = 100;

/// A person who has logged in.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) who: KeyHolder,
    /// What a form of this session's pages carries.
    pub(super) token: Arc<str>,
    begun: Instant,
    used: Instant,
}

/// The sessions, by the digest of what their cookies say.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

impl Sessions {
    /// Opens a session; the cookie's value. `None` where the system gives no random bytes.
    fn open(&self, who: KeyHolder) -> Option<String> {
        let (cookie, token) = (random()?, random()?);
        let now = Instant::now();
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.lives());
        if sessions.len() >= MAX_SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.used);
            if let Some(oldest) = oldest.map(|(digest, _)| *digest) {
                sessions.remove(&oldest);
            }
        }
        let session = Session { who, token: token.into(), begun: now, used: now };
        sessions.insert(digest(&cookie), session);
        Some(cookie)
    }

    fn find(&self, cookie: &str) -> Option<Session> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get_mut(&digest(cookie)).filter(|session| session.lives())?;
        session.used = Instant::now();
        Some(session.clone())
    }

    fn close(&self, cookie: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest(cookie));
    }
}

impl Session {
    fn lives(&self) -> bool {
        self.begun.elapsed() < LIFE && self.used.elapsed() < IDLE
    }

    /// Whether a form was made for this session.
    pub(super) fn made(&self, form: &Form) -> bool {
        let token = form.get("token").unwrap_or_default();
        bool::from(token.as_bytes().ct_eq(self.token.as_bytes()))
    }
}

/// Wrong keys of the last minute.
#[derive(Default)]
pub(super) struct Failures(Mutex<Option<Minute>>);

struct Minute {
    begun: Instant,
    all: u32,
    by_peer: HashMap<IpAddr, u32>,
}

impl Failures {
    /// Whether another key may be shown from there.
    pub(super) fn room(&self, peer: IpAddr) -> bool {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.as_ref().is_some_and(|minute| minute.begun.elapsed() >= Duration::from_mins(1)) {
            *minute = None;
        }
        minute.as_ref().is_none_or(|minute| {
            minute.all < MAX_ALL_FAILURES
                && minute.by_peer.get(&peer).is_none_or(|failed| *failed < MAX_FAILURES)
        })
    }

    /// Notes a wrong key.
    pub(super) fn note(&self, peer: IpAddr) {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = minute.get_or_insert_with(|| Minute {
            begun: Instant::now(),
            all: 0,
            by_peer: HashMap::new(),
        });
        minute.all += 1;
        *minute.by_peer.entry(peer).or_default() += 1;
    }
}

fn random() -> Option<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes.as_slice()))
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// A form as a browser sends it.
pub(super) struct Form(HashMap<String, String>);

impl Form {
    pub(super) fn read(body: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(body).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A text that was written into the form.
    pub(super) fn written(&self, name: &str) -> Option<String> {
        let text = self.get(name)?.trim();
        (!text.is_empty()).then(|| text.chars().take(1_000).collect())
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|cookies| cookies.split(';'));
    let mut named = pairs.filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    named.next()
}

/// The session of a request, or what answers a request without one.
pub(super) async fn session(app: &App, headers: &HeaderMap) -> Result<Session, Response> {
    let Some(session) = cookie(headers).and_then(|cookie| app.sessions.find(cookie)) else {
        // A link on another site leads here without the cookie, once. Asked again by our own page,
        // the browser sends it.
        if super::guard::was_led_here(headers) && cookie(headers).is_none() {
            let again =
                "<!doctype html><meta http-equiv=\"refresh\" content=\"0\"><title>…</title>";
            return Err(Html(again).into_response());
        }
        return Err(see("/approvals/login"));
    };
    match app.gateway.approver_still(&session.who).await {
        Ok(true) => Ok(session),
        Ok(false) => Err(see("/approvals/login")),
        Err(error) => Err(unavailable(&error.to_string())),
    }
}

pub(super) fn unavailable(why: &str) -> Response {
    tracing::error!(why, "approvals cannot be read");
    let page = html::page("Not now", "<h1>Not now</h1><p>The store cannot be read.</p>");
    (StatusCode::SERVICE_UNAVAILABLE, Html(page)).into_response()
}

/// Sends a browser on (RFC 9110 §15.4.4).
pub(super) fn see(path: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, HeaderValue::from_static(path))]).into_response()
}

pub(super) async fn form() -> Response {
    asked(StatusCode::OK, None)
}

fn asked(status: StatusCode, told: Option<&str>) -> Response {
    let told = told.map(|told| format!("<p class=\"told\">{}</p>\n", html::text(told)));
    let body = format!(
        "<h1>Held calls</h1>\n{}<form method=\"post\" action=\"/approvals/login\">\n\
         <label>An approver's key (<code>tollbridge key new NAME --approver</code>)\n\
         <input type=\"password\" name=\"key\" autocomplete=\"current-password\" required autofocus>\
         </label>\n<button>Log in</button>\n</form>",
        told.unwrap_or_default()
    );
    (status, Html(html::page("Log in", &body))).into_response()
}

pub(super) async fn log_in(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<SocketAddr>,
    body: Bytes,
) -> Response {
    let peer = peer.ip().to_canonical();
    if !app.failures.room(peer) {
        let mut response =
            asked(StatusCode::TOO_MANY_REQUESTS, Some("Too many wrong keys. Try again later."));
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        return response;
    }
    let form = Form::read(&body);
    let key = form.get("key").unwrap_or_default().trim();
    let who = match app.gateway.approver(key).await {
        Ok(Some(who)) => who,
        Ok(None) => {
            app.failures.note(peer);
            return asked(
                StatusCode::FORBIDDEN,
                Some("This is no approver's key, or it was revoked, or its time is over."),
            );
        }
        Err(error) => return unavailable(&error.to_string()),
    };
    tracing::info!(approver = who.name, key = who.id, "an approver logged in");
    let Some(cookie) = app.sessions.open(who) else {
        return unavailable("the system gives no random bytes");
    };
    with_cookie(see("/approvals"), &cookie, LIFE, app.reached)
}

pub(super) async fn log_out(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let session = match session(&app, &headers).await {
        Ok(session) => session,
        Err(response) => return response,
    };
    if !session.made(&Form::read(&body)) {
        return pages::stale();
    }
    if let Some(cookie) = cookie(&headers) {
        app.sessions.close(cookie);
    }
    with_cookie(see("/approvals/login"), "", Duration::ZERO, app.reached)
}

fn with_cookie(mut response: Response, value: &str, life: Duration, reached: Reached) -> Response {
    let secure = if reached == Reached::OverTls { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE}={value}; Path=/approvals; HttpOnly; SameSite=Strict; Max-Age={}{secure}",
        life.as_secs()
    );
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_keys_are_bounded_for_an_address_and_for_all() {
        let failures = Failures::default();
        let peer = |n: u8| IpAddr::from([127, 0, 0, n]);
        for _ in 0..MAX_FAILURES {
            assert!(failures.room(peer(1)));
            failures.note(peer(1));
        }
        assert!(!failures.room(peer(1)));
        assert!(failures.room(peer(2)));
        for n in 2..100 {
            failures.note(peer(n));
        }
        assert!(!failures.room(peer(200)));
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let headers = |text: &'static str| {
            HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(text))])
        };
        assert_eq!(cookie(&headers("a=b; tollbridge_approvals=x; c=d")), Some("x"));
        assert_eq!(cookie(&headers("tollbridge_approvals_2=x")), None);
    }
}
