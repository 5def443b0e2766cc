//! The pages as a browser and a program see them. A held call is put into the store by hand; what
//! becomes of it is read from there.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tollbridge_operation::Identity;

use super::{Reached, approvals};
use crate::gateway::{Gateway, HoldRow, Secrets};
use crate::identity::NewKey;
use crate::observe::Metrics;
use crate::store::{Batch, Change, Durability, HoldState, Store};

const TOO_MUCH: &str = r#"{"changes": [{"at": "/body/amount", "value": 11}]}"#;

const HOSTILE: &str = "</pre><script>alert(1)</script>\u{202e}";

struct Pages {
    url: String,
    gateway: Gateway,
    client: reqwest::Client,
    key: String,
    _folder: tempfile::TempDir,
}

async fn pages() -> Pages {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tools.toml");
    std::fs::write(
        folder.path().join("a.json"),
        json!({
            "openapi": "3.1.0",
            "info": {"title": "A", "version": "1"},
            "paths": {"/refunds": {"post": {
                "operationId": "refund",
                "requestBody": {"content": {"application/json": {"schema": {
                    "type": "object",
                    "properties": {"amount": {"type": "number"}, "note": {"type": "string"}}
                }}}},
                "responses": {"200": {"description": "ok"}}
            }}}
        })
        .to_string(),
    )
    .unwrap();
    std::fs::write(
        &path,
        "[api.a]\nspec = \"a.json\"\nbase_url = \"http://127.0.0.1:9\"\n[[tool]]\napi = \"a\"\n\
         operation = \"refund\"\nhold = true\n[tool.args.\"/body/amount\"]\nmax = 10\n",
    )
    .unwrap();
    let loaded = crate::gateway::load(&path, Secrets::Resolve).unwrap();
    let store = Store::open("sqlite::memory:", Durability::Process).await.unwrap();
    let gateway = Gateway::new(store, loaded.toolbox, Arc::new(Metrics::new()));
    let ann = Identity::new("ann").unwrap();
    let approver = NewKey::generate(&ann, None, 1).unwrap().for_approvals();
    let key = approver.key.expose().to_owned();
    commit(&gateway, Change::AddKey(approver.row)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let peer = Extension(SocketAddr::from(([127, 0, 0, 1], 1)));
    let router = approvals(gateway.clone(), Reached::Plainly).layer(peer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    Pages { url, gateway, client, key, _folder: folder }
}

async fn commit(gateway: &Gateway, change: Change) {
    let batch = Batch { changes: vec![change], ..Batch::default() };
    let _ = gateway.store().commit(batch).await.unwrap();
}

impl Pages {
    async fn hold(&self, id: &str, barred: Option<&str>) {
        let arguments = json!({"body": {"amount": 5, "note": HOSTILE}}).to_string();
        let row = HoldRow {
            id: id.into(),
            call: "01CALL".into(),
            identity: "bot".into(),
            tool: "refund".into(),
            digest: id.into(),
            given: arguments.clone(),
            arguments,
            target: "POST http://127.0.0.1:9/refunds".into(),
            claimed: "[]".into(),
            rule: "refund.hold".into(),
            asks_operator: true,
            placed: self.gateway.store().now(),
            expires: self.gateway.store().now() + 600_000_000,
            barred: barred.map(str::to_owned),
            ..HoldRow::default()
        };
        commit(&self.gateway, Change::PlaceHold(Box::new(row))).await;
    }

    async fn row(&self, id: &str) -> HoldRow {
        self.gateway.store().hold(id).await.unwrap().unwrap()
    }

    fn post(&self, path: &str, form: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let body: String =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.client
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    }

    /// The cookie of a session.
    async fn log_in(&self) -> String {
        let answer = self.post("/approvals/login", &[("key", &self.key)]).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Strict;"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn page(&self, path: &str, cookie: &str) -> String {
        let answer =
            self.client.get(format!("{}{path}", self.url)).header("cookie", cookie).send().await;
        let answer = answer.unwrap();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        answer.text().await.unwrap()
    }

    fn api(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}/approvals/api{path}", self.url))
    }
}

fn token_of(page: &str) -> String {
    let at = page.find("name=\"token\" value=\"").unwrap() + 20;
    page[at..].split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_person_logs_in_sees_all_and_decides_with_the_token_of_their_session() {
    let pages = pages().await;
    pages.hold("h_1", None).await;
    let outside = pages.client.get(format!("{}/approvals/h_1", pages.url)).send().await.unwrap();
    assert_eq!(
        (outside.status().as_u16(), &outside.headers()["location"]),
        (303, &"/approvals/login".parse().unwrap())
    );

    let cookie = pages.log_in().await;
    assert!(pages.page("/approvals", &cookie).await.contains("/approvals/h_1"));
    let page = pages.page("/approvals/h_1", &cookie).await;
    assert!(!page.contains("<script") && !page.contains('\u{202e}'), "{page}");
    assert!(page.contains("‹U+202E›") && page.contains("POST http://127.0.0.1:9/refunds"));

    let yes =
        |form: &[(&str, &str)]| pages.post("/approvals/h_1/yes", form).header("cookie", &cookie);
    let token = token_of(&page);
    assert_eq!(yes(&[]).send().await.unwrap().status(), 403, "without a token");
    assert_eq!(yes(&[("token", "x")]).send().await.unwrap().status(), 403);
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let sent = yes(&[("token", &token)]).header(name, value).send().await.unwrap();
        assert_eq!(sent.status(), 403, "{name}");
    }
    assert_eq!(pages.row("h_1").await.state, HoldState::Pending);
    let form = [("token", token.as_str()), ("reason", " fine ")];
    assert_eq!(yes(&form).header("origin", &pages.url).send().await.unwrap().status(), 303);
    let row = pages.row("h_1").await;
    assert_eq!(row.state, HoldState::Approved);
    assert_eq!(
        (row.decided_by.as_deref(), row.reason.as_deref()),
        (Some("operator:ann"), Some("fine"))
    );
    assert_eq!(yes(&form).send().await.unwrap().status(), 409, "once");

    let out = pages.post("/approvals/logout", &[("token", &token)]).header("cookie", &cookie);
    assert_eq!(out.send().await.unwrap().status(), 303);
    assert!(!pages.page("/approvals", &cookie).await.contains("h_1"));
}

#[tokio::test]
async fn other_arguments_are_taken_as_they_were_written_and_judged() {
    let pages = pages().await;
    pages.hold("h_1", None).await;
    let cookie = pages.log_in().await;
    let token = token_of(&pages.page("/approvals/h_1", &cookie).await);
    let edit = async |arguments: Value| {
        let form = [("token", token.as_str()), ("arguments", &arguments.to_string())];
        let sent = pages.post("/approvals/h_1/edit", &form).header("cookie", &cookie).send();
        let sent = sent.await.unwrap();
        (sent.status().as_u16(), sent.text().await.unwrap())
    };
    let (status, page) = edit(json!({"body": {"amount": 11, "note": HOSTILE}})).await;
    assert_eq!(status, 422);
    assert!(page.contains("at most 10"), "{page}");
    assert_eq!(edit(json!({"body": {"amount": 4, "note": HOSTILE}})).await.0, 303);
    let edits = pages.row("h_1").await.edits.unwrap();
    assert_eq!(edits, r#"[{"at":"/body/amount","value":4}]"#, "what was not changed is not kept");
}

#[tokio::test]
async fn a_program_decides_with_a_bearer_key_and_nothing_else() {
    let pages = pages().await;
    pages.hold("h_1", None).await;
    pages.hold("h_2", Some(r#"["bot", "ann"]"#)).await;
    let get = |path: &str| pages.api(reqwest::Method::GET, path);
    let post = |path: &str| pages.api(reqwest::Method::POST, path);
    let cookie = pages.log_in().await;
    for asked in [get("/holds"), get("/holds").header("cookie", &cookie), get("/holds/h_1")] {
        let refused = asked.send().await.unwrap();
        assert_eq!(refused.status(), 401);
        assert_eq!(refused.headers()["www-authenticate"], "Bearer");
    }
    assert_eq!(get("/holds").bearer_auth("tb_x").send().await.unwrap().status(), 401);
    let holds = get("/holds").bearer_auth(&pages.key).send().await.unwrap();
    let holds: Value = serde_json::from_str(&holds.text().await.unwrap()).unwrap();
    assert_eq!(holds["holds"].as_array().map(Vec::len), Some(2));
    assert_eq!(holds["holds"][0]["given"]["body"]["amount"], 5);
    let told = async |path: &str, body: &str| {
        let sent = post(path).bearer_auth(&pages.key).body(body.to_owned()).send().await.unwrap();
        let status = sent.status().as_u16();
        (status, serde_json::from_str::<Value>(&sent.text().await.unwrap()).unwrap())
    };
    let changes = r#"{"changes": [{"at": "/body/amount", "value": 4}], "reason": "less"}"#;
    let (status, row) = told("/holds/h_1/edit", changes).await;
    assert_eq!((status, &row["state"], &row["reason"]), (200, &json!("approved"), &json!("less")));
    for (path, body, status, code) in [
        ("/holds/h_1/yes", "", 409, "decided"),
        ("/holds/h_2/yes", "", 403, "not_yours"),
        ("/holds/h_9/yes", "", 404, "no_such_hold"),
        ("/holds/h_2/edit", "{}", 422, "not_allowed"),
        ("/holds/h_2/edit", TOO_MUCH, 422, "denied"),
        ("/holds/h_2/yes", "{\"colour\": 1}", 400, "malformed"),
        ("/holds/h_2/maybe", "", 404, "not_found"),
    ] {
        let (got, error) = told(path, body).await;
        assert_eq!((got, error["error"]["code"].as_str()), (status, Some(code)), "{path}");
    }
    assert_eq!(told("/holds/h_2/no", "").await.0, 200);
}

#[tokio::test]
async fn wrong_keys_are_counted_and_a_revoked_key_ends_its_session() {
    let pages = pages().await;
    pages.hold("h_1", None).await;
    let cookie = pages.log_in().await;
    let id = pages.key.split('_').nth(1).unwrap().to_owned();
    commit(&pages.gateway, Change::RevokeKey { id }).await;
    assert!(!pages.page("/approvals", &cookie).await.contains("h_1"));
    let mut statuses = Vec::new();
    for _ in 0..11 {
        let answer = pages.post("/approvals/login", &[("key", "tb_wrong")]).send().await.unwrap();
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses, [vec![403; 10], vec![429]].concat());
}
