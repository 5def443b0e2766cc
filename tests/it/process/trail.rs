//! The commands that read: `trace`, `key`, `tools`, `schema`, `completions`, `demo`.

use std::io::{BufRead as _, BufReader};
use std::sync::mpsc::channel;
use std::thread;

use serde_json::{Value, json};

use super::house::{House, finish};
use super::{PATIENCE, patience};

fn tools(house: &House, arguments: &[&str]) -> Vec<String> {
    let trail = house.run(&[&["trace", "--json"], arguments].concat()).exits(0).json();
    let calls = trail["calls"].as_array().expect("a list");
    calls.iter().map(|call| call["tool"].as_str().unwrap_or("-").to_owned()).collect()
}

#[test]
fn the_trail_answers_what_it_is_asked() {
    let house = House::new();
    house.run(&["call", "get_item", "id=a1"]).exits(0);
    house.run(&["call", "delete_item", "id=a1"]).exits(5);
    house
        .run(&["call", "add_item", "body:={\"name\":\"a\",\"price\":501}", "--as", "alice"])
        .exits(3);
    assert_eq!(tools(&house, &[]), ["get_item", "delete_item", "add_item"]);
    assert_eq!(tools(&house, &["--tool", "get_item"]), ["get_item"]);
    assert_eq!(tools(&house, &["--caller", "alice"]), ["add_item"]);
    assert_eq!(tools(&house, &["--decision", "deny"]), ["add_item"]);
    assert_eq!(tools(&house, &["--decision", "hold"]), ["delete_item"]);
    assert_eq!(tools(&house, &["--decision", "allow"]), ["get_item"]);
    assert_eq!(tools(&house, &["--outcome", "succeeded"]), ["get_item"]);
    assert_eq!(tools(&house, &["--outcome", "held"]), ["delete_item"]);
    assert_eq!(tools(&house, &["--outcome", "failed"]), ["delete_item", "add_item"]);
    assert_eq!(tools(&house, &["--outcome", "unknown_tool"]).len(), 0);
    assert_eq!(tools(&house, &["--since", "1h"]).len(), 3);
    assert_eq!(tools(&house, &["--since", "2999-01-01"]).len(), 0);
    assert_eq!(tools(&house, &["--limit", "2"]), ["delete_item", "add_item"]);
    house.run(&["trace", "--decision", "maybe"]).exits(2);
    house.run(&["trace", "--since", "yesterday"]).exits(2);
    let wrong = house.run(&["trace", "--outcome", "upstream_timout"]).exits(2);
    assert!(wrong.stderr.contains("'upstream_timeout'"), "{}", wrong.stderr);
    assert_eq!(house.run(&["trace"]).exits(0).stdout.lines().count(), 3);
}

#[test]
fn a_call_is_told_by_its_id_or_the_beginning_of_it() {
    let house = House::new();
    house.run(&["call", "get_item", "id=a1"]).exits(0);
    let call = house.last_call();
    let id = call["id"].as_str().expect("an id");
    let whole = house.run(&["trace", "show", id, "--json"]).exits(0).json();
    let kinds: Vec<_> =
        whole["events"].as_array().expect("events").iter().map(|e| &e["kind"]).collect();
    assert_eq!(
        kinds,
        ["received", "decided", "attempt_started", "attempt_finished", "replied"]
            .map(Value::from)
            .each_ref()
    );
    let start = &id[..20].to_lowercase();
    assert_eq!(house.run(&["trace", "show", start, "--json"]).exits(0).json(), whole);
    let story = house.run(&["trace", "show", id]).exits(0).stdout;
    for word in [id, "bot", "get_item", "items/getItem", "allow", "succeeded"] {
        assert!(story.contains(word), "{word} in {story}");
    }
    let form: Vec<_> = call.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(
        form,
        [
            "id",
            "time",
            "trace",
            "identity",
            "tool",
            "api",
            "operation",
            "arguments",
            "decision",
            "attempts",
            "outcome",
            "served_by",
            "cost",
            "config",
            "spec"
        ]
    );
    house.run(&["trace", "show", "01ZZZZZZZZ"]).exits(1);
}

