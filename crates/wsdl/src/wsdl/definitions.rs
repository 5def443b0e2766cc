//! What the documents define, by name: messages, port types, bindings and services.

use std::collections::HashMap;

use http::Method;
use tollbridge_xml::Element as Node;
use url::Url;

use super::policy::Roots;
use crate::documents::{Documents, WSDL};
use crate::message::SoapVersion;
use crate::name::QName;
use crate::plan::Fault;

/// The namespace of WSDL's SOAP 1.1 binding.
pub(super) const SOAP_11: &str = "http://schemas.xmlsoap.org/wsdl/soap/";
/// The namespace of its SOAP 1.2 binding.
pub(super) const SOAP_12: &str = "http://schemas.xmlsoap.org/wsdl/soap12/";
/// The namespace of WSDL 1.1's binding to plain HTTP.
pub(super) const HTTP: &str = "http://schemas.xmlsoap.org/wsdl/http/";

/// The namespace of WSDL's MIME binding.
pub(super) const MIME: &str = "http://schemas.xmlsoap.org/wsdl/mime/";

/// Transports that are HTTP: SOAP 1.1's, SOAP 1.2's, and what some say instead.
const HTTP_TRANSPORTS: [&str; 4] = [
    "http://schemas.xmlsoap.org/soap/http",
    "http://schemas.xmlsoap.org/soap/http/",
    "http://www.w3.org/2003/05/soap/bindings/HTTP/",
    "http://www.w3.org/2003/05/soap/bindings/HTTP",
];

/// Everything that is defined.
pub(super) struct Definitions<'d> {
    messages: HashMap<QName, &'d Node>,
    port_types: HashMap<QName, &'d Node>,
    bindings: HashMap<QName, (&'d Node, Option<&'d str>)>,
    ports: Vec<Port<'d>>,
    title: Option<String>,
    roots: Roots<'d>,
}

/// A port of a service.
#[derive(Clone, Copy)]
pub(super) struct Port<'d> {
    pub(super) service: &'d str,
    pub(super) name: &'d str,
    service_node: &'d Node,
    node: &'d Node,
    base: Option<&'d Url>,
    target: Option<&'d str>,
}

/// A binding that can be bridged, with its port type.
pub(super) struct Binding<'d> {
    pub(super) node: &'d Node,
    pub(super) target: Option<&'d str>,
    pub(super) protocol: Protocol<'d>,
    pub(super) port_type: &'d Node,
    pub(super) servers: Vec<String>,
}

/// What a binding speaks, over HTTP in any case.
pub(super) enum Protocol<'d> {
    Soap(Soap<'d>),
    /// Plain HTTP (WSDL 1.1 §4), with this method.
    Http(Method),
}

/// WSDL's binding to SOAP.
#[derive(Clone, Copy)]
pub(super) struct Soap<'d> {
    pub(super) version: SoapVersion,
    /// The namespace of its extension elements.
    pub(super) namespace: &'static str,
    pub(super) style: &'d str,
}

impl<'d> Port<'d> {
    /// The port as it stands in the document.
    pub(super) fn node(&self) -> &'d Node {
        self.node
    }

    /// The service that it is of.
    pub(super) fn service_node(&self) -> &'d Node {
        self.service_node
    }
}

impl<'d> Binding<'d> {
    /// The operations as the binding has them.
    pub(super) fn operations(&self) -> impl Iterator<Item = &'d Node> {
        children(self.node, "operation")
    }
}

impl<'d> Definitions<'d> {
    pub(super) fn new(documents: &'d Documents) -> Self {
        let mut found = Self {
            messages: HashMap::new(),
            port_types: HashMap::new(),
            bindings: HashMap::new(),
            ports: Vec::new(),
            title: None,
            roots: Roots::new(Vec::new()),
        };
        let mut roots = Vec::new();
        for (index, document) in documents.iter() {
            let root = &document.root;
            if root.namespace.as_deref() != Some(WSDL) || root.name != "definitions" {
                continue;
            }
            roots.push((index, root));
            let target = root.attribute(None, "targetNamespace");
            for child in root.elements().filter(|child| child.namespace.as_deref() == Some(WSDL)) {
                let Some(name) = child.attribute(None, "name") else { continue };
                let key = QName::new(target, name.trim());
                match child.name.as_str() {
                    "message" => {
                        found.messages.entry(key).or_insert(child);
                    }
                    "portType" => {
                        found.port_types.entry(key).or_insert(child);
                    }
                    "binding" => {
                        found.bindings.entry(key).or_insert((child, target));
                    }
                    "service" => {
                        found.title.get_or_insert_with(|| name.trim().to_owned());
                        for port in children(child, "port") {
                            found.ports.push(Port {
                                service: name.trim(),
                                name: port.attribute(None, "name").unwrap_or("port").trim(),
                                service_node: child,
                                node: port,
                                base: document.url.as_ref(),
                                target,
                            });
                        }
                    }
                    _ => {}
                }
            }
        }
        found.roots = Roots::new(roots);
        found
    }

    /// The first service's name.
    pub(super) fn title(&self) -> Option<String> {
        self.title.clone()
    }

    pub(super) fn ports(&self) -> impl Iterator<Item = Port<'d>> + '_ {
        self.ports.iter().copied()
    }

