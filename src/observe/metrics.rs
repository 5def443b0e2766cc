//! Metrics, in the `OpenMetrics` text format.
//!
//! Tools and APIs are labels because operators ask by them. Their names come from the
//! configuration; what callers invent is counted as `unknown`, and names beyond a bound (a
//! configuration reloaded with ever new ones) as `other`.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::conventions::{Conventions, HttpRequest, McpRequest};
use super::names::Names;

/// The label of calls of tools that there are not.
const UNKNOWN: &str = "unknown";

/// Seconds: from an answer out of a cache to the longest call that is sensible.
const BUCKETS: [f64; 13] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCall {
    tool: Arc<str>,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByTool {
    tool: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByAttempt {
    api: Arc<str>,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByApi {
    api: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByHost {
    api: Arc<str>,
    host: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByGroup {
    group: String,
}

/// How an API is: what is read when somebody looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ApiStanding {
    /// Requests that are under way.
    pub in_flight: u32,
    /// Calls that wait for their turn.
    pub waiting: usize,
    /// The rate that its refusals taught, in requests a second.
    pub learned: Option<f64>,
    /// What is left of the tightest limit that it announces.
    pub left: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByTransport {
    transport: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByExport {
    signal: &'static str,
    result: &'static str,
}

/// What is counted and measured.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    conventions: Conventions,
    calls: Family<ByCall, Counter>,
    durations: Family<ByTool, Histogram>,
    attempts: Family<ByAttempt, Counter>,
    drifted: Family<ByApi, Counter>,
    kept: Family<ByApi, Counter>,
    in_flight: Gauge,
    held: Gauge,
    runtime_tasks: Gauge,
    malformed: Family<ByTransport, Counter>,
    reloads: Family<ByResult, Counter>,
    exports: Family<ByExport, Counter>,
    spans: Family<ByResult, Counter>,
    requests: Family<ByApi, Gauge>,
    waiting: Family<ByApi, Gauge>,
    learned: Family<ByApi, Gauge<f64, AtomicU64>>,
    left: Family<ByApi, Gauge>,
    circuits: Family<ByHost, Gauge>,
    grouped: Family<ByGroup, Gauge>,
    queued: Family<ByGroup, Gauge>,
    tools: Names,
    apis: Names,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Everything at zero.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let metrics = Self {
            conventions: Conventions::new(&mut registry),
            registry,
            calls: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            attempts: Family::default(),
            drifted: Family::default(),
            kept: Family::default(),
            in_flight: Gauge::default(),
            held: Gauge::default(),
            runtime_tasks: Gauge::default(),
            malformed: Family::default(),
            reloads: Family::default(),
            exports: Family::default(),
            spans: Family::default(),
            requests: Family::default(),
            waiting: Family::default(),
            learned: Family::default(),
            left: Family::default(),
            circuits: Family::default(),
            grouped: Family::default(),
            queued: Family::default(),
            tools: Names::default(),
            apis: Names::default(),
        };
        // It has its place before any name.
        metrics.tools.label(UNKNOWN);
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let registry = self.registry.sub_registry_with_prefix("tollbridge");
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program that runs", version);
        registry.register("calls", "Tool calls that ended, by outcome", self.calls.clone());
        registry.register_with_unit(
            "call_duration",
            "From a call's arrival to its answer",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register(
            "attempts",
            "Requests to upstreams, by class of status",
            self.attempts.clone(),
        );
        registry.register(
            "drifted_answers",
            "Successes that leave the API's description",
            self.drifted.clone(),
        );
        registry.register(
            "kept_answers",
            "Answers that were kept from an earlier call",
            self.kept.clone(),
        );
        registry.register(
            "calls_in_flight",
            "Tool calls that are being carried out",
            self.in_flight.clone(),
        );
        registry.register(
            "held_bytes",
            "Bytes of requests' and answers' bodies that calls hold",
            self.held.clone(),
        );
        registry.register(
            "runtime_tasks",
            "Tasks of the program's runtime that are alive",
            self.runtime_tasks.clone(),
        );
        registry.register(
            "malformed",
            "Messages that were refused before they were calls",
            self.malformed.clone(),
        );
        registry.register("reloads", "Reloads of the configuration", self.reloads.clone());
        let exports = self.exports.clone();
        registry.register("otlp_exports", "Requests to the collector, by result", exports);
        registry.register("otlp_spans", "Spans, by what became of them", self.spans.clone());
        let requests = self.requests.clone();
        registry.register("api_requests_in_flight", "Requests that an API works on", requests);
        let waiting = self.waiting.clone();
        registry.register("api_calls_waiting", "Calls that wait for their turn", waiting);
        registry.register(
            "api_learned_rate",
            "Requests a second, as an API's refusals taught",
            self.learned.clone(),
        );
        let left = self.left.clone();
        registry.register("api_limit_left", "What is left of the limit that it announces", left);
        let grouped = self.grouped.clone();
        registry.register("limit_group_requests_in_flight", "Requests of a limit group", grouped);
        let queued = self.queued.clone();
        registry.register("limit_group_calls_waiting", "Calls that wait for a limit group", queued);
        registry.register(
            "api_circuit_open",
            "1 where a host is not asked, 2 where it is tried again",
            self.circuits.clone(),
        );
        self
    }

    /// Counts a call that ended: `tool` is `None` where no tool has the name that was called.
    pub fn call(&self, tool: Option<&str>, outcome: &'static str, duration: Duration) {
        let tool = self.tools.label(tool.unwrap_or(UNKNOWN));
        self.durations
            .get_or_create(&ByTool { tool: tool.clone() })
            .observe(duration.as_secs_f64());
        self.calls.get_or_create(&ByCall { tool, outcome }).inc();
    }

    /// Counts one request to an upstream, by the status that came.
    pub fn attempt(&self, api: &str, status: Option<u16>) {
        let status = match status {
            Some(100..=199) => "1xx",
            Some(200..=299) => "2xx",
            Some(300..=399) => "3xx",
            Some(400..=499) => "4xx",
            Some(500..=599) => "5xx",
            Some(_) => "other",
            None => "none",
        };
        self.attempts.get_or_create(&ByAttempt { api: self.apis.label(api), status }).inc();
    }

    /// Measures a request of MCP under the names of OpenTelemetry's conventions.
    pub fn operation(&self, request: McpRequest<'_>, duration: Duration) {
        let tool = request.tool.map(|tool| self.tools.label(tool));
        self.conventions.operation(request, tool, duration);
    }

    /// Measures a request to an upstream under the names of OpenTelemetry's conventions.
    pub fn request(&self, request: &HttpRequest, duration: Duration) {
        self.conventions.request(request, duration);
    }

    /// Counts a request to the collector with `metrics` or `traces`: `taken`, `partial`, `later` or
    /// `refused`.
    pub fn exported(&self, signal: &'static str, result: &'static str) {
        self.exports.get_or_create(&ByExport { signal, result }).inc();
    }

    /// Counts spans: `taken` or `rejected` by the collector, or `dropped`, where there was no room for
    /// them or it did not take them in time.
    pub fn spans(&self, result: &'static str, count: u64) {
        self.spans.get_or_create(&ByResult { result }).inc_by(count);
    }

    /// Forgets how APIs are, before all of them are told anew.
    pub fn forget_apis(&self) {
        self.learned.clear();
        self.left.clear();
        self.circuits.clear();
        self.requests.clear();
        self.waiting.clear();
        self.grouped.clear();
        self.queued.clear();
    }

    /// Tells how the limits of a group stand.
    pub fn limit_group(&self, name: &str, in_flight: u32, waiting: usize) {
        let by = ByGroup { group: name.to_owned() };
        self.grouped.get_or_create(&by).set(i64::from(in_flight));
        self.queued.get_or_create(&by).set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// Tells how an API is, and of each of its hosts whether it is asked: `closed`, `open` or
    /// `half_open`.
    pub fn api(&self, api: &str, standing: ApiStanding, hosts: &[(String, &'static str)]) {
        let api = self.apis.label(api);
        let by = ByApi { api: api.clone() };
        let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.requests.get_or_create(&by).set(i64::from(standing.in_flight));
        self.waiting.get_or_create(&by).set(gauge(standing.waiting as u64));
        if let Some(learned) = standing.learned {
            self.learned.get_or_create(&by).set(learned);
        }
        if let Some(left) = standing.left {
            self.left.get_or_create(&by).set(gauge(left));
        }
        for (host, state) in hosts {
            let state = match *state {
                "open" => 1,
                "half_open" => 2,
                _ => 0,
            };
            let by = ByHost { api: api.clone(), host: host.clone() };
            self.circuits.get_or_create(&by).set(state);
        }
    }

    /// Counts a success that leaves its description.
    pub fn drifted(&self, api: &str) {
        self.drifted.get_or_create(&ByApi { api: self.apis.label(api) }).inc();
    }

    /// How many tasks the runtime has.
    pub fn runtime_tasks(&self, alive: usize) {
        self.runtime_tasks.set(i64::try_from(alive).unwrap_or(i64::MAX));
    }

    /// Counts an answer that was kept from an earlier call.
    pub fn kept(&self, api: &str) {
        self.kept.get_or_create(&ByApi { api: self.apis.label(api) }).inc();
    }

    /// Counts a call as in flight until what is returned is dropped.
    pub fn in_flight(&self) -> CallInFlight {
        self.in_flight.inc();
        CallInFlight(self.in_flight.clone())
    }

    /// Tells how many bytes of bodies calls hold.
    pub fn held(&self, bytes: u64) {
        self.held.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Counts a message that was refused before it was a call.
    pub fn malformed(&self, transport: &'static str) {
        self.malformed.get_or_create(&ByTransport { transport }).inc();
    }

    /// Counts a reload of the configuration.
    pub fn reload(&self, taken: bool) {
        let result = if taken { "succeeded" } else { "refused" };
        self.reloads.get_or_create(&ByResult { result }).inc();
    }

    /// The text of `/metrics`.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes everything");
        text
    }
}

/// A call that is counted as in flight.
#[derive(Debug)]
pub struct CallInFlight(Gauge);

impl Drop for CallInFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{CALL, Channel, OperationEnd};

    fn has(metrics: &Metrics, line: &str) -> bool {
        metrics.encode().lines().any(|found| found == line)
    }

    #[test]
    fn calls_are_counted_by_tool_and_outcome() {
        let metrics = Metrics::new();
        metrics.call(Some("get_stock"), "succeeded", Duration::from_millis(20));
        metrics.call(Some("get_stock"), "succeeded", Duration::from_millis(20));
        metrics.call(None, "unknown_tool", Duration::ZERO);
        for line in [
            r#"tollbridge_calls_total{tool="get_stock",outcome="succeeded"} 2"#,
            r#"tollbridge_calls_total{tool="unknown",outcome="unknown_tool"} 1"#,
            r#"tollbridge_call_duration_seconds_count{tool="get_stock"} 2"#,
            r#"tollbridge_call_duration_seconds_bucket{le="0.025",tool="get_stock"} 2"#,
        ] {
            assert!(has(&metrics, line), "{line}\n{}", metrics.encode());
        }
    }

    #[test]
    fn the_dashboard_asks_for_metrics_that_there_are() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/production/grafana.json");
        let text = std::fs::read_to_string(path).expect("the dashboard");
        let dashboard: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        // What was never counted is not told of.
        let metrics = Metrics::new();
        metrics.call(None, "unknown_tool", Duration::ZERO);
        metrics.attempt("orders", None);
        metrics.malformed("http");
        metrics.reload(true);
        metrics.drifted("orders");
        let standing = ApiStanding { in_flight: 2, waiting: 3, learned: Some(1.5), left: Some(7) };
        metrics.api("orders", standing, &[("http://h".to_owned(), "open")]);
        let (channel, end) = (Channel::Http, OperationEnd::Good);
        let call =
            McpRequest { method: CALL, tool: None, prompt: None, revision: None, channel, end };
        metrics.operation(call, Duration::ZERO);
        let request = HttpRequest {
            address: "h".into(),
            port: 80,
            method: "GET",
            status: Some(200),
            error: None,
        };
        metrics.request(&request, Duration::ZERO);
        let known = metrics.encode();
        let mut asked = 0;
        for panel in dashboard["panels"].as_array().expect("panels") {
            for target in panel["targets"].as_array().expect("targets") {
                let expression = target["expr"].as_str().expect("an expression");
                let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let begins = ["tollbridge_", "mcp_server_", "http_client_"];
                let is_metric = |word: &&str| begins.iter().any(|begin| word.starts_with(begin));
                for name in words.filter(is_metric) {
                    let ends = ["_total", "_bucket", "_sum", "_count"];
                    let family = ends.iter().find_map(|end| name.strip_suffix(end));
                    let family = format!("# TYPE {} ", family.unwrap_or(name));
                    assert!(known.contains(&family), "{name} of {expression}\n{known}");
                    asked += 1;
                }
            }
        }
        assert!(asked > 10, "{asked}");
    }

    #[test]
    fn attempts_are_counted_by_class_of_status() {
        let metrics = Metrics::new();
        metrics.attempt("orders", Some(204));
        metrics.attempt("orders", None);
        assert!(has(&metrics, r#"tollbridge_attempts_total{api="orders",status="2xx"} 1"#));
        assert!(has(&metrics, r#"tollbridge_attempts_total{api="orders",status="none"} 1"#));
    }

    #[test]
    fn a_call_is_in_flight_until_it_ends() {
        let metrics = Metrics::new();
        let call = metrics.in_flight();
        assert!(has(&metrics, "tollbridge_calls_in_flight 1"));
        drop(call);
        assert!(has(&metrics, "tollbridge_calls_in_flight 0"));
    }

    #[test]
    fn the_rest_has_the_names_that_dashboards_use() {
        let metrics = Metrics::new();
        metrics.malformed("http");
        metrics.reload(true);
        metrics.reload(false);
        metrics.drifted("orders");
        let build = concat!("tollbridge_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1");
        for line in [
            r#"tollbridge_malformed_total{transport="http"} 1"#,
            r#"tollbridge_drifted_answers_total{api="orders"} 1"#,
            r#"tollbridge_reloads_total{result="succeeded"} 1"#,
            r#"tollbridge_reloads_total{result="refused"} 1"#,
            build,
        ] {
            assert!(has(&metrics, line), "{line}\n{}", metrics.encode());
        }
        assert!(metrics.encode().ends_with("# EOF\n"));
    }

    #[test]
    fn how_apis_are_is_told_anew_each_time() {
        let metrics = Metrics::new();
        let standing = ApiStanding { in_flight: 2, waiting: 3, learned: Some(1.5), left: Some(7) };
        metrics.api("orders", standing, &[("http://h".to_owned(), "open")]);
        for line in [
            r#"tollbridge_api_requests_in_flight{api="orders"} 2"#,
            r#"tollbridge_api_calls_waiting{api="orders"} 3"#,
            r#"tollbridge_api_learned_rate{api="orders"} 1.5"#,
            r#"tollbridge_api_limit_left{api="orders"} 7"#,
            r#"tollbridge_api_circuit_open{api="orders",host="http://h"} 1"#,
        ] {
            assert!(has(&metrics, line), "{line}\n{}", metrics.encode());
        }
        metrics.forget_apis();
        assert!(!metrics.encode().contains("orders"));
    }

    #[test]
    fn labels_are_bounded() {
        let metrics = Metrics::new();
        for n in 0..crate::observe::names::MAX_NAMES + 10 {
            metrics.attempt(&format!("api{n}"), None);
        }
        assert!(has(&metrics, r#"tollbridge_attempts_total{api="other",status="none"} 10"#));
    }
}
