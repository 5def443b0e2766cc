//! `tollbridge fault-upstream`, as its user has it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::Value;

use super::house::{House, end};
use super::signal;

/// Starts it on free ports, and reads where they are.
fn start(house: &House, arguments: &[&str]) -> (Child, Value) {
    let mut command = house.command(&["fault-upstream", "--port", "0", "--json"]);
    let mut child =
        command.args(arguments).stdout(Stdio::piped()).spawn().expect("a fault upstream");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut text = String::new();
    let said = loop {
        text += &lines.next().expect("a document").expect("text");
        if let Ok(said) = serde_json::from_str(&text) {
            break said;
        }
    };
    (child, said)
}

fn get(doors: &Value, path: &str) -> String {
    let doors = doors["doors"].as_array().expect("doors");
    let plain = doors.iter().find(|door| door["name"] == "plain").expect("a plain door");
    let address = plain["url"].as_str().expect("a URL").trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).expect("a connection");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nX-Key: s3cr3t\r\n\r\n")
        .expect("sent");
    stream.shutdown(std::net::Shutdown::Write).expect("our end");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn the_fault_upstream_fails_as_it_is_told_and_says_what_came() {
    let house = House::new();
    house.write(
        "faults.toml",
        "[mine]\nabout = \"My own\"\nacts = [[{ answer = { status = 423 } }], [\"close\"]]\n",
    );
    let script = house.path("faults.toml");
    let (mut child, doors) = start(&house, &["--script", script.to_str().expect("a path")]);
    assert!(get(&doors, "/fault/mine/x").starts_with("HTTP/1.1 423 "));
    assert_eq!(get(&doors, "/fault/mine/x"), "");
    assert!(get(&doors, "/fault/teapot").starts_with("HTTP/1.1 418 "));
    assert!(get(&doors, "/fault/teapod").contains("no fault `teapod`"));
    let seen = get(&doors, "/-/seen");
    assert!(seen.contains("\"counts\":{\"mine\":2,\"teapot\":1}"), "{seen}");
    assert!(seen.contains("\"X-Key\"") && !seen.contains("s3cr3t"), "{seen}");
    signal("-TERM", child.id());
    assert_eq!(end(&mut child), 0);
}

#[test]
fn a_script_with_a_mistake_exits_2_and_names_its_line() {
    let house = House::new();
    house.write("faults.toml", "[mine]\nabout = \"My own\"\nacts = [[\"explode\"]]\n");
    let script = house.path("faults.toml");
    let done = house.run(&["fault-upstream", "--script", script.to_str().expect("a path")]);
    let done = done.exits(2);
    assert!(done.stderr.contains("line 3") && done.stderr.contains("explode"), "{}", done.stderr);
}
