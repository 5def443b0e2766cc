//! The order of dates, times and durations (XML Schema 1.1 part 2 §3.3.6 to §3.3.14).
//!
//! It is partial: a time without a zone lies anywhere within fourteen hours on either side
//! (§3.3.7.1), and a month has no fixed number of days. Where two values have no order,
//! `None` is said, and no bound is broken.

use std::cmp::Ordering;

use tollbridge_operation::Decimal;

use super::builtin::Temporal;
use super::lexical::{is_temporal, split_zone};

/// What a zone may differ from UTC at most, in minutes.
const MOST: i64 = 14 * 60;

/// Which of two texts of the kind is the earlier or the shorter one, where that can be told.
pub(super) fn compare(kind: Temporal, one: &str, other: &str) -> Option<Ordering> {
    let (one, other) = (one.trim(), other.trim());
    if !is_temporal(kind, one) || !is_temporal(kind, other) {
        return None;
    }
    if matches!(kind, Temporal::Duration | Temporal::DayTimeDuration | Temporal::YearMonthDuration)
    {
        return durations(&Span::read(one)?, &Span::read(other)?);
    }
    let (one, other) = (Moment::read(kind, one)?, Moment::read(kind, other)?);
    match (one.zone, other.zone) {
        (Some(a), Some(b)) => Some(one.at(a).cmp(&other.at(b))),
        (None, None) => Some(one.at(0).cmp(&other.at(0))),
        (Some(zone), None) => apart(&one.at(zone), &other),
        (None, Some(zone)) => apart(&other.at(zone), &one).map(Ordering::reverse),
    }
}

/// A known instant beside one whose zone is not known.
fn apart(known: &(i64, String), floating: &Moment) -> Option<Ordering> {
    let (earliest, latest) = (floating.at(MOST), floating.at(-MOST));
    if *known < earliest {
        Some(Ordering::Less)
    } else if *known > latest {
        Some(Ordering::Greater)
    } else {
        None
    }
}

/// Seconds since a day long ago, without the zone, and digits of a fraction.
struct Moment {
    seconds: i64,
    fraction: String,
    zone: Option<i64>,
}

impl Moment {
    /// Reads a text that is known to be of that kind. What a kind leaves out is that of the
    /// first of January 1972, as good as any year that has a 29th of February.
    fn read(kind: Temporal, text: &str) -> Option<Self> {
        let (text, zone) = split_zone(text);
        let (day, time) = match kind {
            Temporal::DateTime | Temporal::DateTimeStamp => text.split_once('T')?,
            Temporal::Time => ("1972-01-01", text),
            _ => (text, "00:00:00"),
        };
        let day = match kind {
            Temporal::Year => format!("{day}-01-01"),
            Temporal::YearMonth => format!("{day}-01"),
            Temporal::Month => format!("1972{}-01", day.strip_prefix('-')?.get(..3)?),
            Temporal::MonthDay => format!("1972{}", day.strip_prefix('-')?),
            Temporal::Day => format!("1972-01{}", day.strip_prefix("--")?),
            _ => day.to_owned(),
        };
        let mut parts = day.rsplitn(3, '-');
        let (date, month) = (number(parts.next()?)?, number(parts.next()?)?);
        let days = days(number(parts.next()?)?, month, date)?;
        let (whole, fraction) = time.split_once('.').unwrap_or((time, ""));
        let mut parts = whole.splitn(3, ':').map(number);
        let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
        Some(Self {
            seconds: days
                .checked_mul(86_400)?
                .checked_add(hours * 3600 + minutes * 60 + seconds)?,
            fraction: fraction.trim_end_matches('0').to_owned(),
            zone: match zone {
                None => None,
                Some("Z") => Some(0),
                Some(zone) => {
                    let (hours, minutes) = zone[1..].split_once(':')?;
                    let minutes = number(hours)? * 60 + number(minutes)?;
                    Some(if zone.starts_with('-') { -minutes } else { minutes })
                }
            },
        })
    }

