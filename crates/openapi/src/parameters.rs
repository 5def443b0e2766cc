//! The parameters of an operation: gathered from path item and operation, and planned: which
//! property each becomes and how it goes over the wire.
//!
//! OpenAPI 3.0.4 §4.7.12, 3.1.1 §4.8.12. Swagger 2.0 parameters come here in their 3.x shape.

use std::borrow::Cow;

use openapiv3::{CookieStyle, HeaderStyle, PathStyle, QueryStyle};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::binding::{BodyForm, Parameter, Shape, Style, Styled, Variant};
use crate::document::{Document, Fault, Flavour, Pointer, Warnings, scalar_text, text, text_line};
use crate::flag::{self, flag, is_true};
use crate::schema::{Direction, Lifted, Schemas};
use crate::{body, media, naming, xml};

/// No real operation comes near it.
const MAX_PARAMETERS: usize = 500;

/// Where a parameter goes, in the order in which places win a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    Path,
    Query,
    /// 3.2: the whole of the query.
    Querystring,
    Header,
    Cookie,
}

impl Place {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Querystring => "querystring",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "path" => Some(Self::Path),
            "query" => Some(Self::Query),
            "querystring" => Some(Self::Querystring),
            "header" => Some(Self::Header),
            "cookie" => Some(Self::Cookie),
            _ => None,
        }
    }
}

/// A parameter as the document declares it, its reference followed.
#[derive(Debug, Clone)]
pub(crate) struct Declared<'d> {
    pub(crate) at: Pointer,
    pub(crate) name: String,
    /// The value of `in`, which may be no place that we know.
    pub(crate) place: String,
    pub(crate) value: Cow<'d, Value>,
}

/// The path item's parameters, overridden and followed by the operation's.
pub(crate) fn gather<'a, 'd>(
    document: &'d Document,
    levels: impl Iterator<Item = (&'a Pointer, &'d Value)>,
) -> Result<Vec<Declared<'d>>, Fault> {
    let mut gathered: Vec<Declared<'_>> = Vec::new();
    for (owner, value) in levels {
        let at = owner.child("parameters");
        let list = match value.get("parameters") {
            None | Some(Value::Null) => continue,
            Some(Value::Array(list)) if list.len() > MAX_PARAMETERS => {
                let reason =
                    format!("{} parameters; at most {MAX_PARAMETERS} are read", list.len());
                return Err(Fault::new(&at, reason));
            }
            Some(Value::Array(list)) => list,
            Some(_) => return Err(Fault::new(&at, "expected a list of parameters")),
        };
        for (index, parameter) in list.iter().enumerate() {
            let (at, parameter) = document.resolve(at.item(index), parameter)?;
            let named = parameter.get("name").and_then(scalar_text).filter(|n| !n.is_empty());
            // The name of the whole query goes nowhere, and even the specification's own
            // examples leave it out.
            let is_nameless = parameter.get("in").is_some_and(|place| place == "querystring");
            let Some(name) = named.or_else(|| is_nameless.then(|| "querystring".to_owned())) else {
                return Err(Fault::new(&at, "expected a parameter with a `name`"));
            };
            let Some(place) = parameter.get("in").and_then(Value::as_str) else {
                return Err(Fault::new(
                    &at,
                    "expected `in`: one of path, query, header and cookie",
                ));
            };
            let declared = Declared {
                name,
                place: place.to_owned(),
                value: Cow::Borrowed(parameter),
                at: at.clone(),
            };
            match gathered.iter_mut().find(|other| is_same(other, &declared)) {
                Some(overridden) => *overridden = declared,
                None => gathered.push(declared),
            }
        }
    }
    Ok(gathered)
}

fn is_same(a: &Declared<'_>, b: &Declared<'_>) -> bool {
    a.place == b.place
        && (a.name == b.name || a.place == "header" && a.name.eq_ignore_ascii_case(&b.name))
}

/// A parameter with its property.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) parameter: Parameter,
    pub(crate) property: Value,
    pub(crate) lifted: Vec<Lifted>,
}

