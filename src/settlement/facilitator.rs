//! The x402 facilitator: who verifies and settles payments.

use std::sync::Mutex;
use std::time::Duration;

use reqwest::Client;
use tokio::time::Instant;
use url::Url;

/// How long the facilitator may take to say what it supports. A caller waits for it before
/// it is asked to pay.
const PATIENCE: Duration = Duration::from_secs(2);

/// For how long an answer, good or bad, stands for the next calls.
const STANDS_FOR: Duration = Duration::from_secs(5);

/// A facilitator, and whether it was lately there.
#[derive(Debug)]
pub struct Facilitator {
    supported: Url,
    client: Client,
    last: Mutex<Option<(Instant, Result<(), FacilitatorError>)>>,
}

/// Nothing can be settled now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FacilitatorError {
    /// It gave no answer in time.
    #[error("the payment facilitator did not answer within {} s", PATIENCE.as_secs())]
    Timeout,
    /// It cannot be connected to.
    #[error("the payment facilitator cannot be reached")]
    Unreachable,
    /// It answered, but not that all is well.
    #[error("the payment facilitator answered with status {0}")]
    Status(u16),
}

impl Facilitator {
    /// A facilitator at its base URL. The client must not follow redirects.
    pub fn new(base: &Url, client: Client) -> Self {
        let mut supported = base.clone();
        supported.set_path(&format!("{}/supported", base.path().trim_end_matches('/')));
        Self { supported, client, last: Mutex::new(None) }
    }

    /// Whether it could settle a payment now (x402 version 2, section 7.3: `GET /supported`).
    /// What was found stands for five seconds, so that a stopped facilitator does not cost
    /// each call its patience.
    pub async fn ready(&self) -> Result<(), FacilitatorError> {
        if let Some((asked, answer)) = self.remembered()
            && asked.elapsed() < STANDS_FOR
        {
            return answer;
        }
        let answer = self.ask().await;
        if let Ok(mut last) = self.last.lock() {
            *last = Some((Instant::now(), answer.clone()));
        }
        answer
    }

    fn remembered(&self) -> Option<(Instant, Result<(), FacilitatorError>)> {
        self.last.lock().ok()?.clone()
    }

    async fn ask(&self) -> Result<(), FacilitatorError> {
        let request = self.client.get(self.supported.clone()).send();
        match tokio::time::timeout(PATIENCE, request).await {
            Err(_) => Err(FacilitatorError::Timeout),
            Ok(Err(error)) if error.is_timeout() => Err(FacilitatorError::Timeout),
            Ok(Err(_)) => Err(FacilitatorError::Unreachable),
            Ok(Ok(response)) if response.status().is_success() => Ok(()),
            Ok(Ok(response)) => Err(FacilitatorError::Status(response.status().as_u16())),
        }
    }
}
