//! Tokens that are got from an authorization server: from the configuration to the trail.

use serde_json::json;
use tollbridge::config::Style;
use tollbridge::gateway::{self, CallWatch, Secrets};

use super::support::{Answer, Authority, Bridge, Draft, Folder, Manners, Upstream, key_pair};

const CLIENT: &str = "cl13nt-s3cr3t";
const TOKEN: &str = "t0ken-of-the-day";

/// Gives the shop's operations a scheme and scopes.
fn overlay() -> String {
    let flows = json!({ "clientCredentials": { "tokenUrl": "/token", "scopes": {} } });
    let scheme = json!({ "type": "oauth2", "flows": flows });
    json!([
        { "op": "add", "path": "/components", "value": { "securitySchemes": { "login": scheme } } },
        { "op": "add", "path": "/paths/~1items/get/security", "value": [{ "login": ["read"] }] },
        { "op": "add", "path": "/paths/~1refunds/post/security", "value": [{ "login": ["refund"] }] },
    ])
    .to_string()
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("overlay.json", &overlay());
    folder.write("client", CLIENT);
    folder
}

fn keys(server: &str, more: &str) -> String {
    format!(
        "overlays = [\"overlay.json\"]\n\
         auth = {{ kind = \"oauth2\", token_url = \"{server}/token\", client_id = \"bridge\", \
         client_secret = \"file:client\"{more} }}"
    )
}

async fn bridge(server: &Upstream, api: &Upstream) -> Bridge {
    let draft = Draft::to(&api.url()).api(&keys(&server.url(), ""));
    draft.tool("listItems", "").open_in(folder()).await
}

