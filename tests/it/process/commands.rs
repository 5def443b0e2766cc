//! `tollbridge call`: what it exits with, what it prints where, and what it sends.

use std::fs;

use serde_json::json;

use super::house::{House, SECRET};
use super::mcp::{Session, stateless};

#[test]
fn a_call_that_succeeds_exits_0_and_prints_the_value_alone() {
    let house = House::new();
    let done = house.run(&["call", "get_item", "id=a1"]).exits(0);
    assert_eq!(done.json(), json!({"id": "a1", "name": "thing"}));
    assert!(done.stderr.contains(" · 1 attempts · "), "{}", done.stderr);
    assert_eq!(house.upstream.seen()[0].header("x-api-key"), Some(SECRET));
}

#[test]
fn an_unknown_tool_exits_3_and_names_a_near_one() {
    let house = House::new();
    let done = house.run(&["call", "get_itme", "id=a1"]).exits(3);
    assert_eq!(done.stdout, "");
    assert!(done.stderr.contains("did you mean `get_item`?"), "{}", done.stderr);
    assert_eq!(house.last_call()["outcome"], "unknown_tool");
}

#[test]
fn a_tool_of_another_identity_exits_3_as_an_unknown_one() {
    let house = House::new();
    let done = house.run(&["call", "get_item_as_alice", "id=a1"]).exits(3);
    assert!(done.stderr.contains("unknown tool"), "{}", done.stderr);
    house.run(&["call", "get_item_as_alice", "id=a1", "--as", "alice"]).exits(0);
    assert_eq!(house.upstream.count(), 1);
}

#[test]
fn a_limit_on_an_argument_exits_3() {
    let house = House::new();
    let done = house.run(&["call", "add_item", "body:={\"name\":\"a\",\"price\":501}"]).exits(3);
    assert!(done.stderr.contains("error[denied]"), "{}", done.stderr);
    assert_eq!(house.upstream.count(), 0);
}

#[test]
fn invalid_arguments_exit_2_with_what_was_expected() {
    let house = House::new();
    let done = house.run(&["call", "get_item", "id=a1", "depht=1"]).exits(2);
    assert_eq!(done.stdout, "");
    assert!(done.stderr.contains("error[invalid_arguments]"), "{}", done.stderr);
    assert!(done.stderr.contains("/depht") && done.stderr.contains("depth"), "{}", done.stderr);
    assert_eq!(house.upstream.count(), 0);
    assert_eq!(house.last_call()["outcome"], "invalid_arguments");
}

#[test]
fn words_that_are_no_argument_exit_2() {
    let house = House::new();
    for wrong in [
        &["call", "get_item", "a1"][..],
        &["call"],
        &["cal", "get_item"],
        &["call", "get_item", "--args", "[]"],
    ] {
        assert_eq!(house.run(wrong).exits(2).stdout, "");
    }
}

#[test]
fn a_held_call_exits_5_and_its_repeat_goes_through_once_approved_and_once_only() {
    let house = House::new();
    let first = house.run(&["call", "delete_item", "id=a1", "--json"]).exits(5).json();
    let hold = &first["structuredContent"]["error"]["hold"]["id"];
    let again = house.run(&["call", "delete_item", "id=a1", "--json"]).exits(5).json();
    assert_eq!(&again["structuredContent"]["error"]["hold"]["id"], hold);
    assert_eq!(house.upstream.count(), 0);
    house.run(&["approve", hold.as_str().expect("an id")]).exits(0);
    house.run(&["call", "delete_item", "id=a2"]).exits(5);
    house.run(&["call", "delete_item", "id=a1"]).exits(0);
    house.run(&["call", "delete_item", "id=a1"]).exits(5);
    assert_eq!(house.upstream.count(), 1);
}

#[test]
fn a_rejected_call_ends_as_denied() {
    let house = House::new();
    let held = house.run(&["call", "delete_item", "id=a1", "--json"]).exits(5).json();
    let hold = held["structuredContent"]["error"]["hold"]["id"].as_str().expect("an id").to_owned();
    house.run(&["approve", "no", &hold, "--reason", "not today"]).exits(0);
    assert_eq!(house.last_call()["outcome"], "denied");
    assert_eq!(house.upstream.count(), 0);
}

#[test]
fn a_price_without_payment_exits_6() {
    let house = House::new();
    let done = house.run(&["call", "buy_item", "id=a1", "--json"]).exits(6).json();
    assert_eq!(done["_meta"]["tollbridge/error"]["code"], "payment_required");
    assert!(done["structuredContent"]["accepts"].is_array(), "{done}");
    assert_eq!(house.upstream.count(), 0);
}

