//! What the messages of one operation look like: which SOAP, which headers, and which
//! elements stand in the body under which names in JSON.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::name::QName;
use crate::plan::{Body, Complex, Element, TypeId, Types};

/// Which SOAP an operation speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SoapVersion {
    /// SOAP 1.1.
    V1_1,
    /// SOAP 1.2.
    V1_2,
}

impl SoapVersion {
    /// The namespace of the envelope.
    pub(crate) fn namespace(self) -> &'static str {
        match self {
            Self::V1_1 => "http://schemas.xmlsoap.org/soap/envelope/",
            Self::V1_2 => "http://www.w3.org/2003/05/soap-envelope",
        }
    }
}

/// Which WS-Addressing a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum AddressingVersion {
    /// 1.0, of 2005/08.
    #[default]
    V1_0,
    /// The submission of 2004/08.
    August2004,
}

/// How an operation's messages are addressed.
#[derive(Debug, Default)]
pub(crate) struct Addressing {
    /// Whether the WSDL asks for it.
    pub(crate) wanted: bool,
    pub(crate) version: AddressingVersion,
    pub(crate) action: String,
    /// Whether there is an answer to be sent anywhere.
    pub(crate) answers: bool,
}

/// What the WSDL's policies want of messages, where the configuration says nothing else.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// A password as a digest.
    pub(crate) digest: bool,
    /// A timestamp.
    pub(crate) timestamp: bool,
    /// Bytes beside the envelope.
    pub(crate) mtom: bool,
}

/// One operation's messages.
#[derive(Debug)]
pub(crate) struct OperationPlan {
    pub(crate) version: SoapVersion,
    /// The SOAP action: visible ASCII, as a URI is.
    pub(crate) action: Option<String>,
    pub(crate) addressing: Addressing,
    pub(crate) wanted: Wanted,
    pub(crate) types: Arc<Types>,
    /// Header blocks of the request; their values are members of the argument `headers`.
    pub(crate) headers: Vec<Arc<Element>>,
    /// Header blocks of the answer.
    pub(crate) answer_headers: Vec<Arc<Element>>,
    pub(crate) input: Message,
    /// `None` for an operation that answers nothing.
    pub(crate) output: Option<Message>,
    /// The elements that a fault's detail may have.
    pub(crate) faults: Vec<Arc<Element>>,
}

/// A message's body.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) body: Shape,
    /// `rpc/encoded`: values say their types, and may be told by reference (SOAP 1.1 §5).
    pub(crate) encoded: bool,
    /// The top-level names in JSON, and what they are called below.
    pub(crate) names: Names,
    /// Whether values of it may have IDs, which references in it name.
    pub(crate) has_ids: bool,
    /// The parts that travel beside the envelope.
    pub(crate) attached: Vec<Attached>,
}

/// A part of a message that travels beside the envelope (WSDL 1.1 §5.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attached {
    /// The part's name.
    pub(crate) name: String,
    /// Its media types, as the WSDL has them: `image/*` and the like among them.
    pub(crate) media_types: Vec<String>,
    /// It is text in JSON, where it is text.
    pub(crate) is_text: bool,
}

impl Attached {
    /// The key of its member, which no other member has.
    pub(crate) fn key(&self) -> String {
        format!("cid:{}", self.name)
    }

    /// Whether a part of that media type may be this one.
    pub(crate) fn takes(&self, content_type: Option<&str>) -> bool {
        let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        self.media_types.is_empty()
            || self.media_types.iter().any(|said| match said.strip_suffix('*') {
                Some(kind) => kind == "*/" || essence.starts_with(kind),
                None => *said == essence,
            })
    }

    /// The media type that it is sent with.
    pub(crate) fn content_type(&self) -> String {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$&^_.+-/".contains(c);
        let said = self.media_types.iter().find(|said| said.chars().all(is_token));
        match (said, self.is_text) {
            (Some(said), true) => format!("{said}; charset=utf-8"),
            (Some(said), false) => said.clone(),
            (None, true) => "text/plain; charset=utf-8".to_owned(),
            (None, false) => "application/octet-stream".to_owned(),
        }
    }
}

