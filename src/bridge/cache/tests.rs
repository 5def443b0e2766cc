//! What is kept, for whom, for how long.

use http::{HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use tokio::time::advance;

use super::*;
use crate::bridge::prepare::Target;
use crate::bridge::tests::{call, config, request, upstream};
use crate::bridge::upstream::Upstream;
use crate::bridge::{ApiKeyAt, Credential, Credentials, prepare};
use crate::secret::Secret;
use tollbridge_operation::ApiKeyPlace;

/// A read of `/x`, with a credential or without.
fn target(with_credential: bool) -> (Upstream, Target) {
    let mut config = config("http://127.0.0.1:9");
    if with_credential {
        let at = ApiKeyAt { place: ApiKeyPlace::Header, name: "X-Key".to_owned() };
        let value = Secret::new("a-key-of-usual-length");
        config.credentials = Credentials::ForAll(Credential::ApiKey { at: Some(at), value });
    }
    let upstream = upstream(config);
    let prepared = prepare(&upstream, &call(request(Method::GET))).expect("a request");
    (upstream, prepared.target)
}

fn wanted(who: &str, sharing: Sharing, with_credential: bool) -> Wanted {
    let (upstream, target) = target(with_credential);
    Wanted::of(&upstream, &target, who, sharing).expect("a read")
}

fn headers(text: &str) -> HeaderMap {
    let lines = text.split('|').filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let (name, value) = line.split_once(':').expect("a header");
            let name = HeaderName::try_from(name.trim()).expect("a name");
            (name, HeaderValue::from_str(value.trim()).expect("a value"))
        })
        .collect()
}

fn answered(text: &str, body: &'static str) -> Answered {
    let body = Content::Whole(Bytes::from_static(body.as_bytes()));
    Answered { status: StatusCode::OK, headers: headers(text), body, bytes: 2 }
}

