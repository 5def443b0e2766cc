//! Percent-encoding, in the one place where it happens (RFC 3986 §2).
//!
//! Whatever is not unreserved is encoded, also where a component would allow more: an
//! argument's characters never mean anything to a parser of URLs. A space is `%20`, which
//! every decoder reads, in paths, queries and forms alike.

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

/// Data of a query parameter with `allowReserved`.
pub(crate) fn reserved(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
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
        assert_eq!(reserved("a&b#c+d[e]%41"), "a%26b%23c%2Bd%5Be%5D%2541");
    }

    #[test]
    fn literals_keep_their_escapes() {
        assert_eq!(path_literal("a%20b c%zü"), "a%20b%20c%25z%C3%BC");
    }
}
