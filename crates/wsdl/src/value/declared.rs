//! Elements that stand for a wildcard, held to their declarations where there are such.
//!
//! `strict` asks for a declaration and `lax` does not (XML Schema 1.1 part 1 §3.10.1); what has
//! none is let through under both, for the service may know schemas that nobody was shown.

use tollbridge_xml::Element as Node;

use super::Reading;
use crate::plan::{Types, Wildcard};

/// What the element, or one in it, breaks of its declaration, in words.
pub(super) fn broken(types: &Types, wildcard: &Wildcard, node: &Node) -> Option<String> {
    if wildcard.skips { None } else { look(types, node) }
}

fn look(types: &Types, node: &Node) -> Option<String> {
    let Some(element) = types.declared(node.namespace.as_deref(), &node.name) else {
        // What stands in an unknown element is looked into all the same.
        return node.elements().find_map(|child| look(types, child));
    };
    if element.is_abstract {
        return Some(format!("another element than the abstract {}", element.name));
    }
    let mut reading = Reading::judging(types);
    reading.element(node, element);
    let first = reading.into_drift().into_iter().next()?;
    Some(format!("{} as its schema has it: {}: {}", element.name, first.pointer, first.message))
}
