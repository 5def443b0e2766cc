//! What the tests stand on: an upstream that records and misbehaves on request, a folder
//! with a configuration, a gateway on it.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tollbridge::audit::{self, CallRecord, Filter};
use tollbridge::gateway::{
    self, CallRequest, CallWatch, Caller, Failure, Gateway, Refused, Reply, Secrets, Transport,
};
use tollbridge::observe::Metrics;
use tollbridge::store::Store;
use tollbridge_operation::{Identity, Payload};

/// What the upstream does with one request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Answers with a status, headers (each with its line end) and a body.
    Answer(u16, String, String),
    /// Closes the connection once it has read the request.
    HangUp,
    /// Never answers.
    Silence,
}

/// An answer of JSON.
pub(crate) fn json_answer(status: u16, body: &Value) -> Act {
    Act::Answer(status, "Content-Type: application/json\r\n".to_owned(), body.to_string())
}

/// A recording upstream: it does what is queued, and answers `{"ok":true}` after that.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<String>>>,
    acts: Arc<Mutex<VecDeque<Act>>>,
    gone: Arc<Mutex<usize>>,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let upstream = Self {
            url: format!("http://{}", listener.local_addr().expect("an address")),
            seen: Arc::default(),
            acts: Arc::default(),
            gone: Arc::default(),
        };
        let shared = upstream.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(shared.clone().serve(socket));
            }
        });
        upstream
    }

    pub(crate) fn will(&self, acts: impl IntoIterator<Item = Act>) {
        self.acts.lock().expect("unpoisoned").extend(acts);
    }

    /// The requests that came, whole.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("unpoisoned").clone()
    }

    /// How many connections were closed while it kept silent.
    pub(crate) fn gone(&self) -> usize {
        *self.gone.lock().expect("unpoisoned")
    }

    async fn serve(self, mut socket: TcpStream) {
        while let Some(request) = read_request(&mut socket).await {
            self.seen.lock().expect("unpoisoned").push(request);
            let act = self.acts.lock().expect("unpoisoned").pop_front();
            match act.unwrap_or_else(|| json_answer(200, &json!({"ok": true}))) {
                Act::Answer(status, headers, body) => {
                    let answer = format!(
                        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n{body}",
                        body.len()
                    );
                    if socket.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
                Act::HangUp => return,
                Act::Silence => {
                    let mut byte = [0];
                    let _ = socket.read(&mut byte).await;
                    *self.gone.lock().expect("unpoisoned") += 1;
                    return;
                }
            }
        }
    }
}

