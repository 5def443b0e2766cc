//! What the end of a request means for the call.
//!
//! Everything that is taken from an answer into a report passes here, and is redacted here:
//! an upstream that echoes a credential must not hand it to an agent.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};
use tollbridge_operation::{Answer, Call, Drift, Fault, Payload, Response};

use super::breakage::Breakage;
use super::credential::Credentials;
use super::exchange::{Answered, Content, Ended};
use super::limiter::headers::announced;
use super::link;
use super::poll::Said;
use super::report::{Failed, FailureKind, UpstreamReply};
use super::retry::{After, Failing, Nature, after};
use super::retry_after::retry_after;
use super::upstream::Upstream;

/// How many characters of what an upstream said are passed on.
const BODY: usize = 2_000;

/// How many headers of an answer are passed on.
const HEADERS: usize = 32;

/// How many characters a message has at most.
pub(super) const MESSAGE: usize = 1_000;

/// What a request's end means.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The call is done.
    Done {
        payload: Payload,
        drift: Vec<Drift>,
        headers: Map<String, Value>,
        link: Option<String>,
        /// What its headers say of how far it is, where that is asked.
        said: Option<Box<Said>>,
    },
    /// It is not, or not yet.
    Setback(Setback),
}

/// A request that did not do it.
#[derive(Debug)]
pub(super) struct Setback {
    /// What is reported if nothing follows.
    pub(super) failed: Failed,
    /// What that leaves to do.
    pub(super) after: After,
    /// What the server asks to wait.
    pub(super) asked: Option<Duration>,
}

/// The judge of one call's requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) upstream: &'a Upstream,
    pub(super) call: &'a Call,
    pub(super) nature: Nature,
    /// Whether an answer may say that the call is not done yet.
    pub(super) polled: bool,
}

