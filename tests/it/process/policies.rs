//! Policies as a user has them: files beside the configuration, checked, reloaded, explained and
//! tried out.

use serde_json::json;

use super::house::House;
use super::mcp::Session;
use super::signal;

const CHEAP: &str = r#"
@id("cheap_only") @reason("ask a manager for more than 100")
forbid(principal, action == Action::"add_item", resource)
when { context.arguments.body has price && context.arguments.body.price.greaterThan(decimal("100.0")) };

@id("free_is_held") @hold("5m")
forbid(principal, action == Action::"add_item", resource)
when { context.arguments.body has price && context.arguments.body.price == decimal("0.0") };
"#;

/// A folder with these policies.
fn house(policies: &str) -> House {
    let house = House::new();
    std::fs::create_dir(house.path("policies")).expect("a folder");
    house.write("policies/shop.cedar", policies);
    house.configure_more("[safety]\npolicies = [\"policies/*.cedar\"]\n");
    house
}

fn add(price: &str) -> String {
    format!("{{\"body\": {{\"name\": \"x\", \"price\": {price}}}}}")
}

#[test]
fn policies_on_arguments_decide_and_are_on_record_with_the_values() {
    let house = house(CHEAP);
    house.run(&["check"]).exits(0);
    house.run(&["call", "add_item", "--args", &add("99.9999")]).exits(0);
    let denied = house.run(&["call", "add_item", "--args", &add("100.0001")]).exits(3);
    assert!(denied.stderr.contains("ask a manager for more than 100"), "{denied:?}");
    assert_eq!(house.upstream.count(), 1);
    let call = house.last_call();
    assert_eq!(call["decision"], json!({"effect": "deny", "rules": ["cheap_only"]}));
    let id = call["id"].as_str().expect("a name");
    let shown = house.run(&["trace", "show", id, "--json"]).exits(0).json();
    let received = &shown["events"][0];
    assert!(received["policy"].as_str().is_some_and(|digest| digest.starts_with("sha256:")));
    let decided = &shown["events"][1];
    assert_eq!(decided["considered"][0]["rule"], "cheap_only");
    assert_eq!(
        decided["considered"][0]["values"],
        json!({"context.arguments.body.price": "100.0001"})
    );
    let story = house.run(&["trace", "show", id, "--why"]).exits(0).stdout;
    assert!(story.contains("context.arguments.body.price = 100.0001"), "{story}");
    // What Cedar cannot hold exactly does not slip through.
    let lost = house.run(&["call", "add_item", "--args", &add("0.00001")]).exits(3);
    assert!(lost.stderr.contains("cannot be decided"), "{lost:?}");
    assert_eq!(house.upstream.count(), 1);
}

#[test]
fn a_hold_of_a_policy_is_approved_and_used_once() {
    let house = house(CHEAP);
    let held = house.run(&["call", "add_item", "--args", &add("0"), "--json"]).exits(5).json();
    let id = held["structuredContent"]["error"]["hold"]["id"].as_str().expect("a hold").to_owned();
    assert_eq!(house.upstream.count(), 0);
    house.run(&["approve", "yes", &id]).exits(0);
    house.run(&["call", "add_item", "--args", &add("0")]).exits(0);
    let rules = house.last_call()["decision"]["rules"].clone();
    assert_eq!(rules, json!(["add_item.allow", format!("free_is_held={id}")]));
    house.run(&["call", "add_item", "--args", &add("0")]).exits(5);
    assert_eq!(house.upstream.count(), 1);
}

#[test]
fn changes_that_a_policy_denies_exit_3_with_its_name() {
    let house = house(CHEAP);
    let held = house.run(&["call", "add_item", "--args", &add("0"), "--json"]).exits(5).json();
    let id = held["structuredContent"]["error"]["hold"]["id"].as_str().expect("a hold").to_owned();
    let told = house.run(&["approve", "edit", &id, "--args", &add("250")]).exits(3);
    assert!(told.stderr.contains("would be denied by `"), "{told:?}");
    assert_eq!(house.run(&["approve", "show", &id, "--json"]).exits(0).json()["state"], "pending");
    house.run(&["approve", "edit", &id, "--args", &add("0.5")]).exits(0);
    assert_eq!(house.upstream.count(), 0);
}

