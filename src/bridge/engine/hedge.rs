//! A second request beside a slow first one: the first good answer of the two is taken, and the
//! other request is given up.
//!
//! It costs what a repetition costs: a place in the limits, a part of the budget of repetitions,
//! and the word of the host's circuit. Where any of them has no room, there is no second request.

use std::pin::{Pin, pin};
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep};

use super::attempt::Out;
use super::course::Course;
use crate::bridge::attempt::{AttemptLog, AttemptStart};
use crate::bridge::breakage::seconds;
use crate::bridge::exchange::{self, Content, Ended};
use crate::bridge::gate::{Entered, Gate};
use crate::bridge::prepare::Target;
use crate::bridge::traced::Traced;

type Sending<'s> = Pin<Box<dyn Future<Output = Ended> + Send + 's>>;

/// What is said of a request that was given up for another one.
const GIVEN_UP: &str = "given up, because the other request was answered";

impl<'a, L: AttemptLog> Course<'a, L> {
    /// Sends a request that `out` is the place of, and after `delay` another one.
    pub(super) async fn hedged(&mut self, target: &Target, out: Out<'a>, delay: Duration) -> Ended {
        let mut first = self.sending(out.n, target, out.limit);
        tokio::select! {
            biased;
            ended = &mut first => {
                self.landed(out, target, &ended, None).await;
                return ended;
            }
            () = sleep(delay) => {}
        }
        // Once in a call.
        self.manner.hedge = None;
        let second = self.second(target);
        let announced = match second {
            None => None,
            Some(second) => {
                let start = AttemptStart {
                    n: second.n,
                    url: target.shown.clone(),
                    method: target.method.to_string(),
                    wait: delay,
                    why: format!("no answer within {}, so it is asked twice", seconds(delay)),
                    resent: true,
                    key: None,
                    span: target.span(&self.judge.call.id, second.n),
                };
                let mut done = None;
                let started = {
                    let mut started = pin!(self.log.started(start));
                    loop {
                        tokio::select! {
                            biased;
                            started = &mut started => break started,
                            ended = &mut first, if done.is_none() => done = Some(ended),
                        }
                    }
                };
                if started.is_ok() {
                    self.n = second.n;
                }
                match (done, started) {
                    (None, Ok(())) => Some(second),
                    (None, Err(_)) => None,
                    (Some(ended), started) => {
                        drop(second);
                        self.landed(out, target, &ended, None).await;
                        if started.is_ok() {
                            let words = format!("not sent: {GIVEN_UP}");
                            self.record_not_sent(words, Duration::ZERO).await;
                        }
                        return ended;
                    }
                }
            }
        };
        let Some(second) = announced else {
            let ended = first.await;
            self.landed(out, target, &ended, None).await;
            return ended;
        };
        self.race(target, (first, out), second).await
    }

    async fn race(
        &mut self,
        target: &Target,
        (mut first, out): (Sending<'_>, Out<'a>),
        second: Out<'a>,
    ) -> Ended {
        self.report.attempts = second.n;
        let mut other = self.sending(second.n, target, second.limit);
        let (mut one, mut two) = (None, None);
        loop {
            tokio::select! {
                biased;
                ended = &mut first, if one.is_none() => {
                    let ended = one.insert(ended);
                    if two.is_some() || is_good(ended) { break }
                }
                ended = &mut other, if two.is_none() => {
                    let ended = two.insert(ended);
                    if one.is_some() || is_good(ended) { break }
                }
            }
        }
        drop((first, other));
        let is_good = |ended: &Option<Ended>| ended.as_ref().is_some_and(is_good);
        let first_wins = is_good(&one) || !is_good(&two);
        let is_over = self.cancel.is_cancelled();
        let lost = |ended: &Option<Ended>| (ended.is_none() && !is_over).then_some(GIVEN_UP);
        let (lost_one, lost_two) = (lost(&one), lost(&two));
        let one = one.unwrap_or(Ended::Cancelled { sent: true });
        let two = two.unwrap_or(Ended::Cancelled { sent: true });
        // The one that is taken comes last: the call is reported by it.
        if first_wins {
            self.landed(second, target, &two, lost_two).await;
            self.landed(out, target, &one, lost_one).await;
            one
        } else {
            self.landed(out, target, &one, lost_one).await;
            self.landed(second, target, &two, lost_two).await;
            two
        }
    }

    fn sending<'s>(&self, n: u32, target: &'s Target, limit: Instant) -> Sending<'s>
    where
        'a: 's,
    {
        let (upstream, cancel, held) = (self.judge.upstream, self.cancel, self.held);
        let traced = Traced::of(target, self.judge.call, n);
        Box::pin(async move {
            exchange::send(upstream, target, traced, limit, cancel, held, &mut |_| {}).await
        })
    }

    /// A place for a second request, where there is one at once.
    fn second(&self, target: &Target) -> Option<Out<'a>> {
        let now = Instant::now();
        let (who, cost) = (self.judge.call.identity.as_str(), self.manner.cost);
        let upstream = self.judge.upstream;
        let at_once = |gate: Option<&'a Gate>| match gate.map(|gate| gate.enter(who, now, cost)) {
            None => Some(None),
            Some(Entered::Now(place)) => Some(Some(place)),
            Some(Entered::Waits(_) | Entered::Refused(_)) => None,
        };
        let (tools, own) = (at_once(self.gate)?, at_once(self.own)?);
        let mut groups = Vec::new();
        for gate in self.groups {
            let Entered::Now(place) = gate.enter(who, now, cost) else { return None };
            groups.push(place);
        }
        let Entered::Now(place) = self.traffic.gate.enter(who, now, cost) else { return None };
        let asked = self.traffic.ask(&upstream.bases[target.at].origin).ok()?;
        self.traffic.repeat().ok()?;
        let limit = exchange::limit(now, upstream.attempt_timeout, self.deadline);
        Some(Out {
            n: self.n + 1,
            tools,
            groups,
            own,
            place,
            asked,
            entered: now,
            begun: now,
            limit,
        })
    }
}

/// Whether it is an answer that another request would hardly better.
fn is_good(ended: &Ended) -> bool {
    match ended {
        Ended::Answered(answered) => {
            !answered.status.is_server_error()
                && answered.status != StatusCode::TOO_MANY_REQUESTS
                && matches!(answered.body, Content::Whole(_))
        }
        Ended::Broken { .. } => false,
        // Whoever wanted it is gone.
        Ended::Cancelled { .. } => true,
    }
}
