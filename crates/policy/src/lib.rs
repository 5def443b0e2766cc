//! Policies on tool calls: what a configuration's short rules and Cedar files say of who may
//! call which tool, with which arguments, when, and for which calls a person is asked.
//!
//! [`Engine::compile`] takes the tools with their rules, and the texts of policy files. It makes
//! a Cedar schema of the tools' input schemas, so that a policy on an argument that is not there
//! is an error before anybody calls. Short rules (`allow`, `deny`, `hold`, `when`) become Cedar
//! policies too: there is one engine. [`Engine::caller`] finds what an identity could do at all,
//! and [`Caller::decide`] decides on one call.
//!
//! Cedar leaves a policy out that it cannot evaluate. Here such a policy denies the call, and so
//! does one that reads a value which Cedar cannot hold exactly (see [`Kind`]): what cannot be
//! decided is refused. A `forbid` wins over a hold, and a hold over a `permit`.
//!
//! This crate is pure. It reads no file, no clock and no environment, and knows neither MCP nor
//! HTTP nor a store.

mod action;
mod caller;
mod carry;
mod considered;
mod decide;
mod depth;
mod engine;
mod found;
mod guard;
mod kind;
mod pointers;
mod reads;
mod rules;
mod schema;
mod source;
mod terms;
mod window;

pub use action::{CALL, DISCOVER, action_of};
pub use caller::{Caller, Claims, Outlook};
pub use considered::{Consideration, Considered, Form, Stands};
pub use decide::{Asked, Decided, Effect, Outcome, Verdict};
pub use engine::{Engine, Entry, Problem, STACK, Severity, Site, ToolDef};
pub use found::{FindList, Finding, FoundDef};
pub use kind::{Field, Kind, LeftOut};
pub use rules::{ToolRules, Who};
pub use source::Source;
pub use terms::{Deciders, HoldTerms};
pub use window::{Days, Hours, When};
