//! What a broken connection must not lose: the rest of a stream in a session.
//!
//! In the older revisions a connection that breaks is no cancellation (MCP 2025-11-25,
//! Transports, Resumability): the call goes on, and the client comes back for the rest of the
//! stream with `Last-Event-ID`. The MCP library serves that while the call runs, and forgets
//! the answer the moment that it is made, so a client that comes back later would wait for
//! ever for a call that succeeded. Therefore what is left of a broken stream is read here to
//! its end and kept for a while, for the session that it belongs to.
//!
//! The newest revision has neither sessions nor this: there a closed stream is a cancellation.
//! That is why the library is not given an event store, which would change it for both.
//!
//! It is here, too, that the library's answers in sessions are seen as messages: errors to requests
//! that never came to the handler are measured here.
//!
//! The stream of a call opens with an event that has an id and no data, so that a client can come back
//! for all of it. Revisions before 2025-11-25 do not know such events, and their clients take
//! them for broken JSON: they are not sent any.

use std::collections::{HashSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt};
use rmcp::model::{
    ClientJsonRpcMessage, GetExtensions, JsonRpcMessage, ProtocolVersion, ServerJsonRpcMessage,
    ServerResult,
};
use rmcp::transport::common::server_side_http::{ServerSseMessage, SessionId};
use rmcp::transport::streamable_http_server::SessionManager;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::agent::Backend;
use crate::agent::arrived::Passing;
use crate::gateway::OperationEnd;

/// How long a whole rest is kept. Clients come back within seconds.
const KEEP: Duration = Duration::from_mins(1);

/// How many rests of one session are kept, and how many there are.
const MAX_OF_ONE: usize = 8;
const MAX: usize = 64;

/// How many events wait for a client that came back: above what one call tells of itself.
const QUEUE: usize = 256;

/// From how many sessions of older clients on those that have ended are looked for.
const OLDER: usize = 256;

type Events = Pin<Box<dyn Stream<Item = ServerSseMessage> + Send + Sync>>;

/// The library's sessions, with streams that can be resumed after their end.
pub(super) struct ResumableSessions<B> {
    backend: Arc<B>,
    inner: LocalSessionManager,
    rests: Arc<Rests>,
    /// The sessions whose clients do not know events without data.
    older: Mutex<HashSet<SessionId>>,
}

impl<B: Backend> ResumableSessions<B> {
    pub(super) fn new(backend: Arc<B>) -> Self {
        let (inner, rests) = (LocalSessionManager::default(), Arc::default());
        Self { backend, inner, rests, older: Mutex::default() }
    }

    /// Measures the request that a stream answers, where the library answers it by itself.
    fn measured(
        &self,
        passing: Option<Passing>,
        events: impl Stream<Item = ServerSseMessage> + Send + Sync + 'static,
    ) -> impl Stream<Item = ServerSseMessage> + Send + Sync + 'static {
        let backend = Arc::clone(&self.backend);
        events.inspect(move |event| {
            if let Some(JsonRpcMessage::Error(error)) = event.message.as_deref()
                && let Some(arrived) = passing.as_ref().and_then(Passing::take)
            {
                arrived.answered(&*backend, OperationEnd::Rpc(error.error.code.0));
            }
        })
    }

    fn older(&self) -> MutexGuard<'_, HashSet<SessionId>> {
        self.older.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn note_older(&self, id: &SessionId) {
        let noted: Vec<SessionId> = {
            let mut older = self.older();
            older.insert(id.clone());
            if older.len() < OLDER { Vec::new() } else { older.iter().cloned().collect() }
        };
        for id in noted {
            if !self.inner.has_session(&id).await.unwrap_or(false) {
                self.older().remove(&id);
            }
        }
    }

    /// What of a session's stream its client knows.
    fn known_to(
        &self,
        id: &SessionId,
        events: impl Stream<Item = ServerSseMessage> + Send + Sync + 'static,
    ) -> impl Stream<Item = ServerSseMessage> + Send + Sync + 'static {
        let older = self.older().contains(id);
        events.filter(move |event| std::future::ready(!older || event.message.is_some()))
    }
}

/// Whether this answer to `initialize` settled on a revision before 2025-11-25.
fn is_older(answer: &ServerJsonRpcMessage) -> bool {
    match answer {
        JsonRpcMessage::Response(response) => match &response.result {
            ServerResult::InitializeResult(result) => {
                result.protocol_version < ProtocolVersion::V_2025_11_25
            }
            _ => false,
        },
        _ => false,
    }
}

