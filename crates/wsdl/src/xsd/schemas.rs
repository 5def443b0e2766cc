//! Every schema of a description, and its components by name.
//!
//! Imports make names of other namespaces usable, and here they all are at once: a reference
//! whose import was forgotten is understood. Of two components with one name the first is
//! taken. Includes without a namespace of their own take their includer's (chameleons, part
//! 1 §4.2.3); a redefinition stands before what it redefines (§4.2.4), which is kept for the
//! redefinition itself to refer to; an override replaces (§4.2.5).

use std::collections::{HashMap, HashSet};

use super::XSD;
use crate::documents::Documents;
use crate::name::QName;
use tollbridge_xml::Element;

/// A symbol space of XML Schema (part 1 §2.5): simple and complex types share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Type,
    Element,
    Attribute,
    Group,
    AttributeGroup,
}

impl Kind {
    fn of(element: &Element) -> Option<Self> {
        if element.namespace.as_deref() != Some(XSD) {
            return None;
        }
        Some(match element.name.as_str() {
            "simpleType" | "complexType" => Self::Type,
            "element" => Self::Element,
            "attribute" => Self::Attribute,
            "group" => Self::Group,
            "attributeGroup" => Self::AttributeGroup,
            _ => return None,
        })
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Element => "element",
            Self::Attribute => "attribute",
            Self::Group => "group",
            Self::AttributeGroup => "attribute group",
        }
    }
}

/// What the surrounding schema says about its components.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'d> {
    pub(crate) schema: &'d Element,
    pub(crate) target: Option<&'d str>,
    /// The schema had no namespace and took its includer's: so do its references.
    chameleon: bool,
    /// The component redefines another of its name.
    redefines: bool,
    /// The component stands in the place of another of its name.
    overrides: bool,
}

impl<'d> Context<'d> {
    fn form(&self, own: &Element, default: &str) -> bool {
        own.attribute(None, "form").or_else(|| self.schema.attribute(None, default))
            == Some("qualified")
    }

    /// The namespace of a local element (part 1 §3.3.2.3).
    pub(crate) fn element_namespace(&self, own: &'d Element) -> Option<&'d str> {
        own.attribute(None, "targetNamespace").or(if self.form(own, "elementFormDefault") {
            self.target
        } else {
            None
        })
    }

    /// The namespace of a local attribute (part 1 §3.2.2.2).
    pub(crate) fn attribute_namespace(&self, own: &'d Element) -> Option<&'d str> {
        own.attribute(None, "targetNamespace").or(if self.form(own, "attributeFormDefault") {
            self.target
        } else {
            None
        })
    }

    /// The qualified name that a value of `element` spells; `Err` with the prefix that is not
    /// declared.
    pub(crate) fn qname(&self, element: &Element, text: &str) -> Result<QName, String> {
        let text = text.trim();
        let Some((prefix, local)) = text.split_once(':') else {
            let namespace = element.scope.namespace("");
            let namespace = namespace.or(if self.chameleon { self.target } else { None });
            return Ok(QName::new(namespace, text));
        };
        match element.scope.namespace(prefix) {
            Some(namespace) => Ok(QName::new(Some(namespace), local)),
            // What everybody means by these, and old generators forgot to say.
            None if matches!(prefix, "xs" | "xsd") => Ok(QName::new(Some(XSD), local)),
            None if matches!(prefix, "tns" | "this") => Ok(QName::new(self.target, local)),
            None => Err(format!("the prefix of `{text}` is not declared")),
        }
    }
}

/// A component as it was written, with what its schema says about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Component<'d> {
    pub(crate) element: &'d Element,
    pub(crate) context: Context<'d>,
}

/// All components.
#[derive(Debug, Default)]
pub(crate) struct Schemas<'d> {
    components: HashMap<(Kind, QName), Component<'d>>,
    originals: HashMap<(Kind, QName), Component<'d>>,
    /// Named elements by the head that they may stand for.
    substitutes: HashMap<QName, Vec<QName>>,
    /// Named types by the type that they are derived from.
    derived: HashMap<QName, Vec<QName>>,
    seen: HashSet<(*const Element, Option<String>)>,
}

impl<'d> Schemas<'d> {
    /// Finds all components of the documents, and of the bundled schemas.
    pub(crate) fn new(documents: &'d Documents, bundled: &'d [Element]) -> Self {
        let mut schemas = Self::default();
        for (index, document) in documents.iter() {
            let root = &document.root;
            if root.namespace.as_deref() == Some(XSD) {
                // One without a namespace may be a chameleon: its includer comes first, if
                // it has one.
                continue;
            }
            let types = root
                .elements()
                .filter(|child| child.name == "types" && child.namespace == root.namespace);
            for schema in types.flat_map(Element::elements).filter(|s| is_schema(s)) {
                schemas.add(documents, index, schema, None);
            }
        }
        for (index, document) in documents.iter() {
            if is_schema(&document.root) {
                let included = schemas
                    .seen
                    .iter()
                    .any(|(seen, _)| std::ptr::eq(*seen, std::ptr::from_ref(&document.root)));
                if !included {
                    schemas.add(documents, index, &document.root, None);
                }
            }
        }
        for schema in bundled {
            schemas.add(documents, 0, schema, None);
        }
        schemas.link();
        schemas
    }

