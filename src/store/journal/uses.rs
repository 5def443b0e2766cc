//! What calls took of windows and budgets before it is in the database.
//!
//! That it fits was found out before ([`crate::store::standing`]). Here it is only written down: as bytes
//! of a record, and then as rows behind those that are there. Its place among them is found in the
//! transaction that writes it, so it does not matter what other rows were written meanwhile.

use std::collections::HashMap;
use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::record::{Reader, Torn};
use crate::store::apply::Query;
use crate::store::batch::micros;
use crate::store::budget;
use crate::store::insert::{Statements, chunks, statements};
use crate::store::{Batch, BudgetClaim, WindowClaim};

/// One call in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
struct InWindow {
    key: String,
    at: i64,
    per: i64,
}

/// What one call took of a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OfBudget {
    key: String,
    call: String,
    at: i64,
    per: i64,
    amount: i128,
}

/// What was taken, in order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::store) struct Uses {
    windows: Vec<InWindow>,
    budgets: Vec<OfBudget>,
}

/// What is written for a key whose rows end here.
#[derive(Debug, Clone, Copy, Default)]
struct End {
    n: i64,
    at: i64,
    total: i128,
}

impl End {
    /// The row behind it. Times never fall within a key.
    fn next(&mut self, at: i64, amount: i128) -> Self {
        self.n += 1;
        self.at = self.at.max(at);
        self.total = self.total.wrapping_add(amount);
        *self
    }
}

impl Uses {
    /// What a batch takes, at a time in microseconds since the Unix epoch.
    pub(super) fn of(batch: &Batch, at: i64) -> Self {
        let in_window =
            |claim: &WindowClaim| InWindow { key: claim.key.clone(), at, per: micros(claim.per) };
        let of_budget = |claim: &BudgetClaim| OfBudget {
            key: claim.key.clone(),
            call: claim.call.clone(),
            at,
            per: micros(claim.per),
            amount: claim.amount.0,
        };
        Self {
            windows: batch.claims.iter().map(in_window).collect(),
            budgets: batch.budgets.iter().map(of_budget).collect(),
        }
    }

    pub(in crate::store) fn is_empty(&self) -> bool {
        self.windows.is_empty() && self.budgets.is_empty()
    }

    /// Adds what came after these.
    pub(in crate::store) fn append(&mut self, mut later: Self) {
        self.windows.append(&mut later.windows);
        self.budgets.append(&mut later.budgets);
    }

    /// Forgets them, and keeps the room for others.
    pub(in crate::store) fn clear(&mut self) {
        self.windows.clear();
        self.budgets.clear();
    }

    /// Writes them behind what is there. `None` where a text is too long for any record.
    pub(super) fn encode(&self, buffer: &mut Vec<u8>) -> Option<()> {
        let count = |many: usize| u32::try_from(many).ok().map(u32::to_le_bytes);
        let text = |buffer: &mut Vec<u8>, text: &str| {
            buffer.extend_from_slice(&count(text.len())?);
            buffer.extend_from_slice(text.as_bytes());
            Some(())
        };
        buffer.extend_from_slice(&count(self.windows.len())?);
        for used in &self.windows {
            text(buffer, &used.key)?;
            buffer.extend_from_slice(&used.at.to_le_bytes());
            buffer.extend_from_slice(&used.per.to_le_bytes());
        }
        buffer.extend_from_slice(&count(self.budgets.len())?);
        for used in &self.budgets {
            text(buffer, &used.key)?;
            text(buffer, &used.call)?;
            buffer.extend_from_slice(&used.at.to_le_bytes());
            buffer.extend_from_slice(&used.per.to_le_bytes());
            buffer.extend_from_slice(&used.amount.to_le_bytes());
        }
        Some(())
    }

    /// Reads what was [encoded](Self::encode).
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Torn> {
        let mut uses = Self::default();
        for _ in 0..reader.u32().ok_or(Torn)? {
            uses.windows.push(InWindow {
                key: reader.text()?.ok_or(Torn)?.to_owned(),
                at: reader.i64().ok_or(Torn)?,
                per: reader.i64().ok_or(Torn)?,
            });
        }
        for _ in 0..reader.u32().ok_or(Torn)? {
            uses.budgets.push(OfBudget {
                key: reader.text()?.ok_or(Torn)?.to_owned(),
                call: reader.text()?.ok_or(Torn)?.to_owned(),
                at: reader.i64().ok_or(Torn)?,
                per: reader.i64().ok_or(Torn)?,
                amount: reader.bytes().map(i128::from_le_bytes).ok_or(Torn)?,
            });
        }
        Ok(uses)
    }