#[tokio::test]
async fn a_token_is_got_for_what_the_tools_need_and_is_seen_nowhere() {
    let issued = json!({ "access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600 });
    let server = Upstream::new([Answer::json(200, issued.to_string())]).await;
    let echo = json!({ "items": [], "you": format!("Bearer {TOKEN}") });
    let api = Upstream::new([Answer::json(200, echo.to_string())]).await;
    let bridge = bridge(&server, &api).await;
    for _ in 0..2 {
        let reply = bridge.call("list_items", "{}").await;
        assert!(reply.result.is_ok());
        let record = format!("{:?}{reply:?}", bridge.record(&reply).await);
        assert!(!record.contains(TOKEN) && !record.contains(CLIENT), "{record}");
    }
    let asked = server.seen();
    assert_eq!(asked.len(), 1);
    // Not what `createRefund` would need: it is no tool.
    assert_eq!(asked[0].body, "grant_type=client_credentials&scope=read");
    for seen in api.seen() {
        assert_eq!(seen.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    }
    let stored = bridge.folder.store_bytes();
    assert!(!stored.windows(TOKEN.len()).any(|bytes| bytes == TOKEN.as_bytes()));
}

#[tokio::test]
async fn a_call_without_a_token_fails_before_the_api_is_asked() {
    let refusal = Answer::json(401, "{\"error\":\"invalid_client\"}");
    let server = Upstream::new([refusal]).await;
    let api = Upstream::new([Answer::json(200, "{}")]).await;
    let bridge = bridge(&server, &api).await;
    let reply = bridge.call("list_items", "{}").await;
    let failure = reply.result.as_ref().unwrap_err();
    assert!(failure.message.contains("`invalid_client`"), "{}", failure.message);
    assert!(api.seen().is_empty());
    let record = bridge.record(&reply).await;
    let told = record.attempts[0].error.as_deref().unwrap_or_default();
    assert!(told.contains("no token is given"), "{told}");
}

#[test]
fn a_scope_that_no_tool_needs_is_a_warning() {
    let folder = folder();
    folder.write("shop.json", include_str!("support/shop.json"));
    let keys = keys("https://id.example.com", ", scopes = [\"read\", \"refund\"]");
    let draft = Draft::to("https://shop.example.com").api(&keys).tool("listItems", "");
    let file = folder.write("tools.toml", &draft.text());
    let loaded = gateway::load(&file, Secrets::Resolve).unwrap();
    let shown = loaded.warnings.render(Style::Plain);
    assert!(shown.contains("no tool of `shop` needs the scope `refund`"), "{shown}");
    assert!(!shown.contains("the scope `read`"), "{shown}");
}

/// A bridge whose credential is got from that server with these members.
async fn bridge_with(server: &Authority, api: &Upstream, members: &str) -> Bridge {
    let folder = folder();
    bridge_in(folder, server, api, members).await
}

async fn bridge_in(folder: Folder, server: &Authority, api: &Upstream, members: &str) -> Bridge {
    let auth = format!(
        "overlays = [\"overlay.json\"]\nauth = {{ kind = \"oauth2\", token_url = \"{}\", client_id = \"bridge\", {members} }}",
        server.token_url()
    );
    Draft::to(&api.url()).api(&auth).tool("listItems", "").open_in(folder).await
}

/// The tokens that an API's requests carried.
fn carried(api: &Upstream) -> Vec<String> {
    let token = |seen: &super::support::Seen| {
        seen.header("authorization").unwrap_or_default().trim_start_matches("Bearer ").to_owned()
    };
    api.seen().iter().map(token).collect()
}

async fn events(gateway: &gateway::Gateway, kind: &str) -> Vec<serde_json::Value> {
    let all = gateway.store().events_after(0).await.unwrap();
    let of_kind = all.into_iter().filter(|event| event.kind == kind);
    of_kind.map(|event| serde_json::from_str(&event.body).unwrap()).collect()
}

const SECRET: &str = "client_secret = \"file:client\"";

#[tokio::test]
async fn a_token_outlasts_the_process_sealed_and_on_record() {
    let server = Authority::new(Manners::default()).await;
    let api = Upstream::new([Answer::json(200, "{\"items\":[]}")]).await;
    let bridge = bridge_with(&server, &api, SECRET).await;
    assert!(bridge.call("list_items", "{}").await.result.is_ok());
    let other = bridge.beside().await;
    let request = super::support::request("list_items", "{}");
    let reply = other.call(super::support::caller("ann"), request, CallWatch::default()).await;
    assert!(reply.unwrap().result.is_ok());
    assert_eq!(carried(&api), ["t0ken-client-1", "t0ken-client-1"]);
    assert_eq!(server.asked().len(), 1);

    let issued = events(&other, "token_issued").await;
    assert_eq!(issued.len(), 1);
    assert_eq!((&issued[0]["api"], &issued[0]["scopes"]), (&json!("shop"), &json!("read")));
    assert!(!issued[0]["expires"].is_null());
    let stored = bridge.folder.store_bytes();
    for secret in ["t0ken-client", "cl13nt"] {
        assert!(!stored.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "{secret}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let key = std::fs::metadata(bridge.folder.file("tollbridge.db.key")).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_key_of_one_s_own_seals_and_another_opens_nothing() {
    let server = Authority::new(Manners::default()).await;
    let api = Upstream::new([Answer::json(200, "{\"items\":[]}")]).await;
    let (folder, keys) =
        (folder(), ["0123456789abcdef0123456789abcdef", "another-key-of-32-characters-long"]);
    let draft = |folder: &Folder, key: &str| {
        folder.write("key", key);
        let draft = Draft::to(&api.url()).top("[server]\ntoken_key = \"file:key\"\n");
        let auth = keys_of(&server);
        draft.api(&auth).tool("listItems", "")
    };
    let bridge = draft(&folder, keys[0]).open_in(folder).await;
    for (key, asked) in [(keys[0], 1), (keys[0], 1), (keys[1], 2)] {
        bridge.reload(draft(&bridge.folder, key)).await;
        assert!(bridge.call("list_items", "{}").await.result.is_ok());
        assert_eq!(server.asked().len(), asked, "{key}");
    }
    assert!(!bridge.folder.file("tollbridge.db.key").exists());
}

fn keys_of(server: &Authority) -> String {
    format!(
        "overlays = [\"overlay.json\"]\nauth = {{ kind = \"oauth2\", token_url = \"{}\", client_id = \"bridge\", {SECRET} }}",
        server.token_url()
    )
}

#[tokio::test]
async fn a_refresh_token_is_used_once_over_processes_and_restarts() {
    // Each token has ended when it comes, so each call renews it.
    let server = Authority::new(Manners { lifetime: 0, ..Manners::default() }).await;
    server.knows("r0-of-the-file");
    let api = Upstream::new([Answer::json(200, "{\"items\":[]}")]).await;
    let folder = folder();
    folder.write("refresh", "r0-of-the-file");
    let members = format!("grant = \"refresh_token\", refresh_token = \"file:refresh\", {SECRET}");
    let bridge = bridge_in(folder, &server, &api, &members).await;
    let other = bridge.beside().await;
    let call = |gateway: gateway::Gateway| async move {
        let request = super::support::request("list_items", "{}");
        gateway.call(super::support::caller("ann"), request, CallWatch::default()).await
    };
    let calls =
        (0..6).map(|n| call(if n % 2 == 0 { bridge.gateway.clone() } else { other.clone() }));
    for reply in futures::future::join_all(calls).await {
        let reply = reply.unwrap();
        assert!(reply.result.is_ok(), "{reply:?}");
    }
    // The file still has the first one.
    let third = bridge.beside().await;
    assert!(call(third).await.unwrap().result.is_ok());
    let tokens: Vec<_> =
        server.asked().iter().map(|form| form.get("refresh_token").cloned().unwrap()).collect();
    let once: std::collections::BTreeSet<_> = tokens.iter().collect();
    assert_eq!(tokens.len(), once.len(), "{tokens:?}");
    assert_eq!(tokens[0], "r0-of-the-file");
}

#[tokio::test]
async fn a_client_proves_itself_by_what_it_signs() {
    let (pem, public) = key_pair();
    let manners = Manners { secret: None, key: Some(public), ..Manners::default() };
    let server = Authority::new(manners).await;
    let api = Upstream::new([Answer::json(200, "{\"items\":[]}")]).await;
    let folder = folder();
    folder.write("client.pem", &pem);
    let members = "client_key = \"file:client.pem\", client_key_id = \"k1\"";
    let bridge = bridge_in(folder, &server, &api, members).await;
    assert!(bridge.call("list_items", "{}").await.result.is_ok());
    assert!(server.asked()[0].contains_key("client_assertion"));
}

#[tokio::test]
async fn each_caller_has_a_token_of_its_own_on_our_word() {
    for (grant, member) in [("token_exchange", "subject_token"), ("jwt_bearer", "assertion")] {
        let (pem, public) = key_pair();
        let server = Authority::new(Manners { key: Some(public), ..Manners::default() }).await;
        let api = Upstream::new([Answer::json(200, "{\"items\":[]}")]).await;
        let folder = folder();
        folder.write("assertion.pem", &pem);
        let members = format!(
            "{SECRET}, grant = \"{grant}\", assertion_key = \"file:assertion.pem\", \
             subjects = {{ ann = \"u-ann\", bob = \"u-bob\" }}"
        );
        let bridge = bridge_in(folder, &server, &api, &members).await;
        for identity in ["ann", "bob", "ann"] {
            assert!(bridge.call_as(identity, "list_items", "{}").await.result.is_ok());
        }
        assert_eq!(carried(&api), ["t0ken-u-ann-1", "t0ken-u-bob-2", "t0ken-u-ann-1"]);
        let asked = server.asked();
        assert!(asked.len() == 2 && asked.iter().all(|form| form.contains_key(member)));

        let reply = bridge.call_as("eve", "list_items", "{}").await;
        let failure = reply.result.as_ref().unwrap_err();
        assert!(failure.message.contains("nothing says who `eve` is to it"), "{}", failure.message);
        assert!(!failure.retryable);
        assert_eq!(server.asked().len(), 2);
        let issued = events(&bridge.gateway, "token_issued").await;
        let whose: Vec<_> = issued.iter().map(|event| event["identity"].clone()).collect();
        assert_eq!(whose, ["ann", "bob"]);
    }
}
