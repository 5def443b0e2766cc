//! Schemas to nodes.

use std::collections::HashMap;

use serde_json::Value;
use tollbridge_xml::chars;

use super::{Content, FREE, Id, Kind, Node, Nodes, Xml};
use crate::document::{Document, Flavour, Pointer, reference};
use crate::flag::is_true;

/// Parts of one schema that apply to the same value, through references and compositions.
/// They may share parts, and lead back: more than this is no design.
const MAX_PARTS: usize = 200;

/// Schemas within schemas; what is deeper is anything.
const MAX_DEPTH: usize = 128;

/// The planner of one document.
#[derive(Debug)]
pub(crate) struct Planner<'d> {
    document: &'d Document,
    known: HashMap<Pointer, Id>,
    planned: Vec<Node>,
    nodes: Nodes,
    depth: usize,
}

/// The parts of a schema, its references followed.
#[derive(Default)]
struct Parts<'v> {
    list: Vec<(Pointer, &'v Value)>,
}

impl<'d> Planner<'d> {
    pub(crate) fn new(document: &'d Document) -> Self {
        Self {
            document,
            known: HashMap::new(),
            planned: Vec::new(),
            nodes: Nodes::default(),
            depth: 0,
        }
    }

    /// Ends the planning: what was planned can be used.
    pub(crate) fn finish(self) {
        // Nobody else sets them.
        let _ = self.nodes.set(self.planned);
    }

    /// The plan of a document that is to be read; none where the schema says nothing of what
    /// is in it.
    pub(crate) fn read_as(&mut self, at: &Pointer, schema: &Value) -> Option<Xml> {
        let root = self.node(at, schema);
        let is_told = match self.planned[root.0].content {
            Content::Plain { .. } | Content::Free => false,
            Content::Object(_) | Content::List { .. } | Content::Other(_) => true,
        };
        let name = self.component(schema);
        is_told.then(|| Xml { nodes: self.nodes.clone(), root, name })
    }

    /// The plan of a document that is to be written; none where nobody knows the name of its
    /// root.
    pub(crate) fn written(&mut self, at: &Pointer, schema: &Value) -> Option<Xml> {
        let xml = self.read_as(at, schema)?;
        let root = &self.planned[xml.root.0];
        let is_element = root.kind == Kind::Element && (root.name.is_some() || xml.name.is_some());
        is_element.then_some(xml)
    }

    /// The name of the component that a schema refers to.
    fn component(&self, schema: &Value) -> Option<String> {
        let mut schema = schema;
        let mut name = None;
        for _ in 0..16 {
            let Some(reference) = reference(schema) else { break };
            let pointer = Pointer::of_reference(reference)?;
            name = component_name(&pointer);
            schema = self.document.at(&pointer)?;
        }
        name.filter(|name| chars::is_nc_name(name))
    }

    fn node(&mut self, at: &Pointer, schema: &Value) -> Id {
        if let Some(&id) = self.known.get(at) {
            return id;
        }
        let is_referring = reference(schema).is_some();
        let own = schema.get("xml").filter(|_| !self.is_before_31());
        if is_referring && own.is_none() {
            return match self.document.resolve(at.clone(), schema) {
                Ok((target_at, target)) => {
                    let id = self.node(&target_at, target);
                    self.known.insert(at.clone(), id);
                    id
                }
                Err(_) => self.add(at, FREE),
            };
        }
        let id = self.add(at, FREE);
        if self.depth < MAX_DEPTH {
            self.depth += 1;
            self.planned[id.0] = match own {
                Some(own) if is_referring => self.referring(at, schema, own),
                _ => self.own(at, schema),
            };
            self.depth -= 1;
        }
        id
    }

    fn add(&mut self, at: &Pointer, node: Node) -> Id {
        let id = Id(self.planned.len());
        self.planned.push(node);
        self.known.insert(at.clone(), id);
        id
    }

    fn is_before_31(&self) -> bool {
        matches!(self.document.flavour, Flavour::Swagger2 | Flavour::OpenApi30)
    }

    fn is_32(&self) -> bool {
        self.document.format.starts_with("OpenAPI 3.2")
    }

    /// A reference with an `xml` object beside it.
    fn referring(&mut self, at: &Pointer, schema: &Value, own: &Value) -> Node {
        let Ok((target_at, target)) = self.document.resolve(at.clone(), schema) else {
            return FREE;
        };
        let other = self.node(&target_at, target);
        // 3.2: the reference is a node of its own, and none by default.
        if let Some(kind) = kind(own) {
            return named(own, Node { kind, content: Content::Other(other), ..FREE });
        }
        let target = self.planned[other.0].clone();
        if self.is_32() { target } else { named(own, target) }
    }

