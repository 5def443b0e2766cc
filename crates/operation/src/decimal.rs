//! Numbers compared exactly, as they are written.
//!
//! A limit on an amount must not depend on what a `f64` can hold: `500.0000000000000000001`
//! is more than 500, and so is 2^53 + 1 more than 2^53. A number is kept as its digits and
//! the power of ten of the first one, so comparing costs as much as the text is long,
//! whatever the exponent says: `1e999999999` takes no more than `10`.

use std::cmp::Ordering;

/// A decimal number, exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// Significant digits without zeros at either end; empty for zero.
    digits: Vec<u8>,
    /// The number is `0.DIGITS` times ten to this power.
    magnitude: i128,
}

impl Decimal {
    /// Reads a number as JSON or XML Schema write it: `-0.5`, `5e2`, `+007.50`, `.5`.
    /// `None` for whatever else, `INF` and `NaN` among it.
    pub fn parse(text: &str) -> Option<Self> {
        // XML Schema collapses white space around a number (XSD 1.1 part 2 §4.3.6).
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        let (negative, text) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let Some(first) = all.iter().position(|d| *d != b'0') else {
            // Zero has no sign here: -0 is 0.
            return Some(Self { negative: false, digits: Vec::new(), magnitude: 0 });
        };
        let last = all.iter().rposition(|d| *d != b'0').unwrap_or(first);
        let length = |n: usize| i128::try_from(n).ok();
        let magnitude = length(whole.len())? - length(first)? + exponent;
        Some(Self { negative, digits: all[first..=last].to_vec(), magnitude })
    }
}

/// An exponent, held at bounds that no text of a number reaches by its digits: two numbers
/// beyond them compare by their digits only, and on the right side of every other.
fn exponent(text: &str) -> Option<i128> {
    const BOUND: i128 = 1 << 100;
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    let size = if digits.is_empty() {
        0
    } else {
        digits.parse::<i128>().map_or(BOUND, |size| size.min(BOUND))
    };
    Some(if negative { -size } else { size })
}

impl Decimal {
    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// The number times ten to the power of `places`, where that is a whole number that an
    /// `i128` holds: for sums that must be exact. `None` where digits would be lost.
    pub fn scaled(&self, places: u8) -> Option<i128> {
        if self.digits.is_empty() {
            return Some(0);
        }
        // 0.DIGITS times ten to the magnitude: so many digits stand before the point.
        let whole = self.magnitude.checked_add(i128::from(places))?;
        let whole = usize::try_from(whole).ok().filter(|whole| *whole <= LONGEST)?;
        let zeros = whole.checked_sub(self.digits.len())?;
        let digits = self.digits.iter().copied().chain(std::iter::repeat_n(b'0', zeros));
        let size = digits
            .map(|digit| i128::from(digit - b'0'))
            .try_fold(0_i128, |sum, digit| sum.checked_mul(10)?.checked_add(digit))?;
        Some(if self.negative { -size } else { size })
    }
}

/// How many digits the largest `i128` has.
const LONGEST: usize = 39;

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => return Ordering::Equal,
            (true, false) => {
                return if other.negative { Ordering::Greater } else { Ordering::Less };
            }
            (false, true) => return if self.negative { Ordering::Less } else { Ordering::Greater },
            (false, false) => {}
        }
        match (self.negative, other.negative) {
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            _ => {}
        }
        // Without zeros in front the first digit decides by its place, then digit by digit;
        // a number that goes on is greater than one that ended.
        let size =
            self.magnitude.cmp(&other.magnitude).then_with(|| self.digits.cmp(&other.digits));
        if self.negative { size.reverse() } else { size }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compare(left: &str, right: &str) -> Ordering {
        Decimal::parse(left).expect(left).cmp(&Decimal::parse(right).expect(right))
    }

    #[test]
    fn one_number_has_many_spellings() {
        for (left, right) in [
            ("500", "500.0"),
            ("500", "5e2"),
            ("500", "5E+2"),
            ("500", "+000500.000"),
            ("500", "50000e-2"),
            ("500", " 500\n"),
            ("-0", "0"),
            ("0e999999999999", "0.00"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e-3", "0.001"),
        ] {
            assert_eq!(compare(left, right), Ordering::Equal, "{left} {right}");
        }
    }

    #[test]
    fn a_number_is_scaled_exactly_or_not_at_all() {
        let scaled = |text: &str, places| Decimal::parse(text).expect(text).scaled(places);
        for (text, places, expected) in [
            ("0", 0, Some(0)),
            ("12.5", 1, Some(125)),
            ("-12.50", 3, Some(-12_500)),
            ("1e3", 2, Some(100_000)),
            ("0.001", 3, Some(1)),
            ("0.001", 2, None),
            ("12.5", 0, None),
            ("1e-999999999999", 18, None),
            ("1e999999999999", 18, None),
            ("170141183460469231731687303715884105727", 0, Some(i128::MAX)),
            ("170141183460469231731687303715884105728", 0, None),
        ] {
            assert_eq!(scaled(text, places), expected, "{text} {places}");
        }
    }

    #[test]
    fn every_digit_counts() {
        for (less, more) in [
            ("500", "500.0000000000000000001"),
            ("499.9999999999999999999", "500"),
            ("9007199254740992", "9007199254740993"),
            ("-500.0000000000000000001", "-500"),
            ("-1", "0"),
            ("0", "1e-999999999999999999999999"),
            ("500", "1e999999999"),
            ("500", "1e99999999999999999999999999999999999999999999999999"),
            ("-1e999999999", "-500"),
            ("1e-999999999", "0.1"),
            ("-1e-999999999", "0"),
            ("9", "10"),
            ("0.09", "0.1"),
        ] {
            assert_eq!(compare(less, more), Ordering::Less, "{less} {more}");
            assert_eq!(compare(more, less), Ordering::Greater, "{more} {less}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in [
            "", " ", ".", "-", "+", "e5", "1e", "1e+", "1e1.5", "INF", "NaN", "0x10", "1,5", "1_0",
            "--1", "1 0", "٣", "1f",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whole_numbers_compare_as_integers(a in any::<i64>(), b in any::<i64>(), zeros in 0..30_usize) {
            let written = format!("{b}{}e-{zeros}", "0".repeat(zeros));
            prop_assert_eq!(compare(&a.to_string(), &written), a.cmp(&b));
        }

        #[test]
        fn no_text_makes_it_fail(text in ".{0,40}") {
            let _ = Decimal::parse(&text);
        }
    }
}
