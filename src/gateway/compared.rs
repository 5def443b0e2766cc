//! Two versions compared, tool by tool: of a description, or of a whole configuration.

use std::collections::BTreeSet;

use tollbridge_operation::ApiName;

use super::compile::{self, Compared};
use super::toolbox::{Exposed, Toolbox};
use crate::catalog;
use crate::config::{Config, Diagnostics};
use crate::safety::{Rules, Who};
use crate::tools::{self, Change, Impact};

/// Compares two versions of the description of one of the configuration's APIs, as the tools
/// that the configuration makes of it.
pub fn compare_descriptions(
    config: &Config,
    api: &ApiName,
    old: catalog::Api,
    new: &catalog::Api,
) -> Result<Vec<Compared>, Diagnostics> {
    compile::compare(config, api, old, new)
}

/// Compares two configurations by their tools' names: what agents see, who may call it, and
/// what that costs.
pub fn compare_toolboxes(old: &Toolbox, new: &Toolbox) -> Vec<Compared> {
    let find = |toolbox: &'_ Toolbox, exposed: &Exposed| {
        let mut all = toolbox.exposed().iter();
        all.position(|other| other.tool.name == exposed.tool.name)
    };
    let compared = |exposed: &Exposed, changes: Vec<Change>| Compared {
        api: exposed.rules.api.clone(),
        tool: exposed.tool.name.clone(),
        operation: exposed.tool.operation.id.key.to_string(),
        changes,
    };
    let mut all = Vec::new();
    for exposed in new.exposed() {
        all.push(match find(old, exposed) {
            Some(at) => compared(exposed, changes(&old.exposed()[at], exposed)),
            None => compared(exposed, vec![Change::of_tool(Impact::Compatible, "the tool is new")]),
        });
    }
    for exposed in old.exposed().iter().filter(|exposed| find(new, exposed).is_none()) {
        let gone = Change::of_tool(Impact::Breaking, "the tool is gone");
        all.push(compared(exposed, vec![gone]));
    }
    all
}

fn changes(old: &Exposed, new: &Exposed) -> Vec<Change> {
    let mut found = tools::changes(&old.tool, &new.tool);
    if old.tool.operation.id != new.tool.operation.id {
        let (was, is) = (&old.tool.operation.id, &new.tool.operation.id);
        found.push(Change::of_tool(Impact::Breaking, format!("it is {is} now, not {was}")));
    }
    rules(&old.rules, &new.rules, &mut found);
    if old.price() != new.price() {
        let words = |exposed: &Exposed| exposed.price().unwrap_or("nothing").to_owned();
        let impact = if new.price().is_none() { Impact::Compatible } else { Impact::Breaking };
        let message = format!("a call costs {} now, not {}", words(new), words(old));
        found.push(Change::of_tool(impact, message));
    }
    if old.budgets.iter().map(|one| &one.rule).ne(new.budgets.iter().map(|one| &one.rule)) {
        let impact = if new.budgets.is_empty() { Impact::Compatible } else { Impact::Breaking };
        found.push(Change::of_tool(impact, "what its calls may use up changed"));
    }
    if old.upstream.base() != new.upstream.base() {
        let message = "its calls go to another base URL";
        found.push(Change::of_tool(Impact::Compatible, message));
    }
    if old.timeout != new.timeout {
        let impact = if new.timeout < old.timeout { Impact::Breaking } else { Impact::Compatible };
        let message = format!("a call may take {:?} now, not {:?}", new.timeout, old.timeout);
        found.push(Change::of_tool(impact, message));
    }
    found.sort_by_key(|change| std::cmp::Reverse(change.impact));
    found
}

/// Who may call, and how: what is taken away from someone breaks them.
fn rules(old: &Rules, new: &Rules, found: &mut Vec<Change>) {
    let set = |list: &[Who]| list.iter().map(|who| format!("{who:?}")).collect::<BTreeSet<_>>();
    let everyone = |list: &Option<Vec<Who>>| match list {
        None => true,
        Some(list) => list.contains(&Who::Everyone),
    };
    if old.allow != new.allow {
        let (was, is) = (old.allow.as_deref().map(set), new.allow.as_deref().map(set));
        let kept = everyone(&new.allow)
            || !everyone(&old.allow) && was.unwrap_or_default().is_subset(&is.unwrap_or_default());
        found.push(if kept {
            Change::of_tool(Impact::Compatible, "more may call it")
        } else {
            Change::of_tool(Impact::Breaking, "some who might call it may not any more")
        });
    }
    if set(&old.deny) != set(&new.deny) {
        found.push(if set(&new.deny).is_subset(&set(&old.deny)) {
            Change::of_tool(Impact::Compatible, "fewer are denied it")
        } else {
            Change::of_tool(Impact::Breaking, "more are denied it")
        });
    }
    if old.hold != new.hold {
        found.push(match (&old.hold, &new.hold) {
            (_, None) => Change::of_tool(Impact::Compatible, "its calls are no longer held"),
            (None, Some(_)) => {
                Change::of_tool(Impact::Breaking, "its calls are held for approval now")
            }
            _ => Change::of_tool(Impact::Breaking, "its calls are held in another way"),
        });
    }
    if old.window != new.window {
        let kept = match (old.window, new.window) {
            (_, None) => true,
            (Some(was), Some(is)) => is.by == was.by && is.per <= was.per && is.limit >= was.limit,
            (None, Some(_)) => false,
        };
        let impact = if kept { Impact::Compatible } else { Impact::Breaking };
        found.push(Change::of_tool(impact, "how often it may be called changed"));
    }
}
