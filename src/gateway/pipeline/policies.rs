//! Policies on a call: what they are shown of it, and what the trail keeps of them.

use std::sync::Arc;

use serde_json::Map;
use tollbridge_operation::Call;

use crate::audit::{ConsideredRow, ReadValues};
use crate::gateway::protection::Places;
use crate::gateway::request::Caller;
use crate::gateway::seen::Seen;
use crate::gateway::toolbox::{Exposed, Toolbox};
use crate::safety::{Asked, Consideration, Considered, Outcome, Policed, Pursuit, Read, police};

/// How many policies are recorded with what they read; those that were satisfied or failed first.
const MAX_READING: usize = 32;

/// How many are recorded at all.
const MAX_RULES: usize = 1_000;

/// How many values of one.
const MAX_VALUES: usize = 8;

/// How long a value may be, as JSON.
const MAX_VALUE: usize = 200;

/// Has the policies decide on a call.
pub(super) fn ask(
    toolbox: &Toolbox,
    seen: &Seen,
    exposed: &Exposed,
    caller: &Caller,
    call: &Call,
    (now, pursuit): (i64, Pursuit),
) -> Policed {
    let place = toolbox.place(exposed);
    // Policies know the agent's names. Most tools' policies read no argument.
    let arguments = if toolbox.policies.reads_arguments(place) {
        exposed.tool.shown_arguments(call.arguments.clone())
    } else {
        Map::new()
    };
    let client = caller.agent.as_ref().map(ToString::to_string);
    let asked = Asked {
        arguments: &arguments,
        client: client.as_deref(),
        channel: caller.transport.as_str(),
        now,
    };
    police(&seen.policies, place, &asked, pursuit)
}

/// Takes out of what policies read those arguments that are kept out of the trail.
pub(super) fn keep_out(considered: &mut Considered, places: &Places) {
    if places.is_empty() {
        return;
    }
    for (path, value) in considered.arguments_mut() {
        places.take_out_below(path, value);
    }
}

/// What the trail keeps of the policies that were considered.
pub(in crate::gateway) fn rows(considered: &Considered) -> Vec<ConsideredRow> {
    // As they win over each other; what was not satisfied decided nothing.
    let rank = |one: &Consideration<'_>| match (one.outcome, one.effect) {
        (Outcome::Satisfied, "forbid") => 0,
        (Outcome::Failed(_), _) => 1,
        (Outcome::Satisfied, "hold") => 2,
        (Outcome::Satisfied, _) => 3,
        (Outcome::NotSatisfied, _) => 4,
    };
    let mut ranked: Vec<Consideration<'_>> = considered.iter().collect();
    ranked.sort_by_key(rank);
    let values = |place| if place < MAX_READING { MAX_VALUES } else { 0 };
    let ranked = ranked.iter().take(MAX_RULES).enumerate();
    let mut texts = Vec::new();
    ranked.map(|(place, one)| row(one, values(place), &mut texts)).collect()
}

/// `texts` are those of the places that policies before this one read.
fn row(
    considered: &Consideration<'_>,
    values: usize,
    texts: &mut Vec<Option<Arc<str>>>,
) -> ConsideredRow {
    let (outcome, why) = match considered.outcome {
        Outcome::Satisfied => ("satisfied", None),
        Outcome::NotSatisfied => ("not satisfied", None),
        Outcome::Failed(why) => ("failed", Some(why.clone())),
    };
    let value = |read: Read<'_>| {
        if texts.len() <= read.place {
            texts.resize(read.place + 1, None);
        }
        let text = texts[read.place].get_or_insert_with(|| {
            let text = read.value.map_or_else(|| "not there".to_owned(), ToString::to_string);
            cut(text).into()
        });
        (Arc::clone(read.name), Arc::clone(text))
    };
    let mut read: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    for (name, text) in considered.reads().take(values).map(value) {
        // Places of different arguments may have one name (`a.b`): it is told once.
        match read.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = text,
            None => read.push((name, text)),
        }
    }
    ConsideredRow {
        rule: considered.rule.to_owned(),
        effect: considered.effect.into(),
        outcome: outcome.into(),
        why,
        values: ReadValues(read),
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(MAX_VALUE) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
