//! The audit trail: what is kept of each call, and the queries over it.
//!
//! An [`Event`] is typed here and is a row in the store, where rows are only ever appended.
//! Whatever an event holds passes the redactor on its way to a row, so that nothing else has
//! to be trusted with that. A call is put together again from its events as a
//! [`CallRecord`], the form that `trace --json` prints.
//!
//! Events are chained by their hashes. [`checkpoint`] signs the chain as it grows, and [`verify`]
//! tells whether it is what was written.
//!
//! The trail tells what happened. It must not decide anything.

mod anchor;
mod checkpoint;
mod considered;
mod event;
mod export;
mod keeper;
mod orphans;
mod query;
mod record;
mod retain;
mod row;
mod time;
mod verify;
mod went_by;

#[cfg(test)]
mod tests;

pub use crate::store::Ended;
pub use anchor::{Anchor, Signer, read_anchors};
pub use checkpoint::{CheckpointError, Signed, checkpoint};
pub use considered::{Became, Considerations, ConsideredRow, Form, Line, ReadValues, Stood, Told};
pub use event::{Event, FileRow, Place, Reservation, Verdict};
pub use export::{Format, export, text as otlp_text};
pub use keeper::{AnchorSink, CHECKPOINT_EVERY, Keeper, Keeping, take_elsewhere};
pub use orphans::close_orphans;
pub use query::{AuditError, Filter, call, calls, follow};
pub use record::{AttemptRecord, CallRecord, DecisionRecord, EventRecord};
pub use retain::{Keep, Removed, erase, retain};
pub use time::Time;
pub use verify::{Against, Broken, Verified, verify};
pub use went_by::{Digests, WentBy};

use tollbridge_operation::CallId;

/// Names a call: a ULID, so that names sort by time.
pub fn new_call_id() -> CallId {
    CallId::new(ulid::Ulid::new().to_string())
}
