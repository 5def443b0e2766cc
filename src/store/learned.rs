//! What was learned of APIs' limits: the statements that keep and read it.

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};

use super::apply::Query;
use super::{LearnedRow, Store, StoreError};

pub(super) fn keep(row: LearnedRow) -> Query {
    sqlx::query(
        "INSERT INTO learned_limits (api, identity, origin, learned, at, expires) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT (api, identity) DO UPDATE \
         SET origin = ?3, learned = ?4, at = ?5, expires = ?6",
    )
    .bind(row.api)
    .bind(row.identity.unwrap_or_default())
    .bind(row.origin)
    .bind(row.learned)
    .bind(row.at)
    .bind(row.expires)
}

impl Store {
    /// What was learned of APIs' limits and counts still.
    pub async fn learned_limits(&self) -> Result<Vec<LearnedRow>, StoreError> {
        let query = sqlx::query("SELECT * FROM learned_limits WHERE expires > ? LIMIT 10000");
        self.typed(&self.all(query.bind(self.now())).await?)
    }
}

impl FromRow<'_, SqliteRow> for LearnedRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let identity: String = row.try_get("identity")?;
        Ok(Self {
            api: row.try_get("api")?,
            identity: (!identity.is_empty()).then_some(identity),
            origin: row.try_get("origin")?,
            learned: row.try_get("learned")?,
            at: row.try_get("at")?,
            expires: row.try_get("expires")?,
        })
    }
}
