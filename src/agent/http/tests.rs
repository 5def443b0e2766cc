#![allow(clippy::unwrap_used)]

use reqwest::{RequestBuilder, StatusCode};
use rmcp::model::{CallToolRequestParams, ProtocolVersion};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientLifecycleMode, ClientServiceExt};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::*;
use crate::agent::double::{Double, identity, initialize, initialized, legacy, modern};
use crate::gateway::Facts;

mod attacks;
mod refused;

struct Server {
    url: String,
    backend: Arc<Double>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), AgentError>>,
    client: reqwest::Client,
}

fn open() -> HttpOptions {
    HttpOptions {
        origins: vec!["https://app.example.com".into()],
        auth: None,
        resource: None,
        local_identity: identity("local"),
        allowed_hosts: Vec::new(),
        beside: None,
        tls: None,
    }
}

/// Two keys; `down` is one that cannot be looked up.
fn keyed() -> HttpOptions {
    let verify: Verifier = Arc::new(|presented| {
        Box::pin(async move {
            let who = match presented.bearer.as_deref() {
                Some("alices") => "alice",
                Some("bobs") => "bob",
                Some("down") => return Err(NotKnown::Unavailable),
                _ => return Err(NotKnown::Invalid("it is no key")),
            };
            let facts = Facts::of_key();
            Ok(Known { identity: identity(who), groups: Vec::new(), facts, expires: None })
        })
    });
    HttpOptions { auth: Some(verify), ..open() }
}

