//! What the tests share: documents from a folder, and arguments made up
//! from an operation's own input schema.

pub(crate) mod folder;
pub(crate) mod generate;
