//! API keys, which callers bring with every request.
//!
//! A key that was found is kept in memory for a moment, so that few requests cost a read. What must
//! hold:
//!
//! - A revocation holds in this process with the next request, and in every other one after
//!   [`KEEP`] at the latest. Whoever revokes waits for so long before it says that it did, as
//!   whoever stops something does.
//! - Kept is what was there and not revoked, and nothing of what was not: strangers fill no memory
//!   with keys of their own making, and a new key is good at once.
//! - Kept is the row, which has the key's hash and never the key. Whether it has expired is judged
//!   by who asks for it, each time.
//! - A store that cannot be read says so, once what is kept is too old. Nothing is kept longer for
//!   that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex as AsyncMutex;

use super::{KeyRow, Store, StoreError};

/// For how long a key counts as it was read. With the time that a revocation takes to be written,
/// it holds within a second; and two reads a second are nothing to a key that is used.
pub(super) const KEEP: Duration = Duration::from_millis(500);

/// How many keys are kept.
const MAX_KEPT: usize = 4096;

/// How many keys are read at once; more than there are connections for it.
const TURNS: usize = 16;

/// The keys that were read lately.
#[derive(Debug, Default)]
pub(super) struct Keys {
    kept: Mutex<Kept>,
    /// Held by who reads a key whose hash ends with that digit: of several who bring the same one,
    /// the first reads it and the others find it kept.
    turns: [AsyncMutex<()>; TURNS],
}

#[derive(Debug, Default)]
struct Kept {
    /// By their hashes, each with the time before which it was not read.
    rows: HashMap<String, (Instant, Arc<KeyRow>)>,
    /// How often this process revoked one.
    revocations: u64,
}

impl Kept {
    fn find(&self, hash: &str, now: Instant) -> Option<Arc<KeyRow>> {
        let (read, row) = self.rows.get(hash)?;
        is_recent(*read, now).then(|| Arc::clone(row))
    }

    /// Keeps a key that was read at that time or later, after so many revocations.
    fn keep(&mut self, row: &Arc<KeyRow>, read: Instant, revocations: u64) {
        // Read before a revocation that is known of by now, it may be the revoked one.
        if row.revoked.is_some() || revocations != self.revocations {
            return;
        }
        if self.rows.len() >= MAX_KEPT {
            let now = Instant::now();
            self.rows.retain(|_, (read, _)| is_recent(*read, now));
        }
        if self.rows.len() < MAX_KEPT {
            self.rows.insert(row.hash.clone(), (read, Arc::clone(row)));
        }
    }
}

fn is_recent(read: Instant, now: Instant) -> bool {
    now.saturating_duration_since(read) < KEEP
}

impl Keys {
    /// Forgets all: one of them was revoked.
    pub(super) fn revoked(&self) {
        let mut kept = self.kept();
        kept.rows.clear();
        kept.revocations += 1;
    }

    fn turn(&self, hash: &str) -> &AsyncMutex<()> {
        let digit = hash.chars().next_back().and_then(|last| last.to_digit(16));
        &self.turns[digit.unwrap_or_default() as usize % TURNS]
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// All API keys, revoked and expired ones too; oldest first.
    pub async fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        self.typed(&self.all(sqlx::query("SELECT * FROM keys ORDER BY created, id")).await?)
    }

    /// The API key with that hash, as it is now.
    ///
    /// This waits for nothing that the journal has: it takes events alone, so a key is in the
    /// database when the receipt of whoever made or revoked it is there.
    pub async fn key_by_hash(&self, hash: &str) -> Result<Option<KeyRow>, StoreError> {
        let query = sqlx::query("SELECT * FROM keys WHERE hash = ?").bind(hash.to_owned());
        Ok(self.typed(&self.all(query).await?)?.pop())
    }

    /// The API key with that hash, as it is now or was a moment ago: revoked by another process, it
    /// may be found for half a second as it was before.
    pub async fn recent_key(&self, hash: &str) -> Result<Option<Arc<KeyRow>>, StoreError> {
        let found = self.0.keys.kept().find(hash, Instant::now());
        match found {
            Some(row) => Ok(Some(row)),
            None => Box::pin(self.read_key(hash)).await,
        }
    }

