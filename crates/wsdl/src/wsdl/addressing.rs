//! The action of an operation's message (WS-Addressing 1.0 Metadata §4.4).

use tollbridge_xml::Element as Node;

use super::definitions::Definitions;

/// Namespaces in which `Action` may stand on an input, the newest first.
const ACTIONS: [&str; 4] = [
    "http://www.w3.org/2007/05/addressing/metadata",
    "http://www.w3.org/2006/05/addressing/wsdl",
    "http://www.w3.org/2005/08/addressing",
    "http://schemas.xmlsoap.org/ws/2004/08/addressing",
];

/// The action that the WSDL gives an input itself (§4.4.1).
pub(super) fn explicit(input: &Node) -> Option<String> {
    let said = ACTIONS.iter().find_map(|namespace| input.attribute(Some(namespace), "Action"))?;
    Some(said.trim().to_owned()).filter(|action| !action.is_empty())
}

/// The action of an input that has none, where the binding has no `soapAction` either.
pub(super) fn default(definitions: &Definitions<'_>, port_type: &Node, input: &str) -> String {
    let root = definitions.roots().root_of(port_type);
    let target = root.and_then(|root| root.attribute(None, "targetNamespace")).unwrap_or_default();
    pattern(target, port_type.attribute(None, "name").unwrap_or_default().trim(), input)
}

/// The default action (§4.4.4): `[target namespace][delimiter][port type][delimiter][input]`.
pub(super) fn pattern(target: &str, port_type: &str, input: &str) -> String {
    let delimiter = if target.to_ascii_lowercase().starts_with("urn:") { ':' } else { '/' };
    let target = target.strip_suffix(delimiter).unwrap_or(target);
    format!("{target}{delimiter}{port_type}{delimiter}{input}")
}
