//! One operation of a port that is bound to plain HTTP (WSDL 1.1 §4, §5).

use std::sync::Arc;

use http::Method;
use tollbridge_xml::Element as Node;

use super::bound::{Bound, documentation, input_name};
use super::definitions::{Binding, Definitions, HTTP, MIME, Port, children};
use super::parts::PartReader;
use crate::message::{Message, Names};
use crate::plain::{Input, Piece, PlainBinding, simple_of};
use crate::plan::{Compiler, Element, Fault, Types};

const FORM: &str = "application/x-www-form-urlencoded";

/// An operation in the making.
pub(super) struct Draft {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) service: String,
    pub(super) input_name: Option<String>,
    pub(super) pointer: String,
    pub(super) documentation: Option<String>,
    pub(super) servers: Vec<String>,
    pub(super) method: Method,
    /// The path template, parameters in braces.
    pub(super) template: String,
    path: Vec<Piece>,
    query: Option<String>,
    parts: Vec<Arc<Element>>,
    input: Input,
    output: Option<Arc<Element>>,
}

/// Reads one operation of a binding.
pub(super) fn draft<'d>(
    definitions: &Definitions<'d>,
    port: &Port<'d>,
    binding: &Binding<'d>,
    method: &Method,
    bound: &'d Node,
    key: String,
    compiler: &mut Compiler<'d>,
) -> Result<Draft, Fault> {
    let Bound { name, pointer, operation } = Bound::new(binding, bound)?;
    let mut reader =
        PartReader { definitions, target: binding.target, compiler, pointer: &pointer };
    let said = children(operation, "input").next();
    let said =
        said.ok_or_else(|| reader.fault("it has no input: notifications are not bridged"))?;
    let message = reader.message(said)?;
    let mut parts = Vec::new();
    for (name, part) in PartReader::parts(message) {
        parts.push(reader.part(name, part)?);
    }
    let bound_input = children(bound, "input").next();
    let input = input(&reader, bound_input, method, parts.len())?;
    let location = bound
        .elements()
        .find(|child| child.name == "operation" && child.namespace.as_deref() == Some(HTTP))
        .and_then(|extension| extension.attribute(None, "location"))
        .unwrap_or_default()
        .trim();
    let (location, query) = match location.split_once('?') {
        Some((location, query)) => (location, Some(query.to_owned())),
        None => (location, None),
    };
    let path = path(location, if input == Input::Path { &parts } else { &[] });
    if !is_sound(&path, query.as_deref()) {
        let reason = format!("its location `{location}` has characters that a URL cannot have");
        return Err(reader.fault(reason));
    }
    let unplaced = (0..parts.len()).find(|part| !path.contains(&Piece::Part(*part)));
    if let (Input::Path, Some(index)) = (&input, unplaced) {
        let reason = format!("its location has no place for the part `{}`", parts[index].key());
        return Err(reader.fault(reason));
    }
    let output = children(operation, "output").next().and_then(|said| {
        // An answer that cannot be described is read as it comes.
        let message = reader.message(said).ok()?;
        let wanted = children(bound, "output").next().and_then(wanted_part);
        let mut parts = PartReader::parts(message);
        let (name, part) = match wanted {
            Some(wanted) => parts.find(|(name, _)| *name == wanted)?,
            None => parts.next()?,
        };
        reader.part(name, part).ok()
    });
    let template = path
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Part(index) => format!("{{{}}}", parts[*index].key()),
        })
        .collect();
    Ok(Draft {
        key,
        service: port.service.to_owned(),
        input_name: input_name(operation),
        documentation: documentation(operation).or_else(|| documentation(bound)),
        servers: binding.servers.clone(),
        method: method.clone(),
        template,
        path,
        query,
        parts,
        input,
        output,
        pointer,
        name,
    })
}

