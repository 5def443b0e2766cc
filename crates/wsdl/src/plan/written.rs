//! Components as they were written: children, names, places and documentation.

use tollbridge_xml::Element as Node;

use super::Fault;
use crate::name::QName;
use crate::xsd::{Component, XSD};

/// Characters of documentation that an agent is shown of one component.
const MAX_DOCUMENTATION: usize = 1000;

/// The qualified name that a value of the component spells.
pub(super) fn qname(at: Component<'_>, text: &str) -> Result<QName, Fault> {
    at.context.qname(at.element, text).map_err(|reason| Fault::new(path(at.element), reason))
}

/// The children that are XML Schema's own.
pub(super) fn xsd_children(node: &Node) -> impl Iterator<Item = &Node> {
    node.elements().filter(|child| child.namespace.as_deref() == Some(XSD))
}

/// The first of them of that name.
pub(super) fn xsd_child<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    xsd_children(node).find(|child| child.name == name)
}

/// Where an element of a schema stands, as far as it says itself.
pub(crate) fn path(node: &Node) -> String {
    let named = node.attribute(None, "name").or_else(|| node.attribute(None, "ref"));
    match named.or_else(|| node.attribute(None, "base")) {
        Some(name) => format!("{}[{name}]", node.name),
        None => node.name.clone(),
    }
}

/// `xs:documentation` of a component, in one line.
pub(super) fn documentation(node: &Node) -> Option<String> {
    let annotation = xsd_child(node, "annotation")?;
    let texts = xsd_children(annotation).filter(|child| child.name == "documentation");
    let words: Vec<String> = texts.map(all_text).collect();
    let text = words.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_DOCUMENTATION).collect();
    (!text.is_empty()).then_some(text)
}

/// The text of an element and of all below it: documentation is often marked up.
pub(crate) fn all_text(node: &Node) -> String {
    let mut text = String::new();
    for child in &node.children {
        match child {
            tollbridge_xml::Node::Text(own) => text.push_str(own),
            tollbridge_xml::Node::Element(element) => {
                text.push(' ');
                text.push_str(&all_text(element));
            }
        }
    }
    text
}
