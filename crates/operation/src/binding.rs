//! The seam between protocols: arguments to a request, a response to an answer.

use std::fmt::Debug;

use http::HeaderName;
use serde_json::{Map, Value};

use crate::{Arguments, Enclosure, Exchanged, Link, Moment, Payload, Request, Response};

/// How one operation's arguments become an HTTP request, and its response an answer.
///
/// Pure and total: the same input gives the same output, and no input makes it panic.
pub trait Binding: Debug + Send + Sync {
    /// Builds the request. The arguments have passed the operation's input schema; what a
    /// schema cannot say (a path segment that is `..`, a line break in a header) is refused
    /// here.
    fn encode(&self, arguments: &Arguments) -> Result<Request, EncodeError>;

    /// Builds the request with what the configuration encloses in it. A fixed header takes the
    /// place of an argument of its name.
    fn enclose(
        &self,
        arguments: &Arguments,
        _enclosure: &Enclosure,
        _moment: &Moment<'_>,
    ) -> Result<Request, EncodeError> {
        self.encode(arguments)
    }

    /// Whether the moment has a part in what [`enclose`](Self::enclose) builds, so that each
    /// request must be built anew.
    fn is_momentary(&self, _enclosure: &Enclosure) -> bool {
        false
    }

    /// Whether anything can be enclosed in its messages.
    fn encloses(&self) -> bool {
        false
    }

    /// Whether the operation's messages have a header of that local name.
    fn has_header(&self, _name: &str) -> bool {
        false
    }

    /// Checks once that what is enclosed can be. The error's pointer is into the enclosure:
    /// `/headers/NAME`, `/security`.
    fn check(&self, enclosure: &Enclosure) -> Result<(), EncodeError> {
        if enclosure.is_empty() {
            return Ok(());
        }
        Err(EncodeError { pointer: String::new(), expected: "a SOAP service".to_owned() })
    }

    /// Reads a response that came, whatever its status.
    fn decode(&self, response: &Response) -> Answer;

    /// Headers of an answer that its description says something of: they are handed on.
    fn kept_headers(&self) -> &[HeaderName] {
        &[]
    }

    /// Whether successes may say what can be called next.
    fn has_links(&self) -> bool {
        false
    }

    /// What a success says can be called next. What it cannot tell is left out.
    fn links(&self, _success: &Exchanged<'_>) -> Vec<Link> {
        Vec::new()
    }

    /// The arguments for a link that leads to this operation; what is none of its parameters is
    /// left out.
    fn linked(&self, _link: &Link) -> Arguments {
        Arguments::default()
    }

    /// Where the arguments name a file by its `path` instead of holding it, as JSON pointers to
    /// the objects that do. Whoever carries out the call reads the file and puts `data`, in base64,
    /// in the path's place.
    fn named_files(&self, arguments: &Arguments) -> Vec<String> {
        let _ = arguments;
        Vec::new()
    }
}

/// An argument that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: expected {expected}")]
pub struct EncodeError {
    /// A JSON pointer into the arguments (RFC 6901).
    pub pointer: String,
    /// What would have been accepted, in words.
    pub expected: String,
}

/// What a response means.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The operation was done.
    Success {
        /// What it answered.
        payload: Payload,
        /// Where the answer leaves its description.
        drift: Vec<Drift>,
        /// Header blocks of the message, read as values, by their local names.
        headers: Map<String, Value>,
    },
    /// The upstream answered that it was not done.
    Failure {
        /// The body, as far as it could be read.
        payload: Payload,
        /// The fault, for SOAP.
        fault: Option<Fault>,
    },
    /// The body cannot be parsed as its media type.
    Unreadable {
        /// Why, in words; no part of the body.
        reason: String,
    },
}

/// One place where an answer leaves its description. It never withholds the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// A JSON pointer into the answer.
    pub pointer: String,
    /// What was expected and what came, in words.
    pub message: String,
}

/// A SOAP fault (SOAP 1.2 part 1 §5.4; SOAP 1.1 §4.4 in the same words).
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// `Sender`, `Client`, … with its namespace prefix removed.
    pub code: String,
    /// Subcodes from the outermost to the innermost.
    pub subcodes: Vec<String>,
    /// The reason for people.
    pub reason: String,
    /// The detail, read as a value.
    pub detail: Option<Value>,
}
