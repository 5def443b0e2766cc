//! One call, from its request to its reply, through every layer in the contract's order:
//! arguments, policy and limits, approval, payment, the commit of the intent, the attempts,
//! the reply.
//!
//! [`Run::stages`] is that order. Each stage takes what the earlier one made, or ends the
//! call with an [`End`]. Every way out goes through `ending`, which records it: a call whose
//! record cannot be written is answered with `audit_unavailable`, whatever it would have
//! been.

mod asked;
mod budgets;
mod ending;
mod fallbacks;
mod links;
mod pages;
mod pending;
mod policies;
mod ready;
mod rehearsal;
mod repeats;
mod shown;
mod stages;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::{Value, json};
use tokio::time::Instant;
use tollbridge_operation::CallId;

use super::cache::Cache;
use super::load::{Load, NO_ROOM};
use super::notices::Notices;
use super::record::{Record, Steps};
use super::reply::{EditNotice, ErrorCode, Failure, Reply};
use super::request::{CallRequest, CallWatch, Caller, Refused};
use super::seen::Seen;
use super::state::Seal;
use super::toolbox::{Exposed, Toolbox};
use crate::audit::{Considerations, Event, FileRow, Verdict};
use crate::bridge::{FileRead, Held, Prepared};
use crate::identity::{Facts, Proof};
use crate::observe::{CallSpans, Metrics};
use crate::safety::{Conduct, Refusal};
use crate::store::{Amount, PendingRow, RepeatRow, Store};
use crate::tools::reason::said;
use ending::End;
use repeats::Known;
use stages::{Carried, Intent, Subject, Takes};

pub(super) use budgets::never;
pub(super) use rehearsal::rehearse;
pub(super) use shown::{Shown, show, unknown};
pub(super) use stages::lacking;

/// How often a call is decided on: anew where a person decided meanwhile, or where its approval was
/// spent in between.
const MAX_DECISIONS: usize = 3;

/// What every call stands on.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) store: &'a Store,
    pub(super) toolbox: &'a Toolbox,
    /// Where the toolbox of new calls is; `None` where nothing is waited for.
    pub(super) latest: Option<&'a ArcSwap<Toolbox>>,
    pub(super) metrics: &'a Metrics,
    pub(super) cache: &'a Cache,
    pub(super) conduct: &'a Conduct,
    /// What the call holds; `None` where it holds nothing.
    pub(super) held: Option<&'a Held<'a>>,
    /// What the bridge takes upon itself; `None` where nothing is done.
    pub(super) load: Option<&'a Load>,
    /// Tells others of held calls.
    pub(super) notices: &'a Notices,
    /// What seals questions.
    pub(super) seal: &'a Seal,
    /// The call's spans; `None` where it is not traced.
    pub(super) spans: Option<&'a Arc<CallSpans>>,
}

/// A call on its way.
struct Run<'a> {
    ground: Ground<'a>,
    caller: &'a Caller,
    /// Its groups, what it could do, and where its calls count.
    seen: Arc<Seen>,
    record: Record,
    id: CallId,
    started: Instant,
    /// The key that the caller named the call by, where it is to be taken up.
    named: Option<RepeatRow>,
    /// The same call, which the API took and was not done with.
    earlier: Option<PendingRow>,
    /// A digest of the arguments, where the same call may go on with this one.
    digest: Option<String>,
    /// What it took of budgets.
    reserved: budgets::Taken,
    /// What it took of budgets of what stands in for its operation, by their keys: of each it takes
    /// once, however much stands in.
    instead: BTreeMap<Arc<str>, Amount>,
    /// Whether something may have been done that the answer in its stead does not tell of.
    touched: bool,
    /// How many of the events that are not on record say no more than that the call came in: what
    /// was pushed after them may turn out not to hold.
    received: usize,
    /// How long it was left open for a person; `None` where it was not.
    waited: Option<Duration>,
    /// What a person changed in its arguments.
    edited: Option<Box<EditNotice>>,
    /// Why it is made, as the agent gave it, where its tool takes that.
    reason: Option<Value>,
    /// The same as it is put on record.
    stated: Option<String>,
}

/// Takes one call through every layer.
pub(super) async fn run(
    id: CallId,
    ground: Ground<'_>,
    caller: &Caller,
    mut request: CallRequest,
    watch: CallWatch,
) -> Result<Reply, Refused> {
    let mut run = Run::new(id, ground, caller);
    let Some(exposed) = run.received(&mut request) else {
        return Box::pin(run.unknown_tool(&request.tool)).await;
    };
    if request.idempotency_key.is_some() {
        match Box::pin(run.known(exposed, &request)).await {
            Known::Not => {}
            Known::Ended(reply) => return Ok(*reply),
            Known::Refused(end) => return Ok(Box::pin(run.end(*end)).await),
        }
    }
    Ok(match run.stages(exposed, &request, watch).await {
        Ok(carried) => run.reply(exposed, &request, carried).await,
        // What is rare is boxed: the call is moved with whatever may be awaited in it.
        Err(end) => Box::pin(run.end(end)).await,
    })
}

