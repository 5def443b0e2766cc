//! What an operation answers: the schema of its success, and the `Accept` header that asks
//! for it (OpenAPI 3.1.1 §4.8.16; RFC 9110 §12.5.1).

use std::borrow::Cow;

use http::HeaderValue;
use serde_json::{Map, Value, json};
use tollbridge_operation::Schema;

use crate::document::{Document, Fault, Flavour, Pointer, Warnings};
use crate::schema::{Direction, Lifted, Schemas};
use crate::{media, swagger2};

/// What is known of an operation's successes.
#[derive(Debug)]
pub(crate) struct Successes {
    pub(crate) output: Option<Schema>,
    pub(crate) accept: HeaderValue,
    pub(crate) has_json: bool,
}

/// Reads the responses. Nothing in them can make an operation impossible to call, so what is
/// wrong with them is a warning.
pub(crate) fn successes<'d>(
    document: &'d Document,
    schemas: &mut Schemas<'d>,
    operation_at: &Pointer,
    operation: &'d Value,
    warnings: &mut Warnings,
) -> Successes {
    let at = operation_at.child("responses");
    let mut contents: Vec<(Pointer, Cow<'d, Value>)> = Vec::new();
    for (status, response) in chosen(operation.get("responses")) {
        match document.resolve(at.child(status), response) {
            Ok((at, response)) => {
                let response = match document.flavour {
                    Flavour::Swagger2 => {
                        Cow::Owned(swagger2::response(document, operation, response))
                    }
                    _ => Cow::Borrowed(response),
                };
                contents.push((at, response));
            }
            Err(fault) => warnings.add(&fault.pointer, fault.reason),
        }
    }
    let types = media_types(&contents);
    let accept = accept(&types);
    let has_json = types.iter().any(|essence| media::is_json(essence));
    let output = output(document, schemas, &contents, warnings).unwrap_or_else(|fault| {
        warnings.add(&fault.pointer, format!("{}; answers have no schema", fault.reason));
        None
    });
    Successes { output, accept, has_json }
}

/// The 2xx responses, or the default one where there is none.
fn chosen(responses: Option<&Value>) -> Vec<(&String, &Value)> {
    let all = || responses.and_then(Value::as_object).into_iter().flatten();
    let mut successes: Vec<_> =
        all().filter(|(status, _)| status.len() == 3 && status.starts_with('2')).collect();
    if successes.is_empty() {
        successes = all().filter(|(status, _)| *status == "default").collect();
    }
    successes
}

fn media_types(contents: &[(Pointer, Cow<'_, Value>)]) -> Vec<String> {
    let mut types: Vec<String> = Vec::new();
    for (_, response) in contents {
        let content = response.get("content").and_then(Value::as_object);
        for name in content.into_iter().flatten().take(32) {
            let essence = media::essence(name.0);
            let valid = essence.split_once('/').is_some_and(|(kind, sub)| {
                let token = |part: &str| {
                    !part.is_empty()
                        && part
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&b))
                };
                token(kind) && token(sub)
            });
            if valid && !types.contains(&essence) {
                types.push(essence);
            }
        }
    }
    types
}

/// JSON first, then what was declared, then anything: a server that has only its errors to
/// offer should not answer 406.
fn accept(types: &[String]) -> HeaderValue {
    const MOST: usize = 8;
    let rank = |essence: &str| {
        if essence == "application/json" {
            0
        } else if media::is_json(essence) {
            1
        } else if media::is_event_stream(essence) || media::is_json_lines(essence) {
            3
        } else {
            2
        }
    };
    let mut types: Vec<&str> =
        types.iter().map(String::as_str).filter(|essence| *essence != "*/*").collect();
    types.sort_by_key(|essence| rank(essence));
    types.truncate(MOST);
    if types.is_empty() {
        types.push("application/json");
    }
    let mut text = types[0].to_owned();
    for essence in &types[1..] {
        text.push_str(", ");
        text.push_str(essence);
        text.push_str(";q=0.8");
    }
    text.push_str(", */*;q=0.1");
    HeaderValue::from_str(&text).expect("media types were checked to be tokens")
}

fn output<'d>(
    document: &'d Document,
    schemas: &mut Schemas<'d>,
    contents: &[(Pointer, Cow<'_, Value>)],
    warnings: &mut Warnings,
) -> Result<Option<Schema>, Fault> {
    let mut alternatives: Vec<Value> = Vec::new();
    let mut lifted: Vec<Lifted> = Vec::new();
    for (at, response) in contents {
        let Some(content) = response.get("content").and_then(Value::as_object) else { continue };
        let Some((name, entry)) = best(content) else { continue };
        let here = at.child("content").child(name);
        let (here, entry) = document.resolve(here, entry)?;
        let essence = media::essence(name);
        let is_list = media::is_json_lines(&essence) || media::is_event_stream(&essence);
        let item = entry.get("itemSchema").filter(|_| is_list);
        let schema = match item.or_else(|| entry.get("schema")) {
            Some(schema) if media::is_json(&essence) || is_list || essence == "*/*" => {
                let here = match document.flavour {
                    Flavour::Swagger2 => at.child("schema"),
                    _ => here.child("schema"),
                };
                let one = schemas.lift(&here, schema, Direction::Output, warnings)?;
                let schema = one.schema.clone();
                lifted.push(one);
                if is_list { json!({"type": "array", "items": schema}) } else { schema }
            }
            _ if media::is_text(&essence) => json!({"type": "string"}),
            _ => continue,
        };
        if !alternatives.contains(&schema) {
            alternatives.push(schema);
        }
    }
    let schema = match alternatives.len() {
        0 => return Ok(None),
        1 => alternatives.remove(0),
        _ => json!({"anyOf": alternatives}),
    };
    let definitions = schemas.definitions(&lifted, Direction::Output, warnings)?;
    let mut root = match schema {
        Value::Object(root) => root,
        // A boolean schema has no room for definitions and needs none.
        other => return Ok(Some(Schema::new(other))),
    };
    if !definitions.is_empty() {
        root.insert("$defs".to_owned(), Value::Object(definitions));
    }
    Ok(Some(Schema::new(Value::Object(root))))
}

fn best(content: &Map<String, Value>) -> Option<(&String, &Value)> {
    let rank = |name: &str| {
        let essence = media::essence(name);
        if media::is_json(&essence) {
            0
        } else if essence == "*/*" {
            1
        } else if media::is_json_lines(&essence) || media::is_event_stream(&essence) {
            2
        } else if media::is_text(&essence) {
            3
        } else {
            4
        }
    };
    content.iter().min_by_key(|(name, _)| rank(name))
}
