//! What a limiter learned, in a form that outlives the process.
//!
//! Moments are told as how long they are away, since the limiter's own clock ends with it. What is
//! over by the time that it is read again is left out, so nothing is taken for known that a limiter
//! which had gone on would have forgotten.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What refusals and announcements taught.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitsLearned {
    /// The rate that refusals taught.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rate: Option<KeptRate>,
    /// For how long nothing starts, because the last refusal asked for that.
    #[serde(default, skip_serializing_if = "Duration::is_zero")]
    pub(super) pause: Duration,
    /// What answers announced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) quotas: Vec<KeptQuota>,
}

/// A rate that refusals taught, in starts a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptRate {
    pub(super) rate: f64,
    /// The rate that the last refusal was at.
    pub(super) ceiling: f64,
    /// The best that went through.
    pub(super) best: f64,
    /// In which time it is forgotten.
    pub(super) forgotten: Duration,
}

/// A limit that answers announced and that is not full again yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptQuota {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<u64>,
    pub(super) left: u64,
    pub(super) reset: Duration,
}

impl LimitsLearned {
    /// Whether there is anything in it.
    pub(in crate::bridge) fn is_empty(&self) -> bool {
        self.rate.is_none() && self.pause.is_zero() && self.quotas.is_empty()
    }

    /// After which time nothing of it counts any more.
    pub fn good_for(&self) -> Duration {
        let rate = self.rate.map(|rate| rate.forgotten);
        let quotas = self.quotas.iter().map(|quota| quota.reset);
        quotas.chain(rate).fold(self.pause, Duration::max)
    }

    /// Whether another one says the same, but for what a second does to moments.
    #[must_use]
    pub fn says(&self, other: &Self) -> bool {
        let near = |one: Duration, other: Duration| one.abs_diff(other) <= Duration::from_secs(1);
        let same_rate = match (self.rate, other.rate) {
            (None, None) => true,
            (Some(one), Some(other)) => {
                let numbers =
                    |rate: KeptRate| [rate.rate, rate.ceiling, rate.best].map(f64::to_bits);
                numbers(one) == numbers(other) && near(one.forgotten, other.forgotten)
            }
            _ => false,
        };
        let same_quota = |(one, other): (&KeptQuota, &KeptQuota)| {
            let reset = one.reset;
            near(reset, other.reset) && KeptQuota { reset, ..other.clone() } == *one
        };
        same_rate
            && near(self.pause, other.pause)
            && self.quotas.len() == other.quotas.len()
            && self.quotas.iter().zip(&other.quotas).all(same_quota)
    }

    /// The same, so much later: what is over by then is not in it.
    #[must_use]
    pub fn after(&self, time: Duration) -> Self {
        let left = |until: Duration| until.checked_sub(time).filter(|left| !left.is_zero());
        Self {
            rate: self.rate.and_then(|rate| {
                Some(KeptRate { forgotten: left(rate.forgotten)?, ..rate })
                    .filter(KeptRate::is_sound)
            }),
            pause: left(self.pause).unwrap_or_default(),
            quotas: self
                .quotas
                .iter()
                .filter_map(|quota| Some(KeptQuota { reset: left(quota.reset)?, ..quota.clone() }))
                .collect(),
        }
    }
}

impl KeptRate {
    /// Whether it can be gone by: it was read from a file.
    fn is_sound(&self) -> bool {
        let is_rate = |rate: f64| rate.is_finite() && rate > 0.0;
        is_rate(self.rate) && is_rate(self.ceiling) && self.best.is_finite() && self.best >= 0.0
    }
}
