//! Time as the trail writes it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time in microseconds since the Unix epoch. It reads as RFC 3339 in UTC, always with
/// six digits of a second, so that texts sort as times do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let timestamp = Timestamp::from_microsecond(self.0).unwrap_or(end);
        write!(f, "{}", timestamp.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let timestamp: Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(timestamp.as_microsecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rfc_3339_with_microseconds() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_764_000_000_000_001, "2025-11-24T16:00:00.000001Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Time(micros).to_string(), text);
            let json = serde_json::to_string(&Time(micros)).expect("JSON");
            assert_eq!(serde_json::from_str::<Time>(&json).expect("a time"), Time(micros));
        }
    }

    #[test]
    fn a_time_that_no_calendar_has_still_prints() {
        assert!(Time(i64::MAX).to_string().starts_with("9999-"));
        assert!(Time(i64::MIN).to_string().starts_with("-9999-"));
    }
}
