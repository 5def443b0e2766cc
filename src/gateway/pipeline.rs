//! One call, from its request to its reply, through every layer in the contract's order:
//! arguments, policy and limits, approval, payment, the commit of the intent, the attempts,
//! the reply.
//!
//! Every way out goes through [`Run::end`], which records it: a call whose record cannot be
//! written is answered with `audit_unavailable`, whatever it would have been.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tollbridge_operation::{Arguments, Call, CallId, Effect, Payload};

use super::record::{Attempts, Record, Steps, millis};
use super::reply::{CallMeta, ErrorCode, Failure, Reply, Success, Violation};
use super::request::{CallRequest, CallWatch, Caller, Refused};
use super::toolbox::{Exposed, ReadsWhenDown, Toolbox};
use crate::audit::{Event, Time, Verdict};
use crate::bridge::{self, Outcome, Prepared, Report};
use crate::observe::Metrics;
use crate::safety::{self, Approval, BrokenLimit, Decision, Placed};
use crate::settlement::{self, Clearance, Quoted};
use crate::store::{Batch, Change, CommitError, HoldRow, Receipt, StopScope, Store, WindowClaim};

/// How often a call is decided on, because its hold was placed or spent by another one in
/// between.
const MAX_DECISIONS: usize = 4;

/// What every call stands on.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) store: &'a Store,
    pub(super) toolbox: &'a Toolbox,
    pub(super) metrics: &'a Metrics,
}

/// A call on its way.
struct Run<'a> {
    ground: Ground<'a>,
    caller: &'a Caller,
    record: Record,
    id: CallId,
    started: Instant,
}

/// Takes one call through every layer.
pub(super) async fn run(
    id: CallId,
    ground: Ground<'_>,
    caller: &Caller,
    request: CallRequest,
    watch: CallWatch,
) -> Result<Reply, Refused> {
    let groups = ground.toolbox.groups_of(caller);
    let mut run = Run {
        ground,
        caller,
        record: Record::new(id.clone(), Arc::clone(&ground.toolbox.redactor)),
        id,
        started: Instant::now(),
    };
    let Some(exposed) = ground.toolbox.find(&request.tool, &caller.identity, &groups) else {
        return run.unknown_tool(&request, &groups).await;
    };
    run.received(&request, Some(exposed), &groups);
    Ok(run.known(exposed, request, &groups, watch).await)
}

/// Answers a call for which there is no room. It is recorded like any other.
pub(super) async fn overloaded(
    id: CallId,
    ground: Ground<'_>,
    caller: &Caller,
    request: &CallRequest,
) -> Result<Reply, Refused> {
    let groups = ground.toolbox.groups_of(caller);
    let mut run = Run {
        ground,
        caller,
        record: Record::new(id.clone(), Arc::clone(&ground.toolbox.redactor)),
        id,
        started: Instant::now(),
    };
    let exposed = ground.toolbox.find(&request.tool, &caller.identity, &groups);
    if exposed.is_none() {
        return run.unknown_tool(request, &groups).await;
    }
    run.received(request, exposed, &groups);
    let failure = Failure::new(ErrorCode::Overloaded, "too many calls are in flight")
        .retry_after(std::time::Duration::from_secs(1));
    Ok(run.end(failure).await)
}

/// A call whose arguments are right and whose request is built: nothing was decided yet.
struct Ready {
    call: Call,
    prepared: Prepared,
    broken: Vec<BrokenLimit>,
}

