//! Encodings undone on the way to finding a secret, with the way back to the original.
//!
//! An encoder is free in what it escapes (`%2f` or `%2F`, `/` or `\/`, `é` or `\u00e9`), so
//! the forms of a secret under such an encoding cannot be listed. The text is decoded and
//! searched instead, and what is found is mapped back. Decoding is lenient: what is no
//! escape stands for itself.

use std::ops::Range;

/// An encoding that escapes single characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// `%2F` (RFC 3986 §2.1).
    Percent,
    /// `%2F`, and `+` for a space (application/x-www-form-urlencoded).
    Form,
    /// `\n`, `\/`, `\u00e9` (RFC 8259 §7).
    Json,
    /// `&amp;`, `&#233;` (XML 1.0 §4.1).
    Xml,
}

/// A decoded text that knows where each of its bytes came from.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    /// Each escape: where it stands decoded, and where it stood.
    escapes: Vec<(Range<usize>, Range<usize>)>,
}

impl Escapes {
    /// Undoes the encoding; `None` where there is nothing to undo.
    pub(super) fn decode(self, text: &[u8]) -> Option<Decoded> {
        let (introducer, parse): (&[u8], fn(&[u8]) -> Option<Escape>) = match self {
            Self::Percent => (b"%", percent),
            Self::Form => (b"%+", form),
            Self::Json => (b"\\", json),
            Self::Xml => (b"&", xml),
        };
        if !text.iter().any(|b| introducer.contains(b)) {
            return None;
        }
        let mut decoded = Decoded::default();
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            let escape = introducer.contains(&byte).then(|| parse(&text[at..])).flatten();
            match escape {
                Some(escape) => decoded.push(&escape, &mut at),
                None => {
                    decoded.bytes.push(byte);
                    at += 1;
                }
            }
        }
        (!decoded.escapes.is_empty()).then_some(decoded)
    }
}

impl Decoded {
    fn push(&mut self, escape: &Escape, at: &mut usize) {
        let start = self.bytes.len();
        match escape.value {
            Value::Byte(byte) => self.bytes.push(byte),
            Value::Char(c) => self.bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        self.escapes.push((start..self.bytes.len(), *at..*at + escape.length));
        *at += escape.length;
    }

    /// Where a range of the decoded text stood, escapes whole.
    pub(super) fn origin(&self, found: &Range<usize>) -> Range<usize> {
        let before_start = self.escapes.partition_point(|(to, _)| to.start <= found.start);
        let start = match before_start.checked_sub(1).map(|i| &self.escapes[i]) {
            None => found.start,
            Some((to, from)) if found.start < to.end => from.start,
            Some((to, from)) => from.end + (found.start - to.end),
        };
        let before_end = self.escapes.partition_point(|(to, _)| to.start < found.end);
        let end = match before_end.checked_sub(1).map(|i| &self.escapes[i]) {
            None => found.end,
            Some((to, from)) if found.end <= to.end => from.end,
            Some((to, from)) => from.end + (found.end - to.end),
        };
        start..end
    }
}

/// One escape at the start of a text.
struct Escape {
    value: Value,
    length: usize,
}

enum Value {
    Byte(u8),
    Char(char),
}

fn hex_digits(text: &[u8], from: usize, count: usize) -> Option<u32> {
    text.get(from..from + count)?
        .iter()
        .try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
}

fn percent(text: &[u8]) -> Option<Escape> {
    let byte = u8::try_from(hex_digits(text, 1, 2)?).ok()?;
    Some(Escape { value: Value::Byte(byte), length: 3 })
}

fn form(text: &[u8]) -> Option<Escape> {
    match text.first()? {
        b'+' => Some(Escape { value: Value::Byte(b' '), length: 1 }),
        _ => percent(text),
    }
}

fn json(text: &[u8]) -> Option<Escape> {
    let byte = match text.get(1)? {
        b'u' => return json_unicode(text),
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        byte @ (b'"' | b'\\' | b'/') => *byte,
        _ => return None,
    };
    Some(Escape { value: Value::Byte(byte), length: 2 })
}

fn json_unicode(text: &[u8]) -> Option<Escape> {
    let first = hex_digits(text, 2, 4)?;
    if let Some(c) = char::from_u32(first) {
        return Some(Escape { value: Value::Char(c), length: 6 });
    }
    if text.get(6..8) != Some(b"\\u") {
        return None;
    }
    let second = hex_digits(text, 8, 4)?;
    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    let high = first.checked_sub(0xd800).filter(|high| *high < 0x400)?;
    let c = char::from_u32(0x1_0000 + (high << 10) + low)?;
    Some(Escape { value: Value::Char(c), length: 12 })
}

fn xml(text: &[u8]) -> Option<Escape> {
    // The longest reference that means a character is `&#x10ffff;`, leading zeros aside.
    let end = text.iter().take(16).position(|b| *b == b';')?;
    let name = std::str::from_utf8(&text[1..end]).ok()?;
    let c = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    Some(Escape { value: Value::Char(c), length: end + 1 })
}
