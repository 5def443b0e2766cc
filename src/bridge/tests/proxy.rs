//! Requests that go through a proxy.

use super::hostile::{Act, Hostile, answer, json};
use super::*;

fn through(proxy: &Hostile, base: &str) -> Upstream {
    let proxy = Some(Url::parse(&proxy.url()).expect("a URL"));
    upstream(UpstreamConfig { proxy, ..config(base) })
}

#[tokio::test]
async fn a_request_goes_through_the_proxy_and_the_name_is_its_to_resolve() {
    let proxy = Hostile::new([json(200, "{\"n\":1}")]).await;
    let upstream = through(&proxy, "http://only-the-proxy-knows.invalid/v1");
    let (report, _) = go(&upstream, &call(request(Method::GET))).await;
    assert_eq!(value(&report)["n"], 1);
    assert_eq!(proxy.lines(), ["GET http://only-the-proxy-knows.invalid/v1/x HTTP/1.1"]);
}

#[tokio::test]
async fn https_is_a_tunnel_through_which_the_proxy_sees_nothing() {
    let proxy = Hostile::new([answer(407, "", b"")]).await;
    let upstream = through(&proxy, "https://api.invalid");
    let (report, _) = go(&upstream, &call(request(Method::POST))).await;
    assert_eq!(failed(&report).kind, FailureKind::UpstreamUnavailable);
    assert!(failed(&report).untouched, "nothing was sent");
    assert!(proxy.lines().iter().all(|line| line == "CONNECT api.invalid:443 HTTP/1.1"));
}

#[tokio::test]
async fn a_host_that_is_not_configured_is_not_reached_through_a_proxy_either() {
    let moved = "Location: http://elsewhere.invalid/\r\n";
    let proxy = Hostile::new([answer(302, moved, b""), Act::Hang]).await;
    let upstream = through(&proxy, "http://api.invalid");
    let (report, _) = go(&upstream, &call(request(Method::GET))).await;
    assert_eq!(failed(&report).kind, FailureKind::UpstreamError);
    assert_eq!(proxy.seen().len(), 1);
}