/// How the body's elements come about.
#[derive(Debug)]
pub(crate) enum Shape {
    /// One element whose children, and attributes, stand at the top level in JSON.
    Wrapped(Arc<Element>),
    /// Elements that are each a property; none for an empty body.
    Bare(Vec<Arc<Element>>),
    /// An element of the operation's name around one for each part (WSDL 1.1 §3.5).
    Rpc { wrapper: QName, parts: Vec<Arc<Element>> },
}

/// Names of arguments that are not those of members: attributes of a wrapper, `#content`, and
/// names that clients do not take.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<(String, String)>);

/// Clients refuse longer keys, and other characters.
const MAX_KEY: usize = 64;

impl Names {
    /// The argument of each member, in order.
    pub(crate) fn new<'k>(keys: impl IntoIterator<Item = &'k str>, reserved: &[&str]) -> Self {
        let keys: Vec<&str> = keys.into_iter().collect();
        let mut taken: HashSet<String> = reserved.iter().map(|&word| word.to_owned()).collect();
        taken.extend(keys.iter().filter(|key| is_portable(key)).map(|&key| key.to_owned()));
        let mut names = Vec::new();
        for key in keys {
            if is_portable(key) && !reserved.contains(&key) {
                continue;
            }
            let base = match (key.strip_prefix('@'), key.strip_prefix("cid:")) {
                (Some(attribute), _) => format!("{}_attr", rewrite(attribute)),
                (None, Some(part)) => rewrite(part),
                (None, None) => rewrite(key),
            };
            let mut name = base.clone();
            let mut n = 1;
            while !taken.insert(name.clone()) {
                n += 1;
                name = format!("{base}_{n}");
            }
            names.push((name, key.to_owned()));
        }
        Self(names)
    }

    /// The argument that stands for a member.
    pub(crate) fn argument<'n>(&'n self, key: &'n str) -> &'n str {
        self.0.iter().find(|(_, own)| own == key).map_or(key, |(argument, _)| argument)
    }

    /// The member that an argument stands for.
    pub(crate) fn key<'n>(&'n self, argument: &'n str) -> &'n str {
        self.0.iter().find(|(name, _)| name == argument).map_or(argument, |(_, key)| key)
    }

    /// Arguments under their members' names.
    pub(crate) fn to_members(
        &self,
        arguments: &Map<String, Value>,
        reserved: &[&str],
    ) -> Map<String, Value> {
        let named = arguments.iter().filter(|(name, _)| !reserved.contains(&name.as_str()));
        named.map(|(name, value)| (self.key(name).to_owned(), value.clone())).collect()
    }

    /// Members under the names of arguments.
    pub(crate) fn to_arguments(&self, members: Map<String, Value>) -> Map<String, Value> {
        members.into_iter().map(|(key, value)| (self.argument(&key).to_owned(), value)).collect()
    }
}

fn is_portable(key: &str) -> bool {
    (1..=MAX_KEY).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// Each run of other characters becomes one `_`, the ends are trimmed, the rest is cut.
fn rewrite(key: &str) -> String {
    let mut name = String::new();
    for c in key.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-') {
            name.push(c);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    let name: String = name.trim_matches('_').chars().take(MAX_KEY - 8).collect();
    if name.is_empty() { "argument".to_owned() } else { name }
}

impl Message {
    /// A message of these elements and nothing else.
    pub(crate) fn bare(elements: Vec<Arc<Element>>, names: Names) -> Self {
        let body = Shape::Bare(elements);
        Self { body, encoded: false, names, has_ids: false, attached: Vec::new() }
    }

    /// The types that the message reaches.
    pub(crate) fn roots(&self) -> Vec<TypeId> {
        match &self.body {
            Shape::Wrapped(element) => vec![element.ty],
            Shape::Bare(elements) | Shape::Rpc { parts: elements, .. } => {
                elements.iter().map(|element| element.ty).collect()
            }
        }
    }
}

/// A wrapper's type, where its children can be arguments: element content without a derived
/// type in its place.
pub(crate) fn wrapped<'t>(types: &'t Types, element: &Element) -> Option<&'t Complex> {
    match &types.get(element.ty).body {
        Body::Complex(complex)
            if complex.variants.is_empty()
                && !complex.is_abstract
                && !element.nillable
                && !matches!(complex.content, crate::plan::Content::Simple(_)) =>
        {
            Some(complex)
        }
        _ => None,
    }
}
