//! What an operation answers: the schema of its success, and the `Accept` header that asks
//! for it (OpenAPI 3.1.1 §4.8.16; RFC 9110 §12.5.1).

use std::borrow::Cow;

use http::HeaderValue;
use serde_json::{Map, Value, json};
use tollbridge_operation::{DeclaredError, MOST_ERRORS, Schema};

use crate::binding::{Expected, Links};
use crate::document::{Document, Fault, Flavour, Pointer, Warnings};
use crate::schema::{Direction, Lifted, Schemas};
use crate::{links, media, swagger2, xml};

/// What is known of an operation's successes.
#[derive(Debug)]
pub(crate) struct Successes {
    pub(crate) output: Option<Schema>,
    pub(crate) accept: HeaderValue,
    pub(crate) expected: Expected,
    pub(crate) links: Links,
}

/// Reads the responses. Nothing in them can make an operation impossible to call, so what is
/// wrong with them is a warning.
pub(crate) fn successes<'d>(
    document: &'d Document,
    (schemas, xml): (&mut Schemas<'d>, &mut xml::Planner<'d>),
    targets: &links::Targets<'_>,
    operation_at: &Pointer,
    operation: &'d Value,
    warnings: &mut Warnings,
) -> Successes {
    let at = operation_at.child("responses");
    let mut contents: Vec<(Pointer, Cow<'d, Value>)> = Vec::new();
    let mut expected = Expected::default();
    let mut all_links = Links::default();
    for (status, response) in chosen(operation.get("responses")) {
        match document.resolve(at.child(status), response) {
            Ok((at, response)) => {
                let response = match document.flavour {
                    Flavour::Swagger2 => {
                        Cow::Owned(swagger2::response(document, operation, response))
                    }
                    _ => Cow::Borrowed(response),
                };
                expect(document, xml, &mut expected, status, &at, &response);
                let plans = links::of_response(document, targets, &at, &response, warnings);
                for name in links::headers(&plans) {
                    expected.keep(name.clone());
                }
                all_links.0.push((status.clone(), plans));
                contents.push((at, response));
            }
            Err(fault) => warnings.add(&fault.pointer, fault.reason),
        }
    }
    // A status of its own without links hides those of its range, unless there are none at all.
    if all_links.0.iter().all(|(_, plans)| plans.is_empty()) {
        all_links = Links::default();
    }
    let types = media_types(&contents);
    let accept = accept(&types);
    expected.has_json = types.iter().any(|essence| media::is_json(essence));
    let output = output(document, schemas, &contents, !expected.xml.is_empty(), warnings)
        .unwrap_or_else(|fault| {
            warnings.add(&fault.pointer, format!("{}; answers have no schema", fault.reason));
            None
        });
    Successes { output, accept, expected, links: all_links }
}

/// The errors that are declared: what is no success. What is wrong with one is no reason to warn,
/// since nothing depends on it.
pub(crate) fn errors(
    document: &Document,
    operation_at: &Pointer,
    operation: &Value,
) -> Vec<DeclaredError> {
    let responses = operation.get("responses");
    let is_success = |status: &String| chosen(responses).iter().any(|(known, _)| *known == status);
    let is_error =
        |status: &str| status == "default" || (status.len() == 3 && status.starts_with(['4', '5']));
    let at = operation_at.child("responses");
    let all = responses.and_then(Value::as_object).into_iter().flatten();
    all.filter(|(status, _)| is_error(status) && !is_success(status))
        .take(MOST_ERRORS)
        .map(|(status, response)| {
            let response = document.resolve(at.child(status), response).map(|(_, found)| found);
            let said = response.ok().and_then(|found| found.get("description"));
            DeclaredError::new(status, said.and_then(Value::as_str).unwrap_or_default())
        })
        .collect()
}

/// The most headers of an answer that are kept.
const MAX_HEADERS: usize = 32;

/// What one response says of how it is read.
fn expect(
    document: &Document,
    xml: &mut xml::Planner<'_>,
    expected: &mut Expected,
    status: &str,
    at: &Pointer,
    response: &Value,
) {
    let content = response.get("content").and_then(Value::as_object);
    for (name, entry) in content.into_iter().flatten() {
        let here = at.child("content").child(name);
        let Ok((here, entry)) = document.resolve(here, entry) else { continue };
        let essence = media::essence(name);
        if media::is_event_stream(&essence) {
            expected.has_events |= entry.get("itemSchema").is_some();
        }
        if media::is_xml(&essence)
            && expected.xml.iter().all(|(known, _)| known != status)
            && let Some(schema) = entry.get("schema")
        {
            let here = match document.flavour {
                Flavour::Swagger2 => at.child("schema"),
                _ => here.child("schema"),
            };
            if let Some(plan) = xml.read_as(&here, schema) {
                expected.xml.push((status.to_owned(), plan));
            }
        }
    }
    for name in response.get("headers").and_then(Value::as_object).into_iter().flatten() {
        if let Ok(name) = http::HeaderName::from_bytes(name.0.as_bytes())
            && !matches!(name.as_str(), "content-type" | "content-length")
        {
            expected.keep(name);
        }
    }
}

impl Expected {
    /// Keeps a header, unless it is what a session is made of, or there are too many.
    fn keep(&mut self, name: http::HeaderName) {
        let is_kept = self.headers.contains(&name) || name == http::header::SET_COOKIE;
        if !is_kept && self.headers.len() < MAX_HEADERS {
            self.headers.push(name);
        }
    }
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
    reads_xml: bool,
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
            Some(schema)
                if media::is_json(&essence)
                    || is_list
                    || essence == "*/*"
                    || (reads_xml && media::is_xml(&essence)) =>
            {
                let here = match document.flavour {
                    Flavour::Swagger2 => at.child("schema"),
                    _ if item.is_some() => here.child("itemSchema"),
                    _ => here.child("schema"),
                };
                let is_list = is_list && (item.is_some() || !is_array(document, &here, schema));
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
    Ok(Some(match schema {
        Value::Object(root) => schemas.answer(root, definitions),
        // A boolean schema has no room for definitions and needs none.
        other => Schema::new(other),
    }))
}

/// Whether a schema is one of a whole list: of a stream it is that of all items.
fn is_array(document: &Document, at: &Pointer, schema: &Value) -> bool {
    let resolved = document.resolve(at.clone(), schema);
    resolved.is_ok_and(|(_, schema)| schema.get("type").is_some_and(|kind| kind == "array"))
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
