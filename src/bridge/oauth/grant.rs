//! A request for a token, and what its answer says (RFC 6749 §4 to §6). Nothing is sent here.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use url::form_urlencoded::{self, Serializer};

use crate::secret::Secret;

/// What tokens are asked for with, and where.
#[derive(Debug, Clone)]
pub struct OAuth {
    /// The authorization server's token endpoint.
    pub token_url: Url,
    /// Who we are to it.
    pub client_id: String,
    /// What proves it; `None` for a public client.
    pub client_secret: Option<Secret>,
    /// How that proof is sent.
    pub client_auth: ClientAuth,
    /// In exchange for what.
    pub grant: Grant,
    /// What the token is to allow; `None`: what is [needed](super::TokenSource::need).
    pub scopes: Option<Vec<String>>,
    /// For whom the token is, where the server asks for it under this name.
    pub audience: Option<String>,
    /// For which resource the token is (RFC 8707 §2).
    pub resource: Option<String>,
}

/// How a client proves who it is (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// In the `Authorization` header.
    Basic,
    /// Among the parameters.
    Post,
}

/// In exchange for what a token is given.
#[derive(Debug, Clone)]
pub enum Grant {
    /// Being that client (RFC 6749 §4.4).
    ClientCredentials,
    /// A refresh token that somebody got before (§6).
    RefreshToken(Secret),
    /// A user's password (§4.3), where a server knows nothing better.
    Password {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
}

/// A token, as it was issued.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) token: Secret,
    /// For how long, where that was said.
    pub(super) lifetime: Option<Duration>,
    /// What the next one can be got with.
    pub(super) refresh: Option<Secret>,
}

/// Why there is no token, in words that hold no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::bridge) enum NoToken {
    /// The server gave no answer that counts; it may later.
    Unavailable(String),
    /// The server says no: its error code (§5.2).
    Refused(String),
    /// What it answered is no bearer token that could be used.
    Unusable(&'static str),
}

impl NoToken {
    /// What happened, as the end of a sentence that names the API.
    pub(in crate::bridge) fn words(&self) -> String {
        match self {
            Self::Unavailable(why) => {
                format!("no token could be got for it, and nothing was sent: {why}")
            }
            Self::Refused(code) => format!(
                "no token is given for it, and nothing was sent: the token endpoint says \
                 `{code}`; whoever runs tollbridge must check its `auth`"
            ),
            Self::Unusable(why) => {
                format!("no token could be got for it, and nothing was sent: {why}")
            }
        }
    }
}

/// The error that says that what was exchanged is not valid, or not any more (§5.2).
pub(super) const INVALID_GRANT: &str = "invalid_grant";

/// The longest lifetime that is believed: the clock that counts it must not overflow.
const LONGEST: u64 = 10 * 365 * 24 * 3600;

impl OAuth {
    /// The headers and the body of a request; with `refresh`, for a token in its place.
    /// `needed` are the scopes where none are given.
    pub(super) fn request(
        &self,
        refresh: Option<&Secret>,
        needed: &[String],
    ) -> (HeaderMap, String) {
        let mut form = Serializer::new(String::new());
        match (refresh, &self.grant) {
            (Some(token), _) | (None, Grant::RefreshToken(token)) => {
                form.append_pair("grant_type", "refresh_token");
                form.append_pair("refresh_token", token.expose());
            }
            (None, Grant::ClientCredentials) => {
                form.append_pair("grant_type", "client_credentials");
            }
            (None, Grant::Password { username, password }) => {
                form.append_pair("grant_type", "password");
                form.append_pair("username", username);
                form.append_pair("password", password.expose());
            }
        }
        // §6: a refresh asks for no more than what was granted, which is what no scope means.
        let scopes = self.scopes.as_deref().unwrap_or(needed);
        if refresh.is_none() && !scopes.is_empty() {
            form.append_pair("scope", &scopes.join(" "));
        }
        for (name, value) in [("audience", &self.audience), ("resource", &self.resource)] {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        let mut headers = HeaderMap::new();
        match (&self.client_secret, self.client_auth) {
            (Some(secret), ClientAuth::Basic) => {
                let encoded = |text: &str| -> String {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect()
                };
                let pair = format!("{}:{}", encoded(&self.client_id), encoded(secret.expose()));
                // Base64 has no character that a header cannot carry.
                if let Ok(mut value) =
                    HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)))
                {
                    value.set_sensitive(true);
                    headers.insert(AUTHORIZATION, value);
                }
            }
            (Some(secret), ClientAuth::Post) => {
                form.append_pair("client_id", &self.client_id);
                form.append_pair("client_secret", secret.expose());
            }
            (None, _) => {
                form.append_pair("client_id", &self.client_id);
            }
        }
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, kind);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        (headers, form.finish())
    }
}

/// Reads the server's answer (§5.1, §5.2).
pub(super) fn read(status: StatusCode, body: &[u8]) -> Result<Issued, NoToken> {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    if status.is_success() {
        return issued(body);
    }
    let passing = status.is_server_error()
        || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status);
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) if !passing && is_code(&refusal.error) => Err(NoToken::Refused(refusal.error)),
        _ if passing => {
            Err(NoToken::Unavailable(format!("the token endpoint answered {}", status.as_u16())))
        }
        _ => Err(NoToken::Refused(status.as_u16().to_string())),
    }
}

/// A code that may be shown: §5.2 allows printable ASCII, and what is longer is no code.
fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