    fn own(&mut self, at: &Pointer, schema: &Value) -> Node {
        let mut parts = Parts::default();
        self.parts(at, schema, &mut parts);
        let content = self.content(&parts.list);
        let xml = parts.list.iter().find_map(|(_, part)| part.get("xml"));
        let is_list = matches!(content, Content::List { .. });
        let flag = |name: &str| xml.is_some_and(|xml| is_true(xml, name));
        let kind = xml.and_then(kind).unwrap_or(match content {
            _ if flag("attribute") => Kind::Attribute,
            Content::List { .. } if !flag("wrapped") => Kind::None,
            _ => Kind::Element,
        });
        // Before 3.2 the name of a list that is not wrapped means nothing; nor does it later.
        let xml = xml.filter(|_| !(is_list && kind == Kind::None));
        let mut node = Node { kind, content, is_nullable: is_nullable(&parts.list), ..FREE };
        if let Some(xml) = xml {
            node = named(xml, node);
        }
        if node.name.is_none() && self.is_32() {
            node.name = component_name(at).filter(|name| chars::is_nc_name(name));
        }
        node
    }

    /// Gathers what applies to the same value.
    fn parts<'v>(&self, at: &Pointer, schema: &'v Value, parts: &mut Parts<'v>)
    where
        'd: 'v,
    {
        if parts.list.len() >= MAX_PARTS {
            return;
        }
        let Ok((at, schema)) = self.document.resolve(at.clone(), schema) else { return };
        if !schema.is_object() || parts.list.iter().any(|(_, known)| std::ptr::eq(*known, schema)) {
            return;
        }
        parts.list.push((at.clone(), schema));
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let branches = schema.get(keyword).and_then(Value::as_array);
            for (index, branch) in branches.into_iter().flatten().enumerate() {
                self.parts(&at.child(keyword).item(index), branch, parts);
            }
        }
    }

    fn content(&mut self, parts: &[(Pointer, &Value)]) -> Content {
        let mut members: Vec<(String, Id)> = Vec::new();
        for (at, part) in parts {
            let properties = part.get("properties").and_then(Value::as_object);
            for (name, schema) in properties.into_iter().flatten() {
                if members.iter().all(|(known, _)| known != name) {
                    let id = self.node(&at.child("properties").child(name), schema);
                    members.push((name.clone(), id));
                }
            }
        }
        if !members.is_empty() {
            return Content::Object(members);
        }
        let has = |kind: &str| parts.iter().any(|(_, part)| has_type(part, kind));
        if has("array") || parts.iter().any(|(_, part)| part.get("items").is_some()) {
            let mut first = Vec::new();
            let mut others = None;
            for (at, part) in parts {
                let at_first = at.child("prefixItems");
                let list = part.get("prefixItems").and_then(Value::as_array);
                for (index, schema) in list.into_iter().flatten().enumerate().skip(first.len()) {
                    first.push(self.node(&at_first.item(index), schema));
                }
                if let Some(schema @ Value::Object(_)) = part.get("items") {
                    others = others.or_else(|| Some(self.node(&at.child("items"), schema)));
                }
            }
            return Content::List { first, others };
        }
        if has("object") {
            return Content::Free;
        }
        let (number, boolean) = (has("number") || has("integer"), has("boolean"));
        let string = has("string") || (!number && !boolean);
        let is_plain = number
            || boolean
            || has("string")
            || parts
                .iter()
                .any(|(_, part)| part.get("enum").is_some() || part.get("const").is_some());
        if is_plain { Content::Plain { string, number, boolean } } else { Content::Free }
    }
}

fn has_type(schema: &Value, kind: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == kind,
        Some(Value::Array(all)) => all.iter().any(|one| one == kind),
        _ => false,
    }
}

fn is_nullable(parts: &[(Pointer, &Value)]) -> bool {
    parts.iter().any(|(_, part)| {
        has_type(part, "null") || is_true(part, "nullable") || is_true(part, "x-nullable")
    })
}

/// `X` of `#/components/schemas/X`.
fn component_name(at: &Pointer) -> Option<String> {
    let mut tokens: Vec<String> = at.tokens().collect();
    match tokens.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["components", "schemas", _] | ["definitions", _] => tokens.pop(),
        _ => None,
    }
}

fn kind(xml: &Value) -> Option<Kind> {
    match xml.get("nodeType")?.as_str()? {
        "element" => Some(Kind::Element),
        "attribute" => Some(Kind::Attribute),
        "text" => Some(Kind::Text),
        "cdata" => Some(Kind::Cdata),
        "none" => Some(Kind::None),
        _ => None,
    }
}

/// The node with the names that its `xml` object gives it. What XML does not allow as one is
/// none.
fn named(xml: &Value, mut node: Node) -> Node {
    let text = |name: &str| xml.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let name = |word: &str| text(word).filter(|name| chars::is_nc_name(name)).map(str::to_owned);
    // Authors write the prefix into the name, too.
    let (in_name, local) = match text("name").and_then(|name| name.split_once(':')) {
        Some((prefix, local)) if chars::is_nc_name(prefix) && chars::is_nc_name(local) => {
            (Some(prefix.to_owned()), Some(local.to_owned()))
        }
        _ => (None, None),
    };
    node.name = local.or_else(|| name("name")).or(node.name);
    node.prefix = name("prefix").or(in_name).or(node.prefix);
    node.prefix = node
        .prefix
        .filter(|prefix| !prefix.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("xml")));
    let namespace = text("namespace").filter(|uri| uri.chars().all(chars::is_xml));
    node.namespace = namespace.map(str::to_owned).or(node.namespace);
    node
}
