//! What goes over the wire, for judges: one line of JSON in, one line of JSON out.
//!
//! ```text
//! {"load": TEXT}                       {"operations": [{"id", "input"}…], "skipped": […], "warnings": […]}
//! {"encode": ID, "arguments": {…}}     {"method", "path", "query", "headers": […], "cookies": […], "content_type", "body": BASE64}
//! {"decode": ID, "content_type": TYPE, "body": BASE64}     {"value"}, or {"refused"}
//! ```
//!
//! Whatever cannot be done is `{"refused": WHY}`, for arguments with the `pointer` to where.
//! `load` replaces what was loaded before.

use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tollbridge_openapi::{ReadOptions, read};
use tollbridge_operation::{
    Answer, ApiName, Arguments, Description, Operation, Payload, Request, Response,
};

fn main() -> Result<(), Box<dyn Error>> {
    let api = ApiName::new("judged")?;
    let mut loaded: Option<Description> = None;
    for line in stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line?)?;
        let text = |key: &str| asked.get(key).and_then(Value::as_str);
        let operation = |id: &str| {
            let known = loaded.iter().flat_map(|description| &description.operations);
            known.into_iter().find(|operation| operation.id.key.as_str() == id)
        };
        let said = if let Some(document) = text("load") {
            match read(document.as_bytes(), &ReadOptions { api: &api, source: None }) {
                Ok(description) => {
                    let said = contents(&description);
                    loaded = Some(description);
                    said
                }
                Err(error) => json!({"refused": error.to_string()}),
            }
        } else if let Some(operation) = text("encode").and_then(operation) {
            encode(operation, asked.get("arguments"))
        } else if let Some(operation) = text("decode").and_then(operation) {
            let body = STANDARD.decode(text("body").unwrap_or_default())?;
            decode(operation, body, text("content_type"))
        } else {
            json!({"refused": "expected `load`, or `encode` or `decode` of a loaded operation"})
        };
        let mut out = stdout().lock();
        writeln!(out, "{said}")?;
        out.flush()?;
    }
    Ok(())
}

fn contents(description: &Description) -> Value {
    let operations = description.operations.iter().map(
        |operation| json!({"id": operation.id.key.as_str(), "input": operation.input.to_value()}),
    );
    let skipped = description.skipped.iter().map(|one| one.reason.as_str());
    let warnings = description.warnings.iter().map(|one| one.message.as_str());
    json!({
        "operations": operations.collect::<Vec<_>>(),
        "skipped": skipped.collect::<Vec<_>>(),
        "warnings": warnings.collect::<Vec<_>>(),
    })
}

fn encode(operation: &Operation, arguments: Option<&Value>) -> Value {
    let Some(Value::Object(arguments)) = arguments else {
        return json!({"refused": "expected `arguments`, an object"});
    };
    let Request { method, path, query, headers, cookies, body } =
        match operation.binding.encode(&Arguments(arguments.clone())) {
            Ok(request) => request,
            Err(error) => return json!({"refused": error.expected, "pointer": error.pointer}),
        };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers =
        headers.iter().map(|(name, value)| json!([name.as_str(), text(value.as_bytes())]));
    json!({
        "method": method.as_str(),
        "path": path,
        "query": query,
        "headers": headers.collect::<Vec<_>>(),
        "cookies": cookies,
        "content_type": body.as_ref().map(|body| text(body.content_type.as_bytes())),
        "body": body.as_ref().map(|body| STANDARD.encode(&body.bytes)),
    })
}

fn decode(operation: &Operation, body: Vec<u8>, content_type: Option<&str>) -> Value {
    let content_type = content_type.and_then(|said| said.parse().ok());
    let headers = HeaderMap::from_iter(content_type.map(|said| (CONTENT_TYPE, said)));
    let response = Response { status: StatusCode::OK, headers, body: Bytes::from(body) };
    match operation.binding.decode(&response) {
        Answer::Success { payload: Payload::Value(value), .. } => json!({"value": value}),
        Answer::Success { payload: Payload::Empty, .. } => json!({"value": null}),
        Answer::Success { .. } => json!({"refused": "bytes that are no value"}),
        Answer::Failure { .. } => json!({"refused": "a failure"}),
        Answer::Unreadable { reason } => json!({"refused": reason}),
    }
}