impl Server {
    async fn start(options: HttpOptions) -> Self {
        // Only the first test to come here installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (backend, shutdown) = (Double::new(), CancellationToken::new());
        let serving = serve_http(Arc::clone(&backend), listener, options, shutdown.clone());
        let task = tokio::spawn(serving);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url, backend, shutdown, task, client }
    }

    /// A POST to `/mcp` as both eras allow it.
    fn post(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.client
            .post(format!("{}/mcp", self.url))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(body)
    }

    fn modern(&self, method: &str, params: Value) -> RequestBuilder {
        let name = params["name"].as_str().map(str::to_owned);
        let request = self
            .post(modern(1, method, params).to_string())
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method);
        match name {
            Some(name) => request.header("mcp-name", name),
            None => request,
        }
    }

    fn call(&self, tool: &str) -> RequestBuilder {
        self.modern("tools/call", serde_json::json!({ "name": tool, "arguments": { "a": 1 } }))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    /// Opens a legacy session as whoever `request` makes the caller.
    async fn session(&self, dress: impl Fn(RequestBuilder) -> RequestBuilder) -> String {
        self.session_of("2025-11-25", dress).await
    }

    async fn session_of(
        &self,
        revision: &str,
        dress: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> String {
        let answer = dress(self.post(initialize(revision).to_string())).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let session = answer.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        let _ = answer.text().await.unwrap();
        let told = dress(self.post(initialized().to_string()))
            .header("mcp-session-id", &session)
            .send()
            .await
            .unwrap();
        assert_eq!(told.status(), 202);
        session
    }

    async fn ended(self) {
        let ended = tokio::time::timeout(Duration::from_secs(8), self.task).await;
        ended.expect("the server ends").unwrap().unwrap();
    }
}

async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn status(request: RequestBuilder) -> StatusCode {
    request.send().await.unwrap().status()
}

/// The last message of an event stream.
fn last_event(text: &str) -> Value {
    let mut data = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
    serde_json::from_str(data.rfind(|data| !data.is_empty()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_modern_call_is_answered_with_json() {
    let server = Server::start(open()).await;
    let (status, answer) = answer(server.call("echo")).await;
    assert_eq!(status, 200);
    assert_eq!(answer["result"]["structuredContent"], json!({ "a": 1 }));
    let (caller, _) = server.backend.calls.lock().unwrap()[0].clone();
    assert_eq!((caller.identity, caller.transport), (identity("local"), Transport::Http));
}

/// The short way and the library's give the same bytes. An `Accept` with a parameter asks for
/// nothing else, and takes the library's.
#[tokio::test]
async fn both_ways_of_a_call_answer_alike() {
    let server = Server::start(open()).await;
    for tool in ["echo", "unrecorded", "nobody_knows_it"] {
        let mut answers = Vec::new();
        for accept in
            ["application/json, text/event-stream", "application/json;q=1, text/event-stream"]
        {
            let mut request = server.call(tool).build().unwrap();
            request.headers_mut().insert("accept", accept.parse().unwrap());
            let is_short = {
                let body = request.body().and_then(reqwest::Body::as_bytes).unwrap();
                direct::read(request.headers(), body).is_some()
            };
            assert_eq!(is_short, !accept.contains(';'), "{accept}");
            let answer = server.client.execute(request).await.unwrap();
            let kind = answer.headers()["content-type"].clone();
            answers.push((answer.status(), kind, answer.text().await.unwrap()));
        }
        assert_eq!(answers[0], answers[1], "{tool}");
    }
    let calls = server.backend.calls.lock().unwrap();
    assert_eq!(calls.len(), 6);
    for (_, call) in &*calls {
        let message = call.message.as_deref().unwrap();
        assert_eq!((call.revision, message.http), (Some("2026-07-28"), Some("1.1")));
        let client = message.client.unwrap();
        assert!(client.ip().is_loopback() && client.port() > 0, "{client}");
    }
}

#[tokio::test]
async fn a_legacy_client_calls_in_its_session() {
    let server = Server::start(open()).await;
    let session = server.session(|request| request).await;
    let call = legacy(2, "tools/call", json!({ "name": "echo", "arguments": { "b": 2 } }));
    let request = server.post(call.to_string()).header("mcp-session-id", &session);
    let text = request.send().await.unwrap().text().await.unwrap();
    assert_eq!(last_event(&text)["result"]["structuredContent"], json!({ "b": 2 }));

    let delete = server.client.delete(format!("{}/mcp", server.url));
    assert!(status(delete.header("mcp-session-id", &session)).await.is_success());
    let late = server.post(call.to_string()).header("mcp-session-id", &session);
    assert_eq!(status(late).await, 404);
}

#[tokio::test]
async fn the_sdk_client_works_in_both_eras() {
    let server = Server::start(keyed()).await;
    let newest =
        ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    for lifecycle in [ClientLifecycleMode::Initialize, newest] {
        let config = StreamableHttpClientTransportConfig::with_uri(format!("{}/mcp", server.url))
            .auth_header("alices");
        let transport = StreamableHttpClientTransport::from_config(config);
        let client = ().serve_with_lifecycle(transport, lifecycle).await.unwrap();
        assert_eq!(client.list_all_tools().await.unwrap().len(), 4);
        let result = client.call_tool(CallToolRequestParams::new("echo")).await.unwrap();
        assert_eq!(result.structured_content, Some(json!({})));
        client.cancel().await.unwrap();
    }
    let calls = server.backend.calls.lock().unwrap();
    assert!(calls.iter().all(|(caller, _)| caller.identity == identity("alice")));
}

#[tokio::test]
async fn only_pages_that_are_named_may_call() {
    let server = Server::start(open()).await;
    for (origin, expected) in [
        ("http://localhost:6274", 200),
        ("https://127.0.0.1", 200),
        ("http://[::1]:3000", 200),
        ("https://app.example.com", 200),
        ("https://app.example.com:443", 200),
        ("https://app.example.com:8443", 403),
        ("http://app.example.com", 403),
        ("https://app.example.com.evil.example", 403),
        ("https://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("null", 403),
        ("file://", 403),
        ("https://app.example.com/path", 403),
        ("https://user@app.example.com", 403),
        ("", 403),
    ] {
        let answer = server.call("echo").header("origin", origin).send().await.unwrap();
        assert_eq!(answer.status(), expected, "{origin}");
        let readable = answer.headers().get("access-control-allow-origin");
        assert_eq!(readable.is_some(), expected == 200, "{origin}");
    }
    let two = server
        .call("echo")
        .header("origin", "http://localhost")
        .header("origin", "http://localhost");
    assert_eq!(status(two).await, 403);
}

#[tokio::test]
async fn a_browser_may_ask_first() {
    let server = Server::start(keyed()).await;
    let preflight = |origin: &str| {
        server
            .client
            .request(reqwest::Method::OPTIONS, format!("{}/mcp", server.url))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,mcp-method")
    };
    let answer = preflight("https://app.example.com").send().await.unwrap();
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://app.example.com");
    assert_eq!(answer.headers()["access-control-allow-headers"], "authorization,mcp-method");
    assert_eq!(status(preflight("https://evil.example")).await, 403);
}

#[tokio::test]
async fn a_rebound_name_is_refused() {
    let options = HttpOptions { allowed_hosts: vec!["Bridge.Example.com".into()], ..open() };
    let server = Server::start(options).await;
    for (host, expected) in [
        ("localhost", 200),
        ("localhost:9999", 200),
        ("127.0.0.1:80", 200),
        ("[::1]:80", 200),
        ("bridge.example.com", 200),
        ("BRIDGE.example.com:8080", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("localhost@evil.example", 403),
        ("evil.example@localhost", 403),
    ] {
        assert_eq!(status(server.call("echo").header("host", host)).await, expected, "{host}");
    }
}

#[tokio::test]
async fn what_a_proxy_passes_on_is_refused_without_authentication() {
    let server = Server::start(open()).await;
    for name in ["forwarded", "x-forwarded-for"] {
        assert_eq!(status(server.call("echo").header(name, "192.0.2.1")).await, 403, "{name}");
    }
    let server = Server::start(keyed()).await;
    let request = server.call("echo").bearer_auth("alices").header("x-forwarded-for", "192.0.2.1");
    assert_eq!(status(request).await, 200);
}

#[tokio::test]
async fn whom_a_proxy_here_speaks_for_is_not_on_this_machine() {
    let server = Server::start(keyed()).await;
    *server.backend.ready.lock().unwrap() = Err(json!({ "trail": "unwritable" }));
    for name in ["forwarded", "x-forwarded-for"] {
        let metrics = || server.get("/metrics").header(name, "for=127.0.0.1");
        assert_eq!(status(metrics()).await, 401, "{name}");
        assert_eq!(status(metrics().bearer_auth("alices")).await, 200, "{name}");
        let (status, details) = answer(server.get("/-/ready").header(name, "127.0.0.1")).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(details, json!({ "ready": false }), "{name}");
    }
    assert_eq!(status(server.get("/metrics")).await, 200);
}

#[tokio::test]
async fn once_keys_are_asked_for_nobody_calls_without_one() {
    let server = Server::start(keyed()).await;
    for (authorization, expected, challenge) in [
        (None, 401, "Bearer"),
        (Some("Basic YWxpY2VzOg=="), 401, "Bearer"),
        (Some("Bearer"), 401, "Bearer error=\"invalid_token\""),
        (Some("Bearer "), 401, "Bearer error=\"invalid_token\""),
        (Some("Bearer nobodys"), 401, "Bearer error=\"invalid_token\""),
        (Some("Bearer alices bobs"), 401, "Bearer error=\"invalid_token\""),
        (Some("Bearer alices"), 200, ""),
        (Some("bearer  alices"), 200, ""),
        (Some("Bearer down"), 503, ""),
    ] {
        let mut request = server.call("echo");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), expected, "{authorization:?}");
        let sent = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap());
        assert_eq!(sent.unwrap_or_default(), challenge, "{authorization:?}");
    }
    let twice = server.call("echo").bearer_auth("alices").bearer_auth("alices");
    assert_eq!(status(twice).await, 401);
    let query = server
        .client
        .post(format!("{}/mcp?access_token=alices&api_key=alices", server.url))
        .body("{}");
    assert_eq!(status(query).await, 401);
    assert_eq!(server.backend.calls.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_session_serves_only_who_opened_it() {
    let server = Server::start(keyed()).await;
    let session = server.session(|request| request.bearer_auth("alices")).await;
    let list = legacy(2, "tools/list", json!({})).to_string();
    let as_caller =
        |key: &str| server.post(list.clone()).header("mcp-session-id", &session).bearer_auth(key);
    assert_eq!(status(as_caller("bobs")).await, 404);
    assert_eq!(status(as_caller("alices")).await, 200);
    let url = format!("{}/mcp", server.url);
    let stolen = server.client.get(&url).header("accept", "text/event-stream");
    assert_eq!(status(stolen.header("mcp-session-id", &session).bearer_auth("bobs")).await, 404);
    let closed = server.client.delete(&url).header("mcp-session-id", &session);
    assert_eq!(status(closed.bearer_auth("bobs")).await, 404);
    assert_eq!(status(as_caller("alices")).await, 200);
}

#[tokio::test]
async fn wire_errors_have_their_status_and_are_recorded() {
    let server = Server::start(keyed()).await;
    for (body, expected, code, id) in [
        ("{".to_owned(), 400, -32700, Value::Null),
        ("[]".to_owned(), 400, -32600, Value::Null),
        ("7".to_owned(), 400, -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"m"}"#.to_owned(), 400, -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":3,"method":"m","a":1,"a":2}"#.to_owned(), 400, -32600, json!(3)),
        (" ".repeat(MAX_BYTES + 1), 413, -32600, Value::Null),
    ] {
        let (status, answer) = answer(server.post(body).bearer_auth("alices")).await;
        assert_eq!(status, expected);
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &id));
    }
    let unnamed = server
        .client
        .post(format!("{}/mcp", server.url))
        .header("accept", "application/json, text/event-stream")
        .body("{}")
        .bearer_auth("alices");
    assert_eq!(status(unnamed).await, 415);
    // What the MCP library refuses is a refusal, too: a header that contradicts the call.
    let contradicted = server
        .post(modern(1, "tools/call", json!({ "name": "echo" })).to_string())
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "other");
    assert_eq!(status(contradicted.bearer_auth("alices")).await, 400);
    let recorded = server.backend.malformed.lock().unwrap();
    assert_eq!(recorded.len(), 8);
    assert!(recorded.iter().all(|(via, who, _)| {
        *via == Transport::Http && who.as_ref() == Some(&identity("alice"))
    }));
}

#[tokio::test]
async fn an_oversized_body_without_a_length_is_refused_too() {
    let server = Server::start(open()).await;
    let chunks = (0..5).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024 * 1024]));
    let body = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
    assert_eq!(status(server.post(body)).await, 413);
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_call() {
    let server = Server::start(open()).await;
    let call = server.call("slow").timeout(Duration::from_millis(300)).send();
    assert!(call.await.unwrap_err().is_timeout());
    server.backend.slow_calls(1, 1).await;
}

