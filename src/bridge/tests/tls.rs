//! Whom we trust. The server is a thread that speaks rustls over a plain socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use serde_json::json as value_of;

use super::hostile::{Hostile, json};
use super::*;

/// An authority of these tests, until 2120.
const AUTHORITY: &str = "\
    MIIBazCCARGgAwIBAgIBATAKBggqhkjOPQQDAjAkMSIwIAYDVQQDDBl0b2xsYnJpZGdlIHRlc3QgYXV0aG9yaXR5MCAX\
    DTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAkMSIwIAYDVQQDDBl0b2xsYnJpZGdlIHRlc3QgYXV0aG9yaXR5\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVyPcRnrM8ZYg1AuusOX6+cxz+m5t41qNFVdl49cz47AXaEhf/Hgr7SIJ\
    d6pwBYMm1cN69nIeFWu8dDxHbmUl+KMyMDAwDwYDVR0TAQH/BAUwAwEB/zAdBgNVHQ4EFgQUNWbeX4To3y5yBzR3XoTZ\
    NLf+bu0wCgYIKoZIzj0EAwIDSAAwRQIgNHbZFQTMHEP/w+UXHwGLPqwz4BsHC7Bx+axY9Gn6P6wCIQCEo+IxP0zN/FOM\
    e4lKeOLcB+ulTjoaOvBh4cDnlupyIw==";

/// Its certificate for 127.0.0.1.
const CERTIFICATE: &str = "\
    MIIBiDCCAS2gAwIBAgIBAjAKBggqhkjOPQQDAjAkMSIwIAYDVQQDDBl0b2xsYnJpZGdlIHRlc3QgYXV0aG9yaXR5MCAX\
    DTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggq\
    hkjOPQMBBwNCAATQ/10CBBJmdngSxG/UG/xVPJhyal1CTto1lICnZoDkcmqKqMGXjNWrUFSHgQqd0lFFiyliAU1051Et\
    U3d5qWF3o14wXDAJBgNVHRMEAjAAMA8GA1UdEQQIMAaHBH8AAAEwHQYDVR0OBBYEFDqsirZlb+yRK6ZgvLLbksw+Q6ny\
    MB8GA1UdIwQYMBaAFDVm3l+E6N8ucgc0d16E2TS3/m7tMAoGCCqGSM49BAMCA0kAMEYCIQCBlmQFfAYNsy+eep83GmyC\
    JNjFhDCsW1CO+qApVaMdZwIhAPCYK1PMZxIS7VZvi+pbFIxwpGyN9a+ModoNUDvIysIj";

/// The key of that certificate. It guards nothing.
const KEY: &str = "\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZKHy8jo+atnNj4BEVCHq3Ut9Zf3A5MtAqDrK7LzKFH+h\
    RANCAATQ/10CBBJmdngSxG/UG/xVPJhyal1CTto1lICnZoDkcmqKqMGXjNWrUFSHgQqd0lFFiyliAU1051EtU3d5qWF3";

fn pem(label: &str, text: &str) -> String {
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

fn der(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("base64")
}

/// Serves one connection, one request. Says what came, `None` where no request did.
fn serve_one() -> (SocketAddr, JoinHandle<Option<String>>) {
    serve(false, "\"ok\"")
}

/// Whether a request is there with its body.
fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().filter_map(|line| line.split_once(": "));
    let length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    body.len() >= length.filter_map(|(_, value)| value.parse().ok()).max().unwrap_or(0)
}

/// The same with that answer, and where `wants_client` only for a client with a certificate of the
/// authority.
fn serve(wants_client: bool, answer: &'static str) -> (SocketAddr, JoinHandle<Option<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = vec![CertificateDer::from(der(CERTIFICATE))];
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = if wants_client {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(der(AUTHORITY))).expect("an authority");
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        builder.with_client_cert_verifier(verifier.expect("a verifier"))
    } else {
        builder.with_no_client_auth()
    };
    let config = builder
        .with_single_cert(chain, PrivatePkcs8KeyDer::from(der(KEY)).into())
        .expect("a certificate");
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().ok()?;
        let connection = ServerConnection::new(Arc::new(config)).ok()?;
        let mut stream = StreamOwned::new(connection, stream);
        let mut request = String::new();
        while !is_whole(&request) {
            let mut piece = [0; 4096];
            let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
            request += &String::from_utf8_lossy(&piece[..read]);
        }
        let length = answer.len();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
        write!(stream, "{head}Content-Length: {length}\r\n\r\n{answer}").ok()?;
        Some(request)
    });
    (address, server)
}

