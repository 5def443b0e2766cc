//! Files that arguments name by a path instead of holding them.
//!
//! A binding reads nothing: it says where such files stand, and whoever carries out the call puts
//! their bytes there before the request is built.

use serde_json::Value;
use tollbridge_operation::Arguments;

use super::encode::{self, BODY};
use super::{At, BodyForm, FieldForm, RestBinding};

/// The member that names a file.
const PATH: &str = "path";

/// The places of files that are named, as JSON pointers into the arguments.
pub(super) fn named(binding: &RestBinding, arguments: &Arguments) -> Vec<String> {
    let mut places = Vec::new();
    let plan = binding.body.as_ref().filter(|_| binding.takes_paths);
    let (Some(plan), Some(value)) = (plan, arguments.get(BODY)) else { return places };
    let Some(variant) = encode::chosen(plan, arguments) else { return places };
    let body = At::Member(&At::Root, BODY);
    match (&variant.form, value) {
        (BodyForm::Bytes, value) => note(value, body, &mut places),
        (BodyForm::Multipart { fields }, Value::Object(members)) => {
            for (name, value) in members {
                let field = fields.iter().find(|field| field.name == *name);
                if matches!(field.map(|field| &field.form), Some(FieldForm::File(_))) {
                    note(value, At::Member(&body, name), &mut places);
                }
            }
        }
        (BodyForm::Parts { first, others }, Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                if matches!(first.get(index).unwrap_or(others), FieldForm::File(_)) {
                    note(item, At::Item(&body, index), &mut places);
                }
            }
        }
        _ => {}
    }
    places
}

/// Notes a file, or those of a list.
fn note(value: &Value, at: At<'_>, places: &mut Vec<String>) {
    match value {
        Value::Object(file) if file.contains_key(PATH) => places.push(at.pointer()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                note(item, At::Item(&at, index), places);
            }
        }
        _ => {}
    }
}