impl Run<'_> {
    async fn known(
        mut self,
        exposed: &Exposed,
        request: CallRequest,
        groups: &BTreeSet<String>,
        watch: CallWatch,
    ) -> Reply {
        let deadline = self.started + exposed.timeout;
        let mut steps = Steps::new(watch.progress);
        let shown = {
            let mut shown = Value::Object(request.arguments.clone());
            self.ground.toolbox.redactor.value(&mut shown);
            shown.to_string()
        };
        for _ in 0..MAX_DECISIONS {
            let ready = match ready(&self.id, self.caller, exposed, &request) {
                Ok(ready) => ready,
                Err(failure) => return self.end(*failure).await,
            };
            steps.say(|| "arguments checked".to_owned());
            let arguments = ready.call.arguments.clone();
            let now = self.ground.store.now();
            let approval = Approval {
                named: request.approval.as_deref(),
                shown: &shown,
                price: exposed.price(),
                now,
            };
            let decision = safety::decide(
                ready.call,
                groups,
                &exposed.rules,
                &ready.broken,
                approval,
                self.ground.store,
            )
            .await;
            // The commit of an intent asks the kill switch. A call that ends before that, for it
            // waits for a person or a payment, is asked here.
            let ends_early =
                exposed.price().is_some() || matches!(decision, Ok(Decision::Hold { .. }));
            if ends_early && !matches!(decision, Ok(Decision::Deny { .. })) {
                let guard = exposed.rules.guard(&self.caller.identity);
                match self.ground.store.stopped(&guard).await {
                    Ok(None) => {}
                    Ok(Some(scope)) => return self.stopped(&scope).await,
                    Err(error) => return self.end(audit_unavailable(&error.to_string())).await,
                }
            }
            let (allowed, rules, claims, approved) = match decision {
                Err(error) => {
                    return self.end(audit_unavailable(&error.to_string())).await;
                }
                Ok(Decision::Deny { rules, reason }) => {
                    self.decided(Verdict::Deny, &rules, Some(&reason));
                    return self.end(Failure::new(ErrorCode::Denied, reason)).await;
                }
                Ok(Decision::Hold { rules, hold, placed }) => {
                    match self.hold(&rules, hold, placed).await {
                        ControlFlow::Break(reply) => return reply,
                        ControlFlow::Continue(again) => self = again,
                    }
                    continue;
                }
                Ok(Decision::Allow { allowed, rules, claims, approval }) => {
                    (allowed, rules, claims, approval)
                }
            };
            let mark = self.record.mark();
            if let Some(hold) = &approved {
                self.record.push(&Event::Approved {
                    hold: hold.id.clone(),
                    by: hold.decided_by.clone().unwrap_or_default(),
                    reason: hold.reason.clone(),
                    decided: hold.decided.map(Time),
                });
            }
            self.decided(Verdict::Allow, &rules, None);
            let clearance = settlement::quote(
                allowed,
                &exposed.terms,
                request.payment.as_ref(),
                self.ground.toolbox.facilitator.as_ref(),
                &exposed.tool.description,
            )
            .await;
            let quoted = match clearance {
                Clearance::Free(quoted) => quoted,
                Clearance::PaymentRequired { required, price } => {
                    self.record
                        .push(&Event::Quoted { price: price.clone(), terms: required.clone() });
                    return self.end(Failure::payment_required(&price, required)).await;
                }
                Clearance::Unavailable { reason, price, retry_after_s } => {
                    self.record.push(&Event::Quoted { price, terms: Value::Null });
                    let mut failure = Failure::new(ErrorCode::SettlementUnavailable, reason);
                    failure.retryable = retry_after_s.is_some();
                    failure.retry_after_s = retry_after_s;
                    return self.end(failure).await;
                }
            };
            if watch.cancel.is_cancelled() {
                self.record.rewind(mark);
                return self.end(cancelled_before()).await;
            }
            let intent = self.intend(exposed, &ready.prepared, &claims, approved.as_ref()).await;
            let receipt = match intent {
                Ok(receipt) => receipt,
                // Another call used the approval up between our reading and our commit: it
                // is decided anew on what stands now.
                Err(CommitError::HoldSpent) => {
                    self.record.rewind(mark);
                    continue;
                }
                Err(CommitError::Stopped(scope)) => {
                    self.record.rewind(mark);
                    return self.stopped(&scope).await;
                }
                Err(CommitError::WindowFull { claim, retry_after }) => {
                    self.record.rewind(mark);
                    return self.window_full(exposed, claims.get(claim), retry_after).await;
                }
                Err(CommitError::Unavailable(error)) => match self.read_unrecorded(exposed).await {
                    Some(receipt) => receipt,
                    None => {
                        self.record.rewind(mark);
                        return self.end(audit_unavailable(&error.to_string())).await;
                    }
                },
            };
            return self
                .carry_out(
                    exposed,
                    quoted,
                    ready.prepared,
                    &arguments,
                    &receipt,
                    deadline,
                    &watch.cancel,
                    steps,
                )
                .await;
        }
        let failure = Failure::new(
            ErrorCode::Denied,
            "other calls like this one used up its approvals at the same time",
        );
        self.end(failure).await
    }

    fn received(
        &mut self,
        request: &CallRequest,
        exposed: Option<&Exposed>,
        groups: &BTreeSet<String>,
    ) {
        let operation = exposed.map(|exposed| &exposed.tool.operation.id);
        let event = Event::Received {
            identity: self.caller.identity.to_string(),
            tool: request.tool.chars().take(128).collect(),
            api: operation.map(|id| id.api.to_string()),
            operation: operation.map(|id| id.key.to_string()),
            arguments: Value::Object(request.arguments.clone()),
            transport: self.caller.transport.as_str().to_owned(),
            client: request.client.clone(),
            traceparent: request.traceparent.clone(),
            tools: self.ground.toolbox.offer(&self.caller.identity, groups).digest.clone(),
            config: self.ground.toolbox.config.clone(),
            spec: exposed.map(|exposed| exposed.spec.clone()),
        };
        self.record.push(&event);
    }

    fn decided(&mut self, effect: Verdict, rules: &[String], reason: Option<&str>) {
        self.record.push(&Event::Decided {
            effect,
            rules: rules.to_vec(),
            reason: reason.map(str::to_owned),
        });
    }

    /// Records that the call is about to be carried out, and takes what it takes up.
    async fn intend(
        &mut self,
        exposed: &Exposed,
        prepared: &Prepared,
        claims: &[WindowClaim],
        approved: Option<&HoldRow>,
    ) -> Result<Receipt, CommitError> {
        if !claims.is_empty() {
            self.record.push(&Event::Reserved {
                windows: claims.iter().map(|claim| claim.key.clone()).collect(),
            });
        }
        self.record.push(&Event::AttemptStarted {
            n: 1,
            url: prepared.url().to_owned(),
            method: prepared.method().to_owned(),
            wait_ms: 0,
            why: None,
        });
        let receipt = self
            .ground
            .store
            .commit(Batch {
                guard: Some(exposed.rules.guard(&self.caller.identity)),
                claims: claims.to_vec(),
                spend: approved.map(|hold| hold.id.clone()),
                changes: Vec::new(),
                events: self.record.rows(),
            })
            .await?;
        self.record.written();
        Ok(receipt)
    }

    /// `reads_when_down = "allow"`: a read goes on though it cannot be recorded, unless it
    /// is held, counted or priced, or the kill switch is on or cannot be read.
    async fn read_unrecorded(&self, exposed: &Exposed) -> Option<Receipt> {
        let free = exposed.price().is_none() && exposed.rules.window.is_none();
        if self.ground.toolbox.reads_when_down != ReadsWhenDown::Allow
            || exposed.tool.operation.effect != Effect::Read
            || exposed.rules.hold.is_some()
            || !free
        {
            return None;
        }
        let guard = exposed.rules.guard(&self.caller.identity);
        let receipt = self.ground.store.forgo(&guard).await?;
        tracing::error!(call = %self.id, tool = %guard.tool, "a read goes on unrecorded: the audit trail cannot be written");
        Some(receipt)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the last stage takes what each earlier one made"
    )]
    async fn carry_out(
        mut self,
        exposed: &Exposed,
        quoted: Quoted,
        prepared: Prepared,
        arguments: &Arguments,
        receipt: &Receipt,
        deadline: Instant,
        cancel: &CancellationToken,
        mut steps: Steps,
    ) -> Reply {
        debug_assert_eq!(&quoted.call().arguments, arguments);
        steps.say(|| format!("calling {}", exposed.rules.api));
        let mut log = Attempts {
            record: &mut self.record,
            store: self.ground.store,
            guard: exposed.rules.guard(&self.caller.identity),
            watch: &mut steps,
            metrics: self.ground.metrics,
        };
        let cleared = quoted.clear(receipt);
        let report =
            bridge::execute(cleared, prepared, &exposed.upstream, deadline, cancel, &mut log).await;
        self.reply(exposed, report).await
    }

    async fn reply(mut self, exposed: &Exposed, report: Report) -> Reply {
        let meta = CallMeta {
            id: self.id.clone(),
            attempts: report.attempts,
            status: report.status,
            upstream_ms: millis(report.upstream_time),
            served_by: report.served_by,
        };
        let result = match report.outcome {
            Outcome::Done { payload, mut drift } => {
                if let Payload::Value(value) = &payload {
                    // The binding may have said of a place what the schema says again.
                    for found in exposed.tool.drift(value) {
                        if drift.iter().all(|told| told.pointer != found.pointer) {
                            drift.push(found);
                        }
                    }
                }
                Ok(Success { payload, drift })
            }
            Outcome::Failed(failed) => Err(Failure::of_upstream(failed)),
        };
        self.record.push(&Event::Replied {
            outcome: result
                .as_ref()
                .map_or_else(|failure| failure.code.as_str(), |_| "succeeded")
                .to_owned(),
            message: result.as_ref().err().map(|failure| failure.message.clone()),
            attempts: meta.attempts,
            status: meta.status,
            served_by: meta.served_by.clone(),
            upstream_ms: meta.upstream_ms,
            bytes: report.bytes,
            cost: None,
            duration_ms: millis(self.started.elapsed()),
        });
        // The upstream has answered and the intent is on record. An answer that is withheld
        // because its end could not be written would make the agent do it again.
        if let Err(error) = self.commit(Vec::new()).await {
            tracing::error!(call = %self.id, %error, "the end of a call could not be recorded");
        }
        Reply { meta, result }
    }

    /// Holds the call, or gives it back where another one placed its hold at the same time:
    /// then it is decided anew, and finds that one.
    async fn hold(
        mut self,
        rules: &[String],
        hold: HoldRow,
        placed: Placed,
    ) -> ControlFlow<Reply, Self> {
        let mark = self.record.mark();
        self.decided(Verdict::Hold, rules, None);
        let expires = Time(hold.expires);
        self.record.push(&Event::Held { hold: hold.id.clone(), expires });
        let failure = Failure::held(&hold.id, expires.to_string());
        let changes = match placed {
            Placed::Now => vec![Change::PlaceHold(hold)],
            Placed::Earlier => Vec::new(),
        };
        self.replied(failure.code.as_str(), Some(failure.message.clone()));
        match self.commit(changes).await {
            Err(CommitError::HoldSpent) => {
                self.record.rewind(mark);
                ControlFlow::Continue(self)
            }
            committed => ControlFlow::Break(self.ended(failure, committed)),
        }
    }

    async fn stopped(mut self, scope: &StopScope) -> Reply {
        let scope = super::operate::scope_text(scope);
        self.decided(Verdict::Deny, &[format!("stop:{scope}")], None);
        let message = format!("an operator stopped {scope}");
        self.end(Failure::new(ErrorCode::Stopped, message)).await
    }

    async fn window_full(
        mut self,
        exposed: &Exposed,
        claim: Option<&WindowClaim>,
        retry_after: std::time::Duration,
    ) -> Reply {
        self.decided(Verdict::Deny, &[exposed.rules.window_rule()], None);
        let message = claim.map_or_else(
            || "a limit on calls is reached".to_owned(),
            |claim| {
                format!(
                    "`{}` may be called {} times in {} s",
                    exposed.rules.tool,
                    claim.limit,
                    claim.per.as_secs_f64()
                )
            },
        );
        let failure = Failure::new(ErrorCode::RateLimited, message).retry_after(retry_after);
        self.end(failure).await
    }

    async fn unknown_tool(
        mut self,
        request: &CallRequest,
        groups: &BTreeSet<String>,
    ) -> Result<Reply, Refused> {
        self.received(request, None, groups);
        self.replied("unknown_tool", None);
        match self.commit(Vec::new()).await {
            Ok(()) => Err(Refused::UnknownTool {
                tool: request.tool.chars().take(128).collect(),
                call: self.id,
            }),
            Err(error) => {
                tracing::error!(call = %self.id, %error, "a call could not be recorded");
                Err(Refused::Unrecorded)
            }
        }
    }

    /// Ends a call that did not reach the upstream.
    async fn end(mut self, failure: Failure) -> Reply {
        self.replied(failure.code.as_str(), Some(failure.message.clone()));
        let committed = self.commit(Vec::new()).await;
        self.ended(failure, committed)
    }

    /// The reply to a call whose end was written, or could not be.
    fn ended(self, failure: Failure, committed: Result<(), CommitError>) -> Reply {
        let failure = match committed {
            Ok(()) => failure.redacted(&self.ground.toolbox.redactor),
            Err(error) => {
                tracing::error!(call = %self.id, %error, "a call could not be recorded");
                audit_unavailable(&error.to_string())
            }
        };
        let meta =
            CallMeta { id: self.id, attempts: 0, status: None, upstream_ms: 0, served_by: None };
        Reply { meta, result: Err(failure) }
    }

    fn replied(&mut self, outcome: &str, message: Option<String>) {
        self.record.push(&Event::Replied {
            outcome: outcome.to_owned(),
            message,
            attempts: 0,
            status: None,
            served_by: None,
            upstream_ms: 0,
            bytes: 0,
            cost: None,
            duration_ms: millis(self.started.elapsed()),
        });
    }

    async fn commit(&mut self, changes: Vec<Change>) -> Result<(), CommitError> {
        let batch = Batch { changes, events: self.record.rows(), ..Batch::default() };
        let _receipt = self.ground.store.commit(batch).await?;
        self.record.written();
        Ok(())
    }
}

