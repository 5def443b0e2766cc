//! The text of a document, in whatever encoding it came.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::XmlError;

/// The document's text: by its byte order mark, else by what the transport said (RFC 7303
/// §3), else by its own declaration, else as UTF-8 (XML 1.0 appendix F.1).
pub(crate) fn decode<'b>(bytes: &'b [u8], charset: Option<&str>) -> Result<Cow<'b, str>, XmlError> {
    let known =
        |label: &str| Encoding::for_label(label.as_bytes()).ok_or(XmlError::UnknownEncoding);
    let (encoding, mark) = match (Encoding::for_bom(bytes), charset.or_else(|| declared(bytes))) {
        (Some(found), _) => found,
        (None, Some(label)) => (known(label)?, 0),
        (None, None) => (UTF_8, 0),
    };
    encoding
        .decode_without_bom_handling_and_without_replacement(&bytes[mark..])
        .ok_or(XmlError::Encoding(encoding.name()))
}

/// The encoding that the XML declaration names. A declaration that can be read as ASCII is
/// not in UTF-16, whatever it says of itself.
fn declared(bytes: &[u8]) -> Option<&str> {
    match bytes {
        [b'<', 0, ..] => return Some(UTF_16LE.name()),
        [0, b'<', ..] => return Some(UTF_16BE.name()),
        _ => {}
    }
    let head = &bytes[..bytes.len().min(256)];
    let end = head.windows(2).position(|two| two == b"?>")?;
    let head = std::str::from_utf8(&head[..end]).ok()?.strip_prefix("<?xml")?;
    let (_, after) = head.split_once("encoding")?;
    let after = after.trim_start().strip_prefix('=')?.trim_start();
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let label = after[1..].split(quote).next()?;
    (!label.to_ascii_lowercase().starts_with("utf-16")).then_some(label)
}
