//! Private keys that sign: assertions of ours for authorization servers, and requests.
//!
//! A key decides its algorithm, so that none can be asked to sign in another's name: RS256 for
//! RSA, ES256 and ES384 for the curves P-256 and P-384, `EdDSA` for Ed25519 (RFC 7518 §3.1,
//! RFC 8037 §3.1). What is signed, and where the signature goes, is somebody else's.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair as RsaKeyPair;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    RSA_PKCS1_SHA256,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::secret::Secret;

/// A private key.
pub struct SigningKey {
    kind: Kind,
    /// By what name whoever verifies knows it.
    id: Option<String>,
}

enum Kind {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// Reads a key in PEM: PKCS#8, or PKCS#1 for RSA. The error says in words what is wrong, and
    /// nothing of the key.
    pub fn from_pem(pem: &Secret, id: Option<String>) -> Result<Self, &'static str> {
        const UNKNOWN: &str =
            "is no key that can sign: expected RSA (2048 bits or more), P-256, P-384 or Ed25519";
        let der = PrivateKeyDer::from_pem_slice(pem.expose().as_bytes())
            .map_err(|_| "holds no private key in PEM")?;
        let kind = match &der {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der())
                .map(|key| Kind::Rsa(Box::new(key)))
                .map_err(|_| UNKNOWN)?,
            PrivateKeyDer::Pkcs8(der) => of_pkcs8(der.secret_pkcs8_der()).ok_or(UNKNOWN)?,
            _ => return Err("is not in PKCS#8: `openssl pkcs8 -topk8 -nocrypt` makes it so"),
        };
        Ok(Self { kind, id })
    }

    /// A key that nobody knows, where one must be there and nothing will be signed.
    pub fn throwaway() -> Result<Self, &'static str> {
        let none = "cannot be made: the system gives no random bytes";
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| none)?;
        let key = Ed25519KeyPair::from_pkcs8(made.as_ref()).map_err(|_| none)?;
        Ok(Self { kind: Kind::Ed25519(key), id: None })
    }

    /// The algorithm's name in JOSE.
    pub(super) fn algorithm(&self) -> &'static str {
        match &self.kind {
            Kind::Rsa(_) => "RS256",
            Kind::P256(_) => "ES256",
            Kind::P384(_) => "ES384",
            Kind::Ed25519(_) => "EdDSA",
        }
    }

    /// The signature; `None` where the system gives no random bytes.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.kind {
            Kind::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Kind::P256(key) | Kind::P384(key) => {
                Some(key.sign(&random, message).ok()?.as_ref().to_vec())
            }
            Kind::Ed25519(key) => Some(key.sign(message).as_ref().to_vec()),
        }
    }

    /// A signed JWT (RFC 7515 §3.1) with these claims, and those of a single use: it is of now,
    /// ends soon, and has a name of its own (RFC 7523 §3). `None` as for [`sign`](Self::sign).
    pub(super) fn assertion(
        &self,
        mut claims: Value,
        now: SystemTime,
        lifetime: Duration,
    ) -> Option<String> {
        let mut name = [0; 16];
        getrandom::fill(&mut name).ok()?;
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        claims["iat"] = now.into();
        claims["exp"] = now.saturating_add(lifetime.as_secs()).into();
        claims["jti"] = URL_SAFE_NO_PAD.encode(name).into();
        let mut header = json!({ "alg": self.algorithm(), "typ": "JWT" });
        if let Some(id) = &self.id {
            header["kid"] = id.as_str().into();
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.sign(signed.as_bytes())?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn of_pkcs8(der: &[u8]) -> Option<Kind> {
    let random = SystemRandom::new();
    let curve = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, der, &random).ok();
    // The one without a public key is what OpenSSL writes.
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
        .ok()
        .map(Kind::Ed25519)
        .or_else(|| curve(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Kind::P256))
        .or_else(|| curve(&ECDSA_P384_SHA384_FIXED_SIGNING).map(Kind::P384))
        .or_else(|| RsaKeyPair::from_pkcs8(der).ok().map(|key| Kind::Rsa(Box::new(key))))
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use base64::engine::general_purpose::STANDARD;
    use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, KeyPair as _, UnparsedPublicKey};

    use super::*;

    fn pem(der: &[u8]) -> Secret {
        let text = STANDARD.encode(der);
        Secret::new(format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"))
    }

    /// A new key in PEM.
    pub(in crate::bridge) fn p256() -> Secret {
        let key =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        pem(key.expect("a key").as_ref())
    }

    fn ed25519() -> Secret {
        pem(Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key").as_ref())
    }

    fn public(key: &SigningKey) -> Vec<u8> {
        match &key.kind {
            Kind::P256(key) | Kind::P384(key) => key.public_key().as_ref().to_vec(),
            Kind::Ed25519(key) => key.public_key().as_ref().to_vec(),
            Kind::Rsa(key) => key.public().as_ref().to_vec(),
        }
    }

    #[test]
    fn an_assertion_is_a_jwt_that_its_key_verifies() {
        let id = Some("k1".to_owned());
        for (pem, algorithm) in [(p256(), "ES256"), (ed25519(), "EdDSA")] {
            let key = SigningKey::from_pem(&pem, id.clone()).expect("a key");
            let now = UNIX_EPOCH + Duration::from_secs(1_000);
            let claims = json!({ "iss": "bridge" });
            let jwt = key.assertion(claims, now, Duration::from_mins(1)).expect("a JWT");
            let (signed, signature) = jwt.rsplit_once('.').expect("parts");
            let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
            let verified = match algorithm {
                "ES256" => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public(&key))
                    .verify(signed.as_bytes(), &signature),
                _ => UnparsedPublicKey::new(&ED25519, public(&key))
                    .verify(signed.as_bytes(), &signature),
            };
            assert!(verified.is_ok(), "{algorithm}");
            let part = |text: &str| -> Value {
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).expect("base64"))
                    .expect("JSON")
            };
            let (header, claims) = signed.split_once('.').expect("parts");
            assert_eq!(part(header), json!({ "alg": algorithm, "typ": "JWT", "kid": "k1" }));
            let claims = part(claims);
            assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_000), &json!(1_060)));
            assert_eq!(claims["jti"].as_str().map(str::len), Some(22));
        }
    }

    #[test]
    fn what_is_no_key_is_told_without_showing_it() {
        for (text, told) in [
            ("hunter2", "holds no private key in PEM"),
            ("-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n", "is no key"),
            ("-----BEGIN EC PRIVATE KEY-----\naHVu\n-----END EC PRIVATE KEY-----\n", "PKCS#8"),
        ] {
            let error = SigningKey::from_pem(&Secret::new(text), None).expect_err(text);
            assert!(error.contains(told) && !error.contains("hunter2"), "{error}");
        }
    }
}
