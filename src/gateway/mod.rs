//! The pipeline of one call, and the toolbox that it runs on. The only place where the
//! layers meet: agent interface, safety, settlement, bridge, audit trail.
//!
//! [`compile`] makes a [`Toolbox`] of a configuration and the descriptions that it names.
//! [`Gateway::call`] takes one call through it. Data flows one way: a later stage takes the
//! value that the earlier one returned, so a call that nobody decided on, or that is not on
//! record, cannot reach the bridge.
//!
//! The gateway does not know MCP: front ends (`agent`, `cli`) hand it a [`CallRequest`] and
//! render the [`Reply`].

mod approvals;
mod asking;
mod cache;
mod changed;
mod compared;
mod compile;
mod considered;
mod counts;
mod discovery;
mod ending;
mod failure;
mod fallback;
mod judge;
mod kept;
mod learned;
mod load;
mod notices;
mod operate;
mod own;
mod pipeline;
mod protection;
mod record;
mod reload;
mod reply;
mod request;
mod seen;
mod state;
mod storm;
mod tasks;
mod toolbox;
mod vault;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tollbridge_operation::Identity;

pub use crate::audit::{ConsideredRow, Place, Time, new_call_id};
pub use crate::identity::KeyHolder;
pub use crate::identity::{Agent, Claim, Facts, Proof};
pub use crate::observe::{Message, OTHER_METHOD, OperationEnd, Origin};
pub use crate::safety::edit::{Edit, between as edits_between};
pub use crate::store::{HoldRow, StoreError, TaskRow, TaskState, is_erased};
pub use approvals::{Approver, approve, edit, edits_shown, given, held, hold_json, reject};
pub use asking::{Answer, Answered, Asker, Asking, Question};
pub use compared::{compare_descriptions, compare_toolboxes};
pub use compile::{Compared, Compiled, Secrets, compile, durability, origin};
pub use discovery::{Discovery, Hit, Meta, Results, View};
pub use ending::{Defect, ToItsEnd};
pub use fallback::{Fallback, Lookup, Mapping, Substitute};
pub use judge::{Judged, Supposed, judge};
pub use load::Bounds;
pub use notices::Webhook;
pub use operate::{OperateError, add_key, resume, revoke_key, scope_text, stop, switches};
pub use own::{OwnAttempt, OwnCall};
pub use protection::{Places, Protection};
pub use reload::{Changes, Loaded, load, watch};
pub use reply::{
    CallMeta, EditNotice, ErrorCode, Failure, HoldNotice, NextCall, PendingNotice, Reply, Success,
    UpstreamAnswer, Violation,
};
pub use request::{CallRequest, CallWatch, Caller, OtherRequest, Progress, Refused, Transport};
pub use seen::Seen;
pub use toolbox::{Exposed, Offer, Parts, ReadsWhenDown, Toolbox};

use cache::Cache;
use load::Load;
use notices::Notices;
use pipeline::Ground;
use state::Seal;

use crate::audit::{Event, Keeper};
use crate::bridge::{Preview, Standing};
use crate::identity::{self, Known, NotKnown};
use crate::observe::{ApiStanding, CALL, McpRequest, Metrics, Tracer};
use crate::safety::Conduct;
use crate::store::{Batch, CommitError, Store};

/// The bridge between agents and APIs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    toolbox: ArcSwap<Toolbox>,
    changed: watch::Sender<u64>,
    load: Load,
    conduct: Conduct,
    calls: TaskTracker,
    metrics: Arc<Metrics>,
    cache: Cache,
    keeper: Mutex<Option<Keeper>>,
    seal: ArcSwap<Seal>,
    notices: Notices,
    learned: tokio::sync::Mutex<learned::Kept>,
    tracer: OnceLock<Tracer>,
}

/// What a call would do.
#[derive(Debug, serde::Serialize)]
pub struct DryRun {
    /// What was decided, by which rules.
    pub decision: DryDecision,
    /// What it would cost.
    pub price: Option<String>,
    /// The request that would be sent, secrets redacted.
    pub request: Preview,
}

