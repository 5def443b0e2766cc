//! What is measured of calls and of their requests, under the names of OpenTelemetry's conventions.

use super::support::{Answer, Bridge, Upstream, code, request};

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
    let bridge = super::support::Draft::to(&url).tool("listItems", "").open().await;
    bridge.call("list_items", "{}").await;
    let text = bridge.gateway.metrics_text();
    let refused = text.lines().find(|line| {
        line.starts_with("http_client_request_duration_seconds_count")
            && line.contains(r#"error_type="connection_refused""#)
    });
    assert!(refused.is_some_and(|line| !line.contains("status_code")), "{text}");
}
