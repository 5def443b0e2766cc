//! All that one needs to call an operation, in few tokens.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tollbridge_operation::{DeclaredError, MOST_ERRORS, Operation, Schema};

use crate::example::example;
use crate::notation::{Style, Writer, definitions, json_text, one_line, written_name};

/// The most characters of an operation's own texts.
const LONGEST_TEXT: usize = 600;

/// The most characters of what is said of an argument: as many as leave the types below
/// [`SHARE`] per cent of their JSON Schema, in bytes, which is half of its tokens.
const LONGEST_SAID: [usize; 6] = [120, 80, 60, 40, 25, 0];
const SHARE: usize = 45;

/// The most characters of an error's code, and of what is said of it.
const LONGEST_CODE: usize = 40;
const LONGEST_ERROR: usize = 80;

/// The most characters of a name, a path and a tag.
const LONGEST_NAME: usize = 200;

/// Describes an operation: its id, place and effect, its texts as comments, its arguments and its
/// answer as types (see the [notation](crate::parse)), the errors that it declares, and an example of
/// its arguments.
///
/// ```text
/// shop/getOrder GET /orders/{order_id} read
/// // One order.
/// arguments exact {order_id: string(1..40)}
/// returns Order
/// type Order = {id: string, lines: Line[]}
/// type Line = {sku: string, count: integer(1..)}
/// errors 404 There is no such order; default A problem
/// example {"order_id":"string"}
/// ```
///
/// Types that are declared before `returns` are the arguments', those after it the answer's, which
/// may use the former. Every constraint of the arguments is there.
pub fn describe(operation: &Operation) -> String {
    let mut out = head(operation);
    for text in [&operation.summary, &operation.description].into_iter().flatten() {
        let text = one_line(text, LONGEST_TEXT);
        if !text.is_empty() {
            let _ = write!(out, "\n// {text}");
        }
    }
    out.push('\n');
    out.push_str(&types(operation));
    out.push_str(&errors(operation));
    if operation.input.properties().is_some_and(|properties| !properties.is_empty()) {
        let _ = write!(out, "\nexample {}", json_text(&example(&operation.input)));
    }
    out
}

/// The arguments and the answer of an operation, as types: the part of [`describe`] that its JSON
/// Schemas would say.
pub fn types(operation: &Operation) -> String {
    let length = |schema: &Schema| schema.to_value().to_string().len();
    let whole = length(&operation.input) + operation.output.as_ref().map_or(0, length);
    let mut shortest = String::new();
    for said in LONGEST_SAID {
        shortest = types_with(operation, &Writer { style: Style { said } });
        if shortest.len() * 100 <= whole * SHARE {
            break;
        }
    }
    shortest
}

fn types_with(operation: &Operation, writer: &Writer) -> String {
    let mut out = format!("arguments {}", writer.whole(operation.input.root()));
    let mut declared = BTreeMap::new();
    for (name, schema) in definitions(&operation.input) {
        let declaration = writer.declaration(name, schema);
        let _ = write!(out, "\n{declaration}");
        declared.insert(name, declaration);
    }
    if let Some(output) = &operation.output {
        let _ = write!(out, "\nreturns {}", writer.whole(output.root()));
        for (name, schema) in definitions(output) {
            let declaration = writer.declaration(name, schema);
            if declared.get(name) != Some(&declaration) {
                let _ = write!(out, "\n{declaration}");
            }
        }
    }
    out
}

/// The errors that are declared, on one line.
fn errors(operation: &Operation) -> String {
    let one = |error: &DeclaredError| {
        let code = one_line(&error.code, LONGEST_CODE).replace([';', ' '], "_");
        // What separates two errors stands in none.
        let said = one_line(&error.said, LONGEST_ERROR).replace(';', ",");
        if said.is_empty() { code } else { format!("{code} {said}") }
    };
    let all: Vec<String> = operation.errors.iter().take(MOST_ERRORS).map(one).collect();
    if all.is_empty() { String::new() } else { format!("\nerrors {}", all.join("; ")) }
}

/// The first line: nothing in it is more than a word of a stranger's.
fn head(operation: &Operation) -> String {
    let mut out = id(operation);
    if let Some(endpoint) = &operation.endpoint {
        let path = one_line(&endpoint.path, LONGEST_NAME).replace(' ', "%20");
        let _ = write!(out, " {} {path}", one_line(&endpoint.method, 20));
    }
    let _ = write!(out, " {}", operation.effect.as_str());
    if operation.deprecated {
        out.push_str(" deprecated");
    }
    out
}

/// An operation's id, `api/key`. A key that is not plain is a JSON string, and one that is longer
/// than any honest one is cut, so that nothing can be called by it.
pub fn id(operation: &Operation) -> String {
    let key = operation.id.key.as_str();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:{}~@+$".contains(c);
    if key.len() > LONGEST_NAME {
        return format!("{}/{}", operation.id.api, one_line(key, LONGEST_NAME / 2));
    }
    let key = if key.chars().all(is_plain) { key.to_owned() } else { written_name(key) };
    format!("{}/{key}", operation.id.api)
}
