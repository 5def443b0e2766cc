//! The short rules of a tool, as Cedar policies.

use std::collections::BTreeSet;

use cedar_policy::{Policy, PolicyId};
use serde_json::{Value, json};
use tollbridge_operation::Identity;

use crate::action::action_of;
use crate::decide::Effect;
use crate::engine::Ruled;
use crate::terms::HoldTerms;
use crate::window::When;

/// Whom a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// `*`
    Everyone,
    /// A name.
    Identity(Identity),
    /// `group:NAME`
    Group(String),
}

impl Who {
    /// Whether it is about this identity, which is in these groups.
    pub fn matches(&self, identity: &Identity, groups: &BTreeSet<String>) -> bool {
        match self {
            Self::Everyone => true,
            Self::Identity(name) => name == identity,
            Self::Group(name) => groups.contains(name),
        }
    }
}

/// What a tool's own entry says of who may call it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolRules {
    /// Who may; `None` is everyone who is known.
    pub allow: Option<Vec<Who>>,
    /// Who may not, whatever else is said.
    pub deny: Vec<Who>,
    /// Whose calls a person must approve.
    pub hold: Option<Vec<Who>>,
    /// When it may be called.
    pub when: Option<When>,
}

impl ToolRules {
    /// Whether they let everyone call at any time.
    pub(crate) fn are_open(&self) -> bool {
        let everyone = self.allow.as_ref().is_none_or(|list| list.contains(&Who::Everyone));
        everyone && self.deny.is_empty() && self.hold.is_none() && self.when.is_none()
    }

    /// The policies that they are, each with its key; none where one could not be made, which who
    /// asks has to report: a rule that is left out would not be kept.
    pub(crate) fn policies(&self, tool: &str) -> Vec<(&'static str, Option<Ruled>)> {
        let mut made = Vec::new();
        match &self.allow {
            None => made.push(("allow", rule(tool, "allow", Effect::Permit, None))),
            Some(list) if list.is_empty() => {}
            Some(list) => made.push(("allow", rule(tool, "allow", Effect::Permit, about(list)))),
        }
        if !self.deny.is_empty() {
            made.push(("deny", rule(tool, "deny", Effect::Forbid, about(&self.deny))));
        }
        if let Some(list) = self.hold.as_ref().filter(|list| !list.is_empty()) {
            let effect = Effect::Hold(HoldTerms::default());
            made.push(("hold", rule(tool, "hold", effect, about(list))));
        }
        if let Some(when) = &self.when {
            let closed = json!({"kind": "unless", "body": when.condition()});
            let window = rule(tool, "when", Effect::Forbid, Some(closed));
            made.push(("when", window.map(|rule| Ruled { is_window: true, ..rule })));
        }
        made
    }
}

/// The condition that the caller is one of these; none where it is everyone.
pub(crate) fn about(list: &[Who]) -> Option<Value> {
    if list.contains(&Who::Everyone) {
        return None;
    }
    Some(json!({"kind": "when", "body": any(list)}))
}

/// That the caller is one of these. Cedar's stack goes as deep as an expression does, so that a
/// long list is a broad one.
fn any(list: &[Who]) -> Value {
    let principal = json!({"Var": "principal"});
    match list {
        [] => json!({"Value": false}),
        [Who::Everyone] => json!({"Value": true}),
        [Who::Identity(name)] => {
            json!({"==": {"left": principal, "right": entity("Identity", name.as_str())}})
        }
        [Who::Group(name)] => json!({"in": {"left": principal, "right": entity("Group", name)}}),
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            json!({"||": {"left": any(left), "right": any(right)}})
        }
    }
}

fn entity(kind: &str, id: &str) -> Value {
    json!({"Value": {"__entity": {"type": kind, "id": id}}})
}

/// One policy on one tool.
fn rule(tool: &str, name: &str, effect: Effect, condition: Option<Value>) -> Option<Ruled> {
    let action = json!({"op": "==", "entity": {"type": "Action", "id": action_of(tool)}});
    policy(&format!("{tool}.{name}"), effect, &action, condition)
}

/// One policy on every resource. None should not be: the forms of this crate are Cedar's.
pub(crate) fn policy(
    id: &str,
    effect: Effect,
    action: &Value,
    condition: Option<Value>,
) -> Option<Ruled> {
    let cedar = if effect == Effect::Permit { "permit" } else { "forbid" };
    let form = json!({
        "effect": cedar,
        "principal": {"op": "All"},
        "action": action,
        "resource": {"op": "All"},
        "conditions": condition.into_iter().collect::<Vec<_>>(),
    });
    let policy = Policy::from_json(Some(PolicyId::new(id)), form).ok()?;
    Ruled::new(policy, effect, None, None)
}
