//! The methods of MCP, by name: what metrics and spans call a request, and whether a request whose
//! parameters do not fit has the wrong parameters or the wrong method.
//!
//! The MCP library knows them, too, but gives what does not fit as a request of an unknown kind. Any
//! other name is an agent's own word, and is told of nowhere.

use rmcp::model::ProtocolVersion;

use crate::gateway::OTHER_METHOD;

/// In which revisions a method is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answered {
    Always,
    /// In those before 2026-07-28.
    Before,
    /// From 2026-07-28 on.
    Since,
    /// In none: we do not offer it.
    Never,
}

const METHODS: [(&str, Answered); 18] = [
    ("initialize", Answered::Before),
    ("ping", Answered::Before),
    ("server/discover", Answered::Always),
    ("tools/list", Answered::Always),
    ("tools/call", Answered::Always),
    ("resources/list", Answered::Always),
    ("resources/templates/list", Answered::Always),
    ("resources/read", Answered::Always),
    ("resources/subscribe", Answered::Never),
    ("resources/unsubscribe", Answered::Never),
    ("prompts/list", Answered::Always),
    ("prompts/get", Answered::Always),
    ("completion/complete", Answered::Always),
    ("logging/setLevel", Answered::Never),
    ("subscriptions/listen", Answered::Since),
    ("tasks/get", Answered::Always),
    ("tasks/update", Answered::Always),
    ("tasks/cancel", Answered::Always),
];

/// The method of that name, or [`OTHER_METHOD`].
pub(super) fn named(name: &str) -> &'static str {
    METHODS.iter().find(|(known, _)| *known == name).map_or(OTHER_METHOD, |(known, _)| *known)
}

/// Whether requests for it are answered in that revision.
pub(super) fn is_answered(name: &str, revision: Option<&ProtocolVersion>) -> bool {
    let is_since = revision.is_some_and(|revision| *revision >= ProtocolVersion::V_2026_07_28);
    let found = METHODS.iter().find(|(known, _)| *known == name);
    match found.map_or(Answered::Never, |(_, answered)| *answered) {
        Answered::Always => true,
        Answered::Before => !is_since,
        Answered::Since => is_since,
        Answered::Never => false,
    }
}
