//! SOAP 1.1 envelopes, as the warehouse reads and writes them. It knows no operation.

use axum::http::StatusCode;
use tollbridge_xml::{Element, XmlWriter};

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// A message that arrived: its envelope, with one element in its body.
pub(super) struct Message {
    header: Option<Element>,
    body: Element,
}

/// Why there is no answer.
pub(super) struct Fault {
    pub(super) status: StatusCode,
    pub(super) code: String,
    reason: String,
    detail: Vec<u8>,
}

impl Message {
    /// Reads an envelope of SOAP 1.1.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let wrong = |reason: &str| Fault::new("soapenv:Client", reason);
        let envelope = tollbridge_xml::parse(bytes).map_err(|error| wrong(&error.to_string()))?;
        if envelope.namespace.as_deref() != Some(SOAP) || envelope.name != "Envelope" {
            return Err(Fault::new("soapenv:VersionMismatch", "expected SOAP 1.1"));
        }
        let (mut header, mut body) = (None, None);
        for child in envelope.children {
            match child {
                tollbridge_xml::Node::Element(child) if child.name == "Header" => {
                    header = Some(child);
                }
                tollbridge_xml::Node::Element(child) if child.name == "Body" => body = Some(child),
                _ => {}
            }
        }
        let body = body.into_iter().flat_map(|body| body.children).find_map(|child| match child {
            tollbridge_xml::Node::Element(child) => Some(child),
            tollbridge_xml::Node::Text(_) => None,
        });
        let body = body.ok_or_else(|| wrong("expected an element in the body"))?;
        Ok(Self { header, body })
    }

    /// The body's element.
    pub(super) fn body(&self) -> &Element {
        &self.body
    }

    /// The text of a header block.
    pub(super) fn header(&self, namespace: &str, name: &str) -> Option<String> {
        let blocks = self.header.iter().flat_map(Element::elements);
        let mut named = blocks
            .filter(|block| block.name == name && block.namespace.as_deref() == Some(namespace));
        named.next().map(Element::text)
    }
}

impl Fault {
    /// A fault as most of the service sends them: under 200.
    pub(super) fn new(code: &str, reason: &str) -> Self {
        Self {
            status: StatusCode::OK,
            code: code.to_owned(),
            reason: reason.to_owned(),
            detail: Vec::new(),
        }
    }

    /// The fault under another status.
    pub(super) fn under(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The fault with elements in its detail.
    pub(super) fn with_detail(self, detail: Vec<u8>) -> Self {
        Self { detail, ..self }
    }

    /// Its envelope.
    pub(super) fn envelope(&self) -> Vec<u8> {
        let mut out = XmlWriter::fragment();
        out.start("soapenv:Fault", &[]);
        leaf(&mut out, "faultcode", &self.code);
        leaf(&mut out, "faultstring", &self.reason);
        let mut fault = out.finish();
        if !self.detail.is_empty() {
            fault.extend_from_slice(b"<detail>");
            fault.extend_from_slice(&self.detail);
            fault.extend_from_slice(b"</detail>");
        }
        fault.extend_from_slice(b"</soapenv:Fault>");
        write(&fault)
    }
}

/// An envelope around a body's elements.
pub(super) fn write(body: &[u8]) -> Vec<u8> {
    let mut envelope = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soapenv:Envelope xmlns:soapenv=\"{SOAP}\"><soapenv:Body>"
    )
    .into_bytes();
    envelope.extend_from_slice(body);
    envelope.extend_from_slice(b"</soapenv:Body></soapenv:Envelope>");
    envelope
}

/// An element with text in it. What XML cannot hold cannot have come in either.
pub(super) fn leaf(out: &mut XmlWriter, name: &str, text: &str) {
    out.start(name, &[]);
    if out.text(text).is_err() {
        tracing::warn!(name, "text that XML cannot hold was left out");
    }
    out.end(name);
}

/// The children of an element by name, in the order of `names`, as a sequence of the schema
/// wants them.
pub(super) fn children<'e, const N: usize>(
    element: &'e Element,
    namespace: Option<&str>,
    names: [&'static str; N],
) -> Result<[Vec<&'e Element>; N], &'static str> {
    let mut found = [const { Vec::new() }; N];
    let mut next = 0;
    for child in element.elements() {
        if child.namespace.as_deref() != namespace {
            return Err("an element of another namespace");
        }
        let place = names[next..].iter().position(|name| *name == child.name);
        next += place.ok_or("an element that is not known, or not in this place")?;
        found[next].push(child);
    }
    Ok(found)
}
