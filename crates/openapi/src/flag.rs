//! Members that are true or false.
//!
//! Authors write `yes` where YAML 1.2 has only `true`, and `"true"` with quotes. What is meant is
//! plain, so it is understood, and told of where it stands.

use serde_json::{Map, Value};

use crate::document::{Pointer, Warnings, member};

/// A flag, also one that is written as text.
pub(crate) fn flag(value: Option<&Value>) -> Option<bool> {
    match value? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => spelled(text),
        _ => None,
    }
}

/// Whether a member of an object is there and true.
pub(crate) fn is_true(value: &Value, name: &str) -> bool {
    flag(value.as_object().and_then(|object| member(object, name))) == Some(true)
}

/// The words that YAML 1.1 has for them.
fn spelled(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Tells of those members that are flags in words.
pub(crate) fn tell(
    at: &Pointer,
    object: &Map<String, Value>,
    names: &[&str],
    warnings: &mut Warnings,
) {
    for &name in names {
        let Some(Value::String(text)) = member(object, name) else { continue };
        let message = match spelled(text) {
            Some(flag) => format!("expected true or false; read as {flag}"),
            None => "expected true or false; left out".to_owned(),
        };
        warnings.add(&at.child(name), message);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_flag_may_be_a_word() {
        for (value, expected) in [
            (json!(true), Some(true)),
            (json!("yes"), Some(true)),
            (json!("False"), Some(false)),
            (json!("off"), Some(false)),
            (json!("y"), None),
            (json!(1), None),
            (json!(null), None),
        ] {
            assert_eq!(flag(Some(&value)), expected, "{value}");
        }
    }
}
