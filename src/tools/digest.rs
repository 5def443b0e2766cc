//! One value, one digest: what a client was shown, in the trail's words.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::tool::Tool;

/// The digest of a list of tools, in its order, as clients are shown it.
pub fn of_tools<'t>(tools: impl IntoIterator<Item = &'t Tool>) -> String {
    digest(&tools.into_iter().map(Tool::view).collect())
}

/// The SHA-256 of a value as canonical JSON: members sorted by their names' bytes, no white
/// space, numbers as they are written.
pub fn digest(value: &Value) -> String {
    let mut hasher = Sha256::new();
    feed(value, &mut hasher);
    format!("sha256:{}", hex::encode(hasher.finalize()))
}

fn feed(value: &Value, hasher: &mut Sha256) {
    match value {
        Value::Array(list) => {
            hasher.update("[");
            for (i, item) in list.iter().enumerate() {
                if i > 0 {
                    hasher.update(",");
                }
                feed(item, hasher);
            }
            hasher.update("]");
        }
        Value::Object(object) => {
            let mut members: Vec<(&String, &Value)> = object.iter().collect();
            members.sort_by_key(|(name, _)| name.as_bytes());
            hasher.update("{");
            for (i, (name, member)) in members.into_iter().enumerate() {
                if i > 0 {
                    hasher.update(",");
                }
                hasher.update(Value::String(name.clone()).to_string());
                hasher.update(":");
                feed(member, hasher);
            }
            hasher.update("}");
        }
        scalar => hasher.update(scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_members_does_not_matter_and_that_of_items_does() {
        let left = digest(&json!({"a": [1, 2], "b": {"c": null, "d": "x"}}));
        assert_eq!(left, digest(&json!({"b": {"d": "x", "c": null}, "a": [1, 2]})));
        assert_ne!(left, digest(&json!({"a": [2, 1], "b": {"c": null, "d": "x"}})));
    }

    #[test]
    fn the_digest_is_that_of_the_canonical_text() {
        // printf '{"a":[1,"é\\n"],"b":{}}' | sha256sum
        let expected = hex::encode(Sha256::digest("{\"a\":[1,\"é\\n\"],\"b\":{}}"));
        assert_eq!(digest(&json!({"b": {}, "a": [1, "é\n"]})), format!("sha256:{expected}"));
    }
}
