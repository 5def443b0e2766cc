//! How long a large description takes: 13 MB of JSON with 1,200 operations, imported whole,
//! listed whole, and as a curation of six tools. `just bench-load`, or
//! `cargo bench --bench load`.
//!
//! The document is made here, in the proportions of the large ones that are published: half
//! of it examples, schemas in clusters that refer to each other and to themselves. Each line
//! is a process of its own, from its start to its answer, with the most memory that it held.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const OPERATIONS: usize = 1_200;
const BYTES: usize = 13_000_000;
/// How many schemas refer to each other.
const CLUSTER: usize = 12;
/// How often each line is measured; the best counts, since noise only adds.
const TIMES: usize = 5;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let text = document().to_string();
    println!("{} operations in {} kB of JSON", OPERATIONS, text.len() / 1000);
    std::fs::write(folder.path().join("large.json"), text)?;
    let import = |more: &[&str]| {
        let mut command = tollbridge(folder.path(), &["import", "large.json", "--name", "large"]);
        command.args(more).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    measure("import --all --json", || to_its_end(import(&["--all", "--json"])))?;
    to_its_end(import(&["--all", "--out", "all.toml"]))?;
    let six: Vec<String> = (0..6).map(|n| format!("--select=operation_{}", n * 190)).collect();
    let mut command = import(&["--out", "six.toml"]);
    command.args(&six);
    to_its_end(command)?;
    for (name, file, tools) in [("list all", "all.toml", OPERATIONS), ("list six", "six.toml", 6)] {
        measure(name, || {
            let served = ["--config", file, "serve"];
            to_its_list(tollbridge(folder.path(), &served), tools)
        })?;
    }
    Ok(())
}

fn tollbridge(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollbridge"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).stderr(Stdio::null());
    command
}

fn measure(name: &str, run: impl Fn() -> Outcome<(Duration, u64)>) -> Outcome<()> {
    let mut best: Option<(Duration, u64)> = None;
    for _ in 0..TIMES {
        let (time, memory) = run()?;
        best = Some(best.map_or((time, memory), |best| (best.0.min(time), best.1.min(memory))));
    }
    let (time, memory) = best.ok_or("nothing was measured")?;
    println!("{name:22} {:6} ms {:6} MB", time.as_millis(), memory / 1000);
    Ok(())
}

/// Runs a command to its end: how long it took, and the kB that it held at most.
fn to_its_end(mut command: Command) -> Outcome<(Duration, u64)> {
    let began = Instant::now();
    let mut child = command.spawn()?;
    let mut memory = 0;
    loop {
        memory = memory.max(peak(&child));
        if let Some(status) = child.try_wait()? {
            let time = began.elapsed();
            return if status.success() { Ok((time, memory)) } else { Err("it failed".into()) };
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Starts a server and asks it for its tools.
fn to_its_list(mut command: Command, tools: usize) -> Outcome<(Duration, u64)> {
    let began = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    let output = BufReader::new(child.stdout.take().ok_or("no standard output")?);
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1"},
    }});
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    for message in [hello, ready, list] {
        writeln!(input, "{message}")?;
    }
    let mut found = None;
    for line in output.lines() {
        let line = line?;
        if line.contains("\"id\":1") {
            found = Some((began.elapsed(), line));
            break;
        }
    }
    let memory = peak(&child);
    drop(input);
    child.wait()?;
    let (time, line) = found.ok_or("the list never came")?;
    let answer: Value = serde_json::from_str(&line)?;
    match answer["result"]["tools"].as_array() {
        Some(listed) if listed.len() == tools => Ok((time, memory)),
        _ => Err(format!("not {tools} tools were listed: {}", &line[..line.len().min(300)]).into()),
    }
}

