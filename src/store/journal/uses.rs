//! What calls took of windows and budgets before it is in the database.
//!
//! That it fits was found out before ([`crate::store::standing`]). Here it is only written down: as bytes
//! of a record, and then as rows behind those that are there. Its place among them is found in the
//! transaction that writes it, so it does not matter what other rows were written meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::record::{Reader, Torn};
use crate::store::apply::Query;
use crate::store::batch::micros;
use crate::store::bundle::{self, Of, Share};
use crate::store::insert::{Statements, chunks, statements};
use crate::store::{Batch, BudgetClaim, WindowClaim};
use crate::store::{budget, window};

/// One call in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
struct InWindow {
    key: Arc<str>,
    at: i64,
    per: i64,
}

/// What one call took of a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OfBudget {
    key: Arc<str>,
    call: Arc<str>,
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
    pub(in crate::store) fn of(batch: &Batch, at: i64) -> Self {
        let in_window = |claim: &WindowClaim| InWindow {
            key: Arc::clone(&claim.key),
            at,
            per: micros(claim.per),
        };
        let of_budget = |claim: &BudgetClaim| OfBudget {
            key: Arc::clone(&claim.key),
            call: Arc::clone(&claim.call),
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
                key: reader.text()?.ok_or(Torn)?.into(),
                at: reader.i64().ok_or(Torn)?,
                per: reader.i64().ok_or(Torn)?,
            });
        }
        for _ in 0..reader.u32().ok_or(Torn)? {
            uses.budgets.push(OfBudget {
                key: reader.text()?.ok_or(Torn)?.into(),
                call: reader.text()?.ok_or(Torn)?.into(),
                at: reader.i64().ok_or(Torn)?,
                per: reader.i64().ok_or(Torn)?,
                amount: reader.bytes().map(i128::from_le_bytes).ok_or(Torn)?,
            });
        }
        Ok(uses)
    }

    /// Writes them into the database, behind what is there: what several calls took of the same in
    /// one row, or a few.
    pub(in crate::store) async fn write(
        &self,
        transaction: &mut SqliteConnection,
    ) -> Result<(), sqlx::Error> {
        self.write_windows(transaction).await?;
        self.write_budgets(transaction).await
    }

    async fn write_windows(&self, transaction: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        if self.windows.is_empty() {
            return Ok(());
        }
        let mut ends = ends(
            transaction,
            "SELECT keys.value, \
                (SELECT n FROM window_uses WHERE key = keys.value ORDER BY at DESC, n DESC LIMIT 1), \
                (SELECT at FROM window_uses WHERE key = keys.value ORDER BY at DESC, n DESC LIMIT 1), \
                NULL FROM json_each(?) AS keys",
            self.windows.iter().map(|used| &*used.key).collect(),
        )
        .await?;
        let mut rows = Rows::new(Of::Window);
        for used in &self.windows {
            let row = ends.entry(&*used.key).or_default().next(used.at, 0);
            let share = Share { at: row.at, amount: 1, call: "" };
            rows.add(&used.key, row, used.per, share);
        }
        let rows = rows.written.into_iter().map(|row| window::Row {
            key: Arc::clone(row.key),
            at: row.last.at,
            n: row.last.n,
            until: row.last.at.saturating_add(row.per),
            several: row.several(),
        });
        window::insert(transaction, &rows.collect::<Vec<_>>()).await
    }

    async fn write_budgets(&self, transaction: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        static ROWS: LazyLock<Statements> = LazyLock::new(|| {
            statements(
                "INSERT INTO budget_uses \
                    (key, n, at, call, amount, total, until, since, uses) VALUES ",
                "(?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
            self.budgets.iter().map(|used| &*used.key).collect(),
        )
        .await?;
        let mut rows = Rows::new(Of::Budget);
        for used in &self.budgets {
            let row = ends.entry(&*used.key).or_default().next(used.at, used.amount);
            let share = Share { at: row.at, amount: used.amount, call: &used.call };
            rows.add(&used.key, row, used.per, share);
        }
        for (statement, chunk) in chunks(&ROWS, &rows.written) {
            let mut query: Query = sqlx::query(AssertSqlSafe(statement));
            for row in chunk {
                let (since, uses) = row.several().unzip();
                query = query
                    .bind(Arc::clone(row.key))
                    .bind(row.last.n)
                    .bind(row.last.at)
                    .bind(if since.is_some() { String::new() } else { row.first.call.to_owned() })
                    .bind(row.amount.to_string())
                    .bind(row.last.total.to_string())
                    .bind(row.last.at.saturating_add(row.per))
                    .bind(since)
                    .bind(uses);
            }
            query.execute(&mut *transaction).await?;
        }
        Ok(())
    }
}

/// Rows to be written, one for what several calls took of the same.
struct Rows<'u> {
    of: Of,
    written: Vec<Row<'u>>,
    /// The row of each key that is added to.
    open: HashMap<&'u str, usize>,
}

/// One of them.
struct Row<'u> {
    key: &'u Arc<str>,
    per: i64,
    first: Share<'u>,
    last: End,
    /// What all of them took.
    amount: i128,
    many: usize,
    uses: Vec<u8>,
}

impl Row<'_> {
    /// When the first was and each of them, where they are several.
    fn several(&self) -> Option<(i64, Vec<u8>)> {
        (self.many > 1).then(|| (self.first.at, self.uses.clone()))
    }
}

impl<'u> Rows<'u> {
    fn new(of: Of) -> Self {
        Self { of, written: Vec::new(), open: HashMap::new() }
    }

    /// Adds what a call took, behind what others took of the same: where its row then ends.
    fn add(&mut self, key: &'u Arc<str>, end: End, per: i64, share: Share<'u>) {
        let open = self.open.get(&**key).and_then(|at| self.written.get_mut(*at));
        if let Some(row) = open
            && row.per == per
            && row.many < bundle::MOST
            && let Some(amount) = row.amount.checked_add(share.amount)
            && bundle::append(&mut row.uses, self.of, row.first.at, &share)
        {
            (row.last, row.amount, row.many) = (end, amount, row.many + 1);
            return;
        }
        let mut uses = Vec::new();
        // A name that is too long for that stands in a row of its own, behind which another begins.
        let goes_with_others = bundle::append(&mut uses, self.of, share.at, &share);
        if goes_with_others {
            self.open.insert(key, self.written.len());
        } else {
            self.open.remove(&**key);
        }
        let amount = share.amount;
        self.written.push(Row { key, per, first: share, last: end, amount, many: 1, uses });
    }
}

/// A key, and the place, the time and the total of its last row.
type Ended = (String, Option<i64>, Option<i64>, Option<String>);

/// Where the rows of these keys end.
async fn ends<'k>(
    transaction: &mut SqliteConnection,
    query: &'static str,
    mut keys: Vec<&'k str>,
) -> Result<HashMap<&'k str, End>, sqlx::Error> {
    keys.sort_unstable();
    keys.dedup();
    let asked = serde_json::to_string(&keys).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let rows: Vec<Ended> = sqlx::query_as(query).bind(asked).fetch_all(transaction).await?;
    let mut ends = HashMap::with_capacity(rows.len());
    for (key, n, at, total) in rows {
        let (Some(n), Some(at)) = (n, at) else { continue };
        let total = total.as_deref().map(budget::number).transpose()?.unwrap_or_default();
        if let Ok(place) = keys.binary_search(&&*key) {
            ends.insert(keys[place], End { n, at, total });
        }
    }
    Ok(ends)
}
