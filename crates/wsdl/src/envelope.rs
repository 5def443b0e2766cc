//! Envelopes: a body in one, the body out of one, and the faults of both versions.
//!
//! Versions are told apart by the envelope's namespace, and an answer is read in the version
//! that it came in, whichever was asked for (SOAP 1.2 part 1 appendix A lets an upstream
//! answer in the older one). Headers of answers are passed over.

use serde_json::{Map, Value};
use tollbridge_operation::{EncodeError, Fault};
use tollbridge_xml::{Element, XML_NAMESPACE, XmlWriter, chars};

use crate::plan::{OperationPlan, SoapVersion};
use crate::value::{self, Names, XSI};

/// Writes a request. `arguments` are the body's, and under `headers` the header's.
pub(crate) fn write(
    plan: &OperationPlan,
    names: &Names,
    arguments: &Map<String, Value>,
) -> Result<Vec<u8>, EncodeError> {
    let mut out = XmlWriter::new();
    let declared: Vec<(String, &str)> =
        names.iter().map(|(prefix, uri)| (format!("xmlns:{prefix}"), uri.as_str())).collect();
    let mut attributes = vec![("xmlns:soap", plan.version.namespace()), ("xmlns:xsi", XSI)];
    attributes.extend(declared.iter().map(|(name, uri)| (name.as_str(), *uri)));
    out.start("soap:Envelope", &attributes);

    let mut besides: &[&str] = &[];
    if !plan.headers.is_empty() {
        besides = &["headers"];
        header(&mut out, plan, names, arguments.get("headers"))?;
    }
    out.start("soap:Body", &[]);
    let wrapper = names.qualified(plan.input.namespace.as_deref(), &plan.input.name);
    out.start(&wrapper, &[]);
    value::fields(&mut out, names, &plan.input.fields, arguments, "", besides)?;
    out.end(&wrapper);
    out.end("soap:Body");
    out.end("soap:Envelope");
    Ok(out.finish())
}

fn header(
    out: &mut XmlWriter,
    plan: &OperationPlan,
    names: &Names,
    headers: Option<&Value>,
) -> Result<(), EncodeError> {
    let empty = Map::new();
    let headers = match headers {
        None => &empty,
        Some(Value::Object(headers)) => headers,
        Some(_) => {
            return Err(EncodeError { pointer: "/headers".into(), expected: "an object".into() });
        }
    };
    if headers.is_empty() && plan.headers.iter().all(|field| field.optional) {
        return Ok(());
    }
    out.start("soap:Header", &[]);
    value::fields(out, names, &plan.headers, headers, "/headers", &[])?;
    out.end("soap:Header");
    Ok(())
}

/// What stands in a message's body.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    /// A fault.
    Fault(Fault),
    /// Elements; none for an empty body.
    Body(Vec<&'a Element>),
}

/// Opens an envelope; `None` where the element is none.
pub(crate) fn open(root: &Element) -> Option<Message<'_>> {
    let namespace = root.namespace.as_deref()?;
    let version = [SoapVersion::V1_1, SoapVersion::V1_2]
        .into_iter()
        .find(|version| version.namespace() == namespace)
        .filter(|_| root.name == "Envelope")?;
    let is_soap =
        |element: &Element, name| element.name == name && element.namespace == root.namespace;
    let body = root.elements().find(|child| is_soap(child, "Body"))?;
    if let Some(fault) = body.elements().find(|child| is_soap(child, "Fault")) {
        return Some(Message::Fault(match version {
            SoapVersion::V1_1 => fault_1_1(fault),
            SoapVersion::V1_2 => fault_1_2(fault),
        }));
    }
    Some(Message::Body(body.elements().collect()))
}

/// SOAP 1.1 §4.4. Its children are in no namespace, but some upstreams qualify them.
fn fault_1_1(fault: &Element) -> Fault {
    Fault {
        code: code(fault.child("faultcode")),
        subcodes: Vec::new(),
        reason: fault.child("faultstring").map(trimmed).unwrap_or_default(),
        detail: fault.child("detail").and_then(detail),
    }
}

/// SOAP 1.2 part 1 §5.4.
fn fault_1_2(fault: &Element) -> Fault {
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
        detail: fault.child("Detail").and_then(detail),
    }
}

/// The reason in English where it is there, else in the first language that is.
fn reason(reason: &Element) -> String {
    let english = |text: &&Element| {
        text.attribute(Some(XML_NAMESPACE), "lang")
            .is_some_and(|lang| lang.eq_ignore_ascii_case("en") || lang.starts_with("en-"))
    };
    let texts = || reason.elements().filter(|child| child.name == "Text");
    texts().find(english).or_else(|| texts().next()).map(trimmed).unwrap_or_default()
}

fn code(element: Option<&Element>) -> String {
    element.map(|element| value::local(&element.text()).to_owned()).unwrap_or_default()
}

fn trimmed(element: &Element) -> String {
    element.text().trim_matches(chars::is_space).to_owned()
}

/// The detail as a value; `None` where it says nothing.
fn detail(element: &Element) -> Option<Value> {
    match value::free(element) {
        Value::String(text) if text.chars().all(chars::is_space) => None,
        Value::Object(object) if object.is_empty() => None,
        Value::Null => None,
        value => Some(value),
    }
}
