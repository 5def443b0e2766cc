//! The trail as it is verified and exported: whole rows in order, of one moment.
//!
//! What the rows should be is computed here, since it is known here how they are hashed. What
//! follows from a row that is not so is told elsewhere.

use std::collections::HashMap;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _, Sqlite};

use super::chain::{Digest, digest_of, link, payload_digest};
use super::insert::TEXTS;
use super::{CheckpointRow, Store, StoreError, StoredEvent, shared};

/// So many texts that events have in common are remembered while a trail is walked.
const MOST_SEEN: usize = 256;

/// Where the chain begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainStart {
    /// The trail's name.
    pub trail: String,
    /// The place of the first event in it.
    pub first: i64,
    /// How many events there were before.
    pub covers: i64,
    /// Their digest.
    pub digest: Digest,
    /// The hash before the first event.
    pub genesis: Digest,
    /// When: microseconds since the Unix epoch.
    pub began: i64,
}

/// An event with what binds it to the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainRow {
    /// Its place in the trail.
    pub seq: i64,
    /// When it happened: microseconds since the Unix epoch.
    pub at: i64,
    /// Its columns from `call` to `body`.
    pub texts: [Option<String>; TEXTS - 1],
    /// What may hold personal data.
    pub payload: Option<String>,
    /// That one's salt.
    pub salt: Option<Vec<u8>>,
    /// That one's digest, once it was erased.
    pub payload_digest: Option<Vec<u8>>,
    /// The event's hash; `None` for events from before the chain.
    pub hash: Option<Vec<u8>>,
    /// The text that it has in common with others, where it names one that is there.
    pub shared: Option<String>,
}

impl ChainRow {
    /// Its name.
    pub fn kind(&self) -> &str {
        self.texts[1].as_deref().unwrap_or_default()
    }

    /// The event without its payload, as a JSON object.
    pub fn body(&self) -> &str {
        self.texts[TEXTS - 2].as_deref().unwrap_or_default()
    }

    /// The event as others read it.
    pub fn event(&self) -> StoredEvent {
        StoredEvent {
            seq: self.seq,
            call: self.texts[0].clone(),
            at: self.at,
            kind: self.kind().to_owned(),
            body: self.body().to_owned(),
            payload: self.payload.clone(),
            erased: self.payload_digest.is_some(),
            shared: self.shared.clone(),
        }
    }

    /// What its payload's digest is; `None` where it never had one. The digest of one that was
    /// erased is what is on record.
    pub fn digest(&self) -> Option<Digest> {
        match (&self.payload, &self.payload_digest) {
            (Some(payload), _) => {
                Some(payload_digest(self.salt.as_deref().unwrap_or_default(), payload))
            }
            (None, Some(digest)) => digest.as_slice().try_into().ok(),
            (None, None) => None,
        }
    }

    /// Whether the text that it names is there, and is what it names; true where it names none.
    /// `seen` are texts that were looked at before, by their digests.
    pub fn has_shared(&self, seen: &mut HashMap<String, String>) -> bool {
        let Some(named) = shared::named_by(self.kind(), self.body()) else { return true };
        let Some(text) = self.shared.as_deref() else { return false };
        if seen.get(named).is_some_and(|known| known == text) {
            return true;
        }
        let is_named = shared::digest(text) == named;
        if is_named && seen.len() < MOST_SEEN {
            seen.insert(named.to_owned(), text.to_owned());
        }
        is_named
    }

    /// What its hash must be behind an event with that one.
    pub fn link(&self, before: &Digest) -> Digest {
        let texts = self.texts.each_ref().map(Option::as_deref);
        link(before, self.seq, self.at, texts, self.digest().as_ref())
    }
}

/// The trail at one moment.
#[derive(Debug)]
pub struct TrailReader {
    store: Store,
    connection: PoolConnection<Sqlite>,
}

impl Store {
    /// The trail as it is now: everything that this process acknowledged is in it.
    pub async fn trail(&self) -> Result<TrailReader, StoreError> {
        self.settle().await?;
        let failed = |error: sqlx::Error| self.0.place.describe(&error);
        let mut connection = self.readers()?.acquire().await.map_err(failed)?;
        sqlx::query("BEGIN").execute(&mut *connection).await.map_err(failed)?;
        let reader = TrailReader { store: self.clone(), connection };
        Ok(reader)
    }
}

