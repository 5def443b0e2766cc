//! What is said of a collector that does not take all: at most a line a minute.

use std::time::Duration;

use tokio::time::Instant;

use super::post::Signal;

/// How often a log line says that nothing comes through.
const OFTEN: Duration = Duration::from_mins(1);

/// When it was said last.
#[derive(Debug, Default)]
pub(super) struct Said(Option<Instant>);

impl Said {
    /// Says that the collector did not take everything, unless that was said just now.
    pub(super) fn not_all(&mut self, signal: Signal, why: &str) {
        if self.0.is_none_or(|said| said.elapsed() >= OFTEN) {
            self.0 = Some(Instant::now());
            tracing::warn!(?why, "the collector did not take all {}", signal.word());
        }
    }
}
