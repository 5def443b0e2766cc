//! The demo: bundled upstreams on loopback, a bridge before them, and a scripted day that a
//! real MCP client drives over streamable HTTP.
//!
//! Nothing that it prints is written down beforehand: answers come from the upstream, and
//! the trail from the store. It uses the same configuration that stands at the top of the
//! project, with its own ports. It must not reach behind the bridge: what happened at the
//! upstream is read from the upstream's own record.

mod client;
mod day;
mod facilitator;
pub mod faults;
pub mod orders;
mod stage;
pub mod warehouse;

pub use client::{Agent, AgentError};
pub use day::{Line, run};
pub use stage::{DemoError, Stage};
