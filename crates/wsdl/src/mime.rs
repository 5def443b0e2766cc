//! Messages of several parts: `multipart/related`, in and out.
//!
//! RFC 2387 (the type, `start`), RFC 2046 §5.1 (delimiters), RFC 2392 (`cid:`). What comes is
//! input from a stranger: parts, their headers and the delimiter are bounded, every byte is
//! looked at a fixed number of times, and what cannot be told apart is refused. This module
//! knows no XML.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha1::{Digest, Sha1};

/// Parts of one message.
const MAX_PARTS: usize = 1_000;
/// Bytes of one part's headers.
const MAX_HEAD: usize = 16 * 1024;
/// RFC 2046 §5.1.1.
const MAX_BOUNDARY: usize = 70;

/// A message that came in parts: the one that it begins with, and the others.
#[derive(Debug)]
pub(crate) struct Related<'b> {
    pub(crate) root: Part<'b>,
    pub(crate) others: Vec<Part<'b>>,
}

/// A part.
#[derive(Debug, Default)]
pub(crate) struct Part<'b> {
    /// Its `Content-ID`, without the angle brackets.
    pub(crate) id: Option<String>,
    /// Its `Content-Type`.
    pub(crate) content_type: Option<String>,
    encoding: Option<String>,
    pub(crate) body: Cow<'b, [u8]>,
}

/// Reads a message of several parts; `None` where the media type is another.
pub(crate) fn related<'b>(
    content_type: &str,
    body: &'b [u8],
) -> Option<Result<Related<'b>, String>> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("multipart/related").then(|| read(content_type, body))
}

fn read<'b>(content_type: &str, body: &'b [u8]) -> Result<Related<'b>, String> {
    let boundary = parameter(content_type, "boundary")
        .filter(|boundary| (1..=MAX_BOUNDARY).contains(&boundary.len()))
        .ok_or("its multipart media type has no boundary of 1 to 70 characters")?;
    let mut parts = Vec::new();
    for raw in split(&boundary, body)? {
        parts.push(part(raw)?);
    }
    let start = parameter(content_type, "start");
    let start = start.as_deref().map(bare);
    let at = match start {
        // RFC 2387 §3.2: without `start` it is the first.
        None => 0,
        Some(id) => parts
            .iter()
            .position(|part| part.id.as_deref() == Some(id))
            .ok_or("the part that its multipart media type begins with is not there")?,
    };
    if parts.is_empty() {
        return Err("it is multipart and has no parts".to_owned());
    }
    let root = parts.swap_remove(at);
    if parts.iter().any(|part| part.id.is_some() && part.id == root.id) {
        return Err("two of its parts have the Content-ID of the one that it begins with".into());
    }
    Ok(Related {
        root: decoded(root)?,
        others: parts.into_iter().map(decoded).collect::<Result<_, _>>()?,
    })
}

/// The raw parts. A delimiter is a line; the line break before it is its own (RFC 2046 §5.1.1).
fn split<'b>(boundary: &str, body: &'b [u8]) -> Result<Vec<&'b [u8]>, String> {
    let mut parts = Vec::new();
    let mut begun: Option<usize> = None;
    let mut at = 0;
    while at < body.len() {
        let end = body[at..].iter().position(|b| *b == b'\n').map_or(body.len(), |n| at + n + 1);
        let line = &body[at..end];
        let rest = line.strip_prefix(b"--").and_then(|rest| rest.strip_prefix(boundary.as_bytes()));
        let closing = rest.is_some_and(|rest| rest.starts_with(b"--"));
        // White space may follow a delimiter, and nothing else.
        if rest.is_some_and(|rest| closing || rest.iter().all(u8::is_ascii_whitespace)) {
            if let Some(from) = begun.take() {
                if parts.len() >= MAX_PARTS {
                    return Err(format!("it has more than {MAX_PARTS} parts"));
                }
                let part = &body[from..at.max(from)];
                let part = part.strip_suffix(b"\n").unwrap_or(part);
                parts.push(part.strip_suffix(b"\r").unwrap_or(part));
            }
            if closing {
                return Ok(parts);
            }
            begun = Some(end);
        }
        at = end;
    }
    match begun {
        Some(_) => Err("its last part has no end".to_owned()),
        None => Err("its boundary is nowhere in it".to_owned()),
    }
}

fn part(raw: &[u8]) -> Result<Part<'_>, String> {
    let mut part = Part::default();
    let mut at = 0;
    let mut field = String::new();
    loop {
        let Some(length) = raw[at..].iter().position(|byte| *byte == b'\n') else {
            return Err("one of its parts has headers without an end".to_owned());
        };
        let line = &raw[at..at + length];
        at += length + 1;
        if at > MAX_HEAD {
            return Err(format!("one of its parts has more than {MAX_HEAD} bytes of headers"));
        }
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        // RFC 5322 §2.2.3: a line that begins with white space goes on with the one before.
        if line.starts_with([' ', '\t']) {
            field.push_str(&line);
            continue;
        }
        part.take(&field);
        if line.is_empty() {
            break;
        }
        field = line.into_owned();
    }
    part.body = Cow::Borrowed(&raw[at..]);
    Ok(part)
}