#[tokio::test]
async fn in_a_session_an_answer_survives_its_connection() {
    let server = Server::start(open()).await;
    let session = server.session(|request| request).await;
    let call = legacy(2, "tools/call", json!({ "name": "pause" }));
    let call = server.post(call.to_string()).header("mcp-session-id", &session);
    let mut stream = call.send().await.unwrap();
    let first = String::from_utf8(stream.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    let id = first.lines().find_map(|line| line.strip_prefix("id:")).unwrap().trim().to_owned();
    server.backend.slow_calls(1, 0).await;
    drop(stream);
    // The call ends meanwhile.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let back = |session: &str, id: &str| {
        let get = server.get("/mcp").header("accept", "text/event-stream");
        get.header("mcp-session-id", session).header("last-event-id", id)
    };
    let answer = back(&session, &id).send().await.unwrap();
    let answer = last_event(&answer.text().await.unwrap());
    assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(2), &json!(false)));
    let other = server.session(|request| request).await;
    let nothing = back(&other, &id).send().await.unwrap();
    assert!(!nothing.text().await.unwrap().contains("isError"));
}

/// Events without data are of 2025-11-25: clients of older revisions take them for broken JSON.
#[tokio::test]
async fn only_clients_that_know_them_are_sent_events_without_data() {
    let server = Server::start(open()).await;
    for (revision, events) in [("2025-06-18", 1), ("2025-11-25", 2)] {
        let session = server.session_of(revision, |request| request).await;
        let get = server.get("/mcp").header("accept", "text/event-stream");
        let mut notices = get.header("mcp-session-id", &session).send().await.unwrap();
        let first = tokio::time::timeout(Duration::from_millis(50), notices.chunk()).await;
        assert!(first.is_err(), "{revision}: {first:?}");
        let call = legacy(2, "tools/call", json!({ "name": "pause" })).to_string();
        let call = server.post(call).header("mcp-session-id", &session);
        let text = call.send().await.unwrap().text().await.unwrap();
        let all: Vec<&str> = text.split("\n\n").filter(|event| !event.is_empty()).collect();
        assert_eq!(all.len(), events, "{revision}: {text}");
        assert!(all.iter().all(|event| event.contains("id:")), "{revision}: {text}");
        assert_eq!(last_event(&text)["result"]["isError"], json!(false));
    }
}

