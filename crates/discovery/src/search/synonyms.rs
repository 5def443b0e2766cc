//! Words that mean the same in the names of operations.
//!
//! The groups are of APIs at large, not of one API: verbs of the usual operations, and nouns for
//! which descriptions and people use different words. A synonym counts less than the word itself.

/// What a word in the place of another counts.
pub(super) const VERB: f32 = 0.45;
/// The same for nouns.
pub(super) const NOUN: f32 = 0.6;

/// Verbs, unstemmed.
const VERBS: &[&[&str]] = &[
    &["create", "add", "post", "new", "insert", "register", "make", "open"],
    &["get", "fetch", "retrieve", "read", "show", "view", "describe", "load"],
    &["list", "search", "find", "query", "browse", "lookup", "look", "discover", "enumerate"],
    &["delete", "remove", "cancel", "destroy", "erase", "drop", "clear", "revoke"],
    &["update", "edit", "modify", "change", "patch", "put", "set", "replace", "rename"],
    &["send", "submit", "publish", "dispatch", "deliver"],
    &["enable", "activate", "start", "resume"],
    &["disable", "deactivate", "stop", "suspend", "pause"],
    &["check", "validate", "verify", "test"],
    &["upload", "import", "attach"],
    &["download", "export"],
    &["approve", "accept", "confirm", "authorize"],
    &["reject", "decline", "deny"],
    &["refund", "reverse", "return"],
    &["invite", "join"],
    &["count", "number", "total"],
];

/// Nouns, unstemmed.
const NOUNS: &[&[&str]] = &[
    &["image", "picture", "photo"],
    &["user", "account", "member"],
    &["person", "people", "contact"],
    &["message", "mail", "email"],
    &["repository", "repo"],
    &["organization", "organisation", "org"],
    &["configuration", "config", "setting", "preference", "option"],
    &["authentication", "auth", "login", "session"],
    &["authorization", "permission", "access"],
    &["movie", "film"],
    &["television", "tv"],
    &["company", "business", "firm"],
    &["customer", "client", "buyer"],
    &["invoice", "bill"],
    &["payment", "charge", "transaction"],
    &["product", "item", "article", "sku"],
    &["price", "cost", "fee"],
    &["order", "purchase"],
    &["shipment", "delivery", "shipping", "parcel", "package"],
    &["event", "log", "audit"],
    &["comment", "note", "remark"],
    &["document", "file", "attachment"],
    &["folder", "directory"],
    &["tag", "label", "keyword"],
    &["group", "team"],
    &["job", "task"],
    &["secret", "credential", "password"],
    &["webhook", "callback", "hook"],
    &["address", "location", "place"],
    &["statistic", "metric", "analytics", "stats", "usage"],
    &["detail", "information", "info"],
    &["issue", "ticket", "incident"],
    &["conversation", "chat", "thread"],
    &["zone", "domain"],
    &["popular", "trending"],
    &["similar", "related", "alike"],
    &["recommend", "suggest", "recommendation"],
    &["current", "now"],
    &["latest", "newest", "recent"],
];

/// The groups as stems, each with what its members count for each other.
pub(super) fn groups(mut stem: impl FnMut(&str) -> String) -> Vec<(Vec<String>, f32)> {
    let verbs = VERBS.iter().map(|group| (*group, VERB));
    let nouns = NOUNS.iter().map(|group| (*group, NOUN));
    let all = verbs.chain(nouns);
    all.map(|(group, weight)| {
        let mut stems: Vec<String> = group.iter().map(|word| stem(word)).collect();
        stems.sort();
        stems.dedup();
        (stems, weight)
    })
    .collect()
}

/// The verb that an HTTP method stands for (RFC 9110 §9.3, RFC 5789).
pub(super) fn verb_of(method: &str) -> &'static str {
    match method {
        "POST" => "create",
        "PUT" | "PATCH" => "update",
        "DELETE" => "delete",
        _ => "get",
    }
}
