//! What a call takes of its tool's budgets: reckoned before it is decided on, reserved with its
//! intent, and given back where certainly nothing was done.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tollbridge_operation::{Arguments, Call, CallId};

use crate::audit::{Event, Reservation};
use crate::bridge::{Failed, FailureKind, Report};
use crate::gateway::counts::Counts;
use crate::gateway::reply::{ErrorCode, Failure};
use crate::gateway::toolbox::{Budgeted, Exposed};
use crate::safety::BrokenLimit;
use crate::store::{Amount, BudgetClaim, GiveBack, PLACES, Store, StoreError, WindowClaim};
use crate::tools::LimitBroken;

/// What is reserved in one window of a budget.
pub(super) struct Reserving {
    pub(super) claim: BudgetClaim,
    /// Which budget of those that were reckoned.
    pub(super) budget: usize,
}

/// What a call took of budgets.
#[derive(Default)]
pub(super) struct Taken {
    /// Where it counts, and the budget's rule, as often as it took something there.
    parts: Vec<(Arc<str>, Arc<str>)>,
    /// When it had taken nothing yet, in microseconds since the Unix epoch.
    since: Option<i64>,
}

impl Taken {
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// It is about to take this, too, at this time: what is being written when a call's time is over
    /// may be down. The mark is for [`undo`](Self::undo).
    pub(super) fn add(&mut self, budgets: &[Budgeted], reserving: &[Reserving], now: i64) -> usize {
        let mark = self.parts.len();
        self.since.get_or_insert(now);
        let rule = |one: &Reserving| budgets.get(one.budget).map(|one| Arc::clone(&one.rule.name));
        let part = |one: &Reserving| (Arc::clone(&one.claim.key), rule(one).unwrap_or_default());
        self.parts.extend(reserving.iter().map(part));
        mark
    }

    /// What it was about to take since the mark was refused.
    pub(super) fn undo(&mut self, mark: usize) {
        self.parts.truncate(mark);
    }

    /// It gives all of it back: what is put on record of that, and what the store does.
    pub(super) fn give_back(&mut self, call: &CallId) -> (Event, Box<GiveBack>) {
        let Self { parts, since } = std::mem::take(self);
        let (keys, rules): (Vec<_>, BTreeSet<_>) = parts.into_iter().unzip();
        let reason = "nothing was done".to_owned();
        let event = Event::Released {
            reservations: rules.iter().map(ToString::to_string).collect(),
            reason,
        };
        let since = since.unwrap_or_default();
        (event, Box::new(GiveBack { call: call.into(), keys, since }))
    }
}

/// One call.
const ONE: Amount = Amount(10_i128.pow(PLACES as u32));

/// What a call with these arguments takes of a budget.
fn taken(budgeted: &Budgeted, arguments: &Arguments) -> Result<Amount, LimitBroken> {
    match &budgeted.spending {
        None => Ok(ONE),
        Some(spending) => spending.of(arguments, PLACES).map(Amount),
    }
}

/// Why a call with these arguments is refused by a budget of its tool however little is used up of
/// it. Only what stands at places that are `judged` is: the others are not known.
pub(in crate::gateway) fn never(
    exposed: &Exposed,
    arguments: &Arguments,
    judged: impl Fn(&str) -> bool,
) -> Option<BrokenLimit> {
    exposed.budgets.iter().find_map(|budgeted| {
        let message = match taken(budgeted, arguments) {
            Ok(amount) => budgeted.rule.never(amount),
            Err(limit) => {
                let pointer = exposed.tool.shown_pointer(&limit.pointer);
                judged(&pointer).then(|| format!("{pointer} must be {}", limit.message))
            }
        };
        Some(BrokenLimit { rule: budgeted.rule.name.to_string(), message: message? })
    })
}

