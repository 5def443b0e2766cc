//! Answers that are kept, identical reads that are one, and second requests beside slow ones.

use std::sync::Arc;

use tokio::join;
use tokio::time::sleep;

use super::hostile::{Act, Hostile, answer, json};
use super::*;

const GOOD: &str = "Content-Type: application/json\r\nCache-Control: max-age=60\r\n";

fn kept(sharing: Sharing) -> Manner {
    Manner { cache: sharing, ..Manner::default() }
}

fn together(sharing: Sharing) -> Manner {
    Manner { coalesce: sharing, ..Manner::default() }
}

fn of(identity: &str, method: Method) -> Call {
    let identity = Identity::new(identity).expect("a name");
    Call { identity, id: CallId::new("c1"), ..call(request(method)) }
}

async fn ask(upstream: &Upstream, call: &Call, manner: Manner) -> (Report, Log) {
    ask_until(upstream, call, manner, &CancellationToken::new(), Duration::from_secs(5)).await
}

async fn ask_until(
    upstream: &Upstream,
    call: &Call,
    manner: Manner,
    cancel: &CancellationToken,
    time: Duration,
) -> (Report, Log) {
    let mut log = Log::default();
    let prepared = prepare(upstream, call).expect("a request");
    let within = Within { deadline: Instant::now() + time, cancel, gate: None, manner };
    let report = run(call, &prepared, upstream, within, &mut log).await;
    (report, log)
}

