//! What the README tells people to put into their clients: it is read out of the README, and
//! the server is started from it as that client does. Only what stands for a reader's own
//! values is replaced: the absolute paths, the secret, the key and the port.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use super::house::{House, SECRET};
use super::mcp::{Session, stateless};
use super::web::Server;

const README: &str = include_str!("../../../README.md");

/// The first fenced block of a language after a client's name.
#[track_caller]
fn block(client: &str, language: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("**{client}**")).expect("the client is there");
    let (_, rest) = rest.split_once(&format!("```{language}\n")).expect("a block is there");
    rest.split_once("\n```").expect("it is closed").0
}

/// A server as a client starts it.
struct Entry {
    command: String,
    args: Vec<String>,
    env: BTreeMap<String, String>,
}

impl Entry {
    /// An entry of `mcpServers` or `servers`, which has these members and no other.
    #[track_caller]
    fn parse(entry: &Value) -> Self {
        let members: Vec<&String> = entry.as_object().expect("an object").keys().collect();
        let known = |name: &&String| ["type", "command", "args", "env"].contains(&name.as_str());
        assert!(members.iter().all(known), "{members:?}");
        let read = |name: &str| entry[name].clone();
        Self {
            command: read("command").as_str().expect("a command").to_owned(),
            args: serde_json::from_value(read("args")).expect("a list of strings"),
            env: serde_json::from_value(read("env")).expect("a table of strings"),
        }
    }

    /// Starts the server where no directory and no variable of ours is, lists and calls.
    #[track_caller]
    fn serves(&self) {
        let house = House::new();
        house.configure(|text| text.replace("ITEMS_KEY", "ORDERS_API_KEY"));
        let config = house.path("tools.toml");
        let own = |text: &String| {
            let text = text
                .replace("/absolute/path/tollbridge", env!("CARGO_BIN_EXE_tollbridge"))
                .replace("/absolute/path/tools.toml", &config.display().to_string())
                .replace('…', SECRET);
            assert!(!text.contains("/absolute/path") && !text.contains("${"), "{text}");
            text
        };
        let mut command = Command::new(own(&self.command));
        command.args(self.args.iter().map(own)).current_dir("/").env_clear();
        command.envs(self.env.iter().map(|(name, value)| (name, own(value))));
        let mut session = Session::spawn(command);
        session.shake_hands();
        assert!(session.tools(1).contains(&"get_item".to_owned()));
        let answer = session.call(2, "get_item", &json!({"id": "a1"}));
        assert_eq!(answer["result"]["structuredContent"]["id"], "a1", "{answer}");
        let seen = house.upstream.seen();
        assert_eq!(seen.last().expect("a request").header("x-api-key"), Some(SECRET));
        assert_eq!(session.ends().0, 0);
    }
}

#[track_caller]
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The commands of a shell block, as words.
fn commands(block: &str) -> Vec<Vec<String>> {
    block.replace("\\\n", " ").lines().map(words).collect()
}

fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (n, part) in line.split('"').enumerate() {
        // Every second part stands in quotes.
        match n % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

#[test]
fn claude_desktop_starts_the_server_as_the_readme_says() {
    let file = parse(block("Claude Desktop", "json"));
    Entry::parse(&file["mcpServers"]["orders"]).serves();
}

#[test]
fn cursor_starts_the_server_as_the_readme_says() {
    let file = parse(block("Cursor", "json"));
    Entry::parse(&file["mcpServers"]["orders"]).serves();
}

#[test]
fn claude_code_starts_the_server_by_its_command_and_by_the_same_object_in_a_file() {
    assert!(README.contains("the same `mcpServers` object in the project's `.mcp.json`"));
    let line = commands(block("Claude Code", "sh")).swap_remove(0);
    let (options, start) = line.split_at(line.iter().position(|word| word == "--").expect("--"));
    let [claude, mcp, add, transport, stdio, env, variable, name] = options else {
        panic!("{options:?}");
    };
    assert_eq!([claude, mcp, add, transport], ["claude", "mcp", "add", "--transport"]);
    assert_eq!([stdio, env, name], ["stdio", "--env", "orders"]);
    let (variable, value) = variable.split_once('=').expect("a variable and its value");
    let entry = Entry {
        command: start[1].clone(),
        args: start[2..].to_vec(),
        env: BTreeMap::from([(variable.to_owned(), value.to_owned())]),
    };
    entry.serves();
}

#[test]
fn vs_code_asks_for_the_key_and_starts_the_server_as_the_readme_says() {
    let text = block("VS Code", "json");
    let file = parse(text);
    let members: Vec<&String> = file.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["inputs", "servers"]);
    let inputs = file["inputs"].as_array().expect("a list");
    let filled = inputs.iter().fold(text.to_owned(), |text, input| {
        assert_eq!((&input["type"], &input["password"]), (&json!("promptString"), &json!(true)));
        let place = format!("${{input:{}}}", input["id"].as_str().expect("an id"));
        assert!(text.contains(&place), "{place} is asked for and not used");
        text.replace(&place, SECRET)
    });
    let entry = &parse(&filled)["servers"]["orders"];
    assert_eq!(entry["type"], "stdio");
    Entry::parse(entry).serves();
}

/// Lists over HTTP at a URL and with a header, both as the README gives them.
#[track_caller]
fn serves_over_http(url: &str, header: &str) {
    assert!(README.contains("`tollbridge serve --http 127.0.0.1:8080` serves"));
    let house = House::new();
    house
        .configure(|text| text.replace("[api.items]", "[server.auth]\nkeys = true\n\n[api.items]"));
    let key = house.run(&["key", "new", "bot", "--json"]).exits(0).json();
    let server = Server::start(&house);
    let url = url.replace("127.0.0.1:8080", &server.address);
    assert_eq!(url, format!("http://{}/mcp", server.address));
    let header = header.replace("KEY", key["key"].as_str().expect("a key"));
    let ask = |headers: &[&str]| {
        let params = stateless(json!({}));
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params});
        let mut all = vec!["Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/list"];
        all.extend(headers);
        server.post(&all, &body.to_string())
    };
    assert_eq!(ask(&[]).status, 401);
    let answer = ask(&[&header]);
    assert_eq!(answer.json()["result"]["tools"][0]["name"], "get_item", "{answer:?}");
}

#[test]
fn an_entry_over_http_reaches_the_server_with_its_key() {
    let entry = parse(block("Over HTTP", "json"));
    assert_eq!(entry["type"], "http");
    let headers = entry["headers"].as_object().expect("a table");
    let [(name, value)] = headers.iter().collect::<Vec<_>>()[..] else { panic!("{headers:?}") };
    let value = value.as_str().expect("a string");
    serves_over_http(entry["url"].as_str().expect("a URL"), &format!("{name}: {value}"));
}

#[test]
fn claude_code_reaches_a_server_over_http_by_its_command() {
    let line = commands(block("Claude Code", "sh")).swap_remove(1);
    let [claude, mcp, add, transport, http, name, url, option, header] = &line[..] else {
        panic!("{line:?}");
    };
    assert_eq!([claude, mcp, add, transport], ["claude", "mcp", "add", "--transport"]);
    assert_eq!([http, name, option], ["http", "orders", "--header"]);
    serves_over_http(url, header);
}
