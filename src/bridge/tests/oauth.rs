//! Tokens that are got from an authorization server, which may misbehave too.

use super::hostile::{Act, Hostile, answer, json};
use super::*;

const CLIENT: &str = "cl13nt-s3cr3t";

fn issued(token: &str, more: &str) -> Act {
    let body = format!("{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\"{more}}}");
    json(200, &body)
}

fn ok() -> Act {
    json(200, "{\"ok\":true}")
}

fn oauth(server: &Hostile) -> OAuth {
    OAuth {
        endpoints: Endpoints {
            token: Some(Url::parse(&format!("{}/token", server.url())).expect("a URL")),
            ..Endpoints::default()
        },
        client_id: "bridge".to_owned(),
        client_auth: ClientAuth::Basic(Secret::new(CLIENT)),
        grant: Grant::ClientCredentials,
        scopes: None,
        audience: None,
        resource: None,
        assertion_audience: None,
    }
}

fn with_tokens(api: &Hostile, oauth: OAuth, change: impl FnOnce(&mut UpstreamConfig)) -> Upstream {
    let mut config = config(&api.url());
    change(&mut config);
    let redactor = Redactor::growing([&Secret::new(CLIENT)], []);
    let source = SourceConfig {
        api: ApiName::new("shop").expect("a name"),
        scheme: None,
        oauth,
        tls: &Tls::default(),
        resolver: None,
        proxy: config.proxy.as_ref(),
        hosts: &[],
    };
    let source = TokenSource::new(source, redactor.clone()).expect("a source");
    config.credentials = Credentials::ForAll(Credential::OAuth(Arc::new(source)));
    let mut upstream = Upstream::new(config, Arc::new(redactor)).expect("an upstream");
    upstream.jitter = |max| max / 20;
    upstream
}

/// The tokens that an API's requests carried.
fn tokens(server: &Hostile) -> Vec<Option<String>> {
    let token = |request: &String| {
        let line =
            request.lines().find(|line| line.to_lowercase().starts_with("authorization:"))?;
        Some(line.split_once("Bearer ")?.1.to_owned())
    };
    server.seen().iter().map(token).collect()
}

/// What [`tokens`] gives where each request carried one.
fn sent(tokens: &[&str]) -> Vec<Option<String>> {
    tokens.iter().map(|token| Some((*token).to_owned())).collect()
}

#[tokio::test]
async fn a_token_is_got_through_the_api_s_proxy() {
    let proxy = Hostile::new([issued("t1", ""), ok()]).await;
    let api = Hostile::new([Act::Hang]).await;
    let mut oauth = oauth(&api);
    let endpoint = Url::parse("http://only-the-proxy-knows.invalid/token").expect("a URL");
    oauth.endpoints.token = Some(endpoint);
    let upstream = with_tokens(&api, oauth, |config| {
        let url = Url::parse(&proxy.url()).expect("a URL");
        config.proxy = Some(Proxy { url, login: None });
    });
    let (report, _) = go(&upstream, &call(request(Method::GET))).await;
    assert_eq!(value(&report)["ok"].as_bool(), Some(true));
    let lines = proxy.lines();
    assert_eq!(lines[0], "POST http://only-the-proxy-knows.invalid/token HTTP/1.1");
    assert_eq!(lines[1], format!("GET {}/x HTTP/1.1", api.url()));
    assert!(api.seen().is_empty());
}

