//! What operators do: decide on held calls, turn the kill switch, make and revoke keys. Each act and its event go
//! down in one commit, with or without a server running.

use tollbridge_operation::CallId;

use crate::audit::{Event, Time};
use crate::secret::Redactor;
use crate::store::{
    Batch, Change, CommitError, HoldRow, HoldState, KeyRow, StopScope, Store, StoreError,
};

/// An operator's act that came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// There is no such hold.
    #[error("there is no held call `{0}`; `tollbridge approve ls` lists them")]
    NoSuchHold(String),
    /// There is no such key.
    #[error("there is no key `{0}`; `tollbridge key ls` lists them")]
    NoSuchKey(String),
    /// Its time has run out, or somebody decided before.
    #[error("`{id}` can no longer be decided: it {state}")]
    Decided {
        /// Which hold.
        id: String,
        /// What became of it, in words.
        state: String,
    },
    /// No key could be drawn.
    #[error(transparent)]
    Key(#[from] crate::identity::KeyError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store refused.
    #[error("{0}")]
    Commit(CommitError),
}

/// The held calls that still wait for a decision, oldest first.
pub async fn held(store: &Store) -> Result<Vec<HoldRow>, StoreError> {
    let now = store.now();
    let mut rows = store.holds(Some(HoldState::Pending)).await?;
    rows.retain(|row| row.expires > now);
    Ok(rows)
}

/// Lets the repeat of a held call through, once.
pub async fn approve(
    store: &Store,
    id: &str,
    by: &str,
    reason: Option<String>,
) -> Result<HoldRow, OperateError> {
    decide(store, id, HoldState::Approved, by, reason).await
}

/// Refuses a held call.
pub async fn reject(
    store: &Store,
    id: &str,
    by: &str,
    reason: Option<String>,
) -> Result<HoldRow, OperateError> {
    decide(store, id, HoldState::Rejected, by, reason).await
}

async fn decide(
    store: &Store,
    id: &str,
    state: HoldState,
    by: &str,
    reason: Option<String>,
) -> Result<HoldRow, OperateError> {
    let row = store.hold(id).await?.ok_or_else(|| OperateError::NoSuchHold(id.to_owned()))?;
    let now = store.now();
    let event = match state {
        HoldState::Approved => Event::Approved {
            hold: row.id.clone(),
            by: by.to_owned(),
            reason: reason.clone(),
            decided: Some(Time(now)),
        },
        _ => Event::Rejected { hold: row.id.clone(), by: by.to_owned(), reason: reason.clone() },
    };
    let call = CallId::new(row.call.clone());
    let batch = Batch {
        changes: vec![Change::DecideHold { id: row.id.clone(), state, by: by.to_owned(), reason }],
        events: vec![event.row(Some(&call), now, &Redactor::default())].into(),
        ..Batch::default()
    };
    match store.commit(batch).await {
        Ok(_receipt) => Ok(row),
        Err(CommitError::HoldSpent) => {
            let row = store.hold(id).await?.unwrap_or(row);
            Err(OperateError::Decided { id: row.id.clone(), state: standing(&row, now) })
        }
        Err(CommitError::Unavailable(error)) => Err(error.into()),
        Err(other) => Err(OperateError::Commit(other)),
    }
}

fn standing(row: &HoldRow, now: i64) -> String {
    let by = row.decided_by.as_deref().unwrap_or("somebody");
    match row.state {
        HoldState::Spent => "was approved and used".to_owned(),
        HoldState::Approved => format!("was approved by {by}"),
        HoldState::Rejected => format!("was rejected by {by}"),
        HoldState::Pending if row.expires <= now => "has expired".to_owned(),
        HoldState::Pending => "is being decided".to_owned(),
    }
}

/// Turns the kill switch on.
pub async fn stop(store: &Store, scope: StopScope, by: &str) -> Result<(), OperateError> {
    let event = Event::SwitchStopped { scope: scope.clone(), by: by.to_owned() };
    change(store, Change::Stop { scope, by: by.to_owned() }, &event).await
}

/// Turns the kill switch off.
pub async fn resume(store: &Store, scope: StopScope, by: &str) -> Result<(), OperateError> {
    let event = Event::SwitchResumed { scope: scope.clone(), by: by.to_owned() };
    change(store, Change::Resume { scope }, &event).await
}

async fn change(store: &Store, change: Change, event: &Event) -> Result<(), OperateError> {
    let events = vec![event.row(None, store.now(), &Redactor::default())].into();
    let batch = Batch { changes: vec![change], events, ..Batch::default() };
    match store.commit(batch).await {
        Ok(_receipt) => Ok(()),
        Err(CommitError::Unavailable(error)) => Err(error.into()),
        Err(other) => Err(OperateError::Commit(other)),
    }
}

/// What is stopped now.
pub async fn switches(store: &Store) -> Result<Vec<StopScope>, StoreError> {
    Ok(store.stops().await?.into_iter().map(|stop| stop.scope).collect())
}

/// A scope as rules and people know it: `all`, `api:orders`.
pub fn scope_text(scope: &StopScope) -> String {
    match scope {
        StopScope::All => "all".to_owned(),
        StopScope::Api(name) => format!("api:{name}"),
        StopScope::Tool(name) => format!("tool:{name}"),
        StopScope::Identity(name) => format!("identity:{name}"),
    }
}

/// Keeps a new API key.
pub async fn add_key(store: &Store, key: KeyRow, by: &str) -> Result<(), OperateError> {
    let event =
        Event::KeyCreated { id: key.id.clone(), identity: key.identity.clone(), by: by.to_owned() };
    change(store, Change::AddKey(key), &event).await
}

/// Refuses an API key from now on.
pub async fn revoke_key(store: &Store, id: &str, by: &str) -> Result<(), OperateError> {
    if !store.keys().await?.iter().any(|key| key.id == id) {
        return Err(OperateError::NoSuchKey(id.to_owned()));
    }
    let event = Event::KeyRevoked { id: id.to_owned(), by: by.to_owned() };
    change(store, Change::RevokeKey { id: id.to_owned() }, &event).await
}