    /// The definitions of all documents.
    pub(super) fn roots(&self) -> &Roots<'d> {
        &self.roots
    }

    pub(super) fn message(
        &self,
        at: &Node,
        spelled: &str,
        target: Option<&str>,
    ) -> Option<&'d Node> {
        look_up(&self.messages, at, spelled, target).copied()
    }

    /// The binding of a port, if it is one that can be bridged.
    pub(super) fn binding(&self, port: &Port<'d>) -> Result<Binding<'d>, Fault> {
        let place = format!("/definitions/service[{}]/port[{}]", port.service, port.name);
        let spelled = port.node.attribute(None, "binding").unwrap_or_default();
        let Some(&(node, target)) = look_up(&self.bindings, port.node, spelled, port.target) else {
            return Err(Fault::new(place, format!("the binding `{spelled}` is not defined")));
        };
        let place_of_binding =
            format!("/definitions/binding[{}]", node.attribute(None, "name").unwrap_or_default());
        let protocol =
            protocol(node).map_err(|reason| Fault::new(place_of_binding.clone(), reason))?;
        let spelled = node.attribute(None, "type").unwrap_or_default();
        let Some(&port_type) = look_up(&self.port_types, node, spelled, target) else {
            let reason = format!("the port type `{spelled}` is not defined");
            return Err(Fault::new(place_of_binding, reason));
        };
        let location = port
            .node
            .elements()
            .find(|child| child.name == "address")
            .and_then(|address| address.attribute(None, "location"));
        let resolved = location.and_then(|location| match port.base {
            Some(base) => base.join(location.trim()).ok(),
            None => Url::parse(location.trim()).ok(),
        });
        let servers = resolved
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .map(|url| url.as_str().to_owned());
        Ok(Binding { node, target, protocol, port_type, servers: servers.into_iter().collect() })
    }
}

/// What a binding speaks, or why that is not bridged.
fn protocol(node: &Node) -> Result<Protocol<'_>, String> {
    let extension = |namespace: &str| {
        node.elements()
            .find(|child| child.name == "binding" && child.namespace.as_deref() == Some(namespace))
    };
    let (version, namespace, extension) = match (extension(SOAP_11), extension(SOAP_12)) {
        (Some(found), _) => (SoapVersion::V1_1, SOAP_11, found),
        (None, Some(found)) => (SoapVersion::V1_2, SOAP_12, found),
        (None, None) => match extension(HTTP) {
            Some(http) => return plain(http),
            None => return Err(not_bridged(node)),
        },
    };
    let transport = extension.attribute(None, "transport").unwrap_or(HTTP_TRANSPORTS[0]).trim();
    if !HTTP_TRANSPORTS.contains(&transport) {
        return Err(format!("its transport is `{transport}`, and only HTTP is bridged"));
    }
    let style = extension.attribute(None, "style").unwrap_or("document").trim();
    Ok(Protocol::Soap(Soap { version, namespace, style }))
}

/// WSDL 1.1 §4.3 has GET and POST; some services say others.
fn plain(extension: &Node) -> Result<Protocol<'_>, String> {
    let verb = extension.attribute(None, "verb").unwrap_or_default().trim();
    match verb.to_ascii_uppercase().as_str() {
        "GET" => Ok(Protocol::Http(Method::GET)),
        "POST" => Ok(Protocol::Http(Method::POST)),
        "PUT" => Ok(Protocol::Http(Method::PUT)),
        "DELETE" => Ok(Protocol::Http(Method::DELETE)),
        _ => Err(format!("its binding to HTTP has the verb `{verb}`, which is not bridged")),
    }
}

/// Names what a binding is to, where it is neither to SOAP nor to HTTP.
fn not_bridged(node: &Node) -> String {
    let foreign = node
        .elements()
        .find(|child| child.name == "binding" || child.name == "address")
        .and_then(|child| child.namespace.as_deref())
        .filter(|namespace| *namespace != WSDL);
    match foreign {
        Some(namespace) => {
            format!("its binding is to `{namespace}`; SOAP and HTTP are bridged")
        }
        None => "expected a binding to SOAP 1.1, SOAP 1.2 or HTTP".to_owned(),
    }
}

/// What a name spells: in the namespace of its prefix, else in that of its document, which
/// old generators meant.
pub(super) fn look_up<'m, T>(
    map: &'m HashMap<QName, T>,
    at: &Node,
    spelled: &str,
    target: Option<&str>,
) -> Option<&'m T> {
    let spelled = spelled.trim();
    let (prefix, local) = spelled.split_once(':').unwrap_or(("", spelled));
    let named = QName::new(at.scope.namespace(prefix), local);
    map.get(&named).or_else(|| map.get(&QName::new(target, local))).or_else(|| {
        let mut same = map.iter().filter(|(name, _)| *name.local == *local);
        let only = same.next()?;
        same.next().is_none().then_some(only.1)
    })
}

/// WSDL's own children of that name.
pub(super) fn children<'n>(node: &'n Node, name: &'static str) -> impl Iterator<Item = &'n Node> {
    node.elements()
        .filter(move |child| child.name == name && child.namespace.as_deref() == Some(WSDL))
}
