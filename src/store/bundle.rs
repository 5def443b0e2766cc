//! What several calls took of one window or budget, in one row of the database.
//!
//! Each of them keeps its own time: which of them a window still holds is told exactly. Nothing is
//! judged here.
//!
//! A window's uses are times alone, four bytes each: how many microseconds after the first. A
//! budget's have after that what was taken, sixteen bytes, and the call: the length of its name in
//! two bytes, and the name. All numbers are little-endian.

/// So many stand in one row at most.
pub(super) const MOST: usize = 1_000;

/// What one call took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Share<'u> {
    /// When, in microseconds since the Unix epoch.
    pub(super) at: i64,
    /// How much; 1 in a window.
    pub(super) amount: i128,
    /// Its name; none in a window.
    pub(super) call: &'u str,
}

/// Of what the uses in a row are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Window,
    Budget,
}

/// A row that is no bundle: somebody else wrote it, or the disk lost something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl From<Malformed> for sqlx::Error {
    fn from(_: Malformed) -> Self {
        Self::Decode("what calls took together is malformed".into())
    }
}

/// Writes one behind the others. `false` where it does not go with them: it is too long after the first,
/// which was at `since`, or its name is too long.
pub(super) fn append(uses: &mut Vec<u8>, of: Of, since: i64, share: &Share<'_>) -> bool {
    let Ok(after) = u32::try_from(share.at.wrapping_sub(since)) else { return false };
    let Ok(length) = u16::try_from(share.call.len()) else { return false };
    uses.extend_from_slice(&after.to_le_bytes());
    if of == Of::Budget {
        uses.extend_from_slice(&share.amount.to_le_bytes());
        uses.extend_from_slice(&length.to_le_bytes());
        uses.extend_from_slice(share.call.as_bytes());
    }
    true
}

/// Each of them, in order; nothing behind what is malformed.
pub(super) fn shares(
    uses: &[u8],
    of: Of,
    since: i64,
) -> impl Iterator<Item = Result<Share<'_>, Malformed>> {
    let mut rest = uses;
    std::iter::from_fn(move || {
        let one = (!rest.is_empty()).then(|| next(&mut rest, of, since))?;
        if one.is_err() {
            rest = &[];
        }
        Some(one)
    })
}

fn next<'u>(rest: &mut &'u [u8], of: Of, since: i64) -> Result<Share<'u>, Malformed> {
    let after = i64::from(u32::from_le_bytes(take(rest)?));
    let at = since.checked_add(after).ok_or(Malformed)?;
    let (amount, call) = match of {
        Of::Window => (1, ""),
        Of::Budget => {
            let amount = i128::from_le_bytes(take(rest)?);
            let length = usize::from(u16::from_le_bytes(take(rest)?));
            let (call, after) = rest.split_at_checked(length).ok_or(Malformed)?;
            *rest = after;
            (amount, std::str::from_utf8(call).map_err(|_| Malformed)?)
        }
    };
    Ok(Share { at, amount, call })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (first, after) = rest.split_first_chunk().ok_or(Malformed)?;
    *rest = after;
    Ok(*first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Taken = (i64, i128, String);

    fn taken() -> impl Strategy<Value = Taken> {
        (0_i64..=u32::MAX.into(), any::<i128>(), ".{0,40}")
            .prop_map(|(after, amount, call)| (1_000 + after, amount, call))
    }

    fn read(uses: &[u8], of: Of, since: i64) -> Result<Vec<Taken>, Malformed> {
        let owned = |share: Share<'_>| (share.at, share.amount, share.call.to_owned());
        shares(uses, of, since).map(|share| share.map(owned)).collect()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(all in proptest::collection::vec(taken(), 1..20)) {
            for of in [Of::Window, Of::Budget] {
                let mut uses = Vec::new();
                for (at, amount, call) in &all {
                    let share = Share { at: *at, amount: *amount, call };
                    prop_assert!(append(&mut uses, of, 1_000, &share));
                }
                let expected = all.iter().cloned().map(|(at, amount, call)| match of {
                    Of::Window => (at, 1, String::new()),
                    Of::Budget => (at, amount, call),
                });
                prop_assert_eq!(read(&uses, of, 1_000), Ok(expected.collect()));
            }
        }

        #[test]
        fn whatever_the_bytes_nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            for of in [Of::Window, Of::Budget] {
                let _ = read(&bytes, of, i64::MAX);
            }
        }
    }

    #[test]
    fn what_does_not_go_with_the_others_is_left_out() {
        let mut uses = Vec::new();
        let one = |at, call: &'static str| Share { at, amount: 1, call };
        assert!(!append(&mut uses, Of::Budget, 1, &one(0, "earlier")));
        assert!(!append(&mut uses, Of::Budget, 0, &one(i64::from(u32::MAX) + 1, "too late")));
        let long = "x".repeat(70_000);
        assert!(!append(&mut uses, Of::Budget, 0, &Share { call: &long, ..one(1, "") }));
        assert!(uses.is_empty());
        assert_eq!(read(&[1, 0, 0, 0, 9], Of::Window, 0), Err(Malformed));
    }
}
