//! Decimal numbers as they are written: exact, of any length, compared without floating
//! point and without being expanded, so that `1e999999999` costs nothing.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A decimal number in JSON's notation (RFC 8259 §6), with the digits as they were written.
#[derive(Debug, Clone)]
pub struct Decimal {
    text: String,
    negative: bool,
    /// Without zeros at either end; empty for zero.
    digits: String,
    /// The value is `0.digits × 10^exponent`.
    exponent: i64,
}

/// Not a number in JSON's notation, or one whose exponent nobody means.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a decimal number such as `500` or `\"500.00\"`")]
pub struct NotDecimal;

impl Decimal {
    /// The number as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.negative
    }
}

impl FromStr for Decimal {
    type Err = NotDecimal;

    fn from_str(text: &str) -> Result<Self, NotDecimal> {
        let (mantissa, power) = match text.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, exponent(power)?),
            None => (text, 0),
        };
        let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((_, "")) => return Err(NotDecimal),
            Some(parts) => parts,
            None => (unsigned, ""),
        };
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty()
            || (whole.len() > 1 && whole.starts_with('0'))
            || !all_digits(whole)
            || !all_digits(fraction)
        {
            return Err(NotDecimal);
        }
        let joined = format!("{whole}{fraction}");
        let significant = joined.trim_start_matches('0');
        let leading = joined.len() - significant.len();
        let digits = significant.trim_end_matches('0').to_owned();
        let point = i64::try_from(whole.len()).map_err(|_| NotDecimal)?
            - i64::try_from(leading).map_err(|_| NotDecimal)?;
        let zero = digits.is_empty();
        Ok(Self {
            text: text.to_owned(),
            negative: mantissa.len() != unsigned.len() && !zero,
            exponent: if zero { 0 } else { point + power },
            digits,
        })
    }
}

/// The part after `e`. Nine digits hold every exponent that anyone writes, and cannot
/// overflow the sum with a position.
fn exponent(text: &str) -> Result<i64, NotDecimal> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NotDecimal);
    }
    text.strip_prefix('+').unwrap_or(text).parse().map_err(|_| NotDecimal)
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |n: &Self| match (n.digits.is_empty(), n.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = || {
            // Digits without zeros at the front compare as text once the exponents agree:
            // what is missing at the end counts as zeros, and a prefix sorts first.
            self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits))
        };
        sign(self)
            .cmp(&sign(other))
            .then_with(|| if self.negative { size().reverse() } else { size() })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    #[test]
    fn numbers_compare_by_value_and_never_by_floating_point() {
        for (small, large) in [
            ("500", "500.0000000000000000001"),
            ("9007199254740992", "9007199254740993"),
            ("-1", "0"),
            ("-2", "-1"),
            ("0.09", "0.1"),
            ("9", "10"),
            ("1e2", "101"),
            ("1", "1e999999999"),
            ("-1e999999999", "1e-999999999"),
            ("0", "1e-999999999"),
        ] {
            assert!(decimal(small) < decimal(large), "{small} < {large}");
            assert!(decimal(large) > decimal(small), "{large} > {small}");
        }
        for (a, b) in [("500", "500.00"), ("1e2", "100"), ("0", "-0.0"), ("0.5", "5e-1")] {
            assert_eq!(decimal(a), decimal(b));
        }
    }

    #[test]
    fn what_json_does_not_write_is_no_number() {
        for bad in
            ["", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x1", "NaN", "1e9999999999", "1 "]
        {
            assert!(bad.parse::<Decimal>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_digits_stay_as_written() {
        assert_eq!(decimal("500.00").to_string(), "500.00");
    }
}
