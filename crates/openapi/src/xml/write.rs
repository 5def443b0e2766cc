//! Values to XML.

use serde_json::{Map, Value};
use tollbridge_operation::EncodeError;
use tollbridge_xml::{XmlWriter, chars};

use super::{Content, FREE, Id, Kind, Node, XSI, Xml};
use crate::binding::{At, plain};

/// Elements within elements: as many as are read.
const MAX_DEPTH: usize = tollbridge_xml::MAX_DEPTH;

/// Writes a value as a document.
pub(crate) fn write(xml: &Xml, value: &Value, at: At<'_>) -> Result<Vec<u8>, EncodeError> {
    let mut writer = Writer { xml, out: XmlWriter::fragment(), scope: Vec::new(), depth: 0 };
    writer.node(xml.node(xml.root), xml.name.as_deref(), value, at)?;
    Ok(writer.out.finish())
}

struct Writer<'x> {
    xml: &'x Xml,
    out: XmlWriter,
    /// Prefixes (none for the default) and their namespaces, the innermost last.
    scope: Vec<(Option<String>, String)>,
    depth: usize,
}

/// An attribute that is to be written.
struct Attribute {
    name: String,
    value: String,
}

impl<'x> Writer<'x> {
    fn node(
        &mut self,
        node: &'x Node,
        inferred: Option<&str>,
        value: &Value,
        at: At<'_>,
    ) -> Result<(), EncodeError> {
        match node.kind {
            // Written with the element that has it.
            Kind::Attribute => Ok(()),
            Kind::Text => self.text(&written(value, at)?, at),
            Kind::Cdata => {
                let text = written(value, at)?;
                self.out.cdata(&text).map_err(|_| at.expected(HELD))
            }
            Kind::None => self.content(node, inferred, value, at),
            Kind::Element => self.element(node, inferred, value, at),
        }
    }

