//! What a person changes in a held call's arguments before they approve it.
//!
//! They see arguments without what must not be seen, so what is kept is what they changed and
//! not what they saw: places (RFC 6901) with their new values. The agent's repeat brings the
//! arguments whole, and the changes are made in them. Whether the outcome fits the tool and keeps
//! its limits is not looked at here.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// Where: a JSON pointer into the arguments.
    pub at: String,
    /// The value from now on; without one the member is left out.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "whatever")]
    pub value: Option<Value>,
}

/// A value that is there, null too.
fn whatever<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

/// What makes of the first arguments the second ones: at the deepest places that differ. Lists of
/// other lengths differ as wholes.
pub fn between(shown: &Map<String, Value>, wanted: &Map<String, Value>) -> Vec<Edit> {
    let mut edits = Vec::new();
    members(&mut edits, "", shown, wanted);
    edits
}

fn members(edits: &mut Vec<Edit>, at: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
    for (name, value) in old {
        let place = format!("{at}/{}", escape(name));
        match new.get(name) {
            Some(wanted) => values(edits, place, value, wanted),
            None => edits.push(Edit { at: place, value: None }),
        }
    }
    for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        edits.push(Edit { at: format!("{at}/{}", escape(name)), value: Some(value.clone()) });
    }
}

fn values(edits: &mut Vec<Edit>, at: String, old: &Value, new: &Value) {
    match (old, new) {
        _ if old == new => {}
        (Value::Object(old), Value::Object(new)) => members(edits, &at, old, new),
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                values(edits, format!("{at}/{index}"), old, new);
            }
        }
        _ => edits.push(Edit { at, value: Some(new.clone()) }),
    }
}

/// Makes the changes, or says in words which one cannot be made.
pub fn apply(arguments: &mut Map<String, Value>, edits: &[Edit]) -> Result<(), String> {
    let mut whole = Value::Object(std::mem::take(arguments));
    let done = edits.iter().try_for_each(|edit| change(&mut whole, edit));
    if let Value::Object(changed) = whole {
        *arguments = changed;
    }
    done
}

fn change(whole: &mut Value, edit: &Edit) -> Result<(), String> {
    let nowhere = || format!("there is no place `{}` in the arguments", edit.at);
    let (parent, name) = edit.at.rsplit_once('/').ok_or_else(nowhere)?;
    let name = unescape(name);
    match (whole.pointer_mut(parent), edit.value.clone()) {
        (Some(Value::Object(members)), Some(value)) => {
            members.insert(name, value);
            Ok(())
        }
        (Some(Value::Object(members)), None) => {
            members.shift_remove(&name).map(drop).ok_or_else(nowhere)
        }
        (Some(Value::Array(items)), Some(value)) => {
            let item = name.parse().ok().and_then(|index: usize| items.get_mut(index));
            *item.ok_or_else(nowhere)? = value;
            Ok(())
        }
        _ => Err(nowhere()),
    }
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(members) => members,
            other => panic!("no object: {other}"),
        }
    }

    #[test]
    fn only_what_differs_is_a_change_and_it_is_made_in_other_arguments_too() {
        let shown =
            object(json!({"id": "a", "body": {"card": "[redacted]", "amount": 900, "x": 1}}));
        let wanted =
            object(json!({"id": "a", "body": {"card": "[redacted]", "amount": 90}, "n": null}));
        let edits = between(&shown, &wanted);
        let text = serde_json::to_string(&edits).expect("JSON");
        assert_eq!(
            text,
            r#"[{"at":"/body/amount","value":90},{"at":"/body/x"},{"at":"/n","value":null}]"#
        );
        let read: Vec<Edit> = serde_json::from_str(&text).expect("edits");
        assert_eq!(read, edits);
        let mut whole = object(json!({"id": "a", "body": {"card": "4111", "amount": 900, "x": 1}}));
        apply(&mut whole, &edits).expect("they fit");
        assert_eq!(
            Value::Object(whole),
            json!({"id": "a", "body": {"card": "4111", "amount": 90}, "n": null})
        );
    }

    #[test]
    fn a_change_without_a_place_is_told() {
        for at in ["", "a", "/a/b", "/list/2", "/list/x", "/gone"] {
            let mut arguments = object(json!({"a": 1, "list": [1, 2]}));
            let value = (at != "/gone").then_some(json!(0));
            let edits = [Edit { at: at.to_owned(), value }];
            let told = apply(&mut arguments, &edits).expect_err(at);
            assert!(told.contains(&format!("`{at}`")), "{told}");
            assert_eq!(Value::Object(arguments), json!({"a": 1, "list": [1, 2]}));
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i8>().prop_map(Value::from),
            "[a~/]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::vec(("[ab~/]{0,2}", inner), 0..3)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_between_two_makes_one_of_the_other(a in value(), b in value()) {
            let mut old = object(json!({"v": a}));
            let new = object(json!({"v": b}));
            let edits = between(&old, &new);
            apply(&mut old, &edits).expect("they were made of these");
            prop_assert_eq!(old, new);
        }
    }
}
