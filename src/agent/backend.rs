//! The seam to what stands behind the agent interface: the gateway in the program, a double
//! in this room's tests.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;
use tollbridge_operation::{CallId, Identity};

use super::resources::{Place, PlaceKind};
use crate::gateway::{
    CallRequest, CallWatch, Caller, OtherRequest, Refused, Reply, StoreError, Transport,
};
use crate::tools::Published;

/// What the agent interface asks of the rest of the program.
pub trait Backend: Send + Sync + 'static {
    /// The tools of exactly this caller, in their order in `tools.toml`.
    fn tools(&self, caller: &Caller) -> Arc<ToolList>;

    /// Whether this caller's tool of that name is listed with a schema of its result.
    fn describes(&self, caller: &Caller, tool: &str) -> bool;

    /// Carries out one call. The future is polled to its end even when the client has gone:
    /// `watch.cancel` tells it.
    fn call(
        &self,
        caller: Caller,
        request: CallRequest,
        watch: CallWatch,
    ) -> impl Future<Output = Result<Reply, Refused>> + Send;

    /// All scopes that some tool asks of tokens.
    fn scopes(&self) -> Vec<String>;

    /// The scopes that a tool asks for, where this caller may see it and its token lacks some.
    fn lacks_scopes(&self, caller: &Caller, tool: &str) -> Option<Vec<String>>;

    /// Records a message that was refused before it was a call.
    fn malformed(
        &self,
        transport: Transport,
        identity: Option<Identity>,
        reason: String,
    ) -> impl Future<Output = ()> + Send;

    /// Whether calls can be carried out now, with the details that `/-/ready` shows.
    fn ready(&self) -> impl Future<Output = Result<Value, Value>> + Send;

    /// The text of `/metrics`.
    fn metrics(&self) -> String;

    /// Told of each request that was answered without [`call`](Self::call), and how long that took.
    fn answered(&self, request: OtherRequest, took: Duration);

    /// Whether requests are traced, so that what their messages say of themselves is of use.
    fn traces(&self) -> bool;

    /// `[server] name`.
    fn server_name(&self) -> String;

    /// What clients are told about the server as a whole.
    fn instructions(&self) -> Option<String>;

    /// Ticks when the tool list was swapped.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Whether there is anything to discover for somebody.
    fn discovers(&self) -> bool;

    /// The APIs of which this caller may discover something: their names and titles.
    fn apis(&self, caller: &Caller) -> impl Future<Output = Vec<(String, String)>> + Send;

    /// What is to be read at a place; `None` where this caller may not, or nothing is there.
    fn read(
        &self,
        caller: &Caller,
        place: &Place,
    ) -> impl Future<Output = Result<Option<String>, StoreError>> + Send;

    /// The names of what this caller may read that begin so.
    fn begin_so(
        &self,
        caller: &Caller,
        kind: PlaceKind,
        beginning: &str,
    ) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// How long calls of this caller's tool of that name may take, where clients may follow them
    /// as tasks.
    fn runs_long(&self, caller: &Caller, tool: &str) -> Option<Duration>;

    /// Whether the person at the client may be asked to approve this caller's calls of that tool.
    fn asks_client(&self, caller: &Caller, tool: &str) -> bool;

    /// Opens a task of this caller's; `None` where it cannot be kept.
    fn open_task(
        &self,
        caller: &Caller,
        tool: &str,
        call: &CallId,
        time: Duration,
    ) -> impl Future<Output = Option<TaskView>> + Send;

    /// This caller's task of that name.
    fn task(
        &self,
        caller: &Caller,
        id: &str,
    ) -> impl Future<Output = Result<Option<TaskView>, StoreError>> + Send;

    /// Says that the task's process is alive; whether the task is to end.
    fn keep_task(&self, id: &str) -> impl Future<Output = bool> + Send;

    /// Has the process that works on the task end it.
    fn cancel_task(&self, id: &str) -> impl Future<Output = ()> + Send;

    /// Ends a task whose process is gone, and its call in the trail.
    fn lose_task(
        &self,
        caller: &Caller,
        id: &str,
        result: String,
    ) -> impl Future<Output = ()> + Send;

    /// Keeps how a task ended, once.
    fn end_task(&self, id: &str, end: TaskEnd) -> impl Future<Output = ()> + Send;
}

/// A task as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskView {
    /// Its handle.
    pub id: String,
    /// When it was opened: RFC 3339.
    pub created: String,
    /// When it last changed: RFC 3339.
    pub updated: String,
    /// For how long it is kept, from when it was opened.
    pub ttl_ms: u64,
    /// Where it stands.
    pub standing: TaskStanding,
    /// Whether it works and its process has not said for a while that it is alive.
    pub lost: bool,
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskStanding {
    /// Its call is carried out.
    Working,
    /// It is over.
    Ended(TaskEnd),
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskEnd {
    /// With the result of its call, as JSON; failures of the call are such.
    Completed(String),
    /// With an error of the protocol, as JSON.
    Failed(String),
    /// It was asked to end, and did: what is known of its effect.
    Cancelled(String),
}

/// A caller's tools.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolList {
    /// Equal for equal lists: who is told of a change is told only where this changed.
    pub digest: String,
    /// The tools, in the order in which they are listed.
    pub tools: Vec<ToolView>,
}

/// One tool as a client sees it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolView {
    /// The name to call it by.
    pub name: String,
    /// A name for people.
    pub title: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// The JSON Schema of its arguments; its root has `type: object`.
    pub input_schema: Published,
    /// The JSON Schema that describes its result.
    pub output_schema: Option<Published>,
    /// What it may do to the world.
    pub hints: Hints,
    /// `_meta`.
    pub meta: Option<Map<String, Value>>,
}

impl ToolView {
    /// About how long its text is.
    pub(super) fn size(&self) -> usize {
        let schemas = std::iter::once(&self.input_schema).chain(&self.output_schema);
        let texts = [&self.title, &self.description].into_iter().flatten().map(String::len);
        300 + texts.sum::<usize>() + schemas.map(Published::size).sum::<usize>()
    }
}

/// MCP's tool annotations, where we can say them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints {
    /// It changes nothing.
    pub read_only: Option<bool>,
    /// It removes or overwrites something.
    pub destructive: Option<bool>,
    /// Doing it twice is as doing it once.
    pub idempotent: Option<bool>,
    /// It deals with a world that others change too.
    pub open_world: Option<bool>,
}
