//! Whether a text is in the lexical space of an atomic type (XML Schema 1.1 part 2 §3.3).
//!
//! White space has been dealt with before. Nothing is compared or converted here, but for
//! doubles, which JSON writes in another grammar.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Number;

use super::builtin::{Atomic, NameKind, Temporal};
use tollbridge_xml::chars;

/// More characters than a `xs:double` needs to be told from its neighbours, by far.
const MAX_DOUBLE: usize = 400;

/// Whether the text is a value of the type. Of a `xs:QName` only the form is told.
pub(super) fn is(atomic: Atomic, text: &str) -> bool {
    match atomic {
        // Of URIs part 2 §3.3.17: any text, after escaping what an URI may not hold.
        Atomic::String | Atomic::Normalized | Atomic::Token | Atomic::Uri => true,
        Atomic::Language => is_language(text),
        Atomic::Name(NameKind::NcName | NameKind::Id | NameKind::IdRef) => chars::is_nc_name(text),
        Atomic::Name(NameKind::Name) => chars::is_name(text),
        Atomic::Name(NameKind::NmToken) => chars::is_nm_token(text),
        Atomic::Boolean => matches!(text, "true" | "false" | "1" | "0"),
        Atomic::Decimal => is_decimal(text),
        Atomic::Integer(..) => is_integer(text),
        Atomic::Double => is_double(text) || is_special(text),
        Atomic::Temporal(temporal) => is_temporal(temporal, text),
        Atomic::Base64 | Atomic::Attached => base64(text).is_some(),
        Atomic::Hex => text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit()),
        Atomic::QName => match text.split_once(':') {
            Some((prefix, local)) => chars::is_nc_name(prefix) && chars::is_nc_name(local),
            None => chars::is_nc_name(text),
        },
    }
}

/// The bytes of a `xs:base64Binary`, which may be broken over lines.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let packed: String = text.chars().filter(|&c| !chars::is_space(c)).collect();
    STANDARD.decode(packed).ok()
}

/// The bytes of a `xs:hexBinary` (§3.3.15).
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let pairs = text.as_bytes().chunks(2);
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(octet).collect()
}

/// `xs:integer` (§3.4.13.1).
pub(super) fn is_integer(text: &str) -> bool {
    all_digits(unsigned(text))
}

/// `xs:decimal` (§3.3.3.1): no exponent.
pub(super) fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = unsigned(text).split_once('.').unwrap_or((unsigned(text), ""));
    !(whole.is_empty() && fraction.is_empty())
        && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
}

/// `xs:double` (§3.3.5.2) but for its special values.
fn is_double(text: &str) -> bool {
    match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => is_decimal(mantissa) && is_integer(exponent),
        None => is_decimal(text),
    }
}

/// The values of `xs:double` that JSON has no numbers for.
pub(super) fn is_special(text: &str) -> bool {
    matches!(text, "INF" | "+INF" | "-INF" | "NaN")
}

