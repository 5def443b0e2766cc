//! Arguments to a request.

use std::collections::{HashMap, HashSet};

use http::{HeaderName, HeaderValue};
use serde_json::Value;
use tollbridge_operation::{Arguments, Body, EncodeError, Request};

use super::styles::{self, Pair};
use super::{At, Parameter, RestBinding, Shape, Style, forms, path, percent};
use crate::parameters::Place;

/// The argument that holds the body.
pub(crate) const BODY: &str = "body";
/// The argument that selects a media type.
pub(crate) const CONTENT_TYPE: &str = "content_type";

pub(super) fn encode(binding: &RestBinding, arguments: &Arguments) -> Result<Request, EncodeError> {
    let mut segments: HashMap<&str, String> = HashMap::new();
    let mut query: Vec<String> = binding.path.query.iter().cloned().collect();
    let mut cookies = Vec::new();
    let (mut in_query, mut in_cookies) = (HashSet::new(), HashSet::new());
    let mut headers = vec![(http::header::ACCEPT, binding.accept.clone())];
    for parameter in &binding.parameters {
        let at = At::Member(&At::Root, &parameter.argument);
        let value = match arguments.get(&parameter.argument) {
            Some(Value::Null) | None if !parameter.required => continue,
            None => return Err(at.expected("a value: it is required")),
            Some(value) => value,
        };
        match parameter.place {
            Place::Path => {
                segments.insert(&parameter.name, segment(parameter, value, at)?);
            }
            Place::Query => {
                let pairs = pairs(parameter, value, at)?;
                if value.is_object() {
                    refuse_taken(binding, parameter, &pairs, &mut in_query, at)?;
                }
                query.extend(pairs.into_iter().map(|pair| pair.text));
            }
            Place::Cookie => {
                let pairs = pairs(parameter, value, at)?;
                if value.is_object() {
                    refuse_taken(binding, parameter, &pairs, &mut in_cookies, at)?;
                }
                cookies.extend(pairs.into_iter().map(|pair| pair.text));
            }
            Place::Header => headers.push(header(parameter, value, at)?),
        }
    }
    let path =
        binding.path.fill(|name| segments.get(name).map(String::as_str)).map_err(|name| {
            let parameter = binding
                .parameters
                .iter()
                .find(|parameter| parameter.place == Place::Path && parameter.name == name);
            let argument = parameter.map_or(name, |parameter| &parameter.argument);
            At::Member(&At::Root, argument).expected(SEGMENT)
        })?;
    Ok(Request {
        method: binding.method.clone(),
        path,
        query: (!query.is_empty()).then(|| query.join("&")),
        headers,
        cookies,
        body: body(binding, arguments)?,
    })
}

const SEGMENT: &str =
    "a value for a path segment: not empty, not `.` and not `..`, which would lead elsewhere";

fn segment(parameter: &Parameter, value: &Value, at: At<'_>) -> Result<String, EncodeError> {
    let (text, bare) = match parameter.shape {
        Shape::Styled { style, explode, .. } => {
            let text = styles::path(&parameter.name, value, style, explode, at)?;
            // The value without what its style writes before it.
            let bare = match style {
                Style::Label => text.get(1..).unwrap_or_default().to_owned(),
                Style::Matrix => text
                    .split(';')
                    .skip(1)
                    .map(|pair| pair.split_once('=').map_or("", |(_, value)| value))
                    .collect(),
                _ => text.clone(),
            };
            (text, bare)
        }
        Shape::Json => {
            let text = percent::data(&value.to_string());
            (text.clone(), text)
        }
        Shape::Text => {
            let text = percent::data(&text(value, at)?);
            (text.clone(), text)
        }
    };
    if bare.is_empty() || path::is_dots(&bare) {
        return Err(at.expected(SEGMENT));
    }
    Ok(text)
}

fn pairs(parameter: &Parameter, value: &Value, at: At<'_>) -> Result<Vec<Pair>, EncodeError> {
    let name = &parameter.name;
    match parameter.shape {
        Shape::Styled { style, explode, allow_reserved } => {
            styles::query(name, value, style, explode, allow_reserved, at)
        }
        Shape::Json => {
            let text = Value::String(value.to_string());
            styles::query(name, &text, Style::Form, false, false, at)
        }
        Shape::Text => {
            let text = Value::String(text(value, at)?);
            styles::query(name, &text, Style::Form, false, false, at)
        }
    }
}

