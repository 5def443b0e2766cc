//! What a reader makes of an API's description.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Binding, Effect, EffectSource, OperationId, OperationKey, Schema, SecurityRequirement,
    SecurityScheme,
};

/// An API's description, read. One bad operation is in `skipped` and costs no other.
#[derive(Debug, Clone)]
pub struct Description {
    /// The API's title.
    pub title: String,
    /// The version of the API that it describes.
    pub version: String,
    /// What it was written in: `Swagger 2.0`, `OpenAPI 3.1.0`, `WSDL 1.1`.
    pub format: String,
    /// What can be called, in the description's order; ids are unique.
    pub operations: Vec<Operation>,
    /// The security schemes that its operations ask for, each once: those of all operations,
    /// also of such as were left out.
    pub asked: Vec<SecurityScheme>,
    /// What cannot, and why.
    pub skipped: Vec<Skipped>,
    /// Where the description was read in the only way that makes sense, though it is wrong.
    pub warnings: Vec<Warning>,
}

/// The operations of a description that somebody asks for.
///
/// They are read before the others, so that bounds on what all operations may have together, and
/// names that are given in turn, are the same for them whether the others are read or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Their keys, or `METHOD /path`.
    pub named: BTreeSet<String>,
    /// Whether the others are left out, with whatever would be said of them.
    pub only: bool,
}

impl Wanted {
    /// Whether an operation is one of them.
    pub fn has(&self, key: &str, endpoint: &Endpoint) -> bool {
        let Endpoint { method, path } = endpoint;
        self.named.contains(key) || self.named.contains(&format!("{method} {path}"))
    }
}

/// How many errors of an operation are kept.
pub const MOST_ERRORS: usize = 16;

/// An error that an operation's description declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredError {
    /// The status (`404`, `4XX`), `default` for all that are not declared, or a fault's name.
    pub code: String,
    /// What it means: a stranger's text, cut.
    pub said: String,
}

impl DeclaredError {
    /// Keeps the beginning of what is said.
    pub fn new(code: &str, said: &str) -> Self {
        let cut = |text: &str, most: usize| text.chars().take(most).collect();
        Self { code: cut(code, 60), said: cut(said, 200) }
    }
}

/// Something that an API can do.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its name.
    pub id: OperationId,
    /// Method and path, where it has them; SOAP operations have none.
    pub endpoint: Option<Endpoint>,
    /// One line on what it does.
    pub summary: Option<String>,
    /// More on what it does.
    pub description: Option<String>,
    /// The groups that its description puts it in.
    pub tags: Vec<String>,
    /// Whether its description advises against it.
    pub deprecated: bool,
    /// What it may do to the world.
    pub effect: Effect,
    /// Where that was learned.
    pub effect_source: EffectSource,
    /// Whether doing it twice is the same as doing it once (RFC 9110 §9.2.2).
    pub idempotent: bool,
    /// The arguments: an object that is closed (`additionalProperties: false`), with one
    /// property an argument, in full: nothing is left out for a client's sake.
    pub input: Schema,
    /// What a success answers, in full; `None` where nothing is said, or it is bytes.
    pub output: Option<Schema>,
    /// The errors that it may answer, as its description has them; at most [`MOST_ERRORS`].
    pub errors: Vec<DeclaredError>,
    /// The alternatives of credentials; none at all where the description asks for none.
    pub security: Vec<SecurityRequirement>,
    /// Base URLs in the description's order: absolute where they could be resolved; those of
    /// REST without a `/` at the end, addresses of SOAP services as they are.
    pub servers: Vec<String>,
    /// The operation that this one is again through another port of the same service.
    pub twin_of: Option<OperationKey>,
    /// How it goes over the wire.
    pub binding: Arc<dyn Binding>,
}

/// An operation's place in a REST API.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Endpoint {
    /// The method, in upper case.
    pub method: String,
    /// The path template.
    pub path: String,
}

/// An operation that cannot be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its key, or what it would have been.
    pub key: String,
    /// Method and path, where they are known.
    pub endpoint: Option<Endpoint>,
    /// A JSON pointer to what is wrong, into the description; for XML an element path.
    pub pointer: String,
    /// What is wrong, in words.
    pub reason: String,
}

/// A mistake in a description, and the reading that was made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where it is, as in [`Skipped::pointer`].
    pub pointer: String,
    /// What is wrong and how it was read.
    pub message: String,
}