#[test]
fn a_price_that_cannot_be_paid_now_exits_6_and_nothing_is_done() {
    let house = House::new();
    house.configure(|text| {
        let line = format!("facilitator = \"{}\"", house.upstream.url);
        text.replace(&line, "facilitator = \"http://127.0.0.1:1\"")
    });
    let done = house.run(&["call", "buy_item", "id=a1", "--json"]).exits(6).json();
    assert_eq!(done["structuredContent"]["error"]["code"], "settlement_unavailable");
    assert_eq!(house.upstream.count(), 0);
}

#[test]
fn a_full_window_exits_6() {
    let house = House::new();
    house.run(&["call", "get_item_once", "id=a1"]).exits(0);
    let done = house.run(&["call", "get_item_once", "id=a1", "--json"]).exits(6).json();
    let error = &done["structuredContent"]["error"];
    assert_eq!(error["code"], "rate_limited");
    assert!(error["retry_after_s"].as_u64().expect("a time") > 3500, "{error}");
    assert_eq!(house.upstream.count(), 1);
}

#[test]
fn the_upstreams_own_limit_exits_4() {
    let house = House::new();
    let done = house.run(&["call", "get_item", "id=status-429", "--json"]).exits(4).json();
    assert_eq!(done["structuredContent"]["error"]["code"], "rate_limited");
    assert_eq!(done["structuredContent"]["error"]["retry_after_s"], 3600);
}

#[test]
fn an_upstream_that_is_down_exits_4() {
    let house = House::new();
    house.configure(|text| {
        let text = text.replace(&house.upstream.url, "http://127.0.0.1:1");
        text.replace("timeout = \"9s\"\nattempt_timeout = \"8s\"", "timeout = \"500ms\"")
    });
    let done = house.run(&["call", "get_item", "id=a1", "--json"]).exits(4).json();
    assert_eq!(done["structuredContent"]["error"]["code"], "upstream_unavailable");
}

#[test]
fn an_upstream_that_says_no_exits_4() {
    let house = House::new();
    let done = house.run(&["call", "get_item", "id=status-404", "--json"]).exits(4).json();
    assert_eq!(done["structuredContent"]["error"]["code"], "upstream_error");
    assert_eq!(done["structuredContent"]["error"]["upstream"]["status"], 404);
}

#[test]
fn a_store_that_cannot_be_opened_exits_1_and_nothing_is_sent() {
    let house = House::new();
    fs::create_dir(house.path("tollbridge.db")).expect("the folder is ours");
    let done = house.run(&["call", "get_item", "id=a1"]).exits(1);
    assert_eq!(done.stdout, "");
    assert!(done.stderr.contains("tollbridge.db"), "{}", done.stderr);
    assert_eq!(house.upstream.count(), 0);
}

#[test]
fn the_result_is_the_one_that_mcp_sends() {
    let house = House::new();
    let mut command = house.run(&["call", "get_item", "id=a1", "--json"]).exits(0).json();
    let mut session = Session::start(&house);
    let call = stateless(json!({"name": "get_item", "arguments": {"id": "a1"}}));
    let mut sent = session.ask(1, "tools/call", call)["result"].take();
    for result in [&mut command, &mut sent] {
        for changing in ["id", "upstream_ms"] {
            result["_meta"]["tollbridge/call"][changing].take();
        }
    }
    assert_eq!(command, sent);
}

#[test]
fn values_are_read_by_the_schema_or_as_json() {
    let house = House::new();
    house.run(&["call", "get_item", "id=7", "depth=2", "tag:=\"x y\""]).exits(0);
    let input = r#"{"body": {"name": "a", "price": 0.10000000000000000001}}"#;
    house.run_with_input(&["call", "add_item", "--args", "-"], input).exits(0);
    let seen = house.upstream.seen();
    assert_eq!(seen[0].path, "/items/7?depth=2&tag=x%20y");
    assert_eq!(seen[1].body, r#"{"name":"a","price":0.10000000000000000001}"#);
}

#[test]
fn a_rehearsal_shows_the_request_and_leaves_no_trace() {
    let house = House::new();
    let done = house.run(&["call", "get_item", "id=a1", "--dry-run"]).exits(0);
    let shown = done.json();
    assert_eq!(shown["decision"]["effect"], "allow");
    assert_eq!(shown["request"]["url"], format!("{}/items/a1", house.upstream.url));
    assert!(!done.stdout.contains(SECRET) && !done.stderr.contains(SECRET), "{done:?}");
    let held = house.run(&["call", "delete_item", "id=a1", "--dry-run"]).exits(5).json();
    assert_eq!(held["decision"]["effect"], "hold");
    house.run(&["call", "get_item", "nothing=1", "--dry-run"]).exits(2);
    house.run(&["call", "nothing", "--dry-run"]).exits(3);
    assert_eq!(house.upstream.count(), 0);
    assert_eq!(house.calls().len(), 0);
    assert_eq!(house.run(&["approve", "ls", "--json"]).exits(0).json(), json!({"holds": []}));
}
