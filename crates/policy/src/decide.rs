//! What is asked, and what is decided.

use serde_json::{Map, Value};

use crate::considered::Considered;
use crate::terms::HoldTerms;

/// A call, as policies see it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The arguments, under the agent's names, with the defaults of the configuration.
    pub arguments: &'a Map<String, Value>,
    /// The client, as `name/version`.
    pub client: Option<&'a str>,
    /// How the call came in: `stdio`, `http`, `cli`.
    pub channel: &'a str,
    /// Microseconds since the Unix epoch.
    pub now: i64,
}

/// What a policy does where it is satisfied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The call may go on, unless another policy speaks against it.
    Permit,
    /// It may not.
    Forbid,
    /// A person must approve it.
    Hold(HoldTerms),
}

impl Effect {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Forbid => "forbid",
            Self::Hold(_) => "hold",
        }
    }
}

/// What the policies come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may go on.
    Allow {
        /// The permits that say so.
        rules: Vec<String>,
    },
    /// It may not.
    Deny {
        /// The policies that say so.
        rules: Vec<String>,
        /// Why, for the caller.
        reason: String,
    },
    /// It may go on when a person has approved it.
    Hold {
        /// The holds.
        rules: Vec<String>,
        /// The permits.
        permits: Vec<String>,
        /// What the holds ask for together.
        terms: HoldTerms,
    },
}

/// What became of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was satisfied.
    Satisfied,
    /// It was not.
    NotSatisfied,
    /// It could not be evaluated, or not on the values as they are.
    Failed(String),
}

/// A decision.
#[derive(Debug, Clone)]
pub struct Decided {
    /// What it is.
    pub verdict: Verdict,
    /// Every policy that was considered.
    pub considered: Considered,
}
