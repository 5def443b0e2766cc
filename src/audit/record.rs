//! A call, put together again from its events.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use tollbridge_operation::{CallId, Trace, trace};

use super::row::members;
use super::{Event, Time, Verdict};
use crate::store::{CallRow, HoldRow, HoldState, StoredEvent};

/// A call as `trace --json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallRecord {
    /// Its name.
    pub id: String,
    /// When it came in. While `outcome` is missing it runs since then, or its process is gone.
    #[serde(rename = "time")]
    pub started: Time,
    /// The id of the trace that it belongs to: its agent's, or its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Who called; `None` for what was malformed before that was known.
    pub identity: Option<String>,
    /// The tool that was called.
    pub tool: Option<String>,
    /// The API of its operation.
    pub api: Option<String>,
    /// The operation's key in its API.
    pub operation: Option<String>,
    /// The arguments, redacted.
    pub arguments: Option<Value>,
    /// Why it was made, as the agent said it, redacted; `None` where its tool does not take that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The last decision; `None` where none was reached.
    pub decision: Option<DecisionRecord>,
    /// Each request that went out, or was about to.
    pub attempts: Vec<AttemptRecord>,
    /// How it ended; `None` while it runs.
    pub outcome: Option<String>,
    /// What answered.
    pub served_by: Option<String>,
    /// What was charged.
    pub cost: Option<String>,
    /// A digest of the configuration.
    pub config: Option<String>,
    /// A digest of the API's description.
    pub spec: Option<String>,
    /// Its events; filled for a single call only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventRecord>,
    /// How it came in.
    #[serde(skip)]
    pub transport: Option<String>,
    /// The client's name and version.
    #[serde(skip)]
    pub client: Option<String>,
    /// What else was known of the caller: its proof, groups and claims.
    #[serde(skip)]
    pub by: Option<Box<Value>>,
    /// What the caller was told beside the outcome.
    #[serde(skip)]
    pub message: Option<String>,
    /// How long it took.
    #[serde(skip)]
    pub duration_ms: Option<u64>,
}

/// What was decided on a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecisionRecord {
    /// Allowed, denied or held.
    pub effect: Verdict,
    /// The rules that said so.
    pub rules: Vec<String>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptRecord {
    /// Counted from 1.
    pub n: u32,
    /// Where to.
    pub url: String,
    /// The method.
    pub method: String,
    /// The status of the answer.
    pub status: Option<u16>,
    /// What failed.
    pub error: Option<String>,
    /// How long was waited before it.
    pub wait_ms: u64,
    /// How long it took; `None` while it runs, or where its end was not recorded.
    pub duration_ms: Option<u64>,
    /// How many bytes of body were read.
    pub bytes: Option<u64>,
    /// The id of its span, where that was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<String>,
    /// What the answer's headers say of why it came to be, redacted.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// An event as `trace show --json` prints it: its place and time before what it says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventRecord {
    /// Its place in the trail.
    pub seq: i64,
    /// When it happened.
    pub time: Time,
    /// What it says, `kind` among it.
    #[serde(flatten)]
    pub body: Map<String, Value>,
}

impl CallRecord {
    /// Puts a call together. The time decides whether its hold has expired.
    pub(super) fn from_row(row: &CallRow, now: i64) -> Self {
        let mut record = Self::new(row.id.clone(), row.events.first().map_or(0, |first| first.at));
        for event in &row.events {
            // What a newer version wrote is left to that version.
            if let Some(event) = Event::read(event) {
                record.take(event);
            }
        }
        if record.outcome.as_deref() == Some("held")
            && row.hold.as_ref().is_some_and(|hold| came_to_nothing(hold, now))
        {
            record.outcome = Some("denied".to_owned());
        }
        record
    }

