//! The trace that a call belongs to: taken from its agent, passed on to the API with a span for each
//! request, and on record. What answers say of themselves stands beside it.

use std::sync::Arc;

use serde_json::json;
use tollbridge::audit::{self, Filter};
use tollbridge::gateway::CallRequest;
use tollbridge_operation::{Trace, trace};

use super::support::{Answer, Bridge, Draft, Upstream, code, request};

const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const ID: &str = "0af7651916cd43dd8448eb211c80319c";

/// A call in a trace.
fn within(tool: &str, state: Option<&str>) -> CallRequest {
    CallRequest { trace: Trace::read(SENT, state).map(Arc::new), ..request(tool, "{}") }
}

#[tokio::test]
async fn each_request_says_the_trace_with_a_span_that_is_on_record() {
    let acts = [Answer::json(503, "{}"), Answer::json(200, "{}")];
    let upstream = Upstream::new(acts).await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    let reply = bridge.ask("bot", within("list_items", Some("vendor=1"))).await.expect("a reply");
    assert_eq!(code(&reply), "succeeded");
    let record = bridge.record(&reply).await;
    assert_eq!(record.trace.as_deref(), Some(ID));
    assert_eq!(record.events[0].body["traceparent"], SENT);
    assert_eq!(record.events[0].body["tracestate"], "vendor=1");
    let spans: Vec<String> = record.attempts.iter().map(|one| one.span.clone().unwrap()).collect();
    assert_ne!(spans[0], spans[1]);
    for (seen, span) in upstream.seen().iter().zip(&spans) {
        assert_eq!(seen.header("traceparent"), Some(format!("00-{ID}-{span}-01").as_str()));
        assert_eq!(seen.header("tracestate"), Some("vendor=1"));
    }
}

#[tokio::test]
async fn a_call_without_a_trace_begins_one_that_has_its_id() {
    let upstream = Upstream::willing().await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    let reply = bridge.call("list_items", "{}").await;
    let record = bridge.record(&reply).await;
    let seen = upstream.seen();
    let sent = Trace::read(seen[0].header("traceparent").expect("a trace"), None).expect("valid");
    assert_eq!(Some(sent.id()), record.trace);
    assert_eq!(sent.id(), trace::own_trace(&reply.meta.id));
    assert_eq!(seen[0].header("tracestate"), None);
    assert!(!record.events[0].body.contains_key("traceparent"));
}

#[tokio::test]
async fn an_api_that_is_to_be_told_nothing_is_told_nothing() {
    let upstream = Upstream::willing().await;
    let draft = Draft::to(&upstream.url()).api("trace_context = false").tool("listItems", "");
    let bridge = draft.open().await;
    let reply = bridge.ask("bot", within("list_items", None)).await.expect("a reply");
    let record = bridge.record(&reply).await;
    assert_eq!(upstream.seen()[0].header("traceparent"), None);
    assert_eq!((record.trace.as_deref(), &record.attempts[0].span), (Some(ID), &None));
}

#[tokio::test]
async fn a_fixed_header_of_that_name_is_left_as_it_is() {
    let upstream = Upstream::willing().await;
    let draft = Draft::to(&upstream.url())
        .api(&format!("headers = {{ traceparent = \"{SENT}\" }}"))
        .tool("listItems", "");
    let bridge = draft.open().await;
    let reply = bridge.call("list_items", "{}").await;
    assert_eq!(upstream.seen()[0].header("traceparent"), Some(SENT));
    assert_eq!(bridge.record(&reply).await.attempts[0].span, None);
}

#[tokio::test]
async fn calls_are_found_by_the_trace_that_they_brought_or_began() {
    let upstream = Upstream::willing().await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    let (mut ids, mut traces) = (Vec::new(), vec![ID.to_owned()]);
    for request in
        [within("list_items", None), request("list_items", "{}"), within("list_items", None)]
    {
        let reply = bridge.ask("bot", request).await.expect("a reply");
        ids.push(reply.meta.id.to_string());
        traces.push(trace::own_trace(&reply.meta.id));
    }
    let found = async |trace: &str| -> Vec<String> {
        let filter = Filter { trace: Some(trace.to_owned()), ..Filter::default() };
        let calls = audit::calls(bridge.gateway.store(), &filter).await.expect("the trail");
        calls.into_iter().map(|call| call.id).collect()
    };
    assert_eq!(found(ID).await, [&*ids[0], &*ids[2]]);
    assert_eq!(found(&traces[2]).await, [&*ids[1]]);
    assert!(found(&"1".repeat(32)).await.is_empty());
}

#[tokio::test]
async fn what_explains_an_answer_is_on_record_with_its_request() {
    let busy = Answer::json(503, "{}")
        .header("retry-after", "0")
        .header("x-request-id", "req-7")
        .header("set-cookie", "session=abc");
    let upstream = Upstream::new([busy, Answer::json(200, "{}")]).await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    let reply = bridge.call("list_items", "{}").await;
    let record = bridge.record(&reply).await;
    let headers = json!({"retry-after": "0", "x-request-id": "req-7"});
    assert_eq!(json!(record.attempts[0].headers), headers);
    assert!(record.attempts[1].headers.is_empty());
}
