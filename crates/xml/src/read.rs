//! A bounded reader of XML: bytes to a small tree, or a refusal.
//!
//! A DTD is refused unread (SOAP 1.1 §3 and SOAP 1.2 part 1 §5 forbid one, and what it could
//! do elsewhere is an attack), so there are no entities but the five predefined ones and
//! character references, and nothing outside the document is ever looked at. Depth, elements,
//! attributes, namespaces and text are bounded here; the size of the whole is the caller's
//! to bound. Comments and processing instructions are passed over. A refusal says what is
//! wrong, and quotes nothing.

use quick_xml::XmlVersion;
use quick_xml::escape::{EscapeError, resolve_predefined_entity};
use quick_xml::events::attributes::Attribute as Raw;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{NamespaceResolver, PrefixDeclaration, QName, ResolveResult};
use quick_xml::reader::NsReader;

use crate::{Scope, chars, encoding};

/// Elements within elements.
pub const MAX_DEPTH: usize = 64;
/// Attributes of one element, declarations of namespaces among them.
pub const MAX_ATTRIBUTES: usize = 128;
/// Elements of one document. A tree costs some thirty times its text where elements are
/// tiny, so the bound on bytes alone does not bound it.
pub const MAX_ELEMENTS: usize = 500_000;
/// Namespaces in scope at one place. Each lookup is linear in them.
const MAX_NAMESPACES: usize = 256;
/// Bytes of text that no element interrupts.
pub const MAX_TEXT: usize = 16 * 1024 * 1024;

/// The namespace of `xml:lang` and its kin.
pub const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
/// The namespace of `xsi:type` and its kin.
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// The namespace of declarations of namespaces.
pub const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// An element. Its own names are resolved; its scope resolves those in its values.
#[derive(Debug, Default, PartialEq)]
pub struct Element {
    /// Its local name.
    pub name: String,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its attributes, in order.
    pub attributes: Vec<Attribute>,
    /// What stands in it, in order.
    pub children: Vec<Node>,
    /// The prefixes that are declared where it stands.
    pub scope: Scope,
    /// The line that its tag begins on.
    pub line: Line,
}

/// A line of a document, from 1; 0 for what was not read from one. Two lines are never
/// different: where an element stands says nothing of what it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line(pub u32);

impl PartialEq for Line {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// An attribute with its value normalised (XML 1.0 §3.3.3).
#[derive(Debug, PartialEq)]
pub struct Attribute {
    /// Its local name.
    pub name: String,
    /// Its namespace, if it has a prefix.
    pub namespace: Option<String>,
    /// Its value.
    pub value: String,
}

/// What stands in an element. Neighbouring texts are one.
#[derive(Debug, PartialEq)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Text, CDATA sections among it.
    Text(String),
}

/// Why a document is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Bytes that are no text.
    #[error("its bytes are no text in the encoding {0}")]
    Encoding(&'static str),
    /// An encoding that nobody knows.
    #[error("it is in an encoding that is not known")]
    UnknownEncoding,
    /// A breach of the grammar.
    #[error("it is not well-formed XML, at byte {at}")]
    Malformed {
        /// The byte, from 0.
        at: u64,
    },
    /// A DTD.
    #[error("it has a document type declaration, which is refused")]
    Doctype,
    /// An entity that only a DTD could define.
    #[error("it refers to an entity that XML does not predefine")]
    Entity,
    /// A control character, a surrogate, or one of their kin.
    #[error("it has a character that XML does not allow")]
    Character,
    /// More than is read.
    #[error("it has more than {1} {0}")]
    Bound(&'static str, usize),
}

impl Element {
    /// The line that its tag begins on, from 1.
    pub fn line(&self) -> u32 {
        self.line.0
    }

    /// The child elements.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first child element of that local name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.elements().find(|child| child.name == name)
    }

    /// The element's own text, what stands between its child elements among it.
    pub fn text(&self) -> String {
        let texts = self.children.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        texts.collect()
    }

    /// The attribute of that name.
    pub fn attribute(&self, namespace: Option<&str>, name: &str) -> Option<&str> {
        let found = self
            .attributes
            .iter()
            .find(|a| a.name == name && a.namespace.as_deref() == namespace)?;
        Some(&found.value)
    }

    fn push_text(&mut self, text: &str) -> Result<(), XmlError> {
        if text.is_empty() {
            return Ok(());
        }
        if !matches!(self.children.last(), Some(Node::Text(_))) {
            self.children.push(Node::Text(String::new()));
        }
        if let Some(Node::Text(last)) = self.children.last_mut() {
            if last.len() + text.len() > MAX_TEXT {
                return Err(XmlError::Bound("bytes of text without an element", MAX_TEXT));
            }
            last.push_str(text);
        }
        Ok(())
    }
}

/// Reads a document and gives its root.
pub fn parse(bytes: &[u8]) -> Result<Element, XmlError> {
    parse_as(bytes, None)
}

