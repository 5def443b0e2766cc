//! Calls that the API takes and is not done with.

use super::hostile::{Act, Hostile, answer, json};
use super::*;
use crate::bridge::engine::polling;
use crate::bridge::poll::{Handle, Poll};
use tollbridge_operation::ApiKeyPlace;

const JSON: &str = "Content-Type: application/json\r\n";

fn rule(change: impl FnOnce(&mut Poll)) -> Poll {
    let mut rule = Poll {
        hides_state: false,
        status: None,
        done: None,
        failed: None,
        every: Duration::from_millis(20),
        at: None,
        result: None,
        result_at: None,
    };
    change(&mut rule);
    rule
}

fn accepted(headers: &str, body: &str) -> Act {
    answer(202, &format!("{JSON}{headers}"), body.as_bytes())
}

async fn poll(upstream: &Upstream, call: &Call, rule: &Poll, time: Duration) -> (Report, Log) {
    poll_from(upstream, call, rule, time, None).await
}

async fn poll_from(
    upstream: &Upstream,
    call: &Call,
    rule: &Poll,
    time: Duration,
    handle: Option<&Handle>,
) -> (Report, Log) {
    let mut log = Log::default();
    let prepared = prepare(upstream, call).expect("a request");
    let prepared = match handle {
        None => prepared,
        Some(handle) => prepared.going_on(upstream, handle).expect("a request"),
    };
    let cancel = CancellationToken::new();
    let within = Within {
        deadline: Instant::now() + time,
        cancel: &cancel,
        gate: None,
        groups: &[],
        manner: Manner::default(),
        held: None,
    };
    let report = polling::run(call, &prepared, upstream, within, rule, handle, &mut log).await;
    (report, log)
}

const LONG: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_call_that_is_taken_is_asked_after_until_it_is_done() {
    let server = Hostile::new([
        accepted("Location: /jobs/1\r\n", "{}"),
        accepted("", "{}"),
        accepted("Location: /jobs/2\r\n", "{}"),
        json(200, "{\"made\":7}"),
    ])
    .await;
    let mut config = config(&server.url());
    config.credentials = Credentials::ForAll(Credential::Bearer { token: Secret::new(SECRET) });
    let (report, log) =
        poll(&upstream(config), &call(request(Method::POST)), &rule(|_| {}), LONG).await;
    assert_eq!(value(&report)["made"], 7);
    assert_eq!(
        server.lines(),
        [
            "POST /x HTTP/1.1",
            "GET /jobs/1 HTTP/1.1",
            "GET /jobs/1 HTTP/1.1",
            "GET /jobs/2 HTTP/1.1"
        ]
    );
    assert!(
        server.seen()[3].contains("authorization: Bearer"),
        "credentials go to the same origin"
    );
    assert!(!server.seen()[1].contains("content-type"), "{}", server.seen()[1]);
    assert_eq!((report.attempts, report.status), (4, Some(200)));
    assert_eq!(report.served_by, Some(format!("{}/jobs/2", server.url())));
    let starts: Vec<_> = log.started.iter().map(|start| (start.n, start.why.as_str())).collect();
    let why = "it works on it: accepted";
    assert_eq!(starts, [(2, why), (3, why), (4, why)]);
    assert!(log.started.iter().all(|start| start.wait == Duration::from_millis(20)), "{log:?}");
}

#[tokio::test]
async fn how_far_a_call_is_is_told_nowhere_where_nobody_is_shown_it() {
    let state = |state: &str, headers: &str| {
        let body = format!("{{\"status\":\"{state}\"}}");
        answer(200, &format!("{JSON}{headers}"), body.as_bytes())
    };
    let first = || accepted("Operation-Location: /m\r\n", "{\"status\":\"of Ann\"}");
    let hidden = rule(|rule| rule.hides_state = true);
    // It asks to be waited for longer than there is time; it fails.
    for (last, left) in
        [(state("of Ann", "Retry-After: 600\r\n"), Some(2)), (state("Failed", ""), None)]
    {
        let server = Hostile::new([first(), state("of Ann", ""), last]).await;
        let upstream = upstream(config(&server.url()));
        let (report, log) = poll(&upstream, &call(request(Method::POST)), &hidden, LONG).await;
        let failed = failed(&report);
        assert!(failed.message.ends_with(": [redacted]"), "{failed:?}");
        assert_eq!(log.started.len(), 2);
        assert!(
            log.started.iter().all(|start| start.why == "it works on it: [redacted]"),
            "{log:?}"
        );
        assert_eq!(failed.pending.as_ref().map(|pending| pending.answers.len()), left);
        assert!(failed.pending.as_ref().is_none_or(|pending| pending.state == "[redacted]"));
    }
}

