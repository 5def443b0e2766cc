//! The rules of one tool, compiled from the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tollbridge_operation::{ApiName, Call, Identity, ToolName};

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
    /// How often it may be called.
    pub window: Option<WindowRule>,
}

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
    fn matches(&self, identity: &Identity, groups: &BTreeSet<String>) -> bool {
        match self {
            Self::Everyone => true,
            Self::Identity(name) => name == identity,
            Self::Group(name) => groups.contains(name),
        }
    }
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
    /// Whether some call of this identity could be allowed or held: what `tools/list` shows.
    /// A tool that an identity may not see does not exist for it.
    pub fn visible_to(&self, identity: &Identity, groups: &BTreeSet<String>) -> bool {
        let named = |list: &[Who]| list.iter().any(|who| who.matches(identity, groups));
        self.allow.as_deref().is_none_or(named) && !named(&self.deny)
    }

    /// The rule that holds this identity's calls.
    pub(super) fn holds(
        &self,
        identity: &Identity,
        groups: &BTreeSet<String>,
    ) -> Option<&HoldRule> {
        let hold = self.hold.as_ref()?;
        hold.who.iter().any(|who| who.matches(identity, groups)).then_some(hold)
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
