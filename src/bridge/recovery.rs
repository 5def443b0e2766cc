//! What an API declares of how it is recovered: the settings, checked where they were read.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use serde_json::Value;
use url::Url;

use super::limiter::Limits;
use super::limiter::headers::LimitsRead;
use super::traffic::Traffic;

/// How an upstream is treated where it fails or limits.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// Where else its operations are, in order.
    pub fallback_urls: Vec<Url>,
    /// Whether whatever is done at one of them is known at all, so that writes that may be done
    /// twice may be repeated at another.
    pub one_state: bool,
    /// The header by which the API tells repetitions.
    pub idempotency_key: Option<HeaderName>,
    /// Which successes are none.
    pub error_when: Option<ErrorRule>,
    /// Which headers announce its limits.
    pub limits_read: LimitsRead,
    /// An answer that takes longer is slow; by default one that takes nearly all of its time.
    pub slow: Option<Duration>,
    /// What all upstreams of the API have in common.
    pub traffic: Arc<Traffic>,
}

impl Default for Recovery {
    fn default() -> Self {
        Self {
            fallback_urls: Vec::new(),
            one_state: false,
            idempotency_key: None,
            error_when: None,
            limits_read: LimitsRead::default(),
            slow: None,
            traffic: Arc::new(Traffic::new(Limits::default())),
        }
    }
}

/// Says of the value of an answer that it is an error, though its status is none.
#[derive(Clone)]
pub struct ErrorRule(Arc<dyn Fn(&Value) -> bool + Send + Sync>);

impl ErrorRule {
    /// A rule that this function decides.
    pub fn new(decides: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(decides))
    }

    pub(super) fn is_error(&self, value: &Value) -> bool {
        (self.0)(value)
    }
}

impl fmt::Debug for ErrorRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErrorRule")
    }
}
