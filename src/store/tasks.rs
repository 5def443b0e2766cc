//! Calls that clients follow as tasks: their rows, and how they change.

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};

use super::apply::Query;
use super::{Change, Store, StoreError, TaskRow, TaskState};

/// How many tasks of one identity may work at once.
const MOST: i64 = 100;

/// The statement of a change of tasks; of another change, one that changes nothing.
pub(super) fn statement(change: Change, now: i64) -> Query {
    match change {
        Change::OpenTask(task) => open(task),
        Change::KeepTasks { ids } => {
            let ids = serde_json::to_string(&ids).unwrap_or_default();
            sqlx::query(
                "UPDATE tasks SET alive = ? WHERE state IN ('working', 'cancelling') \
                 AND id IN (SELECT value FROM json_each(?))",
            )
            .bind(now)
            .bind(ids)
        }
        Change::CancelTask { id } => sqlx::query(
            "UPDATE tasks SET state = 'cancelling', updated = ? WHERE id = ? AND state = 'working'",
        )
        .bind(now)
        .bind(id),
        Change::EndTask { id, state, result } => sqlx::query(
            "UPDATE tasks SET state = ?, result = ?, updated = ? \
             WHERE id = ? AND state IN ('working', 'cancelling')",
        )
        .bind(state.as_str())
        .bind(result)
        .bind(now)
        .bind(id),
        _ => sqlx::query("SELECT 1 WHERE 0"),
    }
}

fn open(task: TaskRow) -> Query {
    sqlx::query(
        "INSERT INTO tasks (id, identity, tool, created, updated, alive, expires, state, call) \
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?10 \
         WHERE (SELECT count(*) FROM tasks WHERE identity = ?2 \
            AND state IN ('working', 'cancelling') AND expires > ?4) < ?9",
    )
    .bind(task.id)
    .bind(task.identity)
    .bind(task.tool)
    .bind(task.created)
    .bind(task.updated)
    .bind(task.alive)
    .bind(task.expires)
    .bind(task.state.as_str())
    .bind(MOST)
    .bind(task.call)
}

impl Store {
    /// The task of that name, where it is this identity's and not yet forgotten.
    pub async fn task(&self, identity: &str, id: &str) -> Result<Option<TaskRow>, StoreError> {
        let query =
            sqlx::query("SELECT * FROM tasks WHERE id = ? AND identity = ? AND expires > ?")
                .bind(id.to_owned())
                .bind(identity.to_owned())
                .bind(self.now());
        Ok(self.typed(&self.all(query).await?)?.pop())
    }

    /// Which of these tasks are to end.
    pub async fn cancelled_tasks(&self, ids: &[String]) -> Result<Vec<String>, StoreError> {
        let ids = serde_json::to_string(ids).unwrap_or_default();
        let query = sqlx::query(
            "SELECT id FROM tasks WHERE state = 'cancelling' \
             AND id IN (SELECT value FROM json_each(?))",
        )
        .bind(ids);
        let rows: Vec<(String,)> = self.typed(&self.all(query).await?)?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }
}

impl TaskState {
    const ALL: [Self; 5] =
        [Self::Working, Self::Cancelling, Self::Completed, Self::Failed, Self::Cancelled];

    fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Cancelling => "cancelling",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromRow<'_, SqliteRow> for TaskRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let state: String = row.try_get("state")?;
        let state = TaskState::ALL.into_iter().find(|known| known.as_str() == state);
        Ok(Self {
            id: row.try_get("id")?,
            identity: row.try_get("identity")?,
            tool: row.try_get("tool")?,
            call: row.try_get("call")?,
            created: row.try_get("created")?,
            updated: row.try_get("updated")?,
            alive: row.try_get("alive")?,
            expires: row.try_get("expires")?,
            state: state.ok_or_else(|| sqlx::Error::Decode("unknown state of a task".into()))?,
            result: row.try_get("result")?,
        })
    }
}
