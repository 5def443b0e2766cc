//! An element as a text of XML that stands for itself: what a wildcard's elements are in JSON.

use tollbridge_xml::{Attribute, Element, Node, XML_NAMESPACE, XmlWriter, chars};

/// Prefixes that are looked for in one value.
const MAX_PREFIXES: usize = 1_000;

/// The element with all that it needs declared. Its own prefixes are not kept, but for those
/// that its values use.
pub(crate) fn text(element: &Element) -> String {
    let mut out = XmlWriter::fragment();
    // What was read is made of characters that can be written.
    let _always = put(&mut out, element, None);
    String::from_utf8(out.finish()).unwrap_or_default()
}

/// Writes the element where the default namespace is `surrounding`.
pub(super) fn put(
    out: &mut XmlWriter,
    element: &Element,
    surrounding: Option<&str>,
) -> Result<(), tollbridge_xml::ForbiddenCharacter> {
    let own = element.namespace.as_deref();
    let mut attributes: Vec<(String, &str)> = Vec::new();
    if own != surrounding {
        attributes.push(("xmlns".to_owned(), own.unwrap_or_default()));
    }
    let texts = element.children.iter().filter_map(|child| match child {
        Node::Text(text) => Some(text.as_str()),
        Node::Element(_) => None,
    });
    for value in element.attributes.iter().map(|a| a.value.as_str()).chain(texts) {
        for prefix in prefixes(value).take(MAX_PREFIXES) {
            let Some(namespace) = element.scope.namespace(prefix) else { continue };
            let name = format!("xmlns:{prefix}");
            if attributes.iter().all(|(known, _)| *known != name) {
                attributes.push((name, namespace));
            }
        }
    }
    for (index, Attribute { name, namespace, value }) in element.attributes.iter().enumerate() {
        match namespace.as_deref() {
            None => attributes.push((name.clone(), value)),
            Some(XML_NAMESPACE) => attributes.push((format!("xml:{name}"), value)),
            Some(namespace) => {
                let declared = |prefix: &str| {
                    attributes.iter().any(|(known, _)| known.strip_prefix("xmlns:") == Some(prefix))
                };
                let mut prefix = format!("a{index}");
                while declared(&prefix) {
                    prefix.push('_');
                }
                attributes.push((format!("xmlns:{prefix}"), namespace));
                attributes.push((format!("{prefix}:{name}"), value));
            }
        }
    }
    let attributes: Vec<(&str, &str)> =
        attributes.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    if element.children.is_empty() {
        out.empty(&element.name, &attributes);
        return Ok(());
    }
    out.start(&element.name, &attributes);
    for child in &element.children {
        match child {
            Node::Text(text) => out.text(text)?,
            Node::Element(child) => put(out, child, own)?,
        }
    }
    out.end(&element.name);
    Ok(())
}

/// What may be a prefix in a value: that of a qualified name, of one of a list, or of one in an
/// expression.
fn prefixes(value: &str) -> impl Iterator<Item = &str> {
    value.match_indices(':').filter_map(|(at, _)| {
        let before = &value[..at];
        let from = before
            .char_indices()
            .rev()
            .take_while(|(_, c)| chars::is_nm_token(c.encode_utf8(&mut [0; 4])) && *c != ':')
            .last()
            .map(|(from, _)| from)?;
        let prefix = before[from..].trim_start_matches(|c: char| !is_nc_start(c));
        (!prefix.is_empty() && prefix != "xml").then_some(prefix)
    })
}

fn is_nc_start(c: char) -> bool {
    chars::is_nc_name(c.encode_utf8(&mut [0; 4]))
}
