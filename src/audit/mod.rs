//! The audit trail: events, their queries and exports.
