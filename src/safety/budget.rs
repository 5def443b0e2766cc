//! Budgets: how much of something may be used up in a time, and for whom together.
//!
//! Here they are named and put into words. Whether one has room is the store's to say, in the
//! commit that records a call's intent.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tollbridge_operation::{CallId, Identity, ToolName};

use super::rules::By;
use crate::store::{Amount, BudgetClaim};

/// One budget, as it counts for one tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetRule {
    /// Its name in the trail: `refund.budget[0]`, `budget.refunds`.
    pub name: Arc<str>,
    /// What is counted where: what the keys of its windows begin with. A limit that is changed
    /// goes on with what is used up.
    pub key: String,
    /// How much there is.
    pub limit: Amount,
    /// Of what, for people: `calls`, `EUR`, or nothing.
    pub unit: String,
    /// In how long a sliding window.
    pub per: Duration,
    /// For whom together.
    pub by: By,
}

impl BudgetRule {
    /// The keys of the windows in which calls of a tool by an identity count.
    pub fn keys(
        &self,
        tool: &ToolName,
        identity: &Identity,
        groups: &BTreeSet<String>,
    ) -> Vec<Arc<str>> {
        let whom = self.by.whom(tool, identity, groups).into_iter();
        whom.map(|whom| format!("{}:{whom}", self.key).into()).collect()
    }

    /// What the commit must reserve in one of them for a call that takes so much.
    pub fn claim(&self, key: &Arc<str>, call: &CallId, amount: Amount) -> BudgetClaim {
        let key = Arc::clone(key);
        BudgetClaim { key, call: call.into(), amount, limit: self.limit, per: self.per }
    }

    /// Why a call that takes so much is refused where so much is left.
    pub fn exceeded(&self, asked: Amount, left: Amount) -> String {
        format!("{}; {left} are left, and this call takes {asked}", self.words())
    }

    /// Why a call that takes so much is refused whatever is left; `None` where it is not.
    pub fn never(&self, asked: Amount) -> Option<String> {
        (asked.0 > self.limit.0).then(|| format!("{}, and this takes {asked}", self.words()))
    }

    /// What it allows, in words.
    fn words(&self) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
        let mut words = format!(
            "the budget `{}` allows {}{unit} in {}",
            self.name,
            self.limit,
            in_words(self.per)
        );
        words.push_str(match self.by {
            By::Identity => " for each caller",
            By::Group => " for each group",
            By::Tool => " for each tool",
            By::All => "",
        });
        words
    }
}

fn in_words(per: Duration) -> String {
    let seconds = per.as_secs();
    for (unit, length) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        if seconds >= length && seconds.is_multiple_of(length) {
            return format!("{}{unit}", seconds / length);
        }
    }
    format!("{}ms", per.as_millis())
}