fn issued(body: &[u8]) -> Result<Issued, NoToken> {
    #[derive(Deserialize)]
    struct Answer {
        access_token: Option<String>,
        token_type: Option<String>,
        expires_in: Option<Value>,
        refresh_token: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| NoToken::Unusable("the token endpoint's answer is not what RFC 6749 says"))?;
    // Some servers leave it out, though §5.1 wants it; another kind would have to be signed.
    if answer.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(NoToken::Unusable("the token endpoint gives tokens that are no bearer tokens"));
    }
    let token = answer.access_token.filter(|token| is_token(token)).ok_or(NoToken::Unusable(
        "the token endpoint's answer has no token that a header could carry",
    ))?;
    Ok(Issued {
        token: Secret::new(token),
        lifetime: answer.expires_in.as_ref().and_then(seconds),
        refresh: answer.refresh_token.filter(|token| !token.is_empty()).map(Secret::new),
    })
}

/// RFC 6749 §A.12: printable ASCII.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

/// Seconds as a number; some servers write them as a string.
fn seconds(value: &Value) -> Option<Duration> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let whole = text.split('.').next().unwrap_or_default();
    let seconds: u64 = whole.parse().ok()?;
    Some(Duration::from_secs(seconds.min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oauth(grant: Grant) -> OAuth {
        OAuth {
            token_url: Url::parse("http://127.0.0.1/token").expect("a URL"),
            client_id: "a b".to_owned(),
            client_secret: Some(Secret::new("s:+%")),
            client_auth: ClientAuth::Basic,
            grant,
            scopes: None,
            audience: None,
            resource: Some("https://api.example.com/".to_owned()),
        }
    }

    #[test]
    fn each_grant_asks_as_its_section_says() {
        let password = Grant::Password { username: "ann".to_owned(), password: Secret::new("p&w") };
        let scope = "&scope=read+write%3Aall&resource=https%3A%2F%2Fapi.example.com%2F";
        for (grant, refresh, expected) in [
            (Grant::ClientCredentials, None, format!("grant_type=client_credentials{scope}")),
            (password, None, format!("grant_type=password&username=ann&password=p%26w{scope}")),
            (
                Grant::RefreshToken(Secret::new("r0")),
                None,
                format!("grant_type=refresh_token&refresh_token=r0{scope}"),
            ),
            (
                Grant::ClientCredentials,
                Some(Secret::new("r1")),
                "grant_type=refresh_token&refresh_token=r1&resource=https%3A%2F%2Fapi.example.com%2F"
                    .to_owned(),
            ),
        ] {
            assert_eq!(oauth(grant).request(refresh.as_ref(), &["read".to_owned(), "write:all".to_owned()]).1, expected);
        }
    }

    #[test]
    fn a_client_proves_itself_in_one_place_only() {
        let mut oauth = oauth(Grant::ClientCredentials);
        oauth.resource = None;
        let (headers, body) = oauth.request(None, &[]);
        // §2.3.1: both are encoded as a form's values before they are joined.
        let sent = headers[AUTHORIZATION].to_str().expect("text").trim_start_matches("Basic ");
        assert_eq!(STANDARD.decode(sent).expect("base64"), b"a+b:s%3A%2B%25");
        assert!(headers[AUTHORIZATION].is_sensitive());
        assert_eq!(body, "grant_type=client_credentials");
        oauth.client_auth = ClientAuth::Post;
        let (headers, body) = oauth.request(None, &[]);
        assert!(!headers.contains_key(AUTHORIZATION));
        assert_eq!(body, "grant_type=client_credentials&client_id=a+b&client_secret=s%3A%2B%25");
        oauth.client_secret = None;
        assert_eq!(oauth.request(None, &[]).1, "grant_type=client_credentials&client_id=a+b");
    }

    #[test]
    fn an_answer_is_read_as_leniently_as_is_safe() {
        let ok = |body: &str| read(StatusCode::OK, body.as_bytes());
        for (expires, seconds) in [
            ("3600", Some(3600)),
            ("\"3600\"", Some(3600)),
            ("3599.9", Some(3599)),
            ("null", None),
            ("-1", None),
            ("99999999999999999", Some(LONGEST)),
        ] {
            let body = format!(
                "{{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":{expires}}}"
            );
            let issued = ok(&body).expect("a token");
            assert_eq!(issued.lifetime.map(|lifetime| lifetime.as_secs()), seconds, "{expires}");
        }
        assert!(ok("{\"access_token\":\"t\"}").is_ok());
        for body in [
            "{\"access_token\":\"t\",\"token_type\":\"mac\"}",
            "{\"access_token\":\"\"}",
            "{\"access_token\":\"a\\r\\nX: y\"}",
            "{\"token_type\":\"bearer\"}",
            "<html>",
        ] {
            assert!(matches!(ok(body), Err(NoToken::Unusable(_))), "{body}");
        }
    }

    #[test]
    fn a_refusal_is_told_from_a_failure_that_passes() {
        let refused = |code: &str| Err(NoToken::Refused(code.to_owned()));
        let passing = |status: u16| {
            Err(NoToken::Unavailable(format!("the token endpoint answered {status}")))
        };
        for (status, body, expected) in [
            (400, "{\"error\":\"invalid_grant\"}", refused("invalid_grant")),
            (
                401,
                "{\"error\":\"invalid_client\",\"error_description\":\"x\"}",
                refused("invalid_client"),
            ),
            (400, "{\"error\":\"<b>no secret s3</b>\"}", refused("400")),
            (404, "<html>", refused("404")),
            (302, "", refused("302")),
            (429, "{\"error\":\"slow_down\"}", passing(429)),
            (503, "", passing(503)),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            let read: Result<(), NoToken> = read(status, body.as_bytes()).map(drop);
            assert_eq!(read, expected, "{status} {body}");
        }
    }
}
