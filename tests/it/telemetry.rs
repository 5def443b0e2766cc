//! What is told of calls and of their requests under the names of OpenTelemetry's conventions, in
//! metrics and in traces.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use serde_json::{Value, json};
use tollbridge::bridge;
use tollbridge::gateway::{CallRequest, Message, OperationEnd, Origin, OtherRequest, Transport};
use tollbridge::observe::{Collector, Compression, Metrics, Protocol, TraceExporter};
use tollbridge_operation::{Trace, trace};
use url::Url;

use super::support::{Act, Answer, Bridge, Draft, Folder, Upstream, code, request};

#[tokio::test]
async fn calls_and_their_requests_are_measured_as_opentelemetry_names_them() {
    let acts = [Answer::json(503, "{}"), Answer::json(200, "{}"), Answer::json(404, "{}")];
    let upstream = Upstream::new(acts).await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    let good = bridge.call("list_items", "{}").await;
    let bad = bridge.call("list_items", "{}").await;
    assert_eq!((code(&good), code(&bad)), ("succeeded", "upstream_error"));
    bridge.ask("bot", request("whatever the agent made up", "{}")).await.expect_err("no tool");
    let text = bridge.gateway.metrics_text();
    let call = r#"mcp_method_name="tools/call",gen_ai_operation_name="execute_tool""#;
    let tool = r#"gen_ai_tool_name="list_items""#;
    let channel = r#"network_transport="tcp",network_protocol_name="http""#;
    let port = upstream.url().rsplit(':').next().expect("a port").trim_end_matches('/').to_owned();
    let host =
        format!(r#"http_request_method="GET",server_address="127.0.0.1",server_port="{port}""#);
    let mut expected = vec![
        format!("mcp_server_operation_duration_seconds_count{{{call},{tool},{channel}}} 1"),
        format!(
            "mcp_server_operation_duration_seconds_count{{{call},{tool},{channel},\
             error_type=\"tool_error\"}} 1"
        ),
        format!(
            "mcp_server_operation_duration_seconds_count{{{call},{channel},\
             error_type=\"-32602\",rpc_response_status_code=\"-32602\"}} 1"
        ),
    ];
    for (status, error) in [(200, ""), (404, ",error_type=\"404\""), (503, ",error_type=\"503\"")] {
        expected.push(format!(
            "http_client_request_duration_seconds_count{{{host},\
             http_response_status_code=\"{status}\"{error}}} 1"
        ));
    }
    for line in expected {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains("made up"), "{text}");
}

#[tokio::test]
async fn a_request_that_was_not_sent_is_not_measured_and_one_without_an_answer_says_why() {
    let upstream = Upstream::willing().await;
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    bridge.ask("bot", request("list_items", r#"{"unknown": 1}"#)).await.expect("a reply");
    assert!(!bridge.gateway.metrics_text().contains("http_client_request_duration_seconds_count"));
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", gone.local_addr().expect("an address"));
    drop(gone);
    let bridge = Draft::to(&url).tool("listItems", "").open().await;
    bridge.call("list_items", "{}").await;
    let text = bridge.gateway.metrics_text();
    let refused = text.lines().find(|line| {
        line.starts_with("http_client_request_duration_seconds_count")
            && line.contains(r#"error_type="connection_refused""#)
    });
    assert!(refused.is_some_and(|line| !line.contains("status_code")), "{text}");
}

/// Begins to trace the bridge's calls, to that collector.
fn traced(bridge: &Bridge, collector: &Upstream) -> (TraceExporter, Arc<Metrics>) {
    let metrics = bridge.gateway.shared_metrics();
    let collector = Collector {
        endpoint: Url::parse(&collector.url()).expect("a URL"),
        protocol: Protocol::Json,
        compression: Compression::None,
        headers: HeaderMap::new(),
        interval: Duration::from_mins(1),
        resource: Vec::new(),
    };
    let client = bridge::http_client().expect("a client");
    let exporter = TraceExporter::start(&collector, client, Arc::clone(&metrics));
    bridge.gateway.trace_requests(exporter.tracer());
    (exporter, metrics)
}

/// The spans that a collector was sent.
fn spans(collector: &Upstream) -> Vec<Value> {
    let spans = |body: &str| -> Vec<Value> {
        let body: Value = serde_json::from_str(body).expect("JSON");
        let spans = &body["resourceSpans"][0]["scopeSpans"][0]["spans"];
        spans.as_array().expect("spans").clone()
    };
    collector.seen().iter().flat_map(|seen| spans(&seen.body)).collect()
}

/// An attribute of a span.
fn attribute<'s>(span: &'s Value, key: &str) -> Option<&'s str> {
    let attributes = span["attributes"].as_array().expect("attributes");
    let found = attributes.iter().find(|one| one["key"] == key)?;
    let value = found["value"].as_object().expect("a value").values().next();
    Some(value.and_then(Value::as_str).expect("a text"))
}

const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A call of that tool in the trace of that `traceparent`.
fn within(traceparent: &str, tool: &str, arguments: &str) -> CallRequest {
    let message = Message { request: Some("7".into()), ..Message::default() };
    CallRequest {
        trace: Trace::read(traceparent, None).map(Arc::new),
        message: Some(Box::new(message)),
        ..request(tool, arguments)
    }
}

#[tokio::test]
async fn spans_have_the_ids_of_the_trail_and_of_what_the_api_was_sent() {
    let acts = [Answer::json(503, "{}"), Answer::json(200, r#"{"secret": "in the answer"}"#)];
    let (upstream, collector) = (Upstream::new(acts).await, Upstream::willing().await);
    let bridge = Draft::to(&upstream.url()).tool("getItem", "").open().await;
    let (exporter, metrics) = traced(&bridge, &collector);
    let call = within(SENT, "get_item", r#"{"id": "argument"}"#);
    let reply = bridge.ask("bot", call).await.expect("a reply");
    let record = bridge.record(&reply).await;
    exporter.stop().await;
    let spans = spans(&collector);
    let [call, first, second] = &spans[..] else { panic!("{spans:?}") };
    for span in &spans {
        assert_eq!(Some(span["traceId"].as_str().expect("an id")), record.trace.as_deref());
    }
    assert_eq!(call["spanId"], trace::span(&reply.meta.id, 0));
    assert_eq!(call["parentSpanId"], "b7ad6b7169203331");
    assert_eq!((&call["name"], &call["kind"]), (&json!("tools/call get_item"), &json!(2)));
    assert_eq!(attribute(call, "tollbridge.call"), Some(reply.meta.id.as_str()));
    assert_eq!(attribute(call, "jsonrpc.request.id"), Some("7"));
    let sent = [(first, "503", None), (second, "200", Some("1"))];
    for (n, (span, status, resent)) in sent.into_iter().enumerate() {
        assert_eq!(span["parentSpanId"], call["spanId"]);
        assert_eq!(span["spanId"].as_str(), record.attempts[n].span.as_deref());
        let id = span["spanId"].as_str().expect("an id");
        let passed_on = format!("00-0af7651916cd43dd8448eb211c80319c-{id}-01");
        assert_eq!(upstream.seen()[n].header("traceparent"), Some(&*passed_on));
        assert_eq!(attribute(span, "url.full"), Some(&*record.attempts[n].url));
        assert_eq!(attribute(span, "http.response.status_code"), Some(status));
        assert_eq!(attribute(span, "http.request.resend_count"), resent);
        let begins = |span: &Value| span["startTimeUnixNano"].as_str().map(str::to_owned);
        let ends = |span: &Value| span["endTimeUnixNano"].as_str().map(str::to_owned);
        assert!(begins(call) <= begins(span) && ends(span) <= ends(call), "{spans:?}");
    }
    assert_eq!((&first["status"]["code"], &second["status"]), (&json!(2), &Value::Null));
    let told = collector.seen()[0].body.clone();
    assert!(!told.contains("in the answer"), "{told}");
    assert!(metrics.encode().contains("tollbridge_otlp_spans_total{result=\"taken\"} 3"));
}

#[tokio::test]
async fn what_is_kept_out_of_the_trail_is_kept_out_of_spans() {
    let (upstream, collector) = (Upstream::willing().await, Upstream::willing().await);
    let draft = Draft::to(&upstream.url()).tool("getItem", "redact = [\"id\"]");
    let bridge = draft.open().await;
    let (exporter, _) = traced(&bridge, &collector);
    let call = within(SENT, "get_item", r#"{"id": "classified"}"#);
    let reply = bridge.ask("bot", call).await.expect("a reply");
    assert!(upstream.seen()[0].line.contains("classified"));
    exporter.stop().await;
    let spans = spans(&collector);
    let url = bridge.record(&reply).await.attempts[0].url.clone();
    assert_eq!(attribute(&spans[1], "url.full"), Some(&*url));
    assert!(!collector.seen()[0].body.contains("classified"), "{spans:?}");
}

#[tokio::test]
async fn a_call_that_its_agent_does_not_sample_has_no_spans_and_a_refused_one_has_its_own() {
    let (upstream, collector) = (Upstream::willing().await, Upstream::willing().await);
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    let (exporter, _) = traced(&bridge, &collector);
    let not_sampled = SENT.replace("-01", "-00");
    bridge.ask("bot", within(&not_sampled, "list_items", "{}")).await.expect("a reply");
    bridge.ask("bot", within(SENT, "what the agent made up", "{}")).await.expect_err("no tool");
    exporter.stop().await;
    let spans = spans(&collector);
    let [span] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(span["name"], "tools/call");
    assert_eq!(attribute(span, "error.type"), Some("-32602"));
    assert_eq!(attribute(span, "tollbridge.outcome"), Some("unknown_tool"));
    assert!(!collector.seen()[0].body.contains("made up"), "{span}");
}

#[tokio::test]
async fn a_request_for_a_token_that_a_call_waits_for_has_a_span_without_a_secret() {
    let issued =
        json!({ "access_token": "t0ken-of-the-day", "token_type": "Bearer", "expires_in": 3600 });
    let server =
        Upstream::new([Answer::json(500, "{}"), Answer::json(200, issued.to_string())]).await;
    let (upstream, collector) = (Upstream::willing().await, Upstream::willing().await);
    let folder = Folder::new();
    folder.write("client", "cl13nt-s3cr3t");
    let auth = format!(
        "auth = {{ kind = \"oauth2\", token_url = \"{}/token\", client_id = \"bridge\", \
         client_secret = \"file:client\", scopes = [\"read\"] }}",
        server.url()
    );
    let draft = Draft::to(&upstream.url()).api(&auth).tool("listItems", "");
    let bridge = draft.open_in(folder).await;
    let (exporter, _) = traced(&bridge, &collector);
    bridge.ask("bot", within(SENT, "list_items", "{}")).await.expect("a reply");
    // A failure stands for two seconds.
    tokio::time::sleep(Duration::from_millis(2100)).await;
    for _ in 0..2 {
        bridge.ask("bot", within(SENT, "list_items", "{}")).await.expect("a reply");
    }
    exporter.stop().await;
    assert_eq!(server.count(), 2);
    let spans = spans(&collector);
    let url = format!("{}/token", server.url());
    let of_tokens: Vec<&Value> =
        spans.iter().filter(|span| attribute(span, "url.full") == Some(&url)).collect();
    let told: Vec<_> = of_tokens
        .iter()
        .map(|span| (&span["name"], &span["kind"], attribute(span, "http.response.status_code")))
        .collect();
    let (post, client) = (json!("POST"), json!(3));
    assert_eq!(told, [(&post, &client, Some("500")), (&post, &client, Some("200"))]);
    assert_eq!(attribute(of_tokens[0], "error.type"), Some("500"));
    let ids: std::collections::BTreeSet<_> =
        spans.iter().map(|span| span["spanId"].as_str()).collect();
    assert_eq!(ids.len(), spans.len(), "{spans:?}");
    for span in &of_tokens {
        let call =
            spans.iter().find(|one| one["spanId"] == span["parentSpanId"]).expect("a parent");
        assert_eq!((&call["name"], &call["kind"]), (&json!("tools/call list_items"), &json!(2)));
    }
    for seen in collector.seen() {
        for secret in ["s3cr3t", "t0ken-of-the-day"] {
            assert!(!seen.body.contains(secret), "{}", seen.body);
        }
    }
}

#[tokio::test]
async fn requests_that_are_no_calls_are_measured_and_have_spans() {
    let (upstream, collector) = (Upstream::willing().await, Upstream::willing().await);
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    let ping = |transport, end, origin| OtherRequest {
        transport,
        method: "ping",
        prompt: None,
        resource: None,
        revision: Some("2025-11-25"),
        end,
        origin,
    };
    let took = Duration::from_millis(2);
    bridge.gateway.answered(ping(Transport::Stdio, OperationEnd::Good, Origin::default()), took);
    let (exporter, _) = traced(&bridge, &collector);
    for traceparent in [SENT.to_owned(), SENT.replace("-01", "-00")] {
        let trace = Trace::read(&traceparent, None).map(Arc::new);
        let origin = Origin { trace, message: None };
        bridge.gateway.answered(ping(Transport::Http, OperationEnd::Rpc(-32601), origin), took);
    }
    bridge.gateway.answered(ping(Transport::Cli, OperationEnd::Good, Origin::default()), took);
    exporter.stop().await;
    let method = r#"mcp_method_name="ping",mcp_protocol_version="2025-11-25""#;
    let http = r#"network_transport="tcp",network_protocol_name="http""#;
    let error = r#"error_type="-32601",rpc_response_status_code="-32601""#;
    let text = bridge.gateway.metrics_text();
    for (labels, count) in [
        (format!(r#"{method},network_transport="pipe""#), 1),
        (format!("{method},{http},{error}"), 2),
    ] {
        let line = format!("mcp_server_operation_duration_seconds_count{{{labels}}} {count}");
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let spans = spans(&collector);
    let [span] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((&span["name"], &span["kind"]), (&json!("ping"), &json!(2)));
    assert_eq!(span["parentSpanId"], "b7ad6b7169203331");
    assert_eq!(attribute(span, "error.type"), Some("-32601"));
    assert_eq!(attribute(span, "tollbridge.call"), None);
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_no_call() {
    let (upstream, collector) = (Upstream::willing().await, Upstream::new([Act::Hang]).await);
    let bridge = Bridge::offering(&upstream, &["listItems"]).await;
    let (exporter, metrics) = traced(&bridge, &collector);
    for _ in 0..20 {
        assert_eq!(code(&bridge.call("list_items", "{}").await), "succeeded");
    }
    exporter.stop().await;
    assert!(metrics.encode().contains("tollbridge_otlp_spans_total{result=\"dropped\"} 40"));
}
