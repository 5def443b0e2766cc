//! Recorded calls, decided anew under the policies as they are. Nothing is sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tollbridge_operation::Identity;

use super::super::context::{self, Access};
use super::super::{Exit, clean, print, print_json};
use super::Args;
use super::cases::{agent, claim};
use crate::audit::{self, CallRecord, Filter, Verdict};
use crate::gateway::{Caller, Facts, Judged, Loaded, Supposed, Transport, judge};

/// A call that would be decided in another way.
struct Changed<'a> {
    call: &'a CallRecord,
    was: &'static str,
    is: &'static str,
    judged: Judged,
}

pub(super) async fn run(args: &Args, loaded: &Loaded, config: &Path) -> Exit {
    let store = context::operators_store(config, args.store.as_deref(), Access::Read).await;
    let store = match store {
        Ok(store) => store,
        Err(exit) => return exit,
    };
    let filter = Filter { since: args.since, limit: Some(args.limit), ..Filter::default() };
    let calls = audit::calls(&store, &filter).await;
    store.close().await;
    let calls = match calls {
        Ok(calls) => calls,
        Err(error) => return context::failed(&error),
    };
    let mut changed = Vec::new();
    let mut unknown = Vec::new();
    let (mut same, mut apart) = (0_usize, 0_usize);
    for call in &calls {
        let Some((was, question)) = recorded(call) else {
            apart += 1;
            continue;
        };
        let judged = judge(&loaded.toolbox, &question);
        let is = if judged.listed { judged.effect } else { "hidden" };
        if judged.unsure && judged.listed {
            unknown.push(&call.id);
        } else if was == is {
            same += 1;
        } else {
            changed.push(Changed { call, was, is, judged });
        }
    }
    if args.json {
        print_json(&json!({
            "calls": calls.len(),
            "same": same,
            "not_replayed": apart,
            "unknown": unknown,
            "changes": counts(&changed),
            "changed": changed.iter().map(to_json).collect::<Vec<_>>(),
        }));
        return Exit::Done;
    }
    for one in &changed {
        print(&to_text(one));
    }
    let counted: Vec<String> =
        counts(&changed).iter().map(|(change, times)| format!("{change} {times}")).collect();
    let counted = if counted.is_empty() { "none".to_owned() } else { counted.join(", ") };
    let unknown = match unknown.len() {
        0 => String::new(),
        n => format!(", {n} unknown: they depend on arguments that the trail holds redacted"),
    };
    print(&format!(
        "{} calls: {same} as before, {} changed ({counted}), {apart} not replayed{unknown}\n",
        calls.len(),
        changed.len()
    ));
    Exit::Done
}

/// What the policies said of a call, and the call; `None` where something else decided (the kill
/// switch, a window, a budget, an operation that changed), or the record does not tell.
fn recorded(call: &CallRecord) -> Option<(&'static str, Supposed)> {
    let was = match (&call.decision, call.outcome.as_deref()) {
        (Some(decision), _) => {
            let rules = &decision.rules;
            let spent = |rule: &String| rule.contains("=h_");
            let is_hold =
                |rule: &String| rule.rsplit_once('.').is_some_and(|(_, kind)| kind == "hold");
            let other = |rule: &String| {
                rule.starts_with("stop:")
                    || rule.starts_with("budget.")
                    || [".calls", ".stale", ".loops"].iter().any(|end| rule.ends_with(end))
                    || rule.contains(".budget")
            };
            match decision.effect {
                // It was held, and a person let it through.
                Verdict::Allow if rules.iter().any(spent) => "hold",
                Verdict::Allow => "allow",
                Verdict::Hold => "hold",
                Verdict::Deny if rules.iter().any(other) => return None,
                // A hold that a person rejected.
                Verdict::Deny if rules.iter().any(is_hold) => "hold",
                Verdict::Deny => "deny",
            }
        }
        (None, Some("unknown_tool")) => "hidden",
        (None, Some("invalid_arguments")) => "invalid",
        (None, _) => return None,
    };
    let Some(Value::Object(arguments)) = &call.arguments else { return None };
    let transport = match call.transport.as_deref() {
        Some("stdio") => Transport::Stdio,
        Some("cli") => Transport::Cli,
        _ => Transport::Http,
    };
    let identity = Identity::new(call.identity.as_deref()?).ok()?;
    let by = |name: &str| call.by.as_ref().and_then(|by| by.get(name));
    let groups = by("groups").and_then(Value::as_array).into_iter().flatten();
    let claims = by("claims").and_then(Value::as_object).into_iter().flatten();
    let claims = claims.filter_map(|(name, value)| Some((name.clone(), claim(value)?)));
    let caller = Caller {
        groups: groups.filter_map(Value::as_str).map(str::to_owned).collect(),
        agent: call.client.as_deref().map(agent),
        facts: Arc::new(Facts { claims: claims.collect(), ..Facts::default() }),
        ..Caller::new(identity, transport)
    };
    let (tool, arguments) = (call.tool.clone()?, arguments.clone());
    let reason = call.reason.clone();
    Some((was, Supposed { caller, tool, arguments, reason, now: call.started.0 }))
}

fn counts(changed: &[Changed<'_>]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for one in changed {
        *counts.entry(format!("{} → {}", one.was, one.is)).or_default() += 1;
    }
    counts
}

fn to_text(changed: &Changed<'_>) -> String {
    let Changed { call, was, is, judged } = changed;
    let rules = judged.rules.join(", ");
    format!(
        "{}  {}  {}  {}  {was} → {is}  {}\n",
        call.started,
        call.id,
        clean(call.identity.as_deref().unwrap_or("-"), 40),
        clean(call.tool.as_deref().unwrap_or("-"), 40),
        clean(judged.reason.as_deref().filter(|_| rules.is_empty()).unwrap_or(&rules), 200),
    )
}

fn to_json(changed: &Changed<'_>) -> Value {
    json!({
        "id": changed.call.id,
        "time": changed.call.started,
        "identity": changed.call.identity,
        "tool": changed.call.tool,
        "was": changed.was,
        "is": changed.is,
        "decision": changed.judged,
    })
}
