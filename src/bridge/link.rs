//! The next page that an answer's `Link` header names (RFC 8288), and the request for it.

use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH, LINK};
use http::{HeaderMap, Method};
use url::Url;

use super::address;
use super::prepare::{Prepared, Target};
use super::upstream::Upstream;

/// The longest target that is followed.
const LONGEST: usize = 8_192;

/// The target of the first link with `rel="next"`: a URI reference, as the upstream wrote it.
pub(super) fn next(headers: &HeaderMap) -> Option<String> {
    headers.get_all(LINK).iter().find_map(|value| next_of(value.to_str().ok()?))
}

fn next_of(mut text: &str) -> Option<String> {
    // <target>; name=value; name="value", <target>; … (RFC 8288 §3)
    while let Some(start) = text.find('<') {
        let (target, rest) = text[start + 1..].split_once('>')?;
        let end = unquoted(rest, ',');
        let is_next = parameters(&rest[..end]).any(|(name, value)| {
            // A relation may be one of several words, and is compared without case (§3.3).
            name.eq_ignore_ascii_case("rel")
                && value.split_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
        });
        if is_next && target.len() <= LONGEST {
            return Some(target.to_owned());
        }
        text = &rest[end..];
    }
    None
}

/// Where the text has that character outside of quotes, or where it ends (RFC 9110 §5.6.4).
pub(super) fn unquoted(text: &str, wanted: char) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c == wanted && !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

fn parameters(mut text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut all = Vec::new();
    while !text.is_empty() {
        let end = unquoted(text, ';');
        if let Some((name, value)) = text[..end].split_once('=') {
            all.push((name.trim(), value.trim().trim_matches('"')));
        }
        text = text.get(end + 1..).unwrap_or_default();
    }
    all.into_iter()
}

/// The request for the page at a URL that the answer to the request `from` names, which was sent
/// for `prepared`. The reference is relative to where that was (RFC 3986 §5.1.3): at another of
/// the API's addresses, perhaps, or where a redirect led.
///
/// The URL is input from a stranger, and the credentials go with it: so it must be below one of
/// the API's base URLs. There the page is asked for as anything else is, at the others too if
/// that one fails. Where a redirect led, without credentials, it stays at that origin.
pub(super) fn follow(
    upstream: &Upstream,
    prepared: &Prepared,
    from: &Target,
    reference: &str,
) -> Result<Prepared, String> {
    if !matches!(from.method, Method::GET | Method::HEAD) {
        return Err("only a GET can be asked for by a URL".to_owned());
    }
    let mut url = from
        .url
        .join(reference)
        .map_err(|_| "the URL of the next page cannot be read".to_owned())?;
    url.set_fragment(None);
    let bases = &upstream.bases;
    let is_home = bases.iter().any(|base| base.url.origin() == from.url.origin());
    let below = |at: &usize| is_below(&url, &bases[*at].url);
    let base = Some(from.at).filter(below).or_else(|| (0..bases.len()).find(below));
    let led = url.origin() == from.url.origin() && upstream.hosts.allow(&url);
    let may = if is_home { base.is_some() } else { led };
    if !may || !url.username().is_empty() || url.password().is_some() {
        let to = address::origin(&url).to_owned();
        return Err(format!("the next page is at {to}, and not below the API's base URL"));
    }
    let mut target = match base.filter(|_| is_home) {
        Some(at) => from.below(upstream, at, url),
        None => from.nowhere_else(upstream, url),
    };
    // What was asked about the page before does not hold for this one (RFC 9110 §13.1).
    for conditional in [IF_NONE_MATCH, IF_MODIFIED_SINCE] {
        target.headers.remove(conditional);
    }
    let redactor = prepared.redactor.clone();
    let (call, key) = (prepared.call.clone(), prepared.key.clone());
    Ok(Prepared { call, target, redactor, shown: None, key })
}

fn is_below(url: &Url, base: &Url) -> bool {
    let path = base.path().trim_end_matches('/');
    url.origin() == base.origin()
        && url
            .path()
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        for (header, expected) in [
            (
                "<https://a/x?page=2>; rel=\"next\", <https://a/x?page=9>; rel=\"last\"",
                Some("https://a/x?page=2"),
            ),
            ("<https://a/x?page=9>; rel=last, </x?a=1,2>; rel=next", Some("/x?a=1,2")),
            ("</x>; title=\"a, b; rel=next\"; rel=prev", None),
            ("</x>; title=\"a, \\\" b\"; rel=\"prev Next\"", Some("/x")),
            ("</x>; REL=next", Some("/x")),
            ("</x>", None),
            ("nonsense <", None),
            ("", None),
        ] {
            assert_eq!(next_of(header).as_deref(), expected, "{header}");
        }
    }
}
