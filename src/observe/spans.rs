//! The spans of requests of MCP: of a call while it runs, its own and one for each request to an
//! upstream or for a token; of any other request once it is answered.
//!
//! A call's ids are not drawn here: they are those of the trail, and of the `traceparent` that
//! upstreams were sent. Other requests are not in the trail; theirs are drawn as names of calls are.
//! URLs come as the trail has them. Arguments, bodies and messages never come here.
//!
//! What is finished is offered to a queue that has room for so many spans; where it has none, the
//! spans are dropped and the caller is told how many. Only a part of the room is for requests that are
//! no calls: anybody can send many of those, and calls are not to give way to them. Nothing here waits.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::time::Instant;
use tollbridge_operation::{CallId, Trace};

use super::conventions::{Channel, HttpRequest, McpRequest, OperationEnd};
use crate::audit::new_call_id;

/// How many spans wait at most: what the specification of OpenTelemetry's batch processor has.
pub(super) const MOST_SPANS: usize = 2048;

/// How many of them may be of requests that are no calls.
pub(super) const MOST_OTHERS: usize = MOST_SPANS / 4;

/// How many requests of one call have a span, those for tokens among them.
const MOST_REQUESTS: usize = 128;

/// From where requests for tokens are numbered: they have no number among a call's requests.
const TOKENS: u32 = 1 << 31;

/// How long a text of the client's is at most.
const LONGEST_TEXT: usize = 128;

/// How long a URL is at most, of a request or of a resource.
const LONGEST_URL: usize = 2048;

/// What a front end knows of the message that a request of MCP came in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The revision of MCP.
    pub protocol: Option<String>,
    /// The id of the request of JSON-RPC.
    pub request: Option<String>,
    /// The id of the session, where the request is part of one.
    pub session: Option<String>,
    /// Who is at the other end of the connection, over HTTP.
    pub client: Option<SocketAddr>,
    /// The version of HTTP.
    pub http: Option<&'static str>,
}

impl Message {
    /// Without what is too long: these are texts of the client's.
    fn cut(&mut self) {
        let texts = [&mut self.protocol, &mut self.request, &mut self.session];
        for text in texts.into_iter().flatten() {
            text.truncate(text.floor_char_boundary(LONGEST_TEXT));
            text.shrink_to_fit();
        }
    }
}

/// Where a request of MCP came from, as its span tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The trace that it was made in (W3C Trace Context).
    pub trace: Option<Arc<Trace>>,
    /// The message that it came in.
    pub message: Option<Box<Message>>,
}

impl Origin {
    /// The same, cut; `None` where its trace is not sampled (W3C Trace Context §3.2.2.5.1).
    fn sampled(mut self) -> Option<Self> {
        if let Some(message) = &mut self.message {
            message.cut();
        }
        self.trace.as_ref().is_none_or(|trace| trace.is_sampled()).then_some(self)
    }
}

/// Takes the spans of requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tracer(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    sender: mpsc::Sender<Box<Done>>,
    room: Arc<Room>,
}

#[derive(Debug, Default)]
struct Room {
    /// How many spans wait, those that are being sent among them.
    waiting: AtomicUsize,
    /// How many of them are of requests that are no calls.
    others: AtomicUsize,
    /// How many there was no room for.
    refused: AtomicUsize,
}

/// The other end of a [`Tracer`].
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) done: mpsc::Receiver<Box<Done>>,
    room: Arc<Room>,
}

impl Taken {
    /// These wait no longer.
    pub(super) fn free(&self, batch: &[Box<Done>]) {
        for done in batch {
            self.room.leave(done);
        }
    }

    /// How many spans there was no room for since this was asked last.
    pub(super) fn refused(&self) -> usize {
        self.room.refused.swap(0, Ordering::Relaxed)
    }
}

impl Room {
    /// Whether there is room: then these wait.
    fn enter(&self, done: &Done) -> bool {
        let spans = done.spans();
        let waited = self.waiting.fetch_add(spans, Ordering::Relaxed);
        let others =
            if done.is_other() { self.others.fetch_add(spans, Ordering::Relaxed) } else { 0 };
        let enters =
            waited + spans <= MOST_SPANS && (!done.is_other() || others + spans <= MOST_OTHERS);
        if !enters {
            self.leave(done);
        }
        enters
    }