    fn add(
        &mut self,
        documents: &'d Documents,
        document: usize,
        schema: &'d Element,
        includer: Option<&'d str>,
    ) {
        let own = schema.attribute(None, "targetNamespace").filter(|target| !target.is_empty());
        let target = own.or(includer);
        let key = (std::ptr::from_ref(schema), target.map(str::to_owned));
        if !self.seen.insert(key) {
            return;
        }
        let context = Context {
            schema,
            target,
            chameleon: own.is_none() && includer.is_some(),
            redefines: false,
            overrides: false,
        };
        for child in schema.elements() {
            if let Some(kind) = Kind::of(child) {
                self.insert(kind, Component { element: child, context });
                continue;
            }
            if child.namespace.as_deref() != Some(XSD) {
                continue;
            }
            let other = || {
                let location = child.attribute(None, "schemaLocation")?;
                let index = documents.at(document, location)?;
                Some((index, &documents.get(index).root)).filter(|(_, root)| is_schema(root))
            };
            match child.name.as_str() {
                "include" => {
                    if let Some((index, root)) = other() {
                        self.add(documents, index, root, target);
                    }
                }
                "import" => {
                    if let Some((index, root)) = other() {
                        self.add(documents, index, root, None);
                    }
                }
                "redefine" | "override" => {
                    let redefines = child.name == "redefine";
                    for element in child.elements() {
                        if let Some(kind) = Kind::of(element) {
                            let context = Context { redefines, overrides: !redefines, ..context };
                            self.insert(kind, Component { element, context });
                        }
                    }
                    if let Some((index, root)) = other() {
                        self.add(documents, index, root, target);
                    }
                }
                _ => {}
            }
        }
    }

    fn insert(&mut self, kind: Kind, component: Component<'d>) {
        let Some(name) = component.element.attribute(None, "name") else { return };
        let key = (kind, QName::new(component.context.target, name.trim()));
        let changes = |one: &Component<'_>| one.context.redefines || one.context.overrides;
        match self.components.get(&key).copied() {
            Some(first) if changes(&first) && !changes(&component) => {
                self.originals.entry(key).or_insert(component);
            }
            // What it changes was read first, from another document that includes it.
            Some(first) if changes(&component) && !changes(&first) => {
                self.components.insert(key.clone(), component);
                self.originals.insert(key, first);
            }
            Some(_) => {}
            None => {
                self.components.insert(key, component);
            }
        }
    }

    /// Finds who stands for whom, and who is derived from whom.
    fn link(&mut self) {
        let mut names: Vec<_> = self.components.keys().cloned().collect();
        names.sort_by(|a, b| a.1.cmp(&b.1));
        for (kind, name) in names {
            let Component { element, context } = self.components[&(kind, name.clone())];
            match kind {
                Kind::Element => {
                    let heads = element.attribute(None, "substitutionGroup").unwrap_or_default();
                    for head in heads.split_ascii_whitespace() {
                        if let Ok(head) = context.qname(element, head) {
                            self.substitutes.entry(head).or_default().push(name.clone());
                        }
                    }
                }
                Kind::Type => {
                    let base = base_of(element).and_then(|(at, base)| context.qname(at, base).ok());
                    if let Some(base) = base.filter(|base| *base != name) {
                        self.derived.entry(base).or_default().push(name);
                    }
                }
                _ => {}
            }
        }
    }

    /// The component of that name, as `from` sees it: a redefinition that names itself, or has
    /// a reference to itself in it, means what it redefines (part 1 §4.2.4).
    pub(crate) fn find(
        &self,
        kind: Kind,
        name: &QName,
        from: Option<Component<'d>>,
    ) -> Option<Component<'d>> {
        let key = (kind, name.clone());
        let found = self.components.get(&key).copied()?;
        let itself = from
            .is_some_and(|from| from.context.redefines && contains(found.element, from.element));
        if itself { self.originals.get(&key).copied() } else { Some(found) }
    }

    /// The only component of that local name, whatever its namespace: what a reference with
    /// a wrong namespace can only mean.
    pub(crate) fn only(&self, kind: Kind, local: &str) -> Option<QName> {
        let mut found = self.components.keys().filter(|(k, n)| *k == kind && *n.local == *local);
        let first = found.next()?;
        found.next().is_none().then(|| first.1.clone())
    }

    /// The names of all components of that kind, in order.
    pub(crate) fn names(&self, kind: Kind) -> Vec<&QName> {
        let mut names: Vec<_> =
            self.components.keys().filter(|(k, _)| *k == kind).map(|(_, name)| name).collect();
        names.sort();
        names
    }

    /// The elements that may stand for another, its substitution group (part 1 §3.3.6.4).
    pub(crate) fn substitutes(&self, head: &QName) -> Vec<QName> {
        closure(&self.substitutes, head)
    }

    /// The named types that are derived from another.
    pub(crate) fn derived(&self, base: &QName) -> Vec<QName> {
        closure(&self.derived, base)
    }
}

fn closure(edges: &HashMap<QName, Vec<QName>>, from: &QName) -> Vec<QName> {
    let mut found: Vec<QName> = Vec::new();
    let mut seen = HashSet::from([from]);
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        for other in edges.get(name).into_iter().flatten() {
            if seen.insert(other) {
                found.push(other.clone());
                next.push(other);
            }
        }
    }
    found.sort();
    found
}

/// The base that a type definition names, and the element that names it.
fn base_of(definition: &Element) -> Option<(&Element, &str)> {
    let content = definition
        .child("complexContent")
        .or_else(|| definition.child("simpleContent"))
        .unwrap_or(definition);
    let derivation = content.child("extension").or_else(|| content.child("restriction"))?;
    Some((derivation, derivation.attribute(None, "base")?))
}

/// Whether an element is another, or stands somewhere in it.
fn contains(element: &Element, other: &Element) -> bool {
    std::ptr::eq(element, other) || element.elements().any(|child| contains(child, other))
}

fn is_schema(element: &Element) -> bool {
    element.name == "schema" && element.namespace.as_deref() == Some(XSD)
}
