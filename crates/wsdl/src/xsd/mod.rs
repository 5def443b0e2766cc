//! XML Schema: documents of it, and what each of its components says.
//!
//! A schema is kept as the elements that it was written in. [`Schemas`] finds a component by
//! its name, whichever of the documents it stands in, and [`Component`] carries what the
//! surrounding document says about it (target namespace, qualified forms). Nothing is
//! resolved before something needs it, so a broken part costs what refers to it alone.
//!
//! [`builtin`] and [`simple`] are XML Schema's simple types: lexical forms, facets, and how
//! their values stand in JSON. What element content is made of them is the plan's.
//!
//! Follows XML Schema 1.1 part 1 (structures) and part 2 (datatypes); documents of 1.0 mean
//! the same by them. It knows nothing of WSDL or SOAP but SOAP's encoding types, which stand
//! beside the built-in ones.

pub(crate) mod builtin;
mod bundled;
pub(crate) mod facets;
mod lexical;
mod order;
mod pattern;
mod schemas;
mod shown;
pub(crate) mod simple;

pub(crate) use bundled::{is_bundled, texts};
pub(crate) use schemas::{Component, Kind, Schemas};

/// The namespace of XML Schema.
pub(crate) const XSD: &str = "http://www.w3.org/2001/XMLSchema";
/// The namespace of `xsi:nil` and `xsi:type`.
pub(crate) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// The namespace of SOAP 1.1's encoding (§5).
pub(crate) const SOAP_ENC: &str = "http://schemas.xmlsoap.org/soap/encoding/";
/// The namespace of `swaRef` (Attachments Profile 1.0 §4.4).
pub(crate) const WSI: &str = "http://ws-i.org/profiles/basic/1.1/xsd";
/// The namespace of SOAP 1.2's encoding (part 2 §3).
pub(crate) const SOAP_ENC_12: &str = "http://www.w3.org/2003/05/soap-encoding";

/// Whether the namespace is that of a SOAP encoding.
pub(crate) fn is_soap_encoding(namespace: Option<&str>) -> bool {
    matches!(namespace, Some(SOAP_ENC | SOAP_ENC_12))
}
