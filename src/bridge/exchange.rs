//! One request, and one answer that is whole and bounded, or what became of it instead.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tollbridge_operation::Request;
use url::Host;

use super::breakage::Breakage;
use super::inflate::{Inflate, Stopped};
use super::memory::Held;
use super::prepare::Target;
use super::sent::{Sent, Watched};
use super::sign::Outgoing;
use super::traced::Traced;
use super::upstream::Upstream;

/// How a request ended.
#[derive(Debug, Clone)]
pub(super) enum Ended {
    /// With an answer: at least its status and headers came.
    Answered(Answered),
    /// Without one.
    Broken {
        what: Breakage,
        /// Whether anything of it can have gone out.
        sent: bool,
    },
    /// By whoever asked for it. The connection is closed.
    Cancelled { sent: bool },
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Content,
    /// How many bytes of the body were read, decompressed.
    pub(super) bytes: u64,
}

/// An answer's body.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// All of it.
    Whole(Bytes),
    /// More than was allowed. What was read is gone.
    TooLarge,
    /// A small one that unpacks to far more than its size. What was read is gone.
    Bomb,
    /// Of a size that is allowed, but all calls together hold too much. What was read is gone.
    NoRoom,
    /// In an encoding that was not asked for.
    Encoded(&'static str),
    /// Not all of it came.
    Broken(Breakage),
}

/// How much of a body may be read.
#[derive(Clone, Copy)]
struct Room<'a> {
    max: u64,
    held: Option<&'a Held<'a>>,
}

impl Room<'_> {
    fn has(self, bytes: u64) -> bool {
        self.held.is_none_or(|held| held.more(bytes))
    }
}

/// Told how much of a stream has come.
pub(super) type Heard<'a> = &'a mut (dyn FnMut(u64) + Send);

/// Sends the request and reads its answer, until `limit`.
pub(super) async fn send(
    upstream: &Upstream,
    target: &Target,
    traced: Option<Traced>,
    limit: Instant,
    cancel: &CancellationToken,
    held: Option<&Held<'_>>,
    heard: Heard<'_>,
) -> Ended {
    let sent = Sent::default();
    let exchange = exchange(upstream, target, traced, limit, &sent, held, heard);
    tokio::select! {
        // An answer that is there counts, even if nobody waits for it any more.
        biased;
        ended = exchange => ended,
        () = cancel.cancelled() => Ended::Cancelled { sent: sent.get() },
    }
}

async fn exchange(
    upstream: &Upstream,
    target: &Target,
    traced: Option<Traced>,
    limit: Instant,
    sent: &Sent,
    held: Option<&Held<'_>>,
    heard: Heard<'_>,
) -> Ended {
    let begun = Instant::now();
    let mut request = reqwest::Request::new(target.method.clone(), target.url.clone());
    *request.headers_mut() = target.headers.clone();
    if let Some(traced) = traced {
        traced.put(request.headers_mut());
    }
    let body = match &target.message {
        None => target.body.clone().unwrap_or_default(),
        Some(message) => {
            let Ok(Ok(Request { body: Some(fresh), .. })) = message.request(upstream, target.at)
            else {
                return Ended::Broken { what: Breakage::NoMessage, sent: false };
            };
            request.headers_mut().insert(CONTENT_TYPE, fresh.content_type);
            fresh.bytes
        }
    };
    if let (Some(guard), Some(Host::Domain(name))) = (&upstream.proxied, target.url.host()) {
        match timeout_at(limit, Box::pin(guard.judge(name))).await {
            Ok(Ok(())) => {}
            Ok(Err(misled)) => {
                return Ended::Broken { what: Breakage::Misled(misled.0), sent: false };
            }
            Err(_) => return Ended::Broken { what: Breakage::NotConnected, sent: false },
        }
    }
    if let Some(signer) = &target.signer {
        let outgoing = &mut Outgoing {
            method: &target.method,
            url: &target.url,
            headers: request.headers_mut(),
            body: &body,
        };
        if signer.sign(outgoing, (upstream.clock)()).is_err() {
            return Ended::Broken { what: Breakage::NoMessage, sent: false };
        }
    }
    *request.body_mut() = Some(reqwest::Body::wrap(Watched::new(body, sent.clone())));
    let mut response = match timeout_at(limit, upstream.client.execute(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            let sent = sent.get();
            let what = Breakage::of(&error, sent, begun.elapsed());
            return Ended::Broken { what, sent };
        }
        Err(_) if sent.get() => {
            return Ended::Broken { what: Breakage::TimedOut(begun.elapsed()), sent: true };
        }
        Err(_) => return Ended::Broken { what: Breakage::NotConnected, sent: false },
    };
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let mut bytes = 0;
    let heard = is_stream(&headers).then_some(heard);
    let room = Room { max: upstream.max_response, held };
    let read = match encoding(&headers) {
        None => timeout_at(limit, read(response, room, &mut bytes, heard)).await,
        Some("gzip") => timeout_at(limit, unpack(response, room, &mut bytes, heard)).await,
        Some(other) => Ok(Content::Encoded(other)),
    };
    let late = |_| Content::Broken(Breakage::TimedOut(begun.elapsed()));
    let body = read.unwrap_or_else(late);
    Ended::Answered(Answered { status, headers, body, bytes })
}

