//! The binding of one operation to plain HTTP, without envelopes (WSDL 1.1 §4 and §5).
//!
//! The parts of the message stand in the query, in the path, in a form, or one of them is the
//! body. An answer is read by what it is: XML by the type of the message's part, text as
//! text, anything else as bytes. The document says no more of answers than their media type.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use tollbridge_operation::{
    Answer, Arguments, Binding, Body, Drift, EncodeError, Payload, Request, Response,
};
use tollbridge_xml::{Element as Node, Scope, XmlWriter};
use url::form_urlencoded;

use crate::binding::charset;
use crate::message;
use crate::plan::{Body as TypeBody, Content, Element, TypeId, Types};
use crate::value::{self, Names, Reading, Writer, free};
use crate::xsd::XSI;
use crate::xsd::simple::Simple;

/// RFC 3986 §2.3: what is not unreserved.
const DATA: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How one operation goes over HTTP.
#[derive(Debug)]
pub(crate) struct PlainBinding {
    pub(crate) types: Arc<Types>,
    pub(crate) method: Method,
    /// The path under the port's address, in pieces.
    pub(crate) path: Vec<Piece>,
    /// A query that stands in the location already.
    pub(crate) query: Option<String>,
    pub(crate) parts: Vec<Arc<Element>>,
    /// What the parts are called as arguments.
    pub(crate) names: message::Names,
    pub(crate) input: Input,
    /// The part that an answer in XML is; `None` where nothing is said of it.
    pub(crate) output: Option<Arc<Element>>,
}

/// A piece of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// As it stands, encoded.
    Text(String),
    /// The value of the part at this place in the list of parts.
    Part(usize),
}

/// Where the parts stand that are not in the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    /// `http:urlEncoded`: in the query (§4.6). Also where no part is left to be sent.
    Query,
    /// `http:urlReplacement`: all of them are in the path (§4.7).
    Path,
    /// `mime:content` of a form's media type.
    Form,
    /// `mime:mimeXml`, or `mime:content` of XML: the only part is the body (§5.7).
    Xml(String),
    /// `mime:content` of something else: the only part's text, or its bytes.
    Content(String),
}

impl Input {
    /// Whether the parts must be simple values: nothing says how others would be written.
    pub(crate) fn is_flat(&self) -> bool {
        !matches!(self, Self::Xml(_))
    }
}

/// The simple type of a part, where it has one.
pub(crate) fn simple_of(types: &Types, id: TypeId) -> Option<&Simple> {
    match &types.get(id).body {
        TypeBody::Simple(simple) => Some(simple),
        TypeBody::Complex(complex) if complex.attributes.is_empty() => match &complex.content {
            Content::Simple(simple) => Some(simple),
            _ => None,
        },
        _ => None,
    }
}

fn refused(pointer: &str, expected: impl Into<String>) -> EncodeError {
    EncodeError { pointer: pointer.to_owned(), expected: expected.into() }
}

