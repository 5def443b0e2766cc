//! The course of one call: requests, the waits between them, the deadline, cancellation.
//!
//! Each request first has its turn, of its tool and of its API, and asks whether its host is
//! asked at all. After the deadline nothing is waited for, and no wait begins that would end
//! after it. A call that may have had its effect says so, however it ends.

mod again;
mod attempt;
mod course;
mod hedge;
mod kept;
mod last;
pub(super) mod polling;
mod together;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tollbridge_operation::{Arguments, Call, Payload};

use super::attempt::AttemptLog;
use super::gate::Gate;
use super::link;
use super::manner::Manner;
use super::memory::Held;
use super::prepare::{Prepared, prepare};
use super::report::{FailureKind, Outcome, Report};
use super::upstream::Upstream;
use crate::settlement::Cleared;
use course::{Again, Course, Pages};
pub use polling::execute_polled;

/// Within what a call is carried out.
#[derive(Debug, Clone, Copy)]
pub struct Within<'a> {
    /// It ends by then at the latest.
    pub deadline: Instant,
    /// It ends when this is cancelled: a request that is out then is dropped and its connection
    /// closed.
    pub cancel: &'a CancellationToken,
    /// The limits of its tool.
    pub gate: Option<&'a Gate>,
    /// The limits that its tool or its API has in common with others.
    pub groups: &'a [Arc<Gate>],
    /// How its requests are sent.
    pub manner: Manner,
    /// What it holds of the memory for all; `None` where nobody counts.
    pub held: Option<&'a Held<'a>>,
}

/// Carries a cleared call out: sends `prepared`, which must have been made of this call for
/// this upstream, and repeats it where that cannot do its effect twice.
///
/// The intent, and with it the first request, must be on record: a [`Cleared`] says that it
/// is. `log` is told of every end, and of every start from the second request on.
pub async fn execute(
    cleared: &Cleared<Call>,
    prepared: Prepared,
    upstream: &Upstream,
    within: Within<'_>,
    log: &mut impl AttemptLog,
) -> Report {
    run(cleared.get(), &prepared, upstream, within, log).await
}

/// A call that stands in for another one, which failed.
#[derive(Debug)]
pub struct Instead<'a> {
    /// It, with the name, the caller and the tool of the other.
    pub call: Call,
    /// Its request.
    pub prepared: Prepared,
    /// Where it goes.
    pub upstream: &'a Upstream,
    /// What became of the other.
    pub before: &'a Report,
}

/// Carries out what stands in for a cleared call, by the configuration's word. Its requests are
/// counted on from those of the call, and each of them is announced to `log`.
pub async fn execute_instead(
    cleared: &Cleared<Call>,
    instead: &Instead<'_>,
    within: Within<'_>,
    log: &mut impl AttemptLog,
) -> Report {
    let Instead { call, prepared, upstream, before } = instead;
    let begun = Instant::now();
    let common = upstream.in_common(&call.identity);
    let mut course = Course::new(call, prepared, upstream, &common, within, log);
    course.n = before.attempts.max(1);
    course.report.attempts = course.n;
    let outcome = if cleared.get().id == call.id && cleared.get().tool == call.tool {
        let why = match &before.outcome {
            Outcome::Failed(failed) => failed.message.clone(),
            Outcome::Done { .. } => String::new(),
        };
        let why = format!("{why}; falling back to {}", call.operation.id);
        let otherwise = course.out_of_time();
        let again = Again { wait: Duration::ZERO, why, resent: false, otherwise };
        match course.go_on(again, &prepared.target).await {
            Ok(()) => course.run(prepared).await,
            Err(failed) => Outcome::Failed(*failed),
        }
    } else {
        let message = "what stands in for a call is of another call";
        Outcome::Failed(course.judge.failed(FailureKind::Internal, message))
    };
    let mut report = course.report;
    report.outcome = outcome;
    report.upstream_time = begun.elapsed();
    report
}

/// What is asked for after a success.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// The same operation with these arguments.
    Arguments(Arguments),
    /// A URL of the upstream's own.
    Url(String),
}

/// [`execute`] for an answer that comes in pages: after each success `turn` takes the payload,
/// the URL of the `Link` header's next page and the bytes that were read so far, and says what
/// is asked for next. The report is of the last request; a success before it was taken.
pub async fn execute_pages(
    cleared: &Cleared<Call>,
    prepared: Prepared,
    upstream: &Upstream,
    within: Within<'_>,
    log: &mut impl AttemptLog,
    turn: impl FnMut(&Payload, Option<&str>, u64) -> Option<Next> + Send,
) -> Report {
    run_pages(cleared.get(), prepared, upstream, within, log, turn).await
}

/// The same without the proof, for this room's tests.
pub(super) async fn run_pages(
    call: &Call,
    prepared: Prepared,
    upstream: &Upstream,
    within: Within<'_>,
    log: &mut impl AttemptLog,
    mut turn: impl FnMut(&Payload, Option<&str>, u64) -> Option<Next> + Send,
) -> Report {
    let begun = Instant::now();
    let common = upstream.in_common(&call.identity);
    let mut course = Course::new(call, &prepared, upstream, &common, within, log);
    course.pages = Pages::Many(None);
    let mut prepared = prepared;
    let mut page = 1_u32;
    let outcome = loop {
        let outcome = course.run(&prepared).await;
        let Outcome::Done { payload, .. } = &outcome else { break outcome };
        let Some(next) = turn(payload, course.link.take().as_deref(), course.report.bytes) else {
            break outcome;
        };
        page += 1;
        let following = match next {
            Next::Arguments(arguments) => prepare(upstream, &Call { arguments, ..call.clone() })
                .map_err(|error| error.to_string()),
            // It is relative to what was asked last, which need not be what was asked first.
            Next::Url(url) => {
                let from = course.pages.last().unwrap_or(&prepared.target);
                link::follow(upstream, &prepared, from, &url)
            }
        };
        prepared = match following {
            Ok(following) => following,
            Err(reason) => {
                let failed = course.judge.failed(FailureKind::UpstreamError, &reason);
                break Outcome::Failed(failed);
            }
        };
        let otherwise = course.out_of_time();
        let again =
            Again { wait: Duration::ZERO, why: format!("page {page}"), resent: false, otherwise };
        course.key = prepared.key.clone();
        if let Err(failed) = course.go_on(again, &prepared.target).await {
            break course.give_up(*failed);
        }
    };
    let mut report = course.report;
    report.outcome = outcome;
    report.upstream_time = begun.elapsed();
    report
}

/// [`execute`] without the proof, for this room's tests.
pub(super) async fn run(
    call: &Call,
    prepared: &Prepared,
    upstream: &Upstream,
    within: Within<'_>,
    log: &mut impl AttemptLog,
) -> Report {
    let begun = Instant::now();
    let common = upstream.in_common(&call.identity);
    let mut course = Course::new(call, prepared, upstream, &common, within, log);
    let outcome = course.run(prepared).await;
    let mut report = course.report;
    report.outcome = outcome;
    report.upstream_time = begun.elapsed();
    report
}
