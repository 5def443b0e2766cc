//! WSDL 2.0: interfaces, bindings to SOAP, and endpoints.
//!
//! A binding to SOAP covers all operations of its interface, whether it names them or not
//! (part 2 §5.10); messages have one element, so everything is document/literal. Operations
//! that answer before they are asked, or at an address of their own, are set aside with a
//! reason, as is the binding to plain HTTP.
//!
//! Follows WSDL 2.0 part 1 (core) and part 2 (adjuncts), W3C Recommendations of 26 June 2007.

use std::collections::HashMap;
use std::sync::Arc;

use tollbridge_operation::Skipped;
use tollbridge_xml::Element as Node;
use url::Url;

use super::bound::{first_sentence, words};
use super::definitions::look_up;
use super::operation::{Body, Draft, Parts};
use super::policy::Roots;
use super::{addressing, policy};
use crate::documents::{Documents, WSDL_2};
use crate::message::SoapVersion;
use crate::name::QName;
use crate::plan::{Compiler, Element, Fault};

/// The namespace of the binding to SOAP, which is its type as well.
const SOAP: &str = "http://www.w3.org/ns/wsdl/soap";
/// The type of the binding to plain HTTP.
const HTTP: &str = "http://www.w3.org/ns/wsdl/http";
/// Where `safe` is defined (part 2 §3.1).
const EXTENSIONS: &str = "http://www.w3.org/ns/wsdl-extensions";
/// Interfaces that one extends, at once or through others.
const MAX_EXTENDED: usize = 32;

/// Message exchange patterns (part 2 §2.3) that a call can be.
const ASKED: [&str; 4] = [
    "http://www.w3.org/ns/wsdl/in-out",
    "http://www.w3.org/ns/wsdl/in-only",
    "http://www.w3.org/ns/wsdl/robust-in-only",
    "http://www.w3.org/ns/wsdl/in-opt-out",
];

/// The protocols of a SOAP binding that are HTTP: SOAP 1.2's (part 2 §5.10.1) and 1.1's.
const PROTOCOLS: [&str; 3] = [
    "http://www.w3.org/2003/05/soap/bindings/HTTP/",
    "http://www.w3.org/2003/05/soap/bindings/HTTP",
    "http://www.w3.org/2006/01/soap11/bindings/HTTP/",
];
const REQUEST_RESPONSE: &str = "http://www.w3.org/2003/05/soap/mep/request-response/";

/// A component with the target namespace of its document.
type Found<'d> = (&'d Node, Option<&'d str>);

/// What the documents define.
struct Definitions<'d> {
    interfaces: HashMap<QName, Found<'d>>,
    bindings: HashMap<QName, Found<'d>>,
    services: Vec<(&'d Node, Option<&'d str>, Option<&'d Url>)>,
    roots: Roots<'d>,
}

/// What came out of a description.
pub(super) struct Outcome {
    pub(super) title: Option<String>,
    pub(super) drafts: Vec<Draft>,
    pub(super) skipped: Vec<Skipped>,
}

/// Reads the operations of all endpoints.
pub(super) fn drafts<'d>(documents: &'d Documents, compiler: &mut Compiler<'d>) -> Outcome {
    let definitions = Definitions::new(documents);
    let mut found = Outcome { title: None, drafts: Vec::new(), skipped: Vec::new() };
    for &(service, target, base) in &definitions.services {
        let name = named(service);
        found.title.get_or_insert_with(|| name.to_owned());
        for endpoint in children(service, "endpoint") {
            let prefix = format!("{name}.{}", named(endpoint));
            let place = format!("/description/service[{name}]/endpoint[{}]", named(endpoint));
            match Bound::new(&definitions, service, endpoint, target, base, &place) {
                Ok(bound) => bound.operations(&definitions, name, &prefix, compiler, &mut found),
                Err(fault) => found.skipped.push(set_aside(prefix, fault)),
            }
        }
    }
    found
}

fn set_aside(key: String, fault: Fault) -> Skipped {
    Skipped { key, endpoint: None, pointer: fault.pointer, reason: fault.reason }
}

