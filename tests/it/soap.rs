//! A SOAP operation through the same layers as REST's, and a binding with a defect in it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tollbridge::bridge::{
    ApiKeyAt, Credential, Credentials, Redirects, Upstream as BridgeUpstream, UpstreamConfig,
};
use tollbridge::gateway::{Exposed, Parts, Protection, ReadsWhenDown, Toolbox};
use tollbridge::identity::Groups;
use tollbridge::safety::Rules;
use tollbridge::secret::{Redactor, Secret};
use tollbridge::settlement::Terms;
use tollbridge::store::{Durability, Store};
use tollbridge::tools::{ArgumentPointer, ArgumentRule, Profile, Tool, ToolSpec};
use tollbridge_operation::{
    Answer as Read, ApiKeyPlace, ApiName, Arguments, Binding, Effect, Enclosure, EncodeError,
    Operation, Request, Response, ToolName,
};

use super::support::{
    Answer, Bridge, Folder, STOCK_REQUEST, Upstream, code, envelope, failure, stock_operation,
    value,
};

const SECRET: &str = "w4rehouse-k3y<&>";

/// A bridge with this operation as its one tool, `get_stock`, put together by hand.
async fn bridge(upstream: &Upstream, operation: Operation) -> Bridge {
    let secret = Secret::new(SECRET);
    let redactor = Arc::new(Redactor::new([&secret]));
    let name = ToolName::new("get_stock").unwrap();
    let api = ApiName::new("warehouse").unwrap();
    let mut rule = ArgumentRule::new(ArgumentPointer::parse("/article").unwrap());
    rule.enum_ = Some(vec![json!("A-1"), json!("A-2")]);
    let spec = ToolSpec {
        name: name.clone(),
        title: None,
        description: None,
        effect: None,
        idempotent: None,
        rules: &[rule],
        examples: &[],
        reason: None,
        profile: Profile::Portable,
        operation: Arc::new(operation),
    };
    let (tool, warnings) = Tool::compile(spec).expect("a tool");
    assert!(warnings.is_empty(), "{warnings:?}");
    let at = ApiKeyAt { place: ApiKeyPlace::Header, name: "X-API-Key".to_owned() };
    let config = UpstreamConfig {
        api: api.clone(),
        base_url: format!("{}/soap", upstream.url()).parse().unwrap(),
        hosts: Vec::new(),
        credentials: Credentials::ForAll(Credential::ApiKey { at: Some(at), value: secret }),
        headers: Vec::new(),
        enclosure: Enclosure::default(),
        timeout: Duration::from_secs(5),
        attempt_timeout: Duration::from_secs(2),
        redirects: Redirects::Refuse,
        traced: false,
        max_response: 100_000,
        tls: tollbridge::bridge::Tls::default(),
        resolver: None,
        proxy: None,
        uploads: None,
        recovery: tollbridge::bridge::Recovery::default(),
    };
    let exposed = Exposed {
        tool: Arc::new(tool),
        rules: Rules {
            tool: name,
            api,
            allow: None,
            deny: Vec::new(),
            hold: None,
            people: Arc::default(),
            when: None,
            window: None,
        },
        scopes: Vec::new(),
        terms: Terms::Free,
        upstream: Arc::new(BridgeUpstream::new(config, Arc::clone(&redactor)).expect("an API")),
        gate: None,
        groups: Vec::new(),
        manner: tollbridge::bridge::Manner::default(),
        fallbacks: Vec::new(),
        lookup: None,
        protection: Protection::only(Arc::clone(&redactor)),
        loops: None,
        budgets: Vec::new(),
        poll: None,
        long: false,
        timeout: Duration::from_secs(5),
        quarantined: false,
        spec: "sha256:warehouse".to_owned(),
    };
    let toolbox = Toolbox::new(Parts {
        config: "sha256:config".to_owned(),
        name: "warehouse".to_owned(),
        groups: Groups::default(),
        trail: Arc::clone(&redactor),
        redactor,
        facilitator: None,
        webhook: None,
        secrets: [0; 32],
        sources: Vec::new(),
        sessions: Vec::new(),
        token_key: None,
        tokens: None,
        tls: None,
        reads_when_down: ReadsWhenDown::Deny,
        storm: None,
        drift: None,
        bounds: tollbridge::gateway::Bounds::default(),
        limits: std::collections::BTreeMap::new(),
        policies: None,
        exposed: vec![exposed],
        listed: 1,
        discovery: None,
    });
    let folder = Folder::new();
    let store = Store::open(&folder.store_url(), Durability::Process).await.expect("a store");
    Bridge::of(folder, toolbox, store)
}

