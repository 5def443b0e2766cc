//! The limits that an answer's headers announce.
//!
//! Read are the fields of the IETF's draft (`RateLimit` and `RateLimit-Policy`, and the three
//! fields of its earlier versions), what is written `X-RateLimit-…` and `X-Rate-Limit-…`, and
//! names that the configuration gives. None of them is a standard, so whatever cannot be read
//! is passed over. A limit of one resource among several is not one of the whole API.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::DATE;
use http::{HeaderMap, HeaderName};

use super::Announced;
use crate::bridge::link::unquoted;
use crate::bridge::retry_after::LONGEST;

/// How many limits of one answer are read.
const MOST: usize = 4;

/// A smaller number of seconds is a length of time, a larger one a date since 1970.
const DATES: u64 = 100_000_000;

/// A smaller number is a date in seconds, a larger one in milliseconds.
const MILLISECONDS: u64 = 100_000_000_000;

/// Under which names an API announces its limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitHeaders {
    /// How much there is in all.
    pub limit: Option<HeaderName>,
    /// How much is left.
    pub remaining: HeaderName,
    /// When it is full again: seconds, a duration such as `6m0s`, or a date since 1970.
    pub reset: HeaderName,
}

/// Which headers are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LimitsRead {
    /// Those that are in common use.
    #[default]
    Usual,
    /// Those, and before them these.
    Named(LimitHeaders),
    /// None: what the API says of its limits is wrong.
    Ignored,
}

impl LimitsRead {
    /// Whether the configuration names this header.
    pub(in crate::bridge) fn names(&self, header: &str) -> bool {
        let Self::Named(LimitHeaders { limit, remaining, reset }) = self else { return false };
        limit.iter().chain([remaining, reset]).any(|name| name.as_str() == header)
    }
}

/// `limit`, `remaining` and `reset` of those in common use.
const USUAL: [[&str; 3]; 4] = [
    ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"],
    ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    ["x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"],
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
];

/// What says that the limit is that of one resource among several.
const ONE_OF_MANY: [&str; 2] = ["x-ratelimit-resource", "x-ratelimit-bucket"];

/// The limits that these headers announce for the API, at `now` by our clock.
pub(in crate::bridge) fn announced(
    headers: &HeaderMap,
    read: &LimitsRead,
    now: SystemTime,
) -> Vec<Announced> {
    let mut found = match read {
        LimitsRead::Ignored => return Vec::new(),
        LimitsRead::Usual => Vec::new(),
        LimitsRead::Named(names) => {
            let limit = names.limit.as_ref().map_or("", HeaderName::as_str);
            three(headers, [limit, names.remaining.as_str(), names.reset.as_str()], now)
                .into_iter()
                .collect()
        }
    };
    // Nearly always there are none, and each look-up costs more than this.
    let tells = |name: &HeaderName| name.as_str().contains("rate");
    if !headers.keys().any(tells) {
        return found;
    }
    if ONE_OF_MANY.iter().any(|name| headers.contains_key(*name)) {
        return found;
    }
    found.extend(drafted(headers));
    if found.is_empty() {
        found.extend(USUAL.iter().find_map(|names| three(headers, *names, now)));
    }
    found.truncate(MOST);
    found
}

/// A limit in three headers. The draft's earlier versions allow a list in the first one, whose
/// first number is the limit that is meant.
fn three(headers: &HeaderMap, names: [&str; 3], now: SystemTime) -> Option<Announced> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let remaining = whole(text(names[1])?)?;
    let reset = reset(text(names[2])?, headers, now)?;
    let limit = text(names[0]).and_then(|text| whole(text.split([',', ';']).next()?));
    Some(Announced { name: names[1].to_owned(), limit, remaining, reset })
}

/// A whole number that is not negative. Some write a fraction, of which nothing can be used.
fn whole(text: &str) -> Option<u64> {
    let digits = text.trim().split('.').next()?;
    digits.parse().ok()
}

