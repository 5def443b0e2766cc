//! A call that the API took and is not done with: where it is asked after, and how far it is
//! (RFC 9110 §15.3.3: a 202 "ought to … point to (or embed) a status monitor").
//!
//! The URL is input from a stranger: its host must be one that the configuration names, and
//! nothing that proves who we are goes to another origin.

use std::time::Duration;

use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tollbridge_operation::Payload;
use url::Url;

use super::address;
use super::prepare::{Prepared, Target};
use super::redirect::for_another_origin;
use super::upstream::Upstream;
use crate::secret::REDACTED;

/// The longest URL that is asked.
const LONGEST: usize = 8_192;

/// The longest word for how far a call is that is passed on.
const LONGEST_WORD: usize = 100;

/// The headers that name a URL for how far a call is, and for that alone.
const MONITORS: [HeaderName; 2] = [
    HeaderName::from_static("operation-location"),
    HeaderName::from_static("azure-asyncoperation"),
];

/// Where a monitor says how far it is, where the configuration does not say.
const STATUS: &str = "/status";

const DONE: [&str; 6] = ["succeeded", "success", "completed", "complete", "done", "finished"];
const FAILED: [&str; 6] = ["failed", "failure", "error", "canceled", "cancelled", "aborted"];

/// How a call is asked after that the API is not done with. Places are JSON pointers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// Where an answer says how far it is.
    pub status: Option<String>,
    /// What stands there when it is done, if not the usual words.
    pub done: Option<Vec<String>>,
    /// What stands there when it failed, if not the usual words.
    pub failed: Option<Vec<String>>,
    /// How long is waited between two questions, where the API does not say.
    pub every: Duration,
    /// Where the first answer has the URL to ask at.
    pub at: Option<String>,
    /// Where the last answer has the result.
    pub result: Option<String>,
    /// Where the last answer has the URL of the result.
    pub result_at: Option<String>,
    /// Whether nobody is shown how far a call is, in the API's word.
    pub hides_state: bool,
}

/// Where a call that the API took is asked after: what is kept to go on with it later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handle {
    pub(super) url: String,
    /// Whether the URL is for how far it is alone, and not the result's.
    pub(super) monitor: bool,
    /// Where the result will be.
    pub(super) result: Option<String>,
}

/// A call that the API took and is not done with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Where it is asked after; `None` where that must not be kept.
    pub handle: Option<Handle>,
    /// The same, redacted.
    pub url: String,
    /// How far it was, in the API's word.
    pub state: String,
    /// The answers that said so, the first and the newest: of them nobody may be shown all.
    pub answers: Vec<Value>,
}

/// How far a call is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Running(String),
    Done,
    Failed(String),
}

/// What the headers of an answer say of that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) monitor: Option<String>,
    pub(super) location: Option<String>,
    /// What the server asks to wait.
    pub(super) asked: Option<Duration>,
}

impl Said {
    pub(super) fn of(headers: &HeaderMap, asked: Option<Duration>) -> Self {
        let text = |name: &HeaderName| headers.get(name)?.to_str().ok().map(str::to_owned);
        Self { monitor: MONITORS.iter().find_map(text), location: text(&LOCATION), asked }
    }

    pub(super) fn names_a_url(&self) -> bool {
        self.monitor.is_some() || self.location.is_some()
    }
}

impl Poll {
    /// Where answers say how far it is.
    pub(super) fn place(&self, monitor: bool) -> Option<&str> {
        self.status.as_deref().or(monitor.then_some(STATUS))
    }

    /// Where they may say so, whether or not a monitor is asked.
    pub fn status_place(&self) -> &str {
        self.status.as_deref().unwrap_or(STATUS)
    }

    /// A word for how far it is, as it is told.
    pub(super) fn told<'a>(&self, word: &'a str) -> &'a str {
        if self.hides_state { REDACTED } else { word }
    }

    /// How far it is by an answer with this status. An answer that says nothing of it, and is no
    /// 202, is the result.
    pub(super) fn state(
        &self,
        status: Option<u16>,
        place: Option<&str>,
        payload: &Payload,
    ) -> State {
        let word = place.and_then(|place| word(value(payload)?.pointer(place)?));
        let is = |words: &Option<Vec<String>>, usual: &[&str]| match (&word, words) {
            (None, _) => false,
            (Some(word), Some(words)) => words.iter().any(|one| one.eq_ignore_ascii_case(word)),
            (Some(word), None) => usual.iter().any(|one| one.eq_ignore_ascii_case(word)),
        };
        if is(&self.failed, &FAILED) {
            return State::Failed(word.unwrap_or_default());
        }
        if is(&self.done, &DONE) {
            return State::Done;
        }
        match word {
            Some(word) => State::Running(word),
            None if status == Some(StatusCode::ACCEPTED.as_u16()) => {
                State::Running("accepted".to_owned())
            }
            None => State::Done,
        }
    }

    /// The URL to ask at that the body of an answer names.
    pub(super) fn url_in(&self, payload: &Payload) -> Option<String> {
        text_at(self.at.as_deref()?, payload)
    }

    /// The URL of the result that the body of an answer names.
    pub(super) fn result_url_in(&self, payload: &Payload) -> Option<String> {
        text_at(self.result_at.as_deref()?, payload)
    }

    /// What of the last answer is the result.
    pub(super) fn result_in(&self, payload: Payload) -> Payload {
        let Some(place) = &self.result else { return payload };
        match &payload {
            Payload::Value(value) | Payload::Parts { value, .. } => match value.pointer(place) {
                Some(result) => Payload::Value(result.clone()),
                None => payload,
            },
            Payload::Empty | Payload::Bytes { .. } => payload,
        }
    }
}

