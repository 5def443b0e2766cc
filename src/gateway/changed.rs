//! Whether a person's changes in a held call's arguments would go through: asked when they are made,
//! so that who made them hears of it and not the agent.
//!
//! The call is judged as it was held: by what was known of its caller then, and by the rules as they
//! are now. What passes by itself (the kill switch, windows, what is left of a budget) is left to
//! the repeat, which is judged by everything; what is more than a budget ever has is refused here. So
//! is left what depends on an argument that is not shown: the repeat brings it.

use serde_json::{Map, Value};
use tollbridge_operation::Identity;

use super::approvals::{Approver, given};
use super::pipeline::{lacking, never};
use super::request::{Caller, Transport};
use super::toolbox::{Exposed, Toolbox};
use crate::safety::edit::{self, Edit};
use crate::safety::{Asked, Pursuit, Verdict, police};
use crate::secret::REDACTED;
use crate::store::HoldRow;

/// Why changes would not go through.
pub(super) enum Unfit {
    /// They make no arguments of the tool.
    Wrong(String),
    /// The rules deny what they make of the call.
    Denied {
        /// Which ones.
        rules: Vec<String>,
        /// Why, in words.
        reason: String,
    },
}

/// Says why changed arguments would not go through now, if this one made them and approved the call.
pub(super) fn check(
    toolbox: &Toolbox,
    row: &HoldRow,
    edits: &[Edit],
    by: Approver<'_>,
    now: i64,
) -> Result<(), Unfit> {
    let wrong = |why: String| Unfit::Wrong(why);
    let denied = |rules: Vec<String>, reason: String| Err(Unfit::Denied { rules, reason });
    let known = Caller::of_hold(row);
    let caller = match &known {
        Some(caller) => caller.clone(),
        None => nameless(row).map_err(wrong)?,
    };
    let Some(exposed) = toolbox.find(&row.tool, &caller) else {
        return denied(
            Vec::new(),
            format!("`{}` may not call `{}` any more", row.identity, row.tool),
        );
    };
    if let Some((rule, reason)) = lacking(&caller, exposed) {
        return denied(vec![rule], reason);
    }
    let mut changed = given(row);
    let hidden = is_masked(&Value::Object(changed.clone()));
    edit::apply(&mut changed, edits).map_err(wrong)?;
    // What is not shown cannot be judged: the repeat brings it.
    let ours = |pointer: &str| {
        let touches = |edit: &Edit| within(pointer, &edit.at) || within(&edit.at, pointer);
        !hidden || edits.iter().any(touches)
    };
    let arguments = match exposed.tool.arguments(&changed) {
        Ok(arguments) => arguments,
        Err(found) => {
            return match found.into_iter().find(|found| ours(&found.pointer)) {
                Some(first) => {
                    Err(Unfit::Wrong(format!("{}: expected {}", first.pointer, first.expected)))
                }
                None => Ok(()),
            };
        }
    };
    let broken = exposed.tool.check_limits(&arguments);
    if let Some(broken) = broken.into_iter().find(|limit| ours(&limit.pointer)) {
        let rule = format!("{}.{}", exposed.tool.name, broken.rule);
        return denied(vec![rule], format!("{} must be {}", broken.pointer, broken.message));
    }
    if let Some(broken) = never(exposed, &arguments, ours) {
        return denied(vec![broken.rule], broken.message);
    }
    // Without what was known of it the caller would be taken for another.
    match known {
        Some(caller) => {
            let arguments = exposed.tool.shown_arguments(&arguments);
            policies(toolbox, exposed, &caller, &arguments, by, now)
        }
        None => Ok(()),
    }
}

/// What the policies say.
fn policies(
    toolbox: &Toolbox,
    exposed: &Exposed,
    caller: &Caller,
    arguments: &Map<String, Value>,
    by: Approver<'_>,
    now: i64,
) -> Result<(), Unfit> {
    let client = caller.agent.as_ref().map(ToString::to_string);
    let channel = caller.transport.as_str();
    let asked = Asked { arguments, client: client.as_deref(), channel, now };
    let seen = toolbox.seen(caller);
    let policed = police(&seen.policies, toolbox.place(exposed), &asked, Pursuit::New);
    let mut read = policed.considered().iter().flat_map(|one| one.values());
    if read.any(|(_, value)| value.is_some_and(is_masked)) {
        return Ok(());
    }
    match policed.verdict() {
        Verdict::Allow { .. } => Ok(()),
        Verdict::Deny { rules, reason } => {
            Err(Unfit::Denied { rules: rules.clone(), reason: reason.clone() })
        }
        Verdict::Hold { rules, terms, .. } => {
            let decided = HoldRow {
                decided_by: Some(by.name().to_owned()),
                decided_user: by.user().map(str::to_owned),
                ..HoldRow::default()
            };
            if exposed.rules.lets_approve(rules, terms, &decided, &caller.identity) {
                return Ok(());
            }
            let reason = format!("they are held on terms by which `{}` may not approve", by.name());
            Err(Unfit::Denied { rules: rules.clone(), reason })
        }
    }
}

/// The caller of a call that was held before it was kept what is known of them.
fn nameless(row: &HoldRow) -> Result<Caller, String> {
    let identity = Identity::new(row.identity.clone()).map_err(|error| error.to_string())?;
    let groups = serde_json::from_str(&row.claimed).unwrap_or_default();
    Ok(Caller { groups, ..Caller::new(identity, Transport::Cli) })
}

/// Whether something that is not shown stands in a value.
pub(super) fn is_masked(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(REDACTED) || text.contains("[hash:"),
        Value::Array(items) => items.iter().any(is_masked),
        Value::Object(members) => members.values().any(is_masked),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a place is another one, or in it.
fn within(place: &str, of: &str) -> bool {
    place.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