impl<'d> Definitions<'d> {
    fn new(documents: &'d Documents) -> Self {
        let mut found = Self {
            interfaces: HashMap::new(),
            bindings: HashMap::new(),
            services: Vec::new(),
            roots: Roots::new(Vec::new()),
        };
        let mut roots = Vec::new();
        for (index, document) in documents.iter() {
            let root = &document.root;
            if root.namespace.as_deref() != Some(WSDL_2) || root.name != "description" {
                continue;
            }
            roots.push((index, root));
            let target = root.attribute(None, "targetNamespace");
            for child in root.elements().filter(|child| child.namespace == root.namespace) {
                let key = QName::new(target, named(child));
                match child.name.as_str() {
                    "interface" => {
                        found.interfaces.entry(key).or_insert((child, target));
                    }
                    "binding" => {
                        found.bindings.entry(key).or_insert((child, target));
                    }
                    "service" => found.services.push((child, target, document.url.as_ref())),
                    _ => {}
                }
            }
        }
        found.roots = Roots::new(roots);
        found
    }

    /// The interface's operations, those of the interfaces that it extends among them.
    fn operations(&self, interface: Found<'d>) -> Vec<Found<'d>> {
        self.gather(interface, "operation")
    }

    fn gather(&self, interface: Found<'d>, name: &'static str) -> Vec<Found<'d>> {
        let all = self.extended(interface).into_iter();
        all.flat_map(|(node, target)| children(node, name).map(move |child| (child, target)))
            .collect()
    }

    /// The interface and those that it extends, at once or through others.
    fn extended(&self, interface: Found<'d>) -> Vec<Found<'d>> {
        let mut next = vec![interface];
        let mut seen: Vec<Found<'d>> = Vec::new();
        while let Some((node, target)) = next.pop() {
            if seen.iter().any(|(other, _)| std::ptr::eq(*other, node))
                || seen.len() >= MAX_EXTENDED
            {
                continue;
            }
            seen.push((node, target));
            let extended = node.attribute(None, "extends").unwrap_or_default();
            for spelled in extended.split_ascii_whitespace() {
                next.extend(look_up(&self.interfaces, node, spelled, target).copied());
            }
        }
        seen
    }
}

/// An endpoint whose binding can be bridged.
struct Bound<'d> {
    service: &'d Node,
    endpoint: &'d Node,
    node: &'d Node,
    interface: Found<'d>,
    version: SoapVersion,
    servers: Vec<String>,
    place: String,
}

impl<'d> Bound<'d> {
    fn new(
        definitions: &Definitions<'d>,
        service: &'d Node,
        endpoint: &'d Node,
        target: Option<&'d str>,
        base: Option<&'d Url>,
        place: &str,
    ) -> Result<Self, Fault> {
        let spelled = endpoint.attribute(None, "binding").unwrap_or_default();
        let Some(&(node, own)) = look_up(&definitions.bindings, endpoint, spelled, target) else {
            return Err(Fault::new(place, format!("the binding `{spelled}` is not defined")));
        };
        let place = format!("/description/binding[{}]", named(node));
        match node.attribute(None, "type").map(str::trim) {
            Some(SOAP) => {}
            Some(HTTP) => {
                let reason = "its binding is to plain HTTP, which is bridged for WSDL 1.1 alone";
                return Err(Fault::new(place, reason));
            }
            other => {
                let other = other.unwrap_or_default();
                let reason = format!("its binding is to `{other}`; SOAP and HTTP are bridged");
                return Err(Fault::new(place, reason));
            }
        }
        let says = |name: &str| node.attribute(Some(SOAP), name).map(str::trim);
        let version = match says("version") {
            Some("1.1") => SoapVersion::V1_1,
            _ => SoapVersion::V1_2,
        };
        if let Some(protocol) = says("protocol").filter(|said| !PROTOCOLS.contains(said)) {
            let reason = format!("its transport is `{protocol}`, and only HTTP is bridged");
            return Err(Fault::new(place, reason));
        }
        // A binding without an interface is for that of whoever uses it (part 1 §2.9.1).
        let (spelled, at, its) = match node.attribute(None, "interface") {
            Some(spelled) => (spelled, node, own),
            None => (service.attribute(None, "interface").unwrap_or_default(), service, target),
        };
        let Some(&interface) = look_up(&definitions.interfaces, at, spelled, its) else {
            return Err(Fault::new(place, format!("the interface `{spelled}` is not defined")));
        };
        let address = endpoint.attribute(None, "address").map(str::trim);
        let servers = address.and_then(|address| match base {
            Some(base) => base.join(address).ok(),
            None => Url::parse(address).ok(),
        });
        let servers = servers.filter(|url| matches!(url.scheme(), "http" | "https"));
        let servers = servers.map(|url| url.as_str().to_owned()).into_iter().collect();
        Ok(Self { service, endpoint, node, interface, version, servers, place })
    }

