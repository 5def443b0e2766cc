//! Whether anything of a request can have gone out.
//!
//! A write that failed may be repeated only when nothing of it was sent. An error or a
//! time-out does not tell that by itself, the request's body does: HTTP asks a body whether
//! it is empty when the head is about to be written, and not before there is a connection.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Says whether a request was handed to a connection. It may say so too early, never too late.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent(Arc<AtomicBool>);

impl Sent {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A request's body, which notices when it is asked for.
#[derive(Debug)]
pub(super) struct Watched {
    left: Bytes,
    sent: Sent,
}

impl Watched {
    pub(super) fn new(bytes: Bytes, sent: Sent) -> Self {
        Self { left: bytes, sent }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.sent.set();
        let left = std::mem::take(&mut self.left);
        Poll::Ready((!left.is_empty()).then(|| Ok(Frame::data(left))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent.set();
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
