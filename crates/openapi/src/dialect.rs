//! Which JSON Schema a schema is written in (OpenAPI 3.1.1 §4.8.24.5, 3.2.0 §4.24.5: `$schema`,
//! else `jsonSchemaDialect`, else 2020-12).
//!
//! Older dialects are read with their own meaning. A word that came later says nothing in them
//! and is left out: whoever judges by such a dialect takes no notice of it either.

use crate::document::{Pointer, text_line};

/// A version of JSON Schema, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Dialect {
    Draft4,
    Draft6,
    Draft7,
    Draft2019,
    #[default]
    Draft2020,
}

impl Dialect {
    /// The dialect that a URI names; `None` for one that is not known here. OpenAPI's own are
    /// 2020-12 with a few annotations.
    pub(crate) fn of(uri: &str) -> Option<Self> {
        let uri = uri.trim().trim_end_matches('#');
        let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"))?;
        match rest.strip_suffix("/schema") {
            Some("json-schema.org/draft-04") => Some(Self::Draft4),
            Some("json-schema.org/draft-06") => Some(Self::Draft6),
            Some("json-schema.org/draft-07") => Some(Self::Draft7),
            Some("json-schema.org/draft/2019-09") => Some(Self::Draft2019),
            Some("json-schema.org/draft/2020-12") => Some(Self::Draft2020),
            _ => rest.starts_with("spec.openapis.org/oas/3.").then_some(Self::Draft2020),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Draft4 => "draft-04",
            Self::Draft6 => "draft-06",
            Self::Draft7 => "draft-07",
            Self::Draft2019 => "2019-09",
            Self::Draft2020 => "2020-12",
        }
    }

    /// Whether a reference hides everything beside it (draft-07 core §8.3).
    pub(crate) fn reference_stands_alone(self) -> bool {
        self <= Self::Draft7
    }

    /// Whether it has `dependencies`, which became two words in 2019-09.
    pub(crate) fn has_dependencies(self) -> bool {
        self <= Self::Draft7
    }

    /// Whether a keyword came after it.
    pub(crate) fn lacks(self, keyword: &str) -> bool {
        self < match keyword {
            "const" | "contains" | "propertyNames" => Self::Draft6,
            "if" | "then" | "else" => Self::Draft7,
            "dependentRequired"
            | "dependentSchemas"
            | "unevaluatedItems"
            | "unevaluatedProperties"
            | "minContains"
            | "maxContains" => Self::Draft2019,
            "prefixItems" => Self::Draft2020,
            _ => Self::Draft4,
        }
    }
}

/// The dialect that the member of the object in a place names, or what is to be said of it.
pub(crate) fn known(at: &Pointer, member: &str, uri: &str) -> Result<Dialect, (Pointer, String)> {
    Dialect::of(uri).ok_or_else(|| {
        let shown: String = text_line(uri).chars().take(200).collect();
        (at.child(member), format!("the dialect `{shown}` is not known; read as 2020-12"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialect_is_known_by_its_uri() {
        for (uri, dialect) in [
            ("http://json-schema.org/draft-04/schema#", Some(Dialect::Draft4)),
            ("https://json-schema.org/draft-06/schema", Some(Dialect::Draft6)),
            ("http://json-schema.org/draft-07/schema#", Some(Dialect::Draft7)),
            ("https://json-schema.org/draft/2019-09/schema", Some(Dialect::Draft2019)),
            ("https://json-schema.org/draft/2020-12/schema", Some(Dialect::Draft2020)),
            ("https://spec.openapis.org/oas/3.1/dialect/base", Some(Dialect::Draft2020)),
            ("https://spec.openapis.org/oas/3.2/dialect/2025-09-17", Some(Dialect::Draft2020)),
            ("https://example.com/own", None),
            ("draft-07", None),
        ] {
            assert_eq!(Dialect::of(uri), dialect, "{uri}");
        }
    }
}
