//! Arguments to a request.

use std::collections::{HashMap, HashSet};

use http::{HeaderName, HeaderValue};
use serde_json::Value;
use tollbridge_operation::{Arguments, Body, EncodeError, Request};

use super::styles::{self, Pair};
use super::{
    At, BodyForm, BodyPlan, Parameter, RestBinding, Shape, Style, Variant, forms, path, percent,
};
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
            Place::Querystring => {
                query.extend(querystring(binding, parameter, value, &mut in_query, at)?);
            }
            Place::Cookie => {
                let pairs = pairs(parameter, value, at)?;
                if value.is_object() {
                    refuse_taken(binding, parameter, &pairs, &mut in_cookies, at)?;
                }
                cookies.extend(pairs.into_iter().map(|pair| pair.text));
            }
            Place::Header => headers.extend(header(parameter, value, at)?),
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
    let (text, bare) = match &parameter.shape {
        Shape::Styled(styled) => {
            let text = styles::path(&parameter.name, value, *styled, at)?;
            // The value without what its style writes before it.
            let bare = match styled.style {
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
        Shape::Content(variant) => {
            let text = percent::data(&forms::text(variant, value, at)?);
            (text.clone(), text)
        }
    };
    if bare.is_empty() || path::is_dots(&bare) {
        return Err(at.expected(SEGMENT));
    }
    Ok(text)
}

fn pairs(parameter: &Parameter, value: &Value, at: At<'_>) -> Result<Vec<Pair>, EncodeError> {
    let Parameter { name, required, .. } = parameter;
    match &parameter.shape {
        Shape::Styled(styled) if parameter.place == Place::Cookie => {
            styles::cookie(name, value, *styled, *required, at)
        }
        Shape::Styled(styled) => styles::query(name, value, *styled, *required, at),
        Shape::Content(variant) => {
            Ok(vec![Pair::new(name, &percent::data(&forms::text(variant, value, at)?))])
        }
    }
}

/// The whole query: a form is one as it is, all else is data (OpenAPI 3.2.0 §4.12).
fn querystring(
    binding: &RestBinding,
    parameter: &Parameter,
    value: &Value,
    brought: &mut HashSet<String>,
    at: At<'_>,
) -> Result<Vec<String>, EncodeError> {
    let Shape::Content(variant) = &parameter.shape else {
        return Err(at.expected("no value: the parameter has no media type"));
    };
    if let BodyForm::UrlEncoded { fields } = &variant.form {
        let pairs = forms::url_encoded(value, fields, at)?;
        let mut own: HashSet<&str> = HashSet::new();
        // A list repeats its name; another parameter's or a credential's is never its own.
        let distinct: Vec<Pair> = pairs
            .iter()
            .filter(|pair| own.insert(&pair.name))
            .map(|pair| Pair { name: pair.name.clone(), text: String::new() })
            .collect();
        refuse_taken(binding, parameter, &distinct, brought, at)?;
        return Ok(pairs.into_iter().map(|pair| pair.text).collect());
    }
    let text = percent::data(&forms::text(variant, value, at)?);
    Ok(if text.is_empty() { Vec::new() } else { vec![text] })
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
        Place::Query | Place::Querystring => &binding.reserved_query,
        _ => &binding.reserved_cookies,
    };
    for pair in pairs {
        let is_fixed = || {
            let literal = percent::query_literal(&pair.name);
            parameter.place != Place::Cookie
                && binding.path.query.as_deref().is_some_and(|fixed| {
                    fixed.split('&').any(|one| {
                        one.split('=').next().is_some_and(|n| n.eq_ignore_ascii_case(&literal))
                    })
                })
        };
        let is_other = |other: &Parameter| {
            (other.place == Place::Cookie) == (parameter.place == Place::Cookie)
                && matches!(other.place, Place::Query | Place::Cookie)
                && other.argument != parameter.argument
                && is_under(&pair.name, &other.name)
        };
        let is_own = pair.name == parameter.name && parameter.place != Place::Querystring;
        let is_taken = !is_own
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
) -> Result<Option<(HeaderName, HeaderValue)>, EncodeError> {
    let text = match &parameter.shape {
        Shape::Styled(styled) => match styles::header(value, *styled, at)? {
            Some(text) => text,
            None if parameter.required => String::new(),
            None => return Ok(None),
        },
        Shape::Content(variant) => forms::text(variant, value, at)?,
    };
    let name = HeaderName::from_bytes(parameter.name.as_bytes())
        .map_err(|_| at.expected("no value: the name is none of a header"))?;
    Ok(Some((name, header_value(&text, at)?)))
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

/// The media type that the arguments choose.
pub(super) fn chosen<'p>(plan: &'p BodyPlan, arguments: &Arguments) -> Option<&'p Variant> {
    match arguments.get(CONTENT_TYPE).filter(|_| plan.variants.len() > 1) {
        None | Some(Value::Null) => plan.variants.first(),
        Some(choice) => plan.variants.iter().find(|variant| choice == variant.name.as_str()),
    }
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
    let Some(variant) = chosen(plan, arguments) else {
        let names: Vec<&str> = plan.variants.iter().map(|variant| variant.name.as_str()).collect();
        return Err(choice_at.expected(format!("one of {}", names.join(", "))));
    };
    forms::body(variant, value, plan.variants.len() > 1, at).map(Some)
}
