//! The ways out of the pipeline. All of them are recorded.

use std::time::Duration;

use tollbridge_operation::{Drift, Payload};

use super::stages::Carried;
use super::{Run, budgets, links};
use crate::audit::{Event, Place, Time, Verdict};
use crate::bridge::{KeptFor, Outcome};
use crate::gateway::operate::scope_text;
use crate::gateway::record::millis;
use crate::gateway::reply::{CallMeta, ErrorCode, Failure, Reply, Success};
use crate::gateway::request::{CallRequest, Caller, Refused};
use crate::gateway::toolbox::Exposed;
use crate::safety::Placed;
use crate::store::{Batch, Change, CommitError, Guard, HoldRow};
use crate::tools;

/// The end of a call that did not reach the upstream.
pub(super) struct End {
    failure: Box<Failure>,
    /// That a person must decide on it.
    pub(super) holding: Option<Box<Holding>>,
    /// The approval that ends with it: it does not count any more.
    ends: Option<String>,
    /// Where the kill switch is on for this, the call ends as stopped instead.
    pub(super) guard: Option<Guard>,
}

/// How a call is held.
#[derive(Clone)]
pub(super) struct Holding {
    /// The hold.
    pub(super) row: HoldRow,
    /// Whether it has yet to be written down.
    is_new: bool,
    /// For how long the call stays open until somebody decides, where that is said.
    pub(super) wait: Option<Duration>,
}

impl End {
    /// An end that promises that the same call may go on later. The kill switch comes first:
    /// nothing is held or priced while it is on.
    pub(super) fn guarded(failure: Failure, exposed: &Exposed, caller: &Caller) -> Self {
        Self { guard: Some(exposed.rules.guard(&caller.identity)), ..Self::from(failure) }
    }

    /// The call is held as this, and may stay open for so long.
    pub(super) fn holding(self, hold: HoldRow, placed: Placed, wait: Option<Duration>) -> Self {
        let is_new = placed != Placed::Earlier;
        let ends = match placed {
            Placed::InsteadOf(id) => Some(id),
            Placed::Earlier | Placed::Now => None,
        };
        Self { ends, holding: Some(Box::new(Holding { row: hold, is_new, wait })), ..self }
    }

    /// The hold that is to be placed with it.
    pub(super) fn placing(&self) -> Option<&HoldRow> {
        self.holding.as_ref().filter(|holding| holding.is_new).map(|holding| &holding.row)
    }

    /// What it changes about holds is on record.
    pub(super) fn placed(&mut self) {
        self.ends = None;
        if let Some(holding) = &mut self.holding {
            holding.is_new = false;
        }
    }

    /// A call that an approval let through and that is refused all the same ends the approval: it
    /// would refuse each repeat. What may pass leaves it as it is.
    pub(super) fn of_approved(mut self, hold: &HoldRow) -> Self {
        if matches!(self.failure.code, ErrorCode::Denied | ErrorCode::InvalidArguments) {
            self.ends = Some(hold.id.clone());
            "The approval ended with this. Make the same call again, without naming it, to have a person asked anew."
                .clone_into(&mut self.failure.next_step);
        }
        self
    }

    /// What it changes about holds.
    pub(super) fn changes(&self) -> Vec<Change> {
        let ends = self.ends.clone().map(|id| Change::EndHold { id });
        let placing = self.placing().cloned().map(|row| Change::PlaceHold(Box::new(row)));
        ends.into_iter().chain(placing).collect()
    }

    /// Whether it ends because a person must decide.
    pub(super) fn holds(&self) -> bool {
        self.holding.is_some()
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Box::new(failure).into()
    }
}

impl From<Box<Failure>> for End {
    fn from(failure: Box<Failure>) -> Self {
        Self { failure, holding: None, ends: None, guard: None }
    }
}

pub(super) fn audit_unavailable(why: &str) -> Failure {
    Failure {
        retryable: true,
        ..Failure::new(ErrorCode::AuditUnavailable, format!("nothing was done: {why}"))
    }
}

/// `served_by` of an answer that was kept.
fn served_by_cache(kept: KeptFor) -> String {
    let age = kept.age.as_secs();
    if kept.confirmed {
        format!("cache, {age} s old, confirmed by the API")
    } else {
        format!("cache, {age} s old")
    }
}

/// The same in words.
fn of_cache(kept: KeptFor) -> String {
    let age = kept.age.as_secs();
    if kept.confirmed {
        "This answer was kept from an earlier call, and the API has just confirmed it.".to_owned()
    } else {
        format!("This answer was kept from an earlier call: it is {age} s old, and still good.")
    }
}

