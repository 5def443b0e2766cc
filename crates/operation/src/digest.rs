//! Digests by which things are told apart: arguments, tool lists, files.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// `sha256:` and 64 hex digits.
pub fn digest_bytes(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let mut text = String::with_capacity(7 + 64);
    text.push_str("sha256:");
    for byte in hash {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}

/// The digest of a JSON value, the same however its members are ordered. Numbers count as
/// they are written: `5` and `5.0` differ.
pub fn digest_value(value: &Value) -> String {
    let mut text = String::new();
    canonical(value, &mut text);
    digest_bytes(text.as_bytes())
}

/// Members sorted by their code points, no white space.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| name.as_str());
            out.push('{');
            for (i, (name, member)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                quoted(name, out);
                out.push(':');
                canonical(member, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        Value::String(text) => quoted(text, out),
        scalar => write!(out, "{scalar}").expect("writing to a string cannot fail"),
    }
}

/// Text as JSON writes it. Most needs no escapes.
fn quoted(text: &str, out: &mut String) {
    if text.bytes().any(|b| b < b' ' || matches!(b, b'"' | b'\\')) {
        write!(out, "{}", Value::from(text)).expect("writing to a string cannot fail");
    } else {
        out.push('"');
        out.push_str(text);
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_members_does_not_count_and_the_order_of_items_does() {
        let a: Value = serde_json::from_str(r#"{"a":1,"b":{"c":2,"d":3}}"#).expect("JSON");
        let b: Value = serde_json::from_str(r#"{"b":{"d":3,"c":2},"a":1}"#).expect("JSON");
        assert_eq!(digest_value(&a), digest_value(&b));
        assert_ne!(digest_value(&json!([1, 2])), digest_value(&json!([2, 1])));
    }

    #[test]
    fn a_value_has_the_digest_of_its_sorted_text() {
        for value in [json!([]), json!([1]), json!([{"b": "\u{7f}\n\"é", "a": [null, 1.50]}, "x"])]
        {
            assert_eq!(digest_value(&value), digest_bytes(sorted(&value).to_string().as_bytes()));
        }
    }

    fn sorted(value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(sorted).collect(),
            Value::Object(members) => {
                let sorted: std::collections::BTreeMap<_, _> =
                    members.iter().map(|(name, one)| (name.clone(), sorted(one))).collect();
                sorted.into_iter().collect()
            }
            scalar => scalar.clone(),
        }
    }

    #[test]
    fn numbers_differ_by_every_digit() {
        let number = |text| serde_json::from_str::<Value>(text).expect("JSON");
        assert_ne!(
            digest_value(&number("500.0000000000000000001")),
            digest_value(&number("500.0000000000000000002")),
        );
    }

    #[test]
    fn the_digest_of_nothing_is_the_standards() {
        // FIPS 180-4, SHA-256 of the empty message.
        assert_eq!(
            digest_bytes(b""),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
