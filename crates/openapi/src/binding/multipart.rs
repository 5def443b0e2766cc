//! Multipart bodies: values and files to parts, and parts to bytes.
//!
//! RFC 7578 for forms, with names escaped as browsers do; RFC 2046 §5.1 for parts without
//! names (OpenAPI 3.2.0: encoding by position).

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use tollbridge_operation::EncodeError;

use super::encode::header_value;
use super::forms::{decode_base64, object, plain_or_json};
use super::styles::plain;
use super::{At, BodyForm, Field, FieldForm, Nested, Part, styles};
use crate::{media, xml};

/// The headers of a part beside those that every part may have.
type Headers = Vec<(HeaderName, HeaderValue)>;

/// A part with its bytes.
#[derive(Debug)]
pub(super) struct Written {
    name: Option<String>,
    filename: Option<String>,
    content_type: Option<HeaderValue>,
    headers: Headers,
    data: Bytes,
}

/// The parts of a form, in the order of its members.
pub(super) fn named(
    members: &Map<String, Value>,
    fields: &[Field],
    at: At<'_>,
) -> Result<Vec<Written>, EncodeError> {
    let mut parts = Vec::new();
    let anything = FieldForm::ByValue(Part::default());
    for (name, value) in members {
        let at = At::Member(&at, name);
        let form = fields.iter().find(|field| field.name == *name).map(|field| &field.form);
        if let Some(FieldForm::Styled(styled)) = form {
            for (own, text) in styles::parts(name, value, *styled, at)? {
                let is_taken = own != *name
                    && (members.contains_key(&own) || fields.iter().any(|field| field.name == own));
                if is_taken && value.is_object() {
                    return Err(At::Member(&at, &own).expected(
                        "a member whose name is not that of another member of the form",
                    ));
                }
                parts.push(Written {
                    name: Some(own),
                    filename: None,
                    content_type: None,
                    headers: Vec::new(),
                    data: text.into(),
                });
            }
            continue;
        }
        let is_one = matches!(form, Some(FieldForm::Nested(nested)) if nested.takes_lists);
        let items: Vec<(Option<usize>, &Value)> = match value {
            Value::Array(items) if !is_one => {
                items.iter().enumerate().map(|(i, item)| (Some(i), item)).collect()
            }
            one => vec![(None, one)],
        };
        for (index, item) in items.into_iter().filter(|(_, item)| !item.is_null()) {
            let at = index.map_or(at, |index| At::Item(&at, index));
            let mut part = one(form.unwrap_or(&anything), item, at)?;
            if matches!(form, Some(FieldForm::File(_))) {
                // Without a filename servers take a part for a plain field (RFC 7578 §4.2).
                part.filename.get_or_insert_with(|| name.clone());
            }
            part.name = Some(name.clone());
            parts.push(part);
        }
    }
    Ok(parts)
}

/// The parts of a list.
pub(super) fn unnamed(
    value: &Value,
    first: &[FieldForm],
    others: &FieldForm,
    at: At<'_>,
) -> Result<Vec<Written>, EncodeError> {
    let items = value.as_array().ok_or_else(|| at.expected("a list of parts"))?;
    let part = |(index, item)| one(first.get(index).unwrap_or(others), item, At::Item(&at, index));
    items.iter().enumerate().map(part).collect()
}

fn one(form: &FieldForm, value: &Value, at: At<'_>) -> Result<Written, EncodeError> {
    match form {
        FieldForm::File(part) => file(part, value, at),
        FieldForm::ByValue(part) => {
            let (value, headers) = unwrapped(part, value, at)?;
            let data = by_value(part, value, at)?.into();
            let content_type = part.content_type.clone().or_else(|| {
                matches!(value, Value::Object(_) | Value::Array(_))
                    .then(|| HeaderValue::from_static("application/json"))
            });
            Ok(Written { name: None, filename: None, content_type, headers, data })
        }
        FieldForm::Nested(nested) => within(nested, value, at),
        FieldForm::Styled(_) => Err(at.expected("no value: a style needs a name")),
    }
}

/// What is sent of a part, and its headers.
fn unwrapped<'v>(
    part: &Part,
    value: &'v Value,
    at: At<'_>,
) -> Result<(&'v Value, Headers), EncodeError> {
    match (part.is_wrapped, value) {
        (true, Value::Object(both)) => {
            let value = both.get("value").ok_or_else(|| at.expected("a `value`"))?;
            Ok((value, headers(part, both.get("headers"), at)?))
        }
        (true, _) => Err(at.expected("an object with `value` and `headers`")),
        (false, value) => Ok((value, headers(part, None, at)?)),
    }
}

/// A part that is made of parts.
fn within(nested: &Nested, value: &Value, at: At<'_>) -> Result<Written, EncodeError> {
    let (value, headers) = unwrapped(&nested.part, value, at)?;
    let inner = At::Member(&at, "value");
    let at = if nested.part.is_wrapped { inner } else { at };
    let parts = match &nested.form {
        BodyForm::Multipart { fields } => named(object(value, at)?, fields, at)?,
        BodyForm::Parts { first, others } => unnamed(value, first, others, at)?,
        _ => return Err(at.expected("no value: it is not made of parts")),
    };
    let mixed = HeaderValue::from_static("multipart/mixed");
    let mut content_type = nested.part.content_type.clone().unwrap_or(mixed);
    let data = write(&parts, &mut content_type);
    Ok(Written { name: None, filename: None, content_type: Some(content_type), headers, data })
}

