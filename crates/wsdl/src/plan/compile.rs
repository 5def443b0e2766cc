//! Type definitions, compiled.
//!
//! A type's id is given out before its content is looked at, and its content is compiled
//! from a queue: recursive types end, and a type whose content is broken breaks alone. Only
//! the chain of bases is followed at once, because content is made of the base's content.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tollbridge_operation::Warning;
use tollbridge_xml::Element as Node;

use super::atom::simple_builtin;
use super::content::{MAX_BASES, derivation};
use super::particle::labelled;
use super::shape::shape;
use super::written::{documentation, path, qname, xsd_children};
use super::{
    Array, Body, Complex, Content, Element, Fault, Particle, Term, Type, TypeId, Types, UNBOUNDED,
    Variant, Wildcard,
};
use crate::documents::Documents;
use crate::name::QName;
use crate::xsd::builtin::{Builtin, builtin};
use crate::xsd::simple::Simple;
use crate::xsd::{Component, Kind, Schemas, XSD};

/// Types of one description.
const MAX_TYPES: usize = 100_000;
/// Wildcards of different kinds whose elements and attributes are held to their declarations:
/// each is asked of each declaration.
const MAX_LOOKED_INTO: usize = 64;
/// Warnings that are kept.
const MAX_WARNINGS: usize = 1000;

pub(super) type Place = (*const Node, Option<String>);

