//! The search of one document: which others it refers to, and which names it gives to its parts.

use std::collections::{HashSet, VecDeque};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use url::Url;

use super::{Anchor, Library, candidates};
use crate::dialect::{self, Dialect};
use crate::document::{Warnings, member};
use crate::pointer::{DocumentId, Path, Pointer};

/// Searches a document; returns what it refers to, each with the URLs that it may mean.
pub(super) fn scan(
    library: &mut Library,
    document: DocumentId,
    content: &Value,
    url: &Url,
    base: &Url,
    root: &Pointer,
    warnings: &mut Warnings,
) -> VecDeque<Vec<Url>> {
    let mut scan = Scan {
        library,
        warnings,
        document,
        root: root.clone(),
        url,
        wanted: VecDeque::new(),
        seen: HashSet::new(),
    };
    scan.value(content, Path::Root, base, root, Members::Unknown);
    scan.wanted
}

/// What the names of an object's members are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Members {
    /// Words of the specification.
    Keywords,
    /// Names that the author chose.
    Names,
    /// The one or the other: the top of a document that may be a collection of pieces.
    Unknown,
}

/// The search of one document.
struct Scan<'a> {
    library: &'a mut Library,
    warnings: &'a mut Warnings,
    document: DocumentId,
    root: Pointer,
    url: &'a Url,
    wanted: VecDeque<Vec<Url>>,
    seen: HashSet<(String, Url)>,
}

