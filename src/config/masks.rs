//! Which bytes of the file an excerpt must not show, because a secret may stand there
//! though only references are allowed.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::secret::SecretRef;

/// Keys under which credentials are written, rightly or in the wrong table.
const SENSITIVE: &[&str] = &[
    "auth",
    "proxy_auth",
    "credentials",
    "headers",
    "soap_headers",
    "tls",
    "token",
    "password",
    "passwd",
    "secret",
    "value",
    "key",
    "api_key",
    "apikey",
    "client_secret",
    "bearer",
    "authorization",
];

/// Keys of a credential that are no secret.
const OPEN: &[&str] = &[
    "kind",
    "in",
    "name",
    "username",
    "issuer",
    "audience",
    "jwks",
    "resource",
    "algorithms",
    "scopes",
    "groups",
    "identity",
    "claims",
    "cache",
];

/// The places of a document's values that may be secrets.
pub(super) fn of_document(document: &DeTable<'_>) -> Vec<Range<usize>> {
    let mut masks = Vec::new();
    of_table(document, false, &mut masks);
    masks
}

fn of_table(table: &DeTable<'_>, sensitive: bool, masks: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        let name = key.get_ref().to_ascii_lowercase();
        let leaf = !matches!(value.get_ref(), DeValue::Table(_));
        if sensitive && leaf && OPEN.contains(&name.as_str()) {
            continue;
        }
        let known = SENSITIVE.contains(&name.as_str())
            || ["token", "secret", "password"].iter().any(|word| name.contains(word));
        of_value(value, sensitive || known, masks);
    }
}

fn of_value(value: &Spanned<DeValue<'_>>, sensitive: bool, masks: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::String(text) => {
            let reference = text.parse::<SecretRef>().is_ok();
            if (sensitive && !reference) || has_userinfo(text) {
                masks.push(value.span());
            }
        }
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) if sensitive => {
            masks.push(value.span());
        }
        DeValue::Array(elements) => {
            elements.iter().for_each(|element| of_value(element, sensitive, masks));
        }
        DeValue::Table(table) => of_table(table, sensitive, masks),
        _ => {}
    }
}

/// Whether a URL names a user: `https://user:password@host`.
fn has_userinfo(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| {
        rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
    })
}

/// All words of a file that cannot be parsed, but for keys and the headers of tables:
/// without a parse nobody knows which are secrets.
pub(super) fn of_unparsed(text: &str) -> Vec<Range<usize>> {
    let mut masks = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let from = match line.find('=') {
            Some(equals) => equals + 1,
            None if is_header(line) => line.len(),
            None => 0,
        };
        for (at, c) in line[from..].char_indices().filter(|(_, c)| c.is_alphanumeric()) {
            let at = start + from + at;
            masks.push(at..at + c.len_utf8());
        }
        start += line.len();
    }
    masks
}

fn is_header(line: &str) -> bool {
    let line = line.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "[]._- ".contains(c);
    line.starts_with('[') && line.chars().all(plain)
}
