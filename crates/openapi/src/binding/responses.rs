//! What bodies of answers are read as, beside JSON: text in its charset, XML, forms, streams
//! and parts. All of them come whole and bounded; nothing here grows beyond its input.

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8};
use http::HeaderName;
use serde_json::{Map, Value, json};
use tollbridge_operation::{Attachment, Payload};

use crate::media;
use crate::xml::Xml;

/// What is known of the answers of an operation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    /// Whether a success is declared to be JSON.
    pub(crate) has_json: bool,
    /// How successes that are XML are read, by their status.
    pub(crate) xml: Vec<(String, Xml)>,
    /// Whether items of an event stream are whole events, as 3.2 describes them, and not
    /// their data alone.
    pub(crate) has_events: bool,
    /// Headers that say something of their own.
    pub(crate) headers: Vec<HeaderName>,
}

impl Expected {
    /// How a success of this status is read where it is XML.
    pub(super) fn xml(&self, status: u16) -> Option<&Xml> {
        let status = status.to_string();
        let found = self.xml.iter().find(|(known, _)| *known == status);
        found.or_else(|| self.xml.first()).map(|(_, xml)| xml)
    }
}

/// The body as text: in the charset that it names where that is a known one (WHATWG
/// Encoding), else in UTF-8, with replacement characters for what is none. A byte order mark
/// comes first.
pub(super) fn text(body: &[u8], content_type: Option<&str>) -> String {
    let named = content_type.and_then(|value| media::parameter(value, "charset"));
    let encoding = named.and_then(|name| Encoding::for_label(name.as_bytes())).unwrap_or(UTF_8);
    encoding.decode(body).0.into_owned()
}

/// The members of a form, as a list where a name comes again.
pub(super) fn form(body: &[u8]) -> Value {
    let mut members: Map<String, Value> = Map::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        let value = Value::String(value.into_owned());
        match members.get_mut(name.as_ref()) {
            Some(Value::Array(items)) => items.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => {
                members.insert(name.into_owned(), value);
            }
        }
    }
    Value::Object(members)
}

/// One JSON text a line, or a record (RFC 7464). A last one that was cut off is left out, as
/// its §2.4 says, if others came.
pub(super) fn json_lines(text: &str, is_sequence: bool) -> Result<Value, String> {
    let mut items = Vec::new();
    let separator = if is_sequence { '\u{1e}' } else { '\n' };
    for (number, line) in text.split(separator).enumerate() {
        let line = line.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{1e}');
        if !line.is_empty() {
            let item = serde_json::from_str(line)
                .map_err(|_| format!("item {} of the stream is no JSON", number + 1))?;
            items.push(item);
        }
    }
    Ok(Value::Array(items))
}

/// An event in the making (HTML, §9.2.6).
#[derive(Default)]
struct Event {
    data: Option<String>,
    kind: Option<String>,
    id: Option<String>,
    retry: Option<u64>,
}

impl Event {
    /// Its data, as JSON where it is; or all of it, its fields as text (OpenAPI 3.2.0
    /// §4.14.3.1).
    fn finish(&mut self, is_whole: bool) -> Option<Value> {
        let Self { data, kind, id, retry } = std::mem::take(self);
        let data = data?;
        if !is_whole {
            return Some(serde_json::from_str(&data).unwrap_or(Value::String(data)));
        }
        let mut fields = Map::new();
        fields.extend(kind.map(|kind| ("event".to_owned(), Value::String(kind))));
        fields.insert("data".to_owned(), Value::String(data));
        fields.extend(id.map(|id| ("id".to_owned(), Value::String(id))));
        fields.extend(retry.map(|retry| ("retry".to_owned(), json!(retry))));
        Some(Value::Object(fields))
    }
}

/// Server-sent events.
pub(super) fn events(text: &str, is_whole: bool) -> Value {
    let mut items = Vec::new();
    let mut event = Event::default();
    let normalised = text.replace("\r\n", "\n").replace('\r', "\n");
    for line in normalised.split('\n') {
        if line.is_empty() {
            items.extend(event.finish(is_whole));
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut event.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => event.data = Some(value.to_owned()),
            },
            "event" => event.kind = Some(value.to_owned()),
            "id" if !value.contains('\0') => event.id = Some(value.to_owned()),
            "retry" => event.retry = value.parse().ok(),
            _ => {}
        }
    }
    // What was not finished by an empty line is data, too: the stream was cut, not the event.
    items.extend(event.finish(is_whole));
    Value::Array(items)
}

