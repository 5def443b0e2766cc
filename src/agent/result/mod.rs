//! A gateway's reply as an MCP tool result. The only place where results are made, so an
//! agent over MCP and a script behind `tollbridge call --json` read the same bytes.
//!
//! Success carries the answer's value as `structuredContent` and as text; failure carries
//! `structuredContent.error`, which tells a model what to do next. What is too long for a
//! model's context is cut here (see `tools::answer::cut`) and said to be cut beside the value.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{
    CallToolResult, ContentBlock, Implementation, MetaObject, ResourceContents, ResultType,
};
use serde_json::{Map, Value, json};
use tollbridge_operation::{CallId, Drift, Payload};

use super::ToolView;
use crate::gateway::{CallMeta, ErrorCode, Failure, NextCall, Reply, Success};
use crate::tools::answer::cut::{self, Cut, Unit};
use crate::tools::pages::PagesRead;

/// The longest value, in characters of JSON, that is handed to a model.
pub const MAX_CHARACTERS: usize = 40_000;

/// The longest error. Clients cut errors' text earlier than results, in the middle of the
/// JSON.
const MAX_ERROR_CHARACTERS: usize = 10_000;

/// How long what can be called next is told at.
const MAX_NEXT_CHARACTERS: usize = 1_500;

/// How many places of drift a result names.
const MAX_DRIFT: usize = 20;

/// MCP's key for who answered (2026-07-28, every result).
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// The result as JSON, as a client of the newest protocol revision gets it. `tool` is the
/// called tool as it is listed.
pub fn to_json(reply: Reply, tool: Option<&ToolView>, server_name: &str) -> Value {
    let described = tool.is_some_and(|tool| tool.output_schema.is_some());
    as_value(&from_reply(reply, described, &server(server_name)))
}

/// The result of a call that could not be recorded, as JSON.
pub fn unrecorded_to_json(server_name: &str) -> Value {
    as_value(&unrecorded(&server(server_name)))
}

fn as_value(result: &CallToolResult) -> Value {
    serde_json::to_value(result).expect("a tool result is made of JSON values")
}

/// Who answers.
pub(super) fn server(name: &str) -> Implementation {
    Implementation::new(name, env!("CARGO_PKG_VERSION"))
}

/// `_meta` with who answers, as every result has it.
pub(super) fn server_meta(server: &Implementation) -> MetaObject {
    let mut meta = Map::new();
    let server = serde_json::to_value(server).expect("an implementation is made of strings");
    meta.insert(SERVER_INFO.to_owned(), server);
    MetaObject(meta)
}

/// The result of a call. `described` says whether its tool is listed with a schema of it.
pub(super) fn from_reply(reply: Reply, described: bool, server: &Implementation) -> CallToolResult {
    let Reply { meta: call, result } = reply;
    let mut meta = server_meta(server);
    meta.insert("tollbridge/call".to_owned(), call_meta(&call));
    match result {
        Ok(success) => from_success(success, described, &call.id, meta),
        Err(failure) => from_failure(failure, meta),
    }
}

/// The result of a call that was not made, because it could not be recorded.
pub(super) fn unrecorded(server: &Implementation) -> CallToolResult {
    let failure = Failure {
        code: ErrorCode::AuditUnavailable,
        message: "The call was not made, because it could not be recorded.".to_owned(),
        retryable: true,
        retry_after_s: None,
        next_step: "Nothing was sent. Try again later, and tell the operator that the audit \
                    trail cannot be written."
            .to_owned(),
        upstream: None,
        violations: Vec::new(),
        hold: None,
        payment_required: None,
    };
    from_failure(failure, server_meta(server))
}

fn call_meta(call: &CallMeta) -> Value {
    serde_json::to_value(call).expect("a call's meta is made of strings and numbers")
}

fn from_success(
    success: Success,
    described: bool,
    id: &CallId,
    mut meta: MetaObject,
) -> CallToolResult {
    if !success.drift.is_empty() {
        meta.insert("tollbridge/drift".to_owned(), drift(&success.drift));
    }
    if !success.headers.is_empty() {
        meta.insert("tollbridge/headers".to_owned(), Value::Object(success.headers));
    }
    let more = success.pages.as_ref().and_then(PagesRead::note);
    if let Some(pages) = success.pages {
        let pages = serde_json::to_value(pages).expect("what was read is made of JSON values");
        meta.insert("tollbridge/pages".to_owned(), pages);
    }
    let next = next_note(&success.next);
    if !success.next.is_empty() {
        let next = serde_json::to_value(success.next).expect("calls are made of JSON values");
        meta.insert("tollbridge/links".to_owned(), next);
    }
    let mut result = from_payload(success.payload, success.cuts, described, id, meta);
    result.content.extend(more.into_iter().chain(next).map(ContentBlock::text));
    result
}

