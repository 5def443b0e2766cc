//! What the configuration says about one argument of a tool, and what can be wrong with it.

use serde_json::Value;

use super::pointer::ArgumentPointer;

/// The rules for one argument. Those of shape (`required`, `hide`, `fixed`, `default`,
/// `rename`, `description`) change what an agent sees and sends; those of limit (`min`,
/// `max`, `enum_`, `pattern`, `max_length`) are safety's, and breaking one is a denial.
#[derive(Debug, Clone, PartialEq)]
pub struct ArgumentRule {
    /// The argument, by the operation's own names.
    pub pointer: ArgumentPointer,
    /// The least number, as it is written.
    pub min: Option<String>,
    /// The greatest number, as it is written.
    pub max: Option<String>,
    /// The only values.
    pub enum_: Option<Vec<Value>>,
    /// What a text must match: ECMA-262 without flags, unanchored.
    pub pattern: Option<String>,
    /// The most code points of a text.
    pub max_length: Option<u64>,
    /// Whether an agent must give it.
    pub required: Option<bool>,
    /// Whether an agent neither sees nor may give it.
    pub hide: bool,
    /// What is always sent. An agent neither sees nor may give it.
    pub fixed: Option<Value>,
    /// What is sent where an agent gives nothing.
    pub default: Option<Value>,
    /// What an agent calls it.
    pub rename: Option<String>,
    /// What an agent reads about it.
    pub description: Option<String>,
}

impl ArgumentRule {
    /// No rule yet for the argument.
    pub fn new(pointer: ArgumentPointer) -> Self {
        Self {
            pointer,
            min: None,
            max: None,
            enum_: None,
            pattern: None,
            max_length: None,
            required: None,
            hide: false,
            fixed: None,
            default: None,
            rename: None,
            description: None,
        }
    }
}

