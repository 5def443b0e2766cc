//! `serve --http`: who may call, what is refused, health, metrics, and how it ends.

use std::fs;
use std::io::Read as _;
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::house::House;
use super::mcp::stateless;
use super::patience;
use super::web::{Answer, Server};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;

fn keyed() -> House {
    let house = House::new();
    house.configure(|text| format!("{text}\n[server.auth]\nkeys = true\n"));
    house
}

/// A new key and its id.
fn key(house: &House, arguments: &[&str]) -> (String, String) {
    let made = house.run(&[&["key", "new", "--json"], arguments].concat()).exits(0).json();
    let [id, key] = ["id", "key"].map(|name| made[name].as_str().expect("a string").to_owned());
    (id, format!("Authorization: Bearer {key}"))
}

#[test]
fn a_call_is_answered() {
    let house = House::new();
    let server = Server::start(&house);
    let answer = server.call("a1", &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["result"]["structuredContent"]["id"], "a1");
    assert_eq!(house.last_call()["identity"], "bot");
}

#[test]
fn a_page_from_elsewhere_is_refused() {
    let house = House::new();
    let server = Server::start(&house);
    assert_eq!(server.call("a1", &["Origin: https://evil.example"]).status, 403);
    assert_eq!(server.call("a1", &["Origin: http://localhost:6274"]).status, 200);
    assert_eq!(house.upstream.count(), 1);
}

#[test]
fn a_rebound_name_is_refused() {
    let house = House::new();
    let server = Server::start(&house);
    assert_eq!(server.call("a1", &["Host: evil.example"]).status, 403);
    assert_eq!(server.send(&["GET /metrics HTTP/1.1", "Host: evil.example"], "").status, 403);
    assert_eq!(house.upstream.count(), 0);
}

#[test]
fn without_a_key_nobody_calls() {
    let house = keyed();
    let server = Server::start(&house);
    let answer = server.call("a1", &[]);
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(house.upstream.count(), 0);
}

#[test]
fn a_key_calls_as_its_identity_until_it_is_revoked() {
    let house = keyed();
    let (id, bearer) = key(&house, &["carol"]);
    let server = Server::start(&house);
    assert_eq!(server.call("a1", &[&bearer]).status, 200);
    assert_eq!(house.last_call()["identity"], "carol");
    house.run(&["key", "revoke", &id]).exits(0);
    let answer = server.call("a1", &[&bearer]);
    let challenge = answer.header("www-authenticate");
    assert_eq!((answer.status, challenge), (401, Some("Bearer error=\"invalid_token\"")));
    assert_eq!(house.upstream.count(), 1);
}

#[test]
fn a_wrong_key_and_one_in_the_query_are_refused() {
    let house = keyed();
    let (_, bearer) = key(&house, &["carol"]);
    let bare = bearer.rsplit(' ').next().expect("a key");
    let server = Server::start(&house);
    assert_eq!(server.call("a1", &["Authorization: Bearer tb_nothing"]).status, 401);
    let line = format!("POST /mcp?access_token={bare}&key={bare} HTTP/1.1");
    assert_eq!(server.send(&[&line, "Content-Type: application/json"], "{}").status, 401);
}

#[test]
fn a_key_ends_when_it_says() {
    let house = keyed();
    let (_, bearer) = key(&house, &["carol", "--expires", "1s"]);
    let server = Server::start(&house);
    patience("the key's end", || (server.call("a1", &[&bearer]).status == 401).then_some(()));
}

#[test]
fn a_session_of_somebody_else_is_not_there() {
    let house = keyed();
    let (_, carol) = key(&house, &["carol"]);
    let (_, dave) = key(&house, &["dave"]);
    let server = Server::start(&house);
    let opened = server.post(&[&carol], INITIALIZE);
    let session = opened.header("mcp-session-id").expect("a session");
    let session = format!("Mcp-Session-Id: {session}");
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#;
    assert_eq!(server.post(&[&dave, &session], list).status, 404);
    let told = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(server.post(&[&carol, &session], told).status, 202);
    assert_eq!(server.post(&[&carol, &session], list).status, 200);
}

#[test]
fn what_is_no_request_is_refused_and_recorded() {
    let house = House::new();
    let server = Server::start(&house);
    let large = " ".repeat(4 * 1024 * 1024 + 1);
    for (body, status, code) in [("{", 400, -32700), ("[]", 400, -32600), (&large, 413, -32600)] {
        let answer = server.post(&[], body);
        assert_eq!(answer.status, status);
        assert_eq!(answer.json()["error"]["code"], code);
    }
    let outcomes: Vec<_> = house.calls().iter().map(|call| call["outcome"].clone()).collect();
    assert_eq!(outcomes, [json!("malformed"), json!("malformed"), json!("malformed")]);
}

