//! What the trail keeps when the process is killed, and what happens when it cannot be kept.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::house::House;
use super::mcp::Session;
use super::patience;

#[test]
fn a_call_whose_process_was_killed_is_on_record_with_its_attempt() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    session.request(1, "tools/call", &json!({"name": "get_item", "arguments": {"id": "hold"}}));
    house.upstream.reached(1);
    session.kill();
    let call = house.last_call();
    assert_eq!(call["attempts"][0]["url"], format!("{}/items/hold", house.upstream.url));
    assert_eq!(call["outcome"], Value::Null);
    let mut again = Session::legacy(&house);
    again.call(1, "get_item", &json!({"id": "a1"}));
    assert_eq!(house.calls().len(), 2);
}

#[test]
fn the_next_process_closes_what_a_killed_one_left_open() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    session.request(1, "tools/call", &json!({"name": "get_item", "arguments": {"id": "hold"}}));
    house.upstream.reached(1);
    let mut beside = Session::legacy(&house);
    beside.call(1, "get_item", &json!({"id": "a1"}));
    assert_eq!(house.calls()[0]["outcome"], Value::Null, "its process lives");
    session.kill();
    house.run(&["call", "get_item", "id=a1"]).exits(0);
    let outcomes: Vec<_> = house.calls().iter().map(|call| call["outcome"].clone()).collect();
    assert_eq!(outcomes, ["outcome_unknown", "succeeded", "succeeded"]);
    beside.kill();
    house.run(&["call", "get_item", "id=a1"]).exits(0);
    let ends = |call: &Value| {
        let id = call["id"].as_str().expect("an id");
        let shown = house.run(&["trace", "show", id, "--json"]).exits(0).json();
        let events = shown["events"].as_array().expect("events").clone();
        events.iter().filter(|event| event["kind"] == "replied").count()
    };
    assert!(house.calls().iter().all(|call| ends(call) == 1), "each ends once");
    house.run(&["trace", "verify"]).exits(0);
}

#[test]
fn whatever_reached_the_upstream_is_on_record_whenever_the_process_was_killed() {
    let house = House::new();
    for round in 0..10_u64 {
        let mut session = Session::legacy(&house);
        for n in 0..60 {
            let arguments = json!({"id": format!("r{round}-{n}")});
            session.request(
                n + 1,
                "tools/call",
                &json!({"name": "get_item", "arguments": arguments}),
            );
        }
        house.upstream.reached(house.upstream.count() + 1);
        thread::sleep(Duration::from_millis(round * 13 % 70));
        session.kill();
    }
    let trail = house.run(&["trace", "--json", "--limit", "10000"]).exits(0).json();
    let recorded: HashMap<&str, &Value> = trail["calls"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|call| Some((call["arguments"]["id"].as_str()?, call)))
        .collect();
    let seen = house.upstream.seen();
    assert!(seen.len() >= 10, "{}", seen.len());
    for request in &seen {
        let id = request.path.trim_start_matches("/items/");
        let call = recorded.get(id).unwrap_or_else(|| panic!("{id} is not on record"));
        let url = call["attempts"][0]["url"].as_str().unwrap_or_default();
        assert!(url.ends_with(&request.path), "{call}");
    }
}

#[test]
fn whatever_was_answered_is_on_record_to_its_end_whenever_the_process_was_killed() {
    for durability in ["process", "full"] {
        let house = House::new();
        house.configure(|text| format!("{text}\n[audit]\ndurability = \"{durability}\"\n"));
        let mut answered = Vec::new();
        for round in 0..6 {
            let mut session = Session::legacy(&house);
            // Few calls go into the store itself, more of them into the journal before it.
            for n in 0..=round * 7 {
                let answer = session.call(n + 1, "get_item", &json!({"id": "a1"}));
                let call = &answer["result"]["_meta"]["tollbridge/call"]["id"];
                answered.push(call.as_str().expect("a call has an id").to_owned());
            }
            session.kill();
        }
        let trail = house.run(&["trace", "--json", "--limit", "10000"]).exits(0).json();
        let mut recorded: HashMap<&str, Vec<&Value>> = HashMap::new();
        for call in trail["calls"].as_array().expect("a list") {
            recorded.entry(call["id"].as_str().expect("an id")).or_default().push(call);
        }
        for id in &answered {
            let calls = recorded.get(id.as_str()).map(Vec::as_slice);
            let Some([call]) = calls else {
                panic!("{durability}: {id} is on record as {calls:?}")
            };
            assert_eq!(call["outcome"], "succeeded", "{durability}: {call}");
            assert_eq!(call["attempts"].as_array().map(Vec::len), Some(1), "{durability}: {call}");
        }
    }
}

/// A small disk of its own, where the system lets us have one.
struct Disk(PathBuf);

impl Disk {
    fn mount(house: &House) -> Option<Self> {
        let folder = house.path("disk");
        fs::create_dir(&folder).expect("the folder is ours");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "tollbridge-test"]).arg(&folder);
        let mounted = mount.output().is_ok_and(|done| done.status.success());
        mounted.then_some(Self(folder))
    }

    fn fill(&self) {
        let mut file = File::create(self.0.join("filler")).expect("a file");
        // Smaller and smaller pieces, to the last byte.
        for size in [65_536, 4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("filler")).expect("it is there");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_calls_before_they_are_sent_and_only_while_it_is_full() {
    let house = House::new();
    let Some(disk) = Disk::mount(&house) else {
        eprintln!("skipped: no file system can be mounted here");
        return;
    };
    house.configure(|text| format!("{text}\n[audit]\nstore = \"sqlite:disk/trail.db\"\n"));
    let mut session = Session::legacy(&house);
    session.call(1, "get_item", &json!({"id": "a1"}));
    disk.fill();
    let code = |answer: &Value| answer["result"]["structuredContent"]["error"]["code"].clone();
    // What the database has in reserve may carry a few more calls.
    let mut id = 1;
    patience("the disk to be full", || {
        id += 1;
        (code(&session.call(id, "get_item", &json!({"id": "a2"}))) == "audit_unavailable")
            .then_some(())
    });
    let sent = house.upstream.count();
    for n in 1..=3 {
        let answer = session.call(id + n, "get_item", &json!({"id": "a3"}));
        assert_eq!(code(&answer), "audit_unavailable", "{answer}");
    }
    house.run(&["call", "get_item", "id=a3"]).exits(1);
    assert_eq!(house.upstream.count(), sent);
    disk.empty();
    patience("the recovery", || {
        id += 10;
        code(&session.call(id, "get_item", &json!({"id": "a4"}))).is_null().then_some(())
    });
    let (code, said) = session.ends();
    assert_eq!(code, 0);
    assert!(!said.contains("panicked"), "{said}");
}