#[test]
fn whoever_follows_the_trail_sees_each_call_when_it_ends() {
    let house = House::new();
    house.run(&["call", "get_item", "id=a1"]).exits(0);
    let mut follower = house.command(&["trace", "--follow", "--json"]).spawn().expect("it runs");
    let lines = BufReader::new(follower.stdout.take().expect("it is piped")).lines();
    let (sender, heard) = channel();
    thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    // Only what ends after it has begun to look: calls are made until one is seen.
    let line = patience("a line", || {
        house.run(&["call", "get_item", "id=a2"]).exits(0);
        heard.recv_timeout(std::time::Duration::from_millis(500)).ok()
    });
    let call: Value = serde_json::from_str(&line).expect("one object a line");
    assert_eq!((&call["arguments"]["id"], &call["outcome"]), (&json!("a2"), &json!("succeeded")));
    house.run(&["call", "delete_item", "id=a3"]).exits(5);
    let next = patience("the held call", || {
        let line = heard.recv_timeout(PATIENCE).expect("a line");
        line.contains("delete_item").then_some(line)
    });
    assert_eq!(serde_json::from_str::<Value>(&next).expect("JSON")["outcome"], "held");
    let _ = follower.kill();
    let _ = follower.wait();
}

#[test]
fn reading_makes_no_store() {
    let house = House::new();
    house.run(&["trace", "--json"]);
    house.run(&["approve", "ls"]);
    assert!(!house.path("tollbridge.db").exists());
}

#[test]
fn keys_are_shown_once_and_listed_without_themselves() {
    let house = House::new();
    let made = house.run(&["key", "new", "carol", "--expires", "30d", "--json"]).exits(0).json();
    let names: Vec<_> = made.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["id", "key", "identity", "expires"]);
    let listed = house.run(&["key", "ls", "--json"]).exits(0);
    assert!(!listed.stdout.contains(made["key"].as_str().expect("a key")));
    assert_eq!(listed.json()["keys"][0]["identity"], "carol");
    let id = made["id"].as_str().expect("an id");
    assert_eq!(house.run(&["key", "revoke", id, "--json"]).exits(0).json()["revoked"], true);
    assert!(house.run(&["key", "ls", "--json"]).exits(0).json()["keys"][0]["revoked"].is_string());
    house.run(&["key", "revoke", "nothing"]).exits(1);
}

#[test]
fn the_tools_are_printed_in_the_contracts_form() {
    let house = House::new();
    let list = house.run(&["tools", "--json"]).exits(0).json();
    let tools = list["tools"].as_array().expect("a list");
    assert_eq!(tools.len(), 5);
    for tool in tools {
        for member in
            ["name", "title", "description", "inputSchema", "outputSchema", "annotations", "tokens"]
        {
            assert!(tool.get(member).is_some(), "{member} of {tool}");
        }
        assert_eq!(tool["outputSchema"]["type"], "object");
    }
    let alice = house.run(&["tools", "--as", "alice", "--json"]).exits(0).json();
    assert_eq!(alice["tools"].as_array().map(Vec::len), Some(6));
}