#[tokio::test]
async fn a_shutdown_lets_calls_end_and_closes_what_only_listens() {
    let server = Server::start(open()).await;
    let session = server.session(|request| request).await;
    let url = format!("{}/mcp", server.url);
    let stream = server.client.get(&url).header("accept", "text/event-stream");
    let stream = stream.header("mcp-session-id", &session).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let listen = json!({ "notifications": { "toolsListChanged": true } });
    let listen = server.modern("subscriptions/listen", listen).send().await.unwrap();
    assert_eq!(listen.status(), 200);
    let call = tokio::spawn(server.call("pause").send());
    server.backend.slow_calls(1, 0).await;
    server.shutdown.cancel();
    let answer = call.await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains("\"isError\":false"));
    server.ended().await;
}

#[tokio::test]
async fn a_modern_notification_is_taken_without_headers_that_are_asked_of_requests_only() {
    let server = Server::start(open()).await;
    let told = |method: &str| {
        let mut told = modern(1, "notifications/cancelled", json!({ "requestId": "listen:0" }));
        told.as_object_mut().unwrap().remove("id");
        let post = server.post(told.to_string()).header("mcp-protocol-version", "2026-07-28");
        if method.is_empty() { post } else { post.header("mcp-method", method) }
    };
    assert_eq!(status(told("")).await, 202);
    assert_eq!(status(told("notifications/cancelled")).await, 202);
    assert_eq!(server.backend.reasons(), [""; 0]);
    // One that is there must be right.
    assert_eq!(status(told("notifications/initialized")).await, 400);
    assert_eq!(server.backend.reasons().len(), 1);
}

