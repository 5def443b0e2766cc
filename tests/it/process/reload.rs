//! Changes of the configuration under a running server.

use std::fs;

use serde_json::json;

use super::house::House;
use super::mcp::Session;
use super::{patience, signal};

const MORE: &str = "\n[[tool]]\napi = \"items\"\noperation = \"getItem\"\nname = \"one_more\"\n";

#[test]
fn a_new_tool_is_announced_and_listed() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    assert!(!session.tools(1).contains(&"one_more".to_owned()));
    house.configure(|text| text + MORE);
    assert_eq!(session.hear()["method"], "notifications/tools/list_changed");
    assert!(session.tools(2).contains(&"one_more".to_owned()));
    assert!(session.call(3, "one_more", &json!({"id": "a1"}))["result"].is_object());
    let (code, said) = session.ends();
    assert_eq!(code, 0);
    assert!(said.contains("reloaded"), "{said}");
}

#[test]
fn a_change_of_the_description_is_noticed() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    session.tools(1);
    let spec = fs::read_to_string(house.path("items.yaml")).expect("it is there");
    house.write("items.yaml", &spec.replace("Read an item", "Read one item"));
    assert_eq!(session.hear()["method"], "notifications/tools/list_changed");
}

#[test]
fn a_signal_reloads_what_was_not_noticed() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    session.tools(1);
    house.configure(|text| text + MORE);
    signal("-HUP", session.child.id());
    assert_eq!(session.hear()["method"], "notifications/tools/list_changed");
    assert!(session.tools(2).contains(&"one_more".to_owned()));
    assert_eq!(session.ends().0, 0);
}

#[test]
fn a_broken_file_leaves_the_old_list_and_is_reported() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    let before = session.tools(1);
    house.configure(|text| text.replace("hold = true", "hodl = true"));
    signal("-HUP", session.child.id());
    // The next good one is loaded after the broken one.
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(session.tools(2), before);
    house.configure(|text| text + MORE);
    assert_eq!(session.hear()["method"], "notifications/tools/list_changed");
    let (_, said) = session.ends();
    assert!(said.contains("TB0101") && said.contains("hodl"), "{said}");
    assert!(said.contains("stays in force"), "{said}");
}

#[test]
fn a_description_that_is_mended_makes_good_the_configuration_that_named_it() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    session.tools(1);
    let spec = fs::read_to_string(house.path("items.yaml")).expect("it is there");
    house.write("more.yaml", "openapi: [");
    let more = format!(
        "\n[api.more]\nspec = \"more.yaml\"\nbase_url = \"{}\"\n{}",
        house.upstream.url,
        MORE.replace("api = \"items\"", "api = \"more\"")
    );
    house.configure(|text| text + &more);
    session.says("stays in force");
    house.write("more.yaml", &spec);
    assert_eq!(session.hear()["method"], "notifications/tools/list_changed");
    assert!(session.tools(2).contains(&"one_more".to_owned()));
}

#[test]
fn a_call_under_way_survives_a_reload() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    session.request(1, "tools/call", &json!({"name": "get_item", "arguments": {"id": "hold"}}));
    house.upstream.reached(1);
    house.configure(|text| text.replace("name = \"get_item\"\n", "name = \"fetch_item\"\n"));
    assert_eq!(session.hear()["method"], "notifications/tools/list_changed");
    assert_eq!(session.call(2, "get_item", &json!({"id": "a1"}))["error"]["code"], -32602);
    house.upstream.release();
    assert_eq!(session.answer(1)["result"]["structuredContent"]["id"], "hold");
    patience("both records", || (house.calls().len() == 2).then_some(()));
}

#[test]
fn a_rotated_secret_is_taken_on_sighup_though_no_file_of_the_configuration_changed() {
    let house = House::new();
    let key = house.path("items.key");
    std::fs::write(&key, "old-key-of-the-items").expect("a file");
    house.configure(|text| text.replace("env:ITEMS_KEY", "file:items.key"));
    let mut session = Session::legacy(&house);
    session.call(1, "get_item", &json!({"id": "a1"}));
    std::fs::write(&key, "new-key-of-the-items").expect("a file");
    signal("-HUP", session.child.id());
    let mut id = 2;
    patience("the new key", || {
        session.call(id, "get_item", &json!({"id": "a1"}));
        id += 1;
        let seen = house.upstream.seen();
        let sent = seen.last().and_then(|seen| seen.header("x-api-key"));
        (sent == Some("new-key-of-the-items")).then_some(())
    });
}

#[test]
fn a_change_of_the_collector_needs_a_restart_and_is_refused_until_then() {
    let house = House::new();
    let mut session = Session::legacy(&house);
    let before = session.tools(1);
    let good = fs::read_to_string(house.path("tools.toml")).expect("it is there");
    let collector = "\n[observe.otlp]\nendpoint = \"http://127.0.0.1:9\"\ntraces = true\n";
    house.configure(|text| text + MORE + collector);
    session.says("a change of [observe.otlp] needs a restart");
    assert_eq!(session.tools(2), before);
    house.configure(|_| good + MORE);
    assert_eq!(session.hear()["method"], "notifications/tools/list_changed");
    assert_eq!(session.ends().0, 0);
}
