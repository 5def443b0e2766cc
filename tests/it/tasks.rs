//! Calls that a client follows as tasks: in the store, their caller's alone, with a result that can be
//! had again and again, whatever becomes of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tollbridge::agent::{AgentError, serve_lines};
use tollbridge::gateway::{CallWatch, Gateway, new_call_id};
use tollbridge::store::system_clock;

use super::support::{Act, Answer, Bridge, Draft, Upstream, caller, request};

/// A client that speaks lines to a server of its own on a gateway.
struct Client {
    input: WriteHalf<DuplexStream>,
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    knows_tasks: bool,
    can_ask: bool,
    /// Whether it shook hands, as clients of 2025-11-25 do.
    in_session: bool,
    serving: JoinHandle<Result<(), AgentError>>,
}

impl Client {
    fn new(gateway: &Gateway, identity: &str) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (output, input) = tokio::io::split(theirs);
        let backend = Arc::new(gateway.clone());
        let serving =
            serve_lines(backend, caller(identity), output, input, CancellationToken::new());
        let serving = tokio::spawn(serving);
        let (lines, input) = tokio::io::split(ours);
        Self {
            input,
            lines: BufReader::new(lines).lines(),
            knows_tasks: true,
            can_ask: false,
            in_session: false,
            serving,
        }
    }

    /// A client of 2025-11-25 that knows tasks and whose person can be asked.
    async fn session(gateway: &Gateway, identity: &str) -> Self {
        let mut client = Self { in_session: true, ..Self::new(gateway, identity) };
        let hello = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {
                "extensions": { "io.modelcontextprotocol/tasks": {} },
                "elicitation": {},
            },
            "clientInfo": { "name": "t", "version": "1" },
        });
        let answer = client.ask("initialize", hello).await;
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
        client.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        client
    }

    async fn say(&mut self, message: &Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).await.expect("it reads");
    }

    async fn hear(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(10), self.lines.next_line());
        let line = line.await.expect("an answer in time").expect("a line").expect("an answer");
        serde_json::from_str(&line).expect("JSON")
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        let mut params = params;
        let known = json!({ "io.modelcontextprotocol/tasks": {} });
        let extensions = if self.knows_tasks { known } else { json!({}) };
        let mut capabilities = json!({ "extensions": extensions });
        if self.can_ask {
            capabilities["elicitation"] = json!({});
        }
        if !self.in_session {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": capabilities,
                "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
            });
        }
        self.say(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })).await;
        self.hear().await
    }

    async fn call(&mut self) -> Value {
        self.ask("tools/call", json!({ "name": "list_items", "arguments": {} })).await
    }

    async fn get(&mut self, id: &str) -> Value {
        self.ask("tasks/get", json!({ "taskId": id })).await
    }

    /// The task once it is over.
    async fn ended(&mut self, id: &str) -> Value {
        loop {
            let task = self.get(id).await["result"].take();
            if task["status"] != "working" {
                return task;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn draft(upstream: &Upstream) -> Draft {
    Draft::to(&upstream.url()).tool("listItems", "long = true").tool("getItem", "")
}

async fn held() -> (Upstream, Bridge) {
    let upstream = Upstream::new([Act::Gate(Answer::json(200, "{\"a\": 1.50}"))]).await;
    let bridge = draft(&upstream).open().await;
    (upstream, bridge)
}

/// A task, opened as by a process that then goes away.
async fn opened(bridge: &Bridge) -> String {
    let (bot, time) = (caller("bot"), Duration::from_secs(45));
    let row = bridge.gateway.open_task(&bot, "list_items", &new_call_id(), time).await;
    row.expect("a task").id
}

fn id_of(task: &Value) -> String {
    assert_eq!(task["result"]["resultType"], "task", "{task}");
    assert_eq!(task["result"]["status"], "working");
    assert!(task["result"]["ttlMs"].as_u64().expect("a time") > 3_600_000);
    task["result"]["taskId"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_call_that_takes_long_becomes_a_task_whose_result_can_be_had_again() {
    let (upstream, bridge) = held().await;
    let mut client = Client::new(&bridge.gateway, "bot");
    let id = id_of(&client.call().await);
    assert_eq!(client.get(&id).await["result"]["status"], "working");
    upstream.release(1);
    let first = client.ended(&id).await;
    assert_eq!(first["status"], "completed");
    assert_eq!(first["result"]["structuredContent"].to_string(), r#"{"a":1.50}"#);
    assert_eq!(first["result"]["isError"], false);
    assert_eq!(client.ended(&id).await, first);
    // Kept in the store, and not in the process.
    let other = bridge.beside().await;
    assert_eq!(Client::new(&other, "bot").ended(&id).await["result"], first["result"]);
    assert_eq!((bridge.outcomes().await, upstream.count()), (vec!["succeeded".to_owned()], 1));
}

#[tokio::test]
async fn a_call_that_ends_soon_and_one_of_a_client_without_tasks_are_answered() {
    let upstream = Upstream::willing().await;
    let bridge = draft(&upstream).open().await;
    let mut client = Client::new(&bridge.gateway, "bot");
    assert_eq!(client.call().await["result"]["isError"], false);
    drop(client);
    let (upstream, bridge) = held().await;
    let mut client = Client::new(&bridge.gateway, "bot");
    client.knows_tasks = false;
    let (answer, ()) = tokio::join!(client.call(), async {
        upstream.until_seen(1).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        upstream.release(1);
    });
    assert_eq!(answer["result"]["resultType"], "complete");
    let refused = client.get("t_1").await;
    assert_eq!(refused["error"]["code"], -32021, "{refused}");
}

#[tokio::test]
async fn a_person_at_the_client_is_asked_before_a_call_becomes_a_task() {
    let upstream = Upstream::new([Act::Gate(Answer::json(200, "{\"a\": 1}"))]).await;
    let held = "long = true\nhold = { ask = [\"client\"] }";
    let bridge = Draft::to(&upstream.url()).tool("listItems", held).open().await;
    let mut client = Client::new(&bridge.gateway, "bot");
    client.can_ask = true;
    let asked = client.call().await["result"].take();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    assert_eq!(upstream.count(), 0);
    let answer = json!({
        "name": "list_items",
        "arguments": {},
        "requestState": asked["requestState"],
        "inputResponses": { "approval": { "action": "accept", "content": { "approve": true } } },
    });
    let id = id_of(&client.ask("tools/call", answer).await);
    upstream.release(1);
    let task = client.ended(&id).await;
    assert_eq!((&task["status"], &task["result"]["isError"]), (&json!("completed"), &json!(false)));
    assert_eq!(bridge.outcomes().await, ["held", "succeeded"]);
}

#[tokio::test]
async fn in_a_session_whoever_declares_tasks_gets_one_and_is_asked_before_it_is_one() {
    let upstream = Upstream::new([Act::Gate(Answer::json(200, "{\"a\": 1}"))]).await;
    let held = "long = true\nhold = { ask = [\"client\"] }";
    let bridge = Draft::to(&upstream.url())
        .tool("listItems", "long = true")
        .tool("getItem", held)
        .open()
        .await;
    let mut client = Client::session(&bridge.gateway, "bot").await;
    let id = id_of(&client.call().await);
    assert_eq!(client.get(&id).await["result"]["status"], "working");
    upstream.release(1);
    assert_eq!(client.ended(&id).await["status"], "completed");

    let call = json!({ "name": "get_item", "arguments": { "id": "7" } });
    let question = client.ask("tools/call", call).await;
    assert_eq!(question["method"], "elicitation/create", "{question}");
    assert_eq!(upstream.count(), 1);
    let yes = json!({ "action": "accept", "content": { "approve": true } });
    client.say(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": yes })).await;
    let id = id_of(&client.hear().await);
    upstream.release(1);
    let task = client.ended(&id).await;
    assert_eq!((&task["status"], &task["result"]["isError"]), (&json!("completed"), &json!(false)));
    assert_eq!(bridge.outcomes().await, ["succeeded", "succeeded"]);
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn a_long_call_whose_client_cannot_ask_is_refused_with_a_way_out() {
    let upstream = Upstream::willing().await;
    for (ask, code, way) in [
        ("[\"client\", \"operator\"]", "held", "tollbridge approve h_"),
        ("[\"client\"]", "denied", "a client that can (MCP elicitation)"),
    ] {
        let held = format!("long = true\nhold = {{ ask = {ask} }}");
        let bridge = Draft::to(&upstream.url()).tool("listItems", &held).open().await;
        let mut client = Client::new(&bridge.gateway, "bot");
        let refused = client.call().await["result"].take();
        assert_eq!(refused["resultType"], "complete", "no task: {refused}");
        let error = &refused["structuredContent"]["error"];
        assert_eq!(error["code"], code);
        assert!(error["next_step"].as_str().expect("a way out").contains(way), "{error}");
        if code == "held" {
            bridge.approve(error["hold"]["id"].as_str().expect("a handle")).await;
            assert_eq!(client.call().await["result"]["isError"], false);
        }
    }
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn a_task_is_its_callers_alone() {
    let (upstream, bridge) = held().await;
    let id = id_of(&Client::new(&bridge.gateway, "bot").call().await);
    let mut eve = Client::new(&bridge.gateway, "eve");
    for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
        let mut params = json!({ "taskId": id, "inputResponses": {} });
        let theirs = eve.ask(method, params.clone()).await;
        params["taskId"] = json!("t_nothing");
        let nobodys = eve.ask(method, params).await;
        assert_eq!(theirs["error"], nobodys["error"], "{method}");
        assert_eq!(theirs["error"]["code"], -32602, "{method}: {theirs}");
    }
    upstream.release(1);
}

#[tokio::test]
async fn a_task_outlives_its_client_and_not_its_cancellation() {
    let (upstream, bridge) = held().await;
    let mut client = Client::new(&bridge.gateway, "bot");
    let id = id_of(&client.call().await);
    let ack = client.ask("tasks/cancel", json!({ "taskId": id })).await;
    assert_eq!(ack["result"]["resultType"], "complete", "{ack}");
    let task = client.ended(&id).await;
    assert_eq!(task["status"], "cancelled");
    let why = task["statusMessage"].as_str().expect("what is known of it");
    assert!(why.contains("cancelled"), "{why}");
    upstream.until_closed(1).await;
    assert_eq!(bridge.outcomes().await, ["cancelled"]);
    // What has ended stays as it is.
    client.ask("tasks/cancel", json!({ "taskId": id })).await;
    assert_eq!(client.ended(&id).await["status"], "cancelled");
}

#[tokio::test]
async fn what_ends_with_its_server_says_so() {
    let (_upstream, bridge) = held().await;
    let mut client = Client::new(&bridge.gateway, "bot");
    let id = id_of(&client.call().await);
    let Client { input, lines, serving, .. } = client;
    drop((input, lines));
    serving.await.expect("it ends").expect("it serves");
    let mut client = Client::new(&bridge.gateway, "bot");
    let task = client.ended(&id).await;
    assert_eq!(task["status"], "completed");
    assert_eq!(task["result"]["structuredContent"]["error"]["code"], "cancelled");
}

#[tokio::test]
async fn a_task_whose_process_is_gone_ends_as_of_unknown_outcome() {
    static LATER: AtomicI64 = AtomicI64::new(0);
    fn clock() -> i64 {
        system_clock() + LATER.load(Ordering::Relaxed) * 1_000_000
    }
    let upstream = Upstream::new([Act::Hang]).await;
    let bridge = draft(&upstream).open_at(clock).await;
    // Its process began the call, opened the task, and was killed.
    let call = new_call_id();
    let watch = CallWatch { id: Some(call.clone()), ..CallWatch::default() };
    let gateway = bridge.gateway.clone();
    let killed = tokio::spawn(async move {
        let _ = gateway.call(caller("bot"), request("list_items", "{}"), watch).await;
    });
    upstream.until_seen(1).await;
    let (bot, time) = (caller("bot"), Duration::from_secs(45));
    let row = bridge.gateway.open_task(&bot, "list_items", &call, time).await;
    let id = row.expect("a task").id;
    let mut client = Client::new(&bridge.gateway, "bot");
    assert_eq!(client.get(&id).await["result"]["status"], "working");
    LATER.store(31, Ordering::Relaxed);
    // Some process says that it is alive.
    bridge.gateway.keep_task(&id).await;
    assert_eq!(client.get(&id).await["result"]["status"], "working");
    LATER.store(62, Ordering::Relaxed);
    let task = client.ended(&id).await;
    assert_eq!(task["result"]["structuredContent"]["error"]["code"], "outcome_unknown");
    assert_eq!(client.ended(&id).await, task);
    // And so does its call in the trail, once.
    assert_eq!(bridge.outcomes().await, ["outcome_unknown"]);
    let events = bridge.record_of(call.as_str()).await.events;
    assert_eq!(events.iter().filter(|event| event.body["kind"] == "replied").count(), 1);
    // And is forgotten when its time is over.
    LATER.store(4_000, Ordering::Relaxed);
    assert_eq!(client.get(&id).await["error"]["code"], -32602);
    killed.abort();
}

#[tokio::test]
async fn a_call_that_ended_before_its_process_did_keeps_its_end() {
    let upstream = Upstream::willing().await;
    let bridge = draft(&upstream).open().await;
    let reply = bridge.call("list_items", "{}").await;
    let (bot, time) = (caller("bot"), Duration::from_secs(45));
    let row = bridge.gateway.open_task(&bot, "list_items", &reply.meta.id, time).await;
    bridge.gateway.lose_task(&bot, &row.expect("a task").id, "{}".to_owned()).await;
    assert_eq!(bridge.outcomes().await, ["succeeded"]);
}

#[tokio::test]
async fn a_hundred_tasks_of_one_identity_may_work_and_further_calls_are_waited_for() {
    let (upstream, bridge) = held().await;
    for _ in 0..100 {
        opened(&bridge).await;
    }
    let mut client = Client::new(&bridge.gateway, "bot");
    let (answer, ()) = tokio::join!(client.call(), async {
        upstream.until_seen(1).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        upstream.release(1);
    });
    assert_eq!(answer["result"]["structuredContent"].to_string(), r#"{"a":1.50}"#);
    // Another one's are not counted with them.
    let (eve, call, time) = (caller("eve"), new_call_id(), Duration::from_secs(45));
    assert!(bridge.gateway.open_task(&eve, "list_items", &call, time).await.is_ok());
}

#[tokio::test]
async fn where_a_task_cannot_be_kept_the_client_waits_for_the_answer() {
    let (upstream, bridge) = held().await;
    bridge
        .sql("CREATE TRIGGER full BEFORE INSERT ON tasks BEGIN SELECT RAISE(ABORT, 'full'); END")
        .await;
    let mut client = Client::new(&bridge.gateway, "bot");
    let (answer, ()) = tokio::join!(client.call(), async {
        upstream.until_seen(1).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        upstream.release(1);
    });
    assert_eq!(answer["result"]["resultType"], "complete");
    assert_eq!(answer["result"]["structuredContent"].to_string(), r#"{"a":1.50}"#);
    assert_eq!(bridge.outcomes().await, ["succeeded"]);
}

#[tokio::test]
async fn a_task_can_be_cancelled_by_way_of_another_process() {
    let upstream = Upstream::willing().await;
    let bridge = draft(&upstream).open().await;
    let id = opened(&bridge).await;
    assert!(!bridge.gateway.keep_task(&id).await);
    let other = bridge.beside().await;
    Client::new(&other, "bot").ask("tasks/cancel", json!({ "taskId": id })).await;
    assert!(bridge.gateway.keep_task(&id).await, "whoever works on it hears of it");
}

#[tokio::test]
async fn a_task_whose_result_was_erased_says_so_and_that_the_call_was_made() {
    let upstream = Upstream::willing().await;
    let bridge = draft(&upstream).open().await;
    let id = opened(&bridge).await;
    let result = r#"{"erased":"completed"}"#.to_owned();
    bridge.gateway.end_task(&id, tollbridge::gateway::TaskState::Completed, result).await;
    let task = Client::new(&bridge.gateway, "bot").ended(&id).await;
    assert_eq!(task["status"], "completed");
    let error = &task["result"]["structuredContent"]["error"];
    assert_eq!(
        (&task["result"]["isError"], &error["code"]),
        (&json!(true), &json!("outcome_unknown"))
    );
    assert!(error["message"].as_str().expect("a message").contains("was erased"), "{error}");
}
