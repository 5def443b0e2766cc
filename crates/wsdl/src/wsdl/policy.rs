//! What a service's policies demand of its messages.
//!
//! WS-Policy 1.2 and 1.5 attach policies to ports, bindings, operations and messages, in place
//! or by reference; WS-SecurityPolicy 1.1 to 1.3, WS-Addressing Metadata and the MTOM assertion
//! say in them what is wanted. Of alternatives the one is taken of which we can do the most, and all
//! where they differ in the credentials alone. What we cannot do is told with its place, and refuses
//! nothing: the service has the last word.

use std::collections::{HashMap, HashSet};

use tollbridge_operation::{SchemeUse, SecurityRequirement, SecurityScheme};
use tollbridge_xml::Element as Node;

use crate::header::UTILITY;
use crate::message::AddressingVersion;

/// Policies within policies.
const MAX_DEPTH: usize = 32;
/// Elements that are read of the policies of one operation, references followed.
const MAX_READ: usize = 10_000;

/// Combinations of credentials that are kept of one operation.
const MAX_COMBINATIONS: usize = 16;

/// A place in the documents that says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The document's place among all.
    pub(super) document: usize,
    pub(super) line: u32,
}

/// The definitions of all documents, and what policies are found by.
pub(super) struct Roots<'d> {
    /// Each with its document's place among all.
    all: Vec<(usize, &'d Node)>,
    /// Where there are several: the place of what can have a policy attached.
    documents: HashMap<*const Node, usize>,
    /// Policies by their names, with the places of their documents.
    policies: HashMap<&'d str, Vec<(usize, &'d Node)>>,
}

impl<'d> Roots<'d> {
    pub(super) fn new(all: Vec<(usize, &'d Node)>) -> Self {
        let mut roots = Self { all, documents: HashMap::new(), policies: HashMap::new() };
        for (document, root) in roots.all.clone() {
            for child in root.elements().filter(|child| child.name == "Policy") {
                let id = child.attribute(Some(UTILITY), "Id").or(child.attribute(None, "Id"));
                if let Some(id) = id {
                    roots.policies.entry(id).or_default().push((document, child));
                }
            }
            if roots.all.len() > 1 {
                // No policy is attached deeper than to the input of a binding's operation.
                roots.place(document, root, 3);
            }
        }
        roots
    }

    fn place(&mut self, document: usize, node: &'d Node, depth: usize) {
        self.documents.insert(node, document);
        if depth > 0 && node.name != "types" {
            node.elements().for_each(|child| self.place(document, child, depth - 1));
        }
    }

    /// The document that a node of the definitions stands in.
    fn document_of(&self, node: &Node) -> usize {
        match self.all.as_slice() {
            [(only, _)] => *only,
            _ => self.documents.get(&std::ptr::from_ref(node)).copied().unwrap_or_default(),
        }
    }

    /// The root of the document that a node of the definitions stands in.
    pub(super) fn root_of(&self, node: &Node) -> Option<&'d Node> {
        let document = self.document_of(node);
        self.all.iter().find(|(place, _)| *place == document).map(|(_, root)| *root)
    }

    /// A fragment is of the document that it stands in; where that has none of the name, another
    /// can only be meant.
    fn policy(&self, id: &str, from: usize) -> Option<(usize, &'d Node)> {
        let named = self.policies.get(id)?;
        let here = named.iter().find(|(document, _)| *document == from);
        here.or(named.first()).copied()
    }
}

/// Credentials that are given together.
#[allow(clippy::struct_excessive_bools, reason = "each is a credential that stands for itself")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Credentials {
    /// A `UsernameToken`.
    token: bool,
    /// HTTP basic authentication.
    basic: bool,
    /// HTTP digest authentication.
    http_digest: bool,
    /// A client certificate in the handshake of TLS.
    certificate: bool,
}

/// What an operation's policies demand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Demands {
    /// Of these one is wanted; none, where there are none.
    credentials: Vec<Credentials>,
    /// The password of a `UsernameToken` as a digest.
    pub(super) digest: bool,
    /// A `Timestamp`.
    pub(super) timestamp: bool,
    /// An encrypted connection, with the place that says so.
    pub(super) https: Option<Place>,
    /// WS-Addressing.
    pub(super) addressing: Option<AddressingVersion>,
    /// Bytes beside the envelope.
    pub(super) mtom: bool,
    /// Signed or encrypted parts, which an encrypted connection is as good as.
    protection: Option<Place>,
    /// What we cannot do: what, and the place that says so.
    pub(super) unmet: Vec<(String, Place)>,
}

