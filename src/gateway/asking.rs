//! Asking the person at a caller's own client: what they are asked, what they answer, and the two
//! ways in which a front end can ask.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;

use crate::store::HoldRow;

/// What a person is asked about a held call. Nothing secret is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The hold's handle.
    pub hold: String,
    /// The tool.
    pub tool: String,
    /// Where the call would go.
    pub target: String,
    /// The arguments as the agent gave them.
    pub arguments: Value,
    /// Why the agent makes it: its words, and no proof.
    pub stated: Option<String>,
    /// What it would cost.
    pub price: Option<String>,
    /// The rule that holds it.
    pub rule: String,
    /// Until when it can be approved and used: RFC 3339.
    pub expires: String,
    /// What the client must hand back with its answer, sealed; `None` where the call stays open.
    pub state: Option<String>,
}

impl Question {
    pub(super) fn of(row: &HoldRow, state: Option<String>) -> Self {
        Self {
            hold: row.id.clone(),
            tool: row.tool.clone(),
            target: row.target.clone(),
            arguments: serde_json::from_str(&row.given).unwrap_or(Value::Null),
            stated: row.stated.clone(),
            price: row.price.clone(),
            rule: row.rule.clone(),
            expires: crate::audit::Time(row.expires).to_string(),
            state,
        }
    }
}

/// What a person at the client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It may go on.
    Yes {
        /// Why, in their words.
        reason: Option<String>,
    },
    /// It may not.
    No {
        /// Why, in their words.
        reason: Option<String>,
    },
    /// They did not want to decide, or the client could not ask.
    None,
}

/// Asks a question and waits for the answer, as long as it is waited for.
#[derive(Clone)]
pub struct Asker(Arc<Ask>);

type Ask = dyn Fn(Question, Duration) -> BoxFuture<'static, Answer> + Send + Sync;

impl Asker {
    /// Asks in this way, and waits for no longer than it is told.
    pub fn new(
        ask: impl Fn(Question, Duration) -> BoxFuture<'static, Answer> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(ask))
    }

    pub(super) fn ask(&self, question: Question, within: Duration) -> BoxFuture<'static, Answer> {
        (self.0)(question, within)
    }
}

impl fmt::Debug for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asker(…)")
    }
}

/// Whether, and how, the person at the client can be asked.
#[derive(Debug, Clone, Default)]
pub enum Asking {
    /// They cannot.
    #[default]
    Never,
    /// While the call stays open.
    Live(Asker),
    /// The call ends with the question, and is made again with the answer.
    Round,
}

/// The answer that a repeated call brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// What was handed out with the question. Nothing of it has been checked.
    pub state: String,
    /// The answer, where there is one.
    pub answer: Option<Answer>,
}
