//! Reading: elements as JSON values, by the schema and forgiving of it.
//!
//! What breaks the schema is kept as it came, and noted as drift: unknown elements, another
//! namespace, another order, values that are no value of their type.

use serde_json::{Map, Value};
use tollbridge_operation::Drift;
use tollbridge_xml::{Attribute, Element as Node, Node as Child, chars};

use super::{free, is_nil, local, meaningful, xml};
use crate::name::QName;
use crate::plan::{Array, Body, Complex, Content, Element, Leaf, TypeId, Types, Variant, Wildcard};
use crate::xsd::XSI;
use crate::xsd::builtin::{Builtin, builtin};
use crate::xsd::simple::{Simple, Variety};

/// Places of drift that are told. An answer that is all wrong needs no longer list.
const MAX_DRIFT: usize = 100;

/// One answer being read: where in it we are, and what was noted on the way.
pub(crate) struct Reading<'t> {
    types: &'t Types,
    /// SOAP encoding.
    encoded: bool,
    path: Vec<String>,
    drift: Vec<Drift>,
}

impl<'t> Reading<'t> {
    pub(crate) fn new(types: &'t Types) -> Self {
        Self { types, encoded: false, path: Vec::new(), drift: Vec::new() }
    }

    /// The answer is in SOAP's encoding, or it is not.
    pub(crate) fn encoded(mut self, encoded: bool) -> Self {
        self.encoded = encoded;
        self
    }

    /// What was noted.
    pub(crate) fn into_drift(self) -> Vec<Drift> {
        self.drift
    }

    /// Notes something about the place where we are.
    pub(crate) fn note(&mut self, message: impl Into<String>) {
        if self.drift.len() < MAX_DRIFT {
            let pointer = self.path.iter().fold(String::new(), |base, s| super::pointer(&base, s));
            self.drift.push(Drift { pointer, message: message.into() });
        }
    }

    fn note_at(&mut self, name: &str, message: impl Into<String>) {
        self.path.push(name.to_owned());
        self.note(message);
        self.path.pop();
    }

