//! The JSON Schemas of an operation's arguments and of its answer.
//!
//! Operations of one service reach the same types: what their schemas have in common is kept
//! once.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tollbridge_operation::{Definition, Definitions, Schema};

use crate::message::{Message, Shape, wrapped};
use crate::plan::{Element, Members, SchemaWriter, Types};
use crate::xsd::simple::Direction;

/// The definitions that were written so far.
#[derive(Debug, Default)]
pub(super) struct Shared {
    known: HashMap<String, Vec<Definition>>,
    /// Whole lists of them, by the places of their schemas.
    lists: HashMap<Vec<usize>, Definitions>,
}

impl Shared {
    fn schema(&mut self, root: Map<String, Value>, definitions: Map<String, Value>) -> Schema {
        let list: Vec<Definition> =
            definitions.into_iter().map(|(name, schema)| self.definition(name, schema)).collect();
        let places = list.iter().map(|one| Arc::as_ptr(&one.schema).addr()).collect();
        let list = self.lists.entry(places).or_insert_with(|| list.into());
        Schema::with_definitions(root, Arc::clone(list))
    }

    fn definition(&mut self, name: String, schema: Value) -> Definition {
        let label = name.as_str().into();
        let known = self.known.entry(name).or_default();
        if let Some(one) = known.iter().find(|one| *one.schema == schema) {
            return one.clone();
        }
        let one = Definition { name: label, schema: Arc::new(schema) };
        known.push(one.clone());
        one
    }
}

/// The arguments: one property each, and `headers`.
pub(super) fn input(
    types: &Types,
    message: &Message,
    headers: &[Arc<Element>],
    shared: &mut Shared,
) -> Schema {
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
    shared.schema(members.into_object(), writer.definitions())
}

/// The answer: a lone simple value as it is, else an object.
pub(super) fn output(types: &Types, message: &Message, shared: &mut Shared) -> Schema {
    let mut writer = SchemaWriter::new(types, Direction::Output);
    if let Shape::Bare(elements) | Shape::Rpc { parts: elements, .. } = &message.body
        && let [one] = elements.as_slice()
        && types.is_plain(one.ty)
        && message.attached.is_empty()
    {
        return match writer.element(one, false) {
            Value::Object(root) => shared.schema(root, writer.definitions()),
            other => Schema::new(other),
        };
    }
    let members = body(types, message, &mut writer);
    shared.schema(members.into_object(), writer.definitions())
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
    for attached in &message.attached {
        let media_types = attached.media_types.join(", ");
        let of = if media_types.is_empty() { String::new() } else { format!(" ({media_types})") };
        let schema = if attached.is_text {
            json!({"type": "string", "description": format!("Text beside the message{of}.")})
        } else {
            json!({
                "type": "string",
                "contentEncoding": "base64",
                "description": format!("Expected: bytes in base64, which go beside the message{of}."),
            })
        };
        members.required.push(attached.key());
        members.properties.insert(attached.key(), schema);
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
