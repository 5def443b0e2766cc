//! What can be read beside calling tools: APIs and operations that one may find, and one's own calls.

use serde_json::json;
use tollbridge::agent::{Backend as _, Place, PlaceKind};
use tollbridge::gateway::Reply;

use super::support::{Answer, Bridge, Draft, Folder, Upstream, caller};

async fn bridge() -> (Upstream, Bridge) {
    let upstream =
        Upstream::new([Answer::json(503, "{}"), Answer::json(200, r#"{"id": "7"}"#)]).await;
    let bridge = Draft::to(&upstream.url())
        .top("[server]\ndiscovery = true\n[audit]\ndurability = \"process\"\n")
        .api("discover = [\"ann\", \"bob\"]")
        .tool("listItems", "args.limit = { fixed = 77 }")
        .open()
        .await;
    (upstream, bridge)
}

async fn read(bridge: &Bridge, whose: &str, place: Place) -> Option<String> {
    bridge.gateway.read(&caller(whose), &place).await.expect("a store")
}

async fn begin_so(bridge: &Bridge, whose: &str, kind: PlaceKind, beginning: &str) -> Vec<String> {
    bridge.gateway.begin_so(&caller(whose), kind, beginning).await.expect("a store")
}

async fn called(bridge: &Bridge) -> Reply {
    let arguments = json!({ "id": "shop/getItem", "arguments": { "id": "7" } }).to_string();
    bridge.call_as("ann", "invoke_operation", &arguments).await
}

#[tokio::test]
async fn a_call_is_read_by_who_made_it_and_by_nobody_else() {
    let (upstream, bridge) = bridge().await;
    let id = called(&bridge).await.meta.id.to_string();
    let text = read(&bridge, "ann", Place::Call(id.clone())).await.expect("her call");
    let call: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&call["tool"], &call["outcome"]), (&json!("shop/getItem"), &json!("succeeded")));
    assert_eq!(
        (&call["attempts"][0]["status"], &call["attempts"][1]["status"]),
        (&json!(503), &json!(200))
    );
    assert!(!text.contains(&upstream.url()), "{text}");
    assert_eq!(
        begin_so(&bridge, "ann", PlaceKind::Call, &id[..8]).await,
        std::slice::from_ref(&id)
    );

    assert_eq!(read(&bridge, "bob", Place::Call(id.clone())).await, None);
    assert_eq!(begin_so(&bridge, "bob", PlaceKind::Call, "").await, Vec::<String>::new());
    assert_eq!(read(&bridge, "ann", Place::Call(id[..12].to_owned())).await, None, "a piece of it");
}

#[tokio::test]
async fn a_call_of_an_operation_with_a_long_id_is_on_record_by_all_of_it() {
    let upstream = Upstream::new([Answer::json(200, r#"{"id": "7"}"#)]).await;
    let (api, key) = ("long".repeat(16), "getItem".repeat(12));
    let folder = Folder::new();
    let description =
        include_str!("support/shop.json").replace("\"getItem\"", &json!(key).to_string());
    folder.write("long.json", &description);
    let long = format!(
        "[server]\ndiscovery = true\n[api.{api}]\nspec = \"long.json\"\nbase_url = \"{}\"\n\
         discover = [\"ann\"]\n",
        upstream.url()
    );
    let bridge = Draft::to(&upstream.url()).top(&long).open_in(folder).await;
    let id = format!("{api}/{key}");
    assert!(id.len() > 128, "{id}");
    let arguments = json!({ "id": id, "arguments": { "id": "7" } }).to_string();
    let reply = bridge.call_as("ann", "invoke_operation", &arguments).await;
    assert!(reply.result.is_ok(), "{reply:?}");
    assert_eq!(bridge.record(&reply).await.tool, Some(id));
}

#[tokio::test]
async fn what_one_may_find_is_read_and_completed_and_nothing_else() {
    let (_upstream, bridge) = bridge().await;
    let api = read(&bridge, "ann", Place::Api("shop".to_owned())).await.expect("an API");
    assert!(api.starts_with("shop (5 operations): Shop\nshop/"), "{api}");
    assert!(api.contains("\nshop/getItem(id: string) read: One item"), "{api}");
    let operation = read(&bridge, "ann", Place::Operation("shop/getItem".to_owned())).await;
    assert!(operation.is_some_and(|text| text.contains("id: string")));
    assert_eq!(begin_so(&bridge, "ann", PlaceKind::Operation, "shop/get").await, ["shop/getItem"]);
    assert_eq!(begin_so(&bridge, "ann", PlaceKind::Api, "").await, ["shop"]);

    for place in [Place::Api("shop".to_owned()), Place::Operation("shop/getItem".to_owned())] {
        assert_eq!(read(&bridge, "eve", place).await, None);
    }
    for kind in [PlaceKind::Api, PlaceKind::Operation] {
        assert_eq!(begin_so(&bridge, "eve", kind, "").await, Vec::<String>::new());
    }
    assert_eq!(bridge.gateway.apis(&caller("eve")).await, []);
}