    /// Reads something one step further down.
    pub(crate) fn within<T>(&mut self, step: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step.to_owned());
        let value = read(self);
        self.path.pop();
        value
    }

    /// The value of an element.
    pub(crate) fn element(&mut self, node: &Node, element: &Element) -> Value {
        if is_nil(node) {
            if !element.nillable {
                self.note("expected a value, and nil came");
            }
            return Value::Null;
        }
        if let Some(variant) = element.substitute(node) {
            let value = self.typed(node, variant.ty, None);
            return tagged(variant, value);
        }
        self.typed(node, element.ty, element.default.as_deref())
    }

    fn typed(&mut self, node: &Node, id: TypeId, default: Option<&str>) -> Value {
        let types = self.types;
        match &types.get(id).body {
            Body::Anything => self.anything(node),
            Body::Simple(simple) => self.simple(node, simple, default),
            Body::Array(array) => self.array(node, array),
            Body::Broken(_) => free(node),
            Body::Complex(complex) => match variant(node, complex) {
                Some(variant) => match &types.get(variant.ty).body {
                    Body::Complex(derived) => tagged(variant, self.complex(node, derived, None)),
                    _ => free(node),
                },
                None => self.complex(node, complex, default),
            },
        }
    }

    fn anything(&mut self, node: &Node) -> Value {
        let named = node.attribute(Some(XSI), "type").map(|spelled| resolve(node, spelled));
        let simple = match named.as_ref().and_then(builtin) {
            Some(Builtin::Atomic(atomic)) => Simple::plain(Variety::Atomic(atomic)),
            _ => return free(node),
        };
        if node.elements().next().is_some() { free(node) } else { self.simple(node, &simple, None) }
    }

    fn simple(&mut self, node: &Node, simple: &Simple, default: Option<&str>) -> Value {
        if node.elements().next().is_some() {
            self.note("expected a simple value, and elements came");
            return free(node);
        }
        if node.attributes.iter().any(|a| a.namespace.is_none()) {
            self.note("expected a simple value, and attributes came with it; they are left out");
        }
        self.text(&node.text(), node, simple, default)
    }

    fn text(&mut self, text: &str, node: &Node, simple: &Simple, default: Option<&str>) -> Value {
        let text = if text.is_empty() { default.unwrap_or(text) } else { text };
        simple.read(text, &node.scope).unwrap_or_else(|expected| {
            self.note(format!("expected {expected}"));
            Value::String(text.to_owned())
        })
    }

    fn array(&mut self, node: &Node, array: &Array) -> Value {
        let mut items = Vec::new();
        for (index, child) in node.elements().enumerate() {
            let item = self.within(&index.to_string(), |reading| {
                if is_nil(child) { Value::Null } else { reading.element(child, &array.item) }
            });
            items.push(item);
        }
        Value::Array(items)
    }

    fn complex(&mut self, node: &Node, complex: &Complex, default: Option<&str>) -> Value {
        let bare = complex.attributes.is_empty() && complex.any_attribute.is_none();
        if let (Content::Simple(simple), true, false) =
            (&complex.content, bare, complex.is_polymorphic)
        {
            return self.simple(node, simple, default);
        }
        let mut object = Map::new();
        self.content(node, complex, &mut object);
        self.attributes(node, complex, &mut object);
        Value::Object(object)
    }

    /// The attributes of an element that its type knows, and those that it does not.
    pub(crate) fn attributes(
        &mut self,
        node: &Node,
        complex: &Complex,
        object: &mut Map<String, Value>,
    ) {
        for Attribute { name, namespace, value } in &node.attributes {
            let namespace = namespace.as_deref();
            if namespace.is_some_and(super::is_protocol) {
                continue;
            }
            let known = complex.attributes.iter().find(|attribute| {
                *attribute.name.local == **name && attribute.name.namespace.as_deref() == namespace
            });
            match known {
                Some(attribute) => {
                    let value = self.within(&attribute.key, |reading| {
                        reading.text(value, node, &attribute.simple, None)
                    });
                    object.insert(attribute.key.clone(), value);
                }
                None => {
                    let key = match namespace {
                        Some(uri) => format!("@{{{uri}}}{name}"),
                        None => format!("@{name}"),
                    };
                    if !complex.any_attribute.as_ref().is_some_and(|any| any.allows(namespace)) {
                        self.note_at(&key, "nothing is known of this attribute");
                    }
                    object.insert(key, Value::String(value.clone()));
                }
            }
        }
        for attribute in &complex.attributes {
            if object.contains_key(&attribute.key) {
                continue;
            }
            if let Some(said) = attribute.fixed.as_ref().or(attribute.default.as_ref()) {
                if let Ok(value) = attribute.simple.read(said, &node.scope) {
                    object.insert(attribute.key.clone(), value);
                }
            } else if attribute.required {
                self.note_at(&attribute.key, "expected, and absent");
            }
        }
    }

    /// What stands between an element's tags.
    pub(crate) fn content(
        &mut self,
        node: &Node,
        complex: &Complex,
        object: &mut Map<String, Value>,
    ) {
        match &complex.content {
            Content::Simple(simple) => {
                if node.elements().next().is_some() {
                    self.note("expected text, and elements came");
                }
                let text = node.text();
                let value = self.within("#text", |reading| reading.text(&text, node, simple, None));
                object.insert("#text".into(), value);
            }
            Content::Empty => self.members(node, (&[], &[]), false, object),
            Content::Elements { leaves, wildcards, mixed, .. } => {
                self.members(node, (leaves, wildcards), *mixed, object);
            }
        }
    }

    fn members(
        &mut self,
        node: &Node,
        (leaves, wildcards): (&[Leaf], &[(Wildcard, bool)]),
        mixed: bool,
        object: &mut Map<String, Value>,
    ) {
        let mut content = Vec::new();
        let mut last = 0;
        for child in &node.children {
            let child = match child {
                Child::Element(child) => child,
                Child::Text(text) if mixed => {
                    content.push(Value::String(text.clone()));
                    continue;
                }
                Child::Text(text) => {
                    if meaningful(text) {
                        self.note("expected elements alone, and text came");
                        put_text(object, text);
                    }
                    continue;
                }
            };
            match find(leaves, child, last) {
                Some((index, exact)) => {
                    let leaf = &leaves[index];
                    // Accessors of SOAP's encoding are in no namespace (SOAP 1.1 §5.1).
                    if !(exact || self.encoded && child.namespace.is_none()) {
                        self.note_at(&child.name, "it came in another namespace than expected");
                    }
                    if index < last && !leaf.ordered {
                        self.note_at(&child.name, "it came in another place than expected");
                    }
                    last = index;
                    if leaf.ordered {
                        let place = content.len().to_string();
                        let value = self.within("#content", |reading| {
                            reading.within(&place, |reading| reading.element(child, &leaf.element))
                        });
                        content.push(Value::Object(Map::from_iter([(
                            leaf.element.key().to_owned(),
                            value,
                        )])));
                    } else {
                        self.member(child, leaf, object);
                    }
                }
                None => match allowed(wildcards, child) {
                    Some(true) => {
                        let xml = Value::String(xml::text(child));
                        content.push(Value::Object(Map::from_iter([("#any".to_owned(), xml)])));
                    }
                    Some(false) => {
                        put(object, "#any".to_owned(), Value::String(xml::text(child)), true);
                    }
                    None => self.stranger(child, object),
                },
            }
        }
        if !content.is_empty() {
            object.insert("#content".into(), Value::Array(content));
        }
        for leaf in leaves.iter().filter(|leaf| leaf.required) {
            if !object.contains_key(leaf.element.key()) {
                self.note_at(leaf.element.key(), "expected, and absent");
            }
        }
    }

    fn member(&mut self, child: &Node, leaf: &Leaf, object: &mut Map<String, Value>) {
        let key = leaf.element.key().to_owned();
        let index = match object.get(&key) {
            Some(Value::Array(items)) if leaf.repeats => Some(items.len()),
            Some(_) => Some(1),
            None if leaf.repeats => Some(0),
            None => None,
        };
        self.path.push(key.clone());
        let depth = self.path.len();
        if let Some(index) = index {
            self.path.push(index.to_string());
        }
        if index.is_some() && !leaf.repeats {
            self.note("expected one, and several came");
        }
        let value = self.element(child, &leaf.element);
        self.path.truncate(depth - 1);
        put(object, key, value, leaf.repeats);
    }

    /// An element that the type does not know.
    fn stranger(&mut self, child: &Node, object: &mut Map<String, Value>) {
        self.note_at(&child.name, "nothing is known of this element");
        put(object, child.name.clone(), free(child), false);
    }
}

