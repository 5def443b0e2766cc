//! The fault matrix: what the agent gets, what the upstream sees and what the trail says, for
//! every fault of `docs/failure-modes.md`, whose table is written from the one here.

mod matrix;
mod names;
mod page;
mod row;
mod rows;
mod stage;