/// Where the parts stand, by the binding's extension elements.
fn input(
    reader: &PartReader<'_, '_>,
    bound: Option<&Node>,
    method: &Method,
    parts: usize,
) -> Result<Input, Fault> {
    for said in bound.into_iter().flat_map(Node::elements) {
        match (said.namespace.as_deref(), said.name.as_str()) {
            (Some(HTTP), "urlEncoded") => return Ok(Input::Query),
            (Some(HTTP), "urlReplacement") => return Ok(Input::Path),
            (Some(MIME), "mimeXml") if parts == 1 => return Ok(Input::Xml("text/xml".to_owned())),
            (Some(MIME), "content") => {
                let media_type = said.attribute(None, "type").unwrap_or_default().trim();
                let media_type = media_type.to_ascii_lowercase();
                return match media_type.as_str() {
                    FORM => Ok(Input::Form),
                    _ if parts != 1 => Err(reader.fault(format!(
                        "it has {parts} parts for one body of the media type `{media_type}`"
                    ))),
                    "text/xml" | "application/xml" => Ok(Input::Xml(media_type)),
                    "" | "*/*" => Ok(Input::Content("application/octet-stream".to_owned())),
                    "text/*" => Ok(Input::Content("text/plain".to_owned())),
                    _ => Ok(Input::Content(media_type)),
                };
            }
            (Some(MIME), "multipartRelated") => {
                return Err(reader.fault("it is sent as several MIME parts, which is not bridged"));
            }
            _ => {}
        }
    }
    if parts == 0 || *method == Method::GET {
        return Ok(Input::Query);
    }
    Err(reader.fault("nothing says how its parts are sent"))
}

/// The part that an answer's body is, where one is named (§5.3, §5.7).
fn wanted_part(bound: &Node) -> Option<&str> {
    let said = bound.elements().find(|child| {
        child.namespace.as_deref() == Some(MIME)
            && matches!(child.name.as_str(), "mimeXml" | "content")
    })?;
    said.attribute(None, "part").map(str::trim)
}

/// A location as a path under the port's address: `(name)` stands for a part (§4.7).
fn path(location: &str, parts: &[Arc<Element>]) -> Vec<Piece> {
    let mut path = Vec::new();
    let mut text = String::new();
    if !location.is_empty() && !location.starts_with('/') {
        text.push('/');
    }
    let mut rest = location;
    while let Some(open) = rest.find('(') {
        let named = rest[open + 1..].split_once(')').and_then(|(name, after)| {
            let part = parts.iter().position(|part| part.key() == name.trim())?;
            Some((part, after))
        });
        match named {
            Some((part, after)) => {
                text.push_str(&rest[..open]);
                path.push(Piece::Text(std::mem::take(&mut text)));
                path.push(Piece::Part(part));
                rest = after;
            }
            None => {
                text.push_str(&rest[..=open]);
                rest = &rest[open + 1..];
            }
        }
    }
    text.push_str(rest);
    path.push(Piece::Text(text));
    path.retain(|piece| *piece != Piece::Text(String::new()));
    path
}

/// Whether what stands in the location can go into a URL as it is (RFC 3986 §3.3, §3.4).
fn is_sound(path: &[Piece], query: Option<&str>) -> bool {
    let may = |c: char, more: &str| {
        c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/%".contains(c) || more.contains(c)
    };
    path.iter().all(|piece| match piece {
        Piece::Text(text) => {
            text.chars().all(|c| may(c, "")) && !text.split('/').any(|s| matches!(s, "." | ".."))
        }
        Piece::Part(_) => true,
    }) && query.is_none_or(|query| query.chars().all(|c| may(c, "?")))
}

impl Draft {
    /// The message that arguments are for.
    pub(super) fn message(&self) -> Message {
        Message::bare(self.parts.clone(), self.names())
    }

    /// The message that an answer is read as.
    pub(super) fn answer(&self, types: &Types) -> Option<Message> {
        let part = self.output.clone().filter(|part| types.broken([part.ty]).is_none())?;
        Some(Message::bare(vec![part], Names::default()))
    }

    fn names(&self) -> Names {
        Names::new(self.parts.iter().map(|part| part.key()), &[])
    }

    /// The binding, now that the types of the parts are known.
    pub(super) fn binding(&self, types: &Arc<Types>) -> Result<PlainBinding, Fault> {
        let fault = |reason: String| Fault::new(self.pointer.clone(), reason);
        if let Some(broken) = types.broken(self.parts.iter().map(|part| part.ty)) {
            return Err(broken.clone());
        }
        let nested = self.parts.iter().find(|part| simple_of(types, part.ty).is_none());
        if let Some(part) = nested.filter(|_| self.input.is_flat()) {
            return Err(fault(format!(
                "its part `{}` has elements in it, and nothing says how they are sent over plain HTTP",
                part.key()
            )));
        }
        Ok(PlainBinding {
            types: Arc::clone(types),
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            parts: self.parts.clone(),
            names: self.names(),
            input: self.input.clone(),
            output: self.output.clone().filter(|part| types.broken([part.ty]).is_none()),
        })
    }
}
