//! Media types, as far as the reader and the binding tell them apart (RFC 9110 §8.3.1).

/// A media type in lower case, without parameters.
pub(crate) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether it is JSON (RFC 8259), also by its suffix (RFC 6839 §3.1).
pub(crate) fn is_json(essence: &str) -> bool {
    matches!(essence, "application/json" | "text/json") || essence.ends_with("+json")
}

/// Whether it is a stream of JSON texts, one a line or one a record.
pub(crate) fn is_json_lines(essence: &str) -> bool {
    matches!(
        essence,
        "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
            | "application/jsonlines"
            | "application/json-seq"
    )
}

/// Server-sent events.
pub(crate) fn is_event_stream(essence: &str) -> bool {
    essence == "text/event-stream"
}

/// Whether it is XML (RFC 7303).
pub(crate) fn is_xml(essence: &str) -> bool {
    matches!(essence, "application/xml" | "text/xml") || essence.ends_with("+xml")
}

/// Whether people read it: text of any kind.
pub(crate) fn is_text(essence: &str) -> bool {
    essence.starts_with("text/")
        || is_xml(essence)
        || essence.ends_with("+yaml")
        || matches!(
            essence,
            "application/javascript"
                | "application/ecmascript"
                | "application/yaml"
                | "application/x-yaml"
                | "application/toml"
                | "application/graphql"
                | "application/sql"
                | "application/x-www-form-urlencoded"
        )
}
