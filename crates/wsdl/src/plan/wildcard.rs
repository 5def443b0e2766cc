//! Wildcards: which elements and attributes may stand where the schema names none, and whether
//! they are looked into (XML Schema 1.1 part 1 §3.10).
//!
//! What is known of them is held to its declaration, whether the schema says `strict` or `lax`:
//! a service may know schemas that its description does not have, so an element without a
//! declaration is let through under `strict` too.

use std::collections::HashSet;
use std::sync::Arc;

use super::compile::Compiler;
use super::written::qname;
use crate::name::QName;
use crate::xsd::{Component, Kind};

/// A namespace, or none.
type Namespace = Option<Arc<str>>;

/// `xs:any`, `xs:anyAttribute`, and the wildcard of `xs:openContent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wildcard {
    namespaces: Namespaces,
    /// `notQName`.
    but: Vec<QName>,
    /// `##defined` in it: all that the schemas declare.
    but_declared: Option<Arc<HashSet<QName>>>,
    /// `processContents="skip"`: nothing is looked into.
    pub(crate) skips: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Namespaces {
    Of(Vec<Namespace>),
    /// Any but these.
    Not(Vec<Namespace>),
}

impl Wildcard {
    /// Whether something of that namespace may stand here.
    pub(crate) fn allows(&self, namespace: Option<&str>) -> bool {
        self.namespaces.have(namespace)
    }

    /// Whether something of that name may stand here.
    pub(crate) fn allows_name(&self, namespace: Option<&str>, local: &str) -> bool {
        if self.but.is_empty() && self.but_declared.is_none() {
            return self.allows(namespace);
        }
        let name = QName::new(namespace, local);
        let is_declared = self.but_declared.as_ref().is_some_and(|all| all.contains(&name));
        self.allows(namespace) && !is_declared && !self.but.contains(&name)
    }

    /// What either allows: the wildcards of a type and of its base (§3.10.6.3).
    pub(super) fn or(self, other: Self) -> Self {
        let refused = |name: &&QName| {
            let (namespace, local) = (name.namespace.as_deref(), &*name.local);
            !self.allows_name(namespace, local) && !other.allows_name(namespace, local)
        };
        let but = self.but.iter().chain(&other.but).filter(refused).cloned().collect();
        Self {
            but,
            but_declared: self.but_declared.filter(|_| other.but_declared.is_some()),
            namespaces: self.namespaces.or(other.namespaces),
            skips: other.skips,
        }
    }

    /// What both allow: those of the attribute groups of one type (§3.10.6.4).
    pub(super) fn and(mut self, other: Self) -> Self {
        self.but.extend(other.but);
        Self {
            but: self.but,
            but_declared: self.but_declared.or(other.but_declared),
            namespaces: self.namespaces.and(other.namespaces),
            skips: self.skips,
        }
    }
}

impl Namespaces {
    fn have(&self, namespace: Option<&str>) -> bool {
        let listed = |list: &[Namespace]| list.iter().any(|one| one.as_deref() == namespace);
        match self {
            Self::Of(list) => listed(list),
            Self::Not(list) => !listed(list),
        }
    }

    fn complement(self) -> Self {
        match self {
            Self::Of(list) => Self::Not(list),
            Self::Not(list) => Self::Of(list),
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Of(mut list), other) | (other, Self::Of(mut list)) => {
                list.retain(|one| other.have(one.as_deref()));
                Self::Of(list)
            }
            (Self::Not(mut list), Self::Not(others)) => {
                list.extend(others);
                Self::Not(list)
            }
        }
    }

    fn or(self, other: Self) -> Self {
        self.complement().and(other.complement()).complement()
    }
}

impl<'d> Compiler<'d> {
    /// What an `any`, an `anyAttribute` or an open content allows.
    pub(super) fn wildcard(&mut self, at: Component<'d>, kind: Kind) -> Wildcard {
        let target: Namespace = at.context.target.map(Arc::from);
        let says = |name: &str| at.element.attribute(None, name).map(str::trim);
        let listed = |listed: &str| {
            let each = |name: &str| match name {
                "##targetNamespace" => target.clone(),
                "##local" => None,
                name => Some(name.into()),
            };
            listed.split_ascii_whitespace().map(each).collect()
        };
        let namespaces = match (says("notNamespace"), says("namespace")) {
            (Some(refused), _) => Namespaces::Not(listed(refused)),
            (None, None | Some("##any" | "")) => Namespaces::Not(Vec::new()),
            (None, Some("##other")) => Namespaces::Not(vec![target, None]),
            (None, Some(allowed)) => Namespaces::Of(listed(allowed)),
        };
        let (mut but, mut but_declared) = (Vec::new(), None);
        for spelled in says("notQName").unwrap_or_default().split_ascii_whitespace() {
            match spelled {
                "##defined" => but_declared = Some(self.declared(kind)),
                // A sibling of that name is taken for itself when it is read, and refused as
                // what it is not when it is written: nothing more is to be done.
                "##definedSibling" => {}
                spelled => but.extend(qname(at, spelled)),
            }
        }
        let skips = says("processContents") == Some("skip");
        let mut wildcard = Wildcard { namespaces, but, but_declared, skips };
        wildcard.skips |= !self.look_into(kind, &wildcard);
        wildcard
    }
}
