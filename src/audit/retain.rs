//! Removing what is kept no longer: payloads on request, payloads and whole calls by age and size.
//!
//! Before anything is removed an event says what, and that event is signed: `verify` takes for
//! granted what such an event says, and nothing else. What is removed stays removed in the file:
//! its bytes are overwritten.

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{CheckpointError, Event, Signer, checkpoint};
use crate::secret::Redactor;
use crate::store::{Batch, Change, Store, Whose};

/// How many payloads are erased in one commit, and events removed.
const STEP: u32 = 1_000;

/// How long the trail is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// Payloads: arguments, URLs, messages.
    pub payloads: Option<Duration>,
    /// Whole calls.
    pub calls: Option<Duration>,
    /// How many bytes the database may have; the oldest calls go first.
    pub bytes: Option<u64>,
}

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// How many payloads were erased.
    pub payloads: u64,
    /// Up to which event the trail was removed, where it was.
    pub upto: Option<i64>,
}

/// Erases the payloads of a call, or of an identity's calls that have ended. How many there were.
pub async fn erase(
    store: &Store,
    signer: &Signer,
    whose: &Whose,
    by: &str,
) -> Result<u64, CheckpointError> {
    let (mut erased, mut after) = (0, 0);
    loop {
        let rows = store.payloads(whose, after, STEP).await?;
        let Some(last) = rows.last() else { break };
        after = last.seq;
        erased += rows.len() as u64;
        let events = spans(rows.iter().map(|row| row.seq));
        say(store, &Event::PayloadsErased { events, why: "asked for".into(), by: by.into() })
            .await?;
        let rows = rows.into_iter().map(|row| (row.seq, row.digest)).collect();
        let changes = vec![Change::ErasePayloads(rows)];
        let _ = store.commit(Batch { changes, ..Batch::default() }).await?;
    }
    copies(store, whose).await?;
    let changes = vec![Change::EraseHolds(whose.clone()), Change::Sweep];
    let _ = store.commit(Batch { changes, ..Batch::default() }).await?;
    if erased > 0 {
        checkpoint(store, signer).await?;
    }
    store.give_back().await?;
    Ok(erased)
}

/// Removes what is older, or more, than is to be kept.
pub async fn retain(
    store: &Store,
    signer: &Signer,
    keep: Keep,
) -> Result<Removed, CheckpointError> {
    let mut removed = Removed::default();
    if let Some(age) = keep.calls
        && let Some((_, upto)) = store.places_before(before(store, age)).await?
    {
        removed.upto = prune(store, signer, upto, "age").await?;
    }
    if let Some(most) = keep.bytes {
        let info = store.info().await?;
        let used = info.bytes - info.free;
        if used > most
            && let Some((first, last)) = store.places_before(i64::MAX).await?
        {
            // About as much of the events as is too much of the bytes.
            let share = i128::from(last - first + 1) * i128::from(used - most) / i128::from(used);
            let upto = first + i64::try_from(share).unwrap_or(0);
            removed.upto = prune(store, signer, upto, "size").await?.or(removed.upto);
        }
    }
    if let Some(age) = keep.payloads
        && let Some((_, upto)) = store.places_before(before(store, age)).await?
    {
        copies(store, &Whose::Upto(upto)).await?;
        removed.payloads = forget(store, signer, upto).await?;
    }
    held(store, keep).await?;
    if removed != Removed::default() {
        store.give_back().await?;
    }
    Ok(removed)
}

/// Erases what is kept of calls beside the trail, so that they can be repeated or fetched.
async fn copies(store: &Store, whose: &Whose) -> Result<(), CheckpointError> {
    let mut after = String::new();
    loop {
        let calls = store.kept_calls(whose, &after, STEP).await?;
        let Some(last) = calls.last() else { return Ok(()) };
        after.clone_from(last);
        let changes = vec![Change::EraseKept(calls)];
        let _ = store.commit(Batch { changes, ..Batch::default() }).await?;
    }
}

/// Removes of held calls what is removed of calls: whole ones where the trail goes no further back.
async fn held(store: &Store, keep: Keep) -> Result<(), CheckpointError> {
    let mut changes = Vec::new();
    if let Some(age) = keep.payloads {
        changes.push(Change::EraseHoldsBefore(before(store, age)));
    }
    if (keep.calls.is_some() || keep.bytes.is_some())
        && let Some(before) = store.info().await?.oldest
    {
        changes.push(Change::PruneHolds { before });
    }
    changes.push(Change::Sweep);
    let _ = store.commit(Batch { changes, ..Batch::default() }).await?;
    Ok(())
}

fn before(store: &Store, age: Duration) -> i64 {
    store.now().saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX))
}

/// Erases all payloads up to an event.
async fn forget(store: &Store, signer: &Signer, upto: i64) -> Result<u64, CheckpointError> {
    let mut after = store.mark("payloads").await?;
    let whose = Whose::Upto(upto);
    let (mut erased, mut said) = (0, false);
    loop {
        let rows = store.payloads(&whose, after, STEP).await?;
        let Some(last) = rows.last() else { break };
        after = last.seq;
        erased += rows.len() as u64;
        if !said {
            let events = vec![(1, upto)];
            let by = "retention".to_owned();
            say(store, &Event::PayloadsErased { events, why: "age".into(), by }).await?;
            checkpoint(store, signer).await?;
            said = true;
        }
        let rows = rows.into_iter().map(|row| (row.seq, row.digest)).collect();
        let changes = vec![Change::ErasePayloads(rows), Change::Mark("payloads", after)];
        let _ = store.commit(Batch { changes, ..Batch::default() }).await?;
    }
    Ok(erased)
}

/// Removes all events up to one, but not beyond a call that has no end. Up to which, where there
/// were any.
async fn prune(
    store: &Store,
    signer: &Signer,
    upto: i64,
    why: &str,
) -> Result<Option<i64>, CheckpointError> {
    let Some((first, last)) = store.places_before(i64::MAX).await? else { return Ok(None) };
    let open = store.open_calls(store.mark("closed").await?, upto, 1).await?;
    let upto = open.first().map_or(upto, |call| call.seq - 1).min(last - 1);
    if upto < first {
        return Ok(None);
    }
    // What stands before the chain goes as a whole.
    let Some(hash) = store.hash_at(upto).await? else { return Ok(None) };
    let event = Event::RecordsPruned {
        upto,
        hash: hex::encode(hash),
        why: why.to_owned(),
        by: "retention".to_owned(),
    };
    say(store, &event).await?;
    checkpoint(store, signer).await?;
    copies(store, &Whose::Upto(upto)).await?;
    let mut through = first - 1;
    while through < upto {
        through = through.saturating_add(i64::from(STEP)).min(upto);
        let changes = vec![Change::Prune { through }];
        let _ = store.commit(Batch { changes, ..Batch::default() }).await?;
    }
    Ok(Some(upto))
}

async fn say(store: &Store, event: &Event) -> Result<(), CheckpointError> {
    let events = vec![event.row(None, store.now(), &Redactor::default())].into();
    let _ = store.commit(Batch { events, ..Batch::default() }).await?;
    Ok(())
}

/// Places in order as runs.
fn spans(places: impl IntoIterator<Item = i64>) -> Vec<(i64, i64)> {
    let mut spans: Vec<(i64, i64)> = Vec::new();
    for place in places {
        match spans.last_mut() {
            Some((_, to)) if *to + 1 == place => *to = place,
            _ => spans.push((place, place)),
        }
    }
    spans
}