impl Judge<'_> {
    /// Judges an end that is no redirect and no cancellation.
    pub(super) fn verdict(&self, ended: Ended) -> Verdict {
        match ended {
            Ended::Answered(answered) => self.answered(answered),
            Ended::Broken { what, sent } => Verdict::Setback(self.no_answer(&what, sent, None)),
            Ended::Cancelled { sent } => {
                Verdict::Setback(self.no_answer(&Breakage::BrokenOff, sent, None))
            }
        }
    }

    fn answered(&self, answered: Answered) -> Verdict {
        let Answered { status, headers, body, .. } = answered;
        let body = match body {
            Content::Whole(body) => body,
            // A status that says no is the answer, whatever became of its body, and so is one that
            // says that the call was taken, and where it is asked after.
            _ if !status.is_success() || self.took_it(status, &headers) => Bytes::new(),
            Content::TooLarge => {
                let max = self.upstream.max_response;
                let size = format!("more than {max} bytes, which is what max_response allows");
                return Verdict::Setback(self.too_large(status, &size));
            }
            Content::Bomb => {
                let size = "a small body that unpacks to far more than its size";
                return Verdict::Setback(self.too_large(status, size));
            }
            Content::Encoded(encoding) => {
                let message = format!(
                    "{} answered {} encoded as {encoding}, which was not asked for",
                    self.api(),
                    shown(status)
                );
                return Verdict::Setback(self.last(&message, Some(status)));
            }
            Content::Broken(what) => {
                return Verdict::Setback(self.no_answer(&what, true, Some(status)));
            }
        };
        let response = Response { status, headers, body };
        match self.call.operation.binding.decode(&response) {
            Answer::Success { payload, .. } if self.says_error(&payload) => {
                Verdict::Setback(self.says_no(&response, value_of(payload)))
            }
            Answer::Success { payload, drift, headers } => {
                self.done(payload, drift, headers, &response)
            }
            Answer::Failure { payload, fault } => {
                Verdict::Setback(self.refused(&response, value_of(payload), fault))
            }
            Answer::Unreadable { reason } if status.is_success() => {
                let message = format!(
                    "{} answered {} with a body that cannot be read: {reason}",
                    self.api(),
                    shown(status)
                );
                let mut setback = self.last(&message, Some(status));
                // Of the API's own answer an agent may be meant to see but a part.
                if is_page(&response.body) {
                    let page = String::from_utf8_lossy(&response.body).into_owned();
                    let page = self.bounded(Value::String(page));
                    setback.failed.upstream = Some(reply(status, page));
                }
                Verdict::Setback(setback)
            }
            Answer::Unreadable { .. } => {
                let text = String::from_utf8_lossy(&response.body).into_owned();
                Verdict::Setback(self.refused(&response, Value::String(text), None))
            }
        }
    }

    fn done(
        &self,
        payload: Payload,
        drift: Vec<Drift>,
        blocks: Map<String, Value>,
        response: &Response,
    ) -> Verdict {
        let status = response.status;
        let redactor = &self.upstream.redactor;
        let payload = match payload {
            // A secret cannot be cut out of an image.
            payload if bytes_of(&payload).any(|data| redactor.bytes_contain(data)) => {
                let message = format!(
                    "{} answered {} with bytes that contain one of its credentials, so they are \
                     not passed on",
                    self.api(),
                    shown(status)
                );
                return Verdict::Setback(self.last(&message, Some(status)));
            }
            Payload::Empty => Payload::Empty,
            Payload::Value(mut value) => {
                redactor.value(&mut value);
                Payload::Value(value)
            }
            Payload::Bytes { media_type, data } => {
                Payload::Bytes { media_type: redactor.text(&media_type).into_owned(), data }
            }
            Payload::Parts { mut value, mut attached } => {
                redactor.value(&mut value);
                for one in &mut attached {
                    one.media_type = redactor.text(&one.media_type).into_owned();
                }
                Payload::Parts { value, attached }
            }
        };
        let clean = |text: String| redactor.text(&text).into_owned();
        let drift = drift
            .into_iter()
            .map(|drift| Drift { pointer: clean(drift.pointer), message: clean(drift.message) });
        let headers = self.headers(blocks, response);
        let said = self
            .polled
            .then(|| Box::new(Said::of(&response.headers, self.asked(status, &response.headers))));
        Verdict::Done {
            payload,
            drift: drift.collect(),
            headers,
            link: link::next(&response.headers),
            said,
        }
    }

    fn took_it(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        self.polled && status == StatusCode::ACCEPTED && Said::of(headers, None).names_a_url()
    }

    /// Where what was made is, and what belongs to the answer (RFC 9110 §10.2.2, RFC 8288), what
    /// the description has beside the body, and a message's own header blocks.
    fn headers(&self, blocks: Map<String, Value>, response: &Response) -> Map<String, Value> {
        let of_the_answer = [http::header::LOCATION, http::header::LINK];
        let declared = self.call.operation.binding.kept_headers();
        let more = declared.iter().filter(|name| !of_the_answer.contains(name));
        let kept = of_the_answer.iter().chain(more).filter_map(|name| {
            let values = response.headers.get_all(name).iter();
            let texts: Vec<_> =
                values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
            let text = self.upstream.redactor.text(&texts.join(", ")).into_owned();
            let text = Value::String(cut(&text, BODY));
            (!texts.is_empty()).then(|| (name.as_str().to_owned(), text))
        });
        let blocks = blocks.into_iter().map(|(name, value)| {
            (self.upstream.redactor.text(&name).into_owned(), self.bounded(value))
        });
        kept.chain(blocks).take(HEADERS).collect()
    }

    /// Nothing came, or a success of which not everything came.
    fn no_answer(&self, what: &Breakage, sent: bool, status: Option<StatusCode>) -> Setback {
        let failing = match what {
            Breakage::NotTrusted(_) | Breakage::Misled(_) => Failing::NotTrusted,
            Breakage::NoToken(why) if why.is_final() => Failing::NotTrusted,
            _ if !sent => Failing::NotSent,
            _ => Failing::NoAnswer,
        };
        let after = self.after(failing);
        let api = self.api();
        let words = what.words();
        let (kind, message) = match (after.open, what) {
            (true, _) => (
                FailureKind::OutcomeUnknown,
                format!("{api} may have carried this out, and no answer tells: {words}"),
            ),
            (false, Breakage::TimedOut(_)) => {
                (FailureKind::UpstreamTimeout, format!("{api} is too slow: {words}"))
            }
            (false, Breakage::NoToken(_)) => {
                (FailureKind::UpstreamUnavailable, format!("{api} was not asked: {words}"))
            }
            (false, _) => {
                (FailureKind::UpstreamUnavailable, format!("{api} cannot be reached: {words}"))
            }
        };
        let mut failed = self.failed(kind, &message);
        failed.retryable = after.again;
        failed.untouched = after.untouched;
        failed.upstream = status.map(|status| reply(status, Value::Null));
        Setback { after, failed, asked: None }
    }

    fn after(&self, failing: Failing) -> After {
        after(self.nature, failing, self.upstream.one_state)
    }

    /// Whether a success says of itself that it is none.
    fn says_error(&self, payload: &Payload) -> bool {
        let Some(rule) = &self.upstream.error_when else { return false };
        match payload {
            Payload::Value(value) | Payload::Parts { value, .. } => rule.is_error(value),
            Payload::Empty | Payload::Bytes { .. } => false,
        }
    }

    /// A success that says of itself that it is none.
    fn says_no(&self, response: &Response, body: Value) -> Setback {
        let status = response.status;
        let message =
            format!("{} answered {}, and its body says that it failed", self.api(), shown(status));
        let mut setback = self.last(&message, Some(status));
        setback.failed.upstream = Some(reply(status, self.bounded(body)));
        setback
    }

    fn too_large(&self, status: StatusCode, size: &str) -> Setback {
        let done =
            if self.nature == Nature::Read { "" } else { "; it was carried out all the same" };
        let message = format!("{} answered {} with {size}{done}", self.api(), shown(status));
        let mut setback = self.last(&message, Some(status));
        setback.failed.kind = FailureKind::ResponseTooLarge;
        setback
    }

    /// An answer that says no.
    fn refused(&self, response: &Response, body: Value, fault: Option<Fault>) -> Setback {
        let status = response.status;
        // SOAP sends every fault with 500, those that blame the request too.
        let failing = match &fault {
            Some(fault) if blames_the_request(fault) => Failing::Final,
            // A fault says what its status should have been, which many upstreams get wrong.
            Some(fault) if blames_the_service(fault) && !status.is_server_error() => {
                Failing::Status(StatusCode::INTERNAL_SERVER_ERROR)
            }
            _ => Failing::Status(status),
        };
        let (kind, mut message) = self.words(status);
        if let Some(fault) = &fault {
            message = format!("{message} with the fault {}: {}", fault.code, fault.reason);
        }
        let mut failed = self.failed(kind, &message);
        let after = self.after(failing);
        failed.retryable = after.again;
        failed.untouched = after.untouched;
        failed.upstream = Some(UpstreamReply {
            status: status.as_u16(),
            body: self.bounded(body),
            fault: fault.map(|fault| self.fault(fault)),
        });
        Setback { after, failed, asked: self.asked(status, &response.headers) }
    }

    /// How long an answer asks to wait; a limit that is used up asks until it is full again.
    pub(super) fn asked(&self, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
        let now = (self.upstream.clock)();
        retry_after(headers, now).or_else(|| {
            if status != StatusCode::TOO_MANY_REQUESTS {
                return None;
            }
            let limits = announced(headers, &self.upstream.limits_read, now);
            let used_up = limits.iter().filter(|limit| limit.remaining == 0);
            used_up.map(|limit| limit.reset).max()
        })
    }

    /// What a status that says no means, and what to do about it.
    fn words(&self, status: StatusCode) -> (FailureKind, String) {
        let api = self.api();
        let name = &self.upstream.api;
        let answered = format!("{api} answered {}", shown(status));
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let message = match (&self.upstream.credentials, status) {
                    (Credentials::None, StatusCode::UNAUTHORIZED) => format!(
                        "{answered}: it wants credentials, and none are configured; set `auth` of \
                         [api.{name}] in tools.toml"
                    ),
                    (_, StatusCode::UNAUTHORIZED) => format!(
                        "{answered}: it refused the credentials of [api.{name}]; whoever runs \
                         tollbridge must check them"
                    ),
                    _ => format!(
                        "{answered}: the credentials of [api.{name}] do not allow this; whoever \
                         runs tollbridge must get them the right, or this must be left undone"
                    ),
                };
                (FailureKind::UpstreamError, message)
            }
            StatusCode::TOO_MANY_REQUESTS => {
                (FailureKind::RateLimited, format!("{answered}: its rate limit is used up"))
            }
            StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                let twice = if self.nature.may_be_done_twice() {
                    ""
                } else {
                    "; the call was not repeated, since that could do its effect twice"
                };
                (FailureKind::UpstreamUnavailable, format!("{answered}{twice}"))
            }
            _ => (FailureKind::UpstreamError, answered),
        }
    }

    /// A failure that no repetition mends.
    fn last(&self, message: &str, status: Option<StatusCode>) -> Setback {
        let mut failed = self.failed(FailureKind::UpstreamError, message);
        failed.upstream = status.map(|status| reply(status, Value::Null));
        Setback { after: self.after(Failing::Final), failed, asked: None }
    }

    /// A redirect that is not followed.
    pub(super) fn not_followed(&self, answered: &Answered, reason: &str) -> Failed {
        let message = format!("{} answered {}: {reason}", self.api(), shown(answered.status));
        self.last(&message, Some(answered.status)).failed
    }

    /// A failure with a message that is bounded and redacted.
    pub(super) fn failed(&self, kind: FailureKind, message: &str) -> Failed {
        let message = cut(&self.upstream.redactor.text(message), MESSAGE);
        Failed {
            kind,
            message,
            retryable: false,
            retry_after: None,
            untouched: false,
            upstream: None,
            pending: None,
        }
    }

    /// What an answer of that status said, in a failure.
    pub(super) fn said(&self, status: u16, payload: Payload) -> UpstreamReply {
        UpstreamReply { status, body: self.bounded(value_of(payload)), fault: None }
    }

    /// The API, as messages name it.
    pub(super) fn api(&self) -> String {
        format!("`{}`", self.upstream.api)
    }

    fn fault(&self, fault: Fault) -> Value {
        let text = |text: &str| cut(&self.upstream.redactor.text(text), BODY);
        let subcodes: Vec<String> = fault.subcodes.iter().take(16).map(|code| text(code)).collect();
        json!({
            "code": text(&fault.code),
            "subcodes": subcodes,
            "reason": text(&fault.reason),
            "detail": self.bounded(fault.detail.unwrap_or_default()),
        })
    }

    /// A value that is redacted and, where it is too long, the start of its text. Redaction
    /// comes first: half a secret would not be recognised.
    fn bounded(&self, mut value: Value) -> Value {
        self.upstream.redactor.value(&mut value);
        let text = match &value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if text.chars().nth(BODY).is_none() { value } else { Value::String(cut(&text, BODY)) }
    }
}