/// Parts that are read; more is no design.
const MAX_PARTS: usize = 1_000;

/// The parts of a multipart body (RFC 2046 §5.1.1), in order; none where it has no boundary.
pub(super) fn parts(body: &Bytes, content_type: &str) -> Option<Payload> {
    let boundary = media::parameter(content_type, "boundary").filter(|b| !b.is_empty())?;
    let delimiter = format!("--{boundary}").into_bytes();
    let (mut parts, mut attached) = (Vec::new(), Vec::new());
    let mut open: Option<usize> = None;
    let mut at = 0;
    while at < body.len() {
        let end = body[at..].iter().position(|&b| b == b'\n').map_or(body.len(), |n| at + n + 1);
        let line = body[at..end].trim_ascii_end();
        let rest = line.strip_prefix(delimiter.as_slice());
        if let Some(rest) = rest.filter(|rest| matches!(*rest, b"" | b"--")) {
            if let Some(start) = open {
                // The line break before a boundary is the boundary's.
                let part = &body[start..at.max(start)];
                let part = part.strip_suffix(b"\n").unwrap_or(part);
                let part = part.strip_suffix(b"\r").unwrap_or(part);
                parts.push(one_part(&body.slice_ref(part), &mut attached));
            }
            open = (rest.is_empty() && parts.len() < MAX_PARTS).then_some(end);
            if open.is_none() {
                break;
            }
        }
        at = end;
    }
    let value = Value::Array(parts);
    Some(if attached.is_empty() {
        Payload::Value(value)
    } else {
        Payload::Parts { value, attached }
    })
}

/// A part as a value. What has none is attached, and only named in it.
fn one_part(part: &Bytes, attached: &mut Vec<Attachment>) -> Value {
    let mut content_type = None;
    let mut out = Map::new();
    let mut rest: &[u8] = part;
    while !rest.is_empty() {
        let end = rest.iter().position(|&b| b == b'\n').map_or(rest.len(), |n| n + 1);
        let line = String::from_utf8_lossy(rest[..end].trim_ascii_end()).into_owned();
        rest = &rest[end..];
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-type") {
            content_type = Some(value.to_owned());
        } else if name.eq_ignore_ascii_case("content-disposition") {
            for wanted in ["name", "filename"] {
                if let Some(found) = media::parameter(value, wanted) {
                    out.insert(wanted.to_owned(), Value::String(found));
                }
            }
        }
    }
    let essence = content_type.as_deref().map(media::essence);
    if let Some(essence) = &essence {
        out.insert("content_type".to_owned(), Value::String(essence.clone()));
    }
    let json = essence.as_deref().filter(|essence| media::is_json(essence));
    let value = json.and_then(|_| serde_json::from_slice(rest).ok());
    match (value, essence) {
        (Some(value), _) => out.insert("value".to_owned(), value),
        (None, Some(essence)) if !media::is_text(&essence) && !media::is_json(&essence) => {
            attached.push(Attachment { media_type: essence, data: part.slice_ref(rest) });
            out.insert("bytes".to_owned(), rest.len().into())
        }
        // RFC 2046 §5.1: text, where it does not say what it is.
        (None, _) => {
            let text = text(rest, content_type.as_deref());
            out.insert("text".to_owned(), Value::String(text))
        }
    };
    Value::Object(out)
}

/// What the first bytes of a body say that it is, for those kinds that they say for certain
/// (WHATWG MIME Sniffing §6). Never a kind that a client would run.
pub(super) fn sniffed_bytes(body: &[u8]) -> Option<&'static str> {
    const SIGNATURES: &[(&[u8], &str)] = &[
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"%PDF-", "application/pdf"),
        (b"PK\x03\x04", "application/zip"),
        (b"\x1f\x8b\x08", "application/gzip"),
        (b"OggS\0", "application/ogg"),
        (b"ID3", "audio/mpeg"),
    ];
    let known = SIGNATURES.iter().find(|(start, _)| body.starts_with(start));
    let riff = || match (body.get(..4)?, body.get(8..12)?) {
        (b"RIFF", b"WEBP") => Some("image/webp"),
        (b"RIFF", b"WAVE") => Some("audio/wave"),
        _ => None,
    };
    known.map(|(_, kind)| *kind).or_else(riff)
}
