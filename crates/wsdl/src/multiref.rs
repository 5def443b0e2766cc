//! Values told by reference: `href="#id"` of SOAP 1.1 (§5.2.5, §5.4.1), and `ref` of SOAP 1.2
//! (part 2 §3.1.5). Each reference gets a copy of what it refers to; how much is copied is
//! bounded, and a circle is left as it is.

use std::collections::HashMap;

use tollbridge_xml::{Attribute, Element, Node};

use crate::xsd::SOAP_ENC_12;

/// Elements that copies may add in all.
const MAX_COPIED: usize = 100_000;
/// References within references.
const MAX_DEPTH: usize = 32;

/// The body's elements with references resolved; `None` where there are none.
pub(crate) fn resolve(body: &[&Element]) -> Option<Vec<Element>> {
    let mut targets = HashMap::new();
    let mut referring = false;
    for element in body {
        find(element, &mut targets, &mut referring);
    }
    if !referring || targets.is_empty() {
        return None;
    }
    let mut left = MAX_COPIED;
    // Independent elements beside the message are told where they are referred to. The
    // message is the one that is a root, or the first (§5.6).
    let resolved = body
        .iter()
        .filter(|element| element.name != "multiRef" && !is_other(element))
        .map(|element| copy(element, &targets, &mut left, 0))
        .collect();
    Some(resolved)
}

/// Whether an element says that it is not a root of the message.
fn is_other(element: &Element) -> bool {
    element.attributes.iter().any(|attribute| attribute.name == "root" && attribute.value == "0")
}

fn find<'a>(
    element: &'a Element,
    targets: &mut HashMap<&'a str, &'a Element>,
    referring: &mut bool,
) {
    for Attribute { name, namespace, value } in &element.attributes {
        let in_soap = namespace.as_deref() == Some(SOAP_ENC_12);
        if name == "id" && (namespace.is_none() || in_soap) {
            targets.entry(value.as_str()).or_insert(element);
        }
    }
    *referring |= reference(element).is_some();
    for child in element.elements() {
        find(child, targets, referring);
    }
}

fn reference(element: &Element) -> Option<&str> {
    element
        .attribute(None, "href")
        .and_then(|href| href.strip_prefix('#'))
        .or_else(|| element.attribute(Some(SOAP_ENC_12), "ref"))
}

fn copy(
    element: &Element,
    targets: &HashMap<&str, &Element>,
    left: &mut usize,
    depth: usize,
) -> Element {
    let target = reference(element)
        .and_then(|id| targets.get(id))
        .filter(|_| depth < MAX_DEPTH && *left > 0);
    let (from, depth) = match target {
        Some(target) => (*target, depth + 1),
        None => (element, depth),
    };
    *left = left.saturating_sub(1);
    let plumbing = |name: &str| matches!(name, "id" | "href" | "root" | "encodingStyle");
    Element {
        name: element.name.clone(),
        namespace: element.namespace.clone(),
        scope: from.scope.clone(),
        line: from.line,
        attributes: from
            .attributes
            .iter()
            .filter(|attribute| target.is_none() || !plumbing(&attribute.name))
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
                Node::Element(child) => Node::Element(copy(child, targets, left, depth)),
            })
            .collect(),
    }
}
