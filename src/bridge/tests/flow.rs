//! What calls of one API have in common: its limits, its circuit, its other addresses, the keys
//! that its writes carry.

use std::sync::Arc;

use super::hostile::{Act, Hostile, answer, json};
use super::*;

/// An upstream at the first server, with others behind it in order.
fn at(servers: &[&Hostile], change: impl FnOnce(&mut Recovery)) -> Upstream {
    let mut config = config(&servers[0].url());
    let urls = servers[1..].iter().map(|server| Url::parse(&server.url()).expect("a URL"));
    config.recovery.fallback_urls = urls.collect();
    change(&mut config.recovery);
    upstream(config)
}

fn limited(rate: Option<u32>, concurrency: Option<u32>) -> Arc<Traffic> {
    let per = Duration::from_secs(1);
    let rate = rate.map(|limit| Rate { limit, per });
    Arc::new(Traffic::new(Limits { rate, concurrency, queue: None }))
}

fn names(report: &Report, server: &Hostile) -> bool {
    report.served_by.as_ref().is_some_and(|url| url.starts_with(&server.url()))
}

#[tokio::test]
async fn a_read_fails_over_at_once_and_says_who_answered() {
    for first in [json(503, "{}"), json(500, "{}"), Act::Close, Act::Reset] {
        let name = format!("{first:?}");
        let (one, two) = (Hostile::new([first]).await, Hostile::new([json(200, "{}")]).await);
        let (report, log) = go(&at(&[&one, &two], |_| {}), &call(request(Method::GET))).await;
        assert!(matches!(report.outcome, Outcome::Done { .. }), "{name}: {report:?}");
        assert!(names(&report, &two), "{name}");
        assert_eq!((one.seen().len(), two.seen().len(), log.waits.len()), (1, 1, 0), "{name}");
        let start = &log.started[0];
        assert!(start.url.starts_with(&two.url()), "{start:?}");
        assert!(start.why.ends_with(&format!("failing over to {}", two.url())), "{start:?}");
    }
}

#[tokio::test]
async fn a_write_fails_over_only_where_nothing_can_have_been_done() {
    // (what the first does, whether the second is asked: without a key, with one)
    for (first, plain, keyed) in [
        (None, true, true),
        (Some(json(503, "{}")), false, true),
        (Some(Act::Close), false, true),
        (Some(json(409, "{}")), false, false),
    ] {
        for (with_key, expected) in [(false, plain), (true, keyed)] {
            let name = format!("{first:?}, key: {with_key}");
            let second = Hostile::new([json(200, "{}")]).await;
            let acts = first.clone().unwrap_or(Act::Hang);
            let server = Hostile::new([acts]).await;
            let upstream = at(&[&server, &second], |recovery| {
                recovery.idempotency_key =
                    with_key.then(|| HeaderName::from_static("idempotency-key"));
            });
            if first.is_none() {
                drop(server);
            }
            let (report, _) = go(&upstream, &call(request(Method::POST))).await;
            assert_eq!(second.seen().len(), usize::from(expected), "{name}");
            assert_eq!(matches!(report.outcome, Outcome::Done { .. }), expected, "{name}");
        }
    }
}

#[tokio::test]
async fn an_idempotent_write_fails_over_only_to_an_address_with_the_same_state() {
    for (one_state, asked) in [(false, 0), (true, 1)] {
        let one = Hostile::new([json(503, "{}")]).await;
        let two = Hostile::new([json(200, "{}")]).await;
        let upstream = at(&[&one, &two], |recovery| recovery.one_state = one_state);
        go(&upstream, &call(request(Method::PUT))).await;
        assert_eq!(two.seen().len(), asked);
    }
}

#[tokio::test]
async fn an_idempotent_write_that_may_have_been_done_stays_at_its_address_whatever_follows() {
    for (one_state, asked) in [(false, 0), (true, 1)] {
        let one = Hostile::new([Act::Close]).await;
        let two = Hostile::new([Act::Close]).await;
        let mut upstream = at(&[&one, &two], |recovery| recovery.one_state = one_state);
        upstream.jitter = |max| max;
        let put = call(request(Method::PUT));
        // It answers nothing, and then nobody listens any more.
        let ((report, _), ()) = tokio::join!(go(&upstream, &put), async {
            one.until_seen(1).await;
            drop(one);
        });
        assert_eq!(failed(&report).kind, FailureKind::OutcomeUnknown, "{report:?}");
        assert_eq!(two.seen().len().min(1), asked, "{report:?}");
    }
}

