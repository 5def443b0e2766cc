//! One operation of one port: its messages' elements, before their types are known.

use std::sync::Arc;

use tollbridge_xml::Element as Node;

use super::addressing;
use super::bound::{Bound, documentation, first_sentence, input_name};
use super::definitions::{Binding, Definitions, MIME, Port, Soap, children};
use super::parts::PartReader;
use super::policy::{self, Demands};
use crate::message::{Attached, Message, Names, Shape, SoapVersion, wrapped};
use crate::name::QName;
use crate::plan::{Compiler, Content, Element, Fault, Types};
use crate::xsd::SOAP_ENC;

/// An operation in the making.
pub(super) struct Draft {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) service: String,
    pub(super) input_name: Option<String>,
    pub(super) pointer: String,
    pub(super) summary: Option<String>,
    pub(super) documentation: Option<String>,
    pub(super) version: SoapVersion,
    pub(super) action: Option<String>,
    pub(super) servers: Vec<String>,
    /// What policies demand.
    pub(super) demands: Demands,
    /// The action by WS-Addressing.
    pub(super) addressing_action: String,
    /// Whether the WSDL gives an action by WS-Addressing itself.
    pub(super) says_action: bool,
    /// Whether the operation answers.
    pub(super) answers: bool,
    pub(super) headers: Vec<Arc<Element>>,
    pub(super) answer_headers: Vec<Arc<Element>>,
    pub(super) faults: Vec<Arc<Element>>,
    /// What is the same for an operation through each port of its service.
    pub(super) identity: Identity,
    /// The description says that it changes nothing (WSDL 2.0 part 2 §3.1).
    pub(super) safe: bool,
    pub(super) input: Parts,
    pub(super) output: Option<Parts>,
}

/// An operation of a service, whichever its port: service, port type, name and input's name.
pub(super) type Identity = (String, *const Node, String, Option<String>);

/// A message before it is known whether its body is wrapped.
pub(super) struct Parts {
    pub(super) body: Body,
    /// What travels beside the envelope.
    pub(super) attached: Vec<Attached>,
}

/// A message's body.
pub(super) enum Body {
    Document { elements: Vec<Arc<Element>> },
    Rpc { wrapper: QName, elements: Vec<Arc<Element>>, encoded: bool },
}

/// Reads one operation of a binding.
pub(super) fn draft<'d>(
    definitions: &Definitions<'d>,
    port: &Port<'d>,
    binding: &Binding<'d>,
    soap: Soap<'d>,
    bound: &'d Node,
    key: String,
    compiler: &mut Compiler<'d>,
) -> Result<Draft, Fault> {
    let Bound { name, pointer, operation: abstract_operation } = Bound::new(binding, bound)?;
    let fault = |reason: String| Fault::new(pointer.clone(), reason);
    let said_input = children(abstract_operation, "input").next();
    let said_output = children(abstract_operation, "output").next();
    let Some(said_input) = said_input else {
        return Err(fault("it has no input: notifications are not bridged".to_owned()));
    };
    let first = abstract_operation
        .elements()
        .find(|child| matches!(child.name.as_str(), "input" | "output"));
    if first.is_some_and(|first| first.name == "output") {
        return Err(fault(
            "its output comes before its input: solicit-response is not bridged".to_owned(),
        ));
    }
    let extension = bound.elements().find(|child| {
        child.name == "operation" && child.namespace.as_deref() == Some(soap.namespace)
    });
    let style = extension
        .and_then(|extension| extension.attribute(None, "style"))
        .unwrap_or(soap.style)
        .trim();
    let parts = PartReader { definitions, target: binding.target, compiler, pointer: &pointer };
    let mut reader = MessageReader { parts, soap, style };
    let bound_input = children(bound, "input").next();
    let bound_output = children(bound, "output").next();
    let headers = reader.headers(bound_input)?;
    let input = reader.body(said_input, bound_input, &name, &headers)?;
    // What is broken of an answer's headers is read as it comes.
    let answer_headers = reader.headers(bound_output).unwrap_or_default();
    let output = match said_output {
        Some(said) => {
            let wrapper = format!("{name}Response");
            // An answer that cannot be described is read as it comes.
            reader.body(said, bound_output, &wrapper, &answer_headers).ok()
        }
        None => None,
    };
    let faults = reader.parts.faults(abstract_operation);
    let action = extension
        .and_then(|extension| extension.attribute(None, "soapAction"))
        .map(|action| action.trim().to_owned());
    let explicit = addressing::explicit(said_input);
    let answers = said_output.is_some();
    let addressing_action = explicit
        .clone()
        .or_else(|| action.clone().filter(|action| !action.is_empty()))
        .unwrap_or_else(|| {
            let input = input_name(abstract_operation).unwrap_or_default();
            addressing::default(definitions, binding.port_type, &input)
        });
    // WS-Policy 1.5 Attachment §4.1: the subjects of a service, an endpoint, an operation and a
    // message.
    let attached_to: Vec<&Node> = [port.service_node(), port.node(), binding.node]
        .into_iter()
        .chain([bound, binding.port_type, abstract_operation, said_input])
        .chain(bound_input)
        .chain(reader.parts.message(said_input).ok())
        .collect();
    let words = documentation(abstract_operation).or_else(|| documentation(bound));
    let input_name = input_name(abstract_operation);
    Ok(Draft {
        key,
        service: port.service.to_owned(),
        identity: (
            port.service.to_owned(),
            std::ptr::from_ref(binding.port_type),
            name.clone(),
            input_name.clone(),
        ),
        input_name,
        summary: words.as_ref().map(|words| first_sentence(words)),
        documentation: words,
        version: soap.version,
        action,
        servers: binding.servers.clone(),
        demands: policy::demands(definitions.roots(), &attached_to),
        addressing_action,
        says_action: explicit.is_some(),
        answers,
        headers: headers.into_iter().map(|header| header.element).collect(),
        answer_headers: answer_headers.into_iter().map(|header| header.element).collect(),
        faults,
        safe: false,
        input,
        output,
        pointer,
        name,
    })
}

