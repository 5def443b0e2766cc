//! What elements hold: the types of a schema, compiled into what encoding and reading walk.
//!
//! A [`Types`] is an arena: recursive types point to each other by [`TypeId`]. Element content
//! is a tree of [`Particle`]s whose leaves each have a key in JSON, unique in their type where
//! the tree does not say otherwise: `shape` gives content that names cannot tell apart, or
//! whose order matters, a [`Term::Ordered`], which is `#content` in JSON.
//!
//! `compile` gives types their places; `content`, `particle`, `atom` and `array` say what one
//! is made of; `schema` and `words` tell it to agents.
//!
//! A type that cannot be compiled is [`Body::Broken`] and costs the operations that reach it.
//! Plans know nothing of envelopes or of JSON Schema, and never change once compiled.

mod array;
mod atom;
mod compile;
mod content;
mod particle;
mod schema;
mod shape;
mod wildcard;
mod words;
mod written;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

pub(crate) use compile::Compiler;
pub(crate) use particle::bare;
pub(crate) use schema::{Members, SchemaWriter};
pub(crate) use wildcard::Wildcard;
pub(crate) use written::all_text;

use crate::name::QName;
use crate::xsd::simple::Simple;

/// No bound on how often something may stand.
pub(crate) const UNBOUNDED: u32 = u32::MAX;

/// A type's place in [`Types`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TypeId(u32);

/// All types that the operations of a description reach.
#[derive(Debug, Default)]
pub(crate) struct Types {
    all: Vec<Type>,
    /// Elements that may stand for a wildcard, by their names.
    elements: HashMap<QName, Arc<Element>>,
    /// Attributes that may.
    attributes: HashMap<QName, Arc<Simple>>,
    /// Whether any of them has IDs.
    has_ids: bool,
}

/// A type definition.
#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) name: Option<QName>,
    pub(crate) documentation: Option<String>,
    pub(crate) body: Body,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "most types are of the largest kind")]
pub(crate) enum Body {
    /// `xs:anyType`.
    Anything,
    Simple(Arc<Simple>),
    Complex(Complex),
    /// SOAP encoding's array (SOAP 1.1 §5.4.2): a list in JSON.
    Array(Array),
    /// It could not be compiled.
    Broken(Fault),
}

impl Body {
    /// Whether its text, or an attribute of it, is an ID.
    fn has_ids(&self) -> bool {
        match self {
            Self::Simple(simple) => simple.has_ids(),
            Self::Complex(complex) => {
                let in_text =
                    matches!(&complex.content, Content::Simple(simple) if simple.has_ids());
                in_text || complex.attributes.iter().any(|one| one.simple.has_ids())
            }
            Self::Anything | Self::Array(_) | Self::Broken(_) => false,
        }
    }
}

/// A complex type.
#[derive(Debug)]
pub(crate) struct Complex {
    pub(crate) attributes: Vec<Attribute>,
    /// Which attributes are allowed beside these.
    pub(crate) any_attribute: Option<Wildcard>,
    pub(crate) content: Content,
    /// No element is of this type itself.
    pub(crate) is_abstract: bool,
    /// Types that an element of this type may be of instead, by `xsi:type`.
    pub(crate) variants: Vec<Variant>,
    /// Whether `@type` may stand in its values.
    pub(crate) is_polymorphic: bool,
}

/// A derived type, or a substituting element, as `@type` names it.
#[derive(Debug, Clone)]
pub(crate) struct Variant {
    pub(crate) label: String,
    pub(crate) name: QName,
    pub(crate) ty: TypeId,
}

#[derive(Debug)]
pub(crate) enum Content {
    Empty,
    Simple(Arc<Simple>),
    Elements {
        particle: Particle,
        /// Text may stand between the elements; the particle is then ordered.
        mixed: bool,
        /// The particle's elements, for reading.
        leaves: Vec<Leaf>,
        /// Its wildcards, and whether each stands in `#content`.
        wildcards: Vec<(Wildcard, bool)>,
    },
}

/// An element of a particle, as a reader meets it.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) element: Arc<Element>,
    /// It stands in `#content`.
    pub(crate) ordered: bool,
    /// It must be there.
    pub(crate) required: bool,
    /// It may stand before or after its siblings: it is of an `all`.
    pub(crate) anywhere: bool,
    /// How often it stands, where it does.
    pub(crate) times: (u32, u32),
}

impl Leaf {
    /// Whether it may stand more than once: a list in JSON.
    pub(crate) fn repeats(&self) -> bool {
        self.times.1 > 1
    }
}

impl Content {
    /// Element content, with its leaves found.
    pub(crate) fn elements(particle: Particle, mixed: bool) -> Self {
        let mut leaves = Vec::new();
        let around = Around { required: true, ordered: false, anywhere: false };
        collect(&particle, around, &mut leaves);
        let mut wildcards = Vec::new();
        collect_wildcards(&particle, false, &mut wildcards);
        Self::Elements { particle, mixed, leaves, wildcards }
    }
}

