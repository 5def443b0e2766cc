//! Writing: JSON values as elements, in the order and under the names that the schema wants.
//!
//! Writing is strict: what the schema does not know is refused, with a JSON pointer and what
//! was expected there.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use tollbridge_operation::EncodeError;
use tollbridge_xml::{Scope, XmlWriter, chars};

use super::pointer;
use crate::mime;
use crate::name::QName;
use crate::plan::{
    Array, Body, Complex, Content, Element, Particle, Term, TypeId, Types, UNBOUNDED,
};
use crate::xop::XOP;
use crate::xsd::builtin::Atomic;
use crate::xsd::simple::{Prefixes, Simple, Variety};
use crate::xsd::{SOAP_ENC, XSD, XSI};

/// Members that an error names.
pub(super) const MAX_NAMED: usize = 20;

/// A message's elements in the making, and the prefixes that they use.
pub(crate) struct Writer<'t> {
    types: &'t Types,
    pub(super) xml: XmlWriter,
    pub(super) names: Names,
    /// SOAP encoding: each element says its type (SOAP 1.1 §5.1).
    pub(super) encoded: bool,
    /// Attributes that the next element gets beside its own.
    pub(crate) beside: Attributes,
    /// Bytes that travel beside the envelope; `None` where they stand in it as base64.
    pub(crate) apart: Option<Vec<Vec<u8>>>,
}

/// The prefixes of a message, declared at its root.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<String>);

impl Names {
    /// Prefixes with their namespaces.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (String, &str)> {
        self.0.iter().enumerate().map(|(index, uri)| (format!("n{}", index + 1), uri.as_str()))
    }

    /// The name as it is written. Nothing binds the default namespace, so a name without a
    /// prefix is in none.
    pub(crate) fn qualified(&mut self, name: &QName) -> String {
        match name.namespace.as_deref() {
            Some(namespace) => format!("{}:{}", self.prefix(namespace), name.local),
            None => name.local.to_string(),
        }
    }
}

impl Prefixes for Names {
    fn prefix(&mut self, namespace: &str) -> String {
        match namespace {
            XSI => return "xsi".to_owned(),
            tollbridge_xml::XML_NAMESPACE => return "xml".to_owned(),
            _ => {}
        }
        let index = self.0.iter().position(|uri| uri == namespace).unwrap_or_else(|| {
            self.0.push(namespace.to_owned());
            self.0.len() - 1
        });
        format!("n{}", index + 1)
    }
}

pub(crate) type Attributes = Vec<(String, String)>;
pub(crate) type Written = Result<(), EncodeError>;

pub(super) fn refused(pointer: &str, expected: impl Into<String>) -> EncodeError {
    EncodeError { pointer: pointer.to_owned(), expected: expected.into() }
}

impl<'t> Writer<'t> {
    pub(crate) fn new(types: &'t Types, names: Names, encoded: bool) -> Self {
        Self {
            types,
            xml: XmlWriter::fragment(),
            names,
            encoded,
            beside: Attributes::new(),
            apart: None,
        }
    }

    /// What was written, and the prefixes that whoever writes the root must declare.
    pub(crate) fn finish(self) -> (Vec<u8>, Names) {
        (self.xml.finish(), self.names)
    }

    /// Begins an element of nobody's schema, such as the wrapper of an rpc message.
    pub(crate) fn start(&mut self, name: &QName, attributes: &[(&str, &str)]) -> String {
        let tag = self.names.qualified(name);
        let beside = std::mem::take(&mut self.beside);
        let beside = beside.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<(&str, &str)> = attributes.iter().copied().chain(beside).collect();
        self.xml.start(&tag, &all);
        tag
    }

    /// Writes an element of nobody's schema with text in it.
    pub(crate) fn leaf_of(
        &mut self,
        name: &QName,
        attributes: &[(&str, &str)],
        text: &str,
        at: &str,
    ) -> Written {
        let tag = self.start(name, attributes);
        self.text(text, at)?;
        self.xml.end(&tag);
        Ok(())
    }

    pub(crate) fn end(&mut self, tag: &str) {
        self.xml.end(tag);
    }

