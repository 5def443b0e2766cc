//! Calls that reach no API: of discovery's own tools, and of what is not there.

use std::sync::Arc;

use serde_json::Value;
use tollbridge_operation::{CallId, Payload};

use super::{Ground, Run};
use crate::audit::Event;
use crate::gateway::operate::scope_text;
use crate::gateway::reply::{CallMeta, Failure, Reply, Success};
use crate::gateway::request::{CallRequest, Caller, Refused};
use crate::gateway::toolbox::ReadsWhenDown;
use crate::store::{CommitError, Guard};

/// What a caller is shown of operations.
pub(in crate::gateway) struct Shown {
    /// The answer.
    pub(in crate::gateway) value: Value,
    /// The ids of what is in it.
    pub(in crate::gateway) operations: Vec<String>,
    /// How many would fit.
    pub(in crate::gateway) matched: usize,
}

/// Records what a caller asked of discovery and is shown, and answers with it. Nothing is shown
/// that could not be recorded, unless reads go on then, and nothing while the kill switch is on.
pub(in crate::gateway) async fn show(
    id: CallId,
    ground: Ground<'_>,
    caller: &Caller,
    request: &mut CallRequest,
    shown: Result<Shown, Failure>,
) -> Result<Reply, Refused> {
    let mut run = Run::new(id, ground, caller);
    run.note(None, request);
    let paused = ground.toolbox.storm.and_then(|_| ground.conduct.paused(&caller.identity));
    if let Some(left) = paused {
        let end = run.paused(left);
        return Ok(Box::pin(run.end(end)).await);
    }
    let Shown { value, operations, matched } = match shown {
        Ok(shown) => shown,
        Err(failure) => return Ok(Box::pin(run.end(failure.into())).await),
    };
    run.record
        .push(&Event::Found { operations, matched: u64::try_from(matched).unwrap_or(u64::MAX) });
    run.replied("succeeded", None);
    let guard = Guard {
        api: Arc::default(),
        tool: request.tool.as_str().into(),
        identity: (&caller.identity).into(),
    };
    match run.commit(Some(guard.clone()), Vec::new()).await {
        Ok(()) => {}
        Err(CommitError::Stopped(scope)) => {
            run.record.rewind(run.received);
            let end = run.stopped(&scope_text(&scope));
            return Ok(Box::pin(run.end(end)).await);
        }
        // Where what is stopped cannot be read either, nothing goes on.
        Err(CommitError::Unavailable(_))
            if ground.toolbox.reads_when_down == ReadsWhenDown::Allow
                && matches!(ground.store.stopped(&guard).await, Ok(None)) => {}
        Err(error) => {
            let failure = run.unrecorded(&error);
            return Ok(Reply { meta: CallMeta::unsent(run.id), result: Err(failure) });
        }
    }
    let success = Success::of(Payload::Value(value));
    Ok(Reply { meta: CallMeta::unsent(run.id), result: Ok(success) })
}

/// Answers a call of what is not there for this caller, whatever else has that name.
pub(in crate::gateway) async fn unknown(
    id: CallId,
    ground: Ground<'_>,
    caller: &Caller,
    request: &mut CallRequest,
) -> Result<Reply, Refused> {
    let mut run = Run::new(id, ground, caller);
    run.note(None, request);
    run.unknown_tool(&request.tool).await
}