#[test]
fn the_schema_accepts_the_example() {
    let house = House::new();
    let schema = house.run(&["schema"]).exits(0).json();
    assert!(jsonschema::meta::is_valid(&schema));
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let top = concat!(env!("CARGO_MANIFEST_DIR"), "/tools.toml");
    let text = std::fs::read_to_string(top).expect("it is there");
    let example: toml::Value = toml::from_str(&text).expect("TOML");
    let example = serde_json::to_value(example).expect("it has no dates");
    let errors: Vec<_> = validator.iter_errors(&example).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let mut wrong = example;
    wrong["server"]["nmae"] = json!("x");
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn completions_know_the_commands() {
    let house = House::new();
    let script = house.run(&["completions", "bash"]).exits(0).stdout;
    assert!(script.contains("approve") && script.contains("complete -F"), "{script}");
}

#[test]
fn the_scripted_day_ends_well_and_can_be_read_by_scripts() {
    let house = House::new();
    let done = house.run(&["demo", "--json"]).exits(0);
    assert!(done.json()["steps"].as_array().is_some_and(|steps| steps.len() > 10));
    assert!(!house.path("tollbridge.db").exists());
    let told = house.run(&["demo"]).exits(0).stdout;
    assert!(told.contains("All of it really happened"), "{told}");
}

#[test]
fn a_trail_that_was_changed_does_not_verify_and_names_where() {
    let house = House::new();
    for id in ["a1", "a2", "a3"] {
        house.run(&["call", "get_item", &format!("id={id}")]).exits(0);
    }
    let anchor = house.path("anchors.jsonl");
    let anchor = anchor.to_str().expect("a path");
    house.run(&["trace", "anchor", "--out", anchor]).exits(0);
    house.run(&["call", "get_item", "id=a4"]).exits(0);
    let report = house.run(&["trace", "verify", "--anchor", anchor, "--json"]).exits(0).json();
    assert_eq!(report["ok"], true);
    assert_eq!(report["trail"]["events"], 20);
    assert_eq!(report["trail"]["signed_to"], 20, "a call signs when it ends: {report}");
    // Past the store, as an intruder would: the text of one event, of the same length.
    let file = house.path("tollbridge.db");
    let bytes = std::fs::read(&file).expect("the store");
    let (from, to) = (b"\"id\":\"a2\"", b"\"id\":\"a9\"");
    let found: Vec<usize> =
        (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!found.is_empty());
    let mut changed = bytes.clone();
    for at in found {
        changed[at..at + to.len()].copy_from_slice(to);
    }
    std::fs::write(&file, changed).expect("written");
    let report = house.run(&["trace", "verify", "--json"]).exits(7).json();
    assert_eq!(report["broken"]["what"], "changed");
    assert_eq!(report["broken"]["seq"], 6, "the second call's first event: {report}");
    assert!(house.run(&["trace", "verify"]).exits(7).stderr.contains("event 6"));
}

#[test]
fn a_call_from_the_command_line_is_of_the_trace_that_runs_it() {
    let house = House::new();
    let mut command = house.command(&["call", "get_item", "id=a1"]);
    command.env("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    command.env("TRACESTATE", "vendor=1");
    finish(command).exits(0);
    assert_eq!(house.last_call()["trace"], "4bf92f3577b34da6a3ce929d0e0e4736");
    let seen = house.upstream.seen().pop().expect("a request");
    let parent = seen.header("traceparent").expect("it is passed on");
    assert!(parent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{parent}");
    assert_eq!(seen.header("tracestate"), Some("vendor=1"));
}

#[test]
fn an_anchor_is_posted_where_that_is_asked_for() {
    let house = House::new();
    house.run(&["call", "get_item", "id=a1"]).exits(0);
    let to = format!("{}/items/anchors", house.upstream.url);
    house.run(&["trace", "anchor", "--out", &to]).exits(0);
    let posted = house.upstream.seen().pop().expect("a request");
    assert_eq!((&*posted.method, &*posted.path), ("POST", "/items/anchors"));
    std::fs::write(house.path("kept.jsonl"), &posted.body).expect("written");
    let kept = house.path("kept.jsonl");
    house.run(&["trace", "verify", "--anchor", kept.to_str().expect("a path")]).exits(0);
    let refused = house.run(&["trace", "anchor", "--out", "http://example.com/a"]).exits(2);
    assert!(refused.stderr.contains("https"), "{}", refused.stderr);
    let failed = house.run(&["trace", "anchor", "--out", "http://127.0.0.1:9/a"]).exits(1);
    assert!(failed.stderr.contains("error:"), "{}", failed.stderr);
}

#[test]
fn an_anchor_that_cannot_be_taken_holds_no_call_up() {
    let house = House::new();
    let keep_at = |to: &str| {
        house.configure(|text| format!("{text}\n[audit]\nanchor = \"{to}\"\n"));
    };
    keep_at("http://127.0.0.1:9/anchors");
    let done = house.run(&["call", "get_item", "id=a1"]).exits(0);
    assert!(done.stderr.contains("the trail cannot be signed"), "{}", done.stderr);
    house.run(&["trace", "verify"]).exits(0);
    keep_at("anchors.jsonl");
    house.run(&["call", "get_item", "id=a1"]).exits(0);
    let anchors = house.path("anchors.jsonl");
    house.run(&["trace", "verify", "--anchor", anchors.to_str().expect("a path")]).exits(0);
    keep_at("http://example.com/anchors");
    house.run(&["check"]).exits(2);
}
