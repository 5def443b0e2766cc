//! `serve` over standard input and output, line by line.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::house::House;
use super::mcp::{Session, stateless};

fn outcomes(house: &House) -> Vec<Value> {
    house.calls().iter().map(|call| call["outcome"].clone()).collect()
}

#[test]
fn a_client_of_2025_shakes_hands_lists_and_calls() {
    let house = House::new();
    let mut session = Session::start(&house);
    let hello = session.shake_hands();
    assert_eq!(hello["result"]["protocolVersion"], "2025-11-25");
    assert_eq!(hello["result"]["serverInfo"]["name"], "items");
    assert_eq!(hello["result"]["capabilities"]["tools"]["listChanged"], true);
    let tools = session.tools(1);
    assert_eq!(tools, ["get_item", "add_item", "delete_item", "get_item_once", "buy_item"]);
    let answer = session.call(2, "get_item", &json!({"id": "a1"}));
    assert_eq!(answer["result"]["structuredContent"], json!({"id": "a1", "name": "thing"}));
    assert_eq!(answer["result"]["_meta"]["tollbridge/call"]["status"], 200);
    assert_eq!(session.ends().0, 0);
}

#[test]
fn a_client_of_2026_needs_no_handshake() {
    let house = House::new();
    let mut session = Session::start(&house);
    let found = session.ask(1, "server/discover", stateless(json!({})));
    let versions = found["result"]["supportedVersions"].as_array().expect("versions");
    assert!(versions.contains(&json!("2026-07-28")), "{found}");
    let call = json!({"name": "get_item", "arguments": {"id": "a1"}});
    let answer = session.ask(2, "tools/call", stateless(call));
    assert_eq!(answer["result"]["structuredContent"]["id"], "a1");
    assert_eq!(answer["result"]["resultType"], "complete");
}

#[test]
fn what_is_no_request_is_answered_recorded_and_survived() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    let long = format!("\"{}\"", "x".repeat(4 * 1024 * 1024));
    let refused = [
        ("{\"jsonrpc\":", json!(null), -32700),
        ("[]", json!(null), -32600),
        (r#"[{"jsonrpc":"2.0","id":3,"method":"ping"}]"#, json!(null), -32600),
        (r#"{"jsonrpc":"2.0","id":4,"method":"ping","method":"ping"}"#, json!(4), -32600),
        (&long, json!(null), -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, json!(null), -32600),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, json!(null), -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, json!(null), -32600),
        (r#"{"jsonrpc":"1.0","id":5,"method":"ping"}"#, json!(5), -32600),
    ];
    for (line, id, code) in &refused {
        session.say(line);
        let answer = session.hear();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (id, &json!(code)), "{answer}");
    }
    assert_eq!(outcomes(&house), vec![json!("malformed"); refused.len()]);
    assert!(session.call(9, "get_item", &json!({"id": "a1"}))["result"].is_object());
}

#[test]
fn a_call_that_names_two_values_for_one_argument_has_no_effect() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    session.say(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add_item","arguments":{"body":{"name":"a","price":1,"price":501}}}}"#,
    );
    assert_eq!(session.hear()["error"]["code"], -32600);
    assert_eq!(house.upstream.count(), 0);
}

#[test]
fn unknown_tools_and_arguments_that_are_no_object_are_invalid_params() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    for (id, params) in [
        json!({"name": "nothing", "arguments": {}}),
        json!({"name": "get_item_as_alice", "arguments": {"id": "a1"}}),
        json!({"name": "get_item", "arguments": [1]}),
        json!({"name": 7, "arguments": {}}),
    ]
    .into_iter()
    .enumerate()
    {
        let id = u32::try_from(id).expect("a small number") + 1;
        assert_eq!(session.ask(id, "tools/call", params)["error"]["code"], -32602);
    }
    let expected = ["unknown_tool", "unknown_tool", "malformed", "malformed"];
    assert_eq!(outcomes(&house), expected.map(Value::from));
}

#[test]
fn the_log_stays_away_from_the_messages() {
    let house = House::new();
    let mut session =
        Session::start_with(&house, &[("TOLLBRIDGE_LOG", "trace,rmcp=trace,sqlx=trace")]);
    session.shake_hands();
    session.say("{");
    session.call(1, "get_item", &json!({"id": "a1"}));
    session.call(2, "get_item", &json!({"id": "status-404"}));
    // `ends` reads every line to the last and wants each to be one message.
    let (code, said) = session.ends();
    assert_eq!(code, 0);
    assert!(said.contains("TRACE"), "{said}");
}

#[test]
fn it_ends_when_the_input_ends() {
    let house = House::new();
    let session = Session::legacy(&house);
    let started = Instant::now();
    assert_eq!(session.ends().0, 0);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn it_ends_when_nothing_was_ever_said() {
    let house = House::new();
    assert_eq!(Session::start(&house).ends().0, 0);
}

#[test]
fn what_was_asked_before_the_input_ended_is_answered() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    session.request(1, "tools/call", &json!({"name": "get_item", "arguments": {"id": "wait-200"}}));
    session.hang_up();
    assert_eq!(session.answer(1)["result"]["structuredContent"]["id"], "wait-200");
    assert_eq!(session.ends().0, 0);
    assert_eq!(house.last_call()["outcome"], "succeeded");
}

#[test]
fn it_ends_with_its_input_though_a_call_is_under_way() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    session.request(1, "tools/call", &json!({"name": "get_item", "arguments": {"id": "hold"}}));
    house.upstream.reached(1);
    let started = Instant::now();
    session.hang_up();
    let (code, said) = session.ends();
    assert_eq!(code, 0, "{said}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    house.upstream.hung_up(1);
    assert_eq!(house.last_call()["outcome"], "cancelled");
}

#[test]
fn a_call_that_the_client_cancels_ends_at_the_upstream_too() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    session.request(1, "tools/call", &json!({"name": "get_item", "arguments": {"id": "hold"}}));
    house.upstream.reached(1);
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    session.say(&cancel.to_string());
    house.upstream.hung_up(1);
    assert!(session.call(2, "get_item", &json!({"id": "a1"}))["result"].is_object());
    assert_eq!(session.ends().0, 0);
    assert_eq!(house.calls()[0]["outcome"], "cancelled");
}