fn from_payload(
    payload: Payload,
    cuts: Vec<Cut>,
    described: bool,
    id: &CallId,
    meta: MetaObject,
) -> CallToolResult {
    match payload {
        Payload::Empty => structured(json!({}), cuts, MAX_CHARACTERS, meta, false),
        Payload::Value(Value::Object(object)) => {
            structured(Value::Object(object), cuts, MAX_CHARACTERS, meta, false)
        }
        Payload::Value(value) => {
            let value = json!({ "result": value });
            structured(value, cuts, MAX_CHARACTERS, meta, false)
        }
        Payload::Parts { value, attached } => {
            let mut result = from_payload(Payload::Value(value), cuts, described, id, meta);
            let uri = |at: usize| format!("tollbridge://calls/{id}/{at}");
            let blocks = attached
                .iter()
                .enumerate()
                .map(|(at, one)| block(&one.media_type, &one.data, uri(at + 1)));
            result.content.extend(blocks);
            result
        }
        Payload::Bytes { media_type, data } => {
            // Where an output schema was published, clients throw a result away that has no
            // structured content: bytes that came instead of the described value say so.
            let value = described.then(|| json!({ "media_type": media_type, "bytes": data.len() }));
            let block = block(&media_type, &data, format!("tollbridge://calls/{id}"));
            assemble(vec![block], value, meta, false)
        }
    }
}

/// Bytes as content of their kind; `uri` is what a resource is called.
fn block(media_type: &str, data: &[u8], uri: String) -> ContentBlock {
    let encoded = STANDARD.encode(data);
    match media_type.split('/').next() {
        Some("image") => ContentBlock::image(encoded, media_type),
        Some("audio") => ContentBlock::audio(encoded, media_type),
        _ => {
            ContentBlock::resource(ResourceContents::blob(encoded, uri).with_mime_type(media_type))
        }
    }
}

/// The calls that can follow, for a model: as many as the room allows.
fn next_note(calls: &[NextCall]) -> Option<String> {
    let mut shown: Vec<String> = Vec::new();
    let mut room = MAX_NEXT_CHARACTERS;
    for call in calls {
        let arguments = Value::Object(call.arguments.clone());
        let one = format!("{} with {arguments}", call.tool);
        match room.checked_sub(one.chars().count()) {
            Some(left) => room = left,
            None => break,
        }
        shown.push(one);
    }
    let more = calls.len() - shown.len();
    if more > 0 && !shown.is_empty() {
        shown.push(format!("{more} more in _meta"));
    }
    (!shown.is_empty()).then(|| format!("What can be called next: {}.", shown.join("; ")))
}

fn drift(places: &[Drift]) -> Value {
    let place = |drift: &Drift| json!({ "pointer": drift.pointer, "message": drift.message });
    places.iter().take(MAX_DRIFT).map(place).collect()
}

fn from_failure(mut failure: Failure, mut meta: MetaObject) -> CallToolResult {
    let payment = failure.payment_required.take();
    let error = serde_json::to_value(&failure).expect("a failure is made of JSON values");
    match payment {
        // x402 over MCP: the challenge stands where the client's payment code looks for it.
        Some(payment) => {
            meta.insert("tollbridge/error".to_owned(), error);
            structured(payment, Vec::new(), MAX_CHARACTERS, meta, true)
        }
        None => structured(json!({ "error": error }), Vec::new(), MAX_ERROR_CHARACTERS, meta, true),
    }
}

/// A result whose value stands twice: structured, and the same as text for clients that read
/// only that. `cuts` are what is not in it already.
fn structured(
    mut value: Value,
    mut cuts: Vec<Cut>,
    limit: usize,
    mut meta: MetaObject,
    is_error: bool,
) -> CallToolResult {
    let text = value.to_string();
    let characters = text.chars().count();
    if characters <= limit && cuts.is_empty() {
        return assemble(vec![ContentBlock::text(text)], Some(value), meta, is_error);
    }
    let whole = (characters > limit).then_some((characters, limit));
    if whole.is_some() {
        let (short, more) = cut::cut(&value, limit, Unit::Characters, "");
        value = short;
        cuts.extend(more);
    }
    let note = cut::note(&cuts, whole, is_error);
    meta.insert("tollbridge/cut".to_owned(), cut::meta(&cuts, whole));
    let blocks = vec![ContentBlock::text(value.to_string()), ContentBlock::text(note)];
    assemble(blocks, Some(value), meta, is_error)
}

fn assemble(
    content: Vec<ContentBlock>,
    structured: Option<Value>,
    meta: MetaObject,
    is_error: bool,
) -> CallToolResult {
    let mut result = CallToolResult::default();
    result.result_type = Some(ResultType::COMPLETE);
    result.content = content;
    result.structured_content = structured;
    result.is_error = Some(is_error);
    result.meta = Some(meta);
    result
}

#[cfg(test)]
mod tests;
