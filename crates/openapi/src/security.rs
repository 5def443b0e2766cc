//! Security schemes and requirements (OpenAPI 3.2.0, 3.1.1 §4.8.27 and §4.8.30, Swagger 2.0).
//!
//! A requirement names a scheme of the document that was named, or, since 3.2, by a URI reference.
//! A requirement that names an unknown scheme is kept under that name: nobody is let in
//! because a description has a mistake.

use std::collections::HashSet;

use serde_json::{Map, Value};
use tollbridge_operation::{
    ApiKeyPlace, Grant, OAuthFlow, SchemeUse, SecurityRequirement, SecurityScheme,
};

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

/// The schemes that any of the operations asks for, each once under its name. What is wrong with
/// them is told where an operation is read.
pub(crate) fn asked<'d>(
    document: &Document,
    operations: impl Iterator<Item = (&'d Pointer, &'d Value)>,
) -> Vec<SecurityScheme> {
    let mut asked = Vec::new();
    // A name may be a reference, which is another one in another document.
    let mut seen = HashSet::new();
    let untold = &mut Warnings::default();
    let mut common = document.root.get("security").map(|list| (Pointer::root(), list));
    for (at, operation) in operations {
        let own = operation.get("security").map(|list| (at.clone(), list));
        let Some((at, list)) = own.or_else(|| common.take()) else { continue };
        let at = at.child("security");
        for requirement in list.as_array().into_iter().flatten().take(MAX_USES) {
            for name in requirement.as_object().into_iter().flat_map(Map::keys).take(MAX_USES) {
                if seen.insert((at.document(), name)) {
                    asked.push(scheme(document, &at.child(name), name, untold));
                }
            }
        }
    }
    asked
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
    let named = match document.at(&place) {
        Some(value) => document.resolve(place, value),
        None => document.target(at, name).and_then(|(place, value)| document.resolve(place, value)),
    };
    let found = named.ok().and_then(|(at, value)| read_scheme(&at, value, warnings));
    found.unwrap_or_else(|| {
        warnings.add(at, format!("no security scheme `{}` is described", text_line(name)));
        SecurityScheme::Other { kind: "undescribed".to_owned() }
    })
}

fn read_scheme(at: &Pointer, value: &Value, warnings: &mut Warnings) -> Option<SecurityScheme> {
    let member = |name: &str| value.get(name).and_then(Value::as_str).map(text_line);
    // A scheme that says only how it goes over HTTP is as clear as a whole one.
    let kind = member("type").or_else(|| member("scheme").map(|_| "http".to_owned()))?;
    Some(match kind.to_ascii_lowercase().as_str() {
        "apikey" => {
            let (place, name) = key(value)?;
            SecurityScheme::ApiKey { place, name }
        }
        "http" => SecurityScheme::Http { scheme: member("scheme")?.trim().to_ascii_lowercase() },
        "basic" => SecurityScheme::Http { scheme: "basic".to_owned() },
        "bearer" => {
            warnings.add(at, "`type: bearer` is read as `type: http` with `scheme: bearer`");
            SecurityScheme::Http { scheme: "bearer".to_owned() }
        }
        "oauth2" => SecurityScheme::OAuth2 {
            flows: flows(at, value, warnings),
            metadata: member("oauth2MetadataUrl"),
        },
        "openidconnect" => SecurityScheme::OpenIdConnect { discovery: member("openIdConnectUrl") },
        "mutualtls" => SecurityScheme::MutualTls,
        _ => SecurityScheme::Other { kind },
    })
}

/// Where an API key goes, and under which name.
fn key(value: &Value) -> Option<(ApiKeyPlace, String)> {
    let member = |name: &str| value.get(name).and_then(Value::as_str).map(text_line);
    let place = match member("in")?.to_ascii_lowercase().as_str() {
        "header" => ApiKeyPlace::Header,
        "query" => ApiKeyPlace::Query,
        "cookie" => ApiKeyPlace::Cookie,
        _ => return None,
    };
    Some((place, member("name").filter(|name| !name.is_empty())?))
}

/// The grants by their names in 3.x, and in 2.0.
const GRANTS: [(&str, &str, Grant); 5] = [
    ("authorizationCode", "accessCode", Grant::AuthorizationCode),
    ("clientCredentials", "application", Grant::ClientCredentials),
    ("deviceAuthorization", "", Grant::DeviceAuthorization),
    ("implicit", "implicit", Grant::Implicit),
    ("password", "password", Grant::Password),
];

fn flows(at: &Pointer, scheme: &Value, warnings: &mut Warnings) -> Vec<OAuthFlow> {
    let flow = |grant: Grant, value: &Value| {
        let url = |name: &str| value.get(name).and_then(Value::as_str).map(text_line);
        OAuthFlow {
            grant,
            authorization_url: url("authorizationUrl"),
            device_authorization_url: url("deviceAuthorizationUrl"),
            token_url: url("tokenUrl"),
            refresh_url: url("refreshUrl"),
        }
    };
    if let Some(name) = scheme.get("flow").and_then(Value::as_str) {
        let known = GRANTS.iter().find(|(now, before, _)| name == *now || name == *before);
        return known.map(|(.., grant)| vec![flow(*grant, scheme)]).unwrap_or_default();
    }
    let mut found = Vec::new();
    for (name, value) in scheme.get("flows").and_then(Value::as_object).into_iter().flatten() {
        match GRANTS.iter().find(|(now, ..)| name == now) {
            Some((.., grant)) => found.push(flow(*grant, value)),
            None if name.starts_with("x-") => {}
            None => warnings.add(&at.child("flows").child(name), "no flow of OAuth 2; left out"),
        }
    }
    found
}

/// The names under which credentials go into a place: no argument may take one.
pub(crate) fn credentials(document: &Document, wanted: ApiKeyPlace) -> Vec<String> {
    let described = document.at(&schemes(document)).and_then(Value::as_object);
    described
        .into_iter()
        .flatten()
        .filter_map(|(_, value)| {
            let (_, value) = document.resolve(Pointer::root(), value).ok()?;
            let kind = value.get("type").and_then(Value::as_str)?;
            let (place, name) = key(value).filter(|_| kind.eq_ignore_ascii_case("apikey"))?;
            (place == wanted).then_some(name)
        })
        .collect()
}
