//! Connections: how many, and how long one may stay without a request.
//!
//! Every place is limited, so nobody may keep one for nothing: not by silence, not by sending
//! a request's head byte by byte (10 s for a whole head, a TLS handshake included), not by leaving an answer unread,
//! and not by asking again and again for what needs no key. How long a body may take is up to
//! who reads it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
#[cfg(test)]
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use super::TlsNow;
use super::tls::{Proved, Socket};
use crate::identity::Certificate;

/// How many connections are served at once; the next ones wait to be accepted.
const MAX_CONNECTIONS: usize = 1024;

/// How long a connection may last in each state.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Without a byte, while no request is being served.
    idle: Duration,
    /// From the start, or from the first byte of a later request, until its head is whole.
    head: Duration,
    /// While nobody on it has shown who they are. The answer after that is the last.
    stranger: Duration,
}

const LIMITS: Limits = Limits {
    idle: Duration::from_mins(1),
    head: Duration::from_secs(10),
    stranger: Duration::from_secs(30),
};

/// A listener that accepts no more than it can serve.
pub(super) struct Bounded {
    listener: TcpListener,
    permits: Arc<Semaphore>,
    limits: Limits,
    tls: Option<TlsNow>,
}

impl Bounded {
    pub(super) fn new(listener: TcpListener, tls: Option<TlsNow>) -> Self {
        Self::with_limits(listener, LIMITS, tls)
    }

    fn with_limits(listener: TcpListener, limits: Limits, tls: Option<TlsNow>) -> Self {
        Self { listener, permits: Arc::new(Semaphore::new(MAX_CONNECTIONS)), limits, tls }
    }
}

impl Listener for Bounded {
    type Io = Guarded;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guarded, SocketAddr) {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        // axum's own accept waits out the errors that pass by themselves.
        let (socket, peer) = Listener::accept(&mut self.listener).await;
        // Answers are whole messages: nothing is gained by waiting for more.
        let _ = socket.set_nodelay(true);
        let limits = self.limits;
        let proved = Proved::default();
        // The handshake is the connection's own work: nobody else waits for it.
        let socket = match &self.tls {
            Some(tls) => Socket::secured(socket, Arc::clone(&tls().config), Arc::clone(&proved)),
            None => Socket::Plain(socket),
        };
        let connection = Connection {
            peer,
            strange_until: Instant::now() + limits.stranger,
            usage: Arc::default(),
            proved,
        };
        let idle = Box::pin(tokio::time::sleep(limits.idle));
        let head =
            Head { is_due: true, seen: 0, deadline: Box::pin(tokio::time::sleep(limits.head)) };
        let is_sending = false;
        (Guarded { socket, connection, limits, idle, is_sending, head, _permit: permit }, peer)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// What a request knows of the connection that it came over.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    peer: SocketAddr,
    strange_until: Instant,
    usage: Arc<Usage>,
    proved: Proved,
}

/// What has come over a connection.
#[derive(Debug, Default)]
struct Usage {
    /// How many requests are being served.
    serving: AtomicUsize,
    /// How many requests there were.
    heads: AtomicUsize,
    /// Whether one of them was of a caller who is known.
    is_trusted: AtomicBool,
}

impl Connection {
    /// Who is at the other end.
    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The certificate that the client proved to hold.
    pub(super) fn certificate(&self) -> Option<Arc<Certificate>> {
        self.proved.get().cloned()
    }

    /// Marks the connection as in use until the guard is dropped.
    pub(super) fn busy(&self) -> Busy {
        self.usage.serving.fetch_add(1, Ordering::Relaxed);
        self.usage.heads.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(&self.usage))
    }

    /// Notes that who is at the other end has shown who they are.
    pub(super) fn trust(&self) {
        self.usage.is_trusted.store(true, Ordering::Relaxed);
    }

    /// Whether the answer under way must be the last: there was time enough to show a key.
    pub(super) fn is_spent(&self) -> bool {
        !self.usage.is_trusted.load(Ordering::Relaxed) && Instant::now() >= self.strange_until
    }
}

/// A request is being served.
pub(super) struct Busy(Arc<Usage>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.serving.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, Bounded>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        stream.io().connection.clone()
    }
}

