//! Attributes of a complex value, those among them that only a wildcard lets in.

use serde_json::{Map, Value};
use tollbridge_xml::{Scope, chars};

use super::pointer;
use super::write::{Attributes, Writer, Written, refused};
use crate::name::QName;
use crate::plan::Complex;

impl Writer<'_> {
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
            self.identify(&attribute.simple, &text, &here)?;
            let text = self.attached(&attribute.simple, &text);
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
            let (namespace, local) = (name.namespace.as_deref(), &*name.local);
            let any = complex.any_attribute.as_ref();
            if !any.is_some_and(|any| any.allows_name(namespace, local)) {
                let expected = "an attribute of a namespace that the schema allows here";
                return Err(refused(&here, expected));
            }
            let text = value.as_str().filter(|text| text.chars().all(chars::is_xml));
            let text = text.ok_or_else(|| refused(&here, "text"))?.to_owned();
            match self.types.declared_attribute(namespace, local) {
                Some(simple) if any.is_some_and(|any| !any.skips) => {
                    simple.read(&text, &Scope::default()).map_err(|e| refused(&here, e))?;
                    self.identify(simple, &text, &here)?;
                }
                _ => self.names.ids.is_open = true,
            }
            attributes.push((self.names.qualified(&name), text));
        }
        Ok(())
    }
}

/// Whether a member is an attribute that only a wildcard lets in: `@{namespace}name`, or
/// `@name` where attributes without a namespace are let in too.
pub(super) fn is_foreign(complex: &Complex, key: &str) -> bool {
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
