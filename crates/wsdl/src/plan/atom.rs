//! Simple types: restrictions, lists and unions, each over its bases (XML Schema 1.1 part 2 §4.1).

use std::sync::Arc;

use tollbridge_xml::Element as Node;

use super::Fault;
use super::compile::{Compiler, place};
use super::content::MAX_BASES;
use super::written::{path, qname, xsd_children};
use crate::name::QName;
use crate::xsd::builtin::{Builtin, builtin};
use crate::xsd::facets::Facets;
use crate::xsd::simple::{Simple, Variety};
use crate::xsd::{Component, Kind};

impl<'d> Compiler<'d> {
    pub(super) fn simple_named(
        &mut self,
        name: &QName,
        from: Option<Component<'d>>,
    ) -> Result<Arc<Simple>, Fault> {
        if let Some(known) = builtin(name) {
            return Ok(simple_builtin(known));
        }
        let found = self.named(Kind::Type, name, from)?;
        if found.element.name == "simpleType" {
            return self.simple(found);
        }
        // A complex type where only text can stand: its text, if it has some.
        match self.parts(found, 0)?.simple {
            Some(simple) => Ok(simple),
            None => {
                let pointer = from.map_or_else(String::new, |from| path(from.element));
                Err(Fault::new(pointer, format!("the type {name} is not a simple type")))
            }
        }
    }

    pub(super) fn simple(&mut self, at: Component<'d>) -> Result<Arc<Simple>, Fault> {
        let place = place(at);
        if let Some(known) = self.simples.get(&place) {
            return known.clone();
        }
        if self.open.len() > MAX_BASES || !self.open.insert(place.clone()) {
            return Err(Fault::new(path(at.element), "the type is derived from itself"));
        }
        let simple = self.simple_parts(at);
        self.open.remove(&place);
        self.simples.insert(place, simple.clone());
        simple
    }

    fn simple_parts(&mut self, at: Component<'d>) -> Result<Arc<Simple>, Fault> {
        let inline = |node: &'d Node| {
            xsd_children(node)
                .filter(|child| child.name == "simpleType")
                .map(|element| Component { element, context: at.context })
                .collect::<Vec<_>>()
        };
        for child in xsd_children(at.element) {
            let child_at = Component { element: child, context: at.context };
            match child.name.as_str() {
                "restriction" => {
                    let base = match (child.attribute(None, "base"), inline(child).first()) {
                        (Some(spelled), _) => {
                            let name = qname(child_at, spelled)?;
                            self.simple_named(&name, Some(at))?
                        }
                        (None, Some(inline)) => self.simple(*inline)?,
                        (None, None) => simple_builtin(Builtin::AnySimple),
                    };
                    return Ok(self.restricted(&base, child));
                }
                "list" => {
                    let item = match (child.attribute(None, "itemType"), inline(child).first()) {
                        (Some(spelled), _) => {
                            let name = qname(child_at, spelled)?;
                            self.simple_named(&name, Some(at))?
                        }
                        (None, Some(inline)) => self.simple(*inline)?,
                        (None, None) => simple_builtin(Builtin::AnySimple),
                    };
                    return Ok(Arc::new(Simple::plain(Variety::List(item))));
                }
                "union" => {
                    let mut members = Vec::new();
                    let spelled = child.attribute(None, "memberTypes").unwrap_or_default();
                    for spelled in spelled.split_ascii_whitespace() {
                        let name = qname(child_at, spelled)?;
                        members.push(self.simple_named(&name, Some(at))?);
                    }
                    for inline in inline(child) {
                        members.push(self.simple(inline)?);
                    }
                    return Ok(Arc::new(Simple::plain(Variety::Union(members))));
                }
                _ => {}
            }
        }
        Err(Fault::new(path(at.element), "expected a restriction, a list or a union"))
    }

    pub(super) fn restricted(&mut self, base: &Simple, step: &'d Node) -> Arc<Simple> {
        let mut told = Vec::new();
        let facets = base.facets.restricted(step, |message| told.push(message));
        for message in told {
            self.warn(path(step), message);
        }
        Arc::new(Simple { variety: base.variety.clone(), facets })
    }
}

pub(super) fn simple_builtin(builtin: Builtin) -> Arc<Simple> {
    Arc::new(match builtin {
        Builtin::Anything | Builtin::AnySimple => Simple::plain(Variety::Any),
        Builtin::Atomic(atomic) => Simple::plain(Variety::Atomic(atomic)),
        Builtin::List(item) => Simple {
            variety: Variety::List(Arc::new(Simple::plain(Variety::Atomic(item)))),
            facets: Facets { min_length: Some(1), ..Facets::default() },
        },
    })
}