/// Answers a call for which there is no room. It is recorded like any other.
pub(super) async fn overloaded(
    id: CallId,
    ground: Ground<'_>,
    caller: &Caller,
    mut request: CallRequest,
    why: &str,
) -> Result<Reply, Refused> {
    if ground.toolbox.has_meta(&request.tool, caller) {
        return Box::pin(show(id, ground, caller, &mut request, Err(no_room(why)))).await;
    }
    let mut run = Run::new(id, ground, caller);
    if run.received(&mut request).is_none() {
        return run.unknown_tool(&request.tool).await;
    }
    Ok(run.end(no_room(why).into()).await)
}

fn no_room(why: &str) -> Failure {
    Failure::new(ErrorCode::Overloaded, why).retry_after(Duration::from_secs(1))
}

fn file_row(file: FileRead) -> FileRow {
    FileRow { path: file.path, size: file.size, digest: file.digest }
}

/// What was known of a caller, for the trail. Not its scopes: which of them it lacked is told by the
/// rule that refused it.
fn by(caller: &Caller) -> Option<Box<Value>> {
    let Facts { proof, client_id, claims, .. } = &*caller.facts;
    let nothing = *proof == Proof::Local && claims.is_empty() && caller.groups.is_empty();
    if nothing {
        return None;
    }
    let mut by = json!({ "proof": proof.as_str() });
    if let Some(client_id) = client_id {
        by["client_id"] = client_id.as_str().into();
    }
    if !caller.groups.is_empty() {
        by["groups"] = caller.groups.clone().into();
    }
    if !claims.is_empty() {
        let values = claims.iter().map(|(name, claim)| (name.clone(), claim.into()));
        by["claims"] = Value::Object(values.collect());
    }
    Some(Box::new(by))
}

impl<'a> Run<'a> {
    fn new(id: CallId, ground: Ground<'a>, caller: &'a Caller) -> Self {
        let seen = ground.toolbox.seen(caller);
        Self {
            ground,
            caller,
            seen,
            record: Record::new(
                id.clone(),
                Arc::clone(&ground.toolbox.trail),
                ground.spans.cloned(),
            ),
            id,
            started: Instant::now(),
            named: None,
            earlier: None,
            digest: None,
            reserved: budgets::Taken::default(),
            instead: BTreeMap::new(),
            touched: false,
            received: 1,
            waited: None,
            edited: None,
            reason: None,
            stated: None,
        }
    }

    /// When its time is over. What a person took to decide does not count.
    fn deadline(&self, time: Duration) -> Instant {
        self.started + self.waited.unwrap_or_default() + time
    }