fn soap(status: u16, body: &str) -> Answer {
    Answer::new(status, "application/soap+xml; charset=utf-8", envelope(body))
}

fn fault(code: &str, reason: &str) -> String {
    format!(
        "<s:Fault><s:Code><s:Value>s:{code}</s:Value><s:Subcode><s:Value>w:Unknown</s:Value>\
         </s:Subcode></s:Code><s:Reason><s:Text xml:lang=\"en\">{reason}</s:Text></s:Reason>\
         <s:Detail><w:why><w:article>A-1</w:article></w:why></s:Detail></s:Fault>"
    )
}

const ARTICLE: &str = r#"{"article": "A-1"}"#;

#[tokio::test]
async fn a_soap_operation_is_a_tool_like_any_other() {
    let answer = "<w:GetStockResponse><w:quantity>7</w:quantity>\
                  <w:price>12345678901234567890.10</w:price></w:GetStockResponse>";
    let upstream = Upstream::new([soap(503, ""), soap(200, answer)]).await;
    let bridge = bridge(&upstream, stock_operation()).await;
    let reply = bridge.call("get_stock", ARTICLE).await;
    assert_eq!(value(&reply), &json!({"quantity": 7, "price": "12345678901234567890.10"}));
    assert!(reply.result.as_ref().unwrap().drift.is_empty());
    let seen = upstream.seen().pop().unwrap();
    assert_eq!(seen.line, "POST /soap");
    assert!(seen.body.contains(STOCK_REQUEST), "{}", seen.body);
    let media_type = seen.header("content-type").unwrap();
    assert!(media_type.contains("action=\"urn:warehouse:GetStock\""), "{media_type}");
    assert_eq!(seen.header("x-api-key"), Some(SECRET));
    let record = bridge.record(&reply).await;
    let statuses: Vec<_> = record.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(503), Some(200)], "a read is repeated, a POST though it is");
    assert_eq!(record.operation.as_deref(), Some("Warehouse.Port.GetStock"));
    assert_eq!(record.spec.as_deref(), Some("sha256:warehouse"));
}

