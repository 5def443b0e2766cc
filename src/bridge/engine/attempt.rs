//! One request of a call: its turn, its exchange, and the record of its end.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, timeout_at};

use super::course::Course;
use super::turn::{Withheld, health};
use crate::bridge::attempt::{AttemptEnd, AttemptLog, AttemptRefused, Exchange};
use crate::bridge::breakage::Breakage;
use crate::bridge::exchange::{self, Answered, Ended};
use crate::bridge::gate::Place;
use crate::bridge::limiter::Heard;
use crate::bridge::noted::noted;
use crate::bridge::pass::{Pass, Proof};
use crate::bridge::prepare::Target;
use crate::bridge::report::{Failed, Outcome};
use crate::bridge::traced::Traced;
use crate::bridge::traffic::Asked;

/// A request that is out: what it takes up, and since when.
pub(super) struct Out<'a> {
    pub(super) n: u32,
    /// Its place among the tool's own.
    pub(super) tools: Option<Place<'a>>,
    /// Its places among those that have a limit in common.
    pub(super) groups: Vec<Place<'a>>,
    /// Its place among those with the same credential, where the caller has its own.
    pub(super) own: Option<Place<'a>>,
    /// Its place among those of its API.
    pub(super) place: Place<'a>,
    pub(super) asked: Asked<'a>,
    pub(super) entered: Instant,
    pub(super) begun: Instant,
    pub(super) limit: Instant,
}

/// For how long it holds that a request may go out, and with which token.
const STANDS: Duration = Duration::from_millis(100);

/// A token that was there before the turn came.
struct Had {
    proof: Proof,
    at: Instant,
}