#[tokio::test]
async fn an_answer_that_is_no_202_is_the_answer() {
    let server =
        Hostile::new([answer(201, &format!("{JSON}Location: /x/1\r\n"), b"{\"id\":1}")]).await;
    let upstream = upstream(config(&server.url()));
    let (report, _) = poll(&upstream, &call(request(Method::POST)), &rule(|_| {}), LONG).await;
    assert_eq!((value(&report)["id"].as_i64(), server.seen().len()), (Some(1), 1));
    // And so is a 202 that does not say where to ask.
    let server = Hostile::new([accepted("", "{\"queued\":true}")]).await;
    let upstream = self::upstream(config(&server.url()));
    let (report, _) = poll(&upstream, &call(request(Method::POST)), &rule(|_| {}), LONG).await;
    assert_eq!((value(&report)["queued"].as_bool(), server.seen().len()), (Some(true), 1));
}

#[tokio::test]
async fn a_monitor_says_how_far_it_is_and_the_result_is_read_where_it_will_be() {
    for monitor in ["Operation-Location", "Azure-AsyncOperation"] {
        let server = Hostile::new([
            accepted(&format!("{monitor}: /monitor\r\nLocation: /result\r\n"), "{}"),
            json(200, "{\"status\":\"Running\"}"),
            json(200, "{\"status\":\"Succeeded\"}"),
            json(200, "{\"made\":7}"),
        ])
        .await;
        let upstream = upstream(config(&server.url()));
        let (report, _) = poll(&upstream, &call(request(Method::PUT)), &rule(|_| {}), LONG).await;
        assert_eq!(value(&report)["made"], 7);
        assert_eq!(server.lines()[1..3], ["GET /monitor HTTP/1.1", "GET /monitor HTTP/1.1"]);
        assert_eq!(server.lines()[3], "GET /result HTTP/1.1");
    }
}

#[tokio::test]
async fn what_a_put_makes_is_read_where_it_was_put_once_its_monitor_says_so() {
    for (method, more, last) in [
        (Method::PUT, "", Some("GET /x HTTP/1.1")),
        (Method::PATCH, "", Some("GET /x HTTP/1.1")),
        (Method::PUT, "Location: /result\r\n", Some("GET /result HTTP/1.1")),
        (Method::POST, "", None),
    ] {
        let server = Hostile::new([
            accepted(&format!("Azure-AsyncOperation: /monitor\r\n{more}"), "{}"),
            json(200, "{\"status\":\"Succeeded\"}"),
            json(200, "{\"made\":7}"),
        ])
        .await;
        let upstream = upstream(config(&server.url()));
        let (report, log) = poll(&upstream, &call(request(method)), &rule(|_| {}), LONG).await;
        assert_eq!(server.lines().get(2).map(String::as_str), last);
        assert_eq!(value(&report)["made"].as_i64(), last.map(|_| 7));
        // Whoever goes on with it after a restart reads it there too.
        let result = last.map(|line| line.replace("GET ", &server.url()).replace(" HTTP/1.1", ""));
        assert_eq!((log.taken.len(), &log.taken[0].result), (1, &result));
    }
}

#[tokio::test]
async fn where_it_is_asked_after_is_kept_before_anything_is_waited_for() {
    let server = Hostile::new([
        accepted("Location: /jobs/1\r\n", "{}"),
        accepted("Location: /jobs/1\r\n", "{}"),
        accepted("Location: /jobs/2\r\nRetry-After: 100\r\n", "{}"),
    ])
    .await;
    let upstream = upstream(config(&server.url()));
    let (report, log) = poll(&upstream, &call(request(Method::POST)), &rule(|_| {}), LONG).await;
    let urls: Vec<_> = log.taken.iter().map(|handle| handle.url.as_str()).collect();
    assert_eq!(urls, [format!("{}/jobs/1", server.url()), format!("{}/jobs/2", server.url())]);
    let left = failed(&report).pending.as_ref().expect("what is pending");
    assert_eq!(left.handle.as_ref(), log.taken.last());
}

