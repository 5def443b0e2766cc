//! A bare MCP server, for the end-to-end benchmark: `rmcp`, one tool written by hand, reqwest
//! behind. It checks no argument, records nothing and repeats nothing: what it takes is what
//! the protocol's library and the hop cost.
//!
//! `peer-rmcp UPSTREAM` listens on a free port of 127.0.0.1 and prints it;
//! `peer-rmcp UPSTREAM --stdio` serves standard input and output.

#![allow(clippy::unwrap_used, missing_docs)]

use std::borrow::Cow;
use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ListToolsResult,
    PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::StreamableHttpServerConfig;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::tower::StreamableHttpService;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

static VERSIONS: [ProtocolVersion; 2] =
    [ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28];

#[derive(Clone)]
struct Bare {
    client: reqwest::Client,
    upstream: Arc<str>,
}

impl ServerHandler for Bare {
    fn get_info(&self) -> ServerConfig {
        let mut config = ServerConfig::default();
        config.capabilities = ServerCapabilities::builder().enable_tools().build();
        config
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(&VERSIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({"type": "object", "properties": {"id": {"type": "string"}}});
        let Value::Object(schema) = schema else { unreachable!("an object stands above") };
        Ok(ListToolsResult::with_all_items(vec![Tool::new("get_item", "An item", schema)]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let failed = |error: reqwest::Error| ErrorData::internal_error(error.to_string(), None);
        let id = request.arguments.as_ref().and_then(|arguments| arguments.get("id")?.as_str());
        let url = format!("{}/items/{}", self.upstream, id.unwrap_or_default());
        let answer = self.client.get(url).send().await.map_err(failed)?;
        let body = answer.bytes().await.map_err(failed)?;
        let value = serde_json::from_slice(&body)
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        Ok(CallToolResult::structured(value).into())
    }
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let upstream = arguments.next().expect("the upstream's URL");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let bare = Bare { client, upstream: upstream.into() };
    if arguments.next().as_deref() == Some("--stdio") {
        let served = bare.serve((tokio::io::stdin(), tokio::io::stdout())).await.unwrap();
        served.waiting().await.unwrap();
        return;
    }
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(true)
        .with_json_response(true);
    let manager = Arc::new(LocalSessionManager::default());
    let mcp = StreamableHttpService::new(move || Ok(bare.clone()), manager, config);
    let app = axum::Router::new().route_service("/mcp", mcp);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let listener = axum::serve::ListenerExt::tap_io(listener, |socket| {
        let _ = socket.set_nodelay(true);
    });
    // Ends as a program does, so that one that was built to count what it runs writes that down.
    let mut asked = signal(SignalKind::terminate()).unwrap();
    tokio::select! {
        ended = axum::serve(listener, app) => ended.unwrap(),
        _ = asked.recv() => (),
    }
}
