//! Envelopes: a body in one, the body out of one, and the faults of both versions.
//!
//! Versions are told apart by the envelope's namespace, and an answer is read in the version
//! that it came in, whichever was asked for (SOAP 1.2 part 1 appendix A lets an upstream
//! answer in the older one). Headers are `header`'s.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use tollbridge_operation::{EncodeError, Fault};
use tollbridge_xml::{Element as Node, XML_NAMESPACE, XmlWriter, chars};

use crate::header::{self, Enclosed};
use crate::message::{Message, OperationPlan, Shape, SoapVersion};
use crate::mime::{self, Outgoing};
use crate::plan::Element;
use crate::value::{self, Apart, Reading, Writer};
use crate::xsd::{SOAP_ENC, XSI};

/// A request's envelope, and what travels beside it.
pub(crate) struct Written {
    pub(crate) envelope: Vec<u8>,
    pub(crate) apart: Apart,
}

/// Writes a request. `arguments` are the body's, and under `headers` the header's.
pub(crate) fn write(
    plan: &OperationPlan,
    arguments: &Map<String, Value>,
    enclosed: Option<Enclosed<'_>>,
) -> Result<Written, EncodeError> {
    // Where no header is declared, `headers` may be a member like any other.
    let reserved: &[&str] = if plan.headers.is_empty() { &[] } else { &["headers"] };
    let headers = reserved.first().and_then(|name| arguments.get(*name));
    let (header, names) = header::write(plan, headers, enclosed)?;
    let mut members = plan.input.names.to_members(arguments, reserved);
    let attached = attached(&plan.input, &mut members)?;
    let mut body = Writer::new(&plan.types, names, plan.input.encoded);
    let mtom = enclosed.and_then(|enclosed| enclosed.enclosure.mtom).unwrap_or(plan.wanted.mtom);
    body.apart.is_optimised = mtom;
    message(&mut body, plan, &members)
        .map_err(|error| EncodeError { pointer: renamed(&error.pointer, &plan.input), ..error })?;
    let mut apart = std::mem::take(&mut body.apart);
    apart.parts.extend(attached);
    let (body, names) = body.finish();
    // Where no message can have an ID, the service means its references otherwise.
    if plan.input.has_ids
        && let Some(dangling) = names.ids.dangling().next()
    {
        let pointer = match dangling.at.strip_prefix("/headers/") {
            Some(_) if headers.is_some() => dangling.at.clone(),
            _ => renamed(&dangling.at, &plan.input),
        };
        return Err(EncodeError { pointer, expected: value::EXPECTED_ID.to_owned() });
    }

    let soap = plan.version.namespace();
    let mut root =
        vec![("xmlns:soap".to_owned(), soap.to_owned()), ("xmlns:xsi".to_owned(), XSI.to_owned())];
    root.extend(names.iter().map(|(prefix, uri)| (format!("xmlns:{prefix}"), uri.to_owned())));
    if plan.input.encoded {
        // SOAP 1.2 has it on the body's element alone; 1.1 §4.1.1 anywhere.
        root.push(("soap:encodingStyle".to_owned(), SOAP_ENC.to_owned()));
    }
    let root: Vec<(&str, &str)> = root.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let mut out = XmlWriter::new();
    out.start("soap:Envelope", &root);
    let mut envelope = out.finish();
    if !header.is_empty() {
        envelope.extend_from_slice(b"<soap:Header>");
        envelope.extend_from_slice(&header);
        envelope.extend_from_slice(b"</soap:Header>");
    }
    envelope.extend_from_slice(b"<soap:Body>");
    envelope.extend_from_slice(&body);
    envelope.extend_from_slice(b"</soap:Body></soap:Envelope>");
    Ok(Written { envelope, apart })
}

