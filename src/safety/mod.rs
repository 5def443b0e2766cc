//! Who may do what: which tools an identity sees, what an argument may be, how often a tool
//! may be called, and what a person must decide on.
//!
//! A [`Call`](tollbridge_operation::Call) goes in; a [`Decision`] comes out, with the rules
//! that made it. Only its allowing arm carries an [`Allowed`], without which neither
//! settlement nor the bridge can be reached. Windows and the kill switch are decided by the
//! store in the commit that records the call's intent: here they are only named.
//!
//! Policies are Cedar's, in `tollbridge-policy`: a tool's own `allow`, `deny`, `hold` and `when`
//! are some of them. Limits on arguments are the tool's, which compares exactly.
//!
//! What cannot be decided is refused. This room knows neither MCP nor HTTP nor SOAP.

mod approval;
mod budget;
mod conduct;
mod decision;
pub mod edit;
mod policy;
mod proof;
mod rules;

pub use approval::{Approval, CLIENT_PREFIX, hold_digest};
pub use budget::BudgetRule;
pub use conduct::{Conduct, DriftRule, LoopRule, StormRule};
pub use decision::{BrokenLimit, Decision, Placed, Refusal, decide};
pub use policy::{Policed, Pursuit, police};
pub use proof::Allowed;
pub use rules::{By, FourEyes, HoldRule, Rules, WindowRule};
pub use tollbridge_policy::{
    Asked, Caller as Policies, Claims, Consideration, Considered, Days, Engine, Form, Hours,
    Outcome, Stands, ToolDef, Verdict, When, Who,
};
