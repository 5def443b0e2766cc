//! Policies that were considered, for people.

use std::fmt::Write as _;

use serde_json::Value;

use super::clean;
use crate::gateway::ConsideredRow;

/// Each policy on a line, and below it the values that it read.
pub(super) fn lines(considered: &[ConsideredRow]) -> String {
    let mut text = String::new();
    let width = considered.iter().map(|row| row.rule.chars().count()).max().unwrap_or(0).min(40);
    for ConsideredRow { rule, effect, outcome, why, values } in considered {
        // Writing to a string cannot fail.
        let _ = write!(text, "  {:width$}  {effect:<6}  {outcome}", clean(rule, 128));
        if let Some(why) = why {
            let _ = write!(text, ": {}", clean(why, 300));
        }
        text.push('\n');
        for (name, value) in &values.0 {
            let _ = writeln!(text, "      {} = {}", clean(name, 128), clean(value, 300));
        }
    }
    if considered.is_empty() {
        text.push_str("  no policy\n");
    }
    text
}

/// The policies that a recorded decision tells of.
pub(super) fn of_event(body: &serde_json::Map<String, Value>) -> Option<Vec<ConsideredRow>> {
    if body.get("kind").and_then(Value::as_str) != Some("decided") {
        return None;
    }
    let considered = body.get("considered").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
    serde_json::from_value(considered).ok()
}
