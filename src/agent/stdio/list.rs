//! A page of tools as text, written piece by piece.
//!
//! The MCP library wants every schema of a list as a value, which for a thousand tools takes
//! ten times the room of the text. So the library makes the page without its tools, for the
//! revision and the request that it knows, and they are put in here. A test holds that the
//! bytes are the library's.

use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::model::{JsonRpcMessage, ServerResult};
use rmcp::service::TxJsonRpcMessage;
use serde_json::{Map, Value};

use crate::agent::ToolView;
use crate::agent::backend::ToolList;
use crate::agent::handler;

/// Whether a message is an empty page of tools.
pub(super) fn is_page(message: &TxJsonRpcMessage<RoleServer>) -> bool {
    let JsonRpcMessage::Response(response) = message else { return false };
    matches!(&response.result, ServerResult::ListToolsResult(page) if page.tools.is_empty())
}

/// The message with the tools of the list in place of none.
pub(super) fn write(
    message: &TxJsonRpcMessage<RoleServer>,
    list: &ToolList,
) -> serde_json::Result<Vec<u8>> {
    let Value::Object(message) = serde_json::to_value(message)? else { return Ok(Vec::new()) };
    let mut out = String::from("{");
    for (name, value) in &message {
        member(&mut out, name);
        match value {
            Value::Object(page) if name == "result" => {
                out.push('{');
                for (name, value) in page {
                    member(&mut out, name);
                    if name == "tools" {
                        tools(&mut out, list)?;
                    } else {
                        out.push_str(&value.to_string());
                    }
                }
                out.push('}');
            }
            value => out.push_str(&value.to_string()),
        }
    }
    out.push('}');
    Ok(out.into_bytes())
}

/// Begins a member of an object.
fn member(out: &mut String, name: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    out.push_str(&Value::from(name).to_string());
    out.push(':');
}

fn tools(out: &mut String, list: &ToolList) -> serde_json::Result<()> {
    let size: usize = list.tools.iter().map(ToolView::size).sum();
    // A copy of a large list for want of room would be another large one.
    out.reserve(size + size / 8 + 1024);
    out.push('[');
    for (index, view) in list.tools.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        tool(out, view)?;
    }
    out.push(']');
    Ok(())
}

/// A tool as the library writes it, with its schemas in place of empty ones.
fn tool(out: &mut String, view: &ToolView) -> serde_json::Result<()> {
    let empty = Arc::new(Map::new());
    let output = view.output_schema.as_ref().map(|_| Arc::clone(&empty));
    let text = serde_json::to_string(&handler::tool_with(view, empty, output))?;
    let mut rest = text.as_str();
    let schemas =
        [("inputSchema", Some(&view.input_schema)), ("outputSchema", view.output_schema.as_ref())];
    for (name, schema) in schemas {
        let Some(schema) = schema else { continue };
        // Within a text every quote is escaped, so this is no part of one.
        let key = format!("\"{name}\":");
        let Some((before, after)) = rest.split_once(&format!("{key}{{}}")) else { continue };
        out.push_str(before);
        out.push_str(&key);
        schema.write(out);
        rest = after;
    }
    out.push_str(rest);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rmcp::model::{CacheScope, ListToolsResult, RequestId};
    use serde_json::json;

    use super::*;
    use crate::agent::backend::Hints;
    use crate::tools::Published;

    fn schema(value: &Value) -> Published {
        Published::new(value.as_object().unwrap().clone())
    }

    fn page(tools: Vec<rmcp::model::Tool>) -> TxJsonRpcMessage<RoleServer> {
        let page = ListToolsResult::with_all_items(tools)
            .with_ttl_ms(0)
            .with_cache_scope(CacheScope::Private);
        let id = RequestId::String("\"tools\":[]".into());
        JsonRpcMessage::response(ServerResult::ListToolsResult(page), id)
    }

    #[test]
    fn the_bytes_are_those_that_the_library_writes() {
        let view = |name: &str| ToolView {
            name: name.to_owned(),
            title: Some("T".to_owned()),
            description: Some(r#"It says "inputSchema":{} and \"outputSchema\":{}."#.to_owned()),
            input_schema: schema(&json!({"type": "object", "properties": {"inputSchema": {}}})),
            output_schema: Some(schema(&json!({"type": "object", "description": "é\n"}))),
            hints: Hints { read_only: Some(true), ..Hints::default() },
            meta: json!({"outputSchema": {}}).as_object().cloned(),
        };
        let plain = ToolView { output_schema: None, meta: None, ..view("b") };
        for tools in [vec![], vec![plain.clone()], vec![view("a"), plain, view("c")]] {
            let whole = page(tools.iter().map(handler::tool).collect());
            let list = ToolList { digest: String::new(), tools };
            let apart = page(Vec::new());
            assert!(is_page(&apart));
            let written = String::from_utf8(write(&apart, &list).unwrap()).unwrap();
            assert_eq!(written, serde_json::to_string(&whole).unwrap());
        }
    }
}
