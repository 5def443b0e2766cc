//! What a call costs, and whether it is paid for.
//!
//! An allowed call goes in; a [`Clearance`] comes out. A free call becomes [`Cleared`] once
//! the gateway's commit, with the intent in it, is on record. A call with a price is asked
//! to pay in the form of x402 version 2. This version verifies no payment: a call that
//! brings one is refused, nothing is charged and nothing is done. Where the facilitator
//! cannot be reached nobody is asked to pay, since nothing could be settled.
//!
//! Fails closed: what is not known to be free or settled does not go on. This room knows
//! neither MCP nor the upstream.

mod facilitator;
mod price;
mod proof;
mod quote;

pub use facilitator::{Facilitator, FacilitatorError};
pub use price::{PayTo, Price, PriceError, Terms};
pub use proof::Cleared;
pub use quote::{Clearance, Quoted, quote};