/// When a limit is full again, as all the ways to write it say. A date is compared with the
/// server's own clock, where it tells it.
fn reset(text: &str, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let wait = match text.parse::<u64>() {
        // Whole seconds may be rounded down.
        Ok(seconds) if seconds < DATES => Duration::from_secs(seconds.max(1)),
        Ok(date) => {
            let date = if date < MILLISECONDS {
                Duration::from_secs(date)
            } else {
                Duration::from_millis(date)
            };
            let theirs = headers
                .get(DATE)
                .and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok());
            let now = theirs.unwrap_or(now).duration_since(UNIX_EPOCH).unwrap_or_default();
            date.saturating_sub(now).max(Duration::from_secs(1))
        }
        Err(_) => spelled(text)?,
    };
    Some(wait.min(LONGEST))
}

/// `6m0s`, `1.5s`, `20ms`, `0.25`.
fn spelled(mut text: &str) -> Option<Duration> {
    let mut total = 0.0;
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let number: f64 = text[..end].parse().ok()?;
        let rest = &text[end..];
        let unit_ends = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        total += number
            * match &rest[..unit_ends] {
                "" | "s" => 1.0,
                "ms" => 0.001,
                "m" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                _ => return None,
            };
        text = &rest[unit_ends..];
    }
    Duration::try_from_secs_f64(total).ok()
}

/// `RateLimit: "burst";r=4;t=8` with its size in `RateLimit-Policy: "burst";q=10;w=60`
/// (draft-ietf-httpapi-ratelimit-headers), and `RateLimit: limit=10, remaining=4, reset=8` of
/// its version 3.
fn drafted(headers: &HeaderMap) -> Vec<Announced> {
    let Some(text) = headers.get("ratelimit").and_then(|value| value.to_str().ok()) else {
        return Vec::new();
    };
    let seconds = |text: u64| Duration::from_secs(text.max(1)).min(LONGEST);
    let members: Vec<Member<'_>> = members(text).take(MOST).collect();
    let of_old = |name: &str| {
        members.iter().find_map(|member| whole(member.name.strip_prefix(name)?.strip_prefix('=')?))
    };
    if let (Some(remaining), Some(reset)) = (of_old("remaining"), of_old("reset")) {
        let (name, limit) = ("ratelimit".to_owned(), of_old("limit"));
        return vec![Announced { name, limit, remaining, reset: seconds(reset) }];
    }
    let policies = headers.get("ratelimit-policy").and_then(|value| value.to_str().ok());
    let policies: Vec<Member<'_>> = members_of(policies).take(16).collect();
    let told = members.iter().filter_map(|member| {
        let policy = policies.iter().find(|policy| policy.name == member.name);
        let of_policy = |name| policy.and_then(|policy| policy.number(name));
        Some(Announced {
            name: format!("ratelimit {}", member.name),
            limit: of_policy("q"),
            remaining: member.number("r")?,
            reset: seconds(member.number("t").or_else(|| of_policy("w"))?),
        })
    });
    told.collect()
}

/// A member of a list of RFC 9651: an item, and its parameters.
struct Member<'t> {
    name: &'t str,
    parameters: &'t str,
}

impl Member<'_> {
    fn number(&self, name: &str) -> Option<u64> {
        self.parameters.split(';').find_map(|one| {
            let (own, value) = one.split_once('=')?;
            if own.trim() == name { whole(value) } else { None }
        })
    }
}

fn members_of(text: Option<&str>) -> impl Iterator<Item = Member<'_>> {
    text.into_iter().flat_map(members)
}

