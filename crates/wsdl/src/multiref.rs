//! Values told by reference: `href="#id"` of SOAP 1.1 (§5.2.5, §5.4.1), and `ref` of SOAP 1.2
//! (part 2 §3.1.5). Each reference gets a copy of what it refers to; how much is copied is
//! bounded, and a circle is left as it is.

use std::collections::{HashMap, HashSet};

use tollbridge_xml::{Attribute, Element, Node};

use crate::xsd::SOAP_ENC_12;

/// Elements that copies may add in all.
const MAX_COPIED: usize = 100_000;
/// References within references.
const MAX_DEPTH: usize = 32;

/// The body's elements with references resolved; `None` where there are none.
pub(crate) fn resolve(body: &[&Element]) -> Option<Vec<Element>> {
    let mut found = References::default();
    for element in body {
        found.find(element);
    }
    if found.referred.is_empty() || found.targets.is_empty() {
        return None;
    }
    let mut left = MAX_COPIED;
    // Independent elements beside the message are told where they are referred to. The
    // message is the one that is a root, or the first (§5.6).
    let resolved = body
        .iter()
        .filter(|element| element.name != "multiRef" && !is_other(element))
        .map(|element| found.copy(element, &mut left, 0))
        .collect();
    Some(resolved)
}

/// Whether an element says that it is not a root of the message.
fn is_other(element: &Element) -> bool {
    element.attributes.iter().any(|attribute| attribute.name == "root" && attribute.value == "0")
}

/// What a body refers to, and what in it can be referred to.
#[derive(Default)]
struct References<'a> {
    targets: HashMap<&'a str, &'a Element>,
    referred: HashSet<&'a str>,
}

fn reference(element: &Element) -> Option<&str> {
    element
        .attribute(None, "href")
        .and_then(|href| href.strip_prefix('#'))
        .or_else(|| element.attribute(Some(SOAP_ENC_12), "ref"))
}

impl<'a> References<'a> {
    fn find(&mut self, element: &'a Element) {
        for Attribute { name, namespace, value } in &element.attributes {
            let in_soap = namespace.as_deref() == Some(SOAP_ENC_12);
            if name == "id" && (namespace.is_none() || in_soap) {
                self.targets.entry(value.as_str()).or_insert(element);
            }
        }
        self.referred.extend(reference(element));
        for child in element.elements() {
            self.find(child);
        }
    }

    fn copy(&self, element: &Element, left: &mut usize, depth: usize) -> Element {
        let target = reference(element)
            .and_then(|id| self.targets.get(id))
            .filter(|_| depth < MAX_DEPTH && *left > 0);
        let (from, depth) = match target {
            Some(target) => (*target, depth + 1),
            None => (element, depth),
        };
        *left = left.saturating_sub(1);
        // What is referred to may stand in its own place, and its id is not the value's there.
        let is_plumbing = |Attribute { name, value, .. }: &Attribute| match target {
            Some(_) => matches!(name.as_str(), "id" | "href" | "root" | "encodingStyle"),
            None => name == "id" && self.referred.contains(value.as_str()),
        };
        Element {
            name: element.name.clone(),
            namespace: element.namespace.clone(),
            scope: from.scope.clone(),
            line: from.line,
            attributes: from
                .attributes
                .iter()
                .filter(|attribute| !is_plumbing(attribute))
                .map(|Attribute { name, namespace, value }| Attribute {
                    name: name.clone(),
                    namespace: namespace.clone(),
                    value: value.clone(),
                })
                .collect(),
            children: from
                .children
                .iter()
                .map(|child| match child {
                    Node::Text(text) => Node::Text(text.clone()),
                    Node::Element(child) => Node::Element(self.copy(child, left, depth)),
                })
                .collect(),
        }
    }
}
