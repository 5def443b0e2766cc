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
    in_body(&variant.form, value, At::Member(&At::Root, BODY), &mut places);
    places
}

fn in_body(form: &BodyForm, value: &Value, at: At<'_>, places: &mut Vec<String>) {
    match (form, value) {
        (BodyForm::Bytes, value) => note(value, at, places),
        (BodyForm::Multipart { fields }, Value::Object(members)) => {
            for (name, value) in members {
                if let Some(field) = fields.iter().find(|field| field.name == *name) {
                    in_part(&field.form, value, At::Member(&at, name), places);
                }
            }
        }
        (BodyForm::Parts { first, others }, Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                in_part(first.get(index).unwrap_or(others), item, At::Item(&at, index), places);
            }
        }
        _ => {}
    }
}

fn in_part(form: &FieldForm, value: &Value, at: At<'_>, places: &mut Vec<String>) {
    match (form, value) {
        (FieldForm::File(_), value) => note(value, at, places),
        (FieldForm::Nested(nested), Value::Array(items)) if !nested.takes_lists => {
            for (index, item) in items.iter().enumerate() {
                in_part(form, item, At::Item(&at, index), places);
            }
        }
        (FieldForm::Nested(nested), Value::Object(both)) if nested.part.is_wrapped => {
            if let Some(value) = both.get("value") {
                in_body(&nested.form, value, At::Member(&at, "value"), places);
            }
        }
        (FieldForm::Nested(nested), value) => in_body(&nested.form, value, at, places),
        _ => {}
    }
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
