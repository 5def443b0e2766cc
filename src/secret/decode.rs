//! Encodings undone on the way to finding a secret, with the way back to the original.
//!
//! An encoder is free in what it escapes (`%2f` or `%2F`, `/` or `\/`, `é` or `\u00e9`), so
//! the forms of a secret under such an encoding cannot be listed. The text is decoded and
//! searched instead, and what is found is mapped back. Decoding is lenient: what is no
//! escape stands for itself.

use std::ops::Range;

use memchr::{memchr, memchr2};

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
    /// Line breaks, and the indent after them, in what is written over several lines
    /// (RFC 2045 §6.8, RFC 7468 §2).
    Lines,
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
        let mut decoded = Decoded::default();
        self.walk(text, |range, piece| decoded.push(range, piece));
        (!decoded.escapes.is_empty()).then_some(decoded)
    }

    /// Undoes the encoding, without the way back: a quarter of the memory or less, for texts
    /// that are full of escapes and hold nothing.
    pub(super) fn decode_plain(self, text: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut escaped = false;
        self.walk(text, |_, piece| {
            if bytes.capacity() == 0 {
                bytes.reserve(text.len());
            }
            escaped |= !matches!(piece, Piece::Plain(_));
            piece.append_to(&mut bytes);
        });
        escaped.then_some(bytes)
    }

    /// Goes over the pieces of a text and where they stand; over none where the encoding
    /// cannot be in use.
    fn walk(self, text: &[u8], mut visit: impl FnMut(Range<usize>, &Piece<'_>)) {
        let next = |from: usize| {
            let found = match self {
                Self::Percent => memchr(b'%', &text[from..]),
                Self::Form => memchr2(b'%', b'+', &text[from..]),
                Self::Json => memchr(b'\\', &text[from..]),
                Self::Xml => memchr(b'&', &text[from..]),
                Self::Lines => memchr2(b'\r', b'\n', &text[from..]),
            };
            found.map(|at| from + at)
        };
        let Some(mut found) = next(0) else { return };
        // What stands before it, and is no part of an escape, is as it is.
        let mut plain = 0;
        loop {
            let Some((piece, length)) = self.parse(&text[found..]) else {
                match next(found + 1) {
                    Some(at) => found = at,
                    None => break,
                }
                continue;
            };
            if plain < found {
                visit(plain..found, &Piece::Plain(&text[plain..found]));
            }
            plain = found + length;
            visit(found..plain, &piece);
            match next(plain) {
                Some(at) => found = at,
                None => break,
            }
        }
        if plain < text.len() {
            visit(plain..text.len(), &Piece::Plain(&text[plain..]));
        }
    }

    /// The escape at the start of a text, and its length.
    fn parse(self, text: &[u8]) -> Option<(Piece<'static>, usize)> {
        match self {
            Self::Percent => percent(text),
            Self::Form => form(text),
            Self::Json => json(text),
            Self::Xml => xml(text),
            Self::Lines => Some((Piece::Break, line_break(text))),
        }
    }
}

impl Decoded {
    fn push(&mut self, from: Range<usize>, piece: &Piece<'_>) {
        let start = self.bytes.len();
        piece.append_to(&mut self.bytes);
        if !matches!(piece, Piece::Plain(_)) {
            self.escapes.push((start..self.bytes.len(), from));
        }
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

/// What stands somewhere in a text.
enum Piece<'t> {
    /// Bytes that stand for themselves.
    Plain(&'t [u8]),
    /// An escape of a byte.
    Byte(u8),
    /// An escape of a character.
    Char(char),
    /// What stands for nothing.
    Break,
}

impl Piece<'_> {
    fn append_to(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Plain(plain) => bytes.extend_from_slice(plain),
            Self::Byte(byte) => bytes.push(*byte),
            Self::Break => {}
            Self::Char(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// How long the line break at the start of a text is, with the indent of the next line.
fn line_break(text: &[u8]) -> usize {
    text.iter().take_while(|b| matches!(b, b'\r' | b'\n' | b' ' | b'\t')).count()
}

fn hex_digits(text: &[u8], from: usize, count: usize) -> Option<u32> {
    text.get(from..from + count)?
        .iter()
        .try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
}

fn percent(text: &[u8]) -> Option<(Piece<'static>, usize)> {
    let byte = u8::try_from(hex_digits(text, 1, 2)?).ok()?;
    Some((Piece::Byte(byte), 3))
}

fn form(text: &[u8]) -> Option<(Piece<'static>, usize)> {
    match text.first()? {
        b'+' => Some((Piece::Byte(b' '), 1)),
        _ => percent(text),
    }
}

fn json(text: &[u8]) -> Option<(Piece<'static>, usize)> {
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
    Some((Piece::Byte(byte), 2))
}

fn json_unicode(text: &[u8]) -> Option<(Piece<'static>, usize)> {
    let first = hex_digits(text, 2, 4)?;
    if let Some(c) = char::from_u32(first) {
        return Some((Piece::Char(c), 6));
    }
    if text.get(6..8) != Some(b"\\u") {
        return None;
    }
    let second = hex_digits(text, 8, 4)?;
    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    let high = first.checked_sub(0xd800).filter(|high| *high < 0x400)?;
    let c = char::from_u32(0x1_0000 + (high << 10) + low)?;
    Some((Piece::Char(c), 12))
}

fn xml(text: &[u8]) -> Option<(Piece<'static>, usize)> {
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
    Some((Piece::Char(c), end + 1))
}
