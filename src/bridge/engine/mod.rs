//! The course of one call: requests, the waits between them, the deadline, cancellation.
//!
//! Each request first has its turn, of its tool and of its API, and asks whether its host is
//! asked at all. After the deadline nothing is waited for, and no wait begins that would end
//! after it. A call that may have had its effect says so, however it ends.

mod again;
mod turn;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tollbridge_operation::{Arguments, Call, Payload};

use super::attempt::{AttemptEnd, AttemptLog, AttemptRefused, AttemptStart};
use super::breakage::Breakage;
use super::digest::Session;
use super::exchange::{self, Answered, Ended};
use super::gate::Gate;
use super::judge::{Judge, MESSAGE, Verdict, cut, shown};
use super::limiter::Heard;
use super::link;
use super::oauth::Slot;
use super::prepare::{Prepared, Target, prepare};
use super::redirect;
use super::report::{Failed, FailureKind, Outcome, Report};
use super::retry::Nature;
use super::traffic::Traffic;
use super::upstream::Upstream;
use crate::settlement::Cleared;
use turn::{Withheld, health};

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
    let traffic = upstream.traffic();
    let mut course = Course::new(call, prepared, upstream, &traffic, within, log);
    course.n = before.attempts.max(1);
    course.report.attempts = course.n;
    let outcome = if cleared.get().id == call.id && cleared.get().tool == call.tool {
        let why = match &before.outcome {
            Outcome::Failed(failed) => failed.message.clone(),
            Outcome::Done { .. } => String::new(),
        };
        let why = format!("{why}; falling back to {}", call.operation.id);
        let otherwise = course.out_of_time();
        let again = Again { wait: Duration::ZERO, why, otherwise };
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
    mut turn: impl FnMut(&Payload, Option<&str>, u64) -> Option<Next> + Send,
) -> Report {
    let call = cleared.get();
    let begun = Instant::now();
    let traffic = upstream.traffic();
    let mut course = Course::new(call, &prepared, upstream, &traffic, within, log);
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
            Next::Url(url) => link::follow(upstream, &prepared, &url),
        };
        prepared = match following {
            Ok(following) => following,
            Err(reason) => {
                let failed = course.judge.failed(FailureKind::UpstreamError, &reason);
                break Outcome::Failed(failed);
            }
        };
        let otherwise = course.out_of_time();
        let again = Again { wait: Duration::ZERO, why: format!("page {page}"), otherwise };
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
    let traffic = upstream.traffic();
    let mut course = Course::new(call, prepared, upstream, &traffic, within, log);
    let outcome = course.run(prepared).await;
    let mut report = course.report;
    report.outcome = outcome;
    report.upstream_time = begun.elapsed();
    report
}

/// A call on its way.
struct Course<'a, L> {
    judge: Judge<'a>,
    traffic: &'a Traffic,
    deadline: Instant,
    cancel: &'a CancellationToken,
    gate: Option<&'a Gate>,
    log: &'a mut L,
    /// The key that its requests carry.
    key: Option<String>,
    /// Which request it is.
    n: u32,
    /// Whether a request so far may have had an effect that no answer tells of.
    open: bool,
    /// What the last request that was answered, or got no answer, would be reported as.
    last: Option<Failed>,
    /// The base URLs that were asked since the last wait, one bit each.
    round: u64,
    /// The next page that the last success named.
    link: Option<String>,
    /// Which token was sent last.
    token: Option<u64>,
    /// What a server that is asked with digest authentication keeps in cookies.
    session: Option<Session>,
    report: Report,
}

/// When there is another request, and why.
struct Again {
    wait: Duration,
    why: String,
    /// What is reported if it does not come to that.
    otherwise: Failed,
}

impl<'a, L: AttemptLog> Course<'a, L> {
    fn new(
        call: &'a Call,
        prepared: &Prepared,
        upstream: &'a Upstream,
        traffic: &'a Traffic,
        within: Within<'a>,
        log: &'a mut L,
    ) -> Self {
        let nature = Nature::of(&call.operation, prepared.key());
        let judge = Judge { upstream, call, nature };
        traffic.call();
        Self {
            judge,
            traffic,
            deadline: within.deadline,
            cancel: within.cancel,
            gate: within.gate,
            log,
            key: prepared.key.clone(),
            n: 1,
            open: false,
            last: None,
            round: 0,
            link: None,
            token: None,
            session: None,
            report: Report {
                outcome: Outcome::Failed(judge.failed(FailureKind::Internal, "nothing was done")),
                attempts: 0,
                status: None,
                upstream_time: Duration::ZERO,
                served_by: None,
                bytes: 0,
            },
        }
    }
}

