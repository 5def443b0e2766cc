//! Time windows of a tool: days, hours and the zone in which they are meant.
//!
//! They are compared with what a clock on the wall there shows, so a window is right on the days
//! on which the clock is changed: `02:00-03:00` does not come in spring, and comes twice in autumn.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// Days of the week, Monday first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days(pub [bool; 7]);

/// Minutes of a day, from the first and up to the second. Where the second is not after the first
/// the window goes over midnight, and belongs to the day on which it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// From 0.
    pub from: u16,
    /// At most 1440, the end of the day.
    pub to: u16,
}

/// When a tool may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// On which days.
    pub days: Days,
    /// At which hours.
    pub hours: Hours,
    /// Where.
    pub zone: TimeZone,
}

/// What a clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Local {
    /// From 1, a Monday, to 7.
    pub(crate) weekday: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
}

impl Local {
    /// What it shows at a time in microseconds since the Unix epoch.
    pub(crate) fn at(micros: i64, zone: &TimeZone) -> Self {
        let time = Timestamp::from_microsecond(micros).unwrap_or_default();
        let zoned = time.to_zoned(zone.clone());
        Self {
            weekday: i64::from(zoned.weekday().to_monday_one_offset()),
            hour: i64::from(zoned.hour()),
            minute: i64::from(zoned.minute()),
        }
    }

    pub(crate) fn minute_of_day(self) -> i64 {
        self.hour * 60 + self.minute
    }
}

const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl When {
    /// The condition under which the window is open, as Cedar's JSON has it: on `context.when`.
    pub(crate) fn condition(&self) -> Value {
        let Hours { from, to } = self.hours;
        let is_one_of = |days: Days| {
            let numbers = (1..).zip(days.0).filter(|(_, on)| *on);
            let set: Vec<Value> = numbers.map(|(day, _): (i64, _)| json!({"Value": day})).collect();
            json!({"contains": {"left": {"Set": set}, "right": clock("weekday")}})
        };
        let since = json!({">=": {"left": clock("minute"), "right": {"Value": from}}});
        let until = json!({"<": {"left": clock("minute"), "right": {"Value": to}}});
        if from < to {
            return and(&is_one_of(self.days), &and(&since, &until));
        }
        let mut after = self.days;
        after.0.rotate_right(1);
        let (before, after) = (and(&is_one_of(self.days), &since), and(&is_one_of(after), &until));
        json!({"||": {"left": before, "right": after}})
    }

    /// Why it is closed, for the caller.
    pub(crate) fn closed(&self, tool: &str, micros: i64) -> String {
        let now = Local::at(micros, &self.zone);
        let day = usize::try_from(now.weekday - 1).ok().and_then(|day| NAMES.get(day));
        format!(
            "`{tool}` may be called {}, and there it is {} {:02}:{:02}",
            self.words(),
            day.unwrap_or(&""),
            now.hour,
            now.minute
        )
    }

    /// The window in words.
    pub fn words(&self) -> String {
        let Hours { from, to } = self.hours;
        let time = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let zone = self.zone.iana_name().unwrap_or("UTC");
        format!("{} {}-{} ({zone})", days(self.days), time(from), time(to))
    }
}

fn clock(attribute: &str) -> Value {
    let when = json!({".": {"left": {"Var": "context"}, "attr": "when"}});
    json!({".": {"left": when, "attr": attribute}})
}

fn and(left: &Value, right: &Value) -> Value {
    json!({"&&": {"left": left, "right": right}})
}

/// Days in words, runs of them together.
fn days(days: Days) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut at = 0;
    while at < 7 {
        if !days.0[at] {
            at += 1;
            continue;
        }
        let end = (at..7).take_while(|day| days.0[*day]).last().unwrap_or(at);
        words.push(match end - at {
            0 => NAMES[at].to_owned(),
            _ => format!("{}-{}", NAMES[at], NAMES[end]),
        });
        at = end + 1;
    }
    words.join(", ")
}
