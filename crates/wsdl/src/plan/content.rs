//! What a complex type is made of: its content and its attributes, over those of its base.
//!
//! An extension's content stands after its base's, a restriction says its own anew and keeps
//! the base's attributes (XML Schema 1.1 part 1 §3.4.2). Only the chain of bases is followed
//! at once: the types of elements wait in the compiler's queue.

use std::sync::Arc;

use tollbridge_xml::Element as Node;

use super::atom::simple_builtin;
use super::compile::Compiler;
use super::written::{documentation, path, qname, xsd_child, xsd_children};
use super::{Attribute, Element, Fault, Particle, Term, Wildcard};
use crate::name::QName;
use crate::xsd::builtin::{Builtin, builtin};
use crate::xsd::simple::Simple;
use crate::xsd::{Component, Kind, is_soap_encoding};

/// Bases of bases: more are a circle.
pub(super) const MAX_BASES: usize = 64;

/// What a complex type is made of, its bases' parts among it.
#[derive(Clone, Default)]
pub(super) struct Parts {
    pub(super) attributes: Vec<Attribute>,
    pub(super) any_attribute: Option<Wildcard>,
    /// Elements that may stand among the others (XML Schema 1.1 part 1 §3.4.2.3.3).
    pub(super) open: Option<Wildcard>,
    pub(super) particle: Option<Particle>,
    pub(super) mixed: bool,
    pub(super) simple: Option<Arc<Simple>>,
    pub(super) array: Option<(Arc<Element>, Option<QName>)>,
}

impl<'d> Compiler<'d> {
    /// A complex type's parts, over those of its base.
    pub(super) fn parts(&mut self, at: Component<'d>, depth: usize) -> Result<Parts, Fault> {
        if depth > MAX_BASES {
            return Err(Fault::new(path(at.element), "the type is derived from itself"));
        }
        let node = at.element;
        let mixed = |node: &Node| node.attribute(None, "mixed").map(is_true);
        if let Some(content) = xsd_child(node, "simpleContent") {
            return self.simple_content(at, content, depth);
        }
        let Some(content) = xsd_child(node, "complexContent") else {
            let mut parts = Parts { mixed: mixed(node).unwrap_or(false), ..Parts::default() };
            self.own_parts(at, &mut parts)?;
            self.default_attributes(at, &mut parts)?;
            return Ok(parts);
        };
        let Some(step) = derivation(node) else {
            return Err(Fault::new(path(content), "expected an extension or a restriction"));
        };
        let step_at = Component { element: step, context: at.context };
        let base_name = qname(step_at, step.attribute(None, "base").unwrap_or("xs:anyType"))?;
        if is_soap_encoding(base_name.namespace.as_deref()) && &*base_name.local == "Array" {
            return self.array(step_at);
        }
        let base = match builtin(&base_name) {
            Some(_) => Parts::default(),
            None => {
                // Found from the definition, for a redefinition means what it redefines.
                let base = self.named(Kind::Type, &base_name, Some(at))?;
                if std::ptr::eq(base.element, node) {
                    return Err(Fault::new(path(node), "the type is derived from itself"));
                }
                self.parts(base, depth + 1)?
            }
        };
        let own_mixed = mixed(content).or_else(|| mixed(node));
        let mut own = Parts { mixed: own_mixed.unwrap_or(base.mixed), ..Parts::default() };
        self.own_parts(step_at, &mut own)?;
        self.default_attributes(at, &mut own)?;
        if step.name == "restriction" {
            // Elements are said anew, attributes are those of the base but for what is said.
            let array = base.array.clone();
            let prohibited = prohibited(step_at);
            let mut attributes = base.attributes;
            attributes.retain(|attribute| {
                !prohibited.contains(&attribute.name)
                    && own.attributes.iter().all(|other| other.name != attribute.name)
            });
            attributes.append(&mut own.attributes);
            return Ok(Parts { attributes, array, ..own });
        }
        let particle = match (base.particle, own.particle) {
            (Some(base), Some(own)) => Some(Particle::once(Term::Sequence(vec![base, own]))),
            (base, own) => base.or(own),
        };
        let mut attributes = base.attributes;
        for attribute in own.attributes {
            attributes.retain(|other| other.name != attribute.name);
            attributes.push(attribute);
        }
        Ok(Parts {
            attributes,
            any_attribute: either(base.any_attribute, own.any_attribute),
            open: either(base.open, own.open),
            particle,
            mixed: own.mixed || base.mixed,
            simple: base.simple,
            array: base.array,
        })
    }

