//! Reading: what is there, as rows. What is in no journal is read past the writer; events wait
//! until it has taken over what was acknowledged.

use sqlx::sqlite::{SqliteExecutor, SqliteRow};
use sqlx::{FromRow, QueryBuilder, Row, Sqlite};

use super::{
    HoldRow, HoldState, KeyRow, PendingRow, RepeatRow, StopScope, Store, StoreError, shared,
};

/// So many calls are read where nobody says how many, and so many events after one.
pub(super) const MOST: u32 = 10_000;

/// The kill switch, where it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopRow {
    /// What is stopped.
    pub scope: StopScope,
    /// Who stopped it.
    pub by: String,
    /// When: microseconds since the Unix epoch.
    pub at: i64,
}

/// An event as it was written.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct StoredEvent {
    /// Its place in the trail.
    pub seq: i64,
    /// The call that it belongs to.
    pub call: Option<String>,
    /// When it happened: microseconds since the Unix epoch.
    pub at: i64,
    /// Its name.
    pub kind: String,
    /// The event as a JSON object, without what may hold personal data.
    pub body: String,
    /// That, as a JSON object.
    pub payload: Option<String>,
    /// Whether there was such a thing, and it was erased.
    pub erased: bool,
    /// The text that the body names as its member `shared`, where there is one.
    pub shared: Option<String>,
}

/// A call without an end.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct OpenCall {
    /// The place of its first event.
    pub seq: i64,
    /// Its name.
    pub id: String,
    /// The process that it came in by, where that is known.
    pub process: Option<String>,
    /// How many requests were about to go out.
    pub started: u32,
    /// How many came to an end.
    pub finished: u32,
}

impl Store {
    /// Where the kill switch is on.
    pub async fn stops(&self) -> Result<Vec<StopRow>, StoreError> {
        let rows = self
            .all(sqlx::query("SELECT scope, name, by, at FROM stops ORDER BY at, scope, name"))
            .await?;
        rows.iter()
            .map(|row| {
                let scope = scope(row)?;
                Ok(StopRow { scope, by: row.try_get("by")?, at: row.try_get("at")? })
            })
            .collect::<Result<_, sqlx::Error>>()
            .map_err(|error| self.0.place.describe(&error))
    }

    /// The hold of that name.
    pub async fn hold(&self, id: &str) -> Result<Option<HoldRow>, StoreError> {
        let rows = self.all(sqlx::query("SELECT * FROM holds WHERE id = ?").bind(id.to_owned()));
        Ok(self.typed(&rows.await?)?.pop())
    }

    /// The newest hold for a repeat of the same call that was neither spent nor has expired.
    pub async fn find_hold(
        &self,
        identity: &str,
        tool: &str,
        digest: &str,
        now: i64,
    ) -> Result<Option<HoldRow>, StoreError> {
        let query = sqlx::query(
            "SELECT * FROM holds WHERE identity = ? AND tool = ? AND digest = ? \
             AND state <> 'spent' AND expires > ? ORDER BY placed DESC, id DESC LIMIT 1",
        )
        .bind(identity.to_owned())
        .bind(tool.to_owned())
        .bind(digest.to_owned())
        .bind(now);
        Ok(self.typed(&self.all(query).await?)?.pop())
    }

    /// The holds in a state, or all of them; oldest first. Expired ones are among them.
    pub async fn holds(&self, state: Option<HoldState>) -> Result<Vec<HoldRow>, StoreError> {
        let query =
            sqlx::query("SELECT * FROM holds WHERE state = ?1 OR ?1 IS NULL ORDER BY placed, id")
                .bind(state.map(HoldState::as_str));
        self.typed(&self.all(query).await?)
    }

    /// The call that its caller named so, while that is kept.
    pub async fn repeat(
        &self,
        identity: &str,
        tool: &str,
        key: &str,
        now: i64,
    ) -> Result<Option<RepeatRow>, StoreError> {
        let query = sqlx::query(
            "SELECT * FROM repeats WHERE identity = ? AND tool = ? AND key = ? AND expires > ?",
        )
        .bind(identity.to_owned())
        .bind(tool.to_owned())
        .bind(key.to_owned())
        .bind(now);
        Ok(self.typed(&self.all(query).await?)?.pop())
    }