/// Checks the arguments and builds the request.
fn ready(
    id: &CallId,
    caller: &Caller,
    exposed: &Exposed,
    request: &CallRequest,
) -> Result<Ready, Box<Failure>> {
    let tool = &exposed.tool;
    let arguments = tool
        .arguments(&request.arguments)
        .map_err(|found| Failure::invalid(found.into_iter().map(violation).collect()))?;
    let broken = tool
        .check_limits(&arguments)
        .into_iter()
        .map(|limit| BrokenLimit {
            rule: format!("{}.{}", tool.name, limit.rule),
            message: format!("{} must be {}", limit.pointer, limit.message),
        })
        .collect();
    let call = Call {
        id: id.clone(),
        identity: caller.identity.clone(),
        tool: tool.name.clone(),
        operation: Arc::clone(&tool.operation),
        arguments,
    };
    match bridge::prepare(&exposed.upstream, &call) {
        Ok(prepared) => Ok(Ready { call, prepared, broken }),
        Err(bridge::PrepareError::Encode(error)) => Err(Failure::invalid(vec![Violation {
            pointer: tool.shown_pointer(&error.pointer),
            expected: error.expected,
            suggestion: None,
        }])
        .into()),
        Err(error) => Err(Failure::new(ErrorCode::Internal, error.to_string()).into()),
    }
}

