//! Answers that are kept: looked for before anything is sent, asked about, and kept anew.

use std::time::Duration;

use http::StatusCode;

use super::course::Course;
use crate::bridge::attempt::AttemptLog;
use crate::bridge::cache::{Found, Wanted};
use crate::bridge::exchange::{Answered, Content, Ended};
use crate::bridge::judge::Verdict;
use crate::bridge::prepare::Target;
use crate::bridge::report::{KeptFor, Outcome};
use crate::bridge::retry::Nature;

/// What is kept for a call.
pub(super) enum LookedUp {
    /// Its answer.
    Answered(Box<Outcome>),
    /// An answer that this request asks about.
    Asks(Box<Target>),
    /// Nothing.
    Nothing,
}

impl<L: AttemptLog> Course<'_, L> {
    /// Looks for the answer to a read.
    pub(super) async fn look_up(&mut self, target: &Target) -> LookedUp {
        (self.wanted, self.stale) = (None, None);
        self.report.kept = None;
        if self.judge.nature != Nature::Read {
            return LookedUp::Nothing;
        }
        let who = self.judge.call.identity.as_str();
        let wanted = Wanted::of(self.judge.upstream, target, who, self.manner.cache);
        let Some(wanted) = wanted.map(Box::new) else { return LookedUp::Nothing };
        let found = self.traffic.cache.find(&wanted);
        self.wanted = Some(wanted);
        match found {
            None => LookedUp::Nothing,
            Some(Found::Stale(stale)) => {
                let mut asks = target.clone();
                stale.ask(&mut asks.headers);
                self.stale = Some(Box::new(stale));
                LookedUp::Asks(Box::new(asks))
            }
            Some(Found::Fresh(answered, age)) => {
                let status = answered.status.as_u16();
                let verdict = self.judge.verdict(Ended::Answered(answered));
                // By a changed configuration it may be no success any more.
                let Verdict::Done { payload, drift, headers, link, .. } = verdict else {
                    return LookedUp::Nothing;
                };
                let words = format!("not sent: its answer is kept, {} s old", age.as_secs());
                self.record_not_sent(words, Duration::ZERO).await;
                self.link = link;
                self.pages.answered(target);
                self.report.status = Some(status);
                self.report.served_by = Some(target.shown.clone());
                self.report.kept = Some(KeptFor { age, confirmed: false });
                LookedUp::Answered(Box::new(Outcome::Done { payload, drift, headers }))
            }
        }
    }

    /// Puts the kept answer in the place of the word that it is still good.
    pub(super) fn refreshed(&mut self, ended: Ended) -> Ended {
        let (Some(wanted), Some(stale)) = (&self.wanted, &self.stale) else { return ended };
        let told = match &ended {
            Ended::Answered(answered) if answered.status == StatusCode::NOT_MODIFIED => answered,
            _ => return ended,
        };
        let Some((answered, age)) = self.traffic.cache.confirmed(wanted, stale, told) else {
            return ended;
        };
        self.stale = None;
        self.report.status = Some(answered.status.as_u16());
        self.report.kept = Some(KeptFor { age, confirmed: true });
        Ended::Answered(answered)
    }

    /// An answer that may be kept once it is known to be a success: one of the URL that was asked.
    pub(super) fn to_keep(&self, ended: &Ended, hops: u32, target: &Target) -> Option<Answered> {
        let wanted = self.wanted.as_ref().filter(|_| self.report.kept.is_none())?;
        match ended {
            Ended::Answered(answered)
                if hops == 0
                    && !self.traffic.cache.passes_over(&answered.headers)
                    && target.at == 0
                    && matches!(answered.body, Content::Whole(_))
                    && wanted.is_of(target) =>
            {
                Some(answered.clone())
            }
            _ => None,
        }
    }

    /// Keeps it.
    pub(super) fn keep(&self, answered: Option<Answered>) {
        if let (Some(wanted), Some(answered)) = (&self.wanted, answered) {
            self.traffic.cache.keep(wanted, &answered);
        }
    }
}
