//! Body values to bytes: JSON, forms, XML, text, octets.
//!
//! URL-encoded forms follow OpenAPI 3.2.0 §4.15: by their style where the encoding names one,
//! else by value, on top of the WHATWG form encoding.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde_json::{Map, Value};
use tollbridge_operation::{Body, EncodeError};

use super::styles::Pair;
use super::{At, BodyForm, Field, FieldForm, Variant, multipart, percent, styles};
use crate::xml;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Writes a body. With `is_choice` the schema cannot have told which value belongs to which
/// media type, so it is looked at here.
pub(super) fn body(
    variant: &Variant,
    value: &Value,
    is_choice: bool,
    at: At<'_>,
) -> Result<Body, EncodeError> {
    let mut content_type = variant.content_type.clone();
    let bytes = match &variant.form {
        BodyForm::Json { types } => {
            if let Some(types) = types.as_ref().filter(|_| is_choice)
                && !types.iter().any(|kind| is_of(value, kind))
            {
                let expected = format!("{} for {}", types.join(" or "), variant.name);
                return Err(at.expected(expected));
            }
            value.to_string().into()
        }
        BodyForm::JsonLines { is_sequence } => {
            let items = value.as_array().ok_or_else(|| at.expected("a list"))?;
            let begin = if *is_sequence { "\u{1e}" } else { "" };
            let line = |item: &Value| [begin, &item.to_string(), "\n"].concat();
            Bytes::from(items.iter().map(line).collect::<String>())
        }
        BodyForm::UrlEncoded { fields } => {
            let pairs = url_encoded(value, fields, at)?;
            pairs.into_iter().map(|pair| pair.text).collect::<Vec<_>>().join("&").into()
        }
        BodyForm::Multipart { fields } => {
            let parts = multipart::named(object(value, at)?, fields, at)?;
            multipart::write(&parts, &mut content_type)
        }
        BodyForm::Parts { first, others } => {
            let parts = multipart::unnamed(value, first, others, at)?;
            multipart::write(&parts, &mut content_type)
        }
        BodyForm::Xml(plan) => xml::write(plan, value, at)?.into(),
        BodyForm::Text => {
            let text = value
                .as_str()
                .ok_or_else(|| at.expected(format!("a string for {}", variant.name)))?;
            Bytes::from(text.to_owned())
        }
        BodyForm::Bytes => {
            let expected = || at.expected(r#"{"data": "…"}, the bytes in base64"#);
            let data =
                object(value, at)?.get("data").and_then(Value::as_str).ok_or_else(expected)?;
            decode_base64(data, At::Member(&at, "data"))?
        }
    };
    Ok(Body { content_type, bytes })
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" | "integer" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => true,
    }
}

pub(super) fn object<'v>(
    value: &'v Value,
    at: At<'_>,
) -> Result<&'v Map<String, Value>, EncodeError> {
    value.as_object().ok_or_else(|| at.expected("an object"))
}

pub(super) fn decode_base64(text: &str, at: At<'_>) -> Result<Bytes, EncodeError> {
    // Line breaks are common in base64 (RFC 2045 §6.8) and mean nothing.
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let decoded = BASE64.decode(compact).map_err(|_| at.expected("base64 (RFC 4648 §4)"))?;
    Ok(decoded.into())
}

/// A value as the text that a body of this media type would be, for parameters with
/// `content`. A plain value is text, too.
pub(super) fn text(variant: &Variant, value: &Value, at: At<'_>) -> Result<String, EncodeError> {
    if matches!(variant.form, BodyForm::Text) {
        return styles::plain(value).ok_or_else(|| at.expected("text"));
    }
    let bytes = body(variant, value, false, at)?.bytes;
    String::from_utf8(bytes.to_vec()).map_err(|_| at.expected("what can be written as text"))
}

/// The pairs of a form, in the order of its members.
pub(super) fn url_encoded(
    value: &Value,
    fields: &[Field],
    at: At<'_>,
) -> Result<Vec<Pair>, EncodeError> {
    let members = object(value, at)?;
    let mut pairs: Vec<Pair> = Vec::new();
    // Names by their spelling without case: some servers read them so.
    let mut names: HashMap<String, HashSet<&str>> = HashMap::new();
    for name in members.keys().chain(fields.iter().map(|field| &field.name)) {
        names.entry(name.to_ascii_lowercase()).or_default().insert(name);
    }
    let mut brought = HashSet::new();
    for (name, value) in members {
        let at = At::Member(&at, name);
        if value.is_null() {
            continue;
        }
        let form = fields.iter().find(|field| field.name == *name).map(|field| &field.form);
        if let Some(&FieldForm::Styled(styled)) = form {
            let written = styles::query(name, value, styled, false, at)?;
            // An exploded object brings its own names; none may be another member's, nor that
            // of another object's member.
            for pair in written.iter().filter(|_| value.is_object()) {
                let spelling = pair.name.to_ascii_lowercase();
                let is_taken = pair.name != *name
                    && names.get(&spelling).is_some_and(|same| same.iter().any(|n| n != name));
                if is_taken || !brought.insert(spelling) {
                    return Err(At::Member(&at, &pair.name).expected(
                        "a member whose name is not that of another member of the form",
                    ));
                }
            }
            pairs.extend(written);
        } else {
            let part = match form {
                Some(FieldForm::ByValue(part) | FieldForm::File(part)) => Some(part),
                _ => None,
            };
            let items = match value {
                Value::Array(items) => items.as_slice(),
                one => std::slice::from_ref(one),
            };
            for (index, item) in items.iter().enumerate().filter(|(_, item)| !item.is_null()) {
                let at = if value.is_array() { At::Item(&at, index) } else { at };
                let text = match part {
                    Some(part) => multipart::by_value(part, item, at)?,
                    None => plain_or_json(item),
                };
                let text = format!("{}={}", percent::form(name), percent::form(&text));
                pairs.push(Pair { name: name.clone(), text });
            }
        }
    }
    Ok(pairs)
}

/// Plain values as text, others as JSON.
pub(super) fn plain_or_json(value: &Value) -> String {
    styles::plain(value).unwrap_or_else(|| value.to_string())
}