    /// Writes one element that holds `value`.
    pub(crate) fn element(&mut self, element: &Element, value: &Value, at: &str) -> Written {
        if value.is_null() {
            return self.nil(element, at);
        }
        let spelled = value.get("@type").and_then(Value::as_str);
        let substitute = spelled
            .and_then(|label| element.substitutes.iter().find(|variant| variant.label == label));
        if let (Some(variant), Value::Object(object)) = (substitute, value) {
            let mut object = object.clone();
            object.shift_remove("@type");
            return match &self.types.get(variant.ty).body {
                Body::Complex(_) => {
                    self.typed(&variant.name, variant.ty, &Value::Object(object), at)
                }
                _ => {
                    let text = object.get("#text").cloned().unwrap_or_default();
                    self.typed(&variant.name, variant.ty, &text, at)
                }
            };
        }
        if element.is_abstract {
            let labels: Vec<&str> = element.substitutes.iter().map(|v| v.label.as_str()).collect();
            let expected = format!("an object whose @type is one of: {}", labels.join(", "));
            return Err(refused(at, expected));
        }
        if let (Some(fixed), Some(simple)) = (&element.fixed, self.simple_of(element.ty)) {
            let text = value.get("#text").unwrap_or(value);
            let said = simple.write(text, &mut self.names).map_err(|e| refused(at, e))?;
            if !simple.is_same(&said, fixed) {
                return Err(refused(at, format!("{fixed}, which is fixed")));
            }
        }
        self.typed(&element.name, element.ty, value, at)
    }

    /// A nil element has the attributes of its type, and no abstract one (part 1 §3.3.4).
    fn nil(&mut self, element: &Element, at: &str) -> Written {
        let types = self.types;
        let Some((variant, complex)) = types.nil(element) else {
            return Err(refused(at, "a value; null is not allowed here"));
        };
        let mut attributes = self.xsi_type(variant.map(|variant| &variant.name));
        attributes.push(("xsi:nil".to_owned(), "true".to_owned()));
        if let Some(complex) = complex {
            self.attributes(complex, &Map::new(), &mut attributes, at)?;
        }
        let tag = self.names.qualified(&element.name);
        let attributes: Vec<(&str, &str)> =
            attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.xml.empty(&tag, &attributes);
        Ok(())
    }

    fn simple_of(&self, id: TypeId) -> Option<Arc<Simple>> {
        match &self.types.get(id).body {
            Body::Simple(simple) => Some(Arc::clone(simple)),
            Body::Complex(Complex { content: Content::Simple(simple), .. }) => {
                Some(Arc::clone(simple))
            }
            _ => None,
        }
    }

    fn typed(&mut self, name: &QName, id: TypeId, value: &Value, at: &str) -> Written {
        let types = self.types;
        let ty = types.get(id);
        match &ty.body {
            Body::Anything => self.anything(name, value, at),
            Body::Broken(fault) => Err(refused(at, format!("nothing: {}", fault.reason))),
            Body::Simple(simple) => {
                let attributes = self.xsi_type(ty.name.as_ref().filter(|_| self.encoded));
                self.leaf(name, simple, value, &attributes, at)
            }
            Body::Array(array) => self.array(name, ty.name.as_ref(), array, value, at),
            Body::Complex(complex) => {
                let spelled = value.get("@type").and_then(Value::as_str);
                let own = ty.name.as_ref().map(|own| &*own.local);
                let variant = match spelled {
                    Some(label) if complex.is_polymorphic && Some(label) != own => {
                        let found = complex.variants.iter().find(|variant| variant.label == label);
                        Some(found.ok_or_else(|| {
                            let mut labels: Vec<&str> =
                                complex.variants.iter().map(|v| v.label.as_str()).collect();
                            labels.extend(own.filter(|_| !complex.is_abstract));
                            refused(&pointer(at, "@type"), format!("one of: {}", labels.join(", ")))
                        })?)
                    }
                    _ => None,
                };
                let (complex, said) = match variant {
                    Some(variant) => match &types.get(variant.ty).body {
                        Body::Complex(derived) => (derived, Some(&variant.name)),
                        _ => return Err(refused(at, "a type that can be sent")),
                    },
                    None if complex.is_abstract => {
                        let labels: Vec<&str> =
                            complex.variants.iter().map(|v| v.label.as_str()).collect();
                        let expected = format!("one of: {}", labels.join(", "));
                        return Err(refused(&pointer(at, "@type"), expected));
                    }
                    None => (complex, ty.name.as_ref().filter(|_| self.encoded)),
                };
                let attributes = self.xsi_type(said);
                self.complex(name, complex, value, attributes, at)
            }
        }
    }

    pub(super) fn xsi_type(&mut self, name: Option<&QName>) -> Attributes {
        name.map(|name| ("xsi:type".to_owned(), self.names.qualified(name))).into_iter().collect()
    }

