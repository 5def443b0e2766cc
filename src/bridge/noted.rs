//! What an answer's headers say of why it came to be: limits and waits, where it is from, and the
//! name by which whoever runs the API finds the request. All of it is text from strangers.

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::LOCATION;
use url::Url;

use super::LimitsRead;
use crate::secret::Redactor;

/// Headers that are noted as they are. RFC 9110 §10.2.3, RFC 9111 §5.1, RFC 9745, RFC 8594, RFC 9211;
/// draft-ietf-httpapi-idempotency-key-header in Stripe's form; and the names that requests have with
/// common gateways and clouds.
const NAMES: [&str; 17] = [
    "age",
    "cache-status",
    "cf-ray",
    "deprecation",
    "idempotent-replayed",
    "request-id",
    "retry-after",
    "sunset",
    "traceresponse",
    "x-amz-request-id",
    "x-amzn-requestid",
    "x-cache",
    "x-correlation-id",
    "x-github-request-id",
    "x-ms-request-id",
    "x-request-id",
    "x-trace-id",
];

/// Families of headers that announce limits (draft-ietf-httpapi-ratelimit-headers, and before it).
const FAMILIES: [&str; 3] = ["ratelimit", "x-rate-limit", "x-ratelimit"];

/// How many are noted, and how much of each.
const MOST: usize = 24;
const LONGEST: usize = 200;

/// What is noted of an answer, by the headers' names, redacted. Of a `Location` the host is: the rest
/// of it may say more than the trail should. `limits` are those that are read of this API, whose
/// names may be its own.
pub(super) fn noted(
    headers: &HeaderMap,
    redactor: &Redactor,
    limits: &LimitsRead,
) -> BTreeMap<String, String> {
    let mut noted = BTreeMap::new();
    for (name, value) in headers {
        let name = name.as_str();
        let value = if name == LOCATION.as_str() {
            host(value.to_str().ok())
        } else if NAMES.contains(&name)
            || FAMILIES.iter().any(|start| name.starts_with(start))
            || limits.names(name)
        {
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        } else {
            continue;
        };
        let Some(value) = value else { continue };
        // Whole, since a piece of a secret is not recognised; a name could hold one, too.
        if redactor.text(name) != name {
            continue;
        }
        let value: String =
            redactor.text(&value).chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        let is_new = !noted.contains_key(name);
        if is_new && noted.len() < MOST {
            noted.insert(name.to_owned(), value);
        } else if let Some(before) = noted.get_mut(name).filter(|text| text.len() < LONGEST) {
            before.push_str(", ");
            before.push_str(&value);
        }
    }
    noted
}

fn host(location: Option<&str>) -> Option<String> {
    Some(Url::parse(location?).ok()?.host_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::super::LimitHeaders;
    use super::*;
    use crate::secret::Secret;

    fn of(headers: &[(&'static str, &str)]) -> BTreeMap<String, String> {
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        });
        noted(&headers.collect(), &Redactor::default(), &LimitsRead::Usual)
    }

    #[test]
    fn what_explains_an_answer_is_noted_and_nothing_else() {
        let headers = [
            ("retry-after", "120"),
            ("ratelimit-policy", "\"burst\";q=100;w=60"),
            ("x-ratelimit-remaining", "0"),
            ("x-request-id", "req-7"),
            ("location", "https://login.example.com/?token=abc"),
            ("set-cookie", "session=abc"),
            ("content-type", "application/json"),
            ("x-powered-by", "anything"),
        ];
        let expected = [
            ("location", "login.example.com"),
            ("ratelimit-policy", "\"burst\";q=100;w=60"),
            ("retry-after", "120"),
            ("x-ratelimit-remaining", "0"),
            ("x-request-id", "req-7"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(of(&headers), BTreeMap::from(expected));
        assert!(of(&[("location", "/elsewhere")]).is_empty());
    }

    #[test]
    fn a_limit_whose_headers_the_configuration_names_is_noted() {
        let limits = LimitsRead::Named(LimitHeaders {
            limit: Some(HeaderName::from_static("quota-max")),
            remaining: HeaderName::from_static("quota-left"),
            reset: HeaderName::from_static("quota-reset"),
        });
        let headers: HeaderMap = [("quota-max", "9"), ("quota-left", "3"), ("quota-owner", "ann")]
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .into_iter()
            .collect();
        let names = |noted: BTreeMap<String, String>| noted.into_keys().collect::<Vec<_>>();
        let redactor = Redactor::default();
        assert_eq!(names(noted(&headers, &redactor, &limits)), ["quota-left", "quota-max"]);
        assert!(noted(&headers, &redactor, &LimitsRead::Usual).is_empty());
    }

    #[test]
    fn a_secret_that_an_answer_echoes_is_not_noted_whole_or_in_part() {
        let secret = Secret::new("s3cr3t-k3y");
        let redactor = Redactor::new([&secret]);
        let mut echo = HeaderMap::new();
        let value = format!("{}{}", "v".repeat(LONGEST - 5), secret.expose());
        echo.append("x-request-id", HeaderValue::from_str(&value).expect("a value"));
        let name = HeaderName::try_from("x-ratelimit-s3cr3t-k3y").expect("a name");
        echo.append(name, HeaderValue::from_static("1"));
        let noted = noted(&echo, &redactor, &LimitsRead::Usual);
        assert_eq!(noted.len(), 1, "{noted:?}");
        assert!(!noted["x-request-id"].contains("s3c"), "{noted:?}");
    }

    #[test]
    fn a_header_that_comes_twice_is_noted_as_one_list_and_none_without_bounds() {
        assert_eq!(of(&[("ratelimit", "a;r=1")])["ratelimit"], "a;r=1");
        let mut twice = HeaderMap::new();
        for value in ["a;r=1", "b;r=2"] {
            twice.append("ratelimit", HeaderValue::from_static(value));
        }
        assert_eq!(
            noted(&twice, &Redactor::default(), &LimitsRead::Usual)["ratelimit"],
            "a;r=1, b;r=2"
        );
        let mut many = HeaderMap::new();
        for n in 0..100 {
            let name = HeaderName::try_from(format!("x-ratelimit-{n}")).expect("a name");
            many.append(name, HeaderValue::from_str(&"v".repeat(9_000)).expect("a value"));
        }
        let noted = noted(&many, &Redactor::default(), &LimitsRead::Usual);
        assert_eq!(noted.len(), MOST);
        assert!(noted.values().all(|value| value.len() <= LONGEST));
    }
}
