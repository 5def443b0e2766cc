//! Whether a tool has a place that the configuration names: of its arguments, or of its answers.

use super::pointer::{ArgumentPointer, Step};
use super::rule::RuleError;
use super::schema::Walk;
use super::{Tool, place, shape};

/// Whether answers may have something at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerPlace {
    /// The description has it.
    Described,
    /// Nothing describes them.
    Unknown,
    /// The description has other members there. It binds no API: answers may have it all the same.
    Undescribed {
        /// The place that may have been meant.
        suggestion: Option<String>,
        /// The names that are described where the pointer leaves the description, at most 30.
        known: Vec<String>,
    },
}

impl Tool {
    /// Whether agents can give an argument at the place, under the names that they know. The error
    /// names what is near.
    pub fn argument_place(&self, pointer: &ArgumentPointer) -> Result<(), RuleError> {
        let is_reason = |name: &String| self.reason().is_some_and(|reason| reason.name() == name);
        if let [Step::Name(name)] = pointer.steps()
            && is_reason(name)
        {
            return Ok(());
        }
        if self.rules.is_empty() {
            return check(&Walk::through(&self.operation.input), pointer);
        }
        check(&Walk::new(&self.judged_input()), pointer)
    }

    /// Whether answers may have something at the place, as the API gives them: before anything is
    /// selected.
    pub fn answer_place(&self, pointer: &ArgumentPointer) -> AnswerPlace {
        let described = self.operation.output.as_ref().filter(|_| self.output.is_some());
        let Some(schema) = described else { return AnswerPlace::Unknown };
        match check(&Walk::through(schema), pointer) {
            Err(RuleError::UnknownArgument { suggestion, known, .. }) => {
                AnswerPlace::Undescribed { suggestion, known }
            }
            _ => AnswerPlace::Described,
        }
    }
}

fn check(walk: &Walk<'_>, pointer: &ArgumentPointer) -> Result<(), RuleError> {
    let found = place::find(walk, pointer.steps());
    found.map(drop).map_err(|missing| shape::unknown(pointer, missing))
}
