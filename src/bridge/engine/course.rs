//! A call on its way: one request after the other, until an answer is the last word.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::LOCATION;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tollbridge_operation::Call;

use super::Within;
use super::kept::LookedUp;
use crate::bridge::attempt::{AttemptLog, AttemptStart};
use crate::bridge::cache::{Stale, Wanted};
use crate::bridge::digest::Session;
use crate::bridge::exchange::{Answered, Ended};
use crate::bridge::gate::Gate;
use crate::bridge::judge::{Judge, Verdict, shown};
use crate::bridge::manner::{Manner, Sharing};
use crate::bridge::memory::Held;
use crate::bridge::pass::Pass;
use crate::bridge::poll::{self, Said};
use crate::bridge::prepare::{Prepared, Target};
use crate::bridge::redirect;
use crate::bridge::report::{Failed, FailureKind, Outcome, Report};
use crate::bridge::retry::Nature;
use crate::bridge::traffic::Traffic;
use crate::bridge::upstream::{InCommon, Upstream};

/// A call on its way.
pub(super) struct Course<'a, L> {
    pub(super) judge: Judge<'a>,
    pub(super) traffic: &'a Traffic,
    /// The limits of the caller's own credential.
    pub(super) own: Option<&'a Gate>,
    pub(super) deadline: Instant,
    pub(super) cancel: &'a CancellationToken,
    pub(super) gate: Option<&'a Gate>,
    pub(super) log: &'a mut L,
    pub(super) groups: &'a [Arc<Gate>],
    pub(super) manner: Manner,
    pub(super) held: Option<&'a Held<'a>>,
    /// What a kept answer would be to.
    pub(super) wanted: Option<Box<Wanted>>,
    /// The kept answer that is asked about.
    pub(super) stale: Option<Box<Stale>>,
    /// The key that its requests carry.
    pub(super) key: Option<String>,
    /// Which request it is.
    pub(super) n: u32,
    /// Whether a request so far may have had an effect that no answer tells of.
    pub(super) open: bool,
    /// What the last request that was answered, or got no answer, would be reported as.
    pub(super) last: Option<Failed>,
    /// The base URLs that were asked since the last wait, one bit each.
    pub(super) round: u64,
    /// The next page that the last success named.
    pub(super) link: Option<String>,
    /// Whether a page may follow the last success.
    pub(super) pages: Pages,
    /// What the last success says of how far the call is, and the request that it answers.
    pub(super) answered: Option<Box<(Said, Target)>>,
    /// Whether it asks after a call that the API took.
    pub(super) polling: bool,
    /// Whether a redirect led from there to the result (RFC 9110 §15.4.4).
    pub(super) led: bool,
    /// Which token was sent last.
    pub(super) token: Option<u64>,
    /// What a server that is asked with digest authentication keeps in cookies.
    pub(super) session: Option<Session>,
    pub(super) report: Report,
}

/// In how many pages an answer comes.
pub(super) enum Pages {
    One,
    /// In several: the request that the last one answers.
    Many(Option<Box<Target>>),
}

impl Pages {
    pub(super) fn answered(&mut self, target: &Target) {
        if let Self::Many(last) = self {
            *last = Some(Box::new(target.clone()));
        }
    }

    pub(super) fn last(&self) -> Option<&Target> {
        match self {
            Self::One => None,
            Self::Many(last) => last.as_deref(),
        }
    }
}

/// When there is another request, and why.
pub(super) struct Again {
    pub(super) wait: Duration,
    pub(super) why: String,
    /// Whether it is the same request once more.
    pub(super) resent: bool,
    /// What is reported if it does not come to that.
    pub(super) otherwise: Failed,
}

impl<'a, L: AttemptLog> Course<'a, L> {
    pub(super) fn new(
        call: &'a Call,
        prepared: &Prepared,
        upstream: &'a Upstream,
        common: &'a InCommon,
        within: Within<'a>,
        log: &'a mut L,
    ) -> Self {
        let nature = Nature::of(&call.operation, prepared.key());
        let judge = Judge { upstream, call, nature, polled: false };
        common.traffic.call();
        Self {
            judge,
            traffic: &common.traffic,
            own: common.own.as_deref(),
            deadline: within.deadline,
            cancel: within.cancel,
            gate: within.gate,
            groups: within.groups,
            manner: within.manner.where_callers_differ(upstream.by_identity),
            held: within.held,
            wanted: None,
            stale: None,
            log,
            key: prepared.key.clone(),
            n: 1,
            open: false,
            last: None,
            round: 0,
            link: None,
            pages: Pages::One,
            answered: None,
            polling: false,
            led: false,
            token: None,
            session: None,
            report: Report {
                outcome: Outcome::Failed(judge.failed(FailureKind::Internal, "nothing was done")),
                attempts: 0,
                status: None,
                upstream_time: Duration::ZERO,
                served_by: None,
                kept: None,
                bytes: 0,
            },
        }
    }
}