impl Scan<'_> {
    fn value(
        &mut self,
        value: &Value,
        at: Path<'_>,
        base: &Url,
        resource: &Pointer,
        members: Members,
    ) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if item.is_object() || item.is_array() {
                        let at = Path::Item(&at, index);
                        self.value(item, at, base, resource, Members::Keywords);
                    }
                }
            }
            Value::Object(object) if members == Members::Names => {
                self.members(object, at, base, resource, members);
            }
            Value::Object(object) => match self.identify(object, at, base, resource) {
                Some((base, resource)) => {
                    self.names(object, at, &base, &resource);
                    self.members(object, at, &base, &resource, members);
                }
                None => {
                    self.names(object, at, base, resource);
                    self.members(object, at, base, resource, members);
                }
            },
            _ => {}
        }
    }

    /// A schema with an `$id` is a resource of its own.
    fn identify(
        &mut self,
        object: &Map<String, Value>,
        at: Path<'_>,
        base: &Url,
        resource: &Pointer,
    ) -> Option<(Url, Pointer)> {
        let id = member(object, "$id").or_else(|| old_id(object))?.as_str()?;
        let place = at.from(&self.root);
        if let Some(name) = id.strip_prefix('#') {
            // Drafts before 2019-09 wrote anchors so.
            self.anchor(resource, name, place, false);
            return None;
        }
        let mut uri = base.join(id).ok()?;
        uri.set_fragment(None);
        let shelf = &mut self.library.shelves[self.document];
        shelf.ids.insert(place.as_str().to_owned(), uri.clone());
        self.library.resources.entry(uri.as_str().to_owned()).or_insert_with(|| place.clone());
        Some((uri, place))
    }

    fn anchor(&mut self, resource: &Pointer, name: &str, at: Pointer, is_dynamic: bool) {
        self.library
            .anchors
            .entry(resource.clone())
            .or_default()
            .entry(name.to_owned())
            .or_insert(Anchor { at, is_dynamic });
    }

    /// What an object names: anchors of its own, and other documents.
    fn names(&mut self, object: &Map<String, Value>, at: Path<'_>, base: &Url, resource: &Pointer) {
        for (name, value) in object {
            match (name.as_str(), value) {
                ("$anchor", Value::String(anchor)) => {
                    self.anchor(resource, anchor, at.from(&self.root), false);
                }
                ("$dynamicAnchor", Value::String(anchor)) => {
                    self.anchor(resource, anchor, at.from(&self.root), true);
                }
                ("$schema", Value::String(uri)) if !is_description(object) => {
                    let at = at.from(&self.root);
                    match dialect::known(&at, "$schema", uri) {
                        Ok(dialect) => {
                            let shelf = &mut self.library.shelves[self.document];
                            shelf.dialects.insert(at.as_str().to_owned(), dialect);
                        }
                        Err((at, message)) => self.warnings.add(&at, message),
                    }
                }
                // 2019-09: the one dynamic anchor that a resource can have.
                ("$recursiveAnchor", Value::Bool(true)) => {
                    self.anchor(resource, "", at.from(&self.root), true);
                }
                ("$recursiveRef", Value::String(_)) => self.library.is_dynamic = true,
                ("$ref", Value::String(reference)) => self.want(reference, base),
                ("$dynamicRef", Value::String(reference)) => {
                    self.library.is_dynamic = true;
                    self.want(reference, base);
                }
                ("discriminator", Value::Object(discriminator)) => {
                    let mapping = discriminator.get("mapping").and_then(Value::as_object);
                    let targets = mapping.into_iter().flat_map(Map::values);
                    let default = discriminator.get("defaultMapping");
                    for target in targets.chain(default).filter_map(Value::as_str) {
                        self.want_if_uri(target, base);
                    }
                }
                ("security", Value::Array(requirements)) => {
                    for requirement in requirements.iter().filter_map(Value::as_object) {
                        for scheme in requirement.keys() {
                            self.want_if_uri(scheme, base);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// A name that may as well be a URI reference.
    fn want_if_uri(&mut self, text: &str, base: &Url) {
        let is_file = [".json", ".yaml", ".yml"].iter().any(|end| text.ends_with(end));
        if text.contains(['#', '/']) || is_file {
            self.want(text, base);
        }
    }

    fn want(&mut self, reference: &str, base: &Url) {
        let decoded = percent_decode_str(reference).decode_utf8_lossy();
        self.library.names_examples |= decoded.contains("/example");
        let uri = reference.split('#').next().unwrap_or_default();
        if uri.is_empty() || !self.seen.insert((uri.to_owned(), base.clone())) {
            return;
        }
        self.wanted.push_back(candidates(uri, base, self.url));
    }

    fn members(
        &mut self,
        object: &Map<String, Value>,
        at: Path<'_>,
        base: &Url,
        resource: &Pointer,
        members: Members,
    ) {
        for (name, value) in object {
            if !(value.is_object() || value.is_array()) {
                continue;
            }
            if members == Members::Keywords && is_data(name) {
                continue;
            }
            let inner = match members {
                Members::Names => Members::Keywords,
                _ if is_map(name) => Members::Names,
                // Those of a document's top are the pieces of a collection.
                Members::Keywords | Members::Unknown => Members::Keywords,
            };
            self.value(value, Path::Member(&at, name), base, resource, inner);
        }
    }
}

/// Whether it is a whole description, whose `$schema` is that of descriptions.
fn is_description(object: &Map<String, Value>) -> bool {
    object.contains_key("openapi") || object.contains_key("swagger")
}

/// What the fourth draft called `$id`.
fn old_id(object: &Map<String, Value>) -> Option<&Value> {
    let uri = member(object, "$schema")?.as_str()?;
    object.get("id").filter(|_| Dialect::of(uri) == Some(Dialect::Draft4))
}

/// Members that hold values of the API and no parts of its description.
fn is_data(name: &str) -> bool {
    matches!(name, "example" | "examples" | "default" | "enum" | "const" | "value" | "x-example")
}

/// Members whose own members have names that the author chose.
fn is_map(name: &str) -> bool {
    matches!(
        name,
        "properties"
            | "patternProperties"
            | "dependentSchemas"
            | "$defs"
            | "definitions"
            | "schemas"
            | "responses"
            | "parameters"
            | "requestBodies"
            | "headers"
            | "securitySchemes"
            | "securityDefinitions"
            | "links"
            | "callbacks"
            | "pathItems"
            | "mediaTypes"
            | "paths"
            | "webhooks"
            | "content"
            | "encoding"
            | "variables"
            | "scopes"
    )
}