/// What the particles around a leaf say of it.
#[derive(Clone, Copy)]
struct Around {
    required: bool,
    ordered: bool,
    anywhere: bool,
}

fn collect(particle: &Particle, around: Around, leaves: &mut Vec<Leaf>) {
    let required = around.required && particle.least > 0;
    let within = Around { required, ..around };
    match &particle.term {
        Term::Element(element) => leaves.push(Leaf {
            element: Arc::clone(element),
            ordered: around.ordered,
            required: required && !around.ordered,
            anywhere: around.anywhere,
            times: (particle.least, particle.most),
        }),
        Term::Sequence(parts) => {
            for part in parts {
                collect(part, within, leaves);
            }
        }
        Term::All(parts) => {
            for part in parts {
                collect(part, Around { anywhere: true, ..within }, leaves);
            }
        }
        Term::Choice(parts) => {
            for part in parts {
                collect(part, Around { required: false, ..around }, leaves);
            }
        }
        Term::Ordered(inner) => {
            collect(inner, Around { required: false, ordered: true, ..around }, leaves);
        }
        Term::Any(_) => {}
    }
}

fn collect_wildcards(particle: &Particle, ordered: bool, found: &mut Vec<(Wildcard, bool)>) {
    match &particle.term {
        Term::Any(wildcard) => found.push((wildcard.clone(), ordered)),
        Term::Sequence(parts) | Term::Choice(parts) | Term::All(parts) => {
            for part in parts {
                collect_wildcards(part, ordered, found);
            }
        }
        Term::Ordered(inner) => collect_wildcards(inner, true, found),
        Term::Element(_) => {}
    }
}

#[derive(Debug)]
pub(crate) struct Array {
    pub(crate) item: Arc<Element>,
    /// The name of the item's type, for `soapenc:arrayType`.
    pub(crate) item_type: Option<QName>,
}

#[derive(Debug, Clone)]
pub(crate) struct Attribute {
    pub(crate) name: QName,
    /// `@name`, its key in JSON.
    pub(crate) key: String,
    pub(crate) simple: Arc<Simple>,
    pub(crate) required: bool,
    pub(crate) fixed: Option<String>,
    pub(crate) default: Option<String>,
    pub(crate) documentation: Option<String>,
}

impl Attribute {
    /// Whether an attribute of that name is this one.
    pub(crate) fn names(&self, local: &str, namespace: Option<&str>) -> bool {
        *self.name.local == *local && self.name.namespace.as_deref() == namespace
    }
}

/// An element as its parent uses it.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    pub(crate) name: QName,
    pub(crate) ty: TypeId,
    pub(crate) nillable: bool,
    pub(crate) fixed: Option<String>,
    pub(crate) default: Option<String>,
    /// Only elements that stand for it are sent.
    pub(crate) is_abstract: bool,
    /// The elements that may stand for it.
    pub(crate) substitutes: Vec<Variant>,
    pub(crate) documentation: Option<String>,
}

impl Element {
    /// Its key in JSON.
    pub(crate) fn key(&self) -> &str {
        &self.name.local
    }

    /// The substituting element of that name.
    pub(crate) fn substitute(&self, element: &tollbridge_xml::Element) -> Option<&Variant> {
        self.substitutes.iter().find(|variant| variant.name.names(element))
    }
}

/// A part of element content, and how often it stands.
#[derive(Debug, Clone)]
pub(crate) struct Particle {
    pub(crate) least: u32,
    pub(crate) most: u32,
    pub(crate) term: Term,
}

#[derive(Debug, Clone)]
pub(crate) enum Term {
    Element(Arc<Element>),
    Sequence(Vec<Particle>),
    Choice(Vec<Particle>),
    All(Vec<Particle>),
    Any(Wildcard),
    /// Content whose order matters: `#content` in JSON.
    Ordered(Box<Particle>),
}

/// Something that cannot be compiled: where it stands, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// An element path, such as `/definitions/types/schema/complexType[Order]`.
    pub(crate) pointer: String,
    pub(crate) reason: String,
}

impl Fault {
    pub(crate) fn new(pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), reason: reason.into() }
    }
}

impl Particle {
    pub(crate) fn once(term: Term) -> Self {
        Self { least: 1, most: 1, term }
    }

    /// The elements of its leaves.
    pub(crate) fn elements(&self) -> Vec<&Arc<Element>> {
        let mut found = Vec::new();
        self.visit(&mut |particle| {
            if let Term::Element(element) = &particle.term {
                found.push(element);
            }
        });
        found
    }

    /// Calls `f` for itself and all below.
    pub(crate) fn visit<'p>(&'p self, f: &mut impl FnMut(&'p Self)) {
        f(self);
        match &self.term {
            Term::Sequence(parts) | Term::Choice(parts) | Term::All(parts) => {
                for part in parts {
                    part.visit(f);
                }
            }
            Term::Ordered(inner) => inner.visit(f),
            Term::Element(_) | Term::Any(_) => {}
        }
    }