#[test]
fn a_dry_run_tells_why() {
    let house = house(CHEAP);
    let told = house
        .run(&["call", "add_item", "--args", &add("250"), "--dry-run", "--why"])
        .exits(3)
        .stdout;
    assert!(told.starts_with("deny by cheap_only\nreason: ask a manager"), "{told}");
    assert!(told.contains("context.arguments.body.price = 250"), "{told}");
    assert!(told.contains("free_is_held    hold    not satisfied"), "{told}");
    assert_eq!(house.upstream.count(), 0);
}

#[test]
fn a_mistake_in_a_policy_is_told_with_its_place_and_its_mend() {
    let house = house(&CHEAP.replace("body.price.greaterThan", "body.prise.greaterThan"));
    let told = house.run(&["check"]).exits(2).stderr;
    assert!(told.contains("error[TB0326]") && told.contains("policies/shop.cedar:4:"), "{told}");
    assert!(told.contains("did you mean `price`?"), "{told}");
    house.run(&["call", "get_item", "id=a1"]).exits(2);
    house.write("policies/shop.cedar", CHEAP);
    house.run(&["check"]).exits(0);
    std::fs::remove_file(house.path("policies/shop.cedar")).expect("it was there");
    let told = house.run(&["check"]).exits(2).stderr;
    assert!(told.contains("`policies/*.cedar` matches no file"), "{told}");
}

#[test]
fn a_group_that_nobody_can_be_in_is_told_of_at_its_policy() {
    let about = |scope: &str, condition: &str| {
        format!("forbid({scope}, action == Action::\"add_item\", resource){condition};")
    };
    for policy in [
        about("principal in Group::\"mangers\"", ""),
        about("principal is Identity in Group::\"mangers\"", ""),
        about("principal", " unless { principal in [Group::\"agents\", Group::\"mangers\"] }"),
    ] {
        let house = house(&policy);
        let config = std::fs::read_to_string(house.path("tools.toml")).expect("it is there");
        house.write("tools.toml", &format!("{config}\n[groups]\nagents = [\"bot\"]\n"));
        let told = house.run(&["check"]).exits(2).stderr;
        assert!(told.contains("there is no group `mangers`"), "{told}");
        assert!(told.contains("shop.cedar:1:1") && told.contains("known groups: agents"), "{told}");
        house.write("policies/shop.cedar", &policy.replace("mangers", "agents"));
        house.run(&["check"]).exits(0);
    }
}

#[test]
fn a_policy_as_deep_as_it_may_be_is_read_and_a_deeper_one_told_of() {
    let sum = |many: usize| {
        let sum = "1 + ".repeat(many);
        format!(
            "forbid(principal, action == Action::\"add_item\", resource) when {{ {sum}1 > 300 }};"
        )
    };
    let house = house(&sum(245));
    house.run(&["check"]).exits(0);
    house.write("policies/shop.cedar", &sum(20_000));
    let told = house.run(&["check"]).exits(2).stderr;
    assert!(told.contains("a policy deeper than 256"), "{told}");
}

#[test]
fn a_policy_file_that_nobody_names_is_told_of() {
    let house = House::new();
    std::fs::create_dir(house.path("policies")).expect("a folder");
    house.write("policies/shop.cedar", CHEAP);
    house.write("policies/more.cedar", "");
    let told = house.run(&["check"]).exits(0).stderr;
    let says = "warning[TB0326]: `policies/more.cedar` and 1 more beside this file decides nothing";
    assert!(told.contains(says) && told.contains("policies = [\"policies/*.cedar\"]"), "{told}");
    house.configure_more("[safety]\npolicies = [\"policies/*.cedar\"]\n");
    assert!(!house.run(&["check"]).exits(0).stderr.contains("decides nothing"));
}