#[tokio::test]
async fn fifty_calls_without_a_token_make_one_request_for_it() {
    let late = Duration::from_millis(50);
    let Act::Answer(answer) = issued("t1", ",\"expires_in\":3600") else { panic!("an answer") };
    let server = Hostile::new([Act::Late(late, answer)]).await;
    let api = Hostile::new([ok()]).await;
    let upstream = Arc::new(with_tokens(&api, oauth(&server), |_| {}));
    let calls = (0..50).map(|_| {
        let upstream = Arc::clone(&upstream);
        async move { go(&upstream, &call(request(Method::GET))).await.0 }
    });
    for report in futures::future::join_all(calls).await {
        assert_eq!((value(&report)["ok"].as_bool(), report.attempts), (Some(true), 1));
    }
    assert_eq!(server.lines(), ["POST /token HTTP/1.1"]);
    assert_eq!(tokens(&api), sent(&["t1"; 50]));
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once_and_writes_go_again_too() {
    let server = Hostile::new([issued("t1", ""), issued("t2", "")]).await;
    let refused = || answer(401, "", b"");
    let api = Hostile::new([refused(), ok(), refused()]).await;
    let upstream = with_tokens(&api, oauth(&server), |_| {});
    let (report, log) = go(&upstream, &call(request(Method::POST))).await;
    assert_eq!((value(&report)["ok"].as_bool(), report.attempts), (Some(true), 2));
    assert_eq!(log.started[0].why, "the token was refused, so another one is got");
    assert_eq!(tokens(&api), sent(&["t1", "t2"]));

    // What is refused again so soon is not the token's age.
    let (report, _) = go(&upstream, &call(request(Method::POST))).await;
    assert_eq!((report.attempts, report.status), (1, Some(401)));
    let failed = failed(&report);
    assert_eq!((failed.kind, failed.retryable), (FailureKind::UpstreamError, false));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn calls_whose_token_is_refused_at_the_same_time_go_again_with_one_other() {
    let late = Duration::from_millis(100);
    let Act::Answer(second) = issued("t2", "") else { panic!("an answer") };
    let server = Hostile::new([issued("t1", ""), Act::Late(late, second)]).await;
    let refused = || answer(401, "", b"");
    let api = Hostile::new([refused(), refused(), refused(), ok()]).await;
    let upstream = with_tokens(&api, oauth(&server), |_| {});
    let calls = (0..3).map(|_| async { go(&upstream, &call(request(Method::POST))).await.0 });
    for report in futures::future::join_all(calls).await {
        assert_eq!((value(&report)["ok"].as_bool(), report.attempts), (Some(true), 2));
    }
    assert_eq!((server.seen().len(), api.seen().len()), (2, 6));
}

#[tokio::test]
async fn waiting_for_a_token_takes_nothing_of_the_time_for_the_request() {
    let late = |act: Act, milliseconds| {
        let Act::Answer(answer) = act else { panic!("an answer") };
        Act::Late(Duration::from_millis(milliseconds), answer)
    };
    let server = Hostile::new([late(issued("t1", ""), 350)]).await;
    let api = Hostile::new([late(ok(), 350)]).await;
    let upstream = with_tokens(&api, oauth(&server), |config| {
        config.attempt_timeout = Duration::from_millis(600);
    });
    let (report, log) = go(&upstream, &call(request(Method::POST))).await;
    assert_eq!((value(&report)["ok"].as_bool(), report.attempts), (Some(true), 1));
    let end = &log.finished[0];
    assert!(end.queued >= Duration::from_millis(350), "{end:?}");
    assert!(end.duration < Duration::from_millis(600), "{end:?}");
}

#[tokio::test]
async fn a_token_is_renewed_with_what_came_with_it_and_from_the_start_where_that_is_no_good() {
    let over = ",\"expires_in\":0,\"refresh_token\":\"r1\"";
    let acts = [
        issued("t1", over),
        issued("t2", ",\"expires_in\":0"),
        json(400, "{\"error\":\"invalid_grant\"}"),
        issued("t3", ""),
    ];
    let server = Hostile::new(acts).await;
    let api = Hostile::new([ok()]).await;
    let upstream = with_tokens(&api, oauth(&server), |_| {});
    for _ in 0..4 {
        let (report, _) = go(&upstream, &call(request(Method::GET))).await;
        assert_eq!(value(&report)["ok"].as_bool(), Some(true));
    }
    let bodies: Vec<String> = server
        .seen()
        .iter()
        .map(|request| request.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
        .collect();
    let refresh = "grant_type=refresh_token&refresh_token=r1";
    let first = "grant_type=client_credentials";
    assert_eq!(bodies, [first, refresh, refresh, first]);
    assert_eq!(tokens(&api), sent(&["t1", "t2", "t3", "t3"]));
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let api = Hostile::new([ok()]).await;
    for (act, retryable, said) in [
        (json(401, "{\"error\":\"invalid_client\"}"), false, "`invalid_client`"),
        (json(200, "{\"access_token\":\"t\",\"token_type\":\"mac\"}"), false, "no bearer tokens"),
        (answer(503, "", b""), true, "answered 503"),
        (Act::Close, true, "cannot be reached"),
    ] {
        let server = Hostile::new([act]).await;
        let upstream = with_tokens(&api, oauth(&server), |_| {});
        let (report, log) = go(&upstream, &call(request(Method::POST))).await;
        let failed = failed(&report);
        assert_eq!(failed.kind, FailureKind::UpstreamUnavailable, "{said}");
        assert_eq!(failed.retryable, retryable, "{said}");
        assert!(failed.message.contains(said), "{}", failed.message);
        assert!(!format!("{} {:?}", failed.message, log.finished).contains(CLIENT));
        // The failure stands for a while: attempts do not become requests for tokens.
        assert_eq!(server.seen().len(), 1, "{said}");
    }
    assert_eq!(api.connections(), 0);
}

#[tokio::test]
async fn a_token_that_is_echoed_is_redacted() {
    let server = Hostile::new([issued("t0ken-of-the-day", "")]).await;
    let api = Hostile::new([json(200, "{\"you\":\"t0ken-of-the-day\"}")]).await;
    let upstream = with_tokens(&api, oauth(&server), |_| {});
    let (report, _) = go(&upstream, &call(request(Method::GET))).await;
    assert_eq!(value(&report)["you"], crate::secret::REDACTED);
}

#[tokio::test]
async fn a_token_that_is_used_is_redacted_however_many_others_were_issued_since() {
    let server = Hostile::new([issued("t0ken-of-the-day", "")]).await;
    let api = Hostile::new([json(200, "{\"you\":\"t0ken-of-the-day\"}")]).await;
    let upstream = with_tokens(&api, oauth(&server), |_| {});
    for _ in 0..2 {
        let (report, _) = go(&upstream, &call(request(Method::GET))).await;
        assert_eq!(value(&report)["you"], crate::secret::REDACTED);
        for n in 0..300 {
            assert!(upstream.redactor.learn(&Secret::new(format!("another-t0ken-{n}"))));
        }
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_token_is_not_sent_to_another_host() {
    let server = Hostile::new([issued("t1", "")]).await;
    let other = Hostile::new([ok()]).await;
    let location = format!("Location: {}/y\r\n", other.url());
    let api = Hostile::new([answer(307, &location, b"")]).await;
    let upstream = with_tokens(&api, oauth(&server), |config| {
        config.redirects = Redirects::Follow;
        config.hosts = vec![other.address.to_string()];
    });
    let (report, _) = go(&upstream, &call(request(Method::GET))).await;
    assert_eq!(value(&report)["ok"].as_bool(), Some(true));
    assert_eq!((tokens(&api), tokens(&other)), (sent(&["t1"]), vec![None]));
}

#[tokio::test]
async fn a_server_that_is_silent_costs_no_more_than_the_attempt() {
    let server = Hostile::new([Act::Hang]).await;
    let api = Hostile::new([ok()]).await;
    let upstream = with_tokens(&api, oauth(&server), |config| {
        config.attempt_timeout = Duration::from_millis(50);
    });
    let (report, _) =
        go_within(&upstream, &call(request(Method::GET)), Duration::from_millis(200)).await;
    assert_eq!(failed(&report).kind, FailureKind::UpstreamUnavailable);
    assert_eq!((server.seen().len(), api.connections()), (1, 0));
}
