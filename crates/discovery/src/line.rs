//! An operation in one line, for lists of results.

use std::fmt::Write as _;

use serde_json::Value;
use tollbridge_operation::{Operation, Schema};

use crate::describe::id;
use crate::notation::{definitions, json_text, one_line, written_name};

/// The longest line, in bytes. Of what strangers write, a token is about three bytes and more, so
/// that ten lines stay below six hundred tokens.
pub const LONGEST_LINE: usize = 170;

/// How much of it may be arguments.
const LONGEST_ARGUMENTS: usize = 80;

/// The most characters of a note.
const LONGEST_NOTE: usize = 40;

/// Writes an operation in one line: its id, its arguments with the types of those that are
/// required, its effect, and as much of its summary as fits.
///
/// ```text
/// shop/listRefunds(order_id: string, limit?, +2) read: Refunds of an order
/// ```
pub fn line(operation: &Operation) -> String {
    line_with(operation, "")
}

/// The same with a note behind the effect, such as `held` or a price: words of whoever serves the
/// list, not of a description. The summary leaves it its room.
pub fn line_with(operation: &Operation, note: &str) -> String {
    let mut line = id(operation);
    line.push('(');
    let start = line.len();
    let properties = operation.input.properties();
    let required = operation.input.root().get("required").and_then(Value::as_array);
    let is_required =
        |name: &str| required.is_some_and(|all| all.iter().any(|one| one.as_str() == Some(name)));
    let all: Vec<(&String, &Value)> = properties.into_iter().flatten().collect();
    let (first, then): (Vec<_>, Vec<_>) = all.into_iter().partition(|(name, _)| is_required(name));
    let count = first.len() + then.len();
    let written = first
        .into_iter()
        .map(|(name, schema)| {
            let schema = resolved(schema, &operation.input);
            format!("{}: {}", written_name(name), kind(schema))
        })
        .chain(then.into_iter().map(|(name, _)| format!("{}?", written_name(name))));
    for (at, argument) in written.enumerate() {
        if line.len() - start + argument.len() > LONGEST_ARGUMENTS {
            let _ = write!(line, "{}+{}", if at > 0 { ", " } else { "" }, count - at);
            break;
        }
        if at > 0 {
            line.push_str(", ");
        }
        line.push_str(&argument);
    }
    line.push_str(") ");
    line.push_str(operation.effect.as_str());
    if operation.deprecated {
        line.push_str(" deprecated");
    }
    let note = one_line(note, LONGEST_NOTE);
    if !note.is_empty() {
        let _ = write!(line, " [{note}]");
    }
    let text = operation.summary.as_deref().filter(|text| !text.trim().is_empty());
    let text = text.or(operation.description.as_deref()).unwrap_or_default();
    let mut room = LONGEST_LINE.saturating_sub(line.len() + 2);
    // Bytes of a script that needs three a character count as what they are.
    let mut said = one_line(text, room);
    while said.len() > room + '…'.len_utf8() && room > 0 {
        room = room * 2 / 3;
        said = one_line(text, room);
    }
    if room > 8 && !said.is_empty() {
        line.push_str(": ");
        line.push_str(&said);
    }
    line
}

/// What a reference leads to, where it is one.
fn resolved<'a>(schema: &'a Value, input: &'a Schema) -> &'a Value {
    let mut schema = schema;
    for _ in 0..8 {
        let target = schema.get("$ref").and_then(Value::as_str);
        let name = target.and_then(|target| target.strip_prefix("#/$defs/"));
        let Some(name) = name.map(|name| name.replace("~1", "/").replace("~0", "~")) else { break };
        let mut all = definitions(input);
        match all.find(|(known, _)| *known == name) {
            Some((_, found)) => schema = found,
            None => break,
        }
    }
    schema
}

/// A type in a word or two.
fn kind(schema: &Value) -> String {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let text = values.iter().take(4).map(json_text).collect::<Vec<_>>().join("|");
        if values.len() <= 4 && text.len() <= 40 {
            return text;
        }
    }
    let of = |schema: &Value| match schema.get("type") {
        Some(Value::String(one)) if one.len() <= 10 => one.clone(),
        _ => "any".to_owned(),
    };
    match of(schema).as_str() {
        "array" => format!("{}[]", schema.get("items").map_or("any".to_owned(), of)),
        "object" => "{…}".to_owned(),
        "any" if ["$ref", "properties", "allOf"].iter().any(|one| schema.get(one).is_some()) => {
            "{…}".to_owned()
        }
        one => one.to_owned(),
    }
}
