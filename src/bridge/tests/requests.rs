//! What goes over the wire.

use std::collections::BTreeMap;

use tollbridge_operation::{ApiKeyPlace, SchemeUse, SecurityScheme};

use super::hostile::{Hostile, json};
use super::*;

async fn sent(config: impl FnOnce(&mut UpstreamConfig), path: &str, call: &Call) -> String {
    let server = Hostile::new([json(200, "{}")]).await;
    let mut settings = super::config(&format!("{}{path}", server.url()));
    config(&mut settings);
    let (report, _) = go(&upstream(settings), call).await;
    assert!(matches!(report.outcome, Outcome::Done { .. }), "{report:?}");
    server.seen().remove(0).replace(&server.address.to_string(), "HOST")
}

fn api_key(place: ApiKeyPlace, name: &str) -> Credential {
    let at = ApiKeyAt { place, name: name.to_owned() };
    Credential::ApiKey { at: Some(at), value: Secret::new(SECRET) }
}

fn scheme(name: &str, scheme: SecurityScheme) -> SchemeUse {
    SchemeUse { name: name.to_owned(), scheme, scopes: Vec::new() }
}

fn http_scheme(name: &str) -> SecurityScheme {
    SecurityScheme::Http { scheme: name.to_owned() }
}

fn key_scheme() -> SecurityScheme {
    SecurityScheme::ApiKey { place: ApiKeyPlace::Header, name: "X-Key".to_owned() }
}

fn requirement(all_of: impl IntoIterator<Item = SchemeUse>) -> SecurityRequirement {
    SecurityRequirement { all_of: all_of.into_iter().collect() }
}

