//! What a server does for its trail while it runs: it signs it as it grows, and takes what it
//! signed elsewhere.
//!
//! No call waits for any of this, and nothing of it decides on a call. What fails is said in the
//! log once, and tried again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Anchor, Keep, Removed, Signer, checkpoint, close_orphans, retain};
use crate::store::{Batch, Change, Store};

/// How long taking an anchor elsewhere may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the trail is signed while it grows.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);

/// Every so many rounds calls of other processes that ended are closed.
const ORPHANS_EVERY: u32 = 30;

/// Every so many rounds, the first among them, what is kept no longer is removed.
const RETAIN_EVERY: u32 = 360;

/// Takes an anchor to where it is kept. The error says in words what is wrong.
pub type AnchorSink = Arc<dyn Fn(Anchor) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What a keeper does.
pub struct Keeping {
    /// Signs.
    pub signer: Signer,
    /// How often, while the trail grows.
    pub every: Duration,
    /// How long what is in it is kept.
    pub keep: Keep,
    /// Takes anchors elsewhere.
    pub anchors: Option<AnchorSink>,
}

impl fmt::Debug for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signer, every, keep, anchors: _ } = self;
        let mut form = f.debug_struct("Keeping");
        form.field("signer", &signer.key())
            .field("every", every)
            .field("keep", keep)
            .finish_non_exhaustive()
    }
}

/// A trail that is being kept.
#[derive(Debug)]
pub struct Keeper {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Begins to keep the trail in a store.
    pub fn start(store: Store, keeping: Keeping) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut work = Work { store, keeping, taken: 0, rounds: 0, complained: false };
            while tokio::time::timeout(work.keeping.every, stopped.cancelled()).await.is_err() {
                work.rounds += 1;
                if work.rounds.is_multiple_of(ORPHANS_EVERY)
                    && let Err(error) = close_orphans(&work.store).await
                {
                    tracing::warn!(%error, "calls of ended processes are not closed yet");
                }
                if work.rounds % RETAIN_EVERY == 1 {
                    work.retain().await;
                }
                work.sign().await;
            }
            work.sign().await;
        });
        Self { stop, task }
    }

    /// Signs what there is, and ends.
    pub async fn stop(self) {
        self.stop.cancel();
        // It ends by itself: all that it waits for has a bound.
        let _ = self.task.await;
    }
}

struct Work {
    store: Store,
    keeping: Keeping,
    /// Up to which event an anchor was taken elsewhere.
    taken: i64,
    rounds: u32,
    complained: bool,
}

impl Work {
    async fn retain(&self) {
        let Keeping { signer, keep, .. } = &self.keeping;
        if *keep == Keep::default() {
            // A server that little comes to drops what runs out by this alone.
            let changes = vec![Change::Sweep];
            if let Err(error) = self.store.commit(Batch { changes, ..Batch::default() }).await {
                tracing::warn!(%error, "what ran out is kept until later");
            }
            return;
        }
        match retain(&self.store, signer, *keep).await {
            Ok(removed) if removed == Removed::default() => {}
            Ok(removed) => {
                tracing::info!(payloads = removed.payloads, upto = removed.upto, "retention");
            }
            Err(error) => tracing::warn!(%error, "the trail keeps more than it is to"),
        }
    }

    async fn sign(&mut self) {
        match self.try_sign().await {
            Ok(()) => self.complained = false,
            Err(error) if !self.complained => {
                self.complained = true;
                tracing::warn!(%error, "the trail cannot be signed now; it is tried again");
            }
            Err(_) => {}
        }
    }

    async fn try_sign(&mut self) -> Result<(), String> {
        let signed = checkpoint(&self.store, &self.keeping.signer).await;
        let Some(signed) = signed.map_err(|error| error.to_string())? else { return Ok(()) };
        let Some(take) = &self.keeping.anchors else { return Ok(()) };
        if signed.anchor.seq <= self.taken {
            return Ok(());
        }
        let seq = signed.anchor.seq;
        take_elsewhere(take, signed.anchor).await?;
        self.taken = seq;
        Ok(())
    }
}

/// Takes an anchor to where it is kept, in bounded time. The error says in words what is wrong.
pub async fn take_elsewhere(sink: &AnchorSink, anchor: Anchor) -> Result<(), String> {
    let taken = tokio::time::timeout(PATIENCE, sink(anchor)).await;
    let late = |_| format!("the anchor was not taken within {} s", PATIENCE.as_secs());
    taken.map_err(late)?
}
