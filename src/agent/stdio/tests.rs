#![allow(clippy::unwrap_used)]

use super::*;
use crate::agent::double::{Double, Talk, identity, legacy, modern};
use serde_json::json;

#[tokio::test]
async fn refused_lines_are_answered_recorded_and_survived() {
    let double = Double::new();
    let mut talk = Talk::with(&double);
    for (line, id, code) in [
        ("{".to_owned(), json!(null), -32700),
        ("[]".to_owned(), json!(null), -32600),
        (r#"{"jsonrpc":"2.0","id":7,"method":1}"#.to_owned(), json!(7), -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#.to_owned(), json!(null), -32600),
        (
            r#"{"jsonrpc":"2.0","id":8,"method":"ping","params":{"a":1,"a":2}}"#.to_owned(),
            json!(8),
            -32600,
        ),
        ("x".repeat(MAX_BYTES + 1), json!(null), -32600),
    ] {
        talk.send(&line).await;
        let answer = talk.hear().await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&id, &json!(code)));
    }
    assert_eq!(double.reasons().len(), 6);
    let mut told = Vec::new();
    for request in double.answered.lock().unwrap().drain(..) {
        let id = request.origin.message.and_then(|message| message.request);
        told.push((request.method, request.end, id.unwrap_or_default()));
    }
    assert_eq!(
        told,
        [(-32700, ""), (-32600, ""), (-32600, "7"), (-32600, ""), (-32600, "8"), (-32600, "")]
            .map(|(code, id)| ("_OTHER", OperationEnd::Rpc(code), id.to_owned()))
    );
    let (transport, identity, reason) = double.malformed.lock().unwrap()[4].clone();
    assert_eq!(transport, Via::Stdio);
    assert_eq!(identity.unwrap().as_str(), "local");
    assert_eq!(reason, "member named twice: a");
    let answer = talk.ask(modern(9, "tools/list", json!({}))).await;
    assert_eq!(answer["id"], 9);
}

#[tokio::test]
async fn what_comes_before_a_session_does_not_end_the_connection() {
    let mut talk = Talk::with(&Double::new());
    talk.send("").await;
    talk.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#)
        .await;
    talk.send(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).await;
    assert_eq!(talk.ask(legacy(1, "ping", json!({}))).await["id"], 1);
    assert_eq!(talk.ask(legacy(2, "tools/list", json!({}))).await["error"]["code"], -32602);
    talk.send(r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#).await;
    assert!(talk.ask(modern(3, "tools/list", json!({}))).await["result"].is_object());
}

#[tokio::test]
async fn a_call_that_the_protocol_refuses_is_recorded() {
    let double = Double::new();
    let mut talk = Talk::with(&double);
    let echo = json!({ "name": "echo", "arguments": {} });
    // Before a session, and in a session of the revision that wants `_meta`.
    for id in [1, 3] {
        let answer = talk.ask(legacy(id, "tools/call", echo.clone())).await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(id), &json!(-32602)));
        talk.ask(modern(id + 1, "tools/call", echo.clone())).await;
    }
    assert_eq!(double.reasons().len(), 2);
    assert!(double.reasons()[1].contains("_meta"));
    assert_eq!(double.calls.lock().unwrap().len(), 2);
    // The calls that came to the gateway are measured there.
    let told: Vec<_> = double.answered.lock().unwrap().drain(..).collect();
    assert_eq!(told.len(), 2);
    for request in told {
        assert_eq!((request.method, request.end), ("tools/call", OperationEnd::Rpc(-32602)));
    }
}

#[tokio::test]
async fn what_the_library_answers_by_itself_is_measured_by_its_answer_and_by_its_own_trace() {
    let double = Double::new();
    let mut talk = Talk::with(&double);
    let mut unspoken = modern("v", "tools/list", json!({}));
    unspoken["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2099-01-01".into();
    unspoken["params"]["_meta"]["traceparent"] =
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into();
    let answer = talk.ask(unspoken).await;
    let request = double.answered.lock().unwrap().pop().unwrap();
    let code = answer["error"]["code"].as_i64().unwrap();
    assert_eq!(request.end, OperationEnd::Rpc(code.try_into().unwrap()));
    assert_eq!((request.method, request.revision), ("tools/list", None));
    assert_eq!(request.origin.trace.unwrap().id(), "0af7651916cd43dd8448eb211c80319c");
    let message = request.origin.message.unwrap();
    assert_eq!(
        (message.protocol.as_deref(), message.request.as_deref()),
        (Some("2099-01-01"), Some("v"))
    );
}

/// The library answers an early `ping` well; if it did not, that would be seen.
#[tokio::test]
async fn an_early_ping_is_measured_by_its_answer() {
    for (error, end) in [(None, OperationEnd::Good), (Some(-32603), OperationEnd::Rpc(-32603))] {
        let double = Double::new();
        let (sender, mut lines) = mpsc::channel(1);
        let waiting = Arc::<Waiting>::default();
        let arrived = Arrived::now(Via::Stdio, "ping", None, Origin::default());
        assert!(waiting.begin(&Id::Number(1), Passing::new(arrived)));
        let mut queues = Queues {
            backend: Arc::clone(&double),
            identity: identity("local"),
            messages: mpsc::channel(1).1,
            lines: Some(sender),
            waiting,
        };
        let mut answer = json!({ "jsonrpc": "2.0", "id": 1, "result": {} });
        if let Some(code) = error {
            let error = json!({ "code": code, "message": "" });
            answer = json!({ "jsonrpc": "2.0", "id": 1, "error": error });
        }
        queues.send(serde_json::from_value(answer).unwrap()).await.unwrap();
        assert!(lines.recv().await.is_some());
        let answered = double.answered.lock().unwrap();
        assert_eq!(answered.iter().map(|request| request.end).collect::<Vec<_>>(), [end]);
    }
}

#[tokio::test]
async fn an_id_that_is_in_use_is_unusable() {
    let double = Double::new();
    let mut talk = Talk::legacy(&double).await;
    let slow = legacy(1, "tools/call", json!({ "name": "slow", "arguments": {} }));
    talk.tell(slow).await;
    double.slow_calls(1, 0).await;
    let echo = legacy(1, "tools/call", json!({ "name": "echo", "arguments": {} }));
    let answer = talk.ask(echo).await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(null), &json!(-32600)));
    assert_eq!(double.calls.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_client_that_hangs_up_gets_what_was_under_way() {
    let mut talk = Talk::legacy(&Double::new()).await;
    talk.tell(legacy(1, "tools/call", json!({ "name": "echo", "arguments": {} }))).await;
    talk.hang_up().await;
    assert_eq!(talk.hear().await["id"], 1);
    talk.ended().await;
}

#[tokio::test]
async fn serving_ends_with_input_that_never_was() {
    let mut talk = Talk::with(&Double::new());
    talk.hang_up().await;
    talk.ended().await;
}

#[tokio::test]
async fn a_broken_output_ends_serving_and_cancels_what_is_under_way() {
    let double = Double::new();
    let mut talk = Talk::legacy(&double).await;
    talk.tell(legacy(1, "tools/call", json!({ "name": "slow", "arguments": {} }))).await;
    double.slow_calls(1, 0).await;
    let Talk { lines, input, server, .. } = talk;
    drop(lines);
    let mut input = input.unwrap();
    input.write_all(b"no JSON\n").await.unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(8), server)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    double.slow_calls(1, 1).await;
}

#[tokio::test]
async fn a_shutdown_ends_serving_while_the_client_is_still_there() {
    let talk = Talk::legacy(&Double::new()).await;
    talk.shutdown.cancel();
    talk.ended().await;
}
