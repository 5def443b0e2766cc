//! JSON Schema as a value.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A JSON Schema of draft 2020-12, self-contained: every `$ref` in it is local, to `#` or
/// into its own `$defs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schema(Value);

impl Schema {
    /// Takes a value that is a schema: an object, or a boolean.
    pub fn new(schema: Value) -> Self {
        Self(schema)
    }

    /// The schema of an object without members: the input of an operation without
    /// parameters (MCP 2026-07-28, server/tools).
    pub fn empty_object() -> Self {
        Self(json!({"type": "object", "additionalProperties": false}))
    }

    /// The schema as a JSON value.
    pub fn as_value(&self) -> &Value {
        &self.0
    }

    /// The schema as a JSON value.
    pub fn into_value(self) -> Value {
        self.0
    }

    /// The subschemas of the root's `properties`, where it has any.
    pub fn properties(&self) -> Option<&Map<String, Value>> {
        self.0.get("properties")?.as_object()
    }
}
