//! What operators do beside deciding on held calls: turn the kill switch, make and revoke keys. Each
//! act and its event go down in one commit, with or without a server running.

use crate::audit::Event;
use crate::secret::Redactor;
use crate::store::{Batch, Change, CommitError, KeyRow, StopScope, Store, StoreError};

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
    /// A hold wants another person than the one behind its caller.
    #[error("`{by}` may not decide on `{id}`: the call is their own, and the hold wants four eyes")]
    OwnCall {
        /// Which hold.
        id: String,
        /// Who wanted to decide.
        by: String,
    },
    /// Nobody but the person at a client is called so.
    #[error(
        "`{0}` cannot decide: names that begin with `client:` are those of people at the callers' own clients"
    )]
    AsClient(String),
    /// Only the person at the client may decide.
    #[error("`{0}` can only be decided by the person at the client that made the call")]
    AtTheClient(String),
    /// Changed arguments would not go through.
    #[error("the changed arguments of `{id}` would not go through: {why}")]
    Edit {
        /// Which hold.
        id: String,
        /// Why, in words.
        why: String,
    },
    /// The rules deny what changed arguments make of a call.
    #[error("the changed arguments of `{id}` would be denied{}: {reason}", by_rules(.rules))]
    EditDenied {
        /// Which hold.
        id: String,
        /// The rules that say so.
        rules: Vec<String>,
        /// Why, in words.
        reason: String,
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

fn by_rules(rules: &[String]) -> String {
    match rules {
        [] => String::new(),
        rules => format!(" by `{}`", rules.join("`, `")),
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
