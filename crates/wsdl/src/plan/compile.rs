//! Type definitions, compiled.
//!
//! A type's id is given out before its content is looked at, and its content is compiled
//! from a queue: recursive types end, and a type whose content is broken breaks alone. Only
//! the chain of bases is followed at once, because content is made of the base's content.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tollbridge_operation::Warning;
use tollbridge_xml::Element as Node;

use super::particle::{bare, labelled};
use super::shape::shape;
use super::{
    Array, Attribute, Body, Complex, Content, Element, Fault, Particle, Term, Type, TypeId, Types,
    Variant,
};
use crate::documents::{Documents, WSDL};
use crate::name::QName;
use crate::xsd::builtin::{Builtin, builtin};
use crate::xsd::facets::Facets;
use crate::xsd::simple::{Simple, Variety};
use crate::xsd::{Component, Kind, Schemas, XSD, is_soap_encoding};

/// Bases of bases: more are a circle.
const MAX_BASES: usize = 64;
/// Types of one description.
const MAX_TYPES: usize = 100_000;
/// Warnings that are kept.
const MAX_WARNINGS: usize = 1000;
/// Characters of documentation that an agent is shown of one component.
const MAX_DOCUMENTATION: usize = 1000;

type Place = (*const Node, Option<String>);

/// Compiles what operations ask for.
pub(crate) struct Compiler<'d> {
    pub(super) schemas: &'d Schemas<'d>,
    documents: &'d Documents,
    types: Vec<Type>,
    by_place: HashMap<Place, TypeId>,
    builtins: HashMap<QName, TypeId>,
    pub(super) globals: HashMap<QName, Result<Arc<Element>, Fault>>,
    simples: HashMap<Place, Result<Arc<Simple>, Fault>>,
    open: HashSet<Place>,
    queue: VecDeque<(TypeId, Component<'d>)>,
    warnings: Vec<Warning>,
}

/// What a complex type is made of, its bases' parts among it.
#[derive(Clone, Default)]
struct Parts {
    attributes: Vec<Attribute>,
    any_attribute: bool,
    particle: Option<Particle>,
    mixed: bool,
    simple: Option<Arc<Simple>>,
    array: Option<(Arc<Element>, Option<QName>)>,
}

impl<'d> Compiler<'d> {
    pub(crate) fn new(documents: &'d Documents, schemas: &'d Schemas<'d>) -> Self {
        Self {
            schemas,
            documents,
            types: Vec::new(),
            by_place: HashMap::new(),
            builtins: HashMap::new(),
            globals: HashMap::new(),
            simples: HashMap::new(),
            open: HashSet::new(),
            queue: VecDeque::new(),
            warnings: Vec::new(),
        }
    }

    pub(crate) fn warn(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        let warning = Warning { pointer: pointer.into(), message: message.into() };
        if self.warnings.len() < MAX_WARNINGS && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// All types that were asked for, compiled, and what was odd about them.
    pub(crate) fn finish(mut self) -> (Types, Vec<Warning>) {
        while let Some((id, component)) = self.queue.pop_front() {
            let body = self.complex(component).unwrap_or_else(Body::Broken);
            self.types[id.0 as usize].body = body;
        }
        (Types(self.types), self.warnings)
    }

    fn add(&mut self, name: Option<QName>, documentation: Option<String>, body: Body) -> TypeId {
        let id = TypeId(u32::try_from(self.types.len()).unwrap_or(u32::MAX));
        self.types.push(Type { name, documentation, body });
        id
    }

    /// The component that a reference spells.
    pub(super) fn referred(
        &mut self,
        kind: Kind,
        at: Component<'d>,
        spelled: &str,
    ) -> Result<Component<'d>, Fault> {
        let name = qname(at, spelled)?;
        self.named(kind, &name, Some(at))
    }

