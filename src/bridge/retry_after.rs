//! The `Retry-After` header (RFC 9110 §10.2.3).
//!
//! A date is compared with the server's own clock where its answer tells it (`Date`, §6.6.1): what
//! it asks for is a time to wait, whatever our clocks think of each other.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// A month is the longest window that an API's quota plausibly has. What asks for more says
/// "not soon", and no date arithmetic downstream should have to bear it.
pub(super) const LONGEST: Duration = Duration::from_hours(31 * 24);

/// How long the server asks to wait, from `now`; `None` where it says nothing that can be
/// read. A date in the past means now. Of several values the longest counts.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let date =
        headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    let now = date.unwrap_or(now);
    headers
        .get_all(RETRY_AFTER)
        .iter()
        .filter_map(|value| parse(value.to_str().ok()?, now))
        .max()
        .map(|wait| wait.min(LONGEST))
}

fn parse(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are a wait all the same.
        return Some(value.parse().map_or(LONGEST, Duration::from_secs));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(values: &[&'static str], now: u64) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(RETRY_AFTER, http::HeaderValue::from_static(value));
        }
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
        retry_after(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn both_forms_of_the_rfc_are_read() {
        const NOW: u64 = 784_111_777; // Sun, 06 Nov 1994 08:49:37 GMT
        for (value, seconds) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Fri, 31 Dec 1993 23:59:59 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("1994-11-06T08:50:37Z", None),
        ] {
            assert_eq!(at(&[value], NOW), seconds, "{value:?}");
        }
    }

    #[test]
    fn an_absurd_wait_is_bounded() {
        let longest = Some(LONGEST.as_secs());
        assert_eq!(at(&["18446744073709551615"], 0), longest);
        assert_eq!(at(&["99999999999999999999999999"], 0), longest);
        assert_eq!(at(&["Fri, 31 Dec 9999 23:59:59 GMT"], 0), longest);
    }

    #[test]
    fn a_date_is_compared_with_the_servers_own_clock() {
        let mut headers = HeaderMap::new();
        headers.append(DATE, http::HeaderValue::from_static("Sun, 06 Nov 1994 09:49:37 GMT"));
        headers
            .append(RETRY_AFTER, http::HeaderValue::from_static("Sun, 06 Nov 1994 09:49:40 GMT"));
        for now in [0, 784_111_777, 4_000_000_000] {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
            assert_eq!(retry_after(&headers, now), Some(Duration::from_secs(3)));
        }
    }

    #[test]
    fn of_several_values_the_longest_counts() {
        assert_eq!(at(&["5", "60", "nonsense"], 0), Some(60));
        assert_eq!(at(&[], 0), None);
    }
}
