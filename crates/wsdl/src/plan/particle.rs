//! Element content as a schema writes it: particles (XML Schema part 1 §3.8, §3.9).

use std::sync::Arc;

use tollbridge_xml::Element as Node;

use super::compile::{Compiler, block, is_named};
use super::written::{documentation, path, qname, xsd_children};
use super::{Element, Fault, Particle, Term, TypeId, UNBOUNDED, Variant};
use crate::name::QName;
use crate::xsd::{Component, Kind, XSD};

/// Groups within groups: more are a circle.
const MAX_GROUPS: usize = 64;

impl<'d> Compiler<'d> {
    /// The particle that an element of a schema stands for; `None` where it says that
    /// nothing may stand there, and for elements that are no particles.
    pub(super) fn particle(
        &mut self,
        at: Component<'d>,
        depth: usize,
    ) -> Result<Option<Particle>, Fault> {
        let node = at.element;
        if depth > MAX_GROUPS {
            return Err(Fault::new(path(node), "groups are nested in a circle"));
        }
        let Some((least, most)) = self.occurs(node) else { return Ok(None) };
        let term = match node.name.as_str() {
            "element" => Term::Element(self.element(at)?),
            "any" => Term::Any(self.wildcard(at, Kind::Element)),
            "sequence" => Term::Sequence(self.parts_of(at, depth)?),
            "choice" => Term::Choice(self.parts_of(at, depth)?),
            "all" => Term::All(self.parts_of(at, depth)?),
            "group" => {
                let Some(group) = self.group(at)? else { return Ok(None) };
                for child in xsd_children(group.element) {
                    let inner = Component { element: child, context: group.context };
                    if let Some(inner) = self.particle(inner, depth + 1)? {
                        return Ok(Some(Particle {
                            least,
                            most,
                            term: Term::Sequence(vec![inner]),
                        }));
                    }
                }
                return Ok(None);
            }
            _ => return Ok(None),
        };
        Ok(Some(Particle { least, most, term }))
    }

    fn parts_of(&mut self, at: Component<'d>, depth: usize) -> Result<Vec<Particle>, Fault> {
        let mut parts = Vec::new();
        for child in xsd_children(at.element) {
            let child = Component { element: child, context: at.context };
            parts.extend(self.particle(child, depth + 1)?);
        }
        Ok(parts)
    }

