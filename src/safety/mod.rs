//! Who may do what: which tools an identity sees, what an argument may be, how often a tool
//! may be called, and what a person must decide on.
//!
//! A [`Call`](tollbridge_operation::Call) goes in; a [`Decision`] comes out, with the rules
//! that made it. Only its allowing arm carries an [`Allowed`], without which neither
//! settlement nor the bridge can be reached. Windows and the kill switch are decided by the
//! store in the commit that records the call's intent: here they are only named.
//!
//! What cannot be decided is refused. This room knows neither MCP nor HTTP nor SOAP.

mod approval;
mod budget;
mod conduct;
mod decision;
pub mod edit;
mod proof;
mod rules;

pub use approval::{Approval, hold_digest};
pub use budget::BudgetRule;
pub use conduct::{Conduct, DriftRule, LoopRule, StormRule};
pub use decision::{BrokenLimit, Decision, Placed, decide};
pub use proof::Allowed;
pub use rules::{By, FourEyes, HoldRule, Rules, Who, WindowRule};
