//! Metrics under the names that OpenTelemetry's conventions give them, so that what is made for any
//! MCP server and any HTTP client is of use here.
//!
//! HTTP: semantic-conventions 1.44.0, `docs/http/http-metrics.md`, which is stable. MCP:
//! semantic-conventions-genai 0.1.0, `docs/gen-ai/mcp.md`, which is in development. In the text of
//! `/metrics` names have `_` for each dot, and the unit at their end, as OpenTelemetry's rules for
//! Prometheus have it.
//!
//! Nothing that an agent or an upstream writes is a label here: tools and hosts are those of the
//! configuration, everything else is a word or a number of a fixed set.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabel as _, EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::names::Names;

/// Seconds: the bounds that the conventions advise for operations of MCP.
const OPERATION: [f64; 14] =
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// Seconds: the bounds that the conventions advise for requests of HTTP.
const REQUEST: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The text's names of metrics, without the unit, with those that OTLP has.
const METRICS: [(&str, &str); 2] = [
    ("mcp_server_operation_duration", "mcp.server.operation.duration"),
    ("http_client_request_duration", "http.client.request.duration"),
];

/// The text's labels, with the attributes that OTLP has.
const ATTRIBUTES: [(&str, &str, Kind); 13] = [
    ("mcp_method_name", "mcp.method.name", Kind::Text),
    ("mcp_protocol_version", "mcp.protocol.version", Kind::Text),
    ("gen_ai_tool_name", "gen_ai.tool.name", Kind::Text),
    ("gen_ai_operation_name", "gen_ai.operation.name", Kind::Text),
    ("gen_ai_prompt_name", "gen_ai.prompt.name", Kind::Text),
    ("error_type", "error.type", Kind::Text),
    ("rpc_response_status_code", "rpc.response.status_code", Kind::Text),
    ("network_transport", "network.transport", Kind::Text),
    ("network_protocol_name", "network.protocol.name", Kind::Text),
    ("http_request_method", "http.request.method", Kind::Text),
    ("http_response_status_code", "http.response.status_code", Kind::Number),
    ("server_address", "server.address", Kind::Text),
    ("server_port", "server.port", Kind::Number),
];

/// What the value of an attribute is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// An integer.
    Number,
}

/// The name that OTLP has for a metric of the text, where the conventions name it.
pub(super) fn metric(name: &str) -> Option<&'static str> {
    METRICS.iter().find(|(text, _)| *text == name).map(|(_, otlp)| *otlp)
}

/// The attribute that OTLP has for a label of such a metric.
pub(super) fn attribute(label: &str) -> Option<(&'static str, Kind)> {
    ATTRIBUTES.iter().find(|(text, _, _)| *text == label).map(|(_, otlp, kind)| (*otlp, *kind))
}

/// The channel that MCP is spoken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Standard input and output.
    Pipe,
    /// Streamable HTTP.
    Http,
}

impl Channel {
    /// `network.transport`.
    pub fn transport(self) -> &'static str {
        match self {
            Self::Pipe => "pipe",
            Self::Http => "tcp",
        }
    }

    /// `network.protocol.name`, where there is one.
    pub fn protocol(self) -> Option<&'static str> {
        (self == Self::Http).then_some("http")
    }
}

/// How an operation of MCP ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationEnd {
    /// As it should.
    Good,
    /// With a result that tells of a failure (`isError`).
    ToolError,
    /// With an error of JSON-RPC.
    Rpc(i32),
    /// With a status of HTTP that tells of a failure, and no message of MCP.
    Http(u16),
}

/// A request of MCP, as it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct McpRequest<'t> {
    /// The method, or [`OTHER_METHOD`].
    pub method: &'static str,
    /// The tool, where there is one of that name.
    pub tool: Option<&'t str>,
    /// The prompt, where there is one of that name.
    pub prompt: Option<&'static str>,
    /// The revision of MCP, where it is one that we speak.
    pub revision: Option<&'static str>,
    /// The channel that it came over.
    pub channel: Channel,
    /// How it ended.
    pub end: OperationEnd,
}

