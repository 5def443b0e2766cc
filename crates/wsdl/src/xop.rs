//! Bytes beside the envelope, put back where they are referred to.
//!
//! XOP (W3C, January 2005) has `xop:Include` in place of base64; SOAP with Attachments (W3C Note,
//! December 2000) an attribute `href="cid:…"` on the element. Either becomes base64 in place, so
//! that the reading behind it knows no parts. How much is put in is bounded: parts may be
//! referred to more often than they came.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tollbridge_xml::{Element, Node};

use crate::mime::{Part, referred};

pub(crate) const XOP: &str = "http://www.w3.org/2004/08/xop/include";

/// How many times all parts together may be put in.
const MAX_TIMES: usize = 2;

/// Puts the parts in; what was referred to and is not there, or is too much, in words.
pub(crate) fn resolve(root: &mut Element, parts: &[Part<'_>]) -> Vec<String> {
    let all: usize = parts.iter().map(|part| part.body.len()).sum();
    let mut left = all.saturating_mul(MAX_TIMES);
    let mut told = Vec::new();
    put(root, parts, &mut left, &mut told);
    told
}

fn put(element: &mut Element, parts: &[Part<'_>], left: &mut usize, told: &mut Vec<String>) {
    let included = included(element);
    let attached = element
        .attribute(None, "href")
        .filter(|href| href.trim().starts_with("cid:"))
        .map(str::to_owned);
    let Some(href) = included.or(attached) else {
        for child in &mut element.children {
            if let Node::Element(child) = child {
                put(child, parts, left, told);
            }
        }
        return;
    };
    let Some(part) = referred(parts, &href) else {
        note(told, format!("`{}` refers to a part that did not come", element.name));
        return;
    };
    if part.body.len() > *left {
        note(told, "parts are referred to more often than is read".to_owned());
        return;
    }
    *left -= part.body.len();
    element.children = vec![Node::Text(STANDARD.encode(&part.body))];
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
