//! What a call costs, and who has paid.

mod proof;

pub use proof::Cleared;
