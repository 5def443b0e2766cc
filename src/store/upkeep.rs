//! Keeping the database itself: what is removed of the trail, how large it is, whether it is
//! sound, and a copy of it, all while others use it.

use std::path::Path;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, FromRow};

use super::apply::Query;
use super::chain::{Digest, payload_digest};
use super::place::{MADE, Made, made};
use super::{Change, Store, StoreError};

/// How many pages are given back in one step: a step holds the write lock for some milliseconds.
const STEP: u32 = 500;

/// Whose payloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Of a call.
    Call(String),
    /// Of the calls of an identity that have ended.
    Identity(String),
    /// Of whatever stands in the trail up to this place.
    Upto(i64),
}

/// A payload that can be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadRow {
    /// The place of its event.
    pub seq: i64,
    /// Its digest.
    pub digest: Digest,
}

/// The database as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseInfo {
    /// How many bytes it has.
    pub bytes: u64,
    /// How many of them are of pages that nothing is in.
    pub free: u64,
    /// The version of its schema.
    pub schema: i64,
    /// How many events there are, about: places that were taken, less those that were removed.
    pub events: i64,
    /// When the oldest was: microseconds since the Unix epoch.
    pub oldest: Option<i64>,
    /// When the newest was.
    pub newest: Option<i64>,
}

/// The statement of a change that removes something.
pub(super) fn statement(change: Change, now: i64) -> Query {
    match change {
        Change::Mark(name, seq) => sqlx::query(
            "INSERT INTO marks (name, seq) VALUES (?, ?) \
             ON CONFLICT (name) DO UPDATE SET seq = max(seq, excluded.seq)",
        )
        .bind(name)
        .bind(seq),
        Change::ErasePayloads(rows) => {
            let rows: Vec<(i64, String)> =
                rows.into_iter().map(|(seq, digest)| (seq, hex::encode(digest))).collect();
            sqlx::query(
                "UPDATE events SET payload = NULL, salt = NULL, payload_digest = unhex(gone.digest) \
                 FROM (SELECT value ->> 0 AS seq, value ->> 1 AS digest FROM json_each(?)) AS gone \
                 WHERE events.seq = gone.seq AND events.payload IS NOT NULL",
            )
            .bind(serde_json::json!(rows).to_string())
        }
        Change::EraseHolds(whose) => {
            let (call, identity) = match whose {
                Whose::Call(call) => (Some(call), None),
                Whose::Identity(identity) => (None, Some(identity)),
                Whose::Upto(_) => (None, None),
            };
            sqlx::query("UPDATE holds SET erase = 1 WHERE erase = 0 AND (call = ? OR identity = ?)")
                .bind(call)
                .bind(identity)
        }
        Change::EraseHoldsBefore(time) => {
            sqlx::query("UPDATE holds SET erase = 1 WHERE erase = 0 AND placed < ?").bind(time)
        }
        Change::PruneHolds { before } => {
            sqlx::query("DELETE FROM holds WHERE placed < ? AND expires <= ?")
                .bind(before)
                .bind(now)
        }
        Change::Prune { through } => sqlx::query("DELETE FROM events WHERE seq <= ?").bind(through),
        // Others are written elsewhere; this one changes nothing.
        _ => sqlx::query("SELECT 1"),
    }
}

/// Pages, free ones, a page's size, the schema's version, events, and the times at the ends.
type InfoRow = (i64, i64, i64, i64, i64, Option<i64>, Option<i64>);

#[derive(FromRow)]
struct Payload {
    seq: i64,
    salt: Vec<u8>,
    text: String,
}

