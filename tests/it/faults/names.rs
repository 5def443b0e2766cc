//! A name server that says what it is told: one answer after the other for each name, so that a
//! name can be missing first and there later, or lead elsewhere the second time.
//!
//! It answers questions for A over UDP (RFC 1035 §4), and says that there is nothing of any
//! other type.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// What is said of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// Its addresses.
    At(Vec<Ipv4Addr>),
    /// There is no such name (RFC 1035's response code 3).
    NoSuchName,
    /// The server cannot tell (code 2).
    Failed,
    /// Nothing.
    Nothing,
}

/// A running name server. It ends with this value.
#[derive(Debug)]
pub(super) struct NameServer {
    address: SocketAddr,
    _server: JoinSet<()>,
}

impl NameServer {
    /// Serves on a free port of loopback: for each name what is said of it, in order; the last
    /// one again and again. A name that is not there does not exist.
    pub(super) async fn start(names: HashMap<String, Vec<Said>>) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut counts: HashMap<String, usize> = HashMap::new();
            let mut packet = [0; 512];
            loop {
                let Ok((length, from)) = socket.recv_from(&mut packet).await else { return };
                let Some(question) = Question::read(&packet[..length]) else { continue };
                let said = if question.is_for_a {
                    let count = counts.entry(question.name.clone()).or_default();
                    *count += 1;
                    let said = names.get(&question.name);
                    said.and_then(|said| said.get(*count - 1).or(said.last()).cloned())
                        .unwrap_or(Said::NoSuchName)
                } else if names.contains_key(&question.name) {
                    Said::At(Vec::new())
                } else {
                    Said::NoSuchName
                };
                if let Some(answer) = question.answer(&said) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Ok(Self { address, _server: server })
    }

    /// Where it is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

struct Question<'a> {
    packet: &'a [u8],
    /// Where the question ends.
    end: usize,
    name: String,
    is_for_a: bool,
}

impl<'a> Question<'a> {
    /// Reads a query of one question.
    fn read(packet: &'a [u8]) -> Option<Self> {
        let mut at = 12;
        let mut labels = Vec::new();
        loop {
            let length = usize::from(*packet.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            let label = packet.get(at..at + length)?;
            labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
            at += length;
        }
        let kind = packet.get(at..at + 2)?;
        Some(Self { packet, end: at + 4, name: labels.join("."), is_for_a: kind == [0, 1] })
            .filter(|question| question.packet.len() >= question.end)
    }

    /// The answer's bytes; none where nothing is said.
    fn answer(&self, said: &Said) -> Option<Vec<u8>> {
        let (code, addresses): (u8, &[Ipv4Addr]) = match said {
            Said::At(addresses) => (0, addresses),
            Said::NoSuchName => (3, &[]),
            Said::Failed => (2, &[]),
            Said::Nothing => return None,
        };
        let mut answer = self.packet[..2].to_vec();
        // An answer, to a query that may recurse, from a server that does.
        answer.extend([0x81, 0x80 | code, 0, 1, 0, u8::try_from(addresses.len()).ok()?]);
        answer.extend([0; 4]);
        answer.extend_from_slice(&self.packet[12..self.end]);
        for address in addresses {
            // The name of the question; A, IN; a time to live of 0; four bytes.
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
            answer.extend(address.octets());
        }
        Some(answer)
    }
}
