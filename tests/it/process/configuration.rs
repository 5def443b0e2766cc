//! Configurations that are wrong: exit 2, and a message that names place and mend.

use insta::assert_snapshot;

use super::house::House;

/// What `check` says of a changed configuration, where nothing but the change is wrong.
fn complaint(change: impl FnOnce(String) -> String) -> String {
    let house = House::new();
    house.configure(change);
    let done = house.run(&["check"]).exits(2);
    assert_eq!(done.stdout, "");
    for command in [&["serve"][..], &["call", "get_item", "id=a1"], &["tools"]] {
        assert_eq!(house.run(command).exits(2).stdout, "", "{command:?}");
    }
    assert_eq!(house.upstream.count(), 0);
    assert!(!house.path("tollbridge.db").exists());
    done.stderr.replace(&house.upstream.url, "http://UPSTREAM")
}

#[test]
fn a_misspelled_key() {
    assert_snapshot!(complaint(|text| text.replace("hold = true", "hodl = true")));
}

#[test]
fn a_value_of_another_type() {
    assert_snapshot!(complaint(|text| text.replace("limit = 1,", "limit = \"one\",")));
}

#[test]
fn an_unknown_operation() {
    assert_snapshot!(complaint(|text| text.replace("\"deleteItem\"", "\"deleteItme\"")));
}

#[test]
fn a_rule_for_an_argument_that_is_not_there() {
    assert_snapshot!(complaint(|text| text.replace("\"/body/price\"", "\"/body/prize\"")));
}

#[test]
fn a_limit_in_other_words() {
    assert_snapshot!(complaint(|text| text.replace("max = 500", "max = \"500 EUR\"")));
}

#[test]
fn an_unknown_api() {
    assert_snapshot!(complaint(|text| text.replacen("api = \"items\"", "api = \"itms\"", 1)));
}

#[test]
fn a_file_that_is_no_toml() {
    let said = complaint(|text| text.replace("[api.items]", "[api.items"));
    // What follows the first is what the parser made of the rest.
    assert_snapshot!(said.split("\n\n").next().unwrap_or_default().trim_end());
}

#[test]
fn a_secret_in_the_file_is_refused_and_never_shown() {
    let said = complaint(|text| text.replace("env:ITEMS_KEY", "hunter2-hunter2"));
    assert!(!said.contains("hunter2"), "{said}");
    assert_snapshot!(said);
}

#[test]
fn a_secret_on_a_line_that_is_no_toml_is_never_shown() {
    let said = complaint(|text| text.replace("\"env:ITEMS_KEY\" }", "\"hunter2-hunter2\" ]"));
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_broken_description() {
    let house = House::new();
    house.write("items.yaml", "openapi: 3.1.0\ninfo: {title: [\n");
    assert_snapshot!(house.run(&["check"]).exits(2).stderr);
    house.run(&["serve"]).exits(2);
}

#[test]
fn a_description_that_is_not_there() {
    assert_snapshot!(complaint(|text| text.replace("\"items.yaml\"", "\"itmes.yaml\"")));
}

#[test]
fn a_configuration_that_is_not_there() {
    let house = House::new();
    assert_snapshot!(house.run(&["check", "--config", "missing.toml"]).exits(2).stderr);
    let mut command = house.command(&["serve"]);
    command.env("TOLLBRIDGE_CONFIG", "missing.toml");
    assert_eq!(super::house::finish(command).code, 2);
}

#[test]
fn a_secret_that_is_missing_is_a_warning_for_check_and_an_error_for_calls() {
    let house = House::new();
    let run = |arguments: &[&str]| {
        let mut command = house.command(arguments);
        command.env_remove("ITEMS_KEY");
        super::house::finish(command)
    };
    let checked = run(&["check"]).exits(0);
    assert_snapshot!(checked.stderr);
    assert!(run(&["serve"]).exits(2).stderr.contains("ITEMS_KEY"));
    assert!(run(&["call", "get_item", "id=a1"]).exits(2).stderr.contains("ITEMS_KEY"));
    run(&["call", "get_item", "id=a1", "--dry-run"]).exits(0);
    assert_eq!(house.upstream.count(), 0);
}

#[test]
fn scripts_get_place_code_and_help() {
    let house = House::new();
    let fine = house.run(&["check", "--json"]).exits(0).json();
    assert_eq!((&fine["ok"], &fine["tools"]), (&true.into(), &6.into()));
    house.configure(|text| text.replace("hold = true", "hodl = true"));
    let wrong = house.run(&["check", "--json"]).exits(2).json();
    assert_eq!(wrong["ok"], false);
    let first = &wrong["diagnostics"][0];
    assert_eq!((&first["code"], &first["severity"]), (&"TB0101".into(), &"error".into()));
    assert!(first["line"].as_u64() > Some(1) && first["column"] == 1, "{first}");
    assert!(first["help"].as_str().is_some_and(|help| help.contains("hold")), "{first}");
}

#[test]
fn a_code_is_explained_and_what_is_none_exits_2() {
    let house = House::new();
    let told = house.run(&["explain", "tb0106"]).exits(0);
    assert!(told.stdout.contains("env:NAME"), "{}", told.stdout);
    house.run(&["explain", "TB9999"]).exits(2);
}
