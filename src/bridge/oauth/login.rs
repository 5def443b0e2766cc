//! A person's consent: in a browser, with a code that comes back to this machine (RFC 6749 §4.1
//! with PKCE, RFC 7636, after RFC 8252), or on another device (RFC 8628).
//!
//! What a browser brings back is input from a stranger: it counts only with the state that was
//! given along, and from the server that was asked (RFC 9207). What is got is kept as any token,
//! and neither shown nor returned.
//!
//! Not here: who listens for the browser, and what a person is told.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::time::{Instant, sleep};
use tollbridge_operation::Identity;
use url::Url;
use url::form_urlencoded::{self, Serializer};

use super::answer::{self, NoToken, is_code};
use super::grant::{Asked, Grant, Login};
use super::server::Found;
use super::{Slot, TokenSource};
use crate::secret::Secret;

/// How long is waited between two questions where the server does not say (RFC 8628 §3.2), and
/// how much longer after it says that this is too often (§3.5).
const INTERVAL: Duration = Duration::from_secs(5);

/// The longest that a code for another device is waited for.
const LONGEST: Duration = Duration::from_hours(1);

/// Why a login came to nothing. No variant holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The credential is of a kind that needs no login.
    #[error("its tokens are got without a login")]
    NotNeeded,
    /// Each identity has a login of its own, and it was not said whose this is; or it was, and
    /// there is one for all.
    #[error("{0}")]
    Whose(&'static str),
    /// The server has no such endpoint, as far as is known.
    #[error("nothing says where its {0} is: set `issuer`, or `{1}`")]
    NoEndpoint(&'static str, &'static str),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Randomness,
    /// What came back is not the answer to what was asked.
    #[error("what came back is not for this login: {0}")]
    NotOurs(&'static str),
    /// The server, or the person, says no.
    #[error("the authorization server says `{0}`")]
    Refused(String),
    /// The code's time is over.
    #[error("nobody consented in time")]
    TooLate,
    /// The server cannot be asked, or answers nonsense.
    #[error("{0}")]
    Server(String),
    /// The tokens came and cannot be kept.
    #[error("the login cannot be kept: {0}")]
    NotKept(String),
}

/// A login that a browser is to bring back.
pub struct Browser {
    /// Where the person must go.
    pub url: Url,
    redirect: String,
    state: Secret,
    verifier: Secret,
    issuer: Option<String>,
    names_itself: bool,
}

/// A login on another device.
pub struct Device {
    /// Where the person must go.
    pub url: String,
    /// What they must type there.
    pub user_code: String,
    /// The same URL with the code in it, where the server gives one.
    pub complete: Option<String>,
    code: Secret,
    pub(super) interval: Duration,
    ends: Instant,
}

/// How an API stands with logins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It needs none.
    NotNeeded,
    /// It needs one.
    Needed(Login),
}

/// What the device authorization endpoint answers (RFC 8628 §3.2).
#[derive(Deserialize)]
struct Codes {
    device_code: String,
    user_code: String,
    #[serde(alias = "verification_url")]
    verification_uri: String,
    #[serde(alias = "verification_url_complete")]
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

impl TokenSource {
    /// Whether a person must log in.
    pub fn login(&self) -> Standing {
        match self.shared.oauth.grant {
            Grant::Login(login) => Standing::Needed(login),
            _ => Standing::NotNeeded,
        }
    }

    /// Whether somebody can log in so. Asked before a person is asked.
    pub fn may_log_in(&self, whose: Option<&Identity>) -> Result<(), LoginError> {
        self.slot_for(whose).map(drop)
    }

