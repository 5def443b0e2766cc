//! What goes over the wire, for judges: one line of JSON in, one line of JSON out.
//!
//! ```text
//! {"documents": FOLDER}                {"files": [FILE…]}
//! {"load": FILE, "folder": FOLDER}     {"operations": [{"id", "input"}…], "skipped": […]}
//! {"encode": ID, "arguments": {…}}     {"content_type", "headers": {…}, "body": XML, "message": BASE64}
//! {"decode": ID, "body": XML}          {"value", "drift": […]}, or {"fault"}
//! {"decode": ID, "message": BASE64, "content_type": TYPE}     likewise
//! ```
//!
//! Whatever cannot be done is `{"refused": WHY}`, for arguments with the `pointer` to where.
//! `load` replaces what was loaded before; documents are read from `folder` alone.

#[path = "../tests/support/folder.rs"]
mod folder;

use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tollbridge_operation::{Answer, Arguments, Description, Operation, Payload, Response};

fn main() -> Result<(), Box<dyn Error>> {
    let mut loaded: Option<Description> = None;
    for line in stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line?)?;
        let text = |key: &str| asked.get(key).and_then(Value::as_str);
        let operation = |id: &str| {
            let known = loaded.iter().flat_map(|description| &description.operations);
            known.into_iter().find(|operation| operation.id.key.as_str() == id)
        };
        let said = if let (Some(file), Some(folder)) = (text("load"), text("folder")) {
            match folder::load(Path::new(folder), Path::new(file)) {
                Ok(description) => {
                    let said = contents(&description);
                    loaded = Some(description);
                    said
                }
                Err(error) => json!({"refused": error.to_string()}),
            }
        } else if let Some(folder) = text("documents") {
            json!({"files": folder::wsdls(Path::new(folder))})
        } else if let Some(operation) = text("encode").and_then(operation) {
            encode(operation, asked.get("arguments"))
        } else if let Some(operation) = text("decode").and_then(operation) {
            let message = text("message").map(|message| STANDARD.decode(message)).transpose()?;
            let body = message.unwrap_or_else(|| text("body").unwrap_or_default().into());
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
    json!({
        "operations": operations.collect::<Vec<_>>(),
        "skipped": skipped.collect::<Vec<_>>(),
    })
}

fn encode(operation: &Operation, arguments: Option<&Value>) -> Value {
    let Some(Value::Object(arguments)) = arguments else {
        return json!({"refused": "expected `arguments`, an object"});
    };
    match operation.binding.encode(&Arguments(arguments.clone())) {
        Err(error) => json!({"refused": error.expected, "pointer": error.pointer}),
        Ok(request) => {
            let headers = request.headers.iter();
            let headers = headers.map(|(name, value)| {
                (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned().into())
            });
            let headers: serde_json::Map<String, Value> = headers.collect();
            let body = request.body.as_ref();
            json!({
                "content_type": body.map(|body| String::from_utf8_lossy(body.content_type.as_bytes())),
                "headers": headers,
                "body": body.map(|body| first_part(&body.bytes)),
                "message": body.map(|body| STANDARD.encode(&body.bytes)),
            })
        }
    }
}

/// The envelope of a message, which is its first part where it has several.
fn first_part(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let first = text.strip_prefix("--").and_then(|rest| {
        let (boundary, rest) = rest.split_once("\r\n")?;
        let (_, rest) = rest.split_once("\r\n\r\n")?;
        let (first, _) = rest.split_once(&format!("\r\n--{boundary}"))?;
        Some(first.to_owned())
    });
    first.unwrap_or_else(|| text.into_owned())
}

fn decode(operation: &Operation, body: Vec<u8>, content_type: Option<&str>) -> Value {
    let content_type = content_type.and_then(|said| said.parse().ok());
    let headers = content_type.map(|said| (CONTENT_TYPE, said));
    let response = Response {
        status: StatusCode::OK,
        headers: HeaderMap::from_iter(headers),
        body: Bytes::from(body),
    };
    match operation.binding.decode(&response) {
        Answer::Success { payload, drift, headers } => {
            let drift = drift.iter().map(|one| format!("{}: {}", one.pointer, one.message));
            let value = match payload {
                Payload::Value(value) | Payload::Parts { value, .. } => value,
                Payload::Empty => json!({}),
                Payload::Bytes { media_type, .. } => json!({"#bytes": media_type}),
            };
            json!({"value": value, "drift": drift.collect::<Vec<_>>(), "headers": headers})
        }
        Answer::Failure { fault: Some(fault), .. } => {
            json!({"fault": {"code": fault.code, "reason": fault.reason, "detail": fault.detail}})
        }
        Answer::Failure { fault: None, .. } => json!({"refused": "a failure without a fault"}),
        Answer::Unreadable { reason } => json!({"refused": reason}),
    }
}
