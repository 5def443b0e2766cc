//! What differs between two versions of a tool, and what that means for whoever calls it.
//!
//! Two descriptions read by the same version of tollbridge are compared as the tools that
//! they make under the same rules, so that a change which the rules hide is none, and an
//! upgrade of tollbridge changes nothing. Arguments are compared as a caller meets them (what
//! was taken must still be taken), answers as a reader does (what was there must still be
//! there).

mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tollbridge_operation::{Decimal, Operation, Schema};

use super::text;
use super::tool::Tool;
use schema::{Direction, compare};

/// What a change means. Ordered by severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Impact {
    /// Only what is read about the tool.
    DocsOnly,
    /// Whatever worked goes on working.
    Compatible,
    /// Something that worked may fail now, or do more.
    Breaking,
}

impl Impact {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DocsOnly => "docs only",
            Self::Compatible => "compatible",
            Self::Breaking => "breaking",
        }
    }
}

impl fmt::Display for Impact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One difference between two versions of a tool.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// What it means.
    pub impact: Impact,
    /// Where: a JSON pointer into the arguments (`/arguments/…`) or the answer (`/answer/…`),
    /// in which `*` is every item; empty for the tool as a whole.
    pub pointer: String,
    /// What differs, in words.
    pub message: String,
}

impl Change {
    /// A change of the tool as a whole.
    pub fn of_tool(impact: Impact, message: impl Into<String>) -> Self {
        Self { impact, pointer: String::new(), message: message.into() }
    }
}

/// The severest of the changes; `None` where there are none.
pub fn impact(changes: &[Change]) -> Option<Impact> {
    changes.iter().map(|change| change.impact).max()
}

/// What differs between two versions of a tool, the severest first. Nothing where calls,
/// answers and what an agent reads are the same.
pub fn changes(old: &Tool, new: &Tool) -> Vec<Change> {
    let mut found = Vec::new();
    compare(Direction::Arguments, &old.judged_input(), &new.judged_input(), &mut found);
    limits(old, new, &mut found);
    let everything = Schema::new(serde_json::Value::Bool(true));
    match (&old.operation.output, &new.operation.output) {
        (None, None) => {}
        (old, new) => compare(
            Direction::Answer,
            &old.as_ref().unwrap_or(&everything).to_value(),
            &new.as_ref().unwrap_or(&everything).to_value(),
            &mut found,
        ),
    }
    operations(&old.operation, &new.operation, &mut found);
    if old.title != new.title || old.description != new.description {
        found.push(Change::of_tool(Impact::DocsOnly, "what an agent reads about it changed"));
    }
    // What no rule above has words for: how arguments are written, and what a schema says
    // in a keyword that is not compared.
    if found.is_empty()
        && format!("{:?}", old.operation.binding) != format!("{:?}", new.operation.binding)
    {
        let message = "arguments or answers are written otherwise in HTTP";
        found.push(Change::of_tool(Impact::Compatible, message));
    }
    if found.is_empty() && old.view() != new.view() {
        found.push(Change::of_tool(
            Impact::DocsOnly,
            "what an agent reads about its arguments or answers changed",
        ));
    }
    found.sort_by_key(|change| std::cmp::Reverse(change.impact));
    found
}

/// A limit by its name, `args.amount.max`, and what it allows.
fn limits(old: &Tool, new: &Tool, found: &mut Vec<Change>) {
    let all = |tool: &Tool| -> BTreeMap<String, String> {
        let pairs = tool.limits.rules().filter_map(|rule| rule.split_once('='));
        pairs.map(|(name, allowed)| (name.to_owned(), allowed.to_owned())).collect()
    };
    let (old, new) = (all(old), all(new));
    for (name, is) in &new {
        let (impact, message) = match old.get(name) {
            Some(was) if was == is => continue,
            Some(was) => {
                let looser = match (Decimal::parse(was), Decimal::parse(is)) {
                    (Some(was), Some(is)) if name.rsplit('.').next() == Some("min") => is <= was,
                    (Some(was), Some(is)) => is >= was,
                    _ => false,
                };
                let impact = if looser { Impact::Compatible } else { Impact::Breaking };
                (impact, format!("the limit {name} is {is} now, not {was}"))
            }
            None => (Impact::Breaking, format!("the limit {name}={is} is new")),
        };
        found.push(Change::of_tool(impact, message));
    }
    for (name, was) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
        found.push(Change::of_tool(Impact::Compatible, format!("the limit {name}={was} is gone")));
    }
}

fn operations(old: &Operation, new: &Operation, found: &mut Vec<Change>) {
    if old.effect != new.effect {
        let impact = if new.effect > old.effect { Impact::Breaking } else { Impact::Compatible };
        let message = format!("it is {} now, not {}", words(new), words(old));
        found.push(Change::of_tool(impact, message));
    }
    if old.idempotent != new.idempotent {
        let (impact, message) = if new.idempotent {
            (Impact::Compatible, "doing it twice is the same as once now")
        } else {
            (Impact::Breaking, "doing it twice is no longer the same as once")
        };
        found.push(Change::of_tool(impact, message));
    }
    if old.endpoint != new.endpoint {
        let place = |operation: &Operation| match &operation.endpoint {
            Some(e) => format!("{} {}", e.method, text::cut(&text::clean_line(&e.path), 120)),
            None => "another place".to_owned(),
        };
        let message = format!("the request is {} now, not {}", place(new), place(old));
        found.push(Change::of_tool(Impact::Compatible, message));
    }
    if old.servers != new.servers {
        found.push(Change::of_tool(Impact::Compatible, "the description names other servers"));
    }
    if old.deprecated != new.deprecated {
        let message =
            if new.deprecated { "it is deprecated now" } else { "it is no longer deprecated" };
        found.push(Change::of_tool(Impact::DocsOnly, message));
    }
    credentials(old, new, found);
}

fn words(operation: &Operation) -> String {
    let effect = operation.effect.as_str();
    if effect == "destructive" { effect.to_owned() } else { format!("a {effect}") }
}

/// Credentials: another one that must be there breaks calls, one less does not.
fn credentials(old: &Operation, new: &Operation, found: &mut Vec<Change>) {
    if old.security == new.security {
        return;
    }
    let alternatives = |operation: &Operation| -> Vec<BTreeSet<String>> {
        let names = |requirement: &tollbridge_operation::SecurityRequirement| {
            requirement.all_of.iter().map(|scheme| scheme.name.clone()).collect()
        };
        let mut all: Vec<BTreeSet<String>> = operation.security.iter().map(names).collect();
        if all.is_empty() {
            all.push(BTreeSet::new());
        }
        all
    };
    let (old, new) = (alternatives(old), alternatives(new));
    // Whoever satisfied an old alternative must satisfy a new one.
    let lost = old.iter().find(|old| !new.iter().any(|new| new.is_subset(old)));
    let change = match lost {
        Some(_) => {
            let named: BTreeSet<&String> = new.iter().flatten().collect();
            let named: Vec<String> = named
                .into_iter()
                .take(5)
                .map(|name| format!("`{}`", text::cut(&text::clean_line(name), 60)))
                .collect();
            Change::of_tool(
                Impact::Breaking,
                format!("it asks for other credentials: {}", named.join(", ")),
            )
        }
        None => Change::of_tool(
            Impact::Compatible,
            "it asks for other or fewer credentials, and the old ones do",
        ),
    };
    found.push(change);
}

#[cfg(test)]
mod tests;