    /// The instant in UTC, if it was said in that zone. Fractions without zeros at their ends
    /// stand in the order of their texts.
    fn at(&self, zone: i64) -> (i64, String) {
        (self.seconds.saturating_sub(zone * 60), self.fraction.clone())
    }
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Days since the first of March of the year 0 of the proleptic Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let (year, month) =
        if month < 3 { (year.checked_sub(1)?, month + 9) } else { (year, month - 3) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let within = (153 * month + 2) / 5 + day - 1;
    year.checked_mul(365)?.checked_add(leaps)?.checked_add(within)
}

/// A duration: months, and seconds.
struct Span {
    months: i64,
    seconds: Decimal,
}

impl Span {
    fn read(text: &str) -> Option<Self> {
        let sign = if text.starts_with('-') { "-" } else { "" };
        let rest = text.trim_start_matches('-').strip_prefix('P')?;
        let (date, time) = rest.split_once('T').unwrap_or((rest, ""));
        let (mut months, mut whole, mut fraction) = (0_i64, 0_i64, "");
        for (part, units) in [
            (date, [('Y', 12), ('M', 1), ('D', 86_400)]),
            (time, [('H', 3600), ('M', 60), ('S', 1)]),
        ] {
            let mut rest = part;
            for (unit, worth) in units {
                let Some((count, after)) = rest.split_once(unit) else { continue };
                rest = after;
                let (count, digits) = count.split_once('.').unwrap_or((count, ""));
                let all = number(count)?.checked_mul(worth)?;
                if matches!((unit, worth), ('Y', _) | ('M', 1)) {
                    months = months.checked_add(all)?;
                } else {
                    whole = whole.checked_add(all)?;
                    fraction = if digits.is_empty() { fraction } else { digits };
                }
            }
        }
        let months = if sign.is_empty() { months } else { -months };
        let seconds = Decimal::parse(&format!("{sign}{whole}.{fraction}0"))?;
        Some(Self { months, seconds })
    }
}

fn durations(one: &Span, other: &Span) -> Option<Ordering> {
    match (one.months.cmp(&other.months), one.seconds.cmp(&other.seconds)) {
        (months, seconds) if months == seconds => Some(months),
        (months, Ordering::Equal) => Some(months),
        (Ordering::Equal, seconds) => Some(seconds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_times_and_durations_have_an_order_where_it_can_be_told() {
        use Ordering::{Equal, Greater, Less};
        for (kind, one, other, order) in [
            (Temporal::Date, "2026-02-28", "2026-03-01", Some(Less)),
            (Temporal::Date, "10000-01-01", "9999-12-31", Some(Greater)),
            (Temporal::Date, "-0001-01-01", "0001-01-01", Some(Less)),
            (Temporal::Date, "2026-01-01", "2026-01-01Z", None),
            (Temporal::Date, "2026-01-01", "2026-01-03Z", Some(Less)),
            (Temporal::DateTime, "2026-01-01T01:00:00+02:00", "2025-12-31T23:00:00Z", Some(Equal)),
            (
                Temporal::DateTime,
                "2026-01-01T00:00:00.1Z",
                "2026-01-01T00:00:00.09Z",
                Some(Greater),
            ),
            (Temporal::DateTime, "2026-01-01T24:00:00", "2026-01-02T00:00:00.0", Some(Equal)),
            (Temporal::Time, "10:00:00", "09:59:59.9", Some(Greater)),
            (Temporal::Year, "2026", "2025", Some(Greater)),
            (Temporal::YearMonth, "2026-11", "2026-12", Some(Less)),
            (Temporal::Month, "--02", "--11", Some(Less)),
            (Temporal::MonthDay, "--02-29", "--03-01", Some(Less)),
            (Temporal::Day, "---09", "---10", Some(Less)),
            (Temporal::Duration, "P1Y", "P12M", Some(Equal)),
            (Temporal::Duration, "P1M", "P30D", None),
            (Temporal::Duration, "P1DT1H", "PT25H", Some(Equal)),
            (Temporal::Duration, "PT0.5S", "PT0.50S", Some(Equal)),
            (Temporal::Duration, "-P1D", "PT1S", Some(Less)),
            (Temporal::Duration, "P1Y1D", "P1Y", Some(Greater)),
            (Temporal::Date, "soon", "2026-01-01", None),
        ] {
            assert_eq!(compare(kind, one, other), order, "{one} {other}");
            assert_eq!(compare(kind, other, one), order.map(Ordering::reverse), "{other} {one}");
        }
    }
}
