//! What a credential for a whole API stands for, scheme by scheme.

use tollbridge_operation::{ApiKeyPlace, SchemeUse, SecurityScheme};

use super::*;
use crate::bridge::credential::{missing_beside, stands_for};

fn key(place: ApiKeyPlace, name: &str) -> Credential {
    let at = ApiKeyAt { place, name: name.to_owned() };
    Credential::ApiKey { at: Some(at), value: Secret::new("k") }
}

fn credential(kind: &str) -> Credential {
    let (username, password) = ("u".to_owned(), Secret::new("p"));
    match kind {
        "basic" => Credential::Basic { username, password },
        "bearer" => Credential::Bearer { token: password },
        "digest" => Credential::Digest(Arc::new(Digest::new(username, password))),
        "wsse" => Credential::Wsse {
            username,
            password,
            digest: None,
            timestamp: None,
            must_understand: true,
        },
        "X-Key header" => key(ApiKeyPlace::Header, "X-Key"),
        "key query" => key(ApiKeyPlace::Query, "key"),
        "Authorization header" => key(ApiKeyPlace::Header, "Authorization"),
        other => panic!("{other}"),
    }
}

fn scheme(word: &str) -> SecurityScheme {
    let http = |scheme: &str| SecurityScheme::Http { scheme: scheme.to_owned() };
    let key = |place, name: &str| SecurityScheme::ApiKey { place, name: name.to_owned() };
    match word {
        "basic" | "bearer" | "digest" | "hawk" => http(word),
        "oauth2" => SecurityScheme::OAuth2 { flows: Vec::new(), metadata: None },
        "oidc" => SecurityScheme::OpenIdConnect { discovery: None },
        "token" => SecurityScheme::UsernameToken,
        "mtls" => SecurityScheme::MutualTls,
        "x-key" => key(ApiKeyPlace::Header, "x-key"),
        "key" => key(ApiKeyPlace::Query, "key"),
        "KEY" => key(ApiKeyPlace::Query, "KEY"),
        "sid" => key(ApiKeyPlace::Cookie, "key"),
        "authorization" => key(ApiKeyPlace::Header, "authorization"),
        other => SecurityScheme::Other { kind: other.to_owned() },
    }
}

const SCHEMES: [&str; 14] = [
    "basic",
    "bearer",
    "digest",
    "hawk",
    "oauth2",
    "oidc",
    "token",
    "mtls",
    "x-key",
    "key",
    "KEY",
    "sid",
    "authorization",
    "unknown",
];

#[test]
fn a_credential_stands_for_the_schemes_that_it_can_be() {
    for (kind, expected) in [
        ("basic", &["basic", "authorization", "unknown"][..]),
        ("bearer", &["bearer", "oauth2", "oidc", "authorization", "unknown"]),
        ("digest", &["digest", "authorization", "unknown"]),
        ("wsse", &["token", "unknown"]),
        ("X-Key header", &["x-key", "unknown"]),
        ("key query", &["key", "unknown"]),
        (
            "Authorization header",
            &["basic", "bearer", "digest", "hawk", "oauth2", "oidc", "authorization", "unknown"],
        ),
    ] {
        let credential = credential(kind);
        let found: Vec<&str> =
            SCHEMES.into_iter().filter(|word| stands_for(&credential, &scheme(word))).collect();
        assert_eq!(found, expected, "{kind}");
    }
}

/// Alternatives are apart by `|`, schemes that go together by `+`.
fn security(text: &str) -> Vec<SecurityRequirement> {
    let used =
        |name: &str| SchemeUse { name: name.to_owned(), scheme: scheme(name), scopes: Vec::new() };
    let together = |one: &str| SecurityRequirement {
        all_of: one.split('+').filter(|name| !name.is_empty()).map(used).collect(),
    };
    if text == "none" { Vec::new() } else { text.split('|').map(together).collect() }
}

#[test]
fn what_a_credential_for_all_does_not_stand_for_is_missing() {
    for (kind, asked, has_certificate, expected) in [
        ("bearer", "none", false, &[][..]),
        ("bearer", "bearer", false, &[]),
        ("bearer", "bearer+key", false, &["key"]),
        ("bearer", "key|bearer", false, &[]),
        ("bearer", "key", false, &["key"]),
        ("bearer", "key|", false, &[]),
        ("bearer", "key+x-key|basic", false, &["basic"]),
        ("key query", "bearer+key", false, &["bearer"]),
        ("bearer", "bearer+mtls", false, &["mtls"]),
        ("bearer", "bearer+mtls", true, &[]),
        ("bearer", "mtls", true, &[]),
    ] {
        let call = secured(call(request(Method::GET)), security(asked));
        let found = missing_beside(&credential(kind), has_certificate, &call.operation);
        assert_eq!(found, expected, "{kind} for {asked}");
    }
}

#[test]
fn a_credential_that_no_operation_asks_for_was_added_in_the_place_of_all() {
    let asked = |text| secured(call(request(Method::GET)), security(text)).operation;
    for (kind, all, expected) in [
        // The description has no such scheme: whoever set it knows better.
        ("bearer", &["key"][..], &[][..]),
        ("bearer", &["key+mtls"], &["mtls"]),
        // It has: the other operation lacks its own.
        ("bearer", &["key", "bearer"], &["key"]),
        ("bearer", &["key", "none"], &[]),
    ] {
        let operations: Vec<_> = all.iter().map(|one| asked(one)).collect();
        let mut config = config("http://127.0.0.1:1");
        config.credentials = Credentials::ForAll(credential(kind));
        let upstream = upstream(config);
        let uses = operations.iter().flat_map(|one| &one.security).flat_map(|one| &one.all_of);
        let schemes = uses.map(|used| &used.scheme);
        let provenance = upstream.provenance(schemes);
        let missing = upstream.missing_credentials(&operations[0], provenance);
        assert_eq!(missing, expected, "{kind} for {all:?}");
    }
}

#[tokio::test]
async fn a_cookie_is_sent_as_it_was_given_out_or_refused_at_the_start() {
    for (value, goes) in [
        ("MDEy+/8=", true),
        ("a%20b", true),
        ("\"quoted\"", true),
        ("a b", false),
        ("a; admin=1", false),
        ("größe", false),
        ("a\"b", false),
    ] {
        let at = ApiKeyAt { place: ApiKeyPlace::Cookie, name: "sid".to_owned() };
        let key = Credential::ApiKey { at: Some(at), value: Secret::new(value) };
        let server = hostile::Hostile::new(vec![hostile::json(200, "{}")]).await;
        let mut config = config(&server.url());
        config.credentials = Credentials::ForAll(key);
        let made = Upstream::new(config, Arc::new(Redactor::default()));
        assert_eq!(made.is_ok(), goes, "{value}");
        let Ok(upstream) = made else { continue };
        go(&upstream, &call(request(Method::GET))).await;
        let seen = server.seen()[0].to_lowercase();
        assert!(seen.contains(&format!("cookie: sid={}\r\n", value.to_lowercase())), "{seen}");
    }
}
