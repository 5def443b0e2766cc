//! OpenAPI documents into neutral operations, and the REST binding.
//!
//! In goes a document as bytes (OpenAPI 3.0 to 3.2 or Swagger 2.0, JSON or YAML), out comes
//! a [`Description`]. The document is input from strangers: it is bounded, walked as a value
//! piece by piece, and one bad operation is set aside with a JSON pointer and a reason while
//! the rest goes on. Swagger 2.0 pieces are turned into their 3.x shapes one at a time;
//! schemas are lifted out as JSON Schema 2020-12.
//!
//! Specifications: OpenAPI 3.0.4, 3.1.1, 3.2.0, Swagger 2.0, RFC 6570 and RFC 3986 for
//! parameters, RFC 6901 for pointers, RFC 9110 for methods and media types, YAML 1.2.2.
//!
//! This crate does no I/O, fetches nothing that a document points to, and must not know
//! MCP, policies, credentials or hosts.

mod binding;
mod body;
mod document;
mod json;
mod media;
mod naming;
mod parameters;
mod read;
mod responses;
mod schema;
mod security;
mod servers;
mod swagger2;
mod xml;
mod yaml;

use tollbridge_operation::{ApiName, Description};

/// What the reader has to know besides the document.
#[derive(Debug, Clone, Copy)]
pub struct ReadOptions<'a> {
    /// The API's name; every operation's id begins with it.
    pub api: &'a ApiName,
    /// Where the document came from: relative servers resolve against it.
    pub source: Option<&'a url::Url>,
}

/// A document of which nothing can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is neither JSON nor YAML.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What was expected.
        message: String,
    },
    /// It has too many bytes.
    #[error("the document has {size} bytes; at most {limit} are read: split it or cut it down")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The bound.
        limit: usize,
    },
    /// It is nested too deeply.
    #[error("line {line}, column {column}: nested deeper than {limit} levels; flatten it")]
    TooDeep {
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// The bound.
        limit: usize,
    },
    /// Its aliases unfold to too much.
    #[error(
        "line {line}, column {column}: the aliases unfold to more than {limit} nodes; write them out or use $ref"
    )]
    TooManyNodes {
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// The bound.
        limit: usize,
    },
    /// It parses, and is no OpenAPI document.
    #[error("no OpenAPI document: {message}")]
    NotOpenApi {
        /// What was expected and what was found.
        message: String,
    },
}

/// Reads a document.
pub fn read(document: &[u8], options: &ReadOptions<'_>) -> Result<Description, ReadError> {
    let (document, warnings) = document::Document::parse(document)?;
    Ok(read::description(&document, options, warnings))
}