    /// Begins a login in a browser that will be sent to `redirect` afterwards.
    pub async fn begin_in_browser(&self, redirect: &str) -> Result<Browser, LoginError> {
        let server = self.shared.server.found(None).await?;
        let place = "authorization endpoint";
        let mut url = server
            .authorization
            .clone()
            .ok_or(LoginError::NoEndpoint(place, "authorization_url"))?;
        let (state, verifier) = (drawn()?, drawn()?);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose()));
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", &self.shared.oauth.client_id)
                .append_pair("redirect_uri", redirect)
                .append_pair("state", state.expose())
                .append_pair("code_challenge", &challenge)
                .append_pair("code_challenge_method", "S256");
            for (name, value) in self.asked_for(&server) {
                query.append_pair(name, &value);
            }
        }
        Ok(Browser {
            url,
            redirect: redirect.to_owned(),
            state,
            verifier,
            issuer: server.issuer.clone(),
            names_itself: server.names_itself,
        })
    }

    /// Ends a login with the query that the browser brought back. Returns the scopes that were
    /// granted, where the server says.
    pub async fn end_in_browser(
        &self,
        browser: &Browser,
        query: &str,
        whose: Option<&Identity>,
    ) -> Result<Option<String>, LoginError> {
        let slot = self.slot_for(whose)?;
        let code = browser.read(query)?;
        let verifier = &browser.verifier;
        let asked = Asked::Code { code: &code, verifier, redirect: &browser.redirect };
        self.redeem(&slot, asked).await
    }

    /// Begins a login on another device.
    pub async fn begin_on_device(&self) -> Result<Device, LoginError> {
        let server = self.shared.server.found(None).await?;
        let place = "device authorization endpoint";
        let url = server.device.clone().ok_or(LoginError::NoEndpoint(place, "device_url"))?;
        let mut form = Serializer::new(String::new());
        for (name, value) in self.asked_for(&server) {
            form.append_pair(name, &value);
        }
        let oauth = &self.shared.oauth;
        let headers = oauth.prove(&mut form, &server, SystemTime::now())?;
        let mut body = form.finish();
        // RFC 8628 §3.1 wants the client's name also where a header has it.
        if !body.contains("client_id=") {
            let id: String = form_urlencoded::byte_serialize(oauth.client_id.as_bytes()).collect();
            let and = if body.is_empty() { "" } else { "&" };
            body = format!("{body}{and}client_id={id}");
        }
        let (status, body) = self.shared.server.post(url, headers, body, None).await?;
        if !status.is_success() {
            // Its refusals have the form of the token endpoint's (§3.2).
            let failed = answer::read(status, &body).err();
            return Err(failed.map_or(LoginError::Refused(status.as_u16().to_string()), Into::into));
        }
        let codes: Codes = serde_json::from_slice(&body).map_err(|_| {
            LoginError::Server("its answer is not what RFC 8628 §3.2 says".to_owned())
        })?;
        let ends = Instant::now() + Duration::from_secs(codes.expires_in).min(LONGEST);
        Ok(Device {
            url: codes.verification_uri,
            user_code: codes.user_code,
            complete: codes.verification_uri_complete,
            code: Secret::new(codes.device_code),
            interval: codes.interval.map_or(INTERVAL, Duration::from_secs).min(LONGEST),
            ends,
        })
    }

    /// Waits until the person has consented on the other device.
    pub async fn end_on_device(
        &self,
        mut device: Device,
        whose: Option<&Identity>,
    ) -> Result<Option<String>, LoginError> {
        let slot = self.slot_for(whose)?;
        loop {
            if Instant::now() + device.interval > device.ends {
                return Err(LoginError::TooLate);
            }
            sleep(device.interval).await;
            match slot.ask(Asked::Device(&device.code), None).await {
                Ok(issued) => return slot.log_in(issued).await.map_err(LoginError::NotKept),
                Err(failed) => device.interval = next_pause(failed, device.interval)?,
            }
        }
    }

    /// Forgets a login, and gives what renews its tokens back to the server (RFC 7009), where that
    /// says that it can be. Whether the server took it.
    pub async fn log_out(&self, whose: Option<&Identity>) -> Result<bool, LoginError> {
        Ok(self.slot_for(whose)?.log_out().await)
    }

    async fn redeem(&self, slot: &Slot, asked: Asked<'_>) -> Result<Option<String>, LoginError> {
        let issued = slot.ask(asked, None).await?;
        slot.log_in(issued).await.map_err(LoginError::NotKept)
    }

    fn slot_for(&self, whose: Option<&Identity>) -> Result<std::sync::Arc<Slot>, LoginError> {
        let Grant::Login(login) = self.shared.oauth.grant else {
            return Err(LoginError::NotNeeded);
        };
        match (login.each, whose) {
            (true, None) => {
                Err(LoginError::Whose("each identity logs in for itself: say who with --as"))
            }
            (false, Some(_)) => {
                Err(LoginError::Whose("one login is for all who call: leave out --as"))
            }
            (_, whose) => Ok(self.slot_of(whose.map(|whose| whose.as_str().to_owned()))),
        }
    }

    /// What is asked for beside the code: scopes, and for whom the token is.
    fn asked_for(&self, server: &Found) -> Vec<(&'static str, String)> {
        let oauth = &self.shared.oauth;
        let mut scopes = oauth.scopes.clone().unwrap_or_else(|| self.shared.needed());
        // OpenID Connect Core §11: without it such a server gives nothing to renew with.
        if server.offline_access && !scopes.iter().any(|scope| scope == "offline_access") {
            scopes.push("offline_access".to_owned());
        }
        let scopes = (!scopes.is_empty()).then(|| ("scope", scopes.join(" ")));
        let of = |name, value: &Option<String>| value.clone().map(|value| (name, value));
        let rest = [of("audience", &oauth.audience), of("resource", &oauth.resource)];
        scopes.into_iter().chain(rest.into_iter().flatten()).collect()
    }
}

