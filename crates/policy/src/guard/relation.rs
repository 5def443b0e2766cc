//! Cedar's operators on one value and on two. There is no answer where Cedar would find an error,
//! and where values are not ones that are compared here.
//!
//! Source: <https://docs.cedarpolicy.com/policies/syntax-datatypes.html>, of `datetime` and `duration`.

use cedar_policy::pst::{BinaryOp, UnaryOp};

use super::Facts;
use crate::carry::Carried;

/// Of sets with more pairs of elements than that Cedar is asked, which looks elements up.
const MAX_PAIRS: usize = 1_024;

/// The milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1_000;

/// What an operator makes of a value.
pub(super) fn of_one(op: UnaryOp, value: &Carried<'_>) -> Option<Carried<'static>> {
    use Carried::{Bool, Datetime, Duration, Long, Set};
    use UnaryOp as Op;
    Some(match (op, value) {
        (Op::Not, Bool(flag)) => Bool(!flag),
        (Op::Neg, Long(number)) => Long(number.checked_neg()?),
        (Op::IsEmpty, Set(all)) => Bool(all.is_empty()),
        (Op::ToDate, Datetime(at)) => Datetime(at.checked_sub(at.rem_euclid(DAY))?),
        (Op::ToTime, Datetime(at)) => Duration(at.rem_euclid(DAY)),
        (Op::ToMilliseconds, Duration(time)) => Long(*time),
        (Op::ToSeconds, Duration(time)) => Long(time / 1_000),
        (Op::ToMinutes, Duration(time)) => Long(time / (60 * 1_000)),
        (Op::ToHours, Duration(time)) => Long(time / (60 * 60 * 1_000)),
        (Op::ToDays, Duration(time)) => Long(time / DAY),
        _ => return None,
    })
}

/// What an operator makes of two values.
pub(super) fn relation<'f>(
    op: BinaryOp,
    left: &Carried<'_>,
    right: &Carried<'_>,
    facts: &'f Facts<'f>,
) -> Option<Carried<'f>> {
    use BinaryOp as Op;
    use Carried::{Datetime, Decimal, Duration, Entity, Long, Set, Text};
    let is = match (op, left, right) {
        (Op::Add, Long(left), Long(right)) => return left.checked_add(*right).map(Long),
        (Op::Sub, Long(left), Long(right)) => return left.checked_sub(*right).map(Long),
        (Op::Mul, Long(left), Long(right)) => return left.checked_mul(*right).map(Long),
        (Op::Offset, Datetime(at), Duration(by)) => return at.checked_add(*by).map(Datetime),
        (Op::DurationSince, Datetime(at), Datetime(since)) => {
            return at.checked_sub(*since).map(Duration);
        }
        (Op::Eq, ..) => equal(left, right)?,
        (Op::NotEq, ..) => !equal(left, right)?,
        (Op::Less, Long(left), Long(right))
        | (Op::Less, Datetime(left), Datetime(right))
        | (Op::Less, Duration(left), Duration(right))
        | (Op::DecimalLessThan, Decimal(left), Decimal(right)) => left < right,
        (Op::LessEq, Long(left), Long(right))
        | (Op::LessEq, Datetime(left), Datetime(right))
        | (Op::LessEq, Duration(left), Duration(right))
        | (Op::DecimalLessEq, Decimal(left), Decimal(right)) => left <= right,
        (Op::Greater, Long(left), Long(right))
        | (Op::Greater, Datetime(left), Datetime(right))
        | (Op::Greater, Duration(left), Duration(right))
        | (Op::DecimalGreater, Decimal(left), Decimal(right)) => left > right,
        (Op::GreaterEq, Long(left), Long(right))
        | (Op::GreaterEq, Datetime(left), Datetime(right))
        | (Op::GreaterEq, Duration(left), Duration(right))
        | (Op::DecimalGreaterEq, Decimal(left), Decimal(right)) => left >= right,
        (Op::In, Entity(kind, name), Entity(other, above)) => {
            facts.is_in((*kind, name), (*other, above))?
        }
        (Op::In, Entity(kind, name), Set(all)) => any(all, |one| match one {
            Entity(other, above) => facts.is_in((*kind, name), (*other, above)),
            _ => None,
        })?,
        (Op::Contains, Set(all), one) => contains(all, one)?,
        (Op::ContainsAll, Set(all), Set(others)) => contains_all(all, others)?,
        (Op::ContainsAny, Set(all), Set(others)) => {
            few(all, others)?;
            any(others, |one| contains(all, one))?
        }
        (Op::HasTag, Entity(kind, name), Text(tag)) => {
            facts.claims((*kind, name))?.contains_key(*tag)
        }
        (Op::GetTag, Entity(kind, name), Text(tag)) => {
            let values = facts.claims((*kind, name))?.get(*tag)?;
            return Some(Set(values.iter().map(|value| Text(value)).collect()));
        }
        _ => return None,
    };
    Some(Carried::Bool(is))
}

fn equal(left: &Carried<'_>, right: &Carried<'_>) -> Option<bool> {
    match (left, right) {
        (Carried::Bool(left), Carried::Bool(right)) => Some(left == right),
        (Carried::Long(left), Carried::Long(right))
        | (Carried::Decimal(left), Carried::Decimal(right))
        | (Carried::Datetime(left), Carried::Datetime(right))
        | (Carried::Duration(left), Carried::Duration(right)) => Some(left == right),
        (Carried::Text(left), Carried::Text(right)) => Some(left == right),
        (Carried::Entity(kind, name), Carried::Entity(other, right)) => {
            Some((kind, name) == (other, right))
        }
        // How often an element stands in a set, and where, is nothing to Cedar.
        (Carried::Set(left), Carried::Set(right)) => {
            Some(contains_all(left, right)? && contains_all(right, left)?)
        }
        _ => None,
    }
}

fn contains(all: &[Carried<'_>], one: &Carried<'_>) -> Option<bool> {
    any(all, |element| equal(element, one))
}

fn contains_all(all: &[Carried<'_>], others: &[Carried<'_>]) -> Option<bool> {
    few(all, others)?;
    any(others, |one| contains(all, one).map(|is| !is)).map(|missing| !missing)
}

/// Whether something is so of an element; it must be known of each.
fn any<'v>(all: &[Carried<'v>], is: impl Fn(&Carried<'v>) -> Option<bool>) -> Option<bool> {
    all.iter().try_fold(false, |found, one| Some(found | is(one)?))
}

fn few(left: &[Carried<'_>], right: &[Carried<'_>]) -> Option<()> {
    (left.len().saturating_mul(right.len()) <= MAX_PAIRS).then_some(())
}