impl Part<'_> {
    fn take(&mut self, field: &str) {
        let Some((name, value)) = field.split_once(':') else { return };
        let value = value.trim().to_owned();
        match name.trim().to_ascii_lowercase().as_str() {
            "content-id" => self.id = Some(bare(&value).to_owned()),
            "content-type" => self.content_type = Some(value),
            "content-transfer-encoding" => self.encoding = Some(value.to_ascii_lowercase()),
            _ => {}
        }
    }
}

/// Undoes the transfer encoding (RFC 2045 §6).
fn decoded(part: Part<'_>) -> Result<Part<'_>, String> {
    match part.encoding.as_deref() {
        None | Some("binary" | "8bit" | "7bit") => Ok(part),
        Some("base64") => {
            let text: Vec<u8> =
                part.body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
            let bytes = STANDARD
                .decode(text)
                .map_err(|_| "one of its parts is not in base64, as it says".to_owned())?;
            Ok(Part { body: Cow::Owned(bytes), ..part })
        }
        Some(_) => Err("one of its parts is in a transfer encoding that is not read".to_owned()),
    }
}

/// The part that a `cid:` URL names (RFC 2392 §2).
pub(crate) fn referred(others: &[Part<'_>], href: &str) -> Option<usize> {
    let id = href.trim().strip_prefix("cid:")?;
    let decoded = percent_decode_str(id).decode_utf8().ok()?;
    others.iter().position(|part| part.id.as_deref().is_some_and(|own| own == decoded || own == id))
}

fn bare(id: &str) -> &str {
    let id = id.trim();
    id.strip_prefix('<').and_then(|id| id.strip_suffix('>')).unwrap_or(id)
}

/// A parameter of a media type, its quotes undone (RFC 9110 §5.6.6).
pub(crate) fn parameter(content_type: &str, name: &str) -> Option<String> {
    let mut rest = content_type.split_once(';')?.1;
    loop {
        let (key, after) = rest.split_once('=')?;
        let key = key.trim().trim_start_matches(';').trim();
        let after = after.trim_start();
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => {
                let mut value = String::new();
                let mut end = quoted.len();
                let mut escaped = false;
                for (at, c) in quoted.char_indices() {
                    match c {
                        _ if escaped => {
                            value.push(c);
                            escaped = false;
                        }
                        '\\' => escaped = true,
                        '"' => {
                            end = at + 1;
                            break;
                        }
                        c => value.push(c),
                    }
                }
                (value, &quoted[end..])
            }
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        if key.eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = left.split_once(';')?.1;
    }
}

/// A part that goes out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) id: String,
    pub(crate) content_type: String,
    pub(crate) bytes: Vec<u8>,
}

/// A message that goes out in parts: its bytes, and the boundary between them. The first part's
/// media type is `root_type`.
pub(crate) fn write(root_type: &str, root: &[u8], others: &[Outgoing]) -> (Vec<u8>, String) {
    let boundary = boundary(root, others);
    let size = root.len() + others.iter().map(|other| other.bytes.len() + 256).sum::<usize>() + 512;
    let mut out = Vec::with_capacity(size);
    let mut put = |content_type: &str, id: &str, body: &[u8]| {
        let head = format!(
            "--{boundary}\r\nContent-Type: {content_type}\r\n\
             Content-Transfer-Encoding: binary\r\nContent-ID: <{id}>\r\n\r\n"
        );
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(body);
        out.extend_from_slice(b"\r\n");
    };
    put(root_type, ROOT_ID, root);
    for other in others {
        put(&other.content_type, &other.id, &other.bytes);
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (out, boundary)
}

/// The id of the part that a message begins with.
pub(crate) const ROOT_ID: &str = "root@tollbridge";

/// The id of a part that the envelope refers to, counted from 0.
pub(crate) fn part_id(index: usize) -> String {
    format!("{}@tollbridge", index + 1)
}

/// The id of a part that the WSDL names (Attachments Profile 1.0, R2933).
pub(crate) fn named_id(name: &str) -> String {
    format!("{}=1@tollbridge", utf8_percent_encode(name, PART_NAME))
}

/// Whether a part's id is one for that name.
pub(crate) fn is_named(id: &str, name: &str) -> bool {
    id.split_once('=')
        .and_then(|(own, _)| percent_decode_str(own).decode_utf8().ok())
        .is_some_and(|own| own == name)
}

/// What may not stand in a part's id as it is.
const PART_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// A boundary that is in no part: made of a digest of them all, so that nobody who writes a part
/// can put it there.
fn boundary(root: &[u8], others: &[Outgoing]) -> String {
    let mut hash = Sha1::new();
    let others = others.iter().map(|other| other.bytes.as_slice());
    for part in std::iter::once(root).chain(others) {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    let mut boundary = "tollbridge-".to_owned();
    for byte in hash.finalize() {
        write!(boundary, "{byte:02x}").expect("a string takes it");
    }
    boundary
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(boundary: &str, body: &str) -> Result<Vec<String>, String> {
        let content_type = format!("multipart/related; boundary=\"{boundary}\"");
        let related = related(&content_type, body.as_bytes()).expect("multipart")?;
        let all = std::iter::once(&related.root).chain(&related.others);
        Ok(all.map(|part| String::from_utf8_lossy(&part.body).into_owned()).collect())
    }

    #[test]
    fn parts_are_told_apart_by_delimiters_at_the_start_of_lines() {
        let body = "preamble\r\n--b\r\n\r\none\r\n--bc\r\n--b  \r\nContent-ID: <2>\r\n\r\n\
                    x--b\r\n\r\n--b--\r\nepilogue";
        assert_eq!(texts("b", body).unwrap(), ["one\r\n--bc", "x--b\r\n"]);
        assert_eq!(texts("b", "--b\n\n1\n--b\n\n2\n--b--").unwrap(), ["1", "2"]);
    }

    #[test]
    fn what_cannot_be_told_apart_is_refused() {
        let many = "--b\r\n\r\nx\r\n".repeat(MAX_PARTS + 1) + "--b--";
        let long = format!("--b\r\nX: {}\r\n\r\nx\r\n--b--", "y".repeat(MAX_HEAD));
        for (boundary, body, reason) in [
            ("b", "no parts", "nowhere"),
            ("b", "--b--", "no parts"),
            ("b", "--b\r\n\r\nx", "no end"),
            ("b", "--b\r\nContent-ID: <1>\r\n--b--", "headers without an end"),
            ("", "--\r\n\r\nx\r\n----", "no boundary"),
            ("b", many.as_str(), "more than 1000 parts"),
            ("b", long.as_str(), "bytes of headers"),
            ("b", "--b\r\nContent-Transfer-Encoding: base64\r\n\r\n*\r\n--b--", "not in base64"),
            ("b", "--b\r\nContent-Transfer-Encoding: x-y\r\n\r\n*\r\n--b--", "not read"),
        ] {
            let error = texts(boundary, body).unwrap_err();
            assert!(error.contains(reason), "{boundary}: {error}");
        }
        let long = "b".repeat(MAX_BOUNDARY + 1);
        assert!(texts(&long, &format!("--{long}\r\n\r\nx\r\n--{long}--")).is_err());
        assert!(related("text/xml", b"").is_none());
        let start = "multipart/related; boundary=b; start=\"<2>\"";
        let body = b"--b\r\nContent-ID: <1>\r\n\r\nx\r\n--b--";
        assert!(related(start, body).unwrap().unwrap_err().contains("begins with"));
        let twice = b"--b\r\nContent-ID: <2>\r\n\r\nx\r\n--b\r\nContent-ID: <2>\r\n\r\ny\r\n--b--";
        assert!(related(start, twice).unwrap().unwrap_err().contains("two of its parts"));
    }

    #[test]
    fn parameters_are_read_in_quotes_and_out_of_them() {
        let text = "multipart/related; a=\"x; start=no\\\"\"; START = \"<r>\";boundary=b ; c";
        assert_eq!(parameter(text, "start").as_deref(), Some("<r>"));
        assert_eq!(parameter(text, "boundary").as_deref(), Some("b"));
        assert_eq!(parameter(text, "a").as_deref(), Some("x; start=no\""));
        assert_eq!(parameter(text, "none"), None);
        assert_eq!(parameter("text/xml", "charset"), None);
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let others = [b"\r\n--b\r\n\0\xFF".to_vec(), b"\r\n".to_vec()].into_iter().enumerate();
        let others: Vec<Outgoing> = others
            .map(|(index, bytes)| Outgoing {
                id: part_id(index),
                content_type: "image/png".to_owned(),
                bytes,
            })
            .collect();
        let (bytes, boundary) = write("text/xml", b"<a/>", &others);
        let content_type = format!("multipart/related; boundary=\"{boundary}\"");
        let read = related(&content_type, &bytes).unwrap().unwrap();
        assert_eq!(&*read.root.body, b"<a/>");
        let ids = ["cid:1@tollbridge", "cid:2%40tollbridge"];
        for (id, other) in ids.iter().zip(&others) {
            let found = &read.others[referred(&read.others, id).unwrap()];
            assert_eq!(&*found.body, other.bytes.as_slice());
            assert_eq!(found.content_type.as_deref(), Some("image/png"));
        }
    }

    #[test]
    fn a_part_that_the_wsdl_names_has_its_name_in_its_id() {
        for name in ["photo", "my photo", "a=b@c"] {
            let id = named_id(name);
            assert!(is_named(&id, name) && !is_named(&id, "other"), "{id}");
            assert!(!id.contains([' ', '<', '>']) && id.matches('=').count() == 1, "{id}");
        }
        assert!(is_named("photo=4d7a5fa2-14af-451c@example.org", "photo"));
        assert!(!is_named("photo@example.org", "photo"));
    }
}
