//! A SOAP operation, built by hand, through the same gateway and bridge as REST: what is
//! past the binding knows no difference.

use std::sync::Arc;

use serde_json::{Value, json};
use tollbridge::gateway::ErrorCode;
use tollbridge_operation::{
    ApiName, Description, Effect, EffectSource, Operation, OperationId, OperationKey, Schema,
};
use tollbridge_wsdl::{ElementPlan, FieldPlan, Kind, OperationPlan, SoapBinding, SoapVersion};

use crate::stage::{Act, House, tool};

const STOCK: &str = "urn:example:stock";

fn get_stock() -> Operation {
    let element = |name: &str, fields| ElementPlan {
        name: name.to_owned(),
        namespace: Some(STOCK.to_owned()),
        fields,
    };
    let field = |name: &str, kind| FieldPlan {
        name: name.to_owned(),
        namespace: Some(STOCK.to_owned()),
        kind,
        repeated: false,
        optional: false,
    };
    let plan = OperationPlan {
        version: SoapVersion::V1_1,
        action: Some("urn:example:stock#Get".to_owned()),
        headers: Vec::new(),
        input: element("Get", vec![field("sku", Kind::Text), field("warehouse", Kind::Text)]),
        output: Some(element(
            "GetResponse",
            vec![field("sku", Kind::Text), field("pieces", Kind::Int)],
        )),
    };
    Operation {
        id: OperationId {
            api: ApiName::new("shop").expect("a name"),
            key: OperationKey::new("Stock.StockPort.Get").expect("a key"),
        },
        endpoint: None,
        summary: Some("Stock of an article".to_owned()),
        description: None,
        tags: Vec::new(),
        deprecated: false,
        effect: Effect::Read,
        effect_source: EffectSource::Set,
        idempotent: true,
        input: Schema::new(json!({
            "type": "object",
            "properties": {"sku": {"type": "string"}, "warehouse": {"type": "string"}},
            "required": ["sku", "warehouse"],
            "additionalProperties": false,
        })),
        output: None,
        security: Vec::new(),
        servers: Vec::new(),
        binding: Arc::new(SoapBinding::new(plan).expect("a plan that holds")),
    }
}

/// A house whose API `shop` has the operation, built by hand.
async fn house() -> House {
    let more = "name = \"get_stock\"\n[tool.args.warehouse]\nenum = [\"berlin\", \"paris\"]";
    let house = House::new("", &tool("getItem", "")).await;
    house.folder.configure(&house.upstream.url, "", &tool("Stock.StockPort.Get", more));
    let description = Description {
        title: "Stock".to_owned(),
        version: "1".to_owned(),
        format: "WSDL 1.1".to_owned(),
        operations: vec![get_stock()],
        skipped: Vec::new(),
        warnings: Vec::new(),
    };
    house.swap_description(description).await;
    house
}

fn envelope(body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{body}</s:Body></s:Envelope>"
    )
}

fn xml(status: u16, body: &str) -> Act {
    Act::Answer(status, "Content-Type: text/xml; charset=utf-8\r\n".to_owned(), envelope(body))
}

fn arguments() -> Value {
    json!({"warehouse": "berlin", "sku": "<A&B>"})
}

#[tokio::test]
async fn a_soap_operation_is_called_as_any_other() {
    let house = house().await;
    house.upstream.will([xml(
        200,
        "<GetResponse xmlns=\"urn:example:stock\"><sku>A</sku><pieces>7</pieces></GetResponse>",
    )]);
    assert_eq!(house.ok("get_stock", arguments()).await, json!({"sku": "A", "pieces": 7}));
    let sent = &house.upstream.seen()[0];
    assert!(sent.starts_with("POST / HTTP/1.1"), "{sent}");
    assert!(sent.to_lowercase().contains("soapaction: \"urn:example:stock#get\""), "{sent}");
    let (sku, warehouse) = (sent.find("&lt;A&amp;B").expect("escaped"), sent.find("berlin"));
    assert!(warehouse.is_some_and(|at| at > sku), "children stand in the plan's order: {sent}");
    let call = house.last().await;
    assert_eq!(call.operation.as_deref(), Some("Stock.StockPort.Get"));
    assert_eq!(call.outcome.as_deref(), Some("succeeded"));
}

#[tokio::test]
async fn a_fault_is_an_error_that_the_agent_can_read_whatever_its_status() {
    let house = house().await;
    let fault = "<s:Fault xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><faultcode>s:Client</faultcode><faultstring>no such article</faultstring></s:Fault>";
    house.upstream.will([xml(500, fault), xml(200, fault)]);
    for _ in 0..2 {
        let failure = house.fails("get_stock", arguments()).await;
        assert_eq!(failure.code, ErrorCode::UpstreamError);
        assert!(!failure.retryable);
        let fault = failure.upstream.expect("an answer").fault.expect("a fault");
        assert_eq!((&fault["code"], &fault["reason"]), (&json!("Client"), &json!("no such article")));
    }
    assert_eq!(house.upstream.seen().len(), 2, "a fault that blames the call is not repeated");
}

#[tokio::test]
async fn limits_hold_for_soap_too() {
    let house = house().await;
    let failure = house.fails("get_stock", json!({"sku": "A", "warehouse": "rome"})).await;
    assert_eq!(failure.code, ErrorCode::Denied);
    assert!(house.upstream.seen().is_empty());
}
