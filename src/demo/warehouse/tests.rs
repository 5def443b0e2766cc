#![allow(clippy::unwrap_used)]

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Heard, WarehouseUpstream};

const TICKET: &str = r#"<a:Ticket xmlns:a="urn:alder-vale:wms:auth">t</a:Ticket>"#;

struct Open {
    upstream: WarehouseUpstream,
    client: reqwest::Client,
    server: JoinHandle<()>,
    shutdown: CancellationToken,
}

impl Open {
    async fn new() -> Self {
        // Whoever comes first installs it; the answer of the second is no defect.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shutdown = CancellationToken::new();
        let (upstream, server) =
            WarehouseUpstream::start(listener, "t".to_owned(), shutdown.clone()).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { upstream, client, server, shutdown }
    }

    async fn send(&self, header: &str, body: &str) -> (u16, String) {
        let envelope = format!(
            r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"#
        );
        let request = self.client.post(&self.upstream.url).body(envelope);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn stock(&self, content: &str) -> (u16, String) {
        self.send(TICKET, &content.replacen('>', " xmlns='urn:alder-vale:wms:types'>", 1)).await
    }

    async fn legacy(&self, name: &str, parts: &str) -> (u16, String) {
        let body = format!("<l:{name} xmlns:l='urn:alder-vale:wms:legacy'>{parts}</l:{name}>");
        self.send(TICKET, &body).await
    }
}

const GET_STOCK: &str = "<GetStock><ArticleNo>KNI-110</ArticleNo></GetStock>";

#[tokio::test]
async fn a_message_without_the_ticket_is_refused_by_a_fault_under_200() {
    let open = Open::new().await;
    let body = "<GetStock xmlns='urn:alder-vale:wms:types'/>";
    for header in ["", "<Ticket>t</Ticket>", "<Ticket xmlns='urn:alder-vale:wms:auth'>u</Ticket>"] {
        let (status, text) = open.send(header, body).await;
        assert_eq!(status, 200);
        assert!(text.contains("<faultcode>soapenv:Client.Auth</faultcode>"), "{text}");
    }
    let heard = Heard {
        operation: "GetStock".into(),
        status: 200,
        fault: Some("soapenv:Client.Auth".into()),
    };
    assert_eq!(open.upstream.heard(), [heard.clone(), heard.clone(), heard]);
}

#[tokio::test]
async fn the_first_look_at_an_article_finds_the_table_locked() {
    let open = Open::new().await;
    let (status, text) = open.stock(GET_STOCK).await;
    assert_eq!(status, 200);
    assert!(text.contains("soapenv:Server") && text.contains("<Code>WMS-0054</Code>"), "{text}");
    let (_, text) = open.stock(GET_STOCK).await;
    assert!(text.contains("<Reserved>5</Reserved><Site>LDS</Site><OnHand>12</OnHand>"), "{text}");
}

#[tokio::test]
async fn reserved_stock_is_reserved_until_it_is_released() {
    let open = Open::new().await;
    open.stock(GET_STOCK).await;
    let wanted = |pieces: u32| {
        format!(
            "<ReserveStock><OrderNo>o</OrderNo><Line><ArticleNo>KNI-110</ArticleNo><Site>LDS</Site><Quantity>{pieces}</Quantity></Line></ReserveStock>"
        )
    };
    let (_, text) = open.stock(&wanted(8)).await;
    assert!(text.contains("WMS-0409"), "{text}");
    let (_, text) = open.stock(&wanted(7)).await;
    assert!(text.contains("<ReservationNo>88001</ReservationNo>"), "{text}");
    let (_, text) = open.stock(GET_STOCK).await;
    assert!(text.contains("<Reserved>12</Reserved>"), "{text}");
    let release = "<ReleaseReservation><ReservationNo>88001</ReservationNo></ReleaseReservation>";
    for released in ["1", "0"] {
        let (_, text) = open.stock(release).await;
        assert!(text.contains(&format!("<Released>{released}</Released>")), "{text}");
    }
    let (_, text) = open.stock(GET_STOCK).await;
    assert!(text.contains("<Reserved>5</Reserved>"), "{text}");
}

#[tokio::test]
async fn what_the_schema_does_not_have_is_refused() {
    let open = Open::new().await;
    for content in [
        "<GetStock><Article>KNI-110</Article></GetStock>",
        "<GetStock><Site>LDS</Site><ArticleNo>KNI-110</ArticleNo></GetStock>",
        "<GetStock><ArticleNo xmlns=''>KNI-110</ArticleNo></GetStock>",
        "<GetStock></GetStock>",
        "<Export></Export>",
    ] {
        let (_, text) = open.stock(content).await;
        assert!(text.contains("<faultcode>soapenv:Client</faultcode>"), "{content}: {text}");
    }
    let (status, text) = open.legacy("runStatement", "<statement>drop</statement>").await;
    assert_eq!(status, 500);
    assert!(text.contains("<faultcode>3</faultcode>"), "{text}");
}

#[tokio::test]
async fn a_pick_list_comes_by_reference_and_bins_hold_what_was_moved() {
    let open = Open::new().await;
    let (_, text) = open.legacy("getPickList", "<no>4711</no>").await;
    assert!(text.contains(r##"<getPickListReturn href="#id0"/>"##), "{text}");
    assert_eq!(text.matches("<multiRef").count(), 3, "{text}");
    let parts = "<article>KNI-110</article><from>A-07-3</from><to>C-01-1</to><pieces>5</pieces>";
    for now in [5, 10] {
        let (_, text) = open.legacy("moveBin", parts).await;
        assert!(text.contains(&format!("<moveBinReturn>{now}</moveBinReturn>")), "{text}");
    }
    let (status, text) = open.legacy("moveBin", parts).await;
    assert_eq!(status, 500);
    assert!(text.contains("<faultcode>19</faultcode>"), "{text}");
}

#[tokio::test]
async fn the_warehouse_ends_when_it_is_told_to() {
    let open = Open::new().await;
    open.shutdown.cancel();
    open.server.await.unwrap();
}
