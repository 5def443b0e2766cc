//! Spans as OTLP has them: a server's for each request of MCP, a client's for each request to an
//! upstream that was made for it.
//!
//! Names and attributes are those of OpenTelemetry's conventions, in the versions that
//! `observe::conventions` names: MCP's server spans, and HTTP's client spans.

use std::time::Duration;

use serde_json::{Value, json};
use tollbridge_operation::{Trace, trace};

use crate::audit::otlp_text as text;
use crate::observe::conventions::{CALL, ErrorType, OperationEnd, TOOL_ERROR};
use crate::observe::spans::{Done, Sent, What};

/// `Span.SpanKind` (opentelemetry-proto, trace).
const SERVER: u8 = 2;
const CLIENT: u8 = 3;

/// `Status.StatusCode`: the other one that is used, "unset", is left out.
const ERROR: u8 = 2;

/// `SpanFlags`: behind the flags of W3C Trace Context, that it is known whether the parent is remote,
/// and that it is.
const KNOWN: u32 = 1 << 8;
const REMOTE: u32 = 1 << 9;

/// An `ExportTraceServiceRequest` (opentelemetry-proto, trace service, in its JSON mapping) of
/// requests.
pub(super) fn request(all: &[Box<Done>], resource: &Value) -> Value {
    let spans: Vec<Value> = all.iter().flat_map(|done| spans(done)).collect();
    json!({"resourceSpans": [{
        "resource": resource,
        "scopeSpans": [{
            "scope": {"name": "tollbridge", "version": env!("CARGO_PKG_VERSION")},
            "spans": spans,
        }],
    }]})
}

fn spans(done: &Done) -> Vec<Value> {
    std::iter::once(server(done))
        .chain(done.requests.iter().map(|sent| client(done, sent)))
        .collect()
}

/// What is of every span of a request.
fn base(done: &Done, n: u32, name: &str, times: (Duration, Duration)) -> Value {
    let brought = done.origin.trace.as_deref();
    let mut span = json!({
        "traceId": brought.map_or_else(|| trace::own_trace(&done.id), Trace::id),
        "spanId": trace::span(&done.id, n),
        "name": name,
        "startTimeUnixNano": times.0.as_nanos().to_string(),
        "endTimeUnixNano": times.1.as_nanos().to_string(),
    });
    if let Some(state) = brought.and_then(Trace::tracestate) {
        span["traceState"] = state.into();
    }
    span
}

/// The flags of the request's trace: one that it began is sampled.
fn flags(done: &Done) -> u32 {
    done.origin.trace.as_ref().map_or(1, |trace| u32::from(trace.flags()))
}

/// The span of a request of MCP. Its name has the tool or the prompt where there is one of that name:
/// others are an agent's words.
fn server(done: &Done) -> Value {
    let (method, target) = match &done.what {
        What::Call { tool, .. } => (CALL, tool.as_deref()),
        What::Other { method, prompt, .. } => (*method, *prompt),
    };
    let name = match target {
        Some(target) => format!("{method} {target}"),
        None => method.to_owned(),
    };
    let mut span = base(done, 0, &name, (done.began, done.ended));
    span["kind"] = SERVER.into();
    if let Some(trace) = &done.origin.trace {
        span["parentSpanId"] = trace.parent().into();
        span["flags"] = (flags(done) | KNOWN | REMOTE).into();
    } else {
        span["flags"] = flags(done).into();
    }
    let mut attributes = vec![text("mcp.method.name", method)];
    if method == CALL {
        attributes.push(text("gen_ai.operation.name", "execute_tool"));
    }
    match &done.what {
        What::Call { tool, .. } => {
            attributes.extend(tool.as_ref().map(|tool| text("gen_ai.tool.name", tool)));
        }
        What::Other { prompt, resource, .. } => {
            attributes.extend(prompt.map(|prompt| text("gen_ai.prompt.name", prompt)));
            attributes.extend(resource.as_ref().map(|uri| text("mcp.resource.uri", uri)));
        }
    }
    attributes.push(text("network.transport", done.channel.transport()));
    let protocol = done.channel.protocol();
    attributes.extend(protocol.map(|protocol| text("network.protocol.name", protocol)));
    if let Some(message) = &done.origin.message {
        for (key, value) in [
            ("mcp.protocol.version", &message.protocol),
            ("jsonrpc.request.id", &message.request),
            ("mcp.session.id", &message.session),
        ] {
            attributes.extend(value.as_ref().map(|value| text(key, value)));
        }
        attributes.extend(message.http.map(|version| text("network.protocol.version", version)));
        if let Some(client) = message.client {
            attributes.push(text("client.address", &client.ip().to_canonical().to_string()));
            attributes.push(number("client.port", client.port().into()));
        }
    }
    let error = match done.end {
        OperationEnd::Good => None,
        OperationEnd::ToolError => Some(TOOL_ERROR.to_owned()),
        OperationEnd::Rpc(code) => Some(code.to_string()),
        OperationEnd::Http(status) => Some(status.to_string()),
    };
    if let Some(error) = error {
        attributes.push(text("error.type", &error));
        if matches!(done.end, OperationEnd::Rpc(_)) {
            attributes.push(text("rpc.response.status_code", &error));
        }
        span["status"] = json!({"code": ERROR});
    }
    if let What::Call { outcome, .. } = &done.what {
        attributes.push(text("tollbridge.call", done.id.as_str()));
        attributes.push(text("tollbridge.outcome", outcome));
    }
    span["attributes"] = attributes.into();
    span
}

/// The span of one of the requests that were made for it.
fn client(done: &Done, sent: &Sent) -> Value {
    let request = &sent.request;
    let name = if request.method == "_OTHER" { "HTTP" } else { request.method };
    let mut span = base(done, sent.n, name, (sent.began, sent.ended));
    span["kind"] = CLIENT.into();
    span["parentSpanId"] = trace::span(&done.id, 0).into();
    span["flags"] = (flags(done) | KNOWN).into();
    let mut attributes = vec![text("http.request.method", request.method)];
    attributes.extend(sent.url.as_ref().map(|url| text("url.full", url)));
    attributes.push(text("server.address", &request.address));
    attributes.push(number("server.port", request.port.into()));
    let status = request.status_code();
    attributes.extend(status.map(|status| number("http.response.status_code", status.into())));
    if sent.resent > 0 {
        attributes.push(number("http.request.resend_count", sent.resent.into()));
    }
    if let Some(error) = request.error_type() {
        attributes.push(match error {
            ErrorType::Status(status) => text("error.type", &status.to_string()),
            ErrorType::Word(word) => text("error.type", word),
        });
        span["status"] = json!({"code": ERROR});
    }
    span["attributes"] = attributes.into();
    span
}

/// Numbers of 64 bits are texts in the JSON mapping.
fn number(key: &str, value: u64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}
