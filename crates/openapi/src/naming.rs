//! How parameters become the top-level properties of a tool's arguments.
//!
//! A name that clients accept stays; others are rewritten. Parameters of different places
//! that share a name, and those whose word the body or the content type takes, carry their
//! place behind their name.

use std::collections::HashSet;

use crate::parameters::Place;

/// Clients refuse longer keys.
const MAX_KEY: usize = 64;

/// The key of each parameter, in the order given. `reserved` are words that are taken.
pub(crate) fn keys(parameters: &[(&str, Place)], reserved: &[&str]) -> Vec<String> {
    let mut keys = vec![String::new(); parameters.len()];
    let mut taken: HashSet<String> = reserved.iter().map(|&word| word.to_owned()).collect();
    let mut names: HashSet<&str> = reserved.iter().copied().collect();
    let mut order: Vec<usize> = (0..parameters.len()).collect();
    // Names that need no rewriting first, so that none of them has to give way to one that does.
    order.sort_by_key(|&i| (!is_portable(parameters[i].0), parameters[i].1));
    for i in order {
        let (name, place) = parameters[i];
        let mut base = rewrite(name);
        if !names.insert(name) {
            base = with_suffix(&base, place.as_str());
        }
        let key = unique(&base, &taken);
        taken.insert(key.clone());
        keys[i] = key;
    }
    keys
}

fn is_portable(name: &str) -> bool {
    (1..=MAX_KEY).contains(&name.len()) && name.chars().all(is_key_char)
}

fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

/// Each run of other characters becomes one `_`, the ends are trimmed, the rest is cut.
pub(crate) fn rewrite(name: &str) -> String {
    if is_portable(name) {
        return name.to_owned();
    }
    let mut key = String::new();
    let mut in_run = false;
    for c in name.chars() {
        if is_key_char(c) {
            key.push(c);
        } else if !in_run {
            key.push('_');
        }
        in_run = !is_key_char(c);
    }
    let key: String = key.trim_matches('_').chars().take(MAX_KEY).collect();
    if key.is_empty() { "parameter".to_owned() } else { key }
}

fn with_suffix(base: &str, suffix: &str) -> String {
    let room = MAX_KEY - suffix.len() - 1;
    let base: String = base.chars().take(room).collect();
    format!("{base}_{suffix}")
}

/// The name itself, or with `_2`, `_3`, … where it is taken.
pub(crate) fn unique(base: &str, taken: &HashSet<String>) -> String {
    let mut key = base.to_owned();
    let mut n = 1;
    while taken.contains(&key) {
        n += 1;
        key = with_suffix(base, &n.to_string());
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_rewritten_for_clients() {
        for (name, key) in [
            ("limit", "limit"),
            ("filter[name]", "filter_name"),
            ("$filter", "filter"),
            ("a b\tc", "a_b_c"),
            ("X-Request-ID", "X-Request-ID"),
            ("_id_", "_id_"),
            ("größe", "gr_e"),
            ("[]", "parameter"),
        ] {
            assert_eq!(rewrite(name), key, "{name}");
        }
        assert_eq!(rewrite(&"x".repeat(70)).len(), 64);
    }

    #[test]
    fn a_name_in_two_places_carries_its_place() {
        use Place::{Cookie, Header, Path, Query};
        for (parameters, reserved, expected) in [
            (
                vec![("id", Query), ("id", Path), ("id", Header), ("id", Cookie)],
                vec![],
                vec!["id_query", "id", "id_header", "id_cookie"],
            ),
            (vec![("body", Query)], vec!["body"], vec!["body_query"]),
            (vec![("body", Query)], vec![], vec!["body"]),
            (vec![("content_type", Header)], vec!["content_type"], vec!["content_type_header"]),
            (vec![("a[b]", Query), ("a_b", Query)], vec![], vec!["a_b_2", "a_b"]),
            (
                vec![("id", Path), ("id", Query), ("id_query", Query)],
                vec![],
                vec!["id", "id_query", "id_query_2"],
            ),
        ] {
            assert_eq!(keys(&parameters, &reserved), expected, "{parameters:?}");
        }
    }
}