#[test]
fn an_open_server_is_refused_on_other_addresses() {
    let house = House::new();
    let done = house.run(&["serve", "--http", "0.0.0.0:0"]).exits(2);
    assert!(done.stderr.contains("[server.auth]"), "{}", done.stderr);
    assert_eq!(done.stdout, "");
}

#[test]
fn it_is_ready_until_the_store_is_gone() {
    let house = House::new();
    let server = Server::start(&house);
    assert_eq!(server.get("/-/healthy").status, 200);
    let ready = server.get("/-/ready");
    assert_eq!((ready.status, ready.json()["ready"].clone()), (200, json!(true)));
    for name in ["tollbridge.db", "tollbridge.db-wal", "tollbridge.db-shm"] {
        let _ = fs::remove_file(house.path(name));
    }
    assert_eq!(server.get("/-/ready").status, 503);
    assert_eq!(server.get("/-/healthy").status, 200);
}

#[test]
fn the_metrics_count_a_call() {
    let house = House::new();
    let server = Server::start(&house);
    server.call("a1", &[]);
    server.post(&[], "{");
    let metrics = server.get("/metrics");
    assert!(metrics.header("content-type").expect("a type").starts_with("application/openmetrics"));
    for line in [
        r#"tollbridge_calls_total{tool="get_item",outcome="succeeded"} 1"#,
        r#"tollbridge_attempts_total{api="items",status="2xx"} 1"#,
        r#"tollbridge_malformed_total{transport="http"} 1"#,
        "tollbridge_calls_in_flight 0",
        "# EOF",
    ] {
        assert!(metrics.body.contains(line), "{line} in {}", metrics.body);
    }
}

#[test]
fn answers_to_what_is_no_call_are_measured_by_their_methods() {
    let house = House::new();
    let server = Server::start(&house);
    // There is nothing to discover, and so no prompts.
    for method in ["tools/list", "prompts/list"] {
        let params = stateless(json!({}));
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let named = format!("Mcp-Method: {method}");
        server.post(&["Mcp-Protocol-Version: 2026-07-28", &named], &body.to_string());
    }
    let metrics = server.get("/metrics").body;
    let counted = |line: &&str| line.starts_with("mcp_server_operation_duration_seconds_count");
    let mut counts: Vec<&str> = metrics.lines().filter(counted).collect();
    counts.sort_unstable();
    let over = concat!(
        r#"mcp_protocol_version="2026-07-28","#,
        r#"network_transport="tcp",network_protocol_name="http""#
    );
    let failed = r#"error_type="-32601",rpc_response_status_code="-32601""#;
    let expected = [
        format!(r#"mcp_method_name="prompts/list",{over},{failed}"#),
        format!(r#"mcp_method_name="tools/list",{over}"#),
    ];
    let expected =
        expected.map(|labels| format!("mcp_server_operation_duration_seconds_count{{{labels}}} 1"));
    assert_eq!(counts, expected);
}

#[test]
fn a_client_that_goes_takes_its_call_with_it() {
    let house = House::new();
    let server = Server::start(&house);
    let stream = server.open_call("get_item", "hold", &[]);
    house.upstream.reached(1);
    drop(stream);
    house.upstream.hung_up(1);
    patience("the end of the call", || (house.last_call()["outcome"] == "cancelled").then_some(()));
}

#[test]
fn a_call_under_way_is_answered_before_the_server_ends() {
    let house = House::new();
    let server = Server::start(&house);
    let mut stream = server.open_call("get_item", "hold", &[]);
    house.upstream.reached(1);
    let address = server.address.clone();
    let ending = thread::spawn(move || server.ends());
    patience("the door to close", || std::net::TcpStream::connect(&address).err());
    thread::sleep(Duration::from_millis(100));
    house.upstream.release();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer");
    let answer = Answer::parse(&String::from_utf8_lossy(&bytes));
    assert_eq!(answer.json()["result"]["structuredContent"]["id"], "hold");
    let (code, said) = ending.join().expect("it ends");
    assert_eq!(code, 0, "{said}");
    assert_eq!(house.last_call()["outcome"], "succeeded");
}
