//! What a call may do to the world, and how we came to think so.

use serde::{Deserialize, Serialize};

/// What calling an operation may do at the upstream. Ordered by severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Nothing that anyone would notice (RFC 9110 §9.2.1, safe methods).
    Read,
    /// It creates or changes something.
    Write,
    /// It removes something, or changes it in a way that cannot be taken back.
    Destructive,
}

impl Effect {
    /// The word that `tools.toml` and the audit trail use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destructive => "destructive",
        }
    }
}

/// Where an [`Effect`] was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EffectSource {
    /// The description says so.
    Declared,
    /// Concluded from the HTTP method; a POST may well be a read.
    Inferred,
    /// The user's `effect = …` in `tools.toml`.
    Set,
}
