//! Metrics and traces for a collector of OpenTelemetry: OTLP over HTTP (OTLP 1, "OTLP/HTTP").
//!
//! Nothing waits for it: a collector that is down or slow holds up no call. Each request for metrics
//! has the whole of what was counted so far, so that one that is lost costs no number. Spans wait in a
//! queue that is bounded; what finds no room is dropped and counted.

mod counted;
mod metrics;
mod post;
mod protobuf;
mod said;
mod spans;
#[cfg(test)]
mod tests;
mod traces;

use std::time::Duration;

use http::HeaderMap;
use serde_json::{Value, json};
use url::Url;

use crate::audit::otlp_text;

pub use counted::Exporter;
pub use traces::TraceExporter;

/// How long the end of the process waits for the last request.
const LAST: Duration = Duration::from_secs(3);

/// The longest wait that a collector is believed to want.
const LONGEST: Duration = Duration::from_hours(1);

/// The form in which they are sent (OTLP/HTTP, "Binary Protobuf Encoding" and "JSON Protobuf
/// Encoding").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    /// `http/protobuf`.
    #[default]
    Protobuf,
    /// `http/json`.
    Json,
}

/// How what is sent is compressed (OTLP/HTTP, "Binary Protobuf Encoding").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// As gzip (RFC 1952).
    Gzip,
}

/// Where metrics and traces are sent.
#[derive(Debug, Clone)]
pub struct Collector {
    /// Its URL, to which the path of each signal is added.
    pub endpoint: Url,
    /// In which form.
    pub protocol: Protocol,
    /// How compressed.
    pub compression: Compression,
    /// Headers that every request carries.
    pub headers: HeaderMap,
    /// How often metrics are sent.
    pub interval: Duration,
    /// What is said of this server, `service.name` among it.
    pub resource: Vec<(String, String)>,
}

/// A `Resource` (opentelemetry-proto, resource, in its JSON mapping) of these attributes.
fn resource(attributes: &[(String, String)]) -> Value {
    let version = otlp_text("service.version", env!("CARGO_PKG_VERSION"));
    let about = attributes.iter().map(|(key, value)| otlp_text(key, value));
    json!({"attributes": std::iter::once(version).chain(about).collect::<Vec<_>>()})
}