/// A connection that ends by itself when it is silent, or short of a request, for too long.
pub(super) struct Guarded {
    socket: Socket,
    connection: Connection,
    limits: Limits,
    idle: Pin<Box<Sleep>>,
    /// Whether something was written of which it is not known that it went out.
    is_sending: bool,
    head: Head,
    _permit: OwnedSemaphorePermit,
}

/// The head of a request that is under way.
struct Head {
    is_due: bool,
    /// How many heads had been read when this was last looked at.
    seen: usize,
    deadline: Pin<Box<Sleep>>,
}

impl Guarded {
    fn touch<T>(&mut self, poll: Poll<T>) -> Poll<T> {
        if poll.is_ready() {
            self.idle.as_mut().reset(Instant::now() + self.limits.idle);
        }
        poll
    }

    fn is_serving(&self) -> bool {
        self.connection.usage.serving.load(Ordering::Relaxed) > 0
    }

    /// Whether it has been silent for too long. The task is woken when it has.
    fn is_idle(&mut self, context: &mut Context<'_>) -> bool {
        while self.idle.as_mut().poll(context).is_ready() {
            if !self.is_serving() {
                return true;
            }
            self.idle.as_mut().reset(Instant::now() + self.limits.idle);
        }
        false
    }

    /// Whether a head is overdue. The task is woken when it is.
    fn is_head_late(&mut self, context: &mut Context<'_>) -> bool {
        let heads = self.connection.usage.heads.load(Ordering::Relaxed);
        if heads != self.head.seen {
            self.head.seen = heads;
            self.head.is_due = false;
        }
        self.head.is_due && self.head.deadline.as_mut().poll(context).is_ready()
    }

    /// Bytes have come: outside of a request they are the next one's head.
    fn expect_head(&mut self) {
        if !self.head.is_due && !self.is_serving() {
            self.head.is_due = true;
            self.head.deadline.as_mut().reset(Instant::now() + self.limits.head);
        }
    }