#[test]
fn a_broken_policy_leaves_the_old_ones_in_force_and_a_new_file_is_noticed() {
    let house = house(CHEAP);
    let mut session = Session::legacy(&house);
    let before = session.tools(1);
    assert!(before.contains(&"get_item".to_owned()));
    house.write("policies/shop.cedar", "permit(principal");
    signal("-HUP", session.child.id());
    std::thread::sleep(std::time::Duration::from_millis(500));
    let denied = session.call(2, "add_item", &json!({"body": {"name": "x", "price": 101}}));
    assert_eq!(denied["result"]["structuredContent"]["error"]["code"], "denied", "{denied}");
    house.write("policies/shop.cedar", CHEAP);
    house.write(
        "policies/more.cedar",
        "forbid(principal, action == Action::\"get_item\", resource);",
    );
    assert_eq!(session.hear()["method"], "notifications/tools/list_changed");
    assert!(!session.tools(3).contains(&"get_item".to_owned()));
    let unknown = session.call(4, "get_item", &json!({"id": "a1"}));
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    let (_, said) = session.ends();
    assert!(said.contains("TB0326") && said.contains("stays in force"), "{said}");
}

#[test]
fn a_policy_file_that_cannot_be_read_is_as_one_that_is_broken() {
    let house = house(CHEAP);
    let file = house.path("policies/shop.cedar");
    let mut session = Session::legacy(&house);
    // No text; then a folder with the name of the file.
    std::fs::write(&file, b"forbid(principal, action, resource); // \xff").expect("a file");
    for said in ["shop.cedar", "matches no file"] {
        let told = house.run(&["check"]).exits(2).stderr;
        assert!(told.contains("error[TB0326]") && told.contains(said), "{told}");
        house.run(&["call", "get_item", "id=a1"]).exits(2);
        signal("-HUP", session.child.id());
        std::thread::sleep(std::time::Duration::from_millis(300));
        let denied = session.call(2, "add_item", &json!({"body": {"name": "x", "price": 101}}));
        assert_eq!(denied["result"]["structuredContent"]["error"]["code"], "denied", "{denied}");
        let _ = std::fs::remove_file(&file);
        let _ = std::fs::create_dir(&file);
    }
    let (_, said) = session.ends();
    assert!(said.contains("TB0326") && said.contains("stays in force"), "{said}");
    assert_eq!(house.upstream.count(), 0);
}

const CASES: &str = r#"
[defaults]
tool = "add_item"

[[case]]
name   = "cheap"
args   = { body = { name = "x", price = 5 } }
expect = "allow"
by     = ["add_item.allow"]

[[case]]
name   = "dear"
args   = '{"body": {"name": "x", "price": 100.0001}}'
expect = "deny"
by     = ["cheap_only"]

[[case]]
name   = "free"
args   = { body = { name = "x", price = 0 } }
expect = "hold"

[[case]]
name   = "another's tool"
tool   = "get_item_as_alice"
args   = { id = "a1" }
expect = "hidden"

[[case]]
name   = "nothing"
args   = {}
expect = "invalid"

[[case]]
name   = "above the limit of the tool"
identity = "alice"
args   = { body = { name = "x", price = 501 } }
expect = "deny"
"#;

#[test]
fn cases_of_a_file_are_tried_and_a_difference_fails() {
    let house = house(CHEAP);
    house.write("policies/shop.test.toml", CASES);
    let done = house.run(&["test"]).exits(0);
    assert!(done.stdout.ends_with("6 passed, 0 failed\n"), "{done:?}");
    house.write(
        "policies/shop.test.toml",
        &CASES.replace("expect = \"hold\"", "expect = \"allow\""),
    );
    let failed = house.run(&["test", "policies/shop.test.toml"]).exits(1).stdout;
    assert!(failed.contains("FAIL  policies/shop.test.toml: free"), "{failed}");
    assert!(failed.contains("expected  allow\n  was       hold by free_is_held"), "{failed}");
    let told = house.run(&["test", "--json"]).exits(1).json();
    assert_eq!((&told["passed"], &told["failed"]), (&json!(5), &json!(1)));
    // That a tool which is not there at all is not listed proves nothing.
    house.write(
        "policies/shop.test.toml",
        &CASES.replace("get_item_as_alice", "get_item_as_alicia"),
    );
    let failed = house.run(&["test"]).exits(1).stdout;
    assert!(failed.contains("there is no tool `get_item_as_alicia`\n  no policy\n"), "{failed}");
    house.write("policies/shop.test.toml", "[[case]]\nname = \"x\"\nexpct = \"allow\"\n");
    let told = house.run(&["test"]).exits(2).stderr;
    assert!(told.contains("expct"), "{told}");
    assert_eq!(house.upstream.count(), 0);
}