impl<L: AttemptLog> Course<'_, L> {
    /// Whether an answer asks for a proof that can be given.
    pub(super) fn is_challenge(
        &mut self,
        target: &Target,
        answered: &Answered,
        challenges: u32,
    ) -> bool {
        let (headers, session) = (&answered.headers, &mut self.session);
        answered.status == StatusCode::UNAUTHORIZED
            && target
                .digest
                .as_ref()
                .is_some_and(|digest| digest.challenged(target, headers, challenges, session))
    }

    pub(super) async fn send(&mut self, target: &Target, limit: Instant) -> Ended {
        let signed =
            target.digest.as_ref().and_then(|digest| digest.sign(target, &mut self.session));
        let sent = signed.as_ref().unwrap_or(target);
        let traced = Traced::of(sent, self.judge.call, self.n);
        let (n, log) = (self.n, &mut *self.log);
        let mut heard = |bytes| log.receiving(n, bytes);
        exchange::send(self.judge.upstream, sent, traced, limit, self.cancel, self.held, &mut heard)
            .await
    }

    /// The request with a token, or in a session; where there is none, how it ends.
    async fn with_pass(
        &mut self,
        pass: &Pass,
        target: &Target,
        had: Option<Had>,
        limit: Instant,
    ) -> Result<Box<Target>, Box<Ended>> {
        let proof = match had {
            Some(Had { proof, at }) if at.elapsed() < STANDS => Ok(proof),
            _ => self.proof(pass, target, limit).await,
        };
        match proof {
            Ok(proof) => {
                self.token = Some(proof.number());
                let mut authorized = Box::new(target.clone());
                proof.authorize(&mut authorized.headers);
                Ok(authorized)
            }
            Err(ended) => Err(ended),
        }
    }

    /// What proves who we are, or how the request ends that has none.
    async fn proof(
        &self,
        pass: &Pass,
        target: &Target,
        limit: Instant,
    ) -> Result<Proof, Box<Ended>> {
        let told = self.log.token_log();
        let proof = tokio::select! {
            biased;
            proof = pass.proof(self.judge.upstream, target.at, limit, self.cancel, told) => proof,
            () = self.cancel.cancelled() => {
                return Err(Box::new(Ended::Cancelled { sent: false }));
            }
        };
        proof.map_err(|why| Box::new(Ended::Broken { what: Breakage::NoToken(why), sent: false }))
    }

    /// Waits for a token where there is none, so that it is there when the turn comes: neither
    /// the turn nor the time for the request is spent on waiting for another server.
    async fn before_turn(&self, pass: &Pass, target: &Target) -> Result<Had, Box<Ended>> {
        let time = self.judge.upstream.attempt_timeout;
        let limit = exchange::limit(Instant::now(), time, self.deadline);
        let proof = self.proof(pass, target, limit).await?;
        Ok(Had { proof, at: Instant::now() })
    }

    /// Asks whether a request that had to wait may still go out.
    async fn still_may(&mut self) -> Result<(), Withheld> {
        let told = timeout_at(self.deadline, self.log.still_may()).await;
        told.unwrap_or_else(|_| {
            let late = "it could not be asked in time whether anything is stopped".to_owned();
            Err(AttemptRefused::AuditUnavailable(late))
        })
        .map_err(Withheld::Refused)
    }

    /// Whether an answer refuses the token that was sent, and another one can be got.
    pub(super) fn is_token_refused(
        &self,
        target: &Target,
        answered: &Answered,
        renewals: u32,
    ) -> bool {
        answered.status == StatusCode::UNAUTHORIZED
            && renewals == 0
            && target
                .pass
                .as_ref()
                .zip(self.token)
                .is_some_and(|(pass, number)| pass.refused(target.at, number))
    }

    /// Sends one request, or waits for the same one of another call, and records its end.
    pub(super) async fn attempt(&mut self, target: &Target) -> Result<Ended, Withheld> {
        // Boxed, as what most calls do not need.
        if self.may_join(target) {
            Box::pin(self.together(target)).await
        } else {
            self.alone(target, Instant::now()).await
        }
    }

    /// Sends one request when its turn has come, and records its end. It is to go out since
    /// `entered`.
    pub(super) async fn alone(
        &mut self,
        target: &Target,
        entered: Instant,
    ) -> Result<Ended, Withheld> {
        let upstream = self.judge.upstream;
        let traffic = self.traffic;
        // A session is opened at the API itself, so that it has its turn.
        let had = match &target.pass {
            Some(pass @ Pass::Token(_)) => match Box::pin(self.before_turn(pass, target)).await {
                Ok(had) => Some(had),
                Err(ended) => {
                    self.report.attempts = self.n;
                    let error = ended.error().unwrap_or_default();
                    self.record_not_sent(error, entered.elapsed()).await;
                    return Ok(*ended);
                }
            },
            Some(Pass::Session(_)) | None => None,
        };
        let tools = match self.turn_of(self.gate).await {
            Ok(place) => place,
            Err(withheld) => return Err(self.not_sent(withheld, entered).await),
        };
        let mut groups = Vec::new();
        for gate in self.groups {
            match self.turn(gate).await {
                Ok(place) => groups.push(place),
                Err(withheld) => return Err(self.not_sent(withheld, entered).await),
            }
        }
        let own = match self.turn_of(self.own).await {
            Ok(place) => place,
            Err(withheld) => return Err(self.not_sent(withheld, entered).await),
        };
        let place = match self.turn(&traffic.gate).await {
            Ok(place) => place,
            Err(withheld) => return Err(self.not_sent(withheld, entered).await),
        };
        if entered.elapsed() >= STANDS
            && let Err(withheld) = Box::pin(self.still_may()).await
        {
            drop((tools, groups, own, place));
            return Err(self.not_sent(withheld, entered).await);
        }
        let asked = match traffic.ask(&upstream.bases[target.at].origin) {
            Ok(asked) => asked,
            Err(after) => {
                drop((tools, groups, own, place));
                return Err(self.not_sent(Withheld::Open(after), entered).await);
            }
        };
        let begun = Instant::now();
        let limit = exchange::limit(begun, upstream.attempt_timeout, self.deadline);
        let out = Out { n: self.n, tools, groups, own, place, asked, entered, begun, limit };
        self.report.attempts = self.n;
        let authorized;
        let sent = match &target.pass {
            None => target,
            Some(pass) => match Box::pin(self.with_pass(pass, target, had, limit)).await {
                Ok(target) => {
                    authorized = target;
                    &*authorized
                }
                Err(ended) => {
                    self.landed(out, target, &ended, None).await;
                    return Ok(*ended);
                }
            },
        };
        if let Some(delay) = self.hedges_after(sent) {
            return Ok(Box::pin(self.hedged(sent, out, delay)).await);
        }
        let ended = self.send(sent, limit).await;
        self.landed(out, target, &ended, None).await;
        Ok(ended)
    }

    /// A request has ended so: everybody whom that concerns is told. `words` are said of it in the
    /// record instead of its own.
    pub(super) async fn landed(
        &mut self,
        out: Out<'_>,
        target: &Target,
        ended: &Ended,
        words: Option<&str>,
    ) {
        let Out { n, tools, groups, own, place, asked, entered, begun, limit } = out;
        let duration = begun.elapsed();
        let (given, upstream) = (limit - begun, self.judge.upstream);
        let times = (given, upstream.attempt_timeout);
        asked.told(health(ended, duration, times, upstream.slow));
        match self.heard(ended) {
            // An answer does not say which of the limits it means. Taken for all that have the
            // same credential it slows down whoever may have reached it.
            Some(heard) => {
                let (learns, others) = match own {
                    Some(own) => (own, Some(place)),
                    None => (place, None),
                };
                learns.ended(&heard);
                for place in tools.into_iter().chain(groups).chain(others) {
                    place.ended(&Heard::default());
                }
            }
            None => drop((tools, groups, own, place)),
        }
        if let Some(status) = ended.status() {
            self.report.status = Some(status.as_u16());
            self.report.served_by = Some(target.shown.clone());
        }
        self.report.bytes += ended.bytes();
        let end = AttemptEnd {
            n,
            status: ended.status().map(|status| status.as_u16()),
            error: words.map(str::to_owned).or_else(|| ended.error()),
            queued: begun - entered,
            duration,
            bytes: ended.bytes(),
            headers: ended
                .headers()
                .map(|headers| {
                    let upstream = self.judge.upstream;
                    noted(headers, &upstream.redactor, &upstream.limits_read)
                })
                .unwrap_or_default(),
            exchange: Exchange::of(self.judge.upstream, target, ended),
        };
        self.log.finished(end).await;
    }

    /// The first request was announced and does not go out.
    pub(super) async fn never_sent(&mut self, failed: Failed) -> Outcome {
        self.record_not_sent("not sent".to_owned(), Duration::ZERO).await;
        Outcome::Failed(failed)
    }

    /// A request that was announced does not go out.
    pub(super) async fn not_sent(&mut self, withheld: Withheld, entered: Instant) -> Withheld {
        let words = format!("not sent: {}", withheld.words());
        self.record_not_sent(words, entered.elapsed()).await;
        withheld
    }

    pub(super) async fn record_not_sent(&mut self, error: String, queued: Duration) {
        let end = AttemptEnd {
            n: self.n,
            status: None,
            error: Some(error),
            queued,
            duration: Duration::ZERO,
            bytes: 0,
            headers: BTreeMap::new(),
            exchange: None,
        };
        self.log.finished(end).await;
    }
}
