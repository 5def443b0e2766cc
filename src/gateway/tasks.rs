//! Calls that clients follow as tasks, as far as the store is concerned: opened, kept alive, ended
//! once, and found by nobody but their caller.
//!
//! A process that works on a task says so again and again. One that has not for a while is gone,
//! and the task with it: whoever asks for it then ends it.

use std::time::Duration;

use tollbridge_operation::CallId;
use ulid::Ulid;

use super::{Caller, ErrorCode, Gateway};
use crate::audit::Event;
use crate::store::{Batch, Change, CommitError, EventRow, StoreError, TaskRow, TaskState};

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
        call: &CallId,
        time: Duration,
    ) -> Result<TaskRow, CommitError> {
        let now = self.store().now();
        // The time alone could be guessed; the rest of a ULID is 80 bits of chance.
        let id = format!("t_{}", Ulid::new().to_string().to_lowercase());
        let row = TaskRow {
            id,
            identity: caller.identity.to_string(),
            tool: tool.to_owned(),
            call: Some(call.to_string()),
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

    /// Ends a task whose process is gone, and its call in the trail, where that has no end: whether it
    /// had its effect nobody knows.
    pub async fn lose_task(&self, caller: &Caller, id: &str, result: String) {
        let store = self.store();
        let call = match store.task(caller.identity.as_str(), id).await {
            Ok(task) => task.and_then(|task| task.call),
            Err(error) => {
                tracing::error!(%error, task = id, "a task whose process is gone cannot be read");
                return;
            }
        };
        let events = match call {
            Some(call) if self.is_open(&call).await => vec![self.lost(&call)],
            _ => Vec::new(),
        };
        let end = Change::EndTask { id: id.to_owned(), state: TaskState::Completed, result };
        let batch = Batch { events: events.into(), changes: vec![end], ..Batch::default() };
        match store.commit(batch).await {
            Ok(_) | Err(CommitError::NoTask) => {}
            Err(error) => tracing::error!(%error, task = id, "a task's end could not be kept"),
        }
    }

    /// Whether a call has begun and not ended, as far as the trail tells.
    async fn is_open(&self, call: &str) -> bool {
        let events = self.store().events_of(call).await;
        events.is_ok_and(|events| {
            !events.is_empty() && events.iter().all(|event| event.kind != "replied")
        })
    }

    /// The end of a call whose process was killed.
    fn lost(&self, call: &str) -> EventRow {
        let event = Event::Replied {
            outcome: ErrorCode::OutcomeUnknown.as_str().to_owned(),
            message: Some("its process ended in the middle of it".to_owned()),
            attempts: 0,
            status: None,
            served_by: None,
            upstream_ms: 0,
            bytes: 0,
            cost: None,
            duration_ms: 0,
        };
        event.row(Some(&CallId::new(call)), self.store().now(), &self.toolbox().redactor)
    }

    async fn change(&self, change: Change) -> Result<(), CommitError> {
        let batch = Batch { changes: vec![change], ..Batch::default() };
        self.store().commit(batch).await.map(drop)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
