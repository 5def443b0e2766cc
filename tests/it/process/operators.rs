//! An operator beside a running server: the kill switch, and approvals.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::house::{House, SECRET, finish};
use super::mcp::Session;

fn code(answer: &Value) -> &str {
    answer["result"]["structuredContent"]["error"]["code"].as_str().unwrap_or("none")
}

#[test]
fn a_stop_holds_for_a_running_server_within_a_second() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    session.call(1, "get_item", &json!({"id": "a1"}));
    house.run(&["stop"]).exits(0);
    let stopped = Instant::now();
    let answer = session.call(2, "get_item", &json!({"id": "a2"}));
    assert!(stopped.elapsed() < Duration::from_secs(1));
    assert_eq!(code(&answer), "stopped");
    house.run(&["call", "get_item", "id=a3"]).exits(3);
    assert_eq!(session.tools(3).len(), 5);
    assert_eq!(house.upstream.count(), 1);
    house.run(&["resume"]).exits(0);
    assert_eq!(code(&session.call(4, "get_item", &json!({"id": "a4"}))), "none");
}

#[test]
fn a_stop_reaches_as_far_as_it_says() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    for (id, (flag, name, other)) in [
        ("--api", "items", "elsewhere"),
        ("--tool", "get_item", "add_item"),
        ("--identity", "bot", "alice"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = u32::try_from(id).expect("a small number") * 3 + 1;
        house.run(&["stop", flag, other]).exits(0);
        assert_eq!(code(&session.call(id, "get_item", &json!({"id": "a1"}))), "none", "{flag}");
        let now = house.run(&["stop", flag, name, "--json"]).exits(0).json();
        assert_eq!(now["stopped"].as_array().map(Vec::len), Some(2), "{now}");
        assert_eq!(code(&session.call(id + 1, "get_item", &json!({"id": "a1"}))), "stopped");
        house.run(&["resume", flag, name]).exits(0);
        house.run(&["resume", flag, other]).exits(0);
        assert_eq!(code(&session.call(id + 2, "get_item", &json!({"id": "a1"}))), "none");
    }
}

#[test]
fn a_stop_needs_no_configuration_that_is_right() {
    let house = House::new();
    house.run(&["call", "get_item", "id=a1"]).exits(0);
    house.configure(|text| format!("{text}\nnonsense = 1\n"));
    house.run(&["stop"]).exits(0);
    house.configure(|text| text);
    house.run(&["call", "get_item", "id=a1"]).exits(3);
}

#[test]
fn an_approval_lets_the_running_servers_repeat_through_once() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    let held = session.call(1, "delete_item", &json!({"id": "a1"}));
    assert_eq!(code(&held), "held");
    let waiting = house.run(&["approve", "ls", "--json"]).exits(0).json();
    let hold = waiting["holds"][0]["id"].as_str().expect("an id");
    assert_eq!(held["result"]["structuredContent"]["error"]["hold"]["id"], hold);
    assert_eq!(waiting["holds"][0]["arguments"], json!({"id": "a1"}));
    let shown = house.run(&["approve", "show", hold, "--json"]).exits(0).json();
    assert_eq!(shown["state"], "pending");
    let decided =
        house.run(&["approve", "yes", hold, "--reason", "fine", "--json"]).exits(0).json();
    assert_eq!(
        (&decided["decided_by"], &decided["reason"]),
        (&json!("operator:tester"), &json!("fine"))
    );
    // Whoever `USER` says it is, the account that ran it is on record.
    let account = std::process::Command::new("id").arg("-un").output().expect("an account");
    let account = String::from_utf8(account.stdout).expect("a name");
    let ran = format!("operator:{}", account.trim());
    let other = if ran == "operator:tester" { json!(null) } else { json!(ran) };
    assert_eq!(decided["decided_user"], other);
    assert_eq!(house.run(&["approve", "no", hold]).exits(1).stdout, "");
    assert_eq!(code(&session.call(2, "delete_item", &json!({"id": "a1"}))), "none");
    assert_eq!(code(&session.call(3, "delete_item", &json!({"id": "a1"}))), "held");
    assert_eq!(house.upstream.count(), 1);
    house.run(&["approve", "show", "nothing"]).exits(2);
}

