//! Body values to bytes: JSON, forms, multipart, text, octets.
//!
//! URL-encoded forms follow OpenAPI 3.1.1 §4.8.15.1 on top of the WHATWG form encoding;
//! multipart follows RFC 7578 with names escaped as browsers do.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::HeaderValue;
use serde_json::{Map, Value};
use tollbridge_operation::{Body, EncodeError};

use super::encode::header_value;
use super::{At, BodyForm, Field, FieldForm, Variant, percent, styles};

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
        BodyForm::JsonLines => {
            let items = value.as_array().ok_or_else(|| at.expected("a list"))?;
            let lines: Vec<String> = items.iter().map(Value::to_string).collect();
            Bytes::from(lines.join("\n") + "\n")
        }
        BodyForm::UrlEncoded { fields } => url_encoded(object(value, at)?, fields, at)?.into(),
        BodyForm::Multipart { fields } => {
            let parts = parts(object(value, at)?, fields, at)?;
            let boundary = boundary(&parts);
            content_type =
                HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}"))
                    .expect("a boundary is letters and digits");
            multipart(&parts, &boundary)
        }
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

fn object<'v>(value: &'v Value, at: At<'_>) -> Result<&'v Map<String, Value>, EncodeError> {
    value.as_object().ok_or_else(|| at.expected("an object"))
}

fn decode_base64(text: &str, at: At<'_>) -> Result<Bytes, EncodeError> {
    // Line breaks are common in base64 (RFC 2045 §6.8) and mean nothing.
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let decoded = BASE64.decode(compact).map_err(|_| at.expected("base64 (RFC 4648 §4)"))?;
    Ok(decoded.into())
}

fn url_encoded(
    members: &Map<String, Value>,
    fields: &[Field],
    at: At<'_>,
) -> Result<String, EncodeError> {
    let mut pairs: Vec<String> = Vec::new();
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
        if let Some(&FieldForm::Styled { style, explode }) = form {
            let written = styles::query(name, value, style, explode, false, at)?;
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
            pairs.extend(written.into_iter().map(|pair| pair.text));
        } else {
            let items = match value {
                Value::Array(items) => items.as_slice(),
                one => std::slice::from_ref(one),
            };
            for item in items.iter().filter(|item| !item.is_null()) {
                pairs.push(format!("{}={}", percent::data(name), percent::data(&by_value(item))));
            }
        }
    }
    Ok(pairs.join("&"))
}

/// Plain values as text, others as JSON.
fn by_value(value: &Value) -> String {
    styles::plain(value).unwrap_or_else(|| value.to_string())
}

struct Part {
    name: String,
    filename: Option<String>,
    content_type: Option<HeaderValue>,
    data: Bytes,
}

fn parts(
    members: &Map<String, Value>,
    fields: &[Field],
    at: At<'_>,
) -> Result<Vec<Part>, EncodeError> {
    let mut parts = Vec::new();
    for (name, value) in members {
        let at = At::Member(&at, name);
        let form = fields.iter().find(|field| field.name == *name).map(|field| &field.form);
        let items: Vec<(Option<usize>, &Value)> = match value {
            Value::Array(items) => {
                items.iter().enumerate().map(|(i, item)| (Some(i), item)).collect()
            }
            one => vec![(None, one)],
        };
        for (index, item) in items {
            let at = match index {
                Some(index) => At::Item(&at, index),
                None => at,
            };
            if item.is_null() {
                continue;
            }
            parts.push(match form {
                Some(FieldForm::File { content_type }) => {
                    file(name, item, content_type.as_ref(), at)?
                }
                Some(FieldForm::ByValue { content_type: Some(content_type) }) => {
                    let data =
                        if is_json(content_type) { item.to_string() } else { by_value(item) };
                    let content_type = Some(content_type.clone());
                    Part { name: name.clone(), filename: None, content_type, data: data.into() }
                }
                _ => {
                    let content_type = matches!(item, Value::Object(_) | Value::Array(_))
                        .then(|| HeaderValue::from_static("application/json"));
                    let data = by_value(item).into();
                    Part { name: name.clone(), filename: None, content_type, data }
                }
            });
        }
    }
    Ok(parts)
}

fn is_json(content_type: &HeaderValue) -> bool {
    content_type.to_str().is_ok_and(|text| crate::media::is_json(&crate::media::essence(text)))
}

fn file(
    name: &str,
    value: &Value,
    content_type: Option<&HeaderValue>,
    at: At<'_>,
) -> Result<Part, EncodeError> {
    let members = object(value, at)?;
    let member = |name: &str| members.get(name).and_then(Value::as_str);
    let data = match (member("data"), member("text")) {
        (Some(data), None) => decode_base64(data, At::Member(&at, "data"))?,
        (None, Some(text)) => Bytes::from(text.to_owned()),
        _ => return Err(at.expected("either `data` (base64) or `text`")),
    };
    let given = member("content_type");
    let content_type = match given {
        Some(given) => {
            let at = At::Member(&at, "content_type");
            if !given.contains('/') {
                return Err(at.expected("a media type"));
            }
            Some(header_value(given, at)?)
        }
        None => content_type.cloned().or_else(|| {
            let plain = if member("text").is_some() {
                "text/plain; charset=utf-8"
            } else {
                "application/octet-stream"
            };
            Some(HeaderValue::from_static(plain))
        }),
    };
    // Without a filename servers take a part for a plain field (RFC 7578 §4.2).
    let filename = Some(member("filename").unwrap_or(name).to_owned());
    Ok(Part { name: name.to_owned(), filename, content_type, data })
}

/// A boundary that stands in no part: the same for the same parts.
fn boundary(parts: &[Part]) -> String {
    let mut n = 0u64;
    loop {
        let boundary = format!("tollbridge-{n:08}");
        let stands_in = |part: &Part| {
            part.data.windows(boundary.len()).any(|window| window == boundary.as_bytes())
        };
        if !parts.iter().any(stands_in) {
            return boundary;
        }
        n += 1;
    }
}

fn multipart(parts: &[Part], boundary: &str) -> Bytes {
    let mut out: Vec<u8> = Vec::new();
    for part in parts {
        out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        out.extend_from_slice(
            format!("Content-Disposition: form-data; name=\"{}\"", quoted(&part.name)).as_bytes(),
        );
        if let Some(filename) = &part.filename {
            out.extend_from_slice(format!("; filename=\"{}\"", quoted(filename)).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        if let Some(content_type) = &part.content_type {
            out.extend_from_slice(b"Content-Type: ");
            out.extend_from_slice(content_type.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&part.data);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    out.into()
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
