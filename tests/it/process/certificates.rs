//! `serve --http` with TLS of its own: the certificates of those who call, good and bad, and its
//! own, renewed while it runs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::house::House;
use super::issuer::{AUDIENCE, ISSUER, Issuer, bearer, now};
use super::mcp::stateless;
use super::web::{Answer, Server};
use super::{PATIENCE, patience};

/// A certificate authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
struct Pair {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn certify(&self, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let mut params = CertificateParams::default();
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Pair { certificate, key }
    }

    /// A client, named by a URI.
    fn client(&self, uri: &str) -> Pair {
        self.certify(|params| {
            params.subject_alt_names = vec![SanType::URI(uri.try_into().expect("ASCII"))];
        })
    }

    /// Puts a new certificate for the server into the house.
    fn serve(&self, house: &House) -> Vec<u8> {
        let own = self.certify(|params| {
            let address = [127, 0, 0, 1].into();
            params.subject_alt_names = vec![SanType::IpAddress(address)];
        });
        // The key first: a pair that does not go together is not taken up.
        house.write("server.key", &own.key.serialize_pem());
        house.write("server.pem", &own.certificate.pem());
        own.certificate.der().to_vec()
    }
}

/// A house whose server has TLS, and the authority of everybody's certificates.
fn secured(more: &str) -> (House, Authority) {
    let (house, authority) = (House::new(), Authority::new("acme"));
    authority.serve(&house);
    house.write("clients.pem", &authority.pem());
    house.configure_more(&format!(
        "[server.tls]\ncert = \"file:server.pem\"\nkey = \"file:server.key\"\n\
         client_ca = \"file:clients.pem\"\n{more}\n"
    ));
    (house, authority)
}

/// A connection as the client with that certificate makes it.
fn connect(
    server: &Server,
    authority: &Authority,
    client: Option<&Pair>,
) -> StreamOwned<ClientConnection, TcpStream> {
    connect_as(server, &configured(authority, client))
}

/// How the client with that certificate makes its connections: one session goes on with another.
fn configured(authority: &Authority, client: Option<&Pair>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.0.der().to_vec())).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match client {
        Some(Pair { certificate, key }) => {
            let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
            builder.with_client_auth_cert(vec![certificate.der().clone()], key).expect("a pair")
        }
        None => builder.with_no_client_auth(),
    };
    Arc::new(config)
}

