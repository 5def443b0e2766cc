//! Digest authentication, judged by the formulas of RFC 7616 §3.4 written out again.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::hostile::{Act, Hostile, answer, json};
use super::*;

const REALM: &str = "orders";

fn challenge(nonce: &str, more: &str) -> Act {
    let header = format!(
        "WWW-Authenticate: Basic realm=\"x\", Digest realm=\"{REALM}\", nonce=\"{nonce}\", \
         qop=\"auth\", algorithm=SHA-256{more}\r\n"
    );
    answer(401, &header, b"")
}

fn ok() -> Act {
    json(200, "{\"ok\":true}")
}

fn digest(base: &str) -> Upstream {
    let digest = Digest::new("bridge".to_owned(), Secret::new(SECRET));
    let mut config = config(base);
    config.credentials = Credentials::ForAll(Credential::Digest(Arc::new(digest)));
    upstream(config)
}

/// The members of the proof that a request carries.
fn proof(request: &str) -> Option<HashMap<String, String>> {
    let line = request.lines().find(|line| line.to_lowercase().starts_with("authorization:"))?;
    let members = line.split_once("Digest ")?.1;
    let member = |text: &str| {
        let (name, value) = text.trim().split_once('=')?;
        Some((name.to_owned(), value.trim_matches('"').to_owned()))
    };
    Some(members.split(',').filter_map(member).collect())
}

fn hash(parts: &[&str]) -> String {
    hex::encode(Sha256::digest(parts.join(":")))
}

fn is_right(request: &str) -> bool {
    let Some(proof) = proof(request) else { return false };
    let method = request.split(' ').next().unwrap_or_default();
    let secret = hash(&["bridge", REALM, SECRET]);
    let what = hash(&[method, &proof["uri"]]);
    let parts = [&secret, &proof["nonce"], &proof["nc"], &proof["cnonce"], &proof["qop"], &what];
    proof["response"] == hash(&parts.map(String::as_str))
}

#[tokio::test]
async fn a_challenge_is_answered_once_and_kept_for_later_calls() {
    let server = Hostile::new([challenge("n1", ""), ok(), ok()]).await;
    let upstream = digest(&server.url());
    let call = call(request(Method::POST));
    let (report, log) = go(&upstream, &call).await;
    assert_eq!((value(&report)["ok"].as_bool(), report.attempts), (Some(true), 2));
    assert_eq!(log.started[0].why, "asked for digest authentication");
    let (report, _) = go(&upstream, &call).await;
    assert_eq!(report.attempts, 1);
    let seen = server.seen();
    assert_eq!(seen.iter().map(|one| is_right(one)).collect::<Vec<_>>(), [false, true, true]);
    let counts: Vec<String> =
        seen[1..].iter().map(|one| proof(one).unwrap()["nc"].clone()).collect();
    assert_eq!(counts, ["00000001", "00000002"]);
    assert!(seen.iter().all(|one| !one.contains(SECRET)));
}

#[tokio::test]
async fn a_stale_challenge_is_replaced_and_a_wrong_password_is_not_tried_again() {
    let acts = [challenge("n1", ""), challenge("n2", ", stale=true"), ok()];
    let server = Hostile::new(acts).await;
    let (report, _) = go(&digest(&server.url()), &call(request(Method::GET))).await;
    assert_eq!((value(&report)["ok"].as_bool(), report.attempts), (Some(true), 3));

    let server = Hostile::new([challenge("n1", ""), challenge("n2", "")]).await;
    let (report, _) = go(&digest(&server.url()), &call(request(Method::GET))).await;
    assert_eq!((failed(&report).kind, report.attempts), (FailureKind::UpstreamError, 2));
    assert!(failed(&report).message.contains("refused the credentials"));

    let stale = || challenge("n", ", stale=true");
    let server = Hostile::new([stale(), stale(), stale()]).await;
    let (report, _) = go(&digest(&server.url()), &call(request(Method::GET))).await;
    assert_eq!((failed(&report).kind, report.attempts), (FailureKind::UpstreamError, 3));
}

