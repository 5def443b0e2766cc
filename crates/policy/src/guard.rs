//! Conditions that a call certainly does not meet, found out without Cedar.
//!
//! Among many policies on a tool most are not satisfied. Their conditions are reckoned here as far
//! as that goes exactly, so that Cedar is asked only about the others: it alone finds a policy
//! satisfied, and it alone finds that one fails. What is not known for certain is left to it, and
//! so is everything where a value could not be carried.
//!
//! A condition is read from the left, as Cedar does: what stands behind a part that is false is
//! not evaluated and cannot fail, what stands behind one that is not known is not looked at.
//!
//! Source: Cedar's operators and their short-circuits,
//! <https://docs.cedarpolicy.com/policies/syntax-operators.html>.

mod pattern;
mod relation;
mod term;

use std::collections::BTreeSet;

use cedar_policy::pst::Clause;
use serde_json::Value;

use crate::action::{CALL, DISCOVER, Type};
use crate::caller::Claims;
use crate::carry::Carried;
use term::Term;

/// What policies may read.
#[derive(Debug)]
pub(crate) struct Facts<'v> {
    /// What is read of the call: a record, as it stands in Cedar's context.
    pub(crate) context: Carried<'v>,
    pub(crate) principal: Principal<'v>,
    pub(crate) action: &'v str,
    /// The tool or operation, and its attributes.
    pub(crate) resource: (Type, &'v str),
    pub(crate) attributes: &'v Value,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Principal<'v> {
    pub(crate) name: &'v str,
    pub(crate) groups: &'v BTreeSet<String>,
    pub(crate) claims: &'v Claims,
}

/// The conditions of a policy, as far as they can be known here.
#[derive(Debug, Default)]
pub(crate) struct Guard(Vec<Term>);

impl Guard {
    /// Reads the conditions of a policy.
    pub(crate) fn of(clauses: &[Clause]) -> Self {
        Self(
            clauses
                .iter()
                .map(|clause| match clause {
                    Clause::When(condition) => Term::of(condition),
                    Clause::Unless(condition) => Term::of(condition).not(),
                })
                .collect(),
        )
    }

    /// Whether the call certainly does not meet the conditions, and Cedar would find them false
    /// without an error. Every value that the policy reads is among the facts exactly.
    pub(crate) fn misses(&self, facts: &Facts<'_>) -> bool {
        self.holds(facts) == Some(false)
    }

    /// Whether the call meets the conditions; none where that is not known.
    fn holds(&self, facts: &Facts<'_>) -> Option<bool> {
        for condition in &self.0 {
            if !condition.holds(facts)? {
                return Some(false);
            }
        }
        Some(true)
    }
}

impl<'v> Facts<'v> {
    /// Whether one entity is another, or in it. Of entities that the call is not about it is known
    /// only that each is in itself.
    fn is_in(&self, one: (Type, &str), other: (Type, &str)) -> Option<bool> {
        if one == other {
            return Some(true);
        }
        match one.0 {
            Type::Identity if one.1 == self.principal.name => {
                Some(other.0 == Type::Group && self.principal.groups.contains(other.1))
            }
            Type::Action if one.1 == self.action && one.1 != DISCOVER => {
                Some(other == (Type::Action, CALL))
            }
            _ if one == self.resource => {
                Some(other.0 == Type::Api && self.attributes["api"].as_str()? == other.1)
            }
            _ => None,
        }
    }

    /// An attribute of who asks, or of the tool.
    fn attribute(&self, of: (Type, &str), name: &str) -> Option<Carried<'_>> {
        if of == (Type::Identity, self.principal.name) {
            return (name == "name").then_some(Carried::Text(self.principal.name));
        }
        if of != self.resource {
            return None;
        }
        match self.attributes.get(name)? {
            Value::Bool(flag) => Some(Carried::Bool(*flag)),
            Value::String(text) => Some(Carried::Text(text)),
            Value::Array(all) => {
                let texts = all.iter().map(|one| one.as_str().map(Carried::Text));
                texts.collect::<Option<_>>().map(Carried::Set)
            }
            _ => None,
        }
    }

    /// What is claimed of who asks.
    fn claims(&self, of: (Type, &str)) -> Option<&'v Claims> {
        (of == (Type::Identity, self.principal.name)).then_some(self.principal.claims)
    }
}

#[cfg(test)]
mod tests;
