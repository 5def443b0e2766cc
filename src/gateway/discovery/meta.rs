//! The three tools by which agents find operations. They are the same for every configuration, so
//! that the list of tools is as short with ten thousand operations as with ten.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tollbridge_operation::{
    Answer, ApiName, Arguments, Binding, Effect, EffectSource, EncodeError, Operation, OperationId,
    OperationKey, Request, Response, Schema, ToolName,
};

use crate::tools::{Profile, Tool, ToolSpec};

/// How many operations a search gives where it is not told.
pub(super) const USUAL: usize = 10;

/// How many it gives at most.
pub(super) const MOST: usize = 25;

/// How many operations are described at once.
const MOST_DESCRIBED: usize = 10;

/// One of the tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meta {
    /// What is there for what one wants to do.
    Search,
    /// What it takes and answers.
    Describe,
    /// Do it.
    Invoke,
}

impl Meta {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 3] = [Self::Search, Self::Describe, Self::Invoke];

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Search => "search_operations",
            Self::Describe => "describe_operations",
            Self::Invoke => "invoke_operation",
        }
    }

    /// All of them as tools, in their order. The error is a defect of ours.
    pub(in crate::gateway) fn tools() -> Result<[Arc<Tool>; 3], String> {
        Ok([Self::Search.tool()?, Self::Describe.tool()?, Self::Invoke.tool()?])
    }

    fn tool(self) -> Result<Arc<Tool>, String> {
        let words = |error: &dyn std::fmt::Display| format!("`{}`: {error}", self.name());
        let name = ToolName::new(self.name()).map_err(|error| words(&error))?;
        let spec = ToolSpec {
            name,
            title: Some(self.title()),
            description: Some(self.description()),
            effect: None,
            idempotent: None,
            rules: &[],
            examples: &[],
            reason: None,
            profile: Profile::Portable,
            operation: Arc::new(self.operation().map_err(|error| words(&error))?),
        };
        let (mut tool, _) = Tool::compile(spec).map_err(|errors| {
            let first = errors.first().map(ToString::to_string);
            words(&first.unwrap_or_default())
        })?;
        // To look for an operation reaches nobody else.
        tool.annotations.open_world = self == Self::Invoke;
        Ok(Arc::new(tool))
    }

    fn title(self) -> &'static str {
        match self {
            Self::Search => "Search operations",
            Self::Describe => "Describe operations",
            Self::Invoke => "Invoke an operation",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Search => {
                "Finds operations of the APIs behind this server by what they do. Without a query \
                 it lists the APIs and what each is for. A result is lines, the best first: \
                 id(arguments) effect [notes]: summary. `held` means that a person must approve \
                 each call, `tool NAME` that the operation is also that tool."
            }
            Self::Describe => {
                "Tells what operations take and answer: compact types with every constraint, and \
                 an example of the arguments. Use it before invoke_operation."
            }
            Self::Invoke => {
                "Carries out an operation by its id, with the arguments that describe_operations \
                 tells. It is checked, limited and recorded as a tool of its own; a call that is \
                 held must be made again once a person has approved it."
            }
        }
    }

    fn input(self) -> Value {
        let (properties, required) = match self {
            Self::Search => (
                json!({
                    "query": {"type": "string", "maxLength": 1000, "description":
                        "What is to be done, in words: `cancel an order`. It may hold filters: `api:NAME`, `effect:read`, `method:GET`."},
                    "limit": {"type": "integer", "minimum": 1, "maximum": MOST, "description":
                        format!("How many results; {USUAL} by default.")},
                }),
                json!([]),
            ),
            Self::Describe => (
                json!({"ids": {
                    "type": "array", "minItems": 1, "maxItems": MOST_DESCRIBED,
                    "items": {"type": "string", "maxLength": 400},
                    "description": "Ids of operations, as search_operations gives them.",
                }}),
                json!(["ids"]),
            ),
            Self::Invoke => (
                json!({
                    "id": {"type": "string", "maxLength": 400, "description":
                        "The operation's id, as search_operations gives it."},
                    "arguments": {"type": "object", "description": "Its arguments."},
                }),
                json!(["id"]),
            ),
        };
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }

    fn output(self) -> Value {
        let text = |name: &str, said: &str| {
            let properties = json!({name: {"type": "string", "description": said}});
            json!({"type": "object", "properties": properties})
        };
        match self {
            Self::Search => text("results", "One operation, or API, a line."),
            Self::Describe => text("operations", "The descriptions."),
            Self::Invoke => json!({"type": "object", "description": "What the operation answers."}),
        }
    }

    fn operation(self) -> Result<Operation, tollbridge_operation::InvalidName> {
        let api = ApiName::new("tollbridge")?;
        let key = OperationKey::new(self.name())?;
        let invokes = self == Self::Invoke;
        Ok(Operation {
            id: OperationId { api, key },
            endpoint: None,
            summary: None,
            description: None,
            tags: Vec::new(),
            deprecated: false,
            // What it does is what the operation does, and that may be anything.
            effect: if invokes { Effect::Destructive } else { Effect::Read },
            effect_source: EffectSource::Set,
            idempotent: !invokes,
            input: Schema::new(self.input()),
            output: Some(Schema::new(self.output())),
            security: Vec::new(),
            servers: Vec::new(),
            errors: Vec::new(),
            twin_of: None,
            binding: Arc::new(Nowhere),
        })
    }
}

/// The binding of what goes to no API.
#[derive(Debug)]
struct Nowhere;

impl Binding for Nowhere {
    fn encode(&self, _: &Arguments) -> Result<Request, EncodeError> {
        Err(EncodeError { pointer: String::new(), expected: "an operation of an API".to_owned() })
    }

    fn decode(&self, _: &Response) -> Answer {
        Answer::Unreadable { reason: "nothing was sent".to_owned() }
    }
}

/// What a search asks for. The arguments fit its tool.
pub(super) fn searched(arguments: &Map<String, Value>) -> (&str, usize) {
    let query = arguments.get("query").and_then(Value::as_str).unwrap_or_default();
    let limit = arguments.get("limit").and_then(Value::as_u64);
    (query, limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(USUAL))
}

/// Of what a description is wanted. The arguments fit its tool.
pub(super) fn described(arguments: &Map<String, Value>) -> Vec<&str> {
    let ids = arguments.get("ids").and_then(Value::as_array);
    ids.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What is to be invoked, with which arguments. They fit its tool.
pub(super) fn invoked(mut arguments: Map<String, Value>) -> (String, Map<String, Value>) {
    let id = match arguments.remove("id") {
        Some(Value::String(id)) => id,
        _ => String::new(),
    };
    match arguments.remove("arguments") {
        Some(Value::Object(inner)) => (id, inner),
        _ => (id, Map::new()),
    }
}
