//! What a service's policies demand of its messages.
//!
//! WS-Policy 1.2 and 1.5 attach policies to ports, bindings, operations and messages, in place
//! or by reference; WS-SecurityPolicy 1.1 to 1.3, WS-Addressing Metadata and the MTOM assertion
//! say in them what is wanted. Of alternatives the one is taken of which we can do the most. What
//! we cannot do is told with its place, and refuses nothing: the service has the last word.

use std::collections::HashSet;

use tollbridge_operation::{SchemeUse, SecurityRequirement, SecurityScheme};
use tollbridge_xml::Element as Node;

use crate::header::UTILITY;
use crate::message::AddressingVersion;

/// Policies within policies.
const MAX_DEPTH: usize = 32;
/// Elements that are read of the policies of one operation, references followed.
const MAX_READ: usize = 10_000;

/// What an operation's policies demand.
#[allow(clippy::struct_excessive_bools, reason = "each is a demand that stands for itself")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Demands {
    /// A `UsernameToken`.
    pub(super) token: bool,
    /// Its password as a digest.
    pub(super) digest: bool,
    /// A `Timestamp`.
    pub(super) timestamp: bool,
    /// HTTP basic authentication.
    pub(super) basic: bool,
    /// HTTP digest authentication.
    pub(super) http_digest: bool,
    /// A client certificate in the handshake of TLS.
    pub(super) certificate: bool,
    /// An encrypted connection, with the line that says so.
    pub(super) https: Option<u32>,
    /// WS-Addressing.
    pub(super) addressing: Option<AddressingVersion>,
    /// Bytes beside the envelope.
    pub(super) mtom: bool,
    /// Signed or encrypted parts, which an encrypted connection is as good as.
    protection: Option<u32>,
    /// What we cannot do: what, and the line that says so.
    pub(super) unmet: Vec<(String, u32)>,
}

/// The demands of the policies that are attached to these nodes, in documents with these roots.
pub(super) fn demands(roots: &[&Node], attached: &[&Node]) -> Demands {
    let mut reader = Reader { roots, read: 0, open: HashSet::new() };
    let mut all = Demands::default();
    for node in attached {
        for child in node.elements() {
            if matches!(child.name.as_str(), "Policy" | "PolicyReference" | "UsingAddressing") {
                all.add(reader.of(child, 0));
            }
        }
        let uris = node.attributes.iter().find(|attribute| attribute.name == "PolicyURIs");
        for uri in uris.iter().flat_map(|uris| uris.value.split_ascii_whitespace()) {
            all.add(reader.referred(uri, node.line(), 0));
        }
    }
    if let Some(line) = all.protection.filter(|_| all.https.is_none() && all.unmet.is_empty()) {
        all.unmet.push(("signed or encrypted parts of messages".to_owned(), line));
    }
    all
}

impl Demands {
    /// The credentials that are asked for.
    pub(super) fn security(&self) -> Vec<SecurityRequirement> {
        let scheme =
            |name: &str, scheme| SchemeUse { name: name.to_owned(), scheme, scopes: Vec::new() };
        let mut all_of = Vec::new();
        if self.token {
            all_of.push(scheme("UsernameToken", SecurityScheme::UsernameToken));
        }
        if self.basic {
            let basic = SecurityScheme::Http { scheme: "basic".to_owned() };
            all_of.push(scheme("HttpBasicAuthentication", basic));
        }
        if self.http_digest {
            let digest = SecurityScheme::Http { scheme: "digest".to_owned() };
            all_of.push(scheme("HttpDigestAuthentication", digest));
        }
        if self.certificate {
            all_of.push(scheme("ClientCertificate", SecurityScheme::MutualTls));
        }
        if all_of.is_empty() { Vec::new() } else { vec![SecurityRequirement { all_of }] }
    }

    fn add(&mut self, other: Self) {
        self.token |= other.token;
        self.digest |= other.digest;
        self.timestamp |= other.timestamp;
        self.basic |= other.basic;
        self.http_digest |= other.http_digest;
        self.certificate |= other.certificate;
        self.mtom |= other.mtom;
        self.https = self.https.or(other.https);
        self.addressing = self.addressing.or(other.addressing);
        self.protection = self.protection.or(other.protection);
        for unmet in other.unmet {
            if !self.unmet.contains(&unmet) {
                self.unmet.push(unmet);
            }
        }
    }

    /// What it costs to choose these demands: first what we cannot do, then how much there is.
    fn cost(&self) -> (usize, usize) {
        let flags = [
            self.token,
            self.digest,
            self.timestamp,
            self.basic,
            self.http_digest,
            self.certificate,
            self.mtom,
        ];
        let more = usize::from(self.https.is_some()) + usize::from(self.addressing.is_some());
        let unmet = self.unmet.len() + usize::from(self.protection.is_some());
        (unmet, more + flags.iter().filter(|flag| **flag).count())
    }

    fn unmet(what: &str, node: &Node) -> Self {
        Self { unmet: vec![(what.to_owned(), node.line())], ..Self::default() }
    }
}

struct Reader<'r, 'd> {
    roots: &'r [&'d Node],
    /// How much was read.
    read: usize,
    /// References that are being followed.
    open: HashSet<String>,
}

