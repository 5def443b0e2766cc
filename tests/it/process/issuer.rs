//! An authorization server's half that counts here: a key that signs, and the file in which its
//! public half is.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::house::House;

pub(super) const ISSUER: &str = "https://id.example.com/";
pub(super) const AUDIENCE: &str = "https://bridge.example.com/mcp";

pub(super) struct Issuer {
    id: &'static str,
    key: EcdsaKeyPair,
}

impl Issuer {
    pub(super) fn new(id: &'static str) -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let der = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref(), &random).expect("a key");
        Self { id, key }
    }

    /// Writes the key set of these issuers.
    pub(super) fn publish(house: &House, keys: &[&Self]) {
        let keys: Vec<Value> = keys.iter().map(|issuer| issuer.jwk()).collect();
        house.write("jwks.json", &json!({"keys": keys}).to_string());
    }

    pub(super) fn jwk(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|half| URL_SAFE_NO_PAD.encode(half));
        json!({"kty": "EC", "crv": "P-256", "kid": self.id, "x": x, "y": y})
    }

    /// A token of these claims, and of those that every one has.
    pub(super) fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "kid": self.id, "typ": "at+jwt"});
        self.signed(&header, claims)
    }

    pub(super) fn signed(&self, header: &Value, claims: &Value) -> String {
        let mut all = json!({"iss": ISSUER, "aud": AUDIENCE, "exp": now() + 300, "iat": now()});
        for (name, value) in claims.as_object().expect("claims") {
            all[name] = value.clone();
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(&all));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).expect("signed");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// The header by which a token is brought.
pub(super) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}
