//! The six tools that `examples/warehouse` makes of the bundled warehouse, each of them called.

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tollbridge::config::Style;
use tollbridge::demo::warehouse::WarehouseUpstream;
use tollbridge::gateway::{self, Secrets};
use tollbridge::store::{Durability, Store};

use super::support::{Bridge, Folder, code, failure, value};

const TICKET: &str = "t1cket<&>";

struct Site {
    bridge: Bridge,
    warehouse: WarehouseUpstream,
    _shutdown: tokio_util::sync::DropGuard,
}

impl Site {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shutdown = CancellationToken::new();
        let (warehouse, _) =
            WarehouseUpstream::start(listener, TICKET.to_owned(), shutdown.clone()).unwrap();
        let folder = Folder::new();
        let config = include_str!("../../examples/warehouse/tools.toml")
            .replace("../../specs/", "")
            .replace("http://127.0.0.1:4011/services/Warehouse", &warehouse.url)
            .replace("env:WAREHOUSE_TICKET", "file:ticket");
        folder.write("tools.toml", &format!("{config}\n[audit]\ndurability = \"process\"\n"));
        folder.write("warehouse.wsdl", include_str!("../../specs/warehouse.wsdl"));
        folder.write("warehouse.xsd", include_str!("../../specs/warehouse.xsd"));
        folder.write("ticket", TICKET);
        let loaded = gateway::load(&folder.file("tools.toml"), Secrets::Resolve)
            .unwrap_or_else(|wrong| panic!("{}", wrong.render(Style::Plain)));
        let store = Store::open(&folder.store_url(), Durability::Process).await.expect("a store");
        let bridge = Bridge::of(folder, loaded.toolbox, store);
        Self { bridge, warehouse, _shutdown: shutdown.drop_guard() }
    }

    async fn ask(&self, tool: &str, arguments: &Value) -> gateway::Reply {
        self.bridge.call_as("warehouse-bot", tool, &arguments.to_string()).await
    }

    fn faults(&self) -> Vec<Option<String>> {
        self.warehouse.heard().into_iter().map(|heard| heard.fault).collect()
    }
}

#[tokio::test]
async fn a_locked_table_is_asked_again_and_a_wrong_answer_is_understood() {
    let site = Site::open().await;
    let reply = site.ask("get_stock", &json!({"article": "PAN-024"})).await;
    assert_eq!(
        value(&reply),
        &json!([
            {"site": "LDS", "on_hand": 80, "reserved": 6, "next_delivery": "2026-12-04"},
            {"site": "RTM", "on_hand": 42, "reserved": 0, "next_delivery": "0000-00-00"},
        ])
    );
    assert_eq!(site.faults(), [Some("soapenv:Server".to_owned()), None]);
    let drift = format!("{:?}", reply.result.as_ref().unwrap().drift);
    assert!(drift.contains("CountedBy") && drift.contains("NextDelivery"), "{drift}");
}

#[tokio::test]
async fn a_fault_under_200_is_a_failure_with_its_code_and_detail() {
    let site = Site::open().await;
    let reply = site.ask("get_stock", &json!({"article": "XXX-999"})).await;
    assert_eq!(code(&reply), "upstream_error");
    let failed = failure(&reply);
    assert!(!failed.retryable);
    let fault = failed.upstream.as_ref().and_then(|reply| reply.fault.as_ref()).expect("a fault");
    assert_eq!(fault["code"], "Client");
    assert_eq!(fault["reason"], "WMS-0404 article XXX-999 not on file");
    assert_eq!(fault["detail"], json!({"WmsError": {"Code": "WMS-0404", "Field": "ArticleNo"}}));
    // What the schema forbids never leaves.
    assert_eq!(code(&site.ask("get_stock", &json!({"article": "pan"})).await), "invalid_arguments");
    assert_eq!(site.warehouse.heard().len(), 1);
}

#[tokio::test]
async fn movements_say_of_which_kind_they_are_and_keep_their_digits() {
    let site = Site::open().await;
    let reply = site.ask("list_movements", &json!({"article": "PAN-024"})).await;
    let movements = &value(&reply)["Movement"];
    assert_eq!(movements[0]["@type"], "Receipt");
    assert_eq!(movements[0]["@no"], "9007199254740993");
    assert_eq!(movements[1]["OrderNo"], "ord_1001");
    let since = json!({"article": "PAN-024", "since": "2026-11-04"});
    let later = site.ask("list_movements", &since).await;
    assert_eq!(value(&later)["Movement"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_pick_list_told_by_reference_is_whole() {
    let site = Site::open().await;
    let reply = site.ask("get_pick_list", &json!({"pick_list": 4711})).await;
    assert_eq!(
        value(&reply),
        &json!({
            "no": 4711,
            "order": "ord_1002",
            "picker": null,
            "lines": [
                {"article": "KNI-110", "bin": "A-07-3", "pieces": 3},
                {"article": "PAN-024", "bin": "B-12-1", "pieces": 1},
            ],
        })
    );
    assert!(reply.result.as_ref().unwrap().drift.is_empty(), "{reply:?}");
}

#[tokio::test]
async fn stock_is_reserved_within_bounds_and_released() {
    let site = Site::open().await;
    let lines = |quantity: u32| json!({"order": "ord_1001", "lines": [{"ArticleNo": "KNI-110", "Site": "GDN", "Quantity": quantity}]});
    assert_eq!(code(&site.ask("reserve_stock", &lines(101)).await), "denied");
    assert_eq!(code(&site.ask("reserve_stock", &lines(31)).await), "upstream_error");
    let reserved = site.ask("reserve_stock", &lines(30)).await;
    assert_eq!(value(&reserved), &json!({"ReservationNo": "88001"}));
    let reservation = json!({"reservation": 88001});
    for released in [true, false] {
        let reply = site.ask("release_reservation", &reservation).await;
        assert_eq!(value(&reply), &json!({"Released": released}));
    }
}

#[tokio::test]
async fn a_bin_is_moved_when_a_person_agrees() {
    let site = Site::open().await;
    let call = json!({"article": "KNI-110", "from": "A-07-3", "to": "C-01-1", "pieces": 5});
    let held = site.ask("move_bin", &call).await;
    assert_eq!(code(&held), "held");
    assert!(site.warehouse.heard().is_empty());
    let hold = failure(&held).hold.as_ref().expect("a hold").id.clone();
    site.bridge.approve(&hold).await;
    assert_eq!(value(&site.ask("move_bin", &call).await), &json!(5));
}

#[tokio::test]
async fn there_are_six_tools_and_the_ticket_is_nowhere_but_on_the_wire() {
    let site = Site::open().await;
    let toolbox = site.bridge.gateway.toolbox();
    let names: Vec<_> =
        toolbox.exposed().iter().map(|exposed| exposed.tool.name.as_str().to_owned()).collect();
    assert_eq!(
        names,
        [
            "get_stock",
            "list_movements",
            "get_pick_list",
            "reserve_stock",
            "release_reservation",
            "move_bin"
        ]
    );
    site.ask("get_stock", &json!({"article": "PAN-024"})).await;
    let kept = String::from_utf8_lossy(&site.bridge.folder.store_bytes()).into_owned();
    assert!(!kept.contains("t1cket"), "the store has it");
    assert!(!format!("{toolbox:?}").contains("t1cket"));
}
