//! Writing: JSON values as elements, in the order and under the names that the schema wants.
//!
//! Writing is strict: what the schema does not know is refused, with a JSON pointer and what
//! was expected there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use tollbridge_operation::EncodeError;
use tollbridge_xml::XmlWriter;

use super::content::known;
use super::{Names, pointer};
use crate::mime::{self, Outgoing};
use crate::name::QName;
use crate::plan::{Array, Body, Complex, Content, Element, TypeId, Types};
use crate::xop::XOP;
use crate::xsd::builtin::Atomic;
use crate::xsd::simple::{Prefixes, Simple, Variety};
use crate::xsd::{SOAP_ENC, XSD};

/// Members that an error names.
pub(super) const MAX_NAMED: usize = 20;

/// A message's elements in the making, and the prefixes that they use.
pub(crate) struct Writer<'t> {
    pub(super) types: &'t Types,
    pub(super) xml: XmlWriter,
    pub(super) names: Names,
    /// SOAP encoding: each element says its type (SOAP 1.1 §5.1).
    pub(super) encoded: bool,
    /// Attributes that the next element gets beside its own.
    pub(crate) beside: Attributes,
    /// What travels beside the envelope.
    pub(crate) apart: Apart,
}

/// Parts of a message beside its envelope.
#[derive(Debug, Default)]
pub(crate) struct Apart {
    /// All bytes travel there (XOP), and not only what is `swaRef` or a part of the WSDL's.
    pub(crate) is_optimised: bool,
    pub(crate) parts: Vec<Outgoing>,
}

impl Apart {
    /// Puts bytes there, and gives the URL that refers to them.
    fn put(&mut self, bytes: Vec<u8>) -> String {
        let id = mime::part_id(self.parts.len());
        let href = format!("cid:{id}");
        let content_type = "application/octet-stream".to_owned();
        self.parts.push(Outgoing { id, content_type, bytes });
        href
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
            apart: Apart::default(),
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
        if value.get("#nil") == Some(&Value::Bool(true)) && element.nillable {
            return self.nil_with(element, value, at);
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
        if let (Some(fixed), Some(simple)) = (&element.fixed, self.types.simple_of(element.ty)) {
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

    /// A nil element that says more than that: the attributes of its type, and which type.
    fn nil_with(&mut self, element: &Element, value: &Value, at: &str) -> Written {
        let types = self.types;
        let mut said = value.as_object().cloned().unwrap_or_default();
        said.shift_remove("#nil");
        let Body::Complex(complex) = &types.get(element.ty).body else {
            return Err(refused(at, "a value, or null"));
        };
        let own = types.get(element.ty).name.as_ref();
        let (complex, variant) = self.chosen(complex, own, value, at)?;
        said.retain(|key, _| !(complex.is_polymorphic && key == "@type"));
        if let Some(stranger) = said.keys().find(|key| !key.starts_with('@')) {
            return Err(refused(&pointer(at, stranger), "nothing beside #nil but attributes"));
        }
        known(complex, &said, at)?;
        let mut attributes = self.xsi_type(variant);
        attributes.push(("xsi:nil".to_owned(), "true".to_owned()));
        self.attributes(complex, &said, &mut attributes, at)?;
        let tag = self.open(&element.name, &attributes);
        self.xml.end(&tag);
        Ok(())
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
                let (complex, said) = self.chosen(complex, ty.name.as_ref(), value, at)?;
                let said = said.or(ty.name.as_ref().filter(|_| self.encoded));
                let attributes = self.xsi_type(said);
                self.complex(name, complex, value, attributes, at)
            }
        }
    }

    /// The type that a value says it is of, or its element's own; the name of a derived one.
    fn chosen(
        &self,
        complex: &'t Complex,
        own: Option<&QName>,
        value: &Value,
        at: &str,
    ) -> Result<(&'t Complex, Option<&'t QName>), EncodeError> {
        let types = self.types;
        let own = own.map(|own| &*own.local);
        let labels = || complex.variants.iter().map(|variant| variant.label.as_str());
        let refuse = |labels: Vec<&str>| {
            refused(&pointer(at, "@type"), format!("one of: {}", labels.join(", ")))
        };
        match value.get("@type").and_then(Value::as_str) {
            Some(label) if complex.is_polymorphic && Some(label) != own => {
                let found = complex.variants.iter().find(|variant| variant.label == label);
                let variant = found.ok_or_else(|| {
                    refuse(labels().chain(own.filter(|_| !complex.is_abstract)).collect())
                })?;
                match &types.get(variant.ty).body {
                    Body::Complex(derived) => Ok((derived, Some(&variant.name))),
                    _ => Err(refused(at, "a type that can be sent")),
                }
            }
            _ if complex.is_abstract => Err(refuse(labels().collect())),
            _ => Ok((complex, None)),
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
    pub(super) fn value(&mut self, simple: &Simple, text: &str, at: &str) -> Written {
        self.identify(simple, text, at)?;
        let bytes = match &simple.variety {
            Variety::Atomic(Atomic::Base64) if self.apart.is_optimised => {
                STANDARD.decode(text).ok()
            }
            Variety::Atomic(Atomic::Attached) => {
                let href = self.attached(simple, text);
                return self.text(&href, at);
            }
            _ => None,
        };
        match bytes.filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => {
                let href = self.apart.put(bytes);
                let tag = self.names.qualified(&QName::new(Some(XOP), "Include"));
                self.xml.empty(&tag, &[("href", &href)]);
                Ok(())
            }
            None => self.text(text, at),
        }
    }

    /// A value as it stands on the wire: that of a `swaRef` goes beside the envelope.
    pub(super) fn attached(&mut self, simple: &Simple, text: &str) -> String {
        match &simple.variety {
            Variety::Atomic(Atomic::Attached) => {
                self.apart.put(simple.octets(text).unwrap_or_default())
            }
            _ => text.to_owned(),
        }
    }

    /// Takes note of the IDs in a value, each of which stands once.
    pub(super) fn identify(&mut self, simple: &Simple, text: &str, at: &str) -> Written {
        let noted = self.names.ids.note(simple, text, || at.to_owned());
        noted.map_err(|expected| refused(at, expected))
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
}
