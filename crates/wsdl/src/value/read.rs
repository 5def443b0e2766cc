//! Reading: elements as JSON values, by the schema and forgiving of it.
//!
//! What breaks the schema is kept as it came, and noted as drift: unknown elements, another
//! namespace, another order, values that are no value of their type.

use serde_json::{Map, Value};
use tollbridge_operation::Drift;
use tollbridge_xml::{Attribute, Element as Node, chars};

use super::free::nil;
use super::identity::{self, Identities};
use super::{free, is_nil, local};
use crate::name::QName;
use crate::plan::{Array, Body, Complex, Content, Element, TypeId, Types, Variant};
use crate::xop::{Attachments, Unread};
use crate::xsd::builtin::{Atomic, Builtin, builtin};
use crate::xsd::simple::{Simple, Variety};
use crate::xsd::{SOAP_ENC, XSI};

/// Places of drift that are told. An answer that is all wrong needs no longer list.
const MAX_DRIFT: usize = 100;

/// Items that are not there, in all arrays of an answer.
const MAX_GAPS: usize = 10_000;

/// One answer being read: where in it we are, and what was noted on the way.
pub(crate) struct Reading<'t> {
    pub(super) types: &'t Types,
    /// SOAP encoding.
    pub(super) encoded: bool,
    pub(super) path: Vec<String>,
    drift: Vec<Drift>,
    /// Items of sparse arrays that may still be left out.
    gaps: usize,
    pub(super) ids: Identities,
    /// What came was copied to where it was referred to, its IDs among it.
    is_copied: bool,
    /// What is noted is asked for, and no value.
    pub(super) judges: bool,
    /// What came beside the envelope.
    pub(crate) attachments: Attachments<'t>,
}

impl<'t> Reading<'t> {
    pub(crate) fn new(types: &'t Types) -> Self {
        Self {
            types,
            encoded: false,
            path: Vec::new(),
            drift: Vec::new(),
            gaps: MAX_GAPS,
            ids: Identities::default(),
            is_copied: false,
            judges: false,
            attachments: Attachments::default(),
        }
    }

    /// A reading for what it notes alone.
    pub(super) fn judging(types: &'t Types) -> Self {
        Self { judges: true, ..Self::new(types) }
    }

    /// The answer has copies in it.
    pub(crate) fn copied(mut self, is_copied: bool) -> Self {
        self.is_copied = is_copied;
        self
    }

    /// The answer is in SOAP's encoding, or it is not.
    pub(crate) fn encoded(mut self, encoded: bool) -> Self {
        self.encoded = encoded;
        self
    }

    /// Notes each reference that names nothing in the message, which is read to its end.
    pub(crate) fn settle(&mut self) {
        let dangling: Vec<Drift> = self
            .ids
            .dangling()
            .take(MAX_DRIFT.saturating_sub(self.drift.len()))
            .map(|reference| Drift {
                pointer: reference.at.clone(),
                message: format!("expected {}", identity::EXPECTED),
            })
            .collect();
        self.drift.extend(dangling);
    }

    /// What was noted.
    pub(crate) fn into_drift(self) -> Vec<Drift> {
        self.drift
    }

    /// Notes something about the place where we are.
    pub(crate) fn note(&mut self, message: impl Into<String>) {
        if self.drift.len() < MAX_DRIFT {
            let pointer = pointer(&self.path);
            self.drift.push(Drift { pointer, message: message.into() });
        }
    }

