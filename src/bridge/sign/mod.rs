//! Requests that are signed: each attempt anew, over what goes out and nothing else.
//!
//! A signature is made last, when method, URL, headers and body are those that will be sent. It
//! adds headers and changes none but its own, and a request that cannot be signed is not sent.
//! Which signature it is, is one of two: `sigv4` (AWS) or `message` (RFC 9421).

mod message;
mod sigv4;

use std::time::SystemTime;

use http::{HeaderMap, Method};
use url::{Position, Url};

pub use message::{MessageKey, MessageSigner};
pub use sigv4::SigV4;

/// What signs requests.
#[derive(Debug)]
pub enum Signer {
    /// As Amazon's services want it.
    SigV4(SigV4),
    /// As RFC 9421 says.
    Message(MessageSigner),
}

/// A request that is about to go out.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    pub(super) method: &'a Method,
    pub(super) url: &'a Url,
    pub(super) headers: &'a mut HeaderMap,
    pub(super) body: &'a [u8],
}

/// It cannot be signed: the system gives no random bytes, or a header no header can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unsigned;

impl Signer {
    /// Adds the signature for this moment.
    pub(super) fn sign(&self, request: &mut Outgoing<'_>, now: SystemTime) -> Result<(), Unsigned> {
        match self {
            Self::SigV4(signer) => signer.sign(request, now),
            Self::Message(signer) => signer.sign(request, now),
        }
    }

    /// The headers that it adds, for a preview.
    pub(super) fn headers(&self) -> &'static [&'static str] {
        match self {
            Self::SigV4(_) => &["authorization", "x-amz-date"],
            Self::Message(_) => &["signature-input", "signature"],
        }
    }
}

impl Outgoing<'_> {
    /// The host as `Host` has it: with its port, where that is not the scheme's own.
    fn host(&self) -> &str {
        &self.url[Position::BeforeHost..Position::AfterPort]
    }
}
