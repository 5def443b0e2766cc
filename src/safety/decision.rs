//! The decision on one call.

use std::collections::BTreeSet;

use tollbridge_operation::Call;

use super::approval::{self, Approval};
use super::{Allowed, Rules};
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
pub enum Decision {
    /// It may go on, if the commit finds room in the windows and nothing stopped.
    Allow {
        /// The proof.
        allowed: Allowed<Call>,
        /// The rules that said so.
        rules: Vec<String>,
        /// The windows that it counts in.
        claims: Vec<WindowClaim>,
        /// The approval that it uses up.
        approval: Option<HoldRow>,
    },
    /// It may not.
    Deny {
        /// The rules that said so.
        rules: Vec<String>,
        /// Why, for the agent.
        reason: String,
    },
    /// A person must decide.
    Hold {
        /// The rules that said so.
        rules: Vec<String>,
        /// The hold; its repeat gets the same.
        hold: HoldRow,
        /// Whether it has yet to be written down.
        placed: Placed,
    },
}

/// Whether a hold is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It is on record since an earlier call.
    Earlier,
    /// It must be recorded with this one.
    Now,
}

/// Decides on a call of a tool that its identity may see.
///
/// `groups` are all that the identity is in; `broken` are the limits on arguments that it
/// breaks. An error means that holds cannot be read: the call must be refused.
pub async fn decide(
    call: Call,
    groups: &BTreeSet<String>,
    rules: &Rules,
    broken: &[BrokenLimit],
    request: Approval<'_>,
    store: &Store,
) -> Result<Decision, StoreError> {
    // The tool was found among those that the identity sees. Asking again costs nothing and
    // keeps this function right for every caller.
    if !rules.visible_to(&call.identity, groups) {
        return Ok(Decision::Deny {
            rules: vec![format!("{}.allow", rules.tool)],
            reason: format!("`{}` may not call `{}`", call.identity, rules.tool),
        });
    }
    if let Some(first) = broken.first() {
        let reason = match broken.len() {
            1 => first.message.clone(),
            more => format!("{} (and {} more limits)", first.message, more - 1),
        };
        return Ok(Decision::Deny {
            rules: broken.iter().map(|limit| limit.rule.clone()).collect(),
            reason,
        });
    }
    let listed = format!("{}.allow", rules.tool);
    let Some(hold) = rules.holds(&call.identity, groups) else {
        let claims = rules.claims(&call, groups);
        return Ok(Decision::Allow {
            allowed: Allowed::new(call),
            rules: vec![listed],
            claims,
            approval: None,
        });
    };
    let rule = format!("{}.hold", rules.tool);
    Ok(match approval::standing(&call, hold, &rule, request, store).await? {
        approval::Standing::Approved(row) => {
            let claims = rules.claims(&call, groups);
            Decision::Allow {
                allowed: Allowed::new(call),
                rules: vec![listed, format!("{rule}={}", row.id)],
                claims,
                approval: Some(row),
            }
        }
        approval::Standing::Waiting(hold, placed) => {
            Decision::Hold { rules: vec![rule], hold, placed }
        }
        approval::Standing::Refused(reason) => Decision::Deny { rules: vec![rule], reason },
    })
}
