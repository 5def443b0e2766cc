//! Security schemes in all their kinds, and what operations require of them.

use serde_json::{Value, json};

use crate::support::description;

fn scheme(version: (&str, &str), scheme: &Value) -> Value {
    let place = if version.0 == "swagger" {
        json!({"securityDefinitions": {"s": scheme}})
    } else {
        json!({"components": {"securitySchemes": {"s": scheme}}})
    };
    let mut document =
        json!({version.0: version.1, "security": [{"s": ["a"]}], "paths": {"/": {"get": {}}}});
    document.as_object_mut().unwrap().extend(place.as_object().unwrap().clone());
    let description = description(&document.to_string());
    serde_json::to_value(&description.operations[0].security[0].all_of[0].scheme).unwrap()
}

#[test]
fn every_kind_of_scheme_is_known() {
    let v3 = ("openapi", "3.2.0");
    let v2 = ("swagger", "2.0");
    for (version, given, expected) in [
        (
            v3,
            json!({"type": "apiKey", "in": "query", "name": "k"}),
            json!({"type": "api_key", "place": "query", "name": "k"}),
        ),
        (
            v3,
            json!({"type": "http", "scheme": "Digest"}),
            json!({"type": "http", "scheme": "digest"}),
        ),
        (v3, json!({"type": "http", "scheme": "HOBA"}), json!({"type": "http", "scheme": "hoba"})),
        (v3, json!({"type": "mutualTLS"}), json!({"type": "mutual_tls"})),
        (
            v3,
            json!({"type": "openIdConnect", "openIdConnectUrl": "https://id.example.com"}),
            json!({"type": "open_id_connect", "discovery": "https://id.example.com"}),
        ),
        (
            v3,
            json!({"type": "oauth2", "oauth2MetadataUrl": "https://id.example.com/m", "flows": {
                "authorizationCode": {"authorizationUrl": "https://a", "tokenUrl": "https://t", "refreshUrl": "https://r", "scopes": {}},
                "deviceAuthorization": {"deviceAuthorizationUrl": "https://d", "tokenUrl": "https://t", "scopes": {}},
                "clientCredentials": {"tokenUrl": "https://t"}, "x-more": {}}}),
            json!({"type": "oauth2", "metadata": "https://id.example.com/m", "flows": [
                {"grant": "authorization_code", "authorization_url": "https://a", "token_url": "https://t", "refresh_url": "https://r"},
                {"grant": "device_authorization", "device_authorization_url": "https://d", "token_url": "https://t"},
                {"grant": "client_credentials", "token_url": "https://t"}]}),
        ),
        (
            v2,
            json!({"type": "oauth2", "flow": "accessCode", "authorizationUrl": "https://a", "tokenUrl": "https://t", "scopes": {}}),
            json!({"type": "oauth2", "flows": [{"grant": "authorization_code", "authorization_url": "https://a", "token_url": "https://t"}]}),
        ),
        (v2, json!({"type": "basic"}), json!({"type": "http", "scheme": "basic"})),
        (v3, json!({"type": "bearer"}), json!({"type": "http", "scheme": "bearer"})),
        (v3, json!({"type": "hmac"}), json!({"type": "other", "kind": "hmac"})),
        (
            v3,
            json!({"type": "apiKey", "in": "body", "name": "k"}),
            json!({"type": "other", "kind": "undescribed"}),
        ),
    ] {
        assert_eq!(scheme(version, &given), expected, "{given}");
    }
}

#[test]
fn a_requirement_may_name_a_scheme_by_a_reference() {
    let document = json!({"openapi": "3.2.0", "security": [{"#/x-schemes/key": []}, {"./k": []}],
        "components": {"securitySchemes": {"./k": {"type": "http", "scheme": "basic"}}},
        "x-schemes": {"key": {"type": "apiKey", "in": "header", "name": "K"}},
        "paths": {"/": {"get": {}}}});
    let description = description(&document.to_string());
    let security = &description.operations[0].security;
    assert_eq!(
        serde_json::to_value(&security[0].all_of[0].scheme).unwrap(),
        json!({"type": "api_key", "place": "header", "name": "K"})
    );
    // A component's name wins over what it would mean as a reference.
    assert_eq!(
        serde_json::to_value(&security[1].all_of[0].scheme).unwrap(),
        json!({"type": "http", "scheme": "basic"})
    );
    assert_eq!(description.warnings, []);
}
