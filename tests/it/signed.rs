//! Requests that are signed, sessions that an operation opens, and credentials of callers' own:
//! from the configuration to the wire and the trail.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};
use tollbridge::config::Style;
use tollbridge::gateway::{self, Secrets};

use super::support::{Act, Answer, Bridge, Draft, Folder, Seen, Upstream};

const KEY: &str = "s1gning-k3y-of-the-shop";

fn items() -> Answer {
    Answer::json(200, "{\"items\":[]}")
}

/// A description with an operation that opens a session.
fn folder() -> Folder {
    let body = json!({ "content": { "application/json": { "schema": { "type": "object" } } } });
    let login = json!({ "operationId": "logIn", "requestBody": body, "responses": {} });
    let overlay = json!([{ "op": "add", "path": "/paths/~1login", "value": { "post": login } }]);
    let folder = Folder::new();
    folder.write("overlay.json", &overlay.to_string());
    folder.write("key", KEY);
    folder
}

async fn bridge(api: &Upstream, keys: &str) -> Bridge {
    let keys = format!("overlays = [\"overlay.json\"]\n{keys}");
    Draft::to(&api.url()).api(&keys).tool("listItems", "").open_in(folder()).await
}

fn bridge_auth(auth: &str) -> String {
    format!("auth = {{ {auth} }}")
}

/// Whether a request's signature is what its components and the key make.
fn verifies(seen: &Seen, key: &str) -> bool {
    let input = seen.header("signature-input").unwrap().strip_prefix("sig1=").unwrap();
    let signature = seen.header("signature").unwrap();
    let signature = signature.strip_prefix("sig1=:").unwrap().trim_end_matches(':');
    let covered = &input[1..input.find(')').unwrap()];
    let (method, target) = seen.line.split_once(' ').unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut lines = Vec::new();
    for component in covered.split(' ') {
        let value = match component.trim_matches('"') {
            "@method" => method.to_owned(),
            "@authority" => seen.header("host").unwrap().to_owned(),
            "@path" => path.to_owned(),
            "@query" => format!("?{query}"),
            header => seen.header(header).unwrap().to_owned(),
        };
        lines.push(format!("{component}: {value}"));
    }
    lines.push(format!("\"@signature-params\": {input}"));
    let base = lines.join("\n");
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    hmac::verify(&key, base.as_bytes(), &STANDARD.decode(signature).unwrap()).is_ok()
}

#[tokio::test]
async fn each_attempt_is_signed_anew() {
    let busy = Answer::json(503, "{}").header("retry-after", "0");
    let api = Upstream::new([busy, items()]).await;
    let auth = "kind = \"signature\", secret = \"file:key\", key_id = \"k1\", expires = \"1m\"";
    let bridge = bridge(&api, &bridge_auth(auth)).await;
    let reply = bridge.call("list_items", "{}").await;
    assert!(reply.result.is_ok(), "{reply:?}");
    let seen = api.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|seen| verifies(seen, KEY) && !verifies(seen, "another")));
    assert_ne!(seen[0].header("signature"), seen[1].header("signature"));
    let record = format!("{:?}", bridge.record(&reply).await);
    assert!(!record.contains(KEY));
}

#[tokio::test]
async fn amazon_s_signature_is_made_for_the_service() {
    let api = Upstream::new([items()]).await;
    let auth = "kind = \"sigv4\", access_key_id = \"AKIDEXAMPLE\", \
                secret_access_key = \"file:key\", region = \"eu-west-1\", service = \"execute-api\"";
    let bridge = bridge(&api, &bridge_auth(auth)).await;
    assert!(bridge.call("list_items", "{}").await.result.is_ok());
    let seen = &api.seen()[0];
    let day = &seen.header("x-amz-date").unwrap()[..8];
    let value = seen.header("authorization").unwrap();
    let scope = format!("Credential=AKIDEXAMPLE/{day}/eu-west-1/execute-api/aws4_request, ");
    assert!(value.starts_with(&format!("AWS4-HMAC-SHA256 {scope}")), "{value}");
    assert!(value.contains("SignedHeaders=host;x-amz-date, Signature="), "{value}");
}

/// The request lines that came, each with a header.
fn with_header(api: &Upstream, name: &str) -> Vec<(String, Option<String>)> {
    let one = |seen: Seen| (seen.line.clone(), seen.header(name).map(str::to_owned));
    api.seen().into_iter().map(one).collect()
}

fn sent(line: &str, value: Option<&str>) -> (String, Option<String>) {
    (line.to_owned(), value.map(str::to_owned))
}

const LOGIN: &str = "kind = \"session\", login = \"logIn\", \
                     arguments = { body = { user = \"bridge\", password = \"file:key\" } }";

