//! XML to values.
//!
//! Nothing that came is lost: what the schema does not know is kept in the forms of free
//! values, and a text that is none of its types stays text.

use std::collections::HashSet;

use serde_json::{Map, Number, Value};
use tollbridge_xml::{Attribute, Element, Node as Child, XmlError, chars};

use super::{Content, Kind, Node, XSI, Xml};

/// Reads a document as a value. It is text already, whatever encoding it declares.
pub(crate) fn read(xml: &Xml, text: &str) -> Result<Value, XmlError> {
    let root = tollbridge_xml::parse_as(text.as_bytes(), Some("utf-8"))?;
    Ok(value(xml, xml.node(xml.root), None, &root, 0))
}

/// The value of a node that is this element, or whose parts stand in it.
fn value(xml: &Xml, node: &Node, name: Option<&str>, element: &Element, depth: usize) -> Value {
    if is_nil(element) {
        return Value::Null;
    }
    // References to references end somewhere, but for those that lead in a circle.
    if depth > tollbridge_xml::MAX_DEPTH {
        return free(element);
    }
    match &node.content {
        Content::Other(other) => {
            let other = xml.node(*other);
            let inner = match other.kind {
                Kind::Element => find(element, other, node.name.as_deref().or(name)),
                _ => None,
            };
            value(xml, other, name, inner.unwrap_or(element), depth + 1)
        }
        Content::Plain { string, number, boolean } => {
            if element.elements().next().is_some() {
                return free(element);
            }
            plain(element.text(), *string, *number, *boolean)
        }
        Content::List { first, others } if first.is_empty() => {
            let item = |child: &Element| match others {
                Some(id) => value(xml, xml.node(*id), None, child, 0),
                None => free(child),
            };
            element.elements().map(item).collect()
        }
        Content::List { first, others } => {
            let mut ids = first.iter().chain(std::iter::repeat_with(|| others.as_ref()).flatten());
            let mut items = Vec::new();
            for child in &element.children {
                match child {
                    Child::Text(text) if text.chars().all(chars::is_space) => {}
                    Child::Text(text) => {
                        ids.next();
                        items.push(Value::String(text.clone()));
                    }
                    Child::Element(child) => items.push(match ids.next() {
                        Some(id) => value(xml, xml.node(*id), None, child, 0),
                        None => free(child),
                    }),
                }
            }
            Value::Array(items)
        }
        Content::Object(_) => Value::Object(object(xml, node, element, depth)),
        Content::Free => free(element),
    }
}

fn object(xml: &Xml, node: &Node, element: &Element, depth: usize) -> Map<String, Value> {
    let Content::Object(members) = &node.content else { return Map::new() };
    let mut found = Map::new();
    let mut taken: HashSet<*const Element> = HashSet::new();
    let mut known: Vec<&Attribute> = Vec::new();
    let mut has_text = false;
    for (property, id) in members {
        let member = xml.node(*id);
        let name = member.name.as_deref().unwrap_or(property);
        let member_value = match member.kind {
            Kind::Attribute => {
                let attribute = element.attributes.iter().find(|attribute| {
                    attribute.name == name
                        && (member.namespace.is_none() || attribute.namespace == member.namespace)
                });
                known.extend(attribute);
                match attribute {
                    Some(attribute) => Some(attribute_value(member, &attribute.value)),
                    None => member.is_nullable.then_some(Value::Null),
                }
            }
            Kind::Text | Kind::Cdata => {
                has_text = true;
                let text = element.text();
                match member.content {
                    Content::Plain { string, number, boolean } => {
                        Some(plain(text, string, number, boolean))
                    }
                    _ => Some(Value::String(text)),
                }
            }
            Kind::Element => {
                let same = all(element, member, name);
                taken.extend(same.iter().map(|one| std::ptr::from_ref(*one)));
                match same[..] {
                    [] => None,
                    [one] => Some(value(xml, member, Some(name), one, depth)),
                    // More than the schema has: that is for who compares the two.
                    ref more => Some(
                        more.iter().map(|one| value(xml, member, Some(name), one, depth)).collect(),
                    ),
                }
            }
            Kind::None => match &member.content {
                // A list without elements and one that is not there look the same.
                Content::List { first, others } => {
                    let item = first.first().or(others.as_ref()).map(|id| xml.node(*id));
                    let name = item.and_then(|item| item.name.as_deref()).unwrap_or(property);
                    let same = match item {
                        Some(item) => all(element, item, name),
                        None => element.elements().filter(|child| child.name == *name).collect(),
                    };
                    taken.extend(same.iter().map(|one| std::ptr::from_ref(*one)));
                    let item_value = |child: &&Element| match item {
                        Some(item) => value(xml, item, Some(name), child, 0),
                        None => free(child),
                    };
                    Some(same.iter().map(item_value).collect())
                }
                // Its parts stand among these: all elements may be theirs.
                _ if depth < tollbridge_xml::MAX_DEPTH => {
                    Some(value(xml, member, Some(property), element, depth + 1))
                }
                _ => None,
            },
        };
        if let Some(value) = member_value {
            found.insert(property.clone(), value);
        }
    }
    for attribute in &element.attributes {
        let is_known = known.iter().any(|known| std::ptr::eq(*known, attribute));
        if !is_known && attribute.namespace.as_deref() != Some(XSI) {
            let name = format!("@{}", attribute.name);
            found.entry(name).or_insert_with(|| Value::String(attribute.value.clone()));
        }
    }
    let is_inline = |(_, id): &(String, super::Id)| {
        let node = xml.node(*id);
        node.kind == Kind::None && !matches!(node.content, Content::List { .. })
    };
    if members.iter().any(is_inline) {
        return found;
    }
    for child in element.elements() {
        if !taken.contains(&std::ptr::from_ref(child)) {
            put(&mut found, &child.name, free(child));
        }
    }
    let text = element.text();
    if !has_text && !text.chars().all(chars::is_space) {
        found.insert("#text".to_owned(), Value::String(text));
    }
    found
}