    fn leave(&self, done: &Done) {
        let spans = done.spans();
        self.waiting.fetch_sub(spans, Ordering::Relaxed);
        if done.is_other() {
            self.others.fetch_sub(spans, Ordering::Relaxed);
        }
    }
}

/// A queue for the spans of requests.
pub(super) fn queue() -> (Tracer, Taken) {
    let (sender, done) = mpsc::channel(MOST_SPANS);
    let room = Arc::<Room>::default();
    let tracer = Tracer(Arc::new(Queue { sender, room: Arc::clone(&room) }));
    (tracer, Taken { done, room })
}

impl Tracer {
    /// Begins the span of a call; `None` where the trace that it brought is not sampled.
    pub fn begin(&self, call: &CallId, origin: Origin, channel: Channel) -> Option<Arc<CallSpans>> {
        Some(Arc::new(CallSpans {
            tracer: self.clone(),
            call: call.clone(),
            origin: origin.sampled()?,
            channel,
            began: since_1970(),
            clock: Instant::now(),
            requests: Mutex::default(),
        }))
    }

    /// Tells of a request that is no call and was answered just now, after this time. `resource` is the
    /// URI of what it read. The error is how many spans there was no room for.
    pub fn answered(
        &self,
        request: McpRequest<'_>,
        resource: Option<String>,
        origin: Origin,
        took: Duration,
    ) -> Result<(), usize> {
        let Some(origin) = origin.sampled() else { return Ok(()) };
        let McpRequest { method, prompt, channel, end, .. } = request;
        let resource = resource.map(|uri| uri[..uri.floor_char_boundary(LONGEST_URL)].to_owned());
        let ended = since_1970();
        self.offer(Box::new(Done {
            id: new_call_id(),
            origin,
            channel,
            what: What::Other { method, prompt, resource },
            end,
            began: ended.saturating_sub(took),
            ended,
            requests: Vec::new(),
        }))
    }

    /// How many spans wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.room.waiting.load(Ordering::Relaxed)
    }

    /// The error is how many spans there was no room for.
    fn offer(&self, ended: Box<Done>) -> Result<(), usize> {
        let Queue { sender, room } = &*self.0;
        let spans = ended.spans();
        let refused = if room.enter(&ended) {
            let refused = sender.try_send(ended).err();
            refused.map(mpsc::error::TrySendError::into_inner).inspect(|ended| room.leave(ended))
        } else {
            Some(ended)
        };
        if refused.is_some() {
            room.refused.fetch_add(spans, Ordering::Relaxed);
            return Err(spans);
        }
        Ok(())
    }
}

/// The spans of a call that runs.
#[derive(Debug)]
pub struct CallSpans {
    tracer: Tracer,
    call: CallId,
    origin: Origin,
    channel: Channel,
    /// Since 1970.
    began: Duration,
    clock: Instant,
    requests: Mutex<Requests>,
}

#[derive(Debug, Default)]
struct Requests {
    asked: Vec<Asked>,
    sent: Vec<Sent>,
    /// How many had no room.
    left_out: usize,
}

#[derive(Debug)]
struct Asked {
    n: u32,
    url: String,
    resent: u32,
}

/// A request that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    /// Which of its call it was, from 1; one for a token, from [`TOKENS`].
    pub(super) n: u32,
    /// Where it went, as the trail has it; `None` where that is not known.
    pub(super) url: Option<String>,
    /// How often it had been sent before.
    pub(super) resent: u32,
    pub(super) request: HttpRequest,
    /// Since 1970.
    pub(super) began: Duration,
    pub(super) ended: Duration,
}

/// A request of MCP that ended, with those to upstreams that were made for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    /// What its spans are named by, and its trace where it began one: a call's name in the trail.
    pub(super) id: CallId,
    pub(super) origin: Origin,
    pub(super) channel: Channel,
    pub(super) what: What,
    pub(super) end: OperationEnd,
    /// Since 1970.
    pub(super) began: Duration,
    pub(super) ended: Duration,
    pub(super) requests: Vec<Sent>,
}

