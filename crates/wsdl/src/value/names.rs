//! The names that all parts of one message share: prefixes, and IDs.

use super::identity::Identities;
use crate::name::QName;
use crate::xsd::XSI;
use crate::xsd::simple::Prefixes;

/// The prefixes of a message, declared at its root, and its IDs.
#[derive(Debug, Default)]
pub(crate) struct Names {
    namespaces: Vec<String>,
    pub(crate) ids: Identities,
}

impl Names {
    /// Prefixes with their namespaces.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (String, &str)> {
        self.namespaces
            .iter()
            .enumerate()
            .map(|(index, uri)| (format!("n{}", index + 1), uri.as_str()))
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
        let index = self.namespaces.iter().position(|uri| uri == namespace).unwrap_or_else(|| {
            self.namespaces.push(namespace.to_owned());
            self.namespaces.len() - 1
        });
        format!("n{}", index + 1)
    }
}
