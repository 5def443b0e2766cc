//! The lexical forms of XML Schema's simple types, and of JSON's numbers beside them.

use serde_json::Number;

/// More characters than a `xs:double` needs to be told from its neighbours, by far.
const MAX_DOUBLE: usize = 400;

/// `xs:boolean` (§3.3.2.2).
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// `xs:integer` (§3.4.13.1).
pub(super) fn is_integer(text: &str) -> bool {
    let digits = unsigned(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// `xs:decimal` (§3.3.3.1): no exponent.
pub(super) fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = unsigned(text).split_once('.').unwrap_or((unsigned(text), ""));
    !(whole.is_empty() && fraction.is_empty())
        && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
}

/// `xs:double` (§3.3.5.2) but for its special values.
pub(super) fn is_double(text: &str) -> bool {
    match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => is_decimal(mantissa) && is_integer(exponent),
        None => is_decimal(text),
    }
}

/// The values of `xs:double` that JSON has no numbers for.
pub(super) fn is_special(text: &str) -> bool {
    matches!(text, "INF" | "+INF" | "-INF" | "NaN")
}

/// A whole number of at most 32 bits, signed or unsigned, as JSON.
pub(super) fn int(text: &str) -> Option<Number> {
    let value: i64 = is_integer(text).then(|| text.parse().ok())??;
    (i64::from(i32::MIN)..=i64::from(u32::MAX)).contains(&value).then(|| value.into())
}

/// A `xs:double` as JSON's grammar wants it (RFC 8259 §6), with its own digits.
pub(super) fn double(text: &str) -> Option<Number> {
    if text.len() > MAX_DOUBLE || !is_double(text) {
        return None;
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, ""));
    let sign = if mantissa.starts_with('-') { "-" } else { "" };
    let (whole, fraction) = unsigned(mantissa).split_once('.').unwrap_or((unsigned(mantissa), ""));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let e = if exponent.is_empty() { "" } else { "e" };
    format!("{sign}{whole}{point}{fraction}{e}{exponent}").parse().ok()
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_becomes_a_json_number_with_its_own_digits() {
        for (text, json) in [
            ("0", "0"),
            ("-0", "-0"),
            ("+5", "5"),
            ("007", "7"),
            (".5", "0.5"),
            ("1.", "1"),
            ("1.50", "1.50"),
            ("-1E+3", "-1e+3"),
            ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
        ] {
            assert_eq!(double(text).map(|n| n.to_string()).as_deref(), Some(json), "{text}");
        }
        for text in ["", ".", "+", "1e", "e1", "1e1.5", "0x1", "--1", "1 2", "INF", "NaN", "١"] {
            assert_eq!(double(text), None, "{text}");
        }
    }

    #[test]
    fn an_int_has_at_most_32_bits() {
        for (text, value) in
            [("-2147483648", -2_147_483_648_i64), ("4294967295", 4_294_967_295), ("+07", 7)]
        {
            assert_eq!(int(text), Some(Number::from(value)), "{text}");
        }
        for text in ["-2147483649", "4294967296", "99999999999999999999", "1.0", "", "-"] {
            assert_eq!(int(text), None, "{text}");
        }
    }

    #[test]
    fn a_decimal_has_no_exponent() {
        for good in ["1", "1.", ".1", "-1.0", "+0", "500.0000000000000000001"] {
            assert!(is_decimal(good), "{good}");
        }
        for bad in ["", ".", "-", "1e3", "1.2.3", "1,5"] {
            assert!(!is_decimal(bad), "{bad}");
        }
    }
}
