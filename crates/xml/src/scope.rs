//! Which prefixes mean which namespaces where an element stands (Namespaces in XML §6.1).

use std::sync::Arc;

use crate::XML_NAMESPACE;

/// The prefixes that are declared at an element, shared by all elements that declare none
/// of their own. Two scopes are never different: which prefixes a document chose means
/// nothing.
#[derive(Debug, Clone, Default)]
pub struct Scope(Option<Arc<Declarations>>);

#[derive(Debug)]
struct Declarations {
    outer: Scope,
    /// Prefix and namespace; an empty prefix is the default namespace, an empty namespace
    /// none.
    own: Vec<(String, String)>,
}

impl PartialEq for Scope {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Scope {
    /// The namespace of a prefix, the default one for an empty prefix; `None` where none is
    /// declared.
    pub fn namespace(&self, prefix: &str) -> Option<&str> {
        if prefix == "xml" {
            return Some(XML_NAMESPACE);
        }
        let mut scope = self;
        while let Some(declarations) = &scope.0 {
            if let Some((_, uri)) = declarations.own.iter().rev().find(|(name, _)| name == prefix) {
                return (!uri.is_empty()).then_some(uri.as_str());
            }
            scope = &declarations.outer;
        }
        None
    }

    /// The scope within an element that declares these.
    pub(crate) fn within(&self, own: Vec<(String, String)>) -> Self {
        if own.is_empty() {
            return self.clone();
        }
        Self(Some(Arc::new(Declarations { outer: self.clone(), own })))
    }
}