/// As in a container, or in a job that is run by time.
#[test]
fn who_decides_where_no_variable_says_is_whose_account_it_is() {
    let house = House::new();
    house.run(&["call", "delete_item", "id=a1"]).exits(5);
    let held = house.run(&["approve", "ls", "--json"]).exits(0).json();
    let id = held["holds"][0]["id"].as_str().expect("an id").to_owned();
    let mut command = house.command(&["approve", "no", &id, "--json"]);
    command.env_remove("USER").env("LOGNAME", "");
    let decided = finish(command).exits(0).json();
    let account = std::process::Command::new("id").arg("-un").output().expect("an account");
    let account = String::from_utf8(account.stdout).expect("a name");
    assert_eq!(decided["decided_by"], json!(format!("operator:{}", account.trim())));
    assert_eq!(decided["decided_user"], json!(null));
}

#[test]
fn a_rejection_is_final_for_that_hold() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    session.call(1, "delete_item", &json!({"id": "a1"}));
    let waiting = house.run(&["approve", "ls", "--json"]).exits(0).json();
    let hold = waiting["holds"][0]["id"].as_str().expect("an id");
    house.run(&["approve", "no", hold]).exits(0);
    assert_ne!(code(&session.call(2, "delete_item", &json!({"id": "a1"}))), "none");
    assert_eq!(house.upstream.count(), 0);
}

#[test]
fn what_an_operator_writes_is_kept_by_the_rules_also_where_they_cannot_be_read() {
    let said = "4111 1111 1111 1111, ann@shop.example";
    for (rules, kept) in [
        ("[redact]\ndetect = [\"cards\"]", "[redacted], ann@shop.example"),
        ("nonsense = 1", "[redacted], [redacted]"),
    ] {
        let house = House::new();
        house.run(&["call", "delete_item", "id=a1"]).exits(5);
        let held = house.run(&["approve", "ls", "--json"]).exits(0).json();
        let id = held["holds"][0]["id"].as_str().expect("an id").to_owned();
        house.configure(|text| format!("{rules}\n{text}"));
        let told = house.run(&["approve", "no", &id, "--reason", said, "--json"]).exits(0).json();
        assert_eq!(told["reason"], kept, "{told}");
    }
}

#[test]
fn what_an_operator_writes_has_the_hashes_that_calls_have_where_their_key_is_at_hand() {
    let house = House::new();
    house.write("hashes", "0123456789abcdef0123456789abcdef");
    let rules = "[redact]\ndetect = [\"emails\"]\nhow = \"hash\"\nkey = \"file:hashes\"";
    house.configure(|text| format!("{rules}\n{text}"));
    let said = "ann@shop.example";
    let hold = |id: &str| {
        house.run(&["call", "delete_item", &format!("id={id}")]).exits(5);
        house.run(&["approve", "ls", "--json"]).exits(0).json()["holds"][0].clone()
    };
    let reject = |held: &Value| {
        let id = held["id"].as_str().expect("an id");
        let told = house.run(&["approve", "no", id, "--reason", said, "--json"]).exits(0).json();
        told["reason"].as_str().expect("a reason").to_owned()
    };
    let held = hold(said);
    let reason = reject(&held);
    assert!(reason.starts_with("[hash:"), "{reason}");
    assert!(held.to_string().contains(&reason), "{held} {reason}");

    let held = hold("a1");
    let rules = rules.replace("file:hashes", "exec:/usr/bin/touch ran");
    house.configure(|text| format!("{rules}\n{text}"));
    assert_eq!(reject(&held), "[redacted]");
    assert!(!house.folder().join("ran").exists(), "no program is run");
}

#[test]
fn what_an_operator_writes_is_kept_without_the_secrets_that_are_at_hand_and_no_program_is_run() {
    let house = House::new();
    house.run(&["call", "delete_item", "id=a1"]).exits(5);
    let held = house.run(&["approve", "ls", "--json"]).exits(0).json();
    let id = held["holds"][0]["id"].as_str().expect("an id").to_owned();
    house.write("token", "kept in a file");
    let header = |name: &str, reference: &str| format!("{name} = \"{reference}\"");
    let headers = [
        header("X-File", "file:token"),
        header("X-Run", "exec:/usr/bin/touch ran"),
        header("X-Missing", "env:NOT_HERE"),
    ];
    let headers = format!("[api.items]\nheaders = {{ {} }}", headers.join(", "));
    house.configure(|text| text.replace("[api.items]", &headers));
    let said = format!("not with {SECRET}, kept in a file; unresolved");
    let told = house.run(&["approve", "no", &id, "--reason", &said, "--json"]).exits(0).json();
    assert_eq!(told["reason"], "not with [redacted], [redacted]; unresolved");
    assert!(!house.folder().join("ran").exists(), "no program is run");
}
