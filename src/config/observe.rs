//! `[observe]`: what other programs are told while this one runs.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::inbound::Wrong;
use super::located::{Keyed, Located};
use super::values::{BaseUrl, HeaderText, Period};

/// How often metrics are sent where nothing says so: as the specification of OpenTelemetry's SDKs
/// has it.
const INTERVAL: Duration = Duration::from_mins(1);

/// `[observe]`: what other programs are told while this one runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observe {
    /// The collector of OpenTelemetry that metrics and traces are sent to. By default none.
    pub otlp: Option<Located<Otlp>>,
}

/// `[observe.otlp]`: a collector of OpenTelemetry, over HTTP (OTLP 1).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Otlp {
    /// Where it is: `/v1/metrics` and `/v1/traces` are added.
    pub endpoint: Located<BaseUrl>,
    /// The form in which it takes them. By default `http/protobuf`.
    #[serde(default)]
    pub protocol: OtlpProtocol,
    /// How what is sent is compressed. By default `none`.
    #[serde(default)]
    pub compression: OtlpCompression,
    /// Whether metrics are sent. By default true.
    pub metrics: Option<Located<bool>>,
    /// Whether traces are sent: a span for each request of an agent, and one for each request to an
    /// API. By default false.
    #[serde(default)]
    pub traces: bool,
    /// Headers that every request carries.
    #[serde(default)]
    pub headers: Keyed<String, Located<HeaderText>>,
    /// How often metrics are sent. By default 1m.
    pub interval: Option<Located<Period>>,
    /// What is said of this server beside its name and version: attributes of the resource, such as
    /// `"deployment.environment.name"`. `"service.name"` is by default the name in `[server]`.
    #[serde(default)]
    pub resource: Keyed<String, Located<String>>,
}

/// The form of what is sent, in the words of OpenTelemetry's `OTEL_EXPORTER_OTLP_PROTOCOL`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum OtlpProtocol {
    /// Protocol Buffers over HTTP: what most collectors expect.
    #[default]
    #[serde(rename = "http/protobuf")]
    Protobuf,
    /// JSON over HTTP.
    #[serde(rename = "http/json")]
    Json,
}

/// How what is sent is compressed, in the words of OpenTelemetry's `OTEL_EXPORTER_OTLP_COMPRESSION`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum OtlpCompression {
    /// Not at all.
    #[default]
    None,
    /// As gzip, which collectors of OpenTelemetry take.
    Gzip,
}

impl Otlp {
    /// How often metrics are sent.
    pub fn interval(&self) -> Duration {
        self.interval.as_ref().map_or(INTERVAL, |interval| interval.0)
    }

    /// Whether metrics are sent.
    pub fn sends_metrics(&self) -> bool {
        self.metrics.as_ref().is_none_or(|metrics| **metrics)
    }

    /// What is wrong with it.
    pub(super) fn wrong(&self) -> Vec<Wrong> {
        let mut all = Vec::new();
        let paths = ["/v1/metrics", "/v1/traces", "/v1/logs"];
        if paths.iter().any(|path| self.endpoint.as_str().trim_end_matches('/').ends_with(path)) {
            let message = "`endpoint` names the path of a signal".to_owned();
            let label = "remove `/v1/…`: it is added for each signal";
            all.push(Wrong { span: self.endpoint.span(), message, label });
        }
        if let Some(metrics) = self.metrics.as_ref().filter(|metrics| !***metrics)
            && !self.traces
        {
            let message = "nothing is sent to the collector".to_owned();
            let label = "expected `traces = true` where `metrics` is false";
            all.push(Wrong { span: metrics.span(), message, label });
        }
        if let Some(interval) = self.interval.as_ref().filter(|i| i.0 < Duration::from_secs(1)) {
            let message = "`interval` is shorter than a second".to_owned();
            all.push(Wrong { span: interval.span(), message, label: "expected 1s at least" });
        }
        for (name, _) in self.resource.iter().filter(|(name, _)| name.trim().is_empty()) {
            let message = "an attribute of `resource` has no name".to_owned();
            let label = "expected a name such as \"deployment.environment.name\"";
            all.push(Wrong { span: name.span(), message, label });
        }
        all
    }
}