impl<B: Backend> SessionManager for ResumableSessions<B> {
    type Error = <LocalSessionManager as SessionManager>::Error;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        self.inner.create_session().await
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        let answer = self.inner.initialize_session(id, message).await?;
        if is_older(&answer) {
            self.note_older(id).await;
        }
        Ok(answer)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        self.inner.has_session(id).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.rests.lock().kept.retain(|rest| rest.session != *id);
        self.older().remove(id);
        self.inner.close_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let passing = match &message {
            JsonRpcMessage::Request(request) => Passing::of(request.request.extensions()).cloned(),
            _ => None,
        };
        let events = self.inner.create_stream(id, message).await?;
        let events = self.measured(passing, events);
        // It learns from the first event whose stream it is, so what is left out is so behind it.
        Ok(self.known_to(id, Followed::new(&self.rests, id, None, Box::pin(events))))
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), Self::Error> {
        self.inner.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let events = self.inner.create_standalone_stream(id).await?;
        Ok(self.known_to(id, events))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let place = Place::read(&last_event_id);
        if let Some(rest) = place.and_then(|place| self.rests.resume(id, place)) {
            return Ok(Box::pin(self.known_to(id, rest)) as Events);
        }
        let events: Events = Box::pin(self.inner.resume(id, last_event_id).await?);
        // What belongs to no request has no end, and is not followed.
        let Some(Place { request, .. }) = place else {
            return Ok(Box::pin(self.known_to(id, events)));
        };
        let followed = Followed::new(&self.rests, id, Some(request), events);
        Ok(Box::pin(self.known_to(id, followed)))
    }
}

/// A place in a stream, as the library writes it: `INDEX/REQUEST`. Streams that belong to no
/// request have no second part, and nothing of them is kept here: the library does that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    index: u64,
    request: u64,
}

impl Place {
    fn read(id: &str) -> Option<Self> {
        let (index, request) = id.split_once('/')?;
        Some(Self { index: index.parse().ok()?, request: request.parse().ok()? })
    }

    fn of(event: &ServerSseMessage) -> Option<Self> {
        Self::read(event.event_id.as_deref()?)
    }
}

/// A request's stream on its way to the client. Dropped before its end, it leaves a rest.
struct Followed {
    rests: Weak<Rests>,
    session: SessionId,
    /// Whose stream it is: of a new one its first event tells.
    request: Option<u64>,
    events: Option<Events>,
    /// What went out: that does not mean that it arrived.
    passed: Vec<ServerSseMessage>,
}

impl Followed {
    fn new(rests: &Arc<Rests>, session: &SessionId, request: Option<u64>, events: Events) -> Self {
        let (rests, session) = (Arc::downgrade(rests), session.clone());
        Self { rests, session, request, events: Some(events), passed: Vec::new() }
    }
}

impl Stream for Followed {
    type Item = ServerSseMessage;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(events) = &mut self.events else { return Poll::Ready(None) };
        let event = std::task::ready!(events.poll_next_unpin(context));
        match &event {
            Some(event) => self.passed.push(event.clone()),
            None => self.events = None,
        }
        Poll::Ready(event)
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let first = || self.passed.first().and_then(Place::of).map(|place| place.request);
        let request = self.request.or_else(first);
        if let (Some(rests), Some(events), Some(request)) =
            (self.rests.upgrade(), self.events.take(), request)
        {
            let passed = std::mem::take(&mut self.passed);
            rests.keep(self.session.clone(), request, passed, events);
        }
    }
}

/// The rests of broken streams.
struct Rests {
    table: Mutex<Table>,
    keep: Duration,
}

impl Default for Rests {
    fn default() -> Self {
        Self { table: Mutex::default(), keep: KEEP }
    }
}

#[derive(Default)]
struct Table {
    kept: VecDeque<Rest>,
    next: u64,
}

struct Rest {
    number: u64,
    session: SessionId,
    request: u64,
    events: Vec<ServerSseMessage>,
    is_whole: bool,
    /// Who came back last, while it is not whole: nobody else is told, as with the library.
    reader: Option<mpsc::Sender<ServerSseMessage>>,
    /// What reads it to its end, and ends with it: so this is bounded as the rests are.
    _reading: AbortOnDropHandle<()>,
}