impl TrailReader {
    /// Where the chain begins; `None` where somebody removed that.
    pub async fn start(&mut self) -> Result<Option<ChainStart>, StoreError> {
        let query = sqlx::query_as("SELECT * FROM chain");
        let row = query.fetch_optional(&mut *self.connection).await;
        self.typed(row)
    }

    /// What was signed, in order.
    pub async fn checkpoints(&mut self) -> Result<Vec<CheckpointRow>, StoreError> {
        let query = sqlx::query_as("SELECT * FROM checkpoints ORDER BY seq");
        let rows = query.fetch_all(&mut *self.connection).await;
        self.typed(rows)
    }

    /// The newest of what was signed.
    pub async fn last_checkpoint(&mut self) -> Result<Option<CheckpointRow>, StoreError> {
        let query = sqlx::query_as("SELECT * FROM checkpoints ORDER BY seq DESC LIMIT 1");
        let row = query.fetch_optional(&mut *self.connection).await;
        self.typed(row)
    }

    /// The events that say what was removed, in order.
    pub async fn statements(&mut self) -> Result<Vec<ChainRow>, StoreError> {
        let query = sqlx::query_as(
            "SELECT *, NULL AS shared FROM events \
             WHERE kind IN ('payloads_erased', 'records_pruned') ORDER BY seq",
        );
        let rows = query.fetch_all(&mut *self.connection).await;
        self.typed(rows)
    }

    /// The next events after a place, in order; at most so many.
    pub async fn after(&mut self, seq: i64, most: u32) -> Result<Vec<ChainRow>, StoreError> {
        let query =
            format!("SELECT *, {} FROM events WHERE seq > ? ORDER BY seq LIMIT ?", *shared::COLUMN);
        let query = sqlx::query_as(AssertSqlSafe(query));
        let rows = query.bind(seq).bind(most).fetch_all(&mut *self.connection).await;
        self.typed(rows)
    }

    /// The newest event.
    pub async fn last(&mut self) -> Result<Option<ChainRow>, StoreError> {
        let query =
            sqlx::query_as("SELECT *, NULL AS shared FROM events ORDER BY seq DESC LIMIT 1");
        let row = query.fetch_optional(&mut *self.connection).await;
        self.typed(row)
    }

    /// Lets go of the moment.
    pub async fn close(mut self) -> Result<(), StoreError> {
        let done = sqlx::query("COMMIT").execute(&mut *self.connection).await;
        self.typed(done.map(drop))
    }

    fn typed<T>(&self, result: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        result.map_err(|error| self.store.0.place.describe(&error))
    }
}

impl Drop for TrailReader {
    fn drop(&mut self) {
        // A connection that still has its transaction would show others an old trail.
        self.connection.close_on_drop();
    }
}

impl FromRow<'_, SqliteRow> for ChainStart {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            trail: row.try_get("trail")?,
            first: row.try_get("first")?,
            covers: row.try_get("covers")?,
            digest: digest_of(row.try_get("digest")?)?,
            genesis: digest_of(row.try_get("genesis")?)?,
            began: row.try_get("began")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for CheckpointRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            seq: row.try_get("seq")?,
            hash: digest_of(row.try_get("hash")?)?,
            at: row.try_get("at")?,
            key: row.try_get("key")?,
            signature: row.try_get("signature")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for ChainRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            seq: row.try_get("seq")?,
            at: row.try_get("at")?,
            texts: [
                row.try_get("call")?,
                row.try_get("kind")?,
                row.try_get("identity")?,
                row.try_get("tool")?,
                row.try_get("api")?,
                row.try_get("operation")?,
                row.try_get("decision")?,
                row.try_get("outcome")?,
                row.try_get("body")?,
            ],
            payload: row.try_get("payload")?,
            salt: row.try_get("salt")?,
            payload_digest: row.try_get("payload_digest")?,
            hash: row.try_get("hash")?,
            shared: row.try_get("shared")?,
        })
    }
}
