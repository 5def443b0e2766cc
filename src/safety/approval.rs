//! Held calls: where one stands when its call is made again, and a person's decision.
//!
//! A hold is bound to identity, tool and a digest of the arguments and of what they would be
//! sent to: an approval does not outlive a change of what the tool does, nor one of who may give
//! it. Approving it runs nothing: the agent's repeat does, once, in the commit that spends the
//! hold. Its time running out is a denial.

use serde_json::json;
use tollbridge_operation::{Call, Identity, digest_value};
use ulid::Ulid;

use super::HoldRule;
use super::decision::Placed;
use crate::store::{HoldRow, HoldState, Store, StoreError};

/// What the names of those begin with who decided at the caller's own client.
pub const CLIENT_PREFIX: &str = "client:";

/// What a caller and its gateway say about approval.
#[derive(Debug, Clone, Copy)]
pub struct Approval<'a> {
    /// The hold that the caller names, where it does.
    pub named: Option<&'a str>,
    /// The arguments as they would be sent, for the person who decides: a JSON object,
    /// redacted.
    pub shown: &'a str,
    /// The arguments as the agent gave them: a JSON object, redacted.
    pub given: &'a str,
    /// Why the call is made, as the agent said it, redacted.
    pub stated: Option<&'a str>,
    /// Where the call would go, for that person.
    pub shown_target: &'a str,
    /// Where the call would go, and by which description.
    pub target: &'a str,
    /// The groups that the caller claims: a JSON list.
    pub claimed: &'a str,
    /// What else is known of the caller: a JSON object.
    pub known: Option<&'a str>,
    /// What the call would cost.
    pub price: Option<&'a str>,
    /// Microseconds since the Unix epoch.
    pub now: i64,
    /// The approval whose changed arguments these are: it was found by those that were held.
    pub edited: Option<&'a HoldRow>,
}

/// Where a call that must be approved stands.
pub(super) enum Standing {
    Approved(HoldRow),
    Waiting(HoldRow, Placed),
    /// The approval that it goes by does not count: why, for the agent.
    Refused(String),
    /// It let another call through.
    Used(String),
    /// A person said no.
    Rejected(String),
}

/// What a hold is bound to beside caller and tool: what the call does, and where.
pub fn hold_digest(call: &Call, target: &str) -> String {
    digest_value(&json!({
        "operation": call.operation.id.to_string(),
        "target": target,
        "arguments": call.arguments,
    }))
}

pub(super) async fn standing(
    call: &Call,
    rule: &HoldRule,
    rule_name: &str,
    request: Approval<'_>,
    store: &Store,
) -> Result<Standing, StoreError> {
    if let Some(row) = request.edited {
        return Ok(if counts(row, rule, &call.identity) {
            Standing::Approved(row.clone())
        } else {
            Standing::Refused(stale(row))
        });
    }
    let digest = hold_digest(call, request.target);
    let identity = call.identity.as_str();
    let tool = call.tool.as_str();
    let found = match request.named {
        Some(id) => {
            let of_this_call = |row: &HoldRow| {
                row.identity == identity && row.tool == tool && row.digest == digest
            };
            // One answer for all that it is not: a caller learns nothing about others' holds,
            // that there is one among it.
            let Some(row) = store.hold(id).await?.filter(of_this_call) else {
                return Ok(Standing::Refused(format!(
                    "`{id}` was not held for this call: an approval is bound to caller, tool and arguments"
                )));
            };
            if row.expires <= request.now {
                return Ok(Standing::Refused(format!(
                    "the time to approve and use `{id}` has run out; call again without naming it to ask anew"
                )));
            }
            if row.state == HoldState::Spent {
                return Ok(Standing::Used(format!(
                    "the approval `{id}` was used; it lets one call through"
                )));
            }
            Some(row)
        }
        None => store.find_hold(identity, tool, &digest, request.now).await?,
    };
    let ends = match found {
        Some(row) if row.state == HoldState::Approved => {
            if counts(&row, rule, &call.identity) {
                return Ok(Standing::Approved(row));
            }
            if request.named.is_some() {
                return Ok(Standing::Refused(stale(&row)));
            }
            Some(row.id)
        }
        Some(row) if row.state == HoldState::Pending => {
            return Ok(Standing::Waiting(row, Placed::Earlier));
        }
        Some(row) => {
            return Ok(Standing::Rejected(match &row.reason {
                Some(reason) => format!("a person rejected this call: {reason}"),
                None => "a person rejected this call".to_owned(),
            }));
        }
        None => None,
    };
    let lasts = i64::try_from(rule.expires.as_micros()).unwrap_or(i64::MAX);
    let barred = rule.four_eyes.as_ref().map(|four_eyes| four_eyes.barred(&call.identity));
    let hold = HoldRow {
        id: format!("h_{}", Ulid::new().to_string().to_lowercase()),
        call: call.id.to_string(),
        identity: identity.to_owned(),
        tool: tool.to_owned(),
        digest,
        arguments: request.shown.to_owned(),
        rule: rule_name.to_owned(),
        price: request.price.map(str::to_owned),
        placed: request.now,
        expires: request.now.saturating_add(lasts),
        given: request.given.to_owned(),
        stated: request.stated.map(str::to_owned),
        target: request.shown_target.to_owned(),
        claimed: request.claimed.to_owned(),
        known: request.known.map(str::to_owned),
        asks_operator: rule.asks_operator,
        asks_client: rule.asks_client,
        barred: barred.map(|names| json!(names).to_string()),
        ..HoldRow::default()
    };
    Ok(Standing::Waiting(hold, ends.map_or(Placed::Now, Placed::InsteadOf)))
}

/// Whether an approval counts by the terms on which the call is held now: the rules may have become
/// stricter since it was given, and arguments that a person changed may fall under others.
pub(super) fn counts(row: &HoldRow, rule: &HoldRule, caller: &Identity) -> bool {
    let by = row.decided_by.as_deref().unwrap_or_default();
    let may = if by.starts_with(CLIENT_PREFIX) { rule.asks_client } else { rule.asks_operator };
    let Some(four_eyes) = &rule.four_eyes else { return may };
    let barred = four_eyes.barred(caller);
    let own = |name: &str| {
        let bare = name.strip_prefix("operator:").unwrap_or(name);
        barred.iter().any(|one| one == bare)
    };
    may && !own(by) && !row.decided_user.as_deref().is_some_and(own)
}

fn stale(row: &HoldRow) -> String {
    format!(
        "whoever approved `{}` may not approve this call by the rules as they are now; call again \
         without naming it to ask anew",
        row.id
    )
}