    fn group(&mut self, at: Component<'d>) -> Result<Option<Component<'d>>, Fault> {
        let Some(spelled) = at.element.attribute(None, "ref") else { return Ok(None) };
        self.referred(Kind::Group, at, spelled).map(Some)
    }

    fn occurs(&mut self, node: &Node) -> Option<(u32, u32)> {
        let least =
            node.attribute(None, "minOccurs").map_or(Some(1), |text| text.trim().parse().ok());
        let most = match node.attribute(None, "maxOccurs").map(str::trim) {
            None => Some(1),
            Some("unbounded") => Some(UNBOUNDED),
            Some(text) => text.parse().ok(),
        };
        if least.is_none() || most.is_none() {
            self.warn(
                path(node),
                "minOccurs or maxOccurs is no number; read as any number of times",
            );
        }
        let (least, most) = (least.unwrap_or(0), most.unwrap_or(UNBOUNDED));
        (most > 0).then_some((least.min(most), most))
    }

    /// An element declaration, by reference or in place.
    pub(super) fn element(&mut self, at: Component<'d>) -> Result<Arc<Element>, Fault> {
        if let Some(spelled) = at.element.attribute(None, "ref") {
            let name = qname(at, spelled)?;
            // A data set's schema travels inside the message (`ref="xs:schema"`).
            if name.namespace.as_deref() == Some(XSD) {
                let ty = self.anything();
                return Ok(Arc::new(bare(name, ty)));
            }
            return self.global_element(&name, Some(at));
        }
        let Some(local) = at.element.attribute(None, "name") else {
            return Err(Fault::new(path(at.element), "an element has neither `name` nor `ref`"));
        };
        let name = QName::new(at.context.element_namespace(at.element), local.trim());
        let declared = self.declaration(name, at)?;
        Ok(Arc::new(declared))
    }

    /// The global element of that name.
    pub(crate) fn global_element(
        &mut self,
        name: &QName,
        from: Option<Component<'d>>,
    ) -> Result<Arc<Element>, Fault> {
        if let Some(known) = self.globals.get(name) {
            return known.clone();
        }
        let found = self.named(Kind::Element, name, from).and_then(|component| {
            let own = QName::new(
                component.context.target,
                component.element.attribute(None, "name").unwrap_or(&name.local).trim(),
            );
            let mut element = self.declaration(own.clone(), component)?;
            let mut substitutes = Vec::new();
            let is_blocked = block(component).is_some_and(|said| is_named(said, "substitution"));
            let members = if is_blocked { Vec::new() } else { self.schemas.substitutes(&own) };
            for member in members {
                let Some(component) = self.schemas.find(Kind::Element, &member, None) else {
                    continue;
                };
                if component.element.attribute(None, "abstract").map(str::trim) == Some("true") {
                    continue;
                }
                if let Ok(ty) = self.element_type(component) {
                    let label = member.local.to_string();
                    substitutes.push(Variant { label, name: member, ty });
                }
            }
            element.substitutes = labelled(substitutes);
            Ok(Arc::new(element))
        });
        self.globals.insert(name.clone(), found.clone());
        found
    }

    fn declaration(&mut self, name: QName, at: Component<'d>) -> Result<Element, Fault> {
        let node = at.element;
        let ty = self.element_type(at)?;
        if xsd_children(node).any(|child| child.name == "alternative") {
            self.warn(
                path(node),
                "its type depends on conditions (xs:alternative), which are not evaluated: \
                 the declared one is taken",
            );
        }
        let is =
            |name: &str| matches!(node.attribute(None, name).map(str::trim), Some("true" | "1"));
        Ok(Element {
            nillable: is("nillable"),
            is_abstract: is("abstract"),
            fixed: node.attribute(None, "fixed").map(str::to_owned),
            default: node.attribute(None, "default").map(str::to_owned),
            documentation: documentation(node),
            ..bare(name, ty)
        })
    }

    fn element_type(&mut self, at: Component<'d>) -> Result<TypeId, Fault> {
        let node = at.element;
        if let Some(spelled) = node.attribute(None, "type") {
            let name = qname(at, spelled)?;
            return self.type_named(&name, Some(at));
        }
        for child in xsd_children(node) {
            if matches!(child.name.as_str(), "complexType" | "simpleType") {
                return self.type_of(Component { element: child, context: at.context });
            }
        }
        // Part 1 §3.3.2.1: else the type of the head that it may stand for, else anything.
        if let Some(head) = node.attribute(None, "substitutionGroup")
            && let Some(head) = head.split_ascii_whitespace().next()
        {
            let head = qname(at, head)?;
            let component = self.named(Kind::Element, &head, Some(at))?;
            if !std::ptr::eq(component.element, node) {
                return self.element_type_within(component, 1);
            }
        }
        Ok(self.anything())
    }

    fn element_type_within(&mut self, at: Component<'d>, depth: usize) -> Result<TypeId, Fault> {
        if depth > MAX_GROUPS {
            return Err(Fault::new(path(at.element), "substitution groups are in a circle"));
        }
        let own = at.element.attribute(None, "type").is_some()
            || xsd_children(at.element)
                .any(|c| matches!(c.name.as_str(), "complexType" | "simpleType"));
        match at.element.attribute(None, "substitutionGroup").filter(|_| !own) {
            Some(head) => {
                let head = qname(at, head.split_ascii_whitespace().next().unwrap_or(head))?;
                let component = self.named(Kind::Element, &head, Some(at))?;
                self.element_type_within(component, depth + 1)
            }
            None => self.element_type(at),
        }
    }
}

/// An element that says nothing but its name and type.
pub(crate) fn bare(name: QName, ty: TypeId) -> Element {
    Element {
        name,
        ty,
        nillable: false,
        fixed: None,
        default: None,
        is_abstract: false,
        substitutes: Vec::new(),
        documentation: None,
    }
}

/// Gives variants that share a local name their namespace before it.
pub(super) fn labelled(mut variants: Vec<Variant>) -> Vec<Variant> {
    let locals: Vec<_> = variants.iter().map(|variant| variant.name.local.clone()).collect();
    for variant in &mut variants {
        if locals.iter().filter(|local| **local == variant.name.local).count() > 1 {
            variant.label = variant.name.to_string();
        }
    }
    variants
}
