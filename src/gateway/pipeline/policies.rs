//! Policies on a call: what they are shown of it, and what is kept back of what they read.

use std::borrow::Cow;

use serde_json::Map;
use tollbridge_operation::Call;

use crate::gateway::protection::Places;
use crate::gateway::request::Caller;
use crate::gateway::seen::Seen;
use crate::gateway::toolbox::{Exposed, Toolbox};
use crate::safety::{Asked, Considered, Policed, Pursuit, police};

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
        exposed.tool.shown_arguments(&call.arguments)
    } else {
        Cow::Owned(Map::new())
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
