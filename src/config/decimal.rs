//! Decimal numbers of the file, with the digits as they were written.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde_json::Number;
use tollbridge_operation::Decimal as Value;

/// A decimal number in JSON's notation (RFC 8259 §6), with the digits as they were written.
/// Numbers that are written in different ways are equal where their values are.
#[derive(Debug, Clone)]
pub struct Decimal {
    text: String,
    value: Value,
}

/// Not a number in JSON's notation, or one whose exponent nobody means.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a decimal number such as `500` or `\"500.00\"`")]
pub struct NotDecimal;

/// The longest exponent, in digits: more is a mistake.
const LONGEST_EXPONENT: usize = 9;

impl Decimal {
    /// The number as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The number times ten to the power of `places`, where that is a whole number that is not too
    /// long to be added up.
    pub fn scaled(&self, places: u8) -> Option<i128> {
        self.value.scaled(places)
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.value.is_negative()
    }
}

impl FromStr for Decimal {
    type Err = NotDecimal;

    fn from_str(text: &str) -> Result<Self, NotDecimal> {
        let exponent = text.split_once(['e', 'E']).map_or("", |(_, exponent)| exponent);
        if exponent.trim_start_matches(['+', '-']).len() > LONGEST_EXPONENT {
            return Err(NotDecimal);
        }
        // JSON's notation is narrower than what is compared: no `+5`, `.5` or `007`.
        text.parse::<Number>().map_err(|_| NotDecimal)?;
        let value = Value::parse(text).ok_or(NotDecimal)?;
        Ok(Self { text: text.to_owned(), value })
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.cmp(&other.value)
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
