//! The trail's questions.

use super::{CallRecord, EventRecord, Time};
use crate::store::{CallFilter, CallRow, Ended, Store, StoreError};

/// A shorter piece of a name says little more than when it was.
const SHORTEST_PREFIX: usize = 6;

/// Why the trail has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuditError {
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A shortened name is too short to look for.
    #[error("`{prefix}` is too short: name {SHORTEST_PREFIX} characters of the call's id or more")]
    TooShort {
        /// What was given.
        prefix: String,
    },
    /// A shortened name fits several calls.
    #[error("several calls start with `{prefix}`, {first} and {second} among them")]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// One of them.
        first: String,
        /// Another.
        second: String,
    },
}

/// Which calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this tool.
    pub tool: Option<String>,
    /// Of an operation of this API.
    pub api: Option<String>,
    /// Of this identity.
    pub caller: Option<String>,
    /// With this decision: `allow`, `deny` or `hold`.
    pub decision: Option<String>,
    /// That ended so.
    pub outcome: Option<Ended>,
    /// In the trace of this id: 32 digits in hex.
    pub trace: Option<String>,
    /// Since this time.
    pub since: Option<Time>,
    /// Before this time.
    pub until: Option<Time>,
    /// How many, counted from the newest; at most 10,000, which is the default.
    pub limit: Option<u32>,
}

/// The newest calls that the filter lets through, oldest first, without their events.
pub async fn calls(store: &Store, filter: &Filter) -> Result<Vec<CallRecord>, StoreError> {
    let filter = CallFilter {
        tool: filter.tool.clone(),
        api: filter.api.clone(),
        identity: filter.caller.clone(),
        decision: filter.decision.clone(),
        outcome: filter.outcome.clone(),
        trace: filter.trace.clone(),
        since: filter.since.map(|time| time.0),
        until: filter.until.map(|time| time.0),
        id: None,
        limit: filter.limit,
    };
    let now = store.now();
    let rows = store.calls(&filter).await?;
    Ok(rows.iter().map(|row| CallRecord::from_row(row, now)).collect())
}

/// The call of that name, or the only one whose name starts so (six characters at least),
/// with its events.
pub async fn call(store: &Store, id: &str) -> Result<Option<CallRecord>, AuditError> {
    // Names are upper case; people need not be.
    let id = id.trim().to_ascii_uppercase();
    if id.len() < SHORTEST_PREFIX {
        return Err(AuditError::TooShort { prefix: id });
    }
    let filter = CallFilter { id: Some(id.clone()), limit: Some(2), ..CallFilter::default() };
    let rows = store.calls(&filter).await?;
    let row = match rows.as_slice() {
        [] => return Ok(None),
        [one] => one,
        [first, second, ..] => {
            let (first, second) = (first.id.clone(), second.id.clone());
            return Err(AuditError::Ambiguous { prefix: id, first, second });
        }
    };
    Ok(Some(with_events(row, store.now())))
}

fn with_events(row: &CallRow, now: i64) -> CallRecord {
    let events = row.events.iter().map(EventRecord::from_row).collect();
    CallRecord { events, ..CallRecord::from_row(row, now) }
}

/// The calls that ended after a place in the trail, in that order, and the place to ask from
/// next time. [`Store::last_seq`] is where to begin; the filter's limit does not count.
pub async fn follow(
    store: &Store,
    after: i64,
    filter: &Filter,
) -> Result<(Vec<CallRecord>, i64), StoreError> {
    let events = store.events_after(after).await?;
    let next = events.last().map_or(after, |event| event.seq);
    let now = store.now();
    let mut ended = Vec::new();
    for event in events.into_iter().filter(|event| matches!(&*event.kind, "replied" | "malformed"))
    {
        let Some(id) = event.call else { continue };
        let events = store.events_of(&id).await?;
        let record = CallRecord::from_row(&CallRow { id, events, hold: None }, now);
        if filter.fits(&record) {
            ended.push(record);
        }
    }
    Ok((ended, next))
}

impl Filter {
    fn fits(&self, call: &CallRecord) -> bool {
        let fits = |wanted: &Option<String>, is: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
        };
        let decision = call.decision.as_ref().map(|decision| decision.effect.as_str());
        let ended =
            |ended: &Ended| call.outcome.as_deref().is_some_and(|outcome| ended.is(outcome));
        fits(&self.tool, call.tool.as_deref())
            && fits(&self.api, call.api.as_deref())
            && fits(&self.caller, call.identity.as_deref())
            && fits(&self.decision, decision)
            && fits(&self.trace, call.trace.as_deref())
            && self.outcome.as_ref().is_none_or(ended)
            && self.since.is_none_or(|since| call.started >= since)
            && self.until.is_none_or(|until| call.started < until)
    }
}
