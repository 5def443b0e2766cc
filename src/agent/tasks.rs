//! Calls that go on after their request was answered: MCP's tasks extension (SEP-2663).
//!
//! Who decides is the configuration: a tool that is `long`, called by a client that knows tasks.
//! A call that ends soon is answered like any other; one that does not becomes a task, which is
//! in the store before the client hears of it, and whose result can be had again and again until
//! it is forgotten. A task is its caller's alone: for everybody else it does not exist.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::{
    CallToolResponse, CreateTaskResult, DetailedTask, GetTaskResult, JsonObject, Task, TaskPayload,
    TaskStatus,
};
use serde_json::Value;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::asking::Asks;
use super::handler::{Asked, Handler};
use super::result::{self, Made};
use super::{Backend, TaskEnd, TaskStanding, TaskView};
use crate::gateway::{Asking, Caller, is_erased, new_call_id};

/// How long a client waits for an answer before it is given a task instead.
const EARLY: Duration = Duration::from_millis(500);

/// How often it is said that a task's process is alive, and looked whether it is to end.
const BEAT: Duration = Duration::from_secs(5);

/// How often a client should ask, in milliseconds.
const POLL_MS: u64 = 1_000;

/// The tasks that this process works on, with what ends them.
#[derive(Debug, Clone, Default)]
pub(super) struct Tasks(Arc<Mutex<HashMap<String, CancellationToken>>>);

