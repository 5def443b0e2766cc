//! Calls that a person must decide on, while somebody waits for that: the call stays open, or ends
//! with a question and comes again with the answer. And calls whose arguments a person changed.
//!
//! A decision is made here as it is everywhere, by `approvals`, in a commit of its own. What waits
//! does not go on by it: the call is decided on anew, finds the approval, and spends it like any
//! repeat. So a call that is open and its repeat are together done once.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tollbridge_operation::Call;

use super::budgets::Reserving;
use super::ending::{End, audit_unavailable, origin_of};
use super::ready::{Ready, ready};
use super::stages::{Permit, Subject};
use super::{Run, budgets};
use crate::audit::Event;
use crate::bridge::Prepared;
use crate::gateway::approvals::{self, Approver};
use crate::gateway::asking::{Answer, Answered, Asking, Question};
use crate::gateway::operate::OperateError;
use crate::gateway::record::Steps;
use crate::gateway::reply::{EditNotice, ErrorCode, Failure};
use crate::gateway::request::CallRequest;
use crate::gateway::state::State;
use crate::gateway::toolbox::{Exposed, Toolbox};
use crate::safety::edit::{self, Edit};
use crate::safety::{CLIENT_PREFIX, Refusal, hold_digest};
use crate::store::{HoldRow, HoldState};

/// How often it is looked whether somebody else decided.
const LOOK: Duration = Duration::from_millis(250);

/// For how long a person at the client is waited for where nothing else is said: below the minute
/// after which usual clients give a call up.
const AT_THE_CLIENT: Duration = Duration::from_secs(50);

/// How much longer than a client may take its answer is waited for.
const ASKING: Duration = Duration::from_secs(1);

/// The longest arguments, as JSON, that the person at a client is asked about: what they cannot
/// see whole they must not approve.
const MAX_ASKED: usize = 16 * 1024;

/// What became of an answer.
enum Said {
    /// They did not decide.
    Nothing,
    /// It is the decision.
    Decided,
    /// Somebody else decided before.
    Late,
}

/// A call that somebody else let through before the person at the client said no.
fn said_no() -> End {
    let message =
        "the person at the client said no to this call; somebody else had decided on it before";
    Failure::denied(Refusal::Person, message.to_owned()).into()
}

/// A call with the arguments that a person wrote.
pub(super) struct Changed {
    pub(super) prepared: Prepared,
    pub(super) permit: Permit,
    /// What it takes of budgets.
    pub(super) reserving: Vec<Reserving>,
}

/// How the client is asked about this call.
fn way<'a>(hold: &HoldRow, asking: &'a Asking) -> &'a Asking {
    let may = hold.asks_client && hold.given.len() <= MAX_ASKED;
    if may { asking } else { &Asking::Never }
}

/// Why nobody can be asked about this call, where that is so.
pub(super) fn nobody(hold: &HoldRow, asking: &Asking) -> Option<&'static str> {
    match way(hold, asking) {
        Asking::Never if !hold.asks_operator => Some(
            "only the person at the client may approve this call, and they were not asked or did \
             not decide: the client must be able to ask (MCP elicitation)",
        ),
        _ => None,
    }
}

/// What the person at the client is asked: about the arguments as the agent gave them. What the
/// configuration hides from agents their clients are not shown.
fn asked(exposed: &Exposed, hold: &HoldRow, state: Option<String>) -> Question {
    let mut question = Question::of(hold, state);
    if exposed.tool.hides_arguments() {
        question.target = origin_of(&question.target).to_owned();
    }
    question
}

