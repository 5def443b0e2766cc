//! The layer in front of the MCP library, the same for both transports.
//!
//! What comes in is bytes from strangers. [`inspect`] looks at one whole message and says
//! either what it is or why it is refused: too large, no JSON (RFC 8259), nested too deep, a
//! member named twice, a batch, or no JSON-RPC 2.0 request, notification or response as MCP
//! knows them. It is pure: the transports send the answer and have the refusal recorded.
//!
//! The MCP library reads an accepted message again, leniently, so everything that it would
//! guess about (which of two members of one name counts, whether `1.0` is an id) is refused
//! here. This layer knows no tool and no method.

mod names;
mod scan;

use std::fmt;

use serde_json::{Value, json};

pub use scan::{inspect, unambiguous};

/// The largest message, in bytes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The deepest nesting of arrays and objects: what `serde_json` reads without recursing
/// further.
pub const MAX_DEPTH: usize = 127;

/// What a message that may pass is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Envelope {
    /// It wants an answer.
    Request {
        /// The id to answer under.
        id: Id,
        /// What it asks for.
        method: String,
    },
    /// It wants none.
    Notification {
        /// What it tells.
        method: String,
    },
    /// An answer to a request of ours.
    Response,
}

impl Envelope {
    /// What it asks for or tells; an answer has no method.
    pub fn method(&self) -> Option<&str> {
        match self {
            Self::Request { method, .. } | Self::Notification { method } => Some(method),
            Self::Response => None,
        }
    }
}

/// A request's id: a string, or an integer that every JSON reader keeps (MCP allows no other).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Id {
    /// A number without fraction and exponent.
    Number(i64),
    /// A string.
    Text(String),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Id {
    fn to_value(&self) -> Value {
        match self {
            Self::Number(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
        }
    }
}

/// JSON-RPC 2.0 §5.1: the codes that this layer answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// It is no JSON.
    Parse,
    /// It is JSON, and no request.
    Invalid,
    /// It is a request above [`MAX_BYTES`].
    TooLarge,
}

impl Code {
    /// The number on the wire.
    pub fn number(self) -> i32 {
        match self {
            Self::Parse => -32700,
            Self::Invalid | Self::TooLarge => -32600,
        }
    }
}

/// A message that goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of refusal.
    pub code: Code,
    /// The id to answer under, where the message has one that can be used.
    pub id: Option<Id>,
    /// Why, in words, bounded.
    pub reason: String,
}

impl Refusal {
    /// Why a message above [`MAX_BYTES`] is refused; it is not read, so it has no id.
    pub fn too_large() -> Self {
        let reason = format!("the message is larger than {MAX_BYTES} bytes");
        Self { code: Code::TooLarge, id: None, reason }
    }

    /// The JSON-RPC error that answers it.
    pub fn to_json(&self) -> Value {
        json!({
            "jsonrpc": "2.0",
            "id": self.id.as_ref().map_or(Value::Null, Id::to_value),
            "error": { "code": self.code.number(), "message": self.reason },
        })
    }
}

#[cfg(test)]
mod tests;
