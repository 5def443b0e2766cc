//! Answers that come in pages, read within one call: each page is an attempt on record before
//! it goes out, and what was read so far is worth more than the failure of the next one.

use serde_json::Map;
use tollbridge_operation::Payload;

use crate::bridge::{FailureKind, Next, Outcome, Report};
use crate::gateway::toolbox::Exposed;
use crate::tools::pages::{Ended, Following, PagesRead, Reading};

/// Takes a page; what is asked for next.
pub(super) fn turn(
    exposed: &Exposed,
    reading: &mut Reading<'_>,
    payload: &Payload,
    link: Option<&str>,
    bytes: u64,
) -> Option<Next> {
    let Payload::Value(page) = payload else { return None };
    match reading.take(page.clone(), link)? {
        _ if bytes >= exposed.upstream.max_response() => {
            reading.stop(Ended::MaxBytes, None);
            None
        }
        // An agent that may not ask for that page is not given it either.
        Following::Arguments(arguments) if !exposed.tool.check_limits(&arguments).is_empty() => {
            reading.stop(Ended::Limit, None);
            None
        }
        Following::Arguments(arguments) => Some(Next::Arguments(arguments)),
        Following::Url(url) => Some(Next::Url(url)),
    }
}

/// What was read, as one report.
pub(super) fn together(
    exposed: &Exposed,
    mut report: Report,
    mut reading: Reading<'_>,
) -> (Report, Option<PagesRead>) {
    if !reading.has_begun() {
        return (report, None);
    }
    let mut told = Vec::new();
    match &mut report.outcome {
        // Nobody waits for it any more.
        Outcome::Failed(failed) if failed.kind == FailureKind::Cancelled => return (report, None),
        Outcome::Failed(failed) => {
            reading.stop(Ended::Failed, Some(exposed.protection.told_of(failed)));
        }
        Outcome::Done { drift, .. } => told = std::mem::take(drift),
    }
    let (value, read) = reading.finish(|name| exposed.tool.shown_argument(name));
    // A page's headers say nothing of all pages together.
    let headers = Map::new();
    report.outcome = Outcome::Done { payload: Payload::Value(value), drift: told, headers };
    (report, Some(read))
}
