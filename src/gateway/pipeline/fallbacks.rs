//! What is tried when a tool's own operation could not answer, in the order that the
//! configuration declares: another operation, the last good answer, a declared one.
//!
//! A read falls back after whatever may pass, a write only where certainly nothing was done.

use serde_json::Map;
use tokio::time::timeout_at;
use tollbridge_operation::{Call, Effect, Payload, digest_value};

use super::budgets::Reserving;
use super::{Run, budgets};
use crate::audit::Event;
use crate::bridge::{
    self, Failed, FailureKind, Instead, Manner, Outcome, Report, Upstream, Within,
};
use crate::gateway::cache::{CacheKey, CachedAnswer};
use crate::gateway::fallback::{Fallback, Substitute};
use crate::gateway::record::{Attempts, Steps};
use crate::gateway::toolbox::Exposed;
use crate::settlement::Cleared;
use crate::store::{Amount, Batch, CommitError, Guard};

/// A report, in words where it is from, and whether it is an answer though nothing was done.
pub(super) struct Fallen {
    pub(super) report: Report,
    pub(super) note: Option<String>,
    pub(super) undone: bool,
}

impl Fallen {
    fn not(report: Report) -> Self {
        Self { report, note: None, undone: false }
    }
}

/// Whether anything may stand in for what failed.
fn may_stand_in(exposed: &Exposed, failed: &Failed) -> bool {
    let passing = match failed.kind {
        FailureKind::UpstreamUnavailable
        | FailureKind::UpstreamTimeout
        | FailureKind::CircuitOpen
        | FailureKind::RateLimited
        | FailureKind::Overloaded => true,
        FailureKind::UpstreamError => {
            failed.upstream.as_ref().is_some_and(|said| said.status >= 500)
        }
        _ => false,
    };
    passing && (exposed.tool.operation.effect == Effect::Read || failed.untouched)
}

/// Whether a failure of what stood in is the end: it may have done what nothing else may do once
/// more, or nobody waits any longer.
fn is_the_end(substitute: &Substitute, failed: &Failed) -> bool {
    failed.kind == FailureKind::Cancelled
        || (substitute.operation.effect != Effect::Read && !failed.untouched)
}