/// A rule that cannot hold for the operation that it is for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The operation has no such argument.
    #[error("the operation has no argument `{pointer}`")]
    UnknownArgument {
        /// The rule's argument.
        pointer: ArgumentPointer,
        /// The argument that may have been meant.
        suggestion: Option<String>,
        /// The names that are possible where the pointer leaves the schema, at most 30.
        known: Vec<String>,
    },
    /// The limit is about another type than the argument has.
    #[error("`{limit}` cannot hold for `{pointer}`, which is {found}")]
    UnfitLimit {
        /// The rule's argument.
        pointer: ArgumentPointer,
        /// The limit's key.
        limit: &'static str,
        /// The argument's type in words.
        found: String,
    },
    /// The bound is no number.
    #[error("`{limit}` of `{pointer}` is no number: `{text}`")]
    InvalidNumber {
        /// The rule's argument.
        pointer: ArgumentPointer,
        /// The limit's key.
        limit: &'static str,
        /// What was given, cut at 40 characters.
        text: String,
    },
    /// The pattern is no regular expression.
    #[error("`pattern` of `{pointer}` is no regular expression: {reason}")]
    InvalidPattern {
        /// The rule's argument.
        pointer: ArgumentPointer,
        /// Why.
        reason: String,
    },
    /// No value fits the rules together.
    #[error("no value of `{pointer}` can fit: {reason}")]
    Impossible {
        /// The rule's argument.
        pointer: ArgumentPointer,
        /// Why.
        reason: String,
    },
    /// The operation needs the argument, and nobody could give it.
    #[error("the operation needs `{pointer}`, so it cannot be left out")]
    Needed {
        /// The rule's argument.
        pointer: ArgumentPointer,
    },
    /// A fixed or default value that the argument does not take.
    #[error("`{key}` of `{pointer}` is not {expected}")]
    UnfitValue {
        /// The rule's argument.
        pointer: ArgumentPointer,
        /// `fixed` or `default`.
        key: &'static str,
        /// What the argument takes, in words.
        expected: String,
    },
    /// A name that clients do not take, or that another argument has.
    #[error("`{pointer}` cannot be renamed to `{name}`: {reason}")]
    UnfitName {
        /// The rule's argument.
        pointer: ArgumentPointer,
        /// The new name, cut at 80 characters.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// Keys that exclude each other.
    #[error("`{first}` and `{second}` of `{pointer}` exclude each other")]
    Contradiction {
        /// The rule's argument.
        pointer: ArgumentPointer,
        /// One key.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// The schema is too entangled at that place to be rewritten within bounds.
    #[error("the schema at `{pointer}` is too complex for a rule")]
    TooComplex {
        /// The rule's argument.
        pointer: ArgumentPointer,
    },
    /// An example of a call that would be refused.
    #[error("example {} would be refused: at `{pointer}`, expected {expected}", index + 1)]
    UnfitExample {
        /// Which one, from 0.
        index: usize,
        /// Where in it.
        pointer: String,
        /// What would have been accepted.
        expected: String,
    },
    /// The operation's own schema cannot judge a call.
    #[error("the operation's schema cannot be used: {reason}")]
    UnusableSchema {
        /// Why.
        reason: String,
    },
}

impl RuleError {
    /// The argument whose rule is wrong; `None` where it is no rule's fault.
    pub fn pointer(&self) -> Option<&ArgumentPointer> {
        match self {
            Self::UnknownArgument { pointer, .. }
            | Self::UnfitLimit { pointer, .. }
            | Self::InvalidNumber { pointer, .. }
            | Self::InvalidPattern { pointer, .. }
            | Self::Impossible { pointer, .. }
            | Self::Needed { pointer }
            | Self::UnfitValue { pointer, .. }
            | Self::UnfitName { pointer, .. }
            | Self::Contradiction { pointer, .. }
            | Self::TooComplex { pointer } => Some(pointer),
            Self::UnfitExample { .. } | Self::UnusableSchema { .. } => None,
        }
    }

    /// The key of the rule that is wrong; `None` where it is the argument itself.
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Self::UnfitLimit { limit, .. } | Self::InvalidNumber { limit, .. } => Some(limit),
            Self::InvalidPattern { .. } => Some("pattern"),
            Self::UnfitValue { key, .. } => Some(key),
            Self::UnfitName { .. } => Some("rename"),
            Self::UnfitExample { .. } => Some("examples"),
            Self::Contradiction { second, .. } => Some(second),
            _ => None,
        }
    }

    /// How to mend it.
    pub fn help(&self) -> String {
        match self {
            Self::UnknownArgument { suggestion: Some(name), .. } => {
                format!("did you mean `{name}`?")
            }
            Self::UnknownArgument { known, .. } if known.is_empty() => {
                "the operation takes no arguments there".to_owned()
            }
            Self::UnknownArgument { known, .. } => {
                let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                format!("there are {}", names.join(", "))
            }
            Self::UnfitLimit { found, .. } if found.starts_with("list") => {
                "for the items of a list, end the pointer in `/*`".to_owned()
            }
            Self::UnfitLimit { .. } => {
                "min, max and sum are for numbers, pattern and max_length for text".to_owned()
            }
            Self::InvalidNumber { .. } => "write a decimal number, such as 500 or 0.01".to_owned(),
            Self::InvalidPattern { .. } => {
                "patterns are those of ECMA-262, as in JSON Schema".to_owned()
            }
            Self::Impossible { .. } => "widen the rule".to_owned(),
            Self::Needed { .. } => "give it a `fixed` value or a `default`".to_owned(),
            Self::UnfitValue { expected, .. } => format!("write {expected}"),
            Self::UnfitName { .. } => {
                "a name has 1 to 64 of a-z, A-Z, 0-9, `_`, `.` and `-`, and is no other argument's"
                    .to_owned()
            }
            Self::Contradiction { first, second, .. } => {
                format!("remove `{first}` or `{second}`")
            }
            Self::TooComplex { .. } => {
                "put the rule on the argument above it, or mend the description with an overlay"
                    .to_owned()
            }
            Self::UnfitExample { expected, .. } => format!("write {expected} there"),
            Self::UnusableSchema { .. } => {
                "mend the description with an overlay, or leave the tool out".to_owned()
            }
        }
    }
}