impl Browser {
    /// Whether a query belongs to this login: anyone on this machine can send one.
    pub fn is_ours(&self, query: &str) -> bool {
        let same = |state: String| -> bool {
            state.as_bytes().ct_eq(self.state.expose().as_bytes()).into()
        };
        parameter(query, "state").is_some_and(same)
    }

    /// The code that a query brings.
    fn read(&self, query: &str) -> Result<Secret, LoginError> {
        if !self.is_ours(query) {
            return Err(LoginError::NotOurs("its state is another one"));
        }
        // RFC 9207 §2.4.
        match (parameter(query, "iss"), &self.issuer) {
            (None, _) if self.names_itself => {
                return Err(LoginError::NotOurs("the server that sends it does not say who it is"));
            }
            (Some(iss), Some(issuer)) if iss != *issuer => {
                return Err(LoginError::NotOurs("another server sends it"));
            }
            _ => {}
        }
        if let Some(error) = parameter(query, "error") {
            let code = if is_code(&error) { error } else { "an error".to_owned() };
            return Err(LoginError::Refused(code));
        }
        let code = parameter(query, "code").filter(|code| !code.is_empty());
        code.map(Secret::new).ok_or(LoginError::NotOurs("it brings no code"))
    }
}

/// How long to wait for the next question after an answer that is no token (RFC 8628 §3.5).
fn next_pause(failed: NoToken, interval: Duration) -> Result<Duration, LoginError> {
    match failed {
        NoToken::Refused(code) => match code.as_str() {
            "authorization_pending" => Ok(interval),
            "slow_down" => Ok(interval + INTERVAL),
            "expired_token" => Err(LoginError::TooLate),
            _ => Err(LoginError::Refused(code)),
        },
        // It may pass; asked less often, as for a connection that timed out.
        NoToken::Unavailable(_) => Ok((interval * 2).max(Duration::from_secs(1))),
        failed => Err(failed.into()),
    }
}

impl From<NoToken> for LoginError {
    fn from(failed: NoToken) -> Self {
        match failed {
            NoToken::Refused(code) => Self::Refused(code),
            NoToken::Unavailable(why) | NoToken::Unusable(why) => Self::Server(why),
            failed => Self::Server(failed.words()),
        }
    }
}

/// The first value of a name in a query.
fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// 256 bits that nobody can guess, as text (RFC 7636 §7.1, RFC 6749 §10.12).
fn drawn() -> Result<Secret, LoginError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| LoginError::Randomness)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Browser(…)")
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Device(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn browser() -> Browser {
        Browser {
            url: Url::parse("https://id.example.com/authorize").expect("a URL"),
            redirect: "http://127.0.0.1:1/callback".to_owned(),
            state: Secret::new("s"),
            verifier: Secret::new("v"),
            issuer: Some("https://id.example.com".to_owned()),
            names_itself: false,
        }
    }

    #[test]
    fn only_what_was_asked_for_comes_back() {
        let not_ours = |why| Err(LoginError::NotOurs(why));
        for (query, names_itself, expected) in [
            ("code=c&state=s", false, Ok("c".to_owned())),
            ("code=c&state=s&iss=https%3A%2F%2Fid.example.com", true, Ok("c".to_owned())),
            ("code=c", false, not_ours("its state is another one")),
            ("code=c&state=t", false, not_ours("its state is another one")),
            (
                "code=c&state=s&iss=https%3A%2F%2Fevil.example.com",
                false,
                not_ours("another server sends it"),
            ),
            ("code=c&state=s", true, not_ours("the server that sends it does not say who it is")),
            ("state=s", false, not_ours("it brings no code")),
            (
                "error=access_denied&state=s",
                false,
                Err(LoginError::Refused("access_denied".to_owned())),
            ),
            ("error=%3Cb%3E&state=s", false, Err(LoginError::Refused("an error".to_owned()))),
        ] {
            let browser = Browser { names_itself, ..browser() };
            let read = browser.read(query).map(|code| code.expose().to_owned());
            assert_eq!(read, expected, "{query}");
        }
    }

    #[test]
    fn a_device_s_code_is_asked_for_as_often_as_the_server_wants() {
        let (one, refused) =
            (Duration::from_secs(1), |code: &str| NoToken::Refused(code.to_owned()));
        for (answer, expected) in [
            (refused("authorization_pending"), Ok(one)),
            (refused("slow_down"), Ok(Duration::from_secs(6))),
            (refused("expired_token"), Err(LoginError::TooLate)),
            (refused("access_denied"), Err(LoginError::Refused("access_denied".to_owned()))),
            (NoToken::Unavailable("x".to_owned()), Ok(one * 2)),
        ] {
            assert_eq!(next_pause(answer, one), expected);
        }
    }
}
