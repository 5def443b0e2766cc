//! A response to an answer: 2xx is a success, everything else is none (RFC 9110 §15).
//!
//! Bodies are read by their media type. Where that is missing, or less than the description
//! promises, a body that is a JSON object or list is taken for one. A failure's body is
//! always read somehow: many services declare JSON and answer their errors in text.

use serde_json::{Map, Value};
use tollbridge_operation::{Answer, Payload, Response};

use tollbridge_xml::XmlError;

use super::RestBinding;
use super::responses::{self, sniffed_bytes};
use crate::media;
use crate::xml::{self, Xml};

pub(super) fn decode(binding: &RestBinding, response: &Response) -> Answer {
    let is_success = response.status.is_success();
    match payload(binding, response) {
        Ok(payload) if is_success => {
            Answer::Success { payload, drift: Vec::new(), headers: Map::new() }
        }
        Ok(payload) => Answer::Failure { payload, fault: None },
        Err(reason) if is_success => Answer::Unreadable { reason },
        Err(_) => {
            Answer::Failure { payload: Payload::Value(Value::String(text(response))), fault: None }
        }
    }
}

fn payload(binding: &RestBinding, response: &Response) -> Result<Payload, String> {
    let body = &response.body;
    if body.is_empty() {
        return Ok(Payload::Empty);
    }
    let expected = &binding.expected;
    let xml = expected.xml(response.status.as_u16()).filter(|_| response.status.is_success());
    let Some(essence) = response.media_type().filter(|essence| essence.contains('/')) else {
        return Ok(unnamed(xml, response));
    };
    if media::is_json(&essence) {
        let text = text(response);
        if text.trim().is_empty() {
            return Ok(Payload::Empty);
        }
        return serde_json::from_str(&text).map(Payload::Value).map_err(|error| {
            format!(
                "the body is declared as {essence} and is no JSON: line {}, column {}",
                error.line(),
                error.column()
            )
        });
    }
    if media::is_json_lines(&essence) {
        let is_sequence = media::is_json_sequence(&essence);
        return responses::json_lines(&text(response), is_sequence).map(Payload::Value);
    }
    if media::is_event_stream(&essence) {
        let events = responses::events(&text(response), expected.has_events);
        return Ok(Payload::Value(events));
    }
    if let (Some(xml), true) = (xml, media::is_xml(&essence)) {
        return read_xml(xml, response)
            .map(Payload::Value)
            .map_err(|error| format!("the body is declared as {essence}, and {error}"));
    }
    if essence == "application/x-www-form-urlencoded" {
        return Ok(Payload::Value(responses::form(body)));
    }
    if essence.starts_with("multipart/")
        && let Some(parts) = content_type(response).and_then(|all| responses::parts(body, all))
    {
        return Ok(parts);
    }
    let is_text = media::is_text(&essence);
    if expected.has_json
        && (is_text || essence == "application/octet-stream")
        && let Some(value) = sniffed(body)
    {
        return Ok(value);
    }
    // WHATWG MIME Sniffing §7.2: what has such bytes was never text, whatever a server says
    // of all that it does not know.
    let is_mislabelled = essence == "text/plain" && sniffed_bytes(body).is_some();
    Ok(match is_text && !is_mislabelled {
        true => Payload::Value(Value::String(text(response))),
        false if is_mislabelled || essence == "application/octet-stream" => {
            bytes(response, sniffed_bytes(body).unwrap_or(&essence))
        }
        false => bytes(response, &essence),
    })
}

/// A body that does not say what it is.
fn unnamed(xml: Option<&Xml>, response: &Response) -> Payload {
    let body = &response.body;
    if let Some(value) = sniffed(body) {
        return value;
    }
    if let Some(xml) = xml
        && let Ok(value) = read_xml(xml, response)
    {
        return Payload::Value(value);
    }
    if let Some(kind) = sniffed_bytes(body) {
        return bytes(response, kind);
    }
    match std::str::from_utf8(body) {
        Ok(text) if !text.contains('\0') => Payload::Value(Value::String(text.to_owned())),
        _ => bytes(response, "application/octet-stream"),
    }
}

/// A document in its charset; without one in what its bytes or it itself says (RFC 7303 §3).
fn read_xml(xml: &Xml, response: &Response) -> Result<Value, XmlError> {
    let body: &[u8] = &response.body;
    let declared = || {
        let start = String::from_utf8_lossy(body.get(..200).unwrap_or(body)).into_owned();
        let declaration = start.strip_prefix("<?xml")?.split_once("?>")?.0.to_owned();
        let after = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        Some(format!("x/x; charset={}", after[1..].split(quote).next()?))
    };
    let named = content_type(response).filter(|all| media::parameter(all, "charset").is_some());
    let named = named.map(str::to_owned).or_else(declared);
    let text = responses::text(body, named.as_deref());
    xml::read(xml, &text)
}

fn bytes(response: &Response, media_type: &str) -> Payload {
    Payload::Bytes { media_type: media_type.to_owned(), data: response.body.clone() }
}

/// A body that is a JSON object or list, whatever it says it is.
fn sniffed(body: &[u8]) -> Option<Payload> {
    let start = body.iter().find(|b| !b.is_ascii_whitespace())?;
    if !matches!(start, b'{' | b'[') {
        return None;
    }
    serde_json::from_slice(body).ok().map(Payload::Value)
}

fn text(response: &Response) -> String {
    responses::text(&response.body, content_type(response))
}

fn content_type(response: &Response) -> Option<&str> {
    response.headers.get(http::header::CONTENT_TYPE)?.to_str().ok()
}
