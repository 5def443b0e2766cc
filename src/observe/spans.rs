//! The spans of one call while it runs: its own, and one for each request to an upstream.
//!
//! Ids are not drawn here: they are those of the trail, and of the `traceparent` that upstreams were
//! sent. URLs come as the trail has them. Arguments, bodies and messages never come here.
//!
//! What is finished is offered to a queue that has room for so many spans; where it has none, the
//! call's spans are dropped and the caller is told how many. Nothing here waits.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::time::Instant;
use tollbridge_operation::{CallId, Trace};

use super::conventions::{Channel, HttpRequest, OperationEnd};

/// How many spans wait at most: what the specification of OpenTelemetry's batch processor has.
pub(super) const MOST_SPANS: usize = 2048;

/// How many requests of one call have a span.
const MOST_REQUESTS: usize = 128;

/// How long a text of the client's is at most.
const LONGEST_TEXT: usize = 128;

/// How long a URL is at most.
const LONGEST_URL: usize = 2048;

/// What a front end knows of the message that a call came in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The revision of MCP.
    pub protocol: Option<String>,
    /// The id of the request of JSON-RPC.
    pub request: Option<String>,
    /// The id of the session, where the call is part of one.
    pub session: Option<String>,
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

/// Takes the spans of calls. Cheap to clone.
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
    /// How many there was no room for.
    refused: AtomicUsize,
}

/// The other end of a [`Tracer`].
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) calls: mpsc::Receiver<Box<Done>>,
    room: Arc<Room>,
}

impl Taken {
    /// So many spans wait no longer.
    pub(super) fn done(&self, spans: usize) {
        self.room.waiting.fetch_sub(spans, Ordering::Relaxed);
    }

    /// How many spans there was no room for since this was asked last.
    pub(super) fn refused(&self) -> usize {
        self.room.refused.swap(0, Ordering::Relaxed)
    }
}

/// A queue for the spans of calls.
pub(super) fn queue() -> (Tracer, Taken) {
    let (sender, calls) = mpsc::channel(MOST_SPANS);
    let room = Arc::<Room>::default();
    let tracer = Tracer(Arc::new(Queue { sender, room: Arc::clone(&room) }));
    (tracer, Taken { calls, room })
}

impl Tracer {
    /// Begins the span of a call; `None` where the trace that it brought is not sampled (W3C Trace
    /// Context §3.2.2.5.1).
    pub fn begin(
        &self,
        call: &CallId,
        trace: Option<&Arc<Trace>>,
        channel: Channel,
        mut message: Option<Box<Message>>,
    ) -> Option<Arc<CallSpans>> {
        if trace.is_some_and(|trace| !trace.is_sampled()) {
            return None;
        }
        if let Some(message) = &mut message {
            message.cut();
        }
        Some(Arc::new(CallSpans {
            tracer: self.clone(),
            call: call.clone(),
            trace: trace.cloned(),
            channel,
            message,
            began: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            clock: Instant::now(),
            requests: Mutex::default(),
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
        let before = room.waiting.fetch_add(spans, Ordering::Relaxed);
        if before + spans > MOST_SPANS || sender.try_send(ended).is_err() {
            room.waiting.fetch_sub(spans, Ordering::Relaxed);
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
    trace: Option<Arc<Trace>>,
    channel: Channel,
    message: Option<Box<Message>>,
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
    /// Which of its call it was, from 1.
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

/// A call that ended, with its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) call: CallId,
    pub(super) trace: Option<Arc<Trace>>,
    pub(super) channel: Channel,
    pub(super) message: Option<Box<Message>>,
    /// The tool, where there is one of that name.
    pub(super) tool: Option<String>,
    pub(super) end: OperationEnd,
    /// The outcome that the trail has.
    pub(super) outcome: &'static str,
    /// Since 1970.
    pub(super) began: Duration,
    pub(super) ended: Duration,
    pub(super) requests: Vec<Sent>,
}

impl Done {
    /// How many spans it has.
    pub(super) fn spans(&self) -> usize {
        1 + self.requests.len()
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
        let ended = self.now();
        let mut requests = self.requests();
        if requests.sent.len() == MOST_REQUESTS {
            requests.left_out += 1;
            return;
        }
        let asked = requests.asked.iter().find(|one| one.n == n);
        let sent = Sent {
            n,
            url: asked.map(|one| one.url.clone()),
            resent: asked.map_or(0, |one| one.resent),
            request,
            began: ended.saturating_sub(took).max(self.began),
            ended,
        };
        requests.sent.push(sent);
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
            call: self.call.clone(),
            trace: self.trace.clone(),
            channel: self.channel,
            message: self.message.clone(),
            tool: tool.map(str::to_owned),
            end,
            outcome,
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