/// Reads a document in the encoding that the transport named, if it named one, and gives its
/// root.
pub fn parse_as(bytes: &[u8], charset: Option<&str>) -> Result<Element, XmlError> {
    let text = encoding::decode(bytes, charset)?;
    let text = text.as_ref();
    if !text.chars().all(chars::is_xml) {
        return Err(XmlError::Character);
    }
    let mut reader = NsReader::from_str(text);
    reader.config_mut().check_comments = true;
    reader.resolver_mut().set_max_namespace_bindings(MAX_NAMESPACES);

    let mut open: Vec<Element> = Vec::new();
    let mut root: Option<Element> = None;
    let mut elements = 0_usize;
    let mut line = Counted { line: 1, to: 0 };
    loop {
        let at = reader.buffer_position();
        let malformed = XmlError::Malformed { at };
        let event = reader.read_event().map_err(|_| malformed.clone())?;
        match event {
            Event::Start(ref start) | Event::Empty(ref start) => {
                if root.is_some() {
                    return Err(malformed);
                }
                elements += 1;
                if elements > MAX_ELEMENTS {
                    return Err(XmlError::Bound("elements", MAX_ELEMENTS));
                }
                if open.len() >= MAX_DEPTH {
                    return Err(XmlError::Bound("elements within each other", MAX_DEPTH));
                }
                let outer = open.last().map(|outer| &outer.scope);
                let mut element = element(start, reader.resolver(), outer, &malformed)?;
                element.line = line.at(text, at);
                if matches!(event, Event::Empty(_)) {
                    close(element, &mut open, &mut root);
                } else {
                    open.push(element);
                }
            }
            Event::End(_) => {
                let element = open.pop().ok_or(malformed)?;
                close(element, &mut open, &mut root);
            }
            Event::Text(text) => match open.last_mut() {
                // XML 1.0 §2.4: this would end a CDATA section that was never begun.
                Some(_) if text.contains("]]>") => return Err(malformed),
                Some(element) => element.push_text(&text.xml10_content())?,
                None if text.chars().all(chars::is_space) => {}
                None => return Err(malformed),
            },
            Event::CData(text) => {
                open.last_mut().ok_or(malformed)?.push_text(&text.xml10_content())?;
            }
            Event::GeneralRef(reference) => {
                let element = open.last_mut().ok_or(malformed.clone())?;
                match reference.resolve_char_ref().map_err(|_| malformed)? {
                    Some(c) if chars::is_xml(c) => {
                        element.push_text(c.encode_utf8(&mut [0; 4]))?;
                    }
                    Some(_) => return Err(XmlError::Character),
                    None => {
                        let text = resolve_predefined_entity(&reference).ok_or(XmlError::Entity)?;
                        element.push_text(text)?;
                    }
                }
            }
            Event::Decl(_) if at == 0 => {}
            Event::Decl(_) => return Err(malformed),
            Event::DocType(_) => return Err(XmlError::Doctype),
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return root.ok_or(malformed),
        }
    }
}

/// Lines counted so far: each byte is looked at once.
struct Counted {
    line: u32,
    to: usize,
}

impl Counted {
    fn at(&mut self, text: &str, at: u64) -> Line {
        let at = usize::try_from(at).unwrap_or(usize::MAX).min(text.len());
        let breaks = text.get(self.to..at).unwrap_or_default().matches('\n').count();
        self.line = self.line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
        self.to = at.max(self.to);
        Line(self.line)
    }
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(Node::Element(element)),
        None => *root = Some(element),
    }
}

fn element(
    start: &BytesStart<'_>,
    resolver: &NamespaceResolver,
    outer: Option<&Scope>,
    malformed: &XmlError,
) -> Result<Element, XmlError> {
    let (namespace, name) = resolver.resolve_element(start.name());
    check_prefix(start.name(), malformed)?;
    let mut element = Element {
        name: nc_name(name.as_ref(), malformed)?,
        namespace: bound(&namespace, malformed)?,
        ..Element::default()
    };
    if !is_spaced(start.attributes_raw()) {
        return Err(malformed.clone());
    }
    let mut own = Vec::new();
    // The iterator refuses an attribute that stands twice under one name.
    for (count, attribute) in start.attributes().enumerate() {
        if count >= MAX_ATTRIBUTES {
            return Err(XmlError::Bound("attributes of one element", MAX_ATTRIBUTES));
        }
        let attribute = attribute.map_err(|_| malformed.clone())?;
        if attribute.value.contains('<') {
            return Err(malformed.clone());
        }
        if let Some(prefix) = attribute.key.as_namespace_binding() {
            let prefix = match prefix {
                PrefixDeclaration::Default => String::new(),
                PrefixDeclaration::Named(name) => nc_name(name, malformed)?,
            };
            own.push((prefix, attribute_value(&attribute, malformed)?));
            continue;
        }
        let value = attribute_value(&attribute, malformed)?;
        let (namespace, name) = resolver.resolve_attribute(attribute.key);
        check_prefix(attribute.key, malformed)?;
        let attribute = Attribute {
            name: nc_name(name.as_ref(), malformed)?,
            namespace: bound(&namespace, malformed)?,
            value,
        };
        // With a prefix that nothing declares; written again it would declare a namespace.
        if attribute.namespace.is_none() && attribute.name == "xmlns" {
            return Err(malformed.clone());
        }
        // Two prefixes may stand for one namespace (Namespaces in XML §6.3).
        if element.attribute(attribute.namespace.as_deref(), &attribute.name).is_some() {
            return Err(malformed.clone());
        }
        element.attributes.push(attribute);
    }
    element.scope = outer.cloned().unwrap_or_default().within(own);
    Ok(element)
}