    /// The component of that name. One that only a wrong namespace keeps from being found is
    /// understood, and warned of.
    pub(crate) fn named(
        &mut self,
        kind: Kind,
        name: &QName,
        from: Option<Component<'d>>,
    ) -> Result<Component<'d>, Fault> {
        if let Some(found) = self.schemas.find(kind, name, from) {
            return Ok(found);
        }
        let pointer = from.map_or_else(String::new, |from| path(from.element));
        let missing = self.documents.missing_namespace(name.namespace.as_deref());
        if missing.is_none()
            && let Some(other) = self.schemas.only(kind, &name.local)
            && let Some(found) = self.schemas.find(kind, &other, from)
        {
            let word = kind.word();
            self.warn(&pointer, format!("there is no {word} {name}; {other} is taken for it"));
            return Ok(found);
        }
        let because = missing.map_or_else(String::new, |missing| {
            format!(": {} could not be read: {}", missing.location, missing.reason)
        });
        let word = kind.word();
        Err(Fault::new(pointer, format!("the {word} {name} is not defined{because}")))
    }

    pub(crate) fn anything(&mut self) -> TypeId {
        self.builtin(&QName::new(Some(XSD), "anyType"), Builtin::Anything)
    }

    fn builtin(&mut self, name: &QName, builtin: Builtin) -> TypeId {
        if let Some(known) = self.builtins.get(name) {
            return *known;
        }
        let body = match builtin {
            Builtin::Anything => Body::Anything,
            other => Body::Simple(simple_builtin(other)),
        };
        let id = self.add(Some(name.clone()), None, body);
        self.builtins.insert(name.clone(), id);
        id
    }

    /// The type of that name.
    pub(crate) fn type_named(
        &mut self,
        name: &QName,
        from: Option<Component<'d>>,
    ) -> Result<TypeId, Fault> {
        match builtin(name) {
            Some(known) => Ok(self.builtin(name, known)),
            None => {
                let component = self.named(Kind::Type, name, from)?;
                self.type_of(component)
            }
        }
    }

    /// The type of a definition, by name or in place.
    pub(crate) fn type_of(&mut self, at: Component<'d>) -> Result<TypeId, Fault> {
        let place = place(at);
        if let Some(known) = self.by_place.get(&place) {
            return Ok(*known);
        }
        if self.types.len() >= MAX_TYPES {
            return Err(Fault::new(path(at.element), format!("more than {MAX_TYPES} types")));
        }
        let name = own_name(at);
        let says = documentation(at.element);
        if at.element.name == "simpleType" {
            let simple = self.simple(at)?;
            let id = self.add(name, says, Body::Simple(simple));
            self.by_place.insert(place, id);
            return Ok(id);
        }
        let waiting = Fault::new(path(at.element), "it was not compiled");
        let id = self.add(name, says, Body::Broken(waiting));
        self.by_place.insert(place, id);
        self.queue.push_back((id, at));
        Ok(id)
    }

    fn complex(&mut self, at: Component<'d>) -> Result<Body, Fault> {
        let parts = self.parts(at, 0)?;
        if let Some((item, item_type)) = parts.array {
            return Ok(Body::Array(Array { item, item_type }));
        }
        let own = own_name(at);
        let is_true = |node: &Node, name: &str| {
            matches!(node.attribute(None, name).map(str::trim), Some("true" | "1"))
        };
        let mut variants = Vec::new();
        for name in own.iter().flat_map(|own| self.schemas.derived(own)) {
            let Some(derived) = self.schemas.find(Kind::Type, &name, None) else { continue };
            if derived.element.name != "complexType" || is_true(derived.element, "abstract") {
                continue;
            }
            let ty = self.type_of(derived)?;
            variants.push(Variant { label: name.local.to_string(), name, ty });
        }
        let is_derived = self.is_derived(at);
        let content = match (parts.simple, parts.particle) {
            (Some(simple), _) => Content::Simple(simple),
            (None, Some(particle)) => Content::elements(shape(particle, parts.mixed), parts.mixed),
            (None, None) if parts.mixed => {
                Content::elements(shape(Particle::once(Term::Sequence(Vec::new())), true), true)
            }
            (None, None) => Content::Empty,
        };
        Ok(Body::Complex(Complex {
            is_polymorphic: own.is_some() && (is_derived || !variants.is_empty()),
            attributes: parts.attributes,
            any_attribute: parts.any_attribute,
            content,
            is_abstract: is_true(at.element, "abstract"),
            variants: labelled(variants),
        }))
    }

    /// Whether its base is a complex type that a schema defines: elements of the base may
    /// then be of this type.
    fn is_derived(&self, at: Component<'d>) -> bool {
        let Some(step) = derivation(at.element) else { return false };
        let base = step.attribute(None, "base").and_then(|base| at.context.qname(step, base).ok());
        let base = base.filter(|base| builtin(base).is_none());
        base.and_then(|base| self.schemas.find(Kind::Type, &base, Some(at)))
            .is_some_and(|base| base.element.name == "complexType")
    }

    /// A complex type's parts, over those of its base.
    fn parts(&mut self, at: Component<'d>, depth: usize) -> Result<Parts, Fault> {
        if depth > MAX_BASES {
            return Err(Fault::new(path(at.element), "the type is derived from itself"));
        }
        let node = at.element;
        let mixed = |node: &Node| {
            node.attribute(None, "mixed").map(|text| matches!(text.trim(), "true" | "1"))
        };
        if let Some(content) = xsd_child(node, "simpleContent") {
            return self.simple_content(at, content, depth);
        }
        let Some(content) = xsd_child(node, "complexContent") else {
            let mut parts = Parts { mixed: mixed(node).unwrap_or(false), ..Parts::default() };
            self.own_parts(at, &mut parts)?;
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
            any_attribute: base.any_attribute || own.any_attribute,
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
        self.attributes(at, parts, 0)
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
                "anyAttribute" => parts.any_attribute = true,
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
        let simple = match declared.element.attribute(None, "type") {
            Some(spelled) => {
                let spelled = qname(declared, spelled)?;
                self.simple_named(&spelled, Some(declared))?
            }
            None => match xsd_child(declared.element, "simpleType") {
                Some(inline) => {
                    self.simple(Component { element: inline, context: declared.context })?
                }
                None => simple_builtin(Builtin::AnySimple),
            },
        };
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
        let prohibited = prohibited(step_at);
        parts.attributes.retain(|attribute| !prohibited.contains(&attribute.name));
        for attribute in own.attributes {
            parts.attributes.retain(|other| other.name != attribute.name);
            parts.attributes.push(attribute);
        }
        parts.any_attribute |= own.any_attribute;
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

    /// SOAP encoding's array: its items' type is in `wsdl:arrayType`, or in the sequence.
    fn array(&mut self, step: Component<'d>) -> Result<Parts, Fault> {
        let spelled = step.element.elements().find_map(|child| {
            let said = child.attribute(Some(WSDL), "arrayType")?;
            Some((child, said))
        });
        let mut item = None;
        for child in xsd_children(step.element) {
            if matches!(child.name.as_str(), "sequence" | "all" | "choice") {
                let at = Component { element: child, context: step.context };
                item = self
                    .particle(at, 0)?
                    .and_then(|particle| particle.elements().first().map(|e| Arc::clone(e)));
            }
        }
        let mut item_type = None;
        if let Some((at, said)) = spelled {
            // `tns:Order[]`, `xsd:string[,]`, `tns:Order[][2]`.
            let (name, ranks) = said.split_once('[').unwrap_or((said, ""));
            if ranks.matches('[').count() > 0 || ranks.contains(',') {
                let reason = "arrays of several dimensions are not bridged";
                return Err(Fault::new(path(step.element), reason));
            }
            let at = Component { element: at, context: step.context };
            let name = qname(at, name)?;
            let ty = self.type_named(&name, Some(step))?;
            item_type = Some(name);
            let named = item.map_or_else(|| QName::new(None, "item"), |item| item.name.clone());
            item = Some(Arc::new(bare(named, ty)));
        }
        let item = match item {
            Some(item) => item,
            None => {
                let ty = self.anything();
                Arc::new(bare(QName::new(None, "item"), ty))
            }
        };
        Ok(Parts { array: Some((item, item_type)), ..Parts::default() })
    }

    fn simple_named(
        &mut self,
        name: &QName,
        from: Option<Component<'d>>,
    ) -> Result<Arc<Simple>, Fault> {
        if let Some(known) = builtin(name) {
            return Ok(simple_builtin(known));
        }
        let found = self.named(Kind::Type, name, from)?;
        if found.element.name == "simpleType" {
            return self.simple(found);
        }
        // A complex type where only text can stand: its text, if it has some.
        match self.parts(found, 0)?.simple {
            Some(simple) => Ok(simple),
            None => {
                let pointer = from.map_or_else(String::new, |from| path(from.element));
                Err(Fault::new(pointer, format!("the type {name} is not a simple type")))
            }
        }
    }

    fn simple(&mut self, at: Component<'d>) -> Result<Arc<Simple>, Fault> {
        let place = place(at);
        if let Some(known) = self.simples.get(&place) {
            return known.clone();
        }
        if self.open.len() > MAX_BASES || !self.open.insert(place.clone()) {
            return Err(Fault::new(path(at.element), "the type is derived from itself"));
        }
        let simple = self.simple_parts(at);
        self.open.remove(&place);
        self.simples.insert(place, simple.clone());
        simple
    }

    fn simple_parts(&mut self, at: Component<'d>) -> Result<Arc<Simple>, Fault> {
        let inline = |node: &'d Node| {
            xsd_children(node)
                .filter(|child| child.name == "simpleType")
                .map(|element| Component { element, context: at.context })
                .collect::<Vec<_>>()
        };
        for child in xsd_children(at.element) {
            let child_at = Component { element: child, context: at.context };
            match child.name.as_str() {
                "restriction" => {
                    let base = match (child.attribute(None, "base"), inline(child).first()) {
                        (Some(spelled), _) => {
                            let name = qname(child_at, spelled)?;
                            self.simple_named(&name, Some(at))?
                        }
                        (None, Some(inline)) => self.simple(*inline)?,
                        (None, None) => simple_builtin(Builtin::AnySimple),
                    };
                    return Ok(self.restricted(&base, child));
                }
                "list" => {
                    let item = match (child.attribute(None, "itemType"), inline(child).first()) {
                        (Some(spelled), _) => {
                            let name = qname(child_at, spelled)?;
                            self.simple_named(&name, Some(at))?
                        }
                        (None, Some(inline)) => self.simple(*inline)?,
                        (None, None) => simple_builtin(Builtin::AnySimple),
                    };
                    return Ok(Arc::new(Simple::plain(Variety::List(item))));
                }
                "union" => {
                    let mut members = Vec::new();
                    let spelled = child.attribute(None, "memberTypes").unwrap_or_default();
                    for spelled in spelled.split_ascii_whitespace() {
                        let name = qname(child_at, spelled)?;
                        members.push(self.simple_named(&name, Some(at))?);
                    }
                    for inline in inline(child) {
                        members.push(self.simple(inline)?);
                    }
                    return Ok(Arc::new(Simple::plain(Variety::Union(members))));
                }
                _ => {}
            }
        }
        Err(Fault::new(path(at.element), "expected a restriction, a list or a union"))
    }

    fn restricted(&mut self, base: &Simple, step: &'d Node) -> Arc<Simple> {
        let mut told = Vec::new();
        let facets = base.facets.restricted(step, |message| told.push(message));
        for message in told {
            self.warn(path(step), message);
        }
        Arc::new(Simple { variety: base.variety.clone(), facets })
    }
}

