//! The collector that metrics and traces are sent to, as the configuration names it.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::bridge;
use crate::config::{Config, HeaderText, OtlpCompression, OtlpProtocol};
use crate::gateway::Gateway;
use crate::observe::{Collector, Compression, Exporter, Protocol, TraceExporter};

/// Begins to send what `[observe.otlp]` says; nothing where there is no such table. The error says in
/// words what is wrong.
pub(super) fn exporters(config: &Config, gateway: &Gateway) -> Result<Exporters, String> {
    let Some(otlp) = &config.observe.otlp else { return Ok(Exporters::default()) };
    let mut headers = HeaderMap::new();
    for (name, value) in otlp.headers.iter() {
        let wrong = |why: &str| format!("[observe.otlp] headers: `{name}`: {why}");
        let text = match &**value {
            HeaderText::Fixed(text) => HeaderValue::try_from(text.as_str()),
            HeaderText::Secret(reference) => {
                let secret = reference.resolve(&config.dir).map_err(|e| wrong(&e.to_string()))?;
                HeaderValue::try_from(secret.expose())
            }
        };
        let mut text = text.map_err(|_| wrong("its value cannot stand in a header"))?;
        text.set_sensitive(true);
        let key = HeaderName::try_from(name.as_str()).map_err(|_| wrong("is no header"))?;
        headers.insert(key, text);
    }
    let mut resource = vec![("service.name".to_owned(), config.server.name.clone())];
    for (name, value) in otlp.resource.iter() {
        resource.retain(|(known, _)| known != &**name);
        resource.push(((**name).clone(), (**value).clone()));
    }
    let endpoint = otlp.endpoint.as_url().clone();
    let protocol = match otlp.protocol {
        OtlpProtocol::Protobuf => Protocol::Protobuf,
        OtlpProtocol::Json => Protocol::Json,
    };
    let compression = match otlp.compression {
        OtlpCompression::None => Compression::None,
        OtlpCompression::Gzip => Compression::Gzip,
    };
    let interval = otlp.interval();
    let collector = Collector { endpoint, protocol, compression, headers, interval, resource };
    let client = bridge::http_client()?;
    let metrics = otlp.sends_metrics().then(|| {
        let read = gateway.clone();
        let read = move || read.metrics_text();
        Exporter::start(&collector, client.clone(), read, gateway.shared_metrics())
    });
    let traces = otlp.traces.then(|| {
        let exporter = TraceExporter::start(&collector, client, gateway.shared_metrics());
        gateway.trace_requests(exporter.tracer());
        exporter
    });
    Ok(Exporters { metrics, traces })
}

/// What sends to the collector.
#[derive(Default)]
pub(super) struct Exporters {
    metrics: Option<Exporter>,
    traces: Option<TraceExporter>,
}

impl Exporters {
    /// Sends what is left, where that takes no longer than a few seconds, and ends. To be called when
    /// no call is made any more.
    pub(super) async fn stop(self) {
        let metrics = async {
            if let Some(metrics) = self.metrics {
                metrics.stop().await;
            }
        };
        let traces = async {
            if let Some(traces) = self.traces {
                traces.stop().await;
            }
        };
        tokio::join!(metrics, traces);
    }
}
