//! Qualified names (Namespaces in XML §4), as schemas and plans hold them.

use std::fmt;
use std::sync::Arc;

use tollbridge_xml::Element;

/// A local name in a namespace, or in none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct QName {
    pub(crate) namespace: Option<Arc<str>>,
    pub(crate) local: Arc<str>,
}

impl QName {
    pub(crate) fn new(namespace: Option<&str>, local: &str) -> Self {
        Self { namespace: namespace.map(Into::into), local: local.into() }
    }

    /// Whether the element bears this name.
    pub(crate) fn names(&self, element: &Element) -> bool {
        *self.local == *element.name && self.namespace.as_deref() == element.namespace.as_deref()
    }
}

/// `{namespace}local`, or the local name alone where there is no namespace.
impl fmt::Display for QName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{{{namespace}}}{}", self.local),
            None => f.write_str(&self.local),
        }
    }
}
