#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rmcp::model::CallToolRequestParams;
use rmcp::service::RoleClient;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt};
use serde_json::json;

use super::*;
use crate::agent::double::{Double, Talk, caller, initialize, initialized, legacy, modern};
use crate::agent::serve_lines;
use crate::gateway::{OperationEnd, OtherRequest};

fn call(name: &str, arguments: Value) -> Value {
    json!({ "name": name, "arguments": arguments })
}

#[tokio::test]
async fn only_three_revisions_are_spoken() {
    let mut talk = Talk::with(&Double::new());
    let found = talk.ask(modern(1, "server/discover", json!({}))).await;
    assert_eq!(
        found["result"]["supportedVersions"],
        json!(["2025-06-18", "2025-11-25", "2026-07-28"])
    );
    let capabilities = json!({
        "extensions": { "io.modelcontextprotocol/tasks": {} },
        "tools": { "listChanged": true },
    });
    assert_eq!(found["result"]["capabilities"], capabilities);
    assert_eq!(found["result"]["instructions"], "Call echo.");
    let server = &found["result"]["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(server["name"], "acme");

    for (asked, given) in
        [("2025-06-18", "2025-06-18"), ("2025-11-25", "2025-11-25"), ("2024-11-05", "2025-11-25")]
    {
        let mut talk = Talk::with(&Double::new());
        let answer = talk.ask(initialize(asked)).await;
        assert_eq!(answer["result"]["protocolVersion"], given);
        assert_eq!(answer["result"]["serverInfo"]["name"], "acme");
    }
}

#[tokio::test]
async fn tools_are_listed_in_order_on_one_page() {
    let mut talk = Talk::with(&Double::new());
    let page = talk.ask(modern(1, "tools/list", json!({}))).await["result"].clone();
    let names: Vec<_> = page["tools"].as_array().unwrap().iter().map(|t| &t["name"]).collect();
    assert_eq!(names, ["echo", "slow", "steps", "unrecorded"]);
    assert_eq!(page["tools"][0]["annotations"], json!({ "readOnlyHint": true }));
    assert_eq!((&page["cacheScope"], &page["resultType"]), (&json!("private"), &json!("complete")));
    assert!(page["ttlMs"].is_u64());
    assert!(page["nextCursor"].is_null());
    assert!(page["_meta"]["io.modelcontextprotocol/serverInfo"].is_object());

    let wrong = talk.ask(modern(2, "tools/list", json!({ "cursor": "x" }))).await;
    assert_eq!(wrong["error"]["code"], -32602);
    let empty = talk.ask(modern(3, "tools/list", json!({ "cursor": "" }))).await;
    assert!(empty["result"].is_object());
}

#[tokio::test]
async fn a_call_reaches_the_backend_with_what_the_client_said_of_it() {
    let double = Double::new();
    let mut talk = Talk::with(&double);
    let mut params = call("echo", json!({ "amount": 1 }));
    params["_meta"] = json!({
        "tollbridge/approval": "h1",
        "x402/payment": { "x402Version": 2 },
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
    let answer = talk.ask(modern("a", "tools/call", params)).await;
    assert_eq!(answer["id"], "a");
    assert_eq!(answer["result"]["structuredContent"], json!({ "amount": 1 }));
    let calls = double.calls.lock().unwrap();
    let (who, request) = &calls[0];
    let agent = who.agent.as_ref().map(ToString::to_string);
    assert_eq!(agent.as_deref(), Some("t/1"));
    assert_eq!(*who, Caller { agent: who.agent.clone(), ..caller(Transport::Stdio) });
    assert_eq!(request.approval.as_deref(), Some("h1"));
    assert_eq!(request.payment, Some(json!({ "x402Version": 2 })));
    let trace = request.trace.as_ref().unwrap();
    assert_eq!(trace.id(), "0af7651916cd43dd8448eb211c80319c");
}

#[tokio::test]
async fn numbers_keep_their_digits() {
    let mut talk = Talk::with(&Double::new());
    let call = modern(1, "tools/call", call("echo", json!({ "n": 0 }))).to_string();
    talk.send(&call.replace("\"n\":0", "\"n\":500.0000000000000000001,\"m\":1e400")).await;
    let line = talk.lines.next_line().await.unwrap().unwrap();
    assert!(
        line.contains(r#""structuredContent":{"n":500.0000000000000000001,"m":1e+400}"#)
            || line.contains(r#""structuredContent":{"n":500.0000000000000000001,"m":1e400}"#),
        "{line}"
    );
}

#[tokio::test]
async fn an_unknown_tool_is_a_protocol_error() {
    let mut talk = Talk::legacy(&Double::new()).await;
    let answer = talk.ask(legacy(1, "tools/call", call("nope", json!({})))).await;
    assert_eq!(answer["error"], json!({ "code": -32602, "message": "Unknown tool: nope" }));
}

#[tokio::test]
async fn a_call_that_cannot_be_recorded_is_an_error_for_the_model() {
    let mut talk = Talk::legacy(&Double::new()).await;
    let answer = talk.ask(legacy(1, "tools/call", call("unrecorded", json!({})))).await;
    assert_eq!(answer["result"]["isError"], true);
    assert_eq!(answer["result"]["structuredContent"]["error"]["code"], "audit_unavailable");
    assert!(answer["result"].get("resultType").is_none(), "legacy peers do not know it");
}

#[tokio::test]
async fn malformed_calls_are_refused_and_recorded() {
    let double = Double::new();
    let mut talk = Talk::with(&double);
    let mut bad_approval = call("echo", json!({}));
    bad_approval["_meta"] = json!({ "tollbridge/approval": 7 });
    let cases = [
        (call("echo", json!([])), "`arguments` is no object"),
        (call("echo", json!("x")), "`arguments` is no object"),
        (json!({ "arguments": {} }), "`name` is missing or no string"),
        (json!({ "name": 7 }), "`name` is missing or no string"),
        (bad_approval, "`_meta[\"tollbridge/approval\"]` is no string"),
    ];
    for (n, (params, reason)) in cases.iter().enumerate() {
        let answer = talk.ask(modern(n, "tools/call", params.clone())).await;
        assert_eq!(answer["error"]["code"], -32602, "{params}");
        assert_eq!(answer["error"]["message"], *reason, "{params}");
        assert_eq!(double.reasons().last().unwrap(), reason, "{params}");
    }
    assert!(double.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_unknown_method_is_not_found_and_no_call() {
    let double = Double::new();
    let mut talk = Talk::with(&double);
    for method in
        ["nope", "resources/list", "prompts/list", "logging/setLevel", "ping", "initialize"]
    {
        let answer = talk.ask(modern(1, method, json!({}))).await;
        assert_eq!(answer["error"]["code"], -32601, "{method}");
    }
    assert!(double.reasons().is_empty());
}

#[tokio::test]
async fn progress_is_told_only_to_who_asked_and_only_upwards() {
    let mut talk = Talk::with(&Double::new());
    let silent = talk.ask(modern(1, "tools/call", call("steps", json!({})))).await;
    assert_eq!(silent["id"], 1);

    let mut params = call("steps", json!({}));
    params["_meta"] = json!({ "progressToken": "p" });
    talk.tell(modern(2, "tools/call", params)).await;
    let mut seen = Vec::new();
    loop {
        let message = talk.hear().await;
        if message["id"] == 2 {
            break;
        }
        assert_eq!(message["method"], "notifications/progress");
        assert_eq!(message["params"]["progressToken"], "p");
        seen.push(message["params"]["progress"].as_f64().unwrap());
    }
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    assert_eq!(seen.first(), Some(&1.0));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_follows_a_call_hears_of_it_every_five_seconds_at_least() {
    let double = Double::new();
    let mut talk = Talk::with(&double);
    let mut params = call("slow", json!({}));
    params["_meta"] = json!({ "progressToken": "p" });
    talk.tell(modern(1, "tools/call", params)).await;
    let mut before = tokio::time::Instant::now();
    for n in 1..=3 {
        let message = talk.hear().await;
        assert_eq!(message["params"]["progress"].as_f64(), Some(f64::from(n)));
        assert_eq!(message["params"]["message"], format!("under way for {} s", n * 4));
        assert!(before.elapsed() <= Duration::from_secs(5));
        before = tokio::time::Instant::now();
    }
}

#[tokio::test]
async fn a_cancelled_call_is_told_so_and_not_answered() {
    for era in ["legacy", "modern"] {
        let double = Double::new();
        let mut talk =
            if era == "legacy" { Talk::legacy(&double).await } else { Talk::with(&double) };
        let request = if era == "legacy" { legacy } else { modern };
        talk.tell(request(json!(1), "tools/call", call("slow", json!({})))).await;
        double.slow_calls(1, 0).await;
        talk.tell(json!({
            "jsonrpc": "2.0",
            "method": "notifications/cancelled",
            "params": { "requestId": 1 },
        }))
        .await;
        double.slow_calls(1, 1).await;
        // The id may be used again, and the next thing heard is its answer.
        let answer = talk.ask(request(json!(1), "tools/call", call("echo", json!({})))).await;
        assert_eq!(answer["result"]["isError"], false, "{era}");
    }
}

/// What was told of requests that were no calls: method, prompt, resource, error, and the revision and
/// the id that their messages had.
fn told(double: &Double) -> Vec<String> {
    let tell = |request: &OtherRequest| {
        let message = request.origin.message.as_deref().unwrap();
        assert_eq!(request.revision, message.protocol.as_deref());
        let of = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let error = match request.end {
            OperationEnd::Good => None,
            OperationEnd::Rpc(code) => Some(code.to_string()),
            other => panic!("{other:?}"),
        };
        [
            request.method.to_owned(),
            of(request.prompt),
            of(request.resource.as_deref()),
            of(error.as_deref()),
            of(message.protocol.as_deref()),
            of(message.request.as_deref()),
        ]
        .join(" ")
    };
    double.answered.lock().unwrap().drain(..).map(|request| tell(&request)).collect()
}

#[tokio::test]
async fn every_request_that_is_answered_is_told_of_once() {
    let double = Double::discovering();
    let mut talk = Talk::with(&double);
    talk.ask(legacy("p", "ping", json!({}))).await;
    talk.ask(initialize("2025-06-18")).await;
    talk.tell(initialized()).await;
    talk.ask(legacy(1, "ping", json!({}))).await;
    talk.ask(legacy(2, "tools/list", json!({}))).await;
    talk.ask(legacy(3, "logging/setLevel", json!({ "level": "info" }))).await;
    talk.ask(legacy(4, "what/an agent made up", json!({}))).await;
    talk.ask(legacy(5, "tools/call", call("echo", json!({})))).await;
    talk.ask(legacy(6, "tools/call", call("nope", json!({})))).await;
    talk.ask(legacy(7, "tools/call", json!({ "name": 7 }))).await;
    let mut bad_approval = call("echo", json!({}));
    bad_approval["_meta"] = json!({ "tollbridge/approval": 7 });
    talk.ask(legacy(8, "tools/call", bad_approval)).await;
    // These do not fit their parameters.
    talk.ask(legacy(9, "initialize", json!({}))).await;
    talk.ask(legacy(10, "logging/setLevel", json!({ "level": 7 }))).await;
    talk.ask(legacy(11, "subscriptions/listen", json!({ "notifications": 7 }))).await;
    assert_eq!(
        told(&double),
        [
            "ping - - - - p",
            "initialize - - - 2025-06-18 0",
            "ping - - - 2025-06-18 1",
            "tools/list - - - 2025-06-18 2",
            "logging/setLevel - - -32601 2025-06-18 3",
            "_OTHER - - -32601 2025-06-18 4",
            "tools/call - - -32602 2025-06-18 7",
            "tools/call - - -32602 2025-06-18 8",
            "initialize - - -32602 2025-06-18 9",
            "logging/setLevel - - -32601 2025-06-18 10",
            "subscriptions/listen - - -32601 2025-06-18 11",
        ]
    );

    let mut talk = Talk::with(&double);
    let uri = "tollbridge://operations/shop%2Fget%20item";
    for (n, (method, params)) in [
        ("server/discover", json!({})),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({ "uri": uri })),
        ("resources/read", json!({ "uri": "file:///etc/passwd" })),
        ("prompts/list", json!({})),
        ("prompts/get", json!({ "name": "look_around" })),
        ("prompts/get", json!({ "name": "made up" })),
        ("prompts/get", json!({ "name": 7 })),
        // These the MCP library answers by itself: there is no such method, or the client knows no tasks.
        ("ping", json!({})),
        ("tasks/get", json!({ "taskId": "t" })),
    ]
    .into_iter()
    .enumerate()
    {
        talk.ask(modern(n, method, params)).await;
    }
    assert_eq!(
        told(&double),
        [
            "server/discover - - - 2026-07-28 0".to_owned(),
            "resources/list - - - 2026-07-28 1".to_owned(),
            "resources/templates/list - - - 2026-07-28 2".to_owned(),
            format!("resources/read - {uri} - 2026-07-28 3"),
            "resources/read - - -32602 2026-07-28 4".to_owned(),
            "prompts/list - - - 2026-07-28 5".to_owned(),
            "prompts/get look_around - - 2026-07-28 6".to_owned(),
            "prompts/get - - -32602 2026-07-28 7".to_owned(),
            "prompts/get - - -32602 2026-07-28 8".to_owned(),
            "ping - - -32601 2026-07-28 9".to_owned(),
            "tasks/get - - -32021 2026-07-28 10".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_stream_that_listens_is_told_of_when_it_ends_and_belongs_to_its_clients_trace() {
    let double = Double::new();
    let mut talk = Talk::with(&double);
    let mut filter = json!({ "notifications": { "toolsListChanged": true } });
    filter["_meta"] =
        json!({ "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" });
    talk.ask(modern("l", "subscriptions/listen", filter)).await;
    assert!(told(&double).is_empty());
    talk.hang_up().await;
    assert_eq!(talk.hear().await["id"], "l");
    let answered = double.answered.lock().unwrap().pop().unwrap();
    assert_eq!(answered.method, "subscriptions/listen");
    let trace = answered.origin.trace.unwrap();
    assert_eq!(trace.id(), "0af7651916cd43dd8448eb211c80319c");
}

#[derive(Clone, Default)]
struct Client {
    changed: Arc<AtomicUsize>,
    told: Arc<tokio::sync::Notify>,
}

impl ClientHandler for Client {
    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed.fetch_add(1, Ordering::SeqCst);
        self.told.notify_one();
    }
}

async fn connect(
    double: &Arc<Double>,
    client: Client,
    lifecycle: ClientLifecycleMode,
) -> rmcp::service::RunningService<RoleClient, Client> {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (input, output) = tokio::io::split(theirs);
    let shutdown = CancellationToken::new();
    let serving =
        serve_lines(Arc::clone(double), caller(Transport::Stdio), input, output, shutdown);
    tokio::spawn(serving);
    client.serve_with_lifecycle(ours, lifecycle).await.unwrap()
}

fn newest() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
}

#[tokio::test]
async fn clients_of_both_eras_list_and_call() {
    for lifecycle in [ClientLifecycleMode::Initialize, newest()] {
        let double = Double::new();
        let client = connect(&double, Client::default(), lifecycle).await;
        assert_eq!(client.list_all_tools().await.unwrap().len(), 4);
        let arguments = json!({ "a": [1, 2] }).as_object().cloned().unwrap();
        let call = CallToolRequestParams::new("echo").with_arguments(arguments);
        let result = client.call_tool(call).await.unwrap();
        assert_eq!(result.structured_content, Some(json!({ "a": [1, 2] })));
        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn a_legacy_client_is_told_of_a_changed_list_and_of_no_other() {
    let double = Double::new();
    let client = Client::default();
    let running = connect(&double, client.clone(), ClientLifecycleMode::Initialize).await;
    // The session is known once it has said that it is initialized; a call comes after that.
    running.call_tool(CallToolRequestParams::new("echo")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    double.swap(&["echo", "slow", "steps", "unrecorded"]);
    double.swap(&["echo"]);
    tokio::time::timeout(Duration::from_secs(5), client.told.notified()).await.unwrap();
    assert_eq!(running.list_all_tools().await.unwrap().len(), 1);
    assert_eq!(client.changed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_modern_client_that_listens_is_told_of_a_changed_list() {
    let double = Double::new();
    let mut talk = Talk::with(&double);
    let filter =
        json!({ "notifications": { "toolsListChanged": true, "promptsListChanged": true } });
    let opened = talk.ask(modern("l", "subscriptions/listen", filter)).await;
    assert_eq!(opened["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(opened["params"]["notifications"], json!({ "toolsListChanged": true }));
    tokio::time::sleep(Duration::from_millis(50)).await;
    double.swap(&["echo"]);
    let told = talk.hear().await;
    assert_eq!(told["method"], "notifications/tools/list_changed");
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "l");
    // It ends with an answer when the server does.
    talk.hang_up().await;
    assert_eq!(talk.hear().await["id"], "l");
    talk.ended().await;
}

#[test]
fn a_clients_words_are_bounded() {
    assert_eq!(bounded("a\u{1b}[31m\nb"), "a[31mb");
    assert_eq!(bounded(&"x".repeat(1000)).len(), MAX_CLIENT);
}
