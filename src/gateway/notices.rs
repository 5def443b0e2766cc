//! Telling others that a call waits for a person: a signed webhook.
//!
//! It goes as Standard Webhooks has it (standard-webhooks/spec): an id, a time, and an HMAC over
//! both with the body, so that a receiver can tell what is from us and what is a replay. A call
//! never waits for it. What cannot be delivered after a few tries is given up: the hold is in the
//! store, and `tollbridge approve ls` shows it.
//!
//! Its host is one that the configuration names, and is resolved under the same guard as an API's;
//! redirects are not followed. What is sent is what the person who decides is shown: redacted.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use url::Url;

use super::approvals::hold_json;
use crate::audit::Time;
use crate::secret::Secret;
use crate::store::{HoldRow, system_clock};

/// How many are under way at once; more are dropped, and said to be.
const MOST: usize = 64;

/// How long one try may take.
const TRY: Duration = Duration::from_secs(10);

/// What is waited before each further try.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
];

/// How long the end of the process waits for those that are under way.
const LAST: Duration = Duration::from_secs(5);

/// Where it is told.
#[derive(Clone)]
pub struct Webhook {
    url: Url,
    key: hmac::Key,
    /// Where people reach the pages.
    pages: Option<Url>,
    client: reqwest::Client,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Webhook(…)")
    }
}

impl Webhook {
    /// A webhook at this URL, signed with this secret.
    pub(super) fn new(
        url: Url,
        secret: &Secret,
        pages: Option<Url>,
        client: reqwest::Client,
    ) -> Self {
        // `whsec_` and base64 is how the secret is written where both sides know the standard.
        let text = secret.expose();
        let decoded = text.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
        let key = hmac::Key::new(hmac::HMAC_SHA256, decoded.as_deref().unwrap_or(text.as_bytes()));
        Self { url, key, pages, client }
    }

    /// The signature of a message.
    fn signature(&self, id: &str, seconds: i64, body: &str) -> String {
        let signed = hmac::sign(&self.key, format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(signed))
    }

    fn body(&self, row: &HoldRow, now: i64) -> String {
        let mut data = hold_json(row);
        if let Some(pages) = &self.pages
            && let Ok(link) = pages.join(&format!("/approvals/{}", row.id))
        {
            data["link"] = link.as_str().into();
        }
        json!({ "type": "approval.held", "timestamp": Time(now), "data": data }).to_string()
    }

    /// One try; why it did not go through, and whether another one may.
    async fn send(&self, id: &str, now: i64, body: &str) -> Result<(), (String, bool)> {
        let seconds = now / 1_000_000;
        let request = self
            .client
            .post(self.url.clone())
            .timeout(TRY)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", self.signature(id, seconds, body))
            .body(body.to_owned());
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => {
                let status = answer.status();
                let again = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
                Err((format!("HTTP status {}", status.as_u16()), again))
            }
            Err(error) => Err((error.without_url().to_string(), true)),
        }
    }
}

/// What is being told.
#[derive(Debug)]
pub(super) struct Notices {
    tasks: TaskTracker,
    places: Arc<Semaphore>,
}

impl Default for Notices {
    fn default() -> Self {
        Self { tasks: TaskTracker::new(), places: Arc::new(Semaphore::new(MOST)) }
    }
}

impl Notices {
    /// Tells of a call that waits from now on.
    pub(super) fn held(&self, webhook: Option<&Webhook>, row: &HoldRow) {
        let Some(webhook) = webhook.filter(|_| row.asks_operator) else { return };
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!(hold = row.id, "the webhook is behind; this call is not told of");
            return;
        };
        let (webhook, hold) = (webhook.clone(), row.id.clone());
        let body = webhook.body(row, system_clock());
        self.tasks.spawn(async move {
            let mut pauses = PAUSES.into_iter();
            loop {
                match webhook.send(&hold, system_clock(), &body).await {
                    Ok(()) => break,
                    Err((why, true)) if let Some(pause) = pauses.next() => {
                        tracing::info!(hold, why, "the webhook is tried again");
                        tokio::time::sleep(pause).await;
                    }
                    Err((why, _)) => {
                        tracing::warn!(hold, why, "the webhook could not be told of a held call");
                        break;
                    }
                }
            }
            drop(place);
        });
    }

    /// Waits a little for what is under way.
    pub(super) async fn settle(&self) {
        self.tasks.close();
        if tokio::time::timeout(LAST, self.tasks.wait()).await.is_err() {
            tracing::warn!("the webhook was not told of all held calls before the end");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(secret: &str) -> Webhook {
        let url = Url::parse("https://hooks.example.com/x").expect("a URL");
        let client = crate::bridge::http_client().expect("a client");
        let pages = Url::parse("https://bridge.example.com").ok();
        Webhook::new(url, &Secret::new(secret), pages, client)
    }

    /// The example of the specification's reference libraries.
    #[test]
    fn a_message_is_signed_as_the_standard_has_it() {
        let webhook = webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signature = webhook.signature(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            "{\"test\": 2432232314}",
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_told_has_the_way_to_the_page() {
        let row = HoldRow { id: "h_1".into(), given: "{}".into(), ..HoldRow::default() };
        let body: serde_json::Value =
            serde_json::from_str(&webhook("s").body(&row, 0)).expect("JSON");
        assert_eq!(body["type"], "approval.held");
        assert_eq!(body["data"]["link"], "https://bridge.example.com/approvals/h_1");
        assert_eq!(body["data"]["id"], "h_1");
    }
}