#[test]
fn the_example_s_policies_say_what_its_cases_expect() {
    let house = House::new();
    let config = include_str!("../../../examples/policies/tools.toml");
    house.write("tools.toml", &config.replace("../../specs/", ""));
    house.write("orders.yaml", include_str!("../../../specs/orders.yaml"));
    std::fs::create_dir(house.path("policies")).expect("a folder");
    let policies = include_str!("../../../examples/policies/policies/agents.cedar");
    house.write("policies/agents.cedar", policies);
    let cases = include_str!("../../../examples/policies/policies/agents.test.toml");
    house.write("policies/agents.test.toml", cases);
    let told = house.run(&["test", "--json"]).exits(0).json();
    assert_eq!((&told["passed"], &told["failed"]), (&json!(11), &json!(0)));
}

#[test]
fn what_depends_on_an_argument_that_is_redacted_is_not_guessed() {
    let house = House::new();
    house.configure_more("[redact]\nfields = [\"id\"]\n");
    house.run(&["call", "get_item", "id=a1"]).exits(0);
    house.run(&["call", "delete_item", "id=a1", "--as", "eve"]);
    std::fs::create_dir(house.path("policies")).expect("a folder");
    house.write(
        "policies/shop.cedar",
        "@id(\"not_a1\") forbid(principal, action == Action::\"get_item\", resource) \
         when { context.arguments.id == \"a1\" };\n\
         @id(\"not_eve\") forbid(principal, action, resource) \
         when { principal.name == \"eve\" && context.time.instant > datetime(\"2020-01-01\") };",
    );
    house.configure_more("[safety]\npolicies = [\"policies/*.cedar\"]\n");
    let told = house.run(&["test", "--replay", "--json"]).exits(0).json();
    assert_eq!(told["unknown"].as_array().map(Vec::len), Some(1), "{told}");
    // What denies eve does not look at it.
    assert_eq!(told["changes"], json!({"hold → deny": 1}));
    let told = house.run(&["test", "--replay"]).exits(0).stdout;
    assert!(told.contains("1 unknown: they depend on arguments"), "{told}");
}

#[test]
fn recorded_calls_are_decided_anew_and_nothing_is_sent() {
    let house = House::new();
    house.run(&["call", "add_item", "--args", &add("50")]).exits(0);
    house.run(&["call", "add_item", "--args", &add("150")]).exits(0);
    house.run(&["call", "get_item_as_alice", "id=a1"]).exits(3);
    let sent = house.upstream.count();
    let same = house.run(&["test", "--replay"]).exits(0).stdout;
    assert_eq!(same, "3 calls: 3 as before, 0 changed (none), 0 not replayed\n");
    std::fs::create_dir(house.path("policies")).expect("a folder");
    house.write("policies/shop.cedar", CHEAP);
    house.configure_more("[safety]\npolicies = [\"policies/*.cedar\"]\n");
    let told = house.run(&["test", "--replay", "--since", "1h", "--json"]).exits(0).json();
    assert_eq!(told["changes"], json!({"allow → deny": 1}));
    assert_eq!(told["changed"][0]["decision"]["rules"], json!(["cheap_only"]));
    assert_eq!((&told["calls"], &told["same"]), (&json!(3), &json!(2)));
    assert_eq!(house.upstream.count(), sent);
}