/// A whole number as JSON's grammar wants it, whatever its length.
pub(super) fn integer(text: &str) -> Option<Number> {
    if !is_integer(text) {
        return None;
    }
    let digits = unsigned(text).trim_start_matches('0');
    let sign = if text.starts_with('-') && !digits.is_empty() { "-" } else { "" };
    format!("{sign}{}", if digits.is_empty() { "0" } else { digits }).parse().ok()
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

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// §3.4.3: `[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*`.
fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let short = |part: &str| (1..=8).contains(&part.len());
    parts.next().is_some_and(|p| short(p) && p.bytes().all(|b| b.is_ascii_alphabetic()))
        && parts.all(|p| short(p) && p.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The seven-property types and durations (§3.3.6 to §3.3.14). Days are held to their month
/// in the leap years of the proleptic Gregorian calendar.
pub(super) fn is_temporal(kind: Temporal, text: &str) -> bool {
    match kind {
        Temporal::Duration => is_duration(text, Parts::All),
        Temporal::DayTimeDuration => is_duration(text, Parts::DayTime),
        Temporal::YearMonthDuration => is_duration(text, Parts::YearMonth),
        Temporal::DateTime => {
            let (text, _) = split_zone(text);
            text.split_once('T').is_some_and(|(day, time)| is_date(day) && is_time(time))
        }
        Temporal::DateTimeStamp => {
            split_zone(text).1.is_some() && is_temporal(Temporal::DateTime, text)
        }
        Temporal::Date => is_date(split_zone(text).0),
        Temporal::Time => is_time(split_zone(text).0),
        Temporal::Year => is_year(split_zone(text).0),
        Temporal::YearMonth => split_zone(text)
            .0
            .rsplit_once('-')
            .is_some_and(|(year, month)| is_year(year) && in_range(month, 1, 12)),
        Temporal::Month => {
            // Part 2 of 1.0's first edition wrote `--MM--`, and old services still do.
            let text = split_zone(text).0;
            let month = text.strip_prefix("--").map(|m| m.strip_suffix("--").unwrap_or(m));
            month.is_some_and(|month| in_range(month, 1, 12))
        }
        Temporal::MonthDay => split_zone(text)
            .0
            .strip_prefix("--")
            .and_then(|rest| rest.split_once('-'))
            // In a year that has the 29th of February.
            .is_some_and(|(month, day)| is_day(2000, month, day)),
        Temporal::Day => {
            split_zone(text).0.strip_prefix("---").is_some_and(|day| in_range(day, 1, 31))
        }
    }
}

/// Whether a date or time says its zone.
pub(super) fn has_zone(text: &str) -> bool {
    split_zone(text).1.is_some()
}

/// A text without its time zone, and the zone: `Z`, or hours and minutes (§3.3.7.2).
pub(super) fn split_zone(text: &str) -> (&str, Option<&str>) {
    if let Some(rest) = text.strip_suffix('Z') {
        return (rest, Some("Z"));
    }
    let Some(at) = text.len().checked_sub(6).filter(|&at| text.is_char_boundary(at)) else {
        return (text, None);
    };
    let (rest, zone) = text.split_at(at);
    let is_zone = zone.starts_with(['+', '-'])
        && zone[1..].split_once(':').is_some_and(|(hours, minutes)| {
            (in_range(hours, 0, 13) && in_range(minutes, 0, 59))
                || (hours == "14" && minutes == "00")
        });
    if is_zone { (rest, Some(zone)) } else { (text, None) }
}

fn is_date(text: &str) -> bool {
    let mut parts = text.rsplitn(3, '-');
    let (day, month, year) = (parts.next(), parts.next(), parts.next());
    let (Some(day), Some(month), Some(year)) = (day, month, year) else { return false };
    is_year(year) && is_day(leap_cycle(year), month, day)
}

/// Four digits, or more without a zero in front; a sign for years before the first.
fn is_year(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    all_digits(digits) && digits.len() >= 4 && (digits.len() == 4 || !digits.starts_with('0'))
}

/// A year of the same length: leap years repeat every 400 years.
fn leap_cycle(year: &str) -> u32 {
    let digits = year.trim_start_matches('-');
    let last = &digits[digits.len().saturating_sub(4)..];
    last.parse().map_or(2000, |year: u32| 2000 + year % 400)
}

fn is_day(year: u32, month: &str, day: &str) -> bool {
    let most = match month {
        "04" | "06" | "09" | "11" => 30,
        "02" if year.is_multiple_of(4)
            && (!year.is_multiple_of(100) || year.is_multiple_of(400)) =>
        {
            29
        }
        "02" => 28,
        month if in_range(month, 1, 12) => 31,
        _ => return false,
    };
    in_range(day, 1, most)
}

fn is_time(text: &str) -> bool {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    if fraction.is_some_and(|fraction| !all_digits(fraction)) {
        return false;
    }
    let mut parts = whole.split(':');
    let (hours, minutes, seconds) = (parts.next(), parts.next(), parts.next());
    let (Some(hours), Some(minutes), Some(seconds), None) = (hours, minutes, seconds, parts.next())
    else {
        return false;
    };
    let midnight = hours == "24"
        && minutes == "00"
        && seconds == "00"
        && fraction.is_none_or(|fraction| fraction.bytes().all(|b| b == b'0'));
    midnight || (in_range(hours, 0, 23) && in_range(minutes, 0, 59) && in_range(seconds, 0, 59))
}

/// Two digits within bounds.
fn in_range(text: &str, least: u32, most: u32) -> bool {
    text.len() == 2
        && all_digits(text)
        && text.parse().is_ok_and(|n: u32| (least..=most).contains(&n))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Parts {
    All,
    DayTime,
    YearMonth,
}

/// §3.3.6.2: `-?PnYnMnDTnHnMnS`, something of it there, and something after a `T`.
fn is_duration(text: &str, parts: Parts) -> bool {
    let Some(rest) = text.strip_prefix('-').unwrap_or(text).strip_prefix('P') else {
        return false;
    };
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return false,
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    let dates = match parts {
        Parts::All => "YMD",
        Parts::DayTime => "D",
        Parts::YearMonth => "YM",
    };
    let times = if parts == Parts::YearMonth { "" } else { "HMS" };
    !(date.is_empty() && time.is_empty()) && has_units(date, dates) && has_units(time, times)
}

/// Numbers, each before its unit, in the units' order; seconds may have a fraction.
fn has_units(mut text: &str, mut units: &str) -> bool {
    while let Some(at) = text.find(|c: char| c.is_ascii_alphabetic()) {
        let (number, rest) = text.split_at(at);
        let unit = &rest[..1];
        let Some(place) = units.find(unit) else { return false };
        let fits = match number.split_once('.') {
            Some((whole, fraction)) => unit == "S" && all_digits(whole) && all_digits(fraction),
            None => all_digits(number),
        };
        if !fits {
            return false;
        }
        units = &units[place + 1..];
        text = &rest[1..];
    }
    text.is_empty()
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
    fn an_integer_becomes_a_json_number_without_zeros_in_front() {
        for (text, json) in [("+07", "7"), ("-0", "0"), ("-12", "-12"), ("000", "0")] {
            assert_eq!(integer(text).map(|n| n.to_string()).as_deref(), Some(json), "{text}");
        }
        assert_eq!(integer("1.0"), None);
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

    #[test]
    fn dates_times_and_durations_have_their_forms() {
        use Temporal as T;
        for (kind, good, bad) in [
            (
                T::Date,
                vec!["2024-02-29", "-0001-01-01", "12024-12-31Z", "2026-11-25+14:00"],
                vec!["2023-02-29", "2026-13-01", "26-11-25", "2026-11-25+14:30", "02026-01-01", ""],
            ),
            (
                T::Time,
                vec!["24:00:00", "23:59:59.999Z", "00:00:00-05:00"],
                vec!["24:00:01", "12:60:00", "1:00:00", "12:00", "12:00:00."],
            ),
            (
                T::DateTime,
                vec!["2026-11-25T10:00:00", "2026-11-25T10:00:00.5+01:00"],
                vec!["2026-11-25", "2026-11-25 10:00:00", "2026-11-25T25:00:00"],
            ),
            (T::DateTimeStamp, vec!["2026-11-25T10:00:00Z"], vec!["2026-11-25T10:00:00"]),
            (T::Year, vec!["2026", "-0044"], vec!["26", "02026"]),
            (T::YearMonth, vec!["2026-11", "2026-11Z"], vec!["2026-13", "2026"]),
            (T::Month, vec!["--11", "--11--"], vec!["11", "--13"]),
            (T::MonthDay, vec!["--02-29"], vec!["--02-30", "--13-01", "02-01"]),
            (T::Day, vec!["---31"], vec!["---32", "--31"]),
            (
                T::Duration,
                vec!["P1Y2M3DT4H5M6.7S", "-P1D", "PT0S", "P1Y"],
                vec!["P", "PT", "P1S", "P1D2Y", "1D", "P1.5Y", "P-1D"],
            ),
            (T::DayTimeDuration, vec!["P1DT2H"], vec!["P1Y"]),
            (T::YearMonthDuration, vec!["P1Y2M"], vec!["P1D", "PT1H"]),
        ] {
            for text in good {
                assert!(is_temporal(kind, text), "{kind:?} {text}");
            }
            for text in bad {
                assert!(!is_temporal(kind, text), "{kind:?} {text}");
            }
        }
    }
}