/// Compiles what operations ask for.
pub(crate) struct Compiler<'d> {
    pub(super) schemas: &'d Schemas<'d>,
    documents: &'d Documents,
    types: Vec<Type>,
    by_place: HashMap<Place, TypeId>,
    builtins: HashMap<QName, TypeId>,
    pub(super) globals: HashMap<QName, Result<Arc<Element>, Fault>>,
    pub(super) simples: HashMap<Place, Result<Arc<Simple>, Fault>>,
    pub(super) open: HashSet<Place>,
    queue: VecDeque<(TypeId, Component<'d>)>,
    warnings: Vec<Warning>,
    /// Wildcards whose elements or attributes are held to their declarations.
    looked_into: Vec<(Kind, Wildcard)>,
    declared: HashMap<Kind, Arc<HashSet<QName>>>,
    /// What is compiled is asked for by wildcards alone.
    is_quiet: bool,
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
            looked_into: Vec::new(),
            declared: HashMap::new(),
            is_quiet: false,
        }
    }

    pub(crate) fn warn(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        let warning = Warning { pointer: pointer.into(), message: message.into() };
        if !self.is_quiet && self.warnings.len() < MAX_WARNINGS && !self.warnings.contains(&warning)
        {
            self.warnings.push(warning);
        }
    }

    /// All types that were asked for, compiled, and what was odd about them.
    pub(crate) fn finish(mut self) -> (Types, Vec<Warning>) {
        self.drain();
        // What no operation names costs nothing where it is broken, and is not warned of.
        self.is_quiet = true;
        let (mut elements, mut attributes) = (HashMap::new(), HashMap::new());
        let mut done = 0;
        while done < self.looked_into.len() {
            let (kind, wildcard) = self.looked_into[done].clone();
            done += 1;
            let schemas = self.schemas;
            for name in schemas.names(kind) {
                if !wildcard.allows_name(name.namespace.as_deref(), &name.local) {
                    continue;
                }
                match kind {
                    Kind::Element if !elements.contains_key(name) => {
                        if let Ok(element) = self.global_element(name, None) {
                            elements.insert(name.clone(), element);
                        }
                    }
                    Kind::Attribute if !attributes.contains_key(name) => {
                        if let Some(at) = schemas.find(kind, name, None)
                            && let Ok(simple) = self.attribute_type(at)
                        {
                            attributes.insert(name.clone(), simple);
                        }
                    }
                    _ => {}
                }
            }
            self.drain();
        }
        (Types::new(self.types, elements, attributes), self.warnings)
    }

    /// Compiles what waits.
    fn drain(&mut self) {
        while let Some((id, component)) = self.queue.pop_front() {
            let body = self.complex(component).unwrap_or_else(Body::Broken);
            self.types[id.0 as usize].body = body;
        }
    }

    /// Remembers that what stands for the wildcard is held to its declaration. `false` where it
    /// is not: there are too many.
    pub(super) fn look_into(&mut self, kind: Kind, wildcard: &Wildcard) -> bool {
        let known = |(other, one): &(Kind, Wildcard)| *other == kind && one == wildcard;
        if wildcard.skips || self.looked_into.iter().any(known) {
            return true;
        }
        let fits = self.looked_into.len() < MAX_LOOKED_INTO;
        if fits {
            self.looked_into.push((kind, wildcard.clone()));
        }
        fits
    }

    /// The names of all that the schemas declare of a kind.
    pub(super) fn declared(&mut self, kind: Kind) -> Arc<HashSet<QName>> {
        let schemas = self.schemas;
        let all = self
            .declared
            .entry(kind)
            .or_insert_with(|| Arc::new(schemas.names(kind).into_iter().cloned().collect()));
        Arc::clone(all)
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
        let says = self.says(at);
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

    /// What an agent is told of a type: its documentation, and the conditions that nobody but the
    /// service evaluates (XML Schema 1.1 part 1 §3.13).
    fn says(&mut self, at: Component<'d>) -> Option<String> {
        let mut says = documentation(at.element);
        let steps = [Some(at.element), derivation(at.element)];
        for assertion in steps.into_iter().flatten().flat_map(xsd_children) {
            if assertion.name != "assert" {
                continue;
            }
            let test = assertion.attribute(None, "test").unwrap_or_default().trim();
            self.warn(path(at.element), format!("the assertion `{test}` is not checked"));
            let words = format!("Must hold (XPath): {test}");
            says = Some(says.map_or(words.clone(), |says| format!("{says} {words}")));
        }
        says
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
            if derived.element.name != "complexType"
                || is_true(derived.element, "abstract")
                || self.is_blocked(at, derived)
            {
                continue;
            }
            let ty = self.type_of(derived)?;
            variants.push(Variant { label: name.local.to_string(), name, ty });
        }
        let is_derived = self.is_derived(at);
        // Elements of an open content may stand anywhere or behind the others (part 1
        // §3.4.2.3.3): behind them is right for both, and a reader takes them where they are.
        let particle = match parts.open {
            Some(open) if parts.simple.is_none() => {
                let open = Particle { least: 0, most: UNBOUNDED, term: Term::Any(open) };
                let all = parts.particle.into_iter().chain([open]).collect();
                Some(Particle::once(Term::Sequence(all)))
            }
            _ => parts.particle,
        };
        let content = match (parts.simple, particle) {
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

    /// Whether a type keeps one that is derived from it from standing in its place (part 1
    /// §3.4.6.5): by a method that `block` names.
    fn is_blocked(&self, at: Component<'d>, derived: Component<'d>) -> bool {
        let Some(blocked) = block(at) else { return false };
        let mut from = derived;
        for _ in 0..MAX_BASES {
            if std::ptr::eq(from.element, at.element) {
                return false;
            }
            let Some(step) = derivation(from.element) else { return false };
            if is_named(blocked, &step.name) {
                return true;
            }
            let base = step.attribute(None, "base").and_then(|b| from.context.qname(step, b).ok());
            let base = base.and_then(|base| self.schemas.find(Kind::Type, &base, Some(from)));
            let Some(base) = base else { return false };
            from = base;
        }
        false
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
}

/// What a definition says in `block`, or its schema for all of them.
pub(super) fn block(at: Component<'_>) -> Option<&str> {
    let own = at.element.attribute(None, "block");
    own.or_else(|| at.context.schema.attribute(None, "blockDefault"))
}

/// Whether a value of `block` names a method.
pub(super) fn is_named(blocked: &str, method: &str) -> bool {
    blocked.split_ascii_whitespace().any(|one| one == "#all" || one == method)
}

fn own_name(at: Component<'_>) -> Option<QName> {
    let local = at.element.attribute(None, "name")?;
    Some(QName::new(at.context.target, local.trim()))
}

/// What tells a definition apart: its element, and the namespace that it is taken for.
pub(super) fn place(at: Component<'_>) -> Place {
    (std::ptr::from_ref(at.element), at.context.target.map(str::to_owned))
}
