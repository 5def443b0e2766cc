//! Descriptions that change after they were accepted: what becomes of their tools, what
//! `diff` says of that, and how a change is accepted.

use std::fs;

use serde_json::{Value, json};

use super::house::House;

const SPEC: &str = include_str!("items.yaml");

/// A house whose description was accepted and has changed since.
fn changed(change: impl FnOnce(&str) -> String) -> House {
    let house = House::new();
    house.run(&["diff", "--accept"]).exits(0);
    house.write("items.yaml", &change(SPEC));
    house
}

/// Deleting asks for more, and says something else to an agent.
fn a_new_delete(spec: &str) -> String {
    spec.replace(
        "      summary: Delete an item\n",
        "      summary: Delete an item, and tell nobody\n      parameters:\n        - {name: why, in: query, required: true, schema: {type: string}}\n",
    )
}

fn impacts(house: &House, arguments: &[&str]) -> Vec<(String, Value)> {
    let report = house.run(arguments).exits(0).json();
    let tools = report["tools"].as_array().expect("a list").clone();
    tools
        .into_iter()
        .map(|tool| (tool["tool"].as_str().unwrap().to_owned(), tool["impact"].clone()))
        .collect()
}

#[test]
fn a_changed_operation_is_quarantined_and_the_others_go_on() {
    let house = changed(a_new_delete);
    let check = house.run(&["check"]).exits(0);
    assert!(
        check.stderr.contains(
            "warning[TB0315]: `delete_item` is quarantined, breaking change: /arguments/why"
        ),
        "{check:?}"
    );
    house.run(&["call", "get_item", "id=a1"]).exits(0);
    let sent = house.upstream.count();

    let refused = house.run(&["call", "delete_item", "id=a1", "why=x", "--json"]).exits(3).json();
    assert_eq!(refused["structuredContent"]["error"]["code"], "quarantined");
    assert_eq!(refused["structuredContent"]["error"]["retryable"], false);
    house.run(&["call", "delete_item", "id=a1", "--dry-run"]).exits(3);
    assert_eq!(house.upstream.count(), sent, "nothing was sent");
    let call = house.last_call();
    assert_eq!(call["outcome"], "quarantined");
    assert_eq!(call["decision"], json!({"effect": "deny", "rules": ["delete_item.stale"]}));

    let tools = house.run(&["tools", "--json"]).exits(0).json();
    let listed =
        tools["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "delete_item");
    let listed = listed.expect("it stays listed");
    assert_eq!(listed["description"], "Delete an item", "as it was accepted");
    assert_eq!(listed["inputSchema"]["required"], json!(["id"]));
}

#[test]
fn a_changed_operation_stands_in_for_nothing() {
    let house = House::new();
    let fallback =
        "name = \"get_item\"\nfallback = [{ operation = \"getItem\", map = { id = \"id\" } }]";
    house.configure(|text| text.replacen("name = \"get_item\"", fallback, 1));
    house.run(&["diff", "--accept"]).exits(0);
    assert!(!house.run(&["check"]).exits(0).stderr.contains("fall back"));
    house.write("items.yaml", &SPEC.replace("/items/{id}:", "/admin/{id}:"));
    let check = house.run(&["check"]).exits(0);
    assert!(
        check.stderr.contains("warning[TB0315]: `get_item` does not fall back to `getItem`, "),
        "{check:?}"
    );
}

#[test]
fn a_difference_is_told_and_accepted() {
    let house = changed(a_new_delete);
    assert_eq!(
        impacts(&house, &["diff", "--json"]),
        [
            ("get_item".to_owned(), Value::Null),
            ("add_item".to_owned(), Value::Null),
            ("delete_item".to_owned(), json!("breaking")),
            ("get_item_once".to_owned(), Value::Null),
            ("buy_item".to_owned(), Value::Null),
            ("get_item_as_alice".to_owned(), Value::Null),
        ]
    );
    let diff = house.run(&["diff"]).exits(0);
    insta::assert_snapshot!(diff.stdout);
    house.run(&["diff", "--fail-on", "breaking"]).exits(1);

    house.run(&["diff", "--accept"]).exits(0);
    house.run(&["diff", "--fail-on", "docs-only"]).exits(0);
    let call = house.run(&["call", "delete_item", "id=a1", "why=x"]).exits(5);
    assert!(call.stderr.contains("held"), "{call:?}");
    let copy = fs::read_to_string(house.path("specs/accepted/items.yaml")).unwrap();
    assert_eq!(copy, fs::read_to_string(house.path("items.yaml")).unwrap());
}

#[test]
fn a_change_that_no_tool_is_made_of_quarantines_nothing() {
    let house = changed(|spec| {
        spec.replace("title: Items", "title: Things") + "  /more: {get: {responses: {}}}\n"
    });
    let check = house.run(&["check"]).exits(0);
    assert!(check.stderr.contains("TB0308") && !check.stderr.contains("TB0315"), "{check:?}");
    house.run(&["call", "get_item", "id=a1"]).exits(0);
}

#[test]
fn an_operation_that_is_gone_costs_the_others_nothing() {
    let house = changed(|spec| spec.replace("deleteItem", "removeItem"));
    house.run(&["call", "get_item", "id=a1"]).exits(0);
    house.run(&["call", "delete_item", "id=a1"]).exits(3);
    // It cannot be accepted as long as a tool is made of it.
    let refused = house.run(&["diff", "--accept"]).exits(2);
    assert!(refused.stderr.contains("no operation `deleteItem`"), "{refused:?}");
    house.run(&["call", "get_item", "id=a1"]).exits(0);
}

#[test]
fn without_the_accepted_copy_nothing_of_the_api_is_called() {
    let house = changed(a_new_delete);
    fs::remove_file(house.path("specs/accepted/items.yaml")).unwrap();
    let refused = house.run(&["call", "get_item", "id=a1", "--json"]).exits(3).json();
    assert_eq!(refused["structuredContent"]["error"]["code"], "quarantined");
    // A copy that someone changed is none either.
    fs::write(house.path("specs/accepted/items.yaml"), a_new_delete(SPEC)).unwrap();
    house.run(&["call", "get_item", "id=a1"]).exits(3);
}

#[test]
fn tools_may_follow_their_description_instead() {
    let house = changed(a_new_delete);
    let text = fs::read_to_string(house.path("tools.toml")).unwrap();
    house.write("tools.toml", &text.replace("[api.items]\n", "[api.items]\nstale = \"warn\"\n"));
    let check = house.run(&["check"]).exits(0);
    assert!(check.stderr.contains("`delete_item` changed, breaking change"), "{check:?}");
    house.run(&["call", "delete_item", "id=a1", "why=x"]).exits(5);
}

#[test]
fn two_versions_of_a_description_are_compared_as_their_tools() {
    let house = House::new();
    house.write("old.yaml", SPEC);
    house.write("items.yaml", &a_new_delete(SPEC));
    let all = impacts(&house, &["diff", "old.yaml", "items.yaml", "--json"]);
    assert_eq!(all.len(), 6, "the tools of the configuration that names one of them");
    // Without a configuration every operation is a tool.
    let alone =
        impacts(&house, &["--config", "none.toml", "diff", "old.yaml", "items.yaml", "--json"]);
    assert_eq!(
        alone,
        [
            ("get_item".to_owned(), Value::Null),
            ("delete_item".to_owned(), json!("breaking")),
            ("add_item".to_owned(), Value::Null),
        ]
    );
}

#[test]
fn two_configurations_are_compared_by_their_tools() {
    let house = House::new();
    let text = fs::read_to_string(house.path("tools.toml")).unwrap();
    let new = text
        .replace("max = 500", "max = 400")
        .replace("allow = [\"alice\"]", "allow = [\"alice\", \"bob\"]")
        .replace("name = \"get_item_once\"", "name = \"get_one_item\"")
        .replace("hold = true\n", "");
    house.write("new.toml", &new);
    let diff = house.run(&["diff", "tools.toml", "new.toml"]).exits(0);
    insta::assert_snapshot!(diff.stdout);
    house.run(&["diff", "tools.toml", "items.yaml"]).exits(2);
}

#[test]
fn a_changed_overlay_or_document_quarantines_as_a_changed_description_does() {
    let house = House::new();
    let overlay = |summary: &str| {
        format!(
            "overlay: 1.0.0\ninfo: {{title: t, version: '1'}}\nactions:\n\
             - target: $.paths['/items/{{id}}'].delete\n  update: {{summary: {summary}}}\n"
        )
    };
    let common = |kind: &str| format!("Why: {{name: why, in: query, schema: {{type: {kind}}}}}\n");
    house.write("overlay.yaml", &overlay("Deleted with care"));
    house.write("common.yaml", &common("string"));
    house.write(
        "items.yaml",
        &SPEC.replace(
            "      summary: Delete an item\n",
            "      summary: Delete an item\n      parameters: [{$ref: 'common.yaml#/Why'}]\n",
        ),
    );
    house.configure(|text| {
        text.replacen(
            "spec = \"items.yaml\"",
            "spec = \"items.yaml\"\noverlays = [\"overlay.yaml\"]",
            1,
        )
    });
    house.run(&["diff", "--accept"]).exits(0);
    let kept = house.path("specs/accepted/items.yaml.parts.json");
    let parts: Value = serde_json::from_slice(&fs::read(&kept).unwrap()).unwrap();
    assert_eq!(parts["documents"]["common.yaml"]["text"], json!(common("string")));
    assert_eq!(parts["overlays"][0]["text"], json!(overlay("Deleted with care")));

    for (name, text) in
        [("overlay.yaml", overlay("Do as you like")), ("common.yaml", common("integer"))]
    {
        let before = fs::read_to_string(house.path(name)).unwrap();
        house.write(name, &text);
        house.run(&["call", "get_item", "id=a1"]).exits(0);
        house.run(&["call", "delete_item", "id=a1"]).exits(3);
        let tools = house.run(&["tools", "--json"]).exits(0).json();
        let delete = tools["tools"].as_array().unwrap().iter();
        let delete = delete.clone().find(|tool| tool["name"] == "delete_item").unwrap();
        assert_eq!(delete["description"], "Deleted with care", "{name}: as it was accepted");
        house.write(name, &before);
        house.run(&["diff", "--fail-on", "docs-only"]).exits(0);
    }

    // An overlay that comes to it changes it, too; one that is gone leaves nothing behind.
    let config = fs::read_to_string(house.path("tools.toml")).unwrap();
    house.write("tools.toml", &config.replace("overlays = [\"overlay.yaml\"]\n", ""));
    house.run(&["call", "delete_item", "id=a1"]).exits(3);
    house.write("items.yaml", SPEC);
    house.run(&["diff", "--accept"]).exits(0);
    assert!(!kept.exists());
    house.run(&["diff", "--fail-on", "docs-only"]).exits(0);
}
