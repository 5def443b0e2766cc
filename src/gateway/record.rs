//! What the pipeline leaves in the audit trail: one call's events, gathered until they go
//! down together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tollbridge_operation::CallId;

use crate::audit::Event;
use crate::bridge::{
    AttemptEnd, AttemptLog, AttemptRefused, AttemptStart, Exchange, Handle, TokenExchange, TokenLog,
};
use crate::gateway::request::Progress;
use crate::observe::{CallSpans, HttpRequest, Metrics};
use crate::secret::{Redactor, Secret};
use crate::store::{
    Batch, Change, CommitError, EventRow, Guard, PendingRow, StopScope, Store, system_clock,
};

/// One call's events that are not on record yet.
pub(super) struct Record {
    id: CallId,
    redactor: Arc<Redactor>,
    rows: Arc<Vec<EventRow>>,
    /// The call's spans; `None` where it is not traced.
    spans: Option<Arc<CallSpans>>,
}

impl Record {
    pub(super) fn new(id: CallId, redactor: Arc<Redactor>, spans: Option<Arc<CallSpans>>) -> Self {
        Self { id, redactor, rows: Arc::new(Vec::with_capacity(4)), spans }
    }

    pub(super) fn push(&mut self, event: &Event) {
        let row = event.row(Some(&self.id), system_clock(), &self.redactor);
        if let (Some(spans), Event::AttemptStarted { n, .. }) = (&self.spans, event)
            && let Some(url) = url_of(&row)
        {
            spans.asked(*n, &url);
        }
        Arc::make_mut(&mut self.rows).push(row);
    }

    /// Goes by this from now on.
    pub(super) fn goes_by(&mut self, redactor: &Arc<Redactor>) {
        self.redactor = Arc::clone(redactor);
    }

    /// Takes these texts out of all that is pushed from now on, too.
    pub(super) fn keep_out(&mut self, texts: &[Secret]) {
        let first = Arc::new(Redactor::new(texts));
        self.redactor = Arc::new(self.redactor.after(first));
    }

    /// What is taken out of what is pushed.
    pub(super) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// How many events wait: a mark to [`rewind`](Self::rewind) to.
    pub(super) fn mark(&self) -> usize {
        self.rows.len()
    }

    /// Forgets what was pushed since the mark, because it did not come to pass.
    pub(super) fn rewind(&mut self, mark: usize) {
        Arc::make_mut(&mut self.rows).truncate(mark);
    }

    /// The waiting events, to be committed: they stay until [`written`](Self::written).
    pub(super) fn rows(&self) -> Arc<Vec<EventRow>> {
        Arc::clone(&self.rows)
    }

    /// They are on record.
    pub(super) fn written(&mut self) {
        match Arc::get_mut(&mut self.rows) {
            Some(rows) => rows.clear(),
            // The store still holds them.
            None => self.rows = Arc::default(),
        }
    }
}

/// The URL of a request as its event has it, redacted.
fn url_of(row: &EventRow) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Payload {
        url: String,
    }
    let payload: Payload = serde_json::from_str(row.payload.as_deref()?).ok()?;
    Some(payload.url)
}

/// The bridge's log of attempts: the first one was recorded with the intent, each later one
/// is recorded before it starts, and none starts once the kill switch is on.
pub(super) struct Attempts<'a> {
    pub(super) record: &'a mut Record,
    pub(super) store: &'a Store,
    pub(super) guard: Guard,
    pub(super) steps: &'a mut Steps,
    pub(super) metrics: &'a Metrics,
    /// What is kept of the call where the API may take it and not be done; `None` where nothing is.
    pub(super) keeping: Option<Keeping<'a>>,
}

/// How a call is kept that an API took and is not done with.
pub(super) struct Keeping<'a> {
    /// It, as it would be kept.
    pub(super) row: PendingRow,
    /// It, as it is kept.
    pub(super) kept: &'a mut Option<PendingRow>,
}

/// How long is waited before more of a stream is told of.
const PAUSE: Duration = Duration::from_millis(250);

/// Progress of one call, counted.
pub(super) struct Steps {
    done: u32,
    /// When a stream was told of last.
    streamed: Option<Instant>,
    sender: Option<tokio::sync::mpsc::Sender<Progress>>,
}

impl Steps {
    pub(super) fn new(sender: Option<tokio::sync::mpsc::Sender<Progress>>) -> Self {
        Self { done: 0, streamed: None, sender }
    }