/// `fresh`, `asked` or `none`.
fn found(cache: &HttpCache, wanted: &Wanted) -> &'static str {
    match cache.find(wanted) {
        Some(Found::Fresh(..)) => "fresh",
        Some(Found::Stale(_)) => "asked",
        None => "none",
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_and_for_whom_is_a_table() {
    use Sharing::{Private, Shared};
    // (the answer's headers, whether there is a credential, sharing; what is found by whoever got
    // it, and by another identity), by the sections of RFC 9111
    for (text, credential, sharing, own, others) in [
        // 5.2.2.1, 3.5
        ("cache-control: max-age=60", false, Private, "fresh", "none"),
        ("cache-control: max-age=60", false, Shared, "fresh", "fresh"),
        ("cache-control: max-age=60", true, Shared, "fresh", "none"),
        ("cache-control: public, max-age=60", true, Shared, "fresh", "fresh"),
        ("cache-control: public, max-age=60", true, Private, "fresh", "none"),
        ("cache-control: s-maxage=60", true, Shared, "fresh", "fresh"),
        ("cache-control: must-revalidate, max-age=60", true, Shared, "fresh", "fresh"),
        // 5.2.2.7
        ("cache-control: private, max-age=60", false, Shared, "fresh", "none"),
        // 5.2.2.5
        ("cache-control: no-store, max-age=60", false, Private, "none", "none"),
        // 5.2.2.4
        ("cache-control: no-cache, max-age=60|etag: \"1\"", false, Private, "asked", "none"),
        ("cache-control: no-cache", false, Private, "none", "none"),
        // 4.2.1, 5.3
        ("expires: 0|etag: \"1\"", false, Private, "asked", "none"),
        (
            "date: Sat, 28 Nov 2026 10:00:00 GMT|expires: Sat, 28 Nov 2026 11:00:00 GMT",
            false,
            Private,
            "fresh",
            "none",
        ),
        // 4.2.2: nothing is guessed
        ("last-modified: Sat, 28 Nov 2020 10:00:00 GMT", false, Shared, "asked", "asked"),
        ("etag: W/\"1\"", false, Shared, "asked", "asked"),
        ("content-type: a/b", false, Shared, "none", "none"),
        // 4.1
        ("cache-control: max-age=60|vary: accept", false, Shared, "fresh", "fresh"),
        ("cache-control: max-age=60|vary: *", false, Shared, "none", "none"),
        // 5.1
        ("cache-control: max-age=60|age: 59", false, Private, "fresh", "none"),
        ("cache-control: max-age=60|age: 60", false, Private, "none", "none"),
        ("cache-control: max-age=60|age: 18446744073709551615", false, Private, "none", "none"),
        ("cache-control: max-age=60|age: old", false, Private, "none", "none"),
        // 7.3: a cookie is somebody's
        ("cache-control: public, max-age=60|set-cookie: a=b", false, Shared, "fresh", "none"),
        // two fields of one name are one list (RFC 9110 §5.3)
        ("cache-control: max-age=60|cache-control: private", false, Shared, "fresh", "none"),
    ] {
        let cache = HttpCache::new(USUAL);
        let mine = wanted("a", sharing, credential);
        cache.keep(&mine, &answered(text, "{}"));
        let theirs = wanted("b", sharing, credential);
        let found = (found(&cache, &mine), found(&cache, &theirs));
        assert_eq!(found, (own, others), "{text}, {credential}, {sharing:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_good_for_as_long_as_it_says_and_grows_old() {
    let cache = HttpCache::new(USUAL);
    let wanted = wanted("a", Sharing::Private, false);
    cache.keep(&wanted, &answered("cache-control: max-age=60|age: 10", "{}"));
    advance(Duration::from_secs(49)).await;
    let Some(Found::Fresh(_, age)) = cache.find(&wanted) else { panic!("it is good") };
    assert_eq!(age.as_secs(), 59);
    advance(Duration::from_secs(1)).await;
    assert_eq!(found(&cache, &wanted), "none");
    // With an absurd age it would not even have been reckoned with.
    advance(Duration::from_hours(24 * 365 * 100)).await;
    assert_eq!(found(&cache, &wanted), "none");
}

#[tokio::test(start_paused = true)]
async fn a_304_makes_an_answer_good_again_with_its_new_headers() {
    let cache = HttpCache::new(USUAL);
    let wanted = wanted("a", Sharing::Private, false);
    let first =
        "cache-control: max-age=1|etag: \"1\"|x-a: old|content-type: a/b|link: <1>|link: <2>";
    cache.keep(&wanted, &answered(first, "{}"));
    advance(Duration::from_secs(2)).await;
    let Some(Found::Stale(stale)) = cache.find(&wanted) else { panic!("it is not good") };
    let mut asks = HeaderMap::new();
    stale.ask(&mut asks);
    assert_eq!(asks, headers("if-none-match: \"1\""));
    let told = Answered {
        status: StatusCode::NOT_MODIFIED,
        ..answered("cache-control: max-age=9|etag: \"1\"|x-a: new|content-type: c/d", "")
    };
    let (good, age) = cache.confirmed(&wanted, &stale, &told).expect("it is about this one");
    assert_eq!((good.status, age), (StatusCode::OK, Duration::ZERO));
    assert_eq!(good.headers["x-a"], "new");
    assert_eq!(good.headers[CONTENT_TYPE], "a/b", "the body is the old one");
    assert_eq!(good.headers.get_all("link").iter().count(), 2);
    assert!(matches!(good.body, Content::Whole(body) if body == "{}"));
    assert_eq!(found(&cache, &wanted), "fresh");
}

#[tokio::test(start_paused = true)]
async fn a_304_about_another_answer_makes_it_forgotten() {
    for (told, expected) in [("etag: \"2\"", false), ("", true), ("etag: W/\"1\"", true)] {
        let cache = HttpCache::new(USUAL);
        let wanted = wanted("a", Sharing::Private, false);
        cache.keep(&wanted, &answered("etag: \"1\"", "{}"));
        let Some(Found::Stale(stale)) = cache.find(&wanted) else { panic!("{told}") };
        let told_answer = Answered { status: StatusCode::NOT_MODIFIED, ..answered(told, "") };
        let confirmed = cache.confirmed(&wanted, &stale, &told_answer);
        assert_eq!(confirmed.is_some(), expected, "{told}");
        assert_eq!(found(&cache, &wanted) == "asked", expected, "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_makes_all_forget_what_is_at_its_path_also_what_was_under_way() {
    let cache = HttpCache::new(USUAL);
    let (one, other) = (wanted("a", Sharing::Private, false), wanted("b", Sharing::Private, false));
    let good = || answered("cache-control: max-age=60", "{}");
    cache.keep(&one, &good());
    cache.forget(&Url::parse("http://127.0.0.1:9/y").expect("a URL"));
    assert_eq!(found(&cache, &one), "fresh", "another path");
    cache.forget(&Url::parse("http://127.0.0.1:9/x?a=b").expect("a URL"));
    assert_eq!(found(&cache, &one), "none");
    // It was asked for before the write, and may be from before it.
    cache.keep(&other, &good());
    assert_eq!(found(&cache, &other), "none");
    advance(Duration::from_millis(1)).await;
    let after = wanted("b", Sharing::Private, false);
    cache.keep(&after, &good());
    assert_eq!(found(&cache, &after), "fresh");
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_another_request_or_with_another_credential_is_another_answer() {
    let cache = HttpCache::new(USUAL);
    cache.keep(&wanted("a", Sharing::Private, true), &answered("cache-control: max-age=60", "{}"));
    let (upstream, mut other) = target(true);
    other.headers.insert("accept-language", HeaderValue::from_static("de"));
    let other = Wanted::of(&upstream, &other, "a", Sharing::Private).expect("a read");
    assert_eq!(found(&cache, &other), "none");
    assert_eq!(found(&cache, &wanted("a", Sharing::Private, false)), "none");
    assert_eq!(found(&cache, &wanted("a", Sharing::Private, true)), "fresh");
}

#[tokio::test(start_paused = true)]
async fn what_asks_for_a_part_or_under_conditions_of_its_own_is_passed_through() {
    for name in ["range", "if-none-match", "if-modified-since", "if-match"] {
        let (upstream, mut target) = target(false);
        target.headers.insert(name, HeaderValue::from_static("x"));
        assert!(Wanted::of(&upstream, &target, "a", Sharing::Private).is_none(), "{name}");
    }
}

proptest! {
    #[test]
    fn the_shelf_never_holds_more_than_it_may_and_keeps_what_was_used_last(
        acts in prop::collection::vec((0_u8..3, 0_u8..20, 0_usize..6_000), 1..200),
    ) {
        let most = 32_000;
        let mut shelf = Shelf::new(most);
        let key = |n: u8| [n; 32];
        for (act, n, size) in acts {
            match act {
                0 => {
                    let wanted = wanted_outside();
                    let body = Content::Whole(vec![0; size].into());
                    let headers = headers("cache-control: max-age=60");
                    let answered = Answered { status: StatusCode::OK, headers, body, bytes: 0 };
                    let (_, kept) = allowed(&wanted, &answered, SystemTime::now()).expect("it may");
                    let fits = size + 2 * 1_024 <= most / 4;
                    shelf.put(key(n), key(n % 4), kept);
                    prop_assert!(!fits || shelf.get(&key(n)).is_some());
                }
                1 => { shelf.get(&key(n)); }
                _ => shelf.forget(key(n % 4), Instant::now()),
            }
            prop_assert!(shelf.bytes() <= most);
        }
        shelf.resize(0);
        prop_assert_eq!((shelf.bytes(), shelf.len()), (0, 0));
    }
}

/// A read, made once: making an upstream reads certificates.
fn wanted_outside() -> Wanted {
    static TARGET: std::sync::LazyLock<(Upstream, Target)> =
        std::sync::LazyLock::new(|| target(false));
    Wanted::of(&TARGET.0, &TARGET.1, "a", Sharing::Private).expect("a read")
}
