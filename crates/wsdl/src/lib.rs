//! SOAP: WSDL documents into neutral operations, and the SOAP binding.
//!
//! In goes a WSDL document with those that it imports, out comes a [`Description`]: each
//! operation with the JSON Schemas of its arguments and answer, and a binding that writes
//! envelopes and reads them. From the outside inwards:
//!
//! - `wsdl`: services, ports and bindings → operations ([`read`]);
//! - `documents`: the documents that belong together, handed in by a [`Source`];
//! - `xsd`: the schemas as they were written, and simple types;
//! - `plan`: types compiled into what values are written and read by, and their JSON Schema;
//! - `binding`, `envelope`, `header`, `multiref`, `mime`, `xop`, `message`: one operation over
//!   SOAP;
//! - `plain`: one operation over HTTP without SOAP;
//! - `value`: JSON values as elements and back.
//!
//! Descriptions and responses are input from strangers: no DTD is read, no entity but the
//! five predefined ones is resolved, and depth, elements, attributes, namespaces and text are
//! bounded. What a schema does not know is refused before it is sent; what an answer has
//! beyond its schema is kept, and told as drift.
//!
//! Follows WSDL 1.1 and 2.0, XML Schema 1.1, SOAP 1.1 and 1.2, and the Basic Profile 1.1. This crate
//! does no I/O and must not know HTTP clients, MCP or tokio.
//!
//! [`Description`]: tollbridge_operation::Description

mod binding;
mod documents;
mod envelope;
mod header;
mod message;
mod mime;
mod multiref;
mod name;
mod plain;
mod plan;
mod value;
mod wsdl;
mod xop;
mod xsd;

pub use documents::Source;
pub use wsdl::{ReadError, ReadOptions, is_xml, read};
