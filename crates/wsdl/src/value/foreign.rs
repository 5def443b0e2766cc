//! What no type tells how to write: elements of other schemas, and `xs:anyType`.

use serde_json::Value;
use tollbridge_xml::{Node, chars};

use super::pointer;
use super::write::{Attributes, Writer, Written, refused};
use crate::name::QName;
use crate::plan::Wildcard;
use crate::xsd::XSD;

impl Writer<'_> {
    /// An element of another schema, given as XML.
    pub(super) fn foreign(&mut self, wildcard: &Wildcard, value: &Value, at: &str) -> Written {
        let text = value.as_str().ok_or_else(|| refused(at, "an element as XML, in a string"))?;
        let element = tollbridge_xml::parse(text.as_bytes())
            .map_err(|error| refused(at, format!("an element as XML, in a string: {error}")))?;
        if !wildcard.allows(element.namespace.as_deref()) {
            return Err(refused(at, "an element of a namespace that the schema allows here"));
        }
        self.tree(&element, at)
    }

    fn tree(&mut self, element: &tollbridge_xml::Element, at: &str) -> Written {
        let name = QName::new(element.namespace.as_deref(), &element.name);
        let mut attributes = Attributes::new();
        for attribute in &element.attributes {
            let name = QName::new(attribute.namespace.as_deref(), &attribute.name);
            attributes.push((self.names.qualified(&name), attribute.value.clone()));
        }
        let tag = self.open(&name, &attributes);
        for child in &element.children {
            match child {
                Node::Text(text) => self.text(text, at)?,
                Node::Element(child) => self.tree(child, at)?,
            }
        }
        self.xml.end(&tag);
        Ok(())
    }

    /// A value of `xs:anyType`: text, or elements by their names.
    pub(crate) fn anything(&mut self, name: &QName, value: &Value, at: &str) -> Written {
        let mut attributes = Attributes::new();
        let object = match value {
            Value::Null => {
                let tag = self.names.qualified(name);
                self.xml.empty(&tag, &[("xsi:nil", "true")]);
                return Ok(());
            }
            Value::Array(_) => return Err(refused(at, "one value, not a list")),
            Value::Object(object) => object,
            scalar => {
                let (text, kind) = match scalar {
                    Value::Bool(value) => (value.to_string(), "boolean"),
                    Value::Number(number) => (number.to_string(), "decimal"),
                    other => (other.as_str().unwrap_or_default().to_owned(), "string"),
                };
                if self.encoded {
                    attributes = self.xsi_type(Some(&QName::new(Some(XSD), kind)));
                }
                let tag = self.open(name, &attributes);
                self.text(&text, at)?;
                self.xml.end(&tag);
                return Ok(());
            }
        };
        for (key, value) in object {
            let Some(spelled) = key.strip_prefix('@') else { continue };
            let here = pointer(at, key);
            let text = value.as_str().filter(|text| text.chars().all(chars::is_xml));
            let text = text.ok_or_else(|| refused(&here, "text"))?;
            if spelled == "type" && text.starts_with('{') {
                let named = clark(text).ok_or_else(|| refused(&here, "{namespace}local"))?;
                attributes.extend(self.xsi_type(Some(&named)));
            } else {
                let named =
                    clark(spelled).ok_or_else(|| refused(&here, "the name of an attribute"))?;
                attributes.push((self.names.qualified(&named), text.to_owned()));
            }
        }
        let tag = self.open(name, &attributes);
        for (key, value) in object.iter().filter(|(key, _)| !key.starts_with('@')) {
            let here = pointer(at, key);
            if key == "#text" {
                let text = value.as_str().ok_or_else(|| refused(&here, "text"))?;
                self.text(text, &here)?;
                continue;
            }
            let named = clark(key).ok_or_else(|| refused(&here, "the name of an element"))?;
            match value {
                Value::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        self.anything(&named, item, &format!("{here}/{index}"))?;
                    }
                }
                one => self.anything(&named, one, &here)?,
            }
        }
        self.xml.end(&tag);
        Ok(())
    }
}

/// `{namespace}local`, or a local name.
pub(crate) fn clark(text: &str) -> Option<QName> {
    let (namespace, local) = match text.strip_prefix('{') {
        Some(rest) => rest.split_once('}')?,
        None => ("", text),
    };
    let sound = chars::is_nc_name(local) && namespace.chars().all(chars::is_xml);
    sound.then(|| QName::new(Some(namespace).filter(|uri| !uri.is_empty()), local))
}