/// The decision on a call that was not made.
#[derive(Debug, serde::Serialize)]
pub struct DryDecision {
    /// `allow`, `deny` or `hold`.
    pub effect: &'static str,
    /// The rules that said so.
    pub rules: Vec<String>,
    /// Why, where it is denied.
    pub reason: Option<String>,
    /// The policies that were considered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub considered: Vec<ConsideredRow>,
}

/// A dry run that came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum DryRunError {
    /// There is no such tool for this caller.
    #[error("unknown tool `{0}`")]
    UnknownTool(String),
    /// The call would be refused before any decision.
    #[error("{}", .0.message)]
    Failed(Box<Failure>),
    /// Holds or the kill switch cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Gateway {
    /// A gateway on an open store.
    pub fn new(store: Store, toolbox: Toolbox, metrics: Arc<Metrics>) -> Self {
        vault::attach(&store, &toolbox);
        let seal = ArcSwap::from_pointee(Seal::of(&store, &toolbox));
        Self {
            inner: Arc::new(Inner {
                store,
                toolbox: ArcSwap::from_pointee(toolbox),
                changed: watch::Sender::new(0),
                load: Load::default(),
                conduct: Conduct::default(),
                calls: TaskTracker::new(),
                metrics,
                cache: Cache::default(),
                keeper: Mutex::new(None),
                seal,
                notices: Notices::default(),
                learned: tokio::sync::Mutex::default(),
                tracer: OnceLock::new(),
            }),
        }
    }

    /// Has the trail kept until the gateway is closed.
    pub fn keep_trail(&self, keeper: Keeper) {
        *self.keeper() = Some(keeper);
    }

    /// Has the spans of requests go there from now on. To be said once.
    pub fn trace_requests(&self, tracer: Tracer) {
        if self.inner.tracer.set(tracer).is_err() {
            tracing::error!("the spans of requests go elsewhere already");
        }
    }

    /// Whether requests have spans.
    pub fn traces(&self) -> bool {
        self.inner.tracer.get().is_some()
    }

    /// Measures a request of MCP that was answered and reached no layer, and tells of it in a span.
    pub fn answered(&self, request: OtherRequest, took: Duration) {
        let OtherRequest { transport, method, prompt, resource, revision, end, origin } = request;
        let Some(channel) = transport.channel() else { return };
        let request = McpRequest { method, tool: None, prompt, revision, channel, end };
        self.inner.metrics.operation(request, took);
        if let Some(tracer) = self.inner.tracer.get() {
            let told = tracer.answered(request, resource, origin, took);
            spans_ended(&self.inner.metrics, told);
        }
    }

    fn keeper(&self) -> MutexGuard<'_, Option<Keeper>> {
        self.inner.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one call through every layer. Where the future is dropped the call is cancelled, and
    /// its end is still recorded.
    pub async fn call(
        &self,
        caller: Caller,
        mut request: CallRequest,
        watch: CallWatch,
    ) -> Result<Reply, Refused> {
        let started = Instant::now();
        let id = watch.id.clone().unwrap_or_else(new_call_id);
        let cancel = watch.cancel.child_token();
        let _cancel_on_drop = cancel.clone().drop_guard();
        let watch = CallWatch { cancel, ..watch };
        let inner = Arc::clone(&self.inner);
        let task_id = id.clone();
        let (channel, revision) = (caller.transport.channel(), request.revision);
        let spans = self.inner.tracer.get().zip(channel).and_then(|(tracer, channel)| {
            let origin = Origin { trace: request.trace.clone(), message: request.message.take() };
            tracer.begin(&id, origin, channel)
        });
        let begun = spans.clone();
        let call = self.inner.calls.track_future(async move {
            let toolbox = inner.toolbox.load_full();
            if toolbox.discovery.is_some() && Meta::named(&request.tool).is_some() {
                look_ahead(&toolbox, &caller).await;
            }
            let seal = inner.seal.load();
            let _counted = inner.metrics.in_flight();
            let admitted = inner.load.admit(toolbox.bounds);
            let ground = Ground {
                store: &inner.store,
                toolbox: &toolbox,
                latest: Some(&inner.toolbox),
                metrics: &inner.metrics,
                cache: &inner.cache,
                conduct: &inner.conduct,
                held: admitted.as_ref().ok().map(|admitted| &admitted.held),
                load: Some(&inner.load),
                notices: &inner.notices,
                seal: &seal,
                spans: spans.as_ref(),
            };
            let mut called = Some(request.tool.clone());
            let answer = match admitted {
                Ok(_) if let Some((meta, tool)) = toolbox.discovers(&request.tool, &caller) => {
                    let asked = (meta, tool);
                    let answered =
                        discovery::answer(task_id, ground, &caller, request, watch, asked);
                    let discovery::Answered { answer, called: by } = Box::pin(answered).await;
                    called = by;
                    answer
                }
                Ok(_) => pipeline::run(task_id, ground, &caller, request, watch).await,
                Err(why) => {
                    Box::pin(pipeline::overloaded(task_id, ground, &caller, request, why)).await
                }
            };
            let (tool, outcome) = match &answer {
                Ok(reply) => (called.as_deref(), reply.outcome()),
                Err(Refused::UnknownTool { .. }) => (None, "unknown_tool"),
                Err(Refused::Unrecorded) => (None, ErrorCode::AuditUnavailable.as_str()),
            };
            if let Some(rule) = toolbox.storm {
                storm::watch(&inner.store, &inner.conduct, rule, &caller.identity, &answer).await;
            }
            if let Some(rule) = toolbox.drift
                && let Some(tool) = called.as_deref().and_then(|name| toolbox.name(name))
            {
                // Whatever was answered, there is such a tool: others have no answer that drifts.
                storm::drifted(&inner.store, &inner.conduct, rule, tool, &answer).await;
            }
            // Here, because the client may have gone and nobody wait for this.
            let took = started.elapsed();
            inner.metrics.call(tool, outcome, took);
            if let Some(channel) = channel {
                let end = operation_end(&answer);
                let request =
                    McpRequest { method: CALL, tool, prompt: None, revision, channel, end };
                inner.metrics.operation(request, took);
                if let Some(spans) = &spans {
                    spans_ended(&inner.metrics, spans.end(tool, end, outcome));
                }
            }
            answer
        });
        match ToItsEnd::new(call).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(call = %id, %error, "a call ended in a defect");
                // The name that was asked for may be anything.
                let (metrics, took) = (&self.inner.metrics, started.elapsed());
                metrics.call(None, ErrorCode::Internal.as_str(), took);
                if let Some(channel) = channel {
                    let end = OperationEnd::ToolError;
                    let request = McpRequest {
                        method: CALL,
                        tool: None,
                        prompt: None,
                        revision,
                        channel,
                        end,
                    };
                    metrics.operation(request, took);
                }
                if let Some(spans) = begun {
                    let outcome = ErrorCode::Internal.as_str();
                    spans_ended(metrics, spans.end(None, OperationEnd::ToolError, outcome));
                }
                Ok(Box::pin(self.defect(id)).await)
            }
        }
    }

    /// The reply to a call that panicked. It is recorded, so that the trail does not
    /// show it running for ever.
    async fn defect(&self, id: tollbridge_operation::CallId) -> Reply {
        let failure = Failure::new(
            ErrorCode::Internal,
            "a defect of the bridge; whether the call had its effect is not known",
        );
        let event = Event::Replied {
            outcome: ErrorCode::Internal.as_str().to_owned(),
            message: Some(failure.message.clone()),
            attempts: 0,
            status: None,
            served_by: None,
            upstream_ms: 0,
            bytes: 0,
            cost: None,
            duration_ms: 0,
        };
        self.record(Some(&id), &event).await;
        Reply { meta: CallMeta::unsent(id), result: Err(failure) }
    }

    /// What a call would do: the decision and the request, with nothing sent or recorded.
    pub async fn dry_run(
        &self,
        caller: &Caller,
        request: &CallRequest,
    ) -> Result<DryRun, DryRunError> {
        let toolbox = self.inner.toolbox.load_full();
        let id = new_call_id();
        let seal = self.inner.seal.load();
        let ground = Ground {
            store: &self.inner.store,
            toolbox: &toolbox,
            latest: None,
            metrics: &self.inner.metrics,
            cache: &self.inner.cache,
            conduct: &self.inner.conduct,
            held: None,
            load: None,
            notices: &self.inner.notices,
            seal: &seal,
            spans: None,
        };
        pipeline::rehearse(id, ground, caller, request).await
    }

    /// The tools that a caller is offered.
    pub fn offer(&self, caller: &Caller) -> Arc<Offer> {
        let toolbox = self.inner.toolbox.load();
        toolbox.offer(caller)
    }

    /// Records a message that was no valid request.
    pub async fn malformed(
        &self,
        transport: Transport,
        identity: Option<Identity>,
        reason: String,
    ) {
        self.inner.metrics.malformed(transport.as_str());
        let id = new_call_id();
        let event = Event::Malformed {
            transport: transport.as_str().to_owned(),
            identity: identity.as_ref().map(Arc::from),
            reason,
        };
        self.record(Some(&id), &event).await;
    }

    async fn record(&self, call: Option<&tollbridge_operation::CallId>, event: &Event) {
        let redactor = Arc::clone(&self.inner.toolbox.load().trail);
        let events = vec![event.row(call, self.inner.store.now(), &redactor)].into();
        if let Err(error) = self.inner.store.commit(Batch { events, ..Batch::default() }).await {
            tracing::error!(%error, "an event could not be recorded");
        }
    }

    /// Whether calls could be recorded now.
    pub async fn probe(&self) -> Result<(), CommitError> {
        // An empty batch is a transaction of its own: it needs the writer and the file's lock.
        self.inner.store.commit(Batch::default()).await.map(drop)
    }

    /// Whom a bearer's key or token stands for. `keys`: whether those of ours count. `certificate`
    /// is the SHA-256 of the certificate that the connection proved, to which a token may be bound
    /// (RFC 8705 §3.1).
    pub async fn bearer(
        &self,
        presented: &str,
        keys: bool,
        certificate: Option<&str>,
    ) -> Result<Known, NotKnown> {
        const NO_KEY: NotKnown = NotKnown::Invalid("the key is unknown, expired or revoked");
        let tokens = self.inner.toolbox.load().tokens.clone();
        match tokens {
            Some(tokens) if !keys || !presented.starts_with(identity::KEY_PREFIX) => {
                tokens.verify(presented, certificate).await
            }
            _ if !keys => Err(NO_KEY),
            _ => {
                let store = &self.inner.store;
                let found = identity::verify(store, presented, store.now()).await;
                let identity = found.map_err(|error| {
                    tracing::error!(%error, "keys cannot be verified");
                    NotKnown::Unavailable
                })?;
                let identity = identity.ok_or(NO_KEY)?;
                let facts = Facts::of_key();
                Ok(Known { identity, groups: Vec::new(), facts, expires: None })
            }
        }
    }

    /// Whose an approver's key is; `None` for one that is no such key, revoked or expired.
    pub async fn approver(&self, presented: &str) -> Result<Option<KeyHolder>, StoreError> {
        let store = &self.inner.store;
        identity::verify_approver(store, presented, store.now()).await
    }

    /// Whether the key with which somebody came is still good.
    pub async fn approver_still(&self, who: &KeyHolder) -> Result<bool, StoreError> {
        let store = &self.inner.store;
        identity::is_still_approver(store, who, store.now()).await
    }

    /// Swaps the toolbox. Calls in flight end on the old one.
    pub async fn swap(&self, mut toolbox: Toolbox) {
        toolbox.succeed(&self.inner.toolbox.load());
        vault::attach(&self.inner.store, &toolbox);
        if let Some(key) = vault::KeyAt::of(&self.inner.store, &toolbox) {
            self.inner.seal.store(Arc::new(Seal::new(key)));
        }
        let config = toolbox.config.clone();
        let tools = u32::try_from(toolbox.exposed().len()).unwrap_or(u32::MAX);
        let known = learned::known(&self.inner.toolbox.load());
        self.inner.toolbox.store(Arc::new(toolbox));
        self.recall(&known).await;
        self.record(None, &Event::ConfigLoaded { config, tools }).await;
        self.inner.changed.send_modify(|times| *times += 1);
    }

    /// Ticks when the toolbox was swapped.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// The toolbox as it is now.
    pub fn toolbox(&self) -> Arc<Toolbox> {
        self.inner.toolbox.load_full()
    }

    /// The toolbox, once what the caller may find has its index.
    pub async fn viewed(&self, caller: &Caller) -> Arc<Toolbox> {
        let toolbox = self.toolbox();
        look_ahead(&toolbox, caller).await;
        toolbox
    }

    /// What is counted and measured, as text: how APIs are is looked at now.
    pub fn metrics_text(&self) -> String {
        let metrics = &self.inner.metrics;
        metrics.held(self.inner.load.held());
        metrics.forget_apis();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            metrics.runtime_tasks(runtime.metrics().num_alive_tasks());
        }
        let toolbox = self.inner.toolbox.load();
        let mut told = BTreeSet::new();
        for upstream in toolbox.upstreams() {
            if told.insert(upstream.api().clone()) {
                let traffic = upstream.traffic();
                let Standing { in_flight, waiting, learned, left } = traffic.standing();
                let standing = ApiStanding { in_flight, waiting, learned, left };
                metrics.api(upstream.api().as_str(), standing, &traffic.hosts());
            }
        }
        for (name, gate) in &toolbox.limits {
            let Standing { in_flight, waiting, .. } = gate.standing();
            metrics.limit_group(name, in_flight, waiting);
        }
        metrics.encode()
    }

    /// What is counted and measured.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// The same, for who counts on when the gateway is closed.
    pub fn shared_metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.inner.metrics)
    }

    /// The store, for reads and for operators' acts.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Waits for the calls in flight, and closes the store.
    pub async fn close(self) {
        self.inner.calls.close();
        self.inner.calls.wait().await;
        self.inner.notices.settle().await;
        // A token that is issued now renews the next one: it must be kept.
        for source in &self.inner.toolbox.load().sources {
            source.quiet().await;
        }
        learned::keep(&self.inner).await;
        let keeper = self.keeper().take();
        if let Some(keeper) = keeper {
            keeper.stop().await;
        }
        self.inner.store.clone().close().await;
    }
}

