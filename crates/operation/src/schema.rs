//! JSON Schema as a value.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

/// A JSON Schema of draft 2020-12, self-contained: every `$ref` in it is local, to `#` or
/// into its own `$defs`.
///
/// The definitions are shared: operations of a large description reach the same ones, and as
/// many copies would be many times the description. Clones are cheap.
#[derive(Debug, Clone)]
pub struct Schema {
    /// All but the shared definitions.
    root: Arc<Value>,
    definitions: Definitions,
}

/// Members of a schema's `$defs`, in their order.
pub type Definitions = Arc<[Definition]>;

/// One member of `$defs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// Its name.
    pub name: Arc<str>,
    /// The schema.
    pub schema: Arc<Value>,
}

impl Schema {
    /// Takes a value that is a schema: an object, or a boolean.
    pub fn new(schema: Value) -> Self {
        Self { root: Arc::new(schema), definitions: Arc::default() }
    }

    /// A schema with definitions that others may share. The root brings no `$defs` itself.
    pub fn with_definitions(root: Map<String, Value>, definitions: Definitions) -> Self {
        debug_assert!(!root.contains_key("$defs"), "they stand apart");
        Self { root: Arc::new(Value::Object(root)), definitions }
    }

    /// The schema of an object without members: the input of an operation without
    /// parameters (MCP 2026-07-28, server/tools).
    pub fn empty_object() -> Self {
        Self::new(json!({"type": "object", "additionalProperties": false}))
    }

    /// The schema without its shared definitions.
    pub fn root(&self) -> &Arc<Value> {
        &self.root
    }

    /// The shared definitions.
    pub fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// The schema as one JSON value, with a copy of every definition.
    pub fn to_value(&self) -> Value {
        self.whole((*self.root).clone())
    }

    /// The schema as one JSON value, with a copy of every definition.
    pub fn into_value(mut self) -> Value {
        let root = std::mem::take(&mut self.root);
        self.whole(Arc::unwrap_or_clone(root))
    }

    fn whole(&self, mut root: Value) -> Value {
        if let Value::Object(members) = &mut root
            && !self.definitions.is_empty()
        {
            let definitions: Map<String, Value> = self
                .definitions
                .iter()
                .map(|one| (one.name.to_string(), (*one.schema).clone()))
                .collect();
            members.insert("$defs".to_owned(), Value::Object(definitions));
        }
        root
    }

    /// The subschemas of the root's `properties`, where it has any.
    pub fn properties(&self) -> Option<&Map<String, Value>> {
        self.root.get("properties")?.as_object()
    }
}

/// Equal is what is the same JSON, shared or not.
impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        let same = self.root == other.root && self.definitions == other.definitions;
        same || self.to_value() == other.to_value()
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_the_same_whether_its_definitions_are_shared_or_its_own() {
        let root = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}});
        let mut whole = root.clone();
        whole["$defs"] = json!({"A": {"type": "string"}});
        let definition = Definition { name: "A".into(), schema: json!({"type": "string"}).into() };
        let Value::Object(root) = root else { unreachable!("it is an object") };
        let shared = Schema::with_definitions(root, [definition].into());
        assert_eq!(shared.to_value(), whole);
        assert_eq!(shared, Schema::new(whole.clone()));
        assert_eq!(serde_json::to_value(&shared).expect("JSON"), whole);
        assert_eq!(shared.clone().into_value(), whole);
        assert_ne!(shared, Schema::empty_object());
    }
}