impl Store {
    /// The next payloads after a place that are there, in order; at most so many.
    pub async fn payloads(
        &self,
        whose: &Whose,
        after: i64,
        most: u32,
    ) -> Result<Vec<PayloadRow>, StoreError> {
        self.settle().await?;
        let query = match whose {
            Whose::Call(call) => sqlx::query(
                "SELECT seq, salt, payload AS text FROM events WHERE call = ? AND seq > ? \
                 AND payload IS NOT NULL ORDER BY seq LIMIT ?",
            )
            .bind(call.clone()),
            Whose::Identity(identity) => sqlx::query(
                "SELECT seq, salt, payload AS text FROM events WHERE call IN \
                    (SELECT opening.call FROM events AS opening \
                     WHERE opening.kind IN ('received', 'malformed') AND opening.identity = ? \
                     AND EXISTS (SELECT 1 FROM events WHERE call = opening.call \
                        AND outcome IS NOT NULL)) \
                 AND seq > ? AND payload IS NOT NULL ORDER BY seq LIMIT ?",
            )
            .bind(identity.clone()),
            Whose::Upto(upto) => sqlx::query(
                "SELECT seq, salt, payload AS text FROM events WHERE seq <= ? AND seq > ? \
                 AND payload IS NOT NULL ORDER BY seq LIMIT ?",
            )
            .bind(*upto),
        };
        let rows: Vec<Payload> = self.typed(&self.all(query.bind(after).bind(most)).await?)?;
        let digest = |row: Payload| PayloadRow {
            seq: row.seq,
            digest: payload_digest(&row.salt, &row.text),
        };
        Ok(rows.into_iter().map(digest).collect())
    }

    /// Up to which event a mark was set; 0 where it was not.
    pub async fn mark(&self, name: &'static str) -> Result<i64, StoreError> {
        let query = sqlx::query("SELECT seq FROM marks WHERE name = ?").bind(name);
        let rows: Vec<(i64,)> = self.typed(&self.all(query).await?)?;
        Ok(rows.first().map_or(0, |(seq,)| *seq))
    }

    /// The place of the first event, and of the newest that came before a time: microseconds since
    /// the Unix epoch. Events stand about in the order of their times. `None` where there is none.
    pub async fn places_before(&self, time: i64) -> Result<Option<(i64, i64)>, StoreError> {
        // Each of them is one step to an end; asked for together they would be a walk.
        let ends = "SELECT (SELECT min(seq) FROM events), (SELECT max(seq) FROM events)";
        let rows: Vec<(Option<i64>, Option<i64>)> =
            self.typed(&self.all(sqlx::query(ends)).await?)?;
        let Some(&(Some(first), Some(last))) = rows.first() else { return Ok(None) };
        let (mut low, mut high) = (first - 1, last);
        while low < high {
            let middle = low + (high - low + 1) / 2;
            let query =
                sqlx::query("SELECT at FROM events WHERE seq <= ? ORDER BY seq DESC LIMIT 1");
            let rows: Vec<(i64,)> = self.typed(&self.all(query.bind(middle)).await?)?;
            if rows.first().is_none_or(|(at,)| *at < time) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok((low >= first).then_some((first, low)))
    }

    /// The hash of the event at a place: what the chain goes on from behind it. `None` where it
    /// stands before the chain, and more than it does.
    pub async fn hash_at(&self, seq: i64) -> Result<Option<Digest>, StoreError> {
        let query = sqlx::query(
            "SELECT coalesce((SELECT hash FROM events WHERE seq = ?1), \
                (SELECT genesis FROM chain WHERE first = ?1 + 1))",
        );
        let rows: Vec<(Option<Vec<u8>>,)> = self.typed(&self.all(query.bind(seq)).await?)?;
        Ok(rows.into_iter().next().and_then(|(hash,)| hash?.try_into().ok()))
    }

    /// The database as a file.
    pub async fn info(&self) -> Result<DatabaseInfo, StoreError> {
        self.settle().await?;
        let query = sqlx::query(
            "SELECT (SELECT page_count FROM pragma_page_count), \
                (SELECT freelist_count FROM pragma_freelist_count), \
                (SELECT page_size FROM pragma_page_size), \
                (SELECT max(version) FROM _sqlx_migrations WHERE success), \
                coalesce((SELECT max(seq) FROM events) - (SELECT min(seq) FROM events) + 1, 0), \
                (SELECT at FROM events ORDER BY seq LIMIT 1), \
                (SELECT at FROM events ORDER BY seq DESC LIMIT 1)",
        );
        let rows: Vec<InfoRow> = self.typed(&self.all(query).await?)?;
        let Some(&(pages, free, size, schema, events, oldest, newest)) = rows.first() else {
            return Err(self.0.place.error("it says nothing of itself".into()));
        };
        let bytes = |pages: i64| pages.unsigned_abs() * size.unsigned_abs();
        Ok(DatabaseInfo { bytes: bytes(pages), free: bytes(free), schema, events, oldest, newest })
    }

    /// What `SQLite` finds wrong with the file, and which of our views, triggers and indexes are
    /// not there as they were made; nothing where it is sound. Views and indexes of others are
    /// theirs, a trigger of others changes what we write.
    pub async fn check(&self) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> =
            self.typed(&self.all(sqlx::query("PRAGMA integrity_check")).await?)?;
        let mut found: Vec<String> =
            rows.into_iter().map(|(found,)| found).filter(|found| found != "ok").collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let there: Vec<Made> = self.typed(&self.all(sqlx::query(MADE)).await?)?;
        let ours = made().await.map_err(|error| self.0.place.describe(&error))?;
        let named = |(kind, name, _): &Made| format!("the {kind} `{name}`");
        let same = |one: &Made, other: &Made| (&one.0, &one.1) == (&other.0, &other.1);
        for our in &ours {
            match there.iter().find(|one| same(one, our)) {
                None => found.push(format!("{} is not there", named(our))),
                Some(one) if one.2 != our.2 => {
                    found.push(format!("{} is not as it was made", named(our)));
                }
                Some(_) => {}
            }
        }
        let foreign = there.iter().filter(|one| one.0 == "trigger");
        let foreign = foreign.filter(|one| !ours.iter().any(|our| same(one, our)));
        found.extend(foreign.map(|one| format!("{} is none of ours", named(one))));
        Ok(found)
    }