#[tokio::test]
async fn limits_hold_for_soap_arguments_before_anything_is_sent() {
    let upstream = Upstream::willing().await;
    let bridge = bridge(&upstream, stock_operation()).await;
    assert_eq!(code(&bridge.call("get_stock", r#"{"article": "B-1"}"#).await), "denied");
    assert_eq!(code(&bridge.call("get_stock", r#"{"article": 1}"#).await), "invalid_arguments");
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn a_fault_is_an_upstream_error_whatever_its_status() {
    for status in [500, 200] {
        let upstream = Upstream::new([soap(status, &fault("Sender", "no such article"))]).await;
        let bridge = bridge(&upstream, stock_operation()).await;
        let reply = bridge.call("get_stock", ARTICLE).await;
        assert_eq!(code(&reply), "upstream_error", "{status}");
        let told = failure(&reply);
        assert!(!told.retryable);
        let said = told.upstream.as_ref().unwrap();
        assert_eq!(said.status, Some(status));
        assert_eq!(
            said.fault,
            Some(json!({
                "code": "Sender",
                "subcodes": ["Unknown"],
                "reason": "no such article",
                "detail": {"why": {"article": "A-1"}},
            }))
        );
        assert_eq!(upstream.count(), 1, "what blames the request is not repeated");
        assert_eq!(bridge.outcomes().await, ["upstream_error"]);
    }
}

#[tokio::test]
async fn an_html_page_is_no_answer_of_a_soap_service() {
    for status in [200, 404] {
        let page = "<!DOCTYPE html><html><body>Sign in<br></body></html>";
        let upstream = Upstream::new([Answer::new(status, "text/html", page)]).await;
        let bridge = bridge(&upstream, stock_operation()).await;
        let reply = bridge.call("get_stock", ARTICLE).await;
        assert_eq!(code(&reply), "upstream_error", "{status}");
        let said = failure(&reply).upstream.as_ref().unwrap();
        assert_eq!((said.status, &said.fault), (Some(status), &None));
    }
}

#[tokio::test]
async fn a_secret_in_a_soap_answer_is_redacted_as_in_any_other() {
    let escaped = "w4rehouse-k3y&lt;&amp;&gt;";
    let value = format!(
        "<w:GetStockResponse><w:quantity>1</w:quantity><w:remark>{escaped}</w:remark>\
         </w:GetStockResponse>"
    );
    let faulty = fault("Sender", escaped);
    let page = Answer::new(404, "text/html", format!("<p>{escaped}"));
    for answer in [soap(200, &value), soap(500, &faulty), page] {
        let upstream = Upstream::new([answer]).await;
        let bridge = bridge(&upstream, stock_operation()).await;
        let reply = bridge.call("get_stock", ARTICLE).await;
        let told = format!("{reply:?}");
        assert!(!told.contains("w4rehouse"), "{told}");
        assert!(told.contains("[redacted]"), "{told}");
        let kept = String::from_utf8_lossy(&bridge.folder.store_bytes()).into_owned();
        assert!(!kept.contains("w4rehouse"));
    }
}

#[tokio::test]
async fn a_soap_answer_that_breaks_its_type_is_delivered_and_marked() {
    let answer = "<w:GetStockResponse><w:quantity>many</w:quantity></w:GetStockResponse>";
    let upstream = Upstream::new([soap(200, answer)]).await;
    let bridge = bridge(&upstream, stock_operation()).await;
    let reply = bridge.call("get_stock", ARTICLE).await;
    assert_eq!(value(&reply), &json!({"quantity": "many"}));
    let drift = &reply.result.as_ref().unwrap().drift;
    assert_eq!(drift.len(), 1, "one place is told once: {drift:?}");
    assert_eq!(drift[0].pointer, "/quantity");
}

/// A binding that cannot bear an answer.
#[derive(Debug)]
struct Faint(Arc<dyn Binding>);

impl Binding for Faint {
    fn encode(&self, arguments: &Arguments) -> Result<Request, EncodeError> {
        self.0.encode(arguments)
    }

    fn decode(&self, response: &Response) -> Read {
        assert!(response.body.is_empty(), "a defect with {SECRET} in it");
        self.0.decode(response)
    }
}

#[tokio::test]
async fn a_defect_ends_one_call_and_is_on_record() {
    let upstream = Upstream::new([soap(200, "<w:GetStockResponse/>"), soap(200, "")]).await;
    let mut operation = stock_operation();
    operation.effect = Effect::Write;
    operation.binding = Arc::new(Faint(operation.binding));
    let bridge = bridge(&upstream, operation).await;
    let reply = bridge.call("get_stock", ARTICLE).await;
    assert_eq!(code(&reply), "internal");
    assert!(!failure(&reply).retryable, "it may have been done");
    assert!(!failure(&reply).message.contains("defect with"), "{reply:?}");
    let record = bridge.record(&reply).await;
    assert_eq!(record.outcome.as_deref(), Some("internal"));
    assert_eq!(record.attempts.len(), 1);
    assert_ne!(code(&bridge.call("get_stock", ARTICLE).await), "succeeded");
    assert_eq!(bridge.outcomes().await.len(), 2, "the gateway goes on");
}
