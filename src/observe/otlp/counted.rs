//! Sends metrics, the whole of what was counted so far each time.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::metrics::Times;
use super::post::{Post, Sent, Signal};
use super::said::Said;
use super::{Collector, LAST, LONGEST, metrics};
use crate::observe::Metrics;

/// Sends metrics until it is stopped.
#[derive(Debug)]
pub struct Exporter {
    stop: CancellationToken,
    pub(super) task: JoinHandle<()>,
}

impl Exporter {
    /// Begins to send what `read` gives: the `OpenMetrics` text of this program. What becomes of it is
    /// counted in `told`.
    pub fn start(
        collector: &Collector,
        client: reqwest::Client,
        read: impl Fn() -> String + Send + 'static,
        told: Arc<Metrics>,
    ) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let began = nanos();
        let interval = collector.interval;
        let post = Post::new(client, collector, Signal::Metrics);
        let resource = super::resource(&collector.resource);
        let task = tokio::spawn(async move {
            let mut wait = interval;
            let mut said = Said::default();
            loop {
                let last = tokio::select! {
                    () = sleep(wait) => false,
                    () = stopped.cancelled() => true,
                };
                let times = Times { began, now: nanos() };
                let sent = post.send(&metrics::request(&read(), &resource, times)).await;
                told.exported(Signal::Metrics.word(), sent.word());
                wait = interval;
                match sent {
                    Sent::Taken => {}
                    Sent::Partial(rejected, why) => {
                        said.not_all(Signal::Metrics, &format!("{rejected} points: {why}"));
                    }
                    Sent::Later(why, asked) => {
                        wait = wait.max(asked.unwrap_or_default().min(LONGEST));
                        said.not_all(Signal::Metrics, &why);
                    }
                    Sent::Refused(why) => said.not_all(Signal::Metrics, &why),
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
