//! Values on their way into Cedar.
//!
//! Only what policies read is carried. A value that its type cannot hold exactly is replaced by
//! one of the same type and reported as [`Uncarried`]: who reads it must not decide on it.

use std::collections::BTreeMap;

use cedar_policy::RestrictedExpression;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::action::Type;
use crate::kind::Kind;

/// A list with more elements is not carried.
const MAX_ELEMENTS: usize = 1_000;

/// What is read of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Want {
    /// Whether it is there.
    Presence,
    /// All of it.
    Whole,
    /// Some of its members.
    Members(BTreeMap<String, Want>),
}

impl Want {
    pub(crate) fn nothing() -> Self {
        Self::Members(BTreeMap::new())
    }

    /// Adds what stands at a path.
    pub(crate) fn add(&mut self, path: &[String], leaf: &Want) {
        match (self, path.split_first()) {
            (Self::Whole, _) => {}
            (here, None) => {
                if *leaf == Self::Whole || *here == Self::nothing() {
                    *here = leaf.clone();
                }
            }
            (here, Some((name, rest))) => {
                if *here == Self::Presence {
                    *here = Self::nothing();
                }
                if let Self::Members(members) = here {
                    members.entry(name.clone()).or_insert_with(Self::nothing).add(rest, leaf);
                }
            }
        }
    }
}

/// A value that could not be carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Uncarried {
    /// Where it stands, by members from the top.
    pub(crate) path: Vec<String>,
    /// Why, in words that follow a name.
    pub(crate) reason: &'static str,
    /// Whether policies do not even see that it is there.
    pub(crate) unseen: bool,
}

/// A value as Cedar would hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Carried<'v> {
    Bool(bool),
    Long(i64),
    /// In ten-thousandths.
    Decimal(i64),
    /// In milliseconds since the Unix epoch.
    Datetime(i64),
    /// In milliseconds. No call has one: policies reckon with them.
    Duration(i64),
    Text(&'v str),
    Entity(Type, &'v str),
    Set(Vec<Carried<'v>>),
    Record(Vec<(&'v str, Carried<'v>)>),
}

impl Carried<'_> {
    /// A member of a record, where it is there.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        let Self::Record(members) = self else { return None };
        members.iter().find(|(member, _)| *member == name).map(|(_, value)| value)
    }

    /// The same for Cedar.
    pub(crate) fn expression(&self) -> RestrictedExpression {
        match self {
            Self::Bool(flag) => RestrictedExpression::new_bool(*flag),
            Self::Long(number) => RestrictedExpression::new_long(*number),
            Self::Decimal(units) => RestrictedExpression::new_decimal(decimal_text(*units)),
            Self::Datetime(at) => {
                // It was made of a time.
                let time = Timestamp::from_millisecond(*at).unwrap_or_default();
                let text = time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
                RestrictedExpression::new_datetime(text)
            }
            Self::Duration(time) => RestrictedExpression::new_duration(format!("{time}ms")),
            Self::Text(text) => RestrictedExpression::new_string((*text).to_owned()),
            Self::Entity(kind, name) => RestrictedExpression::new_entity_uid(kind.uid(name)),
            Self::Set(elements) => {
                RestrictedExpression::new_set(elements.iter().map(Carried::expression))
            }
            Self::Record(members) => {
                let members = members.iter();
                let members = members.map(|(name, value)| ((*name).to_owned(), value.expression()));
                // No two have the same name: they are an object's.
                RestrictedExpression::new_record(members)
                    .unwrap_or_else(|_| RestrictedExpression::new_string(String::new()))
            }
        }
    }

    /// Any value of the type.
    fn placeholder(kind: &Kind) -> Self {
        match kind {
            Kind::Bool => Self::Bool(false),
            Kind::Long => Self::Long(0),
            Kind::Decimal => Self::Decimal(0),
            Kind::Text => Self::Text(""),
            Kind::Set(_) => Self::Set(Vec::new()),
            Kind::Record(_) => Self::Record(Vec::new()),
        }
    }
}

/// Carries the members of an object, at `path`.
pub(crate) fn carry_object<'v>(
    members: &Kind,
    object: &'v Map<String, Value>,
    want: &'v Want,
    path: &mut Vec<String>,
    uncarried: &mut Vec<Uncarried>,
) -> Carried<'v> {
    let Kind::Record(members) = members else { return Carried::Record(Vec::new()) };
    let Want::Members(wanted) = want else {
        if *want == Want::Presence {
            return Carried::Record(Vec::new());
        }
        // A record is compared as a whole: one with members that its type does not have would be
        // equal to another one.
        let mut carried = Vec::with_capacity(object.len());
        for (name, value) in object {
            let Some(field) = members.get(name) else {
                let reason = "has members that policies do not know";
                uncarried.push(Uncarried { path: path.clone(), reason, unseen: false });
                continue;
            };
            path.push(name.clone());
            carried.push((name.as_str(), carry(&field.kind, value, &Want::Whole, path, uncarried)));
            path.pop();
        }
        return Carried::Record(carried);
    };
    let mut carried = Vec::with_capacity(wanted.len());
    for (name, want) in wanted {
        let Some(value) = object.get(name) else { continue };
        path.push(name.clone());
        match members.get(name) {
            Some(field) => {
                let inside = carry(&field.kind, value, want, path, uncarried);
                carried.push((name.as_str(), inside));
            }
            // To the policy it would not be there.
            None => {
                let reason = "is of a type that policies do not have";
                uncarried.push(Uncarried { path: path.clone(), reason, unseen: true });
            }
        }
        path.pop();
    }
    Carried::Record(carried)
}

