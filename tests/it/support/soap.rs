//! A warehouse that speaks SOAP 1.2: one operation, built by hand, and its messages.

use std::sync::Arc;

use serde_json::json;
use tollbridge_operation::{
    ApiName, Effect, EffectSource, Operation, OperationId, OperationKey, Schema,
};
use tollbridge_wsdl::{ElementPlan, FieldPlan, Kind, OperationPlan, SoapBinding, SoapVersion};

const NAMESPACE: &str = "urn:warehouse";

/// What reaches the warehouse for article `A-1`.
pub(crate) const STOCK_REQUEST: &str = "<n1:article>A-1</n1:article>";

/// `GetStock`: the stock of an article.
pub(crate) fn stock_operation() -> Operation {
    let field = |name: &str, kind, optional| FieldPlan {
        name: name.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        kind,
        repeated: false,
        optional,
    };
    let element = |name: &str, fields| ElementPlan {
        name: name.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        fields,
    };
    let plan = OperationPlan {
        version: SoapVersion::V1_2,
        action: Some("urn:warehouse:GetStock".to_owned()),
        headers: Vec::new(),
        input: element("GetStock", vec![field("article", Kind::Text, false)]),
        output: Some(element(
            "GetStockResponse",
            vec![
                field("quantity", Kind::Int, false),
                field("price", Kind::Decimal, true),
                field("remark", Kind::Text, true),
            ],
        )),
    };
    Operation {
        id: OperationId {
            api: ApiName::new("warehouse").expect("a name"),
            key: OperationKey::new("Warehouse.Port.GetStock").expect("a key"),
        },
        endpoint: None,
        summary: Some("The stock of an article".to_owned()),
        description: None,
        tags: Vec::new(),
        deprecated: false,
        effect: Effect::Read,
        effect_source: EffectSource::Set,
        idempotent: false,
        input: Schema::new(json!({
            "type": "object",
            "properties": {"article": {"type": "string"}},
            "required": ["article"],
            "additionalProperties": false,
        })),
        output: Some(Schema::new(json!({
            "type": "object",
            "properties": {
                "quantity": {"type": "integer"},
                "price": {"type": "string"},
                "remark": {"type": "string"},
            },
            "required": ["quantity"],
        }))),
        security: Vec::new(),
        servers: Vec::new(),
        binding: Arc::new(SoapBinding::new(plan).expect("a plan")),
    }
}

/// A SOAP 1.2 message with this in its body; `w` is the warehouse's namespace, `s` SOAP's.
pub(crate) fn envelope(body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"{}\" xmlns:w=\"{NAMESPACE}\"><s:Body>{body}</s:Body></s:Envelope>",
        SoapVersion::V1_2.namespace()
    )
}
