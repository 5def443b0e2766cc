//! What calls reserved in budgets, given back.
//!
//! What is taken out of a row is taken out of the sum of each row behind it, too. An API that is down has
//! each of its calls give back what it took, so those of a transaction are gathered, and each row is
//! read and written once for all of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sqlx::sqlite::SqliteConnection;

use super::GiveBack;
use super::budget::number;
use super::bundle::{self, Of};

/// So many rows are read at once.
const READ: usize = 16;

/// What is to be given back, by the budgets' keys.
#[derive(Default)]
pub(super) struct Returns(BTreeMap<Arc<str>, Wanted>);

/// What is to be given back of one budget.
struct Wanted {
    /// The calls, and how often each took something.
    calls: HashMap<Arc<str>, usize>,
    /// Before this nothing of theirs was taken, but where the clock was set back meanwhile: then it
    /// counts until its time is over.
    since: i64,
}

/// A row as it is there: its place, its time, its call, what it took, and the sum up to it; when the
/// first was of those that stand in it and each of them, where they are several.
type Found = (i64, i64, String, String, String, Option<i64>, Option<Vec<u8>>);

/// A row as it is to be.
struct Row {
    n: i64,
    amount: i128,
    total: i128,
    /// How much was taken out of it.
    returned: i128,
    /// Those that stand in it, where that changes.
    uses: Option<Vec<u8>>,
}

impl Returns {
    pub(super) fn add(&mut self, back: GiveBack) {
        for key in back.keys {
            let nothing = || Wanted { calls: HashMap::new(), since: back.since };
            let wanted = self.0.entry(key).or_insert_with(nothing);
            wanted.since = wanted.since.min(back.since);
            *wanted.calls.entry(Arc::clone(&back.call)).or_default() += 1;
        }
    }

    /// Gives all of it back. By the process that reserved it: what another one counted ahead is not
    /// found here yet.
    pub(super) async fn write(
        &mut self,
        connection: &mut SqliteConnection,
    ) -> Result<(), sqlx::Error> {
        for (key, wanted) in std::mem::take(&mut self.0) {
            // From the newest on: what is given back was mostly taken just now.
            let mut rows = wanted.find(connection, &key).await?;
            let mut returned = 0_i128;
            while let Some(row) = rows.pop() {
                returned = returned.wrapping_add(row.returned);
                if returned != 0 || row.returned != 0 {
                    row.write(connection, &key, returned).await?;
                }
            }
        }
        Ok(())
    }
}

impl Wanted {
    /// The rows of a budget from its last one to the first that something is taken out of, in this order.
    async fn find(
        mut self,
        connection: &mut SqliteConnection,
        key: &str,
    ) -> Result<Vec<Row>, sqlx::Error> {
        let mut rows: Vec<Row> = Vec::new();
        let mut before = i64::MAX;
        loop {
            let found: Vec<Found> = sqlx::query_as(
                "SELECT n, at, call, amount, total, since, uses FROM budget_uses \
                 WHERE key = ? AND n < ? ORDER BY n DESC LIMIT ?",
            )
            .bind(key.to_owned())
            .bind(before)
            .bind(i64::try_from(READ).unwrap_or(i64::MAX))
            .fetch_all(&mut *connection)
            .await?;
            let is_last = found.len() < READ;
            for row in found {
                // Times never fall from one row to the next.
                if self.calls.is_empty() || row.1 < self.since {
                    return Ok(rows);
                }
                before = row.0;
                rows.push(self.take_out(row)?);
            }
            if is_last {
                return Ok(rows);
            }
        }
    }

    fn take_out(
        &mut self,
        (n, _, call, amount, total, since, uses): Found,
    ) -> Result<Row, sqlx::Error> {
        let (amount, total) = (number(&amount)?, number(&total)?);
        let mut row = Row { n, amount, total, returned: 0, uses: None };
        let (Some(since), Some(uses)) = (since, uses) else {
            if self.wants(&call) {
                row.returned = amount;
            }
            return Ok(row);
        };
        let mut rest = Vec::with_capacity(uses.len());
        for share in bundle::shares(&uses, Of::Budget, since) {
            let mut share = share?;
            if self.wants(share.call) {
                row.returned = row.returned.wrapping_add(std::mem::take(&mut share.amount));
            }
            bundle::append(&mut rest, Of::Budget, since, &share);
        }
        if row.returned != 0 {
            row.uses = Some(rest);
        }
        Ok(row)
    }

    /// Whether what a call took here is to be given back; once for each time that it is wanted.
    fn wants(&mut self, call: &str) -> bool {
        let Some(times) = self.calls.get_mut(call) else { return false };
        *times -= 1;
        if *times == 0 {
            self.calls.remove(call);
        }
        true
    }
}

impl Row {
    /// Writes it down, with as much less in its sum as was taken out of it and of those before it.
    async fn write(
        self,
        connection: &mut SqliteConnection,
        key: &str,
        returned: i128,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE budget_uses SET amount = ?, total = ?, uses = coalesce(?, uses) \
             WHERE key = ? AND n = ?",
        )
        .bind(self.amount.wrapping_sub(self.returned).to_string())
        .bind(self.total.wrapping_sub(returned).to_string())
        .bind(self.uses)
        .bind(key.to_owned())
        .bind(self.n)
        .execute(connection)
        .await
        .map(drop)
    }
}
