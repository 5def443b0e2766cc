//! The API's key is nowhere but at the API, in no encoding.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::house::{House, SECRET};
use super::mcp::Session;
use super::web::Server;
use super::{patience, signal};

fn forms() -> Vec<String> {
    let hex: String = hex::encode(SECRET);
    vec![
        SECRET.to_owned(),
        STANDARD.encode(SECRET),
        STANDARD_NO_PAD.encode(SECRET),
        URL_SAFE.encode(SECRET),
        URL_SAFE_NO_PAD.encode(SECRET),
        hex.to_uppercase(),
        hex,
        utf8_percent_encode(SECRET, NON_ALPHANUMERIC).to_string(),
        SECRET.replace(' ', "%20"),
        SECRET.replace('/', "\\/"),
    ]
}

#[track_caller]
fn clean(place: &str, bytes: &[u8]) {
    for form in forms() {
        let found = bytes.windows(form.len()).any(|window| window == form.as_bytes());
        assert!(!found, "{place} shows the secret as {form}");
    }
}

#[track_caller]
fn clean_store(house: &House) {
    let mut files = 0;
    for entry in fs::read_dir(house.folder()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("tollbridge.db"))
        {
            files += 1;
            clean(&path.to_string_lossy(), &fs::read(&path).expect("a file"));
        }
    }
    assert!(files > 0);
}

#[test]
fn a_session_leaves_the_secret_nowhere() {
    let house = House::new();
    let mut session = Session::start_with(&house, &[("TOLLBRIDGE_LOG", "trace")]);
    session.shake_hands();
    let mut heard = String::new();
    for (id, item) in (1..).zip(["a1", "echo-key", "echo-refused", "status-404", SECRET]) {
        heard += &session.call(id, "get_item", &json!({"id": item})).to_string();
    }
    assert_eq!(house.upstream.count(), 5);
    assert!(house.upstream.seen().iter().all(|seen| seen.header("x-api-key") == Some(SECRET)));
    clean("standard output", heard.as_bytes());
    clean_store(&house);
    let (_, said) = session.ends();
    clean("standard error", said.as_bytes());
    clean_store(&house);
}

#[test]
fn a_server_over_http_leaves_the_secret_nowhere() {
    let house = House::new();
    let server = Server::start_with(
        &house,
        &[("TOLLBRIDGE_LOG", "trace"), ("TOLLBRIDGE_LOG_FORMAT", "json")],
    );
    for item in ["a1", "echo-key", "echo-refused"] {
        clean("an answer", server.call(item, &[]).body.as_bytes());
    }
    clean("the metrics", server.get("/metrics").body.as_bytes());
    clean("readiness", server.get("/-/ready").body.as_bytes());
    let (_, said) = server.ends();
    clean("standard error", said.as_bytes());
    clean_store(&house);
}

#[test]
fn the_commands_leave_the_secret_nowhere() {
    let house = House::new();
    for arguments in [
        &["call", "get_item", "id=echo-key"][..],
        &["call", "get_item", "id=echo-refused", "--json"],
        &["call", "get_item", "id=a1", "--dry-run"],
        &["check"],
        &["check", "--json"],
        &["tools", "--json"],
        &["trace"],
        &["trace", "--json"],
    ] {
        let mut command = house.command(arguments);
        command.env("TOLLBRIDGE_LOG", "trace");
        let done = super::house::finish(command);
        clean(&format!("{arguments:?}"), format!("{}{}", done.stdout, done.stderr).as_bytes());
    }
    clean_store(&house);
}

/// Whether the API gets this key, now or soon.
fn reaches(house: &House, session: &mut Session, key: &str) {
    let mut id = 100;
    patience(&format!("the key {key}"), || {
        id += 1;
        session.call(id, "get_item", &json!({"id": "a1"}));
        let seen = house.upstream.seen();
        (seen.last()?.header("x-api-key") == Some(key)).then_some(())
    });
}

#[test]
fn a_secret_s_file_that_is_written_again_is_taken_by_itself() {
    let house = House::new();
    house.write("key", "the-first-key\n");
    house.configure(|text| text.replace("env:ITEMS_KEY", "file:key"));
    let mut session = Session::legacy(&house);
    reaches(&house, &mut session, "the-first-key");
    house.write("key", "the-second-key\n");
    reaches(&house, &mut session, "the-second-key");
    assert_eq!(session.ends().0, 0);
}

#[test]
fn a_secret_s_command_is_run_again_on_a_signal_and_never_by_check() {
    let house = House::new();
    house.write("key", "the-first-key\n");
    let command = "sh -c 'echo ran >> runs; cat key'";
    house.configure(|text| text.replace("env:ITEMS_KEY", &format!("exec:{command}")));
    house.run(&["check"]).exits(0);
    assert!(!house.path("runs").exists());
    let mut session = Session::legacy(&house);
    reaches(&house, &mut session, "the-first-key");
    house.write("key", "the-second-key\n");
    signal("-HUP", session.child.id());
    reaches(&house, &mut session, "the-second-key");
    let (code, said) = session.ends();
    assert_eq!(code, 0);
    assert!(!said.contains("the-second-key"), "{said}");
    assert_eq!(fs::read_to_string(house.path("runs")).expect("it ran"), "ran\nran\n");
}