/// Whether the body comes piece by piece, each when the upstream has it.
fn is_stream(headers: &HeaderMap) -> bool {
    let named = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = named.and_then(|named| named.split(';').next()).unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    essence == "text/event-stream"
        || ["ndjson", "jsonl", "jsonlines", "json-seq", "stream+json"]
            .iter()
            .any(|kind| essence.ends_with(kind))
}

/// What the body is encoded in; of several encodings the last one is not told. Only names that we
/// know are passed on, since an upstream could echo a secret here too.
fn encoding(headers: &HeaderMap) -> Option<&'static str> {
    const NAMES: [&str; 5] = ["br", "compress", "deflate", "gzip", "zstd"];
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .map(|value| value.as_bytes().trim_ascii())
        .find(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity"))
        .map(|encoding| {
            let known = NAMES.iter().find(|name| encoding.eq_ignore_ascii_case(name.as_bytes()));
            known.copied().unwrap_or("something unknown")
        })
}

/// Reads a body as it comes, and stops where it exceeds what is allowed.
async fn read(
    mut response: reqwest::Response,
    room: Room<'_>,
    bytes: &mut u64,
    mut heard: Option<Heard<'_>>,
) -> Content {
    if response.content_length().is_some_and(|length| length > room.max) {
        return Content::TooLarge;
    }
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                *bytes += chunk.len() as u64;
                if *bytes > room.max {
                    return Content::TooLarge;
                }
                if !room.has(chunk.len() as u64) {
                    return Content::NoRoom;
                }
                body.extend_from_slice(&chunk);
                if let Some(heard) = &mut heard {
                    heard(*bytes);
                }
            }
            Ok(None) => return Content::Whole(body.freeze()),
            Err(_) => return Content::Broken(Breakage::BodyBroken),
        }
    }
}

/// The same for one in gzip; `bytes` are those that come out.
async fn unpack(
    mut response: reqwest::Response,
    room: Room<'_>,
    bytes: &mut u64,
    mut heard: Option<Heard<'_>>,
) -> Content {
    let mut inflate = Inflate::new(room.max);
    loop {
        let taken = match response.chunk().await {
            Ok(Some(chunk)) => inflate.take(&chunk),
            Ok(None) => {
                let ended = inflate.finish();
                *bytes = ended.as_ref().map_or(*bytes, |body| body.len() as u64);
                return ended.map_or_else(Content::of, Content::Whole);
            }
            Err(_) => Err(Stopped::Broken),
        };
        let more = inflate.bytes().saturating_sub(*bytes);
        *bytes = inflate.bytes();
        if let Err(stopped) = taken {
            return Content::of(stopped);
        }
        if !room.has(more) {
            return Content::NoRoom;
        }
        if let Some(heard) = &mut heard {
            heard(*bytes);
        }
    }
}

impl Content {
    fn of(stopped: Stopped) -> Self {
        match stopped {
            Stopped::TooLarge => Self::TooLarge,
            Stopped::Bomb => Self::Bomb,
            Stopped::Broken => Self::Broken(Breakage::BodyBroken),
        }
    }
}

impl Ended {
    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Answered(answered) => Some(answered.status),
            Self::Broken { .. } | Self::Cancelled { .. } => None,
        }
    }

    /// The headers of the answer.
    pub(super) fn headers(&self) -> Option<&HeaderMap> {
        match self {
            Self::Answered(answered) => Some(&answered.headers),
            Self::Broken { .. } | Self::Cancelled { .. } => None,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Answered(answered) => answered.bytes,
            Self::Broken { .. } | Self::Cancelled { .. } => 0,
        }
    }

    /// What went wrong with the exchange, for the record.
    pub(super) fn error(&self) -> Option<String> {
        match self {
            Self::Answered(answered) => match &answered.body {
                Content::Whole(_) => None,
                Content::TooLarge => Some("its answer is too large".to_owned()),
                Content::Bomb => Some("its answer unpacks to far more than its size".to_owned()),
                Content::NoRoom => Some("there was no room for its answer".to_owned()),
                Content::Encoded(encoding) => Some(format!("its answer is encoded as {encoding}")),
                Content::Broken(what) => Some(what.words()),
            },
            Self::Broken { what, .. } => Some(what.words()),
            Self::Cancelled { .. } => Some("cancelled".to_owned()),
        }
    }
}

/// The end of one request: until its own time is over, or the call's.
pub(super) fn limit(begun: Instant, attempt_timeout: Duration, deadline: Instant) -> Instant {
    begun.checked_add(attempt_timeout).map_or(deadline, |end| end.min(deadline))
}
