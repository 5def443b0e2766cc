use super::*;
use crate::bridge::tests::hostile::{Hostile, json};
use http::HeaderValue;
use std::time::Duration;
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
        assert_eq!(source.token(limit).await.expect("a token").header, "Bearer t1");
    }
    server.until_seen(1).await;
    while source.token(limit).await.expect("a token").number == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(source.token(limit).await.expect("a token").header, "Bearer t2");
    assert_eq!(server.seen().len(), 1);
}
