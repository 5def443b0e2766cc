//! XML by schema: which element, attribute or text each part of a value is.
//!
//! OpenAPI's `xml` object (2.0, 3.0.4 §4.7.26, 3.1.1 §4.8.26, 3.2.0 §4.26) is read once into
//! [`Node`]s, one for each schema of the document that a body or an answer reaches, so that
//! recursion stays recursion and a large document is read once. Values are written and read
//! by them in both directions. What a schema does not describe keeps the forms that SOAP
//! values have: `@name` for an attribute, `#text` for text beside others.

mod plan;
mod read;
mod write;

use std::sync::{Arc, OnceLock};

pub(crate) use plan::Planner;
pub(crate) use read::read;
pub(crate) use write::write;

/// The namespace of `xsi:nil`.
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The place of a node among all of its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Id(usize);

/// The nodes of a document: filled once, when all of it is read.
type Nodes = Arc<OnceLock<Vec<Node>>>;

/// A body that is one XML document.
#[derive(Debug, Clone)]
pub(crate) struct Xml {
    nodes: Nodes,
    root: Id,
    /// The root's name where its schema does not say one itself.
    name: Option<String>,
}

impl Xml {
    fn node(&self, id: Id) -> &Node {
        self.nodes.get().and_then(|nodes| nodes.get(id.0)).unwrap_or(&FREE)
    }
}

/// What a schema is in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    kind: Kind,
    /// Its own name, which comes before the name of the property that has it.
    name: Option<String>,
    namespace: Option<String>,
    prefix: Option<String>,
    content: Content,
    /// Whether null is one of its values.
    is_nullable: bool,
}

const FREE: Node = Node {
    kind: Kind::Element,
    name: None,
    namespace: None,
    prefix: None,
    content: Content::Free,
    is_nullable: false,
};

/// `nodeType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Element,
    Attribute,
    Text,
    Cdata,
    /// Its parts stand directly in what it stands in.
    None,
}

/// What a node's value is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    /// Text. As which of these it may be read:
    Plain { string: bool, number: bool, boolean: bool },
    /// Members by the names of their properties.
    Object(Vec<(String, Id)>),
    /// Items: the first ones each for itself, then the others.
    List { first: Vec<Id>, others: Option<Id> },
    /// That of another schema.
    Other(Id),
    /// Anything.
    Free,
}
