//! What a call would do, without doing it: `call --dry-run`.

use tollbridge_operation::CallId;

use super::ready::{Ready, ready};
use super::stages::lacking;
use super::{Ground, budgets, policies};
use crate::gateway::considered;
use crate::gateway::operate::scope_text;
use crate::gateway::reply::Failure;
use crate::gateway::request::{CallRequest, Caller};
use crate::gateway::{DryDecision, DryRun, DryRunError};
use crate::safety::{self, Approval, Decision, Pursuit};
use crate::store::{Store, StoreError, WindowClaim};

/// Decides on a call as the pipeline would and shows its request. Nothing is recorded,
/// taken up or sent.
pub(in crate::gateway) async fn rehearse(
    id: CallId,
    ground: Ground<'_>,
    caller: &Caller,
    request: &CallRequest,
) -> Result<DryRun, DryRunError> {
    let seen = ground.toolbox.seen(caller);
    let exposed = ground
        .toolbox
        .find_for(&seen, &request.tool)
        .ok_or_else(|| DryRunError::UnknownTool(request.tool.clone()))?;
    if exposed.quarantined {
        return Err(DryRunError::Failed(Box::new(Failure::quarantined(&exposed.rules.tool))));
    }
    let mut request = request.clone();
    let reason = exposed.tool.reason().and_then(|rule| rule.take(&mut request.arguments));
    let Ready { call, prepared, mut broken, .. } =
        ready(&id, caller, exposed, &request, reason.as_ref()).map_err(|failure| {
            DryRunError::Failed(Box::new(failure.redacted(&ground.toolbox.redactor)))
        })?;
    let counts = seen.counts(exposed);
    let (reserving, unreckoned) = budgets::reckon(exposed, &call, &counts);
    broken.extend(unreckoned);
    let approval = Approval {
        named: request.approval.as_deref(),
        shown: "{}",
        given: "{}",
        stated: None,
        shown_target: "",
        target: &exposed.target(),
        claimed: "[]",
        known: None,
        price: exposed.price(),
        now: ground.store.now(),
        edited: None,
    };
    let stopped = ground.store.stopped(&exposed.rules.guard(&caller.identity)).await?;
    let at = (approval.now, Pursuit::New);
    let policed = policies::ask(ground.toolbox, &seen, exposed, caller, &call, at);
    let considered = considered::rows(policed.considered());
    let (windows, rules, store) = (&counts.windows, &exposed.rules, ground.store);
    let decision = safety::decide(call, windows, rules, policed, &broken, approval, store).await?;
    let scoped = lacking(caller, exposed);
    let (effect, rules, reason) = match (stopped, decision) {
        (Some(scope), _) => ("deny", vec![format!("stop:{}", scope_text(&scope))], None),
        (None, _) if let Some((rule, reason)) = scoped => ("deny", vec![rule], Some(reason)),
        (None, Decision::Allow { rules, claims, .. }) => match full(&claims, ground.store).await? {
            Some(reason) => ("deny", vec![exposed.rules.window_rule()], Some(reason)),
            None => match budgets::full(exposed, &reserving, ground.store).await? {
                Some((rule, failure)) => ("deny", vec![rule], Some(failure.message)),
                None => ("allow", rules, None),
            },
        },
        (None, Decision::Deny { rules, reason, .. }) => ("deny", rules, Some(reason)),
        (None, Decision::Hold { rules, .. }) => ("hold", rules, None),
    };
    Ok(DryRun {
        decision: DryDecision { effect, rules, reason, considered },
        price: exposed.price().map(str::to_owned),
        request: prepared.preview(),
    })
}

/// Why the commit would refuse the call now, where a window is full.
async fn full(claims: &[WindowClaim], store: &Store) -> Result<Option<String>, StoreError> {
    for claim in claims {
        let per = i64::try_from(claim.per.as_micros()).unwrap_or(i64::MAX);
        let used = store.window_count(&claim.key, store.now().saturating_sub(per)).await?;
        if used >= u64::from(claim.limit) {
            return Ok(Some(format!("{used} of {} calls are used up", claim.limit)));
        }
    }
    Ok(None)
}
