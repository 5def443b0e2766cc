//! The ways out of the pipeline. All of them are recorded.

use tollbridge_operation::Payload;

use super::Run;
use crate::audit::Event;
use crate::bridge::{Outcome, Report};
use crate::gateway::operate::scope_text;
use crate::gateway::record::millis;
use crate::gateway::reply::{CallMeta, ErrorCode, Failure, Reply, Success};
use crate::gateway::request::{Caller, Refused};
use crate::gateway::toolbox::Exposed;
use crate::store::{Batch, Change, CommitError, Guard};

/// The end of a call that did not reach the upstream.
pub(super) struct End {
    failure: Box<Failure>,
    /// Rows to write with it.
    changes: Vec<Change>,
    /// Where the kill switch is on for this, the call ends as stopped instead.
    guard: Option<Guard>,
}

impl End {
    /// An end that promises that the same call may go on later. The kill switch comes first:
    /// nothing is held or priced while it is on.
    pub(super) fn guarded(failure: Failure, exposed: &Exposed, caller: &Caller) -> Self {
        Self { guard: Some(exposed.rules.guard(&caller.identity)), ..Self::from(failure) }
    }

    pub(super) fn with(self, changes: Vec<Change>) -> Self {
        Self { changes, ..self }
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Box::new(failure).into()
    }
}

impl From<Box<Failure>> for End {
    fn from(failure: Box<Failure>) -> Self {
        Self { failure, changes: Vec::new(), guard: None }
    }
}

pub(super) fn audit_unavailable(why: &str) -> Failure {
    Failure {
        retryable: true,
        ..Failure::new(ErrorCode::AuditUnavailable, format!("nothing was done: {why}"))
    }
}

impl Run<'_> {
    /// Ends a call that did not reach the upstream.
    pub(super) async fn end(mut self, end: End) -> Reply {
        self.replied(end.failure.code.as_str(), Some(end.failure.message.clone()));
        let failure = match self.commit(end.guard, end.changes).await {
            Ok(()) => *end.failure,
            Err(CommitError::Stopped(scope)) => {
                let stopped = *self.stopped(&scope_text(&scope)).failure;
                self.replied(stopped.code.as_str(), Some(stopped.message.clone()));
                match self.commit(None, Vec::new()).await {
                    Ok(()) => stopped,
                    Err(error) => self.unrecorded(&error),
                }
            }
            Err(error) => self.unrecorded(&error),
        };
        let meta =
            CallMeta { id: self.id, attempts: 0, status: None, upstream_ms: 0, served_by: None };
        Reply { meta, result: Err(failure) }
    }

    /// Answers with what the upstream said.
    pub(super) async fn reply(mut self, exposed: &Exposed, report: Report) -> Reply {
        let meta = CallMeta {
            id: self.id.clone(),
            attempts: report.attempts,
            status: report.status,
            upstream_ms: millis(report.upstream_time),
            served_by: report.served_by,
        };
        let result = match report.outcome {
            Outcome::Done { payload, mut drift } => {
                if let Payload::Value(value) = &payload {
                    drift.extend(exposed.tool.drift(value));
                }
                Ok(Success { payload, drift })
            }
            Outcome::Failed(failed) => Err(Failure::of_upstream(failed)),
        };
        self.record.push(&Event::Replied {
            outcome: result
                .as_ref()
                .map_or_else(|failure| failure.code.as_str(), |_| "succeeded")
                .to_owned(),
            message: result.as_ref().err().map(|failure| failure.message.clone()),
            attempts: meta.attempts,
            status: meta.status,
            served_by: meta.served_by.clone(),
            upstream_ms: meta.upstream_ms,
            bytes: report.bytes,
            cost: None,
            duration_ms: millis(self.started.elapsed()),
        });
        // The upstream has answered and the intent is on record. An answer that is withheld
        // because its end could not be written would make the agent do it again.
        if let Err(error) = self.commit(None, Vec::new()).await {
            tracing::error!(call = %self.id, %error, "the end of a call could not be recorded");
        }
        Reply { meta, result }
    }

    /// Ends a call of a tool that is not there for this caller.
    pub(super) async fn unknown_tool(mut self, tool: &str) -> Result<Reply, Refused> {
        self.replied("unknown_tool", None);
        match self.commit(None, Vec::new()).await {
            Ok(()) => {
                Err(Refused::UnknownTool { tool: tool.chars().take(128).collect(), call: self.id })
            }
            Err(error) => {
                let _ = self.unrecorded(&error);
                Err(Refused::Unrecorded)
            }
        }
    }

    fn unrecorded(&self, error: &CommitError) -> Failure {
        tracing::error!(call = %self.id, %error, "a call could not be recorded");
        audit_unavailable(&error.to_string())
    }

    fn replied(&mut self, outcome: &str, message: Option<String>) {
        self.record.push(&Event::Replied {
            outcome: outcome.to_owned(),
            message,
            attempts: 0,
            status: None,
            served_by: None,
            upstream_ms: 0,
            bytes: 0,
            cost: None,
            duration_ms: millis(self.started.elapsed()),
        });
    }

    async fn commit(
        &mut self,
        guard: Option<Guard>,
        changes: Vec<Change>,
    ) -> Result<(), CommitError> {
        let batch = Batch { guard, changes, events: self.record.rows(), ..Batch::default() };
        let _receipt = self.ground.store.commit(batch).await?;
        self.record.written();
        Ok(())
    }
}