    fn operations(
        &self,
        definitions: &Definitions<'d>,
        service: &str,
        prefix: &str,
        compiler: &mut Compiler<'d>,
        found: &mut Outcome,
    ) {
        let operations = definitions.operations(self.interface);
        if operations.is_empty() {
            compiler.warn(&self.place, "its interface has no operations");
        }
        for (operation, target) in operations {
            let key = format!("{prefix}.{}", named(operation));
            match self.draft(definitions, service, key.clone(), operation, target, compiler) {
                Ok(draft) => found.drafts.push(draft),
                Err(fault) => found.skipped.push(set_aside(key, fault)),
            }
        }
    }

    fn draft(
        &self,
        definitions: &Definitions<'d>,
        service: &str,
        key: String,
        operation: &'d Node,
        target: Option<&'d str>,
        compiler: &mut Compiler<'d>,
    ) -> Result<Draft, Fault> {
        let name = named(operation).to_owned();
        let pointer =
            format!("/description/interface[{}]/operation[{name}]", named(self.interface.0));
        let fault = |reason: String| Fault::new(pointer.clone(), reason);
        let pattern = operation.attribute(None, "pattern").unwrap_or(ASKED[0]).trim();
        if !ASKED.contains(&pattern) {
            return Err(fault(format!("its pattern is `{pattern}`, which is no call and answer")));
        }
        // What the binding says of it, if it says anything.
        let bound = children(self.node, "operation").find(|bound| {
            let spelled = bound.attribute(None, "ref").unwrap_or_default().trim();
            spelled.rsplit(':').next() == Some(name.as_str())
        });
        let says = |what: &str| bound.and_then(|bound| bound.attribute(Some(SOAP), what));
        let mep = says("mep").or_else(|| self.node.attribute(Some(SOAP), "mepDefault"));
        if mep.is_some_and(|mep| mep.trim() != REQUEST_RESPONSE) {
            return Err(fault(
                "it is asked by a GET without an envelope, which is not bridged".into(),
            ));
        }
        let mut reader = Reader { compiler, pointer: &pointer, target };
        let Some(said) = children(operation, "input").next() else {
            return Err(fault("it has no input: notifications are not bridged".to_owned()));
        };
        let input = match reader.message(said)? {
            Some(elements) => document(elements),
            None => return Err(fault("its input may be any element, which no schema says".into())),
        };
        // An answer that cannot be described is read as it comes.
        let output = children(operation, "output").next();
        let output = output.and_then(|said| reader.message(said).ok().flatten()).map(document);
        let mut headers: Vec<Arc<Element>> = Vec::new();
        for header in
            bound.iter().flat_map(|bound| children(bound, "input")).flat_map(Node::elements)
        {
            if header.name == "header" && header.namespace.as_deref() == Some(SOAP) {
                let spelled = header.attribute(None, "element").unwrap_or_default();
                headers.push(reader.element(header, spelled)?);
            }
        }
        let mut faults = Vec::new();
        for out in children(operation, "outfault").chain(children(operation, "infault")) {
            let wanted = out.attribute(None, "ref").and_then(|name| name.trim().rsplit(':').next());
            let declared = definitions.gather(self.interface, "fault");
            let declared = declared.iter().find(|(fault, _)| Some(named(fault)) == wanted);
            if let Some((fault, _)) = declared
                && let Some(spelled) = fault.attribute(None, "element")
                && let Ok(element) = reader.element(fault, spelled)
            {
                faults.push(element);
            }
        }
        let documentation = children(operation, "documentation").next().and_then(words);
        let action = says("action").map(|action| action.trim().to_owned());
        let addressing_action =
            action.clone().filter(|said| !said.is_empty()).unwrap_or_else(|| {
                let target = target.unwrap_or_default();
                addressing::pattern(target, named(self.interface.0), &format!("{name}Request"))
            });
        // WS-Policy 1.5 Attachment §5.1, likewise.
        let attached_to: Vec<&Node> = [self.service, self.endpoint, self.node]
            .into_iter()
            .chain(definitions.extended(self.interface).into_iter().map(|(node, _)| node))
            .chain([operation])
            .chain(children(operation, "input"))
            .chain(bound)
            .chain(bound.into_iter().flat_map(|bound| children(bound, "input")))
            .collect();
        let safe = operation.attribute(Some(EXTENSIONS), "safe").map(str::trim);
        Ok(Draft {
            key,
            service: service.to_owned(),
            identity: (
                service.to_owned(),
                std::ptr::from_ref(self.interface.0),
                name.clone(),
                None,
            ),
            input_name: None,
            summary: documentation.as_deref().map(first_sentence),
            documentation,
            version: self.version,
            action,
            servers: self.servers.clone(),
            demands: policy::demands(&definitions.roots, &attached_to),
            addressing_action,
            says_action: false,
            answers: children(operation, "output").next().is_some(),
            headers,
            answer_headers: Vec::new(),
            faults,
            safe: matches!(safe, Some("true" | "1")),
            input,
            output,
            pointer,
            name,
        })
    }
}