#[tokio::test]
async fn an_answer_that_is_good_is_not_asked_for_again_and_says_so() {
    let server = Hostile::new([answer(200, GOOD, b"{\"n\":1}")]).await;
    let upstream = upstream(config(&server.url()));
    let read = of("a", Method::GET);
    let (first, _) = ask(&upstream, &read, kept(Sharing::Private)).await;
    assert_eq!((first.attempts, first.kept), (1, None));
    let (second, log) = ask(&upstream, &read, kept(Sharing::Private)).await;
    assert_eq!(value(&second)["n"], 1);
    assert_eq!((second.attempts, second.status, second.bytes), (0, Some(200), 0));
    assert!(second.kept.is_some_and(|kept| !kept.confirmed));
    assert_eq!(log.finished[0].error.as_deref(), Some("not sent: its answer is kept, 0 s old"));
    assert_eq!(server.seen().len(), 1);
    // Another identity has its own, and whoever wants none gets none.
    ask(&upstream, &of("b", Method::GET), kept(Sharing::Private)).await;
    ask(&upstream, &read, Manner::default()).await;
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn an_answer_with_a_validator_is_asked_about_and_a_304_is_the_answer() {
    let tagged = "Content-Type: application/json\r\nETag: \"v1\"\r\n";
    let server = Hostile::new([
        answer(200, tagged, b"{\"n\":1}"),
        answer(304, "ETag: \"v1\"\r\n", b""),
        answer(304, "ETag: \"v0\"\r\n", b""),
        answer(200, tagged, b"{\"n\":2}"),
    ])
    .await;
    let upstream = upstream(config(&server.url()));
    let read = of("a", Method::GET);
    ask(&upstream, &read, kept(Sharing::Private)).await;
    let (second, log) = ask(&upstream, &read, kept(Sharing::Private)).await;
    assert_eq!((value(&second)["n"].as_u64(), second.status), (Some(1), Some(200)));
    assert!(second.kept.is_some_and(|kept| kept.confirmed));
    assert_eq!(log.ends(), [(Some(304), false)]);
    assert!(server.seen()[1].contains("if-none-match: \"v1\""), "{}", server.seen()[1]);
    // What is about another answer is none: it is asked for whole.
    let (third, log) = ask(&upstream, &read, kept(Sharing::Private)).await;
    assert_eq!((value(&third)["n"].as_u64(), third.kept), (Some(2), None));
    assert_eq!(log.ends(), [(Some(304), false), (Some(200), false)]);
    assert!(!server.seen()[3].contains("if-none-match"), "{}", server.seen()[3]);
}

#[tokio::test]
async fn a_write_however_it_ends_makes_its_path_be_asked_again() {
    for write in [json(200, "{}"), json(409, "{}"), Act::Close] {
        let name = format!("{write:?}");
        let server =
            Hostile::new([answer(200, GOOD, b"{}"), write, answer(200, GOOD, b"{}")]).await;
        let upstream = upstream(config(&server.url()));
        let read = of("a", Method::GET);
        ask(&upstream, &read, kept(Sharing::Private)).await;
        ask(&upstream, &of("b", Method::POST), Manner::default()).await;
        let (report, _) = ask(&upstream, &read, kept(Sharing::Private)).await;
        assert_eq!((report.kept, server.seen().len()), (None, 3), "{name}");
    }
}

#[tokio::test]
async fn failures_and_answers_of_another_address_are_not_kept() {
    let failing = answer(404, GOOD, b"{}");
    let server = Hostile::new([failing]).await;
    let upstream = upstream(config(&server.url()));
    for _ in 0..2 {
        ask(&upstream, &of("a", Method::GET), kept(Sharing::Private)).await;
    }
    assert_eq!(server.seen().len(), 2);
    let (down, other) =
        (Hostile::new([json(503, "{}")]).await, Hostile::new([answer(200, GOOD, b"{}")]).await);
    let mut config = config(&down.url());
    config.recovery.fallback_urls = vec![Url::parse(&other.url()).expect("a URL")];
    let upstream = super::upstream(config);
    for _ in 0..2 {
        ask(&upstream, &of("a", Method::GET), kept(Sharing::Private)).await;
    }
    assert_eq!((down.seen().len(), other.seen().len()), (2, 2));
}

#[tokio::test]
async fn what_is_kept_outlives_the_upstream_it_was_got_with() {
    let server = Hostile::new([answer(200, GOOD, b"{}")]).await;
    let older = upstream(config(&server.url()));
    ask(&older, &of("a", Method::GET), kept(Sharing::Private)).await;
    let newer = upstream(config(&server.url()));
    newer.succeed(&older);
    let (report, _) = ask(&newer, &of("a", Method::GET), kept(Sharing::Private)).await;
    assert!(report.kept.is_some());
}

fn late(wait: u64, body: &str) -> Act {
    let Act::Answer(bytes) = json(200, body) else { unreachable!("it is an answer") };
    Act::Late(Duration::from_millis(wait), bytes)
}

#[tokio::test]
async fn identical_reads_at_the_same_time_are_one_request_each_with_its_own_record() {
    let server = Hostile::new([late(150, "{\"n\":1}")]).await;
    let upstream = upstream(config(&server.url()));
    let named = |id: &str| Call { id: CallId::new(id), ..of("a", Method::GET) };
    let (one, two, other) = (named("c1"), named("c2"), of("b", Method::GET));
    let (first, second, theirs) = join!(
        ask(&upstream, &one, together(Sharing::Private)),
        ask(&upstream, &two, together(Sharing::Private)),
        ask(&upstream, &other, together(Sharing::Private)),
    );
    for (report, log) in [&first, &second, &theirs] {
        assert_eq!((value(report)["n"].as_u64(), report.status), (Some(1), Some(200)));
        assert_eq!(log.finished.len(), 1);
    }
    assert_eq!(
        (first.0.attempts, second.0.attempts, theirs.0.attempts),
        (1, 0, 1),
        "another identity asks for itself"
    );
    let said = second.1.finished[0].error.as_deref().expect("it was not sent");
    assert!(said.starts_with("not sent: the call c1 was asking for the same"), "{said}");
    assert_eq!(second.0.served_by, first.0.served_by);
    assert_eq!(server.seen().len(), 2);
    // Where it is for all, there is one; and it is over once it is answered.
    for expected in [3, 4] {
        join!(
            ask(&upstream, &one, together(Sharing::Shared)),
            ask(&upstream, &other, together(Sharing::Shared)),
        );
        assert_eq!(server.seen().len(), expected);
    }
}

#[tokio::test]
async fn whoever_leaves_ends_it_for_nobody_else() {
    let server = Hostile::new([late(200, "{}")]).await;
    let upstream = Arc::new(upstream(config(&server.url())));
    let (read, cancel) = (of("a", Method::GET), CancellationToken::new());
    let (manner, never) = (together(Sharing::Private), CancellationToken::new());
    let time = Duration::from_secs(5);
    let (first, second, third, ()) = join!(
        ask_until(&upstream, &read, manner, &cancel, time),
        ask(&upstream, &read, manner),
        ask_until(&upstream, &read, manner, &never, Duration::from_millis(100)),
        async {
            server.until_seen(1).await;
            cancel.cancel();
        }
    );
    assert_eq!(failed(&first.0).kind, FailureKind::Cancelled);
    assert!(matches!(second.0.outcome, Outcome::Done { .. }), "{second:?}");
    assert_eq!(failed(&third.0).kind, FailureKind::UpstreamTimeout, "its own time was over");
    assert_eq!(server.seen().len(), 2, "the second one sent its own");
}

#[tokio::test]
async fn writes_and_what_is_read_after_them_are_never_joined() {
    let server = Hostile::new([late(150, "{}"), json(200, "{}"), json(200, "{}")]).await;
    let upstream = upstream(config(&server.url()));
    let (read, write) = (of("a", Method::GET), of("a", Method::POST));
    let manner = together(Sharing::Shared);
    join!(ask(&upstream, &read, manner), async {
        server.until_seen(1).await;
        ask(&upstream, &write, manner).await;
        ask(&upstream, &read, manner).await;
    });
    assert_eq!(server.seen().len(), 3);
    let writes = Hostile::new([late(100, "{}")]).await;
    let upstream = super::upstream(config(&writes.url()));
    join!(ask(&upstream, &write, manner), ask(&upstream, &write, manner));
    assert_eq!(writes.seen().len(), 2);
}

fn hedged(delay: u64) -> Manner {
    Manner { hedge: Some(Duration::from_millis(delay)), ..Manner::default() }
}

#[tokio::test]
async fn a_slow_read_is_asked_twice_and_the_first_good_answer_is_taken() {
    let server = Hostile::new([Act::Hang, json(200, "{\"n\":2}")]).await;
    let upstream = upstream(config(&server.url()));
    let (report, log) = ask(&upstream, &of("a", Method::GET), hedged(50)).await;
    assert_eq!((value(&report)["n"].as_u64(), report.attempts), (Some(2), 2));
    assert_eq!(log.started[0].why, "no answer within 50 ms, so it is asked twice");
    let ends: Vec<_> = log.finished.iter().map(|end| (end.n, end.status)).collect();
    assert_eq!(ends, [(1, None), (2, Some(200))]);
    let said = log.finished[0].error.as_deref();
    assert_eq!(said, Some("given up, because the other request was answered"));
    server.until_closed(1).await;
    // The one that was given up says nothing of the host.
    assert_eq!(upstream.traffic().hosts()[0].1, "closed");
}

#[tokio::test]
async fn a_bad_answer_of_one_waits_for_the_other() {
    let server = Hostile::new([late(200, "{\"n\":1}"), json(503, "{}")]).await;
    let upstream = upstream(config(&server.url()));
    let (report, log) = ask(&upstream, &of("a", Method::GET), hedged(50)).await;
    assert_eq!((value(&report)["n"].as_u64(), report.status), (Some(1), Some(200)));
    assert_eq!(log.ends().len(), 2);
}

#[tokio::test]
async fn what_is_quick_writes_or_finds_no_room_is_asked_once() {
    let server = Hostile::new([json(200, "{}")]).await;
    let quick = upstream(config(&server.url()));
    let (report, _) = ask(&quick, &of("a", Method::GET), hedged(500)).await;
    assert_eq!((report.attempts, server.seen().len()), (1, 1));

    let server = Hostile::new([late(150, "{}")]).await;
    let slow = upstream(config(&server.url()));
    let (report, _) = ask(&slow, &of("a", Method::POST), hedged(20)).await;
    assert_eq!((report.attempts, server.seen().len()), (1, 1), "a write");

    let mut limited = config(&server.url());
    let limits = Limits { rate: None, concurrency: Some(1) };
    limited.recovery.traffic = Arc::new(Traffic::new(limits));
    let limited = upstream(limited);
    let (report, _) = ask(&limited, &of("a", Method::GET), hedged(20)).await;
    assert_eq!((report.attempts, server.seen().len()), (1, 2), "no place");
    assert_eq!(limited.traffic().standing().in_flight, 0);
}

#[tokio::test]
async fn whoever_gives_a_hedged_read_up_gives_both_up() {
    let server = Hostile::new([Act::Hang]).await;
    let upstream = upstream(config(&server.url()));
    let (read, cancel) = (of("a", Method::GET), CancellationToken::new());
    let time = Duration::from_secs(5);
    let ((report, log), ()) =
        join!(ask_until(&upstream, &read, hedged(20), &cancel, time), async {
            server.until_seen(2).await;
            sleep(Duration::from_millis(10)).await;
            cancel.cancel();
        });
    assert_eq!(failed(&report).kind, FailureKind::Cancelled);
    assert_eq!(log.ends(), [(None, true); 2]);
    server.until_closed(2).await;
}
