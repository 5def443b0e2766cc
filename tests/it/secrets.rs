//! Our own secrets, echoed by an upstream in every spelling: they get nowhere.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use tokio::sync::mpsc;
use tollbridge::gateway::{CallWatch, Reply};
use tollbridge_operation::Payload;

use super::support::{Act, Answer, Bridge, Draft, Folder, Upstream, caller, code, request};

const SECRET: &str = r#"s3cr3t/K3y+"quoted"&<9%~tail"#;

/// The secret as an upstream may spell it.
fn spellings() -> Vec<(&'static str, String)> {
    let json = json!(SECRET).to_string();
    let escaped = json.trim_matches('"').to_owned();
    let units =
        SECRET.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect::<Vec<_>>().concat();
    vec![
        ("as it is", SECRET.to_owned()),
        ("percent", utf8_percent_encode(SECRET, NON_ALPHANUMERIC).to_string()),
        (
            "percent, lower",
            utf8_percent_encode(SECRET, NON_ALPHANUMERIC)
                .to_string()
                .to_lowercase()
                .replace("k3y", "K3y"),
        ),
        ("json", escaped.clone()),
        ("json in json", json!(escaped).to_string().trim_matches('"').to_owned()),
        ("json units", units),
        ("xml", SECRET.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")),
        ("hex", hex::encode(SECRET)),
        ("HEX", hex::encode_upper(SECRET)),
        ("base64", STANDARD.encode(SECRET)),
        ("base64url", URL_SAFE_NO_PAD.encode(SECRET)),
        ("base64 of more", STANDARD.encode(format!("user:{SECRET}\n"))),
    ]
}

async fn bridge(upstream: &Upstream, operation: &str) -> Bridge {
    let folder = Folder::new();
    folder.write("key", SECRET);
    Draft::to(&upstream.url())
        .api("auth = { kind = \"api_key\", in = \"header\", name = \"X-API-Key\", value = \"file:key\" }")
        .tool(operation, "")
        .open_in(folder)
        .await
}

/// Everything of a reply that a front end could hand on, as text.
fn told(reply: &Reply) -> String {
    let meta = serde_json::to_string(&reply.meta).unwrap();
    let result = match &reply.result {
        Ok(success) => match &success.payload {
            Payload::Value(value) => format!("{value}{value:?}{:?}", success.drift),
            Payload::Bytes { media_type, data } => {
                format!("{media_type}{}", String::from_utf8_lossy(data))
            }
            Payload::Parts { value, attached } => format!("{value}{attached:?}"),
            Payload::Empty => String::new(),
        },
        Err(failure) => format!("{}{}", serde_json::to_string(failure).unwrap(), failure.message),
    };
    meta + &result
}

fn assert_clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for (spelling, secret) in spellings() {
        assert!(!text.contains(&secret), "{what} has the secret, {spelling}");
    }
    // A part that no encoding changes, and hardly anything else has.
    assert!(!text.contains("s3cr3t"), "{what} has the beginning of the secret");
}