/// Carries a value, at `path`.
fn carry<'v>(
    kind: &Kind,
    value: &'v Value,
    want: &'v Want,
    path: &mut Vec<String>,
    uncarried: &mut Vec<Uncarried>,
) -> Carried<'v> {
    match (want, kind, value) {
        (Want::Presence, ..) => Carried::placeholder(kind),
        (_, Kind::Record(_), Value::Object(object)) => {
            carry_object(kind, object, want, path, uncarried)
        }
        (_, kind, value) => scalar(kind, value).unwrap_or_else(|reason| {
            uncarried.push(Uncarried { path: path.clone(), reason, unseen: false });
            Carried::placeholder(kind)
        }),
    }
}

fn scalar<'v>(kind: &Kind, value: &'v Value) -> Result<Carried<'v>, &'static str> {
    match (kind, value) {
        (_, Value::Null) => Err("is null"),
        (Kind::Bool, Value::Bool(flag)) => Ok(Carried::Bool(*flag)),
        (Kind::Text, Value::String(text)) => Ok(Carried::Text(text)),
        (Kind::Long, Value::Number(number)) => long(number.as_str()),
        (Kind::Long, Value::String(digits)) => long(digits),
        (Kind::Decimal, Value::Number(number)) => decimal(number.as_str()),
        (Kind::Decimal, Value::String(digits)) => decimal(digits),
        (Kind::Set(element), Value::Array(list)) => {
            if list.len() > MAX_ELEMENTS {
                return Err("has too many elements");
            }
            let mut carried = Vec::with_capacity(list.len());
            for value in list {
                let mut lost = Vec::new();
                let inside = carry(element, value, &Want::Whole, &mut Vec::new(), &mut lost);
                if let Some(lost) = lost.first() {
                    return Err(match lost.reason {
                        "is null" => "has an element that is null",
                        _ => "has an element that policies cannot hold exactly",
                    });
                }
                carried.push(inside);
            }
            Ok(Carried::Set(carried))
        }
        _ => Err("is of another type than its schema says"),
    }
}

fn long(text: &str) -> Result<Carried<'static>, &'static str> {
    scaled(text, 0)
        .map(Carried::Long)
        .ok_or("is no whole number of 64 bits, and policies cannot hold it exactly")
}

fn decimal(text: &str) -> Result<Carried<'static>, &'static str> {
    scaled(text, 4)
        .map(Carried::Decimal)
        .ok_or("is a number beyond ±922337203685477.5807 or with more than four decimals, and policies cannot hold it exactly")
}

/// Ten-thousandths as Cedar writes them.
fn decimal_text(units: i64) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let units = units.unsigned_abs();
    format!("{sign}{}.{:04}", units / 10_000, units % 10_000)
}

/// What a decimal is that is written as Cedar has it, `-?[0-9]+.[0-9]{1,4}`, in ten-thousandths.
pub(crate) fn decimal_units(text: &str) -> Option<i64> {
    let (whole, fraction) = text.strip_prefix('-').unwrap_or(text).split_once('.')?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    (digits(whole) && digits(fraction) && fraction.len() <= 4).then(|| scaled(text, 4))?
}

/// A number as JSON or XML Schema write it, times ten to the power of `places`, if that is a
/// whole number of 64 bits.
fn scaled(text: &str, places: i64) -> Option<i64> {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let exponent_digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    if whole.len() + fraction.len() == 0
        || !digits(whole)
        || !digits(fraction)
        || exponent_digits.is_empty()
        || !digits(exponent_digits)
    {
        return None;
    }
    let all = format!("{whole}{fraction}");
    let significant = all.trim_end_matches('0');
    let dropped = i64::try_from(all.len() - significant.len()).ok()?;
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let exponent: i64 = exponent.parse().ok()?;
    let power = exponent
        .checked_add(places)?
        .checked_sub(i64::try_from(fraction.len()).ok()?)?
        .checked_add(dropped)?;
    // 19 digits hold every number of 64 bits.
    let power = u32::try_from(power).ok().filter(|power| *power < 19)?;
    if significant.len() > 19 {
        return None;
    }
    let value = significant.parse::<i128>().ok()?.checked_mul(10_i128.checked_pow(power)?)?;
    i64::try_from(if negative { -value } else { value }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_carried_exactly_or_not_at_all() {
        let table = [
            ("0", 0, Some(0)),
            ("-0", 0, Some(0)),
            ("0e999999999999", 0, Some(0)),
            ("5", 0, Some(5)),
            ("5.0", 0, Some(5)),
            ("5e2", 0, Some(500)),
            ("500e-2", 0, Some(5)),
            ("5.5", 0, None),
            ("9223372036854775807", 0, Some(i64::MAX)),
            ("-9223372036854775808", 0, Some(i64::MIN)),
            ("9223372036854775808", 0, None),
            ("1e18", 0, Some(1_000_000_000_000_000_000)),
            ("1e19", 0, None),
            ("1e999999999999999999999", 0, None),
            ("12.34", 4, Some(123_400)),
            ("0.0001", 4, Some(1)),
            ("0.00010", 4, Some(1)),
            ("0.00001", 4, None),
            ("922337203685477.5807", 4, Some(i64::MAX)),
            ("922337203685477.5808", 4, None),
            ("INF", 4, None),
            ("", 4, None),
            (".", 4, None),
            ("1e", 4, None),
            ("+007.50", 4, Some(75_000)),
        ];
        for (text, places, expected) in table {
            assert_eq!(scaled(text, places), expected, "{text}");
        }
        assert_eq!(decimal_text(-5), "-0.0005");
        assert_eq!(decimal_text(123_400), "12.3400");
        assert_eq!(decimal_text(i64::MIN), "-922337203685477.5808");
    }
}