/// The parts of a message that travel beside the envelope (WSDL 1.1 §5.3). One that is said
/// several times may be of any of those media types (§5.5).
fn attached(bound: &Node, message: &Node) -> Vec<Attached> {
    let mut found: Vec<Attached> = Vec::new();
    let contents = bound
        .elements()
        .filter(|child| child.name == "multipartRelated")
        .flat_map(Node::elements)
        .flat_map(Node::elements)
        .filter(|child| child.name == "content" && child.namespace.as_deref() == Some(MIME));
    for content in contents {
        let Some(name) = content.attribute(None, "part").map(str::trim) else { continue };
        let media_type = content.attribute(None, "type").unwrap_or_default().trim();
        let media_type = (!media_type.is_empty()).then(|| media_type.to_ascii_lowercase());
        if let Some(known) = found.iter_mut().find(|known| known.name == name) {
            known.media_types.extend(media_type);
            continue;
        }
        let Some((_, part)) = PartReader::parts(message).find(|(own, _)| *own == name) else {
            continue;
        };
        let ty = part.attribute(None, "type").unwrap_or_default();
        found.push(Attached {
            name: name.to_owned(),
            media_types: media_type.into_iter().collect(),
            is_text: ty.rsplit(':').next() == Some("string"),
        });
    }
    found
}

struct Header {
    element: Arc<Element>,
    message: *const Node,
    part: String,
}

struct MessageReader<'r, 'd> {
    parts: PartReader<'r, 'd>,
    soap: Soap<'d>,
    style: &'r str,
}

