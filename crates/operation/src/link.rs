//! What an answer says can be called next.

use http::StatusCode;
use serde_json::{Map, Value};

use crate::{Arguments, OperationKey};

/// One exchange as its links see it. Nothing in it may be what the caller must not see: what a
/// link makes of it is shown.
#[derive(Debug, Clone, Copy)]
pub struct Exchanged<'a> {
    /// The URL that was asked, where it may be told.
    pub url: Option<&'a str>,
    /// The operation's arguments that the caller gave.
    pub arguments: &'a Arguments,
    /// The answer's status.
    pub status: StatusCode,
    /// The answer's headers, their names in lower case.
    pub headers: &'a Map<String, Value>,
    /// The answer's body, read as a value, where it is one.
    pub body: Option<&'a Value>,
}

/// What can be called next, and with what. Names are the description's.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub description: Option<String>,
    /// The operation of the same API that it leads to.
    pub operation: OperationKey,
    /// Values of that operation's parameters. A name may begin with a place: `path.id`.
    pub parameters: Vec<(String, Value)>,
    /// That operation's body.
    pub body: Option<Value>,
}
