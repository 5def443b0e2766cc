//! How long a large description takes, imported whole, listed whole, and as a curation of six
//! tools: 13 MB of OpenAPI with 1,200 operations, 50 MB of it with 4,600, 5 MB of WSDL with
//! 1,000. `just bench-load`, or `cargo bench --bench load`, with a part of a file's name behind
//! `--` for a part of it, or `write FOLDER` to have the descriptions alone.
//!
//! The descriptions are made here. Each line is a process of its own, from its start to its
//! answer, with the most memory that it held.

mod openapi;
mod words;
mod wsdl;

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What is made: the file, its operations, its bytes.
const DESCRIPTIONS: [(&str, usize, usize); 3] = [
    ("openapi.json", 1_200, 13_000_000),
    ("large.json", 4_600, 50_000_000),
    ("service.wsdl", 1_000, 5_000_000),
];

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
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let wanted = arguments.next().unwrap_or_default();
    let made = |file: &str, operations, bytes| {
        if file.ends_with("wsdl") {
            wsdl::document(operations, bytes)
        } else {
            openapi::document(operations, bytes)
        }
    };
    if wanted == "write" {
        let folder = arguments.next().ok_or("expected a folder to write to: write FOLDER")?;
        for (file, operations, bytes) in DESCRIPTIONS {
            std::fs::write(Path::new(&folder).join(file), made(file, operations, bytes))?;
        }
        return Ok(());
    }
    for (file, operations, bytes) in DESCRIPTIONS {
        if file.contains(&wanted) {
            description(file, &made(file, operations, bytes), operations)?;
        }
    }
    Ok(())
}

/// Measures what a user does with one description.
fn description(file: &str, text: &str, operations: usize) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    println!("{file}: {operations} operations in {} kB", text.len() / 1000);
    std::fs::write(folder.path().join(file), text)?;
    let import = |more: &[&str]| {
        let mut command = tollbridge(folder.path(), &["import", file, "--name", "api"]);
        command.args(more).stdout(Stdio::null());
        command
    };
    measure("import --all --json", || to_its_end(import(&["--all", "--json"])))?;
    to_its_end(import(&["--all", "--out", "all.toml"]))?;
    let six: Vec<String> =
        (0..6).map(|n| format!("--select=*operation_{}", n * operations / 7)).collect();
    let mut command = import(&["--out", "six.toml"]);
    command.args(&six);
    to_its_end(command)?;
    for (name, file, tools) in [("list all", "all.toml", operations), ("list six", "six.toml", 6)] {
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
