//! IDs of one message, and references to them (XML Schema 1.1 part 1 §3.17.5.2).
//!
//! An ID stands once, and a reference names one that stands somewhere. Where there is something
//! in the message whose type is not known, a reference may name what is in there, so none is
//! called dangling.

use std::collections::HashSet;

use crate::xsd::builtin::NameKind;
use crate::xsd::simple::Simple;

/// What was met so far.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    ids: HashSet<String>,
    references: Vec<Reference>,
    /// Something stands in the message whose type is not known.
    pub(super) is_open: bool,
}

/// A name that something else should have as its ID, and the place that says so.
#[derive(Debug)]
pub(crate) struct Reference {
    id: String,
    pub(crate) at: String,
}

/// What a reference should have named.
pub(crate) const EXPECTED: &str = "the ID of something in the message";

impl Identities {
    /// Takes note of a value; what was expected instead, where it has an ID that is taken.
    pub(super) fn note(
        &mut self,
        simple: &Simple,
        text: &str,
        at: impl Fn() -> String,
    ) -> Result<(), String> {
        for (kind, name) in simple.identities(text) {
            match kind {
                NameKind::Id if !self.ids.insert(name.to_owned()) => {
                    return Err(format!("an ID other than {name}, which the message has already"));
                }
                NameKind::IdRef => {
                    self.references.push(Reference { id: name.to_owned(), at: at() });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The references that name nothing.
    pub(crate) fn dangling(&self) -> impl Iterator<Item = &Reference> {
        self.references.iter().filter(|one| !self.is_open && !self.ids.contains(&one.id))
    }
}
