//! The binding of one SOAP operation to HTTP.
//!
//! A request is a POST to the server's own URL, whose path the binding leaves alone. An
//! answer is told by what is in it rather than by its status: a fault is a failure also
//! under 200, which many upstreams send, and an envelope is read whatever its media type.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde_json::{Map, Value};
use tollbridge_operation::{
    Answer, Arguments, Binding, Body, EncodeError, Payload, Request, Response,
};
use tollbridge_xml::Element as Node;

use crate::envelope::{self, Opened};
use crate::message::{Message, OperationPlan, Shape, SoapVersion, wrapped};
use crate::multiref;
use crate::plan::Element;
use crate::value::{Reading, free};

/// The namespace of SOAP 1.2's representation of calls.
const SOAP_RPC: &str = "http://www.w3.org/2003/05/soap-rpc";

/// What a SOAP operation's arguments become on the wire, and its responses here.
///
/// Absent is left out, `null` is `xsi:nil`. Header blocks are members of the argument
/// `headers`.
#[derive(Debug)]
pub(crate) struct SoapBinding {
    plan: OperationPlan,
    content_type: HeaderValue,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// An action that cannot stand in a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the SOAP action `{0}` is no URI: it has other characters than visible ASCII")]
pub(crate) struct BadAction(String);

impl SoapBinding {
    /// Prepares what is the same for every call.
    pub(crate) fn new(plan: OperationPlan) -> Result<Self, BadAction> {
        let action = plan.action.as_deref().map(quoted);
        let header = |text: &str| {
            HeaderValue::from_str(text)
                .ok()
                .filter(|value| value.to_str().is_ok())
                .ok_or_else(|| BadAction(plan.action.clone().unwrap_or_default()))
        };
        let (content_type, headers) = match plan.version {
            // SOAP 1.1 §6.1.1: the header stands in every request, quoted also where empty.
            SoapVersion::V1_1 => (
                HeaderValue::from_static("text/xml; charset=utf-8"),
                vec![
                    (ACCEPT, HeaderValue::from_static("text/xml")),
                    (
                        HeaderName::from_static("soapaction"),
                        header(action.as_deref().unwrap_or("\"\""))?,
                    ),
                ],
            ),
            // SOAP 1.2 part 2 §6.5.3: the action is a parameter of the media type.
            SoapVersion::V1_2 => (
                match action.filter(|action| action != "\"\"") {
                    Some(action) => {
                        header(&format!("application/soap+xml; charset=utf-8; action={action}"))?
                    }
                    None => HeaderValue::from_static("application/soap+xml; charset=utf-8"),
                },
                vec![(ACCEPT, HeaderValue::from_static("application/soap+xml, text/xml;q=0.9"))],
            ),
        };
        Ok(Self { plan, content_type, headers })
    }

    fn read(&self, body: &[&Node]) -> (Payload, Reading<'_>) {
        let encoded = self.plan.output.as_ref().is_some_and(|output| output.encoded);
        let mut reading = Reading::new(&self.plan.types).encoded(encoded);
        let Some(output) = &self.plan.output else {
            let value = body.first().map(|node| Payload::Value(free(node)));
            return (value.unwrap_or(Payload::Empty), reading);
        };
        let value = match &output.body {
            Shape::Wrapped(element) => match expected(&mut reading, body, element) {
                Some(node) => self.unwrapped(&mut reading, node, element, output),
                None => return (Payload::Empty, reading),
            },
            Shape::Bare(elements) => match elements.as_slice() {
                [] => match body.first() {
                    None => return (Payload::Empty, reading),
                    Some(node) => {
                        reading.note("expected an empty body, and an element came");
                        free(node)
                    }
                },
                [element] => match expected(&mut reading, body, element) {
                    Some(node) => lone(&self.plan, &mut reading, node, element),
                    None => return (Payload::Empty, reading),
                },
                elements => parts(&mut reading, body.iter().copied(), elements),
            },
            Shape::Rpc { wrapper, parts: elements } => {
                let named = |node: &&&Node| wrapper.names(node);
                let Some(node) = body.iter().find(named).or_else(|| body.first()) else {
                    reading.note("expected an element in the body, and none came");
                    return (Payload::Empty, reading);
                };
                let given: Vec<&Node> =
                    node.elements().filter(|node| !names_result(node)).collect();
                match (elements.as_slice(), given.as_slice()) {
                    ([element], [only]) => lone(&self.plan, &mut reading, only, element),
                    (elements, given) => parts(&mut reading, given.iter().copied(), elements),
                }
            }
        };
        (Payload::Value(value), reading)
    }