    async fn read_key(&self, hash: &str) -> Result<Option<Arc<KeyRow>>, StoreError> {
        let keys = &self.0.keys;
        let turn = tokio::time::timeout(self.0.settings.busy, keys.turn(hash).lock()).await;
        let Ok(_turn) = turn else {
            return Err(self.0.place.error("too busy to be read now: try again".into()));
        };
        let asked = Instant::now();
        let revocations = {
            let kept = keys.kept();
            if let Some(row) = kept.find(hash, asked) {
                return Ok(Some(row));
            }
            kept.revocations
        };
        let row = self.key_by_hash(hash).await?.map(Arc::new);
        if let Some(row) = &row {
            keys.kept().keep(row, asked, revocations);
        }
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::{change, event, events, file, folder, open, raw};
    use crate::store::{Batch, Change, Durability};

    fn key(hash: &str) -> KeyRow {
        KeyRow {
            id: format!("k{hash}"),
            hash: hash.into(),
            identity: "i".into(),
            created: 1,
            expires: None,
            revoked: None,
            approver: false,
        }
    }

    async fn add(store: &Store, hash: &str) {
        let _ = store.commit(change(Change::AddKey(key(hash)))).await.expect("added");
    }

    fn revoke(hash: &str) -> Batch {
        change(Change::RevokeKey { id: format!("k{hash}") })
    }

    async fn found(store: &Store, hash: &str) -> Option<Arc<KeyRow>> {
        store.recent_key(hash).await.expect("read")
    }

    #[tokio::test]
    async fn a_revocation_by_another_process_holds_once_it_says_so() {
        let folder = folder();
        let (server, operator) = (open(&folder).await, open(&folder).await);
        add(&operator, "a").await;
        assert_eq!(found(&server, "a").await.expect("there").revoked, None);
        let _ = operator.commit(revoke("a")).await.expect("revoked");
        assert!(found(&server, "a").await.expect("there").revoked.is_some());
    }

    #[tokio::test]
    async fn a_revocation_by_this_process_holds_at_once() {
        // In memory, so that it waits for no other process.
        let store = Store::open("sqlite::memory:", Durability::Process).await.expect("a store");
        add(&store, "a").await;
        assert_eq!(found(&store, "a").await.expect("there").revoked, None);
        let _ = store.clone().commit(revoke("a")).await.expect("revoked");
        assert!(found(&store, "a").await.expect("there").revoked.is_some());
    }

    #[tokio::test]
    async fn what_is_no_good_key_is_not_kept() {
        let folder = folder();
        let (server, operator) = (open(&folder).await, open(&folder).await);
        assert_eq!(found(&server, "new").await, None);
        add(&operator, "new").await;
        assert!(found(&server, "new").await.is_some());
        add(&operator, "old").await;
        let _ = operator.commit(revoke("old")).await.expect("revoked");
        for hash in ["old", "unknown", ""] {
            let _ = found(&server, hash).await;
        }
        let kept: Vec<String> = server.0.keys.kept().rows.keys().cloned().collect();
        assert_eq!(kept, ["new"]);
    }

    #[tokio::test]
    async fn a_key_that_many_bring_at_once_is_read_once() {
        let folder = folder();
        let store = open(&folder).await;
        add(&store, "a").await;
        let all = futures::future::join_all((0..50).map(|_| found(&store, "a"))).await;
        let first = all[0].as_ref().expect("there");
        assert!(all.iter().flatten().all(|row| Arc::ptr_eq(row, first)));
        assert_eq!(all.iter().flatten().count(), 50);
    }

    #[tokio::test]
    async fn a_store_that_is_gone_knows_nobody_though_the_key_is_used_all_the_time() {
        let folder = folder();
        let store = open(&folder).await;
        add(&store, "a").await;
        let _ = found(&store, "a").await.expect("there");
        std::fs::remove_file(file(&folder)).expect("removed");
        let begun = Instant::now();
        while store.recent_key("a").await.is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(1), "it is still known");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn a_key_is_read_while_the_journal_waits_for_the_database() {
        let folder = folder();
        let server = open(&folder).await;
        add(&server, "a").await;
        // By then it has a journal that takes what comes.
        for call in ["w1", "w2"] {
            let _ = server.commit(events([event(call, "received")])).await.expect("written");
        }
        let mut other = raw(&file(&folder)).await;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.expect("locked");
        let _ = server.commit(events([event("c", "received")])).await.expect("in the journal");
        let soon = Duration::from_secs(2);
        let waits = tokio::time::timeout(soon, server.last_seq()).await;
        assert!(waits.is_err(), "the trail waits for what is in the journal");
        let read = tokio::time::timeout(soon, server.recent_key("a")).await;
        assert!(read.expect("at once").expect("read").is_some());
    }

    #[test]
    fn what_was_read_before_a_revocation_is_not_kept_after_it() {
        let keys = Keys::default();
        let (now, row) = (Instant::now(), Arc::new(key("a")));
        let before = keys.kept().revocations;
        keys.revoked();
        keys.kept().keep(&row, now, before);
        assert_eq!(keys.kept().find("a", now), None);
        let since = keys.kept().revocations;
        keys.kept().keep(&row, now, since);
        assert_eq!(keys.kept().find("a", now), Some(row));
        assert_eq!(keys.kept().find("a", now + KEEP), None);
    }

    #[test]
    fn so_many_keys_are_kept_and_no_more() {
        let mut kept = Kept::default();
        let row = |number: usize| Arc::new(key(&format!("{number:x}")));
        let now = Instant::now() + Duration::from_mins(1);
        (0..=MAX_KEPT).for_each(|number| kept.keep(&row(number), now, 0));
        assert_eq!(kept.rows.len(), MAX_KEPT);
        let old = Instant::now().checked_sub(KEEP).expect("a machine that runs for longer");
        kept.rows.values_mut().for_each(|(read, _)| *read = old);
        kept.keep(&row(MAX_KEPT), now, 0);
        assert_eq!(kept.rows.len(), 1);
    }

    #[test]
    fn the_turns_are_all_used() {
        let keys = Keys::default();
        let turns: std::collections::HashSet<_> = "0123456789abcdef"
            .split("")
            .skip(1)
            .take(16)
            .map(|digit| std::ptr::from_ref(keys.turn(digit)))
            .collect();
        assert_eq!(turns.len(), TURNS);
        let _ = keys.turn("");
    }
}