    fn leaf(
        &mut self,
        name: &QName,
        simple: &Simple,
        value: &Value,
        attributes: &Attributes,
        at: &str,
    ) -> Written {
        let text = simple.write(value, &mut self.names).map_err(|e| refused(at, e))?;
        let tag = self.open(name, attributes);
        self.value(simple, &text, at)?;
        self.xml.end(&tag);
        Ok(())
    }

    /// A simple value, or the reference to it where it is bytes that travel apart: XOP §3.1
    /// takes only what is base64 in its one canonical form.
    fn value(&mut self, simple: &Simple, text: &str, at: &str) -> Written {
        let bytes = match (&self.apart, &simple.variety) {
            (Some(_), Variety::Atomic(Atomic::Base64)) => STANDARD.decode(text).ok(),
            _ => None,
        };
        match (bytes.filter(|bytes| !bytes.is_empty()), &mut self.apart) {
            (Some(bytes), Some(apart)) => {
                let href = format!("cid:{}", mime::part_id(apart.len()));
                apart.push(bytes);
                let tag = self.names.qualified(&QName::new(Some(XOP), "Include"));
                self.xml.empty(&tag, &[("href", &href)]);
                Ok(())
            }
            _ => self.text(text, at),
        }
    }

    pub(super) fn text(&mut self, text: &str, at: &str) -> Written {
        self.xml
            .text(text)
            .map_err(|_| refused(at, "text without control characters: XML has none"))
    }

    pub(super) fn open(&mut self, name: &QName, attributes: &Attributes) -> String {
        let tag = self.names.qualified(name);
        let beside = std::mem::take(&mut self.beside);
        let attributes: Vec<(&str, &str)> = attributes
            .iter()
            .chain(&beside)
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.xml.start(&tag, &attributes);
        tag
    }

    /// SOAP 1.1 §5.4.2. `own` is the array's type where the schema names one: an element of it
    /// cannot be of its base, `Array` (XML Schema part 1 §3.3.4, cvc-elt 4.3).
    fn array(
        &mut self,
        name: &QName,
        own: Option<&QName>,
        array: &Array,
        value: &Value,
        at: &str,
    ) -> Written {
        let items = value.as_array().ok_or_else(|| refused(at, "a list"))?;
        let mut attributes = Attributes::new();
        if self.encoded {
            let array_name = QName::new(Some(SOAP_ENC), "Array");
            attributes.extend(self.xsi_type(Some(own.unwrap_or(&array_name))));
            let any = QName::new(Some(XSD), "anyType");
            let item = self.names.qualified(array.item_type.as_ref().unwrap_or(&any));
            let prefix = self.names.prefix(SOAP_ENC);
            attributes.push((format!("{prefix}:arrayType"), format!("{item}[{}]", items.len())));
        }
        let tag = self.open(name, &attributes);
        for (index, item) in items.iter().enumerate() {
            let at = format!("{at}/{index}");
            if item.is_null() {
                // A place in an array may be empty, whatever its type (§5.4.2).
                let tag = self.names.qualified(&array.item.name);
                self.xml.empty(&tag, &[("xsi:nil", "true")]);
            } else {
                self.element(&array.item, item, &at)?;
            }
        }
        self.xml.end(&tag);
        Ok(())
    }

    fn complex(
        &mut self,
        name: &QName,
        complex: &Complex,
        value: &Value,
        mut attributes: Attributes,
        at: &str,
    ) -> Written {
        let empty = Map::new();
        let object = match (value, &complex.content) {
            (Value::Object(object), _) => object,
            (scalar, Content::Simple(simple)) if complex.attributes.iter().all(|a| !a.required) => {
                return self.leaf(name, simple, scalar, &attributes, at);
            }
            (Value::String(text), Content::Empty) if text.is_empty() => &empty,
            _ => return Err(refused(at, "an object")),
        };
        known(complex, object, at)?;
        self.attributes(complex, object, &mut attributes, at)?;
        let tag = self.open(name, &attributes);
        self.content(complex, object, at)?;
        self.xml.end(&tag);
        Ok(())
    }