impl Tasks {
    fn add(&self, id: String, cancel: CancellationToken) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, cancel);
    }

    fn remove(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    fn cancel_of(&self, id: &str) -> Option<CancellationToken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

type Carried = JoinHandle<Result<Made, ErrorData>>;

impl<B: Backend> Handler<B> {
    /// Carries a call of a long tool out: its result where it ends soon, else a task. `gone` is
    /// cancelled when nobody waits for the answer; a task goes on.
    ///
    /// Nothing can be asked of a client in the middle of a task, so a person at the client is asked
    /// before: until the call is let through it is no task.
    pub(super) async fn call_long(
        &self,
        caller: Caller,
        mut asked: Asked,
        time: Duration,
        mut asks: Asks,
        gone: CancellationToken,
    ) -> Result<CallToolResponse, ErrorData> {
        let cancel = CancellationToken::new();
        let call = asked.id.get_or_insert_with(new_call_id).clone();
        let (tool, whose) = (asked.tool.clone(), caller.clone());
        let through = (!matches!(asks.way, Asking::Never)).then(CancellationToken::new);
        asks.through.clone_from(&through);
        // It may be ended by more than who asks for that: by the server, for one.
        let (handler, token) = (self.clone(), cancel.child_token());
        let mut carried: Carried = tokio::spawn(async move {
            handler.carry_out_asking(caller, asked, token, None, asks).await
        });
        let soon = async {
            if let Some(through) = through {
                through.cancelled().await;
            }
            sleep(EARLY).await;
        };
        let early = tokio::select! {
            biased;
            ended = &mut carried => Some(ended),
            () = gone.cancelled() => {
                cancel.cancel();
                Some((&mut carried).await)
            }
            () = soon => None,
        };
        if let Some(ended) = early {
            return Ok(self.answer(made(ended)?));
        }
        let Some(view) = self.backend().open_task(&whose, &tool, &call, time).await else {
            // It cannot be kept, so the client must wait.
            let ended = tokio::select! {
                ended = &mut carried => ended,
                () = gone.cancelled() => {
                    cancel.cancel();
                    (&mut carried).await
                }
            };
            return Ok(self.answer(made(ended)?));
        };
        let task = seed(&view);
        self.tasks().add(view.id.clone(), cancel.clone());
        let handler = self.clone();
        let ticket = self.in_flight().enter();
        tokio::spawn(async move {
            handler.see_through(view.id, carried, cancel).await;
            drop(ticket);
        });
        let meta = result::server_meta(self.server());
        Ok(CallToolResponse::Task(CreateTaskResult::new(task).with_meta(meta)))
    }

    /// Waits for the end of a task's call, and keeps it.
    async fn see_through(&self, id: String, mut carried: Carried, cancel: CancellationToken) {
        let ended = loop {
            tokio::select! {
                biased;
                ended = &mut carried => break ended,
                () = sleep(BEAT) => if self.backend().keep_task(&id).await {
                    cancel.cancel();
                }
            }
        };
        let end = match made(ended) {
            // A call that was asked to end may have come to its end all the same.
            Ok(made) => match made.why_cancelled().filter(|_| cancel.is_cancelled()) {
                Some(why) => TaskEnd::Cancelled(why.to_owned()),
                None => TaskEnd::Completed(json(&made.into_library())),
            },
            Err(error) => TaskEnd::Failed(json(&error)),
        };
        self.backend().end_task(&id, end).await;
        self.tasks().remove(&id);
    }

    /// How a task stands.
    pub(super) async fn task(&self, caller: &Caller, id: &str) -> Result<GetTaskResult, ErrorData> {
        let mut view = self.known(caller, id).await?;
        if view.lost && self.tasks().cancel_of(id).is_none() {
            let lost = result::lost(self.server()).into_library();
            self.backend().lose_task(caller, id, json(&lost)).await;
            view = self.known(caller, id).await?;
        }
        let mut task = seed(&view);
        let payload = match &view.standing {
            TaskStanding::Working => TaskPayload::Working,
            TaskStanding::Ended(TaskEnd::Completed(result)) if is_erased(result) => {
                let erased = json(&result::erased(self.server()).into_library());
                TaskPayload::Completed { result: object(&erased)? }
            }
            TaskStanding::Ended(TaskEnd::Failed(error)) if is_erased(error) => {
                let erased = ErrorData::internal_error("what it ended with was erased", None);
                TaskPayload::Failed { error: object(&json(&erased))? }
            }
            TaskStanding::Ended(TaskEnd::Completed(result)) => {
                TaskPayload::Completed { result: object(result)? }
            }
            TaskStanding::Ended(TaskEnd::Failed(error)) => {
                TaskPayload::Failed { error: object(error)? }
            }
            TaskStanding::Ended(TaskEnd::Cancelled(why)) => {
                task = task.with_status_message(why);
                TaskPayload::Cancelled
            }
        };
        let mut result = GetTaskResult::new(DetailedTask::new(task, payload));
        result.meta = Some(result::server_meta(self.server()));
        Ok(result)
    }

    /// Has a task end. What has ended already stays as it is.
    pub(super) async fn end_early(&self, caller: &Caller, id: &str) -> Result<(), ErrorData> {
        self.known(caller, id).await?;
        self.backend().cancel_task(id).await;
        if let Some(cancel) = self.tasks().cancel_of(id) {
            cancel.cancel();
        }
        Ok(())
    }

    /// The task of that name, if it is this caller's.
    pub(super) async fn known(&self, caller: &Caller, id: &str) -> Result<TaskView, ErrorData> {
        match self.backend().task(caller, id).await {
            Ok(Some(view)) => Ok(view),
            Ok(None) => Err(ErrorData::invalid_params("unknown task", None)),
            Err(error) => {
                tracing::error!(%error, "tasks cannot be read");
                Err(ErrorData::internal_error("tasks cannot be read now", None))
            }
        }
    }
}

fn made(ended: Result<Result<Made, ErrorData>, JoinError>) -> Result<Made, ErrorData> {
    ended.unwrap_or_else(|error| {
        tracing::error!(%error, "a call ended in a defect");
        Err(ErrorData::internal_error("a defect of the bridge", None))
    })
}

fn seed(view: &TaskView) -> Task {
    let mut task =
        Task::new(&view.id, TaskStatus::Working, view.created.clone(), view.updated.clone())
            .with_poll_interval_ms(POLL_MS);
    task.ttl_ms = Some(view.ttl_ms);
    task
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("a result is made of JSON values")
}

fn object(text: &str) -> Result<JsonObject, ErrorData> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(ErrorData::internal_error("what was kept of the task cannot be read", None)),
    }
}