async fn read_request(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
                .unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                return Some(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        match socket.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

/// A description with a read, a write and a delete.
pub(crate) const SPEC: &str = r#"
openapi: 3.1.0
info: { title: Shop, version: "1" }
components:
  securitySchemes: { Key: { type: apiKey, in: header, name: X-Key } }
security: [{ Key: [] }]
paths:
  /items/{id}:
    parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
    get:
      operationId: getItem
      responses:
        "200":
          description: it
          content: { application/json: { schema: { type: object, properties: { count: { type: integer } } } } }
    delete: { operationId: deleteItem, responses: { "204": { description: gone } } }
  /payments:
    post:
      operationId: pay
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [amount]
              properties: { amount: { type: number }, note: { type: string } }
              additionalProperties: false
      responses: { "200": { description: done } }
"#;

/// The secret that the upstream is called with.
pub(crate) const SECRET: &str = "s3cr3t/key+of=the shop";

/// A folder with the description, the secret and a configuration whose tools are `tools`.
#[derive(Debug)]
pub(crate) struct Folder {
    folder: TempDir,
}

impl Folder {
    pub(crate) fn new(base_url: &str, server: &str, tools: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let this = Self { folder };
        this.write("shop.yaml", SPEC);
        this.write("key", SECRET);
        this.configure(base_url, server, tools);
        this
    }

    pub(crate) fn configure(&self, base_url: &str, server: &str, tools: &str) {
        self.write(
            "tools.toml",
            &format!(
                "{server}\n[api.shop]\nspec = \"shop.yaml\"\nbase_url = \"{base_url}\"\n\
                 auth = {{ kind = \"api_key\", in = \"header\", name = \"X-Key\", value = \"file:key\" }}\n\
                 timeout = \"3s\"\nattempt_timeout = \"1s\"\n{tools}"
            ),
        );
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Every byte of every file in it but the secret's own.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.root()).expect("the folder");
        files
            .map(|file| file.expect("a file").path())
            .filter(|path| path.file_name().is_some_and(|name| name != "key"))
            .flat_map(|path| std::fs::read(path).expect("bytes"))
            .collect()
    }
}

/// A tool's table.
pub(crate) fn tool(operation: &str, more: &str) -> String {
    format!("\n[[tool]]\napi = \"shop\"\noperation = \"{operation}\"\n{more}\n")
}

/// A gateway on a folder.
pub(crate) struct House {
    pub(crate) folder: Folder,
    pub(crate) upstream: Upstream,
    pub(crate) gateway: Gateway,
}

impl House {
    pub(crate) async fn new(server: &str, tools: &str) -> Self {
        Self::of(SPEC, server, tools).await
    }

    /// A house whose API has another description.
    pub(crate) async fn of(spec: &str, server: &str, tools: &str) -> Self {
        let upstream = Upstream::start().await;
        let folder = Folder::new(&upstream.url, server, tools);
        folder.write("shop.yaml", spec);
        let loaded = gateway::load(&folder.path("tools.toml"), Secrets::Resolve)
            .unwrap_or_else(|wrong| panic!("{}", wrong.render(tollbridge::config::Style::Plain)));
        let store = Store::open(&loaded.config.store_url(), gateway::durability(&loaded.config))
            .await
            .expect("a store");
        let gateway = Gateway::new(store, loaded.toolbox, Arc::new(Metrics::new()));
        Self { folder, upstream, gateway }
    }

    pub(crate) async fn call_as(
        &self,
        who: &str,
        tool: &str,
        arguments: Value,
    ) -> Result<Reply, Refused> {
        self.call_with(who, request(tool, arguments), CallWatch::default()).await
    }

    pub(crate) async fn call_with(
        &self,
        who: &str,
        request: CallRequest,
        watch: CallWatch,
    ) -> Result<Reply, Refused> {
        let call = self.gateway.call(caller(who), request, watch);
        tokio::time::timeout(Duration::from_secs(15), call).await.expect("no call hangs")
    }

    /// The answer's value.
    pub(crate) async fn ok(&self, tool: &str, arguments: Value) -> Value {
        let reply = self.call_as("alice", tool, arguments).await.expect("a known tool");
        match reply.result.expect("a success").payload {
            Payload::Value(value) => value,
            other => panic!("no value: {other:?}"),
        }
    }

    pub(crate) async fn fails(&self, tool: &str, arguments: Value) -> Failure {
        let reply = self.call_as("alice", tool, arguments).await.expect("a known tool");
        reply.result.expect_err("a failure")
    }

    /// The trail, oldest first.
    pub(crate) async fn trail(&self) -> Vec<CallRecord> {
        audit::calls(self.gateway.store(), &Filter::default()).await.expect("the trail")
    }

    pub(crate) async fn last(&self) -> CallRecord {
        self.trail().await.pop().expect("a call")
    }
}

pub(crate) fn caller(who: &str) -> Caller {
    Caller::new(Identity::new(who).expect("an identity"), Transport::Stdio)
}

pub(crate) fn request(tool: &str, arguments: Value) -> CallRequest {
    let arguments = match arguments {
        Value::Object(arguments) => arguments,
        _ => Map::new(),
    };
    CallRequest { tool: tool.to_owned(), arguments, ..CallRequest::default() }
}
