//! What the messages of one operation look like: which elements, in which order, holding
//! what. A plan is checked when a binding is made of it, so that encoding can trust it.
//!
//! Plans say nothing about envelopes, JSON or HTTP.

use tollbridge_xml::chars;

/// The deepest element of a plan, counted from the message's root. An envelope and what an
/// answer adds to its plan must still fit the reader's bound.
const MAX_DEPTH: usize = 48;

/// Which SOAP an operation speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SoapVersion {
    /// SOAP 1.1.
    V1_1,
    /// SOAP 1.2.
    V1_2,
}

impl SoapVersion {
    /// The namespace of the envelope.
    pub fn namespace(self) -> &'static str {
        match self {
            Self::V1_1 => "http://schemas.xmlsoap.org/soap/envelope/",
            Self::V1_2 => "http://www.w3.org/2003/05/soap-envelope",
        }
    }

    /// The media type of a message.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::V1_1 => "text/xml",
            Self::V1_2 => "application/soap+xml",
        }
    }
}

/// One operation: a request and a response, wrapped document/literal or rpc/literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationPlan {
    /// Which SOAP it speaks.
    pub version: SoapVersion,
    /// Its SOAP action: visible ASCII, as a URI is.
    pub action: Option<String>,
    /// Header blocks of the request; their values are members of the argument `headers`.
    pub headers: Vec<FieldPlan>,
    /// The request's one element in the body. Its fields are the arguments.
    pub input: ElementPlan,
    /// The response's, `None` where nothing is known of it: it is then read as it is.
    pub output: Option<ElementPlan>,
}

/// An element that wraps a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementPlan {
    /// Its local name.
    pub name: String,
    /// Its namespace, where it has one.
    pub namespace: Option<String>,
    /// Its children in the order that the wire wants.
    pub fields: Vec<FieldPlan>,
}

/// A child element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPlan {
    /// Its local name, which is its name in JSON; unique among its siblings.
    pub name: String,
    /// Its namespace; none where the schema's elements are unqualified.
    pub namespace: Option<String>,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may stand more than once; it is then always a list in JSON.
    pub repeated: bool,
    /// Whether it may be absent.
    pub optional: bool,
}

/// What an element holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Characters, each kept: strings, dates, qualified names, enumerations, base64.
    Text,
    /// `xs:boolean`.
    Bool,
    /// A whole number of at most 32 bits (`xs:int`, `xs:short`, `xs:unsignedInt`, …), which
    /// every reader of JSON keeps: a number in JSON.
    Int,
    /// `xs:float` or `xs:double`: a number in JSON, or one of `INF`, `-INF` and `NaN`.
    Double,
    /// A whole number of any length (`xs:integer`, `xs:long`, `xs:unsignedLong`, …): a string
    /// in answers, for readers of JSON would lose its digits.
    Integer,
    /// `xs:decimal`: likewise a string in answers.
    Decimal,
    /// Child elements in the order that the wire wants.
    Object(Vec<FieldPlan>),
}

/// A plan that no message can be made by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A name that XML does not allow.
    #[error("`{0}` is no name of an element")]
    Name(String),
    /// A namespace that is empty or that XML cannot hold.
    #[error("`{0}` is no namespace")]
    Namespace(String),
    /// An action that cannot stand in a header.
    #[error("the SOAP action `{0}` is no URI: it has other characters than visible ASCII")]
    Action(String),
    /// Two children under one name: JSON could not tell them apart.
    #[error("the element `{0}` stands twice among its siblings")]
    Twice(String),
    /// Elements nested without reason.
    #[error("more than {MAX_DEPTH} elements are nested in each other")]
    Depth,
    /// The argument `headers` would mean two things.
    #[error("there are header blocks, and also an argument `headers`")]
    Headers,
}

impl OperationPlan {
    /// Checks what encoding relies on.
    pub(crate) fn check(&self) -> Result<(), PlanError> {
        if let Some(action) = &self.action
            && !action.bytes().all(|b| b.is_ascii_graphic())
        {
            return Err(PlanError::Action(action.clone()));
        }
        if !self.headers.is_empty() && self.input.fields.iter().any(|f| f.name == "headers") {
            return Err(PlanError::Headers);
        }
        check_fields(&self.headers, 1)?;
        for element in [Some(&self.input), self.output.as_ref()].into_iter().flatten() {
            check_name(&element.name, element.namespace.as_deref())?;
            check_fields(&element.fields, 2)?;
        }
        Ok(())
    }

    /// The namespaces of a request's elements, each once, in the order of their appearance.
    pub(crate) fn namespaces(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect(self.input.namespace.as_ref(), &self.input.fields, &mut found);
        collect(None, &self.headers, &mut found);
        found
    }
}

fn collect(own: Option<&String>, fields: &[FieldPlan], found: &mut Vec<String>) {
    if let Some(namespace) = own
        && !found.contains(namespace)
    {
        found.push(namespace.clone());
    }
    for field in fields {
        let below: &[FieldPlan] = if let Kind::Object(fields) = &field.kind { fields } else { &[] };
        collect(field.namespace.as_ref(), below, found);
    }
}

fn check_fields(fields: &[FieldPlan], depth: usize) -> Result<(), PlanError> {
    if depth > MAX_DEPTH && !fields.is_empty() {
        return Err(PlanError::Depth);
    }
    for (index, field) in fields.iter().enumerate() {
        check_name(&field.name, field.namespace.as_deref())?;
        if fields[..index].iter().any(|before| before.name == field.name) {
            return Err(PlanError::Twice(field.name.clone()));
        }
        if let Kind::Object(fields) = &field.kind {
            check_fields(fields, depth + 1)?;
        }
    }
    Ok(())
}

fn check_name(name: &str, namespace: Option<&str>) -> Result<(), PlanError> {
    if !chars::is_nc_name(name) {
        return Err(PlanError::Name(name.to_owned()));
    }
    match namespace {
        // No prefix may be bound to nothing, nor to XML's own names (Namespaces in XML §3, §5).
        Some(uri)
            if uri.is_empty()
                || uri == tollbridge_xml::XML_NAMESPACE
                || uri == tollbridge_xml::XMLNS_NAMESPACE
                || !uri.chars().all(chars::is_xml) =>
        {
            Err(PlanError::Namespace(uri.to_owned()))
        }
        _ => Ok(()),
    }
}
