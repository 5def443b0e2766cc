//! How a tool's requests are sent where there is a choice: what the configuration says of it.

use std::time::Duration;

/// How the requests of a call are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Manner {
    /// Whether answers to reads are kept, as far as HTTP allows, and for whom.
    pub cache: Sharing,
    /// Whether identical reads that are under way at the same time are one request, and whose.
    pub coalesce: Sharing,
    /// After which time without an answer a read is asked for once more beside the first request.
    pub hedge: Option<Duration>,
}

/// Whether callers have something in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sharing {
    /// There is nothing.
    #[default]
    Off,
    /// Each identity has its own.
    Private,
    /// All identities have it in common.
    Shared,
}