pub(super) fn qname(at: Component<'_>, text: &str) -> Result<QName, Fault> {
    at.context.qname(at.element, text).map_err(|reason| Fault::new(path(at.element), reason))
}

fn simple_builtin(builtin: Builtin) -> Arc<Simple> {
    Arc::new(match builtin {
        Builtin::Anything | Builtin::AnySimple => Simple::plain(Variety::Any),
        Builtin::Atomic(atomic) => Simple::plain(Variety::Atomic(atomic)),
        Builtin::List(item) => Simple {
            variety: Variety::List(Arc::new(Simple::plain(Variety::Atomic(item)))),
            facets: Facets { min_length: Some(1), ..Facets::default() },
        },
    })
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

fn derivation(node: &Node) -> Option<&Node> {
    let content = xsd_child(node, "complexContent").or_else(|| xsd_child(node, "simpleContent"))?;
    xsd_child(content, "extension").or_else(|| xsd_child(content, "restriction"))
}

fn own_name(at: Component<'_>) -> Option<QName> {
    let local = at.element.attribute(None, "name")?;
    Some(QName::new(at.context.target, local.trim()))
}

fn place(at: Component<'_>) -> Place {
    (std::ptr::from_ref(at.element), at.context.target.map(str::to_owned))
}

/// The children that are XML Schema's own.
pub(super) fn xsd_children(node: &Node) -> impl Iterator<Item = &Node> {
    node.elements().filter(|child| child.namespace.as_deref() == Some(XSD))
}

fn xsd_child<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
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
