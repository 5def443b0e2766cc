//! The policies that were considered in a decision, as the trail keeps them and as people see them.
//! Nothing is decided here.

use crate::audit::{Became, Considerations, ConsideredRow, Form, Line, Stood, Told};
use crate::safety::{self, Considered, Outcome, Stands};
use crate::secret::Redactor;
use crate::store::Shared;

/// The policies on a tool, as the trail keeps them.
#[derive(Debug)]
pub(super) struct Kept {
    form: Form,
    shared: Shared,
}

impl Kept {
    /// What is the same for all calls of a tool. No secret gets into it that the redactor knows.
    pub(super) fn new(form: &safety::Form, redactor: &Redactor) -> Self {
        let mut form = form_of(form);
        for name in form.considered.iter_mut().map(|line| &mut line.rule).chain(&mut form.places) {
            *name = redactor.text(name).into_owned();
        }
        let shared = Shared::new(form.text());
        Self { form, shared }
    }

    /// What the trail keeps of a decision.
    pub(super) fn of(&self, considered: &Considered, redactor: &Redactor) -> Considerations {
        let told = told(&self.form, considered, redactor);
        Considerations { form: Some(self.shared.clone()), told }
    }
}

/// The policies that were considered, for people.
pub(super) fn rows(considered: &Considered) -> Vec<ConsideredRow> {
    let Some(form) = considered.form().map(form_of) else { return Vec::new() };
    form.rows(&told(&form, considered, &Redactor::default()))
}

fn form_of(form: &safety::Form) -> Form {
    let line = |(rule, effect, reads): (&str, &'static str, &[usize])| Line {
        rule: rule.to_owned(),
        effect: effect.into(),
        reads: reads.to_vec(),
    };
    Form {
        considered: form.lines().map(line).collect(),
        places: form.places().map(str::to_owned).collect(),
    }
}

fn told(form: &Form, considered: &Considered, redactor: &Redactor) -> Told {
    let became = considered.outcomes().map(|outcome| match outcome {
        None => (Became::NotConsidered, None),
        Some(Outcome::Satisfied) => (Became::Satisfied, None),
        Some(Outcome::NotSatisfied) => (Became::NotSatisfied, None),
        Some(Outcome::Failed(why)) => (Became::Failed, Some(why.clone())),
    });
    form.tell(became, |place| match considered.at(place) {
        Stands::Untold => Stood::Untold,
        Stands::Nothing => Stood::Nothing,
        Stands::There(value) => Stood::value(value.clone(), redactor),
    })
}
