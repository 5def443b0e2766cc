//! A request as it came, and as much of it as a fault wants to read.

use std::io;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The largest head that is read.
const HEAD: usize = 64 * 1024;

/// How much of a body is kept; the rest is counted.
const KEPT: usize = 64 * 1024;

/// A request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// Its target, as it stood in the request line.
    pub target: String,
    /// Its headers, in their order.
    pub headers: Vec<(String, String)>,
    /// The first 64 KiB of its body, as far as it was read.
    pub body: Vec<u8>,
    /// How many bytes of its body were read.
    pub bytes: u64,
}

impl Request {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.headers.iter().find(named).map(|(_, value)| value.as_str())
    }
}

/// Reads a request's head; `None` where the connection ends before it is whole, and an error of
/// the kind `InvalidData` for what is no HTTP.
pub(super) async fn head(
    wire: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> io::Result<Option<Request>> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        // Every method begins with a letter (RFC 9110 §9.1); a TLS handshake does not.
        if buffer.first().is_some_and(|byte| !byte.is_ascii_alphabetic()) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if buffer.len() > HEAD || wire.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = buffer.split_to(end + 4);
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let (method, target) = (word(), word());
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    Ok(Some(Request { method, target, headers, ..Request::default() }))
}

/// Reads a request's body; `false` where the connection ends before it is whole.
pub(super) async fn body(
    wire: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    request: &mut Request,
) -> io::Result<bool> {
    // Whom this is for sends a length, or nothing.
    let length: u64 = request.header("content-length").map_or(0, |text| text.parse().unwrap_or(0));
    while request.bytes < length {
        if buffer.is_empty() && wire.read_buf(buffer).await? == 0 {
            return Ok(false);
        }
        let left = usize::try_from(length - request.bytes).unwrap_or(usize::MAX);
        let taken = buffer.len().min(left);
        let room = KEPT.saturating_sub(request.body.len()).min(taken);
        request.body.extend_from_slice(&buffer[..room]);
        buffer.advance(taken);
        request.bytes += taken as u64;
    }
    Ok(true)
}
