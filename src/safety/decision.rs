//! The decision on one call.

use std::sync::Arc;
use std::time::Duration;

use tollbridge_operation::Call;
use tollbridge_policy::Verdict;

use super::approval::{self, Approval};
use super::{Allowed, Policed, Rules};
use crate::store::{HoldRow, Store, StoreError, WindowClaim};

/// A limit on an argument that the call breaks, as the tool's compiled limits found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenLimit {
    /// The rule's name: `args.amount.max=500`.
    pub rule: String,
    /// What was broken, in words.
    pub message: String,
}

/// What was decided. The trail keeps all of it but the proof.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one is made a call, and taken apart at once")]
pub enum Decision {
    /// It may go on, if the commit finds room in the windows and nothing stopped.
    Allow {
        /// The proof.
        allowed: Allowed<Call>,
        /// The rules that said so.
        rules: Vec<String>,
        /// The windows that it counts in.
        claims: Arc<[WindowClaim]>,
        /// The approval that it uses up.
        approval: Option<HoldRow>,
    },
    /// It may not.
    Deny {
        /// The rules that said so.
        rules: Vec<String>,
        /// Why, for the agent.
        reason: String,
        /// What said no.
        by: Refusal,
    },
    /// A person must decide.
    Hold {
        /// The rules that said so.
        rules: Vec<String>,
        /// The hold; its repeat gets the same.
        hold: HoldRow,
        /// Whether it has yet to be written down.
        placed: Placed,
        /// For how long the call stays open until somebody decides; `None` where that is not said.
        wait: Option<Duration>,
    },
}

/// What says no to a call: by that an agent knows what it could do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A policy: of what the call could be changed in, its words say all that is known.
    Policy,
    /// Limits on arguments: others would pass.
    Limits,
    /// A person, or that none said yes in time.
    Person,
    /// The approval that it names does not let it through: without naming one a person is asked anew.
    Approval,
    /// The approval let another call through: what it was about may be done.
    Used,
}

/// Whether a hold is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// It is on record since an earlier call.
    Earlier,
    /// It must be recorded with this one.
    Now,
    /// The same, and the approval of this name ends with that: it does not count any more.
    InsteadOf(String),
}

/// Decides on a call by what the policies say of it.
///
/// `windows` are those that its tool's calls count in for its identity; `broken` are the limits on
/// arguments that it breaks. An error means that holds cannot be read: the call must be refused.
pub async fn decide(
    call: Call,
    windows: &Arc<[WindowClaim]>,
    rules: &Rules,
    policed: Policed,
    broken: &[BrokenLimit],
    request: Approval<'_>,
    store: &Store,
) -> Result<Decision, StoreError> {
    let verdict = policed.into_verdict();
    if let Verdict::Deny { rules, reason } = verdict {
        return Ok(Decision::Deny { rules, reason, by: Refusal::Policy });
    }
    if let Some(first) = broken.first() {
        let reason = match broken.len() {
            1 => first.message.clone(),
            more => format!("{} (and {} more limits)", first.message, more - 1),
        };
        return Ok(Decision::Deny {
            rules: broken.iter().map(|limit| limit.rule.clone()).collect(),
            reason,
            by: Refusal::Limits,
        });
    }
    let (holds, permits, terms) = match verdict {
        Verdict::Hold { rules, permits, terms } => (rules, permits, terms),
        Verdict::Allow { rules: listed } => {
            let claims = Arc::clone(windows);
            return Ok(Decision::Allow {
                allowed: Allowed::new(call),
                rules: listed,
                claims,
                approval: None,
            });
        }
        Verdict::Deny { rules, reason } => {
            return Ok(Decision::Deny { rules, reason, by: Refusal::Policy });
        }
    };
    let hold = rules.terms(&holds, &terms);
    let rule = holds.first().cloned().unwrap_or_default();
    Ok(match approval::standing(&call, &hold, &rule, request, store).await? {
        approval::Standing::Approved(row) => {
            let claims = Arc::clone(windows);
            let mut listed = permits;
            listed.extend(holds.iter().map(|rule| format!("{rule}={}", row.id)));
            Decision::Allow {
                allowed: Allowed::new(call),
                rules: listed,
                claims,
                approval: Some(row),
            }
        }
        approval::Standing::Waiting(row, placed) => {
            Decision::Hold { rules: holds, hold: row, placed, wait: hold.wait }
        }
        approval::Standing::Refused(reason) => {
            Decision::Deny { rules: holds, reason, by: Refusal::Approval }
        }
        approval::Standing::Used(reason) => {
            Decision::Deny { rules: holds, reason, by: Refusal::Used }
        }
        approval::Standing::Rejected(reason) => {
            Decision::Deny { rules: holds, reason, by: Refusal::Person }
        }
    })
}