impl Credentials {
    const TOKEN: Self = Self { token: true, ..Self::NONE };
    const BASIC: Self = Self { basic: true, ..Self::NONE };
    const DIGEST: Self = Self { http_digest: true, ..Self::NONE };
    const CERTIFICATE: Self = Self { certificate: true, ..Self::NONE };
    const NONE: Self = Self { token: false, basic: false, http_digest: false, certificate: false };

    fn and(self, other: Self) -> Self {
        Self {
            token: self.token || other.token,
            basic: self.basic || other.basic,
            http_digest: self.http_digest || other.http_digest,
            certificate: self.certificate || other.certificate,
        }
    }

    fn count(self) -> usize {
        [self.token, self.basic, self.http_digest, self.certificate]
            .into_iter()
            .filter(|one| *one)
            .count()
    }

    fn requirement(self) -> SecurityRequirement {
        let http = |scheme: &str| SecurityScheme::Http { scheme: scheme.to_owned() };
        let all = [
            (self.token, "UsernameToken", SecurityScheme::UsernameToken),
            (self.basic, "HttpBasicAuthentication", http("basic")),
            (self.http_digest, "HttpDigestAuthentication", http("digest")),
            (self.certificate, "ClientCertificate", SecurityScheme::MutualTls),
        ];
        let asked = all.into_iter().filter(|(asked, ..)| *asked);
        let all_of = asked.map(|(_, name, scheme)| SchemeUse {
            name: name.to_owned(),
            scheme,
            scopes: Vec::new(),
        });
        SecurityRequirement { all_of: all_of.collect() }
    }
}

/// The demands of the policies that are attached to these nodes, in documents with these roots.
pub(super) fn demands(roots: &Roots<'_>, attached: &[&Node]) -> Demands {
    let mut reader = Reader { roots, document: 0, read: 0, open: HashSet::new() };
    let mut all = Demands::default();
    for node in attached {
        let is_policy = |child: &&Node| {
            matches!(child.name.as_str(), "Policy" | "PolicyReference" | "UsingAddressing")
        };
        let policies: Vec<&Node> = node.elements().filter(is_policy).collect();
        let uris = node.attributes.iter().find(|attribute| attribute.name == "PolicyURIs");
        if policies.is_empty() && uris.is_none() {
            continue;
        }
        reader.document = roots.document_of(node);
        for policy in policies {
            all.add(reader.of(policy, 0));
        }
        for uri in uris.iter().flat_map(|uris| uris.value.split_ascii_whitespace()) {
            all.add(reader.referred(uri, node, 0));
        }
    }
    if let Some(place) = all.protection.filter(|_| all.https.is_none() && all.unmet.is_empty()) {
        all.unmet.push(("signed or encrypted parts of messages".to_owned(), place));
    }
    all
}

impl Demands {
    /// The credentials that are asked for: of the requirements one is to be met.
    pub(super) fn security(&self) -> Vec<SecurityRequirement> {
        if self.credentials.contains(&Credentials::NONE) {
            return Vec::new();
        }
        self.credentials.iter().map(|one| one.requirement()).collect()
    }

    fn of(credentials: Credentials) -> Self {
        Self { credentials: vec![credentials], ..Self::default() }
    }

    /// Demands beside others: each credential of one goes with each of the other.
    fn add(&mut self, other: Self) {
        if self.credentials.is_empty() {
            self.credentials = other.credentials;
        } else if !other.credentials.is_empty() {
            let mut all: Vec<Credentials> = Vec::new();
            for one in &self.credentials {
                for beside in &other.credentials {
                    let both = one.and(*beside);
                    if !all.contains(&both) && all.len() < MAX_COMBINATIONS {
                        all.push(both);
                    }
                }
            }
            self.credentials = all;
        }
        self.digest |= other.digest;
        self.timestamp |= other.timestamp;
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
        let more = [
            self.digest,
            self.timestamp,
            self.mtom,
            self.https.is_some(),
            self.addressing.is_some(),
        ];
        let more = more.into_iter().filter(|one| *one).count();
        let credentials = self.credentials.iter().map(|one| one.count()).min().unwrap_or(0);
        (self.unmet.len() + usize::from(self.protection.is_some()), credentials + more)
    }

