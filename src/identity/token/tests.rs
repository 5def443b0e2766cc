#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::jws::Token;
use super::keys::KeySet;
use super::*;
use crate::identity::{Claim, Proof};
use crate::secret::Secret;

const ISSUER: &str = "https://id.example.com/";
const AUDIENCE: &str = "https://bridge.example.com/mcp";

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key of an issuer's.
struct Signing {
    id: &'static str,
    key: EcdsaKeyPair,
}

impl Signing {
    fn new(id: &'static str) -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let der = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self { id, key: EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref(), &random).unwrap() }
    }

    fn jwk(&self) -> Value {
        let point = self.key.public_key().as_ref();
        json!({
            "kty": "EC", "crv": "P-256", "kid": self.id,
            "x": encode(&point[1..33]), "y": encode(&point[33..]),
        })
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(signature))
    }

    fn token(&self, claims: &Value) -> String {
        self.sign(&json!({"alg": "ES256", "kid": self.id, "typ": "at+jwt"}), claims)
    }
}

fn set(keys: &[&Signing]) -> Vec<u8> {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    json!({"keys": keys}).to_string().into_bytes()
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "alice",
        "exp": now() + 300, "iat": now(), "nbf": now(),
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn rules() -> ClaimRules {
    ClaimRules {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        identity: "sub".to_owned(),
        ..ClaimRules::default()
    }
}

/// Keys that are served, and how often they were asked for. `None`: the issuer is down.
#[derive(Default)]
struct Served {
    set: Mutex<Option<Vec<u8>>>,
    asked: AtomicUsize,
}

impl Served {
    fn these(keys: &[&Signing]) -> Arc<Self> {
        let served = Self::default();
        *served.set.lock().unwrap() = Some(set(keys));
        Arc::new(served)
    }

    fn now(&self, set: Option<Vec<u8>>) {
        *self.set.lock().unwrap() = set;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn tokens(served: &Arc<Served>, rules: ClaimRules, typed: bool) -> Tokens {
    let served = Arc::clone(served);
    let keys = Keyring::new(Arc::new(move |()| {
        served.asked.fetch_add(1, Ordering::Relaxed);
        let set = served.set.lock().unwrap().clone();
        async move { set.ok_or_else(|| "it is down".to_owned()) }.boxed()
    }));
    let algorithms = vec![Algorithm::Es256, Algorithm::Rs256];
    Tokens::Jwt { keys, rules, algorithms, typed }
}

async fn why(tokens: &Tokens, token: &str) -> &'static str {
    match tokens.verify(token, None).await {
        Ok(known) => panic!("it stands for {known:?}"),
        Err(NotKnown::Invalid(why)) => why,
        Err(NotKnown::Nothing) => "nothing",
        Err(NotKnown::Unavailable) => "unavailable",
    }
}

#[tokio::test]
async fn a_good_token_says_who_it_is_and_what_it_allows() {
    let key = Signing::new("k1");
    let rules = ClaimRules {
        groups: Some("/realm_access/roles".to_owned()),
        kept: vec!["https://acme.example/tenant".into(), "level".into(), "mfa".into(), "no".into()],
        ..rules()
    };
    let tokens = tokens(&Served::these(&[&key]), rules, true);
    let mut claims = claims();
    claims["aud"] = json!(["other", AUDIENCE]);
    claims["scope"] = json!("orders:read  orders:write");
    claims["client_id"] = json!("desk");
    claims["realm_access"] = json!({"roles": ["ops", 7, "night"]});
    claims["https://acme.example/tenant"] = json!("north");
    claims["level"] = json!(3);
    claims["mfa"] = json!(true);
    let known = tokens.verify(&key.token(&claims), None).await.unwrap();
    assert_eq!(known.identity.as_str(), "alice");
    assert_eq!(known.groups, ["ops", "night"]);
    let facts = &known.facts;
    assert_eq!((facts.proof, facts.client_id.as_deref()), (Proof::Token, Some("desk")));
    let scopes = ["orders:read", "orders:write"].map(str::to_owned);
    assert_eq!(facts.scopes, Some(BTreeSet::from(scopes)));
    let expected = [
        ("https://acme.example/tenant", Claim::Text("north".into())),
        ("level", Claim::Number(3)),
        ("mfa", Claim::Flag(true)),
    ];
    assert_eq!(facts.claims, expected.map(|(name, value)| (name.to_owned(), value)).into());
}

#[tokio::test]
async fn scopes_are_read_as_servers_write_them_and_a_token_without_any_allows_none() {
    let key = Signing::new("k1");
    let tokens = tokens(&Served::these(&[&key]), rules(), false);
    for (claims, expected) in [
        (with("scope", json!("a b")), vec!["a", "b"]),
        (with("scp", json!("a b")), vec!["a", "b"]),
        (with("scp", json!(["a", "b"])), vec!["a", "b"]),
        (claims(), vec![]),
    ] {
        let known = tokens.verify(&key.token(&claims), None).await.unwrap();
        let scopes: Vec<_> = known.facts.scopes.clone().unwrap().into_iter().collect();
        assert_eq!(scopes, expected);
    }
}

#[tokio::test]
async fn claims_that_do_not_hold_are_refused() {
    let key = Signing::new("k1");
    let tokens = tokens(&Served::these(&[&key]), rules(), false);
    let mut eternal = claims();
    eternal.as_object_mut().unwrap().remove("exp");
    for (claims, expected) in [
        (with("iss", json!("https://id.example.com")), "the token is of another issuer"),
        (with("iss", json!(null)), "the token is of another issuer"),
        (with("aud", json!("https://other.example.com/mcp")), "the token is not for this server"),
        (with("aud", json!([])), "the token is not for this server"),
        (with("aud", json!(null)), "the token is not for this server"),
        (with("exp", json!(now() - 31)), "the token has expired"),
        (with("exp", json!("9999999999")), "the token does not say when it expires"),
        (eternal, "the token does not say when it expires"),
        (with("nbf", json!(now() + 60)), "the token is not valid yet"),
        (with("iat", json!(now() + 60)), "the token is not valid yet"),
        (with("nbf", json!("soon")), "the token is not valid yet"),
        (with("sub", json!("")), "the token does not say who its bearer is"),
        (with("sub", json!("a\nb")), "the token does not say who its bearer is"),
        (with("sub", json!(7)), "the token does not say who its bearer is"),
        (with("cnf", json!({"jkt": "x"})), "the token is bound to a key that is not verified here"),
        (with("cnf", json!("x")), "what the token is bound to cannot be read"),
    ] {
        assert_eq!(why(&tokens, &key.token(&claims)).await, expected, "{claims}");
    }
    // The clocks may differ by half a minute.
    for claims in
        [with("exp", json!(now() - 10)), with("nbf", json!(now() + 10)), with("exp", json!(1e10))]
    {
        assert!(tokens.verify(&key.token(&claims), None).await.is_ok(), "{claims}");
    }
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_is_good_with_that_one_alone() {
    let key = Signing::new("k1");
    let tokens = tokens(&Served::these(&[&key]), rules(), false);
    let token = key.token(&with("cnf", json!({"x5t#S256": "thumb"})));
    assert!(tokens.verify(&token, Some("thumb")).await.is_ok());
    for other in [None, Some("index")] {
        assert!(tokens.verify(&token, other).await.is_err(), "{other:?}");
    }
    let both = key.token(&with("cnf", json!({"x5t#S256": "thumb", "jkt": "x"})));
    assert!(tokens.verify(&both, Some("thumb")).await.is_err());
}

#[tokio::test]
async fn no_trick_with_a_header_makes_a_token_good() {
    let (key, mallory) = (Signing::new("k1"), Signing::new("k1"));
    let served = Served::these(&[&key]);
    let tokens = tokens(&served, rules(), false);
    let good = key.token(&claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let payload = encode(claims().to_string());
    let header = |header: Value| encode(header.to_string());
    let none = header(json!({"alg": "none"}));
    let hmac = header(json!({"alg": "HS256", "kid": "k1"}));
    let confused = header(json!({"alg": "RS256", "kid": "k1"}));
    let raised = encode(with("sub", json!("root")).to_string());
    let point = mallory.jwk();
    for (token, what) in [
        (format!("{none}.{payload}."), "no signature"),
        (format!("{none}.{payload}.{signature}"), "none with a signature"),
        (format!("{hmac}.{payload}.{signature}"), "a MAC"),
        (format!("{confused}.{payload}.{signature}"), "another algorithm than the key's"),
        (format!("{}.{raised}.{signature}", signed.split_once('.').unwrap().0), "other claims"),
        (mallory.token(&claims()), "another key of that name"),
        (
            mallory.sign(&json!({"alg": "ES256", "jwk": point}), &claims()),
            "a key that it brings itself",
        ),
        (
            mallory.sign(&json!({"alg": "ES256", "jku": "https://evil.example/"}), &claims()),
            "the place of a key",
        ),
        (
            key.sign(&json!({"alg": "ES256", "kid": "../../k1"}), &claims()),
            "the name of a key that is a path",
        ),
        (
            key.sign(&json!({"alg": "ES256", "kid": "k1' OR '1'='1"}), &claims()),
            "the name of a key that is a query",
        ),
        (
            key.sign(&json!({"alg": "ES256", "kid": "k1", "crit": ["exp"]}), &claims()),
            "an extension",
        ),
        (
            key.sign(&json!({"alg": "ES256", "kid": "k1", "typ": "logout+jwt"}), &claims()),
            "another kind of token",
        ),
        (format!("{good}="), "padding"),
        (format!("{good}.x"), "another part"),
        (signed.to_owned(), "no signature at all"),
        (format!("{good}\u{e9}"), "not ASCII"),
        (String::new(), "nothing"),
        ("..".to_owned(), "dots"),
        ("a".repeat(MAX_TOKEN + 1), "too long"),
    ] {
        assert_ne!(why(&tokens, &token).await, "unavailable", "{what}");
    }
    assert!(tokens.verify(&good, None).await.is_ok());
    // Who has an allowed algorithm that the configuration does not name.
    let only = Tokens::Jwt {
        keys: Keyring::new(Arc::new(move |()| {
            let set = set(&[&key]);
            async move { Ok(set) }.boxed()
        })),
        rules: rules(),
        algorithms: vec![Algorithm::Rs256],
        typed: false,
    };
    let expected = "the token is signed by an algorithm that does not count";
    assert_eq!(why(&only, &good).await, expected);
}

#[tokio::test]
async fn what_kind_of_token_it_says_that_it_is_may_matter() {
    let key = Signing::new("k1");
    let served = Served::these(&[&key]);
    let (loose, strict) = (tokens(&served, rules(), false), tokens(&served, rules(), true));
    for (kind, may, must) in [
        (json!("at+jwt"), true, true),
        (json!("application/at+jwt"), true, true),
        (json!("JWT"), true, false),
        (json!(null), true, false),
        (json!("dpop+jwt"), false, false),
    ] {
        let token = key.sign(&json!({"alg": "ES256", "kid": "k1", "typ": kind}), &claims());
        assert_eq!(loose.verify(&token, None).await.is_ok(), may, "{kind}");
        assert_eq!(strict.verify(&token, None).await.is_ok(), must, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_fetched_and_a_flood_of_unknown_ones_is_not() {
    let (old, new, mallory) = (Signing::new("old"), Signing::new("new"), Signing::new("?"));
    let served = Served::these(&[&old]);
    let tokens = tokens(&served, rules(), false);
    assert!(tokens.verify(&old.token(&claims()), None).await.is_ok());
    assert!(tokens.verify(&old.token(&claims()), None).await.is_ok());
    assert_eq!(served.asked(), 1);
    // The issuer rotates, a moment after its keys were fetched.
    served.now(Some(set(&[&old, &new])));
    assert!(tokens.verify(&new.token(&claims()), None).await.is_ok());
    assert!(tokens.verify(&old.token(&claims()), None).await.is_ok());
    assert_eq!(served.asked(), 2);
    tokio::time::sleep(Duration::from_mins(1)).await;
    for _ in 0..200 {
        assert!(tokens.verify(&mallory.token(&claims()), None).await.is_err());
    }
    assert_eq!(served.asked(), 5);
    // And one that was withdrawn is not taken any more once it is noticed.
    tokio::time::sleep(Duration::from_secs(601)).await;
    served.now(Some(set(&[&new])));
    assert!(tokens.verify(&old.token(&claims()), None).await.is_err());
    assert_eq!(served.asked(), 6);
}

/// Whether a token's signature need not be verified again.
fn is_remembered(tokens: &Tokens, token: &str) -> bool {
    let Tokens::Jwt { keys, .. } = tokens else { panic!("they are no JWTs") };
    keys.remembered(&Sha256::digest(token).into()).is_some()
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_taken_is_remembered_while_its_key_is_there_and_fresh() {
    let (old, new) = (Signing::new("old"), Signing::new("new"));
    let served = Served::these(&[&old, &new]);
    let tokens = tokens(&served, rules(), false);
    let (one, other) = (old.token(&claims()), new.token(&claims()));
    assert!(tokens.verify(&one, None).await.is_ok());
    assert!(is_remembered(&tokens, &one) && !is_remembered(&tokens, &other));
    assert_eq!(tokens.verify(&one, None).await.unwrap().identity.as_str(), "alice");
    // Whatever the issuer says by then, it is asked.
    tokio::time::sleep(Duration::from_secs(601)).await;
    assert!(!is_remembered(&tokens, &one));
    assert!(tokens.verify(&one, None).await.is_ok());
    assert_eq!(served.asked(), 2);
    // A key is withdrawn, which a token of one that is new brings to light at once.
    let third = Signing::new("third");
    served.now(Some(set(&[&new, &third])));
    assert!(is_remembered(&tokens, &one));
    assert!(tokens.verify(&third.token(&claims()), None).await.is_ok());
    let expected = "the token's signature is not the issuer's";
    assert_eq!(why(&tokens, &one).await, expected);
}

#[tokio::test]
async fn a_token_that_is_remembered_expires_all_the_same() {
    let key = Signing::new("k1");
    let tokens = tokens(&Served::these(&[&key]), rules(), false);
    let token = key.token(&with("exp", json!(now() - 27)));
    assert!(tokens.verify(&token, None).await.is_ok());
    assert!(is_remembered(&tokens, &token));
    let begun = std::time::Instant::now();
    while let Ok(known) = tokens.verify(&token, None).await {
        assert!(begun.elapsed() < Duration::from_secs(5), "it still stands for {known:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(why(&tokens, &token).await, "the token has expired");
}

#[tokio::test]
async fn what_is_not_taken_is_not_remembered_and_no_more_than_some_are() {
    let key = Signing::new("k1");
    let tokens = tokens(&Served::these(&[&key]), rules(), false);
    let token = key.token(&with("aud", json!("https://other.example.com/mcp")));
    assert!(tokens.verify(&token, None).await.is_err());
    assert!(!is_remembered(&tokens, &token));
    let Tokens::Jwt { keys, .. } = &tokens else { panic!("they are no JWTs") };
    let token = key.token(&claims());
    let token = Token::parse(&token).unwrap();
    let remember = async |number: u64, now: i64| {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        keys.remember(digest, keys.verify(&token).await.unwrap(), now, 10);
        keys.remembered(&digest).is_some()
    };
    for number in 0..1024 {
        assert!(remember(number, 9).await);
    }
    assert!(!remember(1024, 9).await);
    // By now the others have expired.
    assert!(remember(1024, 10).await);
}

#[tokio::test(start_paused = true)]
async fn while_the_issuer_is_down_its_keys_go_on_until_they_are_too_old() {
    let (key, unknown) = (Signing::new("k1"), Signing::new("k2"));
    let served = Served::these(&[&key]);
    let tokens = tokens(&served, rules(), false);
    assert!(tokens.verify(&key.token(&claims()), None).await.is_ok());
    served.now(None);
    tokio::time::sleep(Duration::from_hours(23)).await;
    assert!(tokens.verify(&key.token(&claims()), None).await.is_ok());
    // Whether there is such a key cannot be said.
    assert_eq!(why(&tokens, &unknown.token(&claims())).await, "unavailable");
    tokio::time::sleep(Duration::from_hours(2)).await;
    assert_eq!(why(&tokens, &key.token(&claims())).await, "unavailable");
    served.now(Some(set(&[&key])));
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert!(tokens.verify(&key.token(&claims()), None).await.is_ok());
}

#[tokio::test]
async fn without_any_keys_nobody_is_known() {
    let key = Signing::new("k1");
    let served = Served::these(&[]);
    let tokens = tokens(&served, rules(), false);
    assert_eq!(why(&tokens, &key.token(&claims())).await, "unavailable");
}

/// RFC 7515, Appendix A.2: a token that somebody else signed with RS256.
#[test]
fn the_standards_own_example_verifies() {
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    let set = json!({"keys": [{"kty": "RSA", "n": n, "e": "AQAB"}]}).to_string();
    let set = KeySet::parse(set.as_bytes()).unwrap();
    let signed = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let token = format!("{signed}.{signature}");
    let token = Token::parse(&token).unwrap();
    let claims = set.candidates(&token).find_map(|key| token.verified_by(key)).unwrap();
    assert_eq!(claims["iss"], "joe");
}

#[test]
fn keys_that_cannot_verify_are_passed_over() {
    let good = Signing::new("k1").jwk();
    let change = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    for key in [
        json!({"kty": "oct", "k": "c2VjcmV0"}),
        change("use", json!("enc")),
        change("key_ops", json!(["encrypt"])),
        change("alg", json!("HS256")),
        change("crv", json!("P-521")),
        change("x", json!("AA")),
        change("kty", json!("OKP")),
        json!("key"),
    ] {
        let set = json!({"keys": [key]}).to_string();
        assert!(KeySet::parse(set.as_bytes()).is_err(), "{key}");
        let both = json!({"keys": [key, good]}).to_string();
        assert!(KeySet::parse(both.as_bytes()).is_ok(), "{key}");
    }
    for set in ["", "[]", "{}", "{\"keys\":{}}", "<html>"] {
        assert!(KeySet::parse(set.as_bytes()).is_err(), "{set}");
    }
}

/// What the authorization server answers, and how often it was asked.
fn asking(answer: Value) -> (Tokens, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let ask: Fetch<Secret> = Arc::new(move |token: Secret| {
        assert_eq!(token.expose(), "opaque");
        count.fetch_add(1, Ordering::Relaxed);
        let answer = answer.clone();
        async move {
            if answer.is_null() {
                return Err("it is down".to_owned());
            }
            Ok(answer.to_string().into_bytes())
        }
        .boxed()
    });
    let rules = ClaimRules { issuer_may_lack: true, ..rules() };
    let introspection = Introspection::new(ask, rules, Duration::from_secs(10));
    (Tokens::Introspection(introspection), asked)
}

#[tokio::test(start_paused = true)]
async fn an_active_token_is_asked_about_now_and_then() {
    let mut active = claims();
    active["active"] = json!(true);
    active.as_object_mut().unwrap().remove("iss");
    let (tokens, asked) = asking(active);
    for _ in 0..3 {
        let known = tokens.verify("opaque", None).await.unwrap();
        assert_eq!(known.identity.as_str(), "alice");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(tokens.verify("opaque", None).await.is_ok());
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn what_the_server_does_not_call_active_stands_for_nobody() {
    let mut elsewhere = with("aud", json!("other"));
    elsewhere["active"] = json!(true);
    let mut of_another = with("iss", json!("https://evil.example"));
    of_another["active"] = json!(true);
    for (answer, expected) in [
        (json!({"active": false}), "the token is unknown, expired or revoked"),
        (elsewhere, "the token is not for this server"),
        (of_another, "the token is of another issuer"),
        (json!({"active": true}), "the token is not for this server"),
        (json!({}), "unavailable"),
        (json!({"active": "true"}), "unavailable"),
        (json!([]), "unavailable"),
        (json!(null), "unavailable"),
    ] {
        let (tokens, _) = asking(answer.clone());
        assert_eq!(why(&tokens, "opaque").await, expected, "{answer}");
    }
}
