//! Media types, as far as the reader and the binding tell them apart (RFC 9110 §8.3.1).

/// What a media type looks like (RFC 6838 §4.2), with parameters, as a schema says it.
pub(crate) const PATTERN: &str = "^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+( *;[ -~]*)?$";

/// A media type in lower case, without parameters.
pub(crate) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether it is JSON (RFC 8259), also by its suffix (RFC 6839 §3.1).
pub(crate) fn is_json(essence: &str) -> bool {
    matches!(essence, "application/json" | "text/json")
        || (essence.ends_with("+json") && !is_json_lines(essence))
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
            | "application/stream+json"
    ) || is_json_sequence(essence)
}

/// Whether each JSON text begins with a record separator (RFC 7464, RFC 8091).
pub(crate) fn is_json_sequence(essence: &str) -> bool {
    essence == "application/json-seq" || essence.ends_with("+json-seq")
}

/// The value of a media type's parameter, without its quotes.
pub(crate) fn parameter(media_type: &str, wanted: &str) -> Option<String> {
    let mut rest = media_type.split_once(';')?.1;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let mut value = String::new();
        if let Some(quoted) = after.strip_prefix('"') {
            let mut chars = quoted.chars();
            loop {
                match chars.next()? {
                    '"' => break,
                    '\\' => value.extend(chars.next()),
                    c => value.push(c),
                }
            }
            rest = chars.as_str();
        } else {
            let end = after.find(';').unwrap_or(after.len());
            after[..end].trim_end().clone_into(&mut value);
            rest = &after[end..];
        }
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
    }
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