#[tokio::test]
async fn the_key_is_the_same_in_all_requests_of_a_call_and_another_in_each_call() {
    let server = Hostile::new([Act::Close, json(503, "{}"), json(200, "{}")]).await;
    let upstream = at(&[&server], |recovery| {
        recovery.idempotency_key = Some(HeaderName::from_static("idempotency-key"));
    });
    let mut first = call(request(Method::POST));
    let (report, log) = go(&upstream, &first).await;
    assert!(matches!(report.outcome, Outcome::Done { .. }), "{report:?}");
    let key_of = |request: &String| {
        let line = request.lines().find_map(|line| line.strip_prefix("idempotency-key: "));
        line.expect("a key").to_owned()
    };
    let keys: Vec<String> = server.seen().iter().map(key_of).collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert!(log.started.iter().all(|start| start.key.as_ref() == Some(&keys[0])), "{log:?}");
    first.id = CallId::new("c2");
    go(&upstream, &first).await;
    assert_ne!(key_of(&server.seen()[3]), keys[0]);
    // The caller's own name for the call makes it the same one, whatever call it is.
    let mut named = Vec::new();
    for id in ["c3", "c4"] {
        let named_call = Call { id: CallId::new(id), key: Some("k".to_owned()), ..first.clone() };
        named.push(prepare(&upstream, &named_call).expect("a request").key().map(str::to_owned));
    }
    assert_eq!(named[0], named[1]);
    let read = prepare(&upstream, &call(request(Method::GET))).expect("a request");
    assert_eq!(read.key(), None, "a read needs none");
}

