//! The audit trail: what is kept of each call, and the queries over it.
//!
//! An [`Event`] is typed here and is a row in the store, where rows are only ever appended.
//! Whatever an event holds passes the redactor on its way to a row, so that nothing else has
//! to be trusted with that. A call is put together again from its events as a
//! [`CallRecord`], the form that `trace --json` prints.
//!
//! The trail tells what happened. It must not decide anything.

mod event;
mod query;
mod record;
mod time;

#[cfg(test)]
mod tests;

pub use event::{Event, FileRow, Place, Reservation, Verdict};
pub use query::{AuditError, Filter, call, calls, follow};
pub use record::{AttemptRecord, CallRecord, DecisionRecord, EventRecord};
pub use time::Time;

use tollbridge_operation::CallId;

/// Names a call: a ULID, so that names sort by time.
pub fn new_call_id() -> CallId {
    CallId::new(ulid::Ulid::new().to_string())
}