/// Whether white space stands between attributes (§3.1, productions 40 and 44): what splits the
/// tag does not ask for it.
fn is_spaced(attributes: &str) -> bool {
    let mut quote = None;
    let mut after_value = false;
    for byte in attributes.bytes() {
        if after_value && !byte.is_ascii_whitespace() {
            return false;
        }
        after_value = quote == Some(byte);
        match quote {
            Some(_) if after_value => quote = None,
            None if matches!(byte, b'"' | b'\'') => quote = Some(byte),
            _ => {}
        }
    }
    true
}

fn attribute_value(raw: &Raw<'_>, malformed: &XmlError) -> Result<String, XmlError> {
    let value = raw.normalized_value(XmlVersion::Implicit1_0).map_err(|error| match error {
        quick_xml::Error::Escape(EscapeError::UnrecognizedEntity(..)) => XmlError::Entity,
        _ => malformed.clone(),
    })?;
    if value.chars().all(chars::is_xml) { Ok(value.into_owned()) } else { Err(XmlError::Character) }
}

fn nc_name(name: &str, malformed: &XmlError) -> Result<String, XmlError> {
    if chars::is_nc_name(name) { Ok(name.to_owned()) } else { Err(malformed.clone()) }
}

/// A prefix is a name like any other, and `xmlns` is that of declarations alone (Namespaces in
/// XML §3 and §4).
fn check_prefix(name: QName<'_>, malformed: &XmlError) -> Result<(), XmlError> {
    match name.prefix() {
        Some(prefix) if prefix.as_ref() == "xmlns" || !chars::is_nc_name(prefix.as_ref()) => {
            Err(malformed.clone())
        }
        _ => Ok(()),
    }
}

/// A prefix that nothing declares breaks Namespaces in XML (§5), and servers that paste their
/// answers together send it: the name is then in no namespace, but for `xsi`, which means one
/// thing everywhere.
fn bound(namespace: &ResolveResult<'_>, malformed: &XmlError) -> Result<Option<String>, XmlError> {
    Ok(match namespace {
        ResolveResult::Unbound => None,
        // The name is the attribute's normalised value (Namespaces in XML §2.2), and what was
        // resolved is its text.
        ResolveResult::Bound(uri) if uri.as_ref().contains(['&', '\t', '\n', '\r']) => {
            let key = QName("xmlns");
            Some(attribute_value(&Raw { key, value: uri.as_ref().into() }, malformed)?)
        }
        ResolveResult::Bound(uri) => Some(uri.as_ref().to_owned()),
        ResolveResult::Unknown(prefix) => (&**prefix == "xsi").then(|| XSI.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_namespace_is_the_normalised_value_of_its_declaration() {
        let text = "<p:a xmlns:p='http://h/?a=1&amp;b=&#50;' p:c='' xmlns='u\nv'><d/></p:a>";
        let root = parse(text.as_bytes()).expect("it is well-formed");
        let namespace = "http://h/?a=1&b=2";
        assert_eq!(root.namespace.as_deref(), Some(namespace));
        assert_eq!(root.attribute(Some(namespace), "c"), Some(""));
        assert_eq!(root.scope.namespace("p"), Some(namespace));
        assert_eq!(root.child("d").and_then(|d| d.namespace.as_deref()), Some("u v"));
        assert_eq!(parse(b"<a xmlns='&e;'/>"), Err(XmlError::Entity));
    }

    #[test]
    fn white_space_stands_between_attributes() {
        for text in ["<a b='1'c='2'/>", "<a b=\"1\"c='2'></a>", "<a b='1'\n c='2'd=''/>"] {
            assert!(matches!(parse(text.as_bytes()), Err(XmlError::Malformed { .. })), "{text}");
        }
        for text in ["<a b='1'\tc=\"'2\"/>", "<a b = '\"'\r\nc=''\n></a>", "<a\nb=''/>", "<a />"] {
            assert!(parse(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_prefix_is_a_name_and_not_that_of_declarations() {
        let broken = [
            "<xmlns:a/>",
            "<:a/>",
            "<a :b=''/>",
            "<a :xmlns='u'/>",
            "<a xmlns:='u'/>",
            "<1:a/>",
            "<a p:xmlns='u'/>",
        ];
        for text in broken {
            assert!(matches!(parse(text.as_bytes()), Err(XmlError::Malformed { .. })), "{text}");
        }
    }
}
