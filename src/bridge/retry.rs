//! What may be repeated, where, and when. The only place that decides any of it.
//!
//! RFC 9110 §9.2.2: a client repeats a request by itself only where it is idempotent, or
//! where it knows that nothing was done. At another address, which may not know of what the
//! first one did, only a read, what carries a key, or what was never sent is repeated, unless
//! the configuration says that the two are one. Waits grow exponentially with full jitter, so
//! that clients that failed together do not come back together.

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
    /// The same, wherever: the API tells repetitions by the key that they carry.
    Keyed,
    /// Perhaps its effect twice.
    Once,
}

impl Nature {
    pub(super) fn of(operation: &Operation, key: Option<&str>) -> Self {
        match operation.effect {
            Effect::Read => Self::Read,
            Effect::Write | Effect::Destructive if key.is_some() => Self::Keyed,
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

/// What a failure leaves to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a row of a table, whose cells are yes or no")]
pub(super) struct After {
    /// Whether the request may be sent again to the same address.
    pub(super) again: bool,
    /// Whether it may be sent to another one.
    pub(super) elsewhere: bool,
    /// Whether it may have had an effect that no answer tells of.
    pub(super) open: bool,
    /// Whether certainly nothing was done.
    pub(super) untouched: bool,
}

/// What a failure of a request of that nature leaves to do. `one_state` is whether all addresses
/// of the API know of what was done at any.
pub(super) fn after(nature: Nature, failing: Failing, one_state: bool) -> After {
    let elsewhere = match nature {
        Nature::Read | Nature::Keyed => true,
        Nature::Idempotent => one_state,
        Nature::Once => false,
    };
    match failing {
        Failing::NotSent => After { again: true, elsewhere: true, open: false, untouched: true },
        Failing::NotTrusted => {
            After { again: false, elsewhere: true, open: false, untouched: true }
        }
        // It says that nothing was done; and another address would count for the same limit.
        Failing::Status(StatusCode::TOO_MANY_REQUESTS) => {
            After { again: true, elsewhere: false, open: false, untouched: true }
        }
        Failing::Status(
            StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT,
        ) => {
            let again = nature.may_be_done_twice();
            After { again, elsewhere, open: false, untouched: false }
        }
        Failing::NoAnswer => {
            let (again, open) = (nature.may_be_done_twice(), nature != Nature::Read);
            After { again, elsewhere, open, untouched: false }
        }
        Failing::Status(_) | Failing::Final => {
            After { again: false, elsewhere: false, open: false, untouched: false }
        }
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
    use proptest::prelude::*;

    use super::*;

    /// `again`, `elsewhere`, `open` as letters, or dots.
    fn shown(after: After) -> String {
        [(after.again, 'a'), (after.elsewhere, 'e'), (after.open, 'o')]
            .map(|(is, letter)| if is { letter } else { '.' })
            .into_iter()
            .collect()
    }

    #[test]
    fn what_a_failure_leaves_to_do_is_a_table() {
        use Failing::{Final, NoAnswer, NotSent, NotTrusted};
        let status = |code| Failing::Status(StatusCode::from_u16(code).expect("a status"));
        // (what failed, read, keyed, idempotent, idempotent where addresses are one, once)
        for (failing, expected) in [
            (NotSent, ["ae.", "ae.", "ae.", "ae.", "ae."]),
            (NotTrusted, [".e.", ".e.", ".e.", ".e.", ".e."]),
            (NoAnswer, ["ae.", "aeo", "a.o", "aeo", "..o"]),
            (status(429), ["a..", "a..", "a..", "a..", "a.."]),
            (status(500), ["ae.", "ae.", "a..", "ae.", "..."]),
            (status(502), ["ae.", "ae.", "a..", "ae.", "..."]),
            (status(503), ["ae.", "ae.", "a..", "ae.", "..."]),
            (status(504), ["ae.", "ae.", "a..", "ae.", "..."]),
            (status(400), ["..."; 5]),
            (status(401), ["..."; 5]),
            (status(404), ["..."; 5]),
            (status(409), ["..."; 5]),
            (status(501), ["..."; 5]),
            (status(505), ["..."; 5]),
            (Final, ["..."; 5]),
        ] {
            let found = [
                after(Nature::Read, failing, false),
                after(Nature::Keyed, failing, false),
                after(Nature::Idempotent, failing, false),
                after(Nature::Idempotent, failing, true),
                after(Nature::Once, failing, true),
            ];
            assert_eq!(found.map(shown), expected.map(str::to_owned), "{failing:?}");
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

    fn failing() -> impl Strategy<Value = Failing> {
        let status = (100_u16..1_000)
            .prop_map(|code| Failing::Status(StatusCode::from_u16(code).expect("a status")));
        let other = [Failing::NotSent, Failing::NotTrusted, Failing::NoAnswer, Failing::Final];
        prop_oneof![status, prop::sample::select(other.to_vec())]
    }

    fn nature() -> impl Strategy<Value = Nature> {
        use Nature::{Idempotent, Keyed, Once, Read};
        prop::sample::select(vec![Read, Idempotent, Keyed, Once])
    }

    proptest! {
        #[test]
        fn whatever_fails_nothing_is_done_twice(
            nature in nature(),
            failing in failing(),
            one_state in any::<bool>(),
        ) {
            let after = after(nature, failing, one_state);
            let goes_again = after.again || after.elsewhere;
            prop_assert!(nature != Nature::Once || !goes_again || after.untouched);
            prop_assert!(
                nature != Nature::Idempotent || one_state || !after.elsewhere || after.untouched
            );
            prop_assert!(!(after.untouched && after.open));
            prop_assert!(nature != Nature::Read || !after.open);
            // An answer is told as it is: nobody has to guess what became of the request.
            prop_assert!(!matches!(failing, Failing::Status(_)) || !after.open);
            // To know of more can only allow more.
            let wider = super::after(nature, failing, true);
            prop_assert!(wider.elsewhere || !after.elsewhere);
            prop_assert_eq!(After { elsewhere: after.elsewhere, ..wider }, after);
        }

        #[test]
        fn a_wait_is_between_what_the_server_asks_and_the_cap(
            repetition in any::<u32>(),
            asked in prop::option::of(0_u64..100_000),
            drawn in any::<u64>(),
        ) {
            let asked = asked.map(Duration::from_millis);
            let found = wait(repetition, asked, |_| Duration::from_millis(drawn));
            prop_assert!(found >= asked.unwrap_or_default());
            prop_assert!(found <= asked.unwrap_or_default().max(CAP));
        }
    }
}