#[tokio::test]
async fn an_echoed_credential_reaches_neither_agent_nor_trail_in_any_spelling() {
    let mut answers = Vec::new();
    for (spelling, secret) in spellings() {
        for status in [200, 400, 503] {
            let text = format!("you sent {secret} to us");
            answers.push((spelling, Answer::new(status, "text/plain", text.clone())));
            let value = json!({"id": text, &*text: [{"deep": secret}]}).to_string();
            answers.push((spelling, Answer::json(status, value)));
            answers.push((
                spelling,
                Answer::new(
                    status,
                    "application/xml",
                    format!("<a b='{}'/>", secret.replace('\'', "")),
                ),
            ));
            answers.push((spelling, Answer::new(status, "image/png", format!("PNG{secret}"))));
            answers.push((spelling, Answer::json(status, format!("{{broken {secret}"))));
        }
        if !secret.contains(['\n', '\r']) {
            answers.push((
                spelling,
                Answer::json(302, "{}").header("location", &format!("/{secret}")),
            ));
            answers.push((spelling, Answer::json(401, "{}").header("www-authenticate", &secret)));
        }
    }
    let acts: Vec<Answer> = answers.iter().map(|(_, answer)| answer.clone()).collect();
    let upstream = Upstream::new(acts).await;
    // A write is not repeated, so that each answer is one call's.
    let bridge = bridge(&upstream, "createRefund").await;
    for (spelling, answer) in &answers {
        let reply = bridge.call("create_refund", r#"{"body": {"amount": 5}}"#).await;
        let what = format!("{} {:?} ({spelling})", answer.status, answer.headers);
        assert_clean(&what, told(&reply).as_bytes());
    }
    assert_eq!(upstream.count(), answers.len());
    assert_eq!(upstream.seen()[0].header("x-api-key"), Some(SECRET), "it does arrive");
    assert_clean("the store", &bridge.folder.store_bytes());
    for call in bridge.trail().await {
        assert_clean("a record", &serde_json::to_vec(&bridge.record_of(&call.id).await).unwrap());
    }
}

#[tokio::test]
async fn an_agents_arguments_with_our_secret_are_sent_and_not_kept() {
    let upstream = Upstream::new([Answer::json(503, "{}"), Answer::json(200, "{}")]).await;
    let bridge = bridge(&upstream, "getItem").await;
    let (sender, mut steps) = mpsc::channel(64);
    let watch = CallWatch { progress: Some(sender), ..CallWatch::default() };
    let arguments = json!({"id": format!("x {SECRET} y")}).to_string();
    let call = bridge.gateway.call(caller("bot"), request("get_item", &arguments), watch);
    let reply = call.await.unwrap();
    assert_eq!(code(&reply), "succeeded");
    assert!(upstream.seen()[0].line.contains("s3cr3t"));
    assert_clean("the reply", told(&reply).as_bytes());
    let mut said = Vec::new();
    while let Ok(step) = steps.try_recv() {
        assert_clean("progress", step.message.as_bytes());
        said.push((step.done, step.message));
    }
    assert!(said.len() >= 4, "{said:?}");
    assert!(said.windows(2).all(|two| two[0].0 < two[1].0), "{said:?}");
    assert_clean("the store", &bridge.folder.store_bytes());
}

#[tokio::test]
async fn a_held_calls_arguments_are_kept_without_our_secret() {
    let upstream = Upstream::new([Act::Hang]).await;
    let folder = Folder::new();
    folder.write("key", SECRET);
    let bridge = Draft::to(&upstream.url())
        .api("auth = { kind = \"bearer\", token = \"file:key\" }")
        .tool("createRefund", "name = \"refund\"\nhold = true")
        .open_in(folder)
        .await;
    for (_, secret) in spellings() {
        let arguments = json!({"body": {"amount": 5, "note": secret}}).to_string();
        assert_eq!(code(&bridge.call("refund", &arguments).await), "held");
    }
    // A tool that is not there, and arguments that do not fit, are recorded as well.
    let misfit = json!({"body": SECRET, SECRET: 1}).to_string();
    let reply = bridge.call("refund", &misfit).await;
    assert_eq!(code(&reply), "invalid_arguments");
    assert_clean("the reply", told(&reply).as_bytes());
    let unknown = bridge.ask("bot", request(SECRET, &misfit)).await;
    assert!(unknown.is_err());
    assert_clean("the store", &bridge.folder.store_bytes());
}

#[tokio::test]
async fn a_basic_credential_is_found_as_it_went_over_the_wire() {
    let upstream = Upstream::new([Answer::json(400, "{}")]).await;
    let folder = Folder::new();
    folder.write("key", "pass w0rd");
    let draft = |url: &str| {
        Draft::to(url)
            .api("auth = { kind = \"basic\", username = \"bridge\", password = \"file:key\" }")
            .tool("createRefund", "")
    };
    let bridge = draft(&upstream.url()).open_in(folder).await;
    bridge.call("create_refund", r#"{"body": {"amount": 5}}"#).await;
    let sent = upstream.seen()[0].header("authorization").expect("a credential").to_owned();
    let (_, encoded) = sent.split_once(' ').expect("a scheme");
    let echo = json!({"saw": sent, "and": encoded}).to_string();
    let upstream = Upstream::new([Answer::json(400, echo)]).await;
    bridge.reload(draft(&upstream.url())).await;
    let reply = bridge.call("create_refund", r#"{"body": {"amount": 5}}"#).await;
    assert!(!told(&reply).contains(encoded), "{reply:?}");
    assert!(!String::from_utf8_lossy(&bridge.folder.store_bytes()).contains(encoded));
}

#[tokio::test]
async fn a_key_in_the_query_is_sent_and_shown_nowhere() {
    let upstream = Upstream::new([Answer::json(200, "[]")]).await;
    let folder = Folder::new();
    folder.write("key", SECRET);
    folder.write("tenant", "t3n4nt-value");
    let bridge = Draft::to(&upstream.url())
        .api(
            "auth = { kind = \"api_key\", in = \"query\", name = \"key\", value = \"file:key\" }\n\
             headers = { X-Tenant = \"file:tenant\" }",
        )
        .tool("listItems", "")
        .open_in(folder)
        .await;
    let dry = bridge.gateway.dry_run(&caller("bot"), &request("list_items", "{}")).await.unwrap();
    let shown = serde_json::to_string(&dry).unwrap();
    assert_clean("the dry run", shown.as_bytes());
    assert!(!shown.contains("t3n4nt-value"), "{shown}");
    assert_eq!((upstream.count(), bridge.trail().await.len()), (0, 0), "nothing happened");
    let reply = bridge.call("list_items", "{}").await;
    let seen = &upstream.seen()[0];
    assert!(seen.line.contains("s3cr3t"), "{}", seen.line);
    assert_eq!(seen.header("x-tenant"), Some("t3n4nt-value"));
    assert_clean("the reply", told(&reply).as_bytes());
    assert!(reply.meta.served_by.as_ref().unwrap().contains("key="));
    let metrics = bridge.gateway.metrics().encode();
    assert_clean("the metrics", metrics.as_bytes());
    assert_clean("the store", &bridge.folder.store_bytes());
}

#[tokio::test]
async fn a_message_that_was_no_call_is_recorded_without_our_secret() {
    let upstream = Upstream::willing().await;
    let bridge = bridge(&upstream, "listItems").await;
    let reason = format!("unexpected `{SECRET}`");
    bridge.gateway.malformed(tollbridge::gateway::Transport::Stdio, None, reason).await;
    assert_eq!(bridge.outcomes().await, ["malformed"]);
    assert_clean("the store", &bridge.folder.store_bytes());
}