fn members(mut text: &str) -> impl Iterator<Item = Member<'_>> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let end = unquoted(text, ',');
        let member = &text[..end];
        text = text.get(end + 1..).unwrap_or_default();
        let name_ends = unquoted(member, ';');
        let parameters = member.get(name_ends + 1..).unwrap_or_default();
        Some(Member { name: member[..name_ends].trim().trim_matches('"'), parameters })
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// 1994-11-06 08:49:37, by our clock.
    const NOW: u64 = 784_111_777;

    fn read(lines: &[(&'static str, &'static str)], by: &LimitsRead) -> Vec<Announced> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        announced(&headers, by, UNIX_EPOCH + Duration::from_secs(NOW))
    }

    /// Limit, remaining and milliseconds to the reset.
    fn numbers(found: &[Announced]) -> Vec<(Option<u64>, u64, u128)> {
        found.iter().map(|one| (one.limit, one.remaining, one.reset.as_millis())).collect()
    }

    #[test]
    fn every_way_to_announce_a_limit_is_read() {
        for (lines, expected) in [
            (
                &[
                    ("ratelimit", "\"default\";r=50;t=30"),
                    ("ratelimit-policy", "\"default\";q=100;w=60"),
                ][..],
                &[(Some(100), 50, 30_000)][..],
            ),
            (
                &[
                    ("ratelimit", "\"burst\";r=4;t=8, \"a, b;r=9\";r=0"),
                    (
                        "ratelimit-policy",
                        "\"a, b;r=9\";q=1000;w=3600;pk=:Zm9v:, \"burst\";q=10;w=60",
                    ),
                ],
                &[(Some(10), 4, 8_000), (Some(1_000), 0, 3_600_000)],
            ),
            (&[("ratelimit", "\"no-window\";r=4")], &[]),
            (&[("ratelimit", "limit=10, remaining=4, reset=8")], &[(Some(10), 4, 8_000)]),
            (
                &[
                    ("ratelimit-limit", "10, 10;w=1, 50;w=60"),
                    ("ratelimit-remaining", "9"),
                    ("ratelimit-reset", "4"),
                ],
                &[(Some(10), 9, 4_000)],
            ),
            (
                &[
                    ("x-ratelimit-limit", "60"),
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "784111787"),
                ],
                &[(Some(60), 0, 10_000)],
            ),
            (
                &[("x-rate-limit-remaining", "3"), ("x-rate-limit-reset", "784111787000")],
                &[(None, 3, 10_000)],
            ),
            (
                &[
                    ("date", "Sun, 06 Nov 1994 08:49:47 GMT"),
                    ("x-ratelimit-remaining", "3"),
                    ("x-ratelimit-reset", "784111790"),
                ],
                &[(None, 3, 3_000)],
            ),
            (
                &[("x-ratelimit-remaining-requests", "59"), ("x-ratelimit-reset-requests", "6m0s")],
                &[(None, 59, 360_000)],
            ),
            (&[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "20ms")], &[(None, 1, 20)]),
            (&[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "0")], &[(None, 1, 1_000)]),
            (&[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "soon")], &[]),
            (&[("x-ratelimit-remaining", "-1"), ("x-ratelimit-reset", "1")], &[]),
            (&[("x-ratelimit-remaining", "1")], &[]),
            (
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "60"),
                    ("x-ratelimit-resource", "search"),
                ],
                &[],
            ),
        ] {
            assert_eq!(numbers(&read(lines, &LimitsRead::Usual)), expected, "{lines:?}");
        }
    }

    #[test]
    fn names_of_a_vendor_are_read_as_the_configuration_gives_them() {
        let names = LimitsRead::Named(LimitHeaders {
            limit: None,
            remaining: HeaderName::from_static("x-quota-left"),
            reset: HeaderName::from_static("x-quota-renews"),
        });
        let lines = [("x-quota-left", "7"), ("x-quota-renews", "30")];
        assert_eq!(numbers(&read(&lines, &names)), [(None, 7, 30_000)]);
        let usual = [("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "5")];
        assert_eq!(numbers(&read(&usual, &names)), [(None, 1, 5_000)]);
        assert_eq!(read(&usual, &LimitsRead::Ignored), []);
    }

    #[test]
    fn an_absurd_reset_is_bounded() {
        let lines = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "18446744073709551615")];
        let found = read(&lines, &LimitsRead::Usual);
        assert!(found.iter().all(|one| one.reset <= LONGEST), "{found:?}");
    }
}