struct Reader<'r, 'd> {
    compiler: &'r mut Compiler<'d>,
    pointer: &'r str,
    target: Option<&'d str>,
}

impl Reader<'_, '_> {
    /// The elements of a message: one, none, or `None` for any (part 1 §2.5.1).
    fn message(&mut self, said: &Node) -> Result<Option<Vec<Arc<Element>>>, Fault> {
        match said.attribute(None, "element").map(str::trim) {
            Some("#none") => Ok(Some(Vec::new())),
            None | Some("#any" | "#other") => Ok(None),
            Some(spelled) => Ok(Some(vec![self.element(said, spelled)?])),
        }
    }

    fn element(&mut self, at: &Node, spelled: &str) -> Result<Arc<Element>, Fault> {
        let spelled = spelled.trim();
        let (prefix, local) = spelled.split_once(':').unwrap_or(("", spelled));
        let namespace = match at.scope.namespace(prefix) {
            Some(namespace) => Some(namespace),
            None if prefix.is_empty() => None,
            None if prefix == "tns" => self.target,
            None => {
                let reason = format!("the prefix of `{spelled}` is not declared");
                return Err(Fault::new(self.pointer, reason));
            }
        };
        self.compiler.global_element(&QName::new(namespace, local), None).map_err(|fault| {
            if fault.pointer.is_empty() { Fault::new(self.pointer, fault.reason) } else { fault }
        })
    }
}

/// A message of WSDL 2.0: its element, and nothing beside it.
fn document(elements: Vec<Arc<Element>>) -> Parts {
    Parts { body: Body::Document { elements }, attached: Vec::new() }
}

fn named(node: &Node) -> &str {
    node.attribute(None, "name").unwrap_or_default().trim()
}

/// WSDL 2.0's own children of that name.
fn children<'n>(node: &'n Node, name: &'static str) -> impl Iterator<Item = &'n Node> {
    node.elements()
        .filter(move |child| child.name == name && child.namespace.as_deref() == Some(WSDL_2))
}
