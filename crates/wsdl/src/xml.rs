//! A bounded reader of XML: bytes to a small tree, or a refusal.
//!
//! It reads what SOAP allows in a message and nothing else: a DTD is refused unread (SOAP
//! 1.1 §3, SOAP 1.2 part 1 §5), so there are no entities but the five predefined ones and
//! character references, and nothing outside the message is ever looked at. Depth, elements,
//! attributes, namespaces and text are bounded here; the size of the whole is the caller's
//! to bound. Comments and processing instructions are passed over.
//!
//! It knows nothing of SOAP or JSON. A refusal says what is wrong, and quotes nothing.

use std::borrow::Cow;
use std::sync::Arc;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use quick_xml::XmlVersion;
use quick_xml::escape::{EscapeError, resolve_predefined_entity};
use quick_xml::events::attributes::Attribute as Raw;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{NamespaceResolver, PrefixDeclaration, ResolveResult};
use quick_xml::reader::NsReader;

use crate::chars;

/// Elements within elements.
pub(crate) const MAX_DEPTH: usize = 64;
/// Attributes of one element, declarations of namespaces among them.
pub(crate) const MAX_ATTRIBUTES: usize = 128;
/// Elements of one document. A tree costs some thirty times its text where elements are
/// tiny, so the bound on bytes alone does not bound it.
pub(crate) const MAX_ELEMENTS: usize = 500_000;
/// Namespaces in scope at one place. Each lookup is linear in them.
const MAX_NAMESPACES: usize = 256;
/// Bytes of text that no element interrupts.
pub(crate) const MAX_TEXT: usize = 16 * 1024 * 1024;

/// The namespace of `xml:lang` and its kin.
pub(crate) const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
/// The namespace of declarations of namespaces.
pub(crate) const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// An element. Its own names are resolved; its scope resolves those in its values.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) children: Vec<Node>,
    pub(crate) scope: Scope,
}

/// The prefixes that are declared where an element stands (Namespaces in XML §6.1). Shared
/// by all elements that declare none of their own. Two scopes are never different: which
/// prefixes a document chose means nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope(Option<Arc<Declarations>>);

#[derive(Debug)]
struct Declarations {
    outer: Scope,
    /// Prefix and namespace; an empty prefix is the default namespace, an empty namespace
    /// none.
    own: Vec<(String, String)>,
}

impl PartialEq for Scope {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Scope {
    /// The namespace of a prefix, the default one for an empty prefix; `None` where none is
    /// declared.
    pub(crate) fn namespace(&self, prefix: &str) -> Option<&str> {
        if prefix == "xml" {
            return Some(XML_NAMESPACE);
        }
        let mut scope = self;
        while let Some(declarations) = &scope.0 {
            if let Some((_, uri)) = declarations.own.iter().rev().find(|(name, _)| name == prefix) {
                return (!uri.is_empty()).then_some(uri.as_str());
            }
            scope = &declarations.outer;
        }
        None
    }

    fn within(&self, own: Vec<(String, String)>) -> Self {
        if own.is_empty() {
            return self.clone();
        }
        Self(Some(Arc::new(Declarations { outer: self.clone(), own })))
    }
}

/// An attribute with its value normalised (XML 1.0 §3.3.3).
#[derive(Debug, PartialEq)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    pub(crate) value: String,
}

/// What stands in an element. Neighbouring texts are one.
#[derive(Debug, PartialEq)]
pub(crate) enum Node {
    Element(Element),
    Text(String),
}

