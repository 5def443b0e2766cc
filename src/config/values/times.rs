//! Days, hours and zones of time windows.

use std::borrow::Cow;
use std::str::FromStr;

use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::{Malformed, expected};

/// Days of the week, Monday first: `"mon-fri"`, `"sat,sun"`, `"fri-mon"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeekDays(pub [bool; 7]);

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl FromStr for WeekDays {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = || expected("days such as \"mon-fri\", \"sat,sun\" or \"mon-wed,fri\"");
        let day = |name: &str| DAYS.iter().position(|day| *day == name.trim()).ok_or_else(wrong);
        let mut days = [false; 7];
        for part in text.split(',') {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (day(first)?, day(last)?),
                None => (day(part)?, day(part)?),
            };
            let length = (last + 7 - first) % 7;
            (0..=length).for_each(|after| days[(first + after) % 7] = true);
        }
        Ok(Self(days))
    }
}

text_value!(WeekDays, "Days", "tollbridge-days", "Days of the week: mon-fri, or sat,sun.");

/// Hours of a day, in minutes from its beginning: `"08:00-18:00"`, `"22:00-06:00"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayHours {
    /// The first minute.
    pub from: u16,
    /// The minute after the last.
    pub to: u16,
}

impl FromStr for DayHours {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = || expected("hours such as \"08:00-18:00\", or \"22:00-06:00\" over midnight");
        let time = |text: &str| -> Result<u16, Malformed> {
            let (hour, minute) = text.trim().split_once(':').ok_or_else(wrong)?;
            let number = |text: &str| match text.as_bytes() {
                [a, b] if a.is_ascii_digit() && b.is_ascii_digit() => text.parse::<u16>().ok(),
                _ => None,
            };
            let (hour, minute) = number(hour).zip(number(minute)).ok_or_else(wrong)?;
            let minutes = hour * 60 + minute;
            if minute > 59 || minutes > 24 * 60 { Err(wrong()) } else { Ok(minutes) }
        };
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        let (from, to) = (time(from)?, time(to)?);
        if from == to || from == 24 * 60 {
            return Err(expected("hours that begin before they end; all day is \"00:00-24:00\""));
        }
        Ok(Self { from, to })
    }
}

text_value!(
    DayHours,
    "Hours",
    "tollbridge-hours",
    "Hours of the day: 08:00-18:00; 22:00-06:00 goes over midnight."
);

/// A zone of the IANA database: `"Europe/Berlin"`, `"UTC"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(pub TimeZone);

impl FromStr for Zone {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let zone = TimeZone::get(text);
        zone.map(Self).map_err(|_| expected("a time zone by its name, such as \"Europe/Berlin\""))
    }
}

text_value!(
    Zone,
    "TimeZone",
    "tollbridge-zone",
    "A time zone of the IANA database: Europe/Berlin."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_ranges_and_lists() {
        let of = |text: &str| {
            text.parse::<WeekDays>().ok().map(|days| {
                DAYS.iter()
                    .zip(days.0)
                    .filter(|(_, on)| *on)
                    .map(|(day, _)| *day)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
        };
        let table = [
            ("mon-fri", Some("mon tue wed thu fri")),
            ("sat,sun", Some("sat sun")),
            ("fri-mon", Some("mon fri sat sun")),
            ("mon", Some("mon")),
            ("mon-wed, fri", Some("mon tue wed fri")),
            ("", None),
            ("monday", None),
            ("mon-", None),
        ];
        for (text, expected) in table {
            assert_eq!(of(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn hours_are_two_times_of_day() {
        let of = |text: &str| text.parse::<DayHours>().ok().map(|hours| (hours.from, hours.to));
        let table = [
            ("08:00-18:00", Some((480, 1_080))),
            ("22:00-06:00", Some((1_320, 360))),
            ("00:00-24:00", Some((0, 1_440))),
            ("8:00-18:00", None),
            ("08:00", None),
            ("08:60-09:00", None),
            ("24:30-25:00", None),
            ("08:00-08:00", None),
            ("24:00-06:00", None),
        ];
        for (text, expected) in table {
            assert_eq!(of(text), expected, "{text}");
        }
    }
}
