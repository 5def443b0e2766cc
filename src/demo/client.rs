//! An agent's side of the demo: an MCP client over streamable HTTP with an API key.

use rmcp::ServiceExt as _;
use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Map, Value};

/// A connected agent.
pub struct Agent {
    service: RunningService<RoleClient, ()>,
}

/// The agent got no result at all.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// It could not connect.
    #[error("the agent cannot connect: {0}")]
    Connect(String),
    /// The server answered with a protocol error.
    #[error("{0}")]
    Protocol(String),
}

impl Agent {
    /// Connects to the bridge at `url` as the identity that `key` stands for.
    pub async fn connect(
        url: &str,
        key: &str,
        client: reqwest::Client,
    ) -> Result<Self, AgentError> {
        let config = StreamableHttpClientTransportConfig::with_uri(url).auth_header(key);
        let transport = StreamableHttpClientTransport::with_client(client, config);
        let service =
            ().serve(transport).await.map_err(|error| AgentError::Connect(error.to_string()))?;
        Ok(Self { service })
    }

    /// The names of the tools that it is offered.
    pub async fn tools(&self) -> Result<Vec<String>, AgentError> {
        let tools = self
            .service
            .list_all_tools()
            .await
            .map_err(|error| AgentError::Protocol(error.to_string()))?;
        Ok(tools.into_iter().map(|tool| tool.name.into_owned()).collect())
    }

    /// Calls a tool; the MCP result as JSON, whether it is an error or not.
    pub async fn call(&self, tool: &str, arguments: Value) -> Result<Value, AgentError> {
        let arguments: Map<String, Value> = match arguments {
            Value::Object(arguments) => arguments,
            _ => Map::new(),
        };
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let result = self
            .service
            .call_tool(params)
            .await
            .map_err(|error| AgentError::Protocol(error.to_string()))?;
        serde_json::to_value(result).map_err(|error| AgentError::Protocol(error.to_string()))
    }

    /// Ends the connection.
    pub async fn close(self) {
        let _ = self.service.cancel().await;
    }
}
