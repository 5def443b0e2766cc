//! The ports of the fault upstream: what happens to a connection before there is a request.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The key of every certificate here. It guards nothing: they are for loopback alone, and
/// nobody has the key of the authority that signed them.
const KEY: &str = include_str!("certificates/key.pem");

/// How a connection is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// It is taken, and requests on it meet faults.
    Plain,
    /// The same over TLS, with a certificate for `127.0.0.1` and `localhost`.
    Tls,
    /// The certificate has expired.
    TlsExpired,
    /// The certificate is not valid yet.
    TlsEarly,
    /// The certificate is for another host.
    TlsElsewhere,
    /// Nobody knows who signed the certificate.
    TlsUnknown,
    /// The connection is reset in the handshake.
    TlsReset,
    /// Nobody listens.
    Refused,
    /// Nobody answers: the queue of connections is full.
    BlackHole,
    /// It is reset at its first byte.
    Reset,
    /// It is ended at its first byte.
    Closed,
    /// It is taken, and nothing is ever said on it.
    Silent,
}

/// What keeps a port as it is, while nobody serves it.
#[derive(Debug)]
#[expect(dead_code, reason = "held for what their end would do")]
pub(super) enum Kept {
    /// Bound, and not listened on.
    Bound(TcpSocket),
    /// Listened on and never accepted from, with what fills its queue.
    Full(TcpListener, Vec<TcpStream>),
}

/// An open door.
pub(super) struct Opened {
    pub(super) address: SocketAddr,
    /// What is served.
    pub(super) listener: Option<TcpListener>,
    pub(super) kept: Option<Kept>,
}

impl Door {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Plain,
        Self::Tls,
        Self::TlsExpired,
        Self::TlsEarly,
        Self::TlsElsewhere,
        Self::TlsUnknown,
        Self::TlsReset,
        Self::Refused,
        Self::BlackHole,
        Self::Reset,
        Self::Closed,
        Self::Silent,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
            Self::TlsExpired => "tls-expired",
            Self::TlsEarly => "tls-early",
            Self::TlsElsewhere => "tls-elsewhere",
            Self::TlsUnknown => "tls-unknown",
            Self::TlsReset => "tls-reset",
            Self::Refused => "refused",
            Self::BlackHole => "black-hole",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Silent => "silent",
        }
    }

    /// What it does, in a sentence without its full stop.
    pub fn about(self) -> &'static str {
        match self {
            Self::Plain => "Plain HTTP",
            Self::Tls => "HTTPS with a certificate of the fault upstream's own authority",
            Self::TlsExpired => "The certificate has expired",
            Self::TlsEarly => "The certificate is not valid yet",
            Self::TlsElsewhere => "The certificate is for another host",
            Self::TlsUnknown => "The certificate is of an authority that nobody knows",
            Self::TlsReset => "The connection is reset in the TLS handshake",
            Self::Refused => "Nobody listens: the connection is refused",
            Self::BlackHole => "Nobody answers: no connection comes about",
            Self::Reset => "The connection is reset at its first byte",
            Self::Closed => "The connection is ended at its first byte",
            Self::Silent => "The connection is taken, and nothing is read or said",
        }
    }

    /// How its URL begins.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Tls
            | Self::TlsExpired
            | Self::TlsEarly
            | Self::TlsElsewhere
            | Self::TlsUnknown
            | Self::TlsReset => "https",
            Self::Plain
            | Self::Refused
            | Self::BlackHole
            | Self::Reset
            | Self::Closed
            | Self::Silent => "http",
        }
    }

    pub(super) async fn open(self, at: SocketAddr) -> io::Result<Opened> {
        match self {
            Self::Refused => {
                let socket = TcpSocket::new_v4()?;
                socket.bind(at)?;
                let address = socket.local_addr()?;
                Ok(Opened { address, listener: None, kept: Some(Kept::Bound(socket)) })
            }
            Self::BlackHole => {
                let socket = TcpSocket::new_v4()?;
                socket.bind(at)?;
                let listener = socket.listen(1)?;
                let address = listener.local_addr()?;
                let queue = fill(address).await;
                Ok(Opened { address, listener: None, kept: Some(Kept::Full(listener, queue)) })
            }
            _ => {
                let listener = TcpListener::bind(at).await?;
                let address = listener.local_addr()?;
                Ok(Opened { address, listener: Some(listener), kept: None })
            }
        }
    }

    /// How it speaks TLS, where it does.
    pub(super) fn tls(self) -> Option<TlsAcceptor> {
        let certificate = match self {
            Self::Tls => include_str!("certificates/good.pem"),
            Self::TlsExpired => include_str!("certificates/expired.pem"),
            Self::TlsEarly => include_str!("certificates/early.pem"),
            Self::TlsElsewhere => include_str!("certificates/elsewhere.pem"),
            Self::TlsUnknown => include_str!("certificates/unknown.pem"),
            _ => return None,
        };
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
        let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).ok()?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .ok()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .ok()?;
        Some(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Connects until nobody answers any more: the system drops what its queue has no room for.
async fn fill(address: SocketAddr) -> Vec<TcpStream> {
    let mut queue = Vec::new();
    while queue.len() < 64 {
        let connecting = TcpStream::connect(address);
        match tokio::time::timeout(std::time::Duration::from_millis(100), connecting).await {
            Ok(Ok(stream)) => queue.push(stream),
            Ok(Err(_)) | Err(_) => break,
        }
    }
    queue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_door_with_tls_has_a_certificate() {
        for door in Door::ALL {
            let speaks = door.scheme() == "https" && door != Door::TlsReset;
            assert_eq!(door.tls().is_some(), speaks, "{door:?}");
        }
    }

    #[test]
    fn all_doors_are_listed_under_names_that_differ() {
        let names: std::collections::BTreeSet<_> = Door::ALL.iter().map(|d| d.name()).collect();
        assert_eq!(names.len(), Door::ALL.len());
    }
}