/// A request to an upstream, as it is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The host that the configuration names.
    pub address: Arc<str>,
    /// Its port.
    pub port: u16,
    /// The method, or `_OTHER`.
    pub method: &'static str,
    /// The status of the answer.
    pub status: Option<u16>,
    /// What went wrong with the exchange, in a word.
    pub error: Option<&'static str>,
}

/// `error.type` of an HTTP request (HTTP client spans, "Status"): the answer's own status where that
/// tells of a failure, else what went wrong with the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// A status from 400 on.
    Status(u16),
    /// A word of ours.
    Word(&'static str),
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Word(word) => f.write_str(word),
        }
    }
}

impl HttpRequest {
    /// `http.response.status_code`. What is no status of RFC 9110 is none.
    pub fn status_code(&self) -> Option<u16> {
        self.status.filter(|status| (100..600).contains(status))
    }

    /// `error.type`, where it failed.
    pub fn error_type(&self) -> Option<ErrorType> {
        match self.status_code() {
            Some(status) if status >= 400 => Some(ErrorType::Status(status)),
            None if self.status.is_some() => Some(ErrorType::Word("_OTHER")),
            _ => self.error.map(ErrorType::Word),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ByOperation {
    method: &'static str,
    tool: Option<Arc<str>>,
    prompt: Option<&'static str>,
    revision: Option<&'static str>,
    end: OperationEnd,
    channel: Channel,
}

impl EncodeLabelSet for ByOperation {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        ("mcp_method_name", self.method).encode(encoder.encode_label())?;
        if self.method == CALL {
            ("gen_ai_operation_name", "execute_tool").encode(encoder.encode_label())?;
        }
        if let Some(tool) = &self.tool {
            ("gen_ai_tool_name", &**tool).encode(encoder.encode_label())?;
        }
        if let Some(prompt) = self.prompt {
            ("gen_ai_prompt_name", prompt).encode(encoder.encode_label())?;
        }
        if let Some(revision) = self.revision {
            ("mcp_protocol_version", revision).encode(encoder.encode_label())?;
        }
        ("network_transport", self.channel.transport()).encode(encoder.encode_label())?;
        if let Some(protocol) = self.channel.protocol() {
            ("network_protocol_name", protocol).encode(encoder.encode_label())?;
        }
        match self.end {
            OperationEnd::Good => Ok(()),
            OperationEnd::ToolError => ("error_type", TOOL_ERROR).encode(encoder.encode_label()),
            OperationEnd::Http(status) => ("error_type", status).encode(encoder.encode_label()),
            OperationEnd::Rpc(code) => {
                ("error_type", code).encode(encoder.encode_label())?;
                ("rpc_response_status_code", code).encode(encoder.encode_label())
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ByRequest {
    method: &'static str,
    address: Arc<str>,
    port: u16,
    status: Option<u16>,
    error: Option<ErrorType>,
}

impl EncodeLabelSet for ByRequest {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        ("http_request_method", self.method).encode(encoder.encode_label())?;
        ("server_address", &*self.address).encode(encoder.encode_label())?;
        ("server_port", self.port).encode(encoder.encode_label())?;
        if let Some(status) = self.status {
            ("http_response_status_code", status).encode(encoder.encode_label())?;
        }
        match self.error {
            None => Ok(()),
            Some(ErrorType::Status(status)) => {
                ("error_type", status).encode(encoder.encode_label())
            }
            Some(ErrorType::Word(word)) => ("error_type", word).encode(encoder.encode_label()),
        }
    }
}

/// The method of a tool call.
pub const CALL: &str = "tools/call";

/// The method of a request for what there is not: its own word for it is the agent's.
pub const OTHER_METHOD: &str = "_OTHER";

/// `error.type` of a call whose result tells of a failure.
pub const TOOL_ERROR: &str = "tool_error";

/// What the conventions name.
#[derive(Debug)]
pub(super) struct Conventions {
    operations: Family<ByOperation, Histogram>,
    requests: Family<ByRequest, Histogram>,
    hosts: Names,
}

impl Conventions {
    /// Everything at zero, to be read at `registry`, which adds nothing to names.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let new = Self {
            operations: Family::new_with_constructor(|| Histogram::new(OPERATION)),
            requests: Family::new_with_constructor(|| Histogram::new(REQUEST)),
            hosts: Names::default(),
        };
        registry.register_with_unit(
            "mcp_server_operation_duration",
            "From the arrival of a request over MCP to its answer",
            Unit::Seconds,
            new.operations.clone(),
        );
        registry.register_with_unit(
            "http_client_request_duration",
            "Requests to upstreams, from when their turn came to the end of the answer",
            Unit::Seconds,
            new.requests.clone(),
        );
        new
    }

    /// Measures a request of MCP. `tool` is the label of its tool.
    pub(super) fn operation(
        &self,
        request: McpRequest<'_>,
        tool: Option<Arc<str>>,
        duration: Duration,
    ) {
        let McpRequest { method, prompt, revision, end, channel, .. } = request;
        let by = ByOperation { method, tool, prompt, revision, end, channel };
        self.operations.get_or_create(&by).observe(duration.as_secs_f64());
    }

    /// Measures a request to an upstream.
    pub(super) fn request(&self, request: &HttpRequest, duration: Duration) {
        let by = ByRequest {
            method: request.method,
            address: self.hosts.label(&request.address),
            port: request.port,
            status: request.status_code(),
            error: request.error_type(),
        };
        self.requests.get_or_create(&by).observe(duration.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Metrics;

    fn lines_of(metrics: &Metrics, name: &str) -> Vec<String> {
        let text = metrics.encode();
        let start = format!("{name}{{");
        text.lines().filter(|line| line.starts_with(&start)).map(str::to_owned).collect()
    }

    #[test]
    fn a_call_is_measured_as_the_conventions_name_it_and_its_failures_by_their_kind() {
        let metrics = Metrics::new();
        let second = Duration::from_secs(1);
        let tool = Some("get_stock");
        for (tool, end, channel, revision) in [
            (tool, OperationEnd::Good, Channel::Pipe, None),
            (tool, OperationEnd::ToolError, Channel::Http, Some("2026-07-28")),
            (None, OperationEnd::Rpc(-32602), Channel::Http, None),
        ] {
            let request = McpRequest { method: CALL, tool, prompt: None, revision, channel, end };
            metrics.operation(request, second);
        }
        let (channel, end) = (Channel::Pipe, OperationEnd::Good);
        let prompt = Some("do_task");
        let (tool, revision) = (None, Some("2025-11-25"));
        let request = McpRequest { method: "prompts/get", tool, prompt, revision, channel, end };
        metrics.operation(request, second);
        let mut counted = lines_of(&metrics, "mcp_server_operation_duration_seconds_count");
        counted.sort();
        insta::assert_snapshot!(counted.join("\n"));
        let bounds = lines_of(&metrics, "mcp_server_operation_duration_seconds_bucket");
        assert_eq!(bounds.len(), 4 * 15);
    }

    #[test]
    fn a_request_is_measured_as_the_conventions_name_it() {
        let metrics = Metrics::new();
        let of = |status, error| HttpRequest {
            address: "orders.example".into(),
            port: 443,
            method: "GET",
            status,
            error,
        };
        for request in [
            of(Some(200), None),
            of(Some(503), None),
            of(Some(200), Some("response_too_large")),
            of(None, Some("timeout")),
            of(Some(999), None),
        ] {
            metrics.request(&request, Duration::from_millis(60));
        }
        let mut counted = lines_of(&metrics, "http_client_request_duration_seconds_count");
        counted.sort();
        insta::assert_snapshot!(counted.join("\n"));
    }

    #[test]
    fn hosts_are_bounded() {
        let metrics = Metrics::new();
        for n in 0..crate::observe::names::MAX_NAMES + 10 {
            let address = format!("h{n}").into();
            let request =
                HttpRequest { address, port: 80, method: "GET", status: Some(200), error: None };
            metrics.request(&request, Duration::ZERO);
        }
        let of_others = r#"http_client_request_duration_seconds_count{http_request_method="GET",server_address="other",server_port="80",http_response_status_code="200"} 10"#;
        assert!(metrics.encode().lines().any(|line| line == of_others));
    }
}
