//! The course of one call: requests, the waits between them, the deadline, cancellation.
//!
//! Each request first has its turn, of its tool and of its API, and asks whether its host is
//! asked at all. After the deadline nothing is waited for, and no wait begins that would end
//! after it. A call that may have had its effect says so, however it ends.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tollbridge_operation::{Arguments, Call, Payload};

use super::attempt::{AttemptEnd, AttemptLog, AttemptRefused, AttemptStart};
use super::breakage::{Breakage, seconds};
use super::breaker::Health;
use super::exchange::{self, Answered, Content, Ended};
use super::gate::{Entered, Gate, NoTurn, Place};
use super::judge::{Judge, MESSAGE, Setback, Verdict, cut, shown};
use super::limiter::headers::announced;
use super::limiter::{Heard, Refusal};
use super::link;
use super::prepare::{Prepared, Target, prepare};
use super::redirect;
use super::report::{Failed, FailureKind, Outcome, Report};
use super::retry::{self, Failing, Nature};
use super::traffic::Traffic;
use super::upstream::Upstream;
use crate::settlement::Cleared;

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
    cleared: Cleared<Call>,
    prepared: Prepared,
    upstream: &Upstream,
    within: Within<'_>,
    log: &mut impl AttemptLog,
) -> Report {
    run(cleared.get(), &prepared, upstream, within, log).await
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
    cleared: Cleared<Call>,
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
        let mut target = Cow::Borrowed(&prepared.target);
        let mut tries = 1;
        let mut hops = 0;
        let mut challenges = 0;
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
                Ended::Answered(answered) if is_challenge(&target, &answered, challenges) => {
                    challenges += 1;
                    Again {
                        wait: Duration::ZERO,
                        why: "asked for digest authentication".to_owned(),
                        otherwise: self.out_of_time(),
                    }
                }
                ended => {
                    let why = why(&ended);
                    match self.judge.verdict(ended) {
                        Verdict::Done { payload, drift, headers, link } => {
                            self.link = link;
                            return Outcome::Done { payload, drift, headers };
                        }
                        Verdict::Setback(setback) => {
                            tries += 1;
                            match self.repeat(setback, tries, why, &target) {
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
        let signed = target.digest.as_ref().and_then(|digest| digest.sign(target));
        let sent = signed.as_ref().unwrap_or(target);
        let (n, log) = (self.n, &mut *self.log);
        let mut heard = |bytes| log.receiving(n, bytes);
        let ended = exchange::send(upstream, sent, limit, self.cancel, &mut heard).await;
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

    /// Waits for a turn, where one must be waited for.
    async fn turn<'g>(&self, gate: &'g Gate) -> Result<Place<'g>, Withheld> {
        let waiting = match gate.enter(self.judge.call.identity.as_str(), self.deadline) {
            Entered::Now(place) => return Ok(place),
            Entered::Refused(Refusal::TooLate { after }) => return Err(Withheld::Late(after)),
            Entered::Refused(Refusal::Full { after }) => return Err(Withheld::Full(after)),
            Entered::Waits(waiting) => waiting,
        };
        match Box::pin(waiting.turn(self.deadline, self.cancel)).await {
            Ok(place) => Ok(place),
            Err(NoTurn::TooLate(after)) => Err(Withheld::Late(after)),
            Err(NoTurn::Cancelled) => Err(Withheld::Cancelled),
        }
    }

    /// What an answer tells of limits.
    fn heard(&self, ended: &Ended) -> Option<Heard> {
        let Ended::Answered(answered) = ended else { return None };
        let (upstream, headers) = (self.judge.upstream, &answered.headers);
        let announced = announced(headers, &upstream.limits_read, (upstream.clock)());
        if answered.status != StatusCode::TOO_MANY_REQUESTS {
            return Some(Heard { announced, ..Heard::default() });
        }
        let asked = self.judge.asked(answered.status, headers);
        Some(Heard { refused: true, asked, announced })
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

    /// What is done about a request that did not go out: another address, or an end.
    fn withheld(
        &mut self,
        withheld: Withheld,
        target: &Target,
    ) -> Result<(Again, Target), Box<Failed>> {
        let api = self.judge.api();
        let (kind, after) = match withheld {
            Withheld::Cancelled => return Err(Box::new(self.cancelled(false))),
            Withheld::Open(after) => (FailureKind::CircuitOpen, after),
            Withheld::Late(after) => (FailureKind::RateLimited, after),
            Withheld::Full(after) => (FailureKind::Overloaded, after),
        };
        let words = withheld.words();
        let failed = match self.last.take() {
            // What was answered says more than why nothing else was asked.
            Some(mut last) => {
                last.message = format!("{}; it was not repeated, because {words}", last.message);
                last
            }
            None => {
                let message = format!("nothing was sent to {api}: {words}");
                Failed { retryable: true, ..self.judge.failed(kind, &message) }
            }
        };
        let after = after.max(Duration::from_secs(1));
        let failed = Failed { retry_after: failed.retryable.then_some(after), ..failed };
        if kind != FailureKind::CircuitOpen {
            return Err(Box::new(failed));
        }
        self.round |= 1 << (target.at % 64);
        let one_state = self.judge.upstream.one_state;
        let may =
            !self.open || retry::after(self.judge.nature, Failing::NoAnswer, one_state).elsewhere;
        let moved = self.other(target).filter(|_| may).and_then(|at| self.moved(target, at));
        let Some(moved) = moved else { return Err(Box::new(failed)) };
        let why = format!("{words}; failing over to {}", self.origin(moved.at));
        Ok((Again { wait: Duration::ZERO, why, otherwise: failed }, moved))
    }

    /// The next base URL that was not asked since the last wait, and whose host is asked.
    fn other(&self, target: &Target) -> Option<usize> {
        let bases = &self.judge.upstream.bases;
        target.part.as_ref()?;
        (0..bases.len()).find(|at| {
            *at != target.at
                && self.round & (1 << (at % 64)) == 0
                && self.traffic.open_for(&bases[*at].origin).is_none()
        })
    }

    fn moved(&self, target: &Target, at: usize) -> Option<Target> {
        target.moved(self.judge.upstream, at)
    }

    fn origin(&self, at: usize) -> &str {
        &self.judge.upstream.bases[at].origin
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

    /// Whether there is a try of that number, counted from 1, when, and at which address.
    fn repeat(
        &mut self,
        setback: Setback,
        number: u32,
        why: String,
        target: &Target,
    ) -> Result<(Again, usize), Box<Failed>> {
        let Setback { after, mut failed, asked } = setback;
        self.open |= after.open;
        if failed.retryable {
            failed.retry_after = asked;
        }
        let wait = retry::wait(number - 1, asked, self.judge.upstream.jitter);
        if failed.kind == FailureKind::RateLimited {
            failed.retry_after = Some(asked.unwrap_or(wait).max(Duration::from_secs(1)));
        }
        let bases = self.judge.upstream.bases.len();
        let most = retry::ATTEMPTS.max(u32::try_from(bases).unwrap_or(u32::MAX));
        if number > most || Instant::now() >= self.deadline {
            return Err(Box::new(failed));
        }
        self.round |= 1 << (target.at % 64);
        if after.elsewhere
            && let Some(at) = self.other(target)
        {
            let why = format!("{why}; failing over to {}", self.origin(at));
            self.last = Some(failed.clone());
            return Ok((Again { wait: Duration::ZERO, why, otherwise: failed }, at));
        }
        let in_time =
            Instant::now().checked_add(wait).is_some_and(|resumed| resumed < self.deadline);
        if !after.again {
            return Err(Box::new(failed));
        }
        if !in_time {
            failed.retry_after = failed.retry_after.or(Some(wait));
            return Err(Box::new(failed));
        }
        // The first address that is asked, where it need not be the same one.
        let first = (0..bases).find(|at| self.traffic.open_for(self.origin(*at)).is_none());
        let at = if after.elsewhere && target.part.is_some() {
            first.unwrap_or(target.at)
        } else {
            target.at
        };
        if let Some(open) = self.traffic.open_for(self.origin(at)) {
            failed.message = format!("{}; {}", failed.message, Withheld::Open(open).words());
            failed.retry_after = Some(asked.unwrap_or(open).max(Duration::from_secs(1)));
            return Err(Box::new(failed));
        }
        if let Err(full) = self.traffic.repeat() {
            failed.message = format!(
                "{}; it was not repeated, because too many of the calls of {} are repetitions \
                 already",
                failed.message,
                self.judge.api()
            );
            failed.retry_after = Some(asked.unwrap_or(full).max(full));
            return Err(Box::new(failed));
        }
        self.round = 0;
        self.last = Some(failed.clone());
        Ok((Again { wait, why, otherwise: failed }, at))
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

/// Why a request that was announced does not go out.
#[derive(Debug, Clone, Copy)]
enum Withheld {
    /// Its host is not asked for so long.
    Open(Duration),
    /// Its turn would come too late: after so long.
    Late(Duration),
    /// Too many wait already; there may be room after so long.
    Full(Duration),
    /// Whoever asked gave up.
    Cancelled,
}

impl Withheld {
    fn words(self) -> String {
        match self {
            Self::Open(after) => {
                format!("it was failing, and is not asked for another {}", seconds(after))
            }
            Self::Late(after) => format!(
                "its limit leaves no room for another request within the time for this call \
                 (another {})",
                seconds(after)
            ),
            Self::Full(_) => "too many calls wait for it already".to_owned(),
            Self::Cancelled => "cancelled".to_owned(),
        }
    }
}

/// What the end of a request says of its host, which was given so much time.
fn health(ended: &Ended, took: Duration, given: Duration, usual: Duration) -> Health {
    // Whoever has hardly any time left learns nothing of the host.
    let in_time = given >= usual / 2;
    let answered = match ended {
        Ended::Cancelled { .. } => return Health::Unknown,
        Ended::Broken { what: Breakage::NoMessage, .. } => return Health::Unknown,
        Ended::Broken { what: Breakage::TimedOut(_) | Breakage::NotConnected, .. } if !in_time => {
            return Health::Unknown;
        }
        Ended::Broken { .. } => return Health::Bad,
        Ended::Answered(answered) => answered,
    };
    match (&answered.body, answered.status) {
        (
            _,
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT,
        ) => Health::Bad,
        (Content::Broken(Breakage::TimedOut(_)), _) if !in_time => Health::Unknown,
        (Content::Broken(_), _) => Health::Bad,
        _ if in_time && took >= given.mul_f64(0.8) => Health::Slow,
        _ => Health::Good,
    }
}

/// Whether an answer asks for a proof that can be given.
fn is_challenge(target: &Target, answered: &Answered, challenges: u32) -> bool {
    answered.status == StatusCode::UNAUTHORIZED
        && target
            .digest
            .as_ref()
            .is_some_and(|digest| digest.challenged(&answered.headers, challenges))
}

/// Why there is another request after this one, in a few words.
fn why(ended: &Ended) -> String {
    match (ended.status(), ended.error()) {
        (Some(status), None) => format!("answered {}", shown(status)),
        (Some(status), Some(error)) => format!("answered {}, but {error}", shown(status)),
        (None, error) => error.unwrap_or_default(),
    }
}