    /// The particle and the attributes that stand in a definition itself.
    fn own_parts(&mut self, at: Component<'d>, parts: &mut Parts) -> Result<(), Fault> {
        for child in xsd_children(at.element) {
            let child_at = Component { element: child, context: at.context };
            if matches!(child.name.as_str(), "sequence" | "choice" | "all" | "group") {
                parts.particle = self.particle(child_at, 0)?;
            }
        }
        parts.open = self.open_content(at, parts.particle.is_some());
        self.attributes(at, parts, 0)
    }

    /// The wildcard of a definition's open content, its own or its schema's default.
    fn open_content(&mut self, at: Component<'d>, has_particle: bool) -> Option<Wildcard> {
        let open = match xsd_child(at.element, "openContent") {
            Some(own) => own,
            None => xsd_child(at.context.schema, "defaultOpenContent").filter(|default| {
                has_particle || default.attribute(None, "appliesToEmpty").is_some_and(is_true)
            })?,
        };
        if open.attribute(None, "mode").map(str::trim) == Some("none") {
            return None;
        }
        let any = xsd_child(open, "any")?;
        Some(self.wildcard(Component { element: any, context: at.context }, Kind::Element))
    }

    /// The attributes that a schema gives all its types (XML Schema 1.1 part 1 §3.4.2.4).
    fn default_attributes(&mut self, at: Component<'d>, parts: &mut Parts) -> Result<(), Fault> {
        let Some(spelled) = at.context.schema.attribute(None, "defaultAttributes") else {
            return Ok(());
        };
        let applies = at.element.attribute(None, "defaultAttributesApply").is_none_or(is_true);
        if !applies {
            return Ok(());
        }
        let schema = Component { element: at.context.schema, context: at.context };
        let group = self.referred(Kind::AttributeGroup, schema, spelled)?;
        let mut given = Parts::default();
        self.attributes(group, &mut given, 1)?;
        given.attributes.retain(|one| parts.attributes.iter().all(|own| own.name != one.name));
        parts.attributes.append(&mut given.attributes);
        parts.any_attribute = match (parts.any_attribute.take(), given.any_attribute) {
            (Some(own), Some(other)) => Some(own.and(other)),
            (own, other) => own.or(other),
        };
        Ok(())
    }