    pub(super) fn note_at(&mut self, name: &str, message: impl Into<String>) {
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
            return self.nil(node, element);
        }
        if let Some(variant) = element.substitute(node) {
            let value = self.typed(node, variant.ty, None);
            return tagged(variant, value);
        }
        let default = element.fixed.as_deref().or(element.default.as_deref());
        let value = self.typed(node, element.ty, default);
        if let Some(fixed) = element.fixed.as_deref()
            && let Some(simple) = self.types.simple_of(element.ty)
        {
            let text = node.text();
            if !text.is_empty() && !simple.is_same(&text, fixed) {
                self.note(format!("expected {fixed}, which is fixed"));
            }
        }
        value
    }

    /// `null`; with what its attributes say beside what its type fixes, an object.
    fn nil(&mut self, node: &Node, element: &Element) -> Value {
        let types = self.types;
        let complex = match &types.get(element.ty).body {
            Body::Complex(complex) => complex,
            Body::Anything => return free(node),
            _ => return Value::Null,
        };
        let (complex, variant) = match variant(node, complex) {
            None => (complex, None),
            Some(variant) => match &types.get(variant.ty).body {
                Body::Complex(derived) => (derived, Some(variant)),
                _ => return Value::Null,
            },
        };
        let is_fixed = |attribute: &Attribute| {
            let namespace = attribute.namespace.as_deref();
            namespace.is_some_and(super::is_protocol)
                || complex.attributes.iter().any(|known| {
                    known.names(&attribute.name, namespace)
                        && known
                            .fixed
                            .as_ref()
                            .is_some_and(|fixed| known.simple.is_same(&attribute.value, fixed))
                })
        };
        if node.attributes.iter().all(is_fixed) {
            return Value::Null;
        }
        let mut said = Map::new();
        if let Some(variant) = variant {
            said.insert("@type".into(), variant.label.clone().into());
        }
        self.attributes(node, complex, &mut said);
        nil(said)
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
        self.ids.is_open = true;
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
        if matches!(simple.variety, Variety::Atomic(Atomic::Attached)) && !self.judges {
            return self.attached(text);
        }
        let value = simple.read(text, &node.scope).unwrap_or_else(|expected| {
            self.note(format!("expected {expected}"));
            Value::String(text.to_owned())
        });
        if !self.encoded && !self.is_copied {
            let path = &self.path;
            if let Err(expected) = self.ids.note(simple, text, || pointer(path)) {
                self.note(format!("expected {expected}"));
            }
        }
        value
    }

    /// The bytes of the part that a `swaRef` names; the reference, where it did not come.
    fn attached(&mut self, href: &str) -> Value {
        let href = href.trim_matches(chars::is_space);
        match self.attachments.referred(href) {
            Ok(encoded) => encoded.into(),
            Err(Unread::NotThere) => {
                self.note("expected a reference to a part that came");
                href.into()
            }
            Err(Unread::TooOften) => {
                self.note("parts are referred to more often than is read");
                href.into()
            }
        }
    }

    fn array(&mut self, node: &Node, array: &Array) -> Value {
        let said = |node: &Node, name: &str| {
            let place = node.attribute(Some(SOAP_ENC), name)?;
            let place = place.trim_matches(chars::is_space);
            place.strip_prefix('[')?.strip_suffix(']')?.parse::<usize>().ok()
        };
        let size = node.attribute(Some(SOAP_ENC), "arrayType").and_then(|ty| ty.rsplit_once('['));
        if size.is_some_and(|(_, size)| size.contains(',')) {
            self.note("an array of several dimensions came; its items stand in one list");
        }
        let mut items = Vec::new();
        let mut place = said(node, "offset");
        for child in node.elements() {
            // What a sparse array does not transmit is null (SOAP 1.1 §5.4.2.1 and §5.4.2.2).
            match said(child, "position").or(place.take()) {
                Some(place) if (items.len()..=items.len() + self.gaps).contains(&place) => {
                    self.gaps -= place - items.len();
                    items.resize(place, Value::Null);
                }
                Some(_) => self.note("an item came out of its place, which is not kept"),
                None => {}
            }
            let item = self.within(&items.len().to_string(), |reading| {
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
            let known = complex.attributes.iter().find(|one| one.names(name, namespace));
            match known {
                Some(attribute) => {
                    let value = self.within(&attribute.key, |reading| {
                        if let Some(fixed) = &attribute.fixed
                            && !attribute.simple.is_same(value, fixed)
                        {
                            reading.note(format!("expected {fixed}, which is fixed"));
                        }
                        reading.text(value, node, &attribute.simple, None)
                    });
                    object.insert(attribute.key.clone(), value);
                }
                None => {
                    let key = match namespace {
                        Some(uri) => format!("@{{{uri}}}{name}"),
                        None => format!("@{name}"),
                    };
                    let any = complex.any_attribute.as_ref();
                    match any.filter(|any| any.allows_name(namespace, name)) {
                        None => self.note_at(&key, "nothing is known of this attribute"),
                        Some(any) if !any.skips => {
                            if let Some(simple) = self.types.declared_attribute(namespace, name)
                                && let Err(expected) = simple.read(value, &node.scope)
                            {
                                self.note_at(&key, format!("expected {expected}"));
                            }
                        }
                        Some(_) => {}
                    }
                    self.ids.is_open = true;
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
}

fn pointer(path: &[String]) -> String {
    path.iter().fold(String::new(), |base, step| super::pointer(&base, step))
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
