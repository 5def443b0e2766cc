//! Secrets stay here, whoever echoes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tollbridge_operation::ApiKeyPlace;

use super::hostile::{Act, Hostile, answer, json};
use super::*;

/// The secret as an upstream could send it back.
fn echoes() -> Vec<String> {
    vec![
        SECRET.to_owned(),
        SECRET.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D"),
        STANDARD.encode(format!("Bearer {SECRET}")),
        hex::encode(SECRET),
    ]
}

fn keyed(base: &str) -> Upstream {
    let mut config = config(base);
    let at = ApiKeyAt { place: ApiKeyPlace::Query, name: "key".to_owned() };
    config.credentials =
        Credentials::ForAll(Credential::ApiKey { at: Some(at), value: Secret::new(SECRET) });
    config.headers =
        vec![(HeaderName::from_static("x-session"), HeaderText::Secret(Secret::new(SECRET)))];
    upstream(config)
}

fn assert_clean(what: &str) {
    for echo in echoes() {
        assert!(!what.contains(&echo), "{echo} in {what}");
    }
}

#[tokio::test]
async fn an_echo_is_redacted_wherever_it_comes() {
    for echo in echoes() {
        let body = serde_json::json!({"headers": {"x": format!("<{echo}>"), echo.as_str(): 1}});
        let body = body.to_string();
        let fault = format!("Content-Type: application/json\r\nX-Fault: {echo}\r\n");
        for act in [
            json(200, &body),
            json(400, &body),
            json(401, &body),
            json(503, &body),
            answer(500, &fault, body.as_bytes()),
            answer(404, "Content-Type: text/html\r\n", body.as_bytes()),
            answer(200, &format!("Content-Encoding: {echo}\r\n"), b"x"),
            answer(200, &format!("Content-Type: {echo}\r\n"), echo.as_bytes()),
            answer(302, &format!("Location: http://h/?{echo}\r\n"), b""),
            answer(302, &format!("Location: http://{}.test/\r\n", hex::encode(SECRET)), b""),
            Act::Close,
            Act::AnswerAndClose(format!("HTTP/1.1 200 {echo}").into_bytes()),
        ] {
            let server = Hostile::new([act]).await;
            let upstream = keyed(&server.url());
            let (report, log) = go(&upstream, &call(request(Method::GET))).await;
            assert!(server.seen()[0].contains("key=s3cr3t-k3y%2Fwith%2Bodd%3Dcharacters"));
            assert_clean(&format!("{report:?}"));
            assert_clean(&format!("{log:?}"));
        }
    }
}

#[tokio::test]
async fn bytes_with_a_secret_in_them_are_not_passed_on() {
    for media_type in ["image/png", "multipart/mixed"] {
        let image = |text: &str| {
            let mut bytes = vec![0x89, b'P', b'N', b'G', 0xff];
            bytes.extend(text.as_bytes());
            answer(200, &format!("Content-Type: {media_type}\r\n"), &bytes)
        };
        let server = Hostile::new([image("clean"), image(SECRET)]).await;
        let upstream = keyed(&server.url());
        let call = call(request(Method::GET));
        let (report, _) = go(&upstream, &call).await;
        let Outcome::Done { payload, .. } = report.outcome else { panic!("{report:?}") };
        assert!(matches!(payload, Payload::Bytes { .. } | Payload::Parts { .. }));
        let (report, _) = go(&upstream, &call).await;
        assert!(failed(&report).message.contains("contain one of its credentials"));
    }
}

#[test]
fn a_preview_shows_everything_but_secrets() {
    let mut request = request(Method::POST);
    request.query = Some(format!("q=1&echo={SECRET}"));
    request.headers = vec![header("x-one", "1"), header("x-echo", SECRET)];
    let upstream = keyed("http://127.0.0.1:1/api");
    let prepared = prepare(&upstream, &call(request)).expect("a request");
    assert_clean(&format!("{prepared:?} {upstream:?}"));
    let preview = serde_json::to_string_pretty(&prepared.preview()).expect("JSON");
    insta::assert_snapshot!(preview);
}

#[test]
fn a_body_that_is_no_text_is_counted() {
    let mut request = request(Method::POST);
    request.body = Some(Body {
        content_type: HeaderValue::from_static("image/png"),
        bytes: Bytes::from_static(&[0xff, 0xfe]),
    });
    let prepared = prepare(&keyed("http://127.0.0.1:1"), &call(request)).expect("a request");
    assert_eq!(prepared.preview().body, Some(Value::from("2 bytes")));
}

#[tokio::test]
async fn refused_credentials_are_said_to_be_refused() {
    for (status, says) in
        [(401, "refused the credentials of [api.shop]"), (403, "do not allow this")]
    {
        let server = Hostile::new([json(status, "{}")]).await;
        let (report, _) = go(&keyed(&server.url()), &call(request(Method::GET))).await;
        let failed = failed(&report);
        assert!(failed.message.contains(says), "{}", failed.message);
    }
    let server = Hostile::new([json(401, "{}")]).await;
    let (report, _) = go(&upstream(config(&server.url())), &call(request(Method::GET))).await;
    assert!(failed(&report).message.contains("none are configured"));
}
