//! Small documents, and what the tests ask of them.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use tollbridge_openapi::{ReadError, ReadOptions, read};
use tollbridge_operation::{
    Answer, ApiName, Arguments, Description, EncodeError, Operation, Request, Response,
};
use url::Url;

pub(crate) fn try_read(document: &str) -> Result<Description, ReadError> {
    let api = ApiName::new("api").unwrap();
    read(document.as_bytes(), &ReadOptions { api: &api, source: None })
}

pub(crate) fn description(document: &str) -> Description {
    try_read(document).unwrap()
}

pub(crate) fn description_from(document: &str, source: &str) -> Description {
    let api = ApiName::new("api").unwrap();
    let source = Url::parse(source).unwrap();
    read(document.as_bytes(), &ReadOptions { api: &api, source: Some(&source) }).unwrap()
}

/// The only operation of a document.
pub(crate) fn only(document: &str) -> Operation {
    let mut description = description(document);
    assert_eq!(description.skipped, [], "nothing is skipped");
    assert_eq!(description.operations.len(), 1);
    description.operations.remove(0)
}

/// A 3.1 document with one operation, `method path`, from its YAML body.
pub(crate) fn operation(method: &str, path: &str, body: &Value) -> Operation {
    only(&document("3.1.0", method, path, body))
}

pub(crate) fn document(version: &str, method: &str, path: &str, body: &Value) -> String {
    json!({
        "openapi": version,
        "info": {"title": "t", "version": "1"},
        "paths": {path: {method: body}}
    })
    .to_string()
}

/// An operation with one parameter.
pub(crate) fn with_parameter(path: &str, parameter: &Value) -> Operation {
    operation("get", path, &json!({"parameters": [parameter], "responses": {}}))
}

pub(crate) fn arguments(value: &Value) -> Arguments {
    Arguments(value.as_object().unwrap().clone())
}

pub(crate) fn try_encode(operation: &Operation, value: &Value) -> Result<Request, EncodeError> {
    operation.binding.encode(&arguments(value))
}

pub(crate) fn encode(operation: &Operation, value: &Value) -> Request {
    try_encode(operation, value).unwrap()
}

/// The body of a request as text, with its content type.
pub(crate) fn body(operation: &Operation, value: &Value) -> (String, String) {
    let body = encode(operation, value).body.unwrap();
    (
        body.content_type.to_str().unwrap().to_owned(),
        String::from_utf8(body.bytes.to_vec()).unwrap(),
    )
}

pub(crate) fn answer(
    operation: &Operation,
    status: u16,
    content_type: Option<&str>,
    body: &[u8],
) -> Answer {
    let mut headers = HeaderMap::new();
    if let Some(content_type) = content_type {
        headers.insert("content-type", HeaderValue::from_str(content_type).unwrap());
    }
    operation.binding.decode(&Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: Bytes::copy_from_slice(body),
    })
}

/// A description without its bindings, for snapshots.
pub(crate) fn shown(description: &Description) -> String {
    let operations: Vec<Value> = description
        .operations
        .iter()
        .map(|operation| {
            json!({
                "id": operation.id.to_string(),
                "endpoint": operation.endpoint,
                "summary": operation.summary,
                "description": operation.description,
                "tags": operation.tags,
                "deprecated": operation.deprecated,
                "effect": operation.effect,
                "idempotent": operation.idempotent,
                "input": operation.input,
                "output": operation.output,
                "security": operation.security,
                "servers": operation.servers,
            })
        })
        .collect();
    let skipped: Vec<String> = description
        .skipped
        .iter()
        .map(|skipped| format!("{} at {}: {}", skipped.key, skipped.pointer, skipped.reason))
        .collect();
    let warnings: Vec<String> = description
        .warnings
        .iter()
        .map(|warning| format!("{}: {}", warning.pointer, warning.message))
        .collect();
    let shown = json!({
        "title": description.title,
        "version": description.version,
        "format": description.format,
        "operations": operations,
        "skipped": skipped,
        "warnings": warnings,
    });
    serde_json::to_string_pretty(&shown).unwrap()
}