impl PlainBinding {
    fn given<'v>(
        &self,
        arguments: &'v Map<String, Value>,
    ) -> Result<Vec<(&Element, &'v Value)>, EncodeError> {
        let names: Vec<&str> = self.parts.iter().map(|part| self.argument(part)).collect();
        if let Some(stranger) = arguments.keys().find(|name| !names.contains(&name.as_str())) {
            let expected = format!("no such argument; there are: {}", names.join(", "));
            return Err(refused(&value::pointer("", stranger), expected));
        }
        let each = self.parts.iter().map(|part| match arguments.get(self.argument(part)) {
            Some(value) => Ok((&**part, value)),
            None => Err(refused(&self.place(part), "a value")),
        });
        each.collect()
    }

    fn argument<'n>(&'n self, part: &'n Element) -> &'n str {
        self.names.argument(part.key())
    }

    fn place(&self, part: &Element) -> String {
        value::pointer("", self.argument(part))
    }

    /// The lexical form of each part's value.
    fn texts(&self, given: &[(&Element, &Value)]) -> Result<Vec<String>, EncodeError> {
        let each = given.iter().map(|(part, value)| {
            let here = self.place(part);
            let simple = simple_of(&self.types, part.ty);
            let simple = simple.ok_or_else(|| refused(&here, "nothing: it is not simple"))?;
            let mut names = Names::default();
            let text = simple.write(value, &mut names).map_err(|e| refused(&here, e))?;
            // A qualified name needs a declaration, for which there is no place.
            if names.iter().next().is_some() {
                return Err(refused(&here, "a name without a namespace"));
            }
            Ok(text)
        });
        each.collect()
    }

    fn path(&self, texts: &[String]) -> Result<String, EncodeError> {
        let mut path = String::new();
        for piece in &self.path {
            match piece {
                Piece::Text(text) => path.push_str(text),
                Piece::Part(index) => {
                    let text = &texts[*index];
                    if text.is_empty() || text == "." || text == ".." {
                        let here = self.place(&self.parts[*index]);
                        return Err(refused(&here, "text other than \"\", \".\" and \"..\""));
                    }
                    path.extend(utf8_percent_encode(text, DATA));
                }
            }
        }
        Ok(path)
    }

    fn xml(&self, element: &Element, value: &Value) -> Result<Bytes, EncodeError> {
        let here = self.place(element);
        let mut writer = Writer::new(&self.types, Names::default(), false);
        writer.element(element, value, &here)?;
        if !writer.apart.parts.is_empty() {
            return Err(refused(&here, "nothing that travels beside an envelope: there is none"));
        }
        let (body, names) = writer.finish();
        let declared: Vec<(String, &str)> =
            names.iter().map(|(prefix, uri)| (format!("xmlns:{prefix}"), uri)).collect();
        let declared: Vec<(&str, &str)> = std::iter::once(("xmlns:xsi", XSI))
            .chain(declared.iter().map(|(name, uri)| (name.as_str(), *uri)))
            .collect();
        // Prefixes are known once all is written: they go into the root's tag afterwards.
        let mut tag = XmlWriter::fragment();
        tag.empty("x", &declared);
        let tag = tag.finish();
        let end = body.iter().position(|b| b" >/".contains(b)).unwrap_or(body.len());
        let mut out = XmlWriter::new().finish();
        out.extend_from_slice(&body[..end]);
        out.extend_from_slice(
            tag.strip_prefix(b"<x").and_then(|t| t.strip_suffix(b"/>")).unwrap_or_default(),
        );
        out.extend_from_slice(&body[end..]);
        Ok(out.into())
    }

    fn body(
        &self,
        given: &[(&Element, &Value)],
        texts: &[String],
    ) -> Result<Option<Body>, EncodeError> {
        let (media_type, bytes) = match (&self.input, given, texts) {
            (Input::Form, ..) => (
                "application/x-www-form-urlencoded".to_owned(),
                self.pairs(texts).into_bytes().into(),
            ),
            (Input::Xml(media_type), [(element, value)], _) => {
                (format!("{media_type}; charset=utf-8"), self.xml(element, value)?)
            }
            (Input::Content(media_type), [(element, _)], [text]) => {
                let octets =
                    simple_of(&self.types, element.ty).and_then(|simple| simple.octets(text));
                let media_type = match octets {
                    None if media_type.starts_with("text/") => {
                        format!("{media_type}; charset=utf-8")
                    }
                    _ => media_type.clone(),
                };
                (media_type, octets.map_or_else(|| Bytes::from(text.clone()), Bytes::from))
            }
            _ => return Ok(None),
        };
        let content_type = HeaderValue::from_str(&media_type)
            .map_err(|_| refused("", "a media type that can stand in a header"))?;
        Ok(Some(Body { content_type, bytes }))
    }

    /// `name=value` pairs, encoded as forms are.
    fn pairs(&self, texts: &[String]) -> String {
        let names = self.parts.iter().map(|part| part.key());
        form_urlencoded::Serializer::new(String::new()).extend_pairs(names.zip(texts)).finish()
    }

    fn read_xml(&self, response: &Response) -> Answer {
        let charset = charset(response);
        let root = match tollbridge_xml::parse_as(&response.body, charset.as_deref()) {
            Ok(root) => root,
            Err(error) if response.status.is_success() => {
                return Answer::Unreadable { reason: error.to_string() };
            }
            Err(_) => return failure(text_or_bytes(response)),
        };
        if !response.status.is_success() {
            return failure(Payload::Value(free(&root)));
        }
        let mut reading = Reading::new(&self.types);
        let value = match &self.output {
            Some(element) => {
                if element.name.namespace.is_some() && !element.name.names(&root) {
                    reading.note("the answer's element has another name than expected");
                }
                self.value(&mut reading, &root, element)
            }
            None => free(&root),
        };
        Answer::Success {
            payload: Payload::Value(value),
            drift: reading.into_drift(),
            headers: Map::new(),
        }
    }

    /// A simple value as it is, an object under the part's name.
    fn value(&self, reading: &mut Reading<'_>, node: &Node, element: &Element) -> Value {
        if self.types.is_plain(element.ty) {
            return reading.element(node, element);
        }
        let value = reading.within(element.key(), |reading| reading.element(node, element));
        Value::Object(Map::from_iter([(element.key().to_owned(), value)]))
    }

    /// A text that the message says the type of.
    fn read_text(&self, response: &Response, text: &str) -> Answer {
        let simple = self.output.as_ref().and_then(|part| simple_of(&self.types, part.ty));
        let mut drift = Vec::new();
        let value = match simple.map(|simple| simple.read(text, &Scope::default())) {
            Some(Ok(value)) => value,
            Some(Err(expected)) => {
                let message = format!("expected {expected}");
                drift.push(Drift { pointer: String::new(), message });
                text.into()
            }
            None => text.into(),
        };
        if response.status.is_success() {
            Answer::Success { payload: Payload::Value(value), drift, headers: Map::new() }
        } else {
            failure(Payload::Value(text.into()))
        }
    }
}

