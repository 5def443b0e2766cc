//! What stands in for a tool's operation, and how to find out what became of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tollbridge_operation::{ApiName, Arguments, Operation, ToolName};

use super::protection::Places;
use super::toolbox::Budgeted;
use crate::bridge::Upstream;
use crate::tools::answer::Selector;

/// What answers a call that its own operation could not answer.
#[derive(Debug)]
pub enum Fallback {
    /// Another operation, of the same API or of another.
    Operation(Box<Substitute>),
    /// The last good answer to the same call of the same caller, where it is not older.
    Cached {
        /// How old it may be.
        max_age: Duration,
    },
    /// An answer that the configuration declares.
    Answer(Value),
}

impl Fallback {
    /// The operation, where it is one.
    pub fn operation(&self) -> Option<&Substitute> {
        match self {
            Self::Operation(substitute) => Some(substitute),
            Self::Cached { .. } | Self::Answer(_) => None,
        }
    }

    /// The same, to be completed.
    pub fn operation_mut(&mut self) -> Option<&mut Substitute> {
        match self {
            Self::Operation(substitute) => Some(substitute),
            Self::Cached { .. } | Self::Answer(_) => None,
        }
    }
}

/// Another operation that stands in for a tool's.
pub struct Substitute {
    /// Its API.
    pub api: ApiName,
    /// Where its calls go.
    pub upstream: Arc<Upstream>,
    /// What it is.
    pub operation: Arc<Operation>,
    /// Which of the tool's arguments its own are.
    pub map: Mapping,
    /// What nobody is shown of its answers.
    pub hidden: Places,
    /// What of its answer is the tool's.
    pub result: Option<Selector>,
    /// Its budgets in which the tool's calls do not count already.
    pub budgets: Vec<Budgeted>,
}

impl fmt::Debug for Substitute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Substitute({})", self.operation.id)
    }
}

/// Names of arguments, each with a JSON pointer into other arguments.
#[derive(Debug, Default)]
pub struct Mapping(Vec<(String, String)>);

impl FromIterator<(String, String)> for Mapping {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Mapping {
    /// Whether one of that name can come of it.
    pub(super) fn gives(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| own == name)
    }

    /// The arguments that these become: those that are there.
    pub(super) fn apply(&self, given: &Value) -> Arguments {
        let found = self.0.iter().filter_map(|(name, pointer)| {
            given.pointer(pointer).map(|value| (name.clone(), value.clone()))
        });
        found.collect()
    }
}

/// The tool that tells what became of a call whose outcome nobody knows.
#[derive(Debug)]
pub struct Lookup {
    /// Which.
    pub tool: ToolName,
    /// Which of the call's arguments its own are.
    pub map: Mapping,
}

/// The longest arguments that are spelled out in a next step.
const SPELLED: usize = 400;

impl Lookup {
    /// What an agent could do to find out, in words.
    pub(super) fn next_step(&self, arguments: &Map<String, Value>) -> String {
        let own = self.map.apply(&Value::Object(arguments.clone())).to_value().to_string();
        let with = if own.len() > SPELLED || own == "{}" {
            String::new()
        } else {
            format!(" with the arguments {own}")
        };
        format!(
            "The call may have had its effect. Find out by calling `{}`{with} before you do it again.",
            self.tool
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_mapped_by_pointer_and_what_is_not_there_is_left_out() {
        let map: Mapping = [("sku", "/article"), ("n", "/body/lines/0/n"), ("x", "/none")]
            .map(|(name, pointer)| (name.to_owned(), pointer.to_owned()))
            .into_iter()
            .collect();
        let given = json!({"article": "a/b", "body": {"lines": [{"n": 3}]}});
        assert_eq!(map.apply(&given).to_value(), json!({"sku": "a/b", "n": 3}));
    }
}
