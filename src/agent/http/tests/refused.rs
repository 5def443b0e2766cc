//! Requests that never come to the handler are measured, each once, by what answered them.

use super::*;
use crate::gateway::{OTHER_METHOD, OperationEnd, OtherRequest};

fn told(server: &Server) -> Vec<OtherRequest> {
    server.backend.answered.lock().unwrap().drain(..).collect()
}

fn ends(server: &Server) -> Vec<(&'static str, OperationEnd)> {
    told(server).into_iter().map(|request| (request.method, request.end)).collect()
}

#[tokio::test]
async fn what_is_refused_by_its_form_is_measured_once_by_its_answer() {
    let server = Server::start(open()).await;
    let list = legacy(1, "tools/list", json!({})).to_string();
    let newest = |method, params| server.modern(method, params);
    let named = |version| server.post(list.clone()).header("mcp-protocol-version", version);
    for (request, status, method, end) in [
        (server.post("{"), 400, OTHER_METHOD, OperationEnd::Rpc(-32700)),
        (server.post("[]"), 400, OTHER_METHOD, OperationEnd::Rpc(-32600)),
        (server.post("x".repeat(MAX_BYTES + 1)), 413, OTHER_METHOD, OperationEnd::Rpc(-32600)),
        (
            server.client.post(format!("{}/mcp", server.url)).body(list.clone()),
            406,
            OTHER_METHOD,
            OperationEnd::Http(406),
        ),
        (
            server.post(list.clone()).header("mcp-session-id", "made up"),
            404,
            OTHER_METHOD,
            OperationEnd::Http(404),
        ),
        // No session, and nothing that says that it needs none.
        (server.post(list.clone()), 400, "tools/list", OperationEnd::Http(400)),
        (
            server.post(list.replace("tools/list", "made/up")),
            400,
            OTHER_METHOD,
            OperationEnd::Http(400),
        ),
        (named("2099-01-01"), 400, "tools/list", OperationEnd::Http(400)),
        (named("2026-07-28"), 400, "tools/list", OperationEnd::Rpc(-32602)),
        (
            newest("tools/call", json!({ "name": "echo" })).header("mcp-name", "slow"),
            400,
            "tools/call",
            OperationEnd::Rpc(-32020),
        ),
        (newest("ping", json!({})), 404, "ping", OperationEnd::Rpc(-32601)),
        (
            newest("tasks/get", json!({ "taskId": "t" })).header("mcp-name", "t"),
            400,
            "tasks/get",
            OperationEnd::Rpc(-32021),
        ),
        // These the handler answers.
        (newest("tools/list", json!({})), 200, "tools/list", OperationEnd::Good),
        (newest("made/up", json!({})), 404, OTHER_METHOD, OperationEnd::Rpc(-32601)),
    ] {
        let (given, body) = answer(request).await;
        assert_eq!((given.as_u16(), ends(&server)), (status, vec![(method, end)]), "{body}");
        let code = body["error"]["code"].as_i64();
        assert_eq!(code, if let OperationEnd::Rpc(code) = end { Some(code.into()) } else { None });
    }
    // The gateway measures calls, nobody notifications, or who may not be here.
    assert_eq!(status(server.call("echo")).await, 200);
    let _ = answer(server.post(initialized().to_string())).await;
    let _ = answer(server.post(list).header("origin", "https://evil.example")).await;
    assert!(told(&server).is_empty());
}

#[tokio::test]
async fn what_the_library_refuses_in_a_session_is_measured_once_by_its_answer() {
    let server = Server::start(open()).await;
    let session = server.session(|request| request).await;
    assert_eq!(ends(&server), [("initialize", OperationEnd::Good)]);
    for (method, measured, end) in [
        ("subscriptions/listen", "subscriptions/listen", OperationEnd::Rpc(-32601)),
        ("skills/list", OTHER_METHOD, OperationEnd::Rpc(-32601)),
        // These the handler answers.
        ("logging/setLevel", "logging/setLevel", OperationEnd::Rpc(-32601)),
        ("ping", "ping", OperationEnd::Good),
    ] {
        let params = json!({ "level": "info", "notifications": {} });
        let request = server.post(legacy(2, method, params).to_string());
        let text = request.header("mcp-session-id", &session).send().await.unwrap();
        let answer = last_event(&text.text().await.unwrap());
        assert_eq!(ends(&server), [(measured, end)], "{answer}");
    }
}

#[tokio::test]
async fn the_span_of_what_was_refused_tells_what_could_be_read() {
    let server = Server::start(open()).await;
    let mut params = json!({});
    params["_meta"]["traceparent"] =
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into();
    let request = server.modern("ping", params);
    let _ = answer(request.header("traceparent", "00-1-1-00")).await;
    let refused = told(&server).pop().unwrap();
    assert_eq!(refused.revision, Some("2026-07-28"));
    assert_eq!(refused.origin.trace.unwrap().id(), "0af7651916cd43dd8448eb211c80319c");
    let message = refused.origin.message.unwrap();
    assert_eq!((message.protocol.as_deref(), message.http), (Some("2026-07-28"), Some("1.1")));
    assert_eq!(message.request.as_deref(), Some("1"));
    assert!(message.client.unwrap().ip().is_loopback());

    let request = server.post("{").header("mcp-protocol-version", "2099-01-01");
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let _ = answer(request.header("traceparent", parent)).await;
    let refused = told(&server).pop().unwrap();
    assert_eq!(refused.revision, None);
    assert_eq!(refused.origin.trace.unwrap().id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    let message = refused.origin.message.unwrap();
    assert_eq!((message.protocol.as_deref(), message.request), (Some("2099-01-01"), None));

    // A session is told of to nobody whose it is not.
    let list = legacy(1, "tools/list", json!({})).to_string();
    let _ = answer(server.post(list).header("mcp-session-id", "another's")).await;
    assert_eq!(told(&server).pop().unwrap().origin.message.unwrap().session, None);
}