    /// The attributes of a complex value.
    pub(crate) fn attributes(
        &mut self,
        complex: &Complex,
        object: &Map<String, Value>,
        attributes: &mut Attributes,
        at: &str,
    ) -> Written {
        for attribute in &complex.attributes {
            let here = pointer(at, &attribute.key);
            let text = match (object.get(&attribute.key), &attribute.fixed) {
                (Some(value), fixed) => {
                    let text = attribute
                        .simple
                        .write(value, &mut self.names)
                        .map_err(|expected| refused(&here, expected))?;
                    if let Some(fixed) =
                        fixed.as_ref().filter(|fixed| !attribute.simple.is_same(&text, fixed))
                    {
                        return Err(refused(&here, format!("{fixed}, which is fixed")));
                    }
                    text
                }
                (None, Some(fixed)) if attribute.required => fixed.clone(),
                (None, _) if attribute.required => return Err(refused(&here, "a value")),
                (None, _) => continue,
            };
            if !text.chars().all(chars::is_xml) {
                return Err(refused(&here, "text without control characters: XML has none"));
            }
            attributes.push((self.names.qualified(&attribute.name), text));
        }
        for (key, value) in object {
            let is_known = complex.attributes.iter().any(|attribute| attribute.key == *key);
            if is_known || !is_foreign(complex, key) {
                continue;
            }
            let here = pointer(at, key);
            let name =
                foreign_name(key).ok_or_else(|| refused(&here, "a name @{namespace}local"))?;
            if !complex
                .any_attribute
                .as_ref()
                .is_some_and(|any| any.allows(name.namespace.as_deref()))
            {
                let expected = "an attribute of a namespace that the schema allows here";
                return Err(refused(&here, expected));
            }
            let text = value.as_str().filter(|text| text.chars().all(chars::is_xml));
            let text = text.ok_or_else(|| refused(&here, "text"))?.to_owned();
            attributes.push((self.names.qualified(&name), text));
        }
        Ok(())
    }

    /// What stands between the tags of a complex value.
    pub(crate) fn content(
        &mut self,
        complex: &Complex,
        object: &Map<String, Value>,
        at: &str,
    ) -> Written {
        match &complex.content {
            Content::Empty => Ok(()),
            Content::Simple(simple) => {
                let here = pointer(at, "#text");
                let value = object.get("#text").cloned().unwrap_or_else(|| "".into());
                let text = simple.write(&value, &mut self.names).map_err(|e| refused(&here, e))?;
                self.value(simple, &text, &here)
            }
            Content::Elements { particle, mixed, .. } => {
                self.particle(particle, *mixed, object, at)
            }
        }
    }

    fn particle(
        &mut self,
        particle: &Particle,
        mixed: bool,
        object: &Map<String, Value>,
        at: &str,
    ) -> Written {
        match &particle.term {
            Term::Element(element) => self.member(particle, element, object, at),
            Term::Sequence(parts) | Term::All(parts) => {
                if particle.least == 0 && !is_present(particle, object) {
                    return Ok(());
                }
                parts.iter().try_for_each(|part| self.particle(part, mixed, object, at))
            }
            Term::Choice(parts) => {
                let present: Vec<&Particle> =
                    parts.iter().filter(|part| is_present(part, object)).collect();
                let chosen = match present.as_slice() {
                    [] if particle.is_emptiable() => return Ok(()),
                    [] => {
                        let named = keys(particle).join(", ");
                        return Err(refused(at, format!("one of: {named}")));
                    }
                    [one] => *one,
                    several => {
                        let all: Vec<&str> = keys(particle);
                        let given = |part: &&&Particle| {
                            let own = keys(part);
                            all.iter().all(|key| !object.contains_key(*key) || own.contains(key))
                                && is_satisfied(part, object)
                        };
                        *several.iter().find(given).ok_or_else(|| {
                            let given: Vec<&str> =
                                all.iter().copied().filter(|k| object.contains_key(*k)).collect();
                            refused(at, format!("only one of: {}", given.join(", ")))
                        })?
                    }
                };
                self.particle(chosen, mixed, object, at)
            }
            Term::Any(wildcard) => {
                let here = pointer(at, "#any");
                let empty = Vec::new();
                let items = match object.get("#any") {
                    None => &empty,
                    Some(value) => {
                        value.as_array().ok_or_else(|| refused(&here, "a list of XML texts"))?
                    }
                };
                count(particle, items.len(), &here)?;
                for (index, item) in items.iter().enumerate() {
                    self.foreign(wildcard, item, &format!("{here}/{index}"))?;
                }
                Ok(())
            }
            Term::Ordered(inner) => {
                let here = pointer(at, "#content");
                let empty = Vec::new();
                let items = match object.get("#content") {
                    None if particle.least == 0 || inner.is_emptiable() => &empty,
                    None => return Err(refused(&here, "a list")),
                    Some(value) => value.as_array().ok_or_else(|| refused(&here, "a list"))?,
                };
                let mut place = 0;
                self.ordered(inner, mixed, items, &mut place, &here)?;
                self.words(mixed, items, &mut place, &here)?;
                match items.get(place) {
                    None => Ok(()),
                    Some(_) => {
                        Err(refused(&format!("{here}/{place}"), "nothing more in this place"))
                    }
                }
            }
        }
    }

