//! A call: who wants which operation done with which arguments.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::trace::Trace;
use crate::{Identity, Operation, ToolName};

/// A call that was received and whose arguments fit the tool's schema. It may not be
/// carried out yet: safety makes an allowed call of it, settlement a cleared one.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its name in the audit trail.
    pub id: CallId,
    /// Who calls.
    pub identity: Identity,
    /// The tool that was called.
    pub tool: ToolName,
    /// What the tool does.
    pub operation: Arc<Operation>,
    /// The operation's arguments: fixed and default values are in, names are the
    /// operation's own.
    pub arguments: Arguments,
    /// The key that its caller gave it, by which the same call is known when it is made again.
    pub key: Option<String>,
    /// The trace that its agent made it in; `None` where it begins one.
    pub trace: Option<Arc<Trace>>,
}

/// A call's name in the audit trail: a ULID, so that names sort by time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(Arc<str>);

impl CallId {
    /// Takes a name that the caller made unique.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&CallId> for Arc<str> {
    fn from(id: &CallId) -> Self {
        Self::clone(&id.0)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An operation's arguments by name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Arguments(pub Map<String, Value>);

impl Arguments {
    /// The argument of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The arguments as a JSON object.
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

impl FromIterator<(String, Value)> for Arguments {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// What an upstream answered, read by its media type.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// Nothing.
    Empty,
    /// A value; text is a JSON string.
    Value(Value),
    /// Bytes that are no value: images, audio, documents.
    Bytes {
        /// Their media type, without parameters.
        media_type: String,
        /// The bytes.
        data: Bytes,
    },
    /// Several parts: their value, and what of them is bytes that are no value.
    Parts {
        /// A list; a part that is attached is named in it, with how many bytes it has.
        value: Value,
        /// In the order of the parts.
        attached: Vec<Attachment>,
    },
}

/// A part of an answer that is no value: an image, audio, a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Attachment {
    /// Its media type, without parameters.
    pub media_type: String,
    /// Its bytes.
    pub data: Bytes,
}
