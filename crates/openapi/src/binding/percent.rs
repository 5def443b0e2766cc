//! Percent-encoding, in the one place where it happens (RFC 3986 §2).
//!
//! Whatever is not unreserved is encoded, also where a component would allow more: an
//! argument's characters never mean anything to a parser of URLs. A space is `%20`, but for
//! the bodies of forms, which have rules of their own.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but ALPHA, DIGIT, `-`, `.`, `_`, `~` (RFC 3986 §2.3).
const DATA: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// With `allowReserved` the reserved characters of §2.2 stay, but for those that would end or
/// split a query (`#`, `&`, `+` as forms read it) or may not stand in one (`[`, `]`).
const RESERVED: &AsciiSet = &DATA
    .remove(b':')
    .remove(b'/')
    .remove(b'?')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

/// What stays in a cookie with `allowReserved`: none of what splits cookies or their lists
/// (RFC 6265 §4.1.1).
const RESERVED_IN_COOKIE: &AsciiSet = &RESERVED.add(b';').add(b',');

/// What stays in a path segment with `allowReserved` (OpenAPI 3.2.0, path templating): none
/// of what ends a segment.
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.add(b'/').add(b'?');

/// What a form does not encode (WHATWG URL, application/x-www-form-urlencoded
/// percent-encode set).
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// What a document writes into a path itself: pchar (§3.3), and escapes that are there.
const PATH: &AsciiSet = &DATA
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'%');

/// What a document writes into a query itself (§3.4).
const QUERY: &AsciiSet = &PATH.remove(b'/').remove(b'?');

/// Data of any kind.
pub(crate) fn data(text: &str) -> String {
    utf8_percent_encode(text, DATA).to_string()
}

/// Data of a query parameter with `allowReserved`: what is escaped already stays as it is
/// (RFC 6570 §3.2.3).
pub(crate) fn reserved(text: &str) -> String {
    expanded(text, RESERVED, |_| true)
}

/// The same in a cookie.
pub(crate) fn reserved_in_cookie(text: &str) -> String {
    expanded(text, RESERVED_IN_COOKIE, |_| true)
}

/// The same in a path segment. An escape of what would end the segment, or be one of dots, is
/// data like others: servers differ in when they undo it.
pub(crate) fn reserved_in_path(text: &str) -> String {
    expanded(text, RESERVED_IN_PATH, |byte| !byte.is_ascii_control() && !b"/\\?#.".contains(&byte))
}

/// Data in the body of a form (WHATWG URL, urlencoded serializing).
pub(crate) fn form(text: &str) -> String {
    // Each `%` begins an escape, so this one is a space.
    utf8_percent_encode(text, FORM).to_string().replace("%20", "+")
}

fn expanded(text: &str, set: &'static AsciiSet, keeps: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.extend(utf8_percent_encode(&rest[..at], set));
        rest = &rest[at + 1..];
        match rest.get(..2).and_then(escaped).filter(|&byte| keeps(byte)) {
            Some(_) => {
                out.push('%');
                out.push_str(&rest[..2]);
                rest = &rest[2..];
            }
            None => out.push_str("%25"),
        }
    }
    out.extend(utf8_percent_encode(rest, set));
    out
}

/// The byte that two hexadecimal digits stand for.
fn escaped(digits: &str) -> Option<u8> {
    let digit = |c: char| c.to_digit(16);
    let mut digits = digits.chars();
    let (high, low) = (digit(digits.next()?)?, digit(digits.next()?)?);
    u8::try_from(high * 16 + low).ok()
}

/// The fixed text of a path template.
pub(crate) fn path_literal(text: &str) -> String {
    utf8_percent_encode(&stray_percents(text), PATH).to_string()
}

/// The fixed text of a query.
pub(crate) fn query_literal(text: &str) -> String {
    utf8_percent_encode(&stray_percents(text), QUERY).to_string()
}

/// A `%` that begins no escape is a character like others.
fn stray_percents(text: &str) -> String {
    let bytes = text.as_bytes();
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if c == '%' && !(hex(at + 1) && hex(at + 2)) {
            out.push_str("%25");
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_unreserved_is_encoded() {
        assert_eq!(data("aZ09-._~"), "aZ09-._~");
        assert_eq!(
            data(":/?#[]@!$&'()*+,;= %\"<>\\^`{|}\r\n"),
            "%3A%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D%20%25%22%3C%3E%5C%5E%60%7B%7C%7D%0D%0A"
        );
        assert_eq!(data("ü€"), "%C3%BC%E2%82%AC");
        assert_eq!(data("%2e"), "%252e");
    }

    #[test]
    fn reserved_characters_stay_where_they_are_allowed_and_harmless() {
        assert_eq!(reserved("a/b?c=d:e@f;g,h!"), "a/b?c=d:e@f;g,h!");
        assert_eq!(reserved("a&b#c+d[e]"), "a%26b%23c%2Bd%5Be%5D");
        assert_eq!(reserved_in_cookie("a;b,c=d/e"), "a%3Bb%2Cc=d/e");
        assert_eq!(reserved_in_path("a/b?c=d:e@f"), "a%2Fb%3Fc=d:e@f");
    }

    #[test]
    fn reserved_expansion_keeps_escapes_that_are_there() {
        assert_eq!(reserved("%41%zz%2cü%"), "%41%25zz%2c%C3%BC%25");
        assert_eq!(reserved_in_path("%41%2F%2e%5c"), "%41%252F%252e%255c");
    }

    #[test]
    fn a_form_has_plus_signs_for_spaces() {
        assert_eq!(form("a b+c~*-._%20ü"), "a+b%2Bc%7E*-._%2520%C3%BC");
    }

    #[test]
    fn literals_keep_their_escapes() {
        assert_eq!(path_literal("a%20b c%zü"), "a%20b%20c%25z%C3%BC");
    }
}