impl Run<'_> {
    /// Keeps a good answer where it may be one later, and finds another one for a failure.
    pub(super) async fn fall_back(
        &mut self,
        exposed: &Exposed,
        cleared: &Cleared<Call>,
        mut report: Report,
        within: Within<'_>,
        steps: &mut Steps,
    ) -> Fallen {
        let call = cleared.get();
        let failed = match &report.outcome {
            Outcome::Done { payload, headers, .. } => {
                if exposed.fallbacks.iter().any(|one| matches!(one, Fallback::Cached { .. })) {
                    let answer =
                        CachedAnswer { payload: payload.clone(), headers: headers.clone() };
                    self.ground.cache.keep(cache_key(call, &exposed.upstream), answer);
                }
                return Fallen::not(report);
            }
            Outcome::Failed(failed) => failed.clone(),
        };
        if !may_stand_in(exposed, &failed) || within.cancel.is_cancelled() {
            return Fallen::not(report);
        }
        self.touched |= !budgets::nothing_done(&report, &failed);
        let (name, why) = (&exposed.tool.name, exposed.protection.told_of(&failed));
        for fallback in &exposed.fallbacks {
            let (payload, headers, from, words) = match fallback {
                Fallback::Operation(substitute) => {
                    let asked = self.substitute(
                        exposed,
                        cleared,
                        substitute,
                        (&report, &why),
                        within,
                        steps,
                    );
                    let Some(done) = asked.await else { continue };
                    report.attempts = done.attempts;
                    report.bytes += done.bytes;
                    report.upstream_time += done.upstream_time;
                    let key = &substitute.operation.id.key;
                    let by = done.served_by.map(|url| format!("{key} at {url}"));
                    match done.outcome {
                        Outcome::Done { payload, .. } => {
                            report.status = done.status;
                            let words = format!("`{}` answered instead", substitute.operation.id);
                            (payload, Map::new(), by.unwrap_or_default(), words)
                        }
                        Outcome::Failed(last) if is_the_end(substitute, &last) => {
                            let message = format!("{}; before that, {why}", last.message);
                            // The same call once more would begin with the operation that this one
                            // stood in for, which knows nothing of what it did.
                            let last =
                                Failed { message, retryable: false, retry_after: None, ..last };
                            report.status = done.status;
                            report.served_by = by;
                            report.outcome = Outcome::Failed(last);
                            return Fallen::not(report);
                        }
                        Outcome::Failed(_) => continue,
                    }
                }
                Fallback::Cached { max_age } => {
                    let key = cache_key(call, &exposed.upstream);
                    let Some((answer, age)) = self.ground.cache.find(&key, *max_age) else {
                        continue;
                    };
                    let age = age.as_secs();
                    self.fell_back("cache", &why);
                    let words = format!("this is its last good answer, {age} s old");
                    (answer.payload, answer.headers, format!("cache, {age} s old"), words)
                }
                Fallback::Answer(value) => {
                    self.fell_back("the declared answer", &why);
                    let words = "this is what is answered in its place, and says nothing of how \
                                 things are now";
                    let from = "the declared answer".to_owned();
                    (Payload::Value(value.clone()), Map::new(), from, words.to_owned())
                }
            };
            let undone = !matches!(fallback, Fallback::Operation(_));
            let note = format!("`{name}` could not be answered as usual ({why}); {words}.");
            report.outcome = Outcome::Done { payload, drift: Vec::new(), headers };
            report.served_by = Some(from);
            return Fallen { report, note: Some(note), undone };
        }
        Fallen::not(report)
    }

    fn fell_back(&mut self, to: &str, why: &str) {
        self.record.push(&Event::FellBack { to: to.to_owned(), why: why.to_owned() });
    }

    /// Asks another operation for the answer; `None` where the arguments make no request of it.
    async fn substitute(
        &mut self,
        exposed: &Exposed,
        cleared: &Cleared<Call>,
        substitute: &Substitute,
        (before, why): (&Report, &str),
        within: Within<'_>,
        steps: &mut Steps,
    ) -> Option<Report> {
        let call = Call {
            operation: substitute.operation.clone(),
            arguments: substitute.map.apply(&cleared.get().arguments.to_value()),
            ..cleared.get().clone()
        };
        let mut guard = exposed.rules.guard(&self.caller.identity);
        guard.api = (&substitute.api).into();
        let operation = substitute.operation.id.to_string();
        let prepared = match bridge::prepare(&substitute.upstream, &call) {
            Ok(prepared) => {
                self.reserve_instead(substitute, &call, &guard, within).await.map(|()| prepared)
            }
            Err(error) => Err(error.to_string()),
        };
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(why) => {
                tracing::warn!(call = %self.id, %operation, %why, "a fallback is not asked");
                self.record.push(&Event::PassedOver { operation, why });
                return None;
            }
        };
        self.fell_back(&operation, why);
        let mut log = Attempts {
            record: &mut self.record,
            store: self.ground.store,
            guard,
            steps,
            metrics: self.ground.metrics,
            keeping: None,
        };
        let instead = Instead { call, prepared, upstream: &substitute.upstream, before };
        // What is said of the tool's own operation says nothing of this one.
        let within = Within { manner: Manner::default(), ..within };
        let mut report = bridge::execute_instead(cleared, &instead, within, &mut log).await;
        self.touched |= match &report.outcome {
            Outcome::Done { .. } => true,
            Outcome::Failed(failed) => !budgets::nothing_done(&report, failed),
        };
        match &mut report.outcome {
            Outcome::Done { payload, .. } => {
                if let Payload::Value(value) | Payload::Parts { value, .. } = payload {
                    substitute.hidden.take_out_of_body(value);
                    if let Some(result) = &substitute.result {
                        *payload = Payload::Value(result.select(value));
                    }
                }
            }
            // It may be the end, and then it is told.
            Outcome::Failed(Failed { message, upstream: Some(said), .. }) => {
                substitute.hidden.take_out_of_failure(message, &mut said.body, said.fault.as_mut());
            }
            Outcome::Failed(_) => {}
        }
        Some(report)
    }

    /// Reserves what a call of what stands in takes of budgets in which the tool's do not count. An error
    /// says why it may not be asked.
    async fn reserve_instead(
        &mut self,
        substitute: &Substitute,
        call: &Call,
        guard: &Guard,
        within: Within<'_>,
    ) -> Result<(), String> {
        if substitute.budgets.is_empty() {
            return Ok(());
        }
        let mut reserving = budgets::reckon_instead(&substitute.budgets, call, &self.seen.groups)?;
        reserving.retain_mut(|one| match self.instead.get(&one.claim.key) {
            None => true,
            Some(had) => {
                one.claim.amount = Amount(one.claim.amount.0.saturating_sub(had.0).max(0));
                one.claim.amount.0 > 0
            }
        });
        if reserving.is_empty() {
            return Ok(());
        }
        let mark = self.record.mark();
        self.record.push(&budgets::reserved(&[], &reserving));
        let batch = Batch {
            guard: Some(guard.clone()),
            budgets: reserving.iter().map(|one| one.claim.clone()).collect(),
            events: self.record.rows(),
            ..Batch::default()
        };
        let store = self.ground.store;
        let taken = self.reserved.add(&substitute.budgets, &reserving, store.now());
        let committed = timeout_at(within.deadline, store.commit(batch)).await;
        // What could not be written for sure may be there all the same.
        if matches!(&committed, Ok(Err(error)) if !matches!(error, CommitError::Unavailable(_))) {
            self.reserved.undo(taken);
        }
        let refused = match committed {
            Ok(Ok(_receipt)) => {
                self.record.written();
                for Reserving { claim, .. } in reserving {
                    let taken = self.instead.entry(claim.key).or_default();
                    taken.0 = taken.0.saturating_add(claim.amount.0);
                }
                return Ok(());
            }
            Ok(Err(CommitError::BudgetSpent { claim, left, .. })) => {
                let spent = reserving.get(claim).map(|one| {
                    substitute.budgets[one.budget].rule.exceeded(one.claim.amount, left)
                });
                spent.unwrap_or_else(|| "a budget is used up".to_owned())
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "its budgets could not be asked in time".to_owned(),
        };
        self.record.rewind(mark);
        Err(refused)
    }
}

/// What is kept outlives a reload, which may put another operation or another address behind a
/// tool's name.
fn cache_key(call: &Call, upstream: &Upstream) -> CacheKey {
    CacheKey {
        identity: call.identity.to_string(),
        tool: call.tool.to_string(),
        operation: call.operation.id.to_string(),
        base: upstream.base().to_owned(),
        digest: digest_value(&call.arguments.to_value()),
    }
}