    /// Whether nothing need stand for it.
    pub(crate) fn is_emptiable(&self) -> bool {
        self.least == 0
            || match &self.term {
                Term::Element(_) | Term::Any(_) => false,
                Term::Sequence(parts) | Term::All(parts) => parts.iter().all(Self::is_emptiable),
                Term::Choice(parts) => parts.is_empty() || parts.iter().any(Self::is_emptiable),
                Term::Ordered(inner) => inner.is_emptiable(),
            }
    }
}

impl Types {
    /// The declaration of an element that stands for a wildcard, where there is one.
    pub(crate) fn declared(&self, namespace: Option<&str>, local: &str) -> Option<&Element> {
        if self.elements.is_empty() {
            return None;
        }
        self.elements.get(&QName::new(namespace, local)).map(|element| &**element)
    }

    /// The type of an attribute that stands for a wildcard, where it is known.
    pub(crate) fn declared_attribute(
        &self,
        namespace: Option<&str>,
        local: &str,
    ) -> Option<&Simple> {
        if self.attributes.is_empty() {
            return None;
        }
        self.attributes.get(&QName::new(namespace, local)).map(|simple| &**simple)
    }

    fn new(
        all: Vec<Type>,
        elements: HashMap<QName, Arc<Element>>,
        attributes: HashMap<QName, Arc<Simple>>,
    ) -> Self {
        let has_ids = all.iter().any(|one| one.body.has_ids());
        Self { all, elements, attributes, has_ids }
    }

    /// Whether elements of these types may have IDs in them.
    pub(crate) fn have_ids(&self, from: impl IntoIterator<Item = TypeId>) -> bool {
        self.has_ids && self.reached(from, |body| body.has_ids().then_some(())).is_some()
    }

    pub(crate) fn get(&self, id: TypeId) -> &Type {
        &self.all[id.0 as usize]
    }

    /// The type of the text of an element of this type, where it has no elements.
    pub(crate) fn simple_of(&self, id: TypeId) -> Option<&Simple> {
        match &self.get(id).body {
            Body::Simple(simple)
            | Body::Complex(Complex { content: Content::Simple(simple), .. }) => Some(simple),
            _ => None,
        }
    }

    /// Whether values of the type are no objects: simple ones, and lists.
    pub(crate) fn is_plain(&self, id: TypeId) -> bool {
        match &self.get(id).body {
            Body::Simple(_) | Body::Array(_) => true,
            Body::Complex(complex) => {
                matches!(complex.content, Content::Simple(_))
                    && complex.attributes.is_empty()
                    && complex.any_attribute.is_none()
                    && !complex.is_polymorphic
            }
            Body::Anything | Body::Broken(_) => false,
        }
    }

    /// The type that a nil element is of: a derived one where its own is abstract, and nothing
    /// more where it is no complex one. `None` where the element cannot be nil, also because
    /// its type demands attributes, which `null` has none of.
    pub(crate) fn nil(&self, element: &Element) -> Option<(Option<&Variant>, Option<&Complex>)> {
        let bare = |id: TypeId| match &self.get(id).body {
            Body::Complex(complex) => {
                let demands = |a: &Attribute| a.required && a.fixed.is_none();
                let fits = !complex.is_abstract && !complex.attributes.iter().any(demands);
                fits.then_some(Some(complex))
            }
            _ => Some(None),
        };
        if !element.nillable || element.is_abstract {
            return None;
        }
        match &self.get(element.ty).body {
            Body::Complex(complex) if complex.is_abstract => {
                complex.variants.iter().find_map(|variant| Some((Some(variant), bare(variant.ty)?)))
            }
            _ => Some((None, bare(element.ty)?)),
        }
    }

    /// The first broken type that elements of these types reach.
    pub(crate) fn broken(&self, from: impl IntoIterator<Item = TypeId>) -> Option<&Fault> {
        self.reached(from, |body| match body {
            Body::Broken(fault) => Some(fault),
            _ => None,
        })
    }

    /// The first thing that is found in a type that elements of these types reach.
    fn reached<'t, T>(
        &'t self,
        from: impl IntoIterator<Item = TypeId>,
        found: impl Fn(&'t Body) -> Option<T>,
    ) -> Option<T> {
        let mut next: Vec<TypeId> = from.into_iter().collect();
        let mut seen: HashSet<TypeId> = next.iter().copied().collect();
        while let Some(id) = next.pop() {
            let mut reach = |id: TypeId| {
                if seen.insert(id) {
                    next.push(id);
                }
            };
            let body = &self.get(id).body;
            if let Some(found) = found(body) {
                return Some(found);
            }
            match body {
                Body::Array(array) => reach(array.item.ty),
                Body::Complex(complex) => {
                    if let Content::Elements { particle, .. } = &complex.content {
                        for element in particle.elements() {
                            reach(element.ty);
                        }
                    }
                }
                Body::Anything | Body::Simple(_) | Body::Broken(_) => {}
            }
        }
        None
    }
}