/// Whether a wildcard takes a child, and if so, whether it stands in `#content`.
fn allowed(wildcards: &[(Wildcard, bool)], child: &Node) -> Option<bool> {
    let namespace = child.namespace.as_deref();
    wildcards.iter().find(|(wildcard, _)| wildcard.allows(namespace)).map(|(_, ordered)| *ordered)
}

/// The leaf of a child, looked for from where the last one was, and whether its name is the
/// same to its namespace.
fn find(leaves: &[Leaf], child: &Node, from: usize) -> Option<(usize, bool)> {
    let named =
        |leaf: &Leaf| leaf.element.name.names(child) || leaf.element.substitute(child).is_some();
    let after = leaves[from.min(leaves.len())..].iter().position(named).map(|at| at + from);
    let exact = after.or_else(|| leaves.iter().position(named));
    exact.map(|index| (index, true)).or_else(|| {
        leaves
            .iter()
            .position(|leaf| *leaf.element.name.local == *child.name)
            .map(|index| (index, false))
    })
}

/// The derived type that an element says it has.
fn variant<'t>(node: &Node, complex: &'t Complex) -> Option<&'t Variant> {
    let spelled = node.attribute(Some(XSI), "type")?;
    let name = resolve(node, spelled);
    let found = complex.variants.iter().find(|variant| variant.name == name);
    // Services that get the namespace wrong still mean the type of that name.
    found.or_else(|| complex.variants.iter().find(|v| *v.name.local == *name.local))
}

fn tagged(variant: &Variant, value: Value) -> Value {
    let mut object = Map::new();
    object.insert("@type".into(), variant.label.clone().into());
    match value {
        Value::Object(members) => object.extend(members),
        text => {
            object.insert("#text".into(), text);
        }
    }
    Value::Object(object)
}

fn resolve(node: &Node, spelled: &str) -> QName {
    let spelled = spelled.trim_matches(chars::is_space);
    let prefix = spelled.split_once(':').map_or("", |(prefix, _)| prefix);
    QName::new(node.scope.namespace(prefix), local(spelled))
}

fn put_text(object: &mut Map<String, Value>, text: &str) {
    match object.get_mut("#text") {
        Some(Value::String(said)) => said.push_str(text),
        _ => {
            object.insert("#text".into(), text.into());
        }
    }
}

/// Adds a child; what comes again where one was expected becomes a list.
fn put(object: &mut Map<String, Value>, key: String, value: Value, repeats: bool) {
    match object.get_mut(&key) {
        Some(Value::Array(items)) if repeats => items.push(value),
        Some(Value::Array(items)) if items.last().is_some_and(|last| !last.is_array()) => {
            items.push(value);
        }
        Some(first) => *first = Value::Array(vec![first.take(), value]),
        None if repeats => {
            object.insert(key, Value::Array(vec![value]));
        }
        None => {
            object.insert(key, value);
        }
    }
}
