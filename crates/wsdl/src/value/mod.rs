//! JSON values as elements, and elements as JSON values, by a schema's types.
//!
//! Writing is strict: what the schema does not know is refused, and children stand in its
//! order whatever order they came in. Reading is forgiving: what breaks it is kept as it came
//! and noted as drift. Numbers go through text alone, never through floating point. It knows
//! nothing of envelopes.

mod attributes;
mod content;
mod declared;
mod foreign;
mod free;
mod identity;
mod members;
mod names;
mod ordered;
mod read;
mod write;
mod xml;

pub(crate) use foreign::clark;
pub(crate) use free::free;
pub(crate) use identity::EXPECTED as EXPECTED_ID;
pub(crate) use names::Names;
pub(crate) use read::Reading;
pub(crate) use write::{Apart, Writer};

use tollbridge_xml::{Element, chars};

use crate::xsd::{XSI, is_soap_encoding};

/// Adds a name to a JSON pointer (RFC 6901 §3).
pub(crate) fn pointer(base: &str, name: &str) -> String {
    format!("{base}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A qualified name without its prefix.
pub(crate) fn local(name: &str) -> &str {
    let name = name.trim_matches(chars::is_space);
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

fn is_nil(element: &Element) -> bool {
    matches!(element.attribute(Some(XSI), "nil").map(str::trim), Some("true" | "1"))
}

fn meaningful(text: &str) -> bool {
    !text.chars().all(chars::is_space)
}

/// Whether an attribute of that namespace is the protocol's and not the value's.
fn is_protocol(namespace: &str) -> bool {
    use crate::message::SoapVersion;
    namespace == XSI
        || is_soap_encoding(Some(namespace))
        || [SoapVersion::V1_1, SoapVersion::V1_2].iter().any(|v| v.namespace() == namespace)
}
