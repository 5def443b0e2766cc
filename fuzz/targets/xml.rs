//! No bytes make the XML reader panic or hang, and what it read is what it reads again once it
//! is written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tollbridge_xml::{Element, Node, XML_NAMESPACE, XmlWriter, parse, parse_as};

fuzz_target!(|data: &[u8]| {
    if let Some((first, rest)) = data.split_first() {
        let charsets = ["utf-8", "utf-16", "iso-8859-1", "shift_jis", "no-such-charset"];
        let _ = parse_as(rest, Some(charsets[usize::from(*first) % charsets.len()]));
    }
    let Ok(root) = parse(data) else { return };
    let mut out = XmlWriter::new();
    put(&mut out, &root);
    let again = parse(&out.finish()).expect("what we wrote");
    assert!(same(&root, &again), "{root:?} was read as {again:?}");
});

/// Writes an element with a prefix of its own for each name.
fn put(out: &mut XmlWriter, element: &Element) {
    let mut declared: Vec<(String, &str)> = Vec::new();
    let mut named = |namespace: Option<&'_ str>, local: &str| match namespace {
        None => local.to_owned(),
        Some(XML_NAMESPACE) => format!("xml:{local}"),
        Some(_) => format!("p{}:{local}", declared.len()),
    };
    let tag = named(element.namespace.as_deref(), &element.name);
    if let Some(namespace) = element.namespace.as_deref().filter(|uri| *uri != XML_NAMESPACE) {
        declared.push(("xmlns:p0".to_owned(), namespace));
    }
    let mut attributes: Vec<(String, &str)> = Vec::new();
    for attribute in &element.attributes {
        let name = match attribute.namespace.as_deref() {
            None => attribute.name.clone(),
            Some(XML_NAMESPACE) => format!("xml:{}", attribute.name),
            Some(namespace) => {
                let prefix = format!("a{}", declared.len());
                declared.push((format!("xmlns:{prefix}"), namespace));
                format!("{prefix}:{}", attribute.name)
            }
        };
        attributes.push((name, &attribute.value));
    }
    let all: Vec<(&str, &str)> =
        declared.iter().chain(&attributes).map(|(name, value)| (name.as_str(), *value)).collect();
    out.start(&tag, &all);
    for child in &element.children {
        match child {
            Node::Element(child) => put(out, child),
            Node::Text(text) => out.text(text).expect("it was read"),
        }
    }
    out.end(&tag);
}

/// The same but for the prefixes in scope.
fn same(one: &Element, other: &Element) -> bool {
    let children = |a: &Node, b: &Node| match (a, b) {
        (Node::Element(a), Node::Element(b)) => same(a, b),
        (Node::Text(a), Node::Text(b)) => a == b,
        _ => false,
    };
    one.name == other.name
        && one.namespace == other.namespace
        && one.attributes == other.attributes
        && one.children.len() == other.children.len()
        && one.children.iter().zip(&other.children).all(|(a, b)| children(a, b))
}
