//! What is owed for one call.

use serde_json::Value;
use tollbridge_operation::Call;

use super::{Cleared, Facilitator, Terms};
use crate::safety::Allowed;
use crate::store::Receipt;

/// What became of an allowed call. The trail keeps it; only [`Quoted`] leads on.
#[derive(Debug)]
pub enum Clearance {
    /// Nothing is owed.
    Free(Quoted),
    /// It must be paid for first.
    PaymentRequired {
        /// x402's PaymentRequired.
        required: Value,
        /// The price for people.
        price: String,
    },
    /// Nothing can be settled now: nothing is charged and nothing is done.
    Unavailable {
        /// Why.
        reason: String,
        /// In how many seconds it may be different; `None` where waiting does not help.
        retry_after_s: Option<u64>,
    },
}

/// An allowed call for which nothing is owed. It goes on once its intent is on record.
#[derive(Debug)]
pub struct Quoted(Allowed<Call>);

impl Quoted {
    /// The call.
    pub fn call(&self) -> &Call {
        self.0.get()
    }

    /// The call may be carried out: its intent is on record.
    pub fn clear(self, recorded: &Receipt) -> Cleared<Call> {
        Cleared::new(self.0, recorded)
    }
}

/// Finds out what is owed for an allowed call that brings `payment`, or none.
pub async fn quote(
    allowed: Allowed<Call>,
    terms: &Terms,
    payment: Option<&Value>,
    facilitator: Option<&Facilitator>,
    description: &str,
) -> Clearance {
    let price = match terms {
        Terms::Free => return Clearance::Free(Quoted(allowed)),
        Terms::Priced(price) => price,
    };
    let unavailable =
        |reason: String, retry_after_s| Clearance::Unavailable { reason, retry_after_s };
    let Some(facilitator) = facilitator else {
        return unavailable("no payment facilitator is configured".to_owned(), None);
    };
    if let Err(error) = facilitator.ready().await {
        return unavailable(error.to_string(), Some(30));
    }
    if payment.is_some() {
        return unavailable(
            "this version of tollbridge cannot verify payments yet, so it takes none".to_owned(),
            None,
        );
    }
    Clearance::PaymentRequired {
        required: price.payment_required(allowed.get().tool.as_str(), description),
        price: price.text().to_owned(),
    }
}
