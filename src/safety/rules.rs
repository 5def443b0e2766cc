//! The rules of one tool, compiled from the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tollbridge_operation::{ApiName, Identity, ToolName};
use tollbridge_policy::{Deciders, HoldTerms, ToolRules, When, Who};

use super::approval;
use crate::store::{Guard, HoldRow, WindowClaim};

/// What one tool's configuration says of who may call it, and how.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The tool.
    pub tool: ToolName,
    /// The API of its operation.
    pub api: ApiName,
    /// Who may call it; `None` is every authenticated identity.
    pub allow: Option<Vec<Who>>,
    /// Who may not, whatever `allow` says.
    pub deny: Vec<Who>,
    /// Whose calls a person must approve.
    pub hold: Option<HoldRule>,
    /// Which operators are the person behind a caller, for holds of policies.
    pub people: Arc<FourEyes>,
    /// At which times it may be called.
    pub when: Option<When>,
    /// How often it may be called.
    pub window: Option<WindowRule>,
}

/// `hold` of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRule {
    /// Whose calls are held.
    pub who: Vec<Who>,
    /// How long an approval can be waited for and used.
    pub expires: Duration,
    /// Whether an operator may decide.
    pub asks_operator: bool,
    /// Whether the person at the caller's own client may.
    pub asks_client: bool,
    /// For how long a call stays open until somebody decides; `None` where that is not said.
    pub wait: Option<Duration>,
    /// Who is the same person as a caller, where a second person must decide.
    pub four_eyes: Option<Arc<FourEyes>>,
}

/// Which operators are the person behind an identity, beside one of the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FourEyes(BTreeMap<String, BTreeSet<String>>);

impl FourEyes {
    /// Takes operators with the identities that act for them.
    pub fn new<'c>(operators: impl IntoIterator<Item = (&'c str, Vec<&'c str>)>) -> Self {
        let mut of_identity: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (operator, identities) in operators {
            for identity in identities {
                let operators = of_identity.entry(identity.to_owned()).or_default();
                operators.insert(operator.to_owned());
            }
        }
        Self(of_identity)
    }

    /// The names of those who may not decide on this identity's calls.
    pub fn barred(&self, identity: &Identity) -> Vec<String> {
        let own = self.0.get(identity.as_str()).into_iter().flatten();
        std::iter::once(identity.as_str().to_owned()).chain(own.cloned()).collect()
    }
}

/// `calls` of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowRule {
    /// How many calls.
    pub limit: u32,
    /// In how long a sliding window.
    pub per: Duration,
    /// For whom together.
    pub by: By,
}

/// For whom a window counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Each identity for itself.
    Identity,
    /// Each group for itself.
    Group,
    /// Each tool for itself, over all callers.
    Tool,
    /// All that is counted.
    All,
}

impl Rules {
    /// On which terms a call is held by these policies: the strictest of what the tool's entry
    /// says, where its hold is among them, and what the others say.
    pub(super) fn terms(&self, holds: &[String], terms: &HoldTerms) -> HoldRule {
        let own = format!("{}.hold", self.tool);
        let own = self.hold.as_ref().filter(|_| holds.contains(&own));
        let mut rule = own.cloned().unwrap_or_default();
        if let Some(theirs) = terms.ask {
            let ours = Deciders { operator: rule.asks_operator, client: rule.asks_client };
            let ask = if own.is_some() { ours.and(theirs) } else { theirs };
            (rule.asks_operator, rule.asks_client) = (ask.operator, ask.client);
        }
        rule.wait = match (rule.wait, terms.wait) {
            (Some(own), Some(theirs)) => Some(own.min(theirs)),
            (own, theirs) => own.or(theirs),
        };
        rule.expires = match (own, terms.expires) {
            (_, None) => rule.expires,
            (None, Some(expires)) => expires,
            (Some(own), Some(expires)) => own.expires.min(expires),
        };
        if terms.four_eyes {
            rule.four_eyes.get_or_insert_with(|| Arc::clone(&self.people));
        }
        rule
    }
}

impl Rules {
    /// Whether a call that is held by these policies goes on by an approval of this one's.
    pub fn lets_approve(
        &self,
        holds: &[String],
        terms: &HoldTerms,
        decided: &HoldRow,
        caller: &Identity,
    ) -> bool {
        approval::counts(decided, &self.terms(holds, terms), caller)
    }
}

impl Default for HoldRule {
    fn default() -> Self {
        Self {
            who: vec![Who::Everyone],
            expires: Duration::from_mins(10),
            asks_operator: true,
            asks_client: false,
            wait: None,
            four_eyes: None,
        }
    }
}

impl By {
    /// For whom calls of a tool count, in the words of windows' keys. Who is in no group counts with all
    /// who are in none: else leaving the groups would be a way around a limit.
    pub(super) fn whom(
        self,
        tool: &ToolName,
        identity: &Identity,
        groups: &BTreeSet<String>,
    ) -> Vec<String> {
        match self {
            Self::Identity => vec![format!("identity:{identity}")],
            Self::Group if groups.is_empty() => vec!["group:".to_owned()],
            Self::Group => groups.iter().map(|group| format!("group:{group}")).collect(),
            Self::Tool => vec![format!("tool:{tool}")],
            Self::All => vec!["all".to_owned()],
        }
    }
}

impl Rules {
    /// What of it the policy engine decides.
    pub fn policies(&self) -> ToolRules {
        ToolRules {
            allow: self.allow.clone(),
            deny: self.deny.clone(),
            hold: self.hold.as_ref().map(|hold| hold.who.clone()),
            when: self.when.clone(),
        }
    }

    /// What the commit must count each call of an identity in.
    pub fn claims(&self, identity: &Identity, groups: &BTreeSet<String>) -> Arc<[WindowClaim]> {
        let Some(window) = self.window else { return Arc::default() };
        // A window is one tool's: all that it counts is what the tool's callers do.
        let by = if window.by == By::Tool { By::All } else { window.by };
        by.whom(&self.tool, identity, groups)
            .into_iter()
            .map(|whom| WindowClaim {
                key: format!("calls:{}:{whom}", self.tool).into(),
                limit: window.limit,
                per: window.per,
            })
            .collect()
    }

    /// The name under which the trail knows the window.
    pub fn window_rule(&self) -> String {
        format!("{}.calls", self.tool)
    }

    /// What the kill switch is asked about for this call.
    pub fn guard(&self, identity: &Identity) -> Guard {
        Guard { api: (&self.api).into(), tool: (&self.tool).into(), identity: identity.into() }
    }
}
