use super::*;
use url::Url;

use crate::bridge::signing::tests::p256;

fn oauth(grant: Grant) -> OAuth {
    OAuth {
        endpoints: Endpoints::default(),
        client_id: "a b".to_owned(),
        client_auth: ClientAuth::Basic(Secret::new("s:+%")),
        grant,
        scopes: None,
        audience: None,
        resource: Some("https://api.example.com/".to_owned()),
        assertion_audience: None,
    }
}

fn server() -> Found {
    Found::at(Url::parse("https://id.example.com/token").expect("a URL"))
}

fn asks(oauth: &OAuth, asked: Asked<'_>, needed: &[&str]) -> (HeaderMap, String) {
    let needed: Vec<String> = needed.iter().map(|scope| (*scope).to_owned()).collect();
    oauth.request(asked, &server(), &needed, SystemTime::UNIX_EPOCH).expect("a request")
}

#[test]
fn each_grant_asks_as_its_section_says() {
    let password = Grant::Password { username: "ann".to_owned(), password: Secret::new("p&w") };
    let login = Grant::Login(Login { device: false, each: true });
    let secret = Secret::new("r1");
    let first = Asked::First(None);
    let code = Asked::Code { code: &secret, verifier: &secret, redirect: "http://127.0.0.1:1/" };
    let scope = "&scope=read+write%3Aall";
    for (grant, asked, expected) in [
        (Grant::ClientCredentials, first, format!("grant_type=client_credentials{scope}")),
        (password, first, format!("grant_type=password&username=ann&password=p%26w{scope}")),
        (
            Grant::RefreshToken(Secret::new("r0")),
            first,
            format!("grant_type=refresh_token&refresh_token=r0{scope}"),
        ),
        (
            Grant::ClientCredentials,
            Asked::Refresh(&secret),
            "grant_type=refresh_token&refresh_token=r1".to_owned(),
        ),
        (
            login.clone(),
            code,
            "grant_type=authorization_code&code=r1&code_verifier=r1\
             &redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2F"
                .to_owned(),
        ),
        (
            login,
            Asked::Device(&secret),
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=r1"
                .to_owned(),
        ),
    ] {
        let expected = format!("{expected}&resource=https%3A%2F%2Fapi.example.com%2F");
        assert_eq!(asks(&oauth(grant), asked, &["read", "write:all"]).1, expected);
    }
}

#[test]
fn a_client_proves_itself_in_one_place_only() {
    let mut oauth = oauth(Grant::ClientCredentials);
    oauth.resource = None;
    let first = Asked::First(None);
    let (headers, body) = asks(&oauth, first, &[]);
    // §2.3.1: both are encoded as a form's values before they are joined.
    let sent = headers[AUTHORIZATION].to_str().expect("text").trim_start_matches("Basic ");
    assert_eq!(STANDARD.decode(sent).expect("base64"), b"a+b:s%3A%2B%25");
    assert!(headers[AUTHORIZATION].is_sensitive());
    assert_eq!(body, "grant_type=client_credentials");
    oauth.client_auth = ClientAuth::Post(Secret::new("s:+%"));
    let (headers, body) = asks(&oauth, first, &[]);
    assert!(!headers.contains_key(AUTHORIZATION));
    assert_eq!(body, "grant_type=client_credentials&client_id=a+b&client_secret=s%3A%2B%25");
    oauth.client_auth = ClientAuth::None;
    assert_eq!(asks(&oauth, first, &[]).1, "grant_type=client_credentials&client_id=a+b");
}

#[test]
fn who_is_not_among_the_subjects_is_nobody_to_the_server() {
    let about = |subjects: &[(&str, &str)]| {
        let subjects = subjects.iter().map(|(name, to)| ((*name).to_owned(), (*to).to_owned()));
        oauth(Grant::JwtBearer(OnBehalf {
            key: Arc::new(SigningKey::from_pem(&p256(), None).expect("a key")),
            issuer: "bridge".to_owned(),
            subjects: Some(subjects.collect()),
        }))
    };
    let known = about(&[("ann", "ann@example.com")]);
    let (_, body) = asks(&known, Asked::First(Some("ann")), &[]);
    let assertion = body.split("assertion=").nth(1).expect("an assertion");
    let claims = assertion.split('.').nth(1).expect("claims");
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).expect("base64");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    assert_eq!(
        (&claims["iss"], &claims["sub"], &claims["aud"], &claims["exp"]),
        (
            &json!("bridge"),
            &json!("ann@example.com"),
            &json!("https://id.example.com/token"),
            &json!(120)
        )
    );
    let request = known.request(Asked::First(Some("bob")), &server(), &[], SystemTime::UNIX_EPOCH);
    assert_eq!(request.map(drop), Err(NoToken::NoSubject("bob".to_owned())));
}