/// Takes the parts that travel beside the envelope out of the members.
fn attached(
    message: &Message,
    members: &mut Map<String, Value>,
) -> Result<Vec<Outgoing>, EncodeError> {
    let each = message.attached.iter().map(|attached| {
        let key = attached.key();
        let given = members.shift_remove(&key);
        let text = given.as_ref().and_then(Value::as_str);
        let (bytes, expected) = if attached.is_text {
            (text.map(|text| text.as_bytes().to_vec()), "text")
        } else {
            (text.and_then(|text| STANDARD.decode(text).ok()), "bytes in base64")
        };
        Ok(Outgoing {
            id: mime::named_id(&attached.name),
            content_type: attached.content_type(),
            bytes: bytes.ok_or_else(|| EncodeError {
                pointer: value::pointer("", message.names.argument(&key)),
                expected: expected.to_owned(),
            })?,
        })
    });
    each.collect()
}

fn message(
    out: &mut Writer<'_>,
    plan: &OperationPlan,
    members: &Map<String, Value>,
) -> Result<(), EncodeError> {
    match &plan.input.body {
        Shape::Wrapped(element) => out.element(element, &Value::Object(members.clone()), ""),
        Shape::Bare(elements) => parts(out, elements, members),
        Shape::Rpc { wrapper, parts: elements } => {
            let tag = out.start(wrapper, &[]);
            parts(out, elements, members)?;
            out.end(&tag);
            Ok(())
        }
    }
}

/// One element for each part; a part that is not given is left out, where it may be.
fn parts(
    out: &mut Writer<'_>,
    elements: &[Arc<Element>],
    members: &Map<String, Value>,
) -> Result<(), EncodeError> {
    if let Some(stranger) = members.keys().find(|name| elements.iter().all(|e| e.key() != *name)) {
        let names: Vec<&str> = elements.iter().map(|element| element.key()).collect();
        return Err(EncodeError {
            pointer: value::pointer("", stranger),
            expected: format!("no such argument; there are: {}", names.join(", ")),
        });
    }
    for element in elements {
        let at = value::pointer("", element.key());
        match members.get(element.key()) {
            Some(value) => out.element(element, value, &at)?,
            None => return Err(EncodeError { pointer: at, expected: "a value".into() }),
        }
    }
    Ok(())
}

/// A pointer into the members, as one into the arguments.
fn renamed(pointer: &str, message: &Message) -> String {
    let Some(rest) = pointer.strip_prefix('/') else { return pointer.to_owned() };
    let (first, below) = match rest.split_once('/') {
        Some((first, below)) => (first, format!("/{below}")),
        None => (rest, String::new()),
    };
    let key = first.replace("~1", "/").replace("~0", "~");
    format!("{}{below}", value::pointer("", message.names.argument(&key)))
}

/// What stands in a message's body.
#[derive(Debug)]
pub(crate) enum Opened<'a> {
    /// A fault.
    Fault(Fault),
    /// Elements, none for an empty body; and the header, if there is one.
    Body { elements: Vec<&'a Node>, header: Option<&'a Node> },
}

/// Opens an envelope; `None` where the element is none.
pub(crate) fn open<'a>(root: &'a Node, plan: &OperationPlan) -> Option<Opened<'a>> {
    let namespace = root.namespace.as_deref()?;
    let version = [SoapVersion::V1_1, SoapVersion::V1_2]
        .into_iter()
        .find(|version| version.namespace() == namespace)
        .filter(|_| root.name == "Envelope")?;
    let is_soap =
        |element: &Node, name| element.name == name && element.namespace == root.namespace;
    // Of two bodies nobody can tell which is meant, and what wraps signatures has two.
    let mut bodies = root.elements().filter(|child| is_soap(child, "Body"));
    let body = bodies.next()?;
    if bodies.next().is_some() {
        return None;
    }
    if let Some(fault) = body.elements().find(|child| is_soap(child, "Fault")) {
        return Some(Opened::Fault(match version {
            SoapVersion::V1_1 => fault_1_1(fault, plan),
            SoapVersion::V1_2 => fault_1_2(fault, plan),
        }));
    }
    let header = root.elements().find(|child| is_soap(child, "Header"));
    Some(Opened::Body { elements: body.elements().collect(), header })
}

