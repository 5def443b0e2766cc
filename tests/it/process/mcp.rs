//! An MCP client at the level of lines, and what a session over them must hold to.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::PATIENCE;
use super::house::{House, end};

/// A `serve` process over standard input and output.
pub(super) struct Session {
    pub(super) child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<()>>,
    said: Arc<Mutex<String>>,
    /// Every line that came, for what must hold of all of them.
    pub(super) heard: Vec<String>,
}

impl Session {
    pub(super) fn start(house: &House) -> Self {
        Self::start_with(house, &[])
    }

    pub(super) fn start_with(house: &House, environment: &[(&str, &str)]) -> Self {
        let mut command = house.command(&["serve"]);
        command.envs(environment.iter().copied());
        Self::spawn(command)
    }

    /// A session with the process that the command starts.
    pub(super) fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let stderr = child.stderr.take().expect("it is piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        let stderr = thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let Ok(line) = line else { return };
                let mut heard = heard.lock().expect("a lock");
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        let input = child.stdin.take();
        Self { child, input, lines, stderr: Some(stderr), said, heard: Vec::new() }
    }

    /// A session of the revision 2025-11-25, shaken hands on.
    pub(super) fn legacy(house: &House) -> Self {
        let mut session = Self::start(house);
        session.shake_hands();
        session
    }

    pub(super) fn shake_hands(&mut self) -> Value {
        let answer = self.ask(
            0,
            "initialize",
            json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            }),
        );
        self.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string());
        answer
    }

    pub(super) fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it is still open");
        input.write_all(line.as_bytes()).expect("it reads");
        input.write_all(b"\n").expect("it reads");
        input.flush().expect("it reads");
    }

    /// The next message.
    #[track_caller]
    pub(super) fn hear(&mut self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("a message in time");
        let message = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.heard.push(line);
        message
    }

    /// Waits until it says that on standard error.
    #[track_caller]
    pub(super) fn says(&self, text: &str) {
        let begun = Instant::now();
        while !self.said.lock().expect("a lock").contains(text) {
            assert!(begun.elapsed() < PATIENCE, "it does not say: {text}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(super) fn request(&mut self, id: u32, method: &str, params: &Value) {
        self.say(
            &json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string(),
        );
    }

    /// Asks, and waits for this very answer; notifications in between are passed over.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "callers write it in place")]
    pub(super) fn ask(&mut self, id: u32, method: &str, params: Value) -> Value {
        self.request(id, method, &params);
        self.answer(id)
    }

    #[track_caller]
    pub(super) fn answer(&mut self, id: u32) -> Value {
        loop {
            let message = self.hear();
            if message["id"] == id {
                return message;
            }
        }
    }

    #[track_caller]
    pub(super) fn call(&mut self, id: u32, tool: &str, arguments: &Value) -> Value {
        self.ask(id, "tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// The names on the list of tools.
    #[track_caller]
    pub(super) fn tools(&mut self, id: u32) -> Vec<String> {
        let answer = self.ask(id, "tools/list", json!({}));
        let tools = answer["result"]["tools"].as_array().expect("a list");
        tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// Closes the input.
    pub(super) fn hang_up(&mut self) {
        self.input = None;
    }

    /// Closes the input and waits for the end; gives the exit code and what was said on
    /// standard error.
    pub(super) fn ends(mut self) -> (i32, String) {
        self.hang_up();
        let code = end(&mut self.child);
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.heard.push(line);
        }
        for line in &self.heard {
            let message: Value = serde_json::from_str(line).expect("a line is one message");
            assert_eq!(message["jsonrpc"], "2.0", "{line}");
        }
        let stderr = self.stderr.take().expect("it ends once");
        stderr.join().expect("it only reads");
        let said = std::mem::take(&mut *self.said.lock().expect("a lock"));
        (code, said)
    }

    /// Ends the process as a crash would.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Parameters as the revision 2026-07-28 wants them: nothing is remembered between requests.
pub(super) fn stateless(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    });
    params
}
