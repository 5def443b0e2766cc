//! The stages between right arguments and the upstream's answer.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tollbridge_operation::{Call, Effect, Payload};

use super::budgets::Reserving;
use super::ending::End;
use super::fallbacks::Fallen;
use super::{Run, asked, budgets, ending, pages, policies, repeats};
use crate::audit::{Event, Time, Verdict};
use crate::bridge::{self, Handle, Prepared, Report, Within};
use crate::gateway::asking::Asking;
use crate::gateway::operate::scope_text;
use crate::gateway::record::{Attempts, Keeping, Steps};
use crate::gateway::reply::{ErrorCode, Failure};
use crate::gateway::request::{CallRequest, Caller};
use crate::gateway::toolbox::{Exposed, ReadsWhenDown};
use crate::safety::{
    self, Allowed, Approval, BrokenLimit, Decision, LoopRule, Pursuit, Verdict as PolicyVerdict,
};
use crate::secret::Redactor;
use crate::settlement::{self, Clearance, Cleared, Quoted};
use crate::store::{Batch, Change, CommitError, HoldRow, Receipt, WindowClaim};
use crate::tools::pages::{PagesRead, Reading};

/// Safety's yes, with what the commit must take up for it.
pub(super) struct Permit {
    pub(super) allowed: Allowed<Call>,
    pub(super) claims: Arc<[WindowClaim]>,
    pub(super) approval: Option<HoldRow>,
}

/// What is decided on.
#[derive(Clone, Copy)]
pub(super) struct Subject<'s> {
    pub(super) exposed: &'s Exposed,
    pub(super) request: &'s CallRequest,
    pub(super) prepared: &'s Prepared,
    /// The approval whose changed arguments these are.
    pub(super) edited: Option<&'s HoldRow>,
}

/// What a person is shown of a call, and what an approval is bound to.
#[derive(Default)]
struct Shown {
    arguments: String,
    given: String,
    stated: Option<String>,
    place: String,
    target: String,
    claimed: String,
    known: Option<String>,
}

impl Subject<'_> {
    fn shown(
        &self,
        call: &Call,
        given: Value,
        stated: Option<&str>,
        caller: &Caller,
        redactor: &Redactor,
    ) -> Shown {
        let clean = |mut value: Value| {
            redactor.value(&mut value);
            value.to_string()
        };
        Shown {
            arguments: clean(call.arguments.to_value()),
            given: clean(given),
            stated: stated.map(|text| redactor.text(text).into_owned()),
            place: format!("{} {}", self.prepared.method(), redactor.text(self.prepared.url())),
            target: self.exposed.target(),
            claimed: serde_json::json!(caller.groups).to_string(),
            known: Some(caller.known()),
        }
    }
}

/// What a call takes up in the commit of its intent.
#[derive(Clone, Copy)]
pub(super) struct Takes<'a> {
    /// Places in windows.
    pub(super) claims: &'a Arc<[WindowClaim]>,
    /// Parts of budgets.
    pub(super) budgets: &'a [Reserving],
    /// An approval.
    pub(super) approval: Option<&'a HoldRow>,
}

/// What became of recording the intent.
pub(super) enum Intent {
    /// It is on record, or need not be.
    Recorded(Receipt),
    /// The approval that the call was to use is gone.
    ApprovalSpent,
}

/// A call that was carried out.
pub(super) struct Carried {
    pub(super) report: Report,
    pub(super) pages: Option<PagesRead>,
    /// Where the answer is from, in words, where something stood in for the tool's operation.
    pub(super) note: Option<String>,
    /// Whether nothing was done, whatever the answer is.
    pub(super) undone: bool,
}

/// The rule, and in words why, by which a token that lacks scopes is refused.
pub(in crate::gateway) fn lacking(caller: &Caller, exposed: &Exposed) -> Option<(String, String)> {
    let lacking = caller.facts.lacking(&exposed.scopes);
    let tool = &exposed.rules.tool;
    (!lacking.is_empty()).then(|| {
        let scopes = lacking.join(" ");
        (format!("{tool}.scopes"), format!("`{tool}` needs a token with the scope `{scopes}`"))
    })
}

