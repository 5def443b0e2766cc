//! Tools to decide on.

// Values are written where they are used.
#![allow(dead_code, clippy::unwrap_used, clippy::needless_pass_by_value)]

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use tollbridge_operation::{Effect, Identity};
use tollbridge_policy::{
    Asked, Caller, Claims, Decided, Engine, Problem, Source, ToolDef, ToolRules, Verdict,
};

pub(crate) fn tool(name: &str, effect: Effect) -> ToolDef {
    ToolDef {
        name: name.to_owned(),
        api: "shop".to_owned(),
        operation: name.to_owned(),
        effect,
        idempotent: false,
        tags: vec!["orders".to_owned()],
        rules: ToolRules::default(),
        found: None,
    }
}

pub(crate) fn input(_: usize) -> Value {
    json!({"type": "object", "required": ["amount"], "properties": {
        "amount": {"type": "number"},
        "count": {"type": "integer"},
        "currency": {"type": "string"},
        "note": {"type": ["string", "null"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "point": {"type": "object", "required": ["x"], "properties": {"x": {"type": "integer"}}},
        "odd": {"oneOf": [{"type": "string"}, {"type": "object"}]},
        "body": {"type": "object", "properties": {
            "limit": {"type": ["integer", "null"]},
            "deep": {"type": "object", "properties": {"flag": {"type": "boolean"}}},
        }},
    }})
}

pub(crate) fn sources(text: &str) -> Vec<Source> {
    vec![Source { path: "policies/shop.cedar".to_owned(), text: text.to_owned() }]
}

pub(crate) fn compile(tools: &[ToolDef], text: &str) -> Arc<Engine> {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let (engine, problems) = Engine::compile(tools, &input, &sources(text), Some(&zone));
    Arc::new(engine.unwrap_or_else(|| panic!("{problems:#?}")))
}

pub(crate) fn problems(tools: &[ToolDef], text: &str) -> Vec<Problem> {
    Engine::compile(tools, &input, &sources(text), None).1
}

pub(crate) fn caller(engine: &Arc<Engine>, identity: &str, groups: &[&str]) -> Caller {
    let groups: BTreeSet<String> = groups.iter().map(ToString::to_string).collect();
    engine.caller(&Identity::new(identity).unwrap(), &groups, Claims::new())
}

pub(crate) fn arguments(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// A Monday, 12:00 in Berlin.
pub(crate) const NOON: i64 = 1_795_431_600_000_000;

pub(crate) fn decide(caller: &Caller, tool: usize, value: Value) -> Decided {
    decide_at(caller, tool, value, NOON)
}

pub(crate) fn decide_at(caller: &Caller, tool: usize, value: Value, now: i64) -> Decided {
    let arguments = arguments(value);
    caller.decide(
        tool,
        &Asked { arguments: &arguments, client: Some("claude/1.2"), channel: "http", now },
    )
}

pub(crate) fn words(decided: &Decided) -> String {
    match &decided.verdict {
        Verdict::Allow { rules } => format!("allow by {}", rules.join(", ")),
        Verdict::Deny { rules, .. } => format!("deny by {}", rules.join(", ")),
        Verdict::Hold { rules, .. } => format!("hold by {}", rules.join(", ")),
    }
}

pub(crate) fn reason(decided: &Decided) -> &str {
    match &decided.verdict {
        Verdict::Deny { reason, .. } => reason,
        _ => "",
    }
}
