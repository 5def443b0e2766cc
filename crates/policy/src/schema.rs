//! The Cedar schema of a configuration's tools.

use std::collections::BTreeMap;

use cedar_policy::Schema;
use serde_json::{Map, Value, json};

use crate::action::{CALL, DISCOVER, action_of};
use crate::kind::Kind;

/// One tool's part.
pub(crate) struct ToolSchema<'a> {
    pub(crate) name: &'a str,
    pub(crate) arguments: &'a Kind,
    /// Whether it has a time window.
    pub(crate) when: bool,
}

/// The schema. `local` says whether there is a zone for local time.
pub(crate) fn schema(tools: &[ToolSchema<'_>], local: bool) -> Result<Schema, String> {
    let text = json!({"type": "String"});
    let of_operation = |parents: Value| {
        json!({"memberOfTypes": parents, "shape": record([
            ("name", text.clone()),
            ("api", text.clone()),
            ("operation", text.clone()),
            ("effect", text.clone()),
            ("idempotent", json!({"type": "Boolean"})),
            ("tags", json!({"type": "Set", "element": text.clone()})),
        ])})
    };
    let entities = json!({
        "Group": {},
        // The tags are the claims of a token.
        "Identity": {
            "memberOfTypes": ["Group"],
            "shape": record([("name", text.clone())]),
            "tags": {"type": "Set", "element": text.clone()},
        },
        "Api": {"shape": record([("name", text.clone())])},
        "Tool": of_operation(json!(["Api"])),
        "Operation": of_operation(json!(["Api"])),
    });
    let mut actions = Map::new();
    actions.insert(CALL.to_owned(), json!({}));
    let empty = Kind::empty();
    let discover = context(&ToolSchema { name: "", arguments: &empty, when: false }, local);
    actions.insert(
        DISCOVER.to_owned(),
        json!({"appliesTo": {"principalTypes": ["Identity"], "resourceTypes": ["Operation"], "context": discover}}),
    );
    for tool in tools {
        actions.insert(
            action_of(tool.name),
            json!({"memberOf": [{"id": CALL}], "appliesTo": {
                "principalTypes": ["Identity"],
                "resourceTypes": ["Tool"],
                "context": context(tool, local),
            }}),
        );
    }
    let whole = json!({"": {"entityTypes": entities, "actions": actions}});
    Schema::from_json_value(whole).map_err(|error| error.to_string())
}

fn context(tool: &ToolSchema<'_>, local: bool) -> Value {
    let text = json!({"type": "String"});
    let long = json!({"type": "Long"});
    let mut time = vec![("instant", json!({"type": "Extension", "name": "datetime"}))];
    if local {
        let clock = [("weekday", long.clone()), ("hour", long.clone()), ("minute", long.clone())];
        time.push(("local", record(clock)));
    }
    let mut members = vec![
        ("arguments", of(tool.arguments)),
        ("agent", record([("name", text.clone()), ("version", text.clone())])),
        ("channel", text),
        ("time", record(time)),
    ];
    if tool.when {
        members.push(("when", record([("weekday", long.clone()), ("minute", long)])));
    }
    record(members)
}

fn record<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let members: Map<String, Value> =
        members.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
    json!({"type": "Record", "attributes": members})
}

fn of(kind: &Kind) -> Value {
    match kind {
        Kind::Bool => json!({"type": "Boolean"}),
        Kind::Long => json!({"type": "Long"}),
        Kind::Decimal => json!({"type": "Extension", "name": "decimal"}),
        Kind::Text => json!({"type": "String"}),
        Kind::Set(element) => json!({"type": "Set", "element": of(element)}),
        Kind::Record(members) => {
            let members: BTreeMap<&str, Value> = members
                .iter()
                .map(|(name, field)| {
                    let mut schema = of(&field.kind);
                    schema["required"] = Value::Bool(field.required);
                    (name.as_str(), schema)
                })
                .collect();
            json!({"type": "Record", "attributes": members})
        }
    }
}
