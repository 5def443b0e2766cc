//! MCP over standard input and output: one message a line.
//!
//! A reader task takes lines through the wire layer and hands whole messages to the MCP
//! library; a writer task is the only one that writes. Refused lines are answered and
//! recorded here. Serving ends when the input ends or the output breaks: calls under way get
//! a grace to answer, are then cancelled, and get another to record their end.

mod list;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    ClientNotification, ClientRequest, GetMeta, JsonRpcMessage, NumberOrString, ProtocolVersion,
    RequestId,
};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tollbridge_operation::Identity;

use super::arrived::{Arrived, Passing, origin_of_refused, origin_on_the_way};
use super::handler::{Handler, VERSIONS, revision as known_revision};
use super::wire::{self, Envelope, Id, MAX_BYTES, Refusal};
use super::{AgentError, Backend, ToolList, changes, methods};
use crate::gateway::{Caller, OTHER_METHOD, OperationEnd, Origin, Transport as Via};

/// How many requests of one client may wait for their answers. Beyond that its input is not
/// read, which is the only way to slow down a pipe.
const MAX_WAITING: usize = 1024;

/// How many messages wait between two of the tasks.
const QUEUE: usize = 32;

/// How long calls under way may take to end when the input does.
const GRACE: Duration = Duration::from_secs(1);

/// How long calls have to record their end once they were cancelled.
const RECORDING: Duration = Duration::from_secs(5);

/// How long a client has to read what is left when serving ends.
const FLUSHING: Duration = Duration::from_secs(2);

/// Serves one client over this process's standard input and output.
pub async fn serve_stdio<B: Backend>(
    backend: Arc<B>,
    caller: Caller,
    shutdown: CancellationToken,
) -> Result<(), AgentError> {
    let (input, output) = rmcp::transport::stdio_pipes();
    serve_lines(backend, caller, input, output, shutdown).await
}

/// Serves one client over any pair of streams.
pub async fn serve_lines<B: Backend>(
    backend: Arc<B>,
    caller: Caller,
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
    shutdown: CancellationToken,
) -> Result<(), AgentError> {
    // Cancelled when the input ends, the output breaks, or the server is told to end: then
    // nothing more is read, and streams that only listen are closed.
    let ending = shutdown.child_token();
    // Cancelled when answers can no longer be read, or are no longer waited for.
    let broken = CancellationToken::new();
    let waiting = Arc::new(Waiting::default());
    let (message_sender, messages) = mpsc::channel(QUEUE);
    let (line_sender, lines) = mpsc::channel(QUEUE);

    let identity = caller.identity.clone();
    let mut writers = JoinSet::new();
    writers.spawn(write(output, lines, broken.clone()));
    let mut readers = JoinSet::new();
    let reader = Reader {
        backend: Arc::clone(&backend),
        caller: caller.clone(),
        waiting: Arc::clone(&waiting),
        messages: message_sender,
        lines: line_sender.clone(),
        ending: ending.clone(),
        broken: broken.clone(),
        open: false,
    };
    readers.spawn(reader.run(BufReader::new(input)));

    let handler = Handler::new(
        Arc::clone(&backend),
        Via::Stdio,
        Some(caller),
        ending.child_token(),
        broken.child_token(),
    )
    .with_listed(Arc::new({
        let waiting = Arc::clone(&waiting);
        move |id: &RequestId, list| waiting.listed(&own_id(id), list)
    }));
    let in_flight = handler.in_flight();
    let announcing = changes::announce(Arc::clone(&backend), handler.peers(), ending.child_token());
    readers.spawn(announcing);
    let transport = Queues { backend, identity, messages, lines: Some(line_sender), waiting };
    match rmcp::service::serve_server_with_ct(handler, transport, broken.child_token()).await {
        Ok(service) => {
            if let Err(error) = service.waiting().await {
                tracing::warn!(%error, "the MCP service ended abnormally");
            }
        }
        // The input ended before a session began, or began it with what cannot begin one;
        // the client has its answer.
        Err(error) => tracing::debug!(%error, "no session was opened"),
    }
    ending.cancel();
    broken.cancel();
    // A refusal that is being recorded is recorded to its end.
    let read = async { while readers.join_next().await.is_some() {} };
    if tokio::time::timeout(RECORDING, read).await.is_err() {
        readers.shutdown().await;
    }
    if !in_flight.settle(RECORDING).await {
        tracing::warn!("calls were still under way when the server ended");
    }
    let _ = tokio::time::timeout(FLUSHING, writers.join_next()).await;
    Ok(())
}

/// The requests that were read and not answered.
#[derive(Debug, Default)]
struct Waiting {
    ids: Mutex<HashMap<Id, Asked>>,
    freed: Notify,
}

/// A request that waits for its answer.
#[derive(Debug)]
struct Asked {
    passing: Passing,
    /// The list that answers it, once the handler has found it.
    list: Option<Arc<ToolList>>,
}

