//! A folder with a configuration, an API in front of which the binary stands, and the binary.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use super::PATIENCE;
use super::upstream::Upstream;

/// The API's key, which nothing may ever show.
pub(super) const SECRET: &str = "s3cr3t/key+of the=items";

const SPEC: &str = include_str!("items.yaml");
const TOOLS: &str = include_str!("items.toml");

/// What a command left.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Done {
    /// Standard output as the one JSON document that it is.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code, or everything there is where it is another one.
    #[track_caller]
    pub(super) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

#[derive(Debug)]
pub(super) struct House {
    pub(super) upstream: Upstream,
    folder: TempDir,
}

impl House {
    pub(super) fn new() -> Self {
        let house = Self {
            upstream: Upstream::start(),
            folder: TempDir::new().expect("a temporary folder"),
        };
        house.write("items.yaml", SPEC);
        house.configure(|text| text);
        house
    }

    /// Writes the configuration, changed.
    pub(super) fn configure(&self, change: impl FnOnce(String) -> String) {
        let text = change(TOOLS.replace("http://UPSTREAM", &self.upstream.url));
        self.write("tools.toml", &text);
    }

    /// Adds to the configuration.
    pub(super) fn configure_more(&self, text: &str) {
        let old = fs::read_to_string(self.path("tools.toml")).expect("it was written");
        self.write("tools.toml", &format!("{old}\n{text}"));
    }

    /// Writes a file as an editor that saves safely does: in one step.
    pub(super) fn write(&self, name: &str, text: &str) {
        let new = self.path(&format!("{name}.new"));
        fs::write(&new, text).expect("the folder is ours");
        fs::rename(new, self.path(name)).expect("the folder is ours");
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The binary in this folder, with nothing of the caller's environment.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollbridge"));
        command
            .args(arguments)
            .current_dir(self.folder())
            .env_clear()
            .env("ITEMS_KEY", SECRET)
            .env("NO_COLOR", "1")
            .env("USER", "tester")
            .env("HOME", self.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Done {
        finish(self.command(arguments))
    }

    pub(super) fn run_with_input(&self, arguments: &[&str], input: &str) -> Done {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(input.as_bytes()).expect("it reads");
        drop(stdin);
        wait(child)
    }

    /// The trail, oldest first.
    pub(super) fn calls(&self) -> Vec<Value> {
        let trail = self.run(&["trace", "--json"]).exits(0).json();
        trail["calls"].as_array().expect("a list").clone()
    }

    /// The last call of the trail.
    pub(super) fn last_call(&self) -> Value {
        self.calls().pop().expect("a call")
    }
}

pub(super) fn finish(mut command: Command) -> Done {
    wait(command.spawn().expect("the binary runs"))
}

/// Waits for a process to end, and kills it when it takes too long.
pub(super) fn wait(mut child: Child) -> Done {
    fn gather(stream: Option<impl std::io::Read + Send + 'static>) -> thread::JoinHandle<String> {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut stream) = stream {
                let _ = stream.read_to_end(&mut bytes);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    }
    let (stdout, stderr) = (gather(child.stdout.take()), gather(child.stderr.take()));
    let code = end(&mut child);
    let [stdout, stderr] = [stdout, stderr].map(|text| text.join().expect("it only reads"));
    Done { code, stdout, stderr }
}

/// Waits for the process's end; -1 for one that a signal ended.
pub(super) fn end(child: &mut Child) -> i32 {
    let until = Instant::now() + PATIENCE * 3;
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return status.code().unwrap_or(-1);
        }
        if Instant::now() > until {
            let _ = child.kill();
            panic!("the process does not end");
        }
        thread::sleep(std::time::Duration::from_millis(5));
    }
}
