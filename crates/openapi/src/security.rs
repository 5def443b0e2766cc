//! Security schemes and requirements (OpenAPI 3.1.1 §4.8.27 and §4.8.30, Swagger 2.0).
//!
//! A requirement that names an unknown scheme is kept under that name: nobody is let in
//! because a description has a mistake.

use serde_json::Value;
use tollbridge_operation::{ApiKeyPlace, SchemeUse, SecurityRequirement, SecurityScheme};

use crate::document::{Document, Flavour, Pointer, Warnings, text_line};

/// How many alternatives, schemes in one and scopes of one are read: every operation has its own
/// copy.
const MAX_USES: usize = 64;

/// The alternatives of an operation: its own, else the document's.
pub(crate) fn requirements(
    document: &Document,
    operation_at: &Pointer,
    operation: &Value,
    warnings: &mut Warnings,
) -> Vec<SecurityRequirement> {
    let (at, list) = match operation.get("security") {
        Some(list) => (operation_at.child("security"), list),
        None => match document.root.get("security") {
            Some(list) => (Pointer::root().child("security"), list),
            None => return Vec::new(),
        },
    };
    let Some(list) = list.as_array() else {
        if !list.is_null() {
            warnings.add(&at, "expected a list of security requirements; read as none");
        }
        return Vec::new();
    };
    let mut requirements = Vec::new();
    for (index, requirement) in list.iter().take(MAX_USES).enumerate() {
        let at = at.item(index);
        let Some(members) = requirement.as_object() else {
            warnings.add(&at, "expected an object of scheme names; left out");
            continue;
        };
        let all_of = members
            .iter()
            .take(MAX_USES)
            .map(|(name, scopes)| SchemeUse {
                name: text_line(name),
                scheme: scheme(document, &at.child(name), name, warnings),
                scopes: scopes
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .take(MAX_USES)
                    .map(text_line)
                    .collect(),
            })
            .collect();
        requirements.push(SecurityRequirement { all_of });
    }
    requirements
}

fn schemes(document: &Document) -> Pointer {
    match document.flavour {
        Flavour::Swagger2 => Pointer::root().child("securityDefinitions"),
        _ => Pointer::root().child("components").child("securitySchemes"),
    }
}

fn scheme(
    document: &Document,
    at: &Pointer,
    name: &str,
    warnings: &mut Warnings,
) -> SecurityScheme {
    let place = schemes(document).child(name);
    let found = document
        .at(&place)
        .and_then(|value| document.resolve(place.clone(), value).ok())
        .and_then(|(_, value)| read_scheme(value));
    found.unwrap_or_else(|| {
        warnings.add(at, format!("no security scheme `{}` is described", text_line(name)));
        SecurityScheme::Other { kind: "undescribed".to_owned() }
    })
}

fn read_scheme(value: &Value) -> Option<SecurityScheme> {
    let member = |name: &str| value.get(name).and_then(Value::as_str).map(text_line);
    // A scheme that says only how it goes over HTTP is as clear as a whole one.
    let kind = member("type").or_else(|| member("scheme").map(|_| "http".to_owned()))?;
    Some(match kind.to_ascii_lowercase().as_str() {
        "apikey" => SecurityScheme::ApiKey {
            place: match member("in")?.to_ascii_lowercase().as_str() {
                "header" => ApiKeyPlace::Header,
                "query" => ApiKeyPlace::Query,
                "cookie" => ApiKeyPlace::Cookie,
                _ => return None,
            },
            name: member("name").filter(|name| !name.is_empty())?,
        },
        "http" => SecurityScheme::Http { scheme: member("scheme")?.to_ascii_lowercase() },
        "basic" => SecurityScheme::Http { scheme: "basic".to_owned() },
        "oauth2" => SecurityScheme::OAuth2,
        "openidconnect" => SecurityScheme::OpenIdConnect,
        "mutualtls" => SecurityScheme::MutualTls,
        _ => SecurityScheme::Other { kind },
    })
}

/// The names under which credentials go into a place: no argument may take one.
pub(crate) fn credentials(document: &Document, wanted: ApiKeyPlace) -> Vec<String> {
    let described = document.at(&schemes(document)).and_then(Value::as_object);
    described
        .into_iter()
        .flatten()
        .filter_map(|(_, value)| {
            let (_, value) = document.resolve(Pointer::root(), value).ok()?;
            match read_scheme(value)? {
                SecurityScheme::ApiKey { place, name } if place == wanted => Some(name),
                _ => None,
            }
        })
        .collect()
}