#[tokio::test]
async fn an_open_address_is_refused_without_authentication() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = serve_http(Double::new(), listener, open(), CancellationToken::new()).await;
    assert!(matches!(refused, Err(AgentError::Open(_))));
}

#[tokio::test]
async fn an_origin_that_is_none_is_refused_at_the_start() {
    let options = HttpOptions { origins: vec!["app.example.com".into()], ..open() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = serve_http(Double::new(), listener, options, CancellationToken::new()).await;
    assert!(matches!(refused, Err(AgentError::Origin(_))));
}

#[tokio::test]
async fn health_needs_no_key() {
    let server = Server::start(keyed()).await;
    assert_eq!(status(server.get("/-/healthy")).await, 200);
    assert_eq!(answer(server.get("/-/ready")).await, (StatusCode::OK, json!({ "ready": true })));
    *server.backend.ready.lock().unwrap() = Err(json!({ "trail": "unwritable" }));
    let (status, details) = answer(server.get("/-/ready")).await;
    assert_eq!(
        (status, details),
        (StatusCode::SERVICE_UNAVAILABLE, json!({ "trail": "unwritable" }))
    );
    let metrics = server.get("/metrics").send().await.unwrap();
    assert_eq!(metrics.text().await.unwrap(), "# EOF\n");
}
