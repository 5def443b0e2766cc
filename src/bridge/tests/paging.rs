//! The next page that an answer names: where it is, and what goes there.

use tokio::net::TcpListener;
use tollbridge_operation::ApiKeyPlace;

use super::hostile::{Act, Hostile, answer, json};
use super::*;
use crate::bridge::engine::run_pages;

/// An answer of one page, which names the next.
fn page(link: &str) -> Act {
    let headers = format!("Content-Type: application/json\r\nLink: <{link}>; rel=next\r\n");
    answer(200, &headers, b"{}")
}

/// Reads every page that is named, as a call of a GET of `/x`.
async fn read(upstream: &Upstream) -> (Report, Log) {
    let mut log = Log::default();
    let call = call(request(Method::GET));
    let prepared = prepare(upstream, &call).expect("a request");
    let cancel = CancellationToken::new();
    let within = Within {
        deadline: Instant::now() + Duration::from_secs(5),
        cancel: &cancel,
        gate: None,
        groups: &[],
        manner: Manner::default(),
        held: None,
    };
    let turn = |_: &Payload, link: Option<&str>, _| link.map(|url| Next::Url(url.to_owned()));
    let report = run_pages(&call, prepared, upstream, within, &mut log, turn).await;
    (report, log)
}

/// Two addresses of one API, which wants a key in the query.
fn replicated(first: &Hostile, second: &Hostile) -> Upstream {
    let mut config = config(&format!("{}/v1", first.url()));
    config.recovery.fallback_urls =
        vec![Url::parse(&format!("{}/copy", second.url())).expect("a URL")];
    config.credentials = Credentials::ForAll(Credential::ApiKey {
        at: Some(ApiKeyAt { place: ApiKeyPlace::Query, name: "key".to_owned() }),
        value: Secret::new("plain-key"),
    });
    upstream(config)
}

#[tokio::test]
async fn it_is_relative_to_the_address_that_answered() {
    for link in ["?page=2", "x?page=2", "/copy/x?page=2&key=echoed"] {
        let first = Hostile::new([json(503, "{}")]).await;
        let second = Hostile::new([page(link), json(200, "{\"page\":2}")]).await;
        let (report, log) = read(&replicated(&first, &second)).await;
        assert_eq!(value(&report)["page"], 2, "{link}");
        assert_eq!(first.lines(), ["GET /v1/x?key=plain-key HTTP/1.1"], "{link}");
        assert_eq!(
            second.lines(),
            ["GET /copy/x?key=plain-key HTTP/1.1", "GET /copy/x?page=2&key=plain-key HTTP/1.1"],
            "{link}"
        );
        let shown = format!("{}/copy/x?page=2&key=[redacted]", second.url());
        assert_eq!(log.started.last().map(|start| &start.url), Some(&shown), "{link}");
    }
}

#[tokio::test]
async fn it_fails_over_as_any_request_does() {
    // A copy often names the URLs of the address that it stands in for.
    let first = Hostile::new([json(503, "{}"), json(503, "{}")]).await;
    let named = format!("{}/v1/x?page=2", first.url());
    let second = Hostile::new([page(&named), json(200, "{\"page\":2}")]).await;
    let (report, _) = read(&replicated(&first, &second)).await;
    assert_eq!(value(&report)["page"], 2);
    assert_eq!(first.lines()[1], "GET /v1/x?page=2&key=plain-key HTTP/1.1");
    assert_eq!(second.lines()[1], "GET /copy/x?page=2&key=plain-key HTTP/1.1");
}

#[tokio::test]
async fn it_is_below_a_base_url_or_it_is_not_asked_for() {
    let stranger = Hostile::new([json(200, "{}")]).await;
    for link in [
        format!("{}/v1/x?page=2", stranger.url()),
        "/v2/x".to_owned(),
        "/v1x".to_owned(),
        "../x".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let first = Hostile::new([page(&link), json(200, "{}")]).await;
        let second = Hostile::new([json(200, "{}")]).await;
        let (report, _) = read(&replicated(&first, &second)).await;
        let failed = failed(&report);
        assert_eq!(failed.kind, FailureKind::UpstreamError, "{link}");
        assert!(failed.message.contains("not below the API's base URL"), "{}", failed.message);
        assert_eq!(first.seen().len(), 1, "{link}");
    }
    assert_eq!(stranger.connections(), 0);
}

#[tokio::test]
async fn where_a_redirect_led_it_is_asked_for_without_credentials_and_nowhere_else() {
    let other = Hostile::new([page("/list?page=2"), json(200, "{\"page\":2}")]).await;
    let first = Hostile::new([leading_to(&other)]).await;
    let mut config = led(&first, &other);
    config.credentials = Credentials::ForAll(Credential::ApiKey {
        at: Some(ApiKeyAt { place: ApiKeyPlace::Query, name: "key".to_owned() }),
        value: Secret::new("plain-key"),
    });
    let (report, _) = read(&upstream(config)).await;
    assert_eq!(value(&report)["page"], 2);
    assert_eq!(other.lines(), ["GET /list HTTP/1.1", "GET /list?page=2 HTTP/1.1"]);
}

#[tokio::test]
async fn where_a_redirect_led_it_does_not_send_the_credentials_anywhere() {
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let home = format!("http://{}/v1/x", port.local_addr().expect("an address"));
    let other = Hostile::new([page(&home)]).await;
    let first = Hostile::on(port, [leading_to(&other), json(200, "{}")]);
    let (report, _) = read(&upstream(led(&first, &other))).await;
    assert_eq!(failed(&report).kind, FailureKind::UpstreamError);
    assert_eq!(first.seen().len(), 1);
}

fn leading_to(other: &Hostile) -> Act {
    answer(307, &format!("Location: {}/list\r\n", other.url()), b"")
}

/// An API whose redirects to another host are followed.
fn led(first: &Hostile, other: &Hostile) -> UpstreamConfig {
    let mut config = config(&format!("{}/v1", first.url()));
    config.redirects = Redirects::Follow;
    config.hosts = vec![other.address.to_string()];
    config
}
