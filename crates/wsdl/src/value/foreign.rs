//! What no type tells how to write: elements of other schemas, and `xs:anyType`.

use serde_json::Value;
use tollbridge_xml::chars;

use super::write::{Attributes, Writer, Written, refused};
use super::{declared, pointer, xml};
use crate::name::QName;
use crate::plan::Wildcard;
use crate::xsd::XSD;

impl Writer<'_> {
    /// An element of another schema, given as XML.
    pub(super) fn foreign(&mut self, wildcard: &Wildcard, value: &Value, at: &str) -> Written {
        let text = value.as_str().ok_or_else(|| refused(at, "an element as XML, in a string"))?;
        let element = tollbridge_xml::parse(text.as_bytes())
            .map_err(|error| refused(at, format!("an element as XML, in a string: {error}")))?;
        if !wildcard.allows_name(element.namespace.as_deref(), &element.name) {
            return Err(refused(at, "an element of a namespace that the schema allows here"));
        }
        if let Some(expected) = declared::broken(self.types, wildcard, &element) {
            return Err(refused(at, expected));
        }
        self.names.ids.is_open = true;
        // It keeps its own prefixes where its values use them, which the message's would hide.
        xml::put(&mut self.xml, &element, None)
            .map_err(|_| refused(at, "text without control characters: XML has none"))
    }

    /// A value of `xs:anyType`: text, or elements by their names.
    pub(crate) fn anything(&mut self, name: &QName, value: &Value, at: &str) -> Written {
        self.names.ids.is_open = true;
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
        if object.get("#nil") == Some(&Value::Bool(true)) {
            attributes.push(("xsi:nil".to_owned(), "true".to_owned()));
        }
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
        let children = |(key, _): &(&String, &Value)| !key.starts_with('@') && *key != "#nil";
        for (key, value) in object.iter().filter(children) {
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
