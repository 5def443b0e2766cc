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
//! This crate does no I/O: a document to which another refers is handed in by the caller, who
//! decides which may be ([`Documents`]). It must not know MCP, policies, credentials or hosts.

mod binding;
mod body;
mod dialect;
mod document;
mod flag;
mod json;
mod links;
mod media;
mod naming;
mod overlay;
mod parameters;
mod pointer;
mod read;
mod references;
mod responses;
mod schema;
mod security;
mod servers;
mod swagger2;
mod xml;
mod yaml;

use std::collections::BTreeMap;

use tollbridge_operation::{ApiName, Description, Wanted};

use document::{Document, Examples, Warnings};
pub use overlay::Overlay;
pub use references::{Documents, NoDocuments};

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
    /// A change to it cannot be made.
    #[error("{name}{}{pointer}: {message}", if pointer.is_empty() { "" } else { "#" })]
    Overlay {
        /// Which overlay.
        name: String,
        /// Where in the overlay: a JSON pointer.
        pointer: String,
        /// What is wrong.
        message: String,
    },
    /// It parses, and is no OpenAPI document.
    #[error("no OpenAPI document: {message}")]
    NotOpenApi {
        /// What was expected and what was found.
        message: String,
    },
}

/// What belongs to a description besides the document that was named.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The documents to which it refers.
    pub documents: &'a dyn Documents,
    /// Changes to the document that was named, in their order.
    pub overlays: &'a [Overlay<'a>],
    /// Values for the variables of its servers, instead of their defaults.
    pub variables: &'a BTreeMap<String, String>,
    /// Whether whoever carries out calls reads files that arguments name by a path
    /// ([`Binding::named_files`](tollbridge_operation::Binding::named_files)).
    pub takes_paths: bool,
    /// The operations that are read first, or alone; `None` for all, in their order.
    pub wanted: Option<&'a Wanted>,
}

static NO_VARIABLES: BTreeMap<String, String> = BTreeMap::new();

impl Default for Surroundings<'_> {
    fn default() -> Self {
        Self {
            documents: &NoDocuments,
            overlays: &[],
            variables: &NO_VARIABLES,
            takes_paths: false,
            wanted: None,
        }
    }
}

/// Reads a description of one document.
pub fn read(document: &[u8], options: &ReadOptions<'_>) -> Result<Description, ReadError> {
    read_within(document, options, &Surroundings::default())
}

/// Reads a description with what belongs to it.
pub fn read_within(
    document: &[u8],
    options: &ReadOptions<'_>,
    surroundings: &Surroundings<'_>,
) -> Result<Description, ReadError> {
    // A change may ask for anything in the document, and so may a reference.
    let examples =
        if surroundings.overlays.is_empty() { Examples::LeftOut } else { Examples::Kept };
    let (mut gathered, mut warnings) = gather(document, examples, options, surroundings)?;
    if examples == Examples::LeftOut && gathered.library.names_examples {
        (gathered, warnings) = gather(document, Examples::Kept, options, surroundings)?;
    }
    Ok(read::description(&gathered, options, surroundings, warnings))
}

/// Parses a document, changes it, and gathers what it refers to.
fn gather(
    document: &[u8],
    examples: Examples,
    options: &ReadOptions<'_>,
    surroundings: &Surroundings<'_>,
) -> Result<(Document, Warnings), ReadError> {
    let mut warnings = Warnings::default();
    let mut root = document::parse_with(document, examples, &mut warnings)?;
    for overlay in surroundings.overlays {
        overlay.apply(&mut root, &mut warnings)?;
    }
    let mut document = Document::of(root, options.source, surroundings.documents, &mut warnings)?;
    document.takes_paths = surroundings.takes_paths;
    Ok((document, warnings))
}