fn text(value: &Value, at: At<'_>) -> Result<String, EncodeError> {
    styles::plain(value).ok_or_else(|| at.expected("text"))
}

/// An exploded object brings its own names. None may be another parameter's, or a
/// credential's: a limit or a fixed value on that one would not hold. Nor may one come twice,
/// also from two objects: which of them counts is each server's own choice. Case does not
/// tell names apart, since some servers read them without it.
fn refuse_taken(
    binding: &RestBinding,
    parameter: &Parameter,
    pairs: &[Pair],
    brought: &mut HashSet<String>,
    at: At<'_>,
) -> Result<(), EncodeError> {
    let reserved = match parameter.place {
        Place::Query => &binding.reserved_query,
        _ => &binding.reserved_cookies,
    };
    for pair in pairs {
        let is_fixed = || {
            let literal = percent::query_literal(&pair.name);
            parameter.place == Place::Query
                && binding.path.query.as_deref().is_some_and(|fixed| {
                    fixed.split('&').any(|one| {
                        one.split('=').next().is_some_and(|n| n.eq_ignore_ascii_case(&literal))
                    })
                })
        };
        let is_other = |other: &Parameter| {
            other.place == parameter.place
                && other.argument != parameter.argument
                && is_under(&pair.name, &other.name)
        };
        let is_taken = pair.name != parameter.name
            && (binding.parameters.iter().any(is_other)
                || reserved.iter().any(|reserved| is_under(&pair.name, reserved))
                || is_fixed());
        if is_taken || !brought.insert(pair.name.to_ascii_lowercase()) {
            return Err(At::Member(&at, &pair.name).expected(
                "a member whose name is not that of another parameter, of another object's \
                 member or of a credential",
            ));
        }
    }
    Ok(())
}

/// Whether a name is the other one, or a member of it as `deepObject` writes members.
fn is_under(name: &str, other: &str) -> bool {
    let (name, other) = (name.as_bytes(), other.as_bytes());
    name.get(..other.len()).is_some_and(|start| start.eq_ignore_ascii_case(other))
        && matches!(name.get(other.len()), None | Some(b'['))
}

fn header(
    parameter: &Parameter,
    value: &Value,
    at: At<'_>,
) -> Result<(HeaderName, HeaderValue), EncodeError> {
    let text = match parameter.shape {
        Shape::Styled { style, explode, .. } => styles::header(value, style, explode, at)?,
        Shape::Json => value.to_string(),
        Shape::Text => text(value, at)?,
    };
    let name = HeaderName::from_bytes(parameter.name.as_bytes())
        .map_err(|_| at.expected("no value: the name is none of a header"))?;
    Ok((name, header_value(&text, at)?))
}

/// A header's value: no line break or other control character (RFC 9110 §5.5), and no space
/// at its ends, which every reader drops.
pub(super) fn header_value(text: &str, at: At<'_>) -> Result<HeaderValue, EncodeError> {
    if text.chars().any(char::is_control) {
        return Err(at.expected("text without line breaks and control characters, for a header"));
    }
    if text.starts_with(' ') || text.ends_with(' ') {
        return Err(at.expected("text without spaces at its ends, for a header"));
    }
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| at.expected("text that a header can hold"))
}

fn body(binding: &RestBinding, arguments: &Arguments) -> Result<Option<Body>, EncodeError> {
    let Some(plan) = &binding.body else { return Ok(None) };
    let at = At::Member(&At::Root, BODY);
    let Some(value) = arguments.get(BODY) else {
        if plan.required {
            return Err(at.expected("a value: the body is required"));
        }
        return Ok(None);
    };
    let choice_at = At::Member(&At::Root, CONTENT_TYPE);
    let variant = match arguments.get(CONTENT_TYPE).filter(|_| plan.variants.len() > 1) {
        None | Some(Value::Null) => plan.variants.first(),
        Some(choice) => plan.variants.iter().find(|variant| choice == variant.name.as_str()),
    };
    let Some(variant) = variant else {
        let names: Vec<&str> = plan.variants.iter().map(|variant| variant.name.as_str()).collect();
        return Err(choice_at.expected(format!("one of {}", names.join(", "))));
    };
    forms::body(variant, value, plan.variants.len() > 1, at).map(Some)
}