/// The value that an answer is.
pub(super) fn value(payload: &Payload) -> Option<&Value> {
    match payload {
        Payload::Value(value) | Payload::Parts { value, .. } => Some(value),
        Payload::Empty | Payload::Bytes { .. } => None,
    }
}

/// What stands for how far it is: a word, a number, or true and false.
fn word(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    Some(text.chars().filter(|c| !c.is_control()).take(LONGEST_WORD).collect())
}

fn text_at(place: &str, payload: &Payload) -> Option<String> {
    value(payload)?.pointer(place)?.as_str().map(str::to_owned)
}

/// The request that asks at a URL which an answer to `from` names. The error says why none is
/// made; it is to be redacted.
pub(super) fn target(
    upstream: &Upstream,
    from: &Target,
    reference: &str,
) -> Result<Target, String> {
    let api = &upstream.api;
    let unreadable = "the URL at which it is to be asked cannot be read";
    if reference.len() > LONGEST {
        return Err(unreadable.to_owned());
    }
    let mut url = from.url.join(reference).map_err(|_| unreadable.to_owned())?;
    url.set_fragment(None);
    let plain = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none();
    if !plain {
        return Err(unreadable.to_owned());
    }
    let to = address::origin(&url).to_owned();
    if !upstream.hosts.allow(&url) {
        return Err(format!(
            "it is to be asked at {to}, which is none of the hosts of [api.{api}]; if that host is \
             trusted, add it to `hosts`"
        ));
    }
    if from.url.scheme() == "https" && url.scheme() != "https" {
        return Err(format!("it is to be asked at {to}, which is not encrypted"));
    }
    let mut next = Target {
        method: Method::GET,
        body: None,
        message: None,
        confidential: false,
        ..from.clone()
    };
    next.headers.remove(CONTENT_TYPE);
    if let Some(key) = &upstream.idempotency_key {
        next.headers.remove(key);
    }
    if url.origin() == from.url.origin() {
        next.address(upstream, url);
    } else {
        for_another_origin(&mut next);
        next.shown = upstream.redactor.text(url.as_str()).into_owned();
        next.url = url;
    }
    // It is at this address and no other.
    next.part = None;
    Ok(next)
}

/// The URL as it may be kept: none that says one of our secrets.
pub(super) fn kept(upstream: &Upstream, url: &Url) -> Option<String> {
    let is_plain = upstream.redactor.text(url.as_str()) == url.as_str();
    is_plain.then(|| url.as_str().to_owned())
}

impl Prepared {
    /// The request that goes on with an earlier call of the same arguments. The error says why it
    /// cannot be made.
    pub fn going_on(&self, upstream: &Upstream, handle: &Handle) -> Result<Self, String> {
        let target = target(upstream, &self.target, &handle.url)
            .map_err(|reason| upstream.redactor.text(&reason).into_owned())?;
        Ok(self.asking(target))
    }

    pub(super) fn asking(&self, target: Target) -> Self {
        let (call, redactor) = (self.call.clone(), self.redactor.clone());
        Self { call, target, redactor, shown: None, key: None }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule() -> Poll {
        Poll {
            hides_state: false,
            status: None,
            done: None,
            failed: None,
            every: Duration::from_secs(1),
            at: None,
            result: None,
            result_at: None,
        }
    }

    #[test]
    fn how_far_a_call_is_is_a_table() {
        let running = |word: &str| State::Running(word.to_owned());
        let failed = |word: &str| State::Failed(word.to_owned());
        // (status, where it stands, the body, how far it is)
        for (status, place, body, expected) in [
            (202, None, json!({}), running("accepted")),
            (200, None, json!({"status": "Running"}), State::Done),
            (200, Some("/status"), json!({"status": "Running"}), running("Running")),
            (200, Some("/status"), json!({"status": "SUCCEEDED"}), State::Done),
            (202, Some("/status"), json!({"status": "Succeeded"}), State::Done),
            (202, Some("/status"), json!({"status": "Canceled"}), failed("Canceled")),
            (200, Some("/job/state"), json!({"job": {"state": 2}}), running("2")),
            (200, Some("/ready"), json!({"ready": false}), running("false")),
            (200, Some("/status"), json!({"id": 1}), State::Done),
            (202, Some("/status"), json!({"status": null}), running("accepted")),
            (200, Some("/status"), json!([1]), State::Done),
        ] {
            let found = rule().state(Some(status), place, &Payload::Value(body.clone()));
            assert_eq!(found, expected, "{status} {place:?} {body}");
        }
        let own = Poll { done: Some(vec!["ok".into()]), failed: Some(vec![]), ..rule() };
        for (word, expected) in [
            ("OK", State::Done),
            ("succeeded", running("succeeded")),
            ("failed", running("failed")),
        ] {
            let body = Payload::Value(json!({ "s": word }));
            assert_eq!(own.state(Some(200), Some("/s"), &body), expected);
        }
        assert_eq!(rule().state(Some(204), Some("/s"), &Payload::Empty), State::Done);
    }
}