    fn member(
        &mut self,
        particle: &Particle,
        element: &Element,
        object: &Map<String, Value>,
        at: &str,
    ) -> Written {
        let here = pointer(at, element.key());
        match object.get(element.key()) {
            None if particle.least == 0 => Ok(()),
            None => match &element.fixed {
                Some(fixed) => {
                    let value = self
                        .simple_of(element.ty)
                        .and_then(|simple| simple.read(fixed, &Scope::default()).ok());
                    let value = value.unwrap_or_else(|| Value::String(fixed.clone()));
                    self.element(element, &value, &here)
                }
                None => Err(refused(&here, "a value")),
            },
            Some(value) if particle.most > 1 => {
                let items = value.as_array().ok_or_else(|| refused(&here, "a list"))?;
                count(particle, items.len(), &here)?;
                for (index, item) in items.iter().enumerate() {
                    self.element(element, item, &format!("{here}/{index}"))?;
                }
                Ok(())
            }
            Some(value) => self.element(element, value, &here),
        }
    }
}

/// Whether a member is an attribute that only a wildcard lets in: `@{namespace}name`, or
/// `@name` where attributes without a namespace are let in too.
fn is_foreign(complex: &Complex, key: &str) -> bool {
    let Some(any) = &complex.any_attribute else { return false };
    match key.strip_prefix('@') {
        Some(spelled) if spelled.starts_with('{') => true,
        Some("type") if complex.is_polymorphic => false,
        Some(_) => any.allows(None),
        None => false,
    }
}

/// The name that such a member spells.
fn foreign_name(key: &str) -> Option<QName> {
    let spelled = key.strip_prefix('@')?;
    let (namespace, local) = match spelled.strip_prefix('{') {
        Some(rest) => {
            let (uri, local) = rest.split_once('}')?;
            (
                Some(uri).filter(|uri| !uri.is_empty() && uri.chars().all(chars::is_xml))?.into(),
                local,
            )
        }
        None => (None, spelled),
    };
    chars::is_nc_name(local).then(|| QName::new(namespace, local))
}

/// Refuses members that the type does not have.
pub(crate) fn known(complex: &Complex, object: &Map<String, Value>, at: &str) -> Written {
    let mut named: Vec<&str> = complex.attributes.iter().map(|a| a.key.as_str()).collect();
    match &complex.content {
        Content::Empty => {}
        Content::Simple(_) => named.push("#text"),
        Content::Elements { particle, .. } => named.extend(keys(particle)),
    }
    let stranger = object.keys().find(|key| {
        let by_type = complex.is_polymorphic && *key == "@type";
        !(by_type || is_foreign(complex, key) || named.contains(&key.as_str()))
    });
    match stranger {
        None => Ok(()),
        Some(stranger) => {
            named.truncate(MAX_NAMED);
            let expected = format!("no such member; there are: {}", named.join(", "));
            Err(refused(&pointer(at, stranger), expected))
        }
    }
}

fn count(particle: &Particle, given: usize, at: &str) -> Written {
    let given = u32::try_from(given).unwrap_or(UNBOUNDED);
    if given < particle.least {
        return Err(refused(at, format!("a list of at least {}", particle.least)));
    }
    if given > particle.most {
        return Err(refused(at, format!("a list of at most {}", particle.most)));
    }
    Ok(())
}

/// The members that a particle may be written from.
pub(super) fn keys(particle: &Particle) -> Vec<&str> {
    match &particle.term {
        Term::Element(element) => vec![element.key()],
        Term::Any(_) => vec!["#any"],
        Term::Ordered(_) => vec!["#content"],
        Term::Sequence(parts) | Term::Choice(parts) | Term::All(parts) => {
            parts.iter().flat_map(keys).collect()
        }
    }
}

fn is_present(particle: &Particle, object: &Map<String, Value>) -> bool {
    keys(particle).iter().any(|key| object.contains_key(*key))
}

/// Whether all that the particle demands is there.
fn is_satisfied(particle: &Particle, object: &Map<String, Value>) -> bool {
    match &particle.term {
        Term::Sequence(parts) | Term::All(parts) => {
            (particle.least == 0 && !is_present(particle, object))
                || parts.iter().all(|part| is_satisfied(part, object))
        }
        Term::Choice(parts) => {
            particle.is_emptiable() || parts.iter().any(|part| is_satisfied(part, object))
        }
        Term::Element(_) | Term::Any(_) | Term::Ordered(_) => {
            particle.is_emptiable() || is_present(particle, object)
        }
    }
}