    /// To write, or to send what was written. To have nothing to send is no sign of life: it is
    /// so as often as anybody asks, and any byte on the wire has somebody ask.
    fn check_written<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<std::io::Result<T>>,
        sends: bool,
    ) -> Poll<std::io::Result<T>> {
        let written = if self.is_sending || !sends { self.touch(written) } else { written };
        self.is_sending = !sends || written.is_pending();
        if written.is_pending() && self.is_idle(context) {
            return Poll::Ready(Err(std::io::ErrorKind::TimedOut.into()));
        }
        written
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.is_head_late(context) {
            return Poll::Ready(Err(std::io::ErrorKind::TimedOut.into()));
        }
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        if let Poll::Ready(read) = self.touch(read) {
            self.expect_head();
            return Poll::Ready(read);
        }
        if self.is_idle(context) {
            return Poll::Ready(Err(std::io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.check_written(context, written, false)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.check_written(context, written, false)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(context);
        self.check_written(context, flushed, true)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        let closed = Pin::new(&mut self.socket).poll_shutdown(context);
        self.check_written(context, closed, true)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::future::IntoFuture as _;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::identity::Listening;

    async fn pair(limits: Limits) -> (TcpStream, Guarded) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = Bounded::with_limits(listener, limits, None).accept().await;
        (client, server)
    }

    fn limits(head: u64) -> Limits {
        let head = Duration::from_millis(head);
        Limits { head, idle: Duration::from_mins(1), stranger: Duration::ZERO }
    }

    /// Sends a byte now and then until the other end has enough.
    fn drip(mut client: TcpStream) -> tokio::task::JoinHandle<()> {
        tokio::spawn(async move {
            while client.write_all(b"G").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
    }

    async fn read_to_the_end(server: &mut Guarded) -> std::io::ErrorKind {
        let mut bytes = Vec::new();
        let read = server.read_to_end(&mut bytes);
        let read = tokio::time::timeout(Duration::from_secs(5), read).await;
        read.expect("the connection is cut").unwrap_err().kind()
    }

    #[tokio::test]
    async fn who_sends_a_head_byte_by_byte_is_cut() {
        let (client, mut server) = pair(limits(100)).await;
        let dripping = drip(client);
        assert_eq!(read_to_the_end(&mut server).await, std::io::ErrorKind::TimedOut);
        dripping.abort();
    }

    #[tokio::test]
    async fn who_sends_nothing_at_first_is_cut() {
        let (_client, mut server) = pair(limits(50)).await;
        assert_eq!(read_to_the_end(&mut server).await, std::io::ErrorKind::TimedOut);
    }

    /// TLS of our own, and how a client takes it.
    fn secured() -> (TlsNow, Arc<rustls::ClientConfig>) {
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![key.cert.der().clone()],
                key.signing_key.serialize_der().try_into().unwrap(),
            )
            .unwrap();
        let listening = Arc::new(Listening { config: Arc::new(tls), authorities: None });
        let mut roots = rustls::RootCertStore::empty();
        roots.add(key.cert.der().clone()).unwrap();
        let client = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        (Arc::new(move || Arc::clone(&listening)), Arc::new(client))
    }

    #[tokio::test]
    async fn who_does_not_go_on_with_a_handshake_is_cut() {
        let (tls, _) = secured();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = Bounded::with_limits(listener, limits(50), Some(tls)).accept().await;
        // The head of a record, and no more.
        client.write_all(&[0x16, 0x03, 0x01, 0x02]).await.unwrap();
        assert_eq!(read_to_the_end(&mut server).await, std::io::ErrorKind::TimedOut);
        assert!(server.shutdown().await.is_ok());
    }

    #[tokio::test]
    async fn who_drips_a_record_that_never_becomes_a_request_is_cut() {
        let (tls, client) = secured();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let idle = Duration::from_millis(200);
        let bounded = Bounded::with_limits(listener, Limits { idle, ..limits(10_000) }, Some(tls));
        let answer = |axum::extract::ConnectInfo(connection): axum::extract::ConnectInfo<
            Connection,
        >| async move {
            drop(connection.busy());
            "here"
        };
        let service = axum::Router::new()
            .fallback(answer)
            .into_make_service_with_connect_info::<Connection>();
        let serving = tokio::spawn(axum::serve(bounded, service).into_future());

        let socket = TcpStream::connect(address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        let mut stream =
            tokio_rustls::TlsConnector::from(client).connect(name, socket).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut some = [0; 1024];
        assert!(stream.read(&mut some).await.unwrap() > 0);
        // 16 KiB of encrypted data are announced, and come one by one.
        let (mut socket, _) = stream.into_inner();
        socket.write_all(&[0x17, 0x03, 0x03, 0x40, 0x00]).await.unwrap();
        let dripping = drip(socket);
        let cut = tokio::time::timeout(Duration::from_secs(5), dripping).await;
        assert!(cut.is_ok(), "the connection is cut");
        serving.abort();
    }

    #[tokio::test]
    async fn a_later_head_may_come_late_but_not_slowly() {
        let (mut client, mut server) = pair(limits(100)).await;
        client.write_all(b"G").await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'G');
        drop(server.connection.busy());
        let quiet = tokio::time::timeout(Duration::from_millis(200), server.read_u8());
        assert!(quiet.await.is_err(), "silence after a request is no slow head");
        let dripping = drip(client);
        assert_eq!(read_to_the_end(&mut server).await, std::io::ErrorKind::TimedOut);
        dripping.abort();
    }

    #[tokio::test]
    async fn a_body_is_no_slow_head() {
        let (mut client, mut server) = pair(limits(50)).await;
        let _busy = server.connection.busy();
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(40)).await;
            client.write_all(b"b").await.unwrap();
            assert_eq!(server.read_u8().await.unwrap(), b'b');
        }
    }

    #[tokio::test]
    async fn who_leaves_an_answer_unread_is_cut() {
        let idle = Duration::from_millis(50);
        let (_client, mut server) = pair(Limits { idle, ..limits(1000) }).await;
        let answer = vec![0; 64 * 1024 * 1024];
        let written = tokio::time::timeout(Duration::from_secs(5), server.write_all(&answer));
        let error = written.await.expect("the connection is cut").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn only_who_has_shown_a_key_keeps_a_connection() {
        let (_client, server) = pair(limits(1000)).await;
        assert!(server.connection.is_spent());
        server.connection.trust();
        assert!(!server.connection.is_spent());
        let (_client, server) =
            pair(Limits { stranger: Duration::from_mins(1), ..limits(1000) }).await;
        assert!(!server.connection.is_spent());
    }
}