impl Waiting {
    /// Takes the id, unless it is in use.
    fn begin(&self, id: &Id, passing: Passing) -> bool {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        match ids.entry(id.clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(Asked { passing, list: None });
                true
            }
        }
    }

    fn listed(&self, id: &Id, list: Arc<ToolList>) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = ids.get_mut(id) {
            asked.list = Some(list);
        }
    }

    fn end(&self, id: &Id) -> Option<Asked> {
        let ended = self.ids.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        self.freed.notify_one();
        ended
    }

    fn full(&self) -> bool {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).len() >= MAX_WAITING
    }

    async fn none(&self) {
        while !self.ids.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            self.freed.notified().await;
        }
    }

    async fn room(&self) {
        while self.full() {
            self.freed.notified().await;
        }
    }
}

struct Reader<B> {
    backend: Arc<B>,
    caller: Caller,
    waiting: Arc<Waiting>,
    messages: mpsc::Sender<RxJsonRpcMessage<RoleServer>>,
    lines: mpsc::Sender<Vec<u8>>,
    ending: CancellationToken,
    broken: CancellationToken,
    /// Whether a request has opened a session. The MCP library gives up a connection on
    /// which anything else comes first.
    open: bool,
}

impl<B: Backend> Reader<B> {
    /// Reads to the end, and holds the session open until what was read is answered.
    async fn run(mut self, input: impl AsyncBufRead + Unpin) {
        self.read(input).await;
        self.ending.cancel();
        tokio::select! {
            () = self.broken.cancelled() => {}
            () = self.waiting.none() => {}
            () = tokio::time::sleep(GRACE) => self.broken.cancel(),
        }
    }

    async fn read(&mut self, mut input: impl AsyncBufRead + Unpin) {
        loop {
            let line = tokio::select! {
                () = self.ending.cancelled() => return,
                line = next_line(&mut input) => line,
            };
            let taken = match line {
                Ok(Some(Line::Whole(line))) => self.take(&line).await,
                Ok(Some(Line::TooLong)) => self.refuse(Refusal::too_large(), OTHER_METHOD).await,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "standard input cannot be read");
                    return;
                }
            };
            if taken.is_none() {
                return;
            }
        }
    }

    /// `None` when nobody is there any more to pass anything on to.
    async fn take(&mut self, line: &[u8]) -> Option<()> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Some(());
        }
        let envelope = match wire::inspect(line) {
            Ok(envelope) => envelope,
            Err(refusal) => return self.refuse(refusal, OTHER_METHOD).await,
        };
        let named = envelope.method().map_or(OTHER_METHOD, methods::named);
        let Ok(mut message) = serde_json::from_slice::<RxJsonRpcMessage<RoleServer>>(line) else {
            let id = match envelope {
                Envelope::Request { id, .. } => Some(id),
                Envelope::Notification { .. } | Envelope::Response => None,
            };
            let reason = "no message of MCP".to_owned();
            return self.refuse(Refusal { code: wire::Code::Invalid, id, reason }, named).await;
        };
        match &envelope {
            Envelope::Request { id, .. } => {
                tokio::select! {
                    () = self.ending.cancelled() => return None,
                    () = self.waiting.room() => {}
                }
                let passing = Passing::new(self.arrived(named, &message));
                message.insert_extension(passing.clone());
                if !self.waiting.begin(id, passing) {
                    // Its answer could not be told from the first one's, so it gets no id.
                    let reason = "the `id` of a request that is still under way".to_owned();
                    let refusal = Refusal { code: wire::Code::Invalid, id: None, reason };
                    return self.refuse(refusal, named).await;
                }
                self.open |= opens(&message);
            }
            Envelope::Notification { .. } | Envelope::Response if !self.open => return Some(()),
            Envelope::Notification { .. } | Envelope::Response => {
                // What is cancelled gets no answer that would free its id.
                if let Some(id) = cancelled(&message) {
                    self.waiting.end(&id);
                }
            }
        }
        self.messages.send(message).await.ok()
    }

    /// A request as it is measured where the MCP library answers it.
    fn arrived(&self, method: &'static str, message: &RxJsonRpcMessage<RoleServer>) -> Arrived {
        let (mut revision, mut origin) = (None, Origin::default());
        if let JsonRpcMessage::Request(message) = message {
            let meta = message.request.get_meta();
            revision = known_revision(meta.protocol_version().as_ref());
            if self.backend.traces() {
                origin = origin_on_the_way(&message.id, meta);
            }
        }
        Arrived::now(Via::Stdio, method, revision, origin)
    }

    async fn refuse(&self, refusal: Refusal, method: &'static str) -> Option<()> {
        let Refusal { code, id, .. } = &refusal;
        let origin = self.backend.traces().then(|| origin_of_refused(id.as_ref()));
        let arrived = Arrived::now(Via::Stdio, method, None, origin.unwrap_or_default());
        let end = OperationEnd::Rpc(code.number());
        let answer = refusal.to_json().to_string().into_bytes();
        let identity = Some(self.caller.identity.clone());
        self.backend.malformed(Via::Stdio, identity, refusal.reason).await;
        arrived.answered(&*self.backend, end);
        self.lines.send(answer).await.ok()
    }
}

