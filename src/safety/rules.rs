//! The rules of one tool, compiled from the configuration.

use std::collections::BTreeSet;
use std::time::Duration;

use tollbridge_operation::{ApiName, Call, Identity, ToolName};
use tollbridge_policy::{HoldTerms, ToolRules, When, Who};

use crate::store::{Guard, WindowClaim};

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

impl HoldRule {
    /// On which terms a call is held for which policies ask: the stricter of what the tool's entry
    /// says, where its hold is among them, and what the others say.
    pub(super) fn of(own: Option<&Self>, terms: &HoldTerms) -> Self {
        let mut rule = own.cloned().unwrap_or_default();
        rule.expires = match (own, terms.expires) {
            (_, None) => rule.expires,
            (None, Some(expires)) => expires,
            (Some(own), Some(expires)) => own.expires.min(expires),
        };
        rule
    }
}

impl Default for HoldRule {
    fn default() -> Self {
        Self { who: vec![Who::Everyone], expires: Duration::from_mins(10) }
    }
}

impl By {
    /// For whom a call counts, in the words of windows' keys. Who is in no group counts with all
    /// who are in none: else leaving the groups would be a way around a limit.
    pub(super) fn whom(self, call: &Call, groups: &BTreeSet<String>) -> Vec<String> {
        match self {
            Self::Identity => vec![format!("identity:{}", call.identity)],
            Self::Group if groups.is_empty() => vec!["group:".to_owned()],
            Self::Group => groups.iter().map(|group| format!("group:{group}")).collect(),
            Self::Tool => vec![format!("tool:{}", call.tool)],
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

    /// What the commit must count this call in.
    pub(super) fn claims(&self, call: &Call, groups: &BTreeSet<String>) -> Vec<WindowClaim> {
        let Some(window) = self.window else { return Vec::new() };
        // A window is one tool's: all that it counts is what the tool's callers do.
        let by = if window.by == By::Tool { By::All } else { window.by };
        by.whom(call, groups)
            .into_iter()
            .map(|whom| WindowClaim {
                key: format!("calls:{}:{whom}", self.tool),
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
        Guard {
            api: self.api.to_string(),
            tool: self.tool.to_string(),
            identity: identity.to_string(),
        }
    }
}