/// The text of a part, by its media type.
pub(super) fn by_value(part: &Part, value: &Value, at: At<'_>) -> Result<String, EncodeError> {
    let essence = part.content_type.as_ref().and_then(|one| one.to_str().ok()).map(media::essence);
    Ok(match essence.as_deref() {
        Some(essence) if media::is_json(essence) => value.to_string(),
        Some(essence) if media::is_xml(essence) => match (&part.xml, value) {
            (_, Value::String(text)) => text.clone(),
            (Some(plan), value) => String::from_utf8(xml::write(plan, value, at)?)
                .map_err(|_| at.expected("what can be written as text"))?,
            (None, _) => return Err(at.expected("the XML document, as text")),
        },
        // JSON is no text of another kind.
        Some(essence) => {
            plain(value).ok_or_else(|| at.expected(format!("text, as {essence} is")))?
        }
        None => plain_or_json(value),
    })
}

fn file(part: &Part, value: &Value, at: At<'_>) -> Result<Written, EncodeError> {
    let members = object(value, at)?;
    let member = |name: &str| members.get(name).and_then(Value::as_str);
    let data = match (member("data"), member("text")) {
        (Some(data), None) => decode_base64(data, At::Member(&at, "data"))?,
        (None, Some(text)) => Bytes::from(text.to_owned()),
        _ => return Err(at.expected("either `data` (base64) or `text`")),
    };
    let content_type = match member("content_type") {
        Some(given) => {
            let at = At::Member(&at, "content_type");
            if !given.contains('/') {
                return Err(at.expected("a media type"));
            }
            Some(header_value(given, at)?)
        }
        None => part.content_type.clone().or_else(|| {
            let plain = if member("text").is_some() {
                "text/plain; charset=utf-8"
            } else {
                "application/octet-stream"
            };
            Some(HeaderValue::from_static(plain))
        }),
    };
    let filename = member("filename").map(str::to_owned);
    let headers = headers(part, members.get("headers"), at)?;
    Ok(Written { name: None, filename, content_type, headers, data })
}

/// The headers that the encoding describes: those with one value, and those that are given.
fn headers(part: &Part, given: Option<&Value>, at: At<'_>) -> Result<Headers, EncodeError> {
    let at = At::Member(&at, "headers");
    let mut headers = Vec::new();
    let given = given.and_then(Value::as_object);
    for (name, value) in given.into_iter().flatten() {
        let at = At::Member(&at, name);
        let known =
            part.headers.iter().find(|known| known.name.as_str().eq_ignore_ascii_case(name));
        let known = known.ok_or_else(|| at.expected("no such header: the part has none"))?;
        if let Some(text) = styles::header(value, known.styled, at)? {
            headers.push((known.name.clone(), header_value(&text, at)?));
        }
    }
    for known in &part.headers {
        if let Some(fixed) = &known.fixed
            && headers.iter().all(|(name, _)| name != known.name)
        {
            headers.push((known.name.clone(), header_value(fixed, at)?));
        }
    }
    Ok(headers)
}

/// Writes the parts, and the boundary into the media type.
pub(super) fn write(parts: &[Written], content_type: &mut HeaderValue) -> Bytes {
    let boundary = boundary(parts);
    let essence = content_type.to_str().unwrap_or("multipart/form-data");
    *content_type = HeaderValue::from_str(&format!("{essence}; boundary={boundary}"))
        .expect("a boundary is letters and digits");
    let mut out: Vec<u8> = Vec::new();
    let line = |out: &mut Vec<u8>, name: &str, value: &[u8]| {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    };
    for part in parts {
        out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        let filename =
            part.filename.as_ref().map(|name| format!("; filename=\"{}\"", quoted(name)));
        let filename = filename.unwrap_or_default();
        let disposition = match &part.name {
            Some(name) => Some(format!("form-data; name=\"{}\"{filename}", quoted(name))),
            None if filename.is_empty() => None,
            None => Some(format!("attachment{filename}")),
        };
        if let Some(disposition) = disposition {
            line(&mut out, "Content-Disposition", disposition.as_bytes());
        }
        if let Some(content_type) = &part.content_type {
            line(&mut out, "Content-Type", content_type.as_bytes());
        }
        for (name, value) in &part.headers {
            line(&mut out, name.as_str(), value.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&part.data);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    out.into()
}

/// A boundary that stands in no part: the same for the same parts.
fn boundary(parts: &[Written]) -> String {
    let mut n = 0u64;
    loop {
        let boundary = format!("tollbridge-{n:08}");
        let stands_in = |part: &Written| {
            part.data.windows(boundary.len()).any(|window| window == boundary.as_bytes())
        };
        if !parts.iter().any(stands_in) {
            return boundary;
        }
        n += 1;
    }
}

/// A name between quotes, escaped as browsers do (HTML, multipart/form-data encoding
/// algorithm). Other control characters have no business in a name.
fn quoted(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '"' => out.push_str("%22"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            c if c.is_control() => out.push('_'),
            c => out.push(c),
        }
    }
    out
}
