//! The binary as scripts and operators use it: exit codes, what is data and what is talk,
//! diagnostics, the trail, held calls, keys and the kill switch.

use std::process::Output;

use serde_json::{Value, json};

use crate::stage::{Act, Folder, SECRET, Upstream, tool};

fn code(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

fn data(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("no single JSON document ({error}): {output:?}"))
}

fn calls(folder: &Folder) -> Vec<Value> {
    let trace = data(&folder.run(&["trace", "--json"]));
    trace["calls"].as_array().expect("calls").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_that_a_call_ends_has_its_exit_code() {
    let upstream = Upstream::start().await;
    let tools = tool("getItem", "calls = { limit = 3, per = \"1h\" }")
        + &tool("deleteItem", "hold = true")
        + &tool("pay", "[tool.args.\"/body/amount\"]\nmax = 5")
        + &tool("getItem", "name = \"bought\"\nprice = \"0.01 USDC\"")
        + &tool("getItem", "name = \"down\"\ntimeout = \"1s\"");
    let server = "[settlement]\nfacilitator = \"http://127.0.0.1:9\"\n\
                  pay_to = \"0x0000000000000000000000000000000000000001\"\n\
                  network = \"eip155:84532\"\n\
                  assets = { USDC = \"0x036CbD53842c5426634e7929541eC2318f3dCF7e\" }\n";
    let folder = Folder::new(&upstream.url, server, &tools);
    let done = folder.run(&["call", "get_item", "id=7", "--json"]);
    assert_eq!(code(&done), 0, "{}", err(&done));
    assert_eq!(data(&done)["structuredContent"], json!({"ok": true}));
    assert!(upstream.seen()[0].starts_with("GET /items/7 HTTP/1.1"));
    for (words, exit) in [
        (&["call", "get_item", "id=1", "colour=red"][..], 2),
        (&["call", "get_item"], 2),
        (&["call", "get_item", "id"], 2),
        (&["call", "no_such_tool"], 3),
        (&["call", "pay", "body:={\"amount\":5.01}"], 3),
        (&["call", "delete_item", "id=1"], 5),
        (&["call", "bought", "id=1"], 6),
        (&["nonsense"], 2),
        (&["--config", "nowhere.toml", "call", "get_item"], 2),
    ] {
        let output = folder.run(words);
        assert_eq!(code(&output), exit, "{words:?}: {}", err(&output));
        assert!(output.stdout.is_empty(), "{words:?}: talk on standard output");
    }
    assert_eq!(upstream.seen().len(), 1);
    upstream.will([Act::Answer(404, String::new(), "no such item".to_owned())]);
    let refused = folder.run(&["call", "get_item", "id=1", "--json"]);
    assert_eq!(code(&refused), 4);
    let error = &data(&refused)["structuredContent"]["error"];
    assert_eq!(error["upstream"], json!({"status": 404, "body": "no such item"}));
    assert_eq!(code(&folder.run(&["call", "get_item", "id=1"])), 0);
    let full = folder.run(&["call", "get_item", "id=1", "--json"]);
    assert_eq!(code(&full), 6);
    assert_eq!(data(&full)["structuredContent"]["error"]["code"], "rate_limited");
    upstream.will([Act::Answer(429, "Retry-After: 99\r\n".to_owned(), String::new())]);
    assert_eq!(code(&folder.run(&["call", "down", "id=1"])), 4);
    // What was recorded is in order, and whole.
    let outcomes: Vec<String> = calls(&folder)
        .iter()
        .map(|call| call["outcome"].as_str().expect("an end").to_owned())
        .collect();
    assert_eq!(
        outcomes,
        [
            "succeeded",
            "invalid_arguments",
            "invalid_arguments",
            "unknown_tool",
            "denied",
            "held",
            "settlement_unavailable",
            "upstream_error",
            "succeeded",
            "rate_limited",
            "rate_limited",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_written_stops_the_call() {
    let upstream = Upstream::start().await;
    let folder = Folder::new(&upstream.url, "", &tool("getItem", ""));
    std::fs::create_dir(folder.path("tollbridge.db")).expect("a folder in its place");
    let output = folder.run(&["call", "get_item", "id=1"]);
    assert_eq!(code(&output), 1, "{}", err(&output));
    assert!(err(&output).contains("tollbridge.db"));
    assert!(upstream.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_call_goes_on_after_a_person_said_yes() {
    let upstream = Upstream::start().await;
    let folder = Folder::new(&upstream.url, "", &tool("deleteItem", "hold = true"));
    let held = folder.run(&["call", "delete_item", "id=1", "--json"]);
    let id = data(&held)["structuredContent"]["error"]["hold"]["id"].clone();
    let id = id.as_str().expect("a handle");
    let waiting = data(&folder.run(&["approve", "ls", "--json"]));
    assert_eq!(waiting["holds"][0]["id"], id);
    assert_eq!(waiting["holds"][0]["arguments"], json!({"id": "1"}));
    assert_eq!(code(&folder.run(&["approve", "no-such-hold"])), 2);
    assert_eq!(code(&folder.run(&["approve", id, "--reason", "seen it"])), 0);
    assert_eq!(code(&folder.run(&["approve", "yes", id])), 1);
    assert_eq!(code(&folder.run(&["call", "delete_item", "id=1"])), 0);
    assert_eq!(code(&folder.run(&["call", "delete_item", "id=1"])), 5);
    assert_eq!(upstream.seen().len(), 1);
    let shown = data(&folder.run(&["approve", "show", id, "--json"]));
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("spent"), &json!("seen it")));
    let call = calls(&folder)[1].clone();
    let story = folder.run(&["trace", "show", call["id"].as_str().expect("an id")]);
    let story = String::from_utf8(story.stdout).expect("text");
    for told in ["approved", "seen it", "delete_item.hold", "attempt_started", "succeeded"] {
        assert!(story.contains(told), "{told} is not in\n{story}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_sends_nothing_records_nothing_and_shows_no_secret() {
    let upstream = Upstream::start().await;
    let folder = Folder::new(&upstream.url, "", &tool("getItem", ""));
    let output = folder.run(&["call", "get_item", "id=a/b", "--dry-run"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let shown = data(&output);
    assert_eq!(shown["decision"]["effect"], "allow");
    assert_eq!(shown["request"]["url"], format!("{}/items/a%2Fb", upstream.url));
    assert!(!String::from_utf8_lossy(&output.stdout).contains(SECRET));
    assert!(upstream.seen().is_empty());
    assert!(calls(&folder).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kill_switch_works_without_a_server_and_though_the_rest_of_the_file_is_wrong() {
    let upstream = Upstream::start().await;
    let folder = Folder::new(&upstream.url, "", &tool("getItem", ""));
    folder.configure(&upstream.url, "", &tool("noSuchOperation", "nonsense = 1"));
    assert_eq!(code(&folder.run(&["stop", "--api", "shop"])), 0);
    folder.configure(&upstream.url, "", &tool("getItem", ""));
    let stopped = folder.run(&["call", "get_item", "id=1", "--json"]);
    assert_eq!(code(&stopped), 3);
    assert_eq!(data(&stopped)["structuredContent"]["error"]["code"], "stopped");
    let left = data(&folder.run(&["resume", "--api", "shop", "--json"]));
    assert_eq!(left, json!({"stopped": []}));
    assert_eq!(code(&folder.run(&["call", "get_item", "id=1"])), 0);
}

#[test]
fn what_is_wrong_with_a_configuration_is_said_with_place_and_mend() {
    let wrong = [
        ("unknown key", tool("getItem", "colour = \"red\"")),
        ("misspelled key", tool("getItem", "alow = [\"bob\"]")),
        ("wrong type", tool("getItem", "calls = 5")),
        ("unknown operation", tool("getItems", "")),
        ("unknown argument", tool("getItem", "[tool.args.idd]\nenum = [\"1\"]")),
        ("limit that does not fit", tool("getItem", "[tool.args.id]\nmax = 5")),
        ("not enforced yet", tool("getItem", "budget = [{ count = true, limit = 1 }]")),
        ("unknown api", tool("getItem", "").replace("shop", "shopp")),
        ("price without settlement", tool("getItem", "price = \"1 USDC\"")),
    ];
    let mut all = String::new();
    for (what, tools) in wrong {
        let folder = Folder::new("http://127.0.0.1:9", "", &tools);
        let output = folder.run(&["check"]);
        assert_eq!(code(&output), 2, "{what}: {}", err(&output));
        all.push_str(&format!("## {what}\n{}\n", err(&output)));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_literal_secret_is_refused_and_never_shown() {
    let folder = Folder::new("http://127.0.0.1:9", "", &tool("getItem", ""));
    let config = std::fs::read_to_string(folder.path("tools.toml")).expect("text");
    folder.write("tools.toml", &config.replace("file:key", "sk-live-0123456789"));
    for words in [&["check"][..], &["check", "--json"], &["serve"], &["call", "get_item", "id=1"]] {
        let output = folder.run(words);
        assert_eq!(code(&output), 2, "{words:?}");
        let said = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&said).contains("sk-live"), "{words:?}");
    }
}

#[test]
fn a_missing_secret_is_a_warning_for_check_and_an_error_for_calls() {
    let folder = Folder::new("http://127.0.0.1:9", "", &tool("getItem", ""));
    std::fs::remove_file(folder.path("key")).expect("removed");
    let checked = folder.run(&["check", "--json"]);
    assert_eq!(code(&checked), 0);
    assert_eq!(data(&checked)["diagnostics"][0]["severity"], "warning");
    for words in [&["serve"][..], &["call", "get_item", "id=1"]] {
        let output = folder.run(words);
        assert_eq!(code(&output), 2, "{words:?}");
        assert!(err(&output).contains("file:key"));
    }
}

#[test]
fn a_broken_description_is_said_with_its_line() {
    let folder = Folder::new("http://127.0.0.1:9", "", &tool("getItem", ""));
    folder.write("shop.yaml", "openapi: 3.1.0\npaths:\n  /a: {get: [}\n");
    let output = folder.run(&["check"]);
    assert_eq!(code(&output), 2);
    let said = err(&output);
    assert!(said.contains("shop.yaml") && said.contains("line 3"), "{said}");
}

#[test]
fn keys_are_shown_once_listed_and_revoked() {
    let folder = Folder::new("http://127.0.0.1:9", "", &tool("getItem", ""));
    let made = data(&folder.run(&["key", "new", "bob", "--expires", "30d", "--json"]));
    let key = made["key"].as_str().expect("the key");
    assert_eq!(made["identity"], "bob");
    let listed = folder.run(&["key", "ls", "--json"]);
    assert!(!String::from_utf8_lossy(&listed.stdout).contains(key));
    assert_eq!(data(&listed)["keys"][0]["id"], made["id"]);
    let id = made["id"].as_str().expect("an id");
    assert_eq!(code(&folder.run(&["key", "revoke", id])), 0);
    assert_eq!(code(&folder.run(&["key", "revoke", "none"])), 1);
    assert!(data(&folder.run(&["key", "ls", "--json"]))["keys"][0]["revoked"].is_string());
    let bytes = folder.bytes();
    assert!(!bytes.windows(key.len()).any(|window| window == key.as_bytes()));
}

#[test]
fn the_project_s_own_configurations_are_right() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = data(&Folder::new("http://127.0.0.1:9", "", "").run(&["schema"]));
    let schema = jsonschema::validator_for(&schema).expect("a JSON Schema");
    for file in ["tools.toml", "examples/smallest/tools.toml", "examples/production/tools.toml"] {
        let path = root.join(file);
        let folder = Folder::new("http://127.0.0.1:9", "", "");
        let output = folder.run(&["--config", path.to_str().expect("text"), "check", "--json"]);
        assert_eq!(code(&output), 0, "{file}: {output:?}");
        let text = std::fs::read_to_string(&path).expect("text");
        let table: toml::Table = text.parse().expect("TOML");
        let value = serde_json::to_value(table).expect("JSON");
        let errors: Vec<String> = schema.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{file}: {errors:?}");
    }
}

#[test]
fn the_demo_does_what_it_says() {
    let folder = Folder::new("http://127.0.0.1:9", "", "");
    let output = folder.run(&["demo", "--json"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(data(&output)["steps"].as_array().expect("steps").len() > 30);
}
