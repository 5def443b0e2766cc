//! The one argument that asks for a page, read and replaced.

use serde_json::{Map, Value};
use tollbridge_operation::Arguments;

use crate::tools::pointer::{ArgumentPointer, Step};

/// What the argument is.
pub(super) fn get<'a>(arguments: &'a Arguments, pointer: &ArgumentPointer) -> Option<&'a Value> {
    let (first, rest) = pointer.steps().split_first()?;
    let Step::Name(first) = first else { return None };
    rest.iter().try_fold(arguments.get(first)?, |value, step| match step {
        Step::Name(name) => value.get(name),
        Step::Items => None,
    })
}

/// What the argument is, where it is a whole number, also one in a text.
pub(super) fn number(arguments: &Arguments, pointer: &ArgumentPointer) -> Option<u64> {
    match get(arguments, pointer)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The arguments with another value there; `None` where what is above it holds none.
pub(super) fn with(
    arguments: &Arguments,
    pointer: &ArgumentPointer,
    value: Value,
) -> Option<Arguments> {
    let mut changed = arguments.clone();
    let (last, above) = pointer.steps().split_last()?;
    let mut object: &mut Map<String, Value> = &mut changed.0;
    for step in above {
        let Step::Name(name) = step else { return None };
        let inner = object.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
        object = inner.as_object_mut()?;
    }
    let Step::Name(name) = last else { return None };
    // An argument that was given as text stays one.
    let text = matches!(object.get(name), Some(Value::String(_)));
    let value = match value {
        Value::Number(number) if text => Value::String(number.to_string()),
        value => value,
    };
    object.insert(name.clone(), value);
    Some(changed)
}