/// What a request asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A call that is in the trail.
    Call {
        /// The tool, where there is one of that name.
        tool: Option<String>,
        /// The outcome that the trail has.
        outcome: &'static str,
    },
    /// Anything else.
    Other {
        method: &'static str,
        /// The prompt, where there is one of that name.
        prompt: Option<&'static str>,
        /// The resource, where there is one at that URI.
        resource: Option<String>,
    },
}

impl Done {
    /// How many spans it has.
    pub(super) fn spans(&self) -> usize {
        1 + self.requests.len()
    }

    fn is_other(&self) -> bool {
        matches!(self.what, What::Other { .. })
    }
}

impl CallSpans {
    /// Request `n` is about to go to this URL, redacted.
    pub fn asked(&self, n: u32, url: &str) {
        let cut = url.floor_char_boundary(LONGEST_URL);
        let asked = Asked { n, url: url[..cut].to_owned(), resent: 0 };
        let mut requests = self.requests();
        // What was announced and did not come to pass is announced anew.
        if let Some(known) = requests.asked.iter_mut().find(|one| one.n == n) {
            *known = asked;
        } else if requests.asked.len() < MOST_REQUESTS {
            requests.asked.push(asked);
        }
    }

    /// Request `n` is the one before it once more.
    pub fn resent(&self, n: u32) {
        let mut requests = self.requests();
        let before = requests.asked.iter().rfind(|one| one.n < n).map_or(0, |one| one.resent);
        if let Some(asked) = requests.asked.iter_mut().find(|one| one.n == n) {
            asked.resent = before + 1;
        }
    }

    /// Request `n` ended just now, after this time.
    pub fn exchanged(&self, n: u32, request: HttpRequest, took: Duration) {
        let mut requests = self.requests();
        let asked = requests.asked.iter().find(|one| one.n == n);
        let (url, resent) = match asked {
            Some(one) => (Some(one.url.clone()), one.resent),
            None => (None, 0),
        };
        self.keep(&mut requests, (n, resent), url, request, took);
    }

    /// An exchange with an authorization server, at this URL, redacted, ended just now, after this time.
    /// It was for a token that the call needs.
    pub fn fetched(&self, url: &str, request: HttpRequest, took: Duration) {
        let mut requests = self.requests();
        let before = requests.sent.iter().filter(|one| one.n >= TOKENS).count();
        let n = TOKENS + u32::try_from(before).unwrap_or_default();
        let url = url[..url.floor_char_boundary(LONGEST_URL)].to_owned();
        self.keep(&mut requests, (n, 0), Some(url), request, took);
    }

    fn keep(
        &self,
        requests: &mut Requests,
        (n, resent): (u32, u32),
        url: Option<String>,
        request: HttpRequest,
        took: Duration,
    ) {
        if requests.sent.len() == MOST_REQUESTS {
            requests.left_out += 1;
            return;
        }
        let ended = self.now();
        let began = ended.saturating_sub(took).max(self.began);
        requests.sent.push(Sent { n, url, resent, request, began, ended });
    }

    /// The call ended just now. The error is how many of its spans there was no room for.
    pub fn end(
        &self,
        tool: Option<&str>,
        end: OperationEnd,
        outcome: &'static str,
    ) -> Result<(), usize> {
        let Requests { sent, left_out, .. } = std::mem::take(&mut *self.requests());
        let offered = self.tracer.offer(Box::new(Done {
            id: self.call.clone(),
            origin: self.origin.clone(),
            channel: self.channel,
            what: What::Call { tool: tool.map(str::to_owned), outcome },
            end,
            began: self.began,
            ended: self.now(),
            requests: sent,
        }));
        match offered.err().unwrap_or_default() + left_out {
            0 => Ok(()),
            lost => Err(lost),
        }
    }

    /// Since 1970, by a clock that does not go back.
    fn now(&self) -> Duration {
        self.began + self.clock.elapsed()
    }

    fn requests(&self) -> std::sync::MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
