//! What is repeated, what is not, and what is said in the end.

use std::time::SystemTime;

use serde_json::Value;

use super::hostile::{Act, Hostile, answer, json};
use super::*;

const TRUNCATED: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"a\":";

async fn against(acts: Vec<Act>, method: Method) -> (Report, Log, Hostile) {
    let hangs = acts.iter().any(|act| matches!(act, Act::Hang | Act::Stall(_)));
    let server = Hostile::new(acts).await;
    let config = if hangs { impatient(&server.url()) } else { config(&server.url()) };
    let (report, log) = go(&upstream(config), &call(request(method))).await;
    (report, log, server)
}

/// A configuration for an upstream that hangs.
fn impatient(base: &str) -> UpstreamConfig {
    UpstreamConfig { attempt_timeout: Duration::from_millis(250), ..config(base) }
}

/// An address on which nobody listens.
async fn nobody() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

#[tokio::test]
async fn a_read_survives_every_passing_failure() {
    let truncated = || TRUNCATED.to_vec();
    for first in [
        json(500, "{}"),
        json(502, "{}"),
        json(503, "{}"),
        json(504, "{}"),
        json(429, "{}"),
        Act::Close,
        Act::Reset,
        Act::Hang,
        Act::AnswerAndClose(truncated()),
        Act::AnswerAndReset(truncated()),
        Act::Stall(truncated()),
        Act::AnswerAndClose(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        Act::AnswerAndClose(b"HTTP/1.1 20".to_vec()),
    ] {
        let name = format!("{first:?}");
        let (report, log, _) = against(vec![first, json(200, "{\"ok\":true}")], Method::GET).await;
        assert_eq!(value(&report)["ok"], true, "{name}");
        assert_eq!((report.attempts, report.status), (2, Some(200)), "{name}");
        assert_eq!((log.started.len(), log.finished.len()), (1, 2), "{name}");
        assert_eq!(log.started[0].n, 2, "{name}");
    }
}

#[tokio::test]
async fn an_idempotent_write_is_repeated_too() {
    for first in [json(503, "{}"), Act::Close, Act::Reset] {
        let (report, ..) = against(vec![first, json(200, "{\"ok\":true}")], Method::PUT).await;
        assert_eq!((value(&report)["ok"].as_bool(), report.attempts), (Some(true), 2));
    }
}

#[tokio::test]
async fn a_write_that_may_be_done_is_never_repeated() {
    let truncated = || TRUNCATED.to_vec();
    for first in [
        Act::Close,
        Act::Reset,
        Act::Hang,
        Act::AnswerAndClose(truncated()),
        Act::AnswerAndReset(truncated()),
        Act::Stall(truncated()),
    ] {
        let name = format!("{first:?}");
        let (report, log, server) = against(vec![first, json(200, "{}")], Method::POST).await;
        let failed = failed(&report);
        assert_eq!(failed.kind, FailureKind::OutcomeUnknown, "{name}");
        assert!(!failed.retryable, "{name}");
        assert_eq!((server.seen().len(), log.finished.len()), (1, 1), "{name}");
    }
}

#[tokio::test]
async fn a_write_without_a_body_may_be_done_as_well() {
    for act in [Act::Close, Act::Hang] {
        let (report, _, server) = against(vec![act, json(200, "{}")], Method::PATCH).await;
        let failed = failed(&report);
        assert_eq!((failed.kind, failed.retryable), (FailureKind::OutcomeUnknown, false));
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_gateways_error_does_not_repeat_a_write() {
    for (status, kind) in [
        (500, FailureKind::UpstreamError),
        (502, FailureKind::UpstreamUnavailable),
        (503, FailureKind::UpstreamUnavailable),
        (504, FailureKind::UpstreamUnavailable),
    ] {
        let (report, _, server) =
            against(vec![json(status, "{}"), json(200, "{}")], Method::POST).await;
        let failed = failed(&report);
        assert_eq!((failed.kind, failed.retryable), (kind, false), "{status}");
        assert_eq!(failed.upstream.as_ref().map(|said| said.status), Some(status));
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_write_is_repeated_after_429() {
    let (report, ..) =
        against(vec![json(429, "{}"), json(200, "{\"ok\":true}")], Method::POST).await;
    assert_eq!((value(&report)["ok"].as_bool(), report.attempts), (Some(true), 2));
}

#[tokio::test]
async fn a_write_is_repeated_where_nobody_listens() {
    let upstream = upstream(config(&nobody().await));
    let (report, log) = go(&upstream, &call(request(Method::POST))).await;
    let failed = failed(&report);
    assert_eq!((failed.kind, failed.retryable), (FailureKind::UpstreamUnavailable, true));
    assert_eq!(
        failed.message,
        "`shop` cannot be reached: it refuses connections (after 4 requests)"
    );
    assert_eq!((report.attempts, report.status, report.served_by), (4, None, None));
    assert_eq!(log.ends(), [(None, true); 4]);
    assert_eq!(log.waits.len(), 3);
}

#[tokio::test]
async fn a_connection_that_never_comes_about_sends_nothing() {
    // A listener that does not speak TLS: the request waits for a session.
    let server = Hostile::new([Act::Hang]).await;
    for time in [100, 2_000] {
        let upstream = upstream(impatient(&format!("https://{}", server.address)));
        let time = Duration::from_millis(time);
        let (report, _) = go_within(&upstream, &call(request(Method::POST)), time).await;
        let failed = failed(&report);
        assert_eq!((failed.kind, failed.retryable), (FailureKind::UpstreamUnavailable, true));
        assert!(failed.message.contains("no connection came about"), "{}", failed.message);
    }
}

#[tokio::test]
async fn a_host_without_an_address_is_unavailable() {
    let upstream = upstream(config("http://no-such-host.invalid"));
    let (report, _) =
        go_within(&upstream, &call(request(Method::POST)), Duration::from_millis(900)).await;
    assert_eq!(failed(&report).kind, FailureKind::UpstreamUnavailable);
}

#[tokio::test]
async fn four_attempts_are_the_most() {
    let (report, log, server) = against(vec![json(503, "{\"why\":\"tired\"}")], Method::GET).await;
    let failed = failed(&report);
    assert_eq!((failed.kind, failed.retryable), (FailureKind::UpstreamUnavailable, true));
    assert_eq!(failed.message, "`shop` answered 503 Service Unavailable (after 4 requests)");
    let said = failed.upstream.as_ref().expect("an answer");
    assert_eq!((said.status, &said.body["why"]), (503, &Value::from("tired")));
    assert_eq!((server.seen().len(), report.attempts), (4, 4));
    assert_eq!(log.ends(), [(Some(503), false); 4]);
    assert!(log.started.iter().all(|start| start.why == "answered 503 Service Unavailable"));
}

#[tokio::test]
async fn what_the_request_is_to_blame_for_is_not_repeated() {
    for status in [400, 401, 403, 404, 409, 422, 501, 505] {
        let (report, _, server) = against(vec![json(status, "{}")], Method::GET).await;
        let failed = failed(&report);
        assert_eq!((failed.kind, failed.retryable), (FailureKind::UpstreamError, false));
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_fault_that_blames_the_request_is_not_repeated() {
    for (status, code, requests) in [
        (500, "Client", 1),
        (500, "Sender", 1),
        (500, "MustUnderstand", 1),
        (500, "Server", 4),
        (500, "Receiver", 4),
        (500, "OutOfStock", 4),
        (200, "Client.Auth", 1),
        (200, "Server.Locked", 4),
        (400, "Receiver", 4),
        (200, "OutOfStock", 1),
    ] {
        let fault = answer(status, &format!("X-Fault: {code}\r\n"), b"<Fault/>");
        let (report, _, server) = against(vec![fault], Method::GET).await;
        let failed = failed(&report);
        assert_eq!(failed.kind, FailureKind::UpstreamError);
        let said = failed.upstream.as_ref().expect("an answer");
        assert_eq!(said.fault.as_ref().expect("a fault")["code"], code);
        assert_eq!(server.seen().len(), requests, "{status} {code}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_not_repeated() {
    let (report, _, server) = against(vec![json(200, "{\"a\":")], Method::GET).await;
    let failed = failed(&report);
    assert_eq!((failed.kind, failed.retryable), (FailureKind::UpstreamError, false));
    assert_eq!(
        failed.message,
        "`shop` answered 200 OK with a body that cannot be read: it is no JSON"
    );
    assert_eq!(server.seen().len(), 1);
    assert_eq!(failed.upstream.as_ref().expect("an answer").body, Value::Null);
}

#[tokio::test]
async fn a_page_in_place_of_an_answer_is_shown() {
    let page = "\n<!DOCTYPE html><html><body>Sign in</body></html>";
    let (report, ..) = against(vec![json(200, page)], Method::GET).await;
    let failed = failed(&report);
    assert_eq!(failed.kind, FailureKind::UpstreamError);
    assert_eq!(failed.upstream.as_ref().expect("an answer").body, Value::from(page));
}

#[tokio::test]
async fn retry_after_in_the_past_or_nonsense_means_our_own_wait() {
    for value in ["0", "Fri, 31 Dec 1999 23:59:59 GMT", "soon", "-5"] {
        let first = answer(503, &format!("Retry-After: {value}\r\n"), b"");
        let (report, ..) = against(vec![first, json(200, "{\"ok\":true}")], Method::GET).await;
        assert_eq!(value_ok(&report), Some(true), "{value}");
        assert!(report.upstream_time < Duration::from_secs(2), "{value}");
    }
}

fn value_ok(report: &Report) -> Option<bool> {
    value(report)["ok"].as_bool()
}

#[tokio::test]
async fn retry_after_is_honoured_and_not_undercut() {
    let server = Hostile::new([
        answer(429, "Retry-After: Thu, 01 Jan 1970 00:00:10 GMT\r\n", b""),
        json(200, "{\"ok\":true}"),
    ])
    .await;
    let mut upstream = upstream(config(&server.url()));
    upstream.clock = || SystemTime::UNIX_EPOCH + Duration::from_millis(9_700);
    let (report, log) = go(&upstream, &call(request(Method::POST))).await;
    assert_eq!(value_ok(&report), Some(true));
    assert_eq!(log.waits, [(2, Duration::from_millis(300))]);
    assert!(report.upstream_time >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_wait_past_the_deadline_is_an_error_at_once() {
    for (status, value, seconds) in [
        (429, "30", 30),
        (503, "30", 30),
        (429, "99999999999999999999", 31 * 24 * 60 * 60),
        (503, "Fri, 31 Dec 9999 23:59:59 GMT", 31 * 24 * 60 * 60),
    ] {
        let first = answer(status, &format!("Retry-After: {value}\r\n"), b"");
        let (report, log, server) = against(vec![first], Method::GET).await;
        let failed = failed(&report);
        assert_eq!(failed.retry_after, Some(Duration::from_secs(seconds)), "{value}");
        assert!(failed.retryable);
        assert!(report.upstream_time < Duration::from_secs(2));
        assert_eq!((server.seen().len(), log.waits.len()), (1, 0));
    }
}

#[tokio::test]
async fn a_rate_limit_to_the_end_says_when_to_come_back() {
    let (report, ..) = against(vec![json(429, "{}")], Method::POST).await;
    let failed = failed(&report);
    assert_eq!((failed.kind, failed.retryable), (FailureKind::RateLimited, true));
    assert_eq!(failed.retry_after, Some(Duration::from_secs(1)));
    assert_eq!(report.attempts, 4);
}

#[tokio::test]
async fn nothing_waits_past_the_deadline() {
    for act in [Act::Hang, Act::Stall(TRUNCATED.to_vec()), json(503, "{}"), Act::Close] {
        let name = format!("{act:?}");
        let server = Hostile::new([act]).await;
        let mut config = config(&server.url());
        config.attempt_timeout = Duration::from_mins(1);
        let mut upstream = upstream(config);
        upstream.jitter = |max| max;
        let time = Duration::from_millis(150);
        let (report, _) = go_within(&upstream, &call(request(Method::GET)), time).await;
        failed(&report);
        assert!(report.upstream_time < Duration::from_secs(1), "{name}: {report:?}");
    }
}

#[tokio::test]
async fn a_slow_read_times_out_and_may_be_tried_again() {
    let server = Hostile::new([Act::Late(Duration::from_millis(900), Vec::new())]).await;
    let upstream = upstream(impatient(&server.url()));
    let time = Duration::from_millis(600);
    let (report, log) = go_within(&upstream, &call(request(Method::GET)), time).await;
    let failed = failed(&report);
    assert_eq!((failed.kind, failed.retryable), (FailureKind::UpstreamTimeout, true));
    assert!(log.finished.len() > 1);
}

#[tokio::test]
async fn a_deadline_that_is_over_sends_nothing() {
    let server = Hostile::new([json(200, "{}")]).await;
    let upstream = upstream(config(&server.url()));
    let (report, log) = go_within(&upstream, &call(request(Method::POST)), Duration::ZERO).await;
    let failed = failed(&report);
    assert_eq!((failed.kind, failed.retryable), (FailureKind::UpstreamTimeout, true));
    assert_eq!((server.connections(), report.attempts), (0, 0));
    assert_eq!(log.ends(), [(None, true)]);
}

#[tokio::test]
async fn what_an_earlier_request_may_have_done_is_not_forgotten() {
    // The first gets no answer; then the upstream is down, or says no.
    for (second, kind) in [
        (json(503, "{}"), FailureKind::OutcomeUnknown),
        (Act::Hang, FailureKind::OutcomeUnknown),
        (json(404, "{}"), FailureKind::UpstreamError),
    ] {
        let server = Hostile::new([Act::Close, second]).await;
        let upstream = upstream(impatient(&server.url()));
        let time = Duration::from_millis(700);
        let (report, _) = go_within(&upstream, &call(request(Method::DELETE)), time).await;
        let failed = failed(&report);
        assert_eq!(failed.kind, kind);
        assert!(failed.message.contains("may have"), "{}", failed.message);
    }
}

#[tokio::test]
async fn cancelling_closes_the_connection() {
    for (method, says, retryable) in
        [(Method::GET, "changed nothing", true), (Method::POST, "may have carried it out", false)]
    {
        let server = Hostile::new([Act::Hang]).await;
        let upstream = upstream(config(&server.url()));
        let call = call(request(method));
        let prepared = prepare(&upstream, &call).expect("a request");
        let (cancel, mut log) = (CancellationToken::new(), Log::default());
        let deadline = Instant::now() + Duration::from_secs(5);
        let (report, ()) = tokio::join!(
            run(
                &call,
                &prepared,
                &upstream,
                Within { deadline, cancel: &cancel, gate: None, manner: Manner::default() },
                &mut log
            ),
            async {
                server.until_seen(1).await;
                cancel.cancel();
            }
        );
        let failed = failed(&report);
        assert_eq!((failed.kind, failed.retryable), (FailureKind::Cancelled, retryable));
        assert!(failed.message.contains(says), "{}", failed.message);
        assert_eq!(log.finished[0].error.as_deref(), Some("cancelled"));
        let closed = tokio::time::timeout(Duration::from_secs(1), server.until_closed(1)).await;
        assert!(closed.is_ok(), "the connection stayed open");
    }
}

#[tokio::test]
async fn cancelling_ends_a_wait() {
    let server = Hostile::new([answer(503, "Retry-After: 3\r\n", b"")]).await;
    let upstream = upstream(config(&server.url()));
    let call = call(request(Method::GET));
    let prepared = prepare(&upstream, &call).expect("a request");
    let (cancel, mut log) = (CancellationToken::new(), Log::default());
    let deadline = Instant::now() + Duration::from_secs(5);
    let (report, ()) = tokio::join!(
        run(
            &call,
            &prepared,
            &upstream,
            Within { deadline, cancel: &cancel, gate: None, manner: Manner::default() },
            &mut log
        ),
        async {
            server.until_seen(1).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            cancel.cancel();
        }
    );
    assert_eq!(failed(&report).kind, FailureKind::Cancelled);
    assert!(report.upstream_time < Duration::from_secs(2));
    assert_eq!((log.started.len(), log.finished.len()), (0, 1));
}

#[tokio::test]
async fn a_request_that_may_not_be_recorded_does_not_go_out() {
    for (refusal, kind) in [
        (AttemptRefused::Stopped("the kill switch is on".to_owned()), FailureKind::Stopped),
        (
            AttemptRefused::AuditUnavailable("the trail cannot be written".to_owned()),
            FailureKind::AuditUnavailable,
        ),
    ] {
        let server = Hostile::new([json(503, "{}")]).await;
        let upstream = upstream(config(&server.url()));
        let call = call(request(Method::GET));
        let prepared = prepare(&upstream, &call).expect("a request");
        let mut log = Log { refuse: Some(refusal), ..Log::default() };
        let deadline = Instant::now() + Duration::from_secs(5);
        let cancel = CancellationToken::new();
        let report = run(
            &call,
            &prepared,
            &upstream,
            Within { deadline, cancel: &cancel, gate: None, manner: Manner::default() },
            &mut log,
        )
        .await;
        assert_eq!(failed(&report).kind, kind);
        assert_eq!((server.seen().len(), report.attempts), (1, 1));
        assert_eq!(log.finished.len(), 1);
    }
}

#[tokio::test]
async fn a_record_that_takes_too_long_stops_the_call_at_its_deadline() {
    let server = Hostile::new([json(503, "{}")]).await;
    let upstream = upstream(config(&server.url()));
    let call = call(request(Method::GET));
    let prepared = prepare(&upstream, &call).expect("a request");
    let mut log = Log { slow: Duration::from_mins(1), ..Log::default() };
    let deadline = Instant::now() + Duration::from_millis(200);
    let cancel = CancellationToken::new();
    let report = run(
        &call,
        &prepared,
        &upstream,
        Within { deadline, cancel: &cancel, gate: None, manner: Manner::default() },
        &mut log,
    )
    .await;
    assert_eq!(failed(&report).kind, FailureKind::UpstreamUnavailable);
    assert!(report.upstream_time < Duration::from_secs(2));
    assert_eq!((server.seen().len(), log.ends()), (1, vec![(Some(503), false), (None, true)]));
}