#[tokio::test]
async fn a_server_whose_authority_is_trusted_is_talked_to() {
    let (address, server) = serve_one();
    let mut config = config(&format!("https://{address}"));
    config.tls.authorities = Some(pem("CERTIFICATE", AUTHORITY));
    let upstream = upstream(config);
    let (report, _) = go(&upstream, &call(request(Method::POST))).await;
    assert_eq!(value(&report), "ok");
    let got = server.join().expect("the server").unwrap_or_default();
    assert!(got.starts_with("POST /x HTTP/1.1\r\n"), "{got}");
}

/// A proxy that makes one tunnel to that address, whatever it is asked for. Says the first line that
/// came.
async fn tunnel(to: SocketAddr) -> (Url, tokio::task::JoinHandle<String>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let proxy = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.expect("a connection");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.expect("a head"));
        }
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("it reads");
        let mut server = tokio::net::TcpStream::connect(to).await.expect("a server");
        let _ = copy_bidirectional(&mut client, &mut server).await;
        String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned()
    });
    (Url::parse(&url).expect("a URL"), proxy)
}

#[tokio::test]
async fn through_a_proxy_s_tunnel_the_server_is_verified_and_talked_to() {
    for trusted in [true, false] {
        let (address, server) = serve_one();
        let (proxy, tunnelled) = tunnel(address).await;
        let mut config = config(&format!("https://{address}"));
        config.proxy = Some(Proxy { url: proxy, login: None });
        if trusted {
            config.tls.authorities = Some(pem("CERTIFICATE", AUTHORITY));
        }
        let upstream = upstream(config);
        let (report, _) = go(&upstream, &call(request(Method::POST))).await;
        drop(upstream);
        assert_eq!(tunnelled.await.expect("a tunnel"), format!("CONNECT {address} HTTP/1.1"));
        let got = server.join().expect("the server");
        if trusted {
            assert_eq!(value(&report), "ok");
            assert!(got.is_some_and(|got| got.starts_with("POST /x HTTP/1.1\r\n")));
        } else {
            assert_eq!(failed(&report).kind, FailureKind::UpstreamUnavailable);
            assert!(failed(&report).untouched && got.is_none());
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_gets_nothing_and_is_asked_once() {
    let (address, server) = serve_one();
    let upstream = upstream(config(&format!("https://{address}")));
    let (report, _) = go(&upstream, &call(request(Method::POST))).await;
    let failed = failed(&report);
    assert_eq!((failed.kind, failed.retryable), (FailureKind::UpstreamUnavailable, false));
    assert_eq!(
        failed.message,
        "`shop` cannot be reached: its certificate is not trusted: its issuer is not among the \
         certificates of this machine"
    );
    assert_eq!(report.attempts, 1);
    assert_eq!(server.join().expect("the server"), None);
}

/// A certificate of ours and its key.
fn identity() -> ClientIdentity {
    ClientIdentity {
        certificate: pem("CERTIFICATE", CERTIFICATE),
        key: Secret::new(pem("PRIVATE KEY", KEY)),
    }
}

/// The demand for a certificate.
fn mutual() -> SecurityRequirement {
    SecurityRequirement {
        all_of: vec![tollbridge_operation::SchemeUse {
            name: "mtls".to_owned(),
            scheme: tollbridge_operation::SecurityScheme::MutualTls,
            scopes: Vec::new(),
        }],
    }
}

#[test]
fn a_credential_for_all_operations_stands_for_no_certificate() {
    let missing = |identity, security| {
        let mut config = config("https://127.0.0.1:1");
        config.credentials = Credentials::ForAll(Credential::Bearer { token: Secret::new("a") });
        config.tls.identity = identity;
        upstream(config).missing_credentials(
            &secured(call(request(Method::GET)), security).operation,
            Provenance::Added,
        )
    };
    let nothing: Vec<String> = Vec::new();
    assert_eq!(missing(None, vec![mutual()]), ["mtls"]);
    assert_eq!(missing(Some(identity()), vec![mutual()]), nothing);
    let other = SecurityRequirement { all_of: Vec::new() };
    assert_eq!(missing(None, vec![mutual(), other]), nothing, "an alternative wants none");
    assert_eq!(missing(None, Vec::new()), nothing);
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_gets_the_configured_one() {
    let (address, server) = serve(true, "\"ok\"");
    let mut config = config(&format!("https://{address}"));
    config.tls =
        Tls { authorities: Some(pem("CERTIFICATE", AUTHORITY)), identity: Some(identity()) };
    let upstream = upstream(config);
    let call = secured(call(request(Method::GET)), vec![mutual()]);
    assert_eq!(
        upstream.missing_credentials(&call.operation, Provenance::Added),
        Vec::<String>::new()
    );
    let (report, _) = go(&upstream, &call).await;
    assert_eq!(value(&report), "ok");
    assert!(server.join().expect("the server").is_some());
}

#[tokio::test]
async fn without_a_certificate_that_server_answers_nothing() {
    let (address, server) = serve(true, "\"ok\"");
    let mut config = config(&format!("https://{address}"));
    config.tls.authorities = Some(pem("CERTIFICATE", AUTHORITY));
    let (report, _) = go(&upstream(config), &call(request(Method::POST))).await;
    assert!(matches!(report.outcome, Outcome::Failed(_)), "{:?}", report.outcome);
    assert_eq!(server.join().expect("the server"), None);
}

#[test]
fn what_is_no_certificate_is_refused_without_showing_it() {
    let identity = |certificate: &str, key: &str| {
        Some(ClientIdentity { certificate: certificate.to_owned(), key: Secret::new(key) })
    };
    let (certificate, key) = (pem("CERTIFICATE", CERTIFICATE), pem("PRIVATE KEY", KEY));
    for (tls, word) in [
        (Tls { authorities: Some("nothing".to_owned()), identity: None }, "`ca`"),
        (Tls { authorities: None, identity: identity("nothing", &key) }, "`cert`"),
        (Tls { authorities: None, identity: identity(&certificate, SECRET) }, "`key`"),
    ] {
        let config = UpstreamConfig { tls, ..config("https://127.0.0.1:1") };
        let error = Upstream::new(config, Arc::new(Redactor::new([]))).expect_err("no TLS");
        let error = error.to_string();
        assert!(error.contains(word) && !error.contains(SECRET), "{error}");
    }
}

#[tokio::test]
async fn an_authorization_server_knows_a_client_by_its_certificate() {
    for has_certificate in [true, false] {
        let issued = r#"{"access_token": "t1", "token_type": "Bearer", "expires_in": 3600}"#;
        let (address, server) = serve(true, issued);
        let api = Hostile::new([json(200, "{}")]).await;
        let identity = ClientIdentity {
            certificate: pem("CERTIFICATE", CERTIFICATE),
            key: Secret::new(pem("PRIVATE KEY", KEY)),
        };
        let tls = Tls {
            authorities: Some(pem("CERTIFICATE", AUTHORITY)),
            identity: has_certificate.then_some(identity),
        };
        let token = Url::parse(&format!("https://{address}/token")).expect("a URL");
        let source = SourceConfig {
            api: ApiName::new("shop").expect("a name"),
            scheme: None,
            oauth: OAuth {
                endpoints: Endpoints { token: Some(token), ..Endpoints::default() },
                client_id: "bridge".to_owned(),
                client_auth: ClientAuth::None,
                grant: Grant::ClientCredentials,
                scopes: None,
                audience: None,
                resource: None,
                assertion_audience: None,
            },
            tls: &tls,
            resolver: None,
            proxy: None,
            hosts: &[],
        };
        let source = TokenSource::new(source, Redactor::growing([], [])).expect("a source");
        let mut config = config(&api.url());
        config.credentials = Credentials::ForAll(Credential::OAuth(Arc::new(source)));
        let upstream = upstream(config);
        let within = Duration::from_millis(900);
        let (report, _) = go_within(&upstream, &call(request(Method::GET)), within).await;
        let got = server.join().expect("the server");
        if has_certificate {
            assert_eq!(value(&report), &value_of!({}));
            // It says who it is (RFC 8705 §2), and nothing else proves it.
            let got = got.expect("a request");
            assert!(got.starts_with("POST /token HTTP/1.1\r\n"), "{got}");
            assert!(got.contains("client_id=bridge"), "{got}");
            assert!(!got.contains("authorization:") && !got.contains("client_secret"), "{got}");
            assert!(api.seen()[0].contains("authorization: Bearer t1\r\n"), "{:?}", api.seen());
        } else {
            assert_eq!(failed(&report).kind, FailureKind::UpstreamUnavailable);
            assert_eq!((got, api.connections()), (None, 0));
        }
    }
}
