//! Calls that clients follow as tasks, as far as the store is concerned: opened, kept alive, ended
//! once, and found by nobody but their caller.
//!
//! A process that works on a task says so again and again. One that has not for a while is gone,
//! and the task with it: whoever asks for it then ends it.

use std::time::Duration;

use ulid::Ulid;

use super::{Caller, Gateway};
use crate::store::{Batch, Change, CommitError, StoreError, TaskRow, TaskState};

/// For how long a result is kept beyond the time that the call may take.
const KEPT: Duration = Duration::from_hours(1);

/// After how much silence a process counts as gone.
const SILENCE: Duration = Duration::from_secs(30);

impl Gateway {
    /// Opens a task of a call that may take so long. Its handle cannot be guessed.
    pub async fn open_task(
        &self,
        caller: &Caller,
        tool: &str,
        time: Duration,
    ) -> Result<TaskRow, CommitError> {
        let now = self.store().now();
        // The time alone could be guessed; the rest of a ULID is 80 bits of chance.
        let id = format!("t_{}", Ulid::new().to_string().to_lowercase());
        let row = TaskRow {
            id,
            identity: caller.identity.to_string(),
            tool: tool.to_owned(),
            created: now,
            updated: now,
            alive: now,
            expires: now.saturating_add(micros(time + KEPT)),
            state: TaskState::Working,
            result: None,
        };
        self.change(Change::OpenTask(row.clone())).await?;
        Ok(row)
    }

    /// This caller's task of that name, and whether its process is gone.
    pub async fn task(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Option<(TaskRow, bool)>, StoreError> {
        let now = self.store().now();
        let found = self.store().task(caller.identity.as_str(), id).await?;
        Ok(found.map(|row| {
            let works = matches!(row.state, TaskState::Working | TaskState::Cancelling);
            let lost = works && row.alive.saturating_add(micros(SILENCE)) < now;
            (row, lost)
        }))
    }

    /// Says that this process works on a task; whether the task is to end.
    pub async fn keep_task(&self, id: &str) -> bool {
        let ids = vec![id.to_owned()];
        let cancelled = self.store().cancelled_tasks(&ids).await;
        if let Err(error) = self.change(Change::KeepTasks { ids }).await {
            tracing::warn!(%error, task = id, "a task could not be kept alive");
        }
        cancelled.is_ok_and(|cancelled| !cancelled.is_empty())
    }

    /// Has whichever process works on a task end it.
    pub async fn cancel_task(&self, id: &str) {
        match self.change(Change::CancelTask { id: id.to_owned() }).await {
            Ok(()) | Err(CommitError::NoTask) => {}
            Err(error) => tracing::error!(%error, task = id, "a task could not be cancelled"),
        }
    }

    /// Keeps how a task ended. What it ended as first stays.
    pub async fn end_task(&self, id: &str, state: TaskState, result: String) {
        match self.change(Change::EndTask { id: id.to_owned(), state, result }).await {
            Ok(()) | Err(CommitError::NoTask) => {}
            Err(error) => tracing::error!(%error, task = id, "a task's end could not be kept"),
        }
    }

    async fn change(&self, change: Change) -> Result<(), CommitError> {
        let batch = Batch { changes: vec![change], ..Batch::default() };
        self.store().commit(batch).await.map(drop)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