impl Rests {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the rest of a stream to its end.
    fn keep(
        self: Arc<Self>,
        session: SessionId,
        request: u64,
        passed: Vec<ServerSseMessage>,
        mut rest: Events,
    ) {
        // Without a runtime the server is at its end, and nobody comes back.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut table = self.lock();
        table.make_room(&session);
        let number = table.next;
        table.next += 1;
        let (rests, while_kept) = (Arc::downgrade(&self), self.keep);
        let reading = async move {
            while let Some(event) = rest.next().await {
                if !change(&rests, number, |rest| rest.add(event)) {
                    return;
                }
            }
            change(&rests, number, |rest| (rest.is_whole, rest.reader) = (true, None));
            tokio::time::sleep(while_kept).await;
            if let Some(rests) = rests.upgrade() {
                rests.lock().kept.retain(|rest| rest.number != number);
            }
        };
        // It waits for the lock that is held here, so it does not miss its rest.
        let reading = AbortOnDropHandle::new(runtime.spawn(reading));
        table.kept.push_back(Rest {
            number,
            session,
            request,
            events: passed,
            is_whole: false,
            reader: None,
            _reading: reading,
        });
    }

    /// What a session's stream has after an event: what there is at once, and what comes.
    fn resume(
        &self,
        session: &SessionId,
        place: Place,
    ) -> Option<impl Stream<Item = ServerSseMessage> + Send + Sync + use<>> {
        let mut table = self.lock();
        let rest = table
            .kept
            .iter_mut()
            .find(|rest| rest.session == *session && rest.request == place.request)?;
        let missed = |event: &&ServerSseMessage| {
            Place::of(event).is_some_and(|other| other.index > place.index)
        };
        let missed: Vec<_> = rest.events.iter().filter(missed).cloned().collect();
        let (sender, mut coming) = mpsc::channel(QUEUE);
        if !rest.is_whole {
            rest.reader = Some(sender);
        }
        Some(stream::iter(missed).chain(stream::poll_fn(move |context| coming.poll_recv(context))))
    }
}

/// Changes a rest, if it is still kept.
fn change(rests: &Weak<Rests>, number: u64, change: impl FnOnce(&mut Rest)) -> bool {
    let Some(rests) = rests.upgrade() else { return false };
    let mut table = rests.lock();
    let rest = table.kept.iter_mut().find(|rest| rest.number == number);
    rest.map(change).is_some()
}

impl Rest {
    fn add(&mut self, event: ServerSseMessage) {
        self.reader.take_if(|reader| reader.try_send(event.clone()).is_err());
        self.events.push(event);
    }
}

