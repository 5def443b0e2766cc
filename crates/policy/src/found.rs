//! Operations that may be found and called by their ids, though they are no tools.
//!
//! Who may find one is a question of its own, asked of the action `discover`. The list of its API
//! permits finding and calling alike. A call of it that writes is held, unless a policy permits it
//! that speaks of it: that names it or its API, or reads what it is.

use std::sync::Arc;

use cedar_policy::{ActionConstraint, ResourceConstraint};
use serde_json::json;
use tollbridge_operation::Effect as OperationEffect;

use crate::action::CALL;
use crate::considered::Considered;
use crate::decide::{Decided, Effect, Verdict};
use crate::engine::{Ruled, ToolDef};
use crate::reads::Var2;
use crate::rules::{self, Who, about};
use crate::terms::HoldTerms;

/// Who may find and call the operations of an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindList {
    /// The API.
    pub api: String,
    /// Whom its entry names.
    pub who: Vec<Who>,
}

/// An operation that may be found.
#[derive(Debug, Clone)]
pub struct FoundDef {
    /// What it is, under its id as its name; its rules are not looked at.
    pub operation: ToolDef,
    /// The place of its API's list.
    pub list: usize,
}

/// What may be found at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Finding<'a> {
    /// The lists, one an API.
    pub lists: &'a [FindList],
    /// The operations of these APIs.
    pub operations: &'a [FoundDef],
}

/// A list, with the policies that it is where others are to be weighed with it.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) who: Vec<Who>,
    /// The name of its permit.
    pub(crate) rule: String,
    /// The name of the hold of writes.
    pub(crate) hold: String,
    permit: Option<Arc<Ruled>>,
    held: Option<Arc<Ruled>>,
}

impl List {
    pub(crate) fn new(list: &FindList) -> Self {
        let rule = format!("{}.discover", list.api);
        let hold = format!("{rule}.hold");
        let permit = policy(&rule, Effect::Permit, &list.who).map(Arc::new);
        let held = policy(&hold, Effect::Hold(HoldTerms::default()), &[Who::Everyone]);
        let held = held.map(|held| Arc::new(Ruled { is_unspoken: true, ..held }));
        Self { who: list.who.clone(), rule, hold, permit, held }
    }

    /// Whether its policies could be made: without the hold, writes would be let through.
    pub(crate) fn is_whole(&self) -> bool {
        self.permit.is_some() && self.held.is_some()
    }

    #[cfg(test)]
    pub(crate) fn without_hold(self) -> Self {
        Self { held: None, ..self }
    }

    /// Its policies on a call that does this to the world.
    pub(crate) fn on_calls(&self, effect: OperationEffect) -> Vec<Arc<Ruled>> {
        let held = self.held.as_ref().filter(|_| effect != OperationEffect::Read);
        self.permit.iter().chain(held).cloned().collect()
    }

    /// Its policy on being found.
    pub(crate) fn on_finding(&self) -> Vec<Arc<Ruled>> {
        self.permit.iter().cloned().collect()
    }

    /// What it alone comes to for who is on it, or is not.
    pub(crate) fn decide(&self, is_on: bool, holds: bool) -> Decided {
        let (rule, hold) = (self.rule.clone(), self.hold.clone());
        let verdict = match (is_on, holds) {
            (false, _) => Verdict::Deny { rules: vec![rule], reason: NOBODY.to_owned() },
            (true, false) => Verdict::Allow { rules: vec![rule] },
            (true, true) => Verdict::Hold {
                rules: vec![hold],
                permits: vec![rule],
                terms: HoldTerms::default(),
            },
        };
        Decided { verdict, considered: Considered::default() }
    }
}

/// Why a call of an operation is refused that the caller may not find.
pub(crate) const NOBODY: &str = "the operation is none that the caller may find";

/// A policy of a list, about every action and resource: it is in the sets of its own operations
/// alone.
fn policy(id: &str, effect: Effect, who: &[Who]) -> Option<Ruled> {
    rules::policy(id, effect, &json!({"op": "All"}), about(who))
}

/// Whether a policy of a file speaks of an operation, rather than of every call.
pub(crate) fn speaks(rule: &Ruled) -> bool {
    let names_action = match rule.policy.action_constraint() {
        ActionConstraint::Any => false,
        ActionConstraint::Eq(_) => true,
        ActionConstraint::In(all) => all.iter().any(|uid| uid.id().unescaped() != CALL),
    };
    let names_resource = !matches!(
        rule.policy.resource_constraint(),
        ResourceConstraint::Any | ResourceConstraint::Is(_)
    );
    let of_resource = |kind: &str| ["Tool", "Api", "Operation"].contains(&kind);
    rule.site.is_some()
        && (names_action
            || names_resource
            || rule.reads.attributes.iter().any(|(var, _)| *var == Var2::Resource)
            || rule.reads.entities.iter().any(|(kind, _)| of_resource(kind)))
}
