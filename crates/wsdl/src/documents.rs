//! The documents that a description is made of: the one that was given, and what it imports
//! and includes, however often and in whatever circle.
//!
//! Nothing is fetched here: the caller's [`Source`] hands bytes out, or a reason why not. A
//! document that cannot be had is remembered with that reason, and costs what needs it.
//! Number, size and depth are bounded.

use std::collections::HashMap;

use bytes::Bytes;
use url::Url;

use crate::xsd::{self, XSD};
use tollbridge_operation::Decimal;
use tollbridge_xml::{Element, Node, XmlError};

/// More documents than this do not belong to one service.
const MAX_DOCUMENTS: usize = 512;
/// What all documents together may have, in bytes.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// WSDL 1.1.
pub(crate) const WSDL: &str = "http://schemas.xmlsoap.org/wsdl/";
/// Conditional inclusion in schemas.
const VERSIONING: &str = "http://www.w3.org/2007/XMLSchema-versioning";
/// WSDL 2.0.
pub(crate) const WSDL_2: &str = "http://www.w3.org/ns/wsdl";

/// Whoever has the documents that a description refers to.
pub trait Source {
    /// The bytes at an absolute URL, or why they are not to be had, in words.
    fn read(&self, url: &Url) -> Result<Bytes, String>;
}

/// No document but the given one is to be had.
impl Source for () {
    fn read(&self, _: &Url) -> Result<Bytes, String> {
        Err("only the description itself was given".to_owned())
    }
}

/// One document, read.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) url: Option<Url>,
    pub(crate) root: Element,
}

/// All documents; the first is the one that was given.
#[derive(Debug)]
pub(crate) struct Documents {
    all: Vec<Document>,
    by_url: HashMap<Url, usize>,
    missing: Vec<Missing>,
}

/// A document that is referred to and cannot be had.
#[derive(Debug, Clone)]
pub(crate) struct Missing {
    pub(crate) location: String,
    pub(crate) namespace: Option<String>,
    pub(crate) reason: String,
}

impl Documents {
    /// Reads the given document and whatever it leads to.
    pub(crate) fn load(
        bytes: &[u8],
        url: Option<&Url>,
        source: &dyn Source,
    ) -> Result<Self, XmlError> {
        let root = included(tollbridge_xml::parse(bytes)?);
        let mut documents = Self { all: Vec::new(), by_url: HashMap::new(), missing: Vec::new() };
        if let Some(url) = url {
            documents.by_url.insert(url.clone(), 0);
        }
        documents.all.push(Document { url: url.cloned(), root });
        let mut size = bytes.len();
        let mut next = 0;
        while next < documents.all.len() {
            for reference in references(&documents.all[next].root) {
                documents.follow(next, reference, source, &mut size);
            }
            next += 1;
        }
        Ok(documents)
    }

    fn follow(&mut self, from: usize, reference: Reference, source: &dyn Source, size: &mut usize) {
        let Reference { location, namespace } = reference;
        if namespace.as_deref().is_some_and(xsd::is_bundled) {
            return;
        }
        let found = self.resolve(from, &location).and_then(|url| {
            if self.by_url.contains_key(&url) {
                return Ok(());
            }
            if self.all.len() >= MAX_DOCUMENTS {
                return Err(format!("more than {MAX_DOCUMENTS} documents belong together"));
            }
            let bytes = source.read(&url)?;
            *size += bytes.len();
            if *size > MAX_BYTES {
                return Err(format!("the documents have more than {MAX_BYTES} bytes together"));
            }
            let root = tollbridge_xml::parse(&bytes).map_err(|error| error.to_string())?;
            let root = included(root);
            self.by_url.insert(url.clone(), self.all.len());
            self.all.push(Document { url: Some(url), root });
            Ok(())
        });
        if let Err(reason) = found {
            self.missing.push(Missing { location, namespace, reason });
        }
    }

    fn resolve(&self, from: usize, location: &str) -> Result<Url, String> {
        let location = location.trim();
        let resolved = match &self.all[from].url {
            Some(base) => base.join(location),
            None => Url::parse(location),
        };
        resolved
            .map(|mut url| {
                url.set_fragment(None);
                url
            })
            .map_err(|error| format!("it cannot be resolved: {error}"))
    }

    /// The document at a location that another one names.
    pub(crate) fn at(&self, from: usize, location: &str) -> Option<usize> {
        self.by_url.get(&self.resolve(from, location).ok()?).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Document)> {
        self.all.iter().enumerate()
    }

    pub(crate) fn get(&self, index: usize) -> &Document {
        &self.all[index]
    }

    /// The name of a document's file, where there are several to tell apart.
    pub(crate) fn file(&self, index: usize) -> Option<&str> {
        let url = self.all.get(index).filter(|_| self.all.len() > 1)?.url.as_ref()?;
        url.path_segments()?.next_back().filter(|name| !name.is_empty())
    }

    /// What could not be had.
    pub(crate) fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// The reason why a namespace's components may be unknown.
    pub(crate) fn missing_namespace(&self, namespace: Option<&str>) -> Option<&Missing> {
        self.missing.iter().find(|missing| missing.namespace.as_deref() == namespace)
    }
}

/// A document without what a reader of XML Schema 1.1 leaves out (part 1 §4.2.2): what is for
/// later versions, and what is for earlier ones.
fn included(mut element: Element) -> Element {
    leave_out(&mut element);
    element
}

fn leave_out(element: &mut Element) {
    element.children.retain(|child| match child {
        Node::Element(child) => is_included(child),
        Node::Text(_) => true,
    });
    for child in &mut element.children {
        if let Node::Element(child) = child {
            leave_out(child);
        }
    }
}

fn is_included(element: &Element) -> bool {
    let says = |name: &str| Decimal::parse(element.attribute(Some(VERSIONING), name)?.trim());
    let own = Decimal::parse("1.1");
    says("minVersion").is_none_or(|least| Some(least) <= own)
        && says("maxVersion").is_none_or(|most| Some(most) > own)
}

struct Reference {
    location: String,
    namespace: Option<String>,
}

/// Where a document points to: WSDL's imports, and those of the schemas in it.
fn references(root: &Element) -> Vec<Reference> {
    let mut found = Vec::new();
    if root.namespace.as_deref() == Some(XSD) {
        of_schema(root, &mut found);
    }
    for child in root.elements().filter(|child| child.namespace == root.namespace) {
        match child.name.as_str() {
            "import" | "include" => found.extend(reference(child, "location")),
            "types" => {
                for schema in child.elements().filter(|s| s.namespace.as_deref() == Some(XSD)) {
                    if schema.name == "schema" {
                        of_schema(schema, &mut found);
                    } else {
                        // WSDL 2.0 §3.1.1 imports schemas without a schema around them.
                        found.extend(reference(schema, "schemaLocation"));
                    }
                }
            }
            _ => {}
        }
    }
    found
}

fn of_schema(schema: &Element, found: &mut Vec<Reference>) {
    for child in schema.elements().filter(|child| child.namespace.as_deref() == Some(XSD)) {
        if matches!(child.name.as_str(), "import" | "include" | "redefine" | "override") {
            let own = schema.attribute(None, "targetNamespace");
            found.extend(reference(child, "schemaLocation").map(|reference| Reference {
                namespace: if child.name == "import" {
                    reference.namespace
                } else {
                    own.map(str::to_owned)
                },
                ..reference
            }));
        }
    }
}

fn reference(element: &Element, name: &str) -> Option<Reference> {
    Some(Reference {
        location: element.attribute(None, name)?.to_owned(),
        namespace: element.attribute(None, "namespace").map(str::to_owned),
    })
}
