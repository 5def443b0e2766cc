//! An upstream on loopback that misbehaves as it is told, and keeps what reached it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What to do with one request.
#[derive(Debug, Clone)]
pub(in crate::bridge) enum Act {
    /// Answer with these bytes, and keep the connection.
    Answer(Vec<u8>),
    /// Answer with these bytes, and end the connection.
    AnswerAndClose(Vec<u8>),
    /// Answer with these bytes, and reset the connection.
    AnswerAndReset(Vec<u8>),
    /// Answer after a while.
    Late(Duration, Vec<u8>),
    /// Answer with the first bytes, the rest never comes.
    Stall(Vec<u8>),
    /// Say nothing, ever.
    Hang,
    /// End the connection without a word.
    Close,
    /// Reset the connection.
    Reset,
}

pub(in crate::bridge) struct Hostile {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    closed: Arc<Mutex<u32>>,
    connections: Arc<Mutex<u32>>,
    _server: JoinSet<()>,
}

impl Hostile {
    /// Serves requests in order; the last act is repeated.
    pub(in crate::bridge) async fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self::on(listener, acts)
    }

    /// The same on a port that is known before.
    pub(in crate::bridge) fn on(
        listener: TcpListener,
        acts: impl IntoIterator<Item = Act>,
    ) -> Self {
        let address = listener.local_addr().expect("an address");
        let acts: Arc<Mutex<VecDeque<Act>>> = Arc::new(Mutex::new(acts.into_iter().collect()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let closed = Arc::new(Mutex::new(0));
        let connections = Arc::new(Mutex::new(0));
        let mut server = JoinSet::new();
        let (log, ends, starts) =
            (Arc::clone(&seen), Arc::clone(&closed), Arc::clone(&connections));
        server.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                *starts.lock().expect("a lock") += 1;
                let (acts, log, ends) = (Arc::clone(&acts), Arc::clone(&log), Arc::clone(&ends));
                open.spawn(async move {
                    serve(stream, &acts, &log).await;
                    *ends.lock().expect("a lock") += 1;
                });
            }
        });
        Self { address, seen, closed, connections, _server: server }
    }

    pub(in crate::bridge) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests that came, byte by byte.
    pub(in crate::bridge) fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("a lock").clone()
    }

    /// The request lines that came.
    pub(in crate::bridge) fn lines(&self) -> Vec<String> {
        let first = |request: &String| request.lines().next().unwrap_or_default().to_owned();
        self.seen().iter().map(first).collect()
    }

    pub(in crate::bridge) fn connections(&self) -> u32 {
        *self.connections.lock().expect("a lock")
    }

    /// Waits until so many connections have ended.
    pub(in crate::bridge) async fn until_closed(&self, connections: u32) {
        while *self.closed.lock().expect("a lock") < connections {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until so many requests have come.
    pub(in crate::bridge) async fn until_seen(&self, requests: usize) {
        while self.seen().len() < requests {
            sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn serve(mut stream: TcpStream, acts: &Mutex<VecDeque<Act>>, seen: &Mutex<Vec<String>>) {
    while let Some(request) = read_request(&mut stream).await {
        seen.lock().expect("a lock").push(request);
        let act = {
            let mut acts = acts.lock().expect("a lock");
            if acts.len() > 1 { acts.pop_front() } else { acts.front().cloned() }
        };
        match act.unwrap_or(Act::Hang) {
            Act::Answer(bytes) => {
                let _ = stream.write_all(&bytes).await;
            }
            Act::AnswerAndClose(bytes) => {
                let _ = stream.write_all(&bytes).await;
                return;
            }
            Act::AnswerAndReset(bytes) => {
                let _ = stream.write_all(&bytes).await;
                sleep(Duration::from_millis(20)).await;
                let _ = stream.set_zero_linger();
                return;
            }
            Act::Late(wait, bytes) => {
                sleep(wait).await;
                let _ = stream.write_all(&bytes).await;
            }
            Act::Stall(bytes) => {
                let _ = stream.write_all(&bytes).await;
                until_end(&mut stream).await;
                return;
            }
            Act::Hang => {
                until_end(&mut stream).await;
                return;
            }
            Act::Close => return,
            Act::Reset => {
                let _ = stream.set_zero_linger();
                return;
            }
        }
    }
}

async fn until_end(stream: &mut TcpStream) {
    let mut rest = [0; 1024];
    while matches!(stream.read(&mut rest).await, Ok(read) if read > 0) {}
}

/// One request with its body; `None` where the connection ends first.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                return Some(text);
            }
        }
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
    }
}

/// An answer with a JSON body.
pub(in crate::bridge) fn json(status: u16, body: &str) -> Act {
    answer(status, "Content-Type: application/json\r\n", body.as_bytes())
}

/// An answer with headers, each with its line end, and a body.
pub(in crate::bridge) fn answer(status: u16, headers: &str, body: &[u8]) -> Act {
    let mut bytes =
        format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n", body.len())
            .into_bytes();
    bytes.extend_from_slice(body);
    Act::Answer(bytes)
}
