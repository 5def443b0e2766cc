//! A backend for this room's tests, and a client that speaks raw lines to it.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tollbridge_operation::{CallId, Identity, Payload};

use super::resources::{Place, PlaceKind};
use super::{AgentError, Backend, Hints, TaskEnd, TaskView, ToolList, ToolView, serve_lines};
use crate::gateway::{
    CallMeta, CallRequest, CallWatch, Caller, ErrorCode, Failure, OtherRequest, Progress, Refused,
    Reply, StoreError, Success, Transport,
};
use crate::tools::Published;

pub(super) fn identity(name: &str) -> Identity {
    Identity::new(name).unwrap()
}

pub(super) fn caller(transport: Transport) -> Caller {
    Caller::new(identity("local"), transport)
}

pub(super) fn meta() -> CallMeta {
    CallMeta {
        id: CallId::new("01CALL"),
        attempts: 1,
        status: Some(200),
        upstream_ms: 7,
        served_by: Some("https://api.example.com/x".into()),
        edited: None,
        suspicious: Vec::new(),
    }
}

pub(super) fn success(payload: Payload) -> Reply {
    Reply {
        meta: meta(),
        result: Ok(Success {
            payload,
            drift: Vec::new(),
            headers: Map::new(),
            cuts: Vec::new(),
            pages: None,
            note: None,
            next: Vec::new(),
        }),
    }
}

pub(super) fn failure(code: ErrorCode) -> Failure {
    Failure {
        code,
        message: "It did not work.".into(),
        retryable: false,
        retry_after_s: None,
        next_step: "Do something else.".into(),
        upstream: None,
        violations: Vec::new(),
        hold: None,
        pending: None,
        payment_required: None,
    }
}

/// Tools by name: `echo` answers its arguments, `slow` waits to be cancelled, `steps` tells
/// its progress, `pause` takes a while, `unrecorded` cannot be recorded; there are no others.
#[derive(Debug)]
pub(super) struct Double {
    tools: Mutex<Arc<ToolList>>,
    changes: watch::Sender<u64>,
    pub(super) calls: Mutex<Vec<(Caller, CallRequest)>>,
    pub(super) malformed: Mutex<Vec<(Transport, Option<Identity>, String)>>,
    /// What was answered that was no call.
    pub(super) answered: Mutex<Vec<OtherRequest>>,
    /// How many calls of `slow` have begun, and how many were cancelled.
    pub(super) slow: watch::Sender<(u32, u32)>,
    pub(super) ready: Mutex<Result<Value, Value>>,
    /// Whether there is something to read beside tools.
    discovers: bool,
}

impl Double {
    pub(super) fn new() -> Arc<Self> {
        Self::that(false)
    }

    /// One with resources and prompts.
    pub(super) fn discovering() -> Arc<Self> {
        Self::that(true)
    }

    fn that(discovers: bool) -> Arc<Self> {
        let double = Self {
            tools: Mutex::default(),
            changes: watch::Sender::new(0),
            calls: Mutex::default(),
            malformed: Mutex::default(),
            answered: Mutex::default(),
            slow: watch::Sender::new((0, 0)),
            ready: Mutex::new(Ok(json!({ "ready": true }))),
            discovers,
        };
        double.list(&["echo", "slow", "steps", "unrecorded"]);
        Arc::new(double)
    }

    fn list(&self, names: &[&str]) {
        let schema: Map<String, Value> =
            [("type".to_owned(), json!("object"))].into_iter().collect();
        let tool = |name: &&str| ToolView {
            name: (*name).to_owned(),
            title: Some(format!("Title of {name}")),
            description: Some("What it does.".to_owned()),
            input_schema: Published::new(schema.clone()),
            output_schema: None,
            hints: Hints { read_only: Some(true), ..Hints::default() },
            meta: None,
        };
        let list = ToolList { digest: names.join(","), tools: names.iter().map(tool).collect() };
        *self.tools.lock().unwrap() = Arc::new(list);
    }

    /// Swaps the tool list and says so.
    pub(super) fn swap(&self, names: &[&str]) {
        self.list(names);
        self.changes.send_modify(|version| *version += 1);
    }

    pub(super) fn reasons(&self) -> Vec<String> {
        self.malformed.lock().unwrap().iter().map(|(_, _, reason)| reason.clone()).collect()
    }

    pub(super) async fn slow_calls(&self, begun: u32, cancelled: u32) {
        let mut slow = self.slow.subscribe();
        let reached = slow.wait_for(|now| *now == (begun, cancelled));
        let reached = tokio::time::timeout(Duration::from_secs(5), reached).await;
        assert!(reached.is_ok(), "{:?}", *self.slow.borrow());
    }
}

impl Backend for Double {
    fn tools(&self, _: &Caller) -> Arc<ToolList> {
        self.tools.lock().unwrap().clone()
    }

    fn describes(&self, caller: &Caller, tool: &str) -> bool {
        let list = self.tools(caller);
        list.tools.iter().any(|view| view.name == tool && view.output_schema.is_some())
    }

    async fn call(
        &self,
        caller: Caller,
        request: CallRequest,
        watch: CallWatch,
    ) -> Result<Reply, Refused> {
        self.calls.lock().unwrap().push((caller, request.clone()));
        match request.tool.as_str() {
            "echo" => Ok(success(Payload::Value(Value::Object(request.arguments)))),
            "steps" => {
                // The third goes back, which no client may see.
                for done in [1, 2, 2, 3] {
                    if let Some(progress) = &watch.progress {
                        progress.send(Progress { done, message: "step".into() }).await.unwrap();
                    }
                }
                tokio::task::yield_now().await;
                Ok(success(Payload::Empty))
            }
            "slow" => {
                self.slow.send_modify(|(begun, _)| *begun += 1);
                watch.cancel.cancelled().await;
                self.slow.send_modify(|(_, cancelled)| *cancelled += 1);
                Ok(Reply { meta: meta(), result: Err(failure(ErrorCode::Cancelled)) })
            }
            "pause" => {
                self.slow.send_modify(|(begun, _)| *begun += 1);
                tokio::time::sleep(Duration::from_millis(300)).await;
                Ok(success(Payload::Empty))
            }
            "unrecorded" => Err(Refused::Unrecorded),
            _ => Err(Refused::UnknownTool { tool: request.tool, call: CallId::new("01CALL") }),
        }
    }

