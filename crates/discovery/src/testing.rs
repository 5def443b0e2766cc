//! Operations for the tests of this crate.

use std::sync::Arc;

use serde_json::{Value, json};
use tollbridge_operation::{
    Answer, ApiName, Arguments, Binding, Effect, EffectSource, EncodeError, Endpoint, Operation,
    OperationId, OperationKey, Request, Response, Schema,
};

/// It is never called.
#[derive(Debug)]
struct Unbound;

impl Binding for Unbound {
    fn encode(&self, _: &Arguments) -> Result<Request, EncodeError> {
        Err(EncodeError { pointer: String::new(), expected: "no call".to_owned() })
    }

    fn decode(&self, _: &Response) -> Answer {
        Answer::Unreadable { reason: "no call".to_owned() }
    }
}

/// An operation of an id, with nothing said of it.
pub(crate) fn operation(id: &str) -> Arc<Operation> {
    Arc::new(bare(id))
}

/// An operation with an input.
pub(crate) fn with_input(id: &str, input: Value) -> Arc<Operation> {
    Arc::new(Operation { input: Schema::new(input), ..bare(id) })
}

/// A REST operation with texts; the parameters of its path are its input.
pub(crate) fn described(
    id: &str,
    method: &str,
    path: &str,
    summary: &str,
    description: &str,
) -> Arc<Operation> {
    let names: Vec<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
    let properties: serde_json::Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), json!({"type": "string"}))).collect();
    let input = json!({
        "type": "object", "properties": properties, "required": names,
        "additionalProperties": false,
    });
    let effect = match method {
        "GET" => Effect::Read,
        "DELETE" => Effect::Destructive,
        _ => Effect::Write,
    };
    Arc::new(Operation {
        endpoint: Some(Endpoint { method: method.to_owned(), path: path.to_owned() }),
        summary: Some(summary.to_owned()),
        description: Some(description.to_owned()),
        effect,
        input: Schema::new(input),
        ..bare(id)
    })
}

fn bare(id: &str) -> Operation {
    let (api, key) = id.split_once('/').expect("api/key");
    Operation {
        id: OperationId {
            api: ApiName::new(api).expect("a name"),
            key: OperationKey::new(key).expect("a key"),
        },
        endpoint: None,
        summary: None,
        description: None,
        tags: Vec::new(),
        deprecated: false,
        effect: Effect::Read,
        effect_source: EffectSource::Inferred,
        idempotent: true,
        input: Schema::empty_object(),
        output: None,
        security: Vec::new(),
        servers: Vec::new(),
        errors: Vec::new(),
        twin_of: None,
        binding: Arc::new(Unbound),
    }
}
