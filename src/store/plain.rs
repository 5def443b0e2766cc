//! The common group in one statement: events and nothing else, behind the kill switch at most.
//!
//! Every statement is a trip to the connection's thread and back, and `BEGIN` and `COMMIT` each
//! wait there for the other side as well. A group that claims no window, spends no approval and
//! changes no row needs neither: an INSERT is a transaction of its own, with the write lock held
//! from its start to its end, so what its WHERE says of the kill switch holds when it commits.

use std::sync::LazyLock;

use sqlx::sqlite::SqliteConnection;

use super::Batch;
use super::insert::{EVENT_COLUMNS, EVENT_VALUES, Row, Texts, arguments, execute};
use super::journal::is_plain;

/// How many events one statement takes. Each number has a statement that is prepared once.
pub(super) const ROWS: usize = 64;

/// How many statements the writer's connection may keep prepared: two for each number of rows,
/// and those of the groups that are not plain.
pub(super) const STATEMENTS: usize = 2 * ROWS + 32;

/// What became of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// All of it is down.
    Written,
    /// Nothing of it is: it is not plain, or something is stopped. It must be judged batch by
    /// batch.
    No,
}

/// Writes a group, if that can be done in one statement.
pub(super) async fn write(
    connection: &mut SqliteConnection,
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
    let (mut texts, mut arguments) = (Texts::default(), arguments(rows));
    for event in batches.iter().flat_map(|batch| batch.events.iter()) {
        texts.bind(&mut arguments, &Row::from(event)).map_err(sqlx::Error::Encode)?;
    }
    match execute(statements[rows].as_str(), arguments, connection).await? {
        0 => Ok(Plain::No),
        _ => Ok(Plain::Written),
    }
}

fn values(rows: usize) -> String {
    vec![EVENT_VALUES; rows].join(", ")
}
