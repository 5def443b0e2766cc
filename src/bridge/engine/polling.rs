//! A call that the API took and is not done with, asked after until it is.
//!
//! Each question is a request of the call like any other: it has its turn, its own repetitions,
//! its place on record, and ends with the deadline. From the first answer on it is known that
//! the API took the call, so no end of it leaves that open.

use std::time::Duration;

use http::Method;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tollbridge_operation::{Call, Payload};

use super::Within;
use super::course::{Again, Course};
use crate::bridge::attempt::AttemptLog;
use crate::bridge::judge::{MESSAGE, cut};
use crate::bridge::manner::Manner;
use crate::bridge::poll::{self, Handle, Pending, Poll, State};
use crate::bridge::prepare::{Prepared, Target};
use crate::bridge::report::{Failed, FailureKind, Outcome, Report};
use crate::bridge::retry::Nature;
use crate::bridge::upstream::Upstream;
use crate::settlement::Cleared;

/// [`execute`](super::execute) for a tool whose API may answer before it is done. With a handle,
/// `prepared` goes on with an earlier call ([`Prepared::going_on`]), and starts nothing.
pub async fn execute_polled(
    cleared: &Cleared<Call>,
    prepared: Prepared,
    upstream: &Upstream,
    within: Within<'_>,
    rule: &Poll,
    earlier: Option<&Handle>,
    log: &mut impl AttemptLog,
) -> Report {
    run(cleared.get(), &prepared, upstream, within, rule, earlier, log).await
}

/// The same without the proof, for this room's tests.
pub(in crate::bridge) async fn run(
    call: &Call,
    prepared: &Prepared,
    upstream: &Upstream,
    within: Within<'_>,
    rule: &Poll,
    earlier: Option<&Handle>,
    log: &mut impl AttemptLog,
) -> Report {
    let begun = Instant::now();
    let common = upstream.in_common(&call.identity);
    // How it stands is asked for, and never what was kept of it.
    let within =
        Within { manner: Manner { cost: within.manner.cost, ..Manner::default() }, ..within };
    let mut course = Course::new(call, prepared, upstream, &common, within, log);
    course.judge.polled = true;
    let is_read = course.judge.nature == Nature::Read;
    let outcome = match earlier {
        None => {
            let first = course.run(prepared).await;
            course.until_done(rule, prepared, first).await
        }
        Some(handle) => {
            let asking = Asking {
                target: prepared.target.clone(),
                kept: Some(handle.url.clone()),
                monitor: handle.monitor,
                result: handle.result.clone(),
                word: "running".to_owned(),
                answers: Vec::new(),
            };
            course.ask_after(rule, prepared, asking, None).await
        }
    };
    if !is_read {
        common.traffic.changed(&prepared.target.url);
    }
    let mut report = course.report;
    report.outcome = outcome;
    report.upstream_time = begun.elapsed();
    report
}

/// Where a call is asked after, and how far it was.
struct Asking {
    target: Target,
    kept: Option<String>,
    monitor: bool,
    result: Option<String>,
    /// As it is told.
    word: String,
    /// The first and the newest of the answers that said so.
    answers: Vec<Value>,
}

impl Asking {
    /// What it can be asked after with later.
    fn handle(&self) -> Option<Handle> {
        let (monitor, result) = (self.monitor, self.result.clone());
        self.kept.clone().map(|url| Handle { url, monitor, result })
    }

    fn pending(&self) -> Pending {
        Pending {
            handle: self.handle(),
            url: self.target.shown.clone(),
            state: self.word.clone(),
            answers: self.answers.clone(),
        }
    }

    /// Remembers an answer that says how far it is, in a word as it is told.
    fn said(&mut self, payload: &Payload, word: &str) {
        word.clone_into(&mut self.word);
        self.answers.truncate(1);
        self.answers.extend(poll::value(payload).cloned());
    }
}