    /// The same call of the same caller that the API took and was not done with.
    pub async fn pending(
        &self,
        identity: &str,
        tool: &str,
        digest: &str,
        now: i64,
    ) -> Result<Option<PendingRow>, StoreError> {
        let query = sqlx::query(
            "SELECT * FROM pendings WHERE identity = ? AND tool = ? AND digest = ? AND expires > ?",
        )
        .bind(identity.to_owned())
        .bind(tool.to_owned())
        .bind(digest.to_owned())
        .bind(now);
        Ok(self.typed(&self.all(query).await?)?.pop())
    }

    /// The events of a call, in order.
    pub async fn events_of(&self, call: &str) -> Result<Vec<StoredEvent>, StoreError> {
        self.settle().await?;
        let mut query = events_where();
        query.push("call = ").push_bind(call.to_owned()).push(" ORDER BY seq");
        self.typed(&self.all(query.build()).await?)
    }

    /// The next events after a place in the trail, in order; at most 10,000.
    pub async fn events_after(&self, seq: i64) -> Result<Vec<StoredEvent>, StoreError> {
        self.settle().await?;
        let mut query = events_where();
        query.push("seq > ").push_bind(seq).push(" ORDER BY seq LIMIT ").push_bind(MOST);
        self.typed(&self.all(query.build()).await?)
    }

    /// Calls that came in between two places of the trail, the second among them, and have no
    /// end; in order, at most so many.
    pub async fn open_calls(
        &self,
        after: i64,
        upto: i64,
        most: u32,
    ) -> Result<Vec<OpenCall>, StoreError> {
        let query = sqlx::query(
            "SELECT opening.seq, opening.call AS id, \
                json_extract(opening.body, '$.process') AS process, \
                (SELECT count(*) FROM events \
                    WHERE call = opening.call AND kind = 'attempt_started') AS started, \
                (SELECT count(*) FROM events \
                    WHERE call = opening.call AND kind = 'attempt_finished') AS finished \
             FROM events AS opening \
             WHERE opening.kind IN ('received', 'malformed') \
                AND opening.seq > ? AND opening.seq <= ? \
                AND NOT EXISTS (SELECT 1 FROM events \
                    WHERE call = opening.call AND outcome IS NOT NULL) \
             ORDER BY opening.seq LIMIT ?",
        )
        .bind(after)
        .bind(upto)
        .bind(most);
        self.typed(&self.all(query).await?)
    }

    /// The place of the newest event; 0 where there is none.
    pub async fn last_seq(&self) -> Result<i64, StoreError> {
        self.settle().await?;
        let query = sqlx::query("SELECT coalesce(max(seq), 0) FROM events");
        let rows: Vec<(i64,)> = self.typed(&self.all(query).await?)?;
        Ok(rows.first().map_or(0, |(seq,)| *seq))
    }

    /// The ids of the newest calls of an identity, the newest first; at most 1,000.
    pub async fn lately_called_by(&self, identity: &str) -> Result<Vec<String>, StoreError> {
        self.settle().await?;
        let query = sqlx::query(
            "SELECT call FROM events WHERE kind IN ('received', 'malformed') AND identity = ? \
             AND call IS NOT NULL ORDER BY at DESC, seq DESC LIMIT 1000",
        );
        let rows: Vec<(String,)> = self.typed(&self.all(query.bind(identity.to_owned())).await?)?;
        Ok(rows.into_iter().map(|(call,)| call).collect())
    }

    pub(super) async fn all(
        &self,
        query: sqlx::query::Query<'_, Sqlite, sqlx::sqlite::SqliteArguments>,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        let readers = self.readers()?;
        query.fetch_all(&readers).await.map_err(|error| self.0.place.describe(&error))
    }

    /// What is read is not what was written.
    pub(super) fn malformed(&self, what: &str) -> StoreError {
        self.0.place.error(what.to_owned())
    }

