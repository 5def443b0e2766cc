//! The shape of a tool's answers: what is selected of them, and how much is shown.
//!
//! An answer goes in whole, after it was compared with its description; what an agent is to
//! see comes out, with what was cut told beside it and never inside it.

pub mod cut;
mod described;
mod select;

use std::num::NonZeroU32;

use serde_json::Value;
use tollbridge_operation::Schema;

pub use cut::Cut;
pub use select::{InvalidSelector, Selector};

use cut::Unit;

/// What is done to a tool's answers.
#[derive(Debug, Default)]
pub struct AnswerShape {
    /// What is selected of an answer.
    pub select: Option<Selector>,
    /// The most rows of a list: of the answer itself, or of each list that is its member.
    pub rows: Option<NonZeroU32>,
    /// The most bytes of the answer's JSON.
    pub bytes: Option<u64>,
}

/// An answer as an agent is to see it.
#[derive(Debug, Default, PartialEq)]
pub struct Shaped {
    /// The answer.
    pub value: Value,
    /// What is not in it.
    pub cuts: Vec<Cut>,
    /// Why the selection could not be made. The value is then null: what is not selected may
    /// be what an agent must not see.
    pub failed: Option<String>,
}

impl AnswerShape {
    /// Shapes an answer.
    pub fn apply(&self, value: Value) -> Shaped {
        let (value, failed) = match &self.select {
            None => (value, None),
            Some(select) => match select.apply(&value) {
                Ok(selected) => (selected, None),
                Err(reason) => (Value::Null, Some(reason)),
            },
        };
        let mut shaped = Shaped { value, cuts: Vec::new(), failed };
        // A value that is no object is delivered as the member `result`.
        let at = if shaped.value.is_object() { "" } else { "/result" };
        if let Some(rows) = self.rows {
            let rows = usize::try_from(rows.get()).unwrap_or(usize::MAX);
            cut::rows(&mut shaped.value, rows, at, &mut shaped.cuts);
        }
        if let Some(bytes) = self.bytes {
            let limit = usize::try_from(bytes).unwrap_or(usize::MAX);
            let (value, cuts) = cut::cut(&shaped.value, limit, Unit::Bytes, at);
            shaped.value = value;
            shaped.cuts.extend(cuts);
        }
        shaped
    }

    /// The schema of what is left of an answer, as far as that can be told.
    pub(super) fn schema(&self, full: &Schema) -> Schema {
        match &self.select {
            None => full.clone(),
            Some(select) => Schema::new(described::selected(&full.to_value(), select.ast())),
        }
    }
}

#[cfg(test)]
mod tests;
