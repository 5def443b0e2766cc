//! Bytes beside the envelope, put back where they are referred to.
//!
//! XOP (W3C, January 2005) has `xop:Include` in place of base64; SOAP with Attachments (W3C Note,
//! December 2000) an attribute `href="cid:…"` on the element. Either becomes base64 in place, so
//! that the reading behind it knows no parts but those of `swaRef`, which values name. How much is put in
//! is bounded: parts may be referred to more often than they came.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tollbridge_xml::{Element, Node};

use crate::mime::{Part, is_named, referred};

pub(crate) const XOP: &str = "http://www.w3.org/2004/08/xop/include";

/// How many times all parts together may be put in.
const MAX_TIMES: usize = 2;

/// The parts beside an envelope, and which of them something refers to.
#[derive(Debug, Default)]
pub(crate) struct Attachments<'b> {
    parts: Vec<Part<'b>>,
    used: Vec<bool>,
    left: usize,
}

/// Why a reference is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    NotThere,
    TooOften,
}

impl<'b> Attachments<'b> {
    pub(crate) fn new(parts: Vec<Part<'b>>) -> Self {
        let all: usize = parts.iter().map(|part| part.body.len()).sum();
        Self { used: vec![false; parts.len()], left: all.saturating_mul(MAX_TIMES), parts }
    }

    /// The part that a `cid:` URL names, in base64.
    pub(crate) fn referred(&mut self, href: &str) -> Result<String, Unread> {
        let index = referred(&self.parts, href).ok_or(Unread::NotThere)?;
        let body = &self.parts[index].body;
        self.left = self.left.checked_sub(body.len()).ok_or(Unread::TooOften)?;
        self.used[index] = true;
        Ok(STANDARD.encode(body))
    }

    /// Takes the part that has the name in its id, else the first that nothing refers to and that
    /// `fits`.
    pub(crate) fn named(
        &mut self,
        name: &str,
        fits: impl Fn(&Part<'b>) -> bool,
    ) -> Option<&Part<'b>> {
        let free = |index: &usize| !self.used[*index];
        let named =
            |index: &usize| self.parts[*index].id.as_deref().is_some_and(|id| is_named(id, name));
        let mut all = (0..self.parts.len()).filter(free);
        let index =
            all.clone().find(named).or_else(|| all.find(|index| fits(&self.parts[*index])))?;
        self.used[index] = true;
        Some(&self.parts[index])
    }
}

/// Puts the parts in; what was referred to and is not there, or is too much, in words.
pub(crate) fn resolve(root: &mut Element, parts: &mut Attachments<'_>) -> Vec<String> {
    let mut told = Vec::new();
    put(root, parts, &mut told);
    told
}

fn put(element: &mut Element, parts: &mut Attachments<'_>, told: &mut Vec<String>) {
    let included = included(element);
    let attached = element
        .attribute(None, "href")
        .filter(|href| href.trim().starts_with("cid:"))
        .map(str::to_owned);
    let Some(href) = included.or(attached) else {
        for child in &mut element.children {
            if let Node::Element(child) = child {
                put(child, parts, told);
            }
        }
        return;
    };
    let encoded = match parts.referred(&href) {
        Ok(encoded) => encoded,
        Err(Unread::NotThere) => {
            note(told, format!("`{}` refers to a part that did not come", element.name));
            return;
        }
        Err(Unread::TooOften) => {
            note(told, "parts are referred to more often than is read".to_owned());
            return;
        }
    };
    element.children = vec![Node::Text(encoded)];
    element
        .attributes
        .retain(|attribute| attribute.name != "href" || attribute.namespace.is_some());
}

/// The reference of an `xop:Include`, which is its element's only content (XOP §4.1).
fn included(element: &Element) -> Option<String> {
    let mut children = element.elements();
    let include = children
        .next()
        .filter(|child| child.name == "Include" && child.namespace.as_deref() == Some(XOP))?;
    let alone = children.next().is_none() && element.text().trim().is_empty();
    alone.then(|| include.attribute(None, "href").unwrap_or_default().to_owned())
}

fn note(told: &mut Vec<String>, message: String) {
    if told.len() < 16 && !told.contains(&message) {
        told.push(message);
    }
}