#[tokio::test]
async fn a_nonce_that_is_kept_in_a_cookie_is_answered_with_it_within_the_call() {
    let with_cookies = |nonce: &str, more: &str| {
        let Act::Answer(bytes) = challenge(nonce, more) else { unreachable!("it is an answer") };
        let text = String::from_utf8(bytes).expect("text");
        let cookies = format!(
            "Set-Cookie: nonce={nonce}; Path=/; HttpOnly\r\nSet-Cookie: gone=1; Max-Age=0\r\n\
             Set-Cookie: https=1; Secure\r\nSet-Cookie: other=1; Path=/y\r\n"
        );
        Act::Answer(
            text.replacen("WWW-Authenticate", &(cookies + "WWW-Authenticate"), 1).into_bytes(),
        )
    };
    let acts = [
        with_cookies("n1", ""),
        with_cookies("n2", ", stale=true"),
        ok(),
        with_cookies("n3", ""),
        ok(),
    ];
    let server = Hostile::new(acts).await;
    let upstream = digest(&server.url());
    let call = call(request(Method::GET));
    let (report, _) = go(&upstream, &call).await;
    assert_eq!((value(&report)["ok"].as_bool(), report.attempts), (Some(true), 3));
    let (report, _) = go(&upstream, &call).await;
    assert_eq!(report.attempts, 2, "what one call was asked is nothing to the next");
    let seen = server.seen();
    let cookie = |one: &String| {
        let line = one.lines().find(|line| line.to_lowercase().starts_with("cookie:"));
        line.map(|line| line[7..].trim().to_owned())
    };
    let cookies: Vec<_> = seen.iter().map(cookie).collect();
    let expected = [None, Some("nonce=n1"), Some("nonce=n2"), None, Some("nonce=n3")];
    assert_eq!(cookies, expected.map(|one| one.map(str::to_owned)));
    let nonces: Vec<_> =
        seen.iter().map(|one| proof(one).map(|all| all["nonce"].clone())).collect();
    assert_eq!(
        nonces,
        [None, Some("n1"), Some("n2"), None, Some("n3")].map(|n| n.map(str::to_owned))
    );
    assert!([1, 2, 4].iter().all(|&at| is_right(&seen[at])));
}

#[tokio::test]
async fn a_challenges_cookie_takes_the_name_of_none_that_the_call_sends() {
    let header = format!(
        "Set-Cookie: sid=theirs\r\nSet-Cookie: n=1\r\n\
         WWW-Authenticate: Digest realm=\"{REALM}\", nonce=\"n\", qop=auth, algorithm=SHA-256\r\n"
    );
    let server = Hostile::new([answer(401, &header, b""), ok()]).await;
    let mut request = request(Method::GET);
    request.cookies = vec!["sid=ours".to_owned()];
    let (report, _) = go(&digest(&server.url()), &call(request)).await;
    assert_eq!(value(&report)["ok"].as_bool(), Some(true));
    assert!(
        server.seen()[1].to_lowercase().contains("cookie: sid=ours; n=1\r\n"),
        "{:?}",
        server.seen()
    );
}

#[tokio::test]
async fn an_algorithm_is_known_in_any_case() {
    let header = format!(
        "WWW-Authenticate: Digest realm=\"{REALM}\", nonce=\"n\", qop=auth, algorithm=sha-256\r\n"
    );
    let server = Hostile::new([answer(401, &header, b""), ok()]).await;
    let (report, _) = go(&digest(&server.url()), &call(request(Method::GET))).await;
    assert_eq!((value(&report)["ok"].as_bool(), report.attempts), (Some(true), 2));
    assert!(is_right(&server.seen()[1]));
}

#[tokio::test]
async fn what_is_no_challenge_of_ours_is_not_answered() {
    for header in [
        "",
        "WWW-Authenticate: Basic realm=\"x\"\r\n",
        "WWW-Authenticate: Digest realm=\"x\"\r\n",
        "WWW-Authenticate: Digest realm=\"x\", nonce=\"n\", algorithm=ROT13\r\n",
        "WWW-Authenticate: ,,=\r\n",
    ] {
        let server = Hostile::new([answer(401, header, b"")]).await;
        let (report, _) = go(&digest(&server.url()), &call(request(Method::GET))).await;
        assert_eq!(
            (failed(&report).kind, report.attempts),
            (FailureKind::UpstreamError, 1),
            "{header}"
        );
    }
}

#[test]
fn a_rehearsal_shows_that_there_will_be_a_proof() {
    let upstream = digest("http://127.0.0.1:1");
    let preview = prepare(&upstream, &call(request(Method::GET))).expect("a request").preview();
    let shown = preview.headers.iter().find(|(name, _)| name == "authorization");
    assert_eq!(shown.map(|(_, value)| value.as_str()), Some("[redacted]"));
}
