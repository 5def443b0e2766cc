//! Secrets: references to them, their values, and keeping them out of everything else.
//!
//! A configuration names a secret by a [`SecretRef`] and never holds one. Resolved, it is a
//! [`Secret`], which cannot be printed. A [`Redactor`] knows all secrets of a configuration
//! and takes them out of whatever leaves the process or goes on record: raw, and in the
//! encodings in which an upstream may echo them.
//!
//! This room knows nothing of who uses a secret for what.

mod command;
mod decode;
mod detect;
pub mod key_file;
mod keyring;
mod mask;
mod redact;
mod reference;
mod value;

#[cfg(test)]
mod tests;

pub use detect::Detectors;
pub use mask::mask_keys;
pub use redact::{Instead, REDACTED, Redactor, Rules};
pub use reference::{SecretError, SecretRef};
pub use value::Secret;
