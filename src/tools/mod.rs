//! Curation: an operation as an agent sees it.
//!
//! An operation goes in with the rules that the configuration has for it; a [`name`], a
//! portable schema, annotations, validators and limits come out, all of them known to compile
//! before the first call. The room knows operations only: no configuration file, protocol, caller
//! or clock. Whoever reads the configuration translates it into the input types here.

pub mod answer;
pub mod change;
mod circle;
mod gemini;
mod instructed;
mod judge;
mod known;
pub mod limits;
pub mod lint;
mod merge;
pub mod name;
mod output;
pub mod pages;
mod place;
mod places;
pub mod pointer;
mod portable;
mod profile;
mod published;
pub mod reason;
pub mod rule;
mod schema;
mod shape;
mod sound;
mod spending;
mod suspicion;
mod text;
pub mod tokens;
mod tool;
pub mod validate;

pub use answer::AnswerShape;
pub use change::{Change, Impact, changes};
pub use instructed::instructions_in;
pub use known::Known;
pub use limits::{LimitBroken, Limits};
pub use lint::{LintFinding, Severity, lint, lint_count};
pub use name::propose;
pub use pages::PageRule;
pub use places::AnswerPlace;
pub use pointer::ArgumentPointer;
pub use profile::Profile;
pub use published::Published;
pub use reason::{Reason, ReasonRule};
pub use rule::{ArgumentRule, RuleError};
pub use spending::Spending;
pub use suspicion::Suspicion;
pub use text::visible;
pub use tokens::TOKENIZER;
pub use tool::{Annotations, Tool, ToolSpec};
pub use validate::{ArgumentValidator, OutputValidator, Violation};