    /// Takes the credentials of an alternative as well, where it asks for nothing else that is
    /// different. How a password goes is nobody's concern who gives none.
    fn or(&mut self, other: &Self) {
        let same = self.timestamp == other.timestamp
            && self.mtom == other.mtom
            && self.addressing == other.addressing
            && self.https.is_some() == other.https.is_some()
            && self.protection.is_some() == other.protection.is_some()
            && self.unmet.is_empty()
            && other.unmet.is_empty();
        if !same || self.credentials.is_empty() || other.credentials.is_empty() {
            return;
        }
        let has_token = |credentials: &[Credentials]| credentials.iter().any(|one| one.token);
        self.digest |= other.digest && !has_token(&self.credentials);
        for one in &other.credentials {
            if !self.credentials.contains(one) && self.credentials.len() < MAX_COMBINATIONS {
                self.credentials.push(*one);
            }
        }
    }
}

struct Reader<'r, 'd> {
    roots: &'r Roots<'d>,
    /// The document that is being read.
    document: usize,
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
        let place = Place { document: self.document, line: node.line() };
        let unmet =
            |what: &str| Demands { unmet: vec![(what.to_owned(), place)], ..Demands::default() };
        match node.name.as_str() {
            "ExactlyOne" => {
                let branches: Vec<_> = node.elements().map(|one| self.of(one, depth + 1)).collect();
                let mut best =
                    branches.iter().min_by_key(|one| one.cost()).cloned().unwrap_or_default();
                for other in &branches {
                    best.or(other);
                }
                best
            }
            "PolicyReference" => {
                let uri = node.attribute(None, "URI").unwrap_or_default().trim().to_owned();
                self.referred(&uri, node, depth)
            }
            "UsernameToken" => {
                let mut found = inner(self);
                found.add(Demands::of(Credentials::TOKEN));
                found
            }
            "HashPassword" => Demands { digest: true, ..Demands::default() },
            "NoPassword" => unmet("a UsernameToken without a password"),
            "IncludeTimestamp" => Demands { timestamp: true, ..Demands::default() },
            "HttpsToken" => {
                let mut found = inner(self);
                found.https = Some(place);
                // WS-SecurityPolicy 1.1 has an attribute where the later ones have an element.
                let wanted = node.attribute(None, "RequireClientCertificate").unwrap_or_default();
                if matches!(wanted.trim(), "true" | "1") {
                    found.add(Demands::of(Credentials::CERTIFICATE));
                }
                found
            }
            "HttpBasicAuthentication" | "BasicAuthentication" => Demands::of(Credentials::BASIC),
            "HttpDigestAuthentication" | "DigestAuthentication" => Demands::of(Credentials::DIGEST),
            "RequireClientCertificate" => Demands::of(Credentials::CERTIFICATE),
            "NtlmAuthentication" => unmet("NTLM"),
            "NegotiateAuthentication" => unmet("Negotiate (Kerberos or NTLM)"),
            "SymmetricBinding" | "AsymmetricBinding" => {
                unmet(&format!("signed or encrypted messages ({})", node.name))
            }
            "SignedParts"
            | "SignedElements"
            | "EncryptedParts"
            | "EncryptedElements"
            | "ContentEncryptedElements" => {
                Demands { protection: Some(place), ..Demands::default() }
            }
            "EndorsingSupportingTokens"
            | "SignedEndorsingSupportingTokens"
            | "EndorsingEncryptedSupportingTokens"
            | "SignedEndorsingEncryptedSupportingTokens" => {
                unmet("a signature by a token of the sender's")
            }
            "X509Token"
            | "SamlToken"
            | "KerberosToken"
            | "IssuedToken"
            | "SpnegoContextToken"
            | "SecureConversationToken"
            | "SecurityContextToken"
            | "KeyValueToken"
            | "RelToken" => unmet(&format!("a security token that is not spoken ({})", node.name)),
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
            "NonAnonymousResponses" => unmet("answers over a connection of the service's own"),
            "OptimizedMimeSerialization" => Demands { mtom: true, ..Demands::default() },
            "RMAssertion" => unmet("reliable messaging"),
            "ATAssertion" | "BAAtomicOutcomeAssertion" => unmet("distributed transactions"),
            "BinaryEncoding" => unmet("a binary encoding of messages"),
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

    fn referred(&mut self, uri: &str, by: &Node, depth: usize) -> Demands {
        let roots = self.roots;
        let policy = uri.strip_prefix('#').and_then(|id| roots.policy(id, self.document));
        let place = Place { document: self.document, line: by.line() };
        let Some((document, policy)) = policy else {
            let what = format!("what the policy `{uri}` says, which is not in these documents");
            return Demands { unmet: vec![(what, place)], ..Demands::default() };
        };
        let key = format!("{document}{uri}");
        if !self.open.insert(key.clone()) {
            return Demands::default();
        }
        let from = std::mem::replace(&mut self.document, document);
        let found = self.of(policy, depth + 1);
        self.document = from;
        self.open.remove(&key);
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
