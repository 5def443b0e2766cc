//! What an authorization server says of its keys and of tokens, asked over HTTP.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::house::House;
use super::issuer::{AUDIENCE, ISSUER, Issuer, bearer, now};
use super::web::Server;

/// What is asked (a path, and a body behind it) and what is said to that, with 200.
type Sayings = HashMap<String, Value>;

/// An authorization server. It serves until the test's process ends.
struct Authority {
    url: String,
    says: Arc<Mutex<Sayings>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Authority {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (says, asked) =
            (Arc::<Mutex<Sayings>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (saying, asking) = (Arc::clone(&says), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer(stream, &saying, &asking);
            }
        });
        Self { url, says, asked }
    }

    fn says(&self, asked: &str, said: Value) {
        self.says.lock().expect("unpoisoned").insert(asked.to_owned(), said);
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("unpoisoned").clone()
    }
}

fn answer(
    stream: TcpStream,
    says: &Mutex<Sayings>,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line)?;
    let path = line.split_whitespace().nth(1).unwrap_or_default().to_owned();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let asks = format!("{path}{}", String::from_utf8_lossy(&body));
    asked.lock().expect("unpoisoned").push(asks.clone());
    let said = says.lock().expect("unpoisoned").get(&asks).cloned();
    let (status, body) = said.map_or((404, String::new()), |said| (200, said.to_string()));
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// A server whose issuer is found out about, and what a token of it is answered with.
fn called(authority: &Authority, issuer: &Issuer) -> u16 {
    let house = House::new();
    house.configure_more(&format!(
        "[server.auth]\njwt = {{ issuer = \"{}\", audience = \"{AUDIENCE}\", algorithms = [\"ES256\"] }}\n",
        authority.url
    ));
    let server = Server::start(&house);
    let token = issuer.token(&json!({"iss": authority.url, "sub": "alice"}));
    let status = server.call("a1", &[&bearer(&token)]).status;
    if status == 200 {
        assert_eq!(house.last_call()["identity"], "alice");
    } else {
        assert_eq!(house.upstream.count(), 0);
    }
    status
}

#[test]
fn the_keys_are_where_the_issuers_metadata_says_and_at_its_own_host() {
    let (authority, other) = (Authority::start(), Authority::start());
    let issuer = Issuer::new("k1");
    let keys = json!({"keys": [issuer.jwk()]});
    authority.says("/keys", keys.clone());
    other.says("/keys", keys);
    let metadata =
        |issuer: &str, keys: &str| json!({"issuer": issuer, "jwks_uri": format!("{keys}/keys")});
    // Nowhere yet.
    assert_eq!(called(&authority, &issuer), 503);
    // By OpenID Connect where there is none by RFC 8414, which is asked first.
    authority.says(OPENID, metadata(&authority.url, &authority.url));
    assert_eq!(called(&authority, &issuer), 200);
    let asked = authority.asked();
    assert!(asked.ends_with(&[OAUTH, OPENID, "/keys"].map(str::to_owned)), "{asked:?}");
    // Metadata of another issuer, and keys at another host, are taken for nobody's.
    authority.says(OAUTH, metadata(&other.url, &authority.url));
    assert_eq!(called(&authority, &issuer), 503);
    authority.says(OAUTH, metadata(&authority.url, &other.url));
    assert_eq!(called(&authority, &issuer), 503);
    assert_eq!(other.asked(), [""; 0]);
    authority.says(OAUTH, metadata(&authority.url, &authority.url));
    assert_eq!(called(&authority, &issuer), 200);
}

#[test]
fn a_token_that_is_active_calls_as_whom_the_server_says_and_no_other_does() {
    let authority = Authority::start();
    let house = House::new();
    house.configure(|text| {
        format!(
            "{text}\n[server.auth.introspection]\nurl = \"{}/ask\"\nclient_id = \"bridge\"\nclient_secret = \"env:ASK\"\n\
             issuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\n",
            authority.url
        )
    });
    let of = |token: &str| format!("/asktoken={token}&token_type_hint=access_token");
    let alice = json!({
        "active": true, "sub": "alice", "aud": AUDIENCE, "exp": now() + 300, "scope": "mcp", "client_id": "desk",
    });
    let but = |name: &str, value: Value| {
        let mut said = alice.clone();
        said[name] = value;
        said
    };
    authority.says(&of("good"), alice.clone());
    for (token, said) in [
        ("inactive", but("active", json!(false))),
        ("elsewhere", but("aud", json!("https://other.example/mcp"))),
        ("another", but("iss", json!("https://evil.example/"))),
        ("over", but("exp", json!(now() - 60))),
    ] {
        authority.says(&of(token), said);
    }
    let server = Server::start_with(&house, &[("ASK", "s3cret")]);
    for _ in 0..2 {
        assert_eq!(server.call("a1", &[&bearer("good")]).status, 200);
    }
    // It was asked about once.
    assert_eq!(authority.asked(), [of("good")]);
    let call = house.last_call();
    let story = house.run(&["trace", "show", call["id"].as_str().expect("an id"), "--json"]);
    let by = &story.exits(0).json()["events"][0]["by"];
    assert_eq!((&by["proof"], &by["client_id"]), (&json!("token"), &json!("desk")));
    for token in ["inactive", "elsewhere", "another", "over"] {
        let answer = server.call("a1", &[&bearer(token)]);
        assert_eq!(answer.status, 401, "{token}");
        assert!(
            answer.header("www-authenticate").is_some_and(|said| said.contains("invalid_token"))
        );
    }
    assert_eq!(house.upstream.count(), 2);
    assert!(house.upstream.seen().iter().all(|seen| seen.header("authorization").is_none()));
    assert!(!server.ends().1.contains("s3cret"));
}
