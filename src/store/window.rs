//! Windows: how many calls came in a time, by the rows of their uses. Nothing is judged here.
//!
//! A row is one call, or several ([`bundle`]). It has the number of its last use: numbers go on for as
//! long as there are rows.

use std::sync::{Arc, LazyLock};

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::apply::Query;
use super::bundle::{self, Of};
use super::insert::{Statements, chunks, statements};
use super::{Store, StoreError};

/// The uses in a window that are alive: how many, and the times and numbers at its ends.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Window {
    /// How long it is, in microseconds.
    pub(super) per: i64,
    pub(super) alive: i64,
    pub(super) oldest: i64,
    pub(super) newest: i64,
    /// The number of the newest.
    pub(super) last: i64,
}

/// The rows at the ends of a window: `?1` is its key, `?2` the time behind which it begins. Of the last
/// one time and number, of the first also when its own first use was and each of them, where it has several;
/// and whether rows are there that have left it.
const ENDS: &str = "SELECT last.at, last.n, first.at, first.n, first.since, first.uses, \
        EXISTS (SELECT 1 FROM window_uses WHERE key = ?1 AND at <= ?2) \
     FROM (SELECT at, n, since, uses FROM window_uses WHERE key = ?1 AND at > ?2 \
            ORDER BY at, n LIMIT 1) AS first, \
          (SELECT at, n FROM window_uses WHERE key = ?1 AND at > ?2 \
            ORDER BY at DESC, n DESC LIMIT 1) AS last";

type Ends = (i64, i64, i64, i64, Option<i64>, Option<Vec<u8>>, bool);

/// What a window holds of what came after a time.
fn alive((newest, last, at, n, since, uses, _): &Ends, gone: i64) -> Result<Window, sqlx::Error> {
    let mut times = times(*at, *since, uses.as_deref())?;
    times.retain(|time| *time > gone);
    let oldest = times.first().copied().unwrap_or(*at);
    // Of a row that came after it, the last use did.
    let of_first = i64::try_from(times.len()).unwrap_or(i64::MAX);
    let alive = last - n + of_first;
    Ok(Window { per: 0, alive, oldest, newest: *newest, last: *last })
}

/// When each of the uses in a row was, in order.
fn times(at: i64, since: Option<i64>, uses: Option<&[u8]>) -> Result<Vec<i64>, sqlx::Error> {
    let (Some(since), Some(uses)) = (since, uses) else { return Ok(vec![at]) };
    let shares = bundle::shares(uses, Of::Window, since);
    Ok(shares.map(|share| share.map(|share| share.at)).collect::<Result<_, _>>()?)
}

/// A row to be written.
pub(super) struct Row {
    pub(super) key: Arc<str>,
    /// Of its last use: when it was, its number, and until when it counts.
    pub(super) at: i64,
    pub(super) n: i64,
    pub(super) until: i64,
    /// When its first use was and each of them, where it has several.
    pub(super) several: Option<(i64, Vec<u8>)>,
}