    pub(super) fn say(&mut self, message: impl FnOnce() -> String) {
        if let Some(sender) = &self.sender {
            self.done += 1;
            // Full means that the client is slow: it misses a step, the call does not wait.
            let _ = sender.try_send(Progress { done: self.done, message: message() });
        }
    }
}

impl AttemptLog for Attempts<'_> {
    async fn started(&mut self, start: AttemptStart) -> Result<(), AttemptRefused> {
        self.steps.say(|| format!("attempt {}", start.n));
        let mark = self.record.mark();
        self.record.push(&Event::AttemptStarted {
            n: start.n,
            url: start.url,
            method: start.method,
            wait_ms: millis(start.wait),
            why: Some(start.why),
            idempotency_key: start.key,
            span: start.span,
        });
        if let Some(spans) = self.record.spans.as_ref().filter(|_| start.resent) {
            spans.resent(start.n);
        }
        let batch = Batch {
            guard: Some(self.guard.clone()),
            events: self.record.rows(),
            ..Batch::default()
        };
        match self.store.commit(batch).await {
            Ok(_receipt) => {
                self.record.written();
                Ok(())
            }
            Err(error) => {
                self.record.rewind(mark);
                Err(match error {
                    CommitError::Stopped(scope) => stopped(&scope),
                    other => AttemptRefused::AuditUnavailable(other.to_string()),
                })
            }
        }
    }

    async fn still_may(&mut self) -> Result<(), AttemptRefused> {
        match self.store.stopped(&self.guard).await {
            Ok(None) => Ok(()),
            Ok(Some(scope)) => Err(stopped(&scope)),
            Err(error) => Err(AttemptRefused::AuditUnavailable(error.to_string())),
        }
    }

    async fn finished(&mut self, end: AttemptEnd) {
        self.metrics.attempt(&self.guard.api, end.status);
        if let Some(exchange) = end.exchange {
            let request = measured(&exchange, end.status);
            self.metrics.request(&request, end.duration);
            if let Some(spans) = &self.record.spans {
                spans.exchanged(end.n, request, end.duration);
            }
        }
        self.record.push(&Event::AttemptFinished {
            n: end.n,
            status: end.status,
            error: end.error,
            queued_ms: millis(end.queued),
            duration_ms: millis(end.duration),
            bytes: end.bytes,
            headers: end.headers,
        });
    }

    fn token_log(&self) -> Option<TokenLog> {
        let spans = Arc::clone(self.record.spans.as_ref()?);
        let redactor = Arc::clone(&self.record.redactor);
        Some(Arc::new(move |one: TokenExchange| {
            let request = measured(&one.exchange, one.status);
            spans.fetched(&redactor.text(&one.url), request, one.duration);
        }))
    }

    async fn taken(&mut self, handle: &Handle) {
        let Some(keeping) = &mut self.keeping else { return };
        let Ok(handle) = serde_json::to_string(handle) else { return };
        let row = PendingRow { handle, ..keeping.row.clone() };
        let (events, changes) = (self.record.rows(), vec![Change::KeepPending(row.clone())]);
        match self.store.commit(Batch { changes, events, ..Batch::default() }).await {
            Ok(_receipt) => {
                self.record.written();
                *keeping.kept = Some(row);
            }
            Err(error) => tracing::error!(%error, "what an API took could not be kept"),
        }
    }

    fn waiting(&mut self, n: u32, wait: Duration, why: &str) {
        self.steps.say(|| format!("attempt {n} in {} ms: {why}", wait.as_millis()));
    }

    fn receiving(&mut self, _n: u32, bytes: u64) {
        if self.steps.streamed.is_none_or(|told| told.elapsed() >= PAUSE) {
            self.steps.streamed = Some(Instant::now());
            self.steps.say(|| format!("{bytes} bytes of the stream"));
        }
    }
}

/// An exchange as it is measured.
fn measured(exchange: &Exchange, status: Option<u16>) -> HttpRequest {
    HttpRequest {
        address: Arc::clone(&exchange.server.address),
        port: exchange.server.port,
        method: exchange.method,
        status,
        error: exchange.error,
    }
}

fn stopped(scope: &StopScope) -> AttemptRefused {
    AttemptRefused::Stopped(format!(
        "the kill switch is on for {}",
        super::operate::scope_text(scope)
    ))
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
