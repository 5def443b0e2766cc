//! An API on loopback that does as it is told, and keeps what reached it.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// What becomes of one request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// It is answered.
    Answer(Answer),
    /// It is answered once the test [releases](Upstream::release) it.
    Gate(Answer),
    /// It is never answered.
    Hang,
    /// Its connection is reset.
    Reset,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), media_type.to_owned())];
        Self { status, headers, body: body.into() }
    }

    pub(crate) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "application/json", body)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Status\r\n", self.status);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").expect("a string takes it");
        }
        if self.status != 204 {
            write!(head, "content-length: {}\r\n", self.body.len()).expect("a string takes it");
        }
        let mut bytes = (head + "\r\n").into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

impl From<Answer> for Act {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `GET /items/1`, without the version.
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) at: Instant,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.headers.iter().find(named).map(|(_, value)| value.as_str())
    }
}

/// The API. It ends with this value.
#[derive(Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    inner: Arc<Inner>,
    _server: JoinSet<()>,
}

#[derive(Debug)]
struct Inner {
    acts: Mutex<VecDeque<Act>>,
    seen: Mutex<Vec<Seen>>,
    closed: Mutex<usize>,
    gate: Semaphore,
}

impl Upstream {
    /// Takes these acts for its requests, in order; the last one again and again.
    pub(crate) async fn new<A: Into<Act>>(acts: impl IntoIterator<Item = A>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let inner = Arc::new(Inner {
            acts: Mutex::new(acts.into_iter().map(Into::into).collect()),
            seen: Mutex::default(),
            closed: Mutex::default(),
            gate: Semaphore::new(0),
        });
        let mut server = JoinSet::new();
        let shared = Arc::clone(&inner);
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let inner = Arc::clone(&shared);
                connections.spawn(async move {
                    let _ = inner.serve(stream).await;
                    *inner.closed.lock().expect("a lock") += 1;
                });
            }
        });
        Self { address, inner, _server: server }
    }

    /// Answers everything with 200 and an empty object.
    pub(crate) async fn willing() -> Self {
        Self::new([Answer::json(200, "{}")]).await
    }

    /// Where nobody listens.
    pub(crate) async fn nowhere() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        format!("http://{}", listener.local_addr().expect("an address"))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What came, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().expect("a lock").clone()
    }

    /// How many requests came.
    pub(crate) fn count(&self) -> usize {
        self.inner.seen.lock().expect("a lock").len()
    }

    /// Answers so many requests that wait at the gate, now or later.
    pub(crate) fn release(&self, requests: usize) {
        self.inner.gate.add_permits(requests);
    }

    /// Waits until so many requests have come.
    pub(crate) async fn until_seen(&self, requests: usize) {
        until(|| self.count() >= requests).await;
    }

    /// Waits until so many connections have ended.
    pub(crate) async fn until_closed(&self, connections: usize) {
        until(|| *self.inner.closed.lock().expect("a lock") >= connections).await;
    }
}

async fn until(mut met: impl FnMut() -> bool) {
    let waited = async {
        while !met() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, waited).await.expect("it happens in time");
}

impl Inner {
    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut buffer = Vec::new();
        while let Some(seen) = receive(&mut stream, &mut buffer).await? {
            self.seen.lock().expect("a lock").push(seen);
            match self.next() {
                Act::Answer(answer) => stream.write_all(&answer.bytes()).await?,
                Act::Gate(answer) => {
                    tokio::select! {
                        permit = self.gate.acquire() => permit.expect("an open gate").forget(),
                        end = stream.readable() => { end?; if is_over(&mut stream).await { return Ok(()); } }
                    }
                    stream.write_all(&answer.bytes()).await?;
                }
                Act::Hang => {
                    let _ = stream.read(&mut [0; 1024]).await?;
                    return Ok(());
                }
                Act::Reset => return stream.set_zero_linger(),
            }
        }
        Ok(())
    }

    fn next(&self) -> Act {
        let mut acts = self.acts.lock().expect("a lock");
        match acts.len() {
            0 => Act::Hang,
            1 => acts[0].clone(),
            _ => acts.pop_front().expect("there are several"),
        }
    }
}

/// Whether the other side has closed it: it sends nothing while it waits for an answer.
async fn is_over(stream: &mut TcpStream) -> bool {
    !matches!(stream.read(&mut [0; 1]).await, Ok(1))
}

/// Reads one request, or the connection's end.
async fn receive(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<Option<Seen>> {
    let head = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head: Vec<u8> = buffer.drain(..end + 4).collect();
            break String::from_utf8_lossy(&head).into_owned();
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let mut seen = Seen { line, headers, body: String::new(), at: Instant::now() };
    let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap_or(0));
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let body: Vec<u8> = buffer.drain(..length).collect();
    seen.body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(seen))
}