#[tokio::test]
async fn a_write_arrives_byte_by_byte_as_it_was_built() {
    let mut request = request(Method::POST);
    request.path = "/a%2Fb/%25/%C3%A4;v=1/it's/".to_owned();
    request.query = Some("q=a%20b+c&w=[1]&e=".to_owned());
    request.headers = vec![header("x-one", "1")];
    request.cookies = vec!["a=1".to_owned(), "b=2".to_owned()];
    let got = sent(|_| {}, "/base%2F/v1/", &call(request)).await;
    insta::assert_snapshot!(got.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[tokio::test]
async fn a_read_has_no_body() {
    let got = sent(|_| {}, "", &call(request(Method::GET))).await;
    insta::assert_snapshot!(got.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[tokio::test]
async fn an_argument_cannot_change_a_header_that_is_ours() {
    let mut request = request(Method::POST);
    request.headers = [
        ("authorization", "Bearer forged"),
        ("host", "evil.test"),
        ("x-tenant", "forged"),
        ("cookie", "forged=1"),
        ("content-type", "text/forged"),
        ("content-length", "9999"),
        ("transfer-encoding", "chunked"),
        ("connection", "upgrade"),
    ]
    .map(|(name, value)| header(name, value))
    .to_vec();
    let got = sent(
        |config| {
            config.credentials =
                Credentials::ForAll(Credential::Bearer { token: Secret::new(SECRET) });
            config.headers = vec![
                (HeaderName::from_static("x-tenant"), HeaderText::Plain("acme".to_owned())),
                (HeaderName::from_static("x-session"), HeaderText::Secret(Secret::new("abc"))),
            ];
        },
        "",
        &call(request),
    )
    .await;
    for line in ["x-tenant: acme", "x-session: abc", "host: HOST", "content-length: 7"] {
        assert!(got.contains(&format!("\r\n{line}\r\n")), "{line} in {got}");
    }
    assert!(got.contains(&format!("\r\nauthorization: Bearer {SECRET}\r\n")), "{got}");
    for word in ["forged", "evil", "chunked", "upgrade"] {
        assert!(!got.contains(word), "{word} in {got}");
    }
}

#[tokio::test]
async fn an_argument_cannot_stand_beside_a_credential_of_its_name() {
    let mut request = request(Method::GET);
    request.query = Some("q=1&%6Bey=mine&key&keys=2".to_owned());
    request.cookies = vec!["key=mine".to_owned(), "other=1".to_owned()];
    let call = call(request);
    for (place, wanted) in [
        (ApiKeyPlace::Query, "GET /x?q=1&keys=2&key=s3cr3t-key "),
        (ApiKeyPlace::Cookie, "cookie: key=s3cr3t-key; other=1\r\n"),
    ] {
        let credentials = Credentials::ForAll(Credential::ApiKey {
            at: Some(ApiKeyAt { place, name: "key".to_owned() }),
            value: Secret::new("s3cr3t-key"),
        });
        let got = sent(|config| config.credentials = credentials, "", &call).await;
        assert!(got.contains(wanted), "{got}");
    }
}

#[tokio::test]
async fn a_credential_for_the_whole_api_goes_where_it_says() {
    let mut request = request(Method::GET);
    request.query = Some("a=1".to_owned());
    request.cookies = vec!["b=2".to_owned()];
    let call = call(request);
    let encoded = "s3cr3t-k3y%2Fwith%2Bodd%3Dcharacters";
    let basic = Credential::Basic { username: "u".to_owned(), password: Secret::new("p") };
    for (credential, line) in [
        (api_key(ApiKeyPlace::Header, "X-API-Key"), format!("\r\nx-api-key: {SECRET}\r\n")),
        (api_key(ApiKeyPlace::Query, "api key"), format!("/x?a=1&api%20key={encoded} HTTP")),
        (api_key(ApiKeyPlace::Cookie, "sid"), format!("\r\ncookie: sid={SECRET}; b=2\r\n")),
        (basic, "\r\nauthorization: Basic dTpw\r\n".to_owned()),
    ] {
        let credentials = Credentials::ForAll(credential);
        let got = sent(|config| config.credentials = credentials, "", &call).await;
        assert!(got.contains(&line), "{line} in {got}");
    }
}

fn by_scheme() -> Credentials {
    let key = Credential::ApiKey { at: None, value: Secret::new(SECRET) };
    let basic = Credential::Basic { username: "u".to_owned(), password: Secret::new("p") };
    Credentials::ByScheme(BTreeMap::from([("key".to_owned(), key), ("basic".to_owned(), basic)]))
}

#[tokio::test]
async fn credentials_by_scheme_follow_the_description() {
    let key = || scheme("key", key_scheme());
    let basic = || scheme("basic", http_scheme("basic"));
    let bearer = || scheme("bearer", http_scheme("bearer"));
    // (alternatives, whether the key goes, whether basic goes)
    for (security, with_key, with_basic) in [
        (vec![], false, false),
        (vec![requirement([])], false, false),
        (vec![requirement([key()])], true, false),
        (vec![requirement([basic()]), requirement([key()])], false, true),
        (vec![requirement([bearer()]), requirement([key()])], true, false),
        (vec![requirement([key(), bearer()]), requirement([basic()])], false, true),
        (vec![requirement([key(), basic()])], true, true),
        (vec![requirement([]), requirement([key()])], true, false),
        (vec![requirement([]), requirement([bearer()])], false, false),
    ] {
        let call = secured(call(request(Method::GET)), security.clone());
        let got = sent(|config| config.credentials = by_scheme(), "", &call).await;
        assert_eq!(got.contains("x-key: "), with_key, "{security:?}");
        assert_eq!(got.contains("authorization: Basic"), with_basic, "{security:?}");
    }
}

#[test]
fn a_missing_credential_is_named_before_anything_is_sent() {
    let mut config = config("http://127.0.0.1:1");
    config.credentials = by_scheme();
    let upstream = upstream(config);
    let security = vec![
        requirement([
            scheme("oauth", SecurityScheme::OAuth2 { flows: Vec::new(), metadata: None }),
            scheme("other", key_scheme()),
        ]),
        requirement([scheme("key", http_scheme("bearer"))]),
    ];
    let call = secured(call(request(Method::GET)), security);
    assert_eq!(upstream.missing_credentials(&call.operation, Provenance::Added), ["key"]);
    let error = prepare(&upstream, &call).expect_err("no credential fits");
    assert_eq!(
        error.to_string(),
        "`shop` has no credential for `key`: add it under [api.shop.credentials] in tools.toml"
    );
}

#[test]
fn no_path_of_a_binding_leaves_the_base() {
    let upstream = upstream(config("http://127.0.0.1:1/api"));
    for path in ["/..", "/a/%2E%2e", "//../..", "@evil.test/", "/a?b", "/a b", "/a\\..\\b"] {
        let mut request = request(Method::GET);
        request.path = path.to_owned();
        let error = prepare(&upstream, &call(request)).map(|prepared| prepared.url().to_owned());
        assert!(matches!(error, Err(PrepareError::Address { .. })), "{path}: {error:?}");
    }
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let bearer =
        |token: &str| Credentials::ForAll(Credential::Bearer { token: Secret::new(token) });
    let fixed = |name, value: &str| {
        vec![(HeaderName::from_static(name), HeaderText::Plain(value.to_owned()))]
    };
    let base = |url: &str| config(url);
    let with = |change: &dyn Fn(&mut UpstreamConfig)| {
        let mut config = config("http://127.0.0.1:1");
        change(&mut config);
        config
    };
    for (config, says) in [
        (base("ftp://h/"), "not http"),
        (base("http://u:p@h/"), "credentials in it"),
        (base("http://h/#x"), "fragment"),
        (with(&|c| c.hosts = vec!["a/b".to_owned()]), "no `host`"),
        (with(&|c| c.headers = fixed("x-a", "a\r\nb: c")), "cannot carry"),
        (with(&|c| c.headers = fixed("host", "evil")), "by the exchange itself"),
        (with(&|c| c.credentials = bearer("a\nb")), "cannot carry"),
        (
            with(&|c| {
                c.credentials =
                    Credentials::ForAll(Credential::ApiKey { at: None, value: Secret::new("a") });
            }),
            "needs `in` and `name`",
        ),
        (
            with(&|c| {
                c.credentials = Credentials::ForAll(Credential::Basic {
                    username: "a:b".to_owned(),
                    password: Secret::new("c"),
                });
            }),
            "cannot contain `:`",
        ),
    ] {
        let error = Upstream::new(config, Arc::new(Redactor::default())).expect_err(says);
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = Hostile::new([json(200, "{}")]).await;
    let upstream = upstream(config(&server.url()));
    for _ in 0..3 {
        go(&upstream, &call(request(Method::GET))).await;
    }
    assert_eq!((server.seen().len(), server.connections()), (3, 1));
}

#[tokio::test]
async fn another_calls_request_is_not_sent() {
    let server = Hostile::new([json(200, "{}")]).await;
    let upstream = upstream(config(&server.url()));
    let prepared = prepare(&upstream, &call(request(Method::GET))).expect("a request");
    let mut other = call(request(Method::GET));
    other.id = CallId::new("c2");
    let (cancel, mut log) = (CancellationToken::new(), Log::default());
    let deadline = Instant::now() + Duration::from_secs(1);
    let report = run(
        &other,
        &prepared,
        &upstream,
        Within { deadline, cancel: &cancel, gate: None, manner: Manner::default() },
        &mut log,
    )
    .await;
    assert_eq!(failed(&report).kind, FailureKind::Internal);
    assert_eq!((server.seen().len(), report.attempts), (0, 0));
}

#[tokio::test]
async fn another_upstreams_request_is_not_sent() {
    let server = Hostile::new([json(200, "{}")]).await;
    let call = call(request(Method::GET));
    let prepared = prepare(&upstream(config(&server.url())), &call).expect("a request");
    let other = upstream(config("http://127.0.0.1:1"));
    let (cancel, mut log) = (CancellationToken::new(), Log::default());
    let deadline = Instant::now() + Duration::from_secs(1);
    let report = run(
        &call,
        &prepared,
        &other,
        Within { deadline, cancel: &cancel, gate: None, manner: Manner::default() },
        &mut log,
    )
    .await;
    assert_eq!(failed(&report).kind, FailureKind::Internal);
    assert_eq!(server.connections(), 0);
}