#[tokio::test]
async fn a_rule_says_where_answers_have_state_url_and_result() {
    let job = |state: &str, more: &str| {
        json(200, &format!("{{\"job\":{{\"state\":\"{state}\",\"self\":\"/jobs/9\"}}{more}}}"))
    };
    let place = |poll: &mut Poll| {
        poll.status = Some("/job/state".to_owned());
        poll.at = Some("/job/self".to_owned());
    };
    let server =
        Hostile::new([job("queued", ""), job("running", ""), job("done", ",\"out\":[1]")]).await;
    let upstream = upstream(config(&server.url()));
    let within = rule(|poll| {
        place(poll);
        poll.result = Some("/out".to_owned());
    });
    let (report, _) = poll(&upstream, &call(request(Method::POST)), &within, LONG).await;
    assert_eq!(value(&report).to_string(), "[1]");
    assert_eq!(server.lines()[2], "GET /jobs/9 HTTP/1.1");

    let server = Hostile::new([
        job("queued", ""),
        job("done", ",\"at\":\"/files/1\""),
        json(200, "{\"file\":1}"),
    ])
    .await;
    let upstream = self::upstream(config(&server.url()));
    let elsewhere = rule(|poll| {
        place(poll);
        poll.result_at = Some("/at".to_owned());
    });
    let (report, log) = poll(&upstream, &call(request(Method::POST)), &elsewhere, LONG).await;
    assert_eq!(value(&report)["file"], 1);
    assert_eq!(server.lines()[2], "GET /files/1 HTTP/1.1");
    assert_eq!(log.started[1].why, "it is done");
}

#[tokio::test]
async fn a_call_that_failed_there_is_a_failure_with_what_the_api_said() {
    let server = Hostile::new([
        accepted("Operation-Location: /m\r\n", "{}"),
        json(200, "{\"status\":\"Failed\",\"error\":{\"code\":\"Quota\"}}"),
    ])
    .await;
    let upstream = upstream(config(&server.url()));
    let (report, _) = poll(&upstream, &call(request(Method::POST)), &rule(|_| {}), LONG).await;
    let failed = failed(&report);
    assert_eq!((failed.kind, failed.retryable), (FailureKind::UpstreamError, false));
    assert_eq!(failed.message, "`shop` took this call and could not carry it out: Failed");
    let said = failed.upstream.as_ref().expect("what it said");
    assert_eq!(said.body["error"]["code"], "Quota");
    assert_eq!(failed.pending, None);
}

#[tokio::test]
async fn see_other_leads_to_the_result_though_redirects_are_refused() {
    let server = Hostile::new([
        accepted("Location: /jobs/1\r\n", "{}"),
        answer(303, "Location: /reports/1\r\n", b""),
        json(200, "{\"status\":\"running\"}"),
    ])
    .await;
    let upstream = upstream(config(&server.url()));
    let within = rule(|poll| poll.status = Some("/status".to_owned()));
    let (report, _) = poll(&upstream, &call(request(Method::POST)), &within, LONG).await;
    // What stands in the result is the result's own.
    assert_eq!(value(&report)["status"], "running");
    assert_eq!(server.lines()[2], "GET /reports/1 HTTP/1.1");
}

#[tokio::test]
async fn what_is_asked_to_be_waited_is_waited_and_no_wait_is_begun_that_would_end_too_late() {
    let server =
        Hostile::new([accepted("Location: /j\r\nRetry-After: 1\r\n", "{}"), json(200, "{}")]).await;
    let upstream = upstream(config(&server.url()));
    let (report, log) = poll(&upstream, &call(request(Method::POST)), &rule(|_| {}), LONG).await;
    assert!(matches!(report.outcome, Outcome::Done { .. }));
    assert_eq!(log.waits, [(2, Duration::from_secs(1))]);

    let server = Hostile::new([accepted("Location: /j\r\nRetry-After: 60\r\n", "{}")]).await;
    let upstream = self::upstream(config(&server.url()));
    let begun = Instant::now();
    let (report, _) = poll(&upstream, &call(request(Method::POST)), &rule(|_| {}), LONG).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    let left = failed(&report);
    assert_eq!((left.kind, left.retryable), (FailureKind::UpstreamTimeout, true));
    assert_eq!(left.retry_after, Some(Duration::from_mins(1)));
    assert_eq!(left.message, "`shop` took this call and is not done with it: accepted");
    let pending = left.pending.as_ref().expect("a handle");
    assert_eq!(pending.url, format!("{}/j", server.url()));
    assert!(!left.untouched);
}

