//! The common group in one statement: events and nothing else, behind the kill switch at most.
//!
//! Every statement is a trip to the connection's thread and back, and `BEGIN` and `COMMIT` each
//! wait there for the other side as well. A group that claims no window, spends no approval and
//! changes no row needs neither: an INSERT is a transaction of its own, with the write lock held
//! from its start to its end, so what its WHERE says of the kill switch holds when it commits.

use std::sync::LazyLock;

use sqlx::sqlite::SqliteConnection;

use super::Batch;
use super::chain::{Head, Salts};
use super::insert::{EVENT_COLUMNS, EVENT_VALUES, Row, Texts, arguments, execute};
use super::journal::is_plain;

/// How many events one statement takes. Each number has a statement that is prepared once.
pub(super) const ROWS: usize = 64;

/// How many statements the writer's connection may keep prepared: two for each number of rows,
/// and those of the groups that are not plain.
pub(super) const STATEMENTS: usize = 2 * ROWS + 48;

/// What became of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// All of it is down.
    Written,
    /// Nothing of it is: it is not plain, something is stopped, or another process appended to
    /// the trail. It must be judged batch by batch.
    No,
}

/// Writes a group behind the chain's end as it was last seen, if that can be done in one
/// statement. Where it is elsewhere by now, the place of the first event is taken.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    head: &mut Head,
    batches: &[Batch],
) -> Result<Plain, sqlx::Error> {
    static FREE: LazyLock<Vec<String>> = LazyLock::new(|| {
        (0..=ROWS).map(|rows| format!("{EVENT_COLUMNS} VALUES {}", values(rows))).collect()
    });
    static GUARDED: LazyLock<Vec<String>> = LazyLock::new(|| {
        let guarded = |rows| {
            let values = values(rows);
            format!(
                "{EVENT_COLUMNS} SELECT * FROM (VALUES {values}) WHERE NOT EXISTS (SELECT 1 FROM stops)"
            )
        };
        (0..=ROWS).map(guarded).collect()
    });
    let rows: usize = batches.iter().map(|batch| batch.events.len()).sum();
    if !(1..=ROWS).contains(&rows) || !batches.iter().all(is_plain) {
        return Ok(Plain::No);
    }
    let statements =
        if batches.iter().any(|batch| batch.guard.is_some()) { &GUARDED } else { &FREE };
    let (salts, mut end) = (Salts::new()?, *head);
    let (mut texts, mut arguments) = (Texts::default(), arguments(rows));
    for event in batches.iter().flat_map(|batch| batch.events.iter()) {
        let row = Row::from(event);
        let link = end.next(&row, &salts);
        texts.bind(&mut arguments, &link, &row).map_err(sqlx::Error::Encode)?;
    }
    match execute(statements[rows].as_str(), arguments, connection).await {
        Ok(0) => Ok(Plain::No),
        Ok(_) => {
            *head = end;
            Ok(Plain::Written)
        }
        Err(error) if is_taken(&error) => Ok(Plain::No),
        Err(error) => Err(error),
    }
}

/// Whether a place in the trail was taken already.
fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

fn values(rows: usize) -> String {
    vec![EVENT_VALUES; rows].join(", ")
}
