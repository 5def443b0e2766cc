//! The fault upstream: a server on loopback that breaks TCP, TLS and HTTP as it is told, and
//! counts what reached it.
//!
//! What breaks a request is a [`Fault`] of a [`Script`]: it is met at
//! `/fault/NAME`, and at `/fault/NAME~ANYTHING`, which counts for itself, with whatever path
//! below. What breaks a connection before there is a request is a [`Door`], each with a port of
//! its own. `/-/seen` tells what came, `/-/faults` which faults there are.
//!
//! It speaks HTTP by hand: a library would mend what is meant to be broken. It listens on
//! loopback alone, answers from its script alone, and knows nothing of a bridge in front of it.

mod door;
mod play;
mod request;
mod script;
mod seen;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::BytesMut;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub use door::Door;
pub use request::Request;
pub use script::{Fault, Script, ScriptError};
pub use seen::Seen;

use play::{Scene, Then, Wire, play, until_end};
use script::Read;
use seen::Record;

/// The authority that signed the certificate of [`Door::Tls`], in PEM. Nobody has its key.
pub const AUTHORITY: &str = include_str!("certificates/authority.pem");

/// How many connections may be open at once.
const CONNECTIONS: usize = 1_000;

/// A running fault upstream. It ends with this value.
#[derive(Debug)]
pub struct FaultUpstream {
    doors: Vec<(Door, SocketAddr)>,
    shared: Arc<Shared>,
    _servers: JoinSet<()>,
    _kept: Vec<door::Kept>,
}

/// What its connections share.
#[derive(Debug)]
struct Shared {
    script: Script,
    record: Record,
}

impl FaultUpstream {
    /// Opens these doors, each on a free port of loopback, but for the first, which is at `port`
    /// unless that is 0. Errors are of the system: a port that is taken, mostly.
    pub async fn start(script: Script, doors: &[Door], port: u16) -> io::Result<Self> {
        let shared = Arc::new(Shared { script, record: Record::default() });
        let (mut open, mut kept, mut servers) = (Vec::new(), Vec::new(), JoinSet::new());
        for (at, door) in doors.iter().enumerate() {
            let port = if at == 0 { port } else { 0 };
            let opened = door.open(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
            open.push((*door, opened.address));
            if let Some(listener) = opened.listener {
                servers.spawn(welcome(listener, *door, Arc::clone(&shared)));
            }
            kept.extend(opened.kept);
        }
        Ok(Self { doors: open, shared, _servers: servers, _kept: kept })
    }

    /// The doors that are open, with their URLs.
    pub fn doors(&self) -> impl Iterator<Item = (Door, String)> {
        self.doors.iter().map(|(door, address)| (*door, format!("{}://{address}", door.scheme())))
    }

    /// The port behind which that door is, where it is open.
    pub fn port(&self, door: Door) -> Option<u16> {
        self.doors.iter().find(|(known, _)| *known == door).map(|(_, address)| address.port())
    }

    /// The requests that came, oldest first; the last thousand.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.record.seen()
    }

    /// How many connections came through that door.
    pub fn connections(&self, door: Door) -> u64 {
        self.shared.record.connections(door)
    }
}

async fn welcome(listener: TcpListener, door: Door, shared: Arc<Shared>) {
    let mut open = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files, or a connection that is over already.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            continue;
        };
        while open.try_join_next().is_some() {}
        shared.record.connected(door);
        if open.len() >= CONNECTIONS {
            continue;
        }
        let _ = stream.set_nodelay(true);
        open.spawn(receive(stream, door, Arc::clone(&shared)));
    }
}

/// Lets a connection through its door. Its error is its end, and nobody's concern.
async fn receive(mut stream: TcpStream, door: Door, shared: Arc<Shared>) {
    let port = stream.local_addr().map_or(0, |address| address.port());
    match door {
        Door::Plain => {
            let _ = serve(stream, (door, port), &shared).await;
        }
        Door::Refused | Door::BlackHole => {}
        Door::Silent => until_end(&mut stream).await,
        Door::Closed => {
            // Read, so that the end is one and no reset.
            let _ = stream.read(&mut [0; 4096]).await;
        }
        Door::Reset | Door::TlsReset => {
            // Its readiness alone may be an assumption.
            let _ = stream.peek(&mut [0; 1]).await;
            stream.reset_at_end();
        }
        Door::Tls | Door::TlsExpired | Door::TlsEarly | Door::TlsElsewhere | Door::TlsUnknown => {
            let Some(tls) = door.tls() else { return };
            if let Ok(stream) = tls.accept(stream).await {
                let _ = serve(stream, (door, port), &shared).await;
            }
        }
    }
}

async fn serve(mut wire: impl Wire, (door, port): (Door, u16), shared: &Shared) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    loop {
        let mut request = match request::head(&mut wire, &mut buffer).await {
            Ok(Some(request)) => request,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let said = json!({"error": "this is no HTTP"});
                return answer(&mut wire, 400, &said).await;
            }
            ended => return ended.map(drop),
        };
        let path = request.target.split(['?', '#']).next().unwrap_or_default();
        let named = path.strip_prefix("/fault/").and_then(|rest| rest.split('/').next());
        let Some(run) = named.map(str::to_owned) else {
            if !request::body(&mut wire, &mut buffer, &mut request).await? {
                return Ok(());
            }
            own(&mut wire, shared, &request).await?;
            continue;
        };
        let name = run.split('~').next().unwrap_or_default();
        let Some(fault) = shared.script.get(name) else {
            let known: Vec<&str> = shared.script.iter().map(|(name, _)| name).collect();
            let said = json!({"error": format!("no fault `{name}`"), "faults": known});
            answer(&mut wire, 404, &said).await?;
            return Ok(());
        };
        let whole = match fault.read {
            Read::All => request::body(&mut wire, &mut buffer, &mut request).await?,
            Read::Head => false,
        };
        let n = shared.record.came(door, run, request.clone(), whole);
        if fault.read == Read::All && !whole {
            return Ok(());
        }
        let act = fault.acts.get(n - 1).or(fault.acts.last()).map(Vec::as_slice);
        let scene = Scene { port, n, request: &request };
        if play(&mut wire, act.unwrap_or_default(), &scene).await? == Then::End {
            return Ok(());
        }
    }
}

/// What the upstream says of itself.
async fn own(wire: &mut impl Wire, shared: &Shared, request: &Request) -> io::Result<()> {
    match request.target.as_str() {
        "/-/seen" => answer(wire, 200, &shared.record.json()).await,
        "/-/faults" => {
            let faults: Vec<_> = shared
                .script
                .iter()
                .map(|(name, fault)| json!({"name": name, "about": fault.about}))
                .collect();
            answer(wire, 200, &json!({"faults": faults})).await
        }
        _ => {
            let said = json!({"error": "expected /fault/NAME, /-/seen or /-/faults"});
            answer(wire, 404, &said).await
        }
    }
}

async fn answer(wire: &mut impl Wire, status: u16, body: &serde_json::Value) -> io::Result<()> {
    use tokio::io::AsyncWriteExt as _;
    let body = format!("{body}\n");
    let head = format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    wire.write_all((head + &body).as_bytes()).await?;
    wire.flush().await
}
