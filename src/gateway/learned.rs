//! What was learned of APIs' limits, over restarts: read when a process begins or a reload adds an
//! API, and kept now and then, away from calls.
//!
//! A process that is killed loses what it learned in the last seconds. What is kept ends by itself:
//! a limit that was announced with its reset, a rate an hour after the last refusal.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tollbridge_operation::{ApiName, Identity};

use super::toolbox::Toolbox;
use super::{Gateway, Inner};
use crate::bridge::{LimitsLearned, Upstream};
use crate::store::{Batch, Change, LearnedRow};

/// How often what was learned is kept.
const EVERY: Duration = Duration::from_secs(5);

/// The longest that is kept of one limiter, in bytes.
const LONGEST: usize = 8 * 1024;

/// APIs, each with where it is.
pub(super) type Known = BTreeSet<(ApiName, String)>;

/// The APIs of a toolbox.
pub(super) fn known(toolbox: &Toolbox) -> Known {
    toolbox.upstreams().map(name).collect()
}

fn name(upstream: &Upstream) -> (ApiName, String) {
    (upstream.api().clone(), upstream.origin().to_owned())
}

impl Gateway {
    /// Takes up what earlier processes learned of APIs' limits, and keeps what this one learns as long
    /// as it lives. What cannot be read is learned anew.
    pub async fn remember(&self) {
        self.recall(&Known::new()).await;
        let inner = Arc::downgrade(&self.inner);
        tokio::spawn(keep_on(inner));
    }

    /// Takes up what is kept of those APIs that are not known yet.
    pub(super) async fn recall(&self, known: &Known) {
        if self.toolbox().upstreams().all(|upstream| known.contains(&name(upstream))) {
            return;
        }
        let store = self.store();
        let mut kept = self.inner.learned.lock().await;
        let rows = match store.learned_limits().await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(%error, "what was learned of limits cannot be read");
                return;
            }
        };
        let now = store.now();
        let toolbox = self.toolbox();
        let mut told = BTreeSet::new();
        for upstream in toolbox.upstreams() {
            if !told.insert(upstream.api()) || known.contains(&name(upstream)) {
                continue;
            }
            let own = |row: &&LearnedRow| {
                row.api == upstream.api().as_str() && row.origin == upstream.origin()
            };
            for row in rows.iter().filter(own) {
                let Ok(learned) = serde_json::from_str::<LimitsLearned>(&row.learned) else {
                    continue;
                };
                let Ok(whose) = row.identity.as_deref().map(Identity::new).transpose() else {
                    continue;
                };
                // Where the clock was put back, as if no time had gone by.
                let gone = u64::try_from(now.saturating_sub(row.at)).unwrap_or_default();
                let learned = learned.after(Duration::from_micros(gone));
                upstream.traffic().recall(whose.as_ref(), &learned);
                kept.0.insert((upstream.api().clone(), whose), (learned, Instant::now()));
            }
        }
    }
}

async fn keep_on(inner: Weak<Inner>) {
    loop {
        sleep(EVERY).await;
        let Some(inner) = inner.upgrade() else { return };
        keep(&inner).await;
    }
}

/// What is in the store, as far as this process knows, and since when it knows that.
#[derive(Debug, Default)]
pub(super) struct Kept(HashMap<(ApiName, Option<Identity>), (LimitsLearned, Instant)>);

/// Keeps what was learned, where it is another than it was.
pub(super) async fn keep(inner: &Inner) {
    inner.learned.lock().await.keep(inner).await;
}

impl Kept {
    async fn keep(&mut self, inner: &Inner) {
        let store = &inner.store;
        let (now, toolbox) = (store.now(), inner.toolbox.load_full());
        let (mut told, mut changes) = (BTreeSet::new(), Vec::new());
        for upstream in toolbox.upstreams() {
            if !told.insert(upstream.api()) {
                continue;
            }
            for (whose, learned) in upstream.traffic().learned() {
                let name = (upstream.api().clone(), whose);
                if self.knows(&name, &learned) {
                    continue;
                }
                let Ok(text) = serde_json::to_string(&learned) else { continue };
                // Names of limits are the upstream's.
                if text.len() > LONGEST || toolbox.redactor.text(&text) != text {
                    continue;
                }
                let good_for = i64::try_from(learned.good_for().as_micros()).unwrap_or(i64::MAX);
                changes.push(Change::KeepLearned(LearnedRow {
                    api: name.0.to_string(),
                    identity: name.1.as_ref().map(Identity::to_string),
                    origin: upstream.origin().to_owned(),
                    learned: text,
                    at: now,
                    expires: now.saturating_add(good_for),
                }));
                self.0.insert(name, (learned, Instant::now()));
            }
        }
        if changes.is_empty() {
            return;
        }
        if let Err(error) = store.commit(Batch { changes, ..Batch::default() }).await {
            tracing::warn!(%error, "what was learned of limits could not be kept");
            self.0.clear();
        }
    }

    fn knows(&self, name: &(ApiName, Option<Identity>), learned: &LimitsLearned) -> bool {
        let known = self.0.get(name);
        known.is_some_and(|(kept, since)| kept.after(since.elapsed()).says(learned))
    }
}