#[tokio::test]
async fn what_is_left_can_be_gone_on_with_and_starts_nothing() {
    let server = Hostile::new([accepted("Operation-Location: /m\r\n", "{}"), Act::Hang]).await;
    let upstream = upstream(config(&server.url()));
    let post = call(request(Method::POST));
    let time = Duration::from_millis(200);
    let (report, _) = poll(&upstream, &post, &rule(|_| {}), time).await;
    let left = failed(&report).clone();
    assert_eq!((left.kind, left.retryable), (FailureKind::UpstreamTimeout, true), "{left:?}");
    assert!(left.message.starts_with("`shop` took this call, and asked after it:"), "{left:?}");
    let handle = left.pending.and_then(|pending| pending.handle).expect("a handle");
    drop(server);

    let again =
        Hostile::new([json(200, "{\"status\":\"running\"}"), json(200, "{\"status\":\"done\"}")])
            .await;
    let handle = Handle { url: format!("{}/m", again.url()), ..handle };
    let upstream = self::upstream(config(&again.url()));
    let (report, log) = poll_from(&upstream, &post, &rule(|_| {}), LONG, Some(&handle)).await;
    assert_eq!(value(&report)["status"], "done");
    assert_eq!(again.lines(), ["GET /m HTTP/1.1", "GET /m HTTP/1.1"]);
    assert_eq!((report.attempts, log.started.len()), (2, 1));
}

#[tokio::test]
async fn a_question_that_fails_for_a_while_is_asked_again_until_the_time_is_over() {
    let mut acts = vec![accepted("Location: /j\r\n", "{}")];
    acts.extend((0..5).map(|_| json(503, "{}")));
    acts.extend([Act::Reset, json(200, "{\"made\":7}")]);
    let server = Hostile::new(acts).await;
    let upstream = upstream(config(&server.url()));
    let (report, _) = poll(&upstream, &call(request(Method::POST)), &rule(|_| {}), LONG).await;
    assert_eq!(value(&report)["made"], 7);
    assert_eq!(server.lines().iter().filter(|line| line.starts_with("POST")).count(), 1);

    for (status, kept) in [(404, false), (403, true)] {
        let server = Hostile::new([accepted("Location: /j\r\n", "{}"), json(status, "{}")]).await;
        let upstream = self::upstream(config(&server.url()));
        let (report, _) = poll(&upstream, &call(request(Method::POST)), &rule(|_| {}), LONG).await;
        let left = failed(&report);
        assert_eq!((left.kind, left.retryable), (FailureKind::UpstreamError, false), "{left:?}");
        assert_eq!((left.pending.is_some(), server.seen().len()), (kept, 2));
    }
}

#[tokio::test]
async fn a_url_to_ask_at_is_guarded_like_any_other() {
    let other = Hostile::new([json(200, "{\"made\":7}")]).await;
    for location in [
        format!("{}/j", other.url()),
        "http://169.254.169.254/latest".to_owned(),
        "file:///etc/passwd".to_owned(),
        "http://user:pw@127.0.0.1/".to_owned(),
        format!("/{}", "x".repeat(9_000)),
    ] {
        let server = Hostile::new([accepted(&format!("Location: {location}\r\n"), "{}")]).await;
        let upstream = upstream(config(&server.url()));
        let (report, _) = poll(&upstream, &call(request(Method::POST)), &rule(|_| {}), LONG).await;
        let refused = failed(&report);
        assert_eq!((refused.kind, refused.retryable), (FailureKind::UpstreamError, false));
        assert!(refused.message.starts_with("`shop` took this call, but "), "{}", refused.message);
        assert_eq!(server.seen().len(), 1);
    }
    assert_eq!(other.connections(), 0);

    // A host that is named is asked, without what proves who we are.
    let server = Hostile::new([accepted(&format!("Location: {}/j\r\n", other.url()), "{}")]).await;
    let mut config = config(&server.url());
    config.hosts = vec![other.address.to_string()];
    config.credentials = Credentials::ForAll(Credential::Bearer { token: Secret::new(SECRET) });
    let (report, _) =
        poll(&upstream(config), &call(request(Method::POST)), &rule(|_| {}), LONG).await;
    assert_eq!(value(&report)["made"], 7);
    assert!(!other.seen()[0].contains("authorization"), "{}", other.seen()[0]);
}