impl Table {
    /// A session with too many rests loses its own oldest.
    fn make_room(&mut self, session: &SessionId) {
        if self.kept.iter().filter(|rest| rest.session == *session).count() >= MAX_OF_ONE {
            let oldest = self.kept.iter().position(|rest| rest.session == *session);
            oldest.map(|oldest| self.kept.remove(oldest));
        } else if self.kept.len() >= MAX {
            self.kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A stream of one request's events, and its other end.
    fn followed(rests: &Arc<Rests>, session: &str) -> (mpsc::Sender<&'static str>, Followed) {
        let (sender, mut ids) = mpsc::channel(16);
        let events = stream::poll_fn(move |context| ids.poll_recv(context));
        let events = events.map(|id: &str| ServerSseMessage::priming(id, KEEP));
        (sender, Followed::new(rests, &session.into(), None, Box::pin(events)))
    }

    async fn ids(events: impl Stream<Item = ServerSseMessage>) -> Vec<String> {
        events.map(|event| event.event_id.unwrap()).collect().await
    }

    fn resumed(rests: &Rests, session: &str, last: &str) -> Option<Events> {
        let rest = rests.resume(&session.into(), Place::read(last)?);
        rest.map(|events| Box::pin(events) as Events)
    }

    #[tokio::test]
    async fn what_comes_after_a_break_is_kept_past_its_end() {
        let rests = Arc::new(Rests::default());
        let (sender, mut stream) = followed(&rests, "s");
        for id in ["0/7", "1/7"] {
            sender.send(id).await.unwrap();
            stream.next().await.unwrap();
        }
        drop(stream);
        // One client is back before the rest is there, another after its end.
        let early = resumed(&rests, "s", "1/7").unwrap();
        sender.send("2/7").await.unwrap();
        sender.send("3/7").await.unwrap();
        drop(sender);
        assert_eq!(ids(early).await, ["2/7", "3/7"]);
        for _ in 0..2 {
            let late = resumed(&rests, "s", "0/7").unwrap();
            assert_eq!(ids(late).await, ["1/7", "2/7", "3/7"]);
        }
    }

    #[tokio::test]
    async fn who_comes_back_last_is_told_and_nobody_piles_up() {
        let rests = Arc::new(Rests::default());
        let (sender, mut stream) = followed(&rests, "s");
        sender.send("0/7").await.unwrap();
        stream.next().await.unwrap();
        drop(stream);
        let first = resumed(&rests, "s", "0/7").unwrap();
        let last = resumed(&rests, "s", "0/7").unwrap();
        assert_eq!(ids(first).await, [""; 0]);
        sender.send("1/7").await.unwrap();
        drop(sender);
        assert_eq!(ids(last).await, ["1/7"]);
    }

    #[tokio::test]
    async fn a_stream_that_breaks_again_before_anything_came_is_kept_too() {
        let rests = Arc::new(Rests::default());
        let (sender, mut coming) = mpsc::channel(1);
        let events = stream::poll_fn(move |context| coming.poll_recv(context));
        drop(Followed::new(&rests, &"s".into(), Some(7), Box::pin(events)));
        let back = resumed(&rests, "s", "0/7").unwrap();
        sender.send(ServerSseMessage::priming("1/7", KEEP)).await.unwrap();
        drop(sender);
        assert_eq!(ids(back).await, ["1/7"]);
    }

    /// What is no longer kept is no longer read either.
    #[tokio::test]
    async fn nothing_reads_what_was_dropped() {
        let rests = Arc::new(Rests::default());
        let (sender, mut stream) = followed(&rests, "s");
        sender.send("0/7").await.unwrap();
        stream.next().await.unwrap();
        drop(stream);
        rests.lock().kept.clear();
        tokio::time::timeout(Duration::from_secs(10), sender.closed()).await.unwrap();
    }

    #[tokio::test]
    async fn a_rest_is_for_its_session_and_its_request() {
        let rests = Arc::new(Rests::default());
        let (sender, mut stream) = followed(&rests, "s");
        sender.send("0/7").await.unwrap();
        stream.next().await.unwrap();
        drop(stream);
        assert!(resumed(&rests, "other", "0/7").is_none());
        for elsewhere in ["0/8", "0", "7", "", "/", "x/7", "0/7/7"] {
            assert!(resumed(&rests, "s", elsewhere).is_none(), "{elsewhere}");
        }
        assert!(resumed(&rests, "s", "0/7").is_some());
    }

    #[tokio::test]
    async fn a_stream_that_came_to_its_end_leaves_nothing() {
        let rests = Arc::new(Rests::default());
        let (sender, stream) = followed(&rests, "s");
        sender.send("0/7").await.unwrap();
        drop(sender);
        assert_eq!(ids(stream).await, ["0/7"]);
        assert!(resumed(&rests, "s", "0/7").is_none());
    }

    #[tokio::test]
    async fn a_rest_is_forgotten_after_a_while() {
        let rests = Arc::new(Rests { keep: Duration::from_millis(50), ..Rests::default() });
        let (sender, mut stream) = followed(&rests, "s");
        sender.send("0/7").await.unwrap();
        stream.next().await.unwrap();
        drop(stream);
        // Not before it is whole.
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(resumed(&rests, "s", "0/7").is_some());
        drop(sender);
        while resumed(&rests, "s", "0/7").is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn there_is_a_bound_for_one_session_and_for_all() {
        let rests = Arc::new(Rests::default());
        let mut senders = Vec::new();
        for n in 0..=MAX_OF_ONE + MAX {
            let session = if n <= MAX_OF_ONE { "s".to_owned() } else { n.to_string() };
            let (sender, mut stream) = followed(&rests, &session);
            let id: &'static str = Box::leak(format!("0/{n}").into_boxed_str());
            sender.send(id).await.unwrap();
            stream.next().await.unwrap();
            senders.push(sender);
            if n == MAX_OF_ONE {
                drop(stream);
                assert!(resumed(&rests, "s", "0/0").is_none());
                assert!(resumed(&rests, "s", "0/1").is_some());
            }
        }
        assert_eq!(rests.lock().kept.len(), MAX);
        assert!(resumed(&rests, "s", "0/1").is_none());
    }
}
