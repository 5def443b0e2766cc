//! The collector that metrics are sent to, as the configuration names it.

use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::bridge;
use crate::config::{Config, HeaderText};
use crate::gateway::Gateway;
use crate::observe::{Collector, Exporter};

/// Begins to send metrics as `[observe.otlp]` says; `None` where there is no such table. The error
/// says in words what is wrong.
pub(super) fn exporter(config: &Config, gateway: &Gateway) -> Result<Option<Exporter>, String> {
    let Some(otlp) = &config.observe.otlp else { return Ok(None) };
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
    let url = Url::parse(&format!("{}/v1/metrics", otlp.endpoint.as_str()))
        .map_err(|_| "[observe.otlp] endpoint is no URL".to_owned())?;
    let mut resource = vec![("service.name".to_owned(), config.server.name.clone())];
    for (name, value) in otlp.resource.iter() {
        resource.retain(|(known, _)| known != &**name);
        resource.push(((**name).clone(), (**value).clone()));
    }
    let collector = Collector { url, headers, interval: otlp.interval(), resource };
    let (read, told) = (gateway.clone(), gateway.clone());
    let client = bridge::http_client()?;
    let read = move || read.metrics_text();
    let told = move |result| told.metrics().exported(result);
    Ok(Some(Exporter::start(collector, client, read, told)))
}