impl Run<'_> {
    /// What the client is to ask before the call is made again, where it is asked that way.
    pub(super) fn question(
        &self,
        exposed: &Exposed,
        hold: &HoldRow,
        asking: &Asking,
    ) -> Result<Option<Question>, Box<Failure>> {
        if !matches!(way(hold, asking), Asking::Round) {
            return Ok(None);
        }
        let state = State {
            hold: hold.id.clone(),
            digest: hold.digest.clone(),
            rules: self.ground.toolbox.rules(),
            expires: hold.expires,
        };
        match self.ground.seal.seal(&state, &self.caller.identity) {
            Ok(state) => Ok(Some(asked(exposed, hold, Some(state)))),
            Err(error) => {
                tracing::error!(error, "a question cannot be sealed");
                Err(Box::new(Failure::new(ErrorCode::Internal, "the question cannot be sealed")))
            }
        }
    }

    /// Takes the answer that a repeated call brings.
    pub(super) async fn take_round(
        &mut self,
        exposed: &Exposed,
        call: &Call,
        answered: &Answered,
        asking: &mut Asking,
    ) -> Result<(), End> {
        let refused = |message: &str| -> Result<(), End> {
            Err(Box::new(Failure::no_answer(message)).into())
        };
        let store = self.ground.store;
        let state = match self.ground.seal.open(&answered.state, &self.caller.identity) {
            Ok(Some(state)) => state,
            Ok(None) => {
                return refused(
                    "this requestState was not made for you by this server, or was changed",
                );
            }
            Err(error) => {
                tracing::error!(error, "an answer cannot be opened");
                return Err(Failure::new(ErrorCode::Internal, "the answer cannot be opened").into());
            }
        };
        if state.digest != hold_digest(call, &exposed.target()) {
            return refused("this answer was given to other arguments, or to another call");
        }
        if state.rules != self.ground.toolbox.rules() {
            return refused("the rules were changed since the question was asked");
        }
        if state.expires <= store.now() {
            return refused("the time to answer the question has run out");
        }
        let held = store.hold(&state.hold).await;
        let held = held.map_err(|error| audit_unavailable(&error.to_string()))?;
        let own = |row: &HoldRow| {
            row.identity == self.caller.identity.as_str()
                && row.tool == call.tool.as_str()
                && row.digest == state.digest
        };
        let Some(hold) = held.filter(own) else {
            return refused("the question is not known any more");
        };
        match (hold.state, &answered.answer) {
            (HoldState::Spent, _) => {
                let message = "this answer was used; it lets one call through".to_owned();
                Err(Failure::denied(Refusal::Used, message).into())
            }
            (HoldState::Pending, Some(Answer::None)) => {
                *asking = Asking::Never;
                Ok(())
            }
            (HoldState::Pending, Some(answer)) => {
                let no = matches!(answer, Answer::No { .. });
                match self.answer(&hold, answer.clone()).await? {
                    Said::Late if no => Err(said_no()),
                    Said::Late | Said::Decided | Said::Nothing => Ok(()),
                }
            }
            // Somebody was quicker; but who says no does not see the call made for all that.
            (HoldState::Approved, Some(Answer::No { .. })) => Err(said_no()),
            // Without an answer it is asked again (MCP, MRTR, "Server Behavior"); and where somebody
            // was quicker, what they decided holds.
            (HoldState::Pending, None) | (HoldState::Approved | HoldState::Rejected, _) => Ok(()),
        }
    }

    /// Leaves a held call open until somebody decides, as long as it may. The end of the call
    /// where nobody does.
    pub(super) async fn wait_for(
        &mut self,
        exposed: &Exposed,
        cancel: &CancellationToken,
        asking: &Asking,
        mut end: End,
        steps: &mut Steps,
    ) -> Result<(), End> {
        let Some(holding) = end.holding.clone() else { return Err(end) };
        let (hold, patience) = (&holding.row, holding.wait);
        let asker = match way(hold, asking) {
            Asking::Live(asker) => Some(asker.clone()),
            Asking::Round => return Err(end),
            Asking::Never => None,
        };
        let wait = match (patience, &asker) {
            (Some(wait), _) => wait,
            (None, Some(_)) => AT_THE_CLIENT,
            (None, None) => Duration::ZERO,
        };
        if wait.is_zero() || self.waited.is_some() {
            return Err(end);
        }
        let Some(_place) = self.ground.load.and_then(|load| load.wait(self.ground.toolbox.bounds))
        else {
            return Err(end);
        };
        if end.placing().is_some() {
            if self.commit(end.guard.clone(), end.changes()).await.is_err() {
                // Made once more as the end of the call, it says why.
                return Err(end);
            }
            end.placed();
            self.received = 0;
            self.ground.notices.held(self.ground.toolbox.webhook.as_ref(), hold);
        }
        steps.say(|| format!("{} waits for a person to decide", hold.id));
        let begun = Instant::now();
        let left = u64::try_from(hold.expires.saturating_sub(self.ground.store.now())).unwrap_or(0);
        let wait = wait.min(Duration::from_micros(left));
        // A client that is asked is told when nobody waits any more: that takes a moment.
        let until = begun + wait + if asker.is_some() { ASKING } else { Duration::ZERO };
        let mut question = asker.map(|asker| asker.ask(asked(exposed, hold, None), wait));
        let decided = loop {
            let answer = async {
                match &mut question {
                    Some(question) => question.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = cancel.cancelled() => {
                    let message = "cancelled before anything was sent";
                    return Err(Failure::new(ErrorCode::Cancelled, message).into());
                }
                answer = answer => {
                    question = None;
                    let no = matches!(answer, Answer::No { .. });
                    match self.answer(hold, answer).await? {
                        Said::Late if no => return Err(said_no()),
                        Said::Late | Said::Decided => break true,
                        Said::Nothing => {}
                    }
                    if patience.is_none() || !hold.asks_operator {
                        break false;
                    }
                }
                () = sleep(LOOK) => match self.ground.store.hold(&hold.id).await {
                    Ok(Some(row)) if row.state == HoldState::Pending => {}
                    Ok(_) => break true,
                    Err(error) => return Err(audit_unavailable(&error.to_string()).into()),
                },
                () = sleep_until(until) => break false,
            }
        };
        self.waited = Some(begun.elapsed());
        // What was decided meanwhile counts by the rules as they are: the repeat goes by them.
        if decided && self.ground.latest.is_some_and(|latest| self.outdated(&latest.load())) {
            return Err(end);
        }
        if decided {
            return Ok(());
        }
        if hold.asks_operator {
            return Err(end);
        }
        // Nobody else can answer, so this is one.
        let reason = Some("nobody answered at the client in time".to_owned());
        self.answer(hold, Answer::No { reason }).await.map(drop)
    }

    /// Whether the rules are not those any more by which this call is decided on.
    fn outdated(&self, latest: &Toolbox) -> bool {
        latest.rules() != self.ground.toolbox.rules()
    }

    /// Decides as the person at the caller's client said.
    async fn answer(&mut self, hold: &HoldRow, answer: Answer) -> Result<Said, End> {
        let by = format!("{CLIENT_PREFIX}{}", self.caller.identity);
        let (state, reason) = match answer {
            Answer::None => return Ok(Said::Nothing),
            Answer::Yes { reason } => (HoldState::Approved, reason),
            Answer::No { reason } => (HoldState::Rejected, reason),
        };
        let by = Approver::at_the_client(&by).under(self.ground.toolbox);
        match approvals::decide(self.ground.store, &hold.id, state, by, reason).await {
            Ok(_) => Ok(Said::Decided),
            Err(OperateError::Decided { .. }) => Ok(Said::Late),
            Err(OperateError::Store(error)) => Err(audit_unavailable(&error.to_string()).into()),
            Err(error) => Err(Failure::no_answer(&error.to_string()).into()),
        }
    }

    /// Decides on the call anew with what a person changed in its arguments.
    pub(super) async fn edited(
        &mut self,
        exposed: &Exposed,
        request: &CallRequest,
        hold: HoldRow,
    ) -> Result<Changed, End> {
        let edits = hold.edits.as_deref().unwrap_or_default();
        let Ok(changes) = serde_json::from_str::<Vec<Edit>>(edits) else {
            let message = "what a person changed in the arguments cannot be read by this version";
            return Err(Failure::new(ErrorCode::Denied, message).into());
        };
        let mut changed = CallRequest { answered: None, ..request.clone() };
        if let Err(reason) = edit::apply(&mut changed.arguments, &changes) {
            let message = format!("what a person changed does not fit the arguments: {reason}");
            return Err(Failure::new(ErrorCode::Denied, message).into());
        }
        let shown = Value::Object(changed.arguments.clone());
        let shown = self.without_fields(exposed, shown, true);
        let redactor = &self.ground.toolbox.redactor;
        let by = hold.decided_by.clone().unwrap_or_default();
        self.record.push(&Event::Edited {
            hold: hold.id.clone(),
            by: by.clone(),
            arguments: shown,
            user: hold.decided_user.clone(),
        });
        let clean = |mut edit: Edit| {
            edit.value.iter_mut().for_each(|value| redactor.value(value));
            edit
        };
        self.edited = Some(Box::new(EditNotice {
            hold: hold.id.clone(),
            by,
            reason: hold.reason.clone(),
            changes: changes.into_iter().map(clean).collect(),
        }));
        let Ready { call, prepared, mut broken, files } =
            ready(&self.id, self.caller, exposed, &changed, self.reason.as_ref())?;
        self.taken_on(&prepared, files)?;
        let (reserving, unreckoned) = budgets::reckon(exposed, &call, &self.seen.counts(exposed));
        broken.extend(unreckoned);
        let subject =
            Subject { exposed, request: &changed, prepared: &prepared, edited: Some(&hold) };
        let permit = self.decide(subject, call, &broken, &Asking::Never).await?;
        Ok(Changed { prepared, permit, reserving })
    }
}
