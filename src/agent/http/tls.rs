//! The bytes of a connection: plain, or within TLS.
//!
//! The handshake is gone on with when the connection is read or written, so it is bounded as a
//! request's head is, and whoever accepts connections never waits for one. What it proved of the
//! client is there before the first request is.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use crate::identity::Certificate;

/// The client's certificate, once the handshake has proved one.
pub(super) type Proved = Arc<OnceLock<Arc<Certificate>>>;

/// A connection.
pub(super) enum Socket {
    Plain(TcpStream),
    /// The handshake is under way.
    Shaking(Box<Accept<TcpStream>>, Proved),
    Secured(Box<TlsStream<TcpStream>>),
    /// The handshake came to nothing.
    Broken,
}

impl Socket {
    pub(super) fn secured(socket: TcpStream, tls: Arc<ServerConfig>, proved: Proved) -> Self {
        Self::Shaking(Box::new(TlsAcceptor::from(tls).accept(socket)), proved)
    }

    /// Goes on with the handshake, where there is one.
    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<&mut dyn Bytes>> {
        if let Self::Shaking(accept, proved) = self {
            match ready!(Pin::new(&mut **accept).poll(context)) {
                Ok(stream) => {
                    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
                    if !chain.is_empty() {
                        let Some(own) = Certificate::read(chain) else {
                            // It could neither name anybody nor be seen to end.
                            tracing::debug!("a client's certificate cannot be read");
                            *self = Self::Broken;
                            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                        };
                        let _ = proved.set(Arc::new(own));
                    }
                    *self = Self::Secured(Box::new(stream));
                }
                Err(error) => {
                    tracing::debug!(%error, "a TLS handshake came to nothing");
                    *self = Self::Broken;
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(match self {
            Self::Plain(socket) => Ok(socket),
            Self::Secured(stream) => Ok(&mut **stream),
            Self::Shaking(..) | Self::Broken => Err(io::ErrorKind::NotConnected.into()),
        })
    }

    pub(super) fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_write_vectored(),
            Self::Secured(stream) => stream.is_write_vectored(),
            Self::Shaking(..) | Self::Broken => false,
        }
    }
}

/// What is read and written.
trait Bytes: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Bytes for T {}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = ready!(self.poll_open(context))?;
        Pin::new(bytes).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let to = ready!(self.poll_open(context))?;
        Pin::new(to).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let to = ready!(self.poll_open(context))?;
        Pin::new(to).poll_write_vectored(context, slices)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(socket) => Pin::new(socket).poll_flush(context),
            Self::Secured(stream) => Pin::new(stream).poll_flush(context),
            // Nothing was written yet.
            Self::Shaking(..) | Self::Broken => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Secured(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Shaking(..) | Self::Broken => Poll::Ready(Ok(())),
        }
    }
}
