//! The proof that a call is paid for, or free, and on record.

use crate::safety::Allowed;
use crate::store::Receipt;

/// A value that may be carried out: safety allowed it, nothing is owed for it, and the
/// intent to carry it out is on record. The bridge takes nothing else.
#[derive(Debug)]
pub struct Cleared<T>(T);

impl<T> Cleared<T> {
    /// To be called by this room where nothing is owed. The receipt proves that the
    /// gateway's commit, with the intent in it, went down.
    pub(super) fn new(allowed: Allowed<T>, _recorded: &Receipt) -> Self {
        Self(allowed.into_inner())
    }

    /// What was cleared.
    pub fn get(&self) -> &T {
        &self.0
    }
}
