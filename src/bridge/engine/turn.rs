//! A request's turn, and what its end tells those who wait for theirs.

use std::time::Duration;

use http::StatusCode;

use super::course::Course;
use crate::bridge::attempt::AttemptLog;
use crate::bridge::attempt::AttemptRefused;
use crate::bridge::breakage::{Breakage, seconds};
use crate::bridge::breaker::Health;
use crate::bridge::exchange::{Content, Ended};
use crate::bridge::gate::{Entered, Gate, NoTurn, Place};
use crate::bridge::limiter::headers::announced;
use crate::bridge::limiter::{Heard, Refusal};

impl<L: AttemptLog> Course<'_, L> {
    /// Waits for a turn, where one must be waited for.
    pub(super) async fn turn<'g>(&self, gate: &'g Gate) -> Result<Place<'g>, Withheld> {
        let waiting =
            match gate.enter(self.judge.call.identity.as_str(), self.deadline, self.manner.cost) {
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

    /// The same, where there is such a limit.
    pub(super) async fn turn_of<'g>(
        &self,
        gate: Option<&'g Gate>,
    ) -> Result<Option<Place<'g>>, Withheld> {
        match gate {
            None => Ok(None),
            Some(gate) => self.turn(gate).await.map(Some),
        }
    }

    /// What an answer tells of limits.
    pub(super) fn heard(&self, ended: &Ended) -> Option<Heard> {
        let Ended::Answered(answered) = ended else { return None };
        let (upstream, headers) = (self.judge.upstream, &answered.headers);
        let announced = announced(headers, &upstream.limits_read, (upstream.clock)());
        if answered.status != StatusCode::TOO_MANY_REQUESTS {
            return Some(Heard { announced, ..Heard::default() });
        }
        let asked = self.judge.asked(answered.status, headers);
        Some(Heard { refused: true, asked, announced })
    }
}

/// Why a request that was announced does not go out.
#[derive(Debug, Clone)]
pub(super) enum Withheld {
    /// Its host is not asked for so long.
    Open(Duration),
    /// Its turn would come too late: after so long.
    Late(Duration),
    /// Too many wait already; there may be room after so long.
    Full(Duration),
    /// Whoever asked gave up.
    Cancelled,
    /// It had to wait, and may not go out any more.
    Refused(AttemptRefused),
}

impl Withheld {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Open(after) => {
                format!("it was failing, and is not asked for another {}", seconds(*after))
            }
            Self::Late(after) => format!(
                "its limit leaves no room for another request within the time for this call \
                 (another {})",
                seconds(*after)
            ),
            Self::Full(_) => "too many calls wait for it already".to_owned(),
            Self::Cancelled => "cancelled".to_owned(),
            Self::Refused(
                AttemptRefused::Stopped(reason) | AttemptRefused::AuditUnavailable(reason),
            ) => reason.clone(),
        }
    }
}

/// What the end of a request says of its host, which was given so much time.
/// Slow is what took longer than `slow`, or nearly all of its time.
pub(super) fn health(
    ended: &Ended,
    took: Duration,
    (given, usual): (Duration, Duration),
    slow: Option<Duration>,
) -> Health {
    // Whoever has hardly any time left learns nothing of the host.
    let in_time = given >= usual / 2;
    let answered = match ended {
        Ended::Cancelled { .. }
        | Ended::Broken { what: Breakage::NoMessage | Breakage::NoToken(_), .. } => {
            return Health::Unknown;
        }
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
        _ if slow.is_some_and(|slow| took >= slow) => Health::Slow,
        _ if slow.is_none() && in_time && took >= given.mul_f64(0.8) => Health::Slow,
        _ => Health::Good,
    }
}