/// Writes rows behind those that are there.
pub(super) async fn insert(
    transaction: &mut SqliteConnection,
    rows: &[Row],
) -> Result<(), sqlx::Error> {
    static ROWS: LazyLock<Statements> = LazyLock::new(|| {
        statements(
            "INSERT INTO window_uses (key, at, n, until, since, uses) VALUES ",
            "(?, ?, ?, ?, ?, ?)",
        )
    });
    for (statement, chunk) in chunks(&ROWS, rows) {
        let query: Query = sqlx::query(AssertSqlSafe(statement));
        let query = chunk.iter().fold(query, |query, row| {
            let (since, uses) = row.several.clone().unzip();
            let query = query.bind(Arc::clone(&row.key)).bind(row.at).bind(row.n).bind(row.until);
            query.bind(since).bind(uses)
        });
        query.execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Reads a window, and drops what has left it.
pub(super) async fn read(
    transaction: &mut SqliteConnection,
    key: &str,
    now: i64,
    per: i64,
) -> Result<Window, sqlx::Error> {
    let gone = now.saturating_sub(per);
    let ends: Option<Ends> = sqlx::query_as(ENDS)
        .bind(key.to_owned())
        .bind(gone)
        .fetch_optional(&mut *transaction)
        .await?;
    if ends.as_ref().is_none_or(|ends| ends.6) {
        sqlx::query("DELETE FROM window_uses WHERE key = ? AND at <= ?")
            .bind(key.to_owned())
            .bind(gone)
            .execute(transaction)
            .await?;
    }
    let window = ends.as_ref().map(|ends| alive(ends, gone)).transpose()?;
    Ok(Window { per, ..window.unwrap_or_default() })
}

/// A row: the time and the number of its last use, when its first was and each of them, where it has
/// several.
type Found = (i64, i64, Option<i64>, Option<Vec<u8>>);

/// When the use of a window with that number was.
pub(super) async fn time_of(
    transaction: &mut SqliteConnection,
    key: &str,
    n: i64,
) -> Result<Option<i64>, sqlx::Error> {
    let row: Option<Found> = sqlx::query_as(
        "SELECT at, n, since, uses FROM window_uses WHERE key = ? AND n >= ? \
         ORDER BY at, n LIMIT 1",
    )
    .bind(key.to_owned())
    .bind(n)
    .fetch_optional(transaction)
    .await?;
    let Some((at, last, since, uses)) = row else { return Ok(None) };
    let times = times(at, since, uses.as_deref())?;
    let behind = usize::try_from(last - n).ok();
    let that = behind.and_then(|behind| times.iter().rev().nth(behind));
    // Where it is not there any more, the one behind it is the next to leave.
    Ok(that.or(times.first()).copied())
}

impl Store {
    /// How many uses of a window came after a time: microseconds since the Unix epoch.
    pub async fn window_count(&self, key: &str, after: i64) -> Result<u64, StoreError> {
        self.settle().await?;
        let query = sqlx::query(ENDS).bind(key.to_owned()).bind(after);
        let rows: Vec<Ends> = self.typed(&self.all(query).await?)?;
        let Some(ends) = rows.first() else { return Ok(0) };
        let window = alive(ends, after).map_err(|_| self.malformed("a window is malformed"))?;
        Ok(window.alive.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::store::budget::tests::database;
    use crate::store::journal::Uses;
    use crate::store::{Batch, WindowClaim};

    const PER: i64 = 100;

    #[derive(Debug, Clone)]
    enum Step {
        /// Calls come so long after one another; all of them are written together.
        Come(Vec<i64>),
        /// So much time goes by; less than none where somebody sets the clock.
        Wait(i64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => proptest::collection::vec(0_i64..30, 1..8).prop_map(Step::Come),
            2 => (-40_i64..70).prop_map(Step::Wait),
        ];
        proptest::collection::vec(step, 1..40)
    }

    async fn follow(steps: Vec<Step>) {
        let mut connection = database().await;
        let claim = WindowClaim {
            key: "k".into(),
            limit: u32::MAX,
            per: Duration::from_micros(PER.unsigned_abs()),
        };
        // When the calls of each row came. What comes after something counts for at least as long.
        let mut rows: Vec<Vec<i64>> = Vec::new();
        let (mut last, mut now) = (0, 1_000_000);
        for step in steps {
            match step {
                Step::Wait(time) => now += time,
                Step::Come(after) => {
                    let mut uses: Option<Uses> = None;
                    let mut row = Vec::new();
                    for time in after {
                        now += time;
                        let claims = [claim.clone()].into();
                        let one = Uses::of(&Batch { claims, ..Batch::default() }, now);
                        match &mut uses {
                            None => uses = Some(one),
                            Some(uses) => uses.append(one),
                        }
                        let before = row.last().or_else(|| rows.last()?.last()).copied();
                        row.push(before.unwrap_or(now).max(now));
                        last += 1;
                    }
                    rows.push(row);
                    uses.expect("one at least").write(&mut connection).await.expect("written");
                }
            }
            let gone = now - PER;
            // A row is dropped with the last that stands in it: until then a clock that is set back
            // brings back all of it.
            rows.retain(|row| row.last() > Some(&gone));
            let alive: Vec<i64> = rows.iter().flatten().copied().filter(|at| *at > gone).collect();
            let window = read(&mut connection, "k", now, PER).await.expect("read");
            assert_eq!(window.alive, i64::try_from(alive.len()).expect("few"));
            let Some((oldest, newest)) = alive.first().zip(alive.last()) else {
                // Nothing is left, and numbers begin anew.
                last = 0;
                continue;
            };
            assert_eq!((window.oldest, window.newest, window.last), (*oldest, *newest, last));
            for (n, time) in (1..=last).rev().zip(alive.iter().rev()) {
                let found = time_of(&mut connection, "k", n).await.expect("read");
                assert_eq!(found, Some(*time), "number {n}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_window_is_what_came_in_its_time(steps in steps()) {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(follow(steps));
        }
    }
}