    /// Notes that the call came in; its tool, if this caller may see one of that name. Why it is made
    /// is no argument from here on.
    fn received(&mut self, request: &mut CallRequest) -> Option<&'a Exposed> {
        let exposed = self.ground.toolbox.find_for(&self.seen, &request.tool);
        self.note(exposed, request);
        exposed
    }

    /// Notes that the call came in, of this.
    fn note(&mut self, exposed: Option<&Exposed>, request: &mut CallRequest) {
        let toolbox = self.ground.toolbox;
        let operation = exposed.map(|exposed| &exposed.tool.operation.id);
        let mut arguments = Value::Object(request.arguments.clone());
        if let Some(exposed) = exposed {
            self.record.goes_by(&exposed.protection.trail);
            arguments = self.without_fields(exposed, arguments, true);
        }
        if let Some(rule) = exposed.and_then(|exposed| exposed.tool.reason()) {
            self.reason = rule.take(&mut request.arguments);
            self.stated = arguments.as_object_mut().and_then(|kept| rule.take(kept)).map(said);
        }
        self.record.push(&Event::Received {
            identity: (&self.caller.identity).into(),
            tool: match exposed {
                Some(exposed) => (&exposed.tool.name).into(),
                None => request.tool.chars().take(128).collect::<String>().into(),
            },
            api: operation.map(|id| (&id.api).into()),
            operation: operation.map(|id| (&id.key).into()),
            arguments,
            reason: self.stated.clone(),
            transport: self.caller.transport.as_str().to_owned(),
            client: self.caller.agent.as_ref().map(ToString::to_string),
            traceparent: request.trace.as_ref().map(|trace| trace.traceparent()),
            tracestate: request.trace.as_ref().and_then(|t| t.tracestate().map(str::to_owned)),
            went_by: toolbox.went_by(&self.seen, exposed),
            process: self.ground.store.process().map(str::to_owned),
            by: by(self.caller),
        });
    }

    /// Arguments without those that are kept out of the trail. What they say is kept out of the
    /// call's other events as well, where it is long enough to be told from other words.
    fn without_fields(&mut self, exposed: &Exposed, mut arguments: Value, learn: bool) -> Value {
        let places = &exposed.protection.arguments;
        if !places.is_empty() {
            let said = places.take_out(&mut arguments);
            if learn && !said.is_empty() {
                self.record.keep_out(&said);
            }
        }
        arguments
    }

    /// The contract's order of a call.
    async fn stages(
        &mut self,
        exposed: &Exposed,
        request: &CallRequest,
        watch: CallWatch,
    ) -> Result<Carried, End> {
        let mut steps = Steps::new(watch.progress);
        let mut asking = watch.asking;
        let mut answered = request.answered.as_ref();
        if self.ground.toolbox.storm.is_some()
            && let Some(left) = self.ground.conduct.paused(&self.caller.identity)
        {
            return Err(self.paused(left));
        }
        for _ in 0..MAX_DECISIONS {
            if exposed.quarantined {
                return Err(self.quarantined(exposed));
            }
            if let Some(end) = self.scoped(exposed) {
                return Err(end);
            }
            let mut ready =
                ready::ready(&self.id, self.caller, exposed, request, self.reason.as_ref())?;
            let mut earlier = None;
            if exposed.poll.is_some() {
                earlier = Box::pin(self.take_up(exposed, &mut ready)).await?;
            }
            steps.say(|| "arguments checked".to_owned());
            self.taken_on(&ready.prepared, ready.files)?;
            if let Some(answered) = answered.take() {
                Box::pin(self.take_round(exposed, &ready.call, answered, &mut asking)).await?;
            }
            // What an earlier call took up is reserved since then.
            let mut reserving = Vec::new();
            if earlier.is_none() && !exposed.budgets.is_empty() {
                let (takes, unreckoned) =
                    budgets::reckon(exposed, &ready.call, &self.seen.counts(exposed));
                reserving = takes;
                ready.broken.extend(unreckoned);
            }
            let subject = Subject { exposed, request, prepared: &ready.prepared, edited: None };
            let permit = match self.decide(subject, ready.call, &ready.broken, &asking).await {
                Ok(permit) => permit,
                Err(end) if end.holds() => {
                    let waiting = self.wait_for(exposed, &watch.cancel, &asking, end, &mut steps);
                    Box::pin(waiting).await?;
                    continue;
                }
                Err(end) => return Err(end),
            };
            let permit = match permit.approval {
                Some(ref hold) if hold.edits.is_some() => {
                    let edited = Box::pin(self.edited(exposed, request, hold.clone())).await;
                    let changed = edited.map_err(|end| end.of_approved(hold))?;
                    ready.prepared = changed.prepared;
                    reserving = changed.reserving;
                    changed.permit
                }
                _ => permit,
            };
            // A repeat that asks after what is under way, or whether a person has decided, is no
            // loop: what counts is what may go out.
            if let Some(rule) = exposed.loops.filter(|_| earlier.is_none())
                && let Err(wait) = self.ground.conduct.made(permit.allowed.get(), rule)
            {
                return Err(self.looped(exposed, rule, wait));
            }
            let quoted = self.quote(exposed, request, permit.allowed).await?;
            if watch.cancel.is_cancelled() {
                let message = "cancelled before anything was sent";
                return Err(Failure::new(ErrorCode::Cancelled, message).into());
            }
            let takes = Takes {
                claims: &permit.claims,
                budgets: &reserving,
                approval: permit.approval.as_ref(),
            };
            match self.intend(exposed, &ready.prepared, takes).await? {
                Intent::Recorded(receipt) => {
                    steps.say(|| format!("calling {}", exposed.rules.api));
                    if let Some(through) = &watch.through {
                        through.cancel();
                    }
                    let cleared = quoted.clear(&receipt);
                    let prepared = ready.prepared;
                    return Ok(self
                        .carry_out(exposed, cleared, prepared, earlier, &watch.cancel, &mut steps)
                        .await);
                }
                // Another call used the approval up between our reading and our commit: it
                // is decided anew on what stands now.
                Intent::ApprovalSpent => self.record.rewind(self.received),
            }
        }
        let message = "the approval of this call was used by another one at the same time";
        Err(Failure::denied(Refusal::Used, message.to_owned()).into())
    }

    /// Counts what the call holds, and notes which files it sends.
    fn taken_on(&mut self, prepared: &Prepared, files: Vec<FileRead>) -> Result<(), End> {
        if self.ground.held.is_some_and(|held| !held.more(prepared.bytes())) {
            return Err(no_room(NO_ROOM).into());
        }
        if !files.is_empty() {
            let files = files.into_iter().map(file_row).collect();
            self.record.push(&Event::FilesRead { files });
        }
        Ok(())
    }

    fn decided(&mut self, effect: Verdict, rules: Vec<String>, reason: Option<&str>) {
        self.decided_on(effect, rules, reason, Considerations::default());
    }

    /// The same with the policies that were considered.
    fn decided_on(
        &mut self,
        effect: Verdict,
        rules: Vec<String>,
        reason: Option<&str>,
        considered: Considerations,
    ) {
        let reason = reason.map(str::to_owned);
        self.record.push(&Event::Decided { effect, rules, reason, considered });
    }
}