#[tokio::test]
async fn a_session_is_opened_once_and_anew_where_it_is_refused() {
    let opened = |sid: &str| {
        let cookie = format!("sid={sid}; Path=/; HttpOnly");
        Answer::json(200, "{}").header("set-cookie", &cookie).header("set-cookie", "lang=en")
    };
    let acts = [
        Act::Gate(opened("s3ssion-1")),
        items().into(),
        items().into(),
        Answer::json(401, "{}").into(),
        opened("s3ssion-2").into(),
        Answer::json(200, "{\"items\":[],\"echo\":\"s3ssion-2\"}").into(),
    ];
    let api = Upstream::new(acts).await;
    let bridge = bridge(&api, &bridge_auth(LOGIN)).await;
    let calls = (0..2).map(|_| bridge.call("list_items", "{}"));
    let both = futures::future::join_all(calls);
    let released = async {
        api.until_seen(1).await;
        api.release(1);
    };
    for reply in tokio::join!(both, released).0 {
        assert!(reply.result.is_ok(), "{reply:?}");
    }
    let reply = bridge.call("list_items", "{}").await;
    assert!(reply.result.is_ok(), "{reply:?}");
    let text = format!("{reply:?}{:?}", bridge.record(&reply).await);
    assert!(!text.contains("s3ssion-2"), "{text}");
    assert!(text.contains("the session was refused, so another one is opened"), "{text}");
    let first = Some("sid=s3ssion-1; lang=en");
    let list = "GET /items";
    let expected = [
        sent("POST /login", None),
        sent(list, first),
        sent(list, first),
        sent(list, first),
        sent("POST /login", None),
        sent(list, Some("sid=s3ssion-2; lang=en")),
    ];
    assert_eq!(with_header(&api, "cookie"), expected);
    let events = bridge.gateway.store().events_after(0).await.unwrap();
    let opened = events.iter().filter(|event| event.kind == "token_issued");
    assert_eq!(opened.count(), 2);
    let body: Value = serde_json::from_str(&api.seen()[0].body).unwrap();
    assert_eq!(body, json!({ "user": "bridge", "password": KEY }));
}

#[tokio::test]
async fn a_member_of_the_answer_proves_a_session_where_it_is_to_go() {
    let opened = Answer::json(200, "{\"data\":{\"token\":\"s3ssion\"}}");
    let api = Upstream::new([opened, items()]).await;
    let more = "at = \"/data/token\", header = \"X-Session\"";
    let bridge = bridge(&api, &bridge_auth(&format!("{LOGIN}, {more}"))).await;
    assert!(bridge.call("list_items", "{}").await.result.is_ok());
    let expected = [sent("POST /login", None), sent("GET /items", Some("s3ssion"))];
    assert_eq!(with_header(&api, "x-session"), expected);
}

#[tokio::test]
async fn a_login_that_is_refused_is_told_without_its_secrets() {
    let api = Upstream::new([Answer::json(403, format!("{{\"you\":\"{KEY}\"}}"))]).await;
    let bridge = bridge(&api, &bridge_auth(LOGIN)).await;
    let reply = bridge.call("list_items", "{}").await;
    let failure = reply.result.as_ref().unwrap_err();
    assert!(failure.message.contains("its login was answered 403"), "{}", failure.message);
    assert!(!failure.retryable);
    assert_eq!(api.count(), 1, "neither the login nor the call is repeated");
    let text = format!("{reply:?}{:?}", bridge.record(&reply).await);
    assert!(!text.contains(KEY), "{text}");
}

#[tokio::test]
async fn each_caller_has_a_credential_of_its_own_or_none() {
    let api = Upstream::new([items()]).await;
    let keys = "[api.shop.by_identity]\nann = { kind = \"bearer\", token = \"file:key\" }\n\
                bob = { kind = \"basic\", username = \"bob\", password = \"file:key\" }";
    let bridge = bridge(&api, keys).await;
    for identity in ["ann", "bob"] {
        assert!(bridge.call_as(identity, "list_items", "{}").await.result.is_ok());
    }
    let refused = bridge.call_as("eve", "list_items", "{}").await;
    let failure = refused.result.as_ref().unwrap_err();
    assert_eq!(super::support::code(&refused), "denied");
    assert!(failure.message.contains("has no credential for `eve`"), "{}", failure.message);
    let basic = format!("Basic {}", STANDARD.encode(format!("bob:{KEY}")));
    let bearer = format!("Bearer {KEY}");
    let expected =
        [sent("GET /items", Some(bearer.as_str())), sent("GET /items", Some(basic.as_str()))];
    assert_eq!(with_header(&api, "authorization"), expected);
}

#[test]
fn what_does_not_hold_together_is_told_at_its_place() {
    let folder = folder();
    folder.write("shop.json", include_str!("support/shop.json"));
    for (auth, told) in [
        ("kind = \"signature\", key_id = \"k\"", "it needs `secret`, or a private `key`"),
        (
            "kind = \"signature\", secret = \"file:key\", key_id = \"k\", components = [\"@status\"]",
            "`@status` is no component",
        ),
        ("kind = \"session\", login = \"logOut\"", "which is no operation of it"),
        ("kind = \"session\", login = \"logIn\", header = \"X-S\"", "has no effect"),
        (
            "kind = \"session\", login = \"logIn\", arguments = { body = { password = \"x\" } }",
            "holds a literal secret",
        ),
        ("kind = \"mtls\"", "set `tls` of the API"),
        ("kind = \"oauth2\", client_id = \"c\", grant = \"device_code\"", "nothing says where"),
        (
            "kind = \"oauth2\", issuer = \"https://id.example.com\", client_id = \"c\", \
             client_auth = \"private_key_jwt\", client_key = \"file:key\"",
            "holds no private key in PEM",
        ),
    ] {
        let keys = format!("overlays = [\"overlay.json\"]\nauth = {{ {auth} }}");
        let draft = Draft::to("https://shop.example.com").api(&keys).tool("listItems", "");
        let file = folder.write("tools.toml", &draft.text());
        let wrong = gateway::load(&file, Secrets::Resolve).expect_err(auth);
        let shown = wrong.render(Style::Plain);
        assert!(shown.contains(told), "{auth}: {shown}");
        assert!(!shown.contains(KEY));
    }
}