#[tokio::test]
async fn a_success_that_says_that_it_failed_is_a_failure() {
    let server = Hostile::new([json(200, "{\"ok\":false,\"why\":\"no such item\"}")]).await;
    let upstream = at(&[&server], |recovery| {
        recovery.error_when = Some(ErrorRule::new(|value| value["ok"] == false));
    });
    let (report, _) = go(&upstream, &call(request(Method::GET))).await;
    let failed = failed(&report);
    assert_eq!((failed.kind, failed.retryable), (FailureKind::UpstreamError, false));
    assert_eq!(failed.message, "`shop` answered 200 OK, and its body says that it failed");
    let said = failed.upstream.as_ref().expect("an answer");
    assert_eq!((said.status, said.body["why"].as_str()), (200, Some("no such item")));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_host_that_keeps_failing_is_not_asked_any_more() {
    let server = Hostile::new([json(503, "{}")]).await;
    let upstream = at(&[&server], |_| {});
    for _ in 0..2 {
        let (report, _) = go(&upstream, &call(request(Method::GET))).await;
        assert_eq!(failed(&report).kind, FailureKind::UpstreamUnavailable);
    }
    assert_eq!(server.seen().len(), 8);
    for method in [Method::GET, Method::POST] {
        let (report, log) = go(&upstream, &call(request(method))).await;
        let failed = failed(&report);
        assert_eq!((failed.kind, failed.retryable), (FailureKind::CircuitOpen, true));
        let after = failed.retry_after.expect("a time").as_secs();
        assert!((1..=5).contains(&after), "{after}");
        let error = log.finished[0].error.as_deref().expect("why");
        assert!(error.starts_with("not sent: it was failing"), "{error}");
    }
    assert_eq!(server.seen().len(), 8, "nothing was sent");
    assert_eq!(upstream.traffic().hosts(), [(server.url(), "open")]);
}

#[tokio::test]
async fn while_a_circuit_is_open_the_next_address_is_asked_writes_too() {
    let one = Hostile::new([json(503, "{}")]).await;
    let two = Hostile::new([json(200, "{}")]).await;
    let upstream = at(&[&one, &two], |_| {});
    for _ in 0..8 {
        go(&upstream, &call(request(Method::GET))).await;
    }
    assert_eq!(one.seen().len(), 8);
    let (report, log) = go(&upstream, &call(request(Method::POST))).await;
    assert!(matches!(report.outcome, Outcome::Done { .. }), "{report:?}");
    assert!(names(&report, &two));
    assert_eq!((one.seen().len(), two.seen().len()), (8, 9));
    assert_eq!(log.ends(), [(None, true), (Some(200), false)]);
}

#[tokio::test]
async fn repetitions_of_an_api_that_fails_for_everybody_are_few() {
    let server = Hostile::new([json(500, "{}")]).await;
    let upstream = at(&[&server], |_| {});
    for _ in 0..10 {
        go(&upstream, &call(request(Method::GET))).await;
    }
    assert_eq!(server.seen().len(), 10 + 10, "ten calls, and ten repetitions");
    let (report, _) = go(&upstream, &call(request(Method::GET))).await;
    let failed = failed(&report);
    assert!(failed.message.contains("are repetitions already"), "{}", failed.message);
    assert!(failed.retry_after.is_some());
}

#[tokio::test]
async fn a_declared_rate_is_waited_for_and_where_that_takes_too_long_refused() {
    let server = Hostile::new([json(200, "{}")]).await;
    let upstream = at(&[&server], |recovery| recovery.traffic = limited(Some(2), None));
    let begun = Instant::now();
    for _ in 0..2 {
        go(&upstream, &call(request(Method::GET))).await;
    }
    let time = Duration::from_millis(500);
    let (report, log) = go_within(&upstream, &call(request(Method::POST)), time).await;
    let refused = failed(&report);
    assert_eq!((refused.kind, refused.retryable), (FailureKind::RateLimited, true));
    assert_eq!(refused.retry_after.map(|after| after.as_secs()), Some(1));
    assert!(begun.elapsed() < Duration::from_millis(500), "it was refused at once");
    assert_eq!(log.ends(), [(None, true)]);
    let (report, log) = go(&upstream, &call(request(Method::GET))).await;
    assert!(matches!(report.outcome, Outcome::Done { .. }), "{report:?}");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert!(log.finished[0].queued > Duration::from_millis(300), "{log:?}");
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_declared_and_none_is_leaked() {
    let server = Hostile::new([Act::Hang]).await;
    let upstream = at(&[&server], |recovery| recovery.traffic = limited(None, Some(1)));
    let (hanging, waiting) = tokio::join!(
        async {
            let time = Duration::from_millis(300);
            go_within(&upstream, &call(request(Method::GET)), time).await.0
        },
        async {
            server.until_seen(1).await;
            let time = Duration::from_millis(100);
            go_within(&upstream, &call(request(Method::GET)), time).await.0
        }
    );
    assert_eq!(failed(&hanging).kind, FailureKind::UpstreamTimeout);
    assert_eq!(failed(&waiting).kind, FailureKind::RateLimited);
    assert_eq!(server.seen().len(), 1);
    let standing = upstream.traffic().standing();
    assert_eq!((standing.in_flight, standing.waiting), (0, 0));
}

#[tokio::test]
async fn a_limit_that_is_used_up_says_when_though_retry_after_does_not() {
    let used_up = answer(429, "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 60\r\n", b"");
    let server = Hostile::new([used_up]).await;
    let upstream = at(&[&server], |_| {});
    let (report, _) = go(&upstream, &call(request(Method::POST))).await;
    let refused = failed(&report);
    assert_eq!(refused.kind, FailureKind::RateLimited);
    assert_eq!(refused.retry_after, Some(Duration::from_mins(1)));
    // And the next call does not ask.
    let (report, _) = go(&upstream, &call(request(Method::GET))).await;
    let refused = failed(&report);
    assert_eq!((refused.kind, report.status), (FailureKind::RateLimited, None));
    assert_eq!(refused.retry_after.map(|after| after.as_secs()), Some(59));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn what_is_said_of_one_credential_holds_for_its_caller_alone() {
    let used_up = answer(429, "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 60\r\n", b"");
    let server = Hostile::new([used_up, json(200, "{}")]).await;
    let mut config = config(&server.url());
    config.credentials = Credentials::ByIdentity {
        own: ["tester", "other"]
            .map(|name| (name.to_owned(), Credential::Bearer { token: Secret::new(SECRET) }))
            .into(),
        others: None,
    };
    let upstream = upstream(config);
    let mine = call(request(Method::GET));
    let theirs = Call { identity: Identity::new("other").expect("a name"), ..mine.clone() };
    assert_eq!(failed(&go(&upstream, &mine).await.0).kind, FailureKind::RateLimited);
    assert!(matches!(go(&upstream, &theirs).await.0.outcome, Outcome::Done { .. }));
    let (again, _) = go(&upstream, &mine).await;
    assert_eq!((failed(&again).kind, server.seen().len()), (FailureKind::RateLimited, 2));
    let traffic = upstream.traffic();
    assert_eq!(traffic.standing().left, Some(0), "the tightest is told");
    let learned = traffic.learned();
    let whose: Vec<_> = learned.iter().map(|(whose, _)| whose.as_ref()).collect();
    assert_eq!(whose, [Some(&mine.identity)]);
}

#[tokio::test]
async fn an_upstream_that_takes_the_place_of_another_keeps_what_was_learned() {
    let server = Hostile::new([json(503, "{}")]).await;
    let older = at(&[&server], |_| {});
    for _ in 0..2 {
        go(&older, &call(request(Method::GET))).await;
    }
    let newer = at(&[&server], |recovery| recovery.traffic = limited(Some(1), None));
    newer.succeed(&older);
    let (report, _) = go(&newer, &call(request(Method::GET))).await;
    assert_eq!(failed(&report).kind, FailureKind::CircuitOpen);
    // The new limit holds: the last call had its place.
    let (report, _) =
        go_within(&newer, &call(request(Method::GET)), Duration::from_millis(300)).await;
    assert_eq!(failed(&report).kind, FailureKind::RateLimited);
}