fn connect_as(
    server: &Server,
    config: &Arc<ClientConfig>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let connection = ClientConnection::new(Arc::clone(config), name).expect("a client");
    let stream = TcpStream::connect(&server.address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out is possible");
    StreamOwned::new(connection, stream)
}

/// Sends a request over a connection of its own; the error is that of the connection.
fn send(
    server: &Server,
    authority: &Authority,
    client: Option<&Pair>,
    head: &[&str],
    body: &str,
) -> std::io::Result<Answer> {
    let mut stream = connect(server, authority, client);
    let head = head.join("\r\n");
    let (address, length) = (&server.address, body.len());
    let rest = format!("Host: {address}\r\nContent-Length: {length}\r\nConnection: close");
    stream.write_all(format!("{head}\r\n{rest}\r\n\r\n{body}").as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(Answer::parse(&String::from_utf8_lossy(&bytes)))
}

/// A call of `get_item`.
fn call(
    server: &Server,
    authority: &Authority,
    client: Option<&Pair>,
    headers: &[&str],
) -> std::io::Result<Answer> {
    let mut head = CALL.to_vec();
    head.extend(headers);
    send(server, authority, client, &head, &body())
}

const CALL: [&str; 6] = [
    "POST /mcp HTTP/1.1",
    "Content-Type: application/json",
    "Accept: application/json, text/event-stream",
    "Mcp-Protocol-Version: 2026-07-28",
    "Mcp-Method: tools/call",
    "Mcp-Name: get_item",
];

fn body() -> String {
    let params = stateless(json!({"name": "get_item", "arguments": {"id": "a1"}}));
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string()
}

/// Sends a request over a connection that is kept, and reads its answer.
fn ask(
    server: &Server,
    stream: &mut StreamOwned<ClientConnection, TcpStream>,
    head: &[&str],
    body: &str,
) -> Answer {
    let rest = format!("Host: {}\r\nContent-Length: {}", server.address, body.len());
    write!(stream, "{}\r\n{rest}\r\n\r\n{body}", head.join("\r\n")).expect("it is sent");
    let mut bytes = Vec::new();
    loop {
        let mut some = [0; 4096];
        let read = stream.read(&mut some).expect("an answer");
        bytes.extend_from_slice(&some[..read]);
        let answer = Answer::parse(&String::from_utf8_lossy(&bytes));
        let length = answer.header("content-length").and_then(|text| text.parse().ok());
        if read == 0 || length == Some(answer.body.len()) {
            return answer;
        }
    }
}

fn status(server: &Server, authority: &Authority, client: &Pair, headers: &[&str]) -> u16 {
    call(server, authority, Some(client), headers).expect("an answer").status
}

const DESK: &str = "spiffe://acme.example/agents/desk";

#[test]
fn a_certificate_calls_as_whom_it_names() {
    let (house, authority) = secured("client_identity = \"uri\"");
    let server = Server::start(&house);
    assert_eq!(status(&server, &authority, &authority.client(DESK), &[]), 200);
    let made = house.last_call();
    assert_eq!(made["identity"], DESK);
    let id = made["id"].as_str().expect("an id");
    let story = house.run(&["trace", "show", id, "--json"]).exits(0).json();
    assert_eq!(story["events"][0]["by"]["proof"], "certificate");
    // One that is good and does not say who its holder is lets nobody call.
    let nameless = authority.certify(|params| {
        params.distinguished_name.push(DnType::CommonName, "desk");
    });
    let answer = call(&server, &authority, Some(&nameless), &[]).expect("an answer");
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("does not say who its holder is"), "{answer:?}");
    assert_eq!(house.upstream.count(), 1);
}

#[test]
fn no_connection_comes_about_without_a_good_certificate() {
    let (house, authority) = secured("client_identity = \"uri\"");
    let server = Server::start(&house);
    let expired = authority.certify(|params| {
        params.subject_alt_names = vec![SanType::URI(DESK.try_into().expect("ASCII"))];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    // Of the same name, by another's key.
    let forged = Authority::new("acme").client(DESK);
    for client in [None, Some(&expired), Some(&forged)] {
        let refused = call(&server, &authority, client, &[]);
        assert!(refused.is_err(), "{refused:?}");
    }
    // Nor without TLS.
    let mut plain = TcpStream::connect(&server.address).expect("it listens");
    plain.set_read_timeout(Some(PATIENCE)).expect("a time-out is possible");
    plain.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it is sent");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
    assert_eq!((house.upstream.count(), house.calls().len()), (0, 0));
    assert_eq!(status(&server, &authority, &authority.client(DESK), &[]), 200);
}

#[test]
fn a_handshake_that_hangs_holds_up_nobody_else() {
    let (house, authority) = secured("client_identity = \"uri\"");
    let server = Server::start(&house);
    let _hanging: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(&server.address).expect("it listens");
            // The head of a record that does not go on.
            stream.write_all(&[0x16, 0x03, 0x01, 0x02]).expect("it is sent");
            stream
        })
        .collect();
    assert_eq!(status(&server, &authority, &authority.client(DESK), &[]), 200);
}

#[test]
fn renewed_certificates_and_authorities_count_without_a_restart() {
    let (house, authority) = secured("client_identity = \"uri\"");
    let server = Server::start(&house);
    let desk = authority.client(DESK);
    assert_eq!(status(&server, &authority, &desk, &[]), 200);
    let new = authority.serve(&house);
    patience("the new certificate", || {
        let mut stream = connect(&server, &authority, Some(&desk));
        stream.write_all(b"GET /-/healthy HTTP/1.1\r\n").ok()?;
        let chain = stream.conn.peer_certificates()?;
        (chain.first()?.as_ref() == new).then_some(())
    });
    // Nobody of an authority that is named no more comes in.
    let other = Authority::new("other");
    house.write("clients.pem", &other.pem());
    patience("the new authority", || {
        call(&server, &authority, Some(&desk), &[]).is_err().then_some(())
    });
    assert_eq!(status(&server, &authority, &other.client(DESK), &[]), 200);
    // What is no certificate changes nothing, and is reported.
    house.write("server.pem", "nothing");
    patience("the reload that fails", || {
        let metrics = ["GET /metrics HTTP/1.1"];
        let metrics = send(&server, &authority, Some(&other.client(DESK)), &metrics, "").ok()?;
        metrics.body.contains("reloads_total{result=\"refused\"} 1").then_some(())
    });
    assert_eq!(status(&server, &authority, &other.client(DESK), &[]), 200);
    let (_, said) = server.ends();
    assert!(said.contains("`cert` holds no certificate in PEM"), "{said}");
}

#[test]
fn a_certificate_that_expires_on_its_connection_proves_nothing_more() {
    let (house, authority) = secured("client_identity = \"uri\"");
    let server = Server::start(&house);
    let brief = authority.certify(|params| {
        params.subject_alt_names = vec![SanType::URI(DESK.try_into().expect("ASCII"))];
        params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(now() + 4);
    });
    let mut stream = connect(&server, &authority, Some(&brief));
    let mut again = || ask(&server, &mut stream, &CALL, &body());
    assert_eq!(again().status, 200);
    let refused = patience("its end", || Some(again()).filter(|answer| answer.status != 200));
    assert_eq!((refused.status, &*refused.body), (403, "the certificate has expired"));
}

#[test]
fn an_authority_that_is_named_no_more_vouches_for_no_open_connection_and_no_resumed_session() {
    let (house, authority) = secured("client_identity = \"uri\"");
    house.configure_more("[approvals]\nweb = true\n");
    let server = Server::start(&house);
    let config = configured(&authority, Some(&authority.client(DESK)));
    let mut open = connect_as(&server, &config);
    let mut beside = connect_as(&server, &config);
    let pages = ["GET /approvals/login HTTP/1.1"];
    assert_eq!(ask(&server, &mut open, &CALL, &body()).status, 200);
    assert_eq!(ask(&server, &mut beside, &pages, "").status, 200);
    let other = Authority::new("other");
    house.write("clients.pem", &other.pem());
    patience("the new authority", || {
        call(&server, &authority, Some(&other.client(DESK)), &[]).ok().map(drop)
    });
    // The answer is the connection's last, wherever it was sent.
    for (stream, head, body) in
        [(&mut open, &CALL[..], body()), (&mut beside, &pages, String::new())]
    {
        let refused = ask(&server, stream, head, &body);
        assert_eq!(refused.status, 403, "{refused:?}");
        assert!(refused.body.contains("no authority vouches"), "{refused:?}");
        assert_eq!(refused.header("connection"), Some("close"));
    }
    // The client holds a ticket for a session in which its certificate was good.
    let mut resumed = connect_as(&server, &config);
    let sent = resumed.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut answer = [0; 64];
    let read = sent.and_then(|()| resumed.read(&mut answer));
    assert!(!matches!(read, Ok(1..)), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn a_token_that_is_bound_to_a_certificate_is_good_with_that_one_alone() {
    let (house, authority) = secured("client_certificate = \"optional\"");
    let issuer = Issuer::new("k1");
    Issuer::publish(&house, &[&issuer]);
    house.configure_more(&format!(
        "[server.auth]\nkeys = true\njwt = {{ issuer = \"{ISSUER}\", audience = \"{AUDIENCE}\", \
         jwks = \"file:jwks.json\", algorithms = [\"ES256\"] }}\n"
    ));
    let server = Server::start(&house);
    let (alice, mallory) = (authority.client("a:alice"), authority.client("a:mallory"));
    let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(alice.certificate.der()));
    let token = |more: Value| {
        let mut claims = json!({"sub": "alice"});
        claims.as_object_mut().expect("claims").extend(more.as_object().expect("claims").clone());
        bearer(&issuer.token(&claims))
    };
    let bound = token(json!({"cnf": {"x5t#S256": thumbprint}}));
    assert_eq!(status(&server, &authority, &alice, &[&bound]), 200);
    assert_eq!(house.last_call()["identity"], "alice");
    for client in [Some(&mallory), None] {
        let answer = call(&server, &authority, client, &[&bound]).expect("an answer");
        assert_eq!(answer.status, 401, "{answer:?}");
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(challenge.contains("bound to a certificate that is not there"), "{challenge}");
    }
    // Certificates name nobody here: without a token they are as good as none.
    assert_eq!(status(&server, &authority, &alice, &[]), 401);
    // One that is bound to nothing needs none.
    let answer = call(&server, &authority, None, &[&token(json!({}))]).expect("an answer");
    assert_eq!(answer.status, 200);
}

#[test]
fn what_does_not_hold_together_is_refused() {
    let house = House::new();
    Authority::new("acme").serve(&house);
    let own = "cert = \"file:server.pem\"\nkey = \"file:server.key\"\n";
    let ca = "client_ca = \"file:server.pem\"\n";
    for (more, word) in [
        ("client_identity = \"uri\"\n".to_owned(), "needs `client_ca`"),
        ("client_certificate = \"optional\"\n".to_owned(), "needs `client_ca`"),
        (ca.to_owned(), "nothing says who they are"),
        (
            format!("{ca}client_identity = \"uri\"\nclient_certificate = \"optional\"\n"),
            "who comes without a certificate could prove nothing",
        ),
    ] {
        house.configure(|text| format!("{text}\n[server.tls]\n{own}{more}"));
        let done = house.run(&["check"]);
        assert!(done.code != 0 && done.stderr.contains(word), "{word}: {done:?}");
    }
    // Pairs that are none, and why.
    let authority = Authority::new("acme");
    let (one, two) = (authority.client("a:one"), authority.client("a:two"));
    let both = one.certificate.pem() + &two.certificate.pem();
    let plain = one.key.serialize_pem();
    let encrypted = plain.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    for (cert, key, word) in [
        (plain.as_str(), plain.as_str(), "`cert` holds no certificate"),
        (&both, &both, "`key` holds no private key"),
        (&both, &encrypted, "`key` is encrypted"),
        (&one.certificate.pem(), &two.key.serialize_pem(), "do not go together"),
        (&both, &two.key.serialize_pem(), "must be the first in `cert`"),
    ] {
        house.write("server.pem", cert);
        house.write("server.key", key);
        house.configure(|text| format!("{text}\n[server.tls]\n{own}"));
        let done = house.run(&["check"]);
        assert!(done.code != 0 && done.stderr.contains(word), "{word}: {done:?}");
        assert!(!format!("{done:?}").contains("BEGIN "), "{done:?}");
    }
}

#[test]
fn certificates_that_are_not_valid_now_and_a_chain_out_of_order_are_told_of() {
    let (house, authority) = secured("client_identity = \"uri\"");
    let done = house.run(&["check"]).exits(0);
    assert!(!done.stderr.contains("TB0213"), "{done:?}");
    let own = authority.certify(|params| {
        params.distinguished_name.push(DnType::CommonName, "bridge");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    house.write("server.key", &own.key.serialize_pem());
    house.write("server.pem", &(own.certificate.pem() + &Authority::new("other").pem()));
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "coming");
    params.not_before = date_time_ymd(4000, 1, 1);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let coming = params.self_signed(&KeyPair::generate().expect("a key")).expect("an authority");
    house.write("clients.pem", &coming.pem());
    let done = house.run(&["check"]).exits(0);
    for word in [
        "a certificate in `cert` has expired: CN=bridge, on 2021-01-01",
        "`cert` is out of order: CN=bridge was signed by CN=acme, and CN=other is behind it",
        "a certificate in `client_ca` is not valid yet: CN=coming, from 4000-01-01",
    ] {
        assert!(done.stderr.contains(word), "{word}: {done:?}");
    }
}
