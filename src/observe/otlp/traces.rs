//! Sends the spans of requests, some together, and again where the collector asks for that.
//!
//! Nothing waits for it. What is not taken in a few tries is dropped and counted, and so is what
//! finds no room in the queue while it tries.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::post::{Post, Sent, Signal};
use super::said::Said;
use super::{Collector, LAST, LONGEST, spans};
use crate::observe::Metrics;
use crate::observe::spans::{Done, Taken, Tracer, queue};

/// How long spans wait for others: what the specification of OpenTelemetry's batch processor has.
const GATHER: Duration = Duration::from_secs(5);

/// How many spans are sent at once, the last call's all among them: as it has that, too.
const BATCH: usize = 512;

/// How often one request is tried.
const TRIES: u32 = 5;

/// How long is waited before the second try, where the collector does not say: twice as long before
/// each further one.
const FIRST: Duration = Duration::from_secs(1);

/// Sends spans until it is stopped.
#[derive(Debug)]
pub struct TraceExporter {
    tracer: Tracer,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl TraceExporter {
    /// Begins to send what the [`tracer`](Self::tracer) takes. What becomes of it is counted.
    pub fn start(collector: &Collector, client: reqwest::Client, metrics: Arc<Metrics>) -> Self {
        Self::paced(collector, client, metrics, (GATHER, FIRST))
    }

    /// The same with its own times: for gathering, and before a second try.
    pub(super) fn paced(
        collector: &Collector,
        client: reqwest::Client,
        metrics: Arc<Metrics>,
        (gather, first): (Duration, Duration),
    ) -> Self {
        let (tracer, taken) = queue();
        let stop = CancellationToken::new();
        let sender = Sender {
            post: Post::new(client, collector, Signal::Traces),
            resource: super::resource(&collector.resource),
            metrics: Arc::clone(&metrics),
            stop: stop.clone(),
            gather,
            first,
            said: Said::default(),
        };
        let task = tokio::spawn(sender.run(taken));
        Self { tracer, metrics, stop, task }
    }

    /// Where spans are left.
    pub fn tracer(&self) -> Tracer {
        self.tracer.clone()
    }

    /// Sends what waits, where that takes no longer than a few seconds, and ends. What is left then
    /// is dropped.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if timeout(LAST, &mut self.task).await.is_err() {
            self.task.abort();
        }
        let left = self.tracer.waiting();
        if left > 0 {
            self.metrics.spans("dropped", left as u64);
            tracing::warn!(spans = left, "the collector was not told of the last spans");
        }
    }
}

/// What sends.
struct Sender {
    post: Post,
    resource: Value,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    gather: Duration,
    first: Duration,
    said: Said,
}

impl Sender {
    async fn run(mut self, mut taken: Taken) {
        loop {
            let (batch, is_last) = self.together(&mut taken).await;
            if !batch.is_empty() {
                let count = batch.iter().map(|done| done.spans()).sum();
                self.deliver(&batch, count).await;
                taken.free(&batch);
            } else if is_last {
                return;
            }
            let refused = taken.refused();
            if refused > 0 {
                let why = format!("there was no room for {refused} spans that waited for it");
                self.said.not_all(Signal::Traces, &why);
            }
        }
    }

    /// What is sent in one request, and whether there is to be no other one.
    async fn together(&self, taken: &mut Taken) -> (Vec<Box<Done>>, bool) {
        let (mut batch, mut spans) = (Vec::new(), 0);
        let mut until = None;
        while spans < BATCH {
            let more = tokio::select! {
                biased;
                more = taken.done.recv() => more,
                () = self.stop.cancelled() => None,
                () = at(until) => return (batch, false),
            };
            let Some(done) = more else { return (batch, true) };
            until = until.or_else(|| Some(Instant::now() + self.gather));
            spans += done.spans();
            batch.push(done);
        }
        (batch, false)
    }

    async fn deliver(&mut self, batch: &[Box<Done>], count: usize) {
        let count = count as u64;
        let message = spans::request(batch, &self.resource);
        let mut wait = self.first;
        for n in 1..=TRIES {
            let sent = self.post.send(&message).await;
            self.metrics.exported(Signal::Traces.word(), sent.word());
            match sent {
                Sent::Taken => return self.metrics.spans("taken", count),
                Sent::Partial(rejected, why) => {
                    let rejected = rejected.min(count);
                    self.metrics.spans("rejected", rejected);
                    self.metrics.spans("taken", count - rejected);
                    return self.said.not_all(Signal::Traces, &format!("{rejected} spans: {why}"));
                }
                Sent::Refused(why) => {
                    self.metrics.spans("rejected", count);
                    return self.said.not_all(Signal::Traces, &why);
                }
                Sent::Later(why, asked) => {
                    self.said.not_all(Signal::Traces, &why);
                    if n == TRIES {
                        break;
                    }
                    let pause = asked.map_or_else(|| jittered(wait), |asked| asked.min(LONGEST));
                    wait *= 2;
                    // The end of the process is a reason to try at once, one time.
                    let ends = self.stop.is_cancelled();
                    tokio::select! {
                        () = sleep(pause) => {}
                        () = self.stop.cancelled(), if !ends => {}
                    }
                }
            }
        }
        self.metrics.spans("dropped", count);
    }
}

/// A wait, or up to half of it more, so that not all who were turned away come back at once.
fn jittered(wait: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness, none.
    let _ = getrandom::fill(&mut byte);
    wait.mul_f64(1.0 + f64::from(byte[0]) / 512.0)
}

/// At that time; never, where there is none.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
