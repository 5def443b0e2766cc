//! XML as both bindings need it: bytes to a small tree, and values to bytes.
//!
//! The reader takes input from strangers: no DTD is read, no entity but the five predefined
//! ones is resolved, and depth, elements, attributes, namespaces and text are bounded. What
//! the writer writes, every conforming reader gives back as it was put in.
//!
//! Follows XML 1.0 (fifth edition) and Namespaces in XML 1.0 (third edition). This crate
//! must not know SOAP, OpenAPI or JSON.

pub mod chars;
mod encoding;
mod read;
mod scope;
mod write;

pub use read::{
    Attribute, Element, Line, MAX_ATTRIBUTES, MAX_DEPTH, MAX_ELEMENTS, MAX_TEXT, Node,
    XML_NAMESPACE, XMLNS_NAMESPACE, XmlError, parse, parse_as,
};
pub use scope::Scope;
pub use write::{ForbiddenCharacter, XmlWriter};
