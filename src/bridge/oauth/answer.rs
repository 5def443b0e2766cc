//! What a token endpoint's answer says (RFC 6749 §5), and why there is no token.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::secret::Secret;

/// A token, as it was issued.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) token: Secret,
    /// For how long, where that was said.
    pub(super) lifetime: Option<Duration>,
    /// What the next one can be got with.
    pub(super) refresh: Option<Secret>,
    /// What it allows, where that was said.
    pub(super) scopes: Option<String>,
}

/// Why there is no token, in words that hold no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::bridge) enum NoToken {
    /// The server gave no answer that counts; it may later.
    Unavailable(String),
    /// The server says no: its error code (§5.2).
    Refused(String),
    /// What it answered is no bearer token that could be used.
    Unusable(String),
    /// Nobody has logged in, or the login has ended: what must be run.
    NotLoggedIn(String),
    /// The configuration does not say who this identity is to the server.
    NoSubject(String),
}

impl NoToken {
    /// What happened, as the end of a sentence that names the API.
    pub(in crate::bridge) fn words(&self) -> String {
        match self {
            Self::Unavailable(why) | Self::Unusable(why) => {
                format!("no token could be got for it, and nothing was sent: {why}")
            }
            Self::Refused(code) => format!(
                "no token is given for it, and nothing was sent: the token endpoint says \
                 `{code}`; whoever runs tollbridge must check its `auth`"
            ),
            Self::NotLoggedIn(command) => format!(
                "nobody is logged in at it, and nothing was sent: whoever runs tollbridge must \
                 run `{command}`"
            ),
            Self::NoSubject(identity) => format!(
                "nothing says who `{identity}` is to it, and nothing was sent: whoever runs \
                 tollbridge must add it to `subjects` of its `auth`"
            ),
        }
    }

    /// Whether asking again changes nothing, until a person mends it.
    pub(in crate::bridge) fn is_final(&self) -> bool {
        !matches!(self, Self::Unavailable(_))
    }
}

/// The error that says that what was exchanged is not valid, or not any more (§5.2).
pub(super) const INVALID_GRANT: &str = "invalid_grant";

/// The longest lifetime that is believed: the clock that counts it must not overflow.
const LONGEST: u64 = 10 * 365 * 24 * 3600;

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
pub(super) fn is_code(text: &str) -> bool {
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
        scope: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| unusable("the token endpoint's answer is not what RFC 6749 says"))?;
    // Some servers leave it out, though §5.1 wants it; another kind would have to be signed.
    if answer.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(unusable("the token endpoint gives tokens that are no bearer tokens"));
    }
    let token = answer.access_token.filter(|token| is_token(token)).ok_or_else(|| {
        unusable("the token endpoint's answer has no token that a header could carry")
    })?;
    Ok(Issued {
        token: Secret::new(token),
        lifetime: answer.expires_in.as_ref().and_then(seconds),
        refresh: answer.refresh_token.filter(|token| !token.is_empty()).map(Secret::new),
        scopes: answer.scope.filter(|scope| is_scope(scope)),
    })
}

fn unusable(why: &str) -> NoToken {
    NoToken::Unusable(why.to_owned())
}

/// RFC 6749 §3.3, and not longer than what is shown.
fn is_scope(text: &str) -> bool {
    text.len() <= 4096
        && text
            .bytes()
            .all(|byte| byte == b' ' || (byte.is_ascii_graphic() && !b"\"\\".contains(&byte)))
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