impl Reader<'_, '_> {
    fn of(&mut self, node: &Node, depth: usize) -> Demands {
        self.read += 1;
        if depth > MAX_DEPTH || self.read > MAX_READ || is_optional(node) {
            return Demands::default();
        }
        let inner = |reader: &mut Self| reader.all(node, depth);
        match node.name.as_str() {
            "ExactlyOne" => {
                let branches: Vec<_> = node.elements().map(|one| self.of(one, depth + 1)).collect();
                branches.into_iter().min_by_key(Demands::cost).unwrap_or_default()
            }
            "PolicyReference" => {
                let uri = node.attribute(None, "URI").unwrap_or_default().trim().to_owned();
                self.referred(&uri, node.line(), depth)
            }
            "UsernameToken" => {
                let mut found = inner(self);
                found.token = true;
                found
            }
            "HashPassword" => Demands { digest: true, ..Demands::default() },
            "NoPassword" => Demands::unmet("a UsernameToken without a password", node),
            "IncludeTimestamp" => Demands { timestamp: true, ..Demands::default() },
            "HttpsToken" => {
                let mut found = inner(self);
                found.https = Some(node.line());
                // WS-SecurityPolicy 1.1 has an attribute where the later ones have an element.
                let wanted = node.attribute(None, "RequireClientCertificate").unwrap_or_default();
                found.certificate |= matches!(wanted.trim(), "true" | "1");
                found
            }
            "HttpBasicAuthentication" | "BasicAuthentication" => {
                Demands { basic: true, ..Demands::default() }
            }
            "HttpDigestAuthentication" | "DigestAuthentication" => {
                Demands { http_digest: true, ..Demands::default() }
            }
            "RequireClientCertificate" => Demands { certificate: true, ..Demands::default() },
            "NtlmAuthentication" => Demands::unmet("NTLM", node),
            "NegotiateAuthentication" => Demands::unmet("Negotiate (Kerberos or NTLM)", node),
            "SymmetricBinding" | "AsymmetricBinding" => {
                Demands::unmet(&format!("signed or encrypted messages ({})", node.name), node)
            }
            "SignedParts"
            | "SignedElements"
            | "EncryptedParts"
            | "EncryptedElements"
            | "ContentEncryptedElements" => {
                Demands { protection: Some(node.line()), ..Demands::default() }
            }
            "EndorsingSupportingTokens"
            | "SignedEndorsingSupportingTokens"
            | "EndorsingEncryptedSupportingTokens"
            | "SignedEndorsingEncryptedSupportingTokens" => {
                Demands::unmet("a signature by a token of the sender's", node)
            }
            "X509Token"
            | "SamlToken"
            | "KerberosToken"
            | "IssuedToken"
            | "SpnegoContextToken"
            | "SecureConversationToken"
            | "SecurityContextToken"
            | "KeyValueToken"
            | "RelToken" => Demands::unmet(
                &format!("a security token that is not spoken ({})", node.name),
                node,
            ),
            "UsingAddressing" => {
                let old = node.namespace.as_deref().is_some_and(|uri| uri.contains("/2004/08/"));
                let version =
                    if old { AddressingVersion::August2004 } else { AddressingVersion::V1_0 };
                Demands { addressing: Some(version), ..Demands::default() }
            }
            "Addressing" => {
                let mut found = inner(self);
                found.addressing = Some(AddressingVersion::V1_0);
                found
            }
            "NonAnonymousResponses" => {
                Demands::unmet("answers over a connection of the service's own", node)
            }
            "OptimizedMimeSerialization" => Demands { mtom: true, ..Demands::default() },
            "RMAssertion" => Demands::unmet("reliable messaging", node),
            "ATAssertion" | "BAAtomicOutcomeAssertion" => {
                Demands::unmet("distributed transactions", node)
            }
            "BinaryEncoding" => Demands::unmet("a binary encoding of messages", node),
            // Operators, bindings to the transport, and wrappers of what is above. What other
            // assertions want is not known to be a demand on the sender.
            _ => inner(self),
        }
    }

    fn all(&mut self, node: &Node, depth: usize) -> Demands {
        let mut found = Demands::default();
        for child in node.elements() {
            found.add(self.of(child, depth + 1));
        }
        found
    }

    fn referred(&mut self, uri: &str, line: u32, depth: usize) -> Demands {
        let roots = self.roots;
        let policy = uri.strip_prefix('#').and_then(|id| {
            roots.iter().flat_map(|root| root.elements()).find(|child| {
                child.name == "Policy"
                    && child
                        .attribute(Some(UTILITY), "Id")
                        .or_else(|| child.attribute(None, "Id"))
                        .is_some_and(|own| own == id)
            })
        });
        let Some(policy) = policy else {
            let what = format!("what the policy `{uri}` says, which is not in these documents");
            return Demands { unmet: vec![(what, line)], ..Demands::default() };
        };
        if !self.open.insert(uri.to_owned()) {
            return Demands::default();
        }
        let found = self.of(policy, depth + 1);
        self.open.remove(uri);
        found
    }
}

/// WS-Policy 1.5 Framework §4.3.1: an assertion that need not be met.
fn is_optional(node: &Node) -> bool {
    node.attributes.iter().any(|attribute| {
        attribute.name == "Optional"
            && attribute.namespace.as_deref().is_some_and(|uri| uri.contains("policy"))
            && matches!(attribute.value.trim(), "true" | "1")
    })
}
