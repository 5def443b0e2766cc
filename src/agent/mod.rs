//! MCP: the handler, its transports, and the layer in front of them.
//!
//! An agent's message comes in over standard input or HTTP, passes [`wire`], is dispatched by
//! the MCP library to the handler, and a tool call leaves this room as a
//! [`CallRequest`](crate::gateway::CallRequest) for the [`Backend`]. What comes back becomes
//! an MCP result in [`result`], the only place where results are made.
//!
//! Modern peers (2026-07-28, stateless) and legacy ones (2025-11-25 and 2025-06-18, with a
//! handshake and sessions) are served at the same time. This room decides nothing about a
//! call: who may call what, and what it costs, is the gateway's. It knows no upstream.

mod arrived;
mod asking;
mod backend;
mod changes;
mod gateway;
mod handler;
mod http;
mod in_flight;
mod methods;
mod prompts;
mod resources;
pub mod result;
mod stdio;
mod tasks;
mod trace;
pub mod wire;

pub use backend::{Backend, Hints, TaskEnd, TaskStanding, TaskView, ToolList, ToolView};
pub use gateway::{Proofs, verifier, view};
pub use http::{Beside, HttpOptions, Presented, Resource, TlsNow, Verifier, serve_http};
pub use resources::{Place, PlaceKind};
pub use stdio::{serve_lines, serve_stdio};

use std::net::SocketAddr;

/// Why serving ended, or did not begin.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The address can be reached from other machines, and nobody would have to say who they
    /// are.
    #[error(
        "{0} can be reached from other machines: set [server.auth] (for example `keys = true`), \
         or serve on a loopback address such as 127.0.0.1"
    )]
    Open(SocketAddr),
    /// An entry of `origins` is no origin.
    #[error("`{0}` is no origin: write it as https://app.example.com")]
    Origin(String),
    /// The listener or a stream failed.
    #[error("the transport failed: {0}")]
    Io(#[from] std::io::Error),
}

#[cfg(test)]
mod double;
