//! What the format has and this version does not act on.
//!
//! Such a key is refused with a reason of its own, never ignored: a limit that is not
//! enforced is worse than none. A row goes when the key is acted on and enters the model.

use toml::de::DeValue;

/// Keys by their table: `*` stands for a key of the user's, `[]` for an element.
const KEYS: &[(&str, &str, &str)] = &[
    ("", "budget", LIMIT),
    ("", "safety", "policies are not enforced by this version"),
    ("server.auth", "jwt", "tokens are not verified by this version"),
    ("settlement", "buy", "this version pays nobody"),
    ("api.*", "fallback_urls", "this version fails over to no other URL"),
    ("api.*", "overlays", "overlays are not applied by this version"),
    ("api.*", "stale", "changed operations are not quarantined by this version"),
    ("api.*", "soap_headers", "SOAP headers are not sent by this version"),
    ("api.*", "tls", "this version sends no client certificate and trusts no CA of your own"),
    ("api.*", "idempotency_key", "this version sends no idempotency key"),
    ("api.*", "rate_limit", LIMIT),
    ("api.*", "max_concurrency", LIMIT),
    ("api.*", "resolver", "this version always asks the system's resolver"),
    ("tool[]", "budget", LIMIT),
    ("tool[]", "when", LIMIT),
    ("tool[]", "fallback", "this version answers with no fallback"),
    ("tool[]", "shape", "this version does not shape answers"),
];

const LIMIT: &str = "a limit that is not enforced is worse than none";

/// Why a key is refused, where it is one of the format's.
pub(super) fn key(table: &str, key: &str) -> Option<&'static str> {
    let row = KEYS.iter().find(|(in_table, name, _)| *in_table == table && *name == key)?;
    Some(row.2)
}

/// Why a value is refused, where the format has it: what it says it is, and the reason.
pub(super) fn value(path: &str, value: &DeValue<'_>) -> Option<(String, &'static str)> {
    match (path, value) {
        ("server.discovery", DeValue::Boolean(true)) => {
            Some(("`discovery = true`".to_owned(), "there are no discovery tools in this version"))
        }
        ("api.*.discover", DeValue::Array(who)) if !who.is_empty() => {
            Some(("`discover`".to_owned(), "there are no discovery tools in this version"))
        }
        ("audit.store", DeValue::String(store))
            if store.starts_with("postgres:") || store.starts_with("postgresql:") =>
        {
            Some(("a PostgreSQL store".to_owned(), "the trail is kept in SQLite: `sqlite:PATH`"))
        }
        ("api.*.auth.kind" | "api.*.credentials.*.kind", DeValue::String(kind))
            if ["wsse", "oauth2", "sigv4", "mtls", "digest", "hmac"].contains(&kind.as_ref()) =>
        {
            Some((
                format!("the credential `{kind}`"),
                "this version sends `api_key`, `basic` and `bearer`",
            ))
        }
        ("tool[].calls.by", DeValue::String(by)) if ["group", "all"].contains(&by.as_ref()) => {
            Some((format!("`by = \"{by}\"`"), LIMIT))
        }
        _ => None,
    }
}