    fn attributes(
        &mut self,
        at: Component<'d>,
        parts: &mut Parts,
        depth: usize,
    ) -> Result<(), Fault> {
        if depth > MAX_BASES {
            return Err(Fault::new(path(at.element), "attribute groups are nested in a circle"));
        }
        for child in xsd_children(at.element) {
            let child_at = Component { element: child, context: at.context };
            match child.name.as_str() {
                "attribute" if child.attribute(None, "use") == Some("prohibited") => {}
                "attribute" => {
                    if let Some(attribute) = self.attribute(child_at)? {
                        parts.attributes.push(attribute);
                    }
                }
                "anyAttribute" => {
                    let here = self.wildcard(child_at, Kind::Attribute);
                    parts.any_attribute = Some(match parts.any_attribute.take() {
                        Some(other) => other.and(here),
                        None => here,
                    });
                }
                "attributeGroup" => {
                    if let Some(spelled) = child.attribute(None, "ref") {
                        let group = self.referred(Kind::AttributeGroup, child_at, spelled)?;
                        if !std::ptr::eq(group.element, at.element) {
                            self.attributes(group, parts, depth + 1)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn attribute(&mut self, at: Component<'d>) -> Result<Option<Attribute>, Fault> {
        let node = at.element;
        let (name, declared) = match node.attribute(None, "ref") {
            Some(spelled) => {
                let name = qname(at, spelled)?;
                // What SOAP's own encoding attributes say is not the value's.
                if is_soap_encoding(name.namespace.as_deref()) {
                    return Ok(None);
                }
                let declared = self.named(Kind::Attribute, &name, Some(at))?;
                (QName::new(declared.context.target, &name.local), declared)
            }
            None => {
                let Some(local) = node.attribute(None, "name") else {
                    let reason = "an attribute has neither `name` nor `ref`";
                    return Err(Fault::new(path(node), reason));
                };
                (QName::new(at.context.attribute_namespace(node), local.trim()), at)
            }
        };
        let simple = self.attribute_type(declared)?;
        let says = |name: &str| {
            node.attribute(None, name).or_else(|| declared.element.attribute(None, name))
        };
        Ok(Some(Attribute {
            key: match &name.namespace {
                Some(namespace) if node.attribute(None, "ref").is_some() => {
                    format!("@{{{namespace}}}{}", name.local)
                }
                _ => format!("@{}", name.local),
            },
            name,
            simple,
            required: node.attribute(None, "use").map(str::trim) == Some("required"),
            fixed: says("fixed").map(str::to_owned),
            default: says("default").map(str::to_owned),
            documentation: documentation(node).or_else(|| documentation(declared.element)),
        }))
    }

    /// The type of an attribute's declaration.
    pub(super) fn attribute_type(&mut self, declared: Component<'d>) -> Result<Arc<Simple>, Fault> {
        if let Some(spelled) = declared.element.attribute(None, "type") {
            let spelled = qname(declared, spelled)?;
            return self.simple_named(&spelled, Some(declared));
        }
        match xsd_child(declared.element, "simpleType") {
            Some(inline) => self.simple(Component { element: inline, context: declared.context }),
            None => Ok(simple_builtin(Builtin::AnySimple)),
        }
    }

    fn simple_content(
        &mut self,
        at: Component<'d>,
        content: &'d Node,
        depth: usize,
    ) -> Result<Parts, Fault> {
        let step = xsd_child(content, "extension").or_else(|| xsd_child(content, "restriction"));
        let Some(step) = step else {
            return Err(Fault::new(path(content), "expected an extension or a restriction"));
        };
        let step_at = Component { element: step, context: at.context };
        let base = qname(step_at, step.attribute(None, "base").unwrap_or("xs:string"))?;
        let mut parts = match builtin(&base) {
            Some(known) => Parts { simple: Some(simple_builtin(known)), ..Parts::default() },
            None => {
                let base = self.named(Kind::Type, &base, Some(at))?;
                if base.element.name == "simpleType" {
                    Parts { simple: Some(self.simple(base)?), ..Parts::default() }
                } else {
                    self.parts(base, depth + 1)?
                }
            }
        };
        let mut own = Parts::default();
        self.attributes(step_at, &mut own, 0)?;
        self.default_attributes(at, &mut own)?;
        let prohibited = prohibited(step_at);
        parts.attributes.retain(|attribute| !prohibited.contains(&attribute.name));
        for attribute in own.attributes {
            parts.attributes.retain(|other| other.name != attribute.name);
            parts.attributes.push(attribute);
        }
        parts.any_attribute = either(parts.any_attribute, own.any_attribute);
        if step.name == "restriction" {
            let inline = xsd_child(step, "simpleType");
            let base = match inline {
                Some(inline) => self.simple(Component { element: inline, context: at.context })?,
                None => parts.simple.take().unwrap_or_else(|| simple_builtin(Builtin::AnySimple)),
            };
            parts.simple = Some(self.restricted(&base, step));
        }
        Ok(parts)
    }
}

fn either(one: Option<Wildcard>, other: Option<Wildcard>) -> Option<Wildcard> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.or(other)),
        (one, other) => one.or(other),
    }
}

fn is_true(text: &str) -> bool {
    matches!(text.trim(), "true" | "1")
}

/// The attributes that a restriction takes away.
fn prohibited(at: Component<'_>) -> Vec<QName> {
    xsd_children(at.element)
        .filter(|child| child.name == "attribute")
        .filter(|child| child.attribute(None, "use").map(str::trim) == Some("prohibited"))
        .filter_map(|child| {
            let local = || {
                Some(QName::new(
                    at.context.attribute_namespace(child),
                    child.attribute(None, "name")?,
                ))
            };
            match child.attribute(None, "ref") {
                Some(spelled) => at.context.qname(child, spelled).ok(),
                None => local(),
            }
        })
        .collect()
}

pub(super) fn derivation(node: &Node) -> Option<&Node> {
    let content = xsd_child(node, "complexContent").or_else(|| xsd_child(node, "simpleContent"))?;
    xsd_child(content, "extension").or_else(|| xsd_child(content, "restriction"))
}
