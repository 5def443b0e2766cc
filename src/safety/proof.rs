//! The proof that safety let a call through.

/// A value that safety allowed. Only this room makes one, so what takes it cannot be
/// reached by a call on which nobody decided.
#[derive(Debug)]
pub struct Allowed<T>(T);

impl<T> Allowed<T> {
    /// To be called where a decision fell, and nowhere else.
    pub(super) fn new(value: T) -> Self {
        Self(value)
    }

    /// What was allowed.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// What was allowed. The proof is gone with it.
    pub fn into_inner(self) -> T {
        self.0
    }
}