    fn element(
        &mut self,
        node: &'x Node,
        inferred: Option<&str>,
        value: &Value,
        at: At<'_>,
    ) -> Result<(), EncodeError> {
        let Some(name) = node.name.as_deref().or(inferred).filter(|name| chars::is_nc_name(name))
        else {
            return Err(at.expected("no value: its name is none that an XML element can have"));
        };
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(at.expected(format!("at most {MAX_DEPTH} levels of elements")));
        }
        let mark = self.scope.len();
        let mut attributes = Vec::new();
        let name = self.element_name(node, name, &mut attributes);
        if value.is_null() {
            self.declare(Some("xsi"), XSI, &mut attributes);
            attributes.push(Attribute { name: "xsi:nil".to_owned(), value: "true".to_owned() });
            self.out.empty(&name, &borrowed(&attributes));
        } else {
            self.attributes(node, value, &mut attributes, at)?;
            self.out.start(&name, &borrowed(&attributes));
            self.content(node, node.name.as_deref().or(inferred), value, at)?;
            self.out.end(&name);
        }
        self.scope.truncate(mark);
        self.depth -= 1;
        Ok(())
    }

    /// What stands in a node. `inferred` is the name of items that have none themselves.
    fn content(
        &mut self,
        node: &'x Node,
        inferred: Option<&str>,
        value: &Value,
        at: At<'_>,
    ) -> Result<(), EncodeError> {
        let xml = self.xml;
        match &node.content {
            Content::Other(other) => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(at.expected("no value: its schema refers to itself alone"));
                }
                let written = self.node(xml.node(*other), inferred, value, at);
                self.depth -= 1;
                written
            }
            Content::List { .. } if value.is_null() => Ok(()),
            Content::List { first, others } => {
                let Value::Array(items) = value else { return Err(at.expected("a list")) };
                for (index, item) in items.iter().enumerate() {
                    let id = first.get(index).or(others.as_ref());
                    let node = id.map_or(&FREE, |id| xml.node(*id));
                    self.node(node, inferred, item, At::Item(&at, index))?;
                }
                Ok(())
            }
            Content::Object(members) => match value {
                Value::Object(object) => self.members(members, object, at),
                // One of several alternatives, and a plain one.
                value => self.free(value, at),
            },
            Content::Plain { .. } | Content::Free => self.free(value, at),
        }
    }

    fn members(
        &mut self,
        members: &'x [(String, Id)],
        object: &Map<String, Value>,
        at: At<'_>,
    ) -> Result<(), EncodeError> {
        let xml = self.xml;
        // In the schema's order, which is most often that of the service's own.
        for (name, id) in members {
            if let Some(value) = object.get(name) {
                self.node(xml.node(*id), Some(name), value, At::Member(&at, name))?;
            }
        }
        for (name, value) in object {
            if members.iter().all(|(known, _)| known != name) {
                self.free_member(name, value, at)?;
            }
        }
        Ok(())
    }

    /// What no schema describes.
    fn free(&mut self, value: &Value, at: At<'_>) -> Result<(), EncodeError> {
        match value {
            Value::Object(object) => {
                object.iter().try_for_each(|(name, value)| self.free_member(name, value, at))
            }
            Value::Array(_) => Err(at.expected("no list: no element is there for its items")),
            value => self.text(&written(value, at)?, at),
        }
    }

    fn free_member(&mut self, name: &str, value: &Value, at: At<'_>) -> Result<(), EncodeError> {
        let here = At::Member(&at, name);
        match value {
            _ if name.starts_with('@') => Ok(()),
            value if name == "#text" => self.text(&written(value, here)?, here),
            Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
                self.element(&FREE, Some(name), item, At::Item(&here, index))
            }),
            value => self.element(&FREE, Some(name), value, here),
        }
    }

    /// The attributes of an element, which its members say, also those of parts that are no
    /// elements themselves.
    fn attributes(
        &mut self,
        node: &'x Node,
        value: &Value,
        attributes: &mut Vec<Attribute>,
        at: At<'_>,
    ) -> Result<(), EncodeError> {
        let xml = self.xml;
        let mut node = node;
        for _ in 0..MAX_DEPTH {
            let Content::Other(other) = &node.content else { break };
            let other = xml.node(*other);
            if other.kind != Kind::None {
                return Ok(());
            }
            node = other;
        }
        let Value::Object(object) = value else { return Ok(()) };
        let members: &[(String, Id)] = match &node.content {
            Content::Object(members) => members,
            _ => &[],
        };
        for (property, value) in object {
            let here = At::Member(&at, property);
            let member = members.iter().find(|(known, _)| known == property);
            let member = member.map(|(_, id)| xml.node(*id));
            match member {
                Some(member) if member.kind == Kind::Attribute => {
                    if let Some(value) = attribute_value(value, here)? {
                        let name = member.name.as_deref().unwrap_or(property);
                        self.attribute(member, name, value, attributes, here)?;
                    }
                }
                Some(member)
                    if member.kind == Kind::None
                        && !matches!(member.content, Content::List { .. }) =>
                {
                    self.attributes(member, value, attributes, here)?;
                }
                Some(_) => {}
                None => {
                    if let Some(name) = property.strip_prefix('@')
                        && let Some(value) = attribute_value(value, here)?
                    {
                        self.attribute(&FREE, name, value, attributes, here)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn attribute(
        &mut self,
        node: &Node,
        name: &str,
        value: String,
        attributes: &mut Vec<Attribute>,
        at: At<'_>,
    ) -> Result<(), EncodeError> {
        if !chars::is_nc_name(name) || name == "xmlns" {
            return Err(at.expected("no value: its name is none that an XML attribute can have"));
        }
        if !value.chars().all(chars::is_xml) {
            return Err(at.expected(HELD));
        }
        let name = match (&node.prefix, &node.namespace) {
            (Some(prefix), Some(uri)) => {
                self.declare(Some(prefix), uri, attributes);
                format!("{prefix}:{name}")
            }
            // An attribute has no default namespace.
            (None, Some(uri)) => {
                let known = self.scope.iter().rev().find(|(prefix, known)| {
                    known == uri
                        && prefix.as_deref().is_some_and(|p| self.lookup(Some(p)) == Some(uri))
                });
                let prefix = match known.and_then(|(prefix, _)| prefix.clone()) {
                    Some(prefix) => prefix,
                    None => {
                        let free = (1..).map(|n| format!("ns{n}"));
                        let mut free = free.filter(|p| self.lookup(Some(p)).is_none());
                        free.next().unwrap_or_default()
                    }
                };
                self.declare(Some(&prefix), uri, attributes);
                format!("{prefix}:{name}")
            }
            (Some(prefix), None) if self.lookup(Some(prefix)).is_some() => {
                format!("{prefix}:{name}")
            }
            _ => name.to_owned(),
        };
        if attributes.iter().any(|attribute| attribute.name == name) {
            return Err(at.expected("no value: the element has another attribute of that name"));
        }
        attributes.push(Attribute { name, value });
        Ok(())
    }

    fn element_name(&mut self, node: &Node, name: &str, attributes: &mut Vec<Attribute>) -> String {
        if let Some(uri) = &node.namespace {
            self.declare(node.prefix.as_deref(), uri, attributes);
        }
        match &node.prefix {
            Some(prefix) if self.lookup(Some(prefix)).is_some() => format!("{prefix}:{name}"),
            _ => name.to_owned(),
        }
    }

    fn lookup(&self, prefix: Option<&str>) -> Option<&String> {
        let found = self.scope.iter().rev().find(|(known, _)| known.as_deref() == prefix);
        found.map(|(_, uri)| uri)
    }

    /// Declares a prefix where it does not stand for the namespace already.
    fn declare(&mut self, prefix: Option<&str>, uri: &str, attributes: &mut Vec<Attribute>) {
        if self.lookup(prefix).is_some_and(|known| known == uri) {
            return;
        }
        let name = prefix.map_or("xmlns".to_owned(), |prefix| format!("xmlns:{prefix}"));
        attributes.push(Attribute { name, value: uri.to_owned() });
        self.scope.push((prefix.map(str::to_owned), uri.to_owned()));
    }

    fn text(&mut self, text: &str, at: At<'_>) -> Result<(), EncodeError> {
        self.out.text(text).map_err(|_| at.expected(HELD))
    }
}

const HELD: &str = "text without the control characters that XML cannot hold";

fn borrowed(attributes: &[Attribute]) -> Vec<(&str, &str)> {
    attributes.iter().map(|one| (one.name.as_str(), one.value.as_str())).collect()
}

fn written(value: &Value, at: At<'_>) -> Result<String, EncodeError> {
    match value {
        Value::Null => Ok(String::new()),
        value => plain(value).ok_or_else(|| at.expected("a plain value: it is written as text")),
    }
}

/// The text of an attribute; a list of plain values as XML Schema's lists are. Null is an
/// attribute that is not there (3.2.0 §4.26.4).
fn attribute_value(value: &Value, at: At<'_>) -> Result<Option<String>, EncodeError> {
    match value {
        Value::Null => Ok(None),
        Value::Array(items) => {
            let mut texts = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                let at = At::Item(&at, index);
                let text = written(item, at)?;
                if text.is_empty() || text.contains(chars::is_space) {
                    return Err(at.expected("a value without spaces: they stand between items"));
                }
                texts.push(text);
            }
            Ok(Some(texts.join(" ")))
        }
        value => written(value, at).map(Some),
    }
}
