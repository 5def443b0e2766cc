//! What the format has and this version does not act on.
//!
//! Such a key is refused with a reason of its own, never ignored: a limit that is not
//! enforced is worse than none. A row goes when the key is acted on and enters the model.

use toml::de::DeValue;

/// Keys by their table: `*` stands for a key of the user's, `[]` for an element.
const KEYS: &[(&str, &str, &str)] = &[("settlement", "buy", "nothing would be bought")];

/// Why a key is refused, where it is one of the format's.
pub(super) fn key(table: &str, key: &str) -> Option<&'static str> {
    let row = KEYS.iter().find(|(in_table, name, _)| *in_table == table && *name == key)?;
    Some(row.2)
}

/// Why a value is refused, where the format has it: what it says it is, and the reason.
pub(super) fn value(path: &str, value: &DeValue<'_>) -> Option<(String, &'static str)> {
    match (path, value) {
        ("audit.store", DeValue::String(store))
            if store.starts_with("postgres:") || store.starts_with("postgresql:") =>
        {
            Some(("a PostgreSQL store".to_owned(), "use `sqlite:PATH`"))
        }
        ("api.*.auth.kind" | "api.*.credentials.*.kind", DeValue::String(kind))
            if ["mtls", "hmac"].contains(&kind.as_ref()) =>
        {
            let instead = if kind == "mtls" {
                "set `tls` of the API with `cert` and `key`"
            } else {
                "use `signature`"
            };
            Some((format!("the credential `{kind}`"), instead))
        }
        _ => None,
    }
}
