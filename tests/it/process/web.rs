//! A `serve --http` process, and an HTTP/1.1 client that can also say what no library would.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Child;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};

use super::house::{House, end};
use super::mcp::stateless;
use super::{PATIENCE, signal};

pub(super) struct Server {
    pub(super) address: String,
    pub(super) child: Child,
    stderr: Option<JoinHandle<String>>,
}

impl Server {
    pub(super) fn start(house: &House) -> Self {
        Self::start_with(house, &[])
    }

    pub(super) fn start_with(house: &House, environment: &[(&str, &str)]) -> Self {
        let mut command = house.command(&["serve", "--http", "127.0.0.1:0"]);
        command.envs(environment.iter().copied());
        let mut child = command.spawn().expect("the binary runs");
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let (sender, address) = channel();
        let stderr = thread::spawn(move || {
            let mut all = String::new();
            for line in stderr.lines().map_while(Result::ok) {
                let url = line.strip_prefix("serving MCP at ");
                if let Some((_, rest)) = url.and_then(|url| url.split_once("://")) {
                    let _ = sender.send(rest.trim_end_matches("/mcp").to_owned());
                }
                all.push_str(&line);
                all.push('\n');
            }
            all
        });
        let address = address.recv_timeout(PATIENCE).expect("it says where it serves");
        Self { address, child, stderr: Some(stderr) }
    }

    /// Sends a whole request and reads the whole answer.
    pub(super) fn send(&self, head: &[&str], body: &str) -> Answer {
        let mut stream = self.open(head, body);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        Answer::parse(&String::from_utf8_lossy(&bytes))
    }

    /// Sends a whole request and leaves the answer unread.
    pub(super) fn open(&self, head: &[&str], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out is possible");
        let mut text = head.join("\r\n");
        if !text.to_ascii_lowercase().contains("\r\nhost:") {
            text += "\r\nHost: ";
            text += &self.address;
        }
        text += "\r\nContent-Length: ";
        text += &body.len().to_string();
        text += "\r\nConnection: close\r\n\r\n";
        // A server may answer and close before it has read all of a body that is too large.
        let _ = stream.write_all(text.as_bytes());
        let _ = stream.write_all(body.as_bytes());
        stream
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.send(&[&format!("GET {path} HTTP/1.1")], "")
    }

    /// A POST to `/mcp`, with more headers.
    pub(super) fn post(&self, headers: &[&str], body: &str) -> Answer {
        let mut head = vec![
            "POST /mcp HTTP/1.1",
            "Content-Type: application/json",
            "Accept: application/json, text/event-stream",
        ];
        head.extend(headers);
        self.send(&head, body)
    }

    /// A call of `get_item` as the revision 2026-07-28 makes it.
    pub(super) fn call(&self, id: &str, headers: &[&str]) -> Answer {
        let mut stream = self.open_call("get_item", id, headers);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        Answer::parse(&String::from_utf8_lossy(&bytes))
    }

    pub(super) fn open_call(&self, tool: &str, id: &str, headers: &[&str]) -> TcpStream {
        let params = stateless(json!({"name": tool, "arguments": {"id": id}}));
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let name = format!("Mcp-Name: {tool}");
        let mut head = vec![
            "POST /mcp HTTP/1.1",
            "Content-Type: application/json",
            "Accept: application/json, text/event-stream",
            "Mcp-Protocol-Version: 2026-07-28",
            "Mcp-Method: tools/call",
            &name,
        ];
        head.extend(headers);
        self.open(&head, &body.to_string())
    }

    /// Asks the process to end; gives its exit code and what it said.
    pub(super) fn ends(mut self) -> (i32, String) {
        signal("-TERM", self.child.id());
        let code = end(&mut self.child);
        let stderr = self.stderr.take().expect("it ends once");
        (code, stderr.join().expect("it only reads"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer, read to the end of the connection.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Self { status: status.unwrap_or(0), headers, body: body.to_owned() }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
