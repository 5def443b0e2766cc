//! A result before anyone's types or bytes: what is in it, each part once.
//!
//! The MCP library wants a result as values; where its answer is one message ([`Made::message`]),
//! it is written without them. A test holds that the bytes are the same.

use std::sync::Arc;

use rmcp::model::{
    CallToolResult, ContentBlock, Implementation, MetaObject, RequestId, ResultType,
};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::gateway::{CallMeta, ErrorCode, NextCall, Place, Question};
use crate::tools::pages::PagesRead;

/// The result of a call.
#[derive(Debug)]
pub(in crate::agent) struct Made {
    /// Where there is a value and the first of these is a text, it is the value's JSON.
    pub(super) content: Vec<ContentBlock>,
    pub(super) value: Option<Value>,
    pub(super) is_error: bool,
    pub(super) meta: Meta,
    pub(super) question: Option<Box<Question>>,
}

/// What stands beside a result, in this order.
#[derive(Debug, Serialize)]
pub(super) struct Meta {
    /// MCP's key for who answered (2026-07-28, every result).
    #[serde(rename = "io.modelcontextprotocol/serverInfo", serialize_with = "shared")]
    pub(super) server: Arc<Implementation>,
    #[serde(rename = "tollbridge/call", skip_serializing_if = "Option::is_none")]
    pub(super) call: Option<CallMeta>,
    #[serde(rename = "tollbridge/drift", skip_serializing_if = "Option::is_none")]
    pub(super) drift: Option<Value>,
    #[serde(rename = "tollbridge/suspicious-content", skip_serializing_if = "Vec::is_empty")]
    pub(super) suspicious: Vec<Place>,
    #[serde(rename = "tollbridge/headers", skip_serializing_if = "Map::is_empty")]
    pub(super) headers: Map<String, Value>,
    #[serde(rename = "tollbridge/pages", skip_serializing_if = "Option::is_none")]
    pub(super) pages: Option<PagesRead>,
    #[serde(rename = "tollbridge/links", skip_serializing_if = "Vec::is_empty")]
    pub(super) links: Vec<NextCall>,
    #[serde(rename = "tollbridge/error", skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Value>,
    #[serde(rename = "tollbridge/cut", skip_serializing_if = "Option::is_none")]
    pub(super) cut: Option<Value>,
}

fn shared<S: Serializer>(server: &Arc<Implementation>, to: S) -> Result<S::Ok, S::Error> {
    server.as_ref().serialize(to)
}

impl Meta {
    /// What stands beside every result.
    pub(super) fn new(server: &Arc<Implementation>) -> Self {
        Self {
            server: Arc::clone(server),
            call: None,
            drift: None,
            suspicious: Vec::new(),
            headers: Map::new(),
            pages: None,
            links: Vec::new(),
            error: None,
            cut: None,
        }
    }

    /// As the MCP library has it.
    pub(super) fn into_object(self) -> MetaObject {
        match serde_json::to_value(&self) {
            Ok(Value::Object(object)) => MetaObject(object),
            _ => unreachable!("it is made of JSON values under names"),
        }
    }
}

impl Made {
    /// What a call that was cancelled says of its effect; `None` for any other.
    pub(in crate::agent) fn why_cancelled(&self) -> Option<&str> {
        let error = self.value.as_ref().filter(|_| self.is_error)?.get("error")?;
        let cancelled = error["code"] == ErrorCode::Cancelled.as_str();
        error["message"].as_str().filter(|_| cancelled)
    }

    /// What the client is to ask its person before the call is made again.
    pub(in crate::agent) fn question(&self) -> Option<&Question> {
        self.question.as_deref()
    }

    /// The result as the MCP library has it.
    pub(in crate::agent) fn into_library(self) -> CallToolResult {
        let mut result = CallToolResult::default();
        result.result_type = Some(ResultType::COMPLETE);
        result.content = self.content;
        result.structured_content = self.value;
        result.is_error = Some(self.is_error);
        result.meta = Some(self.meta.into_object());
        result
    }

    /// The message that answers a request of revision 2026-07-28 with this result. A value's text
    /// is made once, and is in it twice.
    pub(in crate::agent) fn message(&self, id: &RequestId) -> serde_json::Result<Vec<u8>> {
        let text = match self.content.first() {
            Some(ContentBlock::Text(text)) => text.text.as_str(),
            _ => "",
        };
        let mut message = Vec::with_capacity(1024 + text.len() * 9 / 4);
        message.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        serde_json::to_writer(&mut message, id)?;
        message.extend_from_slice(br#","result":{"resultType":"complete","content":"#);
        serde_json::to_writer(&mut message, &self.content)?;
        if let Some(value) = &self.value {
            message.extend_from_slice(br#","structuredContent":"#);
            match text {
                "" => serde_json::to_writer(&mut message, value)?,
                text => message.extend_from_slice(text.as_bytes()),
            }
        }
        message.extend_from_slice(if self.is_error {
            br#","isError":true,"_meta":"#
        } else {
            br#","isError":false,"_meta":"#
        });
        serde_json::to_writer(&mut message, &self.meta)?;
        message.extend_from_slice(b"}}");
        Ok(message)
    }
}