    fn unwrapped(
        &self,
        reading: &mut Reading<'_>,
        node: &Node,
        element: &Element,
        output: &Message,
    ) -> Value {
        match wrapped(&self.plan.types, element) {
            Some(complex) => {
                let mut members = Map::new();
                reading.content(node, complex, &mut members);
                reading.attributes(node, complex, &mut members);
                Value::Object(output.names.to_arguments(members))
            }
            None => reading.element(node, element),
        }
    }
}

/// The body's element of that name, or the first one in its place.
fn expected<'a>(
    reading: &mut Reading<'_>,
    body: &[&'a Node],
    element: &Element,
) -> Option<&'a Node> {
    let Some(&first) = body.first() else {
        reading.note("expected an element in the body, and none came");
        return None;
    };
    if body.len() > 1 {
        reading.note("expected one element in the body, and several came");
    }
    let named = |node: &&&Node| element.name.names(node) || element.substitute(node).is_some();
    Some(body.iter().find(named).copied().unwrap_or_else(|| {
        reading.note("the body's element has another name than expected");
        first
    }))
}

/// Whether a child of an rpc answer only says which of its siblings is the result (SOAP 1.2
/// part 2 §4.2.1).
fn names_result(node: &Node) -> bool {
    node.name == "result" && node.namespace.as_deref() == Some(SOAP_RPC)
}

/// An answer of one part: a simple value as it is, an object under the part's name.
fn lone(plan: &OperationPlan, reading: &mut Reading<'_>, node: &Node, element: &Element) -> Value {
    if plan.types.is_plain(element.ty) {
        return reading.element(node, element);
    }
    let value = reading.within(element.key(), |reading| reading.element(node, element));
    Value::Object(Map::from_iter([(element.key().to_owned(), value)]))
}

/// The parts of a message, each a member.
fn parts<'a>(
    reading: &mut Reading<'_>,
    nodes: impl Iterator<Item = &'a Node>,
    elements: &[std::sync::Arc<Element>],
) -> Value {
    let mut object = Map::new();
    for node in nodes {
        let known = elements
            .iter()
            .find(|element| element.name.names(node))
            .or_else(|| elements.iter().find(|element| element.key() == node.name));
        let value = reading.within(&node.name, |reading| match known {
            Some(element) => reading.element(node, element),
            None => {
                reading.note("nothing is known of this element");
                free(node)
            }
        });
        object.insert(node.name.clone(), value);
    }
    Value::Object(object)
}

impl Binding for SoapBinding {
    fn encode(&self, arguments: &Arguments) -> Result<Request, EncodeError> {
        let envelope = envelope::write(&self.plan, &arguments.0)?;
        Ok(Request {
            method: Method::POST,
            path: String::new(),
            query: None,
            headers: self.headers.clone(),
            cookies: Vec::new(),
            body: Some(Body {
                content_type: self.content_type.clone(),
                bytes: Bytes::from(envelope),
            }),
        })
    }

    fn decode(&self, response: &Response) -> Answer {
        if response.body.iter().all(u8::is_ascii_whitespace) {
            return done(response.status, Payload::Empty, Reading::new(&self.plan.types));
        }
        let charset = charset(response);
        let root = match tollbridge_xml::parse_as(&response.body, charset.as_deref()) {
            Ok(root) => root,
            Err(error) => return no_message(response, error.to_string()),
        };
        match envelope::open(&root, &self.plan) {
            None => no_message(response, "it is XML, and no SOAP envelope with a body".into()),
            Some(Opened::Fault(fault)) => {
                Answer::Failure { payload: Payload::Empty, fault: Some(fault) }
            }
            Some(Opened::Body(body)) => {
                let resolved = multiref::resolve(&body);
                let body: Cow<'_, [&Node]> = match &resolved {
                    Some(nodes) => Cow::Owned(nodes.iter().collect()),
                    None => Cow::Borrowed(&body),
                };
                let (payload, reading) = self.read(&body);
                done(response.status, payload, reading)
            }
        }
    }
}

fn done(status: StatusCode, payload: Payload, reading: Reading<'_>) -> Answer {
    if status.is_success() {
        Answer::Success { payload, drift: reading.into_drift() }
    } else {
        Answer::Failure { payload, fault: None }
    }
}

/// The `charset` of `Content-Type` (RFC 9110 §8.3.1).
pub(crate) fn charset(response: &Response) -> Option<String> {
    let value = response.headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        is_charset.then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// An answer that is no SOAP: an error page under an error status, else a broken promise.
fn no_message(response: &Response, reason: String) -> Answer {
    if response.status.is_success() {
        return Answer::Unreadable { reason };
    }
    let payload = match std::str::from_utf8(&response.body) {
        Ok(text) => Payload::Value(Value::String(text.to_owned())),
        Err(_) => Payload::Bytes {
            media_type: response
                .media_type()
                .unwrap_or_else(|| "application/octet-stream".to_owned()),
            data: response.body.clone(),
        },
    };
    Answer::Failure { payload, fault: None }
}

/// A quoted string (RFC 9110 §5.6.4).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