/// What a call would do, without doing it: `call --dry-run`.
pub(super) struct Rehearsal {
    pub(super) decision: &'static str,
    pub(super) rules: Vec<String>,
    pub(super) reason: Option<String>,
    pub(super) price: Option<String>,
    pub(super) request: bridge::Preview,
}

/// Decides on a call as [`run`] would and shows its request. Nothing is recorded, taken up
/// or sent.
pub(super) async fn rehearse(
    id: CallId,
    ground: Ground<'_>,
    caller: &Caller,
    request: &CallRequest,
) -> Result<Rehearsal, super::DryRunError> {
    use super::DryRunError;
    let groups = ground.toolbox.groups_of(caller);
    let exposed = ground
        .toolbox
        .find(&request.tool, &caller.identity, &groups)
        .ok_or_else(|| DryRunError::UnknownTool(request.tool.clone()))?;
    let Ready { call, prepared, broken } =
        ready(&id, caller, exposed, request).map_err(|failure| {
            DryRunError::Failed(Box::new(failure.redacted(&ground.toolbox.redactor)))
        })?;
    let approval = Approval {
        named: request.approval.as_deref(),
        shown: "{}",
        price: exposed.price(),
        now: ground.store.now(),
    };
    let guard = exposed.rules.guard(&caller.identity);
    let stopped = ground.store.stopped(&guard).await?;
    let decision =
        safety::decide(call, &groups, &exposed.rules, &broken, approval, ground.store).await?;
    let (decision, rules, reason) = match (stopped, decision) {
        (Some(scope), _) => {
            ("deny", vec![format!("stop:{}", super::operate::scope_text(&scope))], None)
        }
        (None, Decision::Allow { rules, .. }) => ("allow", rules, None),
        (None, Decision::Deny { rules, reason }) => ("deny", rules, Some(reason)),
        (None, Decision::Hold { rules, .. }) => ("hold", rules, None),
    };
    Ok(Rehearsal {
        decision,
        rules,
        reason,
        price: exposed.price().map(str::to_owned),
        request: prepared.preview(),
    })
}

fn violation(violation: crate::tools::Violation) -> Violation {
    Violation {
        pointer: violation.pointer,
        expected: violation.expected,
        suggestion: violation.suggestion,
    }
}

fn audit_unavailable(why: &str) -> Failure {
    Failure {
        retryable: true,
        ..Failure::new(ErrorCode::AuditUnavailable, format!("nothing was done: {why}"))
    }
}

fn cancelled_before() -> Failure {
    Failure::new(ErrorCode::Cancelled, "cancelled before anything was sent")
}