    /// Writes a copy of the database as it is now into a file that is not there yet, readable for
    /// its owner alone. Others go on meanwhile.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        self.settle().await?;
        let failed = |error: std::io::Error| StoreError {
            path: to.display().to_string(),
            message: match error.kind() {
                std::io::ErrorKind::AlreadyExists => "it is there already: name another".into(),
                _ => format!("cannot be written: {error}"),
            },
        };
        let Some(name) = to.to_str() else {
            return Err(failed(std::io::Error::other("its name is no UTF-8")));
        };
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(to).map_err(failed)?;
        let copied = async {
            let mut connection = self.0.place.reader().await?;
            let copied = sqlx::query("VACUUM INTO ?").bind(name.to_owned());
            let copied = copied.execute(&mut connection).await;
            let _ = connection.close().await;
            copied.map_err(|error| self.0.place.describe(&error))?;
            file.sync_all().map_err(failed)
        };
        let copied: Result<(), StoreError> = copied.await;
        if copied.is_err() {
            let _ = std::fs::remove_file(to);
        }
        copied
    }

    /// Gives back what was removed: its pages to the file system, and its bytes in the log of
    /// what was written. In small steps, between which others write.
    pub async fn give_back(&self) -> Result<(), StoreError> {
        let mut connection = self.0.place.writer().await?;
        let done = give_back(&mut connection).await;
        let _ = connection.close().await;
        done.map_err(|error| self.0.place.describe(&error))
    }
}

async fn give_back(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut before = i64::MAX;
    loop {
        let free: i64 =
            sqlx::query_scalar("PRAGMA freelist_count").fetch_one(&mut *connection).await?;
        // A file from before this was thought of keeps its pages, to be used again.
        if free == 0 || free >= before {
            break;
        }
        before = free;
        let step = sqlx::AssertSqlSafe(format!("PRAGMA incremental_vacuum({STEP})"));
        sqlx::raw_sql(step).execute(&mut *connection).await?;
        tokio::task::yield_now().await;
    }
    // Where others read it, it is cut off another time.
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(connection).await.map(drop)
}
