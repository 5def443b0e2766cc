//! Why a call is made, in the agent's words: an argument of the tool that the operation does not have.
//!
//! It goes on record and to whoever approves the call, and never to the API. No rule reads it, and
//! neither approvals nor repeats are bound to it: the same call with other words is the same call.

use serde_json::{Map, Value, json};
use tollbridge_operation::Schema;

use super::validate::Violation;

/// The longest reason, in characters.
const LONGEST: usize = 1_000;

/// What it is called where that is free, and where the operation has such an argument.
const NAMES: [&str; 2] = ["reason", "call_reason"];

/// Whether an agent says why it makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasonRule {
    /// It may.
    Optional,
    /// It must: a call without a reason is refused before anything is decided.
    Required,
}

/// The argument in which a tool takes the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    name: String,
    rule: ReasonRule,
}

impl Reason {
    /// Finds a name beside those that the schema shows: `reason`, else `call_reason`, else that with
    /// the first number from 2 that is free.
    pub(super) fn beside(shown: &Schema, rule: ReasonRule) -> Self {
        let taken = |name: &str| shown.properties().is_some_and(|known| known.contains_key(name));
        let plain = NAMES.iter().find(|name| !taken(name)).map(|name| (*name).to_owned());
        let name = plain.unwrap_or_else(|| {
            let numbered = (2_u32..).map(|n| format!("{}_{n}", NAMES[1]));
            numbered.into_iter().find(|name| !taken(name)).expect("names are finite, numbers not")
        });
        Self { name, rule }
    }

    /// The schema with the argument behind its own.
    pub(super) fn added_to(&self, shown: &Schema) -> Schema {
        let Value::Object(mut root) = (**shown.root()).clone() else { return shown.clone() };
        let properties = root.entry("properties").or_insert_with(|| json!({}));
        if let Value::Object(properties) = properties {
            let says = "Why you make this call, in a sentence. It is put on record for people, and \
                        not sent to the API.";
            properties.insert(
                self.name.clone(),
                json!({"type": "string", "description": says, "minLength": 1, "maxLength": LONGEST}),
            );
        }
        if self.rule == ReasonRule::Required {
            let required = root.entry("required").or_insert_with(|| json!([]));
            if let Value::Array(required) = required {
                required.push(self.name.as_str().into());
            }
        }
        match shown.definitions() {
            none if none.is_empty() => Schema::new(Value::Object(root)),
            shared => Schema::with_definitions(root, shared.clone()),
        }
    }

    /// The name that it has among the tool's arguments.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes it out of the arguments that an agent gives.
    pub fn take(&self, given: &mut Map<String, Value>) -> Option<Value> {
        given.shift_remove(&self.name)
    }

    /// What is wrong with what was said, or with saying nothing.
    pub fn check(&self, said: Option<&Value>) -> Option<Violation> {
        let fits = match said {
            None => self.rule == ReasonRule::Optional,
            Some(Value::String(text)) => {
                !text.trim().is_empty() && text.chars().take(LONGEST + 1).count() <= LONGEST
            }
            Some(_) => false,
        };
        (!fits).then(|| Violation {
            pointer: format!("/{}", self.name),
            expected: format!(
                "why you make this call: a text of 1 to {LONGEST} characters, which is put on \
                 record and not sent to the API"
            ),
            suggestion: None,
        })
    }
}

/// What was said, as it goes on record.
pub fn said(reason: Value) -> String {
    match reason {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(properties: &Value) -> Schema {
        Schema::new(json!({
            "type": "object", "properties": properties, "required": [], "additionalProperties": false,
        }))
    }

    #[test]
    fn an_operation_s_own_argument_keeps_its_name() {
        for (properties, name) in [
            (json!({"id": {}}), "reason"),
            (json!({"reason": {}}), "call_reason"),
            (json!({"reason": {}, "call_reason": {}}), "call_reason_2"),
            (json!({"reason": {}, "call_reason": {}, "call_reason_2": {}}), "call_reason_3"),
        ] {
            let reason = Reason::beside(&schema(&properties), ReasonRule::Optional);
            assert_eq!(reason.name(), name, "{properties}");
        }
    }

    #[test]
    fn it_is_shown_behind_the_arguments_and_required_where_it_must_be_said() {
        let own = schema(&json!({"id": {"type": "string"}}));
        for (rule, required) in
            [(ReasonRule::Optional, json!([])), (ReasonRule::Required, json!(["reason"]))]
        {
            let shown = Reason::beside(&own, rule).added_to(&own).to_value();
            let names: Vec<&String> =
                shown["properties"].as_object().expect("an object").keys().collect();
            assert_eq!(names, ["id", "reason"]);
            assert_eq!(shown["required"], required);
            assert_eq!(shown["additionalProperties"], json!(false));
        }
    }

    #[test]
    fn a_reason_says_something_and_no_more_than_one_reads() {
        let own = schema(&json!({}));
        let (optional, required) = (
            Reason::beside(&own, ReasonRule::Optional),
            Reason::beside(&own, ReasonRule::Required),
        );
        let at_most = "ä".repeat(LONGEST);
        for (said, fits) in [
            (json!("the customer asked"), true),
            (json!(at_most), true),
            (json!(format!("{at_most}a")), false),
            (json!(""), false),
            (json!(" \n"), false),
            (json!(null), false),
            (json!(5), false),
            (json!({"why": "x"}), false),
        ] {
            for reason in [&optional, &required] {
                assert_eq!(reason.check(Some(&said)).is_none(), fits, "{said}");
            }
        }
        assert_eq!(optional.check(None), None);
        assert_eq!(required.check(None).expect("refused").pointer, "/reason");
    }
}
