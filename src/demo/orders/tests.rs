#![allow(clippy::unwrap_used)]

use serde_json::{Number, Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::shop::Cents;
use super::{OrdersUpstream, Seen};

struct Site {
    upstream: OrdersUpstream,
    client: reqwest::Client,
    shutdown: CancellationToken,
}

impl Site {
    async fn open() -> Self {
        // Whoever comes first installs it; the answer of the second is no defect.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shutdown = CancellationToken::new();
        let upstream = OrdersUpstream::start(listener, "k".to_owned(), shutdown.clone()).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { upstream, client, shutdown }
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let url = format!("{}{path}", self.upstream.base_url);
        let answer = self.client.get(url).header("X-API-Key", "k").send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}{path}", self.upstream.base_url);
        let request = self.client.post(url).header("X-API-Key", "k");
        let answer = request.body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    }
}

fn refund(amount: &str) -> Value {
    let amount: Number = amount.parse().unwrap();
    json!({ "amount": amount, "currency": "EUR", "reason": "damaged" })
}

#[tokio::test]
async fn a_request_without_the_key_is_refused_and_recorded() {
    let site = Site::open().await;
    let url = format!("{}/orders/ord_1001", site.upstream.base_url);
    let answer = site.client.get(url).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let seen = Seen { method: "GET".to_owned(), path: "/orders/ord_1001".to_owned(), status: 401 };
    assert_eq!(site.upstream.seen(), [seen]);
}

#[tokio::test]
async fn a_refund_shows_in_its_order() {
    let site = Site::open().await;
    let (status, made) = site.post("/orders/ord_1001/refunds", refund("40.5")).await;
    assert_eq!((status, made["amount"].to_string()), (201, "40.50".to_owned()));
    let (_, order) = site.get("/orders/ord_1001").await;
    assert_eq!(order["refunded"]["amount"].to_string(), "40.50");
    let (_, all) = site.get("/orders/ord_1001/refunds").await;
    assert_eq!(all, json!([made]));
}

#[tokio::test]
async fn refunds_never_exceed_what_was_paid() {
    let site = Site::open().await;
    let (first, _) = site.post("/orders/ord_1002/refunds", refund("356")).await;
    let (second, problem) = site.post("/orders/ord_1002/refunds", refund("0.01")).await;
    assert_eq!((first, second), (201, 422));
    assert_eq!(problem["detail"], "No more than 0.00 is left to refund.");
    let (unpaid, _) = site.post("/orders/ord_1003/refunds", refund("1")).await;
    assert_eq!(unpaid, 422);
}

#[tokio::test]
async fn a_cancelled_order_gives_its_stock_back_once() {
    let site = Site::open().await;
    let stock = "/inventory/KNI-110?warehouse=leeds";
    site.get(stock).await;
    let (_, before) = site.get(stock).await;
    let why = json!({ "reason": "entered_twice" });
    let (first, order) = site.post("/orders/ord_1002/cancel", why.clone()).await;
    let (second, _) = site.post("/orders/ord_1002/cancel", why).await;
    assert_eq!((first, second), (200, 409));
    assert_eq!(order["status"], "cancelled");
    let (_, after) = site.get(stock).await;
    assert_eq!((&before["available"], &after["available"]), (&json!(8), &json!(12)));
}

#[tokio::test]
async fn what_fails_first_works_the_second_time() {
    let site = Site::open().await;
    for (path, fault) in [("/inventory/PAN-024", 429), ("/shipments/shp_3001", 503)] {
        let (first, _) = site.get(path).await;
        let (second, _) = site.get(path).await;
        assert_eq!((first, second), (fault, 200), "{path}");
    }
    let url = format!("{}/inventory/BWL-300", site.upstream.base_url);
    let limited = site.client.get(url).header("X-API-Key", "k").send().await.unwrap();
    assert_eq!(limited.headers()["retry-after"], "1");
}

#[tokio::test]
async fn pages_of_orders_meet_without_overlap() {
    let site = Site::open().await;
    let (_, first) = site.get("/orders?page_size=3").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let (_, second) = site.get(&format!("/orders?page_size=3&cursor={cursor}")).await;
    let ids = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|order| order["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&first), ["ord_1004", "ord_1003", "ord_1002"]);
    assert_eq!((ids(&second), &second["next_cursor"]), (vec!["ord_1001".to_owned()], &Value::Null));
}

#[tokio::test]
async fn a_forecast_carries_the_trend_on() {
    let site = Site::open().await;
    // The least-squares line through 6 5 7 6 5 6 7 6 is 6 + (x - 3.5)/14.
    let (_, forecast) = site.get("/inventory/KNI-110/forecast?weeks=8").await;
    let weeks = forecast["weeks"].as_array().unwrap();
    let expected: Vec<i64> = weeks.iter().map(|w| w["expected"].as_i64().unwrap()).collect();
    assert_eq!(expected, [6, 6, 6, 7, 7, 7, 7, 7]);
    // 38 are available: the sixth week is the first that they do not cover.
    assert_eq!(forecast["reorder_by_week"], 6);
}

#[tokio::test]
async fn it_stops_when_it_is_told_to() {
    let site = Site::open().await;
    site.get("/status").await;
    site.shutdown.cancel();
    drop(site.client);
    site.upstream.stopped().await;
}

#[test]
fn an_amount_keeps_its_cents() {
    let read = |text: &str| Cents::read(&text.parse().unwrap()).map(|cents| cents.to_string());
    for (text, cents) in [
        ("12.5", Some("12.50")),
        ("12.500", Some("12.50")),
        ("0.01", Some("0.01")),
        ("0.001", None),
        ("-1", None),
        ("1e2", None),
        ("99999999999999999999", None),
    ] {
        assert_eq!(read(text).as_deref(), cents, "{text}");
    }
}