/// SOAP 1.1 §4.4. Its children are in no namespace, but some upstreams qualify them.
fn fault_1_1(fault: &Node, plan: &OperationPlan) -> Fault {
    Fault {
        code: code(fault.child("faultcode")),
        subcodes: Vec::new(),
        reason: fault.child("faultstring").map(trimmed).unwrap_or_default(),
        detail: with_others(
            fault.child("detail").and_then(|node| detail(node, plan)),
            fault,
            &["faultcode", "faultstring", "faultactor", "detail"],
        ),
    }
}

/// SOAP 1.2 part 1 §5.4.
fn fault_1_2(fault: &Node, plan: &OperationPlan) -> Fault {
    let outermost = fault.child("Code");
    let mut subcodes = Vec::new();
    let mut inner = outermost.and_then(|code| code.child("Subcode"));
    while let Some(subcode) = inner {
        subcodes.push(code(subcode.child("Value")));
        inner = subcode.child("Subcode");
    }
    Fault {
        code: code(outermost.and_then(|code| code.child("Value"))),
        subcodes,
        reason: fault.child("Reason").map(reason).unwrap_or_default(),
        detail: with_others(
            fault.child("Detail").and_then(|node| detail(node, plan)),
            fault,
            &["Code", "Reason", "Node", "Role", "Detail"],
        ),
    }
}

/// The detail with a fault's other children, which SOAP 1.1 §4.4 allows and some upstreams put
/// the whole detail into.
fn with_others(detail: Option<Value>, fault: &Node, own: &[&str]) -> Option<Value> {
    let mut others =
        fault.elements().filter(|child| !own.contains(&child.name.as_str())).peekable();
    if others.peek().is_none() {
        return detail;
    }
    let mut object = match detail {
        Some(Value::Object(object)) => object,
        Some(value) => Map::from_iter([("#text".to_owned(), value)]),
        None => Map::new(),
    };
    for child in others {
        match object.get_mut(&child.name) {
            Some(Value::Array(list)) => list.push(value::free(child)),
            Some(first) => *first = Value::Array(vec![first.take(), value::free(child)]),
            None => {
                object.insert(child.name.clone(), value::free(child));
            }
        }
    }
    Some(Value::Object(object))
}

/// The reason in English where it is there, else in the first language that is.
fn reason(reason: &Node) -> String {
    let english = |text: &&Node| {
        text.attribute(Some(XML_NAMESPACE), "lang")
            .is_some_and(|lang| lang.eq_ignore_ascii_case("en") || lang.starts_with("en-"))
    };
    let texts = || reason.elements().filter(|child| child.name == "Text");
    texts().find(english).or_else(|| texts().next()).map(trimmed).unwrap_or_default()
}

fn code(element: Option<&Node>) -> String {
    element.map(|element| value::local(&element.text()).to_owned()).unwrap_or_default()
}

fn trimmed(element: &Node) -> String {
    element.text().trim_matches(chars::is_space).to_owned()
}

/// The detail as a value, an element of it by its schema where that is known; `None` where
/// it says nothing.
fn detail(node: &Node, plan: &OperationPlan) -> Option<Value> {
    let known = |child: &Node| plan.faults.iter().find(|fault| fault.name.names(child));
    if node.elements().any(|child| known(child).is_some()) {
        let mut reading = Reading::new(&plan.types);
        let read = node.elements().map(|child| {
            let value = match known(child) {
                Some(fault) => reading.element(child, fault),
                None => value::free(child),
            };
            (child.name.clone(), value)
        });
        return Some(Value::Object(read.collect()));
    }
    match value::free(node) {
        Value::String(text) if text.chars().all(chars::is_space) => None,
        Value::Object(object) if object.is_empty() => None,
        Value::Null => None,
        value => Some(value),
    }
}