impl Binding for PlainBinding {
    fn encode(&self, arguments: &Arguments) -> Result<Request, EncodeError> {
        let given = self.given(&arguments.0)?;
        let texts = if self.input.is_flat() { self.texts(&given)? } else { Vec::new() };
        let own = match self.input {
            Input::Query => self.pairs(&texts),
            _ => String::new(),
        };
        let query: Vec<&str> = [self.query.as_deref().unwrap_or_default(), &own]
            .into_iter()
            .filter(|q| !q.is_empty())
            .collect();
        Ok(Request {
            method: self.method.clone(),
            path: self.path(&texts)?,
            query: (!query.is_empty()).then(|| query.join("&")),
            headers: vec![(ACCEPT, HeaderValue::from_static("*/*"))],
            cookies: Vec::new(),
            body: self.body(&given, &texts)?,
        })
    }

    fn decode(&self, response: &Response) -> Answer {
        if response.body.is_empty() {
            return told(response, Payload::Empty);
        }
        let media_type = response.media_type().unwrap_or_default();
        if media_type.ends_with("/xml") || media_type.ends_with("+xml") {
            return self.read_xml(response);
        }
        if media_type.starts_with("text/")
            && media_type != "text/html"
            && let Ok(text) = std::str::from_utf8(&response.body)
        {
            return self.read_text(response, text);
        }
        told(response, text_or_bytes(response))
    }
}

fn told(response: &Response, payload: Payload) -> Answer {
    if response.status.is_success() {
        Answer::Success { payload, drift: Vec::new(), headers: Map::new() }
    } else {
        failure(payload)
    }
}

fn failure(payload: Payload) -> Answer {
    Answer::Failure { payload, fault: None }
}

fn text_or_bytes(response: &Response) -> Payload {
    let media_type = response.media_type();
    match std::str::from_utf8(&response.body) {
        Ok(text)
            if media_type
                .as_deref()
                .is_none_or(|m| m.starts_with("text/") || m.ends_with("/json")) =>
        {
            Payload::Value(text.into())
        }
        _ => Payload::Bytes {
            media_type: media_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
            data: response.body.clone(),
        },
    }
}