/// What the parameters of one operation are planned with.
pub(crate) struct Planner<'a, 'd> {
    pub(crate) document: &'d Document,
    pub(crate) schemas: &'a mut Schemas<'d>,
    pub(crate) xml: &'a mut xml::Planner<'d>,
    pub(crate) warnings: &'a mut Warnings,
    /// The variables of the path template.
    pub(crate) variables: &'a [String],
    /// Words that the body takes as keys.
    pub(crate) reserved: &'a [&'a str],
    /// Where the path stands, for what is not declared.
    pub(crate) path_at: &'a Pointer,
}

impl Planner<'_, '_> {
    /// Plans what was declared, and the template's variables that were not.
    pub(crate) fn plan(&mut self, declared: &[Declared<'_>]) -> Result<Vec<Planned>, Fault> {
        let mut planned = Vec::new();
        for declared in declared {
            let Some(place) = Place::parse(&declared.place) else {
                let reason = format!(
                    "parameters in `{}` cannot be sent; expected path, query, header or cookie",
                    text_line(&declared.place)
                );
                if is_true(&declared.value, "required") {
                    return Err(Fault::new(&declared.at, reason));
                }
                self.warnings.add(&declared.at, format!("{reason}; left out"));
                continue;
            };
            if self.is_left_out(declared, place)? {
                continue;
            }
            if self.is_nested(declared) {
                let reason = "a list whose items have members cannot be written in a style \
                              (RFC 6570 §2.3); expected `content` with a media type";
                if place == Place::Path || is_true(&declared.value, "required") {
                    return Err(Fault::new(&declared.at, reason));
                }
                self.warnings.add(&declared.at, format!("{reason}; left out"));
                continue;
            }
            planned.push(self.one(declared, place)?);
        }
        for variable in self.variables {
            let known =
                |p: &Planned| p.parameter.place == Place::Path && p.parameter.name == *variable;
            if !planned.iter().any(known) {
                self.warnings.add(
                    self.path_at,
                    format!(
                        "`{{{variable}}}` is declared by no parameter; read as a required string"
                    ),
                );
                planned.push(undeclared(variable));
            }
        }
        let names: Vec<(&str, Place)> =
            planned.iter().map(|p| (p.parameter.name.as_str(), p.parameter.place)).collect();
        let keys = naming::keys(&names, self.reserved);
        for (planned, key) in planned.iter_mut().zip(keys) {
            planned.parameter.argument = key;
        }
        Ok(planned)
    }

    fn is_left_out(&mut self, declared: &Declared<'_>, place: Place) -> Result<bool, Fault> {
        match place {
            Place::Path if !self.variables.contains(&declared.name) => {
                self.warnings.add(
                    &declared.at,
                    format!("the path has no `{{{}}}`; the parameter is left out", declared.name),
                );
                Ok(true)
            }
            Place::Header => {
                let name = declared.name.to_ascii_lowercase();
                // OpenAPI: these three "SHALL be ignored".
                if matches!(name.as_str(), "accept" | "content-type" | "authorization") {
                    return Ok(true);
                }
                // These belong to the connection or are built elsewhere (RFC 9110 §7.6.1).
                if matches!(
                    name.as_str(),
                    "host"
                        | "content-length"
                        | "transfer-encoding"
                        | "connection"
                        | "te"
                        | "trailer"
                        | "upgrade"
                        | "keep-alive"
                        | "proxy-authorization"
                        | "proxy-connection"
                        | "cookie"
                        | "expect"
                        | "accept-encoding"
                ) {
                    self.warnings.add(
                        &declared.at,
                        format!("the header `{}` is the client's own; left out", declared.name),
                    );
                    return Ok(true);
                }
                if http::HeaderName::from_bytes(declared.name.as_bytes()).is_err() {
                    let at = declared.at.child("name");
                    let reason = "expected the name of a header (RFC 9110 §5.1)";
                    if is_true(&declared.value, "required") {
                        return Err(Fault::new(&at, reason));
                    }
                    self.warnings.add(&at, format!("{reason}; left out"));
                    return Ok(true);
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    /// Whether it is a list each of whose items is a list or an object: nothing that fits its
    /// schema could be sent.
    fn is_nested(&self, declared: &Declared<'_>) -> bool {
        let value = declared.value.as_ref();
        if value.get("content").is_some() || value.get("style").is_some_and(|s| s == "deepObject") {
            return false;
        }
        let at = match self.document.flavour {
            Flavour::Swagger2 => declared.at.clone(),
            _ => declared.at.child("schema"),
        };
        let list = value.get("schema").and_then(|schema| self.document.resolve(at, schema).ok());
        let item = list.filter(|(_, list)| is_only(list, &["array"])).and_then(|(at, list)| {
            self.document.resolve(at.child("items"), list.get("items")?).ok()
        });
        item.is_some_and(|(_, item)| is_only(item, &["array", "object"]))
    }

    fn one(&mut self, declared: &Declared<'_>, place: Place) -> Result<Planned, Fault> {
        let at = &declared.at;
        let value = declared.value.as_ref();
        if let Value::Object(value) = value {
            let names = ["required", "deprecated", "allowEmptyValue", "explode", "allowReserved"];
            flag::tell(at, value, &names, self.warnings);
        }
        let (shape, mut property, lifted) = self.shape(at, value, place)?;
        if is_true(value, "allowEmptyValue")
            && matches!(shape, Shape::Styled(Styled { style: Style::Form, .. }))
            && place == Place::Query
        {
            // "A zero-length string value in place of parameters that would otherwise be
            // omitted entirely" (3.2.0 §4.12.2.1).
            property = json!({"anyOf": [property, {"const": ""}]});
        }
        annotate(&mut property, value);
        if place == Place::Path && !is_true(value, "required") {
            self.warnings.add(at, "a path parameter is always required; read so");
        }
        let required = place == Place::Path || is_true(value, "required");
        let parameter = Parameter {
            argument: String::new(),
            name: declared.name.clone(),
            place,
            required,
            shape,
        };
        Ok(Planned { parameter, property, lifted })
    }

    fn shape(
        &mut self,
        at: &Pointer,
        value: &Value,
        place: Place,
    ) -> Result<(Shape, Value, Vec<Lifted>), Fault> {
        if let Some(content) = value.get("content").and_then(Value::as_object) {
            let Some((media_type, entry)) = content.iter().next() else {
                return Err(Fault::new(&at.child("content"), "expected one media type"));
            };
            let here = at.child("content").child(media_type);
            let (document, schemas, warnings) =
                (self.document, &mut *self.schemas, &mut *self.warnings);
            let mut bodies =
                body::Planner { document, schemas, xml: self.xml, warnings, nesting: 0 };
            let (_, variant, property, lifted) = bodies.variant(&here, media_type, entry)?;
            let shape = match variant.form {
                BodyForm::Json { .. }
                | BodyForm::JsonLines { .. }
                | BodyForm::UrlEncoded { .. }
                | BodyForm::Xml(_)
                | BodyForm::Text => Shape::Content(Box::new(variant)),
                // Media types that nobody here knows are the text that they are.
                BodyForm::Bytes if media::essence(media_type).starts_with("application/") => {
                    let variant = Variant { form: BodyForm::Text, ..variant };
                    let at = here.child("schema");
                    let (property, lifted) = match entry.get("schema") {
                        Some(schema) => {
                            let one = self.lift(&at, schema)?;
                            (one.schema.clone(), vec![one])
                        }
                        None => (json!({"type": "string"}), Vec::new()),
                    };
                    return Ok((Shape::Content(Box::new(variant)), property, lifted));
                }
                BodyForm::Multipart { .. } | BodyForm::Parts { .. } | BodyForm::Bytes => {
                    return Err(Fault::new(
                        &here,
                        format!(
                            "a parameter as {} cannot be written; expected application/json",
                            text_line(media_type)
                        ),
                    ));
                }
            };
            return Ok((shape, property, lifted));
        }
        if place == Place::Querystring {
            return Err(Fault::new(at, "expected `content`: it says how the query is written"));
        }
        let mut lifted = None;
        if let Some(schema) = value.get("schema") {
            // The place of a 2.0 parameter's schema is the parameter itself.
            let here = match self.document.flavour {
                Flavour::Swagger2 => at.clone(),
                _ => at.child("schema"),
            };
            lifted = Some(self.lift(&here, schema)?);
        } else {
            self.warnings.add(at, "the parameter has no schema; read as one that takes anything");
        }
        let style = self.style(at, value, place);
        let explode = match flag(value.get("explode")) {
            Some(explode) => explode,
            None => matches!(style, Style::Form | Style::Deep | Style::Cookie),
        };
        // Before 3.2 it is one of queries alone.
        let may_reserve = match place {
            Place::Query => true,
            Place::Path | Place::Cookie => self.document.format.starts_with("OpenAPI 3.2"),
            Place::Header | Place::Querystring => false,
        };
        let allow_reserved = may_reserve && is_true(value, "allowReserved");
        let property = lifted.as_ref().map_or_else(|| json!({}), |lifted| lifted.schema.clone());
        let shape = Shape::Styled(Styled { style, explode, allow_reserved });
        Ok((shape, property, lifted.into_iter().collect()))
    }

    fn lift(&mut self, at: &Pointer, schema: &Value) -> Result<Lifted, Fault> {
        self.schemas.lift(at, schema, Direction::Input, self.warnings)
    }

    fn style(&mut self, at: &Pointer, value: &Value, place: Place) -> Style {
        let Some(written) = value.get("style") else { return default_style(place) };
        // 2.0's `tsv` has no 3.x shape.
        if self.document.flavour == Flavour::Swagger2 && written == "tabDelimited" {
            return Style::Delimited('\t');
        }
        let style = match place {
            Place::Path => piece(written).map(|style| match style {
                PathStyle::Matrix => Style::Matrix,
                PathStyle::Label => Style::Label,
                PathStyle::Simple => Style::Simple,
            }),
            Place::Query => piece(written).map(|style| match style {
                QueryStyle::Form => Style::Form,
                QueryStyle::SpaceDelimited => Style::Delimited(' '),
                QueryStyle::PipeDelimited => Style::Delimited('|'),
                QueryStyle::DeepObject => Style::Deep,
            }),
            Place::Header => piece(written).map(|HeaderStyle::Simple| Style::Simple),
            Place::Cookie if written == "cookie" => Some(Style::Cookie),
            Place::Cookie => piece(written).map(|CookieStyle::Form| Style::Form),
            Place::Querystring => None,
        };
        let style = style.or_else(|| match (self.document.flavour, written.as_str()) {
            (Flavour::Swagger2, Some("spaceDelimited")) => Some(Style::Delimited(' ')),
            (Flavour::Swagger2, Some("pipeDelimited")) => Some(Style::Delimited('|')),
            _ => None,
        });
        style.unwrap_or_else(|| {
            self.warnings.add(
                &at.child("style"),
                format!("no style of a {} parameter; read as the default one", place.as_str()),
            );
            default_style(place)
        })
    }
}

/// Whether a schema says that its values are of these types alone.
fn is_only(schema: &Value, types: &[&str]) -> bool {
    let is_one = |one: &Value| one.as_str().is_some_and(|one| types.contains(&one));
    match schema.get("type") {
        Some(Value::Array(list)) => !list.is_empty() && list.iter().all(is_one),
        Some(one) => is_one(one),
        None => false,
    }
}

fn piece<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

fn default_style(place: Place) -> Style {
    match place {
        Place::Path | Place::Header => Style::Simple,
        Place::Query | Place::Querystring | Place::Cookie => Style::Form,
    }
}

fn undeclared(variable: &str) -> Planned {
    Planned {
        parameter: Parameter {
            argument: String::new(),
            name: variable.to_owned(),
            place: Place::Path,
            required: true,
            shape: Shape::Styled(Styled {
                style: Style::Simple,
                explode: false,
                allow_reserved: false,
            }),
        },
        property: json!({"type": "string"}),
        lifted: Vec::new(),
    }
}

/// What the parameter says of itself goes to its schema, which says it more generally.
fn annotate(property: &mut Value, parameter: &Value) {
    let notes = notes(parameter);
    if notes.is_empty() {
        return;
    }
    if let Value::Bool(anything) = property {
        *property = if *anything { json!({}) } else { json!({"not": {}}) };
    }
    if let Value::Object(property) = property {
        property.extend(notes);
    }
}

fn notes(parameter: &Value) -> Map<String, Value> {
    let mut notes = Map::new();
    if let Some(description) = parameter.get("description").and_then(Value::as_str)
        && !description.trim().is_empty()
    {
        notes.insert("description".to_owned(), Value::String(text(description)));
    }
    if is_true(parameter, "deprecated") {
        notes.insert("deprecated".to_owned(), Value::Bool(true));
    }
    if let Some(example) = parameter.get("example") {
        notes.insert("examples".to_owned(), json!([example]));
    }
    notes
}
