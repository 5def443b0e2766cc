//! The binding of one SOAP operation to HTTP.
//!
//! A request is a POST to the server's own URL, whose path the binding leaves alone. An
//! answer is told by what is in it rather than by its status: a fault is a failure also
//! under 200, which many upstreams send, and an envelope is read whatever its media type.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde_json::{Map, Value};
use tollbridge_operation::{
    Answer, Arguments, Binding, Body, Drift, Enclosure, EncodeError, Moment, Payload, Request,
    Response,
};
use tollbridge_xml::Element as Node;

use crate::envelope::{self, Opened, Written};
use crate::header::{self, Enclosed};
use crate::message::{Message, OperationPlan, Shape, SoapVersion, wrapped};
use crate::mime::{self, Part};
use crate::multiref;
use crate::plan::Element;
use crate::value::{Apart, Reading, free};
use crate::xop::{self, Attachments};

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

    fn request(
        &self,
        arguments: &Arguments,
        enclosed: Option<Enclosed<'_>>,
    ) -> Result<Request, EncodeError> {
        let Written { envelope, apart } = envelope::write(&self.plan, &arguments.0, enclosed)?;
        let body = if apart.is_optimised || !apart.parts.is_empty() {
            self.in_parts(&envelope, &apart)?
        } else {
            Body { content_type: self.content_type.clone(), bytes: Bytes::from(envelope) }
        };
        Ok(Request {
            method: Method::POST,
            path: String::new(),
            query: None,
            headers: self.headers.clone(),
            cookies: Vec::new(),
            body: Some(body),
        })
    }

    /// The message as MTOM has it (SOAP 1.1 Binding for MTOM 1.0, SOAP MTOM §3.2), or as SOAP
    /// with Attachments (§3).
    fn in_parts(&self, envelope: &[u8], apart: &Apart) -> Result<Body, EncodeError> {
        let inner = match self.plan.version {
            SoapVersion::V1_1 => "text/xml",
            SoapVersion::V1_2 => "application/soap+xml",
        };
        let (root, kind, start_info) = if apart.is_optimised {
            let root = format!("application/xop+xml; charset=UTF-8; type=\"{inner}\"");
            (root, "application/xop+xml", format!("start-info=\"{inner}\"; "))
        } else {
            (format!("{inner}; charset=UTF-8"), inner, String::new())
        };
        let (bytes, boundary) = mime::write(&root, envelope, &apart.parts);
        let mut content_type = format!(
            "multipart/related; type=\"{kind}\"; start=\"<{}>\"; {start_info}\
             boundary=\"{boundary}\"",
            mime::ROOT_ID
        );
        if let (SoapVersion::V1_2, Some(action)) = (self.plan.version, &self.plan.action)
            && !action.is_empty()
        {
            content_type.push_str("; action=");
            content_type.push_str(&quoted(action));
        }
        let content_type = HeaderValue::from_str(&content_type).map_err(|_| EncodeError {
            pointer: String::new(),
            expected: "an action that a header can carry".to_owned(),
        })?;
        Ok(Body { content_type, bytes: Bytes::from(bytes) })
    }

    fn read<'r>(
        &'r self,
        body: &[&Node],
        is_copied: bool,
        attachments: Attachments<'r>,
    ) -> (Payload, Reading<'r>) {
        let encoded = self.plan.output.as_ref().is_some_and(|output| output.encoded);
        let mut reading = Reading::new(&self.plan.types).encoded(encoded).copied(is_copied);
        reading.attachments = attachments;
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
                [element] if output.attached.is_empty() => {
                    match expected(&mut reading, body, element) {
                        Some(node) => lone(&self.plan, &mut reading, node, element),
                        None => return (Payload::Empty, reading),
                    }
                }
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
                    ([element], [only]) if output.attached.is_empty() => {
                        lone(&self.plan, &mut reading, only, element)
                    }
                    (elements, given) => parts(&mut reading, given.iter().copied(), elements),
                }
            }
        };
        let value = attached(&mut reading, value, output);
        (Payload::Value(value), reading)
    }

    /// What an empty answer owes: nothing, where none was promised or what was is empty.
    fn owed(&self) -> Vec<Drift> {
        let is_empty = |output: &Message| {
            matches!(&output.body, Shape::Bare(elements) if elements.is_empty())
                && output.attached.is_empty()
        };
        let output = self.plan.output.as_ref().filter(|output| !is_empty(output));
        let message = "expected an answer, and an empty one came".to_owned();
        output.map(|_| Drift { pointer: String::new(), message }).into_iter().collect()
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

/// The value with the parts that the WSDL has beside the envelope (WSDL 1.1 §5.3): by the names in
/// their ids, else in the order in which they are said.
fn attached(reading: &mut Reading<'_>, value: Value, output: &Message) -> Value {
    let Value::Object(mut object) = value else { return value };
    for attached in &output.attached {
        let name = output.names.argument(&attached.key()).to_owned();
        let takes = |part: &Part<'_>| attached.takes(part.content_type.as_deref());
        match reading.attachments.named(&attached.name, takes) {
            Some(part) => {
                let text = std::str::from_utf8(&part.body).ok().filter(|_| attached.is_text);
                let value = text.map_or_else(|| STANDARD.encode(&part.body), str::to_owned);
                object.insert(name, value.into());
            }
            None => reading.within(&name, |reading| {
                reading.note("expected a part beside the envelope, and none came");
            }),
        }
    }
    Value::Object(object)
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
        self.request(arguments, None)
    }

    fn enclose(
        &self,
        arguments: &Arguments,
        enclosure: &Enclosure,
        moment: &Moment<'_>,
    ) -> Result<Request, EncodeError> {
        self.request(arguments, Some(Enclosed { enclosure, moment }))
    }

    fn is_momentary(&self, enclosure: &Enclosure) -> bool {
        header::is_momentary(&self.plan, enclosure)
    }

    fn encloses(&self) -> bool {
        true
    }

    fn has_header(&self, name: &str) -> bool {
        self.plan.headers.iter().any(|header| header.key() == name)
    }

    fn check(&self, enclosure: &Enclosure) -> Result<(), EncodeError> {
        let moment = Moment { now: Duration::ZERO, random: [0; 32], to: "http://localhost" };
        header::check(&self.plan, Enclosed { enclosure, moment: &moment })
    }

    fn decode(&self, response: &Response) -> Answer {
        if response.body.iter().all(u8::is_ascii_whitespace) {
            return done(response.status, Payload::Empty, self.owed(), Map::new());
        }
        let content_type = content_type(response);
        let related = match mime::related(&content_type, &response.body) {
            None => None,
            Some(Ok(related)) => Some(related),
            Some(Err(reason)) => return no_message(response, reason),
        };
        let (root, others) = match related {
            None => (None, Vec::new()),
            Some(related) => (Some(related.root), related.others),
        };
        let (bytes, content_type): (&[u8], &str) = match &root {
            None => (&response.body, &content_type),
            Some(root) => (&root.body, root.content_type.as_deref().unwrap_or_default()),
        };
        let charset = mime::parameter(content_type, "charset");
        let mut envelope = match tollbridge_xml::parse_as(bytes, charset.as_deref()) {
            Ok(root) => root,
            Err(error) => return no_message(response, error.to_string()),
        };
        let is_in_parts = root.is_some();
        let mut attachments = Attachments::new(others);
        let told =
            if is_in_parts { xop::resolve(&mut envelope, &mut attachments) } else { Vec::new() };
        match envelope::open(&envelope, &self.plan) {
            None => no_message(response, "it is XML, and no SOAP envelope with one body".into()),
            Some(Opened::Fault(fault)) => {
                Answer::Failure { payload: Payload::Empty, fault: Some(fault) }
            }
            Some(Opened::Body { elements, header }) => {
                let resolved = multiref::resolve(&elements);
                let body: Cow<'_, [&Node]> = match &resolved {
                    Some(nodes) => Cow::Owned(nodes.iter().collect()),
                    None => Cow::Borrowed(&elements),
                };
                let (payload, mut reading) = self.read(&body, resolved.is_some(), attachments);
                let (headers, more) = header::read(header, &self.plan);
                // A header may have the ID that something in the body refers to.
                let has_ids = self.plan.output.as_ref().is_some_and(|output| output.has_ids);
                if has_ids && header.is_none_or(|header| header.elements().next().is_none()) {
                    reading.settle();
                }
                let mut drift = reading.into_drift();
                drift.extend(
                    told.into_iter().map(|message| Drift { pointer: String::new(), message }),
                );
                drift.extend(more);
                done(response.status, payload, drift, headers)
            }
        }
    }
}

fn done(
    status: StatusCode,
    payload: Payload,
    drift: Vec<Drift>,
    headers: Map<String, Value>,
) -> Answer {
    if status.is_success() {
        Answer::Success { payload, drift, headers }
    } else {
        Answer::Failure { payload, fault: None }
    }
}

/// The `charset` of `Content-Type` (RFC 9110 §8.3.1).
pub(crate) fn charset(response: &Response) -> Option<String> {
    mime::parameter(&content_type(response), "charset")
}

/// `Content-Type`, empty where there is none that is text.
fn content_type(response: &Response) -> String {
    let value = response.headers.get(http::header::CONTENT_TYPE);
    value.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
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
