//! An API on loopback that records each request and answers by the item that it asks for:
//! `status-429`, `wait-200` (milliseconds), `hold` (until released or hung up), `echo-key` and
//! `echo-refused` (the key that came, shown), or any other. It is a payment facilitator beside.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::patience;

/// What it answers as a payment facilitator (x402, `GET /supported`).
const FACILITATOR: &str = r#"{"kinds":[{"x402Version":2,"scheme":"exact","network":"eip155:84532"}],"extensions":[],"signers":{}}"#;

/// A request as it came in.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    hung_up: AtomicUsize,
    released: AtomicBool,
    closed: AtomicBool,
}

/// The API. It is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) url: String,
    shared: Arc<Shared>,
}

impl Upstream {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.closed.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&serving);
                if let Ok(stream) = stream {
                    thread::spawn(move || drop(converse(stream, &shared)));
                }
            }
        });
        Self { url, shared }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("nobody panics with it").clone()
    }

    pub(super) fn count(&self) -> usize {
        self.seen().len()
    }

    /// Waits until so many requests came in.
    pub(super) fn reached(&self, count: usize) {
        patience(&format!("{count} requests"), || (self.count() >= count).then_some(()));
    }

    /// Waits until so many held requests were hung up by the bridge.
    pub(super) fn hung_up(&self, count: usize) {
        let hung_up = || self.shared.hung_up.load(Ordering::Relaxed);
        patience(&format!("{count} hang-ups"), || (hung_up() >= count).then_some(()));
    }

    /// Answers the held requests.
    pub(super) fn release(&self) {
        self.shared.released.store(true, Ordering::Relaxed);
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        let address = self.url.trim_start_matches("http://");
        drop(TcpStream::connect(address));
    }
}

fn converse(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(seen) = read(&mut reader)? {
        if seen.path == "/supported" {
            answer(reader.get_mut(), 200, "", FACILITATOR)?;
            continue;
        }
        shared.seen.lock().expect("nobody panics with it").push(seen.clone());
        let asked = seen.path.rsplit('/').next().unwrap_or_default();
        let asked = asked.split('?').next().unwrap_or_default();
        let (mut status, mut extra) = (200, String::new());
        if let Some(code) = asked.strip_prefix("status-") {
            status = code.parse().unwrap_or(500);
            if status == 429 {
                "Retry-After: 3600\r\n".clone_into(&mut extra);
            }
        } else if let Some(ms) = asked.strip_prefix("wait-") {
            thread::sleep(Duration::from_millis(ms.parse().unwrap_or(0)));
        } else if asked == "hold" && !hold(reader.get_ref(), shared)? {
            return Ok(());
        }
        let key = seen.header("x-api-key").unwrap_or_default();
        let mut body = serde_json::json!({"id": asked, "name": "thing"});
        if asked.starts_with("echo") {
            body["name"] = key.into();
            body["again"] = format!("Basic {}", STANDARD.encode(key)).into();
        }
        if asked == "echo-refused" {
            status = 400;
        }
        if seen.method == "POST" {
            body["id"] = "new".into();
        }
        answer(reader.get_mut(), status, &extra, &body.to_string())?;
    }
    Ok(())
}

fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Waits with the answer. `false` when the bridge has hung up meanwhile.
fn hold(stream: &TcpStream, shared: &Shared) -> std::io::Result<bool> {
    stream.set_read_timeout(Some(Duration::from_millis(10)))?;
    let until = Instant::now() + Duration::from_secs(20);
    while !shared.released.load(Ordering::Relaxed) && Instant::now() < until {
        match stream.peek(&mut [0]) {
            Ok(1..) => thread::sleep(Duration::from_millis(10)),
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) => {}
            Ok(0) | Err(_) => {
                shared.hung_up.fetch_add(1, Ordering::Relaxed);
                return Ok(false);
            }
        }
    }
    stream.set_read_timeout(None)?;
    Ok(true)
}

fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Seen>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut seen = Seen { method, path, headers, body: String::new() };
    let length = seen.header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    seen.body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(seen))
}