impl<L: AttemptLog> Course<'_, L> {
    /// What the first answer comes to.
    async fn until_done(&mut self, rule: &Poll, prepared: &Prepared, first: Outcome) -> Outcome {
        let Outcome::Done { payload, .. } = &first else { return first };
        let Some(answered) = self.answered.take() else { return first };
        let (said, from) = *answered;
        let in_body = rule.url_in(payload);
        let monitor = in_body.is_some() || said.monitor.is_some();
        let word = match rule.state(self.report.status, rule.place(monitor), payload) {
            State::Done => return first,
            State::Failed(word) => return self.failed_there(rule.told(&word), payload.clone()),
            State::Running(word) => word,
        };
        let named = in_body.or_else(|| said.monitor.clone()).or_else(|| said.location.clone());
        // It says nowhere where: then that it was taken is all there is to tell.
        let Some(reference) = named else { return first };
        let upstream = self.judge.upstream;
        let (target, kept) = match poll::target(upstream, &from, &reference) {
            Ok(target) => {
                let kept = from.url.join(&reference).ok();
                (target, kept.and_then(|url| poll::kept(upstream, &url)))
            }
            Err(reason) => {
                let message = format!("{} took this call, but {reason}", self.judge.api());
                return Outcome::Failed(self.judge.failed(FailureKind::UpstreamError, &message));
            }
        };
        let result = said.location.filter(|location| *location != reference);
        let result = result.and_then(|location| from.url.join(&location).ok());
        // What a PUT or PATCH makes is where it was sent to, and a monitor that comes without a
        // `Location` is Azure's way to say so.
        let made = said.monitor.is_some()
            && rule.result.is_none()
            && [Method::PUT, Method::PATCH].contains(&from.method);
        let result = result.or_else(|| made.then(|| from.url.clone()));
        let result = result.and_then(|url| poll::kept(upstream, &url));
        let mut asking =
            Asking { target, kept, monitor, result, word: String::new(), answers: Vec::new() };
        asking.said(payload, rule.told(&word));
        self.taken(&asking).await;
        let wait = wait(rule, said.asked);
        self.ask_after(rule, prepared, asking, Some(wait)).await
    }

    /// Asks until it is done or there is no more time, the first time after a wait, if any.
    async fn ask_after(
        &mut self,
        rule: &Poll,
        prepared: &Prepared,
        mut asking: Asking,
        mut pause: Option<Duration>,
    ) -> Outcome {
        // What was asked for is under way; what follows reads.
        (self.open, self.judge.nature, self.key) = (false, Nature::Read, None);
        self.polling = true;
        let done = loop {
            if let Some(wait) = pause {
                let otherwise = self.unfinished(&asking, wait);
                let resumed = Instant::now().checked_add(wait);
                if resumed.is_none_or(|resumed| resumed >= self.deadline) {
                    return Outcome::Failed(otherwise);
                }
                let why = format!("it works on it: {}", asking.word);
                let again = Again { wait, why, resent: false, otherwise };
                if let Err(failed) = self.go_on(again, &asking.target).await {
                    return Outcome::Failed(self.left(*failed, &asking));
                }
            }
            let outcome = self.run(&prepared.asking(asking.target.clone())).await;
            let answered = self.answered.take();
            match outcome {
                Outcome::Done { .. } if self.led => return outcome,
                Outcome::Done { ref payload, .. } => {
                    let place = rule.place(asking.monitor);
                    match rule.state(self.report.status, place, payload) {
                        State::Done => break outcome,
                        State::Failed(word) => {
                            return self.failed_there(rule.told(&word), payload.clone());
                        }
                        State::Running(word) => asking.said(payload, rule.told(&word)),
                    }
                    let (said, from) = match answered {
                        Some(answered) => *answered,
                        None => (poll::Said::default(), asking.target.clone()),
                    };
                    pause = Some(wait(rule, said.asked));
                    if !asking.monitor
                        && let Some(location) = said.location
                    {
                        self.moved_to(&mut asking, &from, &location).await;
                    }
                }
                // Whoever asks about a call that is under way can ask again.
                Outcome::Failed(failed) if failed.retryable && passes(failed.kind) => {
                    let wait = failed.retry_after.unwrap_or_default().max(rule.every);
                    if Instant::now().checked_add(wait).is_none_or(|then| then >= self.deadline) {
                        return Outcome::Failed(self.left(failed, &asking));
                    }
                    pause = Some(wait);
                }
                Outcome::Failed(failed) => return Outcome::Failed(self.left(failed, &asking)),
            }
        };
        self.result(rule, prepared, &asking, done).await
    }

    /// An answer may say that the next question goes elsewhere.
    async fn moved_to(&mut self, asking: &mut Asking, from: &Target, location: &str) {
        let upstream = self.judge.upstream;
        if let Ok(target) = poll::target(upstream, from, location) {
            let url = from.url.join(location).ok();
            let before = asking.kept.take();
            asking.kept = url.and_then(|url| poll::kept(upstream, &url));
            asking.target = target;
            if asking.kept != before {
                self.taken(asking).await;
            }
        }
    }

    /// Has it kept where the call is asked after.
    async fn taken(&mut self, asking: &Asking) {
        if let Some(handle) = asking.handle() {
            // What takes too long is kept at the end of the call.
            let _ = timeout_at(self.deadline, self.log.taken(&handle)).await;
        }
    }

    /// The result of a call that is done.
    async fn result(
        &mut self,
        rule: &Poll,
        prepared: &Prepared,
        asking: &Asking,
        done: Outcome,
    ) -> Outcome {
        let Outcome::Done { payload, drift, headers } = done else { return done };
        let in_body = rule.result_url_in(&payload);
        let Some(reference) = in_body.or_else(|| asking.result.clone()) else {
            return Outcome::Done { payload: rule.result_in(payload), drift, headers };
        };
        let target = match poll::target(self.judge.upstream, &asking.target, &reference) {
            Ok(target) => target,
            Err(reason) => {
                let failed = self.judge.failed(FailureKind::UpstreamError, &reason);
                return Outcome::Failed(self.left(failed, asking));
            }
        };
        let otherwise = self.unfinished(asking, rule.every);
        let again =
            Again { wait: Duration::ZERO, why: "it is done".to_owned(), resent: false, otherwise };
        if let Err(failed) = self.go_on(again, &target).await {
            return Outcome::Failed(self.left(*failed, asking));
        }
        match self.run(&prepared.asking(target)).await {
            Outcome::Failed(failed) => Outcome::Failed(self.left(failed, asking)),
            outcome @ Outcome::Done { .. } => outcome,
        }
    }

    /// There is no time to wait for it.
    fn unfinished(&self, asking: &Asking, wait: Duration) -> Failed {
        let api = self.judge.api();
        let message = format!("{api} took this call and is not done with it: {}", asking.word);
        let failed = self.judge.failed(FailureKind::UpstreamTimeout, &message);
        let retry_after = Some(wait.max(Duration::from_secs(1)));
        Failed { retryable: true, retry_after, pending: Some(Box::new(asking.pending())), ..failed }
    }

    /// Asking after it came to nothing. It is still under way, and the message says so.
    fn left(&self, failed: Failed, asking: &Asking) -> Failed {
        if failed.pending.is_some() {
            return failed;
        }
        let api = self.judge.api();
        let gone = failed.upstream.as_ref().is_some_and(|said| matches!(said.status, 404 | 410));
        let (message, again) = match failed.kind {
            FailureKind::Cancelled => {
                (format!("cancelled; {api} took this call and may go on with it"), true)
            }
            kind => (
                format!("{api} took this call, and asked after it: {}", failed.message),
                failed.retryable || kind == FailureKind::UpstreamTimeout,
            ),
        };
        Failed {
            message: cut(&message, MESSAGE),
            retryable: again,
            untouched: false,
            pending: (!gone).then(|| Box::new(asking.pending())),
            ..failed
        }
    }

    /// It took the call, and could not do it.
    fn failed_there(&self, word: &str, payload: Payload) -> Outcome {
        let api = self.judge.api();
        let message = format!("{api} took this call and could not carry it out: {word}");
        let failed = self.judge.failed(FailureKind::UpstreamError, &message);
        let upstream = self.report.status.map(|status| self.judge.said(status, payload));
        Outcome::Failed(Failed { upstream, ..failed })
    }
}

/// How long until the next question: what the API asks for, else what the rule says.
fn wait(rule: &Poll, asked: Option<Duration>) -> Duration {
    asked.filter(|asked| !asked.is_zero()).unwrap_or(rule.every)
}

/// Whether another question may be answered.
fn passes(kind: FailureKind) -> bool {
    !matches!(
        kind,
        FailureKind::Cancelled
            | FailureKind::Stopped
            | FailureKind::AuditUnavailable
            | FailureKind::Internal
    )
}
