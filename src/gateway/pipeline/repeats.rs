//! Writes that their caller named by a key: done once, however often they are made.
//!
//! The key is bound to identity and tool. It is taken up in the commit of the call's intent, so
//! that of two calls at the same time one is carried out; the outcome is kept with the reply.
//! Where the call certainly did nothing, the key is given back.

use std::time::Duration;

use tollbridge_operation::{Effect, digest_value};

use super::ending::End;
use super::{Run, ending};
use crate::audit::Event;
use crate::gateway::kept::{self, Kept};
use crate::gateway::operate::scope_text;
use crate::gateway::record::millis;
use crate::gateway::reply::{CallMeta, ErrorCode, Failure, Reply, Success, Violation};
use crate::gateway::request::CallRequest;
use crate::gateway::toolbox::Exposed;
use crate::store::{Change, CommitError, RepeatRow};

/// For how long an outcome is kept.
const KEPT: Duration = Duration::from_hours(24);

/// What a call that was made before came to.
pub(super) enum Known {
    /// It is not known: it goes on.
    Not,
    /// It ended so.
    Ended(Box<Reply>),
    /// The same call cannot be made.
    Refused(Box<End>),
}

impl Run<'_> {
    /// Looks a call up that its caller named.
    pub(super) async fn known(&mut self, exposed: &Exposed, request: &CallRequest) -> Known {
        let Some(key) = &request.idempotency_key else { return Known::Not };
        if exposed.tool.operation.effect == Effect::Read {
            return Known::Not;
        }
        let now = self.ground.store.now();
        let row = RepeatRow {
            identity: self.caller.identity.to_string(),
            tool: exposed.tool.name.to_string(),
            key: key.clone(),
            digest: digest_value(&request.arguments.clone().into()),
            call: self.id.to_string(),
            expires: now.saturating_add(i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX)),
            outcome: None,
        };
        match self.ground.store.repeat(&row.identity, &row.tool, &row.key, now).await {
            Err(error) => refused(ending::audit_unavailable(&error.to_string())),
            Ok(None) => {
                self.named = Some(row);
                Known::Not
            }
            Ok(Some(first)) if first.digest != row.digest => refused(other(&first)),
            Ok(Some(first)) => match first.outcome.as_deref().and_then(kept::read) {
                None => refused(under_way(Some(&first.call))),
                Some(Kept::TooLong) => refused(too_long(&first)),
                Some(Kept::Erased(failed)) => refused(erased(&first, failed)),
                Some(Kept::Success(success)) => self.again(exposed, &first, Ok(*success)).await,
                Some(Kept::Failure(failure)) => self.again(exposed, &first, Err(*failure)).await,
            },
        }
    }

    /// Gives the first outcome once more, unless the kill switch is on: whom or what it stops is
    /// told nothing.
    async fn again(
        &mut self,
        exposed: &Exposed,
        first: &RepeatRow,
        result: Result<Success, Failure>,
    ) -> Known {
        let note = format!(
            "This call was made before with the same idempotency key; this is the outcome of {}.",
            first.call
        );
        let result = result.map(|success| Success { note: Some(note), ..success });
        let served_by = Some(format!("the outcome of {}", first.call));
        self.record.push(&Event::Replied {
            outcome: result.as_ref().map_or_else(|f| f.code.as_str(), |_| "succeeded").to_owned(),
            message: result.as_ref().err().map(|failure| failure.message.clone()),
            attempts: 0,
            status: None,
            served_by: served_by.clone(),
            upstream_ms: 0,
            bytes: 0,
            cost: None,
            duration_ms: millis(self.started.elapsed()),
        });
        let guard = exposed.rules.guard(&self.caller.identity);
        match self.commit(Some(guard), Vec::new()).await {
            Ok(()) => {}
            Err(CommitError::Stopped(scope)) => {
                return Known::Refused(Box::new(self.stopped(&scope_text(&scope))));
            }
            Err(error) => {
                self.record.rewind(self.received);
                return refused(ending::audit_unavailable(&error.to_string()));
            }
        }
        let id = self.id.clone();
        let meta = CallMeta {
            id,
            attempts: 0,
            status: None,
            upstream_ms: 0,
            served_by,
            edited: None,
            suspicious: Vec::new(),
        };
        Known::Ended(Box::new(Reply { meta, result }))
    }

    /// What becomes of the key with that outcome. An answer that stands in for what was not done
    /// is none: the same call may still do it.
    pub(super) fn settled(
        &mut self,
        result: &Result<Success, Failure>,
        undone: bool,
    ) -> Option<Change> {
        let row = self.named.take()?;
        Some(if is_final(result) && !undone {
            Change::KeepOutcome(RepeatRow { outcome: Some(kept::written(result)), ..row })
        } else {
            Change::FreeKey(row)
        })
    }
}

fn refused(failure: Failure) -> Known {
    Known::Refused(Box::new(failure.into()))
}

/// Whether the same call must not be carried out once more.
fn is_final(result: &Result<Success, Failure>) -> bool {
    match result {
        Ok(_) => true,
        Err(failure) => {
            !failure.retryable
                && matches!(
                    failure.code,
                    ErrorCode::UpstreamError
                        | ErrorCode::UpstreamUnavailable
                        | ErrorCode::UpstreamTimeout
                        | ErrorCode::OutcomeUnknown
                        | ErrorCode::ResponseTooLarge
                        | ErrorCode::Cancelled
                )
        }
    }
}

fn other(first: &RepeatRow) -> Failure {
    Failure::invalid(vec![Violation {
        pointer: String::new(),
        expected: format!(
            "the arguments of {}, which has the same idempotency key; another call needs another \
             key",
            first.call
        ),
        suggestion: None,
    }])
}

/// The first call has no outcome: it runs, or its process is gone.
pub(super) fn under_way(call: Option<&str>) -> Failure {
    let call = call.map(|call| format!(", {call},")).unwrap_or_default();
    let message = format!(
        "the first call with this idempotency key{call} has no outcome on record: it is under way, \
         or its process ended in the middle of it"
    );
    Failure::new(ErrorCode::OutcomeUnknown, message).retry_after(Duration::from_secs(5))
}

/// What the first call came to is not there any more. It is not made again: that would do once more
/// what it did, or may have done.
fn erased(first: &RepeatRow, failed: Option<ErrorCode>) -> Failure {
    let call = &first.call;
    let Some(code) = failed else {
        let message = format!(
            "the first call with this idempotency key, {call}, was carried out; its answer was \
             erased since then"
        );
        return Failure {
            next_step: "Do not make it again. Read what became of it.".to_owned(),
            ..Failure::new(ErrorCode::OutcomeUnknown, message)
        };
    };
    let message = format!(
        "the first call with this idempotency key, {call}, ended so; what was said of it was \
         erased since then"
    );
    Failure::new(code, message)
}

fn too_long(first: &RepeatRow) -> Failure {
    let message = format!(
        "the first call with this idempotency key, {}, was carried out; its answer was too long to \
         be kept",
        first.call
    );
    Failure::new(ErrorCode::ResponseTooLarge, message)
}