    pub(super) fn typed<T: for<'r> FromRow<'r, SqliteRow>>(
        &self,
        rows: &[SqliteRow],
    ) -> Result<Vec<T>, StoreError> {
        rows.iter()
            .map(T::from_row)
            .collect::<Result<_, _>>()
            .map_err(|error| self.0.place.describe(&error))
    }
}

/// The query for events, up to the condition.
pub(super) fn events_where() -> QueryBuilder<Sqlite> {
    QueryBuilder::new(format!(
        "SELECT seq, call, at, kind, body, payload, payload_digest IS NOT NULL AS erased, {} \
         FROM events WHERE ",
        *shared::COLUMN
    ))
}

/// What is stopped, as a transaction sees it.
pub(super) async fn stop_scopes(
    executor: impl SqliteExecutor<'_>,
) -> Result<Vec<StopScope>, sqlx::Error> {
    let rows = sqlx::query("SELECT scope, name FROM stops").fetch_all(executor).await?;
    rows.iter().map(scope).collect()
}

fn scope(row: &SqliteRow) -> Result<StopScope, sqlx::Error> {
    let name = row.try_get("name")?;
    match row.try_get("scope")? {
        "all" => Ok(StopScope::All),
        "api" => Ok(StopScope::Api(name)),
        "tool" => Ok(StopScope::Tool(name)),
        "identity" => Ok(StopScope::Identity(name)),
        // A switch that cannot be read must not be passed over.
        other => Err(sqlx::Error::Decode(format!("unknown scope `{other}`").into())),
    }
}

impl StopScope {
    /// The scope's columns in the table.
    pub(super) fn columns(&self) -> (&'static str, &str) {
        match self {
            Self::All => ("all", ""),
            Self::Api(name) => ("api", name),
            Self::Tool(name) => ("tool", name),
            Self::Identity(name) => ("identity", name),
        }
    }
}

impl HoldState {
    /// The state as it is written everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Spent => "spent",
        }
    }

    fn parse(state: &str) -> Result<Self, sqlx::Error> {
        [Self::Pending, Self::Approved, Self::Rejected, Self::Spent]
            .into_iter()
            .find(|known| known.as_str() == state)
            .ok_or_else(|| sqlx::Error::Decode(format!("unknown state `{state}`").into()))
    }
}

impl FromRow<'_, SqliteRow> for RepeatRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            identity: row.try_get("identity")?,
            tool: row.try_get("tool")?,
            key: row.try_get("key")?,
            digest: row.try_get("digest")?,
            call: row.try_get("call")?,
            expires: row.try_get("expires")?,
            outcome: row.try_get("outcome")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for PendingRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            identity: row.try_get("identity")?,
            tool: row.try_get("tool")?,
            digest: row.try_get("digest")?,
            call: row.try_get("call")?,
            handle: row.try_get("handle")?,
            expires: row.try_get("expires")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for HoldRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            call: row.try_get("call")?,
            identity: row.try_get("identity")?,
            tool: row.try_get("tool")?,
            digest: row.try_get("digest")?,
            arguments: row.try_get("arguments")?,
            rule: row.try_get("rule")?,
            price: row.try_get("price")?,
            placed: row.try_get("placed")?,
            expires: row.try_get("expires")?,
            state: HoldState::parse(row.try_get("state")?)?,
            decided_by: row.try_get("decided_by")?,
            decided: row.try_get("decided")?,
            reason: row.try_get("reason")?,
            given: row.try_get("given")?,
            target: row.try_get("target")?,
            claimed: row.try_get("claimed")?,
            asks_operator: row.try_get("asks_operator")?,
            asks_client: row.try_get("asks_client")?,
            barred: row.try_get("barred")?,
            edits: row.try_get("edits")?,
            stated: row.try_get("stated")?,
            known: row.try_get("known")?,
            decided_user: row.try_get("decided_user")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for KeyRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            hash: row.try_get("hash")?,
            identity: row.try_get("identity")?,
            created: row.try_get("created")?,
            expires: row.try_get("expires")?,
            revoked: row.try_get("revoked")?,
            approver: row.try_get("approver")?,
        })
    }
}
