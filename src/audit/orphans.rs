//! Calls whose process was killed: the next one closes them, so that every call has its end.
//!
//! What became of such a call is told as far as the trail knows it. Where a request was under way
//! or had been answered, the caller never heard of it: its outcome is unknown. Where nothing had
//! been sent, nothing was done.

use tollbridge_operation::CallId;

use super::{CheckpointError, Event};
use crate::secret::Redactor;
use crate::store::{Batch, Change, OpenCall, Store};

/// How many calls are closed at once.
const MOST: u32 = 1_000;

/// Closes calls whose process is there no more; how many.
pub async fn close_orphans(store: &Store) -> Result<u64, CheckpointError> {
    let processes = store.processes().await?;
    let (mut closed, mut after, mut all_closed) = (0, store.mark("closed").await?, true);
    loop {
        let open = store.open_calls(after, processes.upto, MOST).await?;
        let Some(last) = open.last() else { break };
        let is_last_page = open.len() < MOST as usize;
        let next = last.seq;
        let now = store.now();
        let mut events = Vec::new();
        let mut known = processes.upto;
        for call in &open {
            if call.process.as_deref().is_some_and(|process| processes.is_alive(process)) {
                // What is known ends before the first call that runs.
                known = known.min(call.seq - 1);
                continue;
            }
            let end = end_of(call);
            events.push(end.row(Some(&CallId::new(call.id.clone())), now, &Redactor::default()));
        }
        closed += events.len() as u64;
        let mut changes = Vec::new();
        if all_closed && (is_last_page || known < next) {
            changes.push(Change::Mark("closed", known));
        }
        all_closed &= known >= next;
        let _ = store.commit(Batch { events: events.into(), changes, ..Batch::default() }).await?;
        after = next;
        if is_last_page {
            processes.closed();
            return Ok(closed);
        }
    }
    if all_closed {
        let changes = vec![Change::Mark("closed", processes.upto)];
        let _ = store.commit(Batch { changes, ..Batch::default() }).await?;
    }
    processes.closed();
    Ok(closed)
}

fn end_of(call: &OpenCall) -> Event {
    let (outcome, message) = match (call.started, call.started - call.finished) {
        (0, _) => ("cancelled", "the process ended before anything was sent"),
        (_, 0) => ("outcome_unknown", "the API had answered; the process ended before it could"),
        _ => ("outcome_unknown", "the process ended while a request was under way"),
    };
    Event::Replied {
        outcome: outcome.to_owned(),
        message: Some(message.to_owned()),
        attempts: call.started,
        status: None,
        served_by: None,
        upstream_ms: 0,
        bytes: 0,
        cost: None,
        duration_ms: 0,
    }
}
