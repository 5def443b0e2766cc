//! An element of which nothing is known, as a JSON value.

use serde_json::{Map, Value};
use tollbridge_xml::{Attribute, Element, Node};

use super::{is_nil, is_protocol, local, meaningful};
use crate::xsd::XSI;

/// Text alone is a string, children stand by their local names, as a list where one comes
/// again, and mixed content keeps its order.
pub(crate) fn free(element: &Element) -> Value {
    if is_nil(element) {
        let mut said = attributes(element);
        said.shift_remove("@type");
        return nil(said);
    }
    let simple = element.elements().next().is_none();
    let text = element.text();
    if simple && attributes(element).keys().all(|name| name == "@type") {
        return Value::String(text);
    }
    let mut object = attributes(element);
    if simple {
        if meaningful(&text) {
            object.insert("#text".into(), Value::String(text));
        }
    } else if meaningful(&text) {
        let content = element.children.iter().map(|node| match node {
            Node::Text(text) => Value::String(text.clone()),
            Node::Element(child) => {
                Value::Object(Map::from_iter([(child.name.clone(), free(child))]))
            }
        });
        object.insert("#content".into(), content.collect());
    } else {
        for child in element.elements() {
            match object.get_mut(&child.name) {
                // No child's value is a list itself, so a list here is one of children.
                Some(Value::Array(items)) => items.push(free(child)),
                Some(first) => *first = Value::Array(vec![first.take(), free(child)]),
                None => {
                    object.insert(child.name.clone(), free(child));
                }
            }
        }
    }
    Value::Object(object)
}

/// What a nil element is: `null`, or an object of what its attributes say.
pub(super) fn nil(said: Map<String, Value>) -> Value {
    if said.is_empty() {
        return Value::Null;
    }
    let mut object = Map::from_iter([("#nil".to_owned(), Value::Bool(true))]);
    object.extend(said);
    Value::Object(object)
}

/// An element's attributes under their names in JSON. What is the envelope's own or XML
/// Schema's is not the value's, but for the type.
fn attributes(element: &Element) -> Map<String, Value> {
    let mut found = Map::new();
    for Attribute { name, namespace, value } in &element.attributes {
        let name = match namespace.as_deref() {
            None => format!("@{name}"),
            Some(uri) if is_protocol(uri) => continue,
            Some(uri) => format!("@{{{uri}}}{name}"),
        };
        found.insert(name, Value::String(value.clone()));
    }
    if let Some(derived) = element.attribute(Some(XSI), "type")
        && !found.contains_key("@type")
    {
        found.insert("@type".into(), local(derived).into());
    }
    found
}