/// What a call takes. Where that cannot be reckoned, the call is refused as one that breaks a limit.
pub(super) fn reckon(
    exposed: &Exposed,
    call: &Call,
    counts: &Counts,
) -> (Vec<Reserving>, Vec<BrokenLimit>) {
    let mut reserving = Vec::with_capacity(counts.budgets.iter().map(Vec::len).sum());
    let mut unreckoned = Vec::new();
    for ((budget, budgeted), keys) in exposed.budgets.iter().enumerate().zip(&counts.budgets) {
        match taken(budgeted, &call.arguments) {
            Ok(amount) => {
                let claim = |key| budgeted.rule.claim(key, &call.id, amount);
                reserving.extend(keys.iter().map(|key| Reserving { claim: claim(key), budget }));
            }
            Err(limit) => {
                let pointer = exposed.tool.shown_pointer(&limit.pointer);
                unreckoned.push(BrokenLimit {
                    rule: budgeted.rule.name.to_string(),
                    message: format!("{pointer} must be {}", limit.message),
                });
            }
        }
    }
    (reserving, unreckoned)
}

/// What a call of what stands in takes of the budgets in which its tool's do not count; else why that
/// cannot be reckoned.
pub(super) fn reckon_instead(
    budgets: &[Budgeted],
    call: &Call,
    groups: &BTreeSet<String>,
) -> Result<Vec<Reserving>, String> {
    let mut reserving = Vec::new();
    for (budget, budgeted) in budgets.iter().enumerate() {
        let rule = &budgeted.rule;
        let amount = taken(budgeted, &call.arguments).map_err(|limit| {
            format!("its budget `{}`: {} must be {}", rule.name, limit.pointer, limit.message)
        })?;
        let keys = rule.keys(&call.tool, &call.identity, groups);
        let claim = |key: Arc<str>| rule.claim(&key, &call.id, amount);
        reserving.extend(keys.into_iter().map(|key| Reserving { claim: claim(key), budget }));
    }
    Ok(reserving)
}

/// What is put on record of what is reserved.
pub(super) fn reserved(windows: &[WindowClaim], budgets: &[Reserving]) -> Event {
    let reservation = |one: &Reserving| Reservation {
        key: Arc::clone(&one.claim.key),
        amount: one.claim.amount.to_string(),
    };
    Event::Reserved {
        windows: windows.iter().map(|claim| Arc::clone(&claim.key)).collect(),
        budgets: budgets.iter().map(reservation).collect(),
    }
}

/// The rule and the words for a call that a budget refuses.
pub(super) fn exceeded(
    exposed: &Exposed,
    reserving: &[Reserving],
    claim: usize,
    left: Amount,
    retry_after: Option<Duration>,
) -> (String, Failure) {
    let found = reserving.get(claim).and_then(|one| Some((one, exposed.budgets.get(one.budget)?)));
    let (rule, message) = match found {
        Some((one, budgeted)) => {
            (budgeted.rule.name.to_string(), budgeted.rule.exceeded(one.claim.amount, left))
        }
        None => (format!("{}.budget", exposed.rules.tool), "a budget is used up".to_owned()),
    };
    let failure = Failure::new(ErrorCode::BudgetExceeded, message);
    let failure = match retry_after {
        Some(after) => failure.retry_after(after),
        None => failure,
    };
    (rule, failure)
}

/// Why the commit would refuse the call now, where a budget leaves too little.
pub(super) async fn full(
    exposed: &Exposed,
    reserving: &[Reserving],
    store: &Store,
) -> Result<Option<(String, Failure)>, StoreError> {
    for (index, one) in reserving.iter().enumerate() {
        let spent = store.budget_spent(&one.claim.key, one.claim.per).await?;
        let left = one.claim.limit.0.saturating_sub(spent.0);
        if one.claim.amount.0 > left {
            return Ok(Some(exceeded(exposed, reserving, index, Amount(left.max(0)), None)));
        }
    }
    Ok(None)
}

/// Whether a failure says that certainly nothing was done: nothing was sent, or the API's only
/// answer is that it did not do it (RFC 9110 §15.5). A conflict may be with what an earlier
/// request did, and a time-out says nothing.
pub(super) fn nothing_done(report: &Report, failed: &Failed) -> bool {
    const UNSURE: [StatusCode; 3] =
        [StatusCode::REQUEST_TIMEOUT, StatusCode::CONFLICT, StatusCode::PRECONDITION_FAILED];
    let refused = report.attempts == 1
        && failed.kind == FailureKind::UpstreamError
        && report
            .status
            .and_then(|status| StatusCode::from_u16(status).ok())
            .is_some_and(|status| status.is_client_error() && !UNSURE.contains(&status));
    failed.untouched || refused
}
