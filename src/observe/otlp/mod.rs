//! Metrics for a collector of OpenTelemetry: OTLP over HTTP, in JSON (OTLP 1, "OTLP/HTTP").
//!
//! Nothing waits for it. Each request has the whole of what was counted so far, so that one that is
//! lost costs no number: nothing is queued, and a collector that is down or slow holds up no call.

mod metrics;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

use metrics::Times;

/// How long one request may take: what the exporters of OpenTelemetry give it.
const TRY: Duration = Duration::from_secs(10);

/// How long the end of the process waits for the last request.
const LAST: Duration = Duration::from_secs(3);

/// The longest wait that a collector is believed to want.
const LONGEST: Duration = Duration::from_hours(1);

/// How often a log line says that nothing comes through.
const SAID: Duration = Duration::from_mins(1);

/// No answer is read further.
const ANSWER: usize = 64 * 1024;

/// Where metrics are sent.
#[derive(Debug, Clone)]
pub struct Collector {
    /// The whole URL, with `/v1/metrics`.
    pub url: Url,
    /// Headers that every request carries.
    pub headers: HeaderMap,
    /// How often.
    pub interval: Duration,
    /// What is said of this server, `service.name` among it.
    pub resource: Vec<(String, String)>,
}

/// Sends metrics until it is stopped.
#[derive(Debug)]
pub struct Exporter {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
enum Sent {
    Taken,
    /// So much of it was not taken, and why.
    Partial(String),
    /// The collector may take the next one: why not this one, and how long it wants to be left alone.
    Later(String, Option<Duration>),
    /// It would not take another one either.
    Refused(String),
}

impl Sent {
    /// The word that the metrics use.
    fn word(&self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Partial(_) => "partial",
            Self::Later(..) => "later",
            Self::Refused(_) => "refused",
        }
    }
}

impl Exporter {
    /// Begins to send what `read` gives: the `OpenMetrics` text of this program. `told` hears a word
    /// about each request: `taken`, `partial`, `later` or `refused`.
    pub fn start(
        collector: Collector,
        client: reqwest::Client,
        read: impl Fn() -> String + Send + 'static,
        told: impl Fn(&'static str) + Send + 'static,
    ) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let began = nanos();
        let task = tokio::spawn(async move {
            let mut wait = collector.interval;
            let mut said: Option<Instant> = None;
            loop {
                let last = tokio::select! {
                    () = sleep(wait) => false,
                    () = stopped.cancelled() => true,
                };
                let times = Times { began, now: nanos() };
                let body = metrics::request(&read(), &collector.resource, times).to_string();
                let sent = send(&client, &collector, body).await;
                told(sent.word());
                wait = collector.interval;
                if let Sent::Later(_, Some(asked)) = sent {
                    wait = wait.max(asked.min(LONGEST));
                }
                if let Sent::Partial(why) | Sent::Later(why, _) | Sent::Refused(why) = sent
                    && said.is_none_or(|said| said.elapsed() >= SAID)
                {
                    said = Some(Instant::now());
                    tracing::warn!(?why, "the collector did not take all metrics");
                }
                if last {
                    break;
                }
            }
        });
        Self { stop, task }
    }

    /// Sends what was counted up to now, where that takes no longer than a few seconds, and ends.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if timeout(LAST, &mut self.task).await.is_err() {
            self.task.abort();
            tracing::warn!("the collector was not told of the last metrics");
        }
    }
}

fn nanos() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

/// One request. Which answers allow another one is OTLP's "Failures" and "Retryable Response Codes".
async fn send(client: &reqwest::Client, collector: &Collector, body: String) -> Sent {
    let request = client
        .post(collector.url.clone())
        .timeout(TRY)
        .headers(collector.headers.clone())
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
        .body(body);
    let answer = match request.send().await {
        Ok(answer) => answer,
        // Its text would name the whole URL.
        Err(error) => return Sent::Later(error.without_url().to_string(), None),
    };
    let status = answer.status();
    let why = format!("HTTP status {}", status.as_u16());
    match status {
        _ if status.is_success() => taken(answer).await,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            Sent::Later(why, asked.and_then(asked_for))
        }
        _ => Sent::Refused(why),
    }
}

/// How long a `Retry-After` asks for (RFC 9110 §10.2.3).
fn asked_for(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text.trim()).ok()?;
    Some(until.duration_since(SystemTime::now()).unwrap_or_default())
}

/// A success says what of the request was not taken (OTLP, "Partial Success").
async fn taken(mut answer: reqwest::Response) -> Sent {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        if body.len() + piece.len() > ANSWER {
            return Sent::Taken;
        }
        body.extend_from_slice(&piece);
    }
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let part = &said["partialSuccess"];
    let rejected = match &part["rejectedDataPoints"] {
        Value::String(text) => text.parse().unwrap_or(0),
        number => number.as_u64().unwrap_or(0),
    };
    if rejected == 0 {
        return Sent::Taken;
    }
    let words = part["errorMessage"].as_str().unwrap_or_default();
    Sent::Partial(format!("{rejected} points: {}", words.chars().take(200).collect::<String>()))
}
