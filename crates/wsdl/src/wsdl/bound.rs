//! An operation of a binding, and that of the port type which it binds, whichever protocol it
//! speaks: where it stands, what it is called and what is said of it.

use tollbridge_xml::Element as Node;

use super::definitions::{Binding, children};
use crate::plan::{Fault, all_text};

/// Characters of an operation's documentation.
const MAX_DOCUMENTATION: usize = 2000;

/// A bound operation.
pub(super) struct Bound<'d> {
    pub(super) name: String,
    /// Its place in the document.
    pub(super) pointer: String,
    /// The port type's operation.
    pub(super) operation: &'d Node,
}

impl<'d> Bound<'d> {
    /// Finds what an operation of a binding binds.
    pub(super) fn new(binding: &Binding<'d>, bound: &'d Node) -> Result<Self, Fault> {
        let name = bound.attribute(None, "name").unwrap_or_default().trim().to_owned();
        let pointer = format!(
            "/definitions/binding[{}]/operation[{name}]",
            binding.node.attribute(None, "name").unwrap_or_default()
        );
        match abstract_operation(binding, bound) {
            Some(operation) => Ok(Self { name, pointer, operation }),
            None => Err(Fault::new(pointer, "its port type has no operation of that name")),
        }
    }
}

/// The port type's operation: by its name, and where it is overloaded by its input's, else
/// by its place among those of its name.
fn abstract_operation<'d>(binding: &Binding<'d>, bound: &Node) -> Option<&'d Node> {
    let name = bound.attribute(None, "name").unwrap_or_default().trim();
    let named = |node: &&Node| node.attribute(None, "name").map(str::trim) == Some(name);
    let all: Vec<&Node> = children(binding.port_type, "operation").filter(named).collect();
    if all.len() < 2 {
        return all.first().copied();
    }
    let wanted = children(bound, "input").next().and_then(|input| input.attribute(None, "name"));
    let by_input = || {
        let wanted = wanted?.trim();
        all.iter().find(|node| input_name(node).as_deref() == Some(wanted))
    };
    let by_place = || {
        let place = binding.operations().filter(named).position(|one| std::ptr::eq(one, bound))?;
        all.get(place)
    };
    by_input().or_else(by_place).or(all.first()).copied()
}

/// The name of an operation's input, which has a default (WSDL 1.1 §2.4.5).
pub(super) fn input_name(operation: &Node) -> Option<String> {
    let input = children(operation, "input").next()?;
    if let Some(name) = input.attribute(None, "name") {
        return Some(name.trim().to_owned());
    }
    let name = operation.attribute(None, "name")?.trim();
    let answers = children(operation, "output").next().is_some();
    Some(if answers { format!("{name}Request") } else { name.to_owned() })
}

pub(super) fn documentation(node: &Node) -> Option<String> {
    words(children(node, "documentation").next()?)
}

/// What an element of documentation says, in one line.
pub(super) fn words(documentation: &Node) -> Option<String> {
    let text = all_text(documentation);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_DOCUMENTATION).collect();
    (!text.is_empty()).then_some(text)
}

pub(super) fn first_sentence(text: &str) -> String {
    let end = text.find(". ").map_or(text.len(), |at| at + 1);
    text[..end].chars().take(200).collect()
}