    fn new(id: String, started: i64) -> Self {
        Self {
            id,
            started: Time(started),
            trace: None,
            identity: None,
            tool: None,
            api: None,
            operation: None,
            arguments: None,
            reason: None,
            decision: None,
            attempts: Vec::new(),
            outcome: None,
            served_by: None,
            cost: None,
            config: None,
            spec: None,
            events: Vec::new(),
            transport: None,
            client: None,
            by: None,
            message: None,
            duration_ms: None,
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Received {
                identity,
                tool,
                api,
                operation,
                arguments,
                reason,
                traceparent,
                transport,
                client,
                by,
                went_by,
                ..
            } => {
                self.identity = Some(identity.to_string());
                self.tool = Some(tool.to_string());
                self.api = api.as_deref().map(str::to_owned);
                self.operation = operation.as_deref().map(str::to_owned);
                self.arguments = Some(arguments);
                self.reason = reason;
                let theirs = traceparent.and_then(|sent| Trace::read(&sent, None));
                let own = || trace::own_trace(&CallId::new(self.id.clone()));
                self.trace = Some(theirs.map_or_else(own, |trace| trace.id()));
                self.transport = Some(transport);
                self.client = client;
                self.by = by;
                self.config = Some(went_by.digests().config.clone());
                self.spec.clone_from(&went_by.digests().spec);
            }
            Event::Malformed { identity, reason, .. } => {
                self.identity = identity.as_deref().map(str::to_owned);
                self.message = Some(reason);
                self.outcome = Some("malformed".to_owned());
            }
            Event::Decided { effect, rules, .. } => {
                self.decision = Some(DecisionRecord { effect, rules });
            }
            // What is being written when a call's time is over is written again with its end, since
            // nobody can tell whether it was: it is the same attempt.
            Event::AttemptStarted { n, .. } if self.attempts.iter().any(|known| known.n == n) => {}
            Event::AttemptStarted { n, url, method, wait_ms, span, .. } => {
                self.attempts.push(AttemptRecord {
                    n,
                    url,
                    method,
                    status: None,
                    error: None,
                    wait_ms,
                    duration_ms: None,
                    bytes: None,
                    span,
                    headers: BTreeMap::new(),
                });
            }
            Event::AttemptFinished { n, status, error, queued_ms, duration_ms, bytes, headers } => {
                let open = |one: &&mut AttemptRecord| one.n == n && one.duration_ms.is_none();
                if let Some(attempt) = self.attempts.iter_mut().find(open) {
                    attempt.status = status;
                    attempt.error = error;
                    attempt.wait_ms = attempt.wait_ms.saturating_add(queued_ms);
                    attempt.duration_ms = Some(duration_ms);
                    attempt.bytes = Some(bytes);
                    attempt.headers = headers;
                }
            }
            Event::Replied { outcome, message, served_by, cost, duration_ms, .. } => {
                self.outcome = Some(outcome);
                self.message = message;
                self.served_by = served_by;
                self.cost = cost;
                self.duration_ms = Some(duration_ms);
            }
            Event::Found { .. }
            | Event::FellBack { .. }
            | Event::PassedOver { .. }
            | Event::SuspiciousContent { .. }
            | Event::FilesRead { .. }
            | Event::Held { .. }
            | Event::Approved { .. }
            | Event::Edited { .. }
            | Event::Rejected { .. }
            | Event::Quoted { .. }
            | Event::Reserved { .. }
            | Event::Released { .. }
            | Event::SwitchStopped { .. }
            | Event::SwitchResumed { .. }
            | Event::KeyCreated { .. }
            | Event::KeyRevoked { .. }
            | Event::TokenIssued { .. }
            | Event::TokenForgotten { .. }
            | Event::PayloadsErased { .. }
            | Event::RecordsPruned { .. }
            | Event::ConfigLoaded { .. } => {}
        }
    }
}

/// Whether a hold was rejected, or ran out before anyone used it.
fn came_to_nothing(hold: &HoldRow, now: i64) -> bool {
    match hold.state {
        HoldState::Rejected => true,
        HoldState::Pending | HoldState::Approved => hold.expires <= now,
        HoldState::Spent => false,
    }
}

impl EventRecord {
    pub(super) fn from_row(row: &StoredEvent) -> Self {
        // Nothing but ours writes here; shown as it is, it can be looked into.
        let body = members(row).unwrap_or_else(|| {
            Map::from_iter([
                ("kind".to_owned(), row.kind.clone().into()),
                ("unreadable".to_owned(), row.body.clone().into()),
            ])
        });
        Self { seq: row.seq, time: Time(row.at), body }
    }
}