impl<'d> MessageReader<'_, 'd> {
    /// The extension elements of a binding's input or output, inside a MIME part or not.
    fn extensions(&self, bound: &'d Node, name: &'static str) -> Vec<&'d Node> {
        let mut found = Vec::new();
        let mut next = vec![bound];
        while let Some(node) = next.pop() {
            for child in node.elements() {
                if child.namespace.as_deref() == Some(self.soap.namespace) {
                    if child.name == name {
                        found.push(child);
                    }
                } else if matches!(child.name.as_str(), "multipartRelated" | "part") {
                    next.push(child);
                }
            }
        }
        found
    }

    fn body(
        &mut self,
        said: &'d Node,
        bound: Option<&'d Node>,
        wrapper: &str,
        headers: &[Header],
    ) -> Result<Parts, Fault> {
        let message = self.parts.message(said)?;
        let body = bound.and_then(|bound| self.extensions(bound, "body").first().copied());
        let attached = bound.map(|bound| attached(bound, message)).unwrap_or_default();
        let says = |name: &str| body.and_then(|body| body.attribute(None, name)).map(str::trim);
        let encoded = says("use") == Some("encoded");
        let mut wanted: Option<Vec<&str>> =
            says("parts").map(|parts| parts.split_ascii_whitespace().collect());
        let is_known = |wanted: &&str| PartReader::parts(message).any(|(name, _)| name == *wanted);
        if let Some(strangers) =
            wanted.take_if(|names| !names.is_empty() && !names.iter().any(is_known))
        {
            self.parts.warn(format!(
                "the message has no part `{}`; all that are no header are taken for the body",
                strangers.join(" ")
            ));
        }
        let mut parts = Vec::new();
        for (name, part) in PartReader::parts(message) {
            let in_header = headers
                .iter()
                .any(|header| std::ptr::eq(header.message, message) && header.part == name);
            let is_wanted = match &wanted {
                Some(wanted) => wanted.contains(&name),
                None => !in_header,
            };
            if is_wanted && attached.iter().all(|one| one.name != name) {
                parts.push((name, part));
            }
        }
        if self.style == "rpc" {
            if encoded && self.soap.version == SoapVersion::V1_2 {
                return Err(self.parts.fault("it uses SOAP 1.2's encoding, which is not bridged"));
            }
            let style = says("encodingStyle");
            if encoded && style.is_some_and(|style| !style.split(' ').any(|one| one == SOAP_ENC)) {
                return Err(self.parts.fault("it uses an encoding other than SOAP 1.1's"));
            }
            let namespace = says("namespace").filter(|uri| !uri.is_empty()).or(self.parts.target);
            let mut elements = Vec::new();
            for (name, part) in parts {
                elements.push(self.parts.part(name, part)?);
            }
            let body = Body::Rpc { wrapper: QName::new(namespace, wrapper), elements, encoded };
            return Ok(Parts { body, attached });
        }
        if encoded {
            return Err(self
                .parts
                .fault("it is document/encoded, which no two services write alike"));
        }
        let mut elements = Vec::new();
        for (name, part) in parts {
            // WSDL 1.1 §3.5 gives the body itself that type, the Basic Profile (R2204) forbids
            // it, and services that have it mean an element of the part's name.
            if part.attribute(None, "element").is_none() {
                self.parts.warn(format!(
                    "the part `{name}` has a type where document style wants an element; \
                     an element of that name in no namespace is taken for it"
                ));
            }
            elements.push(self.parts.part(name, part)?);
        }
        Ok(Parts { body: Body::Document { elements }, attached })
    }

    fn headers(&mut self, bound: Option<&'d Node>) -> Result<Vec<Header>, Fault> {
        let mut headers: Vec<Header> = Vec::new();
        for header in bound.map(|bound| self.extensions(bound, "header")).unwrap_or_default() {
            let message = self.parts.message(header)?;
            let wanted = header.attribute(None, "part").unwrap_or_default().trim().to_owned();
            let Some((_, part)) = PartReader::parts(message).find(|(name, _)| *name == wanted)
            else {
                self.parts.warn(format!(
                    "the header's part `{wanted}` is not defined; the header is left out"
                ));
                continue;
            };
            let element = self.parts.part(&wanted, part)?;
            if headers.iter().all(|other| other.element.key() != element.key()) {
                headers.push(Header { element, message, part: wanted });
            }
        }
        Ok(headers)
    }
}

impl Draft {
    /// The messages, now that it can be told which are wrapped.
    pub(super) fn messages(&self, types: &Types) -> (Message, Option<Message>) {
        let reserved: &[&str] = if self.headers.is_empty() { &[] } else { &["headers"] };
        let input = message(types, &self.input, reserved, |element| element.key() == self.name);
        let input_wrapped = matches!(input.body, Shape::Wrapped(_));
        let response = format!("{}Response", self.name);
        let output = self.output.as_ref().map(|output| {
            message(types, output, &[], |element| input_wrapped || element.key() == response)
        });
        (input, output)
    }
}

fn message(
    types: &Types,
    parts: &Parts,
    reserved: &[&str],
    wraps: impl Fn(&Element) -> bool,
) -> Message {
    let (body, encoded) = match &parts.body {
        Body::Rpc { wrapper, elements, encoded } => {
            (Shape::Rpc { wrapper: wrapper.clone(), parts: elements.clone() }, *encoded)
        }
        Body::Document { elements } => match elements.as_slice() {
            [one] if wraps(one) && wrapped(types, one).is_some() => {
                (Shape::Wrapped(Arc::clone(one)), false)
            }
            _ => (Shape::Bare(elements.clone()), false),
        },
    };
    let mut keys: Vec<String> = match &body {
        Shape::Wrapped(element) => wrapped(types, element).map(members).unwrap_or_default(),
        Shape::Bare(elements) | Shape::Rpc { parts: elements, .. } => {
            elements.iter().map(|element| element.key().to_owned()).collect()
        }
    };
    keys.extend(parts.attached.iter().map(Attached::key));
    let names = Names::new(keys.iter().map(String::as_str), reserved);
    let attached = parts.attached.clone();
    let mut message = Message { body, encoded, names, has_ids: false, attached };
    message.has_ids = types.have_ids(message.roots());
    message
}

/// The members of a wrapper, attributes among them.
fn members(complex: &crate::plan::Complex) -> Vec<String> {
    let mut keys = Vec::new();
    if let Content::Elements { particle, .. } = &complex.content {
        particle.visit(&mut |particle| {
            let key = match &particle.term {
                crate::plan::Term::Element(element) => element.key(),
                crate::plan::Term::Any(_) => "#any",
                crate::plan::Term::Ordered(_) => "#content",
                _ => return,
            };
            if !keys.iter().any(|known| known == key) {
                keys.push(key.to_owned());
            }
        });
    }
    keys.extend(complex.attributes.iter().map(|attribute| attribute.key.clone()));
    keys
}
