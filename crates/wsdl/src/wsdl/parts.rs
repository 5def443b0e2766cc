//! Messages and their parts: what stands in an abstract message, whichever binding sends it.

use std::sync::Arc;

use tollbridge_xml::Element as Node;

use super::definitions::{Definitions, children};
use crate::name::QName;
use crate::plan::{Compiler, Element, Fault, bare};
use crate::xsd::builtin::builtin;
use crate::xsd::{Component, XSD};

/// Reads the parts of one operation's messages.
pub(super) struct PartReader<'r, 'd> {
    pub(super) definitions: &'r Definitions<'d>,
    /// The target namespace of the binding's document.
    pub(super) target: Option<&'d str>,
    pub(super) compiler: &'r mut Compiler<'d>,
    /// The operation's place.
    pub(super) pointer: &'r str,
}

impl<'d> PartReader<'_, 'd> {
    pub(super) fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault::new(self.pointer, reason)
    }

    pub(super) fn warn(&mut self, message: impl Into<String>) {
        self.compiler.warn(self.pointer, message);
    }

    /// The message that an input, an output, a fault or a header names.
    pub(super) fn message(&self, node: &Node) -> Result<&'d Node, Fault> {
        let spelled = node.attribute(None, "message").unwrap_or_default();
        self.definitions
            .message(node, spelled, self.target)
            .ok_or_else(|| self.fault(format!("the message `{spelled}` is not defined")))
    }

    /// The parts of a message with their names.
    pub(super) fn parts(message: &'d Node) -> impl Iterator<Item = (&'d str, &'d Node)> {
        children(message, "part")
            .map(|part| (part.attribute(None, "name").unwrap_or_default().trim(), part))
    }

    /// The element that a part is, or one of its name for its type. Parts are in no namespace
    /// (Basic Profile 1.1 R2735).
    pub(super) fn part(&mut self, name: &str, part: &'d Node) -> Result<Arc<Element>, Fault> {
        let spelled = match (part.attribute(None, "element"), part.attribute(None, "type")) {
            (Some(element), _) => {
                let named = self.qname(part, element)?;
                if builtin(&named).is_none() {
                    return self.element(&named);
                }
                self.warn(format!(
                    "the part `{name}` has the element `{element}`, which is a type: it is \
                     taken for that"
                ));
                element
            }
            (None, spelled) => spelled.unwrap_or("xs:anyType"),
        };
        let type_name = self.qname(part, spelled)?;
        let ty = self.compiler.type_named(&type_name, None::<Component<'d>>)?;
        Ok(Arc::new(bare(QName::new(None, name), ty)))
    }

    /// The global element of that name.
    pub(super) fn element(&mut self, name: &QName) -> Result<Arc<Element>, Fault> {
        self.compiler.global_element(name, None).map_err(|fault| {
            if fault.pointer.is_empty() { self.fault(fault.reason) } else { fault }
        })
    }

    /// The name that `spelled` means where it stands. Some prefixes are meant without being
    /// declared.
    pub(super) fn qname(&self, at: &Node, spelled: &str) -> Result<QName, Fault> {
        let spelled = spelled.trim();
        let (prefix, local) = spelled.split_once(':').unwrap_or(("", spelled));
        match at.scope.namespace(prefix) {
            Some(namespace) => Ok(QName::new(Some(namespace), local)),
            None if prefix.is_empty() => Ok(QName::new(None, local)),
            None if matches!(prefix, "xs" | "xsd") => Ok(QName::new(Some(XSD), local)),
            None if prefix == "tns" => Ok(QName::new(self.target, local)),
            None => Err(self.fault(format!("the prefix of `{spelled}` is not declared"))),
        }
    }

    /// The elements of faults' details; what is broken of them is read as it comes.
    pub(super) fn faults(&mut self, operation: &'d Node) -> Vec<Arc<Element>> {
        let mut found = Vec::new();
        for fault in children(operation, "fault") {
            let Ok(message) = self.message(fault) else { continue };
            for (_, part) in Self::parts(message) {
                if let Some(spelled) = part.attribute(None, "element")
                    && let Ok(name) = self.qname(part, spelled)
                    && let Ok(element) = self.element(&name)
                {
                    found.push(element);
                }
            }
        }
        found
    }
}