    /// Writes them into the database, behind what is there.
    pub(in crate::store) async fn write(
        &self,
        transaction: &mut SqliteConnection,
    ) -> Result<(), sqlx::Error> {
        self.write_windows(transaction).await?;
        self.write_budgets(transaction).await
    }

    async fn write_windows(&self, transaction: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        static ROWS: LazyLock<Statements> = LazyLock::new(|| {
            statements("INSERT INTO window_uses (key, at, n, until) VALUES ", "(?, ?, ?, ?)")
        });
        if self.windows.is_empty() {
            return Ok(());
        }
        let mut ends = ends(
            transaction,
            "SELECT keys.value, \
                (SELECT n FROM window_uses WHERE key = keys.value ORDER BY at DESC, n DESC LIMIT 1), \
                (SELECT at FROM window_uses WHERE key = keys.value ORDER BY at DESC, n DESC LIMIT 1), \
                NULL FROM json_each(?) AS keys",
            self.windows.iter().map(|used| &*used.key),
        )
        .await?;
        for (statement, uses) in chunks(&ROWS, &self.windows) {
            let mut query: Query = sqlx::query(AssertSqlSafe(statement));
            for used in uses {
                let row = ends.entry(used.key.clone()).or_default().next(used.at, 0);
                query = query
                    .bind(used.key.clone())
                    .bind(row.at)
                    .bind(row.n)
                    .bind(row.at.saturating_add(used.per));
            }
            query.execute(&mut *transaction).await?;
        }
        Ok(())
    }

    async fn write_budgets(&self, transaction: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        static ROWS: LazyLock<Statements> = LazyLock::new(|| {
            statements(
                "INSERT INTO budget_uses (key, n, at, call, amount, total, until) VALUES ",
                "(?, ?, ?, ?, ?, ?, ?)",
            )
        });
        if self.budgets.is_empty() {
            return Ok(());
        }
        let mut ends = ends(
            transaction,
            "SELECT keys.value, \
                (SELECT n FROM budget_uses WHERE key = keys.value ORDER BY n DESC LIMIT 1), \
                (SELECT at FROM budget_uses WHERE key = keys.value ORDER BY n DESC LIMIT 1), \
                (SELECT total FROM budget_uses WHERE key = keys.value ORDER BY n DESC LIMIT 1) \
             FROM json_each(?) AS keys",
            self.budgets.iter().map(|used| &*used.key),
        )
        .await?;
        for (statement, uses) in chunks(&ROWS, &self.budgets) {
            let mut query: Query = sqlx::query(AssertSqlSafe(statement));
            for used in uses {
                let row = ends.entry(used.key.clone()).or_default().next(used.at, used.amount);
                query = query
                    .bind(used.key.clone())
                    .bind(row.n)
                    .bind(row.at)
                    .bind(used.call.clone())
                    .bind(used.amount.to_string())
                    .bind(row.total.to_string())
                    .bind(row.at.saturating_add(used.per));
            }
            query.execute(&mut *transaction).await?;
        }
        Ok(())
    }
}

/// A key, and the place, the time and the total of its last row.
type Ended = (String, Option<i64>, Option<i64>, Option<String>);

/// Where the rows of these keys end.
async fn ends(
    transaction: &mut SqliteConnection,
    query: &'static str,
    keys: impl Iterator<Item = &str>,
) -> Result<HashMap<String, End>, sqlx::Error> {
    let mut keys: Vec<&str> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    let keys = serde_json::to_string(&keys).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let rows: Vec<Ended> = sqlx::query_as(query).bind(keys).fetch_all(transaction).await?;
    let mut ends = HashMap::with_capacity(rows.len());
    for (key, n, at, total) in rows {
        let (Some(n), Some(at)) = (n, at) else { continue };
        let total = total.as_deref().map(budget::number).transpose()?.unwrap_or_default();
        ends.insert(key, End { n, at, total });
    }
    Ok(ends)
}