impl Run<'_> {
    /// Policy, limits and approval.
    pub(super) async fn decide(
        &mut self,
        subject: Subject<'_>,
        call: Call,
        broken: &[BrokenLimit],
        asking: &Asking,
    ) -> Result<Permit, End> {
        let Subject { exposed, request, .. } = subject;
        let (toolbox, store) = (self.ground.toolbox, self.ground.store);
        let now = store.now();
        let pursuit = if self.earlier.is_some() { Pursuit::UnderWay } else { Pursuit::New };
        let at = (now, pursuit);
        let mut policed = policies::ask(toolbox, &self.seen, exposed, self.caller, &call, at);
        let mut considered = policed.take_considered();
        policies::keep_out(&mut considered, &exposed.protection.arguments);
        let considered =
            toolbox.considered(toolbox.place(exposed), &considered, self.record.redactor());
        // What a person decides on: made only where one must.
        let shown = if matches!(policed.verdict(), PolicyVerdict::Hold { .. }) {
            let given = Value::Object(request.arguments.clone());
            let given = self.without_fields(exposed, given, false);
            let (stated, redactor) = (self.stated.as_deref(), self.record.redactor());
            subject.shown(&call, given, stated, self.caller, redactor)
        } else {
            Shown::default()
        };
        let approval = Approval {
            named: request.approval.as_deref(),
            shown: &shown.arguments,
            given: &shown.given,
            stated: shown.stated.as_deref(),
            shown_target: &shown.place,
            target: &shown.target,
            claimed: &shown.claimed,
            known: shown.known.as_deref(),
            price: exposed.price(),
            now,
            edited: subject.edited,
        };
        let (windows, rules) = (&self.seen.counts(exposed).windows, &exposed.rules);
        let decided = safety::decide(call, windows, rules, policed, broken, approval, store).await;
        match decided {
            Err(error) => Err(ending::audit_unavailable(&error.to_string()).into()),
            Ok(Decision::Deny { rules, reason, by }) => {
                self.decided_on(Verdict::Deny, rules, Some(&reason), considered);
                Err(Failure::denied(by, reason).into())
            }
            Ok(Decision::Hold { rules, hold, placed, wait }) => {
                if let Some(reason) = asked::nobody(&hold, asking) {
                    self.decided_on(Verdict::Deny, rules, Some(reason), considered);
                    return Err(Failure::nobody_asked(reason).into());
                }
                self.decided_on(Verdict::Hold, rules, None, considered);
                let expires = Time(hold.expires);
                self.record.push(&Event::Held { hold: hold.id.clone(), expires });
                let failure = Failure::held(&hold, self.question(exposed, &hold, asking)?);
                Err(End::guarded(failure, exposed, self.caller).holding(hold, placed, wait))
            }
            Ok(Decision::Allow { allowed, rules, claims, approval }) => {
                // Where it waited itself the approval is on record with it; and where it was changed,
                // since it was found.
                let is_told =
                    |hold: &&HoldRow| hold.call == self.id.as_str() || subject.edited.is_some();
                if let Some(hold) = approval.as_ref().filter(|hold| !is_told(hold)) {
                    self.record.push(&Event::Approved {
                        hold: hold.id.clone(),
                        by: hold.decided_by.clone().unwrap_or_default(),
                        reason: hold.reason.clone(),
                        decided: hold.decided.map(Time),
                        user: hold.decided_user.clone(),
                    });
                }
                self.decided_on(Verdict::Allow, rules, None, considered);
                Ok(Permit { allowed, claims, approval })
            }
        }
    }

    /// What is owed, and whether it is paid.
    pub(super) async fn quote(
        &mut self,
        exposed: &Exposed,
        request: &CallRequest,
        allowed: Allowed<Call>,
    ) -> Result<Quoted, End> {
        // Nobody is asked for money for what is stopped. The commit of an intent asks again.
        if exposed.price().is_some() {
            let guard = exposed.rules.guard(&self.caller.identity);
            match self.ground.store.stopped(&guard).await {
                Ok(None) => {}
                Ok(Some(scope)) => return Err(self.stopped(&scope_text(&scope))),
                Err(error) => return Err(ending::audit_unavailable(&error.to_string()).into()),
            }
        }
        let clearance = settlement::quote(
            allowed,
            &exposed.terms,
            request.payment.as_ref(),
            self.ground.toolbox.facilitator.as_ref(),
            &exposed.tool.description,
        )
        .await;
        match clearance {
            Clearance::Free(quoted) => Ok(quoted),
            Clearance::PaymentRequired { required, price } => {
                let failure = Failure::payment_required(&price, required.clone());
                self.record.push(&Event::Quoted { price, terms: required });
                Err(End::guarded(failure, exposed, self.caller))
            }
            Clearance::Unavailable { reason, retry_after_s } => {
                let mut failure = Failure::new(ErrorCode::SettlementUnavailable, reason);
                failure.retryable = retry_after_s.is_some();
                failure.retry_after_s = retry_after_s;
                Err(End::guarded(failure, exposed, self.caller))
            }
        }
    }

    /// Records that the call is about to be carried out, and takes what it takes up: places
    /// in windows, an approval. Refused where the kill switch is on.
    pub(super) async fn intend(
        &mut self,
        exposed: &Exposed,
        prepared: &Prepared,
        takes: Takes<'_>,
    ) -> Result<Intent, End> {
        let Takes { claims, budgets: reserving, approval } = takes;
        let mark = self.record.mark();
        if !claims.is_empty() || !reserving.is_empty() {
            self.record.push(&budgets::reserved(claims, reserving));
        }
        self.record.push(&Event::AttemptStarted {
            n: 1,
            url: prepared.url().to_owned(),
            method: prepared.method().to_owned(),
            wait_ms: 0,
            why: self.earlier.as_ref().map(|earlier| format!("going on with {}", earlier.call)),
            idempotency_key: prepared.key().map(str::to_owned),
            span: prepared.span(1),
        });
        let batch = Batch {
            guard: Some(exposed.rules.guard(&self.caller.identity)),
            claims: Arc::clone(claims),
            budgets: reserving.iter().map(|one| one.claim.clone()).collect(),
            give_back: None,
            spend: approval.map(|hold| hold.id.clone()),
            changes: self.named.clone().map(Change::ClaimKey).into_iter().collect(),
            events: self.record.rows(),
        };
        let store = self.ground.store;
        let taken = self.reserved.add(&exposed.budgets, reserving, store.now());
        let error = match store.commit(batch).await {
            Ok(receipt) => {
                self.record.written();
                return Ok(Intent::Recorded(receipt));
            }
            Err(error) => error,
        };
        self.reserved.undo(taken);
        match error {
            CommitError::HoldSpent => Ok(Intent::ApprovalSpent),
            // No batch of a call takes up a token, and none opens or ends a task.
            CommitError::TokenLeased | CommitError::NoTask => {
                self.record.rewind(mark);
                Err(ending::audit_unavailable(&error.to_string()).into())
            }
            CommitError::KeyTaken => {
                self.record.rewind(self.received);
                self.named = None;
                Err(repeats::under_way(None).into())
            }
            CommitError::Stopped(scope) => Err(self.stopped(&scope_text(&scope))),
            CommitError::WindowFull { claim, retry_after } => {
                self.record.rewind(self.received);
                self.decided(Verdict::Deny, vec![exposed.rules.window_rule()], None);
                let message = match claims.get(claim) {
                    Some(full) => format!(
                        "`{}` may be called {} times in {} s",
                        exposed.rules.tool,
                        full.limit,
                        full.per.as_secs_f64()
                    ),
                    None => "a limit on calls is reached".to_owned(),
                };
                Err(Failure::new(ErrorCode::RateLimited, message).retry_after(retry_after).into())
            }
            CommitError::BudgetSpent { claim, left, retry_after } => {
                self.record.rewind(self.received);
                let (rule, failure) =
                    budgets::exceeded(exposed, reserving, claim, left, retry_after);
                self.decided(Verdict::Deny, vec![rule], Some(&failure.message));
                Err(failure.into())
            }
            CommitError::Unavailable(error) => {
                match Box::pin(self.read_unrecorded(exposed)).await {
                    Some(receipt) => Ok(Intent::Recorded(receipt)),
                    None => {
                        self.record.rewind(mark);
                        Err(ending::audit_unavailable(&error.to_string()).into())
                    }
                }
            }
        }
    }

    /// The operation is not the one that was accepted. Its arguments are not looked at: by
    /// which schema is what a person must decide.
    pub(super) fn quarantined(&mut self, exposed: &Exposed) -> End {
        let failure = Failure::quarantined(&exposed.rules.tool);
        let rule = format!("{}.stale", exposed.rules.tool);
        self.decided(Verdict::Deny, vec![rule], Some(&failure.message));
        End::guarded(failure, exposed, self.caller)
    }

    /// The caller's token allows less than the tool asks for. Its arguments are not looked at.
    pub(super) fn scoped(&mut self, exposed: &Exposed) -> Option<End> {
        let (rule, reason) = lacking(self.caller, exposed)?;
        self.decided(Verdict::Deny, vec![rule], Some(&reason));
        let failure = Failure {
            next_step:
                "Nothing was done. Have a token with that scope issued, and make the same call \
                        with it; or tell whoever gave you yours."
                    .to_owned(),
            ..Failure::new(ErrorCode::Denied, reason)
        };
        Some(End::guarded(failure, exposed, self.caller))
    }

    /// The caller made the same call as often as it may.
    pub(super) fn looped(&mut self, exposed: &Exposed, rule: LoopRule, wait: Duration) -> End {
        self.record.rewind(self.received);
        let message = format!(
            "the same call with the same arguments was made {} times in {} s",
            rule.limit,
            rule.per.as_secs_f64()
        );
        self.decided(Verdict::Deny, vec![format!("{}.loops", exposed.rules.tool)], Some(&message));
        let next_step = "Use the answer that you have, or do something else: doing the same again \
                         has not helped so far.";
        let failure = Failure::new(ErrorCode::RateLimited, message).retry_after(wait);
        Failure { next_step: next_step.to_owned(), ..failure }.into()
    }

    /// So many of the caller's calls failed that nothing more is taken of it for a while.
    pub(super) fn paused(&mut self, left: Duration) -> End {
        self.record.rewind(self.received);
        let message = "too many of your calls failed in a short time; none is taken for a while";
        self.decided(Verdict::Deny, vec!["safety.errors".to_owned()], Some(message));
        let next_step = "Wait for retry_after_s, and find out why the calls failed before you make \
                         more of them; or tell a person.";
        let failure = Failure::new(ErrorCode::RateLimited, message).retry_after(left);
        Failure { next_step: next_step.to_owned(), ..failure }.into()
    }

    /// The kill switch is on: that is the decision, whatever else was decided.
    pub(super) fn stopped(&mut self, scope: &str) -> End {
        self.record.rewind(self.received);
        self.decided(Verdict::Deny, vec![format!("stop:{scope}")], None);
        Failure::new(ErrorCode::Stopped, format!("the kill switch is on for {scope}")).into()
    }

    /// `reads_when_down = "allow"`: a read goes on though it cannot be recorded, unless it
    /// is held, counted or priced, or the kill switch is on or cannot be read.
    async fn read_unrecorded(&self, exposed: &Exposed) -> Option<Receipt> {
        let plain = exposed.price().is_none()
            && exposed.rules.window.is_none()
            && exposed.budgets.is_empty()
            && !self.ground.toolbox.policies.may_hold(self.ground.toolbox.place(exposed));
        if self.ground.toolbox.reads_when_down != ReadsWhenDown::Allow
            || exposed.tool.operation.effect != Effect::Read
            || !plain
        {
            return None;
        }
        let guard = exposed.rules.guard(&self.caller.identity);
        let receipt = self.ground.store.forgo(&guard).await?;
        tracing::error!(
            call = %self.id,
            tool = %guard.tool,
            "a read goes on unrecorded: the audit trail cannot be written"
        );
        Some(receipt)
    }

    /// The attempts at the upstream.
    pub(super) async fn carry_out(
        &mut self,
        exposed: &Exposed,
        cleared: Cleared<Call>,
        prepared: Prepared,
        earlier: Option<Handle>,
        cancel: &CancellationToken,
        steps: &mut Steps,
    ) -> Carried {
        let deadline = self.deadline(exposed.timeout);
        let first_deadline = self.deadline(exposed.first_time());
        let rule = exposed.tool.pages();
        let reading = rule.map(|rule| Reading::new(rule, cleared.get().arguments.clone()));
        let row = self.to_keep(exposed);
        let keeping = row.map(|row| Keeping { row, kept: &mut self.earlier });
        let mut log = Attempts {
            record: &mut self.record,
            store: self.ground.store,
            guard: exposed.rules.guard(&self.caller.identity),
            steps,
            metrics: self.ground.metrics,
            keeping,
        };
        let upstream = &exposed.upstream;
        let manner = exposed.manner;
        let within = Within {
            deadline,
            cancel,
            gate: exposed.gate.as_deref(),
            groups: &exposed.groups,
            manner,
            held: self.ground.held,
        };
        let first = Within { deadline: first_deadline, ..within };
        let (report, pages) = match reading {
            None if let Some(rule) = &exposed.poll => {
                let earlier = earlier.as_ref();
                let polled = bridge::execute_polled(
                    &cleared, prepared, upstream, first, rule, earlier, &mut log,
                );
                (Box::pin(polled).await, None)
            }
            None => {
                let done = bridge::execute(&cleared, prepared, upstream, first, &mut log);
                (done.await, None)
            }
            Some(mut reading) => {
                let turn = |payload: &Payload, link: Option<&str>, bytes| {
                    pages::turn(exposed, &mut reading, payload, link, bytes)
                };
                let report = Box::pin(bridge::execute_pages(
                    &cleared, prepared, upstream, first, &mut log, turn,
                ));
                pages::together(exposed, report.await, reading)
            }
        };
        if exposed.fallbacks.is_empty() {
            return Carried { report, pages, note: None, undone: false };
        }
        let fallen = self.fall_back(exposed, &cleared, report, within, steps);
        let Fallen { report, note, undone } = Box::pin(fallen).await;
        Carried { report, pages, note, undone }
    }
}