#[tokio::test]
async fn a_credential_in_the_query_goes_along_and_is_kept_nowhere() {
    let server = Hostile::new([
        accepted("Location: /j?page=1\r\nRetry-After: 0\r\n", "{}"),
        json(200, "{}"),
    ])
    .await;
    let mut config = config(&server.url());
    config.credentials = Credentials::ForAll(Credential::ApiKey {
        at: Some(ApiKeyAt { place: ApiKeyPlace::Query, name: "key".to_owned() }),
        value: Secret::new("plain-key"),
    });
    let (report, log) =
        poll(&upstream(config), &call(request(Method::POST)), &rule(|_| {}), LONG).await;
    assert_eq!(server.lines()[1], "GET /j?page=1&key=plain-key HTTP/1.1");
    assert_eq!(log.started[0].url, format!("{}/j?page=1&key=[redacted]", server.url()));
    assert!(!format!("{report:?}").contains("plain-key"));

    // A URL that says a secret of ours is asked, and not kept.
    let location = format!("Location: /j?t={SECRET}\r\nRetry-After: 60\r\n");
    let server = Hostile::new([accepted(&location, "{}")]).await;
    let upstream = self::upstream(self::config(&server.url()));
    let (report, _) = poll(&upstream, &call(request(Method::POST)), &rule(|_| {}), LONG).await;
    let pending = failed(&report).pending.clone().expect("a call that is under way");
    assert_eq!(pending.handle, None);
    assert!(!format!("{report:?}").contains(SECRET));
}

#[tokio::test]
async fn a_credential_in_the_query_stays_behind_where_a_redirect_leads_elsewhere() {
    let other = Hostile::new([
        accepted("Location: /j?page=1\r\nRetry-After: 0\r\n", "{}"),
        json(200, "{\"ok\":true}"),
    ])
    .await;
    let to_other = format!("Location: {}/x\r\n", other.url());
    let server = Hostile::new([answer(307, &to_other, b"")]).await;
    let mut config = config(&server.url());
    config.redirects = Redirects::Follow;
    config.hosts = vec![other.address.to_string()];
    config.credentials = Credentials::ForAll(Credential::ApiKey {
        at: Some(ApiKeyAt { place: ApiKeyPlace::Query, name: "key".to_owned() }),
        value: Secret::new("plain-key"),
    });
    let (report, _) =
        poll(&upstream(config), &call(request(Method::POST)), &rule(|_| {}), LONG).await;
    assert_eq!(value(&report)["ok"], true);
    assert_eq!(other.lines(), ["POST /x HTTP/1.1", "GET /j?page=1 HTTP/1.1"]);
}

#[tokio::test]
async fn a_202_whose_body_breaks_off_was_read_all_the_same() {
    let bytes = b"HTTP/1.1 202 X\r\nLocation: /j\r\nContent-Length: 10\r\n\r\n{".to_vec();
    let server = Hostile::new([Act::AnswerAndClose(bytes), json(200, "{\"made\":7}")]).await;
    let upstream = upstream(config(&server.url()));
    let (report, _) = poll(&upstream, &call(request(Method::POST)), &rule(|_| {}), LONG).await;
    assert_eq!(value(&report)["made"], 7);
}

#[tokio::test]
async fn a_call_that_is_cancelled_while_the_api_works_says_that_it_may_go_on() {
    let server = Hostile::new([accepted("Location: /j\r\n", "{}"), Act::Hang]).await;
    let upstream = upstream(config(&server.url()));
    let post = call(request(Method::POST));
    let prepared = prepare(&upstream, &post).expect("a request");
    let cancel = CancellationToken::new();
    let within = Within {
        deadline: Instant::now() + LONG,
        cancel: &cancel,
        gate: None,
        groups: &[],
        manner: Manner::default(),
        held: None,
    };
    let mut log = Log::default();
    let rule = rule(|_| {});
    let (report, ()) = tokio::join!(
        polling::run(&post, &prepared, &upstream, within, &rule, None, &mut log),
        async {
            server.until_seen(2).await;
            cancel.cancel();
        }
    );
    let left = failed(&report);
    assert_eq!(left.kind, FailureKind::Cancelled);
    assert_eq!(left.message, "cancelled; `shop` took this call and may go on with it");
    assert!(left.pending.is_some());
}

#[tokio::test]
async fn a_stop_ends_the_questions() {
    let server = Hostile::new([accepted("Location: /j\r\n", "{}")]).await;
    let upstream = upstream(config(&server.url()));
    let post = call(request(Method::POST));
    let prepared = prepare(&upstream, &post).expect("a request");
    let cancel = CancellationToken::new();
    let within = Within {
        deadline: Instant::now() + LONG,
        cancel: &cancel,
        gate: None,
        groups: &[],
        manner: Manner::default(),
        held: None,
    };
    let stopped = AttemptRefused::Stopped("an operator stopped it".to_owned());
    let mut log = Log { refuse: Some(stopped), ..Log::default() };
    let rule = rule(|_| {});
    let report = polling::run(&post, &prepared, &upstream, within, &rule, None, &mut log).await;
    assert_eq!(failed(&report).kind, FailureKind::Stopped);
    assert!(failed(&report).pending.is_some());
    assert_eq!(server.seen().len(), 1);
}
