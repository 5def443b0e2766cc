//! A limit that nobody tells but refusals: the rate is lowered to what went through, and
//! raised again little by little.
//!
//! What went through from one recovery to the next, pauses among it, is what the upstream
//! allows, whatever the shape of its own window. From there the rate rises by a twentieth in
//! some four hundred answers, so that in steady state a refusal is rarer than one in a
//! hundred.
//!
//! Some upstreams refuse now and then whatever the rate is. What goes through there is what was
//! asked for, and each refusal would lower it further: so while refusals are few the rate does not
//! fall far below the best that went through.

use std::time::Duration;

use super::At;
use super::kept::KeptRate;

/// The first pause after a refusal that does not say how long.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest pause of all callers, whoever asks for it: a refusal may be meant for one only.
const LONGEST: Duration = Duration::from_mins(5);

/// After such a stretch without any start what went through before it says what was asked for,
/// not what is allowed.
const IDLE: Duration = Duration::from_secs(5);

/// Of fewer that went through no rate is made.
const FEW: u32 = 10;

/// After so long without a refusal the rate is forgotten: limits are raised, too.
const FORGOTTEN: Duration = Duration::from_hours(1);

/// How much of what went through is asked for next.
const SHARE: f64 = 0.95;

/// Of all answers, so many refusals are few: a rate that is the upstream's own is exceeded by more
/// where it falls.
const RARE: f64 = 0.05;

/// How far below the best that went through few refusals lower the rate.
const FLOOR: f64 = 0.8;

/// How much the rate rises with each answer.
const RISE: f64 = 0.05 / 400.0;

/// How much it rises while it is far below what was refused.
const RECOVER: f64 = 0.02;

/// How much it rises once it is well above that: the limit was raised, or measured too low.
const EXPLORE: f64 = 0.0005;

/// One start in a quarter of an hour: a lower rate is no rate.
const LOWEST: f64 = 1.0 / 900.0;

#[derive(Debug, Default)]
pub(super) struct Learned {
    /// Starts a second, once something was refused.
    rate: Option<f64>,
    /// The rate that the last refusal was at.
    ceiling: f64,
    /// When the next start may be.
    next: At,
    /// Nothing starts before it.
    until: At,
    /// When the pause began: who started before it says nothing new.
    paused: Option<At>,
    /// The last pause that we chose.
    pause: Duration,
    /// When what was learned is forgotten.
    forgotten: At,
    /// Since when is counted, and what went through and was refused since then.
    since: Option<At>,
    through: u32,
    refusals: u32,
    /// The best rate that went through since refusals were many, in starts a second.
    best: f64,
    last: At,
}

impl Learned {
    /// When the one that has so many others before it may start.
    pub(super) fn free_at(&self, now: At, ahead: usize) -> At {
        let next = match self.rate {
            #[expect(clippy::cast_precision_loss, reason = "a queue is no longer than that")]
            Some(rate) if ahead > 0 => self.next.max(now) + seconds(ahead as f64 / rate),
            Some(_) => self.next.max(now),
            None => now,
        };
        next.max(self.until)
    }

    pub(super) fn start(&mut self, now: At, cost: u32) {
        if self.since.is_none() || (now > self.last + IDLE && now > self.until + IDLE) {
            self.count_from(now);
        }
        self.last = now;
        if now > self.forgotten {
            self.rate = None;
        }
        if let Some(rate) = self.rate {
            self.next = self.next.max(now) + seconds(f64::from(cost.max(1)) / rate);
        }
    }

    /// An answer that is no refusal.
    pub(super) fn passed(&mut self, now: At, started: At, cost: u32) {
        let cost = cost.max(1);
        match self.paused {
            // It was on its way when another one was refused.
            Some(paused) if started <= paused => {
                self.through = self.through.saturating_add(cost);
                return;
            }
            Some(_) => self.recovered(now),
            None => {}
        }
        self.through = self.through.saturating_add(cost);
        if let Some(rate) = &mut self.rate {
            *rate *= match *rate / self.ceiling {
                share if share < 0.8 => 1.0 + RECOVER,
                share if share > 1.1 => 1.0 + EXPLORE,
                _ => 1.0 + RISE,
            };
        }
    }

    fn recovered(&mut self, now: At) {
        self.paused = None;
        self.pause = Duration::ZERO;
        if self.through < FEW {
            return;
        }
        let since = self.since.unwrap_or(now);
        let time = now.saturating_sub(since).max(PAUSE).as_secs_f64();
        let went = f64::from(self.through) / time;
        let answers = f64::from(self.through) + f64::from(self.refusals);
        let rare = f64::from(self.refusals) < answers * RARE;
        self.best = if rare { self.best.max(went) } else { went };
        let least = if rare { self.best * FLOOR } else { 0.0 };
        let through = (went * SHARE).max(LOWEST).max(least);
        self.rate = Some(self.rate.map_or(through, |rate| rate.min(through)));
        self.ceiling = through / SHARE;
        self.next = now;
        self.count_from(now);
    }

    fn count_from(&mut self, now: At) {
        self.since = Some(now);
        (self.through, self.refusals) = (0, 0);
    }

    /// A refusal, and how long it asks to wait.
    pub(super) fn refused(&mut self, now: At, started: At, asked: Option<Duration>) {
        if let Some(asked) = asked {
            self.until = self.until.max(now + asked.min(LONGEST));
        }
        self.refusals = self.refusals.saturating_add(1);
        if self.paused.is_some_and(|paused| started <= paused) {
            return;
        }
        self.paused = Some(now);
        self.forgotten = now + FORGOTTEN;
        if asked.is_none_or(|asked| asked.is_zero()) {
            self.pause = (self.pause * 2).clamp(PAUSE, LONGEST);
            self.until = self.until.max(now + self.pause);
        }
    }

    /// Whether a pause is over and nobody has tried yet: then one goes alone.
    pub(super) fn is_probing(&self) -> bool {
        self.paused.is_some()
    }

    /// What starts may take a second.
    pub(super) fn rate(&self) -> Option<f64> {
        self.rate
    }
}

impl Learned {
    /// What outlives the process: the rate while it is not forgotten, and what is left of the pause.
    pub(super) fn kept(&self, now: At) -> (Option<KeptRate>, Duration) {
        let forgotten = self.forgotten.saturating_sub(now);
        let rate = self.rate.filter(|_| !forgotten.is_zero());
        let (ceiling, best) = (self.ceiling, self.best);
        let rate = rate.map(|rate| KeptRate { rate, ceiling, best, forgotten });
        (rate, self.until.saturating_sub(now))
    }

    /// Takes up what was learned before, unless it has learned something itself.
    pub(super) fn recall(&mut self, now: At, kept: Option<&KeptRate>, pause: Duration) {
        self.until = self.until.max(now + pause.min(LONGEST));
        if let Some(kept) = kept
            && self.rate.is_none()
            && self.paused.is_none()
        {
            self.rate = Some(kept.rate.max(LOWEST));
            (self.ceiling, self.best) = (kept.ceiling, kept.best);
            self.forgotten = now + kept.forgotten.min(FORGOTTEN);
            self.next = now;
        }
    }
}

/// A number of seconds as a duration, however large.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST)
}
