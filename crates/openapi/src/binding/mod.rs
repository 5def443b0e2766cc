//! The REST binding: arguments to a request, a response to an answer.
//!
//! Everything is planned when the document is read; encoding looks things up and writes.
//! The one promise: an argument is data. It cannot leave its path segment, add or replace a
//! query parameter, a cookie or a header, and what could do so is refused.

mod decode;
mod encode;
mod expression;
mod files;
mod forms;
mod links;
mod multipart;
mod path;
mod percent;
mod responses;
mod styles;

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method};
use tollbridge_operation::{
    Answer, Arguments, Binding, EncodeError, Exchanged, Link, Request, Response,
};

use crate::parameters::Place;
use crate::xml::Xml;

pub(crate) use responses::Expected;
pub(crate) use styles::plain;

pub(crate) use encode::{BODY, CONTENT_TYPE};
pub(crate) use expression::{Expression, Template};
pub(crate) use links::{LinkPlan, Links};
pub(crate) use path::PathTemplate;

/// How a parameter's value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Simple,
    Label,
    Matrix,
    Form,
    /// `spaceDelimited`, `pipeDelimited`, and 2.0's `tsv`.
    Delimited(char),
    /// `deepObject`.
    Deep,
    /// 3.2's `cookie`.
    Cookie,
}

/// A style with what modifies it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Styled {
    pub(crate) style: Style,
    pub(crate) explode: bool,
    pub(crate) allow_reserved: bool,
}

/// How a parameter goes over the wire.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Styled(Styled),
    /// `content`: as a body of that media type would.
    Content(Box<Variant>),
}

/// A parameter as it goes over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    /// The argument that it takes its value from.
    pub(crate) argument: String,
    /// Its name there.
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) required: bool,
    pub(crate) shape: Shape,
}

/// A request body: at least one media type, the best one first.
#[derive(Debug, Clone)]
pub(crate) struct BodyPlan {
    pub(crate) required: bool,
    pub(crate) variants: Vec<Variant>,
}

/// One media type of a body.
#[derive(Debug, Clone)]
pub(crate) struct Variant {
    /// What `content_type` calls it.
    pub(crate) name: String,
    /// The header.
    pub(crate) content_type: HeaderValue,
    pub(crate) form: BodyForm,
}

/// How a body's value becomes bytes.
#[derive(Debug, Clone)]
pub(crate) enum BodyForm {
    Json {
        /// The JSON types that its schema admits, where it says so: with several media types
        /// the property's schema alone cannot tell which value is meant for which.
        types: Option<Vec<String>>,
    },
    JsonLines {
        /// Whether a record separator begins each of them.
        is_sequence: bool,
    },
    UrlEncoded {
        fields: Vec<Field>,
    },
    Multipart {
        fields: Vec<Field>,
    },
    /// Parts without names, in order: the first ones each for itself, then the others.
    Parts {
        first: Vec<FieldForm>,
        others: FieldForm,
    },
    Xml(Xml),
    Text,
    Bytes,
}

/// A known member of a form.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) form: FieldForm,
}

/// How a member of a form is written.
#[derive(Debug, Clone)]
pub(crate) enum FieldForm {
    /// As a parameter would be.
    Styled(Styled),
    /// Lists repeated, and each value as its part says.
    ByValue(Part),
    /// A file, or a list of them.
    File(Part),
    /// Parts of its own, within one.
    Nested(Box<Nested>),
}

/// A part that is made of parts (OpenAPI 3.2.0 §4.15: `encoding`, `prefixEncoding` and
/// `itemEncoding` of an Encoding Object).
#[derive(Debug, Clone)]
pub(crate) struct Nested {
    /// The part itself: its media type is a multipart one.
    pub(crate) part: Part,
    /// What it is made of.
    pub(crate) form: BodyForm,
    /// Whether a list is one such part, and not a list of them.
    pub(crate) takes_lists: bool,
}

/// What is known of a part of a multipart body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    /// Its media type, where it is always the same.
    pub(crate) content_type: Option<HeaderValue>,
    /// How it is written where it is XML.
    pub(crate) xml: Option<Xml>,
    /// Headers of its own.
    pub(crate) headers: Vec<PartHeader>,
    /// Whether its value is `{"value": …, "headers": {…}}`.
    pub(crate) is_wrapped: bool,
}

/// A header of a part.
#[derive(Debug, Clone)]
pub(crate) struct PartHeader {
    pub(crate) name: HeaderName,
    /// Its value, where there is only one.
    pub(crate) fixed: Option<String>,
    pub(crate) styled: Styled,
}

/// One REST operation, planned.
#[derive(Debug)]
pub(crate) struct RestBinding {
    pub(crate) method: Method,
    pub(crate) path: PathTemplate,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<BodyPlan>,
    pub(crate) accept: HeaderValue,
    /// What is known of its answers.
    pub(crate) expected: Expected,
    /// What can be called after them.
    pub(crate) links: Links,
    /// Names in the query that belong to credentials.
    pub(crate) reserved_query: Arc<[String]>,
    /// Names of cookies that belong to credentials.
    pub(crate) reserved_cookies: Arc<[String]>,
    /// Whether a file may be named by a path.
    pub(crate) takes_paths: bool,
}

impl Binding for RestBinding {
    fn encode(&self, arguments: &Arguments) -> Result<Request, EncodeError> {
        encode::encode(self, arguments)
    }

    fn decode(&self, response: &Response) -> Answer {
        decode::decode(self, response)
    }

    fn named_files(&self, arguments: &Arguments) -> Vec<String> {
        files::named(self, arguments)
    }

    fn kept_headers(&self) -> &[HeaderName] {
        &self.expected.headers
    }

    fn has_links(&self) -> bool {
        !self.links.0.is_empty()
    }

    fn links(&self, success: &Exchanged<'_>) -> Vec<Link> {
        links::links(self, success)
    }

    fn linked(&self, link: &Link) -> Arguments {
        links::linked(self, link)
    }
}

/// A place in the arguments, for errors (RFC 6901).
#[derive(Debug, Clone, Copy)]
pub(crate) enum At<'a> {
    Root,
    Member(&'a At<'a>, &'a str),
    Item(&'a At<'a>, usize),
}

impl At<'_> {
    fn pointer(self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Member(parent, name) => {
                format!("{}/{}", parent.pointer(), name.replace('~', "~0").replace('/', "~1"))
            }
            Self::Item(parent, index) => format!("{}/{index}", parent.pointer()),
        }
    }

    pub(crate) fn expected(self, expected: impl Into<String>) -> EncodeError {
        EncodeError { pointer: self.pointer(), expected: expected.into() }
    }
}