    async fn malformed(&self, transport: Transport, identity: Option<Identity>, reason: String) {
        self.malformed.lock().unwrap().push((transport, identity, reason));
    }

    async fn ready(&self) -> Result<Value, Value> {
        self.ready.lock().unwrap().clone()
    }

    fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }

    fn answered(&self, request: OtherRequest, _: Duration) {
        self.answered.lock().unwrap().push(request);
    }

    fn traces(&self) -> bool {
        true
    }

    fn server_name(&self) -> String {
        "acme".to_owned()
    }

    fn instructions(&self) -> Option<String> {
        Some("Call echo.".to_owned())
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    // It has no long tools.
    fn scopes(&self) -> Vec<String> {
        vec!["write".to_owned()]
    }

    /// The tool `slow` asks for a scope.
    fn lacks_scopes(&self, caller: &Caller, tool: &str) -> Option<Vec<String>> {
        let wanted = vec!["write".to_owned()];
        let lacking = tool == "slow" && !caller.facts.lacking(&wanted).is_empty();
        lacking.then_some(wanted)
    }

    fn discovers(&self) -> bool {
        self.discovers
    }

    async fn apis(&self, _: &Caller) -> Vec<(String, String)> {
        vec![("shop".to_owned(), "The Shop".to_owned())]
    }

    async fn read(&self, _: &Caller, place: &Place) -> Result<Option<String>, StoreError> {
        Ok(match place {
            Place::Operation(id) if id == "shop/get item" => Some("getItem(id)".to_owned()),
            _ => None,
        })
    }

    async fn begin_so(
        &self,
        _: &Caller,
        kind: PlaceKind,
        beginning: &str,
    ) -> Result<Vec<String>, StoreError> {
        let all = (0..150).map(|n| format!("{kind:?}-{n:03}"));
        Ok(all.filter(|name| name.starts_with(beginning)).collect())
    }

    fn runs_long(&self, _: &Caller, _: &str) -> Option<Duration> {
        None
    }

    fn asks_client(&self, _: &Caller, _: &str) -> bool {
        false
    }

    async fn open_task(&self, _: &Caller, _: &str, _: &CallId, _: Duration) -> Option<TaskView> {
        None
    }

    async fn task(&self, _: &Caller, _: &str) -> Result<Option<TaskView>, StoreError> {
        Ok(None)
    }

    async fn keep_task(&self, _: &str) -> bool {
        false
    }

    async fn cancel_task(&self, _: &str) {}

    async fn lose_task(&self, _: &Caller, _: &str, _: String) {}

    async fn end_task(&self, _: &str, _: TaskEnd) {}
}

/// A request of the 2026-07-28 revision.
pub(super) fn modern(id: impl Into<Value>, method: &str, mut params: Value) -> Value {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({ "name": "t", "version": "1" });
    legacy(id, method, params)
}

pub(super) fn legacy(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}

pub(super) fn initialize(version: &str) -> Value {
    let client = json!({ "name": "t", "version": "1" });
    let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client });
    legacy(0, "initialize", params)
}

pub(super) fn initialized() -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })
}

/// A client of `serve_lines`.
pub(super) struct Talk {
    pub(super) lines: Lines<BufReader<DuplexStream>>,
    pub(super) input: Option<DuplexStream>,
    pub(super) server: JoinHandle<Result<(), AgentError>>,
    pub(super) shutdown: CancellationToken,
}

impl Talk {
    pub(super) fn with(backend: &Arc<Double>) -> Self {
        let (write, input) = tokio::io::duplex(64 * 1024);
        let (output, read) = tokio::io::duplex(64 * 1024);
        let shutdown = CancellationToken::new();
        let caller = caller(Transport::Stdio);
        let serving = serve_lines(Arc::clone(backend), caller, input, output, shutdown.clone());
        let server = tokio::spawn(serving);
        let lines = BufReader::new(read).lines();
        Self { lines, input: Some(write), server, shutdown }
    }

    /// A legacy client after its handshake.
    pub(super) async fn legacy(backend: &Arc<Double>) -> Self {
        let mut talk = Self::with(backend);
        talk.ask(initialize("2025-11-25")).await;
        talk.tell(initialized()).await;
        talk
    }

    pub(super) async fn send(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line.as_bytes()).await.unwrap();
        input.write_all(b"\n").await.unwrap();
    }

    pub(super) async fn tell(&mut self, message: Value) {
        self.send(&message.to_string()).await;
    }

    pub(super) async fn hear(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(5), self.lines.next_line()).await;
        let line = line.expect("an answer in time").unwrap().expect("an answer");
        serde_json::from_str(&line).expect("nothing but JSON")
    }

    pub(super) async fn ask(&mut self, message: Value) -> Value {
        self.tell(message).await;
        self.hear().await
    }

    /// Ends the client's output, as a client does that goes away.
    pub(super) async fn hang_up(&mut self) {
        if let Some(mut input) = self.input.take() {
            input.shutdown().await.unwrap();
        }
    }

    pub(super) async fn ended(self) {
        let ended = tokio::time::timeout(Duration::from_secs(8), self.server).await;
        ended.expect("the server ends").unwrap().unwrap();
    }
}