impl<L: AttemptLog> Course<'_, L> {
    async fn run(&mut self, prepared: &Prepared) -> Outcome {
        let upstream = self.judge.upstream;
        if prepared.call != self.judge.call.id || !upstream.hosts.allow(&prepared.target.url) {
            let message = "the request was prepared for another call or upstream";
            let failed = self.judge.failed(FailureKind::Internal, message);
            return self.never_sent(failed).await;
        }
        if self.cancel.is_cancelled() {
            let failed = self.cancelled(false);
            return self.never_sent(failed).await;
        }
        if Instant::now() >= self.deadline {
            let failed = self.out_of_time();
            return self.never_sent(failed).await;
        }
        self.round = 0;
        self.last = None;
        let mut target = Cow::Borrowed(&prepared.target);
        let mut tries = 1;
        let mut hops = 0;
        let mut challenges = 0;
        let mut renewals = 0;
        loop {
            let ended = match self.attempt(&target).await {
                Ok(ended) => ended,
                Err(withheld) => {
                    let next = match self.withheld(withheld, &target) {
                        Ok((next, at)) => {
                            target = Cow::Owned(at);
                            next
                        }
                        Err(failed) => return self.give_up(*failed),
                    };
                    if let Err(failed) = Box::pin(self.go_on(next, &target)).await {
                        return self.give_up(*failed);
                    }
                    continue;
                }
            };
            let next = match ended {
                Ended::Cancelled { sent } => return Outcome::Failed(self.cancelled(sent)),
                Ended::Answered(answered)
                    if redirect::is_redirect(answered.status, &answered.headers) =>
                {
                    hops += 1;
                    match self.hop(&target, &answered, hops) {
                        Ok(hop) => target = Cow::Owned(hop),
                        Err(failed) => return self.give_up(*failed),
                    }
                    Again {
                        wait: Duration::ZERO,
                        why: format!("redirected by {}", shown(answered.status)),
                        otherwise: self.out_of_time(),
                    }
                }
                // Refused before anything was done, so it may go again whatever it does.
                Ended::Answered(answered) if self.is_challenge(&target, &answered, challenges) => {
                    challenges += 1;
                    Again {
                        wait: Duration::ZERO,
                        why: "asked for digest authentication".to_owned(),
                        otherwise: self.out_of_time(),
                    }
                }
                Ended::Answered(answered)
                    if self.is_token_refused(&target, &answered, renewals) =>
                {
                    renewals += 1;
                    Again {
                        wait: Duration::ZERO,
                        why: "the token was refused, so another one is got".to_owned(),
                        otherwise: self.out_of_time(),
                    }
                }
                ended => {
                    let met = (ended.status(), ended.error());
                    match self.judge.verdict(ended) {
                        Verdict::Done { payload, drift, headers, link } => {
                            self.link = link;
                            return Outcome::Done { payload, drift, headers };
                        }
                        Verdict::Setback(setback) => {
                            tries += 1;
                            match self.repeat(setback, tries, why(met), &target) {
                                // Where a redirect led is asked for again.
                                Ok((next, 0)) => {
                                    target = Cow::Borrowed(&prepared.target);
                                    next
                                }
                                Ok((next, at)) => {
                                    let Some(moved) = self.moved(&prepared.target, at) else {
                                        return self.give_up(next.otherwise);
                                    };
                                    target = Cow::Owned(moved);
                                    next
                                }
                                Err(failed) => return self.give_up(*failed),
                            }
                        }
                    }
                }
            };
            // Boxed: most calls need one request, and are moved with whatever may be awaited in them.
            if let Err(failed) = Box::pin(self.go_on(next, &target)).await {
                return self.give_up(*failed);
            }
        }
    }

    /// Whether an answer asks for a proof that can be given.
    fn is_challenge(&mut self, target: &Target, answered: &Answered, challenges: u32) -> bool {
        let (headers, session) = (&answered.headers, &mut self.session);
        answered.status == StatusCode::UNAUTHORIZED
            && target
                .digest
                .as_ref()
                .is_some_and(|digest| digest.challenged(target, headers, challenges, session))
    }

    async fn send(&mut self, target: &Target, limit: Instant) -> Ended {
        let signed =
            target.digest.as_ref().and_then(|digest| digest.sign(target, &mut self.session));
        let sent = signed.as_ref().unwrap_or(target);
        let (n, log) = (self.n, &mut *self.log);
        let mut heard = |bytes| log.receiving(n, bytes);
        exchange::send(self.judge.upstream, sent, limit, self.cancel, &mut heard).await
    }

    async fn send_with_token(
        &mut self,
        source: &Arc<Slot>,
        target: &Target,
        limit: Instant,
    ) -> Ended {
        let token = tokio::select! {
            biased;
            token = source.token(limit) => token,
            () = self.cancel.cancelled() => return Ended::Cancelled { sent: false },
        };
        match token {
            Ok(token) => {
                self.token = Some(token.number);
                let mut authorized = target.clone();
                token.authorize(&mut authorized.headers);
                self.send(&authorized, limit).await
            }
            Err(why) => Ended::Broken { what: Breakage::NoToken(why), sent: false },
        }
    }

    /// Whether an answer refuses the token that was sent, and another one can be got.
    fn is_token_refused(&self, target: &Target, answered: &Answered, renewals: u32) -> bool {
        answered.status == StatusCode::UNAUTHORIZED
            && renewals == 0
            && target
                .token
                .as_ref()
                .zip(self.token)
                .is_some_and(|(source, number)| source.refused(number))
    }

    /// Sends one request when its turn has come, and records its end.
    async fn attempt(&mut self, target: &Target) -> Result<Ended, Withheld> {
        let upstream = self.judge.upstream;
        let entered = Instant::now();
        let tools = match self.gate {
            None => None,
            Some(gate) => match self.turn(gate).await {
                Ok(place) => Some(place),
                Err(withheld) => return Err(self.not_sent(withheld, entered).await),
            },
        };
        let place = match self.turn(&self.traffic.gate).await {
            Ok(place) => place,
            Err(withheld) => return Err(self.not_sent(withheld, entered).await),
        };
        let asked = match self.traffic.ask(&upstream.bases[target.at].origin) {
            Ok(asked) => asked,
            Err(after) => {
                drop((tools, place));
                return Err(self.not_sent(Withheld::Open(after), entered).await);
            }
        };
        let begun = Instant::now();
        let limit = exchange::limit(begun, upstream.attempt_timeout, self.deadline);
        self.report.attempts = self.n;
        let ended = match &target.token {
            None => self.send(target, limit).await,
            // Boxed, as what most calls do not need.
            Some(source) => Box::pin(self.send_with_token(source, target, limit)).await,
        };
        let duration = begun.elapsed();
        asked.told(health(&ended, duration, limit - begun, upstream.attempt_timeout));
        match self.heard(&ended) {
            Some(heard) => {
                place.ended(&heard);
                if let Some(tools) = tools {
                    tools.ended(&Heard::default());
                }
            }
            None => drop((tools, place)),
        }
        if let Some(status) = ended.status() {
            self.report.status = Some(status.as_u16());
            self.report.served_by = Some(target.shown.clone());
        }
        self.report.bytes += ended.bytes();
        let end = AttemptEnd {
            n: self.n,
            status: ended.status().map(|status| status.as_u16()),
            error: ended.error(),
            queued: begun - entered,
            duration,
            bytes: ended.bytes(),
        };
        self.log.finished(end).await;
        Ok(ended)
    }

    /// The first request was announced and does not go out.
    async fn never_sent(&mut self, failed: Failed) -> Outcome {
        self.record_not_sent("not sent".to_owned(), Duration::ZERO).await;
        Outcome::Failed(failed)
    }

    /// A request that was announced does not go out.
    async fn not_sent(&mut self, withheld: Withheld, entered: Instant) -> Withheld {
        let words = format!("not sent: {}", withheld.words());
        self.record_not_sent(words, entered.elapsed()).await;
        withheld
    }

    async fn record_not_sent(&mut self, error: String, queued: Duration) {
        let end = AttemptEnd {
            n: self.n,
            status: None,
            error: Some(error),
            queued,
            duration: Duration::ZERO,
            bytes: 0,
        };
        self.log.finished(end).await;
    }

    /// The request that a redirect asks for.
    fn hop(&self, target: &Target, answered: &Answered, hops: u32) -> Result<Target, Box<Failed>> {
        let next = if hops > redirect::HOPS {
            Err(format!("it redirects more than {} times", redirect::HOPS))
        } else {
            redirect::follow(self.judge.upstream, target, answered.status, &answered.headers)
        };
        next.map_err(|reason| Box::new(self.judge.not_followed(answered, &reason)))
    }

    /// Waits, and announces the next request.
    async fn go_on(&mut self, next: Again, target: &Target) -> Result<(), Box<Failed>> {
        let Again { wait, why, otherwise } = next;
        let n = self.n + 1;
        if !wait.is_zero() {
            self.log.waiting(n, wait, &why);
            tokio::select! {
                () = sleep(wait) => {}
                () = self.cancel.cancelled() => return Err(Box::new(self.cancelled(false))),
            }
        }
        if self.cancel.is_cancelled() {
            return Err(Box::new(self.cancelled(false)));
        }
        let start = AttemptStart {
            n,
            url: target.shown.clone(),
            method: target.method.to_string(),
            wait,
            why,
            key: self.key.clone(),
        };
        let recorded = timeout_at(self.deadline, self.log.started(start)).await;
        match recorded {
            Ok(Ok(())) => {
                self.n = n;
                Ok(())
            }
            Ok(Err(refused)) => Err(Box::new(self.refused(refused, otherwise))),
            Err(_) => {
                // It may be on record by now, so its end must be.
                self.n = n;
                self.record_not_sent("not sent".to_owned(), Duration::ZERO).await;
                Err(Box::new(otherwise))
            }
        }
    }

    /// The gateway lets no further request out.
    fn refused(&self, refused: AttemptRefused, otherwise: Failed) -> Failed {
        let (kind, reason, retryable) = match refused {
            AttemptRefused::Stopped(reason) => (FailureKind::Stopped, reason, false),
            AttemptRefused::AuditUnavailable(reason) => {
                (FailureKind::AuditUnavailable, reason, otherwise.retryable)
            }
        };
        let message = format!("{reason}; before that, {}", otherwise.message);
        let failed = self.judge.failed(kind, &message);
        Failed { retryable, upstream: otherwise.upstream, ..failed }
    }

    fn cancelled(&self, sent: bool) -> Failed {
        let api = self.judge.api();
        let effect = self.judge.nature != Nature::Read && (sent || self.open);
        let message = if effect {
            format!("cancelled; {api} may have carried it out, and nobody can tell")
        } else {
            format!("cancelled; {api} changed nothing")
        };
        let failed = self.judge.failed(FailureKind::Cancelled, &message);
        Failed { retryable: !effect || self.judge.nature.may_be_done_twice(), ..failed }
    }

    fn out_of_time(&self) -> Failed {
        let message =
            format!("the time for this call was over before {} was asked", self.judge.api());
        let failed = self.judge.failed(FailureKind::UpstreamTimeout, &message);
        Failed { retryable: true, ..failed }
    }

    /// The last word: what an earlier request may have done is not forgotten.
    fn give_up(&self, mut failed: Failed) -> Outcome {
        failed.untouched &= !self.open;
        let mut message = failed.message;
        if self.n > 1 {
            message = format!("{message} (after {} requests)", self.n);
        }
        let told = [FailureKind::OutcomeUnknown, FailureKind::Cancelled].contains(&failed.kind);
        if self.open && !told {
            message = format!(
                "{message}; an earlier request got no answer and may have been \
                               carried out"
            );
            let silent = [FailureKind::UpstreamTimeout, FailureKind::UpstreamUnavailable];
            if silent.contains(&failed.kind) {
                failed.kind = FailureKind::OutcomeUnknown;
                failed.retryable = self.judge.nature.may_be_done_twice();
            }
        }
        failed.message = cut(&message, MESSAGE);
        Outcome::Failed(failed)
    }
}

/// Why there is another request after this one, in a few words.
fn why(met: (Option<StatusCode>, Option<String>)) -> String {
    match met {
        (Some(status), None) => format!("answered {}", shown(status)),
        (Some(status), Some(error)) => format!("answered {}, but {error}", shown(status)),
        (None, error) => error.unwrap_or_default(),
    }
}