/// Whether the MCP library begins a session with this message.
fn opens(message: &RxJsonRpcMessage<RoleServer>) -> bool {
    let JsonRpcMessage::Request(request) = message else { return false };
    match &request.request {
        ClientRequest::InitializeRequest(_) => true,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
        request => {
            let meta = request.get_meta();
            meta.missing_required_keys(&ProtocolVersion::V_2026_07_28).is_empty()
                && meta.protocol_version().is_some_and(|version| VERSIONS.contains(&version))
        }
    }
}

/// The request that a notification cancels.
fn cancelled(message: &RxJsonRpcMessage<RoleServer>) -> Option<Id> {
    let JsonRpcMessage::Notification(message) = message else { return None };
    let ClientNotification::CancelledNotification(cancelled) = &message.notification else {
        return None;
    };
    cancelled.params.request_id.as_ref().map(own_id)
}

enum Line {
    Whole(Vec<u8>),
    /// Above the bound. It was read to its end and thrown away.
    TooLong,
}

/// The next line without its line feed; `None` at the end. A last line without one counts.
async fn next_line(input: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<Line>> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let available = input.fill_buf().await?;
        if available.is_empty() {
            let nothing = line.is_empty() && !too_long;
            return Ok((!nothing).then(|| finished(line, too_long)));
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        if line.len() + part.len() > MAX_BYTES {
            too_long = true;
            line = Vec::new();
        } else if !too_long {
            line.extend_from_slice(part);
        }
        let used = end.map_or(available.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            return Ok(Some(finished(line, too_long)));
        }
    }
}

fn finished(line: Vec<u8>, too_long: bool) -> Line {
    if too_long { Line::TooLong } else { Line::Whole(line) }
}

/// Writes lines until there are no more, or the output breaks.
async fn write(
    mut output: impl AsyncWrite + Unpin,
    mut lines: mpsc::Receiver<Vec<u8>>,
    broken: CancellationToken,
) {
    while let Some(mut line) = lines.recv().await {
        line.push(b'\n');
        let written = async {
            output.write_all(&line).await?;
            output.flush().await
        };
        if let Err(error) = written.await {
            tracing::info!(%error, "the client no longer reads");
            broken.cancel();
            return;
        }
    }
}

/// The MCP library's side of the two queues.
struct Queues<B> {
    backend: Arc<B>,
    identity: Identity,
    messages: mpsc::Receiver<RxJsonRpcMessage<RoleServer>>,
    lines: Option<mpsc::Sender<Vec<u8>>>,
    waiting: Arc<Waiting>,
}

impl<B: Backend> Transport<RoleServer> for Queues<B> {
    type Error = std::io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let (lines, waiting) = (self.lines.clone(), Arc::clone(&self.waiting));
        let (backend, identity) = (Arc::clone(&self.backend), self.identity.clone());
        async move {
            let asked = answered(&message).and_then(|id| waiting.end(&id));
            let list = asked.as_ref().and_then(|asked| asked.list.as_ref());
            let line = match list {
                Some(list) if list::is_page(&message) => list::write(&message, list)?,
                _ => serde_json::to_vec(&message)?,
            };
            // What the handler never saw the MCP library answered by itself: whether the server is
            // there, before a session, and what lacks what its revision requires of every request.
            if let Some(arrived) = asked.and_then(|asked| asked.passing.take()) {
                let end = match &message {
                    JsonRpcMessage::Error(error) => OperationEnd::Rpc(error.error.code.0),
                    _ => OperationEnd::Good,
                };
                if let JsonRpcMessage::Error(error) = &message
                    && arrived.request.method == "tools/call"
                {
                    let reason = error.error.message.to_string();
                    backend.malformed(Via::Stdio, Some(identity), reason).await;
                }
                arrived.answered(&*backend, end);
            }
            let lines = lines.ok_or(std::io::ErrorKind::BrokenPipe)?;
            lines.send(line).await.map_err(|_| std::io::ErrorKind::BrokenPipe.into())
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        self.messages.recv().await
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.messages.close();
        self.lines = None;
        Ok(())
    }
}

/// The request that a message answers.
fn answered(message: &TxJsonRpcMessage<RoleServer>) -> Option<Id> {
    let id = match message {
        JsonRpcMessage::Response(response) => &response.id,
        JsonRpcMessage::Error(error) => error.id.as_ref()?,
        JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => return None,
    };
    Some(own_id(id))
}

fn own_id(id: &NumberOrString) -> Id {
    match id {
        NumberOrString::Number(number) => Id::Number(*number),
        NumberOrString::String(text) => Id::Text(text.to_string()),
    }
}

#[cfg(test)]
mod tests;
