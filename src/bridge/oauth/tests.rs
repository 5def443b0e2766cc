use super::*;
use crate::bridge::tests::hostile::{Hostile, answer, json};
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use http::HeaderValue;
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::time::Instant;
use url::Url;

use super::slot::Token;
use crate::secret::Secret;

fn oauth(token_url: &str, grant: Grant) -> OAuth {
    OAuth {
        endpoints: Endpoints {
            token: Some(Url::parse(token_url).expect("a URL")),
            ..Endpoints::default()
        },
        client_id: "bridge".to_owned(),
        client_auth: ClientAuth::None,
        grant,
        scopes: None,
        audience: None,
        resource: None,
        assertion_audience: None,
    }
}

fn source(oauth: OAuth) -> TokenSource {
    let config = SourceConfig {
        api: ApiName::new("shop").expect("a name"),
        scheme: None,
        oauth,
        tls: &Tls::default(),
        resolver: None,
        proxy: None,
        hosts: &[],
    };
    TokenSource::new(config, Redactor::growing([], [])).expect("a source")
}

#[tokio::test]
async fn a_token_that_is_about_to_end_is_renewed_while_calls_go_on_with_it() {
    let server = Hostile::new([json(200, "{\"access_token\":\"t2\"}")]).await;
    let oauth = oauth(&server.url(), Grant::ClientCredentials);
    let source = source(oauth).slot(&Identity::new("ann").expect("an identity"));
    let now = Instant::now();
    *source.current.write().expect("a lock") = Some(Token {
        number: 0,
        secret: Secret::new("t1"),
        header: HeaderValue::from_static("Bearer t1"),
        renew_at: Some(now),
        ends_at: Some(now + Duration::from_mins(1)),
    });
    let limit = now + Duration::from_secs(5);
    for _ in 0..3 {
        assert_eq!(source.token(limit, None).await.expect("a token").header, "Bearer t1");
    }
    server.until_seen(1).await;
    while source.token(limit, None).await.expect("a token").number == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(source.token(limit, None).await.expect("a token").header, "Bearer t2");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn metadata_counts_for_its_own_issuer_and_known_hosts_only() {
    let unusable = |why: &str| Err(NoToken::Unusable(why.to_owned()));
    let (known, elsewhere) = (&["tokens.example.com"][..], "https://tokens.example.com/token");
    for (path, token, hosts, expected) in [
        ("/tenant", elsewhere, known, Ok(elsewhere.to_owned())),
        (
            "/tenant",
            elsewhere,
            &[],
            unusable(
                "the issuer's token_endpoint is at tokens.example.com; if that host is trusted, \
                 add it to `hosts` of the API",
            ),
        ),
        (
            "/tenant",
            "http://tokens.example.com/token",
            known,
            unusable("the issuer's token_endpoint is not reached over https"),
        ),
        (
            "/other",
            elsewhere,
            known,
            unusable("the metadata is of another issuer than the one that was asked"),
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let metadata =
            serde_json::json!({ "issuer": format!("{url}{path}"), "token_endpoint": token });
        let acts = [answer(404, "", b""), json(200, &metadata.to_string())];
        let server = Hostile::on(listener, acts);
        let issuer = Url::parse(&format!("{url}/tenant")).expect("a URL");
        let endpoints = Endpoints { issuer: Some(issuer), ..Endpoints::default() };
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let asked =
            AuthServer::new(endpoints, &hosts, &Tls::default(), None, None).expect("a server");
        let found = asked.found(None).await.map(|found| found.token.to_string());
        assert_eq!(found, expected);
        let again = asked.found(None).await;
        assert_eq!(again.is_ok(), found.is_ok());
        let lines = server.lines();
        assert_eq!(
            lines[..2],
            [
                "GET /.well-known/oauth-authorization-server/tenant HTTP/1.1",
                "GET /tenant/.well-known/openid-configuration HTTP/1.1",
            ]
        );
        assert!(found.is_err() || lines.len() == 2, "what was found is known for a while");
    }
}

/// Keeps one token, as another process may have left it.
#[derive(Debug, Default)]
struct OneToken(Mutex<Option<KeptToken>>);

impl TokenKeeper for OneToken {
    fn load<'a>(&'a self, _: &'a TokenName) -> BoxFuture<'a, Result<Option<KeptToken>, String>> {
        ready(Ok(self.0.lock().expect("a lock").clone())).boxed()
    }

    fn save<'a>(
        &'a self,
        _: &'a TokenName,
        kept: &'a KeptToken,
    ) -> BoxFuture<'a, Result<(), String>> {
        *self.0.lock().expect("a lock") = Some(kept.clone());
        ready(Ok(())).boxed()
    }

    fn forget<'a>(&'a self, _: &'a TokenName) -> BoxFuture<'a, ()> {
        *self.0.lock().expect("a lock") = None;
        ready(()).boxed()
    }

    fn lease<'a>(&'a self, _: &'a TokenName, _: Duration) -> BoxFuture<'a, bool> {
        ready(true).boxed()
    }

    fn note<'a>(&'a self, _: &'a TokenName, _: Option<SystemTime>) -> BoxFuture<'a, ()> {
        ready(()).boxed()
    }

    fn release<'a>(&'a self, _: &'a TokenName) -> BoxFuture<'a, ()> {
        ready(()).boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_another_process_changes_or_ends_is_noticed_while_calls_go_on() {
    let kept = |token: &str| KeptToken {
        token: Secret::new(token),
        refresh: None,
        scopes: None,
        issued: SystemTime::now(),
        ends: None,
    };
    let keeper = Arc::new(OneToken(Mutex::new(Some(kept("t1")))));
    let source = source(oauth(
        "http://127.0.0.1:1/token",
        Grant::Login(Login { device: false, each: false }),
    ));
    source.keep_in(keeper.clone());
    let slot = source.slot(&Identity::new("ann").expect("an identity"));
    let token = async || {
        let limit = Instant::now() + Duration::from_secs(5);
        let got = slot.token(limit, None).await;
        // What was begun beside the call comes to its end.
        tokio::time::sleep(Duration::from_secs(3)).await;
        got.map(|token| token.header.to_str().expect("text").to_owned())
    };
    assert_eq!(token().await, Ok("Bearer t1".to_owned()));
    *keeper.0.lock().expect("a lock") = Some(kept("t2"));
    assert_eq!(token().await, Ok("Bearer t1".to_owned()));
    assert_eq!(token().await, Ok("Bearer t2".to_owned()));
    *keeper.0.lock().expect("a lock") = None;
    assert_eq!(token().await, Ok("Bearer t2".to_owned()));
    assert_eq!(token().await, Err(NoToken::NotLoggedIn("tollbridge login shop".to_owned())));
}
