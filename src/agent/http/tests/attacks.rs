//! What another caller, or a client that says two things at once, gets: nothing.

use super::*;

impl Server {
    /// Comes back for the rest of a stream.
    fn back(&self, session: &str, event: &str) -> RequestBuilder {
        let get = self.get("/mcp").header("accept", "text/event-stream");
        get.header("mcp-session-id", session).header("last-event-id", event)
    }
}

#[tokio::test]
async fn the_rest_of_a_stream_is_for_who_opened_it_alone() {
    let server = Server::start(keyed()).await;
    let as_alice = |request: RequestBuilder| request.bearer_auth("alices");
    let as_bob = |request: RequestBuilder| request.bearer_auth("bobs");
    let (hers, his) = (server.session(as_alice).await, server.session(as_bob).await);
    let call = legacy(2, "tools/call", json!({ "name": "pause" }));
    let call = as_alice(server.post(call.to_string())).header("mcp-session-id", &hers);
    let mut stream = call.send().await.unwrap();
    let first = String::from_utf8(stream.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    let event = first.lines().find_map(|line| line.strip_prefix("id:")).unwrap().trim().to_owned();
    server.backend.slow_calls(1, 0).await;
    drop(stream);
    tokio::time::sleep(Duration::from_millis(500)).await;
    // Her session is to him like one that never was.
    let stolen = answer(as_bob(server.back(&hers, &event))).await;
    assert_eq!(stolen, answer(as_bob(server.back("never-was", &event))).await);
    assert_eq!(stolen.0, 404);
    assert_eq!(status(server.back(&hers, &event)).await, 401);
    // In his own her event leads nowhere.
    let elsewhere = as_bob(server.back(&his, &event)).send().await.unwrap();
    assert!(!elsewhere.text().await.unwrap().contains("isError"));
    let rest = as_alice(server.back(&hers, &event)).send().await.unwrap();
    let rest = last_event(&rest.text().await.unwrap());
    assert_eq!((&rest["id"], &rest["result"]["isError"]), (&json!(2), &json!(false)));
}

#[tokio::test]
async fn nobody_cancels_or_answers_for_another() {
    let server = Server::start(keyed()).await;
    let session = server.session(|request| request.bearer_auth("alices")).await;
    let cancel = json!({
        "jsonrpc": "2.0",
        "method": "notifications/cancelled",
        "params": { "requestId": 1 },
    });
    let approve = json!({ "jsonrpc": "2.0", "id": 0, "result": { "action": "accept" } });
    // In her session he says nothing, neither an answer to what she was asked.
    for message in [&cancel, &approve] {
        let said = server.post(message.to_string()).header("mcp-session-id", &session);
        assert_eq!(status(said.bearer_auth("bobs")).await, 404, "{message}");
    }
    // Nor can he name her request, whose number he guessed.
    let call = server.call("pause").bearer_auth("alices");
    let (answered, ()) = tokio::join!(answer(call), async {
        server.backend.slow_calls(1, 0).await;
        let mut cancel = cancel.clone();
        cancel["params"]["_meta"] = modern(0, "x", json!({}))["params"]["_meta"].take();
        let said = server.post(cancel.to_string()).header("mcp-protocol-version", "2026-07-28");
        let said = said.header("mcp-method", "notifications/cancelled").bearer_auth("bobs");
        assert!(status(said).await.is_success());
    });
    assert_eq!((answered.0, &answered.1["result"]["isError"]), (StatusCode::OK, &json!(false)));
}

/// What stands in front of the server may let a call through by its headers (SEP-2243): they say
/// what the message says, or nothing is done.
#[tokio::test]
async fn a_header_that_says_another_thing_than_its_message_is_refused() {
    let server = Server::start(open()).await;
    let message = modern(1, "tools/call", json!({ "name": "echo", "arguments": {} })).to_string();
    for (method, name) in
        [("tools/call", Some("slow")), ("tools/list", Some("echo")), ("tools/call", None)]
    {
        let mut request = server
            .post(message.clone())
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method);
        if let Some(name) = name {
            request = request.header("mcp-name", name);
        }
        let (status, refused) = answer(request).await;
        assert_eq!((status, &refused["error"]["code"]), (StatusCode::BAD_REQUEST, &json!(-32020)));
    }
    assert!(server.backend.calls.lock().unwrap().is_empty());
}
