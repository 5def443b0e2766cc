//! What is kept of calls beside the trail, so that they can be repeated, gone on with or fetched:
//! outcomes, results, and where an API is asked. It is erased with the payloads of its call.
//!
//! The rows stay. A repeat that found none would do once more what was done, so it finds that
//! the outcome was erased, and no more than how the call ended.

use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteConnection;

use super::{Store, StoreError, Whose};

/// How what stands in the place of something that was erased begins.
const ERASED: &str = "{\"erased\":";

/// Whether this stands in the place of something that was erased.
pub fn is_erased(text: &str) -> bool {
    text.starts_with(ERASED)
}

/// What is kept of calls that have ended, once a statement each: `?` is a JSON list of calls. How a
/// call ended is no personal data, and whoever repeats it has to know.
const STATEMENTS: [&str; 3] = [
    "UPDATE repeats SET outcome = json_object('erased', CASE WHEN json_valid(outcome) \
     THEN coalesce(outcome ->> '$.failure.code', 'succeeded') END) \
     WHERE outcome IS NOT NULL AND substr(outcome, 1, 10) <> '{\"erased\":' \
     AND call IN (SELECT value FROM json_each(?))",
    "UPDATE tasks SET result = json_object('erased', state) \
     WHERE result IS NOT NULL AND state NOT IN ('working', 'cancelling') \
     AND call IN (SELECT value FROM json_each(?))",
    "UPDATE pendings SET handle = json_object('erased', 'pending') \
     WHERE call IN (SELECT value FROM json_each(?))",
];

/// Erases what is kept of these calls.
pub(super) async fn erase(
    transaction: &mut SqliteConnection,
    calls: Vec<String>,
) -> Result<(), sqlx::Error> {
    let calls = serde_json::json!(calls).to_string();
    for statement in STATEMENTS {
        sqlx::query(statement).bind(calls.clone()).execute(&mut *transaction).await?;
    }
    Ok(())
}

impl Store {
    /// The next calls after one of which something is kept and that have ended, in order; at most so
    /// many. `Whose::Upto` means those that came in up to that place of the trail.
    pub async fn kept_calls(
        &self,
        whose: &Whose,
        after: &str,
        most: u32,
    ) -> Result<Vec<String>, StoreError> {
        self.settle().await?;
        let mut query = QueryBuilder::new("SELECT call FROM (");
        let tables = [
            ("repeats", "outcome IS NOT NULL"),
            ("tasks", "result IS NOT NULL AND state NOT IN ('working', 'cancelling')"),
            // One that the API is not done with has ended for its caller.
            (
                "pendings",
                "EXISTS (SELECT 1 FROM events WHERE call = kept.call AND outcome IS NOT NULL)",
            ),
        ];
        for (at, (table, ended)) in tables.into_iter().enumerate() {
            query.push(if at > 0 { " UNION " } else { "" });
            query.push(format!("SELECT call FROM {table} AS kept WHERE {ended} AND call > "));
            query.push_bind(after.to_owned());
            match whose {
                Whose::Call(call) => query.push(" AND call = ").push_bind(call.clone()),
                Whose::Identity(identity) => {
                    query.push(" AND identity = ").push_bind(identity.clone())
                }
                Whose::Upto(upto) => query
                    .push(" AND EXISTS (SELECT 1 FROM events WHERE call = kept.call AND seq <= ")
                    .push_bind(*upto)
                    .push(")"),
            };
        }
        query.push(") ORDER BY call LIMIT ").push_bind(most);
        let rows: Vec<(String,)> = self.typed(&self.all(query.build()).await?)?;
        Ok(rows.into_iter().map(|(call,)| call).collect())
    }
}
