//! Requests that go through a proxy.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::hostile::{Act, Hostile, answer, json};
use super::*;

fn through(proxy: &Hostile, base: &str) -> Upstream {
    known_as(&proxy.url(), None, base)
}

fn known_as(proxy: &str, login: Option<(&str, &str)>, base: &str) -> Upstream {
    let login = login.map(|(user, password)| (user.to_owned(), Secret::new(password)));
    let proxy = Some(Proxy { url: Url::parse(proxy).expect("a URL"), login });
    upstream(UpstreamConfig { proxy, ..config(base) })
}

/// Whom a SOCKS proxy was asked by and for what.
#[derive(Debug, Default, PartialEq)]
struct Asked {
    login: Option<(String, String)>,
    kind: u8,
    host: Vec<u8>,
    port: u16,
}

/// A SOCKS proxy (RFC 1928, RFC 1929) for one connection. It takes any login but `refused`, and
/// answers what goes through it itself: `answer`, or where there is none that the host
/// cannot be reached.
async fn socks(answer: Option<Act>) -> (SocketAddr, JoinHandle<(Asked, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut asked = Asked::default();
        assert_eq!(stream.read_u8().await.expect("a version"), 5);
        let methods = counted(&mut stream).await;
        let wants_login = methods.contains(&2);
        stream.write_all(&[5, if wants_login { 2 } else { 0 }]).await.expect("it reads");
        if wants_login {
            assert_eq!(stream.read_u8().await.expect("a version"), 1);
            let user = String::from_utf8(counted(&mut stream).await).expect("a text");
            let password = String::from_utf8(counted(&mut stream).await).expect("a text");
            let is_good = password != "refused";
            asked.login = Some((user, password));
            stream.write_all(&[1, u8::from(!is_good)]).await.expect("it reads");
            if !is_good {
                return (asked, String::new());
            }
        }
        let mut head = [0; 4];
        stream.read_exact(&mut head).await.expect("a request");
        assert_eq!(head[..3], [5, 1, 0], "CONNECT");
        asked.kind = head[3];
        asked.host = match asked.kind {
            1 => stream.read_u32().await.expect("an address").to_be_bytes().to_vec(),
            3 => counted(&mut stream).await,
            kind => panic!("{kind} is no kind of address that is asked for here"),
        };
        asked.port = stream.read_u16().await.expect("a port");
        let status = if answer.is_some() { 0 } else { 4 };
        stream.write_all(&[5, status, 0, 1, 0, 0, 0, 0, 0, 0]).await.expect("it reads");
        let Some(Act::Answer(bytes)) = answer else { return (asked, String::new()) };
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.expect("a request"));
        }
        stream.write_all(&bytes).await.expect("it reads");
        (asked, String::from_utf8_lossy(&request).into_owned())
    });
    (address, served)
}

/// Bytes after their number.
async fn counted(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; usize::from(stream.read_u8().await.expect("a length"))];
    stream.read_exact(&mut bytes).await.expect("so many bytes");
    bytes
}

#[tokio::test]
async fn an_http_proxy_is_told_who_asks_and_the_api_is_not() {
    let proxy = Hostile::new([json(200, "{}"), answer(407, "", b"")]).await;
    let login = Some(("svc", "p@ss:w/rd %"));
    let upstream = known_as(&proxy.url(), login, "http://api.invalid");
    assert!(value(&go(&upstream, &call(request(Method::GET))).await.0).is_object());
    let upstream = known_as(&proxy.url(), login, "https://api.invalid");
    let (report, _) = go(&upstream, &call(request(Method::POST))).await;
    assert!(failed(&report).untouched, "nothing was sent");
    let told = format!("Basic {}", STANDARD.encode("svc:p@ss:w/rd %"));
    let heads = proxy.seen();
    assert!(heads.len() > 1);
    for head in heads {
        let lines: Vec<String> = head
            .lines()
            .filter(|line| line.to_lowercase().contains("authorization"))
            .map(str::to_owned)
            .collect();
        assert_eq!(lines.len(), 1, "{head}");
        let (name, value) = lines[0].split_once(": ").expect("a header");
        assert_eq!((name.to_lowercase().as_str(), value), ("proxy-authorization", &*told));
    }
}

#[tokio::test]
async fn a_socks_proxy_is_told_who_asks_and_resolves_names_only_where_it_shall() {
    let login = ("svc", "p@ss:w/rd %");
    let told = Some((login.0.to_owned(), login.1.to_owned()));
    // (scheme, host, login, kind of the address that the proxy gets, the address)
    for (scheme, host, login, told, kind, expected) in [
        (
            "socks5h",
            "only-the-proxy-knows.invalid",
            None,
            None,
            3,
            &b"only-the-proxy-knows.invalid"[..],
        ),
        (
            "socks5h",
            "only-the-proxy-knows.invalid",
            Some(login),
            told,
            3,
            b"only-the-proxy-knows.invalid",
        ),
        ("socks5", "127.0.0.1", None, None, 1, &[127, 0, 0, 1]),
    ] {
        let (address, served) = socks(Some(json(200, "{\"n\":1}"))).await;
        let upstream =
            known_as(&format!("{scheme}://{address}"), login, &format!("http://{host}:81"));
        let (report, _) = go(&upstream, &call(request(Method::GET))).await;
        assert_eq!(value(&report)["n"], 1);
        let (asked, got) = served.await.expect("a proxy");
        assert_eq!(asked, Asked { login: told, kind, host: expected.to_vec(), port: 81 });
        assert!(got.starts_with("GET /x HTTP/1.1\r\n"), "{got}");
        assert!(!got.to_lowercase().contains("authorization"), "{got}");
    }
}

#[tokio::test]
async fn what_a_socks_proxy_refuses_was_not_sent() {
    for password in ["refused", "taken"] {
        let (address, served) = socks(None).await;
        let proxy = format!("socks5h://{address}");
        let upstream = known_as(&proxy, Some(("svc", password)), "http://api.invalid");
        let (report, _) = go(&upstream, &call(request(Method::POST))).await;
        assert_eq!(failed(&report).kind, FailureKind::UpstreamUnavailable);
        assert!(failed(&report).untouched, "nothing was sent");
        assert_eq!(served.await.expect("a proxy").0.kind, if password == "taken" { 3 } else { 0 });
    }
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
