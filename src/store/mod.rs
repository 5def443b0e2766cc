//! One store for what must survive a restart: events, windows, holds, switches and keys.
//!
//! Everything that belongs to one step of a call goes down in one [`Batch`], or not at
//! all. A single writer takes what has queued up into one transaction (group commit), so
//! that durability costs one fsync for many calls. Reads go past the writer.
//!
//! The store keeps rows; it must not know what an event, a policy or a price means.

mod batch;

pub use batch::{
    Batch, Change, CommitError, EventRow, Guard, HoldRow, HoldState, KeyRow, Receipt, StopScope,
    StoreError, WindowClaim,
};
