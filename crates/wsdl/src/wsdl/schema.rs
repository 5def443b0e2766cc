//! The JSON Schemas of an operation's arguments and of its answer.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::message::{Message, Shape, wrapped};
use crate::plan::{Element, Members, SchemaWriter, Types};
use crate::xsd::simple::Direction;

/// The arguments: one property each, and `headers`.
pub(super) fn input(types: &Types, message: &Message, headers: &[Arc<Element>]) -> Value {
    let mut writer = SchemaWriter::new(types, Direction::Input);
    let mut members = body(types, message, &mut writer);
    if !headers.is_empty() {
        let mut blocks = Members::default();
        for header in headers {
            let schema = writer.element(header, false);
            blocks.properties.insert(header.key().to_owned(), schema);
        }
        members.properties.insert("headers".into(), Value::Object(blocks.into_object()));
    }
    finish(members, writer)
}

/// The answer: a lone simple value as it is, else an object.
pub(super) fn output(types: &Types, message: &Message) -> Value {
    let mut writer = SchemaWriter::new(types, Direction::Output);
    if let Shape::Bare(elements) | Shape::Rpc { parts: elements, .. } = &message.body
        && let [one] = elements.as_slice()
        && types.is_plain(one.ty)
    {
        let mut schema = writer.element(one, false);
        let definitions = writer.definitions();
        if !definitions.is_empty() {
            schema["$defs"] = Value::Object(definitions);
        }
        return schema;
    }
    let members = body(types, message, &mut writer);
    finish(members, writer)
}

fn finish(members: Members, writer: SchemaWriter<'_>) -> Value {
    let mut root = members.into_object();
    let definitions = writer.definitions();
    if !definitions.is_empty() {
        root.insert("$defs".into(), Value::Object(definitions));
    }
    Value::Object(root)
}

fn body(types: &Types, message: &Message, writer: &mut SchemaWriter<'_>) -> Members {
    let mut members = Members::default();
    match &message.body {
        Shape::Wrapped(element) => {
            if let Some(complex) = wrapped(types, element) {
                writer.complex(complex, &mut members);
            }
        }
        Shape::Bare(elements) | Shape::Rpc { parts: elements, .. } => {
            for element in elements {
                let schema = writer.element(element, false);
                members.required.push(element.key().to_owned());
                members.properties.insert(element.key().to_owned(), schema);
            }
        }
    }
    let named = |key: String| message.names.argument(&key).to_owned();
    let properties: Map<String, Value> =
        members.properties.into_iter().map(|(key, schema)| (named(key), schema)).collect();
    members.properties = properties;
    members.required = members.required.into_iter().map(named).collect();
    if members.properties.is_empty() {
        return Members::default();
    }
    members
}
