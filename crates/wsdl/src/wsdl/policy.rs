//! What a service's policies demand, as far as `check` should tell before the first call.
//!
//! WS-Policy 1.2 and 1.5 attach policies to bindings and operations by reference or in place;
//! WS-SecurityPolicy 1.1 to 1.3 says in them which tokens are wanted. Only a demand for a
//! `UsernameToken` is told apart; alternatives are not weighed.

use tollbridge_operation::{SchemeUse, SecurityRequirement, SecurityScheme};
use tollbridge_xml::Element as Node;

use super::definitions::Definitions;

/// Policies that refer to each other.
const MAX_DEPTH: usize = 16;
const UTILITY: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";

/// The credentials that an operation's policies ask for.
pub(super) fn security(
    definitions: &Definitions<'_>,
    binding: &Node,
    operation: &Node,
) -> Vec<SecurityRequirement> {
    let wanted = [binding, operation]
        .iter()
        .any(|node| node.elements().any(|child| wants_token(definitions, child, 0)));
    if !wanted {
        return Vec::new();
    }
    let scheme = SchemeUse {
        name: "UsernameToken".to_owned(),
        scheme: SecurityScheme::UsernameToken,
        scopes: Vec::new(),
    };
    vec![SecurityRequirement { all_of: vec![scheme] }]
}

fn wants_token(definitions: &Definitions<'_>, node: &Node, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return false;
    }
    match node.name.as_str() {
        "UsernameToken" => true,
        "PolicyReference" => {
            let id = node.attribute(None, "URI").and_then(|uri| uri.strip_prefix('#'));
            let policy = id.and_then(|id| {
                definitions.roots().iter().flat_map(|root| root.elements()).find(|child| {
                    child.name == "Policy" && child.attribute(Some(UTILITY), "Id") == Some(id)
                })
            });
            policy.is_some_and(|policy| wants_token(definitions, policy, depth + 1))
        }
        "Policy"
        | "ExactlyOne"
        | "All"
        | "SupportingTokens"
        | "SignedSupportingTokens"
        | "SignedEncryptedSupportingTokens"
        | "EncryptedSupportingTokens"
        | "TransportBinding"
        | "SymmetricBinding"
        | "AsymmetricBinding" => {
            node.elements().any(|child| wants_token(definitions, child, depth + 1))
        }
        _ => false,
    }
}
