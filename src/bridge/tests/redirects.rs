//! Redirects.

use super::hostile::{Act, Hostile, answer, json};
use super::*;

fn to(status: u16, location: &str) -> Act {
    answer(status, &format!("Location: {location}\r\n"), b"")
}

fn following(base: &str, hosts: &[String]) -> Upstream {
    let mut config = config(base);
    config.redirects = Redirects::Follow;
    config.hosts = hosts.to_vec();
    config.credentials = Credentials::ForAll(Credential::Bearer { token: Secret::new(SECRET) });
    config.headers =
        vec![(HeaderName::from_static("x-tenant"), HeaderText::Plain("acme".to_owned()))];
    upstream(config)
}

#[tokio::test]
async fn a_redirect_is_refused_unless_it_is_allowed() {
    let server = Hostile::new([to(302, "https://elsewhere.test/login?next=/x")]).await;
    let (report, _) = go(&upstream(config(&server.url())), &call(request(Method::GET))).await;
    let failed = failed(&report);
    assert_eq!((failed.kind, report.status), (FailureKind::UpstreamError, Some(302)));
    assert_eq!(
        failed.message,
        "`shop` answered 302 Found: it redirects to https://elsewhere.test, and redirects are \
         refused; set base_url of [api.shop] to where it now is, or add redirects = \"follow\" \
         and its host to `hosts`, after making sure that https://elsewhere.test is trusted"
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_hop_to_a_host_that_is_not_named_is_refused() {
    let other = Hostile::new([json(200, "{}")]).await;
    for location in [
        other.url(),
        format!("//{}/x", other.address),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://localhost/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "http://user:pw@127.0.0.1/".to_owned(),
    ] {
        let server = Hostile::new([to(307, &location)]).await;
        let upstream = following(&server.url(), &[]);
        let (report, _) = go(&upstream, &call(request(Method::GET))).await;
        assert_eq!(failed(&report).kind, FailureKind::UpstreamError, "{location}");
    }
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn a_hop_within_the_host_keeps_credentials_and_is_recorded() {
    let server = Hostile::new([to(301, "/moved?a=1#frag"), json(200, "{\"ok\":true}")]).await;
    let upstream = following(&server.url(), &[]);
    let (report, log) = go(&upstream, &call(request(Method::GET))).await;
    assert_eq!(value(&report)["ok"], true);
    assert_eq!(server.lines(), ["GET /x HTTP/1.1", "GET /moved?a=1 HTTP/1.1"]);
    assert!(server.seen()[1].contains("authorization: Bearer"));
    assert_eq!(
        (report.attempts, log.started[0].why.as_str()),
        (2, "redirected by 301 Moved Permanently")
    );
    assert_eq!(log.started[0].url, format!("{}/moved?a=1", server.url()));
    assert_eq!(report.served_by, Some(log.started[0].url.clone()));
}

#[tokio::test]
async fn a_hop_to_another_host_drops_what_proves_who_we_are() {
    let other = Hostile::new([json(200, "{\"ok\":true}")]).await;
    let server = Hostile::new([to(308, &format!("{}/there", other.url()))]).await;
    let upstream = following(&server.url(), &[other.address.to_string()]);
    let mut request = request(Method::POST);
    request.cookies = vec!["session=1".to_owned()];
    let (report, _) = go(&upstream, &call(request)).await;
    assert_eq!(value(&report)["ok"], true);
    let got = &other.seen()[0];
    assert!(got.starts_with("POST /there HTTP/1.1\r\n") && got.ends_with("{\"a\":1}"), "{got}");
    assert!(got.contains("x-tenant: acme"), "{got}");
    assert!(!got.contains("authorization") && !got.contains("cookie"), "{got}");
    assert!(got.contains(&format!("host: {}", other.address)), "{got}");
}

#[tokio::test]
async fn a_write_is_not_turned_into_another_request() {
    for status in [301, 302, 303] {
        let server = Hostile::new([to(status, "/done"), json(200, "{}")]).await;
        let upstream = following(&server.url(), &[]);
        let (report, _) = go(&upstream, &call(request(Method::POST))).await;
        let failed = failed(&report);
        assert_eq!((failed.kind, failed.retryable), (FailureKind::UpstreamError, false));
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn five_hops_are_the_most() {
    let server = Hostile::new([to(302, "/x")]).await;
    let upstream = following(&server.url(), &[]);
    let (report, _) = go(&upstream, &call(request(Method::GET))).await;
    assert!(failed(&report).message.contains("more than 5 times"));
    assert_eq!((server.seen().len(), report.attempts), (6, 6));
}

#[tokio::test]
async fn a_failure_after_a_hop_starts_again_from_the_beginning() {
    let server = Hostile::new([to(307, "/there"), json(503, "{}"), json(200, "{}")]).await;
    let upstream = following(&server.url(), &[]);
    go(&upstream, &call(request(Method::GET))).await;
    assert_eq!(server.lines(), ["GET /x HTTP/1.1", "GET /there HTTP/1.1", "GET /x HTTP/1.1"]);
}
