//! Tokens that are got from an authorization server: from the configuration to the trail.

use serde_json::json;
use tollbridge::config::Style;
use tollbridge::gateway::{self, Secrets};

use super::support::{Answer, Bridge, Draft, Folder, Upstream};

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
