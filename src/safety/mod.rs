//! Who may do what.

mod proof;

pub use proof::Allowed;