/// Counts spans that there was no room for.
fn spans_ended(metrics: &Metrics, ended: Result<(), usize>) {
    if let Err(dropped) = ended {
        metrics.spans("dropped", dropped as u64);
    }
}

/// How a call ended for who speaks MCP.
fn operation_end(answer: &Result<Reply, Refused>) -> OperationEnd {
    match answer {
        Ok(Reply { result: Ok(_), .. }) => OperationEnd::Good,
        // A question to the person at the client is no failure.
        Ok(Reply { result: Err(Failure { hold: Some(hold), .. }), .. })
            if hold.question.is_some() =>
        {
            OperationEnd::Good
        }
        Ok(Reply { result: Err(_), .. }) | Err(Refused::Unrecorded) => OperationEnd::ToolError,
        // "Invalid params", which MCP has for a tool that there is not.
        Err(Refused::UnknownTool { .. }) => OperationEnd::Rpc(-32602),
    }
}

/// Makes the index of what the caller may find, where there is none yet: apart from what serves
/// other calls, since it takes a while.
async fn look_ahead(toolbox: &Arc<Toolbox>, caller: &Caller) {
    let seen = toolbox.seen(caller);
    if !toolbox.has_view(&seen) {
        let toolbox = Arc::clone(toolbox);
        let made = tokio::task::spawn_blocking(move || drop(toolbox.view_for(seen))).await;
        if let Err(error) = made {
            tracing::error!(%error, "the index of what may be found could not be made");
        }
    }
}

/// The files that a configuration was made of: a change of any calls for a reload.
pub type Sources = Vec<PathBuf>;
