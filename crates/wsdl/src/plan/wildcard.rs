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
    but: HashSet<QName>,
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
        self.allows(namespace)
            && (self.but.is_empty() || !self.but.contains(&QName::new(namespace, local)))
    }

    /// What either allows: the wildcards of a type and of its base (§3.10.6.3).
    pub(super) fn or(self, other: Self) -> Self {
        let but = |one: &Self, other: &Self| {
            let refused =
                |name: &&QName| !other.allows_name(name.namespace.as_deref(), &name.local);
            one.but.iter().filter(refused).cloned().collect::<HashSet<_>>()
        };
        Self {
            but: &but(&self, &other) | &but(&other, &self),
            namespaces: self.namespaces.or(other.namespaces),
            skips: other.skips,
        }
    }

    /// What both allow: those of the attribute groups of one type (§3.10.6.4).
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            but: &self.but | &other.but,
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
        let mut but = HashSet::new();
        for spelled in says("notQName").unwrap_or_default().split_ascii_whitespace() {
            match spelled {
                "##defined" => but.extend(self.schemas.names(kind).into_iter().cloned()),
                // A sibling of that name is taken for itself when it is read, and refused as
                // what it is not when it is written: nothing more is to be done.
                "##definedSibling" => {}
                spelled => but.extend(qname(at, spelled)),
            }
        }
        let wildcard = Wildcard { namespaces, but, skips: says("processContents") == Some("skip") };
        self.look_into(kind, &wildcard);
        wildcard
    }
}