impl<L: AttemptLog> Course<'_, L> {
    pub(super) async fn run(&mut self, prepared: &Prepared) -> Outcome {
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
        (self.round, self.led) = (0, false);
        self.last = None;
        let mut first = Cow::Borrowed(&prepared.target);
        if self.manner.cache != Sharing::Off {
            match Box::pin(self.look_up(&prepared.target)).await {
                LookedUp::Answered(done) => return *done,
                LookedUp::Asks(target) => first = Cow::Owned(*target),
                LookedUp::Nothing => {}
            }
        }
        let outcome = self.ask(prepared, &first).await;
        if self.judge.nature != Nature::Read {
            self.traffic.changed(&prepared.target.url);
        }
        outcome
    }

    /// Sends requests until an answer is the last word.
    async fn ask(&mut self, prepared: &Prepared, first: &Target) -> Outcome {
        let mut target = Cow::Borrowed(first);
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
            let ended = self.refreshed(ended);
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
                        resent: true,
                        why: format!("redirected by {}", shown(answered.status)),
                        otherwise: self.out_of_time(),
                    }
                }
                // It is about another answer than the one that is kept.
                Ended::Answered(answered)
                    if answered.status == StatusCode::NOT_MODIFIED
                        && self.stale.take().is_some() =>
                {
                    target = Cow::Borrowed(&prepared.target);
                    Again {
                        wait: Duration::ZERO,
                        resent: true,
                        why: "confirmed an answer that was not asked about".to_owned(),
                        otherwise: self.out_of_time(),
                    }
                }
                // Refused before anything was done, so it may go again whatever it does.
                Ended::Answered(answered) if self.is_challenge(&target, &answered, challenges) => {
                    challenges += 1;
                    Again {
                        wait: Duration::ZERO,
                        resent: true,
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
                        resent: true,
                        why: match &target.pass {
                            Some(Pass::Session(_)) => {
                                "the session was refused, so another one is opened".to_owned()
                            }
                            _ => "the token was refused, so another one is got".to_owned(),
                        },
                        otherwise: self.out_of_time(),
                    }
                }
                ended => {
                    let met = (ended.status(), ended.error());
                    let to_keep = self.to_keep(&ended, hops, &target);
                    match self.judge.verdict(ended) {
                        Verdict::Done { payload, drift, headers, link, said } => {
                            self.keep(to_keep);
                            self.link = link;
                            self.pages.answered(&target);
                            self.answered = said.map(|said| Box::new((*said, target.into_owned())));
                            return Outcome::Done { payload, drift, headers };
                        }
                        Verdict::Setback(setback) => {
                            tries += 1;
                            match self.repeat(setback, tries, why(met), &target) {
                                // Where a redirect led is asked for again.
                                Ok((next, 0)) => {
                                    self.led = false;
                                    target = Cow::Borrowed(first);
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

    /// The request that a redirect asks for.
    pub(super) fn hop(
        &mut self,
        target: &Target,
        answered: &Answered,
        hops: u32,
    ) -> Result<Target, Box<Failed>> {
        let location = answered.headers.get(LOCATION).and_then(|location| location.to_str().ok());
        let next = if hops > redirect::HOPS {
            Err(format!("it redirects more than {} times", redirect::HOPS))
        } else if let Some(location) = location
            && self.polling
            && answered.status == StatusCode::SEE_OTHER
        {
            self.led = true;
            poll::target(self.judge.upstream, target, location)
        } else {
            redirect::follow(self.judge.upstream, target, answered.status, &answered.headers)
        };
        next.map_err(|reason| Box::new(self.judge.not_followed(answered, &reason)))
    }

    /// Waits, and announces the next request.
    pub(super) async fn go_on(&mut self, next: Again, target: &Target) -> Result<(), Box<Failed>> {
        let Again { wait, why, resent, otherwise } = next;
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
            resent,
            key: self.key.clone(),
            span: target.span(&self.judge.call.id, n),
        };
        let recorded = timeout_at(self.deadline, self.log.started(start)).await;
        match recorded {
            Ok(Ok(())) => {
                self.n = n;
                Ok(())
            }
            Ok(Err(refused)) => Err(Box::new(self.refused(refused, Some(otherwise)))),
            Err(_) => {
                // It may be on record by now, so its end must be.
                self.n = n;
                self.record_not_sent("not sent".to_owned(), Duration::ZERO).await;
                Err(Box::new(otherwise))
            }
        }
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
