//! A response to an answer: 2xx is a success, everything else is none (RFC 9110 §15).
//!
//! Bodies are read by their media type. Where that is missing, or less than the description
//! promises, a body that is a JSON object or list is taken for one. A failure's body is
//! always read somehow: many services declare JSON and answer their errors in text.

use serde_json::Value;
use tollbridge_operation::{Answer, Payload, Response};

use super::RestBinding;
use crate::media;

pub(super) fn decode(binding: &RestBinding, response: &Response) -> Answer {
    let is_success = response.status.is_success();
    match payload(binding, response) {
        Ok(payload) if is_success => Answer::Success { payload, drift: Vec::new() },
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
    let Some(essence) = response.media_type() else {
        return Ok(sniffed(body).unwrap_or_else(|| match std::str::from_utf8(body) {
            Ok(text) if !text.contains('\0') => Payload::Value(Value::String(text.to_owned())),
            _ => bytes(response, "application/octet-stream"),
        }));
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
        return json_lines(&text(response)).map(Payload::Value);
    }
    if media::is_event_stream(&essence) {
        return Ok(Payload::Value(events(&text(response))));
    }
    let is_text = media::is_text(&essence);
    if binding.has_json
        && (is_text || essence == "application/octet-stream")
        && let Some(value) = sniffed(body)
    {
        return Ok(value);
    }
    Ok(if is_text {
        Payload::Value(Value::String(text(response)))
    } else {
        bytes(response, &essence)
    })
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

/// The body as text: in the charset that it names where that is a known one, else in UTF-8,
/// with replacement characters for what is none.
fn text(response: &Response) -> String {
    let body: &[u8] = &response.body;
    match charset(response).as_deref() {
        // WHATWG Encoding §4.2: what calls itself Latin-1 is windows-1252.
        Some(
            "iso-8859-1" | "iso8859-1" | "latin1" | "latin-1" | "us-ascii" | "windows-1252"
            | "cp1252",
        ) => body.iter().map(|&b| windows_1252(b)).collect(),
        Some("utf-16le") => utf16(body, u16::from_le_bytes),
        Some("utf-16be") => utf16(body, u16::from_be_bytes),
        Some("utf-16") => match body {
            [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
            [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
            _ => utf16(body, u16::from_be_bytes),
        },
        _ => {
            let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
            String::from_utf8_lossy(body).into_owned()
        }
    }
}

/// WHATWG Encoding, index windows-1252: the C1 range holds marks and letters.
fn windows_1252(byte: u8) -> char {
    const C1: [char; 32] = [
        '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}',
        '\u{2021}', '\u{2c6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}',
        '\u{8f}', '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}',
        '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}',
        '\u{178}',
    ];
    match byte {
        0x80..=0x9f => C1[usize::from(byte - 0x80)],
        byte => char::from(byte),
    }
}

fn utf16(body: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units: Vec<u16> = body.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}

fn charset(response: &Response) -> Option<String> {
    let value = response.headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        is_charset.then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    })
}

/// One JSON text a line, or a record (RFC 7464).
fn json_lines(text: &str) -> Result<Value, String> {
    let mut items = Vec::new();
    for (number, line) in text.split(['\n', '\u{1e}']).enumerate() {
        let line = line.trim();
        if !line.is_empty() {
            let item = serde_json::from_str(line)
                .map_err(|_| format!("line {} of the stream is no JSON", number + 1))?;
            items.push(item);
        }
    }
    Ok(Value::Array(items))
}

/// The data of server-sent events (HTML, §9.2.6), as JSON where it is.
fn events(text: &str) -> Value {
    let mut items = Vec::new();
    let mut data: Option<String> = None;
    let mut finish = |data: &mut Option<String>| {
        if let Some(data) = data.take() {
            items.push(serde_json::from_str(&data).unwrap_or(Value::String(data)));
        }
    };
    let normalised = text.replace("\r\n", "\n").replace('\r', "\n");
    for line in normalised.split('\n') {
        if line.is_empty() {
            finish(&mut data);
        } else if let Some(rest) = line.strip_prefix("data") {
            let value = match rest.strip_prefix(':') {
                Some(value) => value.strip_prefix(' ').unwrap_or(value),
                None if rest.is_empty() => "",
                None => continue,
            };
            match &mut data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => data = Some(value.to_owned()),
            }
        }
    }
    // What was not finished by an empty line is data, too: the stream was cut, not the event.
    finish(&mut data);
    Value::Array(items)
}