impl Run<'_> {
    /// Ends a call that did not reach the upstream.
    pub(super) async fn end(mut self, end: End) -> Reply {
        self.replied(end.failure.code.as_str(), Some(end.failure.message.clone()));
        let changes = end.changes();
        let failure = match self.commit(end.guard.clone(), changes).await {
            Ok(()) => {
                if let Some(row) = end.placing() {
                    self.ground.notices.held(self.ground.toolbox.webhook.as_ref(), row);
                }
                end.failure.redacted(&self.ground.toolbox.redactor)
            }
            Err(CommitError::Stopped(scope)) => {
                let stopped = *self.stopped(&scope_text(&scope)).failure;
                self.replied(stopped.code.as_str(), Some(stopped.message.clone()));
                match self.commit(None, Vec::new()).await {
                    Ok(()) => stopped,
                    Err(error) => self.unrecorded(&error),
                }
            }
            Err(CommitError::HoldSpent) => Box::pin(self.not_placed(&end)).await,
            Err(error) => self.unrecorded(&error),
        };
        let meta = CallMeta { edited: self.edited, ..CallMeta::unsent(self.id) };
        Reply { meta, result: Err(failure) }
    }

    /// Answers with what the upstream said.
    pub(super) async fn reply(
        mut self,
        exposed: &Exposed,
        request: &CallRequest,
        carried: Carried,
    ) -> Reply {
        let Carried { report, pages, note, undone } = carried;
        let reused = report.kept.filter(|_| pages.is_none() && note.is_none());
        let nothing_done = undone
            || match &report.outcome {
                Outcome::Failed(failed) => budgets::nothing_done(&report, failed),
                Outcome::Done { .. } => false,
            };
        let mut meta = CallMeta {
            id: self.id.clone(),
            attempts: report.attempts,
            status: report.status,
            upstream_ms: millis(report.upstream_time),
            served_by: report.served_by,
            edited: self.edited.take(),
            suspicious: Vec::new(),
        };
        let mut left = None;
        let result = match report.outcome {
            Outcome::Done { mut payload, mut drift, mut headers } => {
                if let Payload::Value(value) | Payload::Parts { value, .. } = &payload {
                    // The binding may have said of a place what the schema says again.
                    for found in exposed.tool.drift(value) {
                        if drift.iter().all(|told| told.pointer != found.pointer) {
                            drift.push(found);
                        }
                    }
                }
                let has_drifted = !drift.is_empty();
                exposed.protection.of_answer(&mut payload, &mut headers, &mut drift);
                // A page's links say nothing of all pages together, and those of what stands in
                // are another operation's.
                let next = match (&pages, &note) {
                    (Some(_), _) | (_, Some(_)) => Vec::new(),
                    (None, None) => {
                        let (url, status) = (meta.served_by.as_deref(), meta.status);
                        let (headers, payload) = (&headers, &payload);
                        let answered = links::Answered { url, status, headers, payload };
                        self.next_calls(exposed, request, &answered)
                    }
                };
                let mut cuts = Vec::new();
                if let Payload::Value(value) | Payload::Parts { value, .. } = &mut payload {
                    let shaped = exposed.tool.shape_answer(std::mem::take(value));
                    drift.extend(shaped.failed.map(|reason| Drift {
                        pointer: String::new(),
                        message: format!("nothing could be selected of the answer: {reason}"),
                    }));
                    *value = shaped.value;
                    cuts = shaped.cuts;
                }
                if has_drifted {
                    self.ground.metrics.drifted(exposed.rules.api.as_str());
                }
                // What was not selected is not shown, and no selection names bytes.
                if let Payload::Parts { value, .. } = &mut payload
                    && exposed.tool.selects()
                {
                    payload = Payload::Value(std::mem::take(value));
                }
                if let Some(reused) = reused {
                    self.ground.metrics.kept(exposed.rules.api.as_str());
                    meta.served_by = Some(served_by_cache(reused));
                }
                let note = note.or_else(|| reused.map(of_cache));
                Ok(Success { payload, drift, headers, cuts, pages, note, next })
            }
            Outcome::Failed(failed) => {
                let mut failed = failed;
                left = failed.pending.take();
                let mut failure = Failure::of_upstream(failed);
                exposed.protection.of_failure(&mut failure);
                if let Some(left) = &mut left {
                    exposed.protection.of_pending(left, &mut failure.message);
                }
                if failure.code == ErrorCode::OutcomeUnknown
                    && let Some(lookup) = &exposed.lookup
                    && self.sees(lookup.tool.as_str())
                {
                    failure.next_step = lookup.next_step(&request.arguments);
                    failure = failure.redacted(&self.ground.toolbox.redactor);
                }
                Err(failure)
            }
        };
        let mut result = result;
        exposed.protection.of_result(&mut result);
        meta.suspicious = suspicious(&result);
        if !meta.suspicious.is_empty() {
            self.record.push(&Event::SuspiciousContent { places: meta.suspicious.clone() });
        }
        let kept = match exposed.poll {
            Some(_) => self.kept(exposed, left, result.as_mut().err()),
            None => None,
        };
        let gives_back = nothing_done && !self.reserved.is_empty() && !self.touched;
        let give_back = gives_back.then(|| {
            let (event, give_back) = self.reserved.give_back(&self.id);
            self.record.push(&event);
            give_back
        });
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
        let changes = self.settled(&result, undone).into_iter().chain(kept).collect();
        let batch = Batch { give_back, changes, events: self.record.rows(), ..Batch::default() };
        if let Err(error) = self.write(batch).await {
            tracing::error!(call = %self.id, %error, "the end of a call could not be recorded");
        }
        if exposed.tool.hides_arguments() {
            meta.served_by = meta.served_by.map(|place| origin_of(&place).to_owned());
        }
        if let Some(place) = &mut meta.served_by {
            exposed.protection.of_place(place);
        }
        Reply { meta, result }
    }

    /// Whether the caller may see a tool of that name.
    fn sees(&self, tool: &str) -> bool {
        self.ground.toolbox.find_for(&self.seen, tool).is_some()
    }

    /// Ends a call of a tool that is not there for this caller.
    pub(super) async fn unknown_tool(mut self, tool: &str) -> Result<Reply, Refused> {
        self.replied("unknown_tool", None);
        match self.commit(None, Vec::new()).await {
            Ok(()) => {
                Err(Refused::UnknownTool { tool: tool.chars().take(128).collect(), call: self.id })
            }
            Err(error) => {
                let _ = self.unrecorded(&error);
                Err(Refused::Unrecorded)
            }
        }
    }

    /// Answers a call whose hold could not be placed: another call placed one for the same
    /// arguments at the same time, or too many of this caller's calls wait already.
    async fn not_placed(&mut self, end: &End) -> Failure {
        self.record.rewind(self.received);
        let store = self.ground.store;
        let wanted = end.placing();
        let there = match wanted {
            Some(hold) => {
                store.find_hold(&hold.identity, &hold.tool, &hold.digest, store.now()).await
            }
            None => Ok(None),
        };
        let rule = wanted.map(|hold| hold.rule.clone()).unwrap_or_default();
        let failure = match there {
            Err(error) => return audit_unavailable(&error.to_string()),
            Ok(Some(hold)) if end.ends.as_ref() != Some(&hold.id) => {
                self.decided(Verdict::Hold, vec![rule], None);
                let expires = Time(hold.expires);
                self.record.push(&Event::Held { hold: hold.id.clone(), expires });
                Failure::held(&hold, None)
            }
            Ok(_) => {
                let message = "too many of your calls wait for a person already";
                self.decided(Verdict::Deny, vec![rule], Some(message));
                Failure::new(ErrorCode::Overloaded, message).retry_after(Duration::from_mins(1))
            }
        };
        self.replied(failure.code.as_str(), Some(failure.message.clone()));
        match self.commit(None, Vec::new()).await {
            Ok(()) => failure,
            Err(error) => self.unrecorded(&error),
        }
    }

    pub(super) fn unrecorded(&self, error: &CommitError) -> Failure {
        tracing::error!(call = %self.id, %error, "a call could not be recorded");
        audit_unavailable(&error.to_string())
    }

    pub(super) fn replied(&mut self, outcome: &str, message: Option<String>) {
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

    pub(super) async fn commit(
        &mut self,
        guard: Option<Guard>,
        changes: Vec<Change>,
    ) -> Result<(), CommitError> {
        let batch = Batch { guard, changes, events: self.record.rows(), ..Batch::default() };
        self.write(batch).await
    }

    async fn write(&mut self, batch: Batch) -> Result<(), CommitError> {
        let _receipt = self.ground.store.commit(batch).await?;
        self.record.written();
        Ok(())
    }
}

/// Where an answer speaks to a model. What is made of bytes is not looked into.
fn suspicious(result: &Result<Success, Failure>) -> Vec<Place> {
    let answer = match result {
        Ok(Success { payload: Payload::Value(value) | Payload::Parts { value, .. }, .. }) => value,
        Ok(_) => return Vec::new(),
        Err(failure) => match &failure.upstream {
            Some(upstream) => upstream.fault.as_ref().unwrap_or(&upstream.body),
            None => return Vec::new(),
        },
    };
    let found = tools::instructions_in(answer).into_iter();
    found.map(|found| Place { pointer: found.pointer, message: found.message }).collect()
}

/// Where an answer came from without what was asked for: path and query hold arguments.
pub(super) fn origin_of(served_by: &str) -> &str {
    let Some(scheme) = served_by.find("://") else { return served_by };
    let host = scheme + "://".len();
    let end = served_by[host..].find(['/', '?']).map_or(served_by.len(), |end| host + end);
    &served_by[..end]
}