/// The children that are this node.
fn all<'e>(element: &'e Element, node: &Node, name: &str) -> Vec<&'e Element> {
    let named = || element.elements().filter(|child| child.name == name);
    // Services are careless with namespaces: they tell children apart where they can.
    let exact: Vec<_> = named().filter(|child| child.namespace == node.namespace).collect();
    if node.namespace.is_some() && !exact.is_empty() { exact } else { named().collect() }
}

fn find<'e>(element: &'e Element, node: &Node, name: Option<&str>) -> Option<&'e Element> {
    let name = node.name.as_deref().or(name)?;
    all(element, node, name).first().copied()
}

fn attribute_value(node: &Node, text: &str) -> Value {
    match node.content {
        Content::Plain { string, number, boolean } => {
            plain(text.to_owned(), string, number, boolean)
        }
        Content::List { .. } => {
            text.split(chars::is_space).filter(|item| !item.is_empty()).collect()
        }
        _ => Value::String(text.to_owned()),
    }
}

/// Text as the type that it may be.
fn plain(text: String, string: bool, number: bool, boolean: bool) -> Value {
    if string {
        return Value::String(text);
    }
    let trimmed = text.trim_matches(chars::is_space);
    match trimmed {
        "true" if boolean => return Value::Bool(true),
        "false" if boolean => return Value::Bool(false),
        // XML Schema part 2 §3.2.2.
        "1" if boolean && !number => return Value::Bool(true),
        "0" if boolean && !number => return Value::Bool(false),
        _ => {}
    }
    if number && let Ok(number) = trimmed.parse::<Number>() {
        return Value::Number(number);
    }
    Value::String(text)
}

/// An element of which nothing is known.
fn free(element: &Element) -> Value {
    if is_nil(element) {
        return Value::Null;
    }
    let text = element.text();
    let is_simple = element.elements().next().is_none();
    let mut object = Map::new();
    for attribute in &element.attributes {
        if attribute.namespace.as_deref() != Some(XSI) {
            object.insert(format!("@{}", attribute.name), Value::String(attribute.value.clone()));
        }
    }
    if is_simple && object.is_empty() {
        return Value::String(text);
    }
    for child in element.elements() {
        put(&mut object, &child.name, free(child));
    }
    if !text.chars().all(chars::is_space) {
        object.insert("#text".to_owned(), Value::String(text));
    }
    Value::Object(object)
}

/// Adds a child, as one of a list where its name comes again. No free value is a list itself.
fn put(object: &mut Map<String, Value>, name: &str, value: Value) {
    match object.get_mut(name) {
        Some(Value::Array(items)) => items.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
        None => {
            object.insert(name.to_owned(), value);
        }
    }
}

fn is_nil(element: &Element) -> bool {
    matches!(element.attribute(Some(XSI), "nil").map(str::trim), Some("true" | "1"))
}