/// The most memory that a process has held, in kB; 0 where the system does not say.
fn peak(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
    let text = status.unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Words without meaning, the same every time.
fn words(seed: usize, count: usize) -> String {
    const WORDS: [&str; 16] = [
        "account",
        "balance",
        "of",
        "the",
        "warehouse",
        "order",
        "with",
        "a",
        "delivery",
        "date",
        "and",
        "its",
        "currency",
        "for",
        "each",
        "customer",
    ];
    let mut state = seed as u64 * 2 + 1;
    let mut out = String::new();
    for n in 0..count {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if n > 0 {
            out.push(' ');
        }
        out.push_str(WORDS[(state >> 60) as usize]);
    }
    out
}

fn document() -> Value {
    let mut paths = serde_json::Map::new();
    let mut schemas = serde_json::Map::new();
    for n in 0..OPERATIONS / 2 {
        schemas.insert(format!("Thing{n}"), schema(n));
    }
    for n in 0..OPERATIONS {
        let (method, path) = match n % 4 {
            0 => ("get", format!("/things{}/{{id}}", n / 4)),
            1 => ("put", format!("/things{}/{{id}}", n / 4)),
            2 => ("get", format!("/things{}", n / 4)),
            _ => ("post", format!("/things{}", n / 4)),
        };
        let item = paths.entry(path.clone()).or_insert_with(|| json!({}));
        item[method] = operation(n, &path);
    }
    let mut document = json!({
        "openapi": "3.0.3",
        "info": {"title": "Large", "version": "1"},
        "servers": [{"url": "http://127.0.0.1:9"}],
        "paths": paths,
        "components": {"schemas": schemas},
    });
    // The rest is examples, as it is in those that are published.
    let left = BYTES.saturating_sub(document.to_string().len()) / OPERATIONS;
    for item in document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut()) {
        for operation in item.as_object_mut().into_iter().flat_map(|item| item.values_mut()) {
            let rows = left / 135;
            let example: Vec<Value> = (0..rows)
                .map(|n| json!({"id": n, "name": words(n, 8), "total": 12.50, "note": words(n + 7, 8)}))
                .collect();
            operation["responses"]["200"]["content"]["application/json"]["example"] =
                json!(example);
        }
    }
    document
}

/// A schema that refers to two others of its cluster.
fn schema(n: usize) -> Value {
    let start = n / CLUSTER * CLUSTER;
    let other = |step: usize| {
        let other = (start + (n + step) % CLUSTER).min(OPERATIONS / 2 - 1);
        json!({"$ref": format!("#/components/schemas/Thing{other}")})
    };
    let mut properties = serde_json::Map::new();
    for m in 0..12 {
        let schema = match m % 4 {
            0 => json!({"type": "string", "description": words(n * 31 + m, 10)}),
            1 => json!({"type": "integer", "minimum": 0, "nullable": true}),
            2 => json!({"type": "string", "enum": ["open", "paid", "shipped"], "default": "open"}),
            _ => json!({"type": "array", "items": {"type": "string", "format": "date-time"}}),
        };
        properties.insert(format!("member_{m}"), schema);
    }
    properties.insert("parent".to_owned(), other(1));
    properties.insert("children".to_owned(), json!({"type": "array", "items": other(5)}));
    json!({"type": "object", "required": ["member_0"], "properties": properties})
}

fn operation(n: usize, path: &str) -> Value {
    let mut parameters = Vec::new();
    if path.contains("{id}") {
        parameters.push(
            json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}),
        );
    }
    for m in 0..5 {
        parameters.push(json!({
            "name": format!("filter_{m}"), "in": "query", "description": words(n + m, 14),
            "schema": {"type": "string", "maxLength": 100},
        }));
    }
    let thing = json!({"$ref": format!("#/components/schemas/Thing{}", n / 2)});
    let mut operation = json!({
        "operationId": format!("operation_{n}"),
        "summary": words(n, 6),
        "description": words(n + 3, 60),
        "tags": [format!("tag_{}", n % 40)],
        "parameters": parameters,
        "responses": {
            "200": {"description": "done", "content": {"application/json": {"schema": thing.clone()}}},
            "404": {"description": "not there"},
        },
    });
    if n % 2 == 1 {
        operation["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": thing}}});
    }
    operation
}
