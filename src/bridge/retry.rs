//! What may be repeated, and when. The only place that decides either.
//!
//! RFC 9110 §9.2.2: a client repeats a request by itself only where it is idempotent, or
//! where it knows that nothing was done. Waits grow exponentially with full jitter, so that
//! clients that failed together do not come back together.

use std::time::Duration;

use http::StatusCode;
use tollbridge_operation::{Effect, Operation};

/// How often a request goes to the same URL, the first time counted.
pub(super) const ATTEMPTS: u32 = 4;

/// The longest first wait.
const BASE: Duration = Duration::from_millis(100);

/// The longest wait that we choose by ourselves.
const CAP: Duration = Duration::from_secs(5);

/// What doing an operation twice would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// Nothing, and neither does doing it once.
    Read,
    /// The same as doing it once.
    Idempotent,
    /// Perhaps its effect twice.
    Once,
}

impl Nature {
    pub(super) fn of(operation: &Operation) -> Self {
        match operation.effect {
            Effect::Read => Self::Read,
            Effect::Write | Effect::Destructive if operation.idempotent => Self::Idempotent,
            Effect::Write | Effect::Destructive => Self::Once,
        }
    }

    pub(super) fn may_be_done_twice(self) -> bool {
        self != Self::Once
    }
}

/// What failed, as far as repeating is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failing {
    /// No connection, so nothing was sent.
    NotSent,
    /// No connection, and none to be expected: the certificate is not trusted, or the name leads
    /// elsewhere.
    NotTrusted,
    /// Something may have been sent, and no answer was read.
    NoAnswer,
    /// An answer with this status.
    Status(StatusCode),
    /// An answer that says that the request is wrong, or that cannot be used.
    Final,
}

/// Whether the request may be sent again.
pub(super) fn may_repeat(nature: Nature, failing: Failing) -> bool {
    match failing {
        Failing::NotSent | Failing::Status(StatusCode::TOO_MANY_REQUESTS) => true,
        Failing::NoAnswer
        | Failing::Status(
            StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT,
        ) => nature.may_be_done_twice(),
        Failing::NotTrusted | Failing::Status(_) | Failing::Final => false,
    }
}

/// How long to wait before the repetition of that number, from 1. `jitter` draws evenly from
/// nothing to what it is given; what the server asked for is never undercut.
pub(super) fn wait(
    repetition: u32,
    asked: Option<Duration>,
    jitter: impl Fn(Duration) -> Duration,
) -> Duration {
    let doublings = repetition.saturating_sub(1).min(16);
    let ceiling = BASE.saturating_mul(1 << doublings).min(CAP);
    jitter(ceiling).min(ceiling).max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_repeated_is_a_table() {
        use Failing::{Final, NoAnswer, NotSent, NotTrusted};
        let status = |code| Failing::Status(StatusCode::from_u16(code).expect("a status"));
        // (what failed, read, idempotent, once)
        for (failing, read, idempotent, once) in [
            (NotSent, true, true, true),
            (NotTrusted, false, false, false),
            (NoAnswer, true, true, false),
            (status(429), true, true, true),
            (status(500), true, true, false),
            (status(502), true, true, false),
            (status(503), true, true, false),
            (status(504), true, true, false),
            (status(400), false, false, false),
            (status(401), false, false, false),
            (status(404), false, false, false),
            (status(409), false, false, false),
            (status(501), false, false, false),
            (status(505), false, false, false),
            (Final, false, false, false),
        ] {
            assert_eq!(may_repeat(Nature::Read, failing), read, "read, {failing:?}");
            assert_eq!(may_repeat(Nature::Idempotent, failing), idempotent, "{failing:?}");
            assert_eq!(may_repeat(Nature::Once, failing), once, "once, {failing:?}");
        }
    }

    #[test]
    fn waits_grow_to_a_cap() {
        let longest: Vec<u128> = (1..=8).map(|n| wait(n, None, |max| max).as_millis()).collect();
        assert_eq!(longest, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(wait(u32::MAX, None, |max| max), CAP);
    }

    #[test]
    fn a_wait_is_never_shorter_than_the_server_asks() {
        let asked = Some(Duration::from_secs(7));
        assert_eq!(wait(1, asked, |_| Duration::ZERO), Duration::from_secs(7));
        assert_eq!(wait(1, Some(Duration::ZERO), |max| max), BASE);
    }

    #[test]
    fn jitter_cannot_lengthen_a_wait() {
        assert_eq!(wait(1, None, |_| Duration::from_mins(1)), BASE);
    }
}
