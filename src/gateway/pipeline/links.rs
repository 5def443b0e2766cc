//! What an answer says can be called next, as calls of tools that this caller may see.
//!
//! Advice beside the answer: whatever cannot be told is left out. It tells nothing that the
//! caller is not shown elsewhere: values are those that it gave and those that it got.

use http::StatusCode;
use serde_json::{Map, Value};
use tollbridge_operation::{Exchanged, Link, Payload};

use super::Run;
use crate::gateway::protection;
use crate::gateway::reply::NextCall;
use crate::gateway::request::CallRequest;
use crate::gateway::toolbox::Exposed;
use crate::tools::Tool;

/// How many calls an answer tells of.
const CALLS: usize = 16;

/// How many bytes one argument has at most. A longer one is not cut, which would be another
/// value, but left out.
const ARGUMENT: usize = 1_000;

/// An answer, before it is shaped for the agent.
pub(super) struct Answered<'a> {
    pub(super) url: Option<&'a str>,
    pub(super) status: Option<u16>,
    pub(super) headers: &'a Map<String, Value>,
    pub(super) payload: &'a Payload,
}

impl Run<'_> {
    /// What can be called after the answer.
    pub(super) fn next_calls(
        &self,
        exposed: &Exposed,
        request: &CallRequest,
        answered: &Answered<'_>,
    ) -> Vec<NextCall> {
        let binding = &exposed.tool.operation.binding;
        if !binding.has_links() {
            return Vec::new();
        }
        let status = answered.status.and_then(|status| StatusCode::from_u16(status).ok());
        let Some(status) = status else { return Vec::new() };
        // A URL tells what was fixed in its path and query.
        let url = answered.url.filter(|_| !exposed.tool.hides_arguments());
        let body = match answered.payload {
            // What is not selected of an answer may be what an agent must not see.
            Payload::Value(value) if !exposed.tool.selects() => Some(value),
            _ => None,
        };
        let arguments = exposed.tool.given_arguments(&request.arguments);
        let links = binding.links(&Exchanged {
            url,
            arguments: &arguments,
            status,
            headers: answered.headers,
            body,
        });
        let toolbox = self.ground.toolbox;
        let mut calls = Vec::new();
        for link in links {
            let leads_there = |other: &&Exposed| {
                let id = &other.tool.operation.id;
                id.key == link.operation
                    && id.api == exposed.tool.operation.id.api
                    && !other.quarantined
                    && self.seen.policies.may_see(toolbox.place(other))
            };
            let tools = toolbox.all().iter().filter(leads_there);
            calls.extend(tools.filter_map(|other| next_call(&other.tool, &link)));
        }
        calls.truncate(CALLS);
        // What was taken out of the answer is no argument.
        if !exposed.protection.answer.is_empty() {
            protection::without_masked(&mut calls);
        }
        calls
    }
}

/// The call of a tool that a link leads to; `None` where nothing is left of what it passes.
fn next_call(tool: &Tool, link: &Link) -> Option<NextCall> {
    let mut arguments = tool.operation.binding.linked(link);
    let passes = !arguments.0.is_empty();
    arguments.0.retain(|_, value| value.to_string().len() <= ARGUMENT);
    let properties = tool.operation.input.properties();
    for (name, value) in &mut arguments.0 {
        if let Some(schema) = properties.and_then(|all| all.get(name)) {
            as_wanted(value, schema);
        }
    }
    let mut arguments = tool.shown_arguments(&arguments).into_owned();
    arguments.retain(|_, value| !value.is_null());
    (!passes || !arguments.is_empty()).then(|| NextCall {
        name: link.name.clone(),
        description: link.description.clone(),
        tool: tool.name.clone(),
        arguments,
    })
}

/// Headers and what is put together are text, also where a number is wanted.
fn as_wanted(value: &mut Value, schema: &Value) {
    let Value::String(text) = &*value else { return };
    let kind = schema.get("type").and_then(Value::as_str);
    let Ok(read) = serde_json::from_str::<Value>(text) else { return };
    let fits = match kind {
        Some("integer" | "number") => read.is_number(),
        Some("boolean") => read.is_boolean(),
        _ => false,
    };
    if fits {
        *value = read;
    }
}