/// Why a document is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum XmlError {
    #[error("its bytes are not text in the encoding {0}")]
    Encoding(&'static str),
    #[error("it says that it is in an encoding that is not known")]
    UnknownEncoding,
    #[error("it is not well-formed XML, at byte {at}")]
    Malformed { at: u64 },
    #[error("it has a document type declaration, which SOAP forbids")]
    Doctype,
    #[error("it refers to an entity that XML does not predefine")]
    Entity,
    #[error("it has a character that XML does not allow")]
    Character,
    #[error("it uses a namespace prefix that is not declared")]
    Prefix,
    #[error("it has more than {1} {0}")]
    Bound(&'static str, usize),
}

impl Element {
    /// The child elements.
    pub(crate) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first child element of that local name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.elements().find(|child| child.name == name)
    }

    /// The element's own text, what stands between its child elements among it.
    pub(crate) fn text(&self) -> String {
        let texts = self.children.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        texts.collect()
    }

    /// The attribute of that name.
    pub(crate) fn attribute(&self, namespace: Option<&str>, name: &str) -> Option<&str> {
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

/// Reads a document and gives its root. `charset` is what the transport said of its encoding.
pub(crate) fn parse(bytes: &[u8], charset: Option<&str>) -> Result<Element, XmlError> {
    let text = decode(bytes, charset)?;
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
                let element = element(start, reader.resolver(), outer, &malformed)?;
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

/// The document's text: by its byte order mark, else by what the transport said, else by its
/// own declaration (RFC 7303 §3), else in UTF-8 (XML 1.0 appendix F.1).
fn decode<'b>(bytes: &'b [u8], charset: Option<&str>) -> Result<Cow<'b, str>, XmlError> {
    let known =
        |label: &str| Encoding::for_label(label.as_bytes()).ok_or(XmlError::UnknownEncoding);
    let (encoding, mark) = match Encoding::for_bom(bytes) {
        Some(found) => found,
        None => (charset.map_or_else(|| declared(bytes).map_or(Ok(UTF_8), known), known)?, 0),
    };
    encoding
        .decode_without_bom_handling_and_without_replacement(&bytes[mark..])
        .ok_or(XmlError::Encoding(encoding.name()))
}

/// The encoding that the XML declaration names. One that is readable as ASCII cannot be
/// UTF-16, whatever it says of itself.
fn declared(bytes: &[u8]) -> Option<&str> {
    match bytes {
        [b'<', 0, ..] => return Some(UTF_16LE.name()),
        [0, b'<', ..] => return Some(UTF_16BE.name()),
        _ => {}
    }
    let head = &bytes[..bytes.len().min(256)];
    let end = head.windows(2).position(|two| two == b"?>")?;
    let head = std::str::from_utf8(&head[..end]).ok()?.strip_prefix("<?xml")?;
    let (_, after) = head.split_once("encoding")?;
    let after = after.trim_start().strip_prefix('=')?.trim_start();
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let label = after[1..].split(quote).next()?;
    (!label.to_ascii_lowercase().starts_with("utf-16")).then_some(label)
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
    let mut element = Element {
        name: nc_name(name.as_ref(), malformed)?,
        namespace: bound(&namespace)?,
        ..Element::default()
    };
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
                PrefixDeclaration::Named(name) => name.to_owned(),
            };
            own.push((prefix, attribute_value(&attribute, malformed)?));
            continue;
        }
        let value = attribute_value(&attribute, malformed)?;
        let (namespace, name) = resolver.resolve_attribute(attribute.key);
        let attribute = Attribute {
            name: nc_name(name.as_ref(), malformed)?,
            namespace: bound(&namespace)?,
            value,
        };
        // Two prefixes may stand for one namespace (Namespaces in XML §6.3).
        if element.attribute(attribute.namespace.as_deref(), &attribute.name).is_some() {
            return Err(malformed.clone());
        }
        element.attributes.push(attribute);
    }
    element.scope = outer.cloned().unwrap_or_default().within(own);
    Ok(element)
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

fn bound(namespace: &ResolveResult<'_>) -> Result<Option<String>, XmlError> {
    match namespace {
        ResolveResult::Unbound => Ok(None),
        ResolveResult::Bound(uri) => Ok(Some(uri.as_ref().to_owned())),
        ResolveResult::Unknown(_) => Err(XmlError::Prefix),
    }
}