/// Whether a body is a page for people, as proxies and login forms send in an API's place.
fn is_page(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    let begins =
        |word: &[u8]| start.get(..word.len()).is_some_and(|is| is.eq_ignore_ascii_case(word));
    begins(b"<!doctype html") || begins(b"<html")
}

fn reply(status: StatusCode, body: Value) -> UpstreamReply {
    UpstreamReply { status: status.as_u16(), body, fault: None }
}

/// What of a payload is bytes that are no value.
fn bytes_of(payload: &Payload) -> impl Iterator<Item = &Bytes> {
    let (one, attached) = match payload {
        Payload::Bytes { data, .. } => (Some(data), &[][..]),
        Payload::Parts { attached, .. } => (None, &attached[..]),
        Payload::Empty | Payload::Value(_) => (None, &[][..]),
    };
    one.into_iter().chain(attached.iter().map(|one| &one.data))
}

fn value_of(payload: Payload) -> Value {
    match payload {
        Payload::Empty => Value::Null,
        Payload::Value(value) | Payload::Parts { value, .. } => value,
        Payload::Bytes { media_type, data } => {
            Value::String(format!("{} bytes of {media_type}", data.len()))
        }
    }
}

/// The codes of SOAP 1.1 §4.4.1 and SOAP 1.2 part 1 §5.4.6 that say that the message cannot be
/// processed as it is, whenever it comes. A code of the upstream's own says nothing.
fn blames_the_request(fault: &Fault) -> bool {
    let code = fault.code.split('.').next().unwrap_or_default();
    ["Client", "Sender", "VersionMismatch", "MustUnderstand", "DataEncodingUnknown"].contains(&code)
}

/// The codes of the same places that say that the message itself is sound.
fn blames_the_service(fault: &Fault) -> bool {
    let code = fault.code.split('.').next().unwrap_or_default();
    ["Server", "Receiver"].contains(&code)
}

/// `503 Service Unavailable`.
pub(super) fn shown(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// The text, at most so many characters of it.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
