//! The binding of one SOAP operation to HTTP.
//!
//! A request is a POST to the server's own URL, whose path the binding leaves alone. An
//! answer is told by what is in it rather than by its status: a fault is a failure also
//! under 200, which many upstreams send, and an envelope is read whatever its media type.

use bytes::Bytes;
use http::header::{ACCEPT, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde_json::Value;
use tollbridge_operation::{
    Answer, Arguments, Binding, Body, EncodeError, Payload, Request, Response,
};
use tollbridge_xml::Element;

use crate::envelope::{self, Message};
use crate::plan::{ElementPlan, OperationPlan, PlanError, SoapVersion};
use crate::value::{self, Names, Reading};

/// What a SOAP operation's arguments become on the wire, and its responses here.
///
/// The arguments are the children of the message's one element; with header blocks in the
/// plan, `headers` is an object of them. Absent is left out, `null` is `xsi:nil`.
#[derive(Debug)]
pub struct SoapBinding {
    plan: OperationPlan,
    names: Names,
    content_type: HeaderValue,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl SoapBinding {
    /// Checks the plan and prepares what is the same for every call.
    pub fn new(plan: OperationPlan) -> Result<Self, PlanError> {
        plan.check()?;
        let names = Names::new(plan.namespaces());
        let action = plan.action.as_deref().map(quoted);
        let header =
            |text: &str| HeaderValue::from_str(text).expect("a checked action is visible ASCII");
        let (content_type, headers) = match plan.version {
            // SOAP 1.1 §6.1.1: the header stands in every request, quoted also where empty.
            SoapVersion::V1_1 => (
                HeaderValue::from_static("text/xml; charset=utf-8"),
                vec![
                    (ACCEPT, HeaderValue::from_static("text/xml")),
                    (
                        HeaderName::from_static("soapaction"),
                        header(action.as_deref().unwrap_or("\"\"")),
                    ),
                ],
            ),
            // SOAP 1.2 part 2 §6.5.3: the action is a parameter of the media type.
            SoapVersion::V1_2 => (
                match action {
                    Some(action) => {
                        header(&format!("application/soap+xml; charset=utf-8; action={action}"))
                    }
                    None => HeaderValue::from_static("application/soap+xml; charset=utf-8"),
                },
                vec![(ACCEPT, HeaderValue::from_static("application/soap+xml, text/xml;q=0.9"))],
            ),
        };
        Ok(Self { plan, names, content_type, headers })
    }

    fn read(&self, body: &[&Element]) -> (Payload, Reading) {
        let mut reading = Reading::default();
        let Some(&first) = body.first() else {
            if self.plan.output.as_ref().is_some_and(|output| !output.fields.is_empty()) {
                reading.note("expected an element in the body, and none came");
            }
            return (Payload::Empty, reading);
        };
        if body.len() > 1 {
            reading.note("expected one element in the body, and several came");
        }
        let value = match &self.plan.output {
            None => value::free(first),
            Some(plan) => {
                let named = |element: &&&Element| element.name == plan.name;
                let element = body.iter().find(named).copied().unwrap_or(first);
                if !is(element, plan) {
                    reading.note("the body's element has another name than expected");
                }
                reading.wrapper(element, &plan.fields)
            }
        };
        (Payload::Value(value), reading)
    }
}

impl Binding for SoapBinding {
    fn encode(&self, arguments: &Arguments) -> Result<Request, EncodeError> {
        let envelope = envelope::write(&self.plan, &self.names, &arguments.0)?;
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
            return done(response.status, Payload::Empty, Reading::default());
        }
        let root = match tollbridge_xml::parse(&response.body) {
            Ok(root) => root,
            Err(error) => return no_message(response, error.to_string()),
        };
        match envelope::open(&root) {
            None => no_message(response, "it is XML, and no SOAP envelope with a body".into()),
            Some(Message::Fault(fault)) => {
                Answer::Failure { payload: Payload::Empty, fault: Some(fault) }
            }
            Some(Message::Body(body)) => {
                let (payload, reading) = self.read(&body);
                done(response.status, payload, reading)
            }
        }
    }
}

fn done(status: StatusCode, payload: Payload, reading: Reading) -> Answer {
    if status.is_success() {
        Answer::Success { payload, drift: reading.into_drift() }
    } else {
        Answer::Failure { payload, fault: None }
    }
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

fn is(element: &Element, plan: &ElementPlan) -> bool {
    element.name == plan.name && element.namespace == plan.namespace
}

/// A quoted string (RFC 9110 §5.6.4).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
