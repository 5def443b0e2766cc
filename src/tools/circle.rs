//! Schemas that refer to themselves in place: `{"anyOf": [{"$ref": "#"}]}`.
//!
//! Such a schema asks of a value what it asks of the same value again, without end (JSON
//! Schema core 2020-12 §9.4.1 says that it should not be). A validator may end it by
//! remembering where it is, but what `unevaluatedProperties` and `unevaluatedItems` collect
//! goes around for ever, and takes the process with it. Descriptions are input from strangers,
//! so the two together are looked for before anything is judged.

use std::collections::HashSet;

use serde_json::Value;

/// Keywords whose schemas see the value that their own schema sees (§10.2, §8.2.3).
const LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const SINGLE: [&str; 4] = ["not", "if", "then", "else"];
const REFERENCES: [&str; 2] = ["$ref", "$dynamicRef"];

/// Whether judging by the schema might not end.
pub(super) fn is_endless(root: &Value) -> bool {
    let (targets, unevaluated) = survey(root);
    unevaluated && has_circle(root, &targets)
}

/// All that references lead to, and whether anything is asked of what was not evaluated.
fn survey(root: &Value) -> (Vec<&Value>, bool) {
    let mut targets = Vec::new();
    let mut unevaluated = false;
    let mut next = vec![root];
    while let Some(value) = next.pop() {
        match value {
            Value::Object(object) => {
                unevaluated |= object.contains_key("unevaluatedProperties")
                    || object.contains_key("unevaluatedItems");
                targets.extend(references(root, value));
                next.extend(object.values());
            }
            Value::Array(items) => next.extend(items),
            _ => {}
        }
    }
    (targets, unevaluated)
}

fn references<'s>(root: &'s Value, schema: &'s Value) -> impl Iterator<Item = &'s Value> {
    REFERENCES.iter().filter_map(move |keyword| {
        let fragment = schema.get(keyword)?.as_str()?.strip_prefix('#')?;
        root.pointer(fragment)
    })
}

/// The schemas that see the same value.
fn in_place<'s>(root: &'s Value, schema: &'s Value) -> Vec<&'s Value> {
    let mut found: Vec<&Value> = references(root, schema).collect();
    for keyword in LISTS {
        found.extend(schema.get(keyword).and_then(Value::as_array).into_iter().flatten());
    }
    found.extend(SINGLE.iter().filter_map(|keyword| schema.get(keyword)));
    let dependent = schema.get("dependentSchemas").and_then(Value::as_object);
    found.extend(dependent.into_iter().flat_map(serde_json::Map::values));
    found
}

/// A circle passes through something that is referred to. Depth first, without recursion: a
/// schema may be as deep as its document.
fn has_circle<'s>(root: &'s Value, starts: &[&'s Value]) -> bool {
    enum Step<'s> {
        Into(&'s Value),
        OutOf(*const Value),
    }
    let mut open: HashSet<*const Value> = HashSet::new();
    let mut done: HashSet<*const Value> = HashSet::new();
    let mut steps: Vec<Step<'_>> = starts.iter().map(|start| Step::Into(start)).collect();
    while let Some(step) = steps.pop() {
        match step {
            Step::OutOf(schema) => {
                open.remove(&schema);
                done.insert(schema);
            }
            Step::Into(schema) => {
                let place = std::ptr::from_ref(schema);
                if done.contains(&place) {
                    continue;
                }
                if !open.insert(place) {
                    return true;
                }
                steps.push(Step::OutOf(place));
                steps.extend(in_place(root, schema).into_iter().map(Step::Into));
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::judge::Judge;

    #[test]
    fn a_circle_in_place_beside_what_is_not_evaluated_is_endless() {
        for schema in [
            json!({"$ref": "#", "unevaluatedProperties": false}),
            json!({"anyOf": [{"$ref": "#/$defs/B"}], "unevaluatedItems": false,
                "$defs": {"B": {"oneOf": [{"if": {"$ref": "#/$defs/B"}}]}}}),
            json!({"properties": {"a": {"$ref": "#/$defs/A", "unevaluatedProperties": false}},
                "$defs": {"A": {"allOf": [{"$ref": "#/$defs/B"}]}, "B": {"not": {"$ref": "#/$defs/A"}}}}),
        ] {
            assert!(is_endless(&schema), "{schema}");
        }
    }

    #[test]
    fn recursion_through_members_and_items_ends() {
        for schema in [
            json!({"properties": {"child": {"$ref": "#"}}, "unevaluatedProperties": false}),
            json!({"items": {"$ref": "#"}, "unevaluatedItems": false}),
            json!({"allOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/A"}],
                "unevaluatedProperties": false, "$defs": {"A": {"type": "object"}}}),
        ] {
            assert!(!is_endless(&schema), "{schema}");
        }
    }

    #[test]
    fn a_circle_that_nothing_collects_from_is_ended_by_the_validator() {
        for circle in [
            json!({"anyOf": [{"$ref": "#"}, {"type": "string"}]}),
            json!({"allOf": [{"$ref": "#/$defs/A"}],
                "$defs": {"A": {"oneOf": [{"$ref": "#/$defs/B"}]}, "B": {"not": {"$ref": "#/$defs/A"}}}}),
        ] {
            assert!(!is_endless(&circle));
            let judge = Judge::new(&circle).expect("it compiles");
            for value in [json!(1), json!("a"), json!({"a": [1]})] {
                let _ = (judge.accepts(&value), judge.errors(&value).count());
            }
        }
    }

    #[test]
    fn an_endless_schema_is_refused_and_never_run() {
        let schema = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}},
            "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}], "unevaluatedProperties": false}}});
        assert!(Judge::new(&schema).is_err());
    }
}
